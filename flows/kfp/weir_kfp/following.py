"""A decorated pipeline: still kfp's own object, but its compilation is followed, and the documents written beside it.

kfp's compiler asks the pipeline for its `pipeline_spec`; a subclass made here answers, and sees in the asking frame
which file is being written. Nothing of kfp is replaced. A compiler that is not recognised is an error, never silence.
"""

from __future__ import annotations

import contextlib
import contextvars
import functools
import inspect
import os
import sys
import tempfile
import weakref
from types import FrameType
from typing import Any, Callable, Dict, Iterator, List, Optional, Tuple, TypeVar, Union, cast

from .errors import DefinitionError, Place
from .specs import FUNCTION, FlowSpec, Specs, TriggerSpec

Target = TypeVar("Target")
_SPECS = "_weir_specs"
_quiet: contextvars.ContextVar[bool] = contextvars.ContextVar("weir_kfp_quiet", default=False)
_followed: Dict[type, type] = {}
#: Decorated functions, which wait for their @dsl.pipeline.
_waiting: "weakref.WeakSet[Any]" = weakref.WeakSet()


def is_pipeline(candidate: object) -> bool:
    """True for what @dsl.pipeline makes, in every kfp 2."""
    return any(each.__name__ == "GraphComponent" for each in type(candidate).__mro__)


def specs_of(pipeline: object) -> Optional[Specs]:
    """What was decorated onto a pipeline; None if it carries no decorator of this package."""
    return cast(Optional[Specs], getattr(pipeline, "__dict__", {}).get(_SPECS))


def forgotten(file: Optional[str] = None) -> List[Tuple[Place, str]]:
    """What is wrong with decorators (of one file, or of all) on functions that never became pipelines."""
    found: List[Tuple[Place, str]] = []
    for function in _waiting:
        specs = specs_of(function)
        if specs is None or specs.taken:
            continue
        decorated: List[Union[FlowSpec, TriggerSpec]] = [*specs.flows, *specs.triggers]
        found += [
            (
                spec.place,
                f"{_word(spec)} stands on the function {function.__name__}, which @dsl.pipeline made no pipeline of: "
                "write @dsl.pipeline above it; on a component no decorator of weir does anything",
            )
            for spec in decorated
            if file is None or spec.place.file == file
        ]
    return sorted(found)


def attach(target: Target, spec: Union[FlowSpec, TriggerSpec]) -> Target:
    """Puts a decorator's word on a pipeline, or on the function that is about to become one."""
    if is_pipeline(target):
        _adopt(target).add(spec)
        return target
    if callable(target) and hasattr(target, "__code__"):
        pending = specs_of(target)
        if pending is not None:
            pending.add(spec)
            return target
        return cast(Target, _before_pipeline(cast(Callable[..., Any], target), spec))
    raise DefinitionError(f"{spec.place}: {_word(spec)} stands on a @dsl.pipeline, not on {type(target).__name__}")


def _word(spec: Union[FlowSpec, TriggerSpec]) -> str:
    return spec.decorator if isinstance(spec, TriggerSpec) else "@weir.flow"


def _adopt(pipeline: Any) -> Specs:
    """Makes kfp's object one that is followed."""
    specs = specs_of(pipeline)
    if specs is None:
        specs = Specs()
        pipeline.__dict__[_SPECS] = specs
        pipeline.__class__ = _followed_class(type(pipeline))
    return specs


def _before_pipeline(function: Callable[..., Any], spec: Union[FlowSpec, TriggerSpec]) -> Callable[..., Any]:
    """A decorator below @dsl.pipeline: kfp calls the function once, while it makes its object."""
    specs = Specs()
    specs.add(spec)

    @functools.wraps(function)
    def traced(*arguments: Any, **named: Any) -> Any:
        owner = sys._getframe(1).f_locals.get("self")
        if not is_pipeline(owner):
            raise DefinitionError(
                f"{spec.place}: the function was called by something else than @dsl.pipeline; "
                "if that is what stands above, put the decorators of weir above it"
            )
        specs.taken = True
        made = function(*arguments, **named)
        adopted = _adopt(owner)
        adopted.flows[:0] = specs.flows
        adopted.triggers[:0] = specs.triggers
        return made

    traced.__dict__[_SPECS] = specs
    _waiting.add(traced)
    return traced


def _followed_class(base: Any) -> type:
    if base not in _followed:

        def pipeline_spec(self: Any) -> Any:
            spec = _naming_flow(self, base.pipeline_spec.fget(self), sys._getframe(1).f_locals.get("pipeline_name"))
            if not _quiet.get():
                _follow(self, sys._getframe(1))
            return spec

        _followed[base] = type("FollowedPipeline", (base,), {"pipeline_spec": property(pipeline_spec)})
    return _followed[base]


def _naming_flow(pipeline: Any, spec: Any, compiled_name: Any) -> Any:
    """The spec, in which each report says whose run it is: a weir with tokens for teams asks for that of a run it did not
    start. Only @weir.flow(team=...) tells; it stands above @dsl.pipeline, so that the reports are made before it is read."""
    told = cast(Specs, specs_of(pipeline)).flows[:1]
    if not told or not isinstance(told[0].team, str):
        return spec
    named = type(spec)()
    named.CopyFrom(spec)
    flow = f"{told[0].team}/{told[0].name or compiled_name or named.pipeline_info.name}"
    executors = named.deployment_spec.fields["executors"].struct_value.fields
    reports = {
        name
        for name, component in named.components.items()
        if component.executor_label in executors
        and any(
            each.string_value == FUNCTION
            for each in executors[component.executor_label].struct_value.fields["container"].struct_value.fields["args"].list_value.values
        )
    }
    for component in [named.root, *named.components.values()]:
        for task in component.dag.tasks.values():
            if task.component_ref.name in reports:
                options = task.inputs.parameters["options"].runtime_value.constant.struct_value
                if "flow" not in options:
                    options["flow"] = flow
    return named


@contextlib.contextmanager
def not_followed() -> Iterator[None]:
    """Within it, compilations write no documents."""
    token = _quiet.set(True)
    try:
        yield
    finally:
        _quiet.reset(token)


def _follow(pipeline: Any, frame: FrameType) -> None:
    """Writes the documents if it is kfp's compiler that asks."""
    module = str(frame.f_globals.get("__name__", ""))
    if module != "kfp.compiler" and not module.startswith("kfp.compiler."):
        return
    compiling = frame.f_locals
    if isinstance(compiling.get("package_path"), os.PathLike):
        return  # kfp takes text alone, and says so
    if compiling.get("pipeline_func") is not pipeline or not isinstance(compiling.get("package_path"), str):
        raise DefinitionError(
            "this version of kfp compiles in a way that weir-kfp does not know; "
            "write weir.compile(pipeline, path) instead of Compiler().compile(pipeline, path)"
        )
    package_path = compiling["package_path"]
    if os.path.isdir(package_path):
        return  # kfp is about to say so
    # kfp checks after it has asked, so that it is let do so once before: for a file that it refuses there are no documents.
    options = inspect.signature(type(compiling["self"]).compile).parameters.keys() - {"self", "pipeline_func", "package_path"}
    with tempfile.TemporaryDirectory(prefix="weir-kfp-") as folder, not_followed():
        trial = os.path.join(folder, os.path.basename(package_path))
        compiling["self"].compile(pipeline, trial, **{name: compiling[name] for name in options})
    from . import compiling as documents

    documents.write_documents(
        pipeline,
        package_path,
        pipeline_name=compiling.get("pipeline_name"),
        pipeline_parameters=compiling.get("pipeline_parameters"),
        manifest=bool(compiling.get("kubernetes_manifest_format")),
    )
