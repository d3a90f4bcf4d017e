"""A real NATS or Kafka server with what the tests of streams do to it, alike for both.

Streams are named by one word ("ORDERS"); `watched` is what weir calls one. Events have the source "/test" and the type
"load.plain" unless said otherwise.
"""

import json
import pathlib
import shutil
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "support" / "brokers"))
import brokers  # noqa: E402
from clients import ClientError, KafkaClient, NatsClient  # noqa: E402

BUS = "real"


def headers(prefix, event_id, kind, source):
    values = {"specversion": "1.0", "id": event_id, "source": source, "type": kind}
    return {prefix + name: value for name, value in values.items()} | {"content-type": "application/json"}


class Lab:
    """One server; its folder goes with it."""

    def __init__(self, kind, version, **options):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="weir-lab-"))
        self.server = brokers.server(kind, version, self.folder, **options)
        self.server.start()
        self.connect()

    def close(self):
        self.client.close()
        self.server.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    def connect(self):
        raise NotImplementedError

    def lose_power(self):
        """The server comes back with what it had at keep()."""
        self.client.close()
        self.server.rollback()
        self.server.start()
        self.connect()

    def remake(self, stream):
        """Deleted and made anew."""
        self.client.remove(stream)
        until = time.monotonic() + 30
        while True:
            try:
                return self.make(stream)
            except ClientError:  # Kafka is still deleting it
                if time.monotonic() > until:
                    raise
                time.sleep(0.05)


class NatsLab(Lab):
    def __init__(self, version, _):
        super().__init__("nats", version, config="max_payload: 8MB")

    def connect(self):
        self.client = NatsClient(self.server.port)

    def keep(self):
        """Keeps the data as it is now, for lose_power()."""
        self.client.close()
        self.server.terminate()  # it writes a moment later than it answers
        self.server.snapshot()
        self.server.start()
        self.connect()

    def make(self, stream, **settings):
        self.client.make(stream, [f"{stream}.>"], **settings)

    def publish(self, stream, ids, kind="load.plain", data=None, source="/test"):
        body = json.dumps(data or {}).encode()
        for event_id in ids:
            self.client.publish(f"{stream}.{kind}", body, headers("ce-", event_id, kind, source))

    def publish_raw(self, stream, body):
        self.client.publish(f"{stream}.raw", body)

    def drop_before(self, stream, position):
        self.client.purge(stream, seq=position)

    def watched(self, stream):
        return f"{BUS}/{stream}"

    def configuration(self, streams, mapping=None):
        more = {"mapping": mapping} if mapping else {}
        read = [{"stream": stream, "start": "earliest", **more} for stream in streams]
        return {"kind": "nats", "urls": [self.server.url], "streams": read}


class KafkaLab(Lab):
    def __init__(self, version, admin):
        self.admin = admin
        super().__init__("kafka", version, config={"message.max.bytes": "8000000"})

    def connect(self):
        self.client = KafkaClient(self.admin, self.server.url)

    def keep(self):
        """Keeps the data as it is now, for lose_power()."""
        self.server.snapshot()

    def make(self, stream, partitions=1):
        self.client.make(stream, partitions)

    def publish(self, stream, ids, kind="load.plain", data=None, source="/test", partition=0):
        body = json.dumps(data or {})
        records = [{"headers": headers("ce_", event_id, kind, source), "body": body} for event_id in ids]
        self.client.produce(stream, records, partition)

    def publish_raw(self, stream, body):
        self.client.produce(stream, [{"body": body.decode()}])

    def drop_before(self, stream, position):
        self.client.drop_before(stream, position - 1)  # an offset is one less than weir's position

    def watched(self, stream, partition=0):
        return f"{BUS}/{stream}/{partition}"

    def configuration(self, streams, mapping=None):
        more = {"mapping": mapping} if mapping else {}
        read = [{"topic": stream, "start": "earliest", **more} for stream in streams]
        return {"kind": "kafka", "brokers": [self.server.url], "topics": read, "refresh": "1s"}


LABS = {"nats": NatsLab, "kafka": KafkaLab}
