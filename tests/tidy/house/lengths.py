"""No file over 500 lines, no function over 70. Functions are found by braces: near enough, and it cannot be argued with."""

import re

from .tree import code_of, line_of

FILE_LINES = 500
FUNCTION_LINES = 70
README_LINES = 60
SCOPE = re.compile(
    r'^\s*(?:template\s*<.*>\s*)?(?:inline\s+|export\s+|typedef\s+|static\s+|const\s+)*'
    r'(?:namespace|class|struct|union|enum|extern\s*"")\b(?![^;{]*\)\s*(?:const|noexcept|override|\s)*$)',
    re.S,
)
ANONYMOUS_SCOPE = re.compile(r"^\s*(?:inline\s+)?namespace\b")


def functions(code):
    """(first line, last line, head) of each outermost brace block that is no namespace, class or table."""
    found = []
    scopes = []  # of open braces: "scope", "data" or ("function", start, head)
    head_start = 0
    for match in re.finditer(r"[{};]", code):
        sign = match[0]
        if sign == "{":
            head = code[head_start : match.start()]
            inside = any(kind != "scope" for kind in scopes)
            if inside:
                scopes.append("inner")
            elif ANONYMOUS_SCOPE.match(head) or SCOPE.match(strip_lines(head)):
                scopes.append("scope")
            elif re.search(r"[=,(\[]\s*$", head) or re.search(r"\breturn\s*$", head):
                scopes.append("data")
            else:
                scopes.append(("function", match.start(), " ".join(strip_lines(head).split())))
        elif sign == "}" and scopes:
            kind = scopes.pop()
            if isinstance(kind, tuple):
                found.append((line_of(code, kind[1]), line_of(code, match.start()), kind[2]))
        if not any(kind != "scope" for kind in scopes):
            head_start = match.end()
    return found


def strip_lines(head):
    """Without preprocessor lines and labels of access."""
    lines = [line for line in head.splitlines() if not line.lstrip().startswith("#")]
    return re.sub(r"\b(?:public|protected|private)\s*:", " ", "\n".join(lines))


def check(tree):
    findings = []
    for path in tree.paths(".hpp", ".cpp", ".py", ".sh", ".proto", "meson.build"):
        if path.startswith(("docs/",)):
            continue
        lines = tree.text(path).count("\n")
        if lines > FILE_LINES:
            findings.append(f"{path}:{lines}: {lines} lines, at most {FILE_LINES}")
    for path in tree.paths(".hpp", ".cpp"):
        for first, last, head in functions(code_of(tree.text(path))):
            if last - first + 1 > FUNCTION_LINES:
                name = head[-80:]
                findings.append(f"{path}:{first}: {last - first + 1} lines, at most {FUNCTION_LINES}: {name}")
    for path in tree.paths("README.md"):
        lines = tree.text(path).count("\n")
        if "/" in path and lines > README_LINES:
            findings.append(f"{path}:{lines}: {lines} lines, at most {README_LINES}: a README says where to start")
    return findings
