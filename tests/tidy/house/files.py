"""Files that nobody builds, includes or starts; what lies loose; what is not described; what names one machine."""

import re

from . import floor

TOP = {
    "base", "events", "triggers", "flows", "src", "tests", "deploy", "docs", "subprojects", ".ci",
    "meson.build", "meson_options.txt", "README.md", "ARCHITECTURE.md", "STYLE.md", "HACKING.md", "LICENSE",
    ".clang-format", ".clang-tidy", ".gitignore", ".gitattributes", ".editorconfig",
}  # fmt: skip
GENERATED = re.compile(r"\.(pb\.h|pb\.cc)$")


def dead_sources(tree):
    """A .cpp that no meson.build names, in its own folder or above."""
    findings = []
    builds = {path.rpartition("/")[0]: tree.text(path) for path in tree.paths("meson.build")}
    for path in tree.paths(".cpp", ".cc", ".proto"):
        if not is_named(path, builds):
            findings.append(f"{path}:1: no meson.build names it")
    return findings


def is_named(path, builds):
    folder = path
    while folder:
        folder = folder.rpartition("/")[0]
        text = builds.get(folder)
        if text is None:
            continue
        rest = path[len(folder) + 1 :] if folder else path
        if f"'{rest}'" in text:
            return True
        # foreach name : ['json', ...]  ...  name + '_test.cpp'
        for end in re.findall(r"\+\s*'([^']*\.(?:cpp|proto))'", text):
            stem = rest[: -len(end)] if rest.endswith(end) else ""
            for start in ["", *re.findall(r"'([^']*/)'\s*[+/]\s*\w+\s*\+", text), *re.findall(r"'([^']+)'\s*/", text)]:
                name = stem[len(start) :].lstrip("/") if stem.startswith(start) else ""
                if name and f"'{name}'" in text:
                    return True
    return False


def dead_headers(tree):
    """A header that nobody includes."""
    included = set()
    for path in tree.paths(".hpp", ".cpp", ".h"):
        for _, _, name in floor.includes(tree, path):
            included.add(name.lstrip("./"))
    findings = []
    for path in tree.paths(".hpp", ".h"):
        ends = {path.split("/include/", 1)[-1]}
        parts = path.split("/")
        ends |= {"/".join(parts[start:]) for start in range(len(parts))}
        if not ends & included:
            findings.append(f"{path}:1: nobody includes it")
    return findings


def dead_scripts(tree):
    """A script that nothing mentions."""
    findings = []
    texts = {path: tree.text(path) for path in tree.paths("meson.build", ".py", ".sh", ".md", "run", ".yaml", ".txt")}
    for path in tree.paths(".py", ".sh"):
        name = path.rpartition("/")[2]
        stem = name.rpartition(".")[0]
        words = re.compile(rf"\b{re.escape(stem)}\b")
        if name == "__init__.py" or re.match(r"flows/(metaflow|kfp|examples)/", path):
            continue
        if not any(words.search(text) for other, text in texts.items() if other != path):
            findings.append(f"{path}:1: nothing mentions it")
    return findings


def loose(tree):
    """Nothing lies loose in src/, and nothing unknown at the top."""
    findings = []
    for path in tree.paths():
        parts = path.split("/")
        if len(parts) == 2 and parts[0] == "src" and parts[1] not in ("meson.build", "README.md"):
            findings.append(f"{path}:1: lies loose in src/")
        if parts[0] not in TOP:
            findings.append(f"{path}:1: is not in the floor plan")
    return sorted(set(findings))


def readmes(tree):
    """Every library, every room of src and tests and every top-level folder says what it is."""
    folders = {room for _, room in floor.include_roots(tree).values() if not room.startswith("tests/")}
    for path in tree.paths():
        parts = path.split("/")
        if len(parts) > 1 and parts[0] in TOP and not parts[0].startswith("."):
            folders.add(parts[0])
        if len(parts) > 2 and parts[0] == "src":
            folders.add("/".join(parts[:2]))
        if "examples" in parts[:-1] and parts[0] != "tests":
            folders.add("/".join(parts[: parts.index("examples") + 1]))
    return [f"{folder}/README.md:1: missing" for folder in sorted(folders) if not tree.exists(f"{folder}/README.md")]


LINK = re.compile(r"\[[^\]]*\]\(([^)#\s]+)(?:#[^)]*)?\)")
TICKED = re.compile(r"`([^`\n]+)`")
PATHISH = re.compile(r"[\w.*{},@+-]+(?:/[\w.*{},@+-]+)+/?|[\w-]+\.(?:md|py|sh|cpp|hpp|build|txt|yaml|json)")


def readme_paths(tree):
    """Every path that a README or document names is there."""
    findings = []
    tops = {path.split("/")[0] for path in tree.paths()}
    for path in tree.paths(".md"):
        folder = path.rpartition("/")[0]
        text = tree.text(path)
        for number, line in enumerate(text.splitlines(), start=1):
            for target in LINK.findall(line):
                if "://" not in target and not found(tree, folder, target):
                    findings.append(f"{path}:{number}: the link {target} leads nowhere")
            for ticked in TICKED.findall(line):
                if not PATHISH.fullmatch(ticked) or "/" not in ticked:
                    continue
                head = ticked.split("/")[0]
                local = folder and tree.exists(f"{folder}/{head}")
                if (head in tops or local or head in (".", "..")) and not found(tree, folder, ticked):
                    findings.append(f"{path}:{number}: `{ticked}` is not there")
    return findings


def found(tree, folder, target):
    target = target.rstrip("/")
    for name in expand(target):
        for start in {folder, ""}:
            base = tree.root / start
            if any(True for _ in base.glob(name)) if "*" in name else (base / name).exists():
                break
        else:
            return False
    return True


def expand(name):
    match = re.search(r"\{([^{}]*)\}", name)
    if not match:
        return [name]
    return [end for part in match[1].split(",") for end in expand(name[: match.start()] + part + name[match.end() :])]


# Written in pieces, so that this file does not find itself.
MACHINES = re.compile(
    "|".join(
        (
            r"(?<![\w./$}-])/wor" + r"k/", r"(?<![\w./$}-])/tm" + r"p/(?:weir|b-)", r"(?<![\w./$}-])/hom" + r"e/\w", r"(?<![\w./$}-])/roo" + r"t/",
            r"deb\.debian" + r"\.org", r"pypi\.o" + r"rg", r"pythonhos" + r"ted", r"registry\.npm" + r"js", r"crates\.i" + r"o",
            r"proxy\.gol" + r"ang", r"repo1?\.mav" + r"en", r"(?i:\bclau" + r"de\b|\banthro" + r"pic\b|\bchat" + r"gpt\b)",
        )
    )
)  # fmt: skip


def machines(tree):
    """No path of one machine, no host of a package registry."""
    findings = []
    for path in tree.paths():
        if path.endswith((".png", ".svg", ".db", ".gz")):
            continue
        for number, line in enumerate(tree.text(path).splitlines(), start=1):
            match = MACHINES.search(line)
            if match:
                findings.append(f"{path}:{number}: names one machine or a registry's host: {match[0]}")
    return findings


PUBLIC_SYSTEM = re.compile(r"^(sys|netinet|arpa|net|linux)/|^(unistd|fcntl|signal|poll|errno|dirent|pthread|time)\.h$")


def public_headers(tree):
    """`#pragma once` in every header; no third-party header in a public one."""
    findings = []
    headers = floor.include_roots(tree)
    public = {path for path, room in headers.values() if not room.startswith("tests/")}
    for path in tree.paths(".hpp"):
        if "#pragma once" not in tree.text(path):
            findings.append(f"{path}:1: no #pragma once")
        if path not in public:
            continue
        for line, _, name in floor.includes(tree, path):
            if name not in headers and re.search(r"[./]", name) and not PUBLIC_SYSTEM.search(name):
                findings.append(f"{path}:{line}: a public header includes <{name}>; forward-declare, or hide it")
    return findings


def check(tree):
    rooms = (dead_sources, dead_headers, dead_scripts, loose, readmes, readme_paths, machines, public_headers)
    return [finding for room in rooms for finding in room(tree)]
