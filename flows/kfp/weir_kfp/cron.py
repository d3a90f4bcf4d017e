"""The cron expressions that weir takes: five fields, as its own reader checks them."""

from __future__ import annotations

import re
from typing import List, Optional, Set, Tuple

_MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
_DAYS = ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")
#: name, lowest, highest, greatest step, names, number of the first name, what is expected
_FIELDS: List[Tuple[str, int, int, int, Tuple[str, ...], int, str]] = [
    ("minute", 0, 59, 60, (), 0, "0 to 59"),
    ("hour", 0, 23, 24, (), 0, "0 to 23"),
    ("day of month", 1, 31, 31, (), 0, "1 to 31"),
    ("month", 1, 12, 12, _MONTHS, 1, "1 to 12 or JAN to DEC"),
    ("day of week", 0, 7, 7, _DAYS, 0, "0 to 7 (0 and 7 are Sunday) or SUN to SAT"),
]
_MONTH_LENGTHS = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)


class _Bad(Exception):
    pass


def cron_problem(expression: str) -> Optional[str]:
    """Why weir would refuse the expression, or None."""
    if len(expression.encode("utf-8", "replace")) > 1024:
        return "cron: the expression is longer than 1024 bytes"
    parts = [part for part in re.split(r"[ \t]", expression) if part]
    if parts and parts[0].startswith("@"):
        return f'cron: "{parts[0]}": nicknames are not taken; write the five fields'
    if len(parts) != 5:
        return (
            f'cron: "{expression}" has {len(parts)} fields; expected five: minute hour day-of-month month day-of-week'
        )
    try:
        values = [_field(text, index) for index, text in enumerate(parts)]
    except _Bad as bad:
        return str(bad)
    (days, any_day), (months, _), (_, any_weekday) = values[2], values[3], values[4]
    if any_weekday and not any_day and not any(day <= _MONTH_LENGTHS[month - 1] for month in months for day in days):
        return f'cron: "{expression}" never comes: no month of field four has a day "{parts[2]}"'
    return None


def _field(text: str, index: int) -> Tuple[Set[int], bool]:
    """The numbers a field names, and whether it restricts nothing."""
    name, lowest, highest, step_max, _, _, _ = _FIELDS[index]
    numbers: Set[int] = set()
    unrestricted = False
    for part in text.split(","):
        where = f'cron: {name} "{text}": ' + (f'"{part}": ' if part != text else "")
        if not part:
            raise _Bad(where + "an entry of the list is empty")
        span, slash, behind = part.partition("/")
        step = 1
        if slash:
            if not re.fullmatch(r"[0-9]{1,4}", behind) or not 1 <= int(behind) <= step_max:
                raise _Bad(where + f"the step behind / must be 1 to {step_max}")
            step = int(behind)
        low, high = lowest, 6 if index == 4 else highest
        if span == "*":
            unrestricted = unrestricted or step == 1
        else:
            first, dash, last = span.partition("-")
            low = _number(first, index, where)
            if dash:
                high = _number(last, index, where)
                if low > high:
                    raise _Bad(where + "the range runs backwards; write it as two, or end a week with 7")
            else:
                high = max(high, low) if slash else low
        numbers.update(range(low, high + 1, step))
    return numbers, unrestricted


def _number(text: str, index: int, where: str) -> int:
    _, lowest, highest, _, names, first, expected = _FIELDS[index]
    if re.fullmatch(r"[0-9]{1,4}", text) and lowest <= int(text) <= highest:
        return int(text)
    if text.upper() in names:
        return first + names.index(text.upper())
    if not re.fullmatch(r"[0-9]{1,4}", text) and re.search(r"[LW#?]", text):
        raise _Bad(where + "L, W, # and ? are not part of a five-field cron expression")
    raise _Bad(where + f"expected {expected}")


def timezone_problem(name: str) -> Optional[str]:
    """Why this is no time zone, as far as this machine knows its names; None if it is one."""
    import zoneinfo

    known = zoneinfo.available_timezones()
    if not known or name in known:
        return None
    from .errors import did_you_mean

    return f'there is no time zone "{name}"{did_you_mean(name, known)}; expected a name as Europe/Zurich or UTC'
