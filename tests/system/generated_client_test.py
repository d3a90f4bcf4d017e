"""A client is generated from `/v1/openapi.json` and does what its user would: publish, watch, ask, command.

`generated_client_test.py WEIR`. WEIR_CLIENT_PYTHON names the Python that has the generator; tests/run.sh sets it. Without it
the test fails."""

import os
import pathlib
import subprocess
import sys
import tempfile
import unittest
import uuid

if not os.environ.get("WEIR_CLIENT_FOUND"):
    # Always the one that is named, whatever the machine's own Python has.
    named = os.environ.get("WEIR_CLIENT_PYTHON") or sys.exit(
        "WEIR_CLIENT_PYTHON must name a Python that has the generator of clients"
    )
    os.environ["WEIR_CLIENT_FOUND"] = "1"
    os.execv(named, [named, *sys.argv])

from openapi_spec_validator import validate  # noqa: E402

from engine import Engine, until  # noqa: E402

WEIR = pathlib.Path(sys.argv[1]).resolve()
CONFIG = """weir: 1
data: data
listen: {address: 127.0.0.1, port: 0}
"""
DOCUMENTS = {
    "flows.yaml": """\
flow: train
backend: "null"
parameters: {table: {type: string}}
outputs: {rows: 3}
---
flow: sleep
backend: "null"
settle_after: 1h
""",
    "triggers.yaml": """\
trigger: on-data
when: {event: data.ready, where: 'event.data.table != "junk"'}
launch: {flow: train, parameters: {table: 'event.data.table'}}
""",
}


class GeneratedClient(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory(prefix="weir-client-")
        folder = pathlib.Path(cls.folder.name)
        (folder / "weir.yaml").write_text(CONFIG)
        cls.engine = Engine(WEIR, folder).wait_ready()
        status, cls.document = cls.engine.ask("GET", "/v1/openapi.json")
        assert status == 200
        subprocess.run(
            [sys.executable, "-m", "openapi_python_client", "generate", "--url", cls.engine.url + "/v1/openapi.json",
             "--output-path", folder / "weir_client", "--meta", "none"],
            env={**os.environ, "PATH": f"{pathlib.Path(sys.executable).parent}:{os.environ['PATH']}"},
            check=True, capture_output=True, timeout=120,
        )  # fmt: skip
        sys.path.insert(0, str(folder))
        from weir_client import Client

        cls.client = Client(base_url=cls.engine.url)

    @classmethod
    def tearDownClass(cls):
        cls.engine.kill()
        cls.folder.cleanup()

    def test_the_document_is_one(self):
        validate(self.document)

    def test_from_documents_to_runs(self):
        from weir_client.api.decisions import list_decisions, why
        from weir_client.api.events import list_events, publish_events
        from weir_client.api.runs import cancel_run, get_run, list_runs, start_run
        from weir_client.api.service import get_health, get_readiness
        from weir_client.api.triggers import apply, get_trigger, list_triggers, pause_trigger, resume_trigger
        from weir_client import models
        from weir_client.types import UNSET

        client = self.client
        self.assertEqual(get_health.sync(client=client).status, "ok")
        self.assertTrue(get_readiness.sync(client=client).ready)
        files = [models.File(name=name, text=text) for name, text in DOCUMENTS.items()]
        applied = apply.sync(client=client, body=models.Apply(files=files))
        self.assertEqual({change.action.value for change in applied.changes}, {"created"})

        for number, table in enumerate(["orders", "junk", "users"]):
            event = models.CloudEvent(specversion=models.CloudEventSpecversion.VALUE_0, id=f"e{number}", source="/client", type_="data.ready",
                                      data={"table": table})  # fmt: skip
            accepted = publish_events.sync(client=client, body=event)
            self.assertEqual((accepted.accepted, accepted.id), (1, f"e{number}"))
        runs = until(
            lambda: len(found := [r for r in list_runs.sync(client=client, flow="train").items if r.outcome]) == 2 and found,
            "both runs have ended",
        )
        self.assertEqual({run.outcome.value for run in runs}, {"succeeded"})
        self.assertEqual({run.parameters["table"] for run in runs}, {"orders", "users"})
        self.assertEqual(get_run.sync(str(runs[0].run), client=client).run, runs[0].run)
        # Page by page.
        first = list_runs.sync(client=client, flow="train", limit=1)
        second = list_runs.sync(client=client, flow="train", limit=1, page=first.next_)
        self.assertNotEqual(first.items[0].run, second.items[0].run)
        fired = list_decisions.sync(client=client, verdict="fired").items
        self.assertEqual({decision.run for decision in fired}, {run.run for run in runs})
        events = list_events.sync(client=client, type_="data.*", data=True).items
        self.assertIn({"table": "users"}, [event.data for event in events])
        self.assertIn(str(runs[0].run), str(why.sync(client=client, run=str(runs[0].run)).additional_properties))

        started = start_run.sync(client=client, body=models.StartRun(flow="default/sleep", request_id="once"))
        again = start_run.sync(client=client, body=models.StartRun(flow="default/sleep", request_id="once"))
        self.assertEqual(started.run, again.run)
        cancel_run.sync(str(started.run), client=client, body=models.Reason(reason="the test is over"))
        until(lambda: get_run.sync(str(started.run), client=client).outcome, "the cancelled run has ended")
        self.assertEqual(get_run.sync(str(started.run), client=client).outcome.value, "cancelled")

        self.assertEqual(pause_trigger.sync("default", "on-data", client=client, body=UNSET).state.value, "paused")
        resume = models.Resume(waiting=models.ResumeWaiting.DROP)
        self.assertEqual(resume_trigger.sync("default", "on-data", client=client, body=resume).state.value, "active")
        self.assertEqual(len(get_trigger.sync("default", "on-data", client=client).states), 3)
        self.assertEqual([t.trigger for t in list_triggers.sync(client=client).items], ["on-data"])

    def test_refusals_are_problems(self):
        from weir_client.api.runs import get_run, start_run
        from weir_client.api.triggers import apply
        from weir_client import models

        problem = get_run.sync(str(uuid.uuid4()), client=self.client)
        self.assertEqual((problem.status, problem.title), (404, "Not found"))
        problem = start_run.sync(client=self.client, body=models.StartRun(flow="default/no-such-flow"))
        self.assertIn("no-such-flow", problem.detail)
        wrong = models.Apply(files=[models.File(name="x.yaml", text="trigger: x\nwhen: 3\n")])
        problem = apply.sync(client=self.client, body=wrong)
        self.assertEqual(problem.status, 422)
        self.assertTrue(any("x.yaml:2" in line for line in problem.problems))


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
