"""Two answers side by side: ids, times and words of messages differ from run to run, the rest does not."""

import re

from .recording import UUID

TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")
WORDS = {"message", "error_message", "error_details", "commit_sha", "tag_name"}
EPOCH = "1970-01-01T00:00:00Z"
LISTS = {
    "runs": "run_id", "recurringRuns": "recurring_run_id", "experiments": "experiment_id", "pipelines": "pipeline_id",
    "pipeline_versions": "pipeline_version_id",
}  # fmt: skip
# What only a report of the cluster brings forward.
MOVING = ("state", "finished_at", "state_history", "run_details")
WORKFLOW = re.compile(r"[a-z0-9-]+-[a-z0-9]{5}")


class Ids:
    """Recorded ids, names and page tokens, and what they are on the other side."""

    def __init__(self):
        self.table = {}
        self.names = {}  # of Workflows

    def learn(self, recorded, live):
        self.table.setdefault(recorded, live)

    def learn_name(self, recorded, live):
        self.names.setdefault(recorded, live)

    def translate(self, text):
        """Every known recorded id in the text replaced."""
        text = UUID.sub(lambda match: self.table.get(match[0], match[0]), text)
        for recorded, live in self.names.items():
            text = text.replace(recorded, live)
        return text


def kind(value):
    if value is None or isinstance(value, bool):
        return str(value)
    return {str: "text", int: "number", float: "number", dict: "object", list: "list"}[type(value)]


class Comparison:
    """`determined`: whether a text stands in a request; `ordered`: rows come in the recorded order; `open_list`: the
    recording counts rows that no recorded request made; `moving`: of which runs (by recorded id) it is not known how they
    fare: what tells of it (MOVING) is looked at for its kind alone, and `masked` counts them."""

    def __init__(self, ids, determined, ordered, open_list=False, moving=lambda run: False):
        self.ids, self.determined, self.ordered, self.open_list = ids, determined, ordered, open_list
        self.moving, self.masked = moving, 0
        self.found = []

    def differ(self, path, recorded, live):
        self.found.append(f"{path or 'answer'}: recorded {short(recorded)}, answered {short(live)}")

    def values(self, path, name, recorded, live):
        if kind(recorded) != kind(live):
            self.differ(path, recorded, live)
        elif isinstance(recorded, dict):
            self.objects(path, recorded, live)
        elif isinstance(recorded, list):
            self.lists(path, name, recorded, live)
        elif isinstance(recorded, str):
            self.text(path, name, recorded, live)
        elif isinstance(recorded, (int, float)) and not isinstance(recorded, bool):
            # 7 is not 7.0 on the wire.
            if recorded != live or (type(recorded) is not type(live) and recorded != 0):
                self.differ(path, recorded, live)

    def objects(self, path, recorded, live):
        if "run_id" in recorded and "state_history" in recorded and self.moving(recorded):
            self.masked += 1
            recorded, live = self.without_moves(path, recorded, live)
        for name in recorded:
            if self.open_list and name in ("total_size", "next_page_token"):
                continue
            if name not in live:
                self.differ(f"{path}.{name}", recorded[name], "nothing")
            else:
                self.values(f"{path}.{name}", name, recorded[name], live[name])
        for name in live:
            if name not in recorded:
                self.differ(f"{path}.{name}", "nothing", live[name])

    def without_moves(self, path, recorded, live):
        for name in MOVING:
            # Details come with a task: either side may have none.
            if name != "run_details" and kind(recorded.get(name)) != kind(live.get(name)):
                self.differ(f"{path}.{name}", recorded.get(name, "nothing"), live.get(name, "nothing"))
        return tuple({key: value for key, value in run.items() if key not in MOVING} for run in (recorded, live))

    def lists(self, path, name, recorded, live):
        if len(recorded) != len(live):
            self.differ(f"{path}.length", len(recorded), len(live))
            return
        if name in LISTS:
            recorded, live = self.aligned(name, recorded, live)
        for number, (one, other) in enumerate(zip(recorded, live)):
            self.values(f"{path}[{number}]", name, one, other)

    def aligned(self, name, recorded, live):
        """Rows by id: those of one second come in the order of ids, which only runs can be given. What is known to be
        another row is left out."""
        key = LISTS[name]
        table = self.ids.table
        if self.ordered and all(table.get(row.get(key), row.get(key)) == row.get(key) for row in recorded):
            return recorded, live
        rows = {row.get(key): row for row in live}
        pairs = [(row, rows.pop(table[row[key]], None)) for row in recorded if row.get(key) in table]
        pairs = [(one, other) for one, other in pairs if other is not None]
        known = set(table.values())
        unknown = [row for row in recorded if row.get(key) not in table]
        pairs += zip(unknown, [row for row in rows.values() if row.get(key) not in known])
        return [one for one, _ in pairs], [other for _, other in pairs]

    def text(self, path, name, recorded, live):
        if name in WORDS:
            return
        if name == "next_page_token":
            self.ids.learn(recorded, live)
        elif UUID.fullmatch(recorded):
            known = self.ids.table.get(recorded)
            if known is None and UUID.fullmatch(live):
                self.ids.learn(recorded, live)
            elif live != known and live != recorded:
                self.differ(path, f"{recorded} (here {known})", live)
        elif TIME.fullmatch(recorded):
            fixed = recorded == EPOCH or live == EPOCH or self.determined(recorded)
            if not TIME.fullmatch(live) or (fixed and recorded != live):
                self.differ(path, recorded, live)
        elif path.startswith(".workflow") and name in ("name", "workflow") and WORKFLOW.fullmatch(recorded):
            self.ids.learn_name(recorded, live)
        elif self.ids.translate(recorded) != live:
            self.differ(path, recorded, live)


def short(value):
    text = value if isinstance(value, str) else repr(value)
    return text if len(text) <= 200 else text[:150] + f"... ({len(text)} letters)"


def expanded(manifests):
    """What stands in the Workflows' runtime-config, sorted; times masked."""
    found = []

    def walk(value):
        if isinstance(value, dict):
            if (
                value.get("name") == "runtime-config"
                and isinstance(value.get("value"), str)
                and value["value"].startswith('{"')
            ):
                found.append(re.sub(r"20\d{12}|20\d\d-\d\d-\d\d", "TIME", value["value"]))
            for item in value.values():
                walk(item)
        elif isinstance(value, list):
            for item in value:
                walk(item)

    walk(manifests)
    return sorted(set(found))
