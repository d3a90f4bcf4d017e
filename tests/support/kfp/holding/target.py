"""The server under test: requests as they were recorded, and its cluster side if it has one."""

import http.client
import json
import ssl
import urllib.parse


class Target:
    """`url`: with base path. One connection is kept. `identity`: headers of our own requests."""

    def __init__(self, url, identity=None, ca=None):
        parts = urllib.parse.urlsplit(url)
        self.parts, self.base = parts, parts.path.rstrip("/")
        self.identity = identity or {}
        self.context = ssl.create_default_context(cafile=ca) if parts.scheme == "https" else None
        self.connection = None
        self.control = self.has_control()

    def connect(self):
        if self.parts.scheme == "https":
            return http.client.HTTPSConnection(self.parts.hostname, self.parts.port, timeout=60, context=self.context)
        return http.client.HTTPConnection(self.parts.hostname, self.parts.port, timeout=60)

    def send(self, method, target, headers=None, body=None, base=True):
        """(status, headers, text); status 0 if the connection ended without an answer."""
        data = body.encode() if isinstance(body, str) else body
        for attempt in (1, 2):
            fresh = self.connection is None
            self.connection = self.connection or self.connect()
            try:
                self.connection.request(method, (self.base if base else "") + target, data, headers or {})
                reply = self.connection.getresponse()
                text = reply.read().decode("utf-8", "replace")
                return reply.status, dict(reply.getheaders()), text
            except (http.client.HTTPException, OSError):
                self.connection.close()
                self.connection = None
                if fresh or attempt == 2:
                    return 0, {}, ""
        return 0, {}, ""

    def close(self):
        if self.connection:
            self.connection.close()
            self.connection = None

    def call(self, method, target, body=None):
        """Our own request: (status, JSON or None)."""
        headers = {"Content-Type": "application/json", **self.identity}
        status, _, text = self.send(method, target, headers, json.dumps(body) if body is not None else None)
        try:
            return status, json.loads(text)
        except ValueError:
            return status, None

    def has_control(self):
        status, _, text = self.send("GET", "/_control/clock", base=False)
        return status == 200 and text.startswith("{")

    def cluster(self, name, body):
        """A call of the control side: its JSON. RuntimeError if it refuses."""
        status, _, text = self.send(
            "POST", f"/_control/{name}", {"Content-Type": "application/json"}, json.dumps(body), base=False
        )
        if status != 200:
            raise RuntimeError(f"/_control/{name}: {status} {text[:300]}")
        return json.loads(text)
