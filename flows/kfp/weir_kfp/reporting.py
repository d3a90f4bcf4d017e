"""`report()`: a task that tells weir how its run ended and what it made.

The component is made for each use, because its inputs are the outputs to report: a Python function is written as text
(the two functions of `pod` inside), and handed to kfp as if it stood in a file. kfp copies the text into the pipeline,
so that the pod needs nothing of this package.
"""

from __future__ import annotations

import hashlib
import inspect
import linecache
import re
import textwrap
from typing import Any, Dict, List, Mapping, NoReturn, Optional, Tuple, Union

from . import pod
from .durations import seconds_of
from .errors import DefinitionError, Place, Problems, caller_place
from .parameters import describe, plain, refuse_rounded
from .specs import FUNCTION, refuse_unknown

_OUTCOMES = ("succeeded", "failed")
#: By how kfp names the type of a channel, in small letters: Integer, LIST, typing.List[int], Dict[String, Float].
_ANNOTATIONS = {
    "string": "str",
    "str": "str",
    "integer": "int",
    "int": "int",
    "float": "float",
    "double": "float",
    "boolean": "bool",
    "bool": "bool",
    "list": "list",
    "dict": "dict",
    "struct": "dict",
}
_BASE_IMAGE = "python:3.11"
_NAMES_MAX = 256

#: An input of the component: its name, its annotation, the value or channel that fills it.
_Input = Tuple[str, str, Any]


def report(
    *,
    outputs: Optional[Mapping[str, Any]] = None,
    artifacts: Optional[Mapping[str, Any]] = None,
    outcome: Optional[str] = None,
    exit_task: Optional[bool] = None,
    flow: Optional[str] = None,
    labels: Optional[Mapping[str, str]] = None,
    server: Any = None,
    token_secret: Optional[str] = None,
    token_key: str = "token",
    token_file: Optional[str] = None,
    retry_for: Union[float, str] = "10m",
    required: bool = True,
    base_image: str = _BASE_IMAGE,
    install_kfp_package: bool = True,
    **unknown: NoReturn,
) -> Any:
    """A task that reports this run to weir, made in a pipeline's function; returns kfp's PipelineTask.

    As exit task it reports the outcome of what stands in the handler:

        with dsl.ExitHandler(exit_task=weir.report(server="http://weir:9347")):
            ...

    As an ordinary last task it reports outputs, which triggers read as `run.outputs.NAME`:

        weir.report(outputs={"model_uri": fit.outputs["model_uri"]}, artifacts={"model": fit.outputs["model"]})

    outputs: name -> a task's output, an input of the pipeline or a constant. An artifact becomes its URI; an input
        that the run was started without is left out.
    artifacts: name -> a task's output artifact; reported with URI, type and metadata.
    outcome: "succeeded" or "failed", said by the pipeline itself; an exit task finds it out.
    exit_task: whether it is one; if left out, it is when neither outputs, artifacts nor outcome are given.
    flow: "team/flow" to report for, if @weir.flow(team=...) does not say it; labels: further words for weir.
    server: weir's address, as text (becomes the task's WEIR_SERVER) or an input of the pipeline. Without it the pod's
        environment must have WEIR_SERVER.
    token_secret, token_key: a Kubernetes secret whose key becomes WEIR_TOKEN; needs kfp-kubernetes.
    token_file: where in the pod a file with the token is mounted (WEIR_TOKEN_FILE), read anew for each try.
    retry_for: seconds or text: for how long weir may be away.
    required: False: a report that could not be delivered leaves the task successful.
    base_image, install_kfp_package: as in @dsl.component.

    Raises DefinitionError for what could not work.
    """
    place = caller_place(1)
    refuse_unknown("weir.report", unknown, _OPTIONS, place)
    problems = Problems()
    given = (outputs, artifacts, outcome)
    is_exit = all(each is None for each in given) if exit_task is None else exit_task
    if is_exit and outcome is not None:
        problems.add(place, "weir.report: an exit task finds the outcome out; outcome= is for an ordinary task")
    if not is_exit and not outputs and not artifacts and outcome is None:
        problems.add(place, "weir.report: an ordinary task needs something to say: outputs, artifacts or outcome")
    if outcome is not None and outcome not in _OUTCOMES:
        problems.add(place, f"weir.report: outcome: expected succeeded or failed, found {outcome!r}")
    inputs, said_outputs, said_artifacts = _contents(outputs or {}, artifacts or {}, place, problems)
    options = _options(flow, labels, outcome, retry_for, required, place, problems)
    _check_access(server, {"secret": token_secret, "key": token_key, "file": token_file}, place, problems)
    problems.raise_any()
    component = _component(is_exit, inputs, said_outputs, said_artifacts, base_image, install_kfp_package)
    return _task(component, inputs, options, server, (token_secret, token_key, token_file), place)


_OPTIONS = tuple(name for name in inspect.signature(report).parameters if name != "unknown")


def _check_access(server: Any, token: Mapping[str, Any], place: Place, problems: Problems) -> None:
    """Where weir is, and what is shown there."""
    if server is not None and not _is_channel(server) and not re.match(r"https?://[^/\s]", str(server)):
        problems.add(place, f"weir.report: server: expected http://HOST:PORT, found {server!r}")
    for name, each in token.items():
        if each is not None and (not isinstance(each, str) or not each):
            problems.add(place, f"weir.report: token_{name}: expected text, found {describe(each)}")
    if token["secret"] is not None and token["file"] is not None:
        problems.add(place, "weir.report: token_secret and token_file are two ways to one thing; give one")


def _options(
    flow: Optional[str],
    labels: Optional[Mapping[str, str]],
    outcome: Optional[str],
    retry_for: Union[float, str],
    required: bool,
    place: Place,
    problems: Problems,
) -> Dict[str, Any]:
    """The constants of the report, one input of the component."""
    options: Dict[str, Any] = {"required": required, "retry_for": 0.0}
    if not isinstance(required, bool):
        problems.add(place, f"weir.report: required: expected True or False, found {describe(required)}")
    try:
        options["retry_for"] = seconds_of(retry_for, "retry_for")
    except ValueError as error:
        problems.add(place, f"weir.report: {error}")
    if flow is not None:
        if not re.fullmatch(r"[A-Za-z0-9][\w.-]{0,127}/[A-Za-z0-9][\w.-]{0,127}", str(flow), re.A):
            problems.add(place, f"weir.report: flow: expected team/flow, found {flow!r}")
        options["flow"] = flow
    if labels:
        if not isinstance(labels, Mapping) or not all(isinstance(v, str) for kv in labels.items() for v in kv):
            problems.add(place, "weir.report: labels: expected a map of texts")
        else:
            options["labels"] = dict(labels)
    if outcome is not None:
        options["outcome"] = outcome
    return options


def _contents(
    outputs: Mapping[str, Any], artifacts: Mapping[str, Any], place: Place, problems: Problems
) -> Tuple[List[_Input], List[str], List[str]]:
    """The component's inputs, and the Python that says each output and artifact."""
    inputs: List[_Input] = []
    said: Dict[str, List[str]] = {"outputs": [], "artifacts": []}
    for kind, prefix, things in (("outputs", "output_", outputs), ("artifacts", "artifact_", artifacts)):
        if not isinstance(things, Mapping):
            problems.add(place, f"weir.report: {kind}: expected a map of names to what is reported, found {describe(things)}")
            continue
        if len(things) > _NAMES_MAX:
            problems.add(place, f"weir.report: {kind}: more than {_NAMES_MAX}")
        for name, thing in things.items():
            where = f"weir.report: {kind}.{name}"
            if not isinstance(name, str) or not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]{0,63}", name):
                problems.add(place, f"{where}: a name is letters, digits and _ (at most 64), as expressions use it")
                continue
            try:
                annotation, filled = _annotation(thing, kind == "artifacts")
            except ValueError as error:
                problems.add(place, f"{where}: {error}")
                continue
            inputs.append((prefix + name, annotation, filled))
            artifact = annotation.startswith("Input[")
            if kind == "outputs":
                said[kind].append(f"{name!r}: {prefix}{name}{'.uri' if artifact else ''}")
            else:
                said[kind].append(f"({name!r}, {prefix}{name})")
    return inputs, said["outputs"], said["artifacts"]


def _annotation(thing: Any, artifact: bool) -> Tuple[str, Any]:
    """How the component declares an input for this, and what fills it."""
    if hasattr(thing, "component_spec"):
        raise ValueError('is a whole task; give its output: task.output, or task.outputs["name"]')
    if _is_channel(thing):
        channel_type = str(thing.channel_type)
        single = any(each.__name__ == "PipelineArtifactChannel" for each in type(thing).__mro__)
        # dsl.Collected of artifacts is no artifact's channel, but has the type of one: system.Model@0.0.1.
        if single or "@" in channel_type:
            if not single or getattr(thing, "is_artifact_list", False):
                raise ValueError("is a list of artifacts; report them one by one, inside their loop")
            return "Input[Artifact]", thing
        if artifact:
            raise ValueError("is a parameter, no artifact; it belongs to outputs")
        annotation = _channel_annotation(channel_type)
        # An input of the pipeline may be left out where the run is started.
        return annotation if thing.task_name else f"Optional[{annotation}] = None", thing
    if artifact:
        raise ValueError(f"is {describe(thing)}; expected an artifact of a task")
    constant = plain(thing)
    if constant is None:
        raise ValueError("is null")
    refuse_rounded(constant)
    for kind, annotation in ((bool, "bool"), (int, "int"), (float, "float"), (str, "str"), (list, "list")):
        if isinstance(constant, kind):
            return annotation, constant
    return "dict", constant


def _channel_annotation(kind: str) -> str:
    word = re.match(r"(?:(?:typing\.)?Optional\[)?(?:typing\.)?(\w*)", kind)
    return _ANNOTATIONS.get(word[1].lower() if word is not None else "", "str")


def _is_channel(thing: Any) -> bool:
    return hasattr(thing, "channel_type")


def source_of(is_exit: bool, inputs: List[_Input], outputs: List[str], artifacts: List[str]) -> str:
    """The text of the component's function."""
    arguments = ["run_id: str", "server: str", "options: dict"]
    arguments += [f"{name}: {annotation}" for name, annotation, _ in inputs]
    if is_exit:
        arguments.append("status: PipelineTaskFinalStatus")
    arguments.sort(key=lambda argument: argument.endswith("= None"))
    body = "\n\n".join(inspect.getsource(each) for each in (pod.deliver, pod.send_report))
    said = f"{{{', '.join(outputs)}}}, [{', '.join(artifacts)}]"
    call = f"send_report(run_id, server, options, {'status' if is_exit else 'None'}, {said})\n"
    return f"def {FUNCTION}({', '.join(arguments)}):\n" + textwrap.indent(body + "\n" + call, "    ")


def _component(
    is_exit: bool, inputs: List[_Input], outputs: List[str], artifacts: List[str], image: str, install_kfp: bool
) -> Any:
    from kfp import dsl

    source = source_of(is_exit, inputs, outputs, artifacts)
    names: Dict[str, Any] = {"__name__": __name__}
    # What kfp itself puts above the text in the pod.
    exec("from kfp.dsl import *\nfrom typing import *\n", names)
    # kfp asks `inspect` for the text, and that looks here.
    file = f"<{FUNCTION} {hashlib.sha256(source.encode()).hexdigest()[:16]}>"
    linecache.cache[file] = (len(source), None, source.splitlines(True), file)
    exec(compile(source, file, "exec", dont_inherit=True), names)
    return dsl.component(names[FUNCTION], base_image=image, install_kfp_package=install_kfp)


def _task(
    component: Any,
    inputs: List[_Input],
    options: Dict[str, Any],
    server: Any,
    secrets: Tuple[Optional[str], str, Optional[str]],
    place: Place,
) -> Any:
    from kfp import dsl

    by_environment = server is not None and not _is_channel(server)
    task = component(
        run_id=dsl.PIPELINE_JOB_ID_PLACEHOLDER,
        server="" if by_environment or server is None else server,
        options=options,
        **{name: filled for name, _, filled in inputs},
    )
    task.set_caching_options(False)
    if by_environment:
        task.set_env_variable("WEIR_SERVER", str(server).rstrip("/"))
    secret, key, file = secrets
    if file is not None:
        task.set_env_variable("WEIR_TOKEN_FILE", file)
    if secret is not None:
        try:
            from kfp import kubernetes
        except ImportError:
            raise DefinitionError(
                f"{place}: weir.report: token_secret needs kfp-kubernetes: pip install 'weir-kfp[kubernetes]'"
            ) from None
        kubernetes.use_secret_as_env(task, secret_name=secret, secret_key_to_env={key: "WEIR_TOKEN"})
    return task
