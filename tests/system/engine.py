"""A `weir serve` of a test: started, asked over HTTP and by its own commands, ended."""

import collections
import http.client
import json
import os
import pathlib
import shutil
import signal
import subprocess
import tempfile
import time
import unittest


def until(condition, what, seconds=90):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        found = condition()
        if found:
            return found
        time.sleep(0.02)
    raise AssertionError(f"it did not come to pass in {seconds} s: {what}")


class Engine:
    """One weir serve on the file weir.yaml of `folder`."""

    def __init__(self, program, folder, *words, **environment):
        self.program = program
        self.folder = folder
        self.ready = folder / f"ready-{time.monotonic_ns()}"
        self.log = folder / f"log-{time.monotonic_ns()}"
        self.clean = {k: v for k, v in os.environ.items() if not k.startswith("WEIR_")}
        with self.log.open("w") as log:
            self.process = subprocess.Popen(
                [program, "serve", "--config", folder / "weir.yaml", "--on-ready", self.ready, *words],
                env={**self.clean, **environment}, stdout=log, stderr=log, cwd=folder,
            )  # fmt: skip

    def wait_ready(self):
        def ready():
            if self.process.poll() is not None:
                raise AssertionError(f"weir ended: {self.log.read_text()[-3000:]}")
            return self.ready.exists()

        until(ready, "weir is ready")
        self.url = self.ready.read_text().strip()
        host, port = self.url.removeprefix("http://").rsplit(":", 1)
        self.address = (host, int(port))
        return self

    def ask(self, method, path, body=None, headers=None, timeout=30):
        connection = http.client.HTTPConnection(*self.address, timeout=timeout)
        try:
            connection.request(method, path, body, headers or {})
            answer = connection.getresponse()
            return answer.status, json.loads(answer.read() or b"null")
        finally:
            connection.close()

    def fetch(self, path):
        """(status, text) of what is no JSON."""
        connection = http.client.HTTPConnection(*self.address, timeout=30)
        try:
            connection.request("GET", path)
            answer = connection.getresponse()
            return answer.status, answer.read().decode()
        finally:
            connection.close()

    def apply(self, documents):
        """`documents`: {file name: text}."""
        body = json.dumps({"files": [{"name": name, "text": text} for name, text in documents.items()]})
        status, answer = self.ask("POST", "/v1/apply", body, {"Content-Type": "application/json"})
        assert status == 200, answer

    def all(self, what):
        items, page = [], ""
        while True:
            _, answer = self.ask("GET", f"/v1/{what}?limit=1000" + (f"&page={page}" if page else ""))
            items += answer["items"]
            page = answer["next"]
            if not page:
                return items

    def command(self, *words):
        """A command of weir against this server."""
        return subprocess.run(
            [self.program, *map(str, words)], env={**self.clean, "WEIR_SERVER": self.url}, capture_output=True, text=True,
            timeout=120, check=False,
        )  # fmt: skip

    def weir(self, *words):
        """The standard output of a command that has to succeed."""
        done = self.command(*words)
        assert done.returncode == 0, f"{done.args}: {done.returncode}: {done.stdout}{done.stderr}"
        return done.stdout

    def refused(self, *words):
        """What a command said that has to be refused."""
        done = self.command(*words)
        assert done.returncode == 1, f"{done.args}: {done.returncode}: {done.stdout}{done.stderr}"
        return done.stderr

    def lines(self, *words):
        return [json.loads(line) for line in self.weir(*words, "--json").splitlines()]

    def decided(self):
        """How often each event fired, by its id."""
        fired = [d for d in self.all("decisions") if d["verdict"] == "fired"]
        return collections.Counter(event["id"] for d in fired for event in d["events"])

    def stopped(self):
        return pathlib.Path(f"/proc/{self.process.pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "T"

    def send(self, number):
        self.process.send_signal(number)

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()

    def end(self):
        self.send(signal.SIGTERM)
        assert self.process.wait(timeout=60) == 0, self.log.read_text()[-3000:]


class EngineCase(unittest.TestCase):
    """Tests with a folder and engines that end with them."""

    program = None
    engine_type = Engine

    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="weir-two-"))
        self.addCleanup(shutil.rmtree, self.folder)
        self.engines = []
        self.addCleanup(self.end_all)

    def end_all(self):
        for engine in self.engines:
            engine.kill()

    def engine(self, *words, folder=None, **environment):
        self.engines.append(self.engine_type(self.program, folder or self.folder, *words, **environment))
        return self.engines[-1]
