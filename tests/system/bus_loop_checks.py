"""What must hold once the bus loop is over: each acknowledged event has one decision and one run, in order."""

import json

from kill_loop_checks import Verdict

SOURCE = "/bus-loop"


def number_of(event_id):
    """("k3", 17) of "k3-17"."""
    key, _, number = event_id.rpartition("-")
    return key, int(number)


def check_recorded(acknowledged, events, verdict):
    """Nothing that was acknowledged is missing in the ledger; copies are known as such."""
    first = {}
    for event in events:
        if event["source"] != SOURCE or event["duplicate_of"] is not None:
            continue
        if event["id"] in first:
            verdict.faults.append(f"event {event['id']} was recorded twice as the first of its kind")
        first[event["id"]] = event
    for missing in sorted(set(acknowledged) - set(first))[:20]:
        verdict.faults.append(f"event {missing} was acknowledged and is not recorded")


def check_order(decisions, verdict):
    """For each key, decisions come in the order of publishing."""
    last = {}
    for decision in sorted(decisions, key=lambda decision: decision["seq"]):
        key, number = number_of(decision["events"][0]["id"])
        if number <= last.get(key, 0):
            verdict.faults.append(f"key {key}: event {number} was decided after event {last[key]}")
        last[key] = max(number, last.get(key, 0))


def check_runs(acknowledged, decisions, runs, backend, verdict):
    """Counts each acknowledged event. `backend` are the ids of the runs that the backend itself knows."""
    runs_of, fired_by = {}, {}
    for run in runs:
        runs_of.setdefault(run["decision"], []).append(run)
    for decision in decisions:
        fired_by.setdefault(decision["events"][0]["id"], []).append(decision)
    for event in acknowledged:
        fired = fired_by.pop(event, [])
        started = [run for decision in fired for run in runs_of.pop(decision["decision"], [])]
        if len(started) == 1 and started[0]["run"] not in backend and started[0]["state"] == "settled":
            verdict.lost += 1
            verdict.faults.append(f"event {event}: its run {started[0]['run']} is settled, and its backend does not know it")
        elif verdict.count(f"event {event}", fired, started):
            key, number = number_of(event)
            if started[0]["parameters"] != {"key": key, "n": number}:
                verdict.faults.append(f"event {event}: its run has the parameters {started[0]['parameters']}")
    for event in sorted(fired_by)[:20]:
        verdict.faults.append(f"event {event} was decided and never acknowledged")
    for decision in sorted(runs_of)[:20]:
        verdict.faults.append(f"a run has the decision {decision}, which is none of the loop's")
    for stray in sorted(backend - {run["run"] for run in runs})[:20]:
        verdict.twice += 1
        verdict.faults.append(f"the backend has a run {stray} that the ledger does not know")


def check_all(acknowledged, events, decisions, runs, backend):
    verdict = Verdict()
    fired = [decision for decision in decisions if decision["verdict"] == "fired"]
    for decision in decisions:
        if decision["verdict"] == "failed":
            verdict.faults.append(f"a decision failed: {json.dumps(decision)}")
    check_recorded(acknowledged, events, verdict)
    check_order(fired, verdict)
    check_runs(acknowledged, fired, runs, backend, verdict)
    return verdict
