#!/usr/bin/env python3
"""One broker as a child process, for tests in other languages.

    serve.py KIND VERSION [--folder DIR] [--port N] [--advertised N]

Commands come as JSON lines on stdin and are answered, one line each, on stdout:

    {"do": "start"}      {"ok": true, "running": true, "frozen": false, "port": 15001, "url": "...", "pid": 17}
    {"do": "kill"}       SIGKILL                     {"do": "stop"}      SIGTERM
    {"do": "freeze"}     SIGSTOP                     {"do": "thaw"}      SIGCONT
    {"do": "restart"}    SIGTERM, then start         {"do": "wipe"}      SIGKILL, then its data is removed
    {"do": "snapshot"}   a copy of its data          {"do": "rollback"}  SIGKILL, then the copy is put back
    {"do": "state"}      changes nothing

"start" takes what the constructors in brokers.py take: "config" (NATS: lines; Kafka: an object), "jetstream",
"format_arguments", "advertised", "secure"; they hold until given again. What fails is answered {"ok": false, "error": "..."}.
When stdin ends, the server is killed, the folder removed unless --folder named it, and this process ends.
"""

import argparse
import json
import pathlib
import shutil
import signal
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import brokers  # noqa: E402

SETTINGS = {
    "nats": ("config", "jetstream", "advertised", "secure"),
    "kafka": ("config", "format_arguments", "advertised", "secure"),
}


def start(server, kind, request):
    unknown = set(request) - {"do", *SETTINGS[kind]}
    if unknown:
        raise brokers.BrokerError(f"unknown settings: {', '.join(sorted(unknown))}")
    for name in SETTINGS[kind]:
        if name in request:
            setattr(server, name, request[name])
    server.start()


def carry_out(server, kind, request):
    actions = {
        "start": lambda: start(server, kind, request),
        "kill": server.kill9, "stop": server.terminate, "freeze": server.freeze, "thaw": server.thaw,
        "restart": server.restart, "wipe": server.wipe, "snapshot": server.snapshot, "rollback": server.rollback,
        "state": lambda: None,
    }  # fmt: skip
    action = request.get("do")
    if action not in actions:
        raise brokers.BrokerError(f"unknown command {action!r}; there are {', '.join(actions)}")
    actions[action]()


def state(server):
    return {
        "ok": True, "running": server.running(), "frozen": server.frozen, "port": server.port, "url": server.url,
        "pid": server.pid, "folder": str(server.folder),
    }  # fmt: skip


def serve(server, kind):
    for line in iter(sys.stdin.readline, ""):
        try:
            request = json.loads(line)
            if not isinstance(request, dict):
                raise brokers.BrokerError("a command is an object")
            carry_out(server, kind, request)
            answer = state(server)
        except (brokers.BrokerError, OSError, ValueError) as fault:
            answer = {"ok": False, "error": str(fault)}
        print(json.dumps(answer), flush=True)


def main():
    parser = argparse.ArgumentParser(description="Runs one broker as told by JSON lines.")
    parser.add_argument("kind")
    parser.add_argument("version")
    parser.add_argument("--folder", type=pathlib.Path, help="keep its data here, and do not remove it")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--advertised", type=int, default=0, help="the port that clients are told: a proxy's")
    options = parser.parse_args()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # whoever started this decides, by ending stdin
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(1))
    folder = options.folder or pathlib.Path(tempfile.mkdtemp(prefix="weir-broker-"))
    try:
        with brokers.server(
            options.kind, options.version, folder, port=options.port, advertised=options.advertised
        ) as server:
            serve(server, options.kind)
    except BrokenPipeError:
        return 1  # nobody listens any more
    except brokers.BrokerError as fault:
        print(json.dumps({"ok": False, "error": str(fault)}), flush=True)
        return 1
    finally:
        if not options.folder:
            shutil.rmtree(folder, ignore_errors=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
