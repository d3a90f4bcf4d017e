"""The files of the house, and C++ text without its comments and literals."""

import os
import pathlib
import re

SKIPPED = re.compile(r"(^|/)(\.git|build[^/]*|__pycache__|\.venv|\.cache|\.weir|packagecache)(/|$)")


class Tree:
    """A source tree. Paths are given and taken relative to its root, with slashes."""

    def __init__(self, root):
        self.root = pathlib.Path(root).resolve()
        self._texts = {}
        self._paths = None

    def paths(self, *suffixes, under=""):
        """All files, sorted; with suffixes only those that end so; with `under` only those below that folder."""
        if self._paths is None:
            self._paths = []
            for folder, folders, names in os.walk(self.root):
                relative = pathlib.Path(folder).relative_to(self.root).as_posix()
                prefix = "" if relative == "." else relative + "/"
                # Only top-level folders are builds; a folder named build deeper down is the house's.
                folders[:] = sorted(
                    name
                    for name in folders
                    if not SKIPPED.search(name) or (prefix and name.startswith("build"))
                    if not (prefix == "subprojects/" and name not in ("packagefiles",))
                )
                # In a worktree .git is a file.
                self._paths += [prefix + name for name in sorted(names) if name != ".git"]
        chosen = self._paths
        if suffixes:
            chosen = [path for path in chosen if path.endswith(suffixes)]
        if under:
            chosen = [path for path in chosen if path.startswith(under.rstrip("/") + "/")]
        return chosen

    def text(self, path):
        if path not in self._texts:
            self._texts[path] = (self.root / path).read_text(encoding="utf-8", errors="replace")
        return self._texts[path]

    def exists(self, path):
        return (self.root / path).exists()


TOKENS = re.compile(
    r"""//[^\n]*
      | /\*.*?\*/
      | R"(?P<mark>[^()\\\s]{0,16})\(.*?\)(?P=mark)"
      | "(?:\\.|[^"\\\n])*"
      | (?<![0-9A-Fa-f])'(?:\\.|[^'\\\n])+'
    """,
    re.X | re.S,
)


def blank(match):
    """As many lines as before, nothing in them."""
    text = match[0]
    lines = "\n" * text.count("\n")
    if text.startswith(("//", "/*")):
        return lines or " "
    return '""' + lines if text[-1] == '"' else "' '"


def code_of(text):
    """C++ without comments and without the contents of literals; line numbers stay."""
    return TOKENS.sub(blank, text)


def line_of(text, offset):
    return text.count("\n", 0, offset) + 1
