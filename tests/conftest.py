"""What every test gets: no AWS account to reach, and settings as the template's defaults make them."""

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


# `make test` draws the same examples in each run, so that what fails once fails again; `make prove` draws new
# ones. As many as a release wants: pytest tests/functional --hypothesis-profile=prove
hypothesis_settings.register_profile("usual", max_examples=80, deadline=None, derandomize=True)
hypothesis_settings.register_profile("prove", max_examples=10_000, deadline=None)
hypothesis_settings.register_profile("new", max_examples=80, deadline=None)
hypothesis_settings.load_profile("new" if os.environ.get("PROVE") else "usual")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: "Producer") -> "LoadFileScheduling":
    """Who runs what, of several at once: see `tests.side_by_side`."""
    from tests.side_by_side import SideBySide

    return SideBySide(config, log)


@pytest.fixture(autouse=True)
def _no_aws_account(monkeypatch: pytest.MonkeyPatch) -> None:
    """A forgotten fake can reach nobody's account."""
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
    """A clock that moves only when told to."""
    return StepClock()


# For one file's tests: while it runs, nothing else in this process may have an event loop.
@pytest.fixture(scope="module")
def browser() -> "Iterator[Browser]":
    """Chromium. Where there is none, the tests that ask for it are skipped."""
    from generators.browser import CHROMIUM, chromium

    if not CHROMIUM.exists():
        pytest.skip(f"{CHROMIUM} is missing; on Debian: apt-get install chromium")
    with chromium() as running:
        yield running


# One for the contract suite and the races of a process: it takes seconds to start.
@pytest.fixture(scope="session")
def dynamodb_local() -> "Iterator[DynamoDBClient]":
    """A client of AWS's DynamoDB Local. Where it cannot be run, the tests on it are skipped."""
    from tests.dynamodb_local.server import running_dynamodb_local

    with running_dynamodb_local() as client:
        yield client
