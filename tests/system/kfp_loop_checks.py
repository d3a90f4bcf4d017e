"""What must hold once the Kubeflow loop is over. Pure: everything it looks at is in an `Evidence`."""

import collections
import dataclasses

from kfp_loop_lab import ABSENCE, BACKEND, OUTPUTS_GRACE

FINAL = {"SUCCEEDED": "succeeded", "FAILED": "failed", "SKIPPED": "skipped", "CANCELED": "cancelled"}
GOING = ("PENDING", "RUNNING", "PAUSED")
ALLOWED = {
    "fails": {"failed"}, "skips": {"skipped"}, "again": {"failed", "succeeded"}, "ended": {"cancelled", "failed", "succeeded"},
}  # fmt: skip
TOLD_ENDS_AFTER = 0.6  # the earliest end of a run of the flow `told`, after CreateRun
NOT_HONOURED_SECONDS = 70
STRAY_DEEDS = ("insert_fails", "workflow_times_out")


@dataclasses.dataclass
class Evidence:
    sent: dict = dataclasses.field(default_factory=dict)  # event id -> flow, acknowledged
    runs: list = dataclasses.field(default_factory=list)  # of the ledger
    decisions: list = dataclasses.field(default_factory=list)
    rows: dict = dataclasses.field(default_factory=dict)  # of the server, by run id
    creates: list = dataclasses.field(default_factory=list)  # CreateRun, as the server's log has them
    looks: dict = dataclasses.field(default_factory=dict)  # run id -> GetRun requests
    verbs: dict = dataclasses.field(default_factory=dict)  # run id -> [(verb, status)]
    faults: dict = dataclasses.field(default_factory=dict)  # fault id -> fault
    strays: dict = dataclasses.field(default_factory=dict)  # run id -> Workflows without a row of theirs
    sent_twice: set = dataclasses.field(default_factory=set)  # run ids whose second request has left or died with weir
    deleted: dict = dataclasses.field(default_factory=dict)
    ended: dict = dataclasses.field(default_factory=dict)
    others: dict = dataclasses.field(default_factory=dict)
    reports: dict = dataclasses.field(default_factory=dict)
    strangers: list = dataclasses.field(default_factory=list)
    kills: list = dataclasses.field(default_factory=list)  # when weir died, as the server's log counts time
    died_leaving: int = 0  # how often weir died between the record that a request leaves and its first byte


class Judge:
    """The evidence, sorted, and what was found wrong with it."""

    def __init__(self, evidence):
        self.of = evidence
        self.ok = self.lost = self.twice = self.strays = self.unknown = self.looked_for = self.never_asked = self.swept = 0
        self.wrong = []
        self.named = []  # strays that the scripted faults explain
        self.ends = collections.Counter()  # how runs ended
        self.by_id = {run["run"]: run for run in evidence.runs}
        self.runs_of, self.fired, self.failed = {}, {}, {}
        for run in evidence.runs:
            self.runs_of.setdefault(run["decision"], []).append(run)
        for decision in evidence.decisions:
            kind = {"fired": self.fired, "failed": self.failed}.get(decision["verdict"])
            for event in decision["events"] if kind is not None else []:
                kind.setdefault((decision["trigger"], event["id"]), []).append(decision)
        self.creates = {}
        for create in sorted(evidence.creates, key=lambda create: create["number"]):
            self.creates.setdefault(create["run"], []).append(create)
        self.ends_by_run = {}
        self.read_ends()
        self.own = [run for run in evidence.runs if run["backend"] == BACKEND and run.get("origin") != "observed"]

    def fault(self, text):
        self.wrong.append(text)

    def deed(self, create):
        """What the scripted fault of this request does; empty: it had none."""
        return self.of.faults.get(create["fault"], {}).get("do", "")

    def made(self, run):
        """The requests for this run of which a Workflow of this id was made."""
        return [create for create in self.creates.get(run, []) if (create["made"] or {}).get("run_id") == run]

    def firings(self, trigger, event):
        decisions = self.fired.get((trigger, event), [])
        return decisions, [run for decision in decisions for run in self.runs_of.get(decision["decision"], [])]

    def ends_of(self, run):
        """[(attempt, outcome)] that the engine settled, each as often as it did."""
        return sorted(self.ends_by_run.get(run, []))

    def read_ends(self):
        """Every settlement fires a trigger `end-FLOW`, which launches a note of it."""
        for (trigger, event), decisions in self.fired.items():
            if not (trigger or "").startswith("end-"):
                continue
            run, _, attempt = event.rpartition("/")
            for decision in decisions:
                notes = self.runs_of.get(decision["decision"], [])
                outcomes = [note["parameters"]["outcome"] for note in notes] or ["no note of it"]
                self.ends_by_run.setdefault(run, []).extend((int(attempt), outcome) for outcome in outcomes)


def attempts_of(row):
    """The outcome of each attempt by the row's history, None while it goes on: a new one opens on FAILED -> running alone."""
    history = [entry["state"] for entry in row.get("state_history", []) if entry.get("state")]
    if row.get("state") and (not history or history[-1] != row["state"]):
        history.append(row["state"])
    attempts, last = [None], None
    for state in history:
        if attempts[-1] == "failed" and last == "FAILED" and state in GOING:
            attempts.append(None)
        elif attempts[-1] is None:
            attempts[-1] = FINAL.get(state)
        last = state
    return attempts


def check_firings(judge):
    """Each event has one decision, which has one run; nothing else fired."""
    expected = {(flow, event) for event, flow in judge.of.sent.items()}
    for flow, event in expected:
        decisions, runs = judge.firings(flow, event)
        if len(decisions) == 1 and len(runs) == 1:
            if runs[0]["parameters"] != {"event": event} or runs[0]["flow"] != flow:
                judge.fault(f"event {event}: its run {runs[0]['run']} is {runs[0]['flow']} {runs[0]['parameters']}")
            continue
        judge.twice += len(decisions) > 1 or len(runs) > 1
        judge.lost += not decisions or not runs
        judge.fault(f"event {event}: {len(decisions)} fired decisions, {len(runs)} runs")
    plain = set(judge.of.sent.values())
    for (trigger, event), decisions in judge.fired.items():
        if trigger in plain and (trigger, event) not in expected:
            judge.fault(f"trigger {trigger} fired for {event}, which nobody published: {len(decisions)} times")


def check_runs(judge):
    """Each run that weir launched is known to the server, or there is a reason that fits what was done to it."""
    for run in judge.own:
        wrong = fault_of_run(judge, run)
        if not wrong:
            judge.ok += run["state"] == "settled"
            judge.ends[run["outcome"] or run["state"]] += 1
        elif run["state"] == "settled":
            judge.fault(f"run {run['run']} of {run['flow']} is {run['outcome']} ({run['reason']}): {wrong}")
        else:
            judge.unknown += 1
            judge.fault(f"run {run['run']} of {run['flow']} is {run['state']} ({run['reason']}): {wrong}")


def fault_of_run(judge, run):
    of, key = judge.of, run["run"]
    made, creates = judge.made(key), judge.creates.get(key, [])
    if run["state"] != "settled":
        # A request that died with weir counts: the ledger cannot know that it never left.
        if run["state"] == "unknown" and key in of.sent_twice and key not in of.rows:
            judge.never_asked += not creates
            if 2 * judge.never_asked > of.died_leaving and not creates:
                return "weir counts two requests, and none has ever left"
            judge.looked_for += 1
            return ""
        row = of.rows.get(key) or {}
        if row.get("state") in ("PENDING", "CANCELING") and any(create["made"]["row"] and outlasts(judge, create) for create in made):
            judge.swept += 1
            return ""
        on_server = f"{row.get('state')} {[e.get('state') for e in row.get('state_history', [])]}"
        deeds = [judge.of.faults.get(create["fault"], {}) for create in creates]
        asked = f"{len(creates)} requests, {len(made)} with effect, faults {deeds}"
        return f"it did not end; {asked}; on the server {on_server}"
    if run["outcome"] == "refused":
        if made or key in of.rows:
            return "but it was made"
        return fault_of_refusal(judge, run, creates)
    if run["outcome"] == "lost":
        if "does not know the run any more" in (run["reason"] or "") and key in of.deleted:
            return ""
        return "nobody deleted it"
    if key not in of.rows:
        return "" if key in of.deleted else "the server does not know it"
    row = of.rows[key]
    if (row.get("runtime_config") or {}).get("parameters") != run["parameters"]:
        return f"the server has it with {row.get('runtime_config')}"
    if f"decision={run['decision']} " not in row.get("description", ""):
        return f"the server has it described as {row.get('description')!r}"
    if run["outcome"] not in ALLOWED.get(run["flow"], {"succeeded"}):
        return "runs of this flow do not end so"
    return ""


def fault_of_refusal(judge, run, creates):
    reason = run["reason"] or ""
    deeds = [judge.deed(create) for create in creates]
    if "run id not honoured" in reason:
        return "" if "ignore_run_id" in deeds else "its id was honoured"
    if "does not take the run ids" in reason:
        ignored = [c["time"] for cs in judge.creates.values() for c in cs if judge.deed(c) == "ignore_run_id"]
        return "" if ignored else "ids were honoured"
    for create in creates:
        if judge.deed(create) == "answer" and create["status"] in (400, 403) and f"answered {create['status']}" in reason:
            return ""
    return "nothing was done to it that refuses it"


def check_settlements(judge):
    """Each attempt settles once, with the outcome that the server's history gives it."""
    for run in judge.own + [run for run in judge.of.runs if run.get("origin") == "observed"]:
        if run["state"] != "settled":
            continue
        key, ends = run["run"], judge.ends_of(run["run"])
        if len({attempt for attempt, _ in ends}) != len(ends):
            judge.twice += 1
            judge.fault(f"run {key} of {run['flow']}: an attempt settled twice: {ends}")
        row = judge.of.rows.get(key)
        if run["outcome"] in ("refused", "lost") or row is None:
            if len(ends) != 1 or ends[0][1] != run["outcome"]:
                judge.fault(f"run {key} of {run['flow']} is {run['outcome']}, its settlements are {ends}")
            continue
        expected = [(number + 1, outcome) for number, outcome in enumerate(attempts_of(row)) if outcome]
        terminated = key in judge.of.ended or any(verb == "terminate" for verb, _ in judge.of.verbs.get(key, []))
        as_told = [(n, "failed" if terminated and outcome == "cancelled" else outcome) for n, outcome in ends]
        if as_told != expected:
            history = [entry.get("state") for entry in row["state_history"]]
            judge.fault(f"run {key} of {run['flow']}: settled {ends}, the server's history is {history}")


def check_chain(judge):
    """The chained flow ran once for each settled success."""
    for run in judge.of.runs:
        if run["flow"] != "plain" or run["backend"] != BACKEND or run["state"] != "settled":
            continue
        for attempt, outcome in judge.ends_of(run["run"]):
            decisions, runs = judge.firings("chained", f"{run['run']}/{attempt}")
            wanted = 1 if outcome == "succeeded" else 0
            if len(decisions) != wanted or len(runs) != wanted:
                judge.lost += len(runs) < wanted
                judge.twice += len(runs) > wanted
                judge.fault(f"finish {run['run']}/{attempt} {outcome}: chained {len(decisions)} times, {len(runs)} runs")


def check_requests(judge):
    """At most two CreateRun for a run; the second when the first can have no effect any more; never two at once."""
    for run, creates in judge.creates.items():
        if run in judge.of.others:
            continue
        if run not in judge.by_id:
            judge.fault(f"the server was asked for the run {run}, which the ledger does not have")
        if len(creates) > 2:
            judge.twice += 1
            judge.fault(f"run {run}: {len(creates)} requests to create it")
        for one, other in zip(creates, creates[1:]):
            if other["time"] - one["time"] < ABSENCE:
                judge.fault(f"run {run}: asked for again after {other['time'] - one['time']:.2f} s, not {ABSENCE} s")
            open_until = one["time"] + (one["seconds"] or 0)
            if open_until > other["time"] and not outlasts(judge, one):
                judge.fault(f"run {run}: two requests to create it were open at once")


def outlasts(judge, create):
    """The server itself worked on it for longer than every wait: a row of it is of a Workflow that was swept away."""
    fault = judge.of.faults.get(create["fault"], {})
    return fault.get("do") in ("slow_create", "hang") and fault.get("seconds", 0) > ABSENCE


def check_strays(judge):
    """Every Workflow without a row of its own is the work of a scripted fault, which is named."""
    for run, creates in judge.creates.items():
        if run in judge.of.others:
            continue
        seen = 0
        for place, create in enumerate(creates):
            made = create["made"] or {}
            if made and made["run_id"] != run:
                other_id(judge, run, made["run_id"])
            elif made and not made["row"]:
                seen += 1
                cause = cause_of_stray(judge, creates, place)
                if cause:
                    judge.named.append(f"stray of run {run}: {cause}")
                else:
                    judge.strays += 1
                    judge.fault(f"run {run}: a stray that nothing explains: {create}")
        # A row that was deleted leaves its Workflow without one, in the server's count.
        gone = sum(1 for create in judge.made(run) if create["made"]["row"]) - (run in judge.of.rows)
        counted = judge.of.strays.get(run, 0)
        if counted != seen + (gone if run in judge.of.deleted else 0):
            judge.strays += 1
            judge.fault(f"run {run}: the server counts {counted} strays, its log {seen}")


def cause_of_stray(judge, creates, place):
    create = creates[place]
    deed = judge.deed(create)
    if deed in STRAY_DEEDS:
        return f"{deed} ({create['fault']})"
    if outlasts(judge, create):
        return f"slow_create for longer than every wait ({create['fault']})"
    if place == 0:
        return ""
    first = creates[place - 1]
    looks = [
        look for look in judge.of.looks.get(create["run"], []) if first["time"] < look["time"] < create["time"]
    ]
    hidden = [look for look in looks if judge.of.faults.get(look["fault"], {}).get("do") == "not_found"]
    late = [look for look in hidden if look["time"] >= first["time"] + ABSENCE]
    # What was seen counts, unless weir died before it could record it.
    seen = max((look["time"] for look in looks if look["status"] == 200), default=None)
    died = seen is not None and any(seen <= kill <= late[-1]["time"] for kill in judge.of.kills if late)
    if late and (seen is None or died):
        return f"404 for longer than every wait ({late[-1]['fault']})"
    return ""


def other_id(judge, run, made):
    """The server made a run of another id: weir ends it where it learns of it."""
    known = judge.by_id.get(run, {})
    terminated = ("terminate", 200) in judge.of.verbs.get(made, [])
    reason = known.get("reason") or ""
    if "run id not honoured" in reason and not terminated and "not ended" not in reason:
        judge.strays += 1
        judge.fault(f"run {run}: the server made {made} instead, which was not ended")
    else:
        judge.named.append(f"run {made} in place of {run}: id not honoured, {'ended' if terminated else 'weir died before it knew'}")


def check_rows(judge):
    """Every row is a run of weir's, somebody else's, or made under an id that was not weir's."""
    instead = {(c["made"] or {}).get("run_id") for creates in judge.creates.values() for c in creates}
    for run in judge.of.rows:
        if run not in judge.by_id and run not in judge.of.others and run not in instead:
            judge.twice += 1
            judge.fault(f"the server has a run {run} that nobody asked for")


def check_reports(judge):
    """What a flow said of itself in time is in its outputs, and was handed on once."""
    for run in judge.of.runs:
        if run["flow"] != "told" or run["backend"] != BACKEND or run["state"] != "settled":
            continue
        key = run["run"]
        said = judge.of.reports.get(key, [])
        made = judge.made(key) if key in judge.creates and key not in judge.of.others else []
        end = made[0]["time"] + TOLD_ENDS_AFTER + OUTPUTS_GRACE if made else None
        taken = [report["taken"] for report in said if report["taken"]]
        early = any(report["plan"] == "early" and report["taken"] for report in said)
        in_time = early or any(end and time < end for time in taken)
        outputs = run["outputs"] or {}
        if run["outcome"] == "succeeded" and in_time and outputs != {"score": said[0]["score"]}:
            judge.fault(f"run {key}: it said {said[0]}, its outputs are {outputs}")
        if outputs and (not said or outputs != {"score": said[0]["score"]}):
            judge.fault(f"run {key}: its outputs are {outputs}, it said {said}")
        for attempt, outcome in judge.ends_of(key):
            finish = f"{key}/{attempt}"
            fired, runs = judge.firings("handed", finish)
            failed = judge.failed.get(("handed", finish), [])
            wanted = (1, 0) if outputs else (0, 1)
            wanted = wanted if outcome == "succeeded" else (0, 0)
            if (len(fired), len(failed)) != wanted or len(runs) != wanted[0]:
                judge.fault(f"finish {finish} with {outputs}: handed on {len(fired)} times, failed {len(failed)} times")
            elif runs and runs[0]["parameters"] != {"run": key, "score": outputs["score"]}:
                judge.fault(f"finish {finish} with {outputs}: handed on as {runs[0]['parameters']}")
    for run in judge.of.strangers:
        if run in judge.by_id:
            judge.fault(f"run {run} was reported and never was; the ledger has it")


def check_others(judge):
    """Somebody else's run is in the ledger once, settled, with what it said."""
    seen = [run["run"] for run in judge.of.runs if run.get("origin") == "observed"]
    for run, other in judge.of.others.items():
        if not other["made"] or run not in judge.of.rows:
            continue
        known = judge.by_id.get(run)
        if known is None or seen.count(run) != 1 or known["state"] != "settled" or known["outcome"] != "succeeded":
            judge.fault(f"run {run} of others is recorded {seen.count(run)} times: {known}")


CHECKS = (
    check_firings, check_runs, check_settlements, check_chain, check_requests, check_strays, check_rows, check_reports,
    check_others,
)  # fmt: skip


def missing(evidence):
    """What is still to come, as far as can be told; empty: it may be judged."""
    judge = Judge(evidence)
    for check in CHECKS:
        check(judge)
    return judge.wrong
