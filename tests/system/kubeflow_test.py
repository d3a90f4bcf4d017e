"""weir serve and a Kubeflow Pipelines server, scripted: launches, settlements, reports, faults. `kubeflow_test.py WEIR`."""

import json
import pathlib
import re
import sys
import unittest

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent / "support" / folder) for folder in ("kfp", "brokers")]
import security  # noqa: E402
from cases import Case, spec  # noqa: E402
from engine import Engine, EngineCase, until  # noqa: E402
from scripted import server  # noqa: E402

WEIR = pathlib.Path(sys.argv[1]).resolve()

CONFIG = """weir: 1
instance: lab
data: data
listen: {{address: 127.0.0.1, port: 0}}
backends:
  'null': {{}}
  kubeflow:
    url: {url}
    token_file: token
    timeouts: {{retry_min: 50ms, retry_max: 300ms, server: 1s, orphan_grace: 1s, resolve_cache: 0s}}
    watch: {{interval: 100ms, requests_per_second: 50{places}}}
teams:
  ads:
    backends: ['null', {{name: kubeflow, {binding}, display_name: '{{flow}} of {{date}}'}}]
  lab: {{backends: ['null']}}
limits: {{report_grace: 30s, outputs_grace: 60s, launch_timeout: 2s}}
"""
FLOWS = """flow: train
team: ads
backend: kubeflow
pipeline: training
description: Fits the model of one day.
parameters:
  day: {type: string}
  rows: {type: integer, default: 1}
---
flow: measure
team: ads
backend: kubeflow
pipeline: training
reports: true
parameters:
  day: {type: string}
---
flow: rollout
team: ads
backend: 'null'
parameters:
  auc: {type: double, optional: true}
  of: {type: string}
"""
TRIGGERS = """trigger: retrain
team: ads
when: {event: data.ready}
launch:
  flow: train
  parameters: {day: 'event.data.day', rows: 'int(event.data.rows)'}
---
trigger: measure
team: ads
when: {event: measure.now}
launch:
  flow: measure
  parameters: {day: '"today"'}
---
trigger: after-train
team: ads
when: {finish: train, outcome: [succeeded]}
launch:
  flow: rollout
  parameters: {of: 'run.id'}
---
trigger: after-measure
team: ads
when: {finish: measure, outcome: [succeeded]}
launch:
  flow: rollout
  parameters: {of: 'run.id', auc: 'run.outputs.auc'}
"""
PARAMETERS = "day: {parameterType: STRING}, rows: {parameterType: NUMBER_INTEGER, isOptional: true}"


class Kubeflow(EngineCase, Case):
    """One scripted server and one weir for each test."""

    program = WEIR
    engine_type = Engine
    binding = "experiment: nightly, experiments: [adhoc]"
    places = ""  # what is watched beside weir's own runs
    url = None  # the server's, unless a test says otherwise

    def setUp(self):
        EngineCase.setUp(self)
        Case.setUp(self)

    def serve(self, token="tokAlice"):
        (self.folder / "weir.yaml").write_text(
            CONFIG.format(url=self.url or self.kfp.url, binding=self.binding, places=self.places)
        )
        (self.folder / "token").write_text(token)
        self.weir = self.engine().wait_ready()
        self.weir.apply({"flows.yaml": FLOWS})
        self.weir.apply({"triggers.yaml": TRIGGERS})

    def publish(self, type_="data.ready", day="2026-05-01", rows=7):
        self.weir.weir("publish", type_, "--data", json.dumps({"day": day, "rows": rows}))

    def run_of(self, flow, state=None):
        """The newest run of a flow, once it is in the state."""

        def found():
            runs = self.weir.lines("runs", "--flow", f"ads/{flow}")
            return runs and (state is None or runs[0]["outcome"] == state or runs[0]["state"] == state) and runs[0]

        return until(found, f"{flow} is {state}")

    def why(self, run, *parts):
        """`weir why`, once it holds all of these."""

        def told():
            text = self.weir.weir("why", run)
            return all(part in text for part in parts) and text

        try:
            return until(told, f"why holds {parts}", 30)
        except AssertionError as failure:
            raise AssertionError(f"{failure}: {self.weir.weir('why', run)}") from None

    def only_run(self):
        """The id of the one run on the server, and that none was made beside it."""
        counters = self.kfp.get("counters")
        self.assertEqual((counters["runs"], counters["workflows_created"]), (1, 1), counters)
        return self.kfp.get("workflows")


class Chain(Kubeflow):
    def test_an_event_becomes_a_run_and_its_end_fires_the_next_flow(self):
        self.pipeline(spec(PARAMETERS, "training"), "training")
        self.serve()
        self.publish()
        run = self.run_of("train", "accepted")["run"]
        made = self.get(f"/runs/{run}").json
        self.assertEqual(made["runtime_config"]["parameters"], {"day": "2026-05-01", "rows": 7})
        self.assertRegex(made["display_name"], r"^train of \d{4}-\d\d-\d\d$")
        line = made["description"].splitlines()[-1]
        self.assertRegex(line, r"^weir: decision=\S+ flow=ads/train version=[0-9a-f]{12}$")
        decided = self.weir.lines("decisions", "--trigger", "ads/retrain")[0]
        self.assertIn(decided["decision"], line)
        experiment = self.get(f"/experiments/{made['experiment_id']}").json
        self.assertEqual(experiment["display_name"], "nightly")
        self.only_run()

        self.report(run, "Running")
        self.run_of("train", "running")
        self.report(run, "Succeeded")
        done = self.run_of("train", "succeeded")
        self.assertEqual(done["backend"], "kubeflow")
        after = self.run_of("rollout", "succeeded")
        self.assertEqual(after["parameters"], {"of": run})
        self.assertIn("version", self.why(run, "succeeded"))
        self.assertIn(run, self.weir.weir("lineage", after["run"], "--up"))
        _, ready = self.weir.ask("GET", "/readyz")
        item = next(item for item in ready["items"] if item["name"] == "backend kubeflow")
        self.assertTrue(item["ready"], item)
        self.assertIn("single-user", item["detail"])

    def test_a_run_that_reports_itself(self):
        self.pipeline(spec("day: {parameterType: STRING}", "training"), "training")
        self.serve()
        self.publish("measure.now")
        run = self.run_of("measure", "accepted")["run"]
        self.report(run, "Succeeded")
        # Its own report is waited for.
        self.run_of("measure", "ended")
        self.assertEqual(self.weir.lines("runs", "--flow", "ads/rollout"), [])
        said = self.weir.weir("report", run, "--outcome", "succeeded", "--outputs", '{"auc": 0.91}')
        self.assertEqual(said, f"run {run}: recorded\n")
        self.run_of("measure", "succeeded")
        self.assertEqual(self.run_of("rollout", "succeeded")["parameters"], {"of": run, "auc": 0.91})
        again = self.weir.weir("report", run, "--outcome", "succeeded")
        self.assertEqual(again, f"run {run}: this was known already\n")

    def test_a_report_of_an_attempt_that_weir_sees_only_later(self):
        self.pipeline(spec("day: {parameterType: STRING}", "training"), "training")
        self.places = ", overlap: 1s, places_interval: 2s, places: [{team: ads}]"
        self.serve()
        self.publish("measure.now")
        run = self.run_of("measure", "accepted")["run"]
        self.report(run, "Running")
        self.weir.weir("report", run, "--outcome", "failed")
        self.report(run, "Failed")
        self.run_of("measure", "failed")
        # Tried again by hand, on the server; the flow is faster than the next look at it.
        self.post(f"/runs/{run}:retry")
        said = self.weir.weir("report", run, "--outcome", "succeeded", "--outputs", '{"auc": 0.91}')
        self.assertEqual(said, f"run {run}: recorded\n")
        self.report(run, "Succeeded")
        self.assertEqual(self.run_of("measure", "succeeded")["attempt"], 2)
        self.assertEqual(self.run_of("rollout", "succeeded")["parameters"], {"of": run, "auc": 0.91})

    def test_a_failure_on_the_server_is_a_failed_run(self):
        self.pipeline(spec(PARAMETERS, "training"), "training")
        self.serve()
        self.publish()
        run = self.run_of("train", "accepted")["run"]
        self.report(run, "Failed")
        self.run_of("train", "failed")
        self.assertEqual(self.weir.lines("runs", "--flow", "ads/rollout"), [])

    def test_what_apply_refuses(self):
        self.pipeline(spec(PARAMETERS, "training"), "training")
        self.serve()

        def refused(text):
            path = self.folder / "wrong.yaml"
            path.write_text(text)
            return self.weir.refused("apply", path)

        flow = "flow: x\nteam: ads\nbackend: kubeflow\npipeline: training\n"
        self.assertIn('there is no backend "kubeflw"', refused(flow.replace("kubeflow", "kubeflw")))
        self.assertIn('did you mean "kubeflow"?', refused(flow.replace("kubeflow", "kubeflw")))
        self.assertIn("team lab may not use the backend kubeflow", refused(flow.replace("ads", "lab")))
        self.assertIn("timeout is for backend local", refused(flow + "timeout: 1h\n"))
        self.assertIn("experiment is for Kubeflow backends", refused("flow: x\nteam: ads\nbackend: 'null'\nexperiment: e\n"))
        self.assertIn('may not choose the experiment "mine"', refused(flow + "experiment: mine\n"))
        (self.folder / "right.yaml").write_text(flow + "experiment: adhoc\n")
        self.weir.weir("apply", self.folder / "right.yaml")


class Faults(Kubeflow):
    def test_a_parameter_that_the_new_version_dropped(self):
        self.pipeline(spec("day: {parameterType: STRING}", "training"), "training")
        self.serve()
        self.publish()
        run = self.run_of("train", "refused")["run"]
        self.why(run, "refused", "rows")
        self.assertEqual(self.kfp.get("counters")["runs"], 0)

    def test_a_pipeline_that_is_not_there(self):
        self.serve()
        self.publish()
        self.why(self.run_of("train", "refused")["run"], "refused", "training")

    def refused_why(self, *parts):
        """A firing that ends refused without anything made; what `weir why` says of it."""
        before = self.kfp.get("counters")["workflows_created"]
        self.publish()
        self.why(self.run_of("train", "refused")["run"], "refused", *parts)
        self.assertEqual(self.kfp.get("counters")["workflows_created"], before)

    def test_a_pipeline_deleted_after_apply(self):
        pipeline = self.pipeline(spec(PARAMETERS, "training"), "training")
        self.serve()
        self.publish()
        self.run_of("train", "accepted")
        self.send("DELETE", f"/apis/v2beta1/pipelines/{pipeline}?cascade=true")
        self.refused_why("training", "has it been deleted?")

    def test_a_version_without_v2_ir(self):
        argo = (
            "apiVersion: argoproj.io/v1alpha1\nkind: Workflow\nmetadata: {generateName: old-}\n"
            "spec: {entrypoint: main, templates: [{name: main, container: {image: alpine}}]}\n"
        )
        self.pipeline(argo, "training")
        self.serve()
        self.refused_why("KFP v1", "compile it with kfp 2")

    def test_an_archived_experiment(self):
        self.pipeline(spec(PARAMETERS, "training"), "training")
        made = self.post("/experiments", {"display_name": "nightly"})
        self.assertEqual(made.status, 200, made.body)
        self.post(f"/experiments/{made.json['experiment_id']}:archive")
        self.serve()
        self.refused_why('"nightly" is archived')

    def waiting_why(self, url, *parts):
        """A launch that waits because of the server's address; what `weir why` says."""
        self.pipeline(spec(PARAMETERS, "training"), "training")
        self.url = url
        self.serve()
        self.publish()
        self.why(self.run_of("train")["run"], *parts)
        self.assertEqual(self.kfp.get("counters")["workflows_created"], 0)

    def test_a_wrong_url(self):
        self.waiting_why(self.kfp.url + "/not/here", "is the backend's url that of a KFP API server?")

    def test_a_certificate_of_an_unknown_authority(self):
        made = security.make_certificates(self.folder / "certificates")
        shown = server.Scripted(context=server.tls(made / "server.pem", made / "server.key")).start()
        self.addCleanup(shown.stop)
        self.waiting_why(shown.url, "TLS certificate is not trusted", "tls.ca_file")

    def test_a_maintenance_of_an_hour(self):
        self.pipeline(spec(PARAMETERS, "training"), "training")
        self.serve()
        (fault,) = self.kfp.post("maintenance", {"seconds": 3600})["ids"]
        self.publish()
        run = self.run_of("train")["run"]
        self.why(run, "503")
        # Longer than the launch may take (limits.launch_timeout): nothing has left, so that it waits in the ledger.
        self.run_of("train", "ready")
        self.why(run, "asked again soon", "503")

        def told():
            _, ready = self.weir.ask("GET", "/readyz")
            item = next(item for item in ready["items"] if item["name"] == "backend kubeflow")
            return not item["ready"] and item["detail"]

        self.assertIn("503", until(told, "the backend is not ready"))
        self.assertEqual(self.weir.ask("GET", "/readyz")[0], 200, "events are taken meanwhile")
        self.kfp.post("faults/clear", {"id": fault})
        self.run_of("train", "accepted")
        self.assertEqual(self.get(f"/runs/{run}").json["runtime_config"]["parameters"]["rows"], 7)
        self.only_run()

    def test_numbers_of_the_backend(self):
        self.pipeline(spec(PARAMETERS, "training"), "training")
        self.serve()
        self.publish()
        self.run_of("train", "accepted")
        status, text = self.weir.fetch("/metrics")
        self.assertEqual(status, 200)
        self.assertRegex(text, r'weir_backend_creates_total\{backend="kubeflow"\} 1(\.0+)?\n')
        self.assertRegex(text, r'weir_backend_reachable\{backend="kubeflow"\} 1(\.0+)?\n')


class Tokens(Kubeflow):
    settings = {"multi_user": True}
    binding = "namespace: ns1, experiment: nightly"

    def upload_as(self, user):
        reply = self.upload(spec(PARAMETERS, "training"), "training", {"kubeflow-userid": user}, namespace="ns1")
        self.assertEqual(reply.status, 200, reply.body)

    def test_a_wrong_token_is_told_and_a_new_one_is_taken(self):
        self.upload_as("alice")
        self.serve(token="expired")
        self.publish()
        run = self.run_of("train")["run"]
        self.why(run, "401")
        (self.folder / "token").write_text("tokAlice")
        self.run_of("train", "accepted")
        made = self.get(f"/runs/{run}", {"kubeflow-userid": "alice"})
        self.assertEqual(made.status, 200, made.body)
        self.only_run()

    def test_another_teams_namespace(self):
        self.upload_as("alice")
        self.serve(token="tokBob")
        self.publish()
        text = self.why(self.run_of("train", "refused")["run"], "refused")
        self.assertTrue(re.search("403|not authorized|may not", text), text)
        self.assertEqual(self.kfp.get("counters")["workflows_created"], 0)


class Start(EngineCase):
    program = WEIR
    engine_type = Engine

    def test_what_is_wrong_is_told_before_anything_is_opened(self):
        text = CONFIG.format(url="http://127.0.0.1:9", binding="namespace: ns1", places="")
        (self.folder / "weir.yaml").write_text(text)
        engine = self.engine()
        self.assertEqual(engine.process.wait(timeout=60), 1)
        self.assertIn("token", engine.log.read_text())
        self.assertFalse((self.folder / "data").exists())

    def test_a_server_that_does_not_answer_keeps_nothing_from_starting(self):
        (self.folder / "weir.yaml").write_text(CONFIG.format(url="http://127.0.0.1:9", binding="namespace: ns1", places=""))
        (self.folder / "token").write_text("t")
        engine = self.engine().wait_ready()
        engine.apply({"flows.yaml": FLOWS})
        engine.apply({"triggers.yaml": TRIGGERS})
        engine.weir("publish", "data.ready", "--data", '{"day": "d", "rows": 1}')
        (run,) = until(lambda: engine.lines("runs"), "a run is there")

        def told():
            return "127.0.0.1" in engine.weir("why", run["run"])

        until(told, "why tells of the server")
        engine.end()


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0], *sys.argv[2:]], verbosity=2)
