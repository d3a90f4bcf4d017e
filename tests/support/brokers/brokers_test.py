"""The brokers of this folder do what tests of weir rely on. `brokers_test.py`; WEIR_BROKERS says where they are."""

import json
import os
import pathlib
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import time
import unittest

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
import brokers  # noqa: E402
from proxy import Proxy  # noqa: E402

EVERY = (("nats", "debian"), ("nats", "current"), ("kafka", "3.9"), ("kafka", "4.x"))
A_MOMENT = 0.06  # longer than is needed, where nothing must come


def exists(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def gone(pid, seconds=30):
    """True once there is no such process, nor a zombie that nobody will wait for here."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        try:
            state = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except (FileNotFoundError, ProcessLookupError):
            return True
        if state == "Z":
            return True
        time.sleep(0.01)
    return False


class Wire:
    """The few words of a broker's protocol that show whether it answers, and whether it kept its data."""

    def __init__(self, kind, port, login='"verbose":false'):
        self.kind = kind
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=60)
        self.lines = self.socket.makefile("rb")
        self.number = 0
        if kind == "nats":
            self.lines.readline()  # INFO
            self.socket.sendall(f"CONNECT {{{login}}}\r\nPING\r\n".encode())
            try:
                self.until(b"PONG")
            except ConnectionError:
                self.close()
                raise

    def use(self, wrapped):
        self.lines.close()
        self.socket, self.lines = wrapped, wrapped.makefile("rb")

    def close(self):
        self.lines.close()
        self.socket.close()

    def until(self, word):
        for line in iter(self.lines.readline, b""):
            if line.startswith(word):
                return line
        raise ConnectionError("the server closed the connection")

    def ask(self, subject, body=b""):
        """One request of JetStream and its answer."""
        self.number += 1
        inbox = f"_INBOX.test.{self.number}"
        self.socket.sendall(
            f"SUB {inbox} {self.number}\r\nPUB {subject} {inbox} {len(body)}\r\n".encode() + body + b"\r\n"
        )
        size = int(self.until(b"MSG").split()[-1])
        return json.loads(self.lines.read(size + 2))

    def api_versions(self):
        """Kafka answers what it can do: ApiVersions, version 0, without a client's name."""
        request = struct_of(18, 0, 7)
        self.socket.sendall(len(request).to_bytes(4, "big") + request)
        size = int.from_bytes(self.lines.read(4), "big")
        answer = self.lines.read(size)
        return int.from_bytes(answer[:4], "big") == 7 and int.from_bytes(answer[4:6], "big") == 0

    def alive(self):
        if self.kind == "kafka":
            return self.api_versions()
        return self.ask("$JS.API.INFO")["type"] == "io.nats.jetstream.api.v1.account_info_response"


def struct_of(key, version, correlation):
    return key.to_bytes(2, "big") + version.to_bytes(2, "big") + correlation.to_bytes(4, "big") + b"\xff\xff"


class Folder(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="weir-brokers-test-"))
        self.addCleanup(shutil.rmtree, self.folder)

    def alive(self, server, login='"verbose":false'):
        wire = Wire(server.kind.split("-")[0], server.port, login)
        try:
            return wire.alive()
        finally:
            wire.close()

    def life(self, kind, version):
        """Everything that can be done to one server."""
        with brokers.server(kind, version, self.folder) as server:
            seconds = server.start()
            first, port = server.pid, server.port
            self.assertTrue(self.alive(server))
            identity = self.identity(server)
            server.kill9()
            self.assertFalse(exists(first))
            self.assertFalse(brokers.answers(port))
            again = server.start()
            self.assertEqual((server.port, self.identity(server)), (port, identity))
            self.assertTrue(self.alive(server))
            self.frozen(server, kind)
            server.snapshot()
            self.assertTrue(self.alive(server))
            stopped = time.monotonic()
            server.terminate()
            stopped = time.monotonic() - stopped
            server.rollback()
            server.start()
            self.assertEqual(self.identity(server), identity)
            server.wipe()
            server.start()
            self.assertTrue(self.alive(server))
            if kind == "kafka":
                self.assertNotEqual(self.identity(server), identity)
            last = server.pid
        self.assertFalse(exists(last))
        print(f"{kind} {version}: started in {seconds:.2f} s, after a kill in {again:.2f} s, stopped in {stopped:.2f} s")

    def frozen(self, server, kind):
        """A frozen server takes connections and answers nothing until it is thawed."""
        wire = Wire(kind, server.port)
        server.freeze()
        answered = []
        asking = threading.Thread(target=lambda: answered.append(wire.alive()))
        asking.start()
        asking.join(A_MOMENT)
        self.assertTrue(asking.is_alive())
        server.thaw()
        asking.join(60)
        self.assertEqual(answered, [True])
        wire.close()

    def identity(self, server):
        """Kafka's cluster id; NATS has none."""
        file = server.data / "meta.properties"
        return [line for line in file.read_text().splitlines() if "cluster.id" in line] if file.exists() else None

    def jetstream(self, version):
        """What was acknowledged survives a kill; after a rollback its sequences are given out again."""
        with brokers.server("nats", version, self.folder) as server:
            server.start()
            wire = Wire("nats", server.port)
            stream = {"name": "S", "subjects": ["s"], "storage": "file", "retention": "limits"}
            self.assertNotIn("error", wire.ask("$JS.API.STREAM.CREATE.S", json.dumps(stream).encode()))
            sequences = [wire.ask("s", b"x")["seq"] for _ in range(3)]
            server.snapshot()
            sequences.append(wire.ask("s", b"y")["seq"])
            self.assertEqual(sequences, [1, 2, 3, 4])
            wire.close()
            server.kill9()
            server.start()
            wire = Wire("nats", server.port)
            self.assertEqual(wire.ask("$JS.API.STREAM.INFO.S")["state"]["last_seq"], 4)
            wire.close()
            server.rollback()
            server.start()
            wire = Wire("nats", server.port)
            self.assertEqual(wire.ask("s", b"z")["seq"], 4)
            wire.close()

    def test_jetstream_of_debian(self):
        self.jetstream("debian")

    def test_jetstream_of_now(self):
        self.jetstream("current")

    def test_kafka_tells_the_advertised_port(self):
        with brokers.server("kafka", "4.x", self.folder) as server:
            server.advertised = 4242
            self.assertIn("BROKER://127.0.0.1:4242", server.properties()["advertised.listeners"])
            self.assertEqual(server.url, "127.0.0.1:4242")

    def test_kafka_is_secured(self):
        secure = {"tls": True, "client_certificate": True, "sasl": "SCRAM-SHA-512", "user": "u", "password": "p"}
        with brokers.server("kafka", "4.x", self.folder, secure=secure) as server:
            server.start()
            # Its listener speaks TLS, to those that our authority signed; what is left to clients is SASL.
            self.assertTrue(self.speaks_tls(server, "client"))
            self.assertFalse(self.speaks_tls(server, "stranger"))

    def speaks_tls(self, server, client):
        context = ssl.create_default_context(cafile=server.certificates / "ca.pem")
        context.load_cert_chain(server.certificates / f"{client}.pem", server.certificates / f"{client}.key")
        wire = Wire("kafka", server.port)
        try:
            wire.use(context.wrap_socket(wire.socket, server_hostname="localhost"))
            return wire.api_versions()
        except (ssl.SSLError, ConnectionError):
            return False
        finally:
            wire.close()

    def test_nats_asks_for_a_password(self):
        with brokers.server("nats", "debian", self.folder, secure={"user": "u", "password": "p"}) as server:
            server.start()
            self.assertTrue(self.alive(server, '"user":"u","pass":"p"'))
            with self.assertRaises(ConnectionError):
                self.alive(server, '"user":"u","pass":"q"')

    def test_what_cannot_be_secured(self):
        with brokers.server("nats", "debian", self.folder, secure={"sasl": "PLAIN"}) as server:
            with self.assertRaisesRegex(brokers.BrokerError, "knows no setting sasl"):
                server.start()

    def test_a_wrong_configuration_is_told(self):
        with brokers.server("nats", "debian", self.folder, config="no_such_setting: 1") as server:
            with self.assertRaisesRegex(brokers.BrokerError, "no_such_setting"):
                server.start()
            self.assertFalse(server.running())

    def test_no_such_version(self):
        with self.assertRaisesRegex(brokers.BrokerError, "there are debian, current"):
            brokers.server("nats", "7", self.folder)
        with self.assertRaisesRegex(brokers.BrokerError, "no kind of broker 'rabbit'"):
            brokers.server("rabbit", "1", self.folder)

    def test_ports_are_taken_once(self):
        first = brokers.ReservedPort()
        with self.assertRaisesRegex(brokers.BrokerError, "in use"):
            brokers.ReservedPort(first.number)
        first.release()
        second = brokers.ReservedPort(first.number)
        second.release()

    def child(self, version, *more):
        words = [sys.executable, HERE / "serve.py", "nats", version, "--folder", self.folder, *more]
        child = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.addCleanup(child.stdout.close)
        child.stdin.write('{"do": "start"}\n')
        child.stdin.flush()
        return child, json.loads(child.stdout.readline())

    def test_a_server_ends_with_its_child_program(self):
        child, said = self.child("debian")
        self.assertTrue(said["ok"] and exists(said["pid"]))
        child.stdin.close()
        self.assertEqual(child.wait(30), 0)
        self.assertFalse(exists(said["pid"]))

    def test_a_server_ends_with_a_killed_child_program(self):
        for end in (signal.SIGKILL, signal.SIGTERM):
            with self.subTest(end):
                child, said = self.child("current")
                child.send_signal(end)
                child.wait(30)
                child.stdin.close()
                self.assertTrue(gone(said["pid"]))

    def test_a_frozen_server_ends_with_a_killed_child_program(self):
        child, said = self.child("debian")
        os.kill(said["pid"], signal.SIGSTOP)
        child.kill()
        child.wait(30)
        child.stdin.close()
        self.assertTrue(gone(said["pid"]))

    def test_a_server_outlives_the_thread_that_started_it(self):
        with brokers.server("nats", "debian", self.folder) as server:
            thread = threading.Thread(target=server.start)
            thread.start()
            thread.join()
            self.assertTrue(self.alive(server))


def add_lives():
    for kind, version in EVERY:
        name = f"test_life_of_{kind}_{version}".replace(".", "_")
        setattr(Folder, name, lambda self, kind=kind, version=version: self.life(kind, version))


class Echo:
    """A server that sends back what it gets."""

    def __init__(self):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.serve, args=(client,), daemon=True).start()

    def serve(self, client):
        with client:
            try:
                while data := client.recv(65536):
                    client.sendall(data)
            except OSError:
                pass


class ProxyCase(unittest.TestCase):
    def setUp(self):
        self.echo = Echo()
        self.addCleanup(self.echo.listener.close)
        self.proxy = Proxy(brokers.ReservedPort(), self.echo.port)
        self.addCleanup(self.proxy.close)

    def client(self):
        client = socket.create_connection(("127.0.0.1", self.proxy.port), timeout=30)
        self.addCleanup(client.close)
        return client

    def take(self, client, size, patience=30):
        """`size` bytes, or fewer and what became of the connection."""
        client.settimeout(patience)
        taken = b""
        while len(taken) < size:
            try:
                data = client.recv(size - len(taken))
            except ConnectionResetError:
                return taken + b"|reset"
            except TimeoutError:
                return taken + b"|silence"
            if not data:
                return taken + b"|end"
            taken += data
        return taken

    def say(self, client, data):
        client.sendall(data)
        return self.take(client, len(data))

    def test_passes_and_ends(self):
        client = self.client()
        much = bytes(3_000_000)
        sender = threading.Thread(target=client.sendall, args=(much,))
        sender.start()
        self.assertEqual(self.take(client, len(much)), much)
        sender.join()
        client.shutdown(socket.SHUT_WR)
        self.assertEqual(self.take(client, 1), b"|end")
        self.assertEqual((self.proxy.counts["to_target"], self.proxy.counts["to_client"]), (len(much), len(much)))

    def test_holds_and_delays(self):
        client = self.client()
        self.assertEqual(self.say(client, b"before"), b"before")
        for keep in (self.proxy.hold, lambda: self.proxy.delay(3600)):
            keep()
            client.sendall(b"kept")
            self.assertEqual(self.take(client, 1, A_MOMENT), b"|silence")
            self.proxy.pass_all()
            self.assertEqual(self.take(client, 4), b"kept")
        self.proxy.delay(0.005)
        self.assertEqual(self.say(client, b"later"), b"later")

    def test_cuts_resets_refuses(self):
        client = self.client()
        self.assertEqual(self.say(client, b"before"), b"before")
        self.proxy.cut(4, "to_client")
        self.assertEqual(self.say(client, b"12345678"), b"1234|end")
        client = self.client()
        self.assertEqual(self.say(client, b"again"), b"again")
        self.proxy.reset()
        self.assertEqual(self.take(client, 1), b"|reset")
        self.proxy.refuse()
        with self.assertRaises(ConnectionRefusedError):
            self.client()
        self.proxy.pass_all()
        self.assertEqual(self.say(self.client(), b"again"), b"again")

    def test_nothing_behind_it(self):
        self.proxy.target = 0
        try:
            client = self.client()
        except ConnectionResetError:
            return  # so early already
        self.assertEqual(self.take(client, 1), b"|reset")


if __name__ == "__main__":
    add_lives()
    unittest.main()
