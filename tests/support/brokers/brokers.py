"""Real message brokers for tests: nats-server and Kafka as child processes, with the faults that tests need.

    with NatsServer("/usr/sbin/nats-server", folder) as server:
        server.start()      # returns once it is ready
        server.kill9()      # SIGKILL, and reaped
        server.start()      # the same port, the same data

`server("nats", "debian", folder)` finds the program by the file that WEIR_BROKERS names. Everything binds loopback
only. A server ends with the process that started it, even if that one is killed (PDEATHSIG, set by a thread that lives
as long as the process). Thread: one server is used by one thread at a time.
"""

import concurrent.futures
import ctypes
import http.client
import json
import os
import pathlib
import random
import re
import shutil
import signal
import socket
import subprocess
import time
import uuid

import security

START_SECONDS = 120
STOP_SECONDS = 120
POLL_SECONDS = 0.01
PR_SET_PDEATHSIG = 1

_LIBC = ctypes.CDLL(None)
# The signal of PDEATHSIG comes when the *thread* that forked ends: this one ends with the process.
_SPAWNER = concurrent.futures.ThreadPoolExecutor(max_workers=1, thread_name_prefix="spawner")
_CHANCE = random.SystemRandom()


class BrokerError(RuntimeError):
    """A server could not be had, started or ended; the text says why."""


class ReservedPort:
    """A free loopback port that no other test takes while this object lives.

    Below the range of ephemeral ports: a client that reconnects to a dead server at an ephemeral port may be given
    that very port as its own, connects to itself, and the server cannot come back.
    """

    def __init__(self, port=0):
        self.lock = None
        for number in [port] if port else _CHANCE.sample(range(15000, 30000), 200):
            if self._take(number):
                self.number = number
                return
        raise BrokerError(f"port {port} is in use" if port else "no free port found between 15000 and 30000")

    def _take(self, number):
        lock = socket.socket(socket.AF_UNIX)
        try:
            lock.bind(f"\0weir-test-port-{number}")  # abstract: gone with the process
        except OSError:
            lock.close()
            return False
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", number))
            except OSError:
                lock.close()
                return False
        self.lock = lock
        return True

    def release(self):
        if self.lock is not None:
            self.lock.close()
            self.lock = None


def answers(port):
    """True if something accepts connections at the loopback port."""
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


def _spawn(words, log, environment):
    parent = os.getpid()

    def before_exec():
        _LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:
            os._exit(1)

    def spawn():
        with open(log, "ab") as output:
            return subprocess.Popen(
                words, stdin=subprocess.DEVNULL, stdout=output, stderr=output, env=environment,
                preexec_fn=before_exec, start_new_session=True,
            )  # fmt: skip

    return _SPAWNER.submit(spawn).result()


class Server:
    """What all servers share: one process at a time on one data folder and port."""

    kind = ""

    def __init__(self, folder, port=0):
        self.folder = pathlib.Path(folder).resolve()
        self.folder.mkdir(parents=True, exist_ok=True)
        self.data = self.folder / "data"
        self.log = self.folder / "server.log"
        self.reserved = [ReservedPort(port)]
        self.port = self.reserved[0].number
        self.process = None
        self.frozen = False
        self.secure = {}

    def __enter__(self):
        return self

    def __exit__(self, *fault):
        self.close()

    @property
    def pid(self):
        return self.process.pid if self.running() else None

    def running(self):
        """True while the process is there; a frozen one is."""
        return self.process is not None and self.process.poll() is None

    def start(self):
        """Starts on the data that is there; returns once it is ready, after the seconds it took."""
        if self.running():
            raise BrokerError(f"{self.kind} runs already")
        if self.process is None and answers(self.port):
            raise BrokerError(f"something else answers at port {self.port}")
        wrong = security.unknown(self.kind.split("-")[0], self.secure)
        if wrong:
            raise BrokerError(f"{self.kind} knows no setting {', '.join(wrong)} of `secure`")
        began = time.monotonic()
        self.frozen = False
        self.process = _spawn(self._prepare(), self.log, self._environment())
        try:
            self._wait_ready(began + START_SECONDS)
        except BaseException:
            self.kill9()
            raise
        return time.monotonic() - began

    def kill9(self):
        """SIGKILL. Returns once the process is reaped: its port is closed, its files are as they were."""
        if self.process is not None:
            self.process.kill()  # nothing, if it has been reaped
            self.process.wait()
        self.frozen = False

    def terminate(self):
        """SIGTERM; returns once it has ended by itself."""
        if not self.running():
            raise BrokerError(f"{self.kind} does not run")
        self.thaw()
        self.process.terminate()
        try:
            self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.kill9()
            raise BrokerError(f"{self.kind} did not end within {STOP_SECONDS} s of SIGTERM\n{self.log_tail()}") from None

    def freeze(self):
        """SIGSTOP; returns once every thread of it stands still. Its connections stay open."""
        if not self.running():
            raise BrokerError(f"{self.kind} does not run")
        self.process.send_signal(signal.SIGSTOP)
        os.waitid(os.P_PID, self.process.pid, os.WSTOPPED | os.WEXITED | os.WNOWAIT)
        if not self.running():
            raise BrokerError(f"{self.kind} ended by itself\n{self.log_tail()}")
        self.frozen = True

    def thaw(self):
        """SIGCONT; nothing, if it is not frozen."""
        if self.running() and self.frozen:
            self.process.send_signal(signal.SIGCONT)
        self.frozen = False

    def restart(self):
        """Ends it by SIGTERM if it runs, and starts it again."""
        if self.running():
            self.terminate()
        return self.start()

    def wipe(self):
        """Ends it by SIGKILL and removes all its data; the snapshot stays."""
        self.kill9()
        shutil.rmtree(self.data, ignore_errors=True)

    def snapshot(self):
        """Keeps a copy of the data as it is in the files now; a running server stands still meanwhile."""
        freeze = self.running() and not self.frozen
        if freeze:
            self.freeze()
        try:
            shutil.rmtree(self._aside, ignore_errors=True)
            shutil.copytree(self.data, self._aside)
        finally:
            if freeze:
                self.thaw()

    def rollback(self):
        """Ends it by SIGKILL and puts the data of snapshot() back: what a loss of power does to what was written but
        never synced. Positions given out since then will be given out once more."""
        if not self._aside.exists():
            raise BrokerError("there is no snapshot to go back to")
        self.kill9()
        shutil.rmtree(self.data, ignore_errors=True)
        shutil.copytree(self._aside, self.data)

    def close(self):
        """Ends the process by SIGKILL and gives the ports back. The folder stays."""
        self.kill9()
        for port in self.reserved:
            port.release()

    def log_tail(self, lines=25):
        if not self.log.exists():
            return ""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])

    @property
    def certificates(self):
        """Where the certificates are, once one was asked for."""
        return self.folder / "certificates"

    @property
    def _aside(self):
        return self.folder / "snapshot"

    def _prepare(self):
        """Writes the configuration; the words that start the server."""
        raise NotImplementedError

    def _environment(self):
        return dict(os.environ)

    def _is_ready(self):
        raise NotImplementedError

    def _wait_ready(self, until):
        while not self._is_ready():
            if self.process.poll() is not None:
                raise BrokerError(f"{self.kind} ended with {self.process.returncode} at its start\n{self.log_tail()}")
            if time.monotonic() > until:
                raise BrokerError(f"{self.kind} was not ready within {START_SECONDS} s\n{self.log_tail()}")
            time.sleep(POLL_SECONDS)


class NatsServer(Server):
    """One nats-server with JetStream on files.

    config     further lines of the configuration file (users, tls, max_payload ...)
    jetstream  further lines of its jetstream block (sync_interval: only from 2.10 on)
    advertised the port of a proxy before it, for `url` only
    secure     certificates and users: security.py
    """

    kind = "nats-server"

    def __init__(self, program, folder, port=0, config="", jetstream="", advertised=0, secure=None):
        super().__init__(folder, port)
        self.program = str(program)
        self.secure = dict(secure or {})
        self.config = config
        self.jetstream = jetstream
        self.advertised = advertised
        self.reserved.append(ReservedPort())
        self.monitor = self.reserved[1].number

    @property
    def url(self):
        return f"nats://127.0.0.1:{self.advertised or self.port}"

    def _prepare(self):
        self.data.mkdir(exist_ok=True)
        file = self.folder / "nats.conf"
        file.write_text(
            f'listen: "127.0.0.1:{self.port}"\nhttp: "127.0.0.1:{self.monitor}"\nserver_name: weir-test\n'
            f'jetstream {{\n  store_dir: "{self.data}"\n{self.jetstream}\n}}\n{self.config}\n'
            f"{security.nats_lines(self.secure, self.certificates)}\n"
        )
        return [self.program, "-c", str(file)]

    def _is_ready(self):
        # The health page says ok once JetStream has recovered its streams, whatever a client must do to log in.
        ask = http.client.HTTPConnection("127.0.0.1", self.monitor, timeout=5)
        try:
            ask.request("GET", "/healthz")
            healthy = ask.getresponse().status == 200
        except (OSError, http.client.HTTPException):
            return False
        finally:
            ask.close()
        return healthy and answers(self.port)


class KafkaBroker(Server):
    """One Kafka broker that is its own controller (KRaft), configured to start fast.

    jars       the folder with the broker's jars; classes.jsa in it is used as class archive
    advertised the port that clients are told: a proxy's, if one stands before the broker
    config     further or other properties of the broker, {name: value}
    format     further arguments of the storage tool
    secure     certificates and users: security.py; SCRAM's user is made when the storage is
    """

    kind = "kafka"

    def __init__(
        self, jars, folder, port=0, advertised=0, config=None, java="java", format_arguments=(), secure=None
    ):
        super().__init__(folder, port)
        self.jars = pathlib.Path(jars)
        self.java = str(java)
        self.advertised = advertised
        self.config = dict(config or {})
        self.format_arguments = list(format_arguments)
        self.secure = dict(secure or {})
        self.archive_to = None  # where to write the classes it loaded, at the end by SIGTERM
        self.reserved += [ReservedPort(), ReservedPort()]
        self.controller, self.internal = (port.number for port in self.reserved[1:])

    @property
    def url(self):
        return f"127.0.0.1:{self.advertised or self.port}"

    def properties(self):
        told = self.advertised or self.port
        own = f",INTERNAL://127.0.0.1:{self.internal}" if self.secure else ""
        return {
            "process.roles": "broker,controller",
            "node.id": "1",
            "controller.quorum.voters": f"1@127.0.0.1:{self.controller}",
            "listeners": f"BROKER://127.0.0.1:{self.port},CONTROLLER://127.0.0.1:{self.controller}{own}",
            "advertised.listeners": f"BROKER://127.0.0.1:{told}{own}",
            "listener.security.protocol.map": "BROKER:PLAINTEXT,CONTROLLER:PLAINTEXT",
            "inter.broker.listener.name": "BROKER",
            "controller.listener.names": "CONTROLLER",
            "log.dirs": str(self.data),
            "auto.create.topics.enable": "false",
            "offsets.topic.replication.factor": "1",
            "offsets.topic.num.partitions": "4",
            "transaction.state.log.replication.factor": "1",
            "transaction.state.log.min.isr": "1",
            "transaction.state.log.num.partitions": "2",
            # Until a killed broker's session has ended, its next incarnation is not let in.
            "broker.session.timeout.ms": "2000",
            "broker.heartbeat.interval.ms": "200",
            "group.initial.rebalance.delay.ms": "0",
            "log.index.size.max.bytes": "1048576",
            "log.cleaner.dedupe.buffer.size": "16777216",
            "num.network.threads": "2",
            "num.io.threads": "2",
            # The first segments of a topic are looked after at once in tests of retention.
            "log.initial.task.delay.ms": "1000",
        } | security.kafka_properties(self.secure, self.certificates) | self.config

    def _java(self, *words, memory="256m"):
        options = [f"-Xmx{memory}", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"]
        archive = self.jars / "classes.jsa"
        if self.archive_to and "kafka.Kafka" in words:
            options += [f"-XX:ArchiveClassesAtExit={self.archive_to}", "-Xlog:disable"]
        elif archive.exists():
            options.append(f"-XX:SharedArchiveFile={archive}")
        return [self.java, *options, "-cp", f"{self.jars}/*", *words]

    def _environment(self):
        own = {name: value for name, value in os.environ.items() if not re.match(r"KAFKA_|JAVA_TOOL|_?JAVA_OPTIONS", name)}
        return own | {"LC_ALL": "C.UTF-8"}

    def _prepare(self):
        file = self.folder / "broker.properties"
        file.write_text("".join(f"{name}={value}\n" for name, value in self.properties().items()))
        if not (self.data / "meta.properties").exists():
            self._format(file)
        return self._java("kafka.Kafka", str(file))

    def _format(self, file):
        self.data.mkdir(exist_ok=True)
        # Of the letters a cluster id is made of; one that begins with "-" would be taken for an option.
        cluster = "w" + uuid.uuid4().hex[:21]
        words = self._java(
            "kafka.tools.StorageTool", "format", "-t", cluster, "-c", str(file), *self.format_arguments,
            *security.kafka_format_arguments(self.secure), memory="128m",
        )  # fmt: skip
        process = _spawn(words, self.log, self._environment())
        try:
            status = process.wait(START_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            status = "no end in time"
        if status != 0:
            shutil.rmtree(self.data, ignore_errors=True)
            raise BrokerError(f"kafka's storage could not be formatted ({status})\n{self.log_tail()}")

    def _is_ready(self):
        # The port opens when the broker is unfenced.
        return answers(self.port)


def available():
    """What the file named by WEIR_BROKERS says is there."""
    path = os.environ.get("WEIR_BROKERS")
    if not path:
        raise BrokerError(
            "WEIR_BROKERS is not set: tests/run.sh sets it; by hand, run tests/support/brokers/fetch.py and export "
            "the line it ends with"
        )
    try:
        return json.loads(pathlib.Path(path).read_text())
    except (OSError, ValueError) as fault:
        raise BrokerError(f"WEIR_BROKERS: {fault}") from None


def server(kind, version, folder, **options):
    """A NatsServer ("nats", versions "debian" and "current") or KafkaBroker ("kafka", "3.9" and "4.x")."""
    known = available()
    versions = known.get(kind)
    if kind not in ("nats", "kafka") or not isinstance(versions, dict):
        raise BrokerError(f"no kind of broker '{kind}'; there are nats and kafka")
    if version not in versions:
        raise BrokerError(f"no {kind} '{version}' in {os.environ['WEIR_BROKERS']}; there are {', '.join(versions)}")
    if kind == "nats":
        return NatsServer(versions[version], folder, **options)
    return KafkaBroker(versions[version], folder, java=known.get("java", "java"), **options)
