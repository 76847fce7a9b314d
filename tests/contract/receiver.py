"""A web server that receives and keeps the callbacks of the sandbox."""

import json
import queue
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from local.sandbox.callbacks import MOST_AT_ONCE

PATIENCE = 5.0
"""Seconds to wait for a callback."""


@dataclass(frozen=True)
class Received:
    """One callback, as it arrived."""

    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Receiver:
    """Keeps the callbacks that it receives, and answers with `answer` or `relay`."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.received: queue.Queue[Received] = queue.Queue()
        self.answer: tuple[int, bytes] = (200, b'{"action":"allow"}')
        self.relay: Callable[[Received], bytes] | None = None
        """Makes the body of the answer instead of `answer`."""
        self.hangs = threading.Event()
        self.let_go = threading.Event()

    def next(self) -> Received:
        return self.received.get(timeout=PATIENCE)

    def next_event(self, event: str) -> Received:
        """The next callback of this kind; they may arrive in any order."""
        while (received := self.next()).json["event"] != event:
            continue
        return received


class Server(ThreadingHTTPServer):
    """Queues every callback at once, where the default lets five connections wait."""

    request_queue_size = 2 * MOST_AT_ONCE


@contextmanager
def receiving() -> Iterator[Receiver]:
    """A receiver that listens on loopback until the block ends."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            names = {name.lower(): value for name, value in self.headers.items()}
            received = Received(self.path, names, body)
            kept.received.put(received)
            if kept.hangs.is_set():
                kept.let_go.wait(PATIENCE)
            status, content = (200, kept.relay(received)) if kept.relay else kept.answer
            self.send_response(status)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            pass

    server = Server(("127.0.0.1", 0), Handler)
    kept = Receiver(f"http://127.0.0.1:{server.server_port}")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield kept
    finally:
        kept.let_go.set()
        server.shutdown()
        thread.join()
        server.server_close()
