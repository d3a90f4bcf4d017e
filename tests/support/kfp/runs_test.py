"""Rules a, b, d, i and k of the genuine server: ids, parameters, life cycle, macros, limits of plugins."""

import concurrent.futures
import http.client
import json
import unittest

from cases import API, NEVER, Case, spec

ALL = """s: {parameterType: STRING}, i: {parameterType: NUMBER_INTEGER}, d: {parameterType: NUMBER_DOUBLE},
 b: {parameterType: BOOLEAN}, l: {parameterType: LIST}, m: {parameterType: STRUCT},
 o: {parameterType: STRING, isOptional: true}, mode: {parameterType: STRING, defaultValue: a, literals: [a, b]}"""
GOOD = {"s": "x", "i": 3, "d": 1.5, "b": True, "l": [1], "m": {"k": "v"}}


class Ids(Case):
    def test_a_client_may_choose(self):
        pipeline = self.pipeline()
        reply = self.create(pipeline, run_id="weir-2024_a.b", state="SUCCEEDED", created_at="2001-01-01T00:00:00Z",
                            finished_at="2001-01-01T00:00:00Z", storage_state="ARCHIVED")  # fmt: skip
        run = reply.json
        self.assertEqual((run["run_id"], run["state"], run["finished_at"], run["storage_state"]),
                         ("weir-2024_a.b", "PENDING", "2001-01-01T00:00:00Z", "ARCHIVED"))  # fmt: skip
        self.assertNotEqual(run["created_at"], "2001-01-01T00:00:00Z")
        self.assertEqual(len(self.create(pipeline, run_id="").json["run_id"]), 36)

    def test_twice_is_500_and_a_stray_whose_reports_move_the_run(self):
        pipeline = self.pipeline()
        self.run_id(pipeline, run_id="one")
        reply = self.refused(self.create(pipeline, run_id="one"), 500, 13)
        self.assertEqual(reply.detail, "Internal Server Error")
        self.assertIn("Duplicate entry", reply.json["message"])
        self.assertEqual(self.kfp.get("strays?run_id=one"), {"run_id": "one", "strays": 1, "created": 2})
        stray = next(item for item in self.kfp.get("workflows?run_id=one")["workflows"] if not item["row_owner"])
        self.kfp.post("report", {"workflow": stray["name"], "phase": "Succeeded"})
        self.assertEqual(self.states("one")[0], "SUCCEEDED")
        self.report("one", "Running")
        self.assertEqual(self.states("one"), ("RUNNING", ["PENDING", "SUCCEEDED", "RUNNING"], NEVER))

    def test_four_at_once(self):
        pipeline = self.pipeline()
        body = json.dumps(
            {"display_name": "x", "run_id": "one", "pipeline_version_reference": {"pipeline_id": pipeline}}
        )

        def create(_):
            connection = http.client.HTTPConnection("127.0.0.1", self.kfp.port, timeout=20)
            connection.request("POST", API + "/runs", body)
            status = connection.getresponse().status
            connection.close()
            return status

        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            self.assertEqual(sorted(pool.map(create, range(4))), [200, 500, 500, 500])
        self.assertEqual(self.kfp.get("strays?run_id=one"), {"run_id": "one", "strays": 3, "created": 4})

    def test_no_label(self):
        pipeline = self.pipeline()
        for run_id in ("my run", "a/b", "r" * 64, "r" * 200, "-a", "ä"):
            with self.subTest(run_id):
                self.refused(self.create(pipeline, run_id=run_id), 500, 13)
        self.assertEqual(self.strays(), 0)

    def test_ids_are_found_whatever_their_case(self):
        pipeline = self.pipeline()
        self.run_id(pipeline, run_id="A91E964B")
        self.assertEqual(self.get("/runs/a91e964b").json["run_id"], "A91E964B")
        self.refused(self.create(pipeline, run_id="a91e964b"), 500)


class Sqlite(Case):
    settings = {"database": "sqlite"}

    def test_what_sqlite_takes(self):
        pipeline = self.pipeline()
        self.run_id(pipeline, run_id="A1")
        self.refused(self.get("/runs/a1"), 404)
        self.assertIn("UNIQUE constraint failed", self.create(pipeline, run_id="A1").json["message"])
        self.assertEqual(self.create(pipeline, "n" * 300, {"msg": "😀"}, description="d" * 70000).status, 200)


class Parameters(Case):
    def setUp(self):
        super().setUp()
        self.all = self.pipeline(spec(ALL), "all")

    def given(self, **changes):
        return {name: value for name, value in {**GOOD, **changes}.items() if value != "missing"}

    def test_good_ones_are_echoed_without_defaults(self):
        reply = self.create(self.all, parameters=self.given(i=1.0, d=2, l=[[1], "x", None], m={"a": {"b": [1, None]}}))
        self.assertEqual(
            reply.json["runtime_config"]["parameters"],
            self.given(i=1, d=2, l=[[1], "x", None], m={"a": {"b": [1, None]}}),
        )
        self.assertIn(b'"i":1,', reply.body)
        for changes in ({"s": "", "l": [], "m": {}}, {"i": 1.5}, {"l": ["x"]}, {"mode": "b"}, {"o": "x"}):
            with self.subTest(changes):
                self.assertEqual(self.create(self.all, parameters=self.given(**changes)).status, 200)

    def test_numbers_are_doubles(self):
        for text, shown in (
            ("9007199254740993", b"9007199254740992"),
            ("12345678901234567890", b"12345678901234567000"),
            ("1e2", b"100"),
        ):
            body = json.dumps({"display_name": "r", "pipeline_version_reference": {"pipeline_id": self.all},
                               "runtime_config": {"parameters": self.given(i=77777)}}).replace("77777", text)  # fmt: skip
            self.assertIn(b'"i":' + shown + b",", self.post("/runs", body).body)

    def test_refused_and_nothing_made(self):
        cases = (
            {"nope": 1}, {"s": "missing"}, {"s": 3}, {"s": True}, {"s": None}, {"o": None}, {"i": "1"}, {"i": None}, {"d": "2.0"},
            {"b": "true"}, {"b": 1}, {"l": {"a": 1}}, {"l": "[1]"}, {"m": [1]}, {"m": "{}"}, {"mode": "zz"}, {"mode": None},
        )  # fmt: skip
        for changes in cases:
            with self.subTest(changes):
                self.refused(self.create(self.all, parameters=self.given(**changes)), 400, 3)
        detail = self.create(self.all, parameters=self.given(nope=1)).detail
        self.assertEqual(detail, "parameter(s) provided are not required by pipeline: nope")
        self.refused(self.create(self.all), 400, 3)
        self.assertEqual(self.kfp.get("counters")["workflows_created"], 0)

    def test_none_needed(self):
        pipeline = self.pipeline()
        for config in ({}, {"parameters": None}, {"parameters": {}}, None):
            reply = self.create(pipeline, runtime_config=config)
            self.assertEqual(reply.status, 200)
            self.assertNotIn("runtime_config", reply.json)
        root = self.create(pipeline, runtime_config={"pipeline_root": "s3://b/x"}).json
        self.assertEqual(root["runtime_config"], {"pipeline_root": "s3://b/x"})

    def test_twice_the_same_name(self):
        body = '{"display_name":"r","pipeline_version_reference":{"pipeline_id":"%s"},"runtime_config":{"parameters":{"s":"a","s":"b"}}}'
        reply = self.refused(self.post("/runs", body % self.all), 400, 3)
        self.assertNotIn("details", reply.json)

    def test_macros(self):
        self.kfp.post("clock", {"set": "2026-11-21T09:42:29Z", "freeze": True})
        text = "id=[[RunUUID]] now=[[CurrentTime]] day=[[CurrentTime.2006-01-02]] [[ScheduledTime]] [[Index]] [[ RunUUID ]] [[1,2],[3]]"
        given = self.given(s=text, l=["[[RunUUID]]"], m={"k": "[[RunUUID]]"})
        run_id = self.run_id(self.all, parameters=given, run_id="r1")
        self.assertEqual(self.get(f"/runs/{run_id}").json["runtime_config"]["parameters"], given)
        cluster = self.kfp.get("workflows?run_id=r1")["workflows"][0]["parameters"]
        self.assertEqual(
            cluster["s"],
            "id=r1 now=20261121094229 day=2026-11-21 [[ScheduledTime]] [[Index]] [[ RunUUID ]] [[1,2],[3]]",
        )
        self.assertEqual((cluster["l"], cluster["m"]), (given["l"], given["m"]))


class LifeCycle(Case):
    def setUp(self):
        super().setUp()
        self.hello = self.pipeline()
        self.run_1 = self.run_id(self.hello)

    def test_terminate(self):
        self.report(self.run_1, "Running")
        self.assertEqual(self.post(f"/runs/{self.run_1}:terminate").json, {})
        self.assertEqual(self.states(self.run_1), ("CANCELING", ["PENDING", "RUNNING"], NEVER))
        self.assertTrue(self.kfp.get(f"workflows?run_id={self.run_1}")["workflows"][0]["terminated"])
        self.refused(self.post(f"/runs/{self.run_1}:terminate"), 400, 3)
        self.report(self.run_1, "Running")
        self.assertEqual(self.states(self.run_1)[:2], ("CANCELING", ["PENDING", "RUNNING", "CANCELING"]))
        self.report(self.run_1, "Failed", finished_at="2026-08-01T00:00:05Z")
        self.assertEqual(
            self.states(self.run_1), ("FAILED", ["PENDING", "RUNNING", "CANCELING", "FAILED"], "2026-08-01T00:00:05Z")
        )
        self.refused(self.post(f"/runs/{self.run_1}:terminate", "{}"), 400, 3)

    def test_retry(self):
        before = self.kfp.get(f"workflows?run_id={self.run_1}")["workflows"][0]["name"]
        reply = self.refused(self.post(f"/runs/{self.run_1}:retry"), 409, 10)
        self.assertIn("manifest", reply.detail)
        self.report(self.run_1, "Running")
        self.assertEqual(
            self.refused(self.post(f"/runs/{self.run_1}:retry"), 409, 10).detail,
            "Workflow must be Failed/Error to retry",
        )
        self.report(self.run_1, "Error")
        self.assertEqual(self.states(self.run_1)[0], "FAILED")
        self.assertEqual(self.post(f"/runs/{self.run_1}:retry").status, 200)
        self.assertEqual(self.states(self.run_1), ("RUNNING", ["PENDING", "RUNNING", "FAILED", "RUNNING"], NEVER))
        self.refused(self.post(f"/runs/{self.run_1}:retry"), 409, 10)
        self.report(self.run_1, "Succeeded")
        self.assertEqual(self.states(self.run_1)[1], ["PENDING", "RUNNING", "FAILED", "RUNNING", "SUCCEEDED"])
        self.refused(self.post(f"/runs/{self.run_1}:retry"), 409, 10)
        self.assertEqual(self.kfp.get(f"workflows?run_id={self.run_1}")["workflows"][0]["name"], before)

    def test_reports_go_back(self):
        self.report(self.run_1, "Succeeded")
        self.report(self.run_1, "Running")
        self.assertEqual(self.states(self.run_1), ("RUNNING", ["PENDING", "SUCCEEDED", "RUNNING"], NEVER))
        self.report(self.run_1, "Succeeded", finished_at=None)
        self.assertEqual(self.states(self.run_1)[::2], ("SUCCEEDED", NEVER))
        self.report(self.run_1, "")
        self.assertEqual(self.states(self.run_1)[1][-1], None)
        self.assertNotIn("state", self.get(f"/runs/{self.run_1}").json)

    def test_report_entry(self):
        def report(**changes):
            metadata = {"name": "w", "namespace": "kubeflow", "uid": "u", "labels": {"pipeline/runid": "nobody"}}
            manifest = {"metadata": {**metadata, **changes}, "status": {"phase": "Running"}}
            return self.post("/workflows", json.dumps(json.dumps(manifest)))

        self.refused(self.post("/workflows", '{"a": 1}'), 400, 3)
        self.refused(self.post("/workflows", '"{}"'), 400, 3)
        self.refused(self.post("/workflows", '"nope"'), 400, 3)
        self.refused(report(labels={}), 400, 3)
        self.refused(report(), 404, 5)
        now = self.kfp.get("clock")["now"]
        self.refused(report(creationTimestamp=now), 503, 14)
        self.kfp.post("clock", {"advance": 121})
        self.refused(report(creationTimestamp=now), 404, 5)
        self.assertEqual(report(labels={"pipeline/runid": self.run_1}).status, 200)
        self.assertEqual(self.states(self.run_1)[0], "RUNNING")

    def test_orphans_are_removed_after_120_seconds(self):
        self.kfp.post("runs/delete", {"run_id": self.run_1, "workflows": False})
        with self.assertRaises(Exception):
            self.report(self.run_1, "Running")
        self.assertEqual(self.kfp.get("counters")["workflows"], 1)
        self.kfp.post("clock", {"advance": 120})
        with self.assertRaises(Exception):
            self.report(self.run_1, "Running")
        counters = self.kfp.get("counters")
        self.assertEqual((counters["workflows"], counters["orphans_deleted"]), (0, 1))

    def test_archive_and_delete(self):
        for verb, state in (
            ("archive", "ARCHIVED"),
            ("archive", "ARCHIVED"),
            ("unarchive", "AVAILABLE"),
            ("unarchive", "AVAILABLE"),
        ):
            self.assertEqual(self.post(f"/runs/{self.run_1}:{verb}").json, {})
            self.assertEqual(self.get(f"/runs/{self.run_1}").json["storage_state"], state)
        self.post(f"/runs/{self.run_1}:archive")
        self.assertEqual(self.get("/runs").json["total_size"], 1)
        self.assertEqual(self.send("DELETE", f"{API}/runs/{self.run_1}").json, {})
        self.assertEqual(self.kfp.get("counters")["workflows"], 0)
        for method, end in (
            ("POST", ":terminate"),
            ("POST", ":retry"),
            ("POST", ":archive"),
            ("POST", ":unarchive"),
            ("DELETE", ""),
            ("GET", ""),
        ):
            self.refused(self.send(method, f"{API}/runs/{self.run_1}{end}"), 404, 5)

    def test_a_failed_node(self):
        self.report(
            self.run_1, "Failed", nodes=[{"name": "hello", "phase": "Failed", "started_at": "2026-01-01T00:00:00Z"}]
        )
        (task,) = self.get(f"/runs/{self.run_1}").json["run_details"]["task_details"]
        self.assertEqual(
            (task["display_name"], task["state"], task["start_time"]), ("hello", "FAILED", "2026-01-01T00:00:00Z")
        )
        self.assertNotIn("error", task)

    def test_plugins(self):
        run_id = self.run_id(self.hello, plugins_input={"weir": {"decision": "d1"}})
        self.assertEqual(self.get(f"/runs/{run_id}").json["plugins_input"], {"weir": {"decision": "d1"}})
        deep = {"a": 1}
        for _ in range(10):
            deep = {"a": deep}
        for plugins in ({"a": deep}, {"a": {"x": "y" * 65536}}, {f"p{n}": {} for n in range(17)}):
            self.refused(self.create(self.hello, plugins_input=plugins), 400, 3)
        self.refused(self.create(self.hello, plugins_output={"a": {}}), 409, 10)


class FullView(Case):
    settings = {"tasks": True}

    def test_outputs(self):
        run_id = self.run_id(self.pipeline())
        self.report(
            run_id,
            "Succeeded",
            outputs={"score": 3},
            artifacts=[{"name": "model", "uri": "s3://b/m", "type": "system.Model"}],
        )
        self.assertNotIn("tasks", self.get(f"/runs/{run_id}").json)
        (task,) = self.get(f"/runs/{run_id}", view="FULL").json["tasks"]
        self.assertEqual(task["outputs"]["parameters"][0]["value"], 3)
        self.assertEqual(task["outputs"]["artifacts"][0]["artifacts"][0]["uri"], "s3://b/m")
        self.assertEqual(len(self.get("/runs", view="FULL").json["runs"][0]["tasks"]), 1)


if __name__ == "__main__":
    unittest.main()
