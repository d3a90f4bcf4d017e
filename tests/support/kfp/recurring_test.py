"""Rule f: recurring runs."""

import unittest

from cases import API, Case

CRON = {"cron_schedule": {"cron": "0 0 * * * *"}}


class Recurring(Case):
    def setUp(self):
        super().setUp()
        self.hello = self.pipeline()
        versions = self.get(f"/pipelines/{self.hello}/versions").json["pipeline_versions"]
        self.reference = {"pipeline_id": self.hello, "pipeline_version_id": versions[0]["pipeline_version_id"]}

    def make(self, name="rr", trigger=CRON, **changes):
        body = {"display_name": name, "pipeline_version_reference": self.reference, "max_concurrency": "1", "mode": "ENABLE",
                "trigger": trigger, **changes}  # fmt: skip
        return self.post("/recurringruns", {key: value for key, value in body.items() if value != "missing"})

    def test_shape(self):
        made = self.make().json
        self.assertEqual((made["max_concurrency"], made["status"], made["namespace"], made["service_account"]),
                         ("1", "ENABLED", "kubeflow", "pipeline-runner"))  # fmt: skip
        self.assertEqual(made["trigger"], CRON)
        listed = self.get("/recurringruns").json
        self.assertEqual((listed["recurringRuns"], listed["total_size"]), ([made], 1))
        loose = self.make(pipeline_version_reference={"pipeline_id": self.hello}).json
        self.assertEqual(loose["pipeline_version_reference"], {"pipeline_id": self.hello})
        self.assertNotIn("service_account", loose)
        self.assertEqual(self.make(mode="missing").json["status"], "DISABLED")
        periodic = {"periodic_schedule": {"interval_second": 60, "start_time": "2026-01-01T00:00:00Z"}}
        self.assertEqual(self.make(trigger=periodic).json["trigger"]["periodic_schedule"],
                         {"start_time": "2026-01-01T00:00:00Z", "interval_second": "60"})  # fmt: skip
        own = self.make(recurring_run_id="mine").json["recurring_run_id"]
        self.assertNotEqual(own, "mine")

    def test_taken(self):
        end_first = {
            "cron_schedule": {
                "cron": "0 0 * * * *",
                "start_time": "2027-01-01T00:00:00Z",
                "end_time": "2026-01-01T00:00:00Z",
            }
        }
        for trigger in (CRON, {"cron_schedule": {"cron": "0 0 * * *"}}, {"cron_schedule": {"cron": "@every 1h"}}, {"cron_schedule": {"cron": "@hourly"}},
                        {"cron_schedule": {"cron": "0 0 0 ? * MON-FRI"}}, {}, "missing", end_first):  # fmt: skip
            with self.subTest(trigger):
                self.assertEqual(self.make(trigger=trigger).status, 200)
        self.assertEqual(self.make(max_concurrency=2).json["max_concurrency"], "2")

    def test_refused(self):
        for cron in (
            "nope",
            "0 0 0 * * * 2026",
            "TZ=UTC 0 0 * * * *",
            "",
            "@nope",
            "61 0 * * * *",
            "0 0 5-1 * * *",
            "a 0 * * * *",
        ):
            with self.subTest(cron):
                self.refused(self.make(trigger={"cron_schedule": {"cron": cron}}), 400, 3)
        for changes in ({"max_concurrency": "0"}, {"max_concurrency": "missing"}, {"max_concurrency": "11"},
                        {"trigger": {"periodic_schedule": {"interval_second": "0"}}}, {"trigger": {"periodic_schedule": {"interval_second": -5}}},
                        {"runtime_config": {"parameters": {"zz": 1}}}, {"nope": 1}):  # fmt: skip
            with self.subTest(changes):
                self.refused(self.make(**changes), 400, 3)
        self.refused(self.make(name=""), 500, 13)
        self.refused(self.make(experiment_id="nope"), 404, 5)

    def test_switches_and_end(self):
        made = self.make().json["recurring_run_id"]
        for verb, status in (("disable", "DISABLED"), ("enable", "ENABLED")):
            self.assertEqual(self.post(f"/recurringruns/{made}:{verb}").json, {})
            self.assertEqual(self.get(f"/recurringruns/{made}").json["status"], status)
        self.assertEqual(self.send("DELETE", f"{API}/recurringruns/{made}").json, {})
        self.refused(self.send("DELETE", f"{API}/recurringruns/{made}"), 404, 5)
        self.refused(self.get(f"/recurringruns/{made}"), 404, 5)

    def test_the_same_name_is_the_same_run(self):
        made = self.make().json["recurring_run_id"]
        first = self.create(self.hello, "key-1", recurring_run_id=made).json
        again = self.create(self.hello, "key-1", {"msg": "other"}, recurring_run_id=made).json
        self.assertEqual(first, again)
        self.assertEqual(self.create(self.hello, "key-2", recurring_run_id=made, run_id="own").json["run_id"], "own")
        self.assertEqual(self.create(self.hello, "key-2", recurring_run_id=made).json["run_id"], "own")
        self.assertEqual(self.kfp.get("counters")["workflows_created"], 2)
        self.refused(self.create(self.hello, "key-3", recurring_run_id="nope"), 500, 13)


if __name__ == "__main__":
    unittest.main()
