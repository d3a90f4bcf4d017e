"""Durations as weir's documents write them: 90s, 1h30m, 250ms, 7d."""

from __future__ import annotations

import re
from typing import Optional, Union

_UNITS = {"ns": 1, "us": 10**3, "ms": 10**6, "s": 10**9, "m": 60 * 10**9, "h": 3600 * 10**9, "d": 86400 * 10**9}
_NANOSECONDS_MAX = 2**63 - 1


def parse_duration(text: str) -> Optional[int]:
    """Nanoseconds, or None for what is no duration."""
    if not re.fullmatch(r"(?:[0-9]+[a-z]+)+", text):
        return None
    total = 0
    for number, unit in re.findall(r"([0-9]+)([a-z]+)", text):
        if unit not in _UNITS:
            return None
        total += int(number) * _UNITS[unit]
    return total if total <= _NANOSECONDS_MAX else None


def seconds_of(given: Union[float, str], name: str) -> float:
    """Seconds of a number of them or of a duration as text."""
    if isinstance(given, str):
        parsed = parse_duration(given)
        if parsed is None:
            raise ValueError(f"{name}: not a duration: {given!r}; expected whole numbers with units, as 90s or 1h30m")
        return parsed / 1e9
    if isinstance(given, bool) or not isinstance(given, (int, float)) or not 0 <= given < 1e9:
        raise ValueError(f"{name}: expected seconds or a duration as 90s, found {given!r}")
    return float(given)
