"""`@weir.flow`, `@weir.trigger`, `@weir.on_finish`, `@weir.schedule`: what stands on a `@dsl.pipeline`."""

from __future__ import annotations

import linecache
import re
from typing import Any, Callable, Mapping, NoReturn, Optional, Sequence, TypeVar, Union

from .errors import DefinitionError, Place, caller_place
from .following import attach
from .specs import Common, FlowSpec, Leaf, Outcomes, Parameter, TriggerSpec, common_of, refuse_unknown

Pipeline = TypeVar("Pipeline")
_COMMON = tuple(Common.__dataclass_fields__)
_FLOW_OPTIONS = (
    "name team backend pipeline version experiment display_name description labels reports "
    "on_restart timeout task_timeout env env_pass log_bytes_max memory_bytes_max parallel"
).split()


def trigger(
    event: Optional[str] = None,
    *,
    source: Optional[str] = None,
    subject: Optional[str] = None,
    where: Optional[str] = None,
    all: Optional[Mapping[str, Leaf]] = None,
    key: Union[str, Mapping[str, str], None] = None,
    within: Optional[str] = None,
    consume: Optional[str] = None,
    clock: Optional[str] = None,
    parameters: Optional[Mapping[str, Parameter]] = None,
    overlap: Optional[str] = None,
    queue_limit: Optional[int] = None,
    queue_max_age: Optional[str] = None,
    firings_per_minute: Optional[int] = None,
    depth: Optional[int] = None,
    name: Optional[str] = None,
    description: Optional[str] = None,
    labels: Optional[Mapping[str, str]] = None,
    **unknown: NoReturn,
) -> Callable[[Pipeline], Pipeline]:
    """Launches the pipeline when an event comes, or when all of several things have.

    event, source, subject: globs that the event must meet.
    where: a CEL condition on it: 'event.data.rows > 0'.
    all: instead of an event, named leaves that must all have one: {"orders": weir.event("data.ready"), ...}.
    key: with all: joins only events that agree on this expression; or a map, leaf by leaf.
    within, consume, clock: with all: how far apart they may be ("6h"); "latest"; "arrival".
    parameters: inputs of the pipeline: text is a CEL expression ('event.data.date'), other values are constants,
        weir.value("text") is constant text.
    overlap: while a run of this trigger is unfinished: "allow", "skip" or "queue" (with queue_limit, queue_max_age).
    firings_per_minute, depth: breakers; past one of these firings wait until the trigger is resumed.
    name, description, labels: of the trigger; a name is made of flow and event if none is given.

    Text that would not be accepted by weir is refused when the pipeline is compiled, with this line.
    """
    place = caller_place(1)
    _refuse_bare("@weir.trigger", event, '("data.ready")', place)
    common = common_of(locals())
    known = ("source", "subject", "where", "all", "key", "within", "consume", "clock", *_COMMON)
    refuse_unknown("@weir.trigger", unknown, known, place)
    leaf = None
    if all is None or any(x is not None for x in (event, source, subject, where)):
        leaf = Leaf("event", {"event": event, "source": source, "subject": subject, "where": where}, False, place)
    join = {"key": key, "within": within, "consume": consume, "clock": clock}
    return _applying(TriggerSpec("@weir.trigger", place, common, leaf, all, join))


def on_finish(
    flow: Any,
    *,
    outcome: Optional[Outcomes] = None,
    team: Optional[str] = None,
    where: Optional[str] = None,
    parameters: Optional[Mapping[str, Parameter]] = None,
    overlap: Optional[str] = None,
    queue_limit: Optional[int] = None,
    queue_max_age: Optional[str] = None,
    firings_per_minute: Optional[int] = None,
    depth: Optional[int] = None,
    name: Optional[str] = None,
    description: Optional[str] = None,
    labels: Optional[Mapping[str, str]] = None,
    **unknown: NoReturn,
) -> Callable[[Pipeline], Pipeline]:
    """Launches the pipeline when a run of another flow has ended.

    flow: a pipeline decorated by this package, @weir.flow() at the least (one without has no flow, and is refused), or
        text: a flow's name, team/name, or a glob of names.
    outcome: one or several of succeeded (if left out), failed, cancelled, skipped, lost, refused.
    team: of that flow; else the trigger's own.
    where, parameters: CEL, in which `run` is the run that ended: 'run.outputs.model_uri', 'run.parameters.date'.

    The other options are those of `trigger()`.
    """
    place = caller_place(1)
    _refuse_bare("@weir.on_finish", flow, '(train)', place)
    common = common_of(locals())
    refuse_unknown("@weir.on_finish", unknown, ("outcome", "team", "where", *_COMMON), place)
    fields = {"finish": flow, "outcome": outcome, "team": team, "where": where}
    return _applying(TriggerSpec("@weir.on_finish", place, common, Leaf("finish", fields, False, place)))


def schedule(
    cron: str,
    *,
    timezone: Optional[str] = None,
    where: Optional[str] = None,
    parameters: Optional[Mapping[str, Parameter]] = None,
    overlap: Optional[str] = None,
    queue_limit: Optional[int] = None,
    queue_max_age: Optional[str] = None,
    firings_per_minute: Optional[int] = None,
    depth: Optional[int] = None,
    name: Optional[str] = None,
    description: Optional[str] = None,
    labels: Optional[Mapping[str, str]] = None,
    **unknown: NoReturn,
) -> Callable[[Pipeline], Pipeline]:
    """Launches the pipeline at the slots of a cron expression: minute hour day-of-month month day-of-week.

    timezone: an IANA name; UTC if left out. In expressions the slot's time is `schedule.slot`.

    The other options are those of `trigger()`.
    """
    place = caller_place(1)
    _refuse_bare("@weir.schedule", cron, '("0 7 * * *")', place)
    common = common_of(locals())
    refuse_unknown("@weir.schedule", unknown, ("timezone", "where", *_COMMON), place)
    fields = {"schedule": cron, "timezone": timezone, "where": where}
    return _applying(TriggerSpec("@weir.schedule", place, common, Leaf("schedule", fields, False, place)))


def flow(
    name: Optional[str] = None,
    *,
    team: Optional[str] = None,
    backend: str = "kubeflow",
    pipeline: Optional[str] = None,
    version: Optional[str] = None,
    experiment: Optional[str] = None,
    display_name: Optional[str] = None,
    reports: Optional[bool] = None,
    description: Optional[str] = None,
    labels: Optional[Mapping[str, str]] = None,
    on_restart: Optional[str] = None,
    timeout: Optional[str] = None,
    task_timeout: Optional[str] = None,
    env: Optional[Mapping[str, str]] = None,
    env_pass: Optional[Sequence[str]] = None,
    log_bytes_max: Optional[int] = None,
    memory_bytes_max: Optional[int] = None,
    parallel: Optional[int] = None,
    **unknown: NoReturn,
) -> Callable[[Pipeline], Pipeline]:
    """Says what weir should know of the pipeline itself. Alone, it makes the flow document without any trigger.

    name: the flow's name; the pipeline's if left out.
    team: whose it is, and its triggers; if left out, `weir apply --team` says it.
    backend: "local" (this machine, from the compiled file), or the name of a configured Kubeflow backend.
    Kubeflow alone: pipeline (name or id there; else the compiled name), version (name, id or "latest"), experiment,
        display_name (of runs, a template), reports (whether runs report their own end; found out if left out).
    local alone: on_restart ("resume", "fail"), timeout, task_timeout, env, env_pass, log_bytes_max,
        memory_bytes_max, parallel.
    """
    place = caller_place(1)
    _refuse_bare("@weir.flow", name, "()", place)
    options = dict(locals())
    refuse_unknown("@weir.flow", unknown, _FLOW_OPTIONS, place)
    fields = {each: options[each] for each in _FLOW_OPTIONS if each not in ("name", "team", "backend")}
    return _applying(FlowSpec(place, name, team, backend, fields))


def _refuse_bare(owner: str, first: object, example: str, place: Place) -> None:
    """Raises if what should be decorated arrived as the first option: the decorator stands without parentheses.

    @weir.on_finish does take a pipeline there, so that its line is looked at.
    """
    bare = re.fullmatch(r"\s*@[\w.\s]+(#.*)?", linecache.getline(place.file, place.line).rstrip("\n"))
    if callable(first) and (bare or owner != "@weir.on_finish"):
        raise DefinitionError(f"{place}: {owner} stands without its parentheses; write {owner}{example}")


def _applying(spec: Union[FlowSpec, TriggerSpec]) -> Callable[[Pipeline], Pipeline]:
    def apply(target: Pipeline) -> Pipeline:
        return attach(target, spec)

    return apply
