"""A deployment in which anything can fail, with each of the two providers in turn.

No fault verifies anybody wrongly or sends a second SMS, and every answer is documented.
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
    """Try every fault more than once in `make prove`: a test that passes by chance also fails by chance."""
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
    # Skip the SDK's waits between its tries; the test of the time budget adds them up.
    monkeypatch.setattr(ExponentialBackoff, "delay_amount", lambda *_: 0)
    with deployed_world(aws, provider, sandbox, clock, monkeypatch) as deployed:
        yield deployed
        for message in deployed.inbox():
            watch.look_for("code", message["code"])
        watch.record_items(aws.dynamodb, deployed.table, clock())
