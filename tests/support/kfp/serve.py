#!/usr/bin/env python3
"""The scripted Kubeflow Pipelines server as a process: README.md beside this file says what it can be told.

    serve.py [--port 0] [--database mariadb|sqlite] [--multi-user] [--tasks] [--base-path /pipeline]
             [--orphan-grace SECONDS] [--certificate FILE --key FILE [--client-ca FILE]] [--autorun JSON]
             [--certificates FOLDER [--demand-certificate]]

--certificates makes an authority and what it signs in FOLDER (../brokers/security.py), and serves with that.

Prints one JSON line when it listens (always on 127.0.0.1):

    {"ok": true, "url": "http://127.0.0.1:40001", "port": 40001, "control": "http://127.0.0.1:40001/_control", "pid": 17}

and ends when stdin ends or SIGTERM comes.
"""

import argparse
import asyncio
import json
import os
import pathlib
import signal
import sys
import threading

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "brokers")]
import security  # noqa: E402
from scripted import core, server, wire  # noqa: E402


def options_of(arguments):
    parser = argparse.ArgumentParser(description="A scripted Kubeflow Pipelines API server.")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--database", choices=("mariadb", "sqlite"), default="mariadb")
    parser.add_argument("--multi-user", action="store_true")
    parser.add_argument("--tasks", action="store_true", help="it has view=FULL")
    parser.add_argument("--namespace", default="kubeflow")
    parser.add_argument("--tag", default="2.17.0", help="what healthz says")
    parser.add_argument("--base-path", default="")
    parser.add_argument("--orphan-grace", type=float, default=120, help="seconds that a Workflow without a row lives")
    parser.add_argument("--certificate")
    parser.add_argument("--key")
    parser.add_argument("--client-ca")
    parser.add_argument("--certificates", help="folder to make certificates in, and to serve with")
    parser.add_argument("--demand-certificate", action="store_true", help="with --certificates: of clients")
    parser.add_argument("--autorun", type=json.loads, help="settings of auto-run, JSON")
    options = parser.parse_args(arguments)
    if options.certificates:
        made = security.make_certificates(options.certificates)
        options.certificate, options.key = made / "server.pem", made / "server.key"
        options.client_ca = made / "ca.pem" if options.demand_certificate else None
    return options


async def serve(options):
    state = core.Core(options.database, options.multi_user, options.tasks, options.namespace, options.tag)
    state.orphan_grace = options.orphan_grace
    if options.autorun:
        state.autorun.set(options.autorun)
    context = server.tls(options.certificate, options.key, options.client_ca) if options.certificate else None
    listener = wire.Wire(state, options.base_path, context)
    port = await listener.start("127.0.0.1", options.port)
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, ended.set)

    def watch_stdin():
        while os.read(0, 4096):
            pass
        loop.call_soon_threadsafe(ended.set)

    threading.Thread(target=watch_stdin, daemon=True).start()
    root = f"{'https' if context else 'http'}://127.0.0.1:{port}"
    line = {"ok": True, "url": root + listener.base, "port": port, "control": root + "/_control", "pid": os.getpid()}
    print(json.dumps(line), flush=True)
    await ended.wait()
    await listener.stop()


def main():
    options = options_of(sys.argv[1:])
    try:
        asyncio.run(serve(options))
    except (OSError, ValueError) as fault:
        print(json.dumps({"ok": False, "error": str(fault)}), flush=True)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
