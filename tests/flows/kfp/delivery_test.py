"""publish(), and the delivery that the report component shares with it, against a stub of weir on loopback."""

import pathlib
import socket
import subprocess
import sys
import tempfile
import traceback
import unittest
from unittest import mock

import weir_kfp as weir
from rig import environment, stub


class Publish(unittest.TestCase):
    def setUp(self):
        self.waits = []
        self.enterContext(mock.patch("time.sleep", self.waits.append))
        self.enterContext(environment(WEIR_SERVER=None, WEIR_TOKEN=None, WEIR_TOKEN_FILE=None))
        self.stub = self.enterContext(stub())

    def publish(self, *arguments, **options):
        return weir.publish(*arguments, **{"server": self.stub.url, **options})

    def test_an_event(self):
        said = self.publish("table.ready", {"rows": 3, "n\u00e4me": None}, subject="orders", id="load-17", source="/etl")
        self.assertEqual(said, ("/etl", "load-17"))
        ((path, headers, body),) = self.stub.requests
        self.assertEqual(path, "/v1/events")
        self.assertEqual(headers["Content-Type"], "application/cloudevents+json; charset=utf-8")
        self.assertNotIn("Authorization", headers)
        self.assertEqual(
            body,
            {
                "specversion": "1.0", "type": "table.ready", "source": "/etl", "id": "load-17", "subject": "orders",
                "datacontenttype": "application/json", "data": {"rows": 3, "n\u00e4me": None},
            },
        )  # fmt: skip

    def test_without_data_and_id(self):
        first, second = self.publish("a"), self.publish("a")
        self.assertNotEqual(first.id, second.id)
        self.assertEqual(sorted(self.stub.requests[0][2]), ["id", "source", "specversion", "type"])
        self.publish("a", None)
        self.assertIsNone(self.stub.requests[2][2]["data"])

    def test_the_same_event_until_it_is_taken(self):
        busy = (503, {"detail": "the queue is full"}, {"Retry-After": "7"})
        self.stub.answers = [busy, None, (500, b"<html>", {}), (429, {}, {})]
        self.publish("a", 1)
        self.assertEqual(len(self.stub.requests), 5)
        self.assertEqual(len({request[2]["id"] for request in self.stub.requests}), 1)
        self.assertEqual(len(self.waits), 4)
        self.assertEqual(self.waits[0], 7)
        self.assertTrue(all(0 < wait <= 60 for wait in self.waits))

    def test_an_answer_that_breaks_off(self):
        short, chunked = {"Content-Length": "99"}, {"Content-Length": "0", "Transfer-Encoding": "chunked"}
        self.stub.answers = [(503, b'{"det', short), (503, b"20\r\nabc", {**chunked, "Connection": "close"}), (202, b'{"reco', short)]
        self.publish("a")
        self.assertEqual(len(self.stub.requests), 4)
        self.stub.answers = [(400, b"20\r\nabc", {**chunked, "Connection": "close"})]
        with self.assertRaisesRegex(weir.PublishError, "answered 400: Bad Request"):
            self.publish("a")
        self.assertEqual(len(self.stub.requests), 5)

    def test_refused_for_good(self):
        cases = [
            (400, {"detail": "type: is empty", "problems": ["first", "second"]}, {}, "400: type: is empty\n  first\n  second"),
            (401, {"detail": "no token"}, {}, "401: no token"),
            (409, {"detail": "other content"}, {}, "409: other content"),
            (501, {"detail": "not built yet"}, {}, "501: not built yet"),
            (302, {}, {"Location": "http://127.0.0.1/login"}, "to http://127.0.0.1/login; give that address itself"),
            (200, {"hello": "proxy"}, {}, "answered 200 instead of 202; is it a weir server?"),
            (202, b"<html>", {}, "answered 202 without a JSON object"),
        ]
        for status, body, headers, words in cases:
            with self.subTest(status):
                self.stub.answers = [(status, body, headers)]
                with self.assertRaises(weir.PublishError) as caught:
                    self.publish("a", id="x")
                self.assertIn(words, str(caught.exception))
                self.assertIn("the event /weir/python x was not published", str(caught.exception))
        self.assertEqual(len(self.stub.requests), len(cases))
        self.assertEqual(self.waits, [])

    def test_nobody_there(self):
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            address = f"http://127.0.0.1:{taken.getsockname()[1]}"
            with self.assertRaisesRegex(weir.PublishError, "no answer of .*refused.*tried for 0 s"):
                weir.publish("a", server=address, retry_for=0)

    def test_the_token(self):
        with tempfile.TemporaryDirectory() as folder:
            file = pathlib.Path(folder) / "token"
            file.write_text("old\n")
            with environment(WEIR_TOKEN="plain", WEIR_SERVER=self.stub.url):
                weir.publish("a")
                with environment(WEIR_TOKEN_FILE=str(file)):
                    weir.publish("a")
                    self.stub.answers = [(503, {}, {})]
                    with mock.patch("time.sleep", lambda _: file.write_text("new\n")):
                        weir.publish("a")
                    weir.publish("a", token="given")
                    file.unlink()
                    with self.assertRaisesRegex(weir.PublishError, "No such file"):
                        weir.publish("a", retry_for=0)
        shown = [headers["Authorization"] for _, headers, _ in self.stub.requests]
        self.assertEqual(shown, ["Bearer " + word for word in ("plain", "old", "old", "new", "given")])

    def test_a_token_that_no_header_can_carry_is_refused_unseen(self):
        with tempfile.TemporaryDirectory() as folder:
            file = pathlib.Path(folder) / "token"
            file.write_bytes(b"s3cret\xff\n")
            cases = [{"token": text} for text in ("s3cret\nline", "s3cret\x00", "s3cret\x7f", "s3cret\u2028x", "s3cret\ud800")]
            for options in [*cases, {"token_file": str(file)}]:
                with self.subTest(options), self.assertRaises(weir.PublishError) as caught:
                    self.publish("a", **options)
                said = "".join(traceback.format_exception(caught.exception))
                self.assertIn("the token holds a control character or one that no header can carry", said)
                self.assertNotIn("s3cret", said.replace(repr(options), ""))
        with self.assertRaisesRegex(ValueError, "token must be text, not int"):
            self.publish("a", token=3)
        self.assertEqual(self.stub.requests, [])
        self.publish("a", token=" s3cret\r\n")
        self.assertEqual(self.stub.requests[0][1]["Authorization"], "Bearer s3cret")

    def test_what_could_never_be_an_event(self):
        cases = [
            (("",), {}, "type of an event"),
            ((3,), {}, "type of an event"),
            (("a",), {"subject": ""}, "subject of an event"),
            (("a", object()), {}, "cannot be written as JSON"),
            (("a", float("inf")), {}, "cannot be written as JSON"),
            (("a", "\ud800"), {}, "cannot be written as JSON"),
            (("a", "x" * (1 << 20)), {}, "weir takes 1048576"),
            (("a",), {"server": "weir:9347"}, "expected http://HOST:PORT"),
            (("a",), {"server": "http://weir:nine"}, "expected http://HOST:PORT"),
            (("a",), {"server": "http://[::1"}, "expected http://HOST:PORT"),
            (("a",), {"server": "http://"}, "expected http://HOST:PORT"),
            (("a",), {"sever": "http://weir"}, 'delivery_test.py:\\d+: weir.publish has no option "sever"; did you mean "server"?'),
            (("a",), {"retry_for": "soon"}, "not a duration"),
        ]
        for arguments, options, words in cases:
            with self.subTest(words), self.assertRaisesRegex(ValueError, words):
                self.publish(*arguments, **options)
        self.assertEqual(self.stub.requests, [])

    def test_kfp_is_not_needed(self):
        text = (
            "import sys; sys.modules['kfp'] = None; sys.modules['yaml'] = None\n"
            f"import weir_kfp as weir; weir.publish('a', server={self.stub.url!r})"
        )
        done = subprocess.run([sys.executable, "-c", text], capture_output=True, text=True, check=False, timeout=60)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(len(self.stub.requests), 1)


if __name__ == "__main__":
    unittest.main()
