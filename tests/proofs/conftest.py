"""The deployed functions in this process, over a DynamoDB that is a server."""

from collections.abc import Iterator

import pytest
from mypy_boto3_dynamodb import DynamoDBClient

from fakes.memory import PEPPERS, FakeProvider, StepClock
from local.template import environment
from sms_otp.adapters import config
from sms_otp.adapters.config import Settings
from sms_otp.adapters.dynamodb.store import DynamoStore
from sms_otp.entry_points import bootstrap
from sms_otp.entry_points.bootstrap import policy
from sms_otp.use_cases.service import Service
from sms_otp.use_cases.status import Lifecycle
from tests.proofs.handlers import Functions
from tests.races.crowd import fresh_numbers
from tests.races.servers import new_table, running_ministack


@pytest.fixture(scope="session")
def _dynamodb() -> Iterator[DynamoDBClient]:
    with running_ministack() as client:
        yield client


@pytest.fixture
def functions(
    _dynamodb: DynamoDBClient, clock: StepClock, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Functions]:
    """The functions over an empty table. Only the provider and the clock are fakes."""
    variables = environment()
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    config.settings.cache_clear()
    limits = policy(Settings.from_environment(variables))
    store, provider = DynamoStore(_dynamodb, new_table(_dynamodb)), FakeProvider()
    service = Service(
        policy=limits,
        store=store,
        providers=provider,
        peppers=lambda: PEPPERS,
        clock=clock,
        emit=lambda *_, **__: None,
    )
    lifecycle = Lifecycle(limits, store, clock, service.emit)
    # The one seam: a handler gets its use cases from `bootstrap`.
    monkeypatch.setattr(bootstrap, "service", lambda: service)
    monkeypatch.setattr(bootstrap, "lifecycle", lambda: lifecycle)
    yield Functions(provider, clock, fresh_numbers())
    config.settings.cache_clear()
