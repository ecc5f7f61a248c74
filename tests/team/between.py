"""What stands between a replica and its database: a wire that can be cut, slowed down, or that loses one answer."""

import select
import socket
import threading
import time


class Wire:
    """A TCP proxy. Every connection is a thread; what becomes of its bytes can be changed at any time."""

    def __init__(self, port):
        self.to = port
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        # Nobody gets through, and what is under way says nothing more.
        self.is_cut = False
        self.delay = 0.0
        # What is done once, at the COMMIT that follows these bytes on one connection.
        self.armed = None
        # Bytes at which something is called once, before they go through.
        self.before = None
        self.sprung = threading.Event()
        self.open = set()
        self.lock = threading.Lock()
        threading.Thread(target=self._accept, daemon=True).start()

    def arm(self, after, what):
        """At the next COMMIT after `after`: `swallow` its answer, `drop` both sides after it went through, `withhold`
        it, `hold` it while both sides stay connected; or a function is called, and gives one of these, or nothing where it goes through."""
        self.sprung.clear()
        self.armed = (after, what)

    def cut(self):
        """As where a cable is pulled: silence, and nobody is told."""
        self.is_cut = True

    def mend(self):
        self.is_cut = False

    def reset(self):
        """Ends every connection there is."""
        with self.lock:
            pairs, self.open = self.open, set()
        for one in pairs:
            one.close()

    def close(self):
        self.listener.close()
        self.reset()

    def _accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client):
        while self.is_cut:
            time.sleep(0.05)
        try:
            server = socket.create_connection(("127.0.0.1", self.to), timeout=5)
        except OSError:
            client.close()
            return
        pair = Pair(self, client, server)
        with self.lock:
            self.open.add(pair)
        pair.pump()


class Pair:
    def __init__(self, wire, client, server):
        self.wire, self.client, self.server = wire, client, server
        self.seen, self.is_deaf = b"", False

    def close(self):
        for one in (self.client, self.server):
            try:
                one.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            one.close()

    def pump(self):
        try:
            while self._step():
                pass
        except (OSError, ValueError):
            pass
        finally:
            self.close()
            with self.wire.lock:
                self.wire.open.discard(self)

    def _step(self):
        ready, _, _ = select.select([self.client, self.server], [], [], 0.2)
        while self.wire.is_cut:
            time.sleep(0.02)
        for one in ready:
            bytes_ = one.recv(1 << 16)
            if not bytes_:
                return False
            if self.wire.delay:
                time.sleep(self.wire.delay)
            if one is self.client:
                if not self._from_client(bytes_):
                    return False
            elif not self.is_deaf:
                self.client.sendall(bytes_)
        return True

    def _from_client(self, bytes_):
        """Sends it on, unless something was to happen at it."""
        if self.wire.before and self.wire.before[0] in bytes_:
            (_, what), self.wire.before = self.wire.before, None
            what()
        armed = self.wire.armed
        if not armed:
            self.server.sendall(bytes_)
            return True
        # Enough to find what stands across two pieces.
        self.seen = (self.seen + bytes_)[-(1 << 20):]
        after, what = armed
        at = self.seen.find(after)
        if at < 0 or b"COMMIT" not in self.seen[at:]:
            self.server.sendall(bytes_)
            return True
        self.wire.armed, self.seen = None, b""
        if callable(what):
            what = what()
        if what == "withhold":
            self.wire.sprung.set()
            return False
        if what == "hold":
            self.is_deaf = True
            self.wire.sprung.set()
            return True
        if what == "swallow":
            self.is_deaf = True
        self.server.sendall(bytes_)
        if what == "drop":
            # It is on its way, and the database does it.
            time.sleep(0.3)
            self.wire.sprung.set()
            return False
        self.wire.sprung.set()
        return True
