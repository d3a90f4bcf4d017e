"""What tests in Python do to NATS and Kafka past weir: streams, raw messages, purges, topics.

    with NatsClient(server.port) as nats:
        nats.make("ORDERS", ["orders.>"])
        nats.publish("orders.x", b"...", {"ce-id": "1"})      # acknowledged by the stream

Python's standard library only: NATS speaks lines of text; Kafka is asked through the program kafka-admin. What fails
raises ClientError. Thread: one client is used by one thread at a time. A client does not outlive its server: make a new
one after a restart.
"""

import base64
import json
import socket
import subprocess

ANSWER_SECONDS = 30


class ClientError(RuntimeError):
    """The server refused it, or did not answer."""


class NatsClient:
    """One connection to a nats-server; requests to JetStream as JSON."""

    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=ANSWER_SECONDS)
        self.lines = self.socket.makefile("rb")
        self.asked = 0
        self.lines.readline()  # INFO
        options = {"verbose": False, "pedantic": False, "headers": True, "no_responders": True}
        self._send(f"CONNECT {json.dumps(options)}\r\nSUB _INBOX.test.* 1\r\n".encode())

    def __enter__(self):
        return self

    def __exit__(self, *fault):
        self.close()

    def close(self):
        self.lines.close()
        self.socket.close()

    def _send(self, data):
        try:
            self.socket.sendall(data)
        except OSError as fault:
            raise ClientError(f"nats: {fault}") from None

    def _answer(self):
        """The next message: (its subject, its headers' text, its body)."""
        while True:
            try:
                words = self.lines.readline().split()
            except OSError as fault:
                raise ClientError(f"nats: {fault}") from None
            if not words:
                raise ClientError("nats: the connection was closed")
            if words[0] == b"PING":
                self._send(b"PONG\r\n")
            elif words[0] == b"-ERR":
                raise ClientError(f"nats: {b' '.join(words).decode()}")
            elif words[0] in (b"MSG", b"HMSG"):
                whole = self.lines.read(int(words[-1]) + 2)[:-2]
                cut = int(words[-2]) if words[0] == b"HMSG" else 0
                return words[1].decode(), whole[:cut].decode(), whole[cut:]

    def _publish(self, subject, body, headers):
        self.asked += 1
        inbox = f"_INBOX.test.{self.asked}"
        if headers:
            head = ("NATS/1.0\r\n" + "".join(f"{k}: {v}\r\n" for k, v in headers.items()) + "\r\n").encode()
            begin = f"HPUB {subject} {inbox} {len(head)} {len(head) + len(body)}\r\n".encode() + head
        else:
            begin = f"PUB {subject} {inbox} {len(body)}\r\n".encode()
        self._send(begin + body + b"\r\n")
        return inbox

    def _ask(self, subject, body, headers=None):
        inbox = self._publish(subject, body, headers)
        while True:
            to, head, answer = self._answer()
            if to != inbox:
                continue
            if "503" in head:
                raise ClientError(f"nats: nobody answers to {subject}")
            answer = json.loads(answer)
            if "error" in answer:
                raise ClientError(f"nats: {subject}: {answer['error']}")
            return answer

    def publish(self, subject, body=b"", headers=None):
        """The sequence under which a stream took it."""
        return self._ask(subject, body, headers)["seq"]

    def stream_call(self, verb, stream, **request):
        return self._ask(f"$JS.API.STREAM.{verb}.{stream}", json.dumps(request).encode())

    def make(self, stream, subjects, **settings):
        fixed = {"name": stream, "subjects": subjects, "retention": "limits", "storage": "file"}
        return self.stream_call("CREATE", stream, **fixed, **settings)

    def remove(self, stream):
        self.stream_call("DELETE", stream)

    def purge(self, stream, **request):
        """`seq`: all before this sequence; `keep`: all but the newest so many."""
        self.stream_call("PURGE", stream, **request)

    def message(self, stream, seq):
        """The body of one message."""
        return base64.b64decode(self.stream_call("MSG.GET", stream, seq=seq)["message"].get("data", ""))


class KafkaClient:
    """The program kafka-admin as a child."""

    def __init__(self, program, url):
        self.process = subprocess.Popen([program, url], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def __enter__(self):
        return self

    def __exit__(self, *fault):
        self.close()

    def close(self):
        if self.process.poll() is None:
            self.process.stdin.close()
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self.process.stdout.close()

    def _do(self, what, topic, **request):
        self.process.stdin.write(json.dumps({"do": what, "topic": topic, **request}) + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        answer = json.loads(line) if line else {"ok": False, "error": "kafka-admin ended"}
        if not answer["ok"]:
            raise ClientError(answer["error"])

    def make(self, topic, partitions=1, **settings):
        self._do("make", topic, partitions=partitions, settings=settings)

    def remove(self, topic):
        self._do("remove", topic)

    def grow(self, topic, partitions):
        self._do("grow", topic, partitions=partitions)

    def drop_before(self, topic, offset, partition=0):
        self._do("drop_before", topic, partition=partition, offset=offset)

    def produce(self, topic, records, partition=0):
        """`records`: [{"headers": {}, "key": "", "body": ""}]; all are acknowledged when it returns."""
        self._do("produce", topic, partition=partition, records=records)
