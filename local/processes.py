"""Child processes, each in a session of its own, stopped with all their descendants."""

import contextlib
import os
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType

from local.stack_file import LocalStackError

STOP_SECONDS = 2
TAIL_LINES = 15

# Bypasses a proxy of this machine.
_direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class Child:
    """A running command that logs to a file. As a context manager, stops it at the end."""

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        environment: Mapping[str, str],
        log: Path,
        folder: Path | None = None,
    ) -> None:
        self.name = name
        self.log = log
        self._stop_by: float | None = None
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("wb") as output:
            self._process = subprocess.Popen(  # noqa: S603 - commands of our own, no shell
                command,
                env=dict(environment),
                cwd=folder,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def __enter__(self) -> "Child":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def finish(self, timeout: float) -> None:
        """Wait for success. Raises `LocalStackError` on failure or after `timeout` seconds."""
        try:
            status = self._process.wait(timeout)
        except subprocess.TimeoutExpired:
            raise LocalStackError(f"{self.name} took longer than {timeout:.0f} s. {self._tail()}") from None
        if status:
            raise LocalStackError(f"{self.name} failed. {self._tail()}")

    def answers(self, url: str, timeout: float) -> None:
        """Wait until `url` answers. Raises `LocalStackError` if it ends first or after `timeout` seconds."""

        def answered() -> bool:
            with contextlib.suppress(urllib.error.URLError, OSError), _direct.open(url, timeout=1):
                return True
            return False

        self.wait_until(answered, timeout)

    def wait_until(self, is_ready: Callable[[], bool], timeout: float) -> None:
        """Wait until it is ready. Raises `LocalStackError` if it ends first or after `timeout` seconds."""
        end = time.monotonic() + timeout
        while time.monotonic() < end:
            self.check()
            if is_ready():
                return
            time.sleep(0.05)
        raise LocalStackError(f"{self.name} does not answer after {timeout:.0f} s. {self._tail()}")

    def check(self) -> None:
        """Raises `LocalStackError` if it has ended."""
        if self._process.poll() is not None:
            raise LocalStackError(f"{self.name} has ended. {self._tail()}")

    def begin_to_stop(self) -> float:
        """Send SIGTERM to the process group. Returns when to kill it (monotonic seconds)."""
        self._signal(signal.SIGTERM)
        if self._stop_by is None:
            self._stop_by = time.monotonic() + STOP_SECONDS
        return self._stop_by

    def stop(self) -> None:
        """End the process group: SIGTERM, then SIGKILL."""
        stop_by = self.begin_to_stop()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(max(0, stop_by - time.monotonic()))
        self._signal(signal.SIGKILL)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(STOP_SECONDS)

    def _signal(self, ending: signal.Signals) -> None:
        # The group outlives its leader while a descendant runs.
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, ending)

    def _tail(self) -> str:
        lines = self.log.read_text(errors="replace").splitlines()[-TAIL_LINES:]
        return "\n".join([f"Its output is in {self.log}; it ends with:", *(f"    {line}" for line in lines)])


def free_port(host: str) -> int:
    """A port that was free a moment ago."""
    with socket.create_server((host, 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


def require_free(host: str, port: int, choose_another: str) -> None:
    """Raises `LocalStackError` with the hint `choose_another` if the port is taken or invalid."""
    try:
        socket.create_server((host, port)).close()
    except (OSError, OverflowError) as error:
        # A port out of range has no errno; create_server extends the text of the other errors.
        why = os.strerror(error.errno) if isinstance(error, OSError) and error.errno else str(error)
        raise LocalStackError(f"cannot listen on {host}:{port} ({why}); {choose_another}") from None
