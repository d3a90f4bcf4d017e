"""Parameters of a run: what the server checks, and the words that it rewrites on the way into the cluster."""

import datetime
import re

from . import jsonio
from .errors import invalid

KINDS = {
    "NUMBER_DOUBLE": ("double or integer", "parameter value", "number"),
    "NUMBER_INTEGER": ("double or integer", "parameter value", "number"),
    "STRING": ("string", "input parameter", "string"),
    "BOOLEAN": ("bool", "input parameter", "bool"),
    "LIST": ("list", "input parameter", "list"),
    "STRUCT": ("struct", "input parameter", "struct"),
    "INT": ("double or integer", "parameter value", "number"),
    "DOUBLE": ("double or integer", "parameter value", "number"),
}


def kind_of(value):
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, (int, float)):
        return "number"
    return {str: "string", list: "list", dict: "struct", type(None): "null"}[type(value)]


def check(template, given):
    """ApiError 400 on the first that does not fit; a file of KFP 1 takes anything."""
    given = given or {}
    if not template.version2:
        return
    for name, definition in template.inputs.items():
        if name in given:
            check_one(name, definition, given[name])
        elif "defaultValue" not in definition and not definition.get("isOptional"):
            raise invalid(f"parameter {name} is not optional, yet has neither default value nor user provided value")
    unknown = [name for name in given if name not in template.inputs]
    if unknown:
        raise invalid(f"parameter(s) provided are not required by pipeline: {', '.join(unknown)}")


def check_one(name, definition, value):
    """The kind only: 1.5 is an integer to the server, and elements of lists are not looked at."""
    kind = definition.get("parameterType") or definition.get("type") or "STRING"
    if kind not in KINDS:
        raise invalid(f"input parameter {name} has unknown type {kind}")
    words, what, wanted = KINDS[kind]
    if kind_of(value) != wanted:
        raise invalid(f"input parameter {name} requires type {words}, but the {what} is not of {wanted} value type")
    literals = definition.get("literals")
    if literals and value not in literals:
        raise invalid(
            f'input parameter "{name}" value {value!r} does not match any of the allowed literal values: {literals!r}'
        )


MACRO = re.compile(r"\[\[(RunUUID|CurrentTime)(?:\.([^\]]*))?\]\]")
# Go's layouts, as far as anybody writes them.
GO_TIME = (
    ("2006", "%Y"), ("January", "%B"), ("Jan", "%b"), ("01", "%m"), ("02", "%d"), ("15", "%H"), ("04", "%M"),
    ("05", "%S"), ("06", "%y"), ("MST", "UTC"), ("Z07:00", "Z"), ("Monday", "%A"), ("Mon", "%a"), ("PM", "%p"),
    ("03", "%I"),
)  # fmt: skip
GO_WORD = re.compile("|".join(re.escape(word) for word, _ in GO_TIME))


def go_time(layout, seconds):
    moment = datetime.datetime(1970, 1, 1) + datetime.timedelta(seconds=seconds)
    table = dict(GO_TIME)
    return GO_WORD.sub(lambda match: moment.strftime(table[match[0]]), layout)


def expand(text, run_id, seconds):
    """[[RunUUID]], [[CurrentTime]] and [[CurrentTime.LAYOUT]]; whatever else stands in brackets stays."""

    def word(match):
        if match[1] == "RunUUID":
            return run_id if match[2] is None else match[0]
        return go_time(match[2] if match[2] is not None else "20060102150405", seconds)

    return MACRO.sub(word, text)


def into_cluster(given, run_id, seconds):
    """What the Workflow gets: macros are expanded in strings at the top only, and never in defaults."""
    return {
        name: expand(value, run_id, seconds) if isinstance(value, str) else jsonio.shown(value)
        for name, value in (given or {}).items()
    }
