"""Whole weir on a real server whose streams lose events. `gaps_test.py WEIR KIND VERSION [KAFKA-ADMIN]`.

Whatever was lost: only that stream stops, what was lost is said, nothing new of it is decided before the gap is
accepted, and then all that is new is decided exactly once and nothing old again, over restarts of weir as well.
"""

import json
import pathlib
import signal
import sys
import time
import unittest

from bus_labs import BUS, LABS
from engine import Engine, EngineCase, until

WEIR = pathlib.Path(sys.argv[1]).resolve()
KIND, VERSION = sys.argv[2:4]
ADMIN = sys.argv[4] if len(sys.argv) > 4 else ""

DOCUMENTS = {
    "flow.yaml": "flow: f\nteam: t\nbackend: 'null'\n",
    "trigger.yaml": "trigger: each\nteam: t\nwhen: {event: 'load.*'}\nlaunch: {flow: f}\n"
    "limits: {firings_per_minute: 1000000}\n",
}


def setUpModule():
    Case.lab = LABS[KIND](VERSION, ADMIN)
    unittest.addModuleCleanup(Case.lab.close)


def load_tests(loader, tests, _):
    """Those of this kind of bus."""
    if loader.testNamePatterns or len(sys.argv) > 5:
        return tests
    own = {"nats": Limits, "kafka": Partitions}[KIND]
    return unittest.TestSuite(map(loader.loadTestsFromTestCase, (Gaps, Poison, own)))


def names(prefix, count):
    return [f"{prefix}-{i}" for i in range(count)]


class Watching(Engine):
    """weir with questions about its streams."""

    def stream(self, name):
        return next((s for s in self.lines("streams") if s["stream"] == name), None)

    def readiness(self):
        status, answer = self.ask("GET", "/readyz")
        return status, {item["name"]: item for item in answer["items"]}

    def wait_decided(self, ids):
        wanted = set(ids)
        until(lambda: wanted <= set(self.decided()), f"all of {sorted(wanted)[:3]}... is decided")


class Case(EngineCase):
    program = WEIR
    engine_type = Watching
    lab = None  # one server for all

    def setUp(self):
        super().setUp()
        # Streams of this test: one that loses events, one that nothing happens to.
        name = self._testMethodName.removeprefix("test_")
        self.hurt, self.sound = f"{name}-hurt", f"{name}-sound"
        self.ids = []

    def configure(self, *streams, mapping=None):
        (self.folder / "weir.yaml").write_text(json.dumps({  # JSON is YAML
            "weir": 1, "data": "data", "listen": {"port": 0}, "backends": {"null": {}},
            "buses": {BUS: self.lab.configuration(streams, mapping), "own": {"kind": "embedded"}},
            "publish": "own",  # what weir itself publishes gives no positions out here
        }))  # fmt: skip

    def begin(self, count=5, **settings):
        """Both streams are there, `count` events of the one and one of the other are decided."""
        self.lab.make(self.hurt, **settings)
        self.lab.make(self.sound)
        self.configure(self.hurt, self.sound)
        weir = self.engine().wait_ready()
        weir.apply(DOCUMENTS)
        self.publish(weir, self.hurt, names("old", count))
        self.publish(weir, self.sound, ["sound-0"])
        return weir

    def publish(self, weir, stream, ids):
        self.lab.publish(stream, ids)
        self.ids += ids
        weir.wait_decided(ids)

    def wait_stopped(self, weir, expected):
        name = self.lab.watched(self.hurt)
        # It stops at once; the gap is recorded with the next commit.
        until(lambda: (found := weir.stream(name)) and found["state"] == "stopped" and found["gaps"], f"{name} is stopped")
        stream = weir.stream(name)
        self.assertEqual(len(stream["gaps"]), 1, "a gap is recorded once")
        gap = stream["gaps"][0]
        self.assertNotIn("accepted_seq", gap)
        for what, value in expected.items():
            self.assertEqual(gap[what], value, gap)
        self.assertEqual(stream["detail"], gap["detail"])
        sound = f"stream {self.lab.watched(self.sound)}"
        until(lambda: weir.readiness()[1].get(sound, {}).get("ready"), f"{sound} is ready")
        status, items = weir.readiness()
        self.assertEqual(status, 503)
        self.assertEqual({item["name"] for item in items.values() if not item["ready"]}, {f"stream {name}"})
        self.assertEqual(items[f"stream {name}"]["detail"], gap["detail"])
        return gap

    def check_gap(self, weir, new, **expected):
        """`new`: what is to be decided of the hurt stream after the gap was accepted, and not before."""
        gap = self.wait_stopped(weir, expected)
        self.publish(weir, self.sound, ["sound-1"])
        self.assertEqual(dict(weir.decided()), dict.fromkeys(self.ids, 1), "decided before the gap was accepted")

        weir.kill()
        weir = self.engine().wait_ready()
        again = self.wait_stopped(weir, expected)
        self.assertEqual(again, gap)
        self.publish(weir, self.sound, ["sound-2"])
        self.assertEqual(dict(weir.decided()), dict.fromkeys(self.ids, 1), "decided before the gap was accepted")

        name = self.lab.watched(self.hurt)
        weir.weir("stream", "accept-gap", name, "--reason", "known outage")
        self.ids += new
        weir.wait_decided(new)
        self.publish(weir, self.hurt, ["later-0"])
        self.check_read_on(weir, gap)
        weir.kill()
        weir = self.engine().wait_ready()
        self.publish(weir, self.hurt, ["later-1"])
        self.publish(weir, self.sound, ["sound-3"])
        self.check_read_on(weir, gap)
        weir.end()

    def check_read_on(self, weir, gap):
        self.assertEqual(dict(weir.decided()), dict.fromkeys(self.ids, 1))
        self.assertEqual([e["id"] for e in weir.all("events") if e["duplicate_of"]], [], "read again")
        stream = weir.stream(self.lab.watched(self.hurt))
        self.assertEqual(stream["state"], "read", stream)
        self.assertEqual([g["found_at"] for g in stream["gaps"]], [gap["found_at"]])
        self.assertIn("accepted_seq", stream["gaps"][0])
        status, items = weir.readiness()
        self.assertEqual(status, 200, items)

    def around(self, weir, how, work):
        """Does `work` while weir is `down`, `frozen` (it keeps its connection and sees only the end) or `awake`."""
        if how == "down":
            weir.end()
        elif how == "frozen":
            weir.send(signal.SIGSTOP)
        begun = time.monotonic()
        work()
        if how == "frozen":
            # A standstill of less than two seconds is not known from slow reading (docs/buses.md): one that is longer.
            time.sleep(max(0.0, begun + 3 - time.monotonic()))
        if how == "down":
            return self.engine().wait_ready()
        weir.send(signal.SIGCONT)
        return weir

    def power_lost(self, how, count, kept=3, **expected):
        """`kept` events stay, 4 are lost, then `count` other ones come."""
        weir = self.begin(kept)
        self.lab.keep()
        self.publish(weir, self.hurt, names("lost", 4))
        new = names("new", count)

        def work():
            self.lab.lose_power()
            self.lab.publish(self.hurt, new)

        self.check_gap(self.around(weir, how, work), new, **expected)


class Gaps(Case):
    def made_anew(self, how, count):
        """The stream of 5 events is made anew and holds `count` other ones."""
        new = names("new", count)

        def work():
            self.lab.remake(self.hurt)
            self.lab.publish(self.hurt, new)

        weir = self.around(self.begin(), how, work)
        expected = {"kind": "recreated", "from": 6, "to": None}
        if KIND == "kafka":  # a topic made anew is known by what it holds
            expected = {"kind": "truncated", "from": count + 1} if count < 5 else {"kind": "rewritten", "from": 5}
        # Who is awake may look when it is half done.
        self.check_gap(weir, new, **({} if how == "awake" else expected))

    def test_made_anew_longer(self):
        self.made_anew("frozen", 8)

    def test_made_anew_longer_down(self):
        self.made_anew("down", 8)

    def test_made_anew_longer_awake(self):
        self.made_anew("awake", 8)

    def test_made_anew_shorter(self):
        self.made_anew("frozen", 2)

    def test_made_anew_shorter_down(self):
        self.made_anew("down", 2)

    def test_gone_before_made_anew(self):
        weir = self.begin()
        name = self.lab.watched(self.hurt)
        self.lab.client.remove(self.hurt)
        until(lambda: not weir.readiness()[1][f"stream {name}"]["ready"], "a stream that is gone is not ready")
        self.publish(weir, self.sound, ["sound-gone"])
        self.lab.make(self.hurt)
        new = names("new", 7)
        self.lab.publish(self.hurt, new)
        self.check_gap(weir, new)

    def removed(self, how):
        new = names("new", 10)

        def work():
            self.lab.publish(self.hurt, new)
            self.lab.drop_before(self.hurt, 11)

        weir = self.around(self.begin(), how, work)
        self.check_gap(weir, new[5:], **{"kind": "retention", "from": 6, "to": 10})

    def test_removed_while_down(self):
        self.removed("down")

    def test_power_lost_then_longer(self):
        self.power_lost("frozen", 9, kind="rewritten", **{"from": 7})

    def test_power_lost_then_longer_down(self):
        self.power_lost("down", 9, kind="rewritten", **{"from": 7})

    def test_power_lost_then_as_long(self):
        self.power_lost("frozen", 4, kind="rewritten", **{"from": 7})

    def test_power_lost_then_shorter(self):
        self.power_lost("awake", 2, kind="truncated")


class Limits(Case):
    def limited(self, **settings):
        weir = self.begin(**settings)
        weir.end()
        new = names("new", 10)
        self.lab.publish(self.hurt, new)
        return new

    def test_limit_of_messages_while_down(self):
        new = self.limited(max_msgs=6)
        self.check_gap(self.engine().wait_ready(), new[4:], **{"kind": "retention", "from": 6, "to": 9})

    def test_limit_of_age_while_down(self):
        self.limited(max_age=1_000_000_000)
        until(lambda: self.lab.client.stream_call("INFO", self.hurt)["state"]["messages"] == 0, "all is too old")
        self.check_gap(self.engine().wait_ready(), [], **{"kind": "retention", "from": 6, "to": 15})

    def test_newest_kept_while_down(self):
        new = self.limited()
        self.lab.client.purge(self.hurt, keep=3)
        self.check_gap(self.engine().wait_ready(), new[7:], **{"kind": "retention", "from": 6, "to": 12})

    def test_removed_after_it_was_read(self):
        weir = self.begin()
        self.lab.drop_before(self.hurt, 6)
        self.publish(weir, self.hurt, ["more-0"])
        weir = self.around(weir, "down", lambda: self.lab.drop_before(self.hurt, 7))
        self.publish(weir, self.hurt, ["more-1"])
        self.assertEqual(weir.stream(self.lab.watched(self.hurt))["gaps"], [])
        self.assertEqual(weir.readiness()[0], 200)
        weir.end()

    def test_more_removed_before_it_is_accepted(self):
        weir = self.begin()
        weir.end()
        new = names("new", 10)
        self.lab.publish(self.hurt, new)
        self.lab.drop_before(self.hurt, 9)
        weir = self.engine().wait_ready()
        self.wait_stopped(weir, {"kind": "retention", "from": 6, "to": 8})
        self.lab.drop_before(self.hurt, 12)
        name = self.lab.watched(self.hurt)
        weir.weir("stream", "accept-gap", name, "--reason", "known outage")
        self.publish(weir, self.hurt, ["later-0"])
        self.ids += new[6:]
        weir.wait_decided(self.ids)
        gaps = [(gap["kind"], gap["from"], gap["to"]) for gap in weir.stream(name)["gaps"]]
        self.assertEqual(gaps, [("retention", 6, 8), ("retention", 9, 11)])
        self.assertEqual(dict(weir.decided()), dict.fromkeys(self.ids, 1))
        weir.end()

    def test_power_lost_with_everything(self):
        self.power_lost("awake", 1, kept=0, kind="truncated")


class Partitions(Case):
    def test_partition_added(self):
        weir = self.begin()
        self.lab.client.grow(self.hurt, 3)
        for partition in (1, 2):
            new = names(f"grown-{partition}", 4)
            self.lab.publish(self.hurt, new, partition=partition)
            self.ids += new
        weir.wait_decided(self.ids)
        weir.end()
        weir = self.engine().wait_ready()
        self.publish(weir, self.hurt, ["later-0"])
        self.assertEqual(dict(weir.decided()), dict.fromkeys(self.ids, 1))
        for partition in (1, 2):
            self.assertEqual(weir.stream(self.lab.watched(self.hurt, partition))["position"], 4)
        weir.end()


class Poison(Case):
    def test_messages_that_are_no_events(self):
        self.lab.make(self.hurt)
        self.configure(self.hurt)
        weir = self.engine().wait_ready()
        weir.apply(DOCUMENTS)
        self.publish(weir, self.hurt, ["before"])
        self.lab.publish_raw(self.hurt, b'{"id": "plain-1", "rows": 7}')
        self.lab.publish_raw(self.hurt, b"no JSON at all")
        self.lab.publish(self.hurt, ["large"], data={"text": "x" * 1_500_000})
        self.publish(weir, self.hurt, ["after"])
        letters = weir.lines("events", "--dead")
        self.assertEqual(sorted(letter["position"] for letter in letters), [2, 3, 4])
        by_position = {letter["position"]: letter["dead_letter"] for letter in letters}
        shown = {p: json.loads(weir.weir("dead-letter", "show", no)) for p, no in by_position.items()}
        self.assertEqual(shown[2]["message"]["body"], '{"id": "plain-1", "rows": 7}')
        self.assertEqual(shown[3]["message"]["body"], "no JSON at all")
        self.assertEqual([shown[p]["cut"] for p in (2, 3, 4)], [False, False, True])
        self.assertGreater(shown[4]["bytes"], 1_500_000)
        for position, word in ((2, "mapping"), (3, "mapping"), (4, "limit")):
            self.assertIn(word, shown[position]["reason"])
        self.assertEqual(weir.readiness()[0], 200)
        weir.end()

        mapping = {"type": '"load.mapped"', "id": "string(data.id)"}
        self.configure(self.hurt, mapping=mapping)
        weir = self.engine().wait_ready()
        weir.weir("dead-letter", "replay", by_position[2], "--reason", "there is a mapping now")
        self.ids.append("plain-1")
        weir.wait_decided(["plain-1"])
        for position, why in ((2, "was replayed already"), (3, "malformed JSON"), (4, "the limit is")):
            self.assertIn(why, weir.refused("dead-letter", "replay", by_position[position], "--reason", "again"))
        replayed = {letter["position"]: bool(letter["replayed_at"]) for letter in weir.lines("events", "--dead")}
        self.assertEqual(replayed, {2: True, 3: False, 4: False})
        self.publish(weir, self.hurt, ["last"])
        self.assertEqual(dict(weir.decided()), dict.fromkeys(self.ids, 1))
        weir.end()


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0], *sys.argv[5:]], verbosity=2)
