"""What runs inside a task: the delivery of a request, and the report of a run.

The two functions are copied as text into the report component, so each is whole in itself: standard library only,
imports inside, no name of this module but the other function, nothing newer than Python 3.7.
"""

from typing import Any, Callable, Dict, List, Optional, Tuple


def deliver(
    url: str, body: bytes, content_type: str, token: Callable[[], str], retry_for: float, say: Callable[[str], None]
) -> Dict[str, Any]:
    """POSTs the body until weir answers 202, which means that it is durable there. Returns weir's answer.

    Tried again for `retry_for` seconds, with growing, random waits: no connection, no answer, 408, 425, 429 and 5xx.
    Raises RuntimeError for a refusal that another try cannot change, TimeoutError when the time is over.
    """
    import http.client
    import json
    import random
    import ssl
    import time
    import urllib.error
    import urllib.parse
    import urllib.request

    class NoRedirect(urllib.request.HTTPRedirectHandler):
        # A redirected POST arrives as a GET, whose 200 would look like success.
        def redirect_request(self, *_: Any) -> None:
            return None

    handlers = [NoRedirect()]  # type: List[Any]
    host = urllib.parse.urlsplit(url).hostname or ""
    if host in ("localhost", "::1") or host.startswith("127."):
        handlers.append(urllib.request.ProxyHandler({}))
    opener = urllib.request.build_opener(*handlers)

    def answer_of(status: int, text: bytes) -> Dict[str, Any]:
        try:
            answer = json.loads(text.decode("utf-8", "replace"))
        except ValueError:
            answer = None
        if not isinstance(answer, dict):
            if status == 202:
                raise RuntimeError(url + " answered 202 without a JSON object; is it a weir server?")
            answer = {}
        return answer

    bytes_max = 1 << 20
    deadline = time.monotonic() + retry_for
    wait = 0.5
    while True:
        headers = {"Content-Type": content_type, "Accept": "application/json"}
        shown = token().strip()
        # http.client refuses such a value too, but says it aloud.
        if not all(" " <= sign <= "~" or "\xa0" <= sign <= "\xff" for sign in shown):
            raise RuntimeError("the token holds a control character or one that no header can carry")
        if shown:
            headers["Authorization"] = "Bearer " + shown
        pause = 0.0
        try:
            with opener.open(urllib.request.Request(url, body, headers, method="POST"), timeout=30) as reply:
                text = reply.read(bytes_max)
                if reply.length and len(text) < bytes_max:
                    raise http.client.IncompleteRead(b"", reply.length)
                answer = answer_of(reply.status, text)
                if reply.status == 202:
                    return answer
                raise RuntimeError("%s answered %d instead of 202; is it a weir server?" % (url, reply.status))
        except urllib.error.HTTPError as error:
            try:
                answer = answer_of(error.code, error.read(bytes_max))
            except (OSError, http.client.HTTPException):
                answer = {}  # the status has come, and says what to do
            why = "%s answered %d: %s" % (url, error.code, answer.get("detail") or error.reason)
            for problem in answer.get("problems") or []:
                why += "\n  " + str(problem)
            if 300 <= error.code < 400:
                why += " (to %s; give that address itself)" % error.headers.get("Location", "elsewhere")
            if error.code not in (408, 425, 429) and (error.code < 500 or error.code == 501):
                raise RuntimeError(why) from None
            after = error.headers.get("Retry-After", "")
            pause = float(after) if after.isdigit() else 0.0
        except (OSError, http.client.HTTPException) as error:
            reason = getattr(error, "reason", error)
            why = "no answer of %s: %s" % (url, reason or type(error).__name__)
            if isinstance(reason, ssl.SSLCertVerificationError):
                raise RuntimeError(why) from None
        left = deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError(why + " (tried for %g s)" % retry_for)
        pause = min(max(pause, wait * random.uniform(0.5, 1.0)), 60.0, left)
        say("%s; trying again in %.1f s" % (why, pause))
        time.sleep(pause)
        wait = min(wait * 2, 30.0)


def send_report(
    run_id: str,
    server: str,
    options: Dict[str, Any],
    status: Optional[Any],
    outputs: Dict[str, Any],
    artifacts: List[Tuple[str, Any]],
) -> None:
    """Tells weir how the run ended and what it made; `status` is that of an exit task, or None."""
    import json
    import os
    import sys
    import urllib.parse

    def say(text: str) -> None:
        print("weir report: " + text, file=sys.stderr, flush=True)

    def token() -> str:
        path = os.environ.get("WEIR_TOKEN_FILE", "")
        if not path:
            return os.environ.get("WEIR_TOKEN", "")
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read()

    def body() -> bytes:
        report = {}  # type: Dict[str, Any]
        for name in ("flow", "labels", "outcome"):
            if options.get(name):
                report[name] = options[name]
        if status is not None:
            good = status.state in ("SUCCEEDED", "COMPLETED", "SKIPPED", "CACHED")
            report["outcome"] = "succeeded" if good else "failed"
            if not good:
                said = status.error_message or "the tasks ended as " + (str(status.state) or "unknown")
                # weir takes 4096 bytes.
                report["error"] = said.encode("utf-8", "replace")[:4096].decode("utf-8", "ignore")
        if outputs:
            report["outputs"] = {name: each for name, each in outputs.items() if each is not None}
        if artifacts:
            report["artifacts"] = [
                {"name": name, "uri": each.uri, "type": each.schema_title, "metadata": dict(each.metadata)}
                for name, each in artifacts
            ]
        def whole(digits: str) -> int:
            if not -(2**63) <= int(digits) < 2**63:
                raise ValueError(digits + " is a whole number outside of 64 bits; report it as text")
            return int(digits)

        parts = [("outputs." + name, each) for name, each in outputs.items()]
        for name, part in parts + [("artifacts." + name, dict(each.metadata)) for name, each in artifacts]:
            try:
                said = json.dumps(part, allow_nan=False, ensure_ascii=False).encode("utf-8").decode("utf-8")
                json.loads(said, parse_int=whole)
            except (TypeError, ValueError) as error:
                raise ValueError("%s cannot be reported: %s" % (name, error)) from None
        text = json.dumps(report, allow_nan=False, ensure_ascii=False).encode("utf-8")
        if len(text) > 1 << 20:
            raise ValueError("the report has %d bytes; weir takes 1048576" % len(text))
        return text

    try:
        address = (server or os.environ.get("WEIR_SERVER", "")).rstrip("/")
        if not address.startswith(("http://", "https://")):
            raise ValueError(
                "no address of weir: give weir.report(server=...) or the task's environment WEIR_SERVER"
                + (", http://HOST:PORT, not %r" % address if address else "")
            )
        if not run_id or "{{" in run_id:
            raise ValueError("this backend does not tell a task the id of its run (%r)" % run_id)
        url = address + "/v1/runs/" + urllib.parse.quote(run_id, safe="") + "/report"
        answer = deliver(url, body(), "application/json", token, float(options["retry_for"]), say)
        say("run %s %s" % (run_id, "recorded" if answer.get("recorded", True) else "was known already"))
    except (OSError, ValueError, RuntimeError) as error:
        if options["required"]:
            raise
        say("given up, and not required: %s" % error)
