"""A POST from inside, as a task of a flow would send it."""

import asyncio
import http.client
import urllib.parse


def send(url, body, headers, seconds):
    parts = urllib.parse.urlsplit(url)
    if parts.scheme != "http":
        raise ValueError(f"only http:// is posted to: {url}")
    connection = http.client.HTTPConnection(parts.hostname, parts.port or 80, timeout=seconds)
    try:
        target = parts.path + ("?" + parts.query if parts.query else "")
        connection.request("POST", target or "/", body, headers)
        return connection.getresponse().status
    except http.client.HTTPException as fault:
        raise OSError(f"no answer: {fault!r}") from fault
    finally:
        connection.close()


async def post(url, body, headers, seconds=10):
    """The status. OSError if there was none."""
    return await asyncio.to_thread(send, url, body, headers, seconds)
