"""This server held against the recordings of the genuine one, and the holding itself: it must be able to fail.

The recordings' folder is named by WEIR_CONFORMANCE (else ../shared/conformance beside the source tree). Our own exchanges
(own_exchanges.py) are held with it and without it."""

import json
import os
import pathlib
import tempfile
import unittest
import unittest.mock

import cases  # noqa: F401  puts this folder on the path
import held_against
import own_exchanges
from holding import target
from scripted import server

SOURCE = pathlib.Path(__file__).resolve().parents[3]
FOLDER = pathlib.Path(os.environ.get("WEIR_CONFORMANCE") or SOURCE.parent / "shared" / "conformance") / "kfp-server"
MULTI_USER = "g-multiuser.jsonl"
AS_ADMIN = {"kubeflow-userid": "admin"}


def exchange(name, method, path, status, answer, body=None):
    return {
        "name": name,
        "request": {"method": method, "path": "/apis/v2beta1" + path, "headers": {}, "body": body if body is None else json.dumps(body)},
        "response": {
            "status": status, "headers": {"Content-Type": "application/json", "Date": "Sat, 21 Nov 2026 09:42:23 GMT"},
            "body": json.dumps(answer),
        },
    }  # fmt: skip


ID = "951f01f1-c4c0-493a-83cd-915e0383929c"
MADE = {
    "experiment_id": ID, "display_name": "e", "created_at": "2026-11-21T09:42:23Z", "storage_state": "AVAILABLE",
    "last_run_created_at": "1970-01-01T00:00:00Z",
}  # fmt: skip
GONE = {
    "code": 5,
    "message": "whatever",
    "details": [{"@type": "type.googleapis.com/google.rpc.Status", "code": 5, "message": "x"}],
}


class Holding(unittest.TestCase):
    def hold(self, *exchanges):
        with tempfile.TemporaryDirectory() as folder, server.Scripted() as kfp:
            file = pathlib.Path(folder) / "own.jsonl"
            file.write_text("".join(json.dumps(item) + "\n" for item in exchanges))
            return held_against.hold(kfp.url, [file])

    def test_what_is_the_same(self):
        done = self.hold(
            exchange("make", "POST", "/experiments", 200, MADE, {"display_name": "e"}),
            exchange("get", "GET", f"/experiments/{ID}", 200, MADE),
            exchange("other", "GET", "/experiments/00000000-0000-0000-0000-000000000000", 404, GONE),
        )
        self.assertEqual((done.differences, done.held), ([], 3))

    def test_what_differs_is_found(self):
        for change in (
            {"display_name": "f"},
            {"last_run_created_at": "2026-11-21T09:42:23Z"},
            {"extra": 1},
            {"created_at": 5},
            {"created_at": "now"},
        ):
            done = self.hold(exchange("make", "POST", "/experiments", 200, {**MADE, **change}, {"display_name": "e"}))
            self.assertEqual(len(done.differences), 1, change)
        less = {name: value for name, value in MADE.items() if name != "storage_state"}
        for status, answer in ((200, less), (409, GONE)):
            done = self.hold(exchange("make", "POST", "/experiments", status, answer, {"display_name": "e"}))
            self.assertEqual(len(done.differences), 1)
        done = self.hold(exchange("none", "GET", "/experiments/x", 404, {**GONE, "code": 6}))
        self.assertIn(".code: recorded 6, answered 5", done.differences[0])


    def test_reports_between_the_lines(self):
        """A run that nothing recorded made, moved by a report that was not recorded either."""
        then = "2026-11-21T09:42:23Z"
        run = {
            "experiment_id": "951f01f1-c4c0-493a-83cd-915e03839290", "run_id": ID, "display_name": "x",
            "storage_state": "AVAILABLE", "service_account": "pipeline-runner", "created_at": then, "scheduled_at": then,
            "pipeline_spec": {"pipelineInfo": {"name": "a"}, "schemaVersion": "2.1.0", "root": {}},
            "finished_at": "1970-01-01T00:00:00Z", "state": "RUNNING",
            "state_history": [{"update_time": then, "state": "PENDING"}, {"update_time": then, "state": "RUNNING"}],
        }  # fmt: skip
        get = exchange("get", "GET", f"/runs/{ID}", 200, run)
        done = self.hold(get)
        self.assertEqual((done.differences, done.held), ([], 1))
        # Without a cluster side nobody can say how it fares, and everything else is held all the same.
        with unittest.mock.patch.object(target.Target, "has_control", return_value=False):
            done = self.hold(get, get)
            self.assertEqual((done.differences, done.held, done.masked), ([], 2, 2))
            wrong = {**run, "display_name": "y", "state": 5}
            listed = exchange("list", "GET", "/runs", 200, {"runs": [wrong], "total_size": 1})
            done = self.hold(get, listed)
        self.assertEqual(done.held, 1)
        self.assertEqual(len(done.differences), 2, done.differences)


class Recordings(unittest.TestCase):
    def test_our_own(self):
        for database in ("mariadb", "sqlite"):
            with (
                self.subTest(database),
                tempfile.TemporaryDirectory() as folder,
                server.Scripted(database=database) as kfp,
            ):
                self.check(held_against.hold(kfp.url, [own_exchanges.write(folder)]))

    def test_one_server_after_another_file(self):
        """All files in the order they were made: each stands on those before it."""
        files = sorted(FOLDER.glob("*.jsonl"), key=lambda file: (file.name.startswith("e2"), file.name))
        files = [file for file in files if file.name != MULTI_USER]
        if files:
            with server.Scripted() as kfp:
                self.check(held_against.hold(kfp.url, files))

    def test_a_fresh_server_for_each_file(self):
        for file in sorted(FOLDER.glob("*.jsonl")):
            several = file.name == MULTI_USER
            with (
                self.subTest(file.name),
                server.Scripted(database="sqlite" if several else "mariadb", multi_user=several) as kfp,
            ):
                self.check(held_against.hold(kfp.url, [file], AS_ADMIN if several else None))

    def check(self, done):
        self.assertEqual(done.differences, [])
        self.assertEqual(done.not_held, [])
        self.assertEqual(done.held, len(done.exchanges))
        self.assertGreater(done.held, 0)


if __name__ == "__main__":
    unittest.main()
