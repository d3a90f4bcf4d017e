"""The inputs of a compiled pipeline, and whether a constant is one of them: weir's rules, stricter than kfp's."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from typing import Any, Dict, List, Mapping, Optional

_TYPES = {
    "NUMBER_INTEGER": "integer",
    "NUMBER_DOUBLE": "double",
    "STRING": "string",
    "BOOLEAN": "boolean",
    "LIST": "list",
    "STRUCT": "struct",
}
#: Filled in by the backend, never by who launches.
_INJECTED = ("TASK_FINAL_STATUS", "TASK_CONFIG")
_SAFE_INTEGER = 2**53 - 1


@dataclass(frozen=True)
class Input:
    """A parameter of a pipeline as weir declares it."""

    name: str
    type: str
    optional: bool
    default: Any
    description: str
    literals: List[Any]

    def document(self) -> Dict[str, Any]:
        """As it stands in a flow document."""
        out: Dict[str, Any] = {"type": self.type}
        if self.default is not None:
            out["default"] = self.default
        elif self.optional:
            out["optional"] = True
        if self.description:
            out["description"] = self.description
        if self.literals:
            out["literals"] = self.literals
        return out


def inputs_of(ir: Mapping[str, Any]) -> List[Input]:
    """The declared parameters of pipeline IR (schema 2.1.0), sorted by name. Raises ValueError for what weir cannot give."""
    definitions = ir.get("root", {}).get("inputDefinitions", {})
    artifacts = [name for name, spec in definitions.get("artifacts", {}).items() if not spec.get("isOptional")]
    if artifacts:
        raise ValueError(
            f"the pipeline takes artifacts as inputs ({', '.join(sorted(artifacts))}), which nobody can give to a run; "
            "take the URI as text and import it with dsl.importer"
        )
    inputs = []
    for name, spec in sorted(definitions.get("parameters", {}).items()):
        kind = spec.get("parameterType", "STRING")
        if kind in _INJECTED:
            continue
        if kind not in _TYPES:
            raise ValueError(f"the input {name} is of type {kind}, which weir does not know")
        integer = kind == "NUMBER_INTEGER"
        default = _whole(spec.get("defaultValue"), integer)
        optional = bool(spec.get("isOptional")) or "defaultValue" in spec
        literals = [_whole(each, integer) for each in spec.get("literals", [])]
        inputs.append(Input(name, _TYPES[kind], optional, default, str(spec.get("description", "")), literals))
    return inputs


def _whole(value: Any, integer: bool) -> Any:
    """Protobuf keeps every number as a double."""
    return int(value) if integer and isinstance(value, float) and value.is_integer() else value


def mismatch(declared: Input, constant: Any) -> Optional[str]:
    """Why the constant is not of the declared type, or None."""
    number = isinstance(constant, (int, float)) and not isinstance(constant, bool)
    fits = {
        "integer": ("a whole number", isinstance(constant, int) and number),
        "double": ("a number", number),
        "string": ("a string", isinstance(constant, str)),
        "boolean": ("true or false", isinstance(constant, bool)),
        "list": ("a list", isinstance(constant, (list, tuple))),
        "struct": ("an object", isinstance(constant, Mapping)),
    }
    want, good = fits[declared.type]
    if not good:
        hint = "; text is an expression, constant text is weir.value(...)" if want == "a string" else ""
        return f"must be {want}, not {describe(constant)}{hint}"
    if declared.type == "integer" and abs(constant) > _SAFE_INTEGER:
        return f"must be a whole number between -(2^53 - 1) and 2^53 - 1, not {constant}"
    if declared.literals and constant not in declared.literals:
        return f"must be one of {', '.join(json.dumps(each) for each in declared.literals)}, not {describe(constant)}"
    return None


def describe(constant: Any) -> str:
    """A constant for a message."""
    if constant is None:
        return "null"
    if isinstance(constant, bool):
        return "true" if constant else "false"
    if isinstance(constant, (int, float)):
        return f"the number {constant}"
    if isinstance(constant, str):
        return f"the string {json.dumps(constant[:60], ensure_ascii=False)}"
    if isinstance(constant, (list, tuple)):
        return "a list"
    if isinstance(constant, Mapping):
        return "an object"
    return f"a {type(constant).__name__}"


def refuse_rounded(constant: Any) -> None:
    """Raises ValueError for a whole number that pipeline IR would round, in which all numbers are doubles."""
    if isinstance(constant, (list, dict)):
        for each in constant.values() if isinstance(constant, dict) else constant:
            refuse_rounded(each)
    elif isinstance(constant, int) and abs(constant) > _SAFE_INTEGER:
        raise ValueError(f"holds {constant}, which a pipeline would round; whole numbers go from -(2^53 - 1) to 2^53 - 1")


def plain(constant: Any, depth: int = 0) -> Any:
    """The constant as JSON has it. Raises ValueError for what JSON cannot say."""
    if depth > 64:
        raise ValueError("is nested deeper than 64")
    if constant is None or isinstance(constant, bool):
        return constant
    if isinstance(constant, int):
        if not -(2**63) <= constant < 2**63:
            raise ValueError(f"holds {constant}, a whole number outside of 64 bits; write it as text")
        return constant
    if isinstance(constant, float):
        if not math.isfinite(constant):
            raise ValueError(f"is {constant}, which is no JSON number")
        return constant
    if isinstance(constant, str):
        try:
            constant.encode("utf-8")
        except UnicodeEncodeError:
            raise ValueError("holds half a surrogate pair, which is no text") from None
        return constant
    if isinstance(constant, (list, tuple)):
        return [plain(each, depth + 1) for each in constant]
    if isinstance(constant, Mapping):
        if not all(isinstance(name, str) for name in constant):
            raise ValueError("is a map with names that are not text")
        plain(list(constant), depth)
        return {name: plain(each, depth + 1) for name, each in constant.items()}
    raise ValueError(f"is a {type(constant).__name__}, which JSON does not know")
