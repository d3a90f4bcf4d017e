"""Trigger and flow documents out of what was decorated, checked as weir checks them; CEL itself is weir's to check."""

from __future__ import annotations

import re
from typing import Any, Dict, List, Mapping, Optional, Sequence, Tuple

from .cron import cron_problem, timezone_problem
from .durations import parse_duration
from .errors import Place, Problems, did_you_mean
from .following import is_pipeline, specs_of
from .parameters import Input, describe, mismatch, plain
from .specs import FlowSpec, Leaf, TriggerSpec, Value

OUTCOMES = ("cancelled", "failed", "lost", "refused", "skipped", "succeeded")
_LATER = {"overlap": ("latest", "cancel_running"), "consume": ("each", "all"), "clock": ("event",)}
_RESERVED = frozenset(
    "event run true false null in as break const continue else for function if import let loop package namespace "
    "return var void while".split()
)
_NAME_RULE = "1 to 128 of A-Z a-z 0-9 . _ -, beginning with a letter or digit"
LEAVES_MAX, PARAMETERS_MAX, LABELS_MAX, QUEUE_MAX, GLOB_BYTES_MAX = 32, 256, 64, 10_000, 1024


def valid_name(text: object) -> bool:
    """True for a name of a flow, team or trigger."""
    return isinstance(text, str) and re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}", text) is not None


class _Writer:
    """One document: fields go in, problems go out with the line of the decorator."""

    def __init__(self, owner: str, place: Place, problems: Problems) -> None:
        self.owner, self.place, self.problems = owner, place, problems

    def bad(self, message: str, place: Optional[Place] = None) -> None:
        self.problems.add(place or self.place, f"{self.owner}: {message}")

    def name(self, field: str, given: object) -> str:
        if not valid_name(given):
            self.bad(f"{field}: {given!r} is not a name ({_NAME_RULE})")
        return str(given)

    def text(self, field: str, given: object, place: Optional[Place] = None) -> str:
        if not isinstance(given, str):
            self.bad(f"{field}: expected text, found {describe(given)}", place)
        else:
            self.encodable(field, given, place)
        return str(given)

    def encodable(self, field: str, given: str, place: Optional[Place] = None) -> None:
        try:
            given.encode("utf-8")
        except UnicodeEncodeError:
            self.bad(f"{field}: holds half a surrogate pair, which is no text", place)

    def server_text(self, field: str, given: object, characters_max: int) -> str:
        """Text that goes to a Kubeflow server, and into its database."""
        text = self.text(field, given)
        if not isinstance(given, str):
            return text
        if not text.strip(" "):
            self.bad(f"{field}: it is empty")
        elif re.search(r"[\x00-\x1f\x7f]", text):
            self.bad(f"{field}: it holds a control character or a line break")
        elif re.search(r"[\U00010000-\U0010ffff]", text):
            self.bad(f"{field}: it holds a character above U+FFFF, which the server's database may not take")
        elif len(text) > characters_max:
            self.bad(f"{field}: it has more than {characters_max} characters")
        return text

    def expression(self, field: str, given: object, place: Optional[Place] = None) -> str:
        if not isinstance(given, str):
            self.bad(f"{field}: expected an expression as text, found {describe(given)}", place)
        elif not given.strip():
            self.bad(f"{field}: the expression is empty", place)
        elif (wrong := unbalanced(given)) is not None:
            self.bad(f"{field}: {wrong} in {given!r}", place)
        else:
            self.encodable(field, given, place)
        return str(given)

    def whole(self, field: str, given: object, lowest: int, highest: int) -> Any:
        if isinstance(given, bool) or not isinstance(given, int):
            self.bad(f"{field}: expected a whole number, found {describe(given)}")
        elif not lowest <= given <= highest:
            self.bad(f"{field}: {given} is out of range; allowed: {lowest} to {highest}")
        return given

    def period(self, field: str, given: object) -> Any:
        parsed = parse_duration(given) if isinstance(given, str) else None
        if parsed is None:
            self.bad(f"{field}: not a duration: {given!r}; expected text as 90s, 1h30m, 250ms or 7d")
        elif parsed <= 0:
            self.bad(f"{field}: must be longer than zero")
        return given

    def word(self, field: str, given: object, words: Sequence[str]) -> Any:
        if given in _LATER.get(field, ()):
            self.bad(f"not built yet in weir: {field}: {given}")
        elif given not in words:
            near = did_you_mean(str(given), words)
            self.bad(f"{field}: expected {' or '.join(words)}, found {given!r}{near}")
        return given

    def text_map(self, field: str, given: object) -> Any:
        if not isinstance(given, Mapping) or not all(
            isinstance(k, str) and isinstance(v, str) for k, v in given.items()
        ):
            self.bad(f"{field}: expected a map of texts")
            return {}
        for each in [*given, *given.values()]:
            self.encodable(field, each)
        return dict(given)


#: What brackets and quotes mean nothing in: comments, raw texts (where a backslash is a sign as any), texts.
_OPAQUE = re.compile(
    r"""//[^\n]*
      | [bB]?[rR][bB]?(?: \"{3}.*?\"{3} | '{3}.*?'{3} | "[^"\n]*" | '[^'\n]*' )
      | \"{3}(?:\\.|[^\\])*?\"{3} | '{3}(?:\\.|[^\\])*?'{3}
      | "(?:\\.|[^"\\\n])*" | '(?:\\.|[^'\\\n])*'
    """,
    re.S | re.X,
)


def unbalanced(expression: str) -> Optional[str]:
    """A quote or bracket of a CEL expression that has no partner; what else may be wrong, weir says."""
    pairs = {")": "(", "]": "[", "}": "{"}
    opened: List[str] = []
    rest = _OPAQUE.sub("", expression)
    for sign in rest:
        if sign in "\"'":
            return f"a quote {sign} is never closed"
        if sign in pairs.values():
            opened.append(sign)
        elif sign in pairs and (not opened or opened.pop() != pairs[sign]):
            return f"a {sign} closes nothing"
    return f"a {opened[-1]} is never closed" if opened else None


def trigger_document(
    spec: TriggerSpec, flow: str, team: Optional[str], inputs: Sequence[Input], problems: Problems
) -> Dict[str, Any]:
    """The document of one trigger that launches `flow`."""
    common = spec.common
    writer = _Writer(spec.decorator, spec.place, problems)
    document: Dict[str, Any] = {"trigger": ""}
    if team is not None:
        document["team"] = team
    if common.description is not None:
        document["description"] = writer.text("description", common.description)
    if common.labels is not None:
        document["labels"] = writer.text_map("labels", common.labels)
        if len(document["labels"]) > LABELS_MAX:
            writer.bad(f"labels: more than {LABELS_MAX}")
    document["when"] = _when(spec, writer, team)
    document["launch"] = _launch(spec, flow, writer, inputs)
    limits = {}
    if common.firings_per_minute is not None:
        limits["firings_per_minute"] = writer.whole("firings_per_minute", common.firings_per_minute, 1, 1_000_000)
    if common.depth is not None:
        limits["depth"] = writer.whole("depth", common.depth, 1, 1_000)
    if limits:
        document["limits"] = limits
    if common.name is None:
        document["trigger"] = default_name(flow, document["when"])
    else:
        document["trigger"] = writer.name("name", common.name)
    return document


def default_name(flow: str, when: Mapping[str, Any]) -> str:
    """A trigger's name if none is given: the flow, and what it waits for."""
    if "all" in when:
        tail = "on-" + "-and-".join(when["all"])
    elif "schedule" in when:
        tail = "on-schedule"
    elif "finish" in when:
        tail = "after-" + str(when["finish"]).rpartition("/")[2]
    else:
        tail = "on-" + str(when.get("event"))
    return re.sub(r"[^A-Za-z0-9._-]+", "-", f"{flow}-{tail}")[:128].rstrip("-")


def _when(spec: TriggerSpec, writer: _Writer, team: Optional[str]) -> Dict[str, Any]:
    join = {name: given for name, given in spec.join.items() if given is not None}
    if spec.all is None:
        if spec.leaf is not None and spec.leaf.operator == "event" and spec.leaf.fields["event"] is None:
            writer.bad('it waits for nothing: give the type of an event, @weir.trigger("data.ready"), or all={...}')
        for name in join:
            writer.bad(f"{name}: only together with all")
        return _leaf(spec.leaf, "", writer, team) if spec.leaf is not None else {}
    if spec.leaf is not None:
        writer.bad("an event stands beside all; it belongs to a leaf of all: weir.event(...)")
    if not isinstance(spec.all, Mapping) or not spec.all:
        writer.bad("all: expected a map with at least one leaf: {\"orders\": weir.event(\"data.ready\")}")
        return {}
    if len(spec.all) > LEAVES_MAX:
        writer.bad(f"all: more than {LEAVES_MAX} leaves")
    when: Dict[str, Any] = {"all": {}}
    for name, leaf in spec.all.items():
        if not isinstance(name, str) or not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]{0,63}", name) or name in _RESERVED:
            writer.bad(
                f"all: {name!r} cannot name a leaf: expressions use the name, so it must be letters, digits and _ "
                "(at most 64), and not a word such as event, run or in"
            )
        if not isinstance(leaf, Leaf):
            writer.bad(f"all.{name}: expected weir.event(...), weir.finish(...) or weir.slot(...)")
            continue
        when["all"][name] = _leaf(leaf, f"all.{name}.", writer, team)
        if leaf.keep:
            when["all"][name]["keep"] = True
    if "key" in join:
        when["key"] = _key(join["key"], spec.all, writer)
    if "within" in join:
        when["within"] = writer.period("within", join["within"])
    if "consume" in join:
        when["consume"] = writer.word("consume", join["consume"], ("latest",))
    if "clock" in join:
        when["clock"] = writer.word("clock", join["clock"], ("arrival",))
    return when


def _key(key: object, leaves: Mapping[str, Leaf], writer: _Writer) -> Any:
    if not isinstance(key, Mapping):
        return writer.expression("key", key)
    for name in key:
        if name not in leaves:
            writer.bad(f'key: there is no leaf "{name}"{did_you_mean(str(name), leaves)}')
    for name, leaf in leaves.items():
        if name not in key and isinstance(leaf, Leaf) and not leaf.keep:
            writer.bad(f'key: the leaf "{name}" has no key, so all keys share it; then it must be keep=True')
    return {name: writer.expression(f"key.{name}", each) for name, each in key.items()}


def _leaf(leaf: Leaf, path: str, writer: _Writer, team: Optional[str]) -> Dict[str, Any]:
    fields = {name: given for name, given in leaf.fields.items() if given is not None}
    out: Dict[str, Any] = {}
    for name in ("event", "source", "subject"):
        if name in fields:
            out[name] = writer.text(path + name, fields[name])
            if not 1 <= len(out[name].encode("utf-8", "replace")) <= GLOB_BYTES_MAX:
                writer.bad(f"{path}{name}: expected 1 to {GLOB_BYTES_MAX} bytes")
    if leaf.operator == "finish":
        out.update(_finish(fields, path, writer, team))
    if leaf.operator == "schedule":
        out["schedule"] = cron = writer.text(path + "schedule", fields.get("schedule"))
        wrong = cron_problem(cron) if isinstance(fields.get("schedule"), str) else None
        if wrong is not None:
            writer.bad(wrong, leaf.place)
        if "timezone" in fields:
            out["timezone"] = zone = writer.text(path + "timezone", fields["timezone"])
            if (wrong := timezone_problem(zone)) is not None:
                writer.bad(f"{path}timezone: {wrong}", leaf.place)
    if "where" in fields:
        out["where"] = writer.expression(path + "where", fields["where"], leaf.place)
    return out


def _finish(fields: Mapping[str, Any], path: str, writer: _Writer, team: Optional[str]) -> Dict[str, Any]:
    from .compiling import flow_of  # a pipeline may stand for its flow

    given = fields.get("finish")
    name, named_team = flow_of(given)
    if is_pipeline(given) and specs_of(given) is None:
        writer.bad(
            f"{path}finish: the pipeline {name} has no decorator of weir, so that no flow is written for it: put "
            f'@weir.flow() on it, or name its flow as text, "{name}"'
        )
    if not isinstance(name, str):
        writer.bad(f"{path}finish: expected a flow's name or a pipeline with weir's decorators, found {describe(name)}")
        return {}
    head, slash, tail = name.rpartition("/")
    if not valid_name(tail.replace("*", "x")):
        writer.bad(f'{path}finish: expected a flow\'s name, or a glob of one, found "{tail}"')
    if slash and not valid_name(head):
        writer.bad(f"{path}finish: the team's name is not valid")
    if slash and "team" in fields:
        writer.bad(f"{path}team: finish names a team already")
    if named_team is not None and named_team != team and "team" not in fields:
        name = f"{named_team}/{name}"
    out: Dict[str, Any] = {"finish": name}
    if "team" in fields:
        out["team"] = writer.name(path + "team", fields["team"])
    if "outcome" in fields:
        given = fields["outcome"]
        words = [given] if isinstance(given, str) else list(given) if isinstance(given, (list, tuple, set)) else []
        if not words:
            writer.bad(f"{path}outcome: expected one or more of {', '.join(OUTCOMES)}")
        out["outcome"] = [writer.word(path + "outcome", word, OUTCOMES) for word in words]
    return out


def _launch(spec: TriggerSpec, flow: str, writer: _Writer, inputs: Sequence[Input]) -> Dict[str, Any]:
    common = spec.common
    launch: Dict[str, Any] = {"flow": flow}
    given = common.parameters if common.parameters is not None else {}
    if not isinstance(given, Mapping):
        writer.bad("parameters: expected a map of input: expression or constant")
        given = {}
    if len(given) > PARAMETERS_MAX:
        writer.bad(f"parameters: more than {PARAMETERS_MAX}")
    declared = {each.name: each for each in inputs}
    parameters = {}
    for name, each in given.items():
        if name not in declared:
            known = f"; it has {', '.join(declared)}" if declared else "; it has none"
            near = did_you_mean(str(name), declared)
            writer.bad(f'parameters: the pipeline {flow} has no input "{name}"{near or known}')
            continue
        parameters[name] = _parameter(name, each, declared[name], writer)
    for wanted in inputs:
        if wanted.name not in given and not wanted.optional:
            writer.bad(f'parameters: the pipeline {flow} needs the input "{wanted.name}" ({wanted.type}), which is not given')
    if parameters:
        launch["parameters"] = parameters
    if common.overlap is not None:
        launch["overlap"] = writer.word("overlap", common.overlap, ("allow", "skip", "queue"))
    queue: Dict[str, Any] = {}
    if common.queue_limit is not None:
        queue["limit"] = writer.whole("queue_limit", common.queue_limit, 1, QUEUE_MAX)
    if common.queue_max_age is not None:
        queue["max_age"] = writer.period("queue_max_age", common.queue_max_age)
    if queue:
        launch["queue"] = queue
        if common.overlap != "queue":
            writer.bad('queue_limit, queue_max_age: only together with overlap="queue"')
    return launch


def _parameter(name: str, given: object, declared: Input, writer: _Writer) -> Any:
    if isinstance(given, str):
        return writer.expression(f"parameters.{name}", given)
    constant = given.value if isinstance(given, Value) else given
    try:
        constant = plain(constant)
    except ValueError as error:
        writer.bad(f"parameters.{name}: {error}")
        return None
    wrong = mismatch(declared, constant)
    if wrong is not None:
        writer.bad(f'parameters: the input "{name}" {wrong}')
    # A map of the one name `value` would be read as a wrapped constant, so that maps are always wrapped.
    return {"value": constant} if isinstance(constant, (str, dict)) else constant


_KUBEFLOW_FIELDS = ("pipeline", "version", "experiment", "display_name", "reports")
_DISPLAY_WORDS = ("team", "flow", "version", "run", "decision", "time", "date")
_LOCAL_FIELDS = (
    "on_restart", "timeout", "task_timeout", "env", "env_pass", "log_bytes_max", "memory_bytes_max", "parallel",
)  # fmt: skip


def flow_document(
    spec: FlowSpec, name: str, pipeline: str, inputs: Sequence[Input], reports: bool, problems: Problems
) -> Dict[str, Any]:
    """The document of the flow; `pipeline` is the compiled file's name, or the pipeline's name at Kubeflow."""
    writer = _Writer("@weir.flow", spec.place, problems)
    document: Dict[str, Any] = {"flow": writer.name("name", name)}
    if spec.team is not None:
        document["team"] = writer.name("team", spec.team)
    document["backend"] = writer.name("backend", spec.backend)
    given = {field: each for field, each in spec.fields.items() if each is not None}
    local = spec.backend == "local"
    if spec.backend in ("null", "process"):
        writer.bad(f'backend: "{spec.backend}" runs no pipelines; "local" does, or the name of a Kubeflow backend')
    for field in _KUBEFLOW_FIELDS if local else _LOCAL_FIELDS:
        if field in given:
            writer.bad(f'{field}: {"not together with" if local else "only together with"} backend="local"')
    document["pipeline"] = pipeline if local else writer.server_text("pipeline", given.get("pipeline", pipeline), 128)
    if "description" in given:
        document["description"] = writer.text("description", given["description"])
    for field, characters_max in () if local else (("version", 255), ("experiment", 128), ("display_name", 255)):
        if field in given:
            document[field] = writer.server_text(field, given[field], characters_max)
    if not local:
        _check_display_name(document.get("display_name", ""), writer)
    for field in ("labels", "env"):
        if field in given:
            document[field] = writer.text_map(field, given[field])
    if local:
        document.update(_local_fields(given, writer))
        return document
    if not isinstance(given.get("reports", reports), bool):
        writer.bad(f"reports: expected True or False, found {describe(given['reports'])}")
    if given.get("reports", reports):
        document["reports"] = True
    if inputs:
        document["parameters"] = {each.name: each.document() for each in inputs}
    return document


def _check_display_name(template: str, writer: _Writer) -> None:
    for word in re.findall(r"\{([a-z_]+)\}", template):
        if word not in _DISPLAY_WORDS:
            known = ", ".join(f"{{{each}}}" for each in _DISPLAY_WORDS)
            writer.bad(f"display_name: there is no {{{word}}}{did_you_mean(word, _DISPLAY_WORDS)}; replaced are {known}")


def _local_fields(given: Mapping[str, Any], writer: _Writer) -> Dict[str, Any]:
    out: Dict[str, Any] = {}
    if "on_restart" in given:
        out["on_restart"] = writer.word("on_restart", given["on_restart"], ("resume", "fail"))
    for field in ("timeout", "task_timeout"):
        if field in given:
            out[field] = writer.period(field, given[field])
    if "env_pass" in given:
        names = given["env_pass"]
        if not isinstance(names, (str, list, tuple, set)):
            writer.bad(f"env_pass: expected a list of names of variables, found {describe(names)}")
            names = []
        out["env_pass"] = [writer.text("env_pass", each) for each in ([names] if isinstance(names, str) else names)]
        for name in out["env_pass"]:
            if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*\*?", name):
                writer.bad(f"env_pass: {name!r} is no name of a variable")
    for name in given["env"] if isinstance(given.get("env"), Mapping) else ():
        if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", str(name)) or str(name).startswith("WEIR_"):
            writer.bad(f"env: {name!r} is no name for a variable: letters, digits and _, not beginning with WEIR_")
    for field, lowest, highest in (("log_bytes_max", 1024, 1 << 50), ("memory_bytes_max", 0, 1 << 50), ("parallel", 1, 4096)):
        if field in given:
            out[field] = writer.whole(field, given[field], lowest, highest)
    return out


def unique_names(triggers: Sequence[Tuple[TriggerSpec, Mapping[str, Any]]], problems: Problems) -> None:
    """Each trigger of a pipeline has a name of its own."""
    seen: Dict[str, Place] = {}
    for spec, document in triggers:
        name = str(document["trigger"])
        if name in seen:
            problems.add(
                spec.place,
                f'{spec.decorator}: the trigger "{name}" stands here a second time; the first is at {seen[name]}; '
                "give name= to one of them",
            )
        seen.setdefault(name, spec.place)
