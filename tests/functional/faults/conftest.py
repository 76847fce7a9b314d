"""A deployment of which anything may fail, with each of the two providers in turn.

Whatever fails: nobody is verified who must not be, no second SMS leaves, and each answer is documented.
"""

from collections.abc import Iterator

import pytest
from botocore.retries.standard import ExponentialBackoff

from fakes.memory import StepClock
from tests.functional.canaries import Watch
from tests.functional.faults.turns import PROVIDERS
from tests.functional.faults.world import Aws, World, deployed_world
from tests.proofs.scale import scaled


@pytest.fixture(params=PROVIDERS)
def provider(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(autouse=True, params=range(scaled(1, 3)), ids="try {}".format)
def _again(request: pytest.FixtureRequest) -> int:
    """Every fault more than once in `make prove`: what goes well by chance goes wrong by it too."""
    return int(request.param)


@pytest.fixture
def world(
    aws: Aws,
    provider: str,
    sandbox: str,
    clock: StepClock,
    watch: Watch,
    _log: object,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[World]:
    # How long the SDK waits between its tries is added up by the test of the time budget; here it is waited.
    monkeypatch.setattr(ExponentialBackoff, "delay_amount", lambda *_: 0)
    with deployed_world(aws, provider, sandbox, clock, monkeypatch) as deployed:
        yield deployed
        for message in deployed.inbox():
            watch.hide("code", message["code"])
        watch.look_into(aws.dynamodb, deployed.table, clock())
