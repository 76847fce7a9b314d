"""Fixtures for every test: no AWS account in reach, and the settings of the template's defaults."""

import os
from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings as hypothesis_settings

from fakes.memory import StepClock
from local.template import environment
from sms_otp.adapters.config import Settings
from sms_otp.domain.commands import Policy
from sms_otp.domain.provider import Channel
from sms_otp.entry_points.bootstrap import policy as policy_of

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from playwright.sync_api import Browser
    from xdist.remote import Producer
    from xdist.scheduler import LoadFileScheduling


# `make test` draws the same examples in each run, so that a failure repeats; `make prove` draws new ones.
# Before a release: pytest tests/functional --hypothesis-profile=prove
hypothesis_settings.register_profile("usual", max_examples=80, deadline=None, derandomize=True)
hypothesis_settings.register_profile("prove", max_examples=10_000, deadline=None)
hypothesis_settings.register_profile("new", max_examples=80, deadline=None)
hypothesis_settings.load_profile("new" if os.environ.get("PROVE") else "usual")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: "Producer") -> "LoadFileScheduling":
    """Deal the tests out to the processes: see `tests.side_by_side`."""
    from tests.side_by_side import SideBySide

    return SideBySide(config, log)


@pytest.fixture(autouse=True)
def _no_aws_account(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without its fake, a test cannot reach a real account."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    monkeypatch.setenv("AWS_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")


@pytest.fixture
def settings() -> Settings:
    """The template's defaults."""
    return Settings.from_environment(environment())


@pytest.fixture
def policy(settings: Settings) -> Policy:
    """The limits that the template's defaults make, with every channel to everywhere."""
    return replace(policy_of(settings), channel_countries=dict.fromkeys(Channel))


@pytest.fixture
def clock() -> StepClock:
    """A clock that moves only by `step`."""
    return StepClock()


# For one file's tests: while it runs, nothing else in this process may have an event loop.
@pytest.fixture(scope="module")
def browser() -> "Iterator[Browser]":
    """Chromium. The tests that use it are skipped where it is not installed."""
    from generators.browser import CHROMIUM, chromium

    if not CHROMIUM.exists():
        pytest.skip(f"{CHROMIUM} is missing; on Debian: apt-get install chromium")
    with chromium() as running:
        yield running


# One for the contract suite and the races of a process: it takes seconds to start.
@pytest.fixture(scope="session")
def dynamodb_local() -> "Iterator[DynamoDBClient]":
    """A client of DynamoDB Local. The tests that use it are skipped where it cannot run."""
    from tests.dynamodb_local.server import running_dynamodb_local

    with running_dynamodb_local() as client:
        yield client
