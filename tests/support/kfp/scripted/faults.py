"""Scripted faults: for the next requests that match, something else happens than what should.

A fault is an object:

    {"method": "POST", "path": "/runs$", "times": 3, "skip": 0, "for_seconds": 60, "when": "after", "do": "close", ...}

`method` and `path` are regular expressions (searched in method, and in the path without base path); absent: any. `query`
and `content` (the request's body) likewise. It holds for the next `times` requests (absent: one; null: all), after letting `skip` pass, and at most
`for_seconds` of the server's own, movable clock. `when` is "before" or "after" the effect ("before" if absent).
`delay`: seconds to wait, before or after the effect, as `when` says, together with any `do`.

| do | what happens |
|---|---|
| answer | `status`, `body` (text or JSON), `headers` |
| close | the connection is closed without an answer |
| reset | the same, by RST |
| partial | the head and half of the true answer (`bytes`: so many), then closed |
| hang | nothing for `seconds`, then closed |
| delay | only `delay` |
| not_found | GetRun's own 404 |
| ignore_run_id | CreateRun picks an id of its own |
| slow_create | `seconds` between Workflow and row |
| workflow_fails | Kubernetes refuses: 500, nothing made |
| workflow_times_out | 503; with `"effect": true` one stray Workflow |
| insert_fails | 500 after the Workflow was made |
"""

import re

EFFECTS = {"ignore_run_id", "slow_create", "workflow_fails", "workflow_times_out", "insert_fails"}
DEEDS = EFFECTS | {"answer", "close", "reset", "partial", "hang", "delay", "not_found"}
MATCHED = ("method", "path", "query", "content")
KNOWN = {
    "id", "method", "path", "query", "content", "times", "skip", "for_seconds", "when", "do", "delay", "status", "body", "headers",
    "seconds", "bytes", "effect", "used", "until",
}  # fmt: skip


class Faults:
    """The first of the list that matches is taken."""

    def __init__(self, clock):
        self.clock = clock
        self.list = []
        self.made = 0
        self.used = {}  # id -> how often

    def add(self, fault):
        """Its id. ValueError if it is none."""
        unknown = set(fault) - KNOWN
        if unknown:
            raise ValueError(f"unknown fields of a fault: {', '.join(sorted(unknown))}")
        if fault.get("do", "answer") not in DEEDS:
            raise ValueError(f"unknown deed {fault['do']!r}; there are {', '.join(sorted(DEEDS))}")
        if fault.get("when", "before") not in ("before", "after"):
            raise ValueError('"when" is "before" or "after"')
        for name in MATCHED:
            re.compile(fault.get(name) or "")
        self.made += 1
        kept = {
            "do": "answer",
            "when": "before",
            "times": 1,
            "skip": 0,
            **fault,
            "id": fault.get("id") or f"f{self.made}",
        }
        if kept.get("for_seconds") is not None:
            kept["until"] = self.clock.now() + kept["for_seconds"]
            kept["times"] = fault.get("times")
        self.list.append(kept)
        return kept["id"]

    def remove(self, fault_id=None):
        self.list = [fault for fault in self.list if fault_id is not None and fault["id"] != fault_id]

    def take(self, *texts):
        """The fault for this request, given as method, path, query and content, or None."""
        now = self.clock.now()
        self.list = [fault for fault in self.list if "until" not in fault or now < fault["until"]]
        for fault in self.list:
            if not all(re.search(fault.get(name) or "", text) for name, text in zip(MATCHED, texts)):
                continue
            if fault["skip"] > 0:
                fault["skip"] -= 1
                continue
            if fault["times"] is not None:
                fault["times"] -= 1
                if fault["times"] <= 0:
                    self.list = [other for other in self.list if other is not fault]
            self.used[fault["id"]] = self.used.get(fault["id"], 0) + 1
            return fault
        return None
