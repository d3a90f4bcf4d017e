"""Time that a test may move. Seconds since 1970, UTC; what the server stores has whole seconds."""

import datetime
import re
import time

# As protojson reads a Timestamp: RFC 3339, upper case.
RFC3339 = re.compile(r"(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)(?:\.(\d{1,9}))?(Z|[+-]\d\d:\d\d)")


def show(seconds):
    moment = datetime.datetime(1970, 1, 1) + datetime.timedelta(seconds=int(seconds))
    return moment.isoformat() + "Z"


def read(text):
    """Seconds since 1970 (a fraction is cut off); ValueError if it is no RFC 3339 time."""
    match = RFC3339.fullmatch(text)
    if not match:
        raise ValueError(f"invalid google.protobuf.Timestamp value {text!r}")
    numbers = [int(part) for part in match.groups()[:6]]
    moment = datetime.datetime(*numbers, tzinfo=datetime.timezone.utc)
    seconds = int((moment - datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)).total_seconds())
    zone = match[8]
    if zone != "Z":
        offset = int(zone[1:3]) * 3600 + int(zone[4:6]) * 60
        seconds += offset if zone[0] == "-" else -offset
    return seconds


class Clock:
    """Real time plus what the test added, or standing still."""

    def __init__(self):
        self.offset = 0.0
        self.frozen = None

    def now(self):
        return self.frozen if self.frozen is not None else time.time() + self.offset

    def seconds(self):
        return int(self.now())

    def advance(self, seconds):
        if self.frozen is not None:
            self.frozen += seconds
        else:
            self.offset += seconds

    def set(self, moment, freeze=False):
        self.frozen = None
        self.offset = moment - time.time()
        if freeze:
            self.frozen = float(moment)

    def run(self):
        """Goes on from where it stands."""
        if self.frozen is not None:
            self.set(self.frozen)
