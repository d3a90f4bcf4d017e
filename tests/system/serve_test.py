"""`weir serve` as an operator runs it: a configuration, tokens, SIGHUP, SIGTERM. `serve_test.py WEIR`."""

import json
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import time
import unittest
import urllib.error
import urllib.request

WEIR = pathlib.Path(sys.argv[1]).resolve()

CONFIG = """weir: 1
instance: lab
data: data
listen: {address: 127.0.0.1, port: 0}
auth: {required: true, tokens: tokens.yaml}
buses:
  events: {kind: embedded}
backends:
  'null': {}
teams:
  ads: {backends: ['null']}
"""
DOCUMENTS = {
    "flow.yaml": "flow: train\nteam: ads\nbackend: 'null'\n",
    "trigger.yaml": "trigger: retrain\nteam: ads\nwhen: {event: data.ready}\nlaunch: {flow: train}\n",
}


def until(condition, seconds=60):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        found = condition()
        if found:
            return found
        time.sleep(0.05)
    raise AssertionError("it did not come to pass")


class Serve(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="weir-serve-"))
        self.addCleanup(subprocess.run, ["rm", "-rf", self.folder], check=True)
        self.config = self.folder / "weir.yaml"
        self.config.write_text(CONFIG)
        self.tokens = self.folder / "tokens.yaml"
        self.environment = {k: v for k, v in os.environ.items() if not k.startswith("WEIR_")}
        for name, text in DOCUMENTS.items():
            (self.folder / name).write_text(text)
        self.processes = []
        self.addCleanup(self.end_all)

    def end_all(self):
        for process in self.processes:
            if process.poll() is None:
                process.kill()
                process.wait()

    def weir(self, *words, token="", data=None):
        environment = dict(self.environment, WEIR_TOKEN=token)
        if hasattr(self, "url"):
            environment["WEIR_SERVER"] = self.url
        words = [str(word) for word in words]
        if data:
            words += ["--data", str(data)]
        return subprocess.run([WEIR, *words], env=environment, capture_output=True, text=True, timeout=120, check=False)

    def new_token(self, principal, scopes, *more):
        done = self.weir("token", "new", "--principal", principal, "--scopes", scopes, "--append", self.tokens, *more)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout.strip()

    def start(self, *words):
        ready = self.folder / "ready"
        ready.unlink(missing_ok=True)
        self.log = self.folder / f"log-{len(self.processes)}"
        with self.log.open("w") as log:
            process = subprocess.Popen(
                [WEIR, *words, "--on-ready", ready], env=self.environment, stdout=log, stderr=log, cwd=self.folder
            )
        self.processes.append(process)

        def is_ready():
            self.assertIsNone(process.poll(), self.log.read_text())
            return ready.exists()

        until(is_ready)
        self.url = ready.read_text().strip()
        return process

    def end(self, process):
        process.send_signal(signal.SIGTERM)
        self.assertEqual(process.wait(timeout=60), 0, self.log.read_text())

    def ask(self, path, token=""):
        request = urllib.request.Request(self.url + path, headers={"Authorization": f"Bearer {token}"} if token else {})
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return answer.status, answer.read().decode(), dict(answer.headers)
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode(), dict(error.headers)

    def runs(self, token):
        done = self.weir("runs", "--json", token=token)
        self.assertEqual(done.returncode, 0, done.stderr)
        return [json.loads(line) for line in done.stdout.splitlines()]

    def test_tokens_from_start_to_end(self):
        admin = self.new_token("root", "admin")
        sender = self.new_token("etl", "publish")
        reader = self.new_token("alice", "read", "--team", "ads")
        stranger = self.new_token("bob", "read", "--team", "lab")
        process = self.start("serve", "--config", str(self.config))

        self.assertEqual(self.ask("/healthz")[0], 200)
        status, body, headers = self.ask("/v1/runs")
        self.assertEqual(status, 401)
        self.assertEqual(headers["Content-Type"], "application/problem+json")
        self.assertTrue(headers["WWW-Authenticate"].startswith("Bearer"))
        self.assertEqual(json.loads(body)["status"], 401)
        refused = self.weir("publish", "data.ready")
        self.assertEqual(refused.returncode, 1)
        self.assertIn("token", refused.stderr)
        self.assertIn("scope `publish`", self.weir("publish", "data.ready", token=reader).stderr)

        applied = self.weir("apply", self.folder / "flow.yaml", self.folder / "trigger.yaml", token=admin)
        self.assertEqual(applied.returncode, 0, applied.stderr)
        published = self.weir("publish", "data.ready", "--id", "one", token=sender)
        self.assertEqual(published.returncode, 0, published.stderr)
        until(lambda: [run for run in self.runs(reader) if run["outcome"] == "succeeded"])
        self.assertEqual(self.runs(stranger), [])
        self.assertIn("not for the team ads", self.weir("runs", "--team", "ads", token=stranger).stderr)
        paused = self.weir("pause", "ads/retrain", "--reason", "test", token=admin)
        self.assertEqual(paused.returncode, 0, paused.stderr)
        audits = self.weir("audit", "--json", token=admin).stdout
        self.assertIn('"principal":"root"', audits.replace(" ", ""))
        self.end(process)

        # What was recorded is there again, and no token stands in the log.
        process = self.start("serve", "--config", str(self.config))
        self.assertEqual(len(self.runs(reader)), 1)
        self.end(process)
        for log in self.folder.glob("log-*"):
            for token in (admin, sender, reader, stranger):
                self.assertNotIn(token, log.read_text())

    def test_reload(self):
        old = self.new_token("old", "read")
        process = self.start("serve", "--config", str(self.config))
        self.assertEqual(self.ask("/v1/runs", old)[0], 200)

        # The tokens alone: seen without a signal.
        self.tokens.unlink()
        new = self.new_token("new", "admin")
        until(lambda: self.ask("/v1/runs", old)[0] == 401)
        self.assertEqual(self.ask("/v1/runs", new)[0], 200)

        # A wrong file changes nothing and says so.
        self.config.write_text(CONFIG.replace("teams:", "teems:"))
        process.send_signal(signal.SIGHUP)
        until(lambda: "nothing was changed" in self.log.read_text())
        self.assertIn("did you mean", self.log.read_text())
        self.assertEqual(self.ask("/v1/runs", new)[0], 200)

        # Another tokens file and other teams are taken; another instance needs a restart.
        other = self.folder / "other.yaml"
        self.tokens = other
        third = self.new_token("third", "admin")
        text = CONFIG.replace("tokens.yaml", "other.yaml").replace("instance: lab", "instance: factory")
        self.config.write_text(text.replace("ads: {", "core: {") + "log_level: debug\n")
        process.send_signal(signal.SIGHUP)
        until(lambda: '"needs_restart":"instance"' in self.log.read_text())
        until(lambda: self.ask("/v1/runs", third)[0] == 200)
        self.assertEqual(self.ask("/v1/runs", new)[0], 401)
        refused = self.weir("apply", self.folder / "flow.yaml", token=third)
        self.assertEqual(refused.returncode, 1)
        self.assertIn("the team ads may not use the backend null", refused.stderr)
        self.end(process)

    def test_what_is_wrong_is_told_before_anything_is_opened(self):
        wrong = {
            "weir: 1\nlisten: {address: 0.0.0.0}\n": "beyond loopback",
            "weir: 1\nauth: {required: true}\n": "auth.required needs auth.tokens",
            CONFIG: "tokens.yaml",
            "weir: 1\nledger: {kind: postgres}\nlimits: {batch: 0}\n": "not built yet: ledger.kind: postgres",
            "weir: 1\nbuses: {m: {kind: nats, urls: 'nats://a:1', token: {env: NONE}, streams: [{stream: S}]}}\n": "buses.m: this weir was "
            "built without NATS|NONE is not set",
        }
        for text, words in wrong.items():
            self.config.write_text(text)
            done = self.weir("serve", "--config", self.config)
            self.assertEqual(done.returncode, 1, text)
            self.assertRegex(done.stderr, words)
            self.assertFalse((self.folder / "data").exists())
            self.assertFalse((self.folder / ".weir").exists())
        self.assertEqual(self.weir("serve").returncode, 2)
        self.assertIn("none.yaml", self.weir("serve", "--config", self.folder / "none.yaml").stderr)
        beyond = self.weir("dev", "--address", "0.0.0.0", "--port", "0", "--data", self.folder / "d")
        self.assertEqual(beyond.returncode, 1)
        self.assertIn("beyond loopback", beyond.stderr)

    def test_dev_makes_a_token_for_its_owner(self):
        self.config.write_text("weir: 1\ndata: data\nlisten: {port: 0}\nauth: {required: true}\n")
        process = self.start("dev", "--config", str(self.config))
        data = self.folder / "data"
        self.assertEqual((data / "token").stat().st_mode & 0o777, 0o600)
        self.assertEqual(self.weir("runs").returncode, 1)
        self.assertEqual(self.weir("runs", data=data).returncode, 0)
        applied = self.weir("apply", self.folder / "flow.yaml", data=data)
        self.assertEqual(applied.returncode, 0, applied.stderr)
        self.end(process)
        token = (data / "token").read_text()
        process = self.start("dev", "--config", str(self.config))
        self.assertEqual((data / "token").read_text(), token)
        self.end(process)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
