"""The report component: what it compiles to, and what it does as kfp runs it, against a stub of weir on loopback."""

import ast
import inspect
import json
import os
import pathlib
import re
import runpy
import sys
import tempfile
import typing
import unittest

import weir_kfp as weir
from kfp import dsl
from pods import Component, all_tasks, report_task
from rig import compiled, count, echo, environment, fit, stub

HERE = os.path.abspath(__file__)


@dsl.component(base_image="python:3.11", install_kfp_package=False)
def double(number: int) -> int:
    return 2 * number


def typed(annotated):
    """A component that returns this type."""

    def make(text: str) -> annotated:
        return text

    return dsl.component(make, base_image="python:3.11", install_kfp_package=False)


def exit_pipeline(**options):
    @dsl.pipeline
    def made(table: str, address: str = "x"):
        given = {name: address if each == "address" else each for name, each in options.items()}
        with dsl.ExitHandler(exit_task=weir.report(install_kfp_package=False, **given)):
            fit(table=table)

    return made


def last_task_pipeline(**options):
    @dsl.pipeline
    def made(table: str):
        fitted, counted = fit(table=table), count(text=table)
        weir.report(
            outputs={
                "model_uri": fitted.outputs["model"], "auc": fitted.outputs["Output"], "rows": counted.output,
                "table": table, "kind": "daily", "deep": True, "tags": ["a"], "more": {"b": 1.5},
            },
            artifacts={"model": fitted.outputs["model"]},
            install_kfp_package=False,
            **options,
        )  # fmt: skip

    return made


FAILED = {"status": {"state": "FAILED", "error": {"code": 3, "message": "no such table"}, "pipelineTaskName": "fit"}}
GOOD = {"status": {"state": "SUCCEEDED", "error": {}, "pipelineTaskName": "fit"}}
MODEL = {
    "name": "x", "uri": "s3://bucket/model", "type": {"schemaTitle": "system.Model", "schemaVersion": "0.0.1"},
    "metadata": {"table": "orders"},
}  # fmt: skip


class Compiled(unittest.TestCase):
    def test_as_exit_task(self):
        component, task, container = report_task(compiled(exit_pipeline(server="http://weir:9347/"))[0])
        self.assertEqual(
            {name: each["parameterType"] for name, each in component["inputDefinitions"]["parameters"].items()},
            {"run_id": "STRING", "server": "STRING", "options": "STRUCT", "status": "TASK_FINAL_STATUS"},
        )
        given = task["inputs"]["parameters"]
        self.assertEqual(given["run_id"], {"runtimeValue": {"constant": "{{$.pipeline_job_uuid}}"}})
        self.assertEqual(given["status"], {"taskFinalStatus": {"producerTask": "exit-handler-1"}})
        self.assertEqual(task["triggerPolicy"]["strategy"], "ALL_UPSTREAM_TASKS_COMPLETED")
        self.assertNotIn("enableCache", task["cachingOptions"])
        self.assertEqual(container["env"], [{"name": "WEIR_SERVER", "value": "http://weir:9347"}])

    def test_with_outputs(self):
        component, task, container = report_task(compiled(last_task_pipeline())[0])
        types = {name: each["parameterType"] for name, each in component["inputDefinitions"]["parameters"].items()}
        self.assertEqual(
            {name: each for name, each in types.items() if name.startswith("output_")},
            {
                "output_auc": "NUMBER_DOUBLE", "output_rows": "NUMBER_INTEGER", "output_table": "STRING",
                "output_kind": "STRING", "output_deep": "BOOLEAN", "output_tags": "LIST", "output_more": "STRUCT",
            },
        )  # fmt: skip
        artifacts = component["inputDefinitions"]["artifacts"]
        self.assertEqual(sorted(artifacts), ["artifact_model", "output_model_uri"])
        self.assertEqual(sorted(task["dependentTasks"]), ["count", "fit"])
        self.assertNotIn("env", container)

    def test_lists_and_maps_as_authors_write_them(self):
        def body(annotated):
            @dsl.pipeline
            def made(numbers: annotated, table: str):
                with dsl.ParallelFor([1, 2]) as item:
                    doubled = double(number=item)
                made_by_task = typed(annotated)(text=table)
                weir.report(
                    outputs={"input": numbers, "task": made_by_task.output, "all": dsl.Collected(doubled.output)},
                    install_kfp_package=False,
                )

            return made

        cases = [(list, "LIST"), (typing.List[int], "LIST"), (typing.List, "LIST"), (typing.List[typing.Dict[str, str]], "LIST"),
                 (dict, "STRUCT"), (typing.Dict[str, float], "STRUCT"), (typing.Dict, "STRUCT")]  # fmt: skip
        if kfp_version() >= (2, 5):  # the older refuse these themselves
            cases += [(list[int], "LIST"), (dict[str, int], "STRUCT")]
        for annotated, kind in cases:
            with self.subTest(annotated):
                inputs = report_task(compiled(body(annotated))[0])[0]["inputDefinitions"]["parameters"]
                given = [inputs["output_" + name]["parameterType"] for name in ("input", "task", "all")]
                self.assertEqual(given, [kind, kind, "LIST"])

    def test_what_may_be_left_out(self):
        for annotated, kind in [(int, "NUMBER_INTEGER"), (str, "STRING"), (typing.List[int], "LIST"), (typing.Dict, "STRUCT")]:

            @dsl.pipeline
            def made(given: typing.Optional[annotated] = None):
                weir.report(outputs={"given": given})

            given = report_task(compiled(made)[0])[0]["inputDefinitions"]["parameters"]["output_given"]
            self.assertEqual((given["parameterType"], given["isOptional"]), (kind, True))

    def test_artifacts_of_a_loop(self):
        with self.assertRaisesRegex(weir.DefinitionError, "artifacts.models: is a list of artifacts; report them one by one"):

            @dsl.pipeline
            def made(table: str):
                with dsl.ParallelFor([1, 2]):
                    fitted = fit(table=table)
                weir.report(artifacts={"models": dsl.Collected(fitted.outputs["model"])})

    def test_the_pod_needs_nothing_of_this_package(self):
        for pipeline in (exit_pipeline(), last_task_pipeline()):
            container = report_task(compiled(pipeline)[0])[2]
            self.assertNotIn("weir_kfp", json.dumps(container))
            self.assertIn("--function_to_execute", container["args"])

    def test_the_address_may_be_an_input(self):
        _, task, container = report_task(compiled(exit_pipeline(server="address"))[0])
        self.assertEqual(task["inputs"]["parameters"]["server"], {"componentInputParameter": "address"})
        self.assertNotIn("env", container)

    def test_the_token_of_a_file(self):
        container = report_task(compiled(exit_pipeline(token_file="/var/run/secrets/weir/token"))[0])[2]
        self.assertEqual(container["env"], [{"name": "WEIR_TOKEN_FILE", "value": "/var/run/secrets/weir/token"}])

    def test_several_reports_in_one_pipeline(self):
        @weir.flow()
        @dsl.pipeline
        def made(table: str):
            with dsl.ExitHandler(exit_task=weir.report()):
                weir.report(outputs={"a": echo(text=table).output})
                weir.report(outputs={"b": count(text=table).output}, outcome="succeeded")

        ir, documents = compiled(made)
        self.assertEqual(len([name for name in all_tasks(ir) if name.startswith("weir-report")]), 3)
        self.assertIs(documents[0]["reports"], True)

    def test_it_says_whose_run_it_is(self):
        def body(**options):
            def made(table: str):
                with dsl.ExitHandler(exit_task=weir.report(**options)):
                    with dsl.ParallelFor([1, 2]):
                        weir.report(outputs={"a": table}, **options)

            return dsl.pipeline(made, name="nightly")

        def flows(pipeline, **options):
            ir = compiled(pipeline, **options)[0]
            constants = [task["inputs"]["parameters"]["options"]["runtimeValue"]["constant"] for name, task in all_tasks(ir).items()
                         if name.startswith("weir-report")]  # fmt: skip
            self.assertEqual(len(constants), 2)
            (said,) = {each.get("flow") for each in constants}
            return said

        pipeline = weir.flow(team="ads")(body())
        self.assertEqual(flows(pipeline), "ads/nightly")
        self.assertEqual(flows(pipeline, pipeline_name="other"), "ads/other")
        self.assertEqual(flows(pipeline), "ads/nightly")
        self.assertEqual(flows(weir.flow("daily", team="ads")(body())), "ads/daily")
        self.assertEqual(flows(weir.flow(team="ads")(body(flow="ml/own"))), "ml/own")
        self.assertIsNone(flows(weir.flow()(body())))
        self.assertIsNone(flows(body()))

        @weir.flow("all", team="ml")
        @dsl.pipeline
        def outer(table: str):
            pipeline(table=table)

        self.assertEqual(flows(outer), "ml/all")
        with tempfile.TemporaryDirectory() as folder:
            weir.compile(pipeline, os.path.join(folder, "x.yaml"))
            self.assertIn("flow: ads/nightly", pathlib.Path(folder, "x.yaml").read_text())

    def test_refused(self):
        cases = [
            (lambda task: {"outputs": {"a-b": 1}}, "outputs.a-b: a name is letters"),
            (lambda task: {"outputs": {"a": task}}, "give its output: task.output"),
            (lambda task: {"outputs": {"a": None}}, "outputs.a: is null"),
            (lambda task: {"outputs": {"a": float("nan")}}, "no JSON number"),
            (lambda task: {"outputs": {"a": object()}}, "which JSON does not know"),
            (lambda task: {"artifacts": {"a": task.outputs["Output"]}}, "is a parameter, no artifact"),
            (lambda task: {"artifacts": {"a": "s3://x"}}, "expected an artifact of a task"),
            (lambda task: {"outcome": "done"}, "outcome: expected succeeded or failed"),
            (lambda task: {"outcome": "failed", "exit_task": True}, "an exit task finds the outcome out"),
            (lambda task: {"exit_task": False}, "needs something to say"),
            (lambda task: {"retry_for": "soon"}, "not a duration"),
            (lambda task: {"flow": "train"}, "expected team/flow"),
            (lambda task: {"labels": {"a": 1}}, "expected a map of texts"),
            (lambda task: {"outputs": [1]}, "outputs: expected a map of names to what is reported, found a list"),
            (lambda task: {"artifacts": "model"}, "artifacts: expected a map of names to what is reported, found the string"),
            (lambda task: {"outputs": {"a": [2**53]}}, "outputs.a: holds 9007199254740992, which a pipeline would round"),
            (lambda task: {"outputs": {"a": {"b": 2**70}}}, "outputs.a: holds 1180591620717411303424"),
            (lambda task: {"outputs": {"a": "\ud800"}}, "outputs.a: holds half a surrogate pair"),
            (lambda task: {"outputs": {"a": {"\ud800": 1}}}, "outputs.a: holds half a surrogate pair"),
            (lambda task: {"outptus": {"a": 1}}, 'weir.report has no option "outptus"; did you mean "outputs"?'),
            (lambda task: {"token_secret": 3}, "token_secret: expected text, found the number 3"),
            (lambda task: {"token_file": ""}, "token_file: expected text"),
            (lambda task: {"token_secret": "a", "token_file": "/b"}, "two ways to one thing; give one"),
            (lambda task: {"required": "no"}, "required: expected True or False"),
            (lambda task: {"labels": ["a"]}, "labels: expected a map of texts"),
            (lambda task: {"server": "weir:9347"}, "server: expected http://HOST:PORT"),
        ]
        for options, words in cases:
            with self.subTest(words), self.assertRaises(weir.DefinitionError) as caught:

                @dsl.pipeline
                def made(table: str):
                    weir.report(**options(fit(table=table)))

            self.assertIn(words, str(caught.exception))
            self.assertTrue(str(caught.exception).startswith(HERE + ":"))

    def test_an_exit_form_elsewhere_is_refused_by_kfp(self):
        with self.assertRaisesRegex(ValueError, "PipelineTaskFinalStatus"):

            @dsl.pipeline
            def made(table: str):
                echo(text=table)
                weir.report()

    def test_secrets(self):
        try:
            from kfp import kubernetes  # noqa: F401
        except ImportError:
            with self.assertRaisesRegex(weir.DefinitionError, "needs kfp-kubernetes"):
                exit_pipeline(token_secret="weir")
            return
        import yaml
        from kfp import compiler

        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "x.yaml")
            compiler.Compiler().compile(exit_pipeline(token_secret="weir", token_key="publish"), path)
            platform = list(yaml.safe_load_all(pathlib.Path(path).read_text()))[1]
        (executor,) = platform["platforms"]["kubernetes"]["deploymentSpec"]["executors"].values()
        self.assertEqual(executor["secretAsEnv"][0]["secretName"], "weir")
        self.assertEqual(executor["secretAsEnv"][0]["keyToEnv"], [{"envVar": "WEIR_TOKEN", "secretKey": "publish"}])


class Run(unittest.TestCase):
    def setUp(self):
        self.stub = self.enterContext(stub())
        self.enterContext(environment(WEIR_SERVER=None))

    def report_of(self, component, values, artifacts=None, **variables):
        status, said = component.run(values, artifacts, **variables)
        self.assertEqual(status, 0, said)
        path, headers, body = self.stub.requests[-1]
        self.assertEqual(path, "/v1/runs/4c1f%2F7/report")
        return headers, body

    def test_the_end_of_a_run(self):
        component = Component(exit_pipeline(server=self.stub.url, flow="ads/train", labels={"by": "kfp"}))
        self.assertEqual(
            self.report_of(component, FAILED)[1],
            {"flow": "ads/train", "labels": {"by": "kfp"}, "outcome": "failed", "error": "no such table"},
        )
        headers, body = self.report_of(component, GOOD, WEIR_TOKEN="s3cret")
        self.assertEqual(body, {"flow": "ads/train", "labels": {"by": "kfp"}, "outcome": "succeeded"})
        self.assertEqual(headers["Authorization"], "Bearer s3cret")

    def test_an_error_in_any_words(self):
        component = Component(exit_pipeline(server=self.stub.url))
        cases = [("e" * 5000, "e" * 4096), ("\u00e9" * 3000, "\u00e9" * 2048), ("x" + "\u20ac" * 2000, "x" + "\u20ac" * 1365),
                 ("a\ud800b\x00", "a?b\x00")]  # fmt: skip
        for said, wanted in cases:
            status = {"state": "FAILED", "error": {"code": 3, "message": said}, "pipelineTaskName": "fit"}
            self.assertEqual(self.report_of(component, {"status": status})[1]["error"], wanted)

    def test_an_output_that_json_cannot_say_is_named(self):
        component = Component(last_task_pipeline(server=self.stub.url))
        values = {"output_auc": 0.5, "output_rows": 3, "output_table": "orders"}
        artifacts = {"artifact_model": MODEL, "output_model_uri": MODEL}
        for name, wrong in (("auc", float("nan")), ("rows", float("inf")), ("table", "\ud800"), ("rows", 2**63)):
            status, said = component.run({**values, "output_" + name: wrong}, artifacts)
            self.assertNotEqual(status, 0)
            self.assertIn(f"ValueError: outputs.{name} cannot be reported: ", said)
        worse = {**MODEL, "metadata": {"loss": float("nan")}}
        self.assertIn("ValueError: artifacts.model cannot be reported: ", component.run(values, {**artifacts, "artifact_model": worse})[1])
        self.assertEqual(self.stub.requests, [])

    def test_the_token_is_not_said(self):
        for options in ({}, {"required": False}):
            status, said = Component(exit_pipeline(server=self.stub.url, **options)).run(GOOD, WEIR_TOKEN="s3\ncret")
            self.assertEqual(status == 0, bool(options), said)
            self.assertIn("the token holds a control character", said)
            self.assertNotRegex(said, r"s3\W|\bcret")
        self.assertEqual(self.stub.requests, [])

    def test_what_a_run_made(self):
        values = {"output_auc": 0.5, "output_rows": 3, "output_table": "orders"}
        body = self.report_of(
            Component(last_task_pipeline()),
            values,
            {"artifact_model": MODEL, "output_model_uri": MODEL},
            WEIR_SERVER=self.stub.url,
        )[1]
        self.assertEqual(
            body,
            {
                "outputs": {
                    "auc": 0.5, "rows": 3, "table": "orders", "model_uri": "s3://bucket/model",
                    "kind": "daily", "deep": True, "tags": ["a"], "more": {"b": 1.5},
                },
                "artifacts": [
                    {"name": "model", "uri": "s3://bucket/model", "type": "system.Model", "metadata": {"table": "orders"}}
                ],
            },
        )  # fmt: skip

    def test_an_input_that_was_left_out(self):
        @dsl.pipeline
        def made(kept: typing.Optional[typing.List[int]] = None, gone: typing.Optional[int] = None):
            weir.report(outputs={"kept": kept, "gone": gone}, server=self.stub.url, install_kfp_package=False)

        self.assertEqual(self.report_of(Component(made), {"output_kept": [1]})[1], {"outputs": {"kept": [1]}})
        self.assertEqual(self.report_of(Component(made), {})[1], {"outputs": {}})

    def test_an_event_from_a_component(self):
        """That of examples/README.md; the package is on the path here instead of installed."""
        text = (pathlib.Path(weir.__file__).parents[1] / "examples" / "README.md").read_text()
        (source,) = [block for block in text.split("```\n") if block.startswith("@dsl.component")]
        source = re.sub(r"packages_to_install=\[.*?\]", "install_kfp_package=False", source)
        with tempfile.TemporaryDirectory() as folder:
            file = pathlib.Path(folder) / "announcing.py"
            file.write_text(f"from kfp import dsl\n{source}\n@dsl.pipeline\ndef made(table: str):\n    announce(table=table)\n")
            names = runpy.run_path(str(file))
            component = Component(names["made"], prefix="announce")
            where = {"WEIR_SERVER": self.stub.url, "PYTHONPATH": os.environ["PYTHONPATH"]}
            for _ in range(2):
                status, said = component.run({"table": "orders"}, **where)
                self.assertEqual(status, 0, said)
        (path, _, event), again = self.stub.requests
        self.assertEqual((path, event["type"], event["id"], event["data"]), ("/v1/events", "table.checked", "checked-orders", {"table": "orders"}))
        self.assertEqual(again[2], event)

    def test_weir_is_away_for_a_moment(self):
        self.stub.answers = [(503, {"detail": "starting"}, {}), None]
        _, body = self.report_of(Component(exit_pipeline(server=self.stub.url)), GOOD)
        self.assertEqual([request[2] for request in self.stub.requests], [body] * 3)

    def test_not_delivered(self):
        self.stub.answers = [(400, {"detail": "outputs: is no object"}, {})] * 2
        status, said = Component(exit_pipeline(server=self.stub.url)).run(GOOD)
        self.assertNotEqual(status, 0)
        self.assertIn("answered 400: outputs: is no object", said)
        status, said = Component(exit_pipeline(server=self.stub.url, required=False)).run(GOOD)
        self.assertEqual(status, 0)
        self.assertIn("given up, and not required", said)

    def test_for_as_long_as_was_said(self):
        self.stub.answers = [(503, {"detail": "starting"}, {})] * 50
        status, said = Component(exit_pipeline(server=self.stub.url, retry_for=0)).run(GOOD)
        self.assertNotEqual(status, 0)
        self.assertIn("answered 503: starting (tried for 0 s)", said)
        self.assertEqual(len(self.stub.requests), 1)

    def test_no_address(self):
        status, said = Component(exit_pipeline()).run(GOOD)
        self.assertNotEqual(status, 0)
        self.assertIn("no address of weir", said)
        status, said = Component(exit_pipeline()).run(GOOD, WEIR_SERVER="weir:9347")
        self.assertIn("http://HOST:PORT, not 'weir:9347'", said)

    def test_the_local_runner_of_kfp(self):
        if "local" not in dir(__import__("kfp")):
            self.assertLess(kfp_version(), (2, 5), "kfp.local is there since 2.5")
            return
        from kfp import local

        pipeline = last_task_pipeline(server=self.stub.url)
        with tempfile.TemporaryDirectory(prefix="weir-local-") as folder:
            path = os.path.dirname(sys.executable) + os.pathsep + os.environ["PATH"]
            # Its older versions leave the environment of a task out.
            with environment(PATH=path, HOME=folder, WEIR_SERVER=self.stub.url):
                local.init(local.SubprocessRunner(use_venv=False), pipeline_root=folder)
                pipeline(table="orders")
        (path, _, body), = self.stub.requests
        self.assertRegex(path, r"^/v1/runs/[\w-]+/report$")
        self.assertEqual((body["outputs"]["rows"], body["outputs"]["auc"]), (6, 0.5))
        self.assertEqual(body["artifacts"][0]["metadata"], {"table": "orders"})


def kfp_version():
    import kfp

    return tuple(int(part) for part in kfp.__version__.split(".")[:2])


class Pod(unittest.TestCase):
    def test_its_text_is_old_python(self):
        from weir_kfp import pod

        text = "\n".join(inspect.getsource(each) for each in (pod.deliver, pod.send_report))
        ast.parse(text, feature_version=(3, 7))


if __name__ == "__main__":
    unittest.main()
