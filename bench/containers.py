"""Run functions in Lambda's image, with the processor share of their memory.

This module serves Lambda's Runtime API, from which the image's runtime client gets its events. A function
has a whole processor while it starts, then memory / 1769 of one, by the container's limit.
"""

import contextlib
import json
import os
import queue
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from bench import places
from local.containers import docker_host, image, require_image
from local.stack_file import ROOT, LocalStackError

FULL_MB = 1769
"""The memory that buys one whole processor (AWS Lambda's developer guide)."""
DEFAULT_MB = 512
SECONDS = 120
TICKS = 100
"""Clock ticks in a second of Linux's accounting, the same on every machine (proc(5))."""


def host() -> str | None:
    """The address at which containers reach this machine; None without Docker or the image."""
    try:
        require_image()
        return docker_host()
    except LocalStackError:
        return None


@dataclass
class Invocation:
    """One event and its answer. Times are monotonic seconds."""

    event: dict[str, Any]
    taken: float = 0.0
    answered: float = 0.0
    answer: dict[str, Any] = field(default_factory=dict)
    done: threading.Event = field(default_factory=threading.Event)

    @property
    def ms(self) -> float:
        """Milliseconds from fetching the event to the answer."""
        return (self.answered - self.taken) * 1000


class RuntimeApi(ThreadingHTTPServer):
    """Lambda's Runtime API for one environment."""

    daemon_threads = True

    def __init__(self, address: str) -> None:
        super().__init__((address, 0), _Calls)
        self.ready = threading.Event()
        self.waiting: queue.Queue[Invocation] = queue.Queue()
        self.running: Invocation | None = None
        self.failure = ""

    def invoke(self, event: dict[str, Any]) -> Invocation:
        """Invoke the function. Raises `LocalStackError` if it does not answer within `SECONDS`."""
        made = Invocation(event)
        self.waiting.put(made)
        if not made.done.wait(SECONDS):
            raise LocalStackError(f"the function does not answer. {self.failure}")
        return made

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Ignore the connection error of a container that ends."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


class _Calls(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: RuntimeApi

    def do_GET(self) -> None:
        self.server.ready.set()
        invocation = self.server.running = self.server.waiting.get()
        content = json.dumps(invocation.event).encode()
        self.send_response(200)
        self.send_header("Lambda-Runtime-Aws-Request-Id", "11111111-2222-4333-8444-555555555555")
        self.send_header("Lambda-Runtime-Deadline-Ms", str(int((time.time() + 20) * 1000)))
        self.send_header(
            "Lambda-Runtime-Invoked-Function-Arn", "arn:aws:lambda:us-east-1:123456789012:function:bench"
        )
        # The runtime's client expects these.
        self.send_header("Lambda-Runtime-Trace-Id", "Root=1-5759e988-bd862e3fe1be46a994272793;Sampled=0")
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        invocation.taken = time.monotonic()
        self.wfile.write(content)

    def do_POST(self) -> None:
        content = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if self.server.running and self.path.endswith("/response"):
            invocation = self.server.running
            invocation.answered, invocation.answer = time.monotonic(), json.loads(content)
            invocation.done.set()
        else:
            self.server.failure = content.decode(errors="replace")
        self.send_response(202)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:
        """Log nothing: the measurements are the output."""


@dataclass(frozen=True)
class Environment:
    """An execution environment: a container and the Runtime API that it calls."""

    name: str
    api: RuntimeApi

    def limit_to(self, memory: int) -> None:
        """Limit the container to the processor share of this memory (MB)."""
        _docker("update", "--cpus", f"{min(1.0, memory / FULL_MB):.3f}", self.name)

    def cpu_ms(self) -> float:
        """Milliseconds of processor time since the container started, to 10 ms."""
        fields = _docker("exec", self.name, "cat", "/proc/1/stat").rpartition(")")[2].split()
        user, system = int(fields[11]), int(fields[12])
        return (user + system) * 1000 / TICKS


@contextlib.contextmanager
def started(function: str, endpoint: str) -> Iterator[Environment]:
    """A new environment of a function, ready for its first request."""
    address = docker_host()
    with RuntimeApi(address) as api, _serving(api):
        name = f"sms-otp-bench-{os.getpid()}-{api.server_port}"
        variables = {
            **places.variables(endpoint),
            "PYTHONPATH": "",
            "PATH": "/usr/local/bin:/usr/bin:/bin",
            "AWS_LAMBDA_RUNTIME_API": f"{address}:{api.server_port}",
            "AWS_LAMBDA_FUNCTION_NAME": function,
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(DEFAULT_MB),
            "LAMBDA_TASK_ROOT": "/var/task",
            "_HANDLER": f"{function}.app.lambda_handler",
        }
        options = [
            part
            for pair in variables.items()
            if pair[0] != "PYTHONPATH"
            for part in ("--env", "=".join(pair))
        ]
        mounts = ["-v", f"{ROOT / 'functions'}:/var/task:ro", "-v", f"{places.OPT.parent}:/opt:ro"]
        limits = ["--cpus", "1", "--rm", "--detach", "--name", name]
        _docker("run", *limits, *options, *mounts, image(), f"{function}.app.lambda_handler")
        try:
            if not api.ready.wait(SECONDS):
                raise LocalStackError(f"{function} does not start. {api.failure}")
            yield Environment(name, api)
        finally:
            _docker("kill", name)


@contextlib.contextmanager
def _serving(api: RuntimeApi) -> Iterator[None]:
    thread = threading.Thread(target=api.serve_forever, daemon=True)
    thread.start()
    try:
        yield
    finally:
        api.shutdown()
        thread.join()


def _docker(*arguments: str) -> str:
    done = subprocess.run(["docker", *arguments], capture_output=True, text=True, check=False)  # noqa: S603, S607 - a command of our own; `host` has found Docker
    if done.returncode:
        raise LocalStackError(f"docker {arguments[0]}: {done.stderr.strip()}")
    return done.stdout


def event(name: str) -> dict[str, Any]:
    """An event of `events/`, by its file's name."""
    loaded: dict[str, Any] = json.loads((ROOT / "events" / f"{name}.json").read_text())
    return loaded
