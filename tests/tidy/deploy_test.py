"""What stands in deploy/ is true: paths, packages, and the flags of weir. `deploy_test.py SOURCE WEIR`."""

import configparser
import json
import pathlib
import re
import shlex
import subprocess
import sys
import unittest

SOURCE = pathlib.Path(sys.argv[1]).resolve()
WEIR = pathlib.Path(sys.argv[2]).resolve()
DEPLOY = SOURCE / "deploy"


def instructions(text):
    """(word, rest) of each instruction of a container file, continued lines joined."""
    joined = re.sub(r"\\\n", " ", re.sub(r"^\s*#.*\n", "", text, flags=re.M))
    return [tuple(line.split(None, 1)) for line in joined.splitlines() if line.strip()]


def missing_copies(text, root):
    """Sources of COPY that are not in the tree."""
    missing = []
    for word, rest in instructions(text):
        words = shlex.split(rest)
        if word == "COPY" and not any(part.startswith("--from") for part in words):
            missing += [part for part in words[:-1] if not part.startswith("--") and not (root / part).exists()]
    return missing


def help_of(*words):
    done = subprocess.run([WEIR, *words, "--help"], capture_output=True, text=True, check=False, timeout=20)
    return done.returncode, done.stdout + done.stderr


def unknown_flags(words, text):
    """Long flags among the words that the help text does not know."""
    return [word for word in words if word.startswith("--") and not re.search(rf"{re.escape(word)}\b", text)]


class Deploy(unittest.TestCase):
    def check_weir(self, words):
        """`weir WORDS...` names a command and flags that exist."""
        status, text = help_of(words[0])
        self.assertEqual(status, 0, f"weir {words[0]} --help: {text}")
        self.assertEqual(unknown_flags(words[1:], text), [], f"weir {' '.join(words)}")

    def test_container_file(self):
        text = (DEPLOY / "Containerfile").read_text()
        self.assertEqual(missing_copies(text, SOURCE), [])
        self.assertEqual(missing_copies("COPY gone.sh /x\n", SOURCE), ["gone.sh"])
        known = {"FROM", "COPY", "RUN", "USER", "WORKDIR", "VOLUME", "ENTRYPOINT", "CMD"}
        self.assertLessEqual({word for word, _ in instructions(text)}, known)
        packages = (DEPLOY / "packages.sh").read_text()
        for name in set(re.findall(r"\$(weir_packages_\w+)", text)):
            self.assertRegex(packages, rf"(?m)^{name}=")
        for word, rest in instructions(text):
            if word == "RUN":
                subprocess.run(["sh", "-n", "-c", rest], check=True)
            if word == "CMD":
                self.check_weir(json.loads(rest))

    def test_systemd_unit(self):
        unit = configparser.ConfigParser(strict=False, interpolation=None)
        unit.optionxform = str
        unit.read(DEPLOY / "weir.service")
        self.assertEqual(unit.sections(), ["Unit", "Service", "Install"])
        words = shlex.split(unit["Service"]["ExecStart"])
        self.assertEqual(words[0], "/usr/local/bin/weir")
        self.check_weir(words[1:])
        state = "/var/lib/" + unit["Service"]["StateDirectory"]
        self.assertTrue(words[words.index("--data") + 1].startswith(state))

    def test_sample_configurations(self):
        samples = sorted((DEPLOY / "config").glob("*.yaml"))
        self.assertGreaterEqual({path.stem for path in samples}, {"laptop", "nats", "kafka", "kubeflow", "service", "container"})
        environment = {"PATH": "/usr/bin:/bin"}
        for sample in samples:
            # What lies in /etc is missing here: noted, no problem.
            done = subprocess.run([WEIR, "check", sample], capture_output=True, text=True, check=False, env=environment)
            self.assertEqual(done.returncode, 0, f"{sample.name}: {done.stderr}")
            self.assertIn("1 configuration is fine", done.stdout)
            wrong = sample.read_text().replace("weir: 1\n", "weir: 1\nlisen: {}\n")
            done = subprocess.run(
                [WEIR, "check", "/dev/stdin"], input=wrong, capture_output=True, text=True, check=False, env=environment
            )
            self.assertEqual(done.returncode, 1, sample.name)

    def test_what_is_started_names_a_sample(self):
        unit = (DEPLOY / "weir.service").read_text()
        for text, name in ((unit, "service"), ((DEPLOY / "Containerfile").read_text(), "container")):
            self.assertIn(f"deploy/config/{name}.yaml", text)
            self.assertIn("/etc/weir/weir.yaml", text)

    def test_a_flag_that_is_not_there(self):
        self.assertEqual(unknown_flags(["--data", "x", "--colour"], "  --data DIR\n  --color\n"), ["--colour"])

    def test_quickstart_uses_commands_that_exist(self):
        text = re.sub(r"\\\n", " ", (DEPLOY / "quickstart.sh").read_text())
        found = re.findall(r'^\s*"\$weir" ([^>&|;\n]+)', text, re.M)
        self.assertGreaterEqual(len(found), 5)
        for words in found:
            self.check_weir(shlex.split(words))

    def test_scripts_are_sound(self):
        for script in [*DEPLOY.glob("*.sh"), *(SOURCE / "tests").glob("*.sh")]:
            subprocess.run(["sh", "-n", script], check=True)
        subprocess.run(["bash", "-n", SOURCE / ".ci" / "run"], check=True)

    def test_every_package_has_its_reason(self):
        script = (
            'set -eu; . "$1"; for p in $weir_packages_tools $weir_packages_libraries $weir_packages_running '
            '$weir_packages_tests $weir_packages_long; do echo "$p: $(weir_why_package "$p")"; done'
        )
        done = subprocess.run(["sh", "-c", script, "sh", DEPLOY / "packages.sh"], capture_output=True, text=True, check=True)
        self.assertGreater(len(done.stdout.splitlines()), 15)
        self.assertNotIn("used here", done.stdout)

    def test_without_root_the_line_to_run(self):
        # As a user without rights, told apart by a stand-in for id; a package that is surely not installed.
        script = '. "$1"; id() { echo 1000; }; weir_install weir-has-no-such-package'
        done = subprocess.run(["sh", "-c", script, "sh", DEPLOY / "packages.sh"], capture_output=True, text=True, check=False)
        if "not Debian" in done.stdout:
            return
        self.assertEqual(done.returncode, 1)
        self.assertIn(
            "apt-get update && apt-get install -y --no-install-recommends weir-has-no-such-package\n", done.stdout
        )


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
