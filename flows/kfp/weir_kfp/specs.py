"""What the decorators say, kept with the line that said it, until the pipeline is compiled."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Dict, List, Mapping, NoReturn, Optional, Sequence, Union

from .errors import DefinitionError, Place, caller_place, did_you_mean

#: The function of the report component, by which a compiled pipeline shows that it reports.
FUNCTION = "weir_report"
#: What weir's documents know by name and weir does not do yet.
NOT_BUILT = frozenset(
    "project branch any at_least sequence count absent unless debounce throttle rate_limit batch concurrency "
    "priority dedupe reset start".split()
)


@dataclass(frozen=True)
class Value:
    """A constant. Made by `value()`."""

    value: Any


#: A parameter of a launch: text is a CEL expression, anything else a constant; constant text is `value("text")`.
Parameter = Union[str, int, float, bool, Sequence[Any], Mapping[str, Any], Value]
Outcomes = Union[str, Sequence[str]]


def value(constant: Any) -> Value:
    """A constant parameter; needed for text alone, as plain text is a CEL expression."""
    return Value(constant)


@dataclass(frozen=True)
class Leaf:
    """One thing that a trigger waits for. Made by `event()`, `finish()` and `slot()`."""

    operator: str
    fields: Mapping[str, Any]
    keep: bool
    place: Place


def event(
    type: str,
    *,
    source: Optional[str] = None,
    subject: Optional[str] = None,
    where: Optional[str] = None,
    keep: bool = False,
    **unknown: NoReturn,
) -> Leaf:
    """A leaf of `all`: an event of this type (globs; `*` stands for any run of characters)."""
    refuse_unknown("weir.event", unknown, ("source", "subject", "where", "keep"), caller_place(1))
    return Leaf("event", {"event": type, "source": source, "subject": subject, "where": where}, keep, caller_place(1))


def finish(
    flow: Any,
    *,
    outcome: Optional[Outcomes] = None,
    team: Optional[str] = None,
    where: Optional[str] = None,
    keep: bool = False,
    **unknown: NoReturn,
) -> Leaf:
    """A leaf of `all`: the end of a run of this flow (a pipeline of this package, or text: name, team/name, glob)."""
    refuse_unknown("weir.finish", unknown, ("outcome", "team", "where", "keep"), caller_place(1))
    return Leaf("finish", {"finish": flow, "outcome": outcome, "team": team, "where": where}, keep, caller_place(1))


def slot(
    cron: str,
    *,
    timezone: Optional[str] = None,
    where: Optional[str] = None,
    keep: bool = False,
    **unknown: NoReturn,
) -> Leaf:
    """A leaf of `all`: the slots of a cron expression of five fields, in an IANA time zone (UTC if left out)."""
    refuse_unknown("weir.slot", unknown, ("timezone", "where", "keep"), caller_place(1))
    return Leaf("schedule", {"schedule": cron, "timezone": timezone, "where": where}, keep, caller_place(1))


@dataclass(frozen=True)
class Common:
    """What all trigger decorators take, whatever they wait for."""

    name: Optional[str]
    description: Optional[str]
    labels: Optional[Mapping[str, str]]
    parameters: Optional[Mapping[str, Parameter]]
    overlap: Optional[str]
    queue_limit: Optional[int]
    queue_max_age: Optional[str]
    firings_per_minute: Optional[int]
    depth: Optional[int]


@dataclass(frozen=True)
class TriggerSpec:
    """A trigger as decorated: one leaf, or the leaves of `all` with how they are joined."""

    decorator: str
    place: Place
    common: Common
    leaf: Optional[Leaf] = None
    all: Optional[Mapping[str, Leaf]] = None
    join: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class FlowSpec:
    """What @weir.flow says of the pipeline itself."""

    place: Place
    name: Optional[str] = None
    team: Optional[str] = None
    backend: str = "kubeflow"
    fields: Mapping[str, Any] = field(default_factory=dict)


@dataclass
class Specs:
    """Everything decorated onto one pipeline, in the order of the file."""

    flows: List[FlowSpec] = field(default_factory=list)
    triggers: List[TriggerSpec] = field(default_factory=list)
    #: Decorated onto a function: whether @dsl.pipeline has made a pipeline of it.
    taken: bool = False

    def add(self, spec: Union[FlowSpec, TriggerSpec]) -> None:
        """Decorators are applied from the bottom up."""
        if isinstance(spec, FlowSpec):
            self.flows.insert(0, spec)
        else:
            self.triggers.insert(0, spec)


def refuse_unknown(owner: str, unknown: Mapping[str, Any], known: Sequence[str], place: Place) -> None:
    """Raises for options that nobody reads: an ignored option would be found out late."""
    if not unknown:
        return
    lines: List[str] = []
    for name in unknown:
        if name in NOT_BUILT:
            lines.append(f"{place}: {owner}: not built yet in weir: {name}")
        else:
            lines.append(f'{place}: {owner} has no option "{name}"{did_you_mean(name, known)}')
    raise DefinitionError("\n".join(lines))


def common_of(options: Dict[str, Any]) -> Common:
    """Takes the options of every trigger out of a function's locals()."""
    return Common(**{name: options[name] for name in Common.__dataclass_fields__})
