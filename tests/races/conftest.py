"""The real service on stores and providers that are servers: DynamoDB emulated by MiniStack, and the sandbox.

A mock in one process is not atomic under threads, so it can prove nothing here.
"""

import json
from collections.abc import Iterator, Mapping
from typing import Any

import boto3
import pytest
import requests
from botocore.config import Config

from local.processes import Child, free_port
from local.sandbox.credentials import credentials
from local.sandbox.server import running_sandbox
from local.stack import BIN, LOGS, REGION, START_SECONDS, aws_environment
from sms_otp import providers
from sms_otp.config import Settings
from sms_otp.providers.base import Provider
from sms_otp.providers.fixed import FixedCodes
from sms_otp.providers.router import Router
from sms_otp.service import Service
from sms_otp.store import DynamoStore
from sms_otp.wiring import policy
from tests.fakes import PEPPER, StepClock
from tests.template import environment, resource

TABLE = "races"


class Vault:
    """Hands out the sandbox's credentials."""

    def __init__(self, sandbox_url: str) -> None:
        self._credentials: Mapping[str, Any] = credentials(sandbox_url)

    def credentials(self, provider: str) -> Mapping[str, str]:
        fields: Mapping[str, str] = self._credentials[provider]
        return fields

    def forget_credentials(self) -> None:
        """They are never rotated."""


@pytest.fixture(scope="session")
def sandbox() -> Iterator[str]:
    """The sandbox's URL."""
    with running_sandbox() as url:
        yield url


@pytest.fixture(scope="session")
def dynamodb() -> Iterator[Any]:
    """A client of a DynamoDB that holds the template's table."""
    port = free_port("127.0.0.1")
    url = f"http://127.0.0.1:{port}"
    environment = {**aws_environment(url), "BIND_HOST": "127.0.0.1", "GATEWAY_PORT": str(port)}
    with Child(
        "MiniStack", [str(BIN / "ministack")], environment, LOGS / f"ministack-{port}.log"
    ) as emulator:
        emulator.answers(f"{url}/_ministack/health", START_SECONDS)
        # One connection per caller, so that they really call at once.
        client = boto3.client(
            "dynamodb",
            endpoint_url=url,
            region_name=REGION,
            aws_access_key_id="test",
            aws_secret_access_key="test",
            config=Config(max_pool_connections=1000),
        )
        table = resource("Table")
        client.create_table(
            TableName=TABLE,
            **{name: table[name] for name in ("AttributeDefinitions", "KeySchema", "BillingMode")},
        )
        yield client


@pytest.fixture
def service(dynamodb: Any, sandbox: str) -> Service:
    """The deployed wiring with the template's defaults, on a clock that moves only when told."""
    settings = Settings.from_environment(environment(Stage="local", ProviderSandboxUrl=sandbox))

    def build(name: str, given: Mapping[str, str]) -> Provider:
        return providers.build(name, given, settings)

    return Service(
        policy=policy(settings),
        store=DynamoStore(dynamodb, TABLE),
        providers=Router(settings.provider_order, Vault(sandbox), build, FixedCodes({})),
        pepper=lambda: PEPPER,
        clock=StepClock(),
        tell=lambda *_, **__: None,
    )


def inbox(sandbox: str, number: str) -> list[dict[str, Any]]:
    """The messages that a phone got, newest first."""
    found: list[dict[str, Any]] = requests.get(f"{sandbox}/inbox", params={"to": number}, timeout=10).json()
    return found


def calls(sandbox: str, operation: str, number: str) -> int:
    """How many provider calls of one kind were about one number."""
    every = json.loads(requests.get(f"{sandbox}/calls", timeout=30).content)
    return sum(1 for call in every if call["operation"] == operation and call["to"] == number)
