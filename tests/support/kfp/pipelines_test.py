"""Rules c and h: pipelines, versions, uploads, experiments, and the shapes of errors."""

import gzip
import io
import json
import tarfile
import unittest
import zipfile

from cases import API, PLATFORM, Case, spec


def zipped(**files):
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        for name, text in files.items():
            archive.writestr(name.replace("_", "."), text)
    return data.getvalue()


def tarred(name, text):
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w") as archive:
        info = tarfile.TarInfo(name)
        info.size = len(text)
        archive.addfile(info, io.BytesIO(text.encode()))
    return gzip.compress(data.getvalue())


class Uploads(Case):
    def test_forms_of_a_file(self):
        files = (spec(), zipped(pipeline_yaml=spec(), other_txt="x"), zipped(x_yaml=spec()), tarred("p.yaml", spec()))
        for number, data in enumerate(files):
            reply = self.upload(data, f"p{number}")
            self.assertEqual(reply.status, 200, reply.body)
            self.assertEqual(set(reply.json), {"pipeline_id", "display_name", "name", "created_at"})
        self.assertEqual(self.upload(spec(), None, file_name="Bad Name!.yaml").json["name"], "Bad Name!.yaml")
        self.assertEqual(self.upload(spec(), "q", display_name="Shown", description="d").json["display_name"], "Shown")

    def test_errors_have_their_own_shape(self):
        self.pipeline()
        for reply, status in (
            (self.upload(), 409), (self.upload("not: [a pipeline", "x"), 400), (self.upload("a: 1", "x"), 400),
            (self.upload(spec(name="Bad_Name"), "x"), 400), (self.upload(zipped(a_txt="", b_txt=""), "x"), 400),
            (self.upload(spec(), "x", file_name="p.txt"), 400),
            (self.send("POST", API + "/pipelines/upload?name=x", "no form"), 400),
            (self.upload(spec(), "v", path="/pipelines/upload_version", pipelineid="nope"), 400),
            (self.upload(spec(), "v", path="/pipelines/upload_version"), 400),
            (self.upload(spec() + "---\n" + spec(), "x"), 400), (self.upload(spec() + PLATFORM + PLATFORM, "x"), 400),
        ):  # fmt: skip
            self.assertEqual(reply.status, status, reply.body)
            self.assertEqual(set(reply.json), {"error_message", "error_details"})
        long = self.upload(spec(), "n" * 129)
        self.assertEqual((long.status, long.headers["Content-Type"][:10]), (400, "text/plain"))
        self.assertRaises(ValueError, lambda: long.json)
        self.assertEqual(self.upload(spec(), "n" * 128).status, 200)
        self.assertEqual(self.get("/pipelines").json["total_size"], 2)

    def test_shapes_of_the_spec(self):
        version = self.version(self.pipeline(spec("i: {parameterType: NUMBER_INTEGER, defaultValue: 7.0}"), "bare"))
        self.assertEqual(
            set(version["pipeline_spec"]),
            {"pipelineInfo", "schemaVersion", "sdkVersion", "components", "deploymentSpec", "root"},
        )
        self.assertEqual(
            repr(version["pipeline_spec"]["root"]["inputDefinitions"]["parameters"]["i"]["defaultValue"]), "7"
        )
        version = self.version(self.pipeline(spec() + PLATFORM, "two"))
        self.assertEqual(set(version["pipeline_spec"]), {"pipeline_spec", "platform_spec"})
        self.assertIn("kubernetes", version["pipeline_spec"]["platform_spec"]["platforms"])
        old = self.version(
            self.pipeline("apiVersion: argoproj.io/v1alpha1\nkind: Workflow\nmetadata: {generateName: old-}\n", "old")
        )
        self.assertEqual(old["pipeline_spec"]["kind"], "Workflow")

    def version(self, pipeline_id):
        return self.get(f"/pipelines/{pipeline_id}/versions").json["pipeline_versions"][0]


class Pipelines(Case):
    def test_by_name(self):
        pipeline = self.pipeline()
        self.assertEqual(self.get("/pipelines/names/hello", namespace="foo").json["pipeline_id"], pipeline)
        self.assertNotIn("pipeline_spec", self.get("/pipelines/names/hello").json)
        self.refused(self.get("/pipelines/names/nope"), 404, 5)

    def test_versions(self):
        pipeline, other = self.pipeline(), self.pipeline(name="other")
        self.kfp.post("clock", {"advance": 5})
        second = self.upload(spec(), "v2", path="/pipelines/upload_version", pipelineid=pipeline).json[
            "pipeline_version_id"
        ]
        self.assertEqual(self.upload(spec(), "v2", path="/pipelines/upload_version", pipelineid=pipeline).status, 409)
        listed = self.get(f"/pipelines/{pipeline}/versions", sort_by="created_at desc").json
        self.assertEqual([row["name"] for row in listed["pipeline_versions"]], ["v2", "hello"])
        self.assertEqual(self.get(f"/pipelines/any/versions/{second}").json["pipeline_id"], pipeline)
        run = self.create(pipeline).json
        self.assertEqual(run["pipeline_version_reference"]["pipeline_version_id"], second)
        self.refused(self.send("DELETE", f"{API}/pipelines/{pipeline}"), 400, 3)
        self.assertEqual(self.send("DELETE", f"{API}/pipelines/{pipeline}/versions/{second}").json, {})
        self.assertEqual(self.get(f"/runs/{run['run_id']}").json, run)
        self.assertEqual(self.send("DELETE", f"{API}/pipelines/{other}?cascade=true").json, {})
        self.refused(self.get(f"/pipelines/{other}"), 404, 5)

    def test_what_is_500_though_the_client_is_wrong(self):
        pipeline, other = self.pipeline(), self.pipeline(name="other")
        version = self.get(f"/pipelines/{other}/versions").json["pipeline_versions"][0]["pipeline_version_id"]
        empty = self.post("/pipelines", {"display_name": "empty"}).json["pipeline_id"]
        nobody = "00000000-0000-0000-0000-000000000000"
        for reference in ({"pipeline_id": nobody, "pipeline_version_id": version}, {"pipeline_id": pipeline, "pipeline_version_id": version},
                          {"pipeline_id": pipeline, "pipeline_version_id": nobody}, {"pipeline_id": nobody}, {"pipeline_id": empty}, {}):  # fmt: skip
            reply = self.refused(
                self.post("/runs", {"display_name": "x", "pipeline_version_reference": reference}), 500, 13
            )
            self.assertEqual(reply.detail, "Internal Server Error")
        for body in (
            {"display_name": "x"},
            {"display_name": "x", "pipeline_spec": {}},
            {"display_name": "x", "pipeline_spec": {"a": 1}},
        ):
            self.refused(self.post("/runs", body), 500, 13)
        reply = self.post(
            "/runs", {"display_name": "x", "pipeline_version_reference": {"pipeline_version_id": version}}
        )
        self.assertEqual(reply.status, 200)
        self.refused(self.create(pipeline, ""), 500, 13)
        self.refused(self.post("/runs", ""), 500, 13)
        self.assertEqual(self.create(pipeline, "   ").status, 200)
        self.assertEqual(self.strays(), 0)

    def test_inline(self):
        pipeline = self.pipeline(spec() + PLATFORM, "two")
        both = self.get(f"/pipelines/{pipeline}/versions").json["pipeline_versions"][0]["pipeline_spec"]
        for given in (both, both["pipeline_spec"]):
            run = self.post("/runs", {"display_name": "x", "pipeline_spec": given}).json
            self.assertEqual(run["pipeline_spec"], given)
            self.assertNotIn("pipeline_version_reference", run)
        self.refused(self.create(pipeline, pipeline_spec=both), 400, 3)

    def test_by_url_and_updates(self):
        body = {
            "pipeline": {"display_name": "u"},
            "pipeline_version": {"package_url": {"pipeline_url": "https://127.0.0.1/x.yaml"}},
        }
        self.refused(self.post("/pipelines/create", body), 400, 3)
        pipeline = self.pipeline()
        reply = self.send("PATCH", f"{API}/pipelines/{pipeline}", {"display_name": "New", "tags": {"a": "b"}})
        self.assertEqual(
            (reply.json["name"], reply.json["display_name"], reply.json["tags"]), ("hello", "New", {"a": "b"})
        )


class Experiments(Case):
    def test_all(self):
        made = self.post("/experiments", {"display_name": "e", "description": "d"}).json
        self.assertEqual((made["storage_state"], made["last_run_created_at"]), ("AVAILABLE", "1970-01-01T00:00:00Z"))
        self.refused(self.post("/experiments", {"display_name": "E"}), 409, 6)
        self.refused(self.post("/experiments", {"display_name": "n" * 129}), 500, 13)
        self.assertEqual(self.get("/experiments").json["total_size"], 2)  # with Default
        pipeline = self.pipeline()
        for unknown in ("nope", "00000000-0000-0000-0000-000000000000"):
            self.refused(self.create(pipeline, experiment_id=unknown), 404, 5)
        self.refused(self.get("/experiments/nope"), 404, 5)
        run = self.run_id(pipeline, experiment_id=made["experiment_id"])
        self.post(f"/experiments/{made['experiment_id']}:archive")
        self.assertEqual(self.get(f"/runs/{run}").json["storage_state"], "ARCHIVED")
        default = self.create(pipeline).json["experiment_id"]
        self.assertEqual(self.get(f"/experiments/{default}").json["display_name"], "Default")


class Gateway(Case):
    def test_errors_without_details(self):
        pipeline = self.pipeline()
        good = {"display_name": "x", "pipeline_version_reference": {"pipeline_id": pipeline}}
        for body in ("{", "[]", "5", '{"display_name": 5}', '{"state": "NOPE"}', '{"run_id": 5}', '{"runtime_config": {"parameters": {"i": NaN}}}',
                     json.dumps({**good, "nope": 1}), json.dumps({**good, "displayName": "y"}), json.dumps({**good, "created_at": "x"}),
                     b'{"display_name": "\xff"}', '{"display_name": "\\ud800"}'):  # fmt: skip
            with self.subTest(body):
                reply = self.refused(self.post("/runs", body), 400, 3)
                self.assertEqual(set(reply.json), {"code", "message"})
        self.assertEqual(self.get("/nope").json, {"code": 5, "message": "Not Found"})
        for method, path in (
            ("PUT", "/runs"),
            ("PATCH", "/recurringruns/x"),
            ("DELETE", "/runs"),
            ("GET", "/workflows"),
        ):
            reply = self.send(method, API + path, "{}")
            self.assertEqual((reply.status, reply.code), (501, 12))

    def test_what_is_taken(self):
        pipeline = self.pipeline()
        body = {
            "displayName": "x",
            "pipelineVersionReference": {"pipelineId": pipeline},
            "state": 3,
            "description": None,
        }
        self.assertEqual(self.post("/runs", body, {"Content-Type": "text/plain"}).status, 200)
        self.assertEqual(self.get("/experiments", page_size=1).status, 200)
        self.assertEqual(self.get("/recurringruns").json, {})


class MariaDb(Case):
    def test_what_it_cannot_store_leaves_a_stray(self):
        pipeline = self.pipeline()
        good = (("n" * 255, {}), ("Umlaut äöü", {}), ("x", {"parameters": {"msg": "ü"}}))
        for name, more in good:
            self.assertEqual(self.create(pipeline, name, **more).status, 200)
        bad = (
            ("n" * 256, {}),
            ("😀", {}),
            ("x", {"description": "d" * 300}),
            ("x", {"parameters": {"msg": "\U0001f600"}}),
        )
        for number, (name, more) in enumerate(bad, 1):
            self.refused(self.create(pipeline, name, **more), 500, 13)
            self.assertEqual(self.strays(), number)
        escaped = '{"display_name": "\\ud83d\\ude00", "pipeline_version_reference": {"pipeline_id": "%s"}}' % pipeline
        self.refused(self.post("/runs", escaped), 500, 13)


if __name__ == "__main__":
    unittest.main()
