"""Ctrl-C in the terminal of `make run` ends all its processes within ten seconds, also after a load."""

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from local.processes import free_port, require_free
from local.stack import MEMORY
from local.stack_file import LOCAL, ROOT, StackFile, local_client
from ops import load
from ops.deployed import described
from tests.eventually import eventually

pytestmark = [pytest.mark.e2e, pytest.mark.long]

HOST = "127.0.0.1"
START_SECONDS, STOP_SECONDS = 240, 10
RUN = """
import sys
from pathlib import Path
from local import run, stack

# Away from the files of other stacks in this directory and on this machine.
stack.MEMORY, run.LOCAL = Path(sys.argv.pop()), Path(sys.argv.pop())
run.main()
"""


@pytest.fixture
def folder() -> Iterator[Path]:
    """Where `make run` writes `stack.json`."""
    made = LOCAL / f"stop-{os.getpid()}"
    made.mkdir(parents=True)
    yield made
    for left in made.iterdir():
        left.unlink()
    made.rmdir()


@pytest.fixture
def memory() -> Iterator[Path]:
    """Where MiniStack unpacks functions."""
    with tempfile.TemporaryDirectory(dir=MEMORY if MEMORY.is_dir() else None) as made:
        yield Path(made)


def test_ctrl_c_after_a_load_leaves_nothing_behind(folder: Path, memory: Path) -> None:
    ports = free_port(HOST), free_port(HOST)
    options = ["--port", str(ports[0]), "--sandbox-port", str(ports[1])]
    with (folder / "output").open("wb") as output:
        # A session of its own, so that its process group gets the signal as from a terminal.
        running = subprocess.Popen(  # noqa: S603 - what `make run` becomes
            [sys.executable, "-c", RUN, *options, str(folder), str(memory)],
            cwd=ROOT,
            env=os.environ | {"PYTHONPATH": "layers/core"},
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        written = folder / "stack.json"
        eventually(lambda: written.exists() or running.poll() is not None, START_SECONDS)
        stack = StackFile.read(written)

        def client(service: str) -> object:
            return local_client(service, stack.awsEndpointUrl)

        shared, _ = load.run(described(stack.stackName, client, stack.baseUrl), stack, 30, 5, 4)
        assert shared.answered
        assert load.unexpected(shared.answered) == {}
        os.killpg(running.pid, signal.SIGINT)
        assert running.wait(STOP_SECONDS) == 0, (folder / "output").read_text()
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(running.pid, signal.SIGTERM)
        running.wait(STOP_SECONDS)
    assert (folder / "output").read_text().splitlines()[-1] == "stopped"
    for port in ports:
        require_free(HOST, port, "a process that it started still listens")
    assert not written.exists()
    assert list(memory.iterdir()) == []
    assert not (LOCAL / f"tmp-{ports[0]}").exists()
