"""Each library links alone: what it calls of this house lies in itself or in a library it may use.

A static library takes an upward call in silence, and the program around it links all the same; the symbol tables tell.
"""

import json
import pathlib
import subprocess

from . import floor


def libraries(build, root):
    """Static library file -> the folder it was defined in."""
    text = subprocess.run(["meson", "introspect", "--targets", str(build)], check=True, capture_output=True, text=True)
    found = {}
    for target in json.loads(text.stdout):
        if target["type"] != "static library":
            continue
        folder = pathlib.Path(target["defined_in"]).parent
        try:
            relative = folder.resolve().relative_to(root).as_posix()
        except ValueError:  # a subproject elsewhere
            continue
        if not relative.startswith(("tests", "subprojects")):
            found[target["filename"][0]] = relative
    return found


def symbols(library):
    """(defined, undefined) symbols of this house, as mangled names."""
    done = subprocess.run(["nm", "-P", library], check=True, capture_output=True, text=True)
    defined, undefined = set(), set()
    for line in done.stdout.splitlines():
        words = line.split()
        if len(words) < 2 or "4weir" not in words[0]:
            continue
        (undefined if words[1] in "Uwv" else defined).add(words[0])
    return defined, undefined - defined


def judge(tables, rooms):
    """tables: name -> (defined, undefined); rooms: name -> library. Findings."""
    findings = []
    for name, (_, undefined) in sorted(tables.items()):
        here = rooms[name]
        if here is None or here in floor.ROOFS:
            continue
        allowed = {here, *floor.FLOORS[here]}
        near = set().union(*(tables[other][0] for other in tables if rooms[other] in allowed))
        far = {symbol: other for other in tables if rooms[other] not in allowed for symbol in tables[other][0]}
        for symbol in sorted(undefined - near):
            if symbol in far:
                findings.append(f"{here}:1: {name} needs {symbol}, which lies in {rooms[far[symbol]]}: it cannot link alone")
            elif not symbol.startswith(("_ZTI", "_ZTV", "_ZTS")):
                findings.append(f"{here}:1: {name} needs {symbol}, which no library defines")
    return findings


def check(tree, build):
    found = libraries(build, tree.root)
    names = {path: pathlib.Path(path).name for path in found}
    tables = {names[path]: symbols(path) for path in found if pathlib.Path(path).exists()}
    missing = [f"{folder}:1: {names[path]} is not built" for path, folder in found.items() if names[path] not in tables]
    rooms = {names[path]: floor.owner(folder + "/x") for path, folder in found.items()}
    return missing + judge(tables, rooms)
