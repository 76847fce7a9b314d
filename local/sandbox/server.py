"""Runs the sandbox: in the foreground for a person, in a thread for tests."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn
from starlette.applications import Starlette

from local.sandbox.app import create_app

_BACKLOG = 2048


def bind(host: str, port: int) -> socket.socket:
    """A listening socket, which queues connections until a server accepts them. Raises `OSError`."""
    listener = socket.create_server((host, port), backlog=_BACKLOG)
    # Accepted connections inherit it. asyncio does not set it for sockets passed to it, and each answer
    # would wait 40 ms for the client's delayed acknowledgement.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listener


def url_of(listener: socket.socket) -> str:
    """The URL of `listener`."""
    host, port = listener.getsockname()[:2]
    return f"http://{host}:{port}"


def build_server(app: Starlette) -> uvicorn.Server:
    """A server for `app` that stops within about a second, even with hanging calls."""
    return uvicorn.Server(
        uvicorn.Config(
            app,
            access_log=False,  # a number is part of some of Sinch's paths
            backlog=_BACKLOG,
            lifespan="off",
            log_level="critical",
            timeout_graceful_shutdown=1,
            # Longer than clients keep idle connections: a close that crosses a request looks like a fault.
            timeout_keep_alive=75,
        )
    )


@contextmanager
def running_sandbox(host: str = "127.0.0.1", port: int = 0, *, app: Starlette | None = None) -> Iterator[str]:
    """Run the sandbox in a thread and yield its URL; port 0 takes a free port."""
    with bind(host, port) as listener:
        server = build_server(app or create_app())
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, name="sandbox")
        url = url_of(listener)
        thread.start()
        try:
            yield url
        finally:
            server.should_exit = True
            thread.join()
