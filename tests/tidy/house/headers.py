"""Every header compiles alone: it includes what it uses. Compiled with the flags of its nearest neighbour."""

import concurrent.futures
import hashlib
import json
import os
import pathlib
import shlex
import subprocess

DROPPED = {"-o", "-MF", "-MQ", "-MT"}


def commands(build):
    """Source path (absolute) -> compiler arguments without source, output and optimisation."""
    found = {}
    for entry in json.loads((pathlib.Path(build) / "compile_commands.json").read_text()):
        words = shlex.split(entry["command"])
        kept, skip = [], False
        for word in words:
            if skip or word in DROPPED:
                skip = word in DROPPED
            elif word not in ("-c", "-MD", entry["file"]) and not word.startswith(("-O", "-g", "-fsanitize", "@")):
                kept.append(word)
        source = (pathlib.Path(entry["directory"]) / entry["file"]).resolve()
        found[str(source)] = (kept, entry["directory"])
    return found


def nearest(header, sources):
    """The source that shares the longest path with the header; of those in its own library before tests."""
    def shared(source):
        return len(os.path.commonpath([header, source])), -source.count("/")

    return max(sources, key=shared, default=None)


def room(root, path):
    """The library a file belongs to: the first two parts of its path (`src/engine`, `tests/sim`)."""
    return pathlib.PurePath(os.path.relpath(path, root)).parts[:2]


def with_room_includes(arguments, header, known, root):
    """The neighbour's flags and the include folders of its whole library: one folder may hold several targets."""
    words = list(arguments)
    for source, (others, _) in known.items():
        if room(root, source) == room(root, header):
            words += [word for word in others if word.startswith("-I") and word not in words]
    return words


def stamp_is_fresh(stamp, command):
    """True if the last compilation went well with this command and nothing it read is newer."""
    if not stamp.exists():
        return False
    lines = stamp.read_text().split("\n")
    if lines[0] != command:
        return False
    when = stamp.stat().st_mtime
    try:
        return all(os.stat(name).st_mtime <= when for name in lines[1:] if name)
    except OSError:
        return False


def compile_alone(header, arguments, directory, scratch):
    """None, or the first lines of what the compiler said. A good answer is kept in `scratch` until a file changes."""
    name = hashlib.sha256(str(header).encode()).hexdigest()[:16]
    stamp, source, depfile = (scratch / (name + end) for end in (".stamp", ".cpp", ".d"))
    text = f'#include "{header}"\n#include "{header}"\n'
    words = [*arguments, "-O0", "-MMD", "-MF", str(depfile), "-MT", "x", "-c", str(source), "-o", str(scratch / (name + ".o"))]
    command = shlex.join(words)
    if stamp_is_fresh(stamp, command):
        return None
    source.write_text(text)
    done = subprocess.run(words, cwd=directory, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        return "\n".join(done.stderr.splitlines()[:8]) or f"the compiler ended with {done.returncode}"
    read = shlex.split(depfile.read_text().partition(":")[2].replace("\\\n", " "))
    paths = [str((pathlib.Path(directory) / path).resolve()) for path in read if path != str(source)]
    stamp.write_text("\n".join([command, *paths]))
    return None


def check(tree, build):
    known = commands(build)
    scratch = pathlib.Path(build) / "tidy-headers"
    scratch.mkdir(exist_ok=True)
    jobs = {}
    findings = []
    with concurrent.futures.ThreadPoolExecutor(max_workers=2) as pool:
        for path in tree.paths(".hpp"):
            header = str(tree.root / path)
            neighbour = nearest(header, known)
            if neighbour is None:
                findings.append(f"{path}:1: nothing is compiled beside it")
                continue
            arguments, directory = known[neighbour]
            arguments = with_room_includes(arguments, header, known, str(tree.root))
            jobs[path] = pool.submit(compile_alone, header, arguments, directory, scratch)
    for path, job in jobs.items():
        if job.result():
            findings.append(f"{path}:1: does not compile alone:\n{job.result()}")
    return findings
