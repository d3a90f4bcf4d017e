#!/usr/bin/env python3
"""`weir dev` in the place of the scripted server: the façade as a process. `facade.py WEIR`

Prints the line that serve.py prints (without a control side) when it answers, and ends when stdin ends or SIGTERM comes.
"""

import json
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import threading
import time
import urllib.parse

START_SECONDS = 100


def wait_for(ready, process):
    end = time.monotonic() + START_SECONDS
    while time.monotonic() < end and process.poll() is None:
        if ready.exists() and (url := ready.read_text().strip()):
            return url
        time.sleep(0.02)
    return None


def main():
    with tempfile.TemporaryDirectory(prefix="weir-facade-") as name:
        folder = pathlib.Path(name)
        words = [sys.argv[1], "dev", "--data", folder / "data", "--port", "0", "--on-ready", folder / "ready"]
        clean = {key: value for key, value in os.environ.items() if not key.startswith("WEIR_")}
        with (folder / "log").open("w") as log:
            process = subprocess.Popen(
                words, cwd=folder, env=clean, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        url = wait_for(folder / "ready", process)
        if url is None:
            process.terminate()
            print(json.dumps({"ok": False, "error": (folder / "log").read_text()[-2000:]}), flush=True)
            return 1
        signal.signal(signal.SIGTERM, lambda *_: process.terminate())

        def watch_stdin():
            while os.read(0, 4096):
                pass
            process.terminate()

        threading.Thread(target=watch_stdin, daemon=True).start()
        line = {"ok": True, "url": url, "port": urllib.parse.urlsplit(url).port, "control": "", "pid": process.pid}
        print(json.dumps(line), flush=True)
        process.wait()
    return 0


if __name__ == "__main__":
    sys.exit(main())
