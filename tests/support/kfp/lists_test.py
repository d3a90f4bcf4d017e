"""Rule e: filters, sorts, encodings, page tokens; and what the databases do differently."""

import base64
import json
import unittest
import urllib.parse

from cases import API, Case


def predicate(operation, key, **value):
    return {"operation": operation, "key": key, **value}


def filtered(*predicates):
    return json.dumps({"predicates": list(predicates)})


class Lists(Case):
    def setUp(self):
        super().setUp()
        self.kfp.post("clock", {"set": "2026-11-21T00:00:00Z", "freeze": True})
        self.hello = self.pipeline()
        self.experiment = self.post("/experiments", {"display_name": "exp1"}).json["experiment_id"]

    def make(self, *names, **more):
        return [self.run_id(self.hello, name, run_id=f"run-{number}", experiment_id=self.experiment, **more)
                for number, name in enumerate(names)]  # fmt: skip

    def names(self, *predicates, **query):
        reply = self.list(*predicates, **query)
        self.assertEqual(reply.status, 200, reply.body)
        return [run["display_name"] for run in reply.json.get("runs", [])]

    def list(self, *predicates, twice=True, **query):
        """`twice`: the filter is encoded twice, which is right for every value."""
        if predicates:
            text = filtered(*predicates)
            query["filter"] = urllib.parse.quote(text, safe="") if twice else text
        return self.get("/runs", **query)


class Filters(Lists):
    def test_encoded_once_and_twice(self):
        self.make("a+b", "a b", "a%2Bb", "100%")
        for name in ("a+b", "a b", "a%2Bb", "100%"):
            self.assertEqual(self.names(predicate("EQUALS", "display_name", string_value=name)), [name])
        once = {
            name: self.list(predicate("EQUALS", "display_name", string_value=name), twice=False)
            for name in ("a+b", "a%2Bb", "100%")
        }
        self.assertEqual(once["a+b"].json["runs"][0]["display_name"], "a b")
        self.assertEqual(once["a%2Bb"].json["runs"][0]["display_name"], "a+b")
        self.refused(once["100%"], 400, 3)

    def test_times(self):
        runs = self.make("a", "b", "c")
        for number, run in enumerate(runs[:2]):
            self.report(run, "Succeeded", finished_at=f"2026-08-01T00:00:1{number * 2}Z")

        def since(time, **more):
            return self.names(predicate("GREATER_THAN_EQUALS", "finished_at", timestamp_value=time), **more)

        self.assertEqual(since("2026-08-01T00:00:12Z"), ["b"])
        self.assertEqual(since("2026-08-01T00:00:12.5Z"), ["b"])
        self.assertEqual(since("2026-08-01T02:00:12+02:00"), ["b"])
        single = self.list(
            predicate("GREATER_THAN", "finished_at", timestamp_value="2026-08-01T00:00:12+00:00"), twice=False
        )
        self.refused(single, 400, 3)
        self.assertEqual(self.names(sort_by="finished_at asc"), ["c", "a", "b"])
        self.assertEqual(self.names(sort_by="finished_at desc"), ["b", "a", "c"])
        ended = predicate("IN", "state", string_values={"values": ["SUCCEEDED", "FAILED"]})
        self.assertEqual(self.names(ended, predicate("GREATER_THAN", "finished_at", long_value="0")), ["a", "b"])

    def test_words(self):
        self.make("under_score", "underXscore", "CASE", "case", description="corr=7;")
        self.assertEqual(self.names(predicate("EQUALS", "display_name", string_value="Case")), ["CASE", "case"])
        self.assertEqual(self.names(predicate("EQUALS", "display_name", string_value="under_score")), ["under_score"])
        self.assertEqual(
            self.names(predicate("IS_SUBSTRING", "display_name", string_value="R_S")), ["under_score", "underXscore"]
        )
        self.assertEqual(len(self.names(predicate("IS_SUBSTRING", "description", string_value="CORR=7"))), 4)
        self.assertEqual(self.names(predicate("NOT_EQUALS", "state", string_value="PENDING")), [])
        self.assertEqual(len(self.names(predicate("EQUALS", "state", string_value="pending"))), 4)
        self.assertEqual(self.names(predicate("EQUALS", "state", int_value=3)), [])
        self.assertEqual(self.names(predicate("EQUALS", "namespace", string_value="kubeflow")), [])
        self.assertEqual(len(self.names(predicate(1, "display_name", stringValue="case"))), 2)
        self.assertEqual(len(self.names(predicate("EQUALS", "experiment_id", string_value=self.experiment))), 4)

    def test_lists_of_ids(self):
        runs = self.make("a", "b", "c")
        ids = runs[:2] + [f"other-{number}" for number in range(1998)]
        self.assertEqual(self.names(predicate("IN", "run_id", string_values={"values": ids})), ["a", "b"])
        reply = self.list(predicate("IN", "run_id", string_values={"values": []}))
        self.assertEqual(reply.json, {})

    def test_refused(self):
        self.make("a")
        for text in ("xx", "[]", "5", '{"nope": 1}', '{"predicates": [{"key": "state", "string_value": "x"}]}', "{} x",
                     '{"predicates": [{"operation": "EQUALS", "string_value": "x"}]}'):  # fmt: skip
            with self.subTest(text):
                self.refused(self.get("/runs", filter=text), 400, 3)
        for wrong in (
            predicate("EQUALS", "nope", string_value="x"), predicate("EQUALS", "pipeline_id", string_value="x"),
            predicate("EQUALS", "display_name"), predicate("IN", "run_id", string_value="x"),
            predicate("EQUALS", "run_id", string_values={"values": ["x"]}), predicate("IS_SUBSTRING", "state", int_value=1),
            predicate("NOPE", "state", string_value="x"), predicate(4, "state", string_value="x"),
            predicate("GREATER_THAN", "created_at", timestamp_value="yesterday"),
            predicate("EQUALS", "state", string_value="x", int_value=1),
        ):  # fmt: skip
            with self.subTest(wrong):
                self.refused(self.list(wrong), 400, 3)
        self.assertEqual(self.get("/runs", filter="{}").status, 200)


class Sorts(Lists):
    def test_keys(self):
        self.make("b", "a")
        self.assertEqual(self.names(sort_by="name"), ["a", "b"])
        self.assertEqual(self.names(sort_by="DISPLAY_NAME DESC"), ["b", "a"])
        for key in (
            "display_name",
            "name",
            "description",
            "state",
            "storage_state",
            "run_id",
            "created_at",
            "scheduled_at",
            "finished_at",
        ):
            self.assertEqual(self.get("/runs", sort_by=key, page_size=1).status, 200, key)
        for key in ("experiment_id", "metric:x", "nope", "name down", "name asc x"):
            self.refused(self.get("/runs", sort_by=key, page_size=1), 400, 3)
        self.assertEqual(len(self.names(sort_by="", filter="", page_token="")), 2)

    def test_sizes(self):
        self.make(*(str(number) for number in range(21)))
        self.kfp.post("runs/insert", {"count": 200, "experiment_id": self.experiment})
        sizes = [len(self.names(**query)) for query in ({}, {"page_size": 0}, {"page_size": 1000}, {"pageSize": 3})]
        self.assertEqual(sizes, [20, 20, 200, 3])
        self.assertEqual(self.get("/runs").json["total_size"], 221)
        self.refused(self.get("/runs", page_size=-1), 400, 3)
        reply = self.refused(self.get("/runs", page_size="abc"), 400, 3)
        self.assertNotIn("details", reply.json)
        self.assertEqual(self.get("/runs", nope=1, namespace="foo").status, 200)
        self.refused(self.get("/runs", experiment_id="nope"), 404, 5)


class Tokens(Lists):
    def setUp(self):
        super().setUp()
        for run in self.make(*"abcde"):
            self.report(run, "Succeeded", finished_at="2026-08-01T00:00:10Z")
        self.run_id(self.hello, "other", run_id="run-9")
        self.report("run-9", "Succeeded", finished_at="2026-08-01T00:00:10Z")
        self.mine = {"page_size": 2, "experiment_id": self.experiment}

    def walk(self, *predicates, **query):
        found, reply = [], self.list(*predicates, **self.mine, **query).json
        while True:
            found += [run["display_name"] for run in reply["runs"]]
            self.assertEqual(reply["total_size"], 5)
            if "next_page_token" not in reply:
                return found
            reply = self.get("/runs", page_token=reply["next_page_token"], **self.mine).json

    def test_token_alone_always_works(self):
        state = predicate("IN", "state", string_values={"values": ["SUCCEEDED"]})
        since = predicate("GREATER_THAN_EQUALS", "finished_at", timestamp_value="2026-01-01T00:00:00Z")
        for predicates in ((), (state,), (since,), (state, since)):
            self.assertEqual(self.walk(*predicates, sort_by="finished_at asc"), list("abcde"))
        self.assertEqual(self.walk(sort_by="name desc"), list("edcba"))

    def second(self, *predicates, **query):
        """The second page, asked for with the same criteria again."""
        token = self.list(*predicates, **self.mine, **query).json["next_page_token"]
        return self.list(*predicates, **self.mine, page_token=token, **query)

    def test_same_criteria_again(self):
        for good in (
            predicate("EQUALS", "state", string_value="SUCCEEDED"),
            predicate("IS_SUBSTRING", "description", string_value=""),
        ):
            self.assertEqual(self.second(good, sort_by="finished_at asc").status, 200, good)
        self.assertEqual(self.second(sort_by="finished_at asc").status, 200)
        for bad in (
            predicate("GREATER_THAN_EQUALS", "finished_at", timestamp_value="2026-01-01T00:00:00Z"),
            predicate("GREATER_THAN", "finished_at", long_value="0"),
            predicate("IN", "state", string_values={"values": ["SUCCEEDED"]}),
        ):
            self.refused(self.second(bad), 400, 3)

    def test_other_criteria(self):
        token = self.list(**self.mine, sort_by="finished_at asc").json["next_page_token"]
        self.refused(self.get("/runs", page_token=token, sort_by="created_at"), 400, 3)
        self.refused(self.get("/runs", page_token=token, sort_by="finished_at desc"), 400, 3)
        self.refused(self.list(predicate("EQUALS", "state", string_value="SUCCEEDED"), page_token=token), 400, 3)

    def test_experiment_is_not_in_the_token(self):
        token = self.list(**self.mine).json["next_page_token"]
        self.assertEqual(self.names(page_token=token), ["c", "d", "e", "other"])

    def test_bad_tokens(self):
        for token in ("nope", "e30", base64.b64encode(b"[]").decode(), base64.b64encode(b"{").decode()):
            self.refused(self.get("/runs", page_token=token), 400, 3)
        self.refused(self.get("/runs", page_token=base64.b64encode(b'{"a":1}').decode(), page_size=1), 400, 3)


class Sqlite(Filters):
    settings = {"database": "sqlite"}

    def test_words(self):
        self.make("CASE", "case", "under_score", "underXscore")
        self.assertEqual(self.names(predicate("EQUALS", "display_name", string_value="case")), ["case"])
        self.assertEqual(self.names(predicate("EQUALS", "state", string_value="pending")), [])
        self.assertEqual(
            self.names(predicate("IS_SUBSTRING", "display_name", string_value="R_s")), ["under_score", "underXscore"]
        )
        self.assertEqual(self.send("GET", f"{API}/runs?filter=").status, 200)


if __name__ == "__main__":
    unittest.main()
