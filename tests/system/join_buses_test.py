"""A join of events from Kafka with events from NATS. `join_buses_test.py WEIR NATS-VERSION KAFKA-VERSION KAFKA-ADMIN`.

One weir is down while both buses go on, one never is: both decide the same, by the same events, dated the same.
"""

import collections
import json
import pathlib
import sys
import time
import unittest

from bus_labs import KafkaLab, NatsLab
from engine import Engine, EngineCase, until

WEIR = pathlib.Path(sys.argv[1]).resolve()
NATS, KAFKA, ADMIN = sys.argv[2:5]

JOIN = """trigger: {name}
team: t
when:
  all:
    orders: {{event: data.ready, source: /kafka}}
    users: {{event: data.ready, source: /nats}}
  key: event.data.key
  within: {within}
launch:
  flow: f
  parameters: {{key: 'orders.data.key', user: 'users.data.key'}}
"""
DOCUMENTS = {
    "flow.yaml": "flow: f\nteam: t\nbackend: 'null'\nparameters: {key: {type: string}, user: {type: string}}\n",
    "short.yaml": JOIN.format(name="short", within="3s"),
    "long.yaml": JOIN.format(name="long", within="1h"),
}
DOWN_SECONDS = 5  # longer than the short join waits
CANONICAL = ("trigger", "verdict", "reason", "key", "events", "at", "n", "cause", "without", "semantics", "detail")


def canonical(weir):
    """The decisions in an order that does not hang on the ledger's numbers."""
    rows = [{name: d[name] for name in CANONICAL} for d in weir.all("decisions")]
    return sorted(json.dumps(row, sort_keys=True) for row in rows)


class Join(EngineCase):
    program = WEIR
    engine_type = Engine

    def setUp(self):
        super().setUp()
        self.kafka = KafkaLab(KAFKA, ADMIN)
        self.addCleanup(self.kafka.close)
        self.nats = NatsLab(NATS, None)
        self.addCleanup(self.nats.close)
        self.kafka.make("ORDERS")
        self.nats.make("USERS")
        self.count = 0

    def lay_out(self, name):
        folder = self.folder / name
        folder.mkdir()
        buses = {"k": self.kafka.configuration(["ORDERS"]), "n": self.nats.configuration(["USERS"]), "own": {"kind": "embedded"}}
        (folder / "weir.yaml").write_text(json.dumps({  # JSON is YAML
            "weir": 1, "data": "data", "listen": {"port": 0}, "backends": {"null": {}}, "buses": buses, "publish": "own",
        }))  # fmt: skip
        weir = self.engine(folder=folder).wait_ready()
        weir.apply(DOCUMENTS)
        return weir

    def publish(self, lab, key):
        """One event. Its place among all is certain: whoever reads along has it before the next one comes."""
        self.count += 1
        event_id = f"{self.count}-{key}"
        stream, source = ("ORDERS", "/kafka") if lab is self.kafka else ("USERS", "/nats")
        lab.publish(stream, [event_id], "data.ready", {"key": key}, source=source)
        until(lambda: any(e["id"] == event_id for e in self.along.all("events")), f"{event_id} is read")

    def round(self, name):
        """Pairs both ways round, several of one side, sides without their other one."""
        for i in range(3):
            self.publish(self.kafka, f"{name}-straight-{i}")
            self.publish(self.nats, f"{name}-straight-{i}")
            self.publish(self.nats, f"{name}-turned-{i}")
            self.publish(self.kafka, f"{name}-turned-{i}")
        for lab in (self.kafka, self.kafka, self.nats, self.kafka, self.nats, self.nats):
            self.publish(lab, f"{name}-many")
        self.publish(self.kafka, f"{name}-alone")

    def test_join_of_two_buses(self):
        self.along = self.lay_out("along")
        away = self.lay_out("away")
        self.round("before")
        # Halves of pairs that are completed only while the one is down, in time and too late.
        self.publish(self.kafka, "too-late")
        until(lambda: canonical(away) == canonical(self.along), "both read the same")
        self.publish(self.nats, "in-time")
        until(lambda: any(e["id"].endswith("in-time") for e in away.all("events")), "it is read")
        away.kill()
        self.publish(self.kafka, "in-time")
        self.round("down")
        time.sleep(DOWN_SECONDS)
        self.publish(self.nats, "too-late")
        self.publish(self.nats, "down-alone")
        self.publish(self.kafka, "held-over")
        away = self.engine(folder=self.folder / "away").wait_ready()
        self.publish(self.nats, "held-over")
        self.round("after")
        until(lambda: canonical(away) == canonical(self.along), "both decided the same")
        rows = [json.loads(row) for row in canonical(away)]
        self.assertEqual({row["verdict"] for row in rows}, {"fired"})
        for trigger in ("short", "long"):
            keys = collections.Counter(row["key"] for row in rows if row["trigger"] == trigger)
            single = ["in-time", "held-over"]
            for name in ("before", "down", "after"):
                single += [f"{name}-{way}-{i}" for way in ("straight", "turned") for i in range(3)]
            # Of several the newest is kept and a firing uses it up: order, order+user, order, order+user, user.
            expected = dict.fromkeys(single, 1) | {f"{name}-many": 2 for name in ("before", "down", "after")}
            if trigger == "long":
                expected |= {"too-late": 1, "down-alone": 1}
            self.assertEqual(dict(keys), expected, trigger)
        runs = [{run["run"] for run in weir.all("runs")} for weir in (away, self.along)]
        self.assertEqual([len(of) for of in runs], [len(rows), len(rows)])
        for weir in (away, self.along):
            weir.end()


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0], *sys.argv[5:]], verbosity=2)
