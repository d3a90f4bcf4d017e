"""From a decorated pipeline to `train.weir.yaml`: one flow document and its triggers."""

from __future__ import annotations

import os
import re
import tempfile
from typing import Any, Dict, List, Mapping, Optional, Tuple, Union

from .documents import flow_document, trigger_document, unique_names
from .errors import DefinitionError, Place, Problems
from .following import forgotten, is_pipeline, not_followed, specs_of
from .parameters import Input, inputs_of
from .specs import FUNCTION, FlowSpec, Specs, TriggerSpec


def compile(pipeline: Any, package_path: Union[str, os.PathLike[str]], **options: Any) -> str:
    """Compiles a pipeline with kfp and writes weir's documents beside it; returns the path of these.

    `train.yaml` is the pipeline, `train.weir.yaml` the flow and its triggers. Also for a pipeline without decorators:
    its flow alone. The options are those of kfp's Compiler().compile().
    """
    from kfp import compiler

    if not is_pipeline(pipeline):
        raise DefinitionError(f"weir.compile wants a @dsl.pipeline, not {type(pipeline).__name__}")
    file = os.fspath(package_path)
    path = _documents_path(file)
    if path is None:
        raise DefinitionError(f"weir.compile writes to a file that ends in .yaml, not {file}")
    text = documents_of(
        pipeline,
        os.path.basename(file),
        pipeline_name=options.get("pipeline_name"),
        pipeline_parameters=options.get("pipeline_parameters"),
        manifest=bool(options.get("kubernetes_manifest_format")),
    )
    with not_followed():
        compiler.Compiler().compile(pipeline, file, **options)
    _write(path, text)
    return path


def write_documents(pipeline: Any, package_path: str, **options: Any) -> None:
    """What follows kfp's own Compiler().compile(). Nothing for a file that kfp is about to refuse."""
    path = _documents_path(package_path)
    if path is not None:
        _write(path, documents_of(pipeline, os.path.basename(package_path), **options))


def documents_of(
    pipeline: Any,
    file: str,
    *,
    pipeline_name: Optional[str] = None,
    pipeline_parameters: Optional[Mapping[str, Any]] = None,
    manifest: bool = False,
) -> str:
    """The text of the documents of a pipeline that is compiled to `file`. Raises DefinitionError with all problems."""
    made = placed_documents(
        pipeline, file, pipeline_name=pipeline_name, pipeline_parameters=pipeline_parameters, manifest=manifest
    )
    from .yaml_text import documents_text

    return documents_text(f"Written by weir-kfp from {place_of(pipeline).basename}: change it there.", [each for _, each in made])


def placed_documents(
    pipeline: Any,
    file: str,
    *,
    pipeline_name: Optional[str] = None,
    pipeline_parameters: Optional[Mapping[str, Any]] = None,
    manifest: bool = False,
) -> List[Tuple[Place, Dict[str, Any]]]:
    """The flow's document and its triggers', each with the line that asked for it."""
    specs = specs_of(pipeline) or Specs()
    problems = Problems()
    ir = _ir_of(pipeline)
    compiled_name = pipeline_name or str(ir["pipelineInfo"]["name"])
    flow = _flow_spec(specs, pipeline, problems)
    inputs = _inputs(ir, pipeline_parameters or {}, flow.place, problems)
    name = flow.name if flow.name is not None else compiled_name
    local = flow.backend == "local"
    if local and manifest:
        problems.add(flow.place, '@weir.flow: backend="local" runs the plain pipeline, no Kubernetes manifest of it')
    document = flow_document(flow, name, file if local else compiled_name, inputs, reports(pipeline), problems)
    made: List[Tuple[TriggerSpec, Dict[str, Any]]] = [
        (spec, trigger_document(spec, name, flow.team, inputs, problems)) for spec in specs.triggers
    ]
    unique_names(made, problems)
    for place, message in forgotten(flow.place.file):
        problems.add(place, message)
    problems.raise_any()
    return [(flow.place, document), *((spec.place, each) for spec, each in made)]


def reports(pipeline: Any) -> bool:
    """True if a task of the pipeline is `weir.report(...)`."""
    executors = _ir_of(pipeline).get("deploymentSpec", {}).get("executors", {})
    return any(FUNCTION in each.get("container", {}).get("args", []) for each in executors.values())


def flow_of(named: Any) -> Tuple[Any, Optional[str]]:
    """(flow's name, team or None) of a pipeline; what is no pipeline is given back."""
    if not is_pipeline(named):
        return named, None
    specs = specs_of(named) or Specs()
    spec = specs.flows[0] if specs.flows else None
    name = spec.name if spec is not None and spec.name is not None else str(_ir_of(named)["pipelineInfo"]["name"])
    return name, spec.team if spec is not None else None


def _flow_spec(specs: Specs, pipeline: Any, problems: Problems) -> FlowSpec:
    for extra in specs.flows[1:]:
        problems.add(extra.place, f"@weir.flow stands here a second time; the first is at {specs.flows[0].place}")
    if specs.flows:
        return specs.flows[0]
    return FlowSpec(specs.triggers[0].place if specs.triggers else place_of(pipeline))


def _inputs(ir: Mapping[str, Any], defaults: Mapping[str, Any], place: Place, problems: Problems) -> List[Input]:
    """The pipeline's inputs, with the defaults that the compilation gives."""
    try:
        inputs = inputs_of(ir)
    except ValueError as error:
        problems.add(place, f"weir cannot launch this pipeline: {error}")
        return []
    return [
        Input(each.name, each.type, True, defaults[each.name], each.description, each.literals)
        if each.name in defaults
        else each
        for each in inputs
    ]


def _ir_of(pipeline: Any) -> Dict[str, Any]:
    from google.protobuf import json_format

    with not_followed():
        ir: Dict[str, Any] = json_format.MessageToDict(pipeline.pipeline_spec)
    return ir


def place_of(pipeline: Any) -> Place:
    """Where the pipeline's function stands."""
    code = getattr(getattr(pipeline, "pipeline_func", None), "__wrapped__", None)
    code = getattr(code or getattr(pipeline, "pipeline_func", None), "__code__", None)
    return Place(code.co_filename, code.co_firstlineno) if code is not None else Place("pipeline", 0)


def _documents_path(package_path: str) -> Optional[str]:
    """`train.yaml` has its documents in `train.weir.yaml`."""
    match = re.fullmatch(r"(.+)\.(?:yaml|yml|json)", package_path, re.S)
    return match[1] + ".weir.yaml" if match else None


def _write(path: str, text: str) -> None:
    """Whole or not at all."""
    folder = os.path.dirname(os.path.abspath(path))
    os.makedirs(folder, exist_ok=True)
    handle, unfinished = tempfile.mkstemp(prefix=".weir-", dir=folder)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
        mask = os.umask(0)
        os.umask(mask)
        os.chmod(unfinished, 0o666 & ~mask)
        os.replace(unfinished, path)
    except BaseException:
        os.unlink(unfinished)
        raise
