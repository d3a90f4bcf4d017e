"""The kfp SDK drives `weir dev`: uploads, versions, experiments, runs, lists, schedules, errors.

`facade_test.py WEIR [--oldest]`. WEIR_KFP_PYTHON names the Python that has the SDK, WEIR_KFP_OLDEST_PYTHON the one with the
oldest that is supported; tests/run.sh sets both. Without the SDK the test fails."""

import http.client
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time
import unittest
import urllib.error
import urllib.request

NAMED_BY = "WEIR_KFP_OLDEST_PYTHON" if "--oldest" in sys.argv else "WEIR_KFP_PYTHON"
if not os.environ.get("WEIR_KFP_FOUND"):
    # Always the one that is named: a kfp of the machine's own may be another version, or half a one.
    named = os.environ.get(NAMED_BY) or sys.exit(f"{NAMED_BY} must name a Python that has the kfp SDK")
    os.environ["WEIR_KFP_FOUND"] = "1"
    os.execv(named, [named, *sys.argv])

WEIR = pathlib.Path(sys.argv[1]).resolve()
FOLDER = pathlib.Path(tempfile.mkdtemp(prefix="weir-facade-"))
os.environ["HOME"] = str(FOLDER)  # the SDK keeps a context file there

import kfp  # noqa: E402
import kfp_server_api  # noqa: E402
from kfp import compiler, dsl  # noqa: E402


@dsl.container_component
def shell(line: str):
    return dsl.ContainerSpec(image="alpine", command=["sh", "-c"], args=[line])


@dsl.pipeline(name="hello")
def hello(msg: str = "hi", n: int = 7):
    shell(line=f"echo {msg} {n}")


@dsl.pipeline(name="sleeper")
def sleeper():
    shell(line="sleep 600")


def gated(path):
    @dsl.pipeline(name="gated")
    def pipeline():
        shell(line=f"test -e {path}")

    return pipeline


def package(pipeline, name):
    path = str(FOLDER / name)
    compiler.Compiler().compile(pipeline, path)
    return path


def until(condition, what, seconds=60):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        found = condition()
        if found:
            return found
        time.sleep(0.05)
    raise AssertionError(f"it did not come to pass in {seconds} s: {what}")


def predicate(key, value, operation="EQUALS"):
    return json.dumps({"predicates": [{"operation": operation, "key": key, "stringValue": value}]})


class Facade(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        ready = FOLDER / "ready"
        clean = {k: v for k, v in os.environ.items() if not k.startswith("WEIR_")}
        cls.log = (FOLDER / "log").open("w")
        words = [WEIR, "dev", "--data", FOLDER / "data", "--port", "0", "--on-ready", ready]
        cls.process = subprocess.Popen(words, env=clean, stdout=cls.log, stderr=cls.log, cwd=FOLDER)
        until(lambda: ready.exists() or cls.process.poll() is not None, "weir is ready")
        if cls.process.poll() is not None:
            raise AssertionError((FOLDER / "log").read_text())
        cls.url = ready.read_text().strip()
        cls.client = kfp.Client(host=cls.url)

    @classmethod
    def tearDownClass(cls):
        cls.process.terminate()
        cls.process.wait(30)
        cls.log.close()

    def ask(self, method, path, body=None, headers=None):
        data = None if body is None else json.dumps(body).encode()
        headers = {"Content-Type": "application/json", **(headers or {})}
        request = urllib.request.Request(self.url + path, data, headers, method=method)
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return answer.status, json.loads(answer.read())
        except urllib.error.HTTPError as refused:
            return refused.code, json.loads(refused.read() or b"null")

    def kfp(self, method, path, body=None):
        return self.ask(method, "/apis/v2beta1/" + path, body)

    def ended(self, run_id, state):
        run = until(lambda: (r := self.client.get_run(run_id)).state == state and r, f"{run_id} is {state}")
        self.assertEqual(run.state_history[-1].state, state)
        return run

    def test_pipelines_and_versions(self):
        made = self.client.upload_pipeline(package(hello, "a.yaml"), pipeline_name="versions", description="first")
        self.assertEqual(self.client.get_pipeline_id("versions"), made.pipeline_id)
        with self.assertRaises(kfp_server_api.ApiException) as refused:
            self.client.upload_pipeline(package(hello, "a.yaml"), pipeline_name="versions")
        self.assertEqual(refused.exception.status, 409)
        second = self.client.upload_pipeline_version(package(hello, "a.yaml"), "v2", pipeline_id=made.pipeline_id)
        self.assertGreater(second.created_at, made.created_at)
        listed = self.client.list_pipeline_versions(made.pipeline_id, sort_by="created_at desc").pipeline_versions
        self.assertEqual([v.display_name for v in listed], ["v2", "versions"])
        spec = self.client.get_pipeline_version(made.pipeline_id, second.pipeline_version_id).pipeline_spec
        self.assertEqual(spec["pipelineInfo"]["name"], "hello")
        self.assertEqual(spec["root"]["inputDefinitions"]["parameters"]["n"]["defaultValue"], 7)
        self.assertEqual(self.client.get_pipeline(made.pipeline_id).description, "first")
        with self.assertRaises(kfp_server_api.ApiException) as refused:
            self.client.delete_pipeline(made.pipeline_id)
        self.assertEqual(refused.exception.status, 400)
        for version in listed:
            self.client.delete_pipeline_version(made.pipeline_id, version.pipeline_version_id)
        self.client.delete_pipeline(made.pipeline_id)
        self.assertIsNone(self.client.get_pipeline_id("versions"))

    def test_a_malformed_upload_is_refused_at_once(self):
        broken = FOLDER / "broken.yaml"
        broken.write_text("not: [a pipeline")
        with self.assertRaises(kfp_server_api.ApiException) as refused:
            self.client.upload_pipeline(str(broken), pipeline_name="broken")
        self.assertEqual(refused.exception.status, 400)
        self.assertIn("pipeline.yaml:", json.loads(refused.exception.body)["error_message"])
        self.assertIsNone(self.client.get_pipeline_id("broken"))

    def test_experiments(self):
        made = self.client.create_experiment("mine", description="d")
        again = self.client.create_experiment("mine")
        self.assertEqual(made.experiment_id, again.experiment_id)
        self.assertEqual(self.client.get_experiment(experiment_name="mine").description, "d")
        self.assertIn("Default", [e.display_name for e in self.client.list_experiments(page_size=50).experiments])
        self.client.archive_experiment(made.experiment_id)
        self.assertEqual(self.client.get_experiment(made.experiment_id).storage_state, "ARCHIVED")
        self.client.unarchive_experiment(made.experiment_id)
        self.client.delete_experiment(made.experiment_id)
        with self.assertRaises(ValueError):
            self.client.get_experiment(experiment_name="mine")

    def test_a_run_of_a_package(self):
        result = self.client.create_run_from_pipeline_package(
            package(hello, "b.yaml"), arguments={"msg": "moin"}, run_name="from a package", experiment_name="packages"
        )
        run = self.client.wait_for_run_completion(result.run_id, timeout=60, sleep_duration=1)
        self.assertEqual(run.state, "SUCCEEDED")
        self.assertEqual([h.state for h in run.state_history], ["PENDING", "RUNNING", "SUCCEEDED"])
        self.assertEqual(run.runtime_config.parameters, {"msg": "moin"})
        self.assertEqual(run.pipeline_spec["pipelineInfo"]["name"], "hello")
        self.assertEqual([t.display_name for t in run.run_details.task_details], ["shell"])
        self.assertEqual(run.run_details.task_details[0].state, "SUCCEEDED")
        # It is an ordinary run: the ledger has it, and why.
        status, line = self.ask("GET", f"/v1/runs/{result.run_id}")
        self.assertEqual((status, line["outcome"], line["flow"]), (200, "succeeded", "hello"))
        status, _ = self.ask("GET", f"/v1/why?run={result.run_id}")
        self.assertEqual(status, 200)

    def test_runs_of_a_pipeline(self):
        pipeline = self.client.upload_pipeline(package(hello, "c.yaml"), pipeline_name="runs")
        experiment = self.client.create_experiment("runs")
        own = "0199c5a0-0000-4000-8000-0000000000aa"
        version = self.client.list_pipeline_versions(pipeline.pipeline_id).pipeline_versions[0].pipeline_version_id
        ids = {"pipeline_id": pipeline.pipeline_id, "version_id": version}
        made = self.client.run_pipeline(experiment.experiment_id, "named", params={"n": 3}, **ids)
        self.assertEqual(made.pipeline_version_reference.pipeline_version_id, version)
        self.ended(made.run_id, "SUCCEEDED")
        body = {"display_name": "own id", "run_id": own, "experiment_id": experiment.experiment_id,
                "pipeline_version_reference": {"pipeline_id": pipeline.pipeline_id}}  # fmt: skip
        self.assertEqual(self.kfp("POST", "runs", body)[1]["run_id"], own)
        status, refused = self.kfp("POST", "runs", body)
        self.assertEqual((status, refused["code"]), (500, 13))
        for number in range(5):
            self.client.run_pipeline(experiment.experiment_id, f"page {number}", **ids)
        names, token = [], ""
        while True:
            page = self.client.list_runs(
                page_token=token, page_size=2, sort_by="display_name", experiment_id=experiment.experiment_id
            )
            names += [run.display_name for run in page.runs]
            self.assertEqual(page.total_size, 7)
            token = page.next_page_token
            if not token:
                break
        self.assertEqual(names, sorted(["named", "own id"] + [f"page {n}" for n in range(5)]))
        found = self.client.list_runs(filter=predicate("display_name", "page 3")).runs
        self.assertEqual([run.display_name for run in found], ["page 3"])
        self.client.archive_run(own)
        found = self.client.list_runs(filter=predicate("storage_state", "ARCHIVED")).runs
        self.assertEqual([run.run_id for run in found], [own])
        self.client.unarchive_run(own)
        self.assertEqual(self.client.get_run(own).storage_state, "AVAILABLE")
        self.client.delete_run(own)
        with self.assertRaises(kfp_server_api.ApiException) as gone:
            self.client.get_run(own)
        self.assertEqual(gone.exception.status, 404)

    def test_terminate(self):
        result = self.client.create_run_from_pipeline_package(package(sleeper, "d.yaml"), arguments={})
        until(lambda: self.client.get_run(result.run_id).state == "RUNNING", "it runs")
        self.client.terminate_run(result.run_id)
        self.ended(result.run_id, "FAILED")
        with self.assertRaises(kfp_server_api.ApiException) as again:
            self.client.terminate_run(result.run_id)
        self.assertEqual(again.exception.status, 400)

    def test_retry(self):
        gate = FOLDER / "gate"
        result = self.client.create_run_from_pipeline_package(package(gated(gate), "e.yaml"), arguments={})
        self.ended(result.run_id, "FAILED")
        gate.touch()
        self.assertEqual(self.kfp("POST", f"runs/{result.run_id}:retry"), (200, {}))
        run = self.ended(result.run_id, "SUCCEEDED")
        self.assertEqual([h.state for h in run.state_history][-3:], ["FAILED", "RUNNING", "SUCCEEDED"])
        self.assertEqual(self.kfp("POST", f"runs/{result.run_id}:retry")[0], 409)

    def test_recurring_runs(self):
        pipeline = self.client.upload_pipeline(package(hello, "f.yaml"), pipeline_name="recurring")
        experiment = self.client.create_experiment("recurring")
        made = self.client.create_recurring_run(
            experiment.experiment_id, "every minute", interval_second=60, pipeline_id=pipeline.pipeline_id,
            version_id=self.client.list_pipeline_versions(pipeline.pipeline_id).pipeline_versions[0].pipeline_version_id,
            params={"msg": "tick [[ScheduledTime.2006-01-02]]"},
        )  # fmt: skip
        self.assertEqual(made.status, "ENABLED")
        self.assertEqual(made.max_concurrency, "1")
        status, trigger = self.ask("GET", f"/v1/triggers/default/kfp-{made.recurring_run_id}")
        self.assertEqual((status, trigger["state"]), (200, "active"))
        self.client.disable_recurring_run(made.recurring_run_id)
        self.assertEqual(self.client.get_recurring_run(made.recurring_run_id).status, "DISABLED")
        _, trigger = self.ask("GET", f"/v1/triggers/default/kfp-{made.recurring_run_id}")
        self.assertEqual(trigger["state"], "paused")
        self.client.enable_recurring_run(made.recurring_run_id)
        # Its next slot is at most a minute away.
        find = predicate("recurring_run_id", made.recurring_run_id)
        runs = until(lambda: self.client.list_runs(filter=find).runs, "a slot came", 75)
        run = self.ended(runs[0].run_id, "SUCCEEDED")
        self.assertRegex(run.runtime_config.parameters["msg"], r"^tick \d{4}-\d\d-\d\d$")
        self.assertEqual(run.experiment_id, experiment.experiment_id)
        self.assertEqual(run.pipeline_version_reference, made.pipeline_version_reference)
        listed = self.client.list_recurring_runs(experiment_id=experiment.experiment_id).recurring_runs
        self.assertEqual([each.recurring_run_id for each in listed], [made.recurring_run_id])
        self.client.delete_recurring_run(made.recurring_run_id)
        with self.assertRaises(kfp_server_api.ApiException) as gone:
            self.client.get_recurring_run(made.recurring_run_id)
        self.assertEqual(gone.exception.status, 404)
        again = self.client.get_run(run.run_id)
        self.assertEqual((again.display_name, again.experiment_id), (run.display_name, run.experiment_id))
        # Its flow was nobody's else.
        flow = f"recurring.{made.pipeline_version_reference.pipeline_version_id[:8]}"
        self.assertIs(self.ask("GET", f"/v1/flows/default/{flow}")[1]["deleted"], True)

    def test_a_schedule_of_a_flow_that_the_user_registered(self):
        """It is launched as it is, and stays as it is."""
        document = FOLDER / "flow.yaml"
        document.write_text("flow: theirs\nteam: default\nbackend: kubeflow\npipeline: registered\n")
        words = [WEIR, "apply", "--server", self.url, document]
        self.assertEqual(subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True).returncode, 0)
        before = self.ask("GET", "/v1/flows/default/theirs")[1]
        pipeline = self.client.upload_pipeline(package(hello, "i.yaml"), pipeline_name="registered")
        body = {"display_name": "s", "max_concurrency": 1, "mode": "ENABLE",
                "pipeline_version_reference": {"pipeline_id": pipeline.pipeline_id},
                "trigger": {"cron_schedule": {"cron": "0 0 0 1 1 *"}}}  # fmt: skip
        status, made = self.kfp("POST", "recurringruns", body)
        self.assertEqual(status, 200, made)
        trigger = self.ask("GET", f"/v1/triggers/default/kfp-{made['recurring_run_id']}")[1]
        self.assertEqual(trigger["document"]["launch"]["flow"], "theirs")
        self.assertEqual(self.ask("GET", "/v1/flows/default/theirs")[1], before)
        # One that is made disabled has no trigger that could fire; enabling makes it.
        status, made = self.kfp("POST", "recurringruns", {**body, "mode": "DISABLE"})
        path = f"/v1/triggers/default/kfp-{made['recurring_run_id']}"
        self.assertEqual((status, self.ask("GET", path)[0]), (200, 404))
        self.assertEqual(self.kfp("POST", f"recurringruns/{made['recurring_run_id']}:enable"), (200, {}))
        self.assertEqual(self.ask("GET", path)[1]["state"], "active")

    def test_a_schedule_outside_of_its_bounds_does_nothing(self):
        pipeline = self.client.upload_pipeline(package(hello, "g.yaml"), pipeline_name="bounds")
        body = {"display_name": "over", "max_concurrency": 1, "mode": "ENABLE",
                "pipeline_version_reference": {"pipeline_id": pipeline.pipeline_id},
                "trigger": {"cron_schedule": {"cron": "0 * * * * *", "end_time": "2020-01-01T00:00:00Z"}}}  # fmt: skip
        status, made = self.kfp("POST", "recurringruns", body)
        self.assertEqual(status, 200, made)
        path = f"/v1/triggers/default/kfp-{made['recurring_run_id']}"
        before = self.ask("GET", path)[1]
        until(lambda: self.ask("GET", path)[1].get("next_slot") != before.get("next_slot"), "a slot went by", 75)
        self.assertEqual(self.ask("GET", path)[1]["fired"], 0)

    def test_errors(self):
        pipeline = self.client.upload_pipeline(package(hello, "h.yaml"), pipeline_name="errors")
        reference = {"pipeline_version_reference": {"pipeline_id": pipeline.pipeline_id}}
        cases = [
            ({"display_name": "x", **reference, "nope": 1}, 400, 3, False),
            ({"display_name": 5, **reference}, 400, 3, False),
            ({**reference}, 500, 13, True),
            ({"display_name": "x"}, 500, 13, True),
            ({"display_name": "x", **reference, "experiment_id": "nope"}, 404, 5, True),
            ({"display_name": "x", **reference, "runtime_config": {"parameters": {"zz": 1}}}, 400, 3, True),
            ({"display_name": "x", **reference, "runtime_config": {"parameters": {"n": None}}}, 400, 3, True),
            ({"display_name": "x", **reference, "run_id": "my run/1"}, 500, 13, True),
        ]
        for body, status, code, details in cases:
            with self.subTest(body=body):
                answered, answer = self.kfp("POST", "runs", body)
                self.assertEqual((answered, answer["code"], "details" in answer), (status, code, details))
        self.assertEqual(self.kfp("GET", "nope"), (404, {"code": 5, "message": "Not Found"}))
        self.assertEqual(self.kfp("PUT", "runs", {}), (501, {"code": 12, "message": "Method Not Allowed"}))
        self.assertEqual(self.kfp("GET", "runs?page_token=&sort_by=&filter=&namespace=any")[0], 200)
        self.assertEqual(self.kfp("GET", "healthz")[1]["multi_user"], False)
        connection = http.client.HTTPConnection(self.url.removeprefix("http://"), timeout=30)
        connection.putrequest("POST", "/apis/v2beta1/runs")
        connection.putheader("Content-Length", str(9 << 20))
        connection.endheaders()
        refused = connection.getresponse()
        answer = json.loads(refused.read())
        connection.close()
        self.assertEqual((refused.status, answer["code"], len(answer["details"])), (413, 3, 1))

    def test_a_web_page_gets_nowhere(self):
        for headers in ({"Origin": "http://evil.test"}, {"Sec-Fetch-Site": "cross-site"}, {"Host": "evil.test"}):
            self.assertIn(self.ask("GET", "/apis/v2beta1/runs", headers=headers)[0], (400, 403, 421))


if __name__ == "__main__":
    try:
        program = unittest.main(argv=sys.argv[:1], verbosity=2, exit=False)
    finally:
        subprocess.run(["rm", "-rf", FOLDER], check=True)
    sys.exit(not program.result.wasSuccessful())
