"""The servers that the races run on: DynamoDB, as MiniStack or DynamoDB Local, and the sandbox.

A mock in this process is not atomic under threads, so it could prove nothing here.
"""

import itertools
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import boto3
import requests
from botocore.config import Config
from mypy_boto3_dynamodb import DynamoDBClient

from fakes.memory import PEPPERS, NoBreaker, StepClock
from local.processes import Child, free_port
from local.sandbox.credentials import credentials
from local.stack import BIN, LOGS, START_SECONDS, aws_environment
from local.stack_file import REGION
from local.template import environment
from sms_otp.adapters.config import Settings
from sms_otp.adapters.dynamodb.store import DynamoStore
from sms_otp.adapters.providers import registry
from sms_otp.adapters.providers.test_numbers import FixedCodes
from sms_otp.domain.provider import Provider
from sms_otp.entry_points.bootstrap import policy
from sms_otp.use_cases.failover import Router
from sms_otp.use_cases.service import Service
from tests.tables import create_table

MOST_AT_ONCE = 1000
_tables = itertools.count()


class SecretCache:
    """Hands out the sandbox's credentials."""

    def __init__(self, sandbox_url: str) -> None:
        self._credentials: Mapping[str, Any] = credentials(sandbox_url)

    def credentials(self, provider: str) -> Mapping[str, str]:
        fields: Mapping[str, str] = self._credentials[provider]
        return fields

    def forget_credentials(self) -> None:
        """They are never rotated."""


@contextmanager
def running_ministack() -> Iterator[DynamoDBClient]:
    """Yields a client of MiniStack's DynamoDB while it runs: a connection for each of a thousand callers."""
    port = free_port("127.0.0.1")
    url = f"http://127.0.0.1:{port}"
    variables = {**aws_environment(url), "BIND_HOST": "127.0.0.1", "GATEWAY_PORT": str(port)}
    log = LOGS / f"ministack-{port}.log"
    with Child("MiniStack", [str(BIN / "ministack")], variables, log) as emulator:
        emulator.answers(f"{url}/_ministack/health", START_SECONDS)
        client: DynamoDBClient = boto3.client(
            "dynamodb",
            endpoint_url=url,
            region_name=REGION,
            aws_access_key_id="test",
            aws_secret_access_key="test",
            # Without it, callers would wait for each other's connections and not really call at once.
            config=Config(max_pool_connections=MOST_AT_ONCE),
        )
        yield client
        client.close()


def new_table(dynamodb: DynamoDBClient) -> str:
    """The name of an empty table as the template has it."""
    name = f"table-{next(_tables)}"
    create_table(dynamodb, name)
    return name


def build_service(dynamodb: DynamoDBClient, sandbox: str, **parameters: str) -> Service:
    """The deployed bootstrap over a table of its own, on a clock that a test moves.

    `parameters` are the template's, which has the defaults of the rest.
    """
    settings = Settings.from_environment(environment(Stage="local", ProviderSandboxUrl=sandbox, **parameters))

    def build(name: str, given: Mapping[str, str]) -> Provider:
        return registry.build(name, given, settings)

    return Service(
        policy=policy(settings),
        store=DynamoStore(dynamodb, new_table(dynamodb)),
        providers=Router(
            settings.provider_order,
            {},
            SecretCache(sandbox),
            build,
            FixedCodes({}),
            NoBreaker(),
            lambda *_, **__: None,
        ),
        peppers=lambda: PEPPERS,
        clock=StepClock(),
        emit=lambda *_, **__: None,
    )


def inbox(sandbox: str, number: str) -> list[dict[str, Any]]:
    """A phone's messages, newest first."""
    found: list[dict[str, Any]] = requests.get(f"{sandbox}/inbox", params={"to": number}, timeout=30).json()
    return found


def sends(sandbox: str) -> list[dict[str, Any]]:
    """Every send that a provider was called for."""
    every = requests.get(f"{sandbox}/calls", timeout=30).json()
    return [call for call in every if call["operation"] == "send"]


def calls(sandbox: str, operation: str, number: str | None = None) -> int:
    """The number of provider calls of one operation, for one number or for all."""
    every = requests.get(f"{sandbox}/calls", timeout=30).json()
    return sum(call["operation"] == operation and number in (None, call["to"]) for call in every)
