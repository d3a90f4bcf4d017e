"""What the tests of flows/kfp share: a stub of weir on loopback, small components, compiled pipelines."""

import contextlib
import http.server
import json
import os
import pathlib
import tempfile
import threading

import yaml
from kfp import compiler, dsl

IMAGE = "python:3.11"


@dsl.component(base_image=IMAGE, install_kfp_package=False)
def echo(text: str) -> str:
    return text


@dsl.component(base_image=IMAGE, install_kfp_package=False)
def fit(table: str, model: dsl.Output[dsl.Model]) -> float:
    model.metadata["table"] = table
    return 0.5


@dsl.component(base_image=IMAGE, install_kfp_package=False)
def count(text: str) -> int:
    return len(text)


class Stub(http.server.ThreadingHTTPServer):
    """Answers POSTs with what was scripted, then with 202; remembers what came."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.answers = []  # (status, body, headers)
        self.requests = []  # (path, headers, JSON)

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_address[1]}"


class Handler(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.requests.append((self.path, dict(self.headers), json.loads(body)))
        scripted = self.server.answers.pop(0) if self.server.answers else (202, {"recorded": True}, {})
        if scripted is None:  # the effect is there, the answer is lost
            self.close_connection = True
            return
        status, answer, headers = scripted
        text = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
        self.send_response(status)
        for name, value in {"Content-Type": "application/json", **headers}.items():
            self.send_header(name, value)
        if "Content-Length" not in headers:
            self.send_header("Content-Length", str(len(text)))
        elif int(headers["Content-Length"]) > len(text):  # the answer breaks off
            self.close_connection = True
        self.end_headers()
        self.wfile.write(text)

    def do_GET(self):
        self.server.requests.append((self.path, dict(self.headers), None))
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_):
        pass


@contextlib.contextmanager
def stub():
    server = Stub()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@contextlib.contextmanager
def environment(**variables):
    """The process's environment for a while; None takes a variable away."""
    before = {name: os.environ.get(name) for name in variables}
    set_all(variables)
    try:
        yield
    finally:
        set_all(before)


def set_all(variables):
    for name, value in variables.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value


def compiled(pipeline, name="made.yaml", **options):
    """What kfp's ordinary compiler leaves behind: (IR, [documents])."""
    with tempfile.TemporaryDirectory(prefix="weir-kfp-") as folder:
        path = pathlib.Path(folder) / name
        compiler.Compiler().compile(pipeline, str(path), **options)
        documents = path.with_suffix(".weir.yaml")
        ir = next(yaml.safe_load_all(path.read_text()))
        return ir, list(yaml.safe_load_all(documents.read_text())) if documents.exists() else None
