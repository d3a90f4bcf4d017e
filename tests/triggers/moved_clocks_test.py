"""Schedules around the days when clocks are moved, against a second reading of the rule, in Python.

    moved_clocks_test.py WEIR_CONFORMANCE [--random N] [--seed S]

The rule (design, Cron): a fixed hour and minute runs exactly once that day: inside a gap at its end (equal instants are one
slot), in a doubled hour on the first pass; `*` or a step in hour or minute follows real time; a date that does not exist has
no slot. The cases are given to `weir-conformance cron` as ones of kind `plain`. --random adds cases of chance."""

import argparse
import datetime
import json
import pathlib
import random
import re
import subprocess
import sys
import tempfile
import zoneinfo

MINUTE = datetime.timedelta(minutes=1)
DAY = datetime.timedelta(days=1)
SLOTS = 5
DAYS_MAX = 4000

MOVES = {
    "Europe/Berlin": ("2026-03-29", "2026-10-25"),
    "America/New_York": ("2026-03-08", "2026-11-01"),
    "Australia/Lord_Howe": ("2026-10-04", "2026-04-05"),
    "America/Santiago": ("2026-09-06", "2026-04-05"),
    "Europe/London": ("2026-03-29", "2026-10-25"),
    "Africa/Casablanca": ("2026-03-22", "2026-02-15"),
}
EXPRESSIONS = (
    "30 2 * * *", "10,50 2 * * *", "15 2 * * *", "0 0 * * *", "0 1 * * *", "30 1 * * *", "59 23 * * *", "0 3 * * *",
    "0 0,1,2,3 * * *", "*/15 * * * *", "0 * * * *", "30 */2 * * *", "20 1-3 * * *", "30 2 * * 0", "0 2 29 3 *",
)  # fmt: skip


def values(field, low, high):
    found = set()
    for part in field.split(","):
        part, _, step = part.partition("/")
        if part == "*":
            first, last = low, high
        elif "-" in part:
            first, last = map(int, part.split("-"))
        else:
            first, last = int(part), high if step else int(part)
        found |= set(range(first, last + 1, int(step or 1)))
    return found


class Expression:
    def __init__(self, text):
        minute, hour, month_day, month, week_day = text.split()
        self.minutes = values(minute, 0, 59)
        self.hours = values(hour, 0, 23)
        self.months = values(month, 1, 12)
        self.month_days = values(month_day, 1, 31)
        self.week_days = {day % 7 for day in values(week_day, 0, 7)}
        self.either = month_day != "*" and week_day != "*"
        self.real_time = bool(re.search(r"[*/]", minute + hour))

    def meets(self, date):
        if date.month not in self.months:
            return False
        of_month = date.day in self.month_days
        of_week = (date.weekday() + 1) % 7 in self.week_days
        return (of_month or of_week) if self.either else (of_month and of_week)


def instant_of(wall, zone):
    """The first instant with this time on the wall; in a gap its end; nothing where the date is missing."""
    instant = wall.replace(tzinfo=zone, fold=0).astimezone(datetime.timezone.utc)
    if instant.astimezone(zone).replace(tzinfo=None) == wall:
        return instant
    instant = (instant - datetime.timedelta(hours=30)).replace(second=0)
    while (shown := instant.astimezone(zone).replace(tzinfo=None)) < wall:
        instant += MINUTE
    return instant if shown.date() == wall.date() else None


def real_time_slots(expression, zone, start):
    found = []
    instant = start.replace(second=0) + MINUTE
    while len(found) < SLOTS:
        shown = instant.astimezone(zone)
        if shown.second == 0 and shown.minute in expression.minutes and shown.hour in expression.hours:
            if expression.meets(shown.date()):
                found.append(instant)
        instant += MINUTE
    return found


def fixed_slots(expression, zone, start):
    found = set()
    date = (start.astimezone(zone) - 2 * DAY).date()
    for _ in range(DAYS_MAX):
        if expression.meets(date):
            for hour in expression.hours:
                for minute in expression.minutes:
                    instant = instant_of(datetime.datetime.combine(date, datetime.time(hour, minute)), zone)
                    if instant is not None and instant > start:
                        found.add(instant)
        # Three days on, nothing can come before what has been found.
        if len(found) >= SLOTS and date > sorted(found)[SLOTS - 1].astimezone(zone).date() + 2 * DAY:
            break
        date += DAY
    return sorted(found)[:SLOTS]


def case(text, name, start):
    instant = datetime.datetime.fromisoformat(start.replace("Z", "+00:00"))
    expression, zone = Expression(text), zoneinfo.ZoneInfo(name)
    slots = (real_time_slots if expression.real_time else fixed_slots)(expression, zone, instant)
    return {
        "id": f"moved/{text}/{name}/{start}", "kind": "plain", "expr": text, "zone": name, "start": start,
        "next": [slot.strftime("%Y-%m-%dT%H:%M:%SZ") for slot in slots],
    }  # fmt: skip


def known_cases():
    for name, days in MOVES.items():
        for day in days:
            eve = (datetime.date.fromisoformat(day) - DAY).isoformat()
            for text in EXPRESSIONS:
                yield case(text, name, eve + ("T21:40:00Z" if text.startswith("*") else "T06:00:00Z"))
    for text in ("0 12 * * *", "0 0 30 12 *", "30 23 29 12 *", "*/30 * * * *", "0 0 * * *"):
        yield case(text, "Pacific/Apia", "2011-12-29T00:00:00Z")  # 2011-12-30 does not exist there
    for text in ("0 0 * * *", "30 0 * * *", "0 1 * * *", "15 * * * *"):
        yield case(text, "America/Sao_Paulo", "2018-11-03T00:00:00Z")  # midnight is missing on the day after
    for text in ("30 2 * * *", "30 1 * * *", "*/20 * * * *"):
        for start in ("2026-10-25T00:15:00Z", "2026-10-25T00:45:00Z", "2026-10-25T01:15:00Z", "2026-03-29T00:59:00Z",
                      "2026-03-29T01:00:00Z"):  # fmt: skip
            yield case(text, "Europe/Berlin", start)


def random_cases(count, seed):
    chance = random.Random(seed)
    for _ in range(count):
        minute = chance.choice(["0", "30", "*/20", "15,45", str(chance.randrange(60)), "*"])
        hour = chance.choice(["0", "1", "2", "3", "1-3", "*/2", "*", "0,2,23", str(chance.randrange(24))])
        day = chance.choice(["*", "*", "*", str(chance.randrange(1, 32))])
        week = chance.choice(["*", "*", "0", "6,0", "1-5"])
        name = chance.choice(sorted(MOVES))
        moved = datetime.datetime.fromisoformat(chance.choice(MOVES[name]))
        start = moved - datetime.timedelta(minutes=chance.randrange(-1500, 1500))
        yield case(f"{minute} {hour} {day} * {week}", name, start.strftime("%Y-%m-%dT%H:%M:%SZ"))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program")
    parser.add_argument("--random", type=int, default=0)
    parser.add_argument("--seed", type=int, default=random.randrange(10**6))
    options = parser.parse_args()
    cases = [*known_cases(), *random_cases(options.random, options.seed)]
    print(f"{len(cases)} cases, seed {options.seed}")
    with tempfile.TemporaryDirectory(prefix="weir-cron-") as folder:
        file = pathlib.Path(folder) / "moved.jsonl"
        file.write_text("".join(json.dumps(line) + "\n" for line in cases))
        return subprocess.run([options.program, "cron", file], check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
