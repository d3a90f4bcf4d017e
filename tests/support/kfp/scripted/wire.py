"""HTTP/1.1 on asyncio: keep-alive, lengths and chunks, TLS, and connections that end badly when a fault says so."""

import asyncio
import contextlib
import email.utils
import http
import socket
import struct
import time
import traceback
import urllib.parse

from . import api, control, tokens
from .core import MAX_LOG
from .errors import Crash

MAX_HEAD = 1 << 20  # a filter of 2000 run ids is 85 KB of URL
MAX_BODY = 64 << 20


class Request:
    """`path`: decoded, without base path. `query`: by name, once read."""

    def __init__(self, method, target, headers, body):
        if target.startswith("http://"):  # as a proxy is asked
            target = "/" + target[len("http://") :].partition("/")[2]
        self.method, self.target, self.headers, self.body = method, target, headers, body
        raw, _, self.query_text = target.partition("?")
        self.path = urllib.parse.unquote(raw)
        self.query = {}
        self.effect = None
        self.made = {}  # what CreateRun made of it

    def header(self, name):
        """The last of that name, None if there is none."""
        wanted = name.lower()
        return next((value for key, value in reversed(self.headers) if key.lower() == wanted), None)


class Malformed(Exception):
    """No HTTP that anybody could answer but with 400."""


async def read_head(reader):
    """(method, target, version, headers), or None at the end of the connection."""
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError as fault:
        if fault.partial.strip():
            raise Malformed("the connection ended within a request") from fault
        return None
    except asyncio.LimitOverrunError as fault:
        raise Malformed("the head is too long") from fault
    first, *lines = head.decode("latin-1").lstrip("\r\n").split("\r\n")
    words = first.split(" ")
    if len(words) != 3 or not words[2].startswith("HTTP/1."):
        raise Malformed("no request line")
    headers = []
    for line in lines:
        if line:
            name, colon, value = line.partition(":")
            if not colon:
                raise Malformed("no header")
            headers.append((name, value.strip(" \t").encode("latin-1").decode("utf-8", "replace")))
    return words[0], words[1], words[2], headers


async def read_body(reader, writer, headers):
    found = {name.lower(): value for name, value in headers}
    if found.get("expect", "").lower() == "100-continue":
        writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
    if "chunked" in found.get("transfer-encoding", "").lower():
        parts = []
        while True:
            size = int((await reader.readline()).split(b";")[0], 16)
            if size == 0:
                while (await reader.readline()).strip():
                    pass
                return b"".join(parts)
            if size + sum(map(len, parts)) > MAX_BODY:
                raise Malformed("the body is too long")
            parts.append(await reader.readexactly(size))
            await reader.readexactly(2)
    size = int(found.get("content-length") or 0)
    if not 0 <= size <= MAX_BODY:
        raise Malformed("the body is too long")
    return await reader.readexactly(size)


def written(answer, head_only=False, close=False):
    """The bytes of an answer."""
    phrase = http.HTTPStatus(answer.status).phrase if answer.status in set(http.HTTPStatus) else "Status"
    lines = [f"HTTP/1.1 {answer.status} {phrase}"]
    lines += [f"{name}: {value}".replace("\r", " ").replace("\n", " ") for name, value in answer.headers]
    lines.append(f"Date: {email.utils.formatdate(usegmt=True)}")
    if close:
        lines.append("Connection: close")
    lines.append("Transfer-Encoding: chunked" if answer.chunked else f"Content-Length: {len(answer.body)}")
    head = ("\r\n".join(lines) + "\r\n\r\n").encode("utf-8", "replace")
    body = answer.body
    if answer.chunked:
        pieces = [body[start : start + 4096] for start in range(0, len(body), 4096)]
        body = b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n"
    return head + (b"" if head_only else body)


class Ended(Exception):
    """The connection is over."""


class Wire:
    """One listening socket. `base`: a path before every path, or ""."""

    def __init__(self, core, base="", context=None):
        self.core, self.base, self.context = core, base.rstrip("/"), context
        self.server = None
        self.writers = set()
        self.in_flight = 0
        self.most_in_flight = 0

    async def start(self, host, port):
        self.server = await asyncio.start_server(
            self.connection, host, port, limit=MAX_HEAD, ssl=self.context, backlog=512
        )
        return self.server.sockets[0].getsockname()[1]

    async def stop(self):
        self.server.close()
        for writer in list(self.writers):
            writer.transport.abort()
        for task in list(self.core.autorun.running.values()):
            task.cancel()
        await asyncio.sleep(0)

    async def connection(self, reader, writer):
        self.writers.add(writer)
        self.core.count("connections")
        sock = writer.get_extra_info("socket")
        with contextlib.suppress(OSError):
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            while await self.exchange(reader, writer):
                pass
        except (Malformed, ValueError) as fault:
            with contextlib.suppress(OSError):
                writer.write(
                    written(
                        api.Answer(400, [("Content-Type", "text/plain")], f"400 Bad Request: {fault}".encode()),
                        close=True,
                    )
                )
                await writer.drain()
        except (Ended, OSError, asyncio.IncompleteReadError):
            pass
        finally:
            self.writers.discard(writer)
            with contextlib.suppress(Exception):
                writer.close()

    async def exchange(self, reader, writer):
        """One request and its answer; whether the connection goes on."""
        head = await read_head(reader)
        if head is None:
            return False
        method, target, version, headers = head
        body = await read_body(reader, writer, headers)
        request = Request(method, target, headers, body)
        wish = (request.header("connection") or "").lower()
        going_on = wish != "close" and (version != "HTTP/1.0" or wish == "keep-alive")
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        try:
            answer = await self.answer(request, writer)
        finally:
            self.in_flight -= 1
        writer.write(written(answer, method == "HEAD", not going_on))
        await writer.drain()
        return going_on

    async def answer(self, request, writer):
        if request.path.startswith(("/_control/", "/oracle/")):
            return await control.answer(self, request)
        if request.path == "/oauth2/token":
            return tokens.answer(self.core, request)
        if self.base:
            if not request.path.startswith(self.base + "/"):
                return api.Answer(404, [("Content-Type", "text/plain")], b"no such base path\n")
            request.path = request.path[len(self.base) :]
        entry = self.note(request)
        content = request.body.decode("utf-8", "replace")
        fault = self.core.faults.take(request.method, request.path, request.query_text, content)
        entry["fault"] = fault["id"] if fault else None
        try:
            answer = await self.carry_out(request, fault, writer)
        except Crash:
            self.core.count("crashes")
            entry["status"] = 0
            raise Ended from None
        except Ended:
            entry["status"] = 0
            raise
        except Exception:  # a defect of this server: never to be taken for an answer of the genuine one
            traceback.print_exc()
            self.core.count("defects")
            answer = api.Answer(599, [("Content-Type", "text/plain")], traceback.format_exc().encode())
        finally:
            entry["seconds"] = time.time() - entry["time"]
        entry["status"] = answer.status
        return answer

    def note(self, request):
        core = self.core
        entry = {
            "number": next(core.numbers), "time": time.time(), "method": request.method, "path": request.path,
            "query": request.query_text, "headers": request.headers,
            "body": request.body.decode("utf-8", "replace") if core.log_bodies else "", "status": None,
            "made": request.made,
        }  # fmt: skip
        core.log.append(entry)
        if len(core.log) > MAX_LOG:
            del core.log[: MAX_LOG // 10]
        core.count("requests")
        core.count(f"{request.method} {kind_of(request.path)}")
        return entry

    async def carry_out(self, request, fault, writer):
        """With the fault before or after the effect."""
        if fault is None:
            return await api.answer(self.core, request)
        before = fault["when"] == "before"
        request.effect = fault
        if before:
            await asyncio.sleep(fault.get("delay", 0))
            answer = await self.spoil(fault, request, writer, None)
            if answer is not None:
                return answer
        answer = await api.answer(self.core, request)
        if not before:
            await asyncio.sleep(fault.get("delay", 0))
            answer = await self.spoil(fault, request, writer, answer) or answer
        elif fault["do"] == "partial":
            await self.send_part(fault, writer, answer)
        return answer

    async def spoil(self, fault, request, writer, answer):
        """The answer instead of the true one, or None to go on; Ended if there is none at all."""
        deed = fault["do"]
        if deed == "answer":
            return api.scripted(fault)
        if deed == "not_found":
            return api.not_found_run(request.path)
        if deed == "hang":
            await asyncio.sleep(fault.get("seconds", 3600))
            raise Ended
        if deed == "close":
            raise Ended
        if deed == "reset":
            reset(writer)
            raise Ended
        if deed == "partial" and answer is not None:
            await self.send_part(fault, writer, answer)
        return None

    async def send_part(self, fault, writer, answer):
        data = written(answer)
        end = fault.get("bytes") or len(data) - max(1, len(answer.body) // 2)
        writer.write(data[:end])
        await writer.drain()
        raise Ended


def reset(writer):
    """Ends the connection by RST."""
    sock = writer.get_extra_info("socket")
    if sock is not None:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


def kind_of(path):
    """The path without ids, for counting."""
    parts = path.split("/")
    if len(parts) > 4 and parts[3] in ("runs", "recurringruns", "experiments", "pipelines"):
        if parts[4] not in ("upload", "upload_version", "create"):
            verb = parts[4].rpartition(":")[2] if ":" in parts[4] else ""
            parts[4] = "*" + (":" + verb if verb else "")
        if len(parts) > 6:
            parts[6] = "*"
    return "/".join(parts)
