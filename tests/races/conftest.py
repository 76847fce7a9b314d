"""The real service on stores and providers that are servers."""

from collections.abc import Callable, Iterator
from functools import partial

import pytest
import requests
from mypy_boto3_dynamodb import DynamoDBClient

from local.sandbox.app import create_wide_app
from local.sandbox.server import running_sandbox
from sms_otp.use_cases.service import Service
from tests.races.servers import build_service, running_ministack


@pytest.fixture(scope="session")
def _sandbox_server() -> Iterator[str]:
    with running_sandbox(app=create_wide_app()) as url:
        yield url


@pytest.fixture
def sandbox(_sandbox_server: str) -> str:
    """The URL of a sandbox without messages, calls and pending faults."""
    for kept in ("inbox", "calls", "faults"):
        requests.delete(f"{_sandbox_server}/{kept}", timeout=10).raise_for_status()
    return _sandbox_server


@pytest.fixture(scope="session", params=["ministack", "dynamodb-local"])
def _dynamodb(request: pytest.FixtureRequest) -> Iterator[DynamoDBClient]:
    if request.param == "dynamodb-local":
        yield request.getfixturevalue("dynamodb_local")
        return
    with running_ministack() as client:
        yield client


@pytest.fixture
def build(_dynamodb: DynamoDBClient, sandbox: str) -> Callable[..., Service]:
    """Builds a service over an empty table; arguments are the template's parameters."""
    return partial(build_service, _dynamodb, sandbox)


@pytest.fixture
def service(build: Callable[..., Service]) -> Service:
    """With the template's defaults."""
    return build()
