"""The functions over an in-process AWS emulator, and a provider that keeps its codes in memory."""

import io
import itertools
import json
from collections.abc import Iterator
from dataclasses import replace

import boto3
import pytest
from mypy_boto3_dynamodb import DynamoDBClient

from fakes.memory import PEPPER, FakeProvider, StepClock
from local.sandbox.app import create_wide_app
from local.sandbox.credentials import credentials
from local.sandbox.server import running_sandbox
from local.template import environment
from sms_otp.adapters import config
from sms_otp.adapters.telemetry import events
from sms_otp.entry_points import bootstrap
from sms_otp.use_cases.service import Service
from tests.emulator import emulated_aws
from tests.functional.canaries import Watch
from tests.functional.canaries import watch as watch  # a fixture of every test here
from tests.functional.deployment import Deployment
from tests.functional.faults.world import Aws, faulty_aws
from tests.tables import create_table

REGION = "eu-west-1"
loggers = itertools.count()


@pytest.fixture(scope="module")
def _wired() -> Iterator[Service]:
    """The service as `bootstrap` builds it from the template's environment, with its secrets stored."""
    with emulated_aws(), pytest.MonkeyPatch.context() as patch:
        variables = environment(VoiceCountries="*", WhatsappCountries="*")
        for name, value in (variables | {"AWS_DEFAULT_REGION": REGION}).items():
            patch.setenv(name, value)
        config.settings.cache_clear()
        bootstrap.service.cache_clear()
        manager = boto3.client("secretsmanager", region_name=REGION)
        for name, fields in (
            (variables["PEPPER_SECRET_ARN"], {"pepper": PEPPER}),
            (variables["PROVIDER_SECRET_ARN"], credentials("https://provider.invalid")),
        ):
            manager.create_secret(Name=name, SecretString=json.dumps(fields))
        yield bootstrap.service()
        config.settings.cache_clear()
        bootstrap.service.cache_clear()


@pytest.fixture(scope="module")
def _dynamodb(_wired: Service) -> DynamoDBClient:
    return boto3.client("dynamodb", region_name=REGION)


@pytest.fixture
def _log(monkeypatch: pytest.MonkeyPatch, watch: Watch) -> Iterator[io.StringIO]:
    """The functions' log. Python keeps a logger and its stream by name, so each test takes a new name."""
    monkeypatch.setenv("POWERTOOLS_SERVICE_NAME", f"functional-{next(loggers)}")
    events._logger.cache_clear()
    log = io.StringIO()
    events._logger().registered_handler.setStream(log)  # type: ignore[attr-defined] # a StreamHandler
    watch.record_from("the log", log.getvalue)
    yield log
    events._logger.cache_clear()


@pytest.fixture
def deployed(
    _wired: Service,
    _dynamodb: DynamoDBClient,
    _log: io.StringIO,
    clock: StepClock,
    watch: Watch,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Deployment]:
    """The deployed functions over an empty table. Only the providers and the clock are fakes."""
    table = config.settings().table_name
    create_table(_dynamodb, table)
    provider = FakeProvider()
    service = replace(_wired, providers=provider, clock=clock)
    # The one seam: a handler gets its service from `bootstrap`.
    monkeypatch.setattr(bootstrap, "service", lambda: service)
    yield Deployment(_dynamodb, table, provider, clock, _log)
    watch.record_items(_dynamodb, table, clock())
    _dynamodb.delete_table(TableName=table)


@pytest.fixture(scope="module")
def sandbox() -> Iterator[str]:
    """The URL of the provider sandbox on loopback."""
    with running_sandbox(app=create_wide_app()) as url:
        yield url


@pytest.fixture(scope="module")
def aws() -> Iterator[Aws]:
    """An AWS account whose calls a test can make fail."""
    with faulty_aws() as account:
        yield account
