"""What the tests here share: a fresh server for each case, requests over HTTP, and a small pipeline."""

import http.client
import json
import pathlib
import sys
import unittest
import urllib.parse

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from scripted import server  # noqa: E402

API = "/apis/v2beta1"
NEVER = "1970-01-01T00:00:00Z"
PLATFORM = (
    "---\nplatforms: {kubernetes: {deploymentSpec: {executors: {exec-hello: {nodeSelector: {labels: {disk: ssd}}}}}}}\n"
)


def spec(parameters="msg: {parameterType: STRING, defaultValue: hi, isOptional: true}", name="hello-pipe"):
    return (
        f"pipelineInfo: {{name: {name}}}\nschemaVersion: 2.1.0\nsdkVersion: kfp-2.17.0\ncomponents: {{}}\ndeploymentSpec: {{}}\n"
        f"root: {{dag: {{tasks: {{}}}}, inputDefinitions: {{parameters: {{{parameters}}}}}}}\n"
    )


def form(text, file_name="p.yaml", field="uploadfile"):
    """(body, headers) of an upload."""
    data = text if isinstance(text, bytes) else text.encode()
    head = f'--cut\r\nContent-Disposition: form-data; name="{field}"; filename="{file_name}"\r\n\r\n'.encode()
    return head + data + b"\r\n--cut--\r\n", {"Content-Type": "multipart/form-data; boundary=cut"}


class Reply:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    @property
    def json(self):
        return json.loads(self.body)

    @property
    def code(self):
        return self.json.get("code")

    @property
    def detail(self):
        """The user's message; None where the gateway answered."""
        return self.json["details"][0]["message"] if "details" in self.json else None


class Case(unittest.TestCase):
    settings = {}

    def setUp(self):
        self.kfp = server.Scripted(**self.settings).start()
        self.addCleanup(self.kfp.stop)
        self.connection = http.client.HTTPConnection("127.0.0.1", self.kfp.port, timeout=20)
        self.addCleanup(self.connection.close)

    def send(self, method, target, body=None, headers=None):
        data = json.dumps(body) if isinstance(body, (dict, list)) else body
        if isinstance(data, str):
            data = data.encode("utf-8", "surrogatepass")
        self.connection.request(method, target, data, headers or {})
        reply = self.connection.getresponse()
        return Reply(reply.status, dict(reply.getheaders()), reply.read())

    def get(self, path, headers=None, **query):
        text = urllib.parse.urlencode(query, quote_via=urllib.parse.quote)
        return self.send("GET", API + path + ("?" + text if text else ""), headers=headers)

    def post(self, path, body=None, headers=None):
        return self.send("POST", API + path, body, headers)

    def upload(self, text=None, name="hello", headers=None, path="/pipelines/upload", **query):
        body, kind = form(text if text is not None else spec(), query.pop("file_name", "p.yaml"))
        target = API + path + "?" + urllib.parse.urlencode({"name": name, **query} if name is not None else query)
        return self.send("POST", target, body, {**kind, **(headers or {})})

    def pipeline(self, text=None, name="hello"):
        """The id of a pipeline with one version."""
        reply = self.upload(text, name)
        self.assertEqual(reply.status, 200, reply.body)
        return reply.json["pipeline_id"]

    def create(self, pipeline_id, name="r", parameters=None, **more):
        body = {"display_name": name, "pipeline_version_reference": {"pipeline_id": pipeline_id}, **more}
        if parameters is not None:
            body["runtime_config"] = {"parameters": parameters}
        return self.post("/runs", body)

    def run_id(self, *arguments, **more):
        reply = self.create(*arguments, **more)
        self.assertEqual(reply.status, 200, reply.body)
        return reply.json["run_id"]

    def report(self, run_id, phase, **more):
        return self.kfp.post("report", {"run_id": run_id, "phase": phase, **more})

    def states(self, run_id):
        """(state, history, finished_at)"""
        run = self.get(f"/runs/{run_id}").json
        return run.get("state"), [entry.get("state") for entry in run["state_history"]], run["finished_at"]

    def strays(self):
        return self.kfp.get("strays")["total"]

    def refused(self, reply, status, code=None):
        self.assertEqual(reply.status, status, reply.body)
        if code is not None:
            self.assertEqual(reply.code, code)
        return reply
