"""Scripted faults, auto-run, time, the log: what a test does to the server."""

import http.client
import http.server
import json
import threading
import unittest

from cases import API, Case
from scripted import server

LOST = (http.client.HTTPException, OSError)
RUNS = {"method": "POST", "path": "/runs$"}


class Faults(Case):
    def setUp(self):
        super().setUp()
        self.hello = self.pipeline()

    def fault(self, **fault):
        return self.kfp.post("faults", fault)["ids"][0]

    def lost(self, run_id):
        """A create that gets no whole answer."""
        with self.assertRaises(LOST):
            self.create(self.hello, run_id=run_id)
        self.connection.close()

    def test_replies_lost_before_and_after(self):
        for deed in ("close", "reset"):
            for when, made in (("before", 0), ("after", 1)):
                run_id = f"{deed}-{when}"
                self.fault(**RUNS, do=deed, when=when)
                self.lost(run_id)
                self.assertEqual(self.get(f"/runs/{run_id}").status, 200 if made else 404)
                self.assertEqual(self.kfp.get(f"strays?run_id={run_id}")["created"], made)
        self.fault(**RUNS, do="partial", when="after")
        self.lost("partial")
        self.assertEqual(self.get("/runs/partial").status, 200)
        self.fault(**RUNS, do="hang", when="after", seconds=0.05)
        self.lost("hang")
        self.assertEqual(self.get("/runs/hang").status, 200)

    def test_answers_before_and_after(self):
        self.fault(**RUNS, status=429, headers={"Retry-After": "2"}, body="slow down", times=2)
        for _ in range(2):
            reply = self.create(self.hello, run_id="a")
            self.assertEqual((reply.status, reply.headers["Retry-After"], reply.body), (429, "2", b"slow down"))
        self.assertEqual(self.create(self.hello, run_id="a").status, 200)
        self.fault(**RUNS, status=503, when="after")
        self.assertEqual(self.create(self.hello, run_id="b").status, 503)
        self.assertEqual(self.get("/runs/b").status, 200)

    def test_skip_times_time_and_end(self):
        fault = self.fault(path="/healthz", status=500, skip=1, times=1)
        self.assertEqual([self.get("/healthz").status for _ in range(3)], [200, 500, 200])
        self.assertEqual(self.kfp.get("faults")["used"], {fault: 1})
        self.fault(path="/healthz", for_seconds=60, times=None)
        self.assertEqual([self.get("/healthz").status for _ in range(3)], [503] * 3)
        self.kfp.post("clock", {"advance": 61})
        self.assertEqual(self.get("/healthz").status, 200)
        self.kfp.post("maintenance", {})
        reply = self.get("/runs")
        self.assertEqual((reply.status, reply.body), (503, b"no healthy upstream"))
        self.kfp.post("faults/clear", {"id": "maintenance"})
        self.assertEqual(self.get("/runs").status, 200)

    def test_run_ids(self):
        self.fault(**RUNS, do="ignore_run_id")
        self.assertNotEqual(self.create(self.hello, run_id="mine").json["run_id"], "mine")
        self.run_id(self.hello, run_id="there")
        self.fault(method="GET", path="/runs/[^/:]+$", do="not_found", times=2)
        self.assertEqual([self.get("/runs/there").status for _ in range(3)], [404, 404, 200])
        self.fault(method="GET", path="/runs/[^/:]+$", do="not_found")
        held = self.get("/runs/there").json
        self.kfp.post("runs/delete", {"run_id": "there"})
        self.assertEqual(self.get("/runs/there").json, held)

    def test_the_cluster_fails(self):
        for deed, status, created, rows in (
            ("workflow_fails", 500, 0, 404),
            ("workflow_times_out", 503, 0, 404),
            ("insert_fails", 500, 1, 404),
        ):
            self.fault(**RUNS, do=deed)
            self.assertEqual(self.create(self.hello, run_id=deed).status, status)
            self.assertEqual(
                self.kfp.get(f"strays?run_id={deed}"), {"run_id": deed, "strays": created, "created": created}
            )
            self.assertEqual(self.get(f"/runs/{deed}").status, rows)
        self.fault(**RUNS, do="workflow_times_out", effect=True)
        self.refused(self.create(self.hello, run_id="late"), 503, 14)
        self.assertEqual(self.kfp.get("strays?run_id=late")["strays"], 1)

    def test_slow_create_shows_the_workflow_first(self):
        self.fault(**RUNS, do="slow_create", seconds=0.5)
        thread = threading.Thread(target=self.quietly, args=("slow",))
        thread.start()
        while not self.kfp.get("workflows?run_id=slow")["workflows"]:
            pass
        self.assertEqual(self.get("/runs/slow").status, 404)
        thread.join()
        self.assertEqual(self.get("/runs/slow").status, 200)

    def quietly(self, run_id):
        connection = http.client.HTTPConnection("127.0.0.1", self.kfp.port, timeout=20)
        body = {"display_name": "x", "run_id": run_id, "pipeline_version_reference": {"pipeline_id": self.hello}}
        connection.request("POST", API + "/runs", json.dumps(body))
        connection.getresponse().read()
        connection.close()

    def test_a_client_that_leaves_has_a_run(self):
        self.fault(**RUNS, do="slow_create", seconds=0.05)
        connection = http.client.HTTPConnection("127.0.0.1", self.kfp.port, timeout=20)
        body = {"display_name": "x", "run_id": "left", "pipeline_version_reference": {"pipeline_id": self.hello}}
        connection.request("POST", API + "/runs", json.dumps(body))
        while not self.kfp.get("workflows?run_id=left")["workflows"]:
            pass
        connection.close()
        while self.get("/runs/left").status != 200:
            pass
        self.assertEqual(self.kfp.get("strays")["total"], 0)

    def test_wrong_scripts_are_refused(self):
        for fault in ({"do": "nope"}, {"nope": 1}, {"path": "("}, {"when": "never"}):
            with self.assertRaises(server.ControlError):
                self.kfp.post("faults", fault)
        for name, body in (("nope", {}), ("report", {"run_id": "x", "phase": "Running"}), ("autorun", {"steps": [{"phase": "Nope"}]}),
                           ("identity", {"nope": 1}), ("clock", {"set": "yesterday"})):  # fmt: skip
            with self.assertRaises(server.ControlError):
                self.kfp.post(name, body)

    def test_the_log(self):
        self.create(self.hello, "näme")
        last = self.kfp.get("log?method=POST&path=/runs&last=1")["requests"][0]
        self.assertEqual((last["method"], last["path"], last["status"]), ("POST", API + "/runs", 200))
        self.assertEqual(json.loads(last["body"])["display_name"], "näme")
        self.assertEqual(self.kfp.get(f"log?after={last['number']}")["requests"], [])
        counters = self.kfp.get("counters")
        self.assertEqual((counters["runs"], counters["workflows_created"], counters[f"POST {API}/runs"]), (1, 1, 1))


class Receiver(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        text = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.got.append((self.path, self.headers["Authorization"], json.loads(text)))
        self.send_response(202)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *words):
        pass


class AutoRun(Case):
    def until(self, run_id, state):
        while self.states(run_id)[0] != state:
            pass
        return self.states(run_id)[1]

    def test_each_goes_its_way(self):
        hello = self.pipeline()
        steps = [{"after": 0, "phase": "Running"}, {"after": 0.01, "phase": "Succeeded"}]
        failing = {"name": "^bad", "steps": [{"after": 0, "phase": "Failed"}], "retry_steps": steps}
        self.kfp.post(
            "autorun", {"steps": steps, "rules": [failing, {"name": "^long", "steps": []}], "terminate_after": 0}
        )
        self.assertEqual(self.until(self.run_id(hello, "good"), "SUCCEEDED"), ["PENDING", "RUNNING", "SUCCEEDED"])
        bad = self.run_id(hello, "bad")
        self.assertEqual(self.until(bad, "FAILED"), ["PENDING", "FAILED"])
        self.post(f"/runs/{bad}:retry")
        self.assertEqual(self.until(bad, "SUCCEEDED"), ["PENDING", "FAILED", "RUNNING", "SUCCEEDED"])
        long = self.run_id(hello, "long")
        self.post(f"/runs/{long}:terminate")
        self.assertEqual(self.until(long, "FAILED"), ["PENDING", "FAILED"])

    def test_a_task_reports(self):
        receiver = http.server.HTTPServer(("127.0.0.1", 0), Receiver)
        receiver.got = []
        threading.Thread(target=receiver.serve_forever, daemon=True).start()
        self.addCleanup(receiver.server_close)
        self.addCleanup(receiver.shutdown)
        post = {"url": f"http://127.0.0.1:{receiver.server_port}/v1/runs/{{run_id}}/report", "headers": {"Authorization": "Bearer x"},
                "body": {"outputs": {"score": 3, "text": "{param:msg}"}}}  # fmt: skip
        self.kfp.post("autorun", {"steps": [{"after": 0, "phase": "Succeeded"}], "post": post, "outputs": {"score": 3}})
        run_id = self.run_id(self.pipeline(), parameters={"msg": "[[RunUUID]]"})
        self.until(run_id, "SUCCEEDED")
        self.assertEqual(
            receiver.got, [(f"/v1/runs/{run_id}/report", "Bearer x", {"outputs": {"score": 3, "text": run_id}})]
        )


if __name__ == "__main__":
    unittest.main()
