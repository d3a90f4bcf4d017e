"""What can go wrong, and where in the author's file it did."""

from __future__ import annotations

import difflib
import os
import sys
from typing import Iterable, List, NamedTuple, Optional


class Place(NamedTuple):
    """A line of an author's file."""

    file: str
    line: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}"

    @property
    def basename(self) -> str:
        return os.path.basename(self.file)


def caller_place(depth: int) -> Place:
    """Where the function `depth` calls above the caller stands; 1 is whoever called the caller."""
    frame = sys._getframe(depth + 1)
    return Place(frame.f_code.co_filename, frame.f_lineno)


class WeirError(Exception):
    """Everything this package raises on purpose."""


class DefinitionError(WeirError, ValueError):
    """A decorator, leaf or report says what weir would refuse. Each line of the message is `FILE:LINE: what is wrong`."""


class PublishError(WeirError):
    """An event was not taken: refused for good, or weir could not be reached in the time given."""


class Problems:
    """Collects what is wrong, so that one compilation tells all of it."""

    def __init__(self) -> None:
        self.lines: List[str] = []

    def add(self, place: Place, message: str) -> None:
        self.lines.append(f"{place}: {message}")

    def take(self, error: DefinitionError) -> None:
        """The problems of another compilation, each once."""
        self.lines += [line for line in str(error).split("\n") if line not in self.lines]

    def raise_any(self) -> None:
        if self.lines:
            raise DefinitionError("\n".join(self.lines))


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """`; did you mean "x"?`, or nothing if no known word is near."""
    near: Optional[str] = next(iter(difflib.get_close_matches(word, list(known), n=1, cutoff=0.6)), None)
    return f'; did you mean "{near}"?' if near else ""
