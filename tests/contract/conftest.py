"""The sandbox: fake providers over real HTTP on loopback."""

from collections.abc import Iterator

import pytest
import requests

from local.sandbox.app import create_wide_app
from local.sandbox.server import running_sandbox


@pytest.fixture(scope="session")
def _sandbox_server() -> Iterator[str]:
    with running_sandbox(app=create_wide_app()) as url:
        yield url


@pytest.fixture
def sandbox(_sandbox_server: str) -> str:
    """The URL of a sandbox with an empty inbox, an empty call log and no pending fault.

    One sandbox serves all tests, which send to one number, so the limits of its applications are wide.
    """
    for kept in ("inbox", "calls", "faults"):
        requests.delete(f"{_sandbox_server}/{kept}", timeout=5).raise_for_status()
    return _sandbox_server
