"""The filter of a list call: how it is read, and which rows it lets through on which database."""

import re
import urllib.parse

from . import jsonio
from .database import fold
from .errors import INVALID_ARGUMENT, ApiError, invalid

GROUPS = {
    "EQUALS": "EQ", "NOT_EQUALS": "NEQ", "GREATER_THAN": "GT", "GREATER_THAN_EQUALS": "GTE", "LESS_THAN": "LT",
    "LESS_THAN_EQUALS": "LTE", "IN": "IN", "IS_SUBSTRING": "SUBSTRING",
}  # fmt: skip
VALUES = ("int_value", "long_value", "string_value", "timestamp_value", "int_values", "long_values", "string_values")


def unescape(text):
    """Go's QueryUnescape. ValueError at a '%' that is none."""
    if re.search(r"%(?![0-9A-Fa-f]{2})", text):
        raise ValueError("invalid URL escape")
    return urllib.parse.unquote_plus(text, errors="strict")


def parse(text, listable):
    """The groups of predicates as a page token holds them, or None. The text is decoded a second time here."""
    if not text:
        return None
    try:
        decoded = unescape(text)
        read = jsonio.decode(decoded)
        if decoded.lstrip()[:1] != "{" or jsonio.DECODER.raw_decode(decoded.lstrip())[1] != len(decoded.strip()):
            raise jsonio.Fault(f"proto: syntax error (line 1:1): invalid value {decoded[:20]}")
        message = jsonio.read_message(jsonio.FILTER, read)
    except (jsonio.Fault, ValueError) as fault:
        raise invalid(f'failed to parse valid filter from "{text}": {fault}') from fault
    predicates = message.get("predicates") or []
    if not predicates:
        return None
    groups = {group: {} for group in GROUPS.values()}
    for predicate in predicates:
        group, value = read_predicate(predicate)
        column = listable.filter_column(predicate["key"])
        groups[group].setdefault(column, []).append(value)
    return groups


def read_predicate(predicate):
    """(group, value). ApiError 400 where operation and value do not go together."""
    operation = predicate.get("operation", "OPERATION_UNSPECIFIED")
    name = next((name for name in VALUES if name in predicate), None)
    if operation not in GROUPS:
        raise invalid(f"invalid predicate operation: {operation}")
    if name is None:
        text = "Error using Filter.Predicate.Value with <nil>"
        raise ApiError(INVALID_ARGUMENT, f"UnknownApiVersionError: {text}", text)
    value = predicate[name]
    listed = name.endswith("_values")
    if listed:
        value = value.get("values") or []
    if not predicate.get("key"):
        raise invalid(f"Predicate key cannot be empty for operation {operation} and value {value}")
    if operation == "IN" and not listed and name != "timestamp_value":
        raise invalid("cannot use IN operator with scalar type")
    if operation == "IS_SUBSTRING" and name != "string_value":
        raise invalid(f"cannot use non string value type with operator {operation}")
    if operation not in ("IN", "IS_SUBSTRING") and listed:
        raise invalid(f"cannot use scalar operator {operation} on array type")
    return GROUPS[operation], value


def survives_token(groups):
    """Whether the filter is the same after a page token's trip through JSON: numbers and lists are not."""
    return groups is None or all(
        isinstance(value, str) for table in groups.values() for values in table.values() for value in values
    )


def number_of(text):
    """What MariaDB makes of a text that is compared with a number."""
    match = re.match(r"\s*[+-]?\d+(\.\d*)?([eE][+-]?\d+)?", text)
    return float(match[0]) if match else 0.0


def pair(cell, value, mariadb):
    """Both sides as the database compares them."""
    if isinstance(cell, str) and isinstance(value, str):
        return (fold(cell), fold(value)) if mariadb else (cell, value)
    if isinstance(cell, str):
        # SQLite: a text is more than any number.
        return (number_of(cell), value) if mariadb else (1, 0)
    if isinstance(value, str):
        if mariadb or re.fullmatch(r"\s*[+-]?\d+(\.\d+)?\s*", value):
            return cell, number_of(value)
        return 0, 1
    return cell, value


COMPARE = {
    "EQ": lambda one, other: one == other,
    "NEQ": lambda one, other: one != other,
    "GT": lambda one, other: one > other,
    "GTE": lambda one, other: one >= other,
    "LT": lambda one, other: one < other,
    "LTE": lambda one, other: one <= other,
}


def like(text, mariadb):
    """LIKE %text%: '_' and '%' are wildcards, case does not matter."""
    parts = []
    letters = iter(fold(text + "x")[:-1] if mariadb else text)
    for letter in letters:
        if letter == "\\" and mariadb:
            letter = next(letters, "\\")
            parts.append(re.escape(letter))
        else:
            parts.append({"_": ".", "%": ".*"}.get(letter, re.escape(letter)))
    return re.compile("".join(parts), re.S | (re.I | re.A if not mariadb else 0))


def test_of(group, value, mariadb):
    """A function of one cell."""
    if group == "SUBSTRING":
        pattern = like(str(value), mariadb)
        return lambda cell: bool(pattern.search(fold(str(cell) + "x")[:-1] if mariadb else str(cell)))
    if group == "IN":
        values = value if isinstance(value, list) else [value]
        if all(isinstance(item, str) for item in values):
            known = {fold(item) if mariadb else item for item in values}
            return lambda cell: isinstance(cell, str) and (fold(cell) if mariadb else cell) in known
        return lambda cell: any(COMPARE["EQ"](*pair(cell, item, mariadb)) for item in values)
    compare = COMPARE[group]
    return lambda cell: compare(*pair(cell, value, mariadb))


def tests_of(groups, listable, mariadb):
    """[(cell of a row, test)]"""
    return [
        (listable.cell(column), test_of(group, value, mariadb))
        for group, table in (groups or {}).items()
        for column, values in (table or {}).items()
        for value in values
    ]
