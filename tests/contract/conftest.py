"""What adapters are held against: the providers' stand-in over real HTTP on loopback, and DynamoDB Local."""

from collections.abc import Iterator

import pytest
import requests
from mypy_boto3_dynamodb import DynamoDBClient

from local.sandbox.app import create_wide_app
from local.sandbox.server import running_sandbox
from tests.dynamodb_local.server import running_dynamodb_local


@pytest.fixture(scope="session")
def _sandbox_server() -> Iterator[str]:
    with running_sandbox(app=create_wide_app()) as url:
        yield url


@pytest.fixture
def sandbox(_sandbox_server: str) -> str:
    """The URL of a sandbox with an empty inbox, an empty call log and no pending fault.

    One for all tests, which send to one number: its applications' limits are wide.
    """
    for kept in ("inbox", "calls", "faults"):
        requests.delete(f"{_sandbox_server}/{kept}", timeout=5).raise_for_status()
    return _sandbox_server


@pytest.fixture(scope="session")
def dynamodb_local() -> Iterator[DynamoDBClient]:
    """A client of DynamoDB Local, one for all tests: each makes its own tables, and deletes them."""
    with running_dynamodb_local() as client:
        yield client
