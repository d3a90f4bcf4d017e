"""`python -m weir_kfp compile pipeline.py`: compiles the pipelines of a file, each with its documents."""

from __future__ import annotations

import argparse
import importlib.util
import os
import shutil
import subprocess
import sys
import traceback
from typing import Any, Dict, List, Optional, Tuple

from .compiling import compile as compile_pipeline
from .compiling import place_of, placed_documents
from .errors import DefinitionError, Place, Problems, WeirError
from .following import forgotten, is_pipeline, specs_of


def main(arguments: Optional[List[str]] = None) -> int:
    """Exit status: 0 done, 1 something is wrong with a pipeline, 2 wrong use."""
    parser = argparse.ArgumentParser(prog="python -m weir_kfp", description="weir for authors of Kubeflow pipelines")
    commands = parser.add_subparsers(dest="command", required=True)
    command = commands.add_parser("compile", help="compile the pipelines of Python files, and write weir's documents")
    command.add_argument("files", nargs="+", metavar="FILE", help="a Python file with decorated pipelines")
    command.add_argument("--function", action="append", metavar="NAME", help="only this pipeline (may be repeated)")
    command.add_argument("--output", metavar="FOLDER", help="where to write; beside the file if left out")
    command.add_argument(
        "--check", nargs="?", const="weir", metavar="PROGRAM", help="let this weir check what was written"
    )
    options = parser.parse_args(arguments)
    try:
        written = compile_files(options.files, options.function, options.output)
    except WeirError as error:
        print(error, file=sys.stderr)
        return 1
    for path in written:
        print(path)
    return check(options.check, written) if options.check else 0


def compile_files(files: List[str], functions: Optional[List[str]], output: Optional[str]) -> List[str]:
    """The documents written for the files. Nothing is written if anything is wrong with one of them."""
    chosen: List[Tuple[str, Any]] = []
    for file in files:
        chosen += pipelines_of(file, functions, output)
    problems = Problems()
    for place, message in forgotten():
        problems.add(place, message)
    taken: Dict[Tuple[str, ...], Place] = {}
    for path, pipeline in chosen:
        first = taken.setdefault(("file", path), place_of(pipeline))
        if first != place_of(pipeline):
            problems.add(
                place_of(pipeline),
                f"the pipeline {pipeline.name} would be written over the one at {first}, to {path}; "
                "give one of them another name: @dsl.pipeline(name=...)",
            )
            continue
        try:
            made = placed_documents(pipeline, os.path.basename(path))
        except DefinitionError as error:
            problems.take(error)
            continue
        refuse_taken(made, taken, problems)
    problems.raise_any()
    return [compile_pipeline(pipeline, path) for path, pipeline in chosen]


def refuse_taken(
    made: List[Tuple[Place, Dict[str, Any]]], taken: Dict[Tuple[str, ...], Place], problems: Problems
) -> None:
    """Two pipelines cannot have a flow or a trigger of one name: one would take the other's place in weir."""
    for place, document in made:
        kind = "trigger" if "trigger" in document else "flow"
        first = taken.setdefault((kind, str(document.get("team", "")), str(document[kind])), place)
        if first != place:
            problems.add(place, f'the {kind} "{document[kind]}" stands at {first} already; give one of them another name=')


def pipelines_of(file: str, functions: Optional[List[str]], output: Optional[str]) -> List[Tuple[str, Any]]:
    """The pipelines of a file that are asked for, each with the path that it is compiled to."""
    module = load(file)
    found = {
        name: each
        for name, each in vars(module).items()
        if is_pipeline(each) and each.pipeline_func.__module__ == module.__name__
    }
    missing = [name for name in functions or [] if name not in found]
    if not missing and not found and forgotten():
        return []
    if missing or not found:
        known = f"; it has {', '.join(sorted(found))}" if found else ""
        raise WeirError(f"{file}: no @dsl.pipeline {', '.join(missing)}".rstrip() + known)
    named = functions or [name for name, each in found.items() if specs_of(each) is not None] or list(found)
    folder = output or os.path.dirname(os.path.abspath(file))
    os.makedirs(folder, exist_ok=True)
    return [
        (os.path.join(folder, f"{found[name].pipeline_spec.pipeline_info.name}.yaml"), found[name]) for name in named
    ]


def load(file: str) -> Any:
    """The file as a module that is not `__main__`, so that what stands under that guard is left alone."""
    name = os.path.splitext(os.path.basename(file))[0]
    spec = importlib.util.spec_from_file_location(name, file)
    if spec is None or spec.loader is None or not os.path.isfile(file):
        raise WeirError(f"{file}: is no Python file that can be read")
    module = importlib.util.module_from_spec(spec)
    sys.path.insert(0, os.path.dirname(os.path.abspath(file)))
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except WeirError:
        raise
    except Exception:
        raise WeirError(f"{file}: cannot be loaded\n{traceback.format_exc(limit=-3)}") from None
    finally:
        sys.path.pop(0)
    return module


def check(program: str, written: List[str]) -> int:
    """Lets `weir check` read what was written; it knows CEL."""
    found = shutil.which(program)
    if found is None:
        print(f"no program {program} to check with", file=sys.stderr)
        return 2
    return 1 if subprocess.run([found, "check", *written], check=False).returncode else 0


if __name__ == "__main__":
    sys.exit(main())
