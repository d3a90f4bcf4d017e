"""A TCP proxy on loopback that misbehaves as told: a bad network between a client and a broker.

The C++ side has the same in support/fault_proxy.hpp; both keep to the same rules.
"""

import collections
import selectors
import socket
import struct
import threading
import time

WAITING_MAX = 1 << 20


class Way:
    """What one end of a connection has sent and the other has not yet got."""

    def __init__(self):
        self.pieces = collections.deque()  # [due, bytes]
        self.waiting = 0
        self.ended = False
        self.told = False


class Link:
    """One connection through the proxy: the client's end and the target's."""

    def __init__(self, client, server):
        self.ends = (client, server)
        self.ways = (Way(), Way())
        self.connected = False

    def close(self, abrupt):
        for end in self.ends:
            if abrupt:
                end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            end.close()


class Proxy:
    """Listens at `port` for ever; `target` is the broker's port, which may be given later.

    pass_all()   everything passes at once, also what was kept; listens again after refuse()
    delay(s)     what is sent from now on arrives so much later
    hold()       no byte passes, connections stay open, new ones too
    cut(n)       after n more bytes (way "to_target", "to_client" or "both") every connection is closed in the middle of
                 whatever it was; then as after pass_all()
    reset()      every connection ends by RST now
    refuse()     every connection is closed, and new ones are refused
    """

    def __init__(self, reserved, target=0):
        self.reserved = reserved  # a brokers.ReservedPort
        self.port = reserved.number
        self.target = target
        self.counts = dict.fromkeys(("accepted", "refused", "cut", "to_target", "to_client"), 0)
        self._lock = threading.Lock()
        self._links = []
        self._held = False
        self._delay = 0.0
        self._cut = None  # [bytes left, way]
        self._ending = False
        self._changes = 0
        self._listener = self._listen()
        self._bell, self._button = socket.socketpair()
        self._thread = threading.Thread(target=self._run, name="proxy", daemon=True)
        self._thread.start()

    def __enter__(self):
        return self

    def __exit__(self, *fault):
        self.close()

    def close(self):
        with self._changing():
            self._ending = True
        self._thread.join()
        self._end_all(abrupt=False)
        for open_socket in (self._listener, self._bell, self._button):
            if open_socket is not None:
                open_socket.close()
        self.reserved.release()

    def pass_all(self):
        with self._changing():
            if self._listener is None:
                self._listener = self._listen()
            self._go_on()

    def delay(self, seconds):
        with self._changing():
            self._go_on()
            self._delay = seconds

    def hold(self):
        with self._changing():
            self._held = True

    def cut(self, after, way="both"):
        with self._changing():
            self._go_on()
            self._cut = [after, way]

    def reset(self):
        with self._changing():
            self._end_all(abrupt=True)

    def refuse(self):
        with self._changing():
            if self._listener is not None:
                # The other thread's poll() keeps a closed socket open a while; this ends the listening now.
                self._listener.shutdown(socket.SHUT_RDWR)
                self._listener.close()
                self._listener = None
            self._end_all(abrupt=False)

    # The rest with the lock held.

    def _changing(self):
        proxy = self

        class Changing:
            def __enter__(self):
                proxy._lock.acquire()

            def __exit__(self, *fault):
                proxy._changes += 1
                proxy._lock.release()
                proxy._button.send(b"!")

        return Changing()

    def _listen(self):
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", self.port))
        listener.listen(128)
        listener.setblocking(False)
        return listener

    def _go_on(self):
        self._held, self._delay, self._cut = False, 0.0, None
        for link in self._links:
            for way in link.ways:
                for piece in way.pieces:
                    piece[0] = 0.0

    def _end_all(self, abrupt):
        for link in self._links:
            link.close(abrupt)
        self.counts["cut"] += len(self._links)
        self._links.clear()

    def _accept(self):
        try:
            client, _ = self._listener.accept()
        except OSError:
            return
        self.counts["accepted"] += 1
        server = socket.socket()
        server.setblocking(False)
        client.setblocking(False)
        link = Link(client, server)
        if self.target == 0 or server.connect_ex(("127.0.0.1", self.target)) not in (0, 115):  # EINPROGRESS
            self.counts["refused"] += 1
            link.close(abrupt=True)
            return
        for end in link.ends:
            end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._links.append(link)

    def _wanted(self, link, end, now):
        if self._held:
            return 0
        if not link.connected:
            return selectors.EVENT_WRITE if end == 1 else 0
        wanted = 0
        if not link.ways[end].ended and link.ways[end].waiting < WAITING_MAX:
            wanted |= selectors.EVENT_READ
        pieces = link.ways[1 - end].pieces
        if pieces and pieces[0][0] <= now:
            wanted |= selectors.EVENT_WRITE
        return wanted

    def _interests(self, selector, now):
        """Registers what is waited for; the seconds until the next piece is due, or None."""
        selector.register(self._bell, selectors.EVENT_READ, None)
        if self._listener is not None and not self._held:
            selector.register(self._listener, selectors.EVENT_READ, "listener")
        due = []
        for link in self._links:
            for end in (0, 1):
                wanted = self._wanted(link, end, now)
                if wanted:
                    selector.register(link.ends[end], wanted, (link, end))
                pieces = link.ways[end].pieces
                if pieces and pieces[0][0] > now and not self._held:
                    due.append(pieces[0][0] - now)
        return min(due, default=None)

    def _run(self):
        while True:
            with self._lock:
                if self._ending:
                    return
                selector = selectors.PollSelector()
                patience = self._interests(selector, time.monotonic())
                changes = self._changes
            events = selector.select(patience)
            with self._lock:
                rung = any(key.data is None for key, _ in events)
                if rung:
                    self._bell.recv(4096)
                if not rung and changes == self._changes:  # else what was seen may be gone
                    self._serve_all(events)

    def _serve_all(self, events):
        for key, mask in events:
            if key.data == "listener":
                self._accept()
                continue
            link, end = key.data
            if link not in self._links:
                continue
            try:
                self._serve(link, end, mask)
            except BlockingIOError:
                pass
            except OSError:
                self._links.remove(link)
                link.close(abrupt=True)

    def _serve(self, link, end, mask):
        now = time.monotonic()
        if not link.connected:
            failed = link.ends[1].getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
            if failed:
                self.counts["refused"] += 1
                raise OSError(failed, "no answer")
            link.connected = True
            return
        if mask & selectors.EVENT_READ:
            way = link.ways[end]
            data = link.ends[end].recv(65536)
            if data:
                way.pieces.append([now + self._delay, data])
                way.waiting += len(data)
            else:
                way.ended = True
        if mask & selectors.EVENT_WRITE:
            self._give(link, end, now)
        if link in self._links:
            self._tell_ends(link)

    def _give(self, link, end, now):
        way = link.ways[1 - end]
        name = "to_target" if end == 1 else "to_client"
        while way.pieces and way.pieces[0][0] <= now:
            data = way.pieces[0][1]
            counting = self._cut is not None and self._cut[1] in (name, "both")
            if counting:
                data = data[: self._cut[0]]
            sent = link.ends[end].send(data) if data else 0
            self.counts[name] += sent
            way.waiting -= sent
            way.pieces[0][1] = way.pieces[0][1][sent:]
            if not way.pieces[0][1]:
                way.pieces.popleft()
            if counting:
                self._cut[0] -= sent
                if self._cut[0] == 0:
                    self._end_all(abrupt=False)
                    self._go_on()
                    return

    def _tell_ends(self, link):
        for end in (0, 1):
            way = link.ways[end]
            if way.ended and not way.pieces and not way.told:
                link.ends[1 - end].shutdown(socket.SHUT_WR)
                way.told = True
        if all(way.told for way in link.ways):
            self._links.remove(link)
            link.close(abrupt=False)
