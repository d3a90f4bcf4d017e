"""The floor order: what may include what (ARCHITECTURE, floor plan)."""

import re

from .tree import code_of, line_of

# Library -> the libraries whose headers it may include, beside its own. A folder is its deepest entry's.
# An include root that is not listed is an adapter: it may include what its library may and that library itself, and
# nobody but src/app and the tests may include it.
FLOORS = {
    "base": (),
    "base/cel": ("base",),
    "events": ("base/cel", "base"),
    "triggers": ("events", "base/cel", "base"),
    "flows": ("events", "base/cel", "base"),
    "src/config": ("events", "flows", "base"),
    "src/ledger": ("events", "triggers", "flows", "base"),
    "src/engine": ("src/ledger", "triggers", "flows", "events", "base/cel", "base"),
    "src/server": ("src/config", "src/engine", "src/ledger", "flows", "events", "base"),
    "src/facade": ("src/engine", "src/ledger", "flows", "events", "base/cel", "base"),
    "src/cli": ("src/config", "src/engine", "src/ledger", "triggers", "flows", "events", "base/cel", "base"),
}
# Where only some headers of a library are meant: the reading side, the plain records, the ports, the pure core.
ONLY = {
    ("src/ledger", "triggers"): r"weir/triggers/(records|document|join|held)\.hpp",
    ("src/ledger", "flows"): r"weir/flows/records\.hpp",
    ("src/ledger", "events"): r"weir/events/(event|records|bus)\.hpp",
    ("src/config", "flows"): r"weir/flows/(document|records)\.hpp",
    ("src/server", "src/config"): r"weir/config/tokens\.hpp",
    ("src/server", "src/ledger"): r"weir/ledger/(reader|records)\.hpp",
    ("src/facade", "src/ledger"): r"weir/ledger/(reader|records)\.hpp",
    ("src/cli", "src/ledger"): r"weir/ledger/records\.hpp",
    ("src/server", "flows"): r"weir/flows/(registry|records|launcher)\.hpp",
}
# Adapters whose headers stand in their library's own include root.
ADAPTERS = re.compile(
    r"weir/(events/(\w+_bus|\w+_source)|ledger/\w+_ledger|flows/\w+_(launcher|backend))\.hpp"
)
# The configuration fills the plain option structs of the adapters; it opens none.
OPTIONS = {"src/config": re.compile(r"weir/(events/\w+_bus|flows/kubeflow/options)\.hpp")}
# May include everything.
ROOFS = ("src/app", "tests")

INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*([<"])([^>"\n]+)[>"]', re.M)
CODE_FOLDERS = ("base", "events", "triggers", "flows", "src", "tests")


def owner(path):
    """The deepest library a path is in, or None."""
    best = None
    for library in (*FLOORS, *ROOFS):
        if path.startswith(library + "/") and (best is None or len(library) > len(best)):
            best = library
    return best


def include_roots(tree):
    """Header as included -> (path, folder of its include root)."""
    headers = {}
    for path in tree.paths(".hpp", ".h"):
        if "/include/" in path:
            room, name = path.split("/include/", 1)
            headers[name] = (path, room)
    return headers


def includes(tree, path):
    """(line, quoted, name) of every include. Read from the text as it is: a name stands where a literal does."""
    text = tree.text(path)
    code = code_of(text).splitlines()
    for match in INCLUDE.finditer(text):
        line = line_of(text, match.start(2))
        if line <= len(code) and "include" in code[line - 1]:
            yield line, match[1] == '"', match[2]


def check(tree):
    findings = []
    headers = include_roots(tree)
    for path in tree.paths(".hpp", ".cpp"):
        if not path.startswith(tuple(folder + "/" for folder in CODE_FOLDERS)):
            continue
        here = owner(path)
        if here is None:
            findings.append(f"{path}:1: lies in no library of the floor plan")
            continue
        if here in ROOFS:
            continue
        room = next((room for _, room in headers.values() if path.startswith(room + "/") and room != here), None)
        for line, quoted, name in includes(tree, path):
            finding = judge(here, room, name, quoted, headers)
            if finding:
                findings.append(f"{path}:{line}: {finding}")
    return findings


def judge(here, room, name, quoted, headers):
    """What is wrong with library `here` (in the adapter `room`, or None) including `name`; None if nothing is."""
    if name not in headers:
        if name.startswith("weir/"):
            return f"<{name}> is no header of this house"
        if quoted and name.startswith("../") and name.count("../") > 2:
            return f'"{name}" climbs out of its library'
        return None
    _, there_room = headers[name]
    there = owner(there_room + "/x")
    if there in ROOFS:
        return f"<{name}>: nothing includes {there}"
    if there_room not in FLOORS:  # an adapter
        if there_room in (room, here) or (here in OPTIONS and OPTIONS[here].fullmatch(name)):
            return None
        return f"<{name}> is an adapter ({there_room}); only src/app names adapters"
    if there == here:
        return None
    if ADAPTERS.fullmatch(name) and not (here in OPTIONS and OPTIONS[here].fullmatch(name)):
        return f"<{name}> is an adapter; only src/app names adapters"
    if there not in FLOORS[here]:
        return f"{here} may not include {there} (<{name}>)"
    wanted = ONLY.get((here, there))
    if wanted and not re.fullmatch(wanted, name):
        return f"{here} may include of {there} only {wanted}, not <{name}>"
    return None
