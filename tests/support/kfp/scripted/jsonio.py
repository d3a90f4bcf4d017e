"""JSON in and out as the server's gateway does it: names, kinds, numbers, duplicates."""

import decimal
import json
import math
import re

from . import clock
from .errors import gateway

STATES = {
    "RUNTIME_STATE_UNSPECIFIED": 0, "PENDING": 1, "RUNNING": 2, "SUCCEEDED": 3, "SKIPPED": 4, "FAILED": 5,
    "CANCELING": 6, "CANCELED": 7, "PAUSED": 8,
}  # fmt: skip
ENUMS = {
    "state": STATES,
    "run_storage": {"STORAGE_STATE_UNSPECIFIED": 0, "AVAILABLE": 1, "ARCHIVED": 2},
    "mode": {"MODE_UNSPECIFIED": 0, "ENABLE": 1, "DISABLE": 2},
    "status": {"STATUS_UNSPECIFIED": 0, "ENABLED": 1, "DISABLED": 2, "NOT_READY": 3},
    "operation": {
        "OPERATION_UNSPECIFIED": 0, "EQUALS": 1, "NOT_EQUALS": 2, "GREATER_THAN": 3, "GREATER_THAN_EQUALS": 5,
        "LESS_THAN": 6, "LESS_THAN_EQUALS": 7, "IN": 8, "IS_SUBSTRING": 9,
    },
}  # fmt: skip

REFERENCE = {"pipeline_id": "string", "pipeline_version_id": "string"}
RUNTIME = {"parameters": "map value", "pipeline_root": "string"}
STATUS = {"code": "int32", "message": "string", "details": "list value"}
HISTORY = {"update_time": "time", "state": "enum state", "error": STATUS}
CHILD_TASK = {"task_id": "string", "pod_name": "string"}
TASK_DETAIL = {
    "run_id": "string", "task_id": "string", "display_name": "string", "create_time": "time", "start_time": "time",
    "end_time": "time", "executor_detail": "value", "state": "enum state", "execution_id": "int64", "error": STATUS,
    "inputs": "value", "outputs": "value", "parent_task_id": "string", "state_history": ("list", HISTORY),
    "pod_name": "string", "child_tasks": ("list", CHILD_TASK),
}  # fmt: skip
RUN_DETAILS = {
    "pipeline_context_id": "int64",
    "pipeline_run_context_id": "int64",
    "task_details": ("list", TASK_DETAIL),
}
RUN = {
    "experiment_id": "string", "run_id": "string", "display_name": "string", "storage_state": "enum run_storage",
    "description": "string", "pipeline_version_id": "string", "pipeline_spec": "struct",
    "pipeline_version_reference": REFERENCE, "runtime_config": RUNTIME, "service_account": "string",
    "created_at": "time", "scheduled_at": "time", "finished_at": "time", "state": "enum state", "error": STATUS,
    "run_details": RUN_DETAILS, "recurring_run_id": "string", "state_history": ("list", HISTORY),
    "plugins_input": "map struct", "plugins_output": "map value",
}  # fmt: skip
EXPERIMENT = {
    "experiment_id": "string", "display_name": "string", "description": "string", "created_at": "time",
    "namespace": "string", "storage_state": "enum run_storage", "last_run_created_at": "time",
}  # fmt: skip
PIPELINE = {
    "pipeline_id": "string", "display_name": "string", "name": "string", "description": "string", "created_at": "time",
    "namespace": "string", "error": STATUS, "tags": "map string",
}  # fmt: skip
VERSION = {
    "pipeline_id": "string", "pipeline_version_id": "string", "display_name": "string", "name": "string",
    "description": "string", "created_at": "time", "package_url": {"pipeline_url": "string"},
    "code_source_url": "string", "pipeline_spec": "struct", "error": STATUS, "tags": "map string",
}  # fmt: skip
CREATE_PIPELINE = {"pipeline": PIPELINE, "pipeline_version": VERSION}
CRON = {"start_time": "time", "end_time": "time", "cron": "string"}
PERIODIC = {"start_time": "time", "end_time": "time", "interval_second": "int64"}
RECURRING = {
    "recurring_run_id": "string", "display_name": "string", "description": "string", "pipeline_version_id": "string",
    "pipeline_spec": "struct", "pipeline_version_reference": REFERENCE, "runtime_config": RUNTIME,
    "service_account": "string", "max_concurrency": "int64",
    "trigger": {"cron_schedule": CRON, "periodic_schedule": PERIODIC}, "mode": "enum mode", "created_at": "time",
    "updated_at": "time", "status": "enum status", "error": STATUS, "no_catchup": "bool", "namespace": "string",
    "experiment_id": "string", "plugins_input": "map struct",
}  # fmt: skip
PREDICATE = {
    "operation": "enum operation", "key": "string", "int_value": "int32", "long_value": "int64",
    "string_value": "string", "timestamp_value": "time", "int_values": {"values": ("list", "int32")},
    "long_values": {"values": ("list", "int64")}, "string_values": {"values": ("list", "string")},
}  # fmt: skip
FILTER = {"predicates": ("list", PREDICATE)}

# Of each of these at most one may be given.
ONE_OF = (
    ("pipeline_version_id", "pipeline_spec", "pipeline_version_reference"),
    ("cron_schedule", "periodic_schedule"),
    ("int_value", "long_value", "string_value", "timestamp_value", "int_values", "long_values", "string_values"),
)


class Pairs(list):
    """An object as written: its names may stand twice."""


class Fault(Exception):
    """Something in the text does not fit; the words are the gateway's."""


def refuse(name):
    raise Fault(f"invalid character '{name[0]}' looking for beginning of value")


DECODER = json.JSONDecoder(
    object_pairs_hook=Pairs, parse_constant=refuse, parse_int=decimal.Decimal, parse_float=decimal.Decimal
)


def decode(text):
    """The first JSON value of the text; what comes after it is not looked at, as the gateway's decoder has it."""
    if isinstance(text, (bytes, bytearray)):
        try:
            text = bytes(text).decode()
        except UnicodeDecodeError as fault:
            raise Fault("proto: invalid UTF-8") from fault
    try:
        return DECODER.raw_decode(text.lstrip(" \t\r\n"))[0]
    except json.JSONDecodeError as fault:
        raise Fault(f"invalid JSON: {fault.msg} (char {fault.pos})") from fault
    except RecursionError as fault:
        raise Fault("exceeded max depth") from fault


def camel(name):
    return re.sub(r"_(\w)", lambda match: match[1].upper(), name)


def names_of(schema):
    """Both spellings of each field."""
    table = {}
    for name in schema:
        table[name] = table[camel(name)] = name
    return table


def read_text(value, name):
    if not isinstance(value, str):
        raise Fault(f"proto: invalid value for string field {camel(name)}: {plain(value)!r}")
    if any(0xD800 <= ord(letter) < 0xE000 for letter in value):
        raise Fault(f"proto: invalid escape code in string field {camel(name)}")
    return value


def read_whole(value, name, bits):
    number = value
    if isinstance(value, str):
        if not re.fullmatch(r"-?\d+(\.\d+)?([eE][+-]?\d+)?", value):
            raise Fault(f"proto: invalid value for int{bits} field {camel(name)}: {value!r}")
        number = decimal.Decimal(value)
    limit = 1 << (bits - 1)
    if not isinstance(number, decimal.Decimal) or number != number.to_integral_value() or not -limit <= number < limit:
        raise Fault(f"proto: invalid value for int{bits} field {camel(name)}: {plain(value)!r}")
    return int(number)


def read_enum(value, name, kinds):
    if isinstance(value, str) and value in kinds:
        return value
    if isinstance(value, decimal.Decimal) and value == value.to_integral_value():
        for word, number in kinds.items():
            if number == value:
                return word
        return int(value)
    raise Fault(f"proto: invalid value for enum field {camel(name)}: {plain(value)!r}")


def read_scalar(kind, value, name):
    if kind == "string":
        return read_text(value, name)
    if kind == "bool":
        if not isinstance(value, bool):
            raise Fault(f"proto: invalid value for bool field {camel(name)}: {plain(value)!r}")
        return value
    if kind in ("int32", "int64"):
        return read_whole(value, name, int(kind[3:]))
    if kind == "time":
        try:
            return clock.read(read_text(value, name))
        except ValueError as fault:
            raise Fault(f"proto: {fault}") from fault
    if kind.startswith("enum "):
        return read_enum(value, name, ENUMS[kind[5:]])
    if kind == "value":
        return free(value)
    if kind == "struct":
        if not isinstance(value, Pairs):
            raise Fault(f"proto: unexpected token {plain(value)!r}")
        return free(value)
    assert kind.startswith("map "), kind
    return read_map(kind[4:], value, name)


def read_map(kind, value, name):
    if not isinstance(value, Pairs):
        raise Fault(f"proto: unexpected token {plain(value)!r}")
    found = {}
    for key, item in value:
        if key in found:
            raise Fault(f'proto: duplicate map key "{key}"')
        if item is None and kind != "value":
            raise Fault(f"proto: unexpected token null in {name}")
        found[read_text(key, name)] = read_scalar(kind, item, name)
    return found


def read_message(schema, value):
    """A dictionary with the proto's own names; what is null or absent is missing. Fault if anything is strange."""
    if not isinstance(value, Pairs):
        raise Fault(f"proto: syntax error: unexpected token {json.dumps(plain(value))}")
    names = names_of(schema)
    found = {}
    seen = set()
    for key, item in value:
        name = names.get(key)
        if name is None:
            raise Fault(f'proto: unknown field "{key}"')
        if name in seen:
            raise Fault(f'proto: duplicate field "{key}"')
        seen.add(name)
        kind = schema[name]
        if item is None:
            continue
        for group in ONE_OF:
            if name in group and any(other in found for other in group):
                raise Fault(f'proto: error parsing "{key}", oneof is already set')
        found[name] = read_field(kind, item, name)
    return found


def read_field(kind, item, name):
    if isinstance(kind, dict):
        return read_message(kind, item)
    if isinstance(kind, tuple):
        if not isinstance(item, list) or isinstance(item, Pairs):
            raise Fault(f"proto: unexpected token {json.dumps(plain(item))}")
        if any(part is None for part in item):
            raise Fault(f"proto: unexpected token null in {name}")
        return [
            read_message(kind[1], part) if isinstance(kind[1], dict) else read_scalar(kind[1], part, name)
            for part in item
        ]
    return read_scalar(kind, item, name)


def read_body(schema, body):
    """The message in a request body; nothing at all is an empty message."""
    if not body.strip():
        return {}
    try:
        return read_message(schema, decode(body))
    except Fault as fault:
        raise gateway(str(fault)) from fault


def free(value):
    """google.protobuf.Value: numbers are doubles, whatever was written."""
    if isinstance(value, Pairs):
        found = {}
        for key, item in value:
            if key in found:
                raise Fault(f'proto: duplicate map key "{key}"')
            found[read_text(key, "key")] = free(item)
        return found
    if isinstance(value, list):
        return [free(item) for item in value]
    if isinstance(value, decimal.Decimal):
        number = float(value)
        if math.isinf(number):
            raise Fault("proto: google.protobuf.Value: number out of range")
        return number
    return read_text(value, "value") if isinstance(value, str) else value


def plain(value):
    """What the decoder gave as ordinary Python, for messages and for the control side."""
    if isinstance(value, Pairs):
        return {key: plain(item) for key, item in value}
    if isinstance(value, list):
        return [plain(item) for item in value]
    if isinstance(value, decimal.Decimal):
        return int(value) if value == value.to_integral_value() and abs(value) < 1 << 63 else float(value)
    return value


def shown(value):
    """Ready for json.dumps, doubles as the server writes them: 7.0 as 7, 12345678901234567890 as 12345678901234567000."""
    if isinstance(value, float):
        minus_zero = value == 0 and math.copysign(1, value) < 0
        whole = value.is_integer() and abs(value) < 1e21 and not minus_zero
        return int(decimal.Decimal(repr(value))) if whole else value
    if isinstance(value, dict):
        return {key: shown(item) for key, item in value.items()}
    if isinstance(value, list):
        return [shown(item) for item in value]
    return value


def dump(answer):
    return json.dumps(answer, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "surrogatepass")
