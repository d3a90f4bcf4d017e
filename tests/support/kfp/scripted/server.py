"""The server within a Python test: a thread with an event loop, and its state within reach.

with server.Scripted(database="mariadb") as kfp:
    kfp.url                                         # http://127.0.0.1:PORT[/base]
    kfp.post("faults", {"path": "/runs$", "do": "close", "when": "after"})
    kfp.get("strays")                               # as /_control/... answers
    kfp.do(lambda core: core.db.runs)               # anything, on the server's own thread
"""

import asyncio
import json
import ssl
import threading
import urllib.error
import urllib.request

from . import core, wire


class ControlError(Exception):
    """The control side refused."""


def tls(certificate, key, client_ca=None):
    """With `client_ca`: only clients with a certificate of it."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    if client_ca:
        context.load_verify_locations(client_ca)
        context.verify_mode = ssl.CERT_REQUIRED
    return context


class Scripted:
    """`settings`: as Core takes them, and base, context (TLS), port. Loopback only."""

    def __init__(self, port=0, base="", context=None, **settings):
        self.core = core.Core(settings.pop("database", "mariadb"), **settings)
        self.wire = wire.Wire(self.core, base, context)
        self.wanted, self.port = port, None
        self.secure, self.base = context is not None, self.wire.base
        self.loop = self.thread = None

    @property
    def root(self):
        return f"{'https' if self.secure else 'http'}://127.0.0.1:{self.port}"

    @property
    def url(self):
        return self.root + self.base

    def start(self):
        ready = threading.Event()

        def run():
            asyncio.set_event_loop(self.loop)
            self.port = self.loop.run_until_complete(self.wire.start("127.0.0.1", self.wanted))
            ready.set()
            self.loop.run_forever()

        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=run, name="scripted kfp", daemon=True)
        self.thread.start()
        ready.wait(10)
        return self

    def stop(self):
        if self.loop is None:
            return
        asyncio.run_coroutine_threadsafe(self.wire.stop(), self.loop).result(10)
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join(10)
        self.loop.close()
        self.loop = None

    __enter__ = start

    def __exit__(self, *exception):
        self.stop()

    def do(self, action):
        """`action(core)` on the server's thread; its result."""

        async def run():
            return action(self.core)

        return asyncio.run_coroutine_threadsafe(run(), self.loop).result(30)

    def post(self, name, body):
        return self.control("POST", name, json.dumps(body).encode())

    def get(self, name):
        return self.control("GET", name, None)

    def control(self, method, name, body):
        if self.secure:
            raise ControlError("with TLS, use do()")
        request = urllib.request.Request(f"{self.root}/_control/{name}", data=body, method=method)
        try:
            with urllib.request.urlopen(request, timeout=30) as reply:
                return json.load(reply)
        except urllib.error.HTTPError as fault:
            with fault:
                raise ControlError(fault.read().decode()) from fault
