"""The server as a process, and its HTTP: keep-alive, chunks, TLS, a base path, many connections."""

import http.client
import json
import pathlib
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import unittest

from cases import API, Case, form, spec

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "brokers"))
import security  # noqa: E402


class Wire(Case):
    settings = {"base": "/pipeline"}

    def test_base_path(self):
        self.assertEqual(self.send("GET", f"/pipeline{API}/healthz").status, 200)
        self.assertEqual(self.get("/healthz").status, 404)
        self.assertEqual(self.send("GET", "/_control/clock").status, 200)


class Http(Case):
    def raw(self, *parts):
        """Everything that comes back until the connection ends."""
        with socket.create_connection(("127.0.0.1", self.kfp.port), timeout=20) as connection:
            for part in parts:
                connection.sendall(part)
            connection.shutdown(socket.SHUT_WR)
            data = b""
            while piece := connection.recv(65536):
                data += piece
        return data

    def test_chunks_and_keep_alive(self):
        body = json.dumps({"display_name": "e"}).encode()
        head = f"POST {API}/experiments HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n".encode()
        chunks = b"%x\r\n%s\r\n3;x=y\r\n   \r\n0\r\n\r\n" % (len(body), body)
        last = f"GET {API}/healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode()
        data = self.raw(head, chunks, last)
        self.assertEqual(data.count(b"HTTP/1.1 200 OK"), 2)
        self.assertIn(b"Connection: close", data)

    def test_long_answers_come_in_chunks(self):
        self.kfp.post("runs/insert", {"count": 50})
        self.connection.request("GET", API + "/runs?page_size=50")
        reply = self.connection.getresponse()
        self.assertEqual((reply.headers["Transfer-Encoding"], len(json.loads(reply.read())["runs"])), ("chunked", 50))

    def test_no_http(self):
        for text in (b"nonsense\r\n\r\n", b"GET / HTTP/1.1\r\nno header\r\n\r\n", b"POST / HTTP/1.1\r\nContent-Length: x\r\n\r\n",
                     b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", b"GET / HT"):  # fmt: skip
            self.assertIn(b" 400 ", self.raw(text)[:20])
        self.assertEqual(self.raw(b"POST / HTTP/1.1\r\nContent-Length: 5\r\n\r\nab"), b"")

    def test_forty_in_flight(self):
        self.kfp.post("faults", {"path": "/healthz", "do": "delay", "delay": 0.2, "times": None})
        done = []

        def ask():
            connection = http.client.HTTPConnection("127.0.0.1", self.kfp.port, timeout=20)
            for _ in range(2):
                connection.request("GET", API + "/healthz")
                done.append(connection.getresponse().read())
            connection.close()

        threads = [threading.Thread(target=ask) for _ in range(40)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(len(done), 80)
        self.assertGreater(self.kfp.get("counters")["most_in_flight"], 1)


class Process(unittest.TestCase):
    def start(self, *words):
        process = subprocess.Popen(
            [sys.executable, HERE / "serve.py", *words], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self.addCleanup(process.stdout.close)
        self.addCleanup(process.wait, 20)
        self.addCleanup(process.stdin.close)
        return process, json.loads(process.stdout.readline())

    def test_ends_with_stdin_and_by_sigterm(self):
        process, said = self.start(
            "--database", "sqlite", "--multi-user", "--tag", "2.18.0", "--base-path", "/p", "--autorun", "{}"
        )
        connection = http.client.HTTPConnection("127.0.0.1", said["port"], timeout=20)
        connection.request("GET", f"/p{API}/healthz")
        answer = json.loads(connection.getresponse().read())
        self.assertEqual((answer["tag_name"], answer["multi_user"], said["url"][-2:]), ("2.18.0", True, "/p"))
        connection.close()
        process.stdin.close()
        self.assertEqual(process.wait(20), 0)
        process, said = self.start()
        process.send_signal(signal.SIGTERM)
        self.assertEqual(process.wait(20), 0)

    def test_what_cannot_start_says_so(self):
        with socket.create_server(("127.0.0.1", 0)) as taken:
            process, said = self.start("--port", str(taken.getsockname()[1]))
            self.assertFalse(said["ok"])
            self.assertEqual(process.wait(20), 1)

    def test_tls(self):
        with tempfile.TemporaryDirectory(prefix="weir-kfp-") as folder:
            keys = security.make_certificates(pathlib.Path(folder) / "keys")
            process, said = self.start(
                "--certificate",
                str(keys / "server.pem"),
                "--key",
                str(keys / "server.key"),
                "--client-ca",
                str(keys / "ca.pem"),
            )
            context = ssl.create_default_context(cafile=str(keys / "ca.pem"))
            bare = http.client.HTTPSConnection("127.0.0.1", said["port"], context=context, timeout=20)
            with self.assertRaises((OSError, http.client.HTTPException)):
                bare.request("GET", API + "/healthz")
                bare.getresponse()
            bare.close()
            context.load_cert_chain(keys / "client.pem", keys / "client.key")
            known = http.client.HTTPSConnection("127.0.0.1", said["port"], context=context, timeout=20)
            body, headers = form(spec())
            known.request("POST", API + "/pipelines/upload?name=x", body, headers)
            self.assertEqual(known.getresponse().status, 200)
            known.close()
            process.stdin.close()
            self.assertEqual(process.wait(20), 0)


if __name__ == "__main__":
    unittest.main()
