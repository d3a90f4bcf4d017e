"""`publish()`: hands an event to weir from any Python; the standard library is all it needs."""

from __future__ import annotations

import inspect
import json
import os
import urllib.parse
import uuid
from typing import Any, NamedTuple, NoReturn, Optional, Union

from . import pod
from .durations import seconds_of
from .errors import PublishError, caller_place
from .specs import refuse_unknown

DEFAULT_SERVER = "http://127.0.0.1:9347"
#: Bytes of one event, as a weir with its defaults takes them.
EVENT_BYTES_MAX = 1 << 20

_NOTHING: Any = object()


class Published(NamedTuple):
    """What names an event: the same pair published again is a duplicate, and starts nothing twice."""

    source: str
    id: str


def publish(
    type: str,
    data: Any = _NOTHING,
    *,
    subject: Optional[str] = None,
    source: str = "/weir/python",
    id: Optional[str] = None,
    time: Optional[str] = None,
    server: Optional[str] = None,
    token: Optional[str] = None,
    token_file: Optional[str] = None,
    retry_for: Union[float, str] = 30.0,
    **unknown: NoReturn,
) -> Published:
    """Hands an event to weir and returns when it is durable there.

    type: the event's type, as `data.ready`.
    data: anything JSON can say; left out, the event has none.
    subject, source, id, time: attributes of the CloudEvent. Without an id one is made once, so that the tries of this
        call are one event. Give an id of your own (`load-17`) if the whole program may run twice.
    server: weir's address; else WEIR_SERVER, else http://127.0.0.1:9347.
    token, token_file: what to show; else the file WEIR_TOKEN_FILE, else WEIR_TOKEN. Files are read anew for each try.
    retry_for: seconds, or text as "2m": for how long to try while weir cannot be reached or is busy.

    Raises PublishError if weir refuses the event or the time is over, ValueError for what could never be an event.
    """
    refuse_unknown("weir.publish", unknown, _OPTIONS, caller_place(1))
    event = {"specversion": "1.0", "type": _text("type", type), "source": _text("source", source)}
    event["id"] = _text("id", id) if id is not None else str(uuid.uuid4())
    for name, given in (("subject", subject), ("time", time)):
        if given is not None:
            event[name] = _text(name, given)
    body = _body(event, data)
    address = (server or os.environ.get("WEIR_SERVER") or DEFAULT_SERVER).rstrip("/")
    if not _is_address(address):
        raise ValueError(f"{address!r} is not a server's address; expected http://HOST:PORT")

    if token is not None and not isinstance(token, str):
        raise ValueError(f"token must be text, not {token.__class__.__name__}")

    def shown() -> str:
        if token is not None:
            return token
        path = token_file or os.environ.get("WEIR_TOKEN_FILE")
        if not path:
            return os.environ.get("WEIR_TOKEN", "")
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read()

    try:
        pod.deliver(
            address + "/v1/events",
            body,
            "application/cloudevents+json; charset=utf-8",
            shown,
            seconds_of(retry_for, "retry_for"),
            lambda _: None,
        )
    except (RuntimeError, OSError) as error:
        raise PublishError(f"the event {event['source']} {event['id']} was not published: {error}") from error
    return Published(event["source"], event["id"])


_OPTIONS = tuple(name for name in inspect.signature(publish).parameters if name != "unknown")


def _text(name: str, value: object) -> str:
    if not isinstance(value, str) or not value:
        raise ValueError(f"{name} of an event must be text, and not empty; it is {value!r}")
    return value


def _is_address(text: str) -> bool:
    try:
        parts = urllib.parse.urlsplit(text)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:  # no port, or half of an IPv6 address
        return False


def _body(event: dict[str, Any], data: Any) -> bytes:
    if data is not _NOTHING:
        event = {**event, "datacontenttype": "application/json", "data": data}
    try:
        body = json.dumps(event, allow_nan=False, ensure_ascii=False).encode("utf-8")
    except (TypeError, ValueError) as error:
        raise ValueError(f"the event cannot be written as JSON: {error}") from None
    if len(body) > EVENT_BYTES_MAX:
        raise ValueError(f"the event has {len(body)} bytes; weir takes {EVENT_BYTES_MAX}")
    return body
