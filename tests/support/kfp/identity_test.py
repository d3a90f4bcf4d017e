"""Rule g: multi-user mode."""

import http.client
import json
import unittest

from cases import API, Case, spec


def user(name):
    return {"kubeflow-userid": name}


ALICE, BOB, ADMIN = user("alice"), user("bob"), user("admin")


class MultiUser(Case):
    settings = {"database": "sqlite", "multi_user": True}

    def setUp(self):
        super().setUp()
        self.homes = {}
        for name, home in (("alice", "ns1"), ("bob", "ns2")):
            body = {"display_name": "e", "namespace": home}
            self.homes[name] = self.post("/experiments", body, user(name)).json["experiment_id"]
        self.hello = self.upload(spec(), "hello", ALICE, namespace="ns1").json["pipeline_id"]
        reply = self.run_as("alice", run_id="r1")
        self.assertEqual(reply.status, 200, reply.body)

    def run_as(self, name, home=None, **more):
        body = {
            "display_name": "r",
            "pipeline_version_reference": {"pipeline_id": self.hello},
            "experiment_id": self.homes[home or name],
            **more,
        }
        return self.post("/runs", body, user(name))

    def test_who(self):
        self.assertTrue(self.get("/healthz").json["multi_user"])
        reply = self.refused(self.get("/runs/r1"), 401, 16)
        self.assertIn("Www-Authenticate", reply.headers)
        for headers, status in (
            ({"Authorization": "Bearer nope"}, 401), ({"Authorization": "Bearer tokSA"}, 403), ({"Authorization": "Bearer tokAlice"}, 200),
            ({**ALICE, "Authorization": "Bearer nope"}, 200), ({"x-goog-authenticated-user-email": "accounts.google.com:alice"}, 401),
            (BOB, 403), (ADMIN, 200),
        ):  # fmt: skip
            with self.subTest(headers):
                self.refused(self.get("/runs/r1", headers), status)
        self.assertIn("User 'bob' is not authorized", self.get("/runs/r1", BOB).detail)
        self.refused(self.get("/runs/nope"), 404, 5)

    def test_an_empty_header_crashes_it(self):
        with self.assertRaises((http.client.HTTPException, OSError)):
            self.get("/runs/r1", user(""))
        self.connection.close()
        self.assertEqual(self.kfp.get("counters")["crashes"], 1)
        self.assertEqual(self.get("/runs/r1", ALICE).status, 200)

    def test_what_is_required(self):
        for path in ("/runs", "/experiments", "/recurringruns"):
            self.refused(self.get(path, ALICE), 400, 3)
            self.assertEqual(self.get(path, ALICE, namespace="ns1").status, 200)
            self.refused(self.get(path, ALICE, namespace="ns2"), 403, 7)
        self.assertEqual(self.get("/runs", ALICE, experiment_id=self.homes["alice"]).json["total_size"], 1)
        self.refused(self.post("/experiments", {"display_name": "x"}, ALICE), 400, 3)
        body = {"display_name": "r", "pipeline_version_reference": {"pipeline_id": self.hello}}
        self.refused(self.post("/runs", body, ALICE), 400, 3)
        cron = {"max_concurrency": "1", "trigger": {"cron_schedule": {"cron": "0 0 * * * *"}}}
        self.refused(self.post("/recurringruns", {**body, **cron}, ALICE), 400, 3)

    def test_pipelines(self):
        self.assertEqual(self.upload(spec(), "shared").status, 200)  # nobody is asked who they are
        refused = self.upload(spec(), "x", BOB, namespace="ns1")
        self.assertEqual((refused.status, set(refused.json)), (400, {"error_message", "error_details"}))
        self.assertEqual([row["name"] for row in self.get("/pipelines", ALICE).json["pipelines"]], ["shared"])
        self.assertEqual(
            [row["name"] for row in self.get("/pipelines", ALICE, namespace="ns1").json["pipelines"]], ["hello"]
        )
        self.assertEqual(self.get("/pipelines/names/hello", BOB).json["pipeline_id"], self.hello)
        self.refused(self.get("/pipelines/names/hello", BOB, namespace="ns1"), 403, 7)

    def test_only_the_namespace_of_the_experiment_counts(self):
        self.assertEqual(self.run_as("bob").status, 200)
        self.refused(self.run_as("bob", "alice"), 403, 7)
        self.refused(self.run_as("bob", run_id="r1"), 500, 13)
        self.assertEqual(self.kfp.get("strays?run_id=r1")["strays"], 1)
        self.assertEqual(
            {item["namespace"] for item in self.kfp.get("workflows?run_id=r1")["workflows"]}, {"ns1", "ns2"}
        )
        for verb in ("terminate", "retry", "archive"):
            self.refused(self.post(f"/runs/r1:{verb}", headers=BOB), 403, 7)
        self.refused(self.send("DELETE", f"{API}/runs/r1", headers=BOB), 403, 7)

    def test_reports(self):
        manifest = {
            "metadata": {"name": "w", "namespace": "ns1", "uid": "u", "labels": {"pipeline/runid": "r1"}},
            "status": {"phase": "Running"},
        }
        text = json.dumps(json.dumps(manifest))
        self.refused(self.post("/workflows", text, ALICE), 403, 7)
        self.assertEqual(self.post("/workflows", text, ADMIN).status, 200)

    def test_switched_by_the_test(self):
        self.kfp.post("identity", {"grants": {"bob": ["*"]}, "tokens": {"t": "bob"}})
        self.refused(self.get("/runs/r1", ALICE), 403)
        self.assertEqual(self.get("/runs/r1", {"Authorization": "Bearer t"}).status, 200)
        self.kfp.post("identity", {"multi_user": False})
        self.assertEqual(self.get("/runs/r1").status, 200)


if __name__ == "__main__":
    unittest.main()
