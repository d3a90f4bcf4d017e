"""What the Kubeflow loop runs on: the scripted server as a process, `weir serve` on it, flows whose runs go ten ways."""

import http.client
import json
import os
import pathlib
import subprocess
import sys
import threading
import time
import urllib.parse

from kill_loop import Weir

SERVE = pathlib.Path(__file__).resolve().parent.parent / "support" / "kfp" / "serve.py"
API = "/apis/v2beta1"
BACKEND = "lab"

# Waits, in seconds. After the first two and the third together a lost request can have no effect any more.
LAUNCH_TIMEOUT = 1.5
SERVER_TIMEOUT = 2.0
ORPHAN_GRACE = 2.0
ABSENCE = SERVER_TIMEOUT + ORPHAN_GRACE
WHOLE_WAIT = LAUNCH_TIMEOUT + ABSENCE
REPORT_GRACE = 1.5
OUTPUTS_GRACE = 4.0
LOST_AFTER = 1.5

RUNNING = {"after": 0.1, "phase": "Running"}
GOOD = [RUNNING, {"after": 0.3, "phase": "Succeeded"}]
LONG = [RUNNING, {"after": 8, "phase": "Succeeded"}]
# How the Workflows of each flow's runs go, by the flow's name.
WAYS = {
    "plain": {"steps": GOOD},
    "next": {"steps": GOOD},
    "told": {"steps": [RUNNING, {"after": 0.6, "phase": "Succeeded"}]},
    "fails": {"steps": [RUNNING, {"after": 0.2, "phase": "Failed"}]},
    "skips": {"steps": [RUNNING, {"after": 0.2, "phase": "Skipped"}]},
    "dateless": {"steps": [RUNNING, {"after": 0.3, "phase": "Succeeded", "without": ["finishedAt"]}]},
    "flaps": {"steps": [*GOOD, {"after": 0.8, "phase": "Running"}, {"after": 0.5, "phase": "Succeeded"}]},
    "late": {"steps": [*GOOD, {"after": 0.6, "phase": "Running"}]},
    "again": {"steps": [RUNNING, {"after": 0.2, "phase": "Failed"}], "retry_steps": GOOD},
    "deleted": {"steps": LONG},
    "ended": {"steps": LONG, "terminate_after": 0.2},
}
FIRED_BY_EVENTS = [name for name in WAYS if name != "next"]
OUTCOMES = ["succeeded", "failed", "cancelled", "skipped", "refused", "lost"]


def documents():
    """Flows and triggers, as one YAML text (JSON is YAML)."""
    text = {"type": "string"}
    some = []
    for name in WAYS:
        some.append({
            "flow": name, "team": "t", "backend": BACKEND, "pipeline": name, "parameters": {"event": text},
            "display_name": "{flow} {time}", **({"reports": True} if name == "told" else {}),
        })  # fmt: skip
    numbered = {"run": text, "attempt": {"type": "integer"}, "outcome": text}
    some.append({"flow": "note", "team": "t", "backend": "null", "parameters": numbered})
    some.append({"flow": "hand", "team": "t", "backend": "null", "parameters": {"run": text, "score": text}})

    def trigger(name, when, flow, parameters):
        launch = {"flow": flow, "parameters": parameters}
        limits = {"firings_per_minute": 1000000}
        some.append({"trigger": name, "team": "t", "when": when, "launch": launch, "limits": limits})

    for name in FIRED_BY_EVENTS:
        trigger(name, {"event": f"loop.{name}"}, name, {"event": "event.id"})
    for name in WAYS:
        each = {"run": "run.id", "attempt": "run.attempt", "outcome": "run.outcome"}
        trigger(f"end-{name}", {"finish": name, "outcome": OUTCOMES}, "note", each)
    trigger("chained", {"finish": "plain"}, "next", {"event": "run.id"})
    trigger("handed", {"finish": "told"}, "hand", {"run": "run.id", "score": "run.outputs.score"})
    return "\n---\n".join(map(json.dumps, some))


def pipeline(name):
    inputs = {"parameters": {"event": {"parameterType": "STRING"}}}
    return json.dumps({
        "pipelineInfo": {"name": name}, "schemaVersion": "2.1.0", "sdkVersion": "kfp-2.17.0", "components": {},
        "deploymentSpec": {}, "root": {"dag": {"tasks": {}}, "inputDefinitions": inputs},
    })  # fmt: skip


class Server:
    """The scripted server: it outlives every weir."""

    def __init__(self, folder):
        rules = [{"name": f"^{name} ", **way} for name, way in WAYS.items()]
        words = [sys.executable, SERVE, "--orphan-grace", str(ORPHAN_GRACE), "--autorun", json.dumps({"rules": rules})]
        self.log = folder / "server.log"
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(
                [str(word) for word in words], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True
            )
        said = json.loads(self.process.stdout.readline() or '{"ok": false}')
        if not said["ok"]:
            raise RuntimeError(f"the scripted server does not start: {said} {self.log.read_text()[-2000:]}")
        self.port, self.url = said["port"], said["url"]
        self.kept = threading.local()
        self.pipelines = {name: self.upload(name) for name in WAYS}

    def send(self, method, target, body=None, headers=None):
        """(status, answer); one connection for each thread."""
        for again in (True, False):
            connection = getattr(self.kept, "connection", None)
            if connection is None:
                connection = self.kept.connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
            try:
                connection.request(method, target, body, headers or {})
                answer = connection.getresponse()
                return answer.status, answer.read()
            except (OSError, http.client.HTTPException):
                connection.close()
                self.kept.connection = None
                # A second request might do again what the first one did.
                if not again or not target.startswith("/_control/"):
                    raise
        raise AssertionError("not reached")

    def control(self, name, body=None):
        """Asks, or tells with a body."""
        method = "GET" if body is None else "POST"
        status, answer = self.send(method, f"/_control/{name}", None if body is None else json.dumps(body))
        if status != 200:
            raise RuntimeError(f"{method} {name}: {status} {answer!r}")
        return json.loads(answer)

    def call(self, method, path, body=None):
        """(status, answer); status 0 where there is no answer."""
        try:
            status, answer = self.send(method, API + path, None if body is None else json.dumps(body))
        except (OSError, http.client.HTTPException):
            return 0, None
        return status, json.loads(answer or b"null") if answer[:1] in (b"{", b"[") else None

    def upload(self, name):
        head = '--cut\r\nContent-Disposition: form-data; name="uploadfile"; filename="p.yaml"\r\n\r\n'
        kind = {"Content-Type": "multipart/form-data; boundary=cut"}
        target = f"{API}/pipelines/upload?name={name}"
        status, answer = self.send("POST", target, f"{head}{pipeline(name)}\r\n--cut--\r\n", kind)
        if status != 200:
            raise RuntimeError(f"upload of {name}: {status} {answer!r}")
        return json.loads(answer)["pipeline_id"]

    def runs(self):
        """Every row, by id."""
        rows, token = {}, ""
        while True:
            query = {"page_size": 200, **({"page_token": token} if token else {})}
            status, answer = self.call("GET", "/runs?" + urllib.parse.urlencode(query))
            if status != 200:
                raise RuntimeError(f"the list of runs: {status} {answer}")
            rows |= {row["run_id"]: row for row in answer.get("runs", [])}
            token = answer.get("next_page_token", "")
            if not token:
                return rows

    def end(self):
        self.process.stdin.close()
        self.process.stdout.close()
        self.process.terminate()
        self.process.wait(30)


def seconds(number):
    return f"{round(number * 1000)}ms"


def configuration(data, port, url):
    timeouts = {
        "connect": "2s", "request": "2s", "create": seconds(LAUNCH_TIMEOUT), "server": seconds(SERVER_TIMEOUT),
        "orphan_grace": seconds(ORPHAN_GRACE), "resolve_cache": "1s", "retry_min": "50ms", "retry_max": "1s",
    }  # fmt: skip
    watch = {
        "interval": "200ms", "requests_per_second": 20, "places_interval": "500ms", "overlap": "60s",
        "lost_after": seconds(LOST_AFTER), "places": [{"team": "t"}],
    }  # fmt: skip
    limits = {
        "launch_timeout": seconds(LAUNCH_TIMEOUT), "report_grace": seconds(REPORT_GRACE),
        "outputs_grace": seconds(OUTPUTS_GRACE), "places_per_trigger": 200, "failures_per_hour": 1000000,
    }  # fmt: skip
    return {
        "weir": 1, "data": str(data), "log_level": "error", "listen": {"port": port}, "limits": limits,
        "backends": {"null": {}, BACKEND: {"kind": "kubeflow", "url": url, "timeouts": timeouts, "watch": watch}},
        "teams": {"t": {"backends": ["null", {"name": BACKEND, "experiment": "loop"}]}},
    }  # fmt: skip


class Served(Weir):
    """`weir serve` on one configuration, started and ended many times."""

    def __init__(self, program, folder, url):
        super().__init__(program, folder)
        self.file = folder / "weir.yaml"
        self.file.write_text(json.dumps(configuration(self.data, self.port, url)))
        (folder / "documents.yaml").write_text(documents())

    def start(self, crash_at=None):
        self.ready.unlink(missing_ok=True)
        environment = {name: value for name, value in os.environ.items() if not name.startswith("WEIR_")}
        if crash_at:
            environment["WEIR_CRASH_AT"] = crash_at
        with open(self.folder / "weir.log", "ab") as log:
            self.process = subprocess.Popen(
                [self.program, "serve", "--config", self.file, "--on-ready", self.ready],
                stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=log, env=environment,
            )  # fmt: skip

    def post(self, path, body, kind="application/json"):
        """The status, 0 where there was no answer."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
        try:
            connection.request("POST", path, json.dumps(body), {"Content-Type": kind})
            answer = connection.getresponse()
            said = answer.read()
        except (OSError, http.client.HTTPException):
            return 0, None
        finally:
            connection.close()
        return answer.status, json.loads(said) if said[:1] == b"{" else said

    def why(self, run):
        done = subprocess.run(
            [self.program, "why", run, "--server", self.url], capture_output=True, text=True, timeout=120, check=False
        )
        return done.returncode, done.stdout + done.stderr


def until(condition, limit):
    end = time.monotonic() + limit
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.1)
    return False
