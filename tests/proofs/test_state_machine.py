"""Six invariants hold after every step of any sequence of requests and faults.

1. A verification's guesses that reach a provider are at most its limit. A number's, at one tenant and
   without a success between, keep each lane's growing wait and end at the limit of all lanes.
2. A verification succeeds at most once: before its end, unlocked, for the tenant and session that requested
   it, and only if the provider accepts the code of its own handle in that very request.
3. No send exceeds a limit, and none leaves before it is on record.
4. A number's failures never decrease but by a success, or a month without any.
5. `verified`, `cancelled` and `failed` are final, and an expired or locked verification stays unverified.
6. A request that raises has verified nobody. Only an answer that is lost after the decision was stored
   leaves a verification verified without its caller knowing.

Beyond these, every answer is the one that `model` works out from the rules.
"""

from collections import Counter
from collections.abc import Callable, Iterator

import boto3
import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test
from mypy_boto3_dynamodb import DynamoDBClient

from tests.emulator import emulated_aws
from tests.proofs.machine import Machine
from tests.proofs.outside import DynamoShelf, MemoryShelf, Shelf
from tests.proofs.scale import scaled
from tests.races.servers import new_table

USUAL_ANSWERS = {"ok", "OTP_INCORRECT", "TOO_MANY_ATTEMPTS", "RATE_LIMITED number"}
"""The answers that a few runs must produce, or they have tried too little to prove anything."""
EVERY_ANSWER = USUAL_ANSWERS | {
    "VERIFICATION_NOT_FOUND",
    "OTP_EXPIRED",
    "ALREADY_VERIFIED",
    "VERIFICATION_CANCELLED",
    "NUMBER_LOCKED waiting",
    "NUMBER_DISABLED disabled",
    "CHALLENGE_REQUIRED number",
    "RATE_LIMITED client",
    "RATE_LIMITED service day",
    "IDEMPOTENCY_KEY_REUSED",
    "PROVIDER_REJECTED refused",
    "PROVIDER_REJECTED replayed",
    "PROVIDER_UNAVAILABLE throttled",
    "PROVIDER_UNAVAILABLE unavailable",
    "PROVIDER_UNAVAILABLE misconfigured",
    "PROVIDER_UNAVAILABLE ambiguous",
    "PROVIDER_UNAVAILABLE replayed",
    "StoreError",
}
"""The answers that two thousand runs must produce."""


def run(open_shelf: Callable[[], Shelf], runs: int, steps: int = 50) -> set[str]:
    """Run the state machine. Returns the answers that it produced."""
    came_across: Counter[str] = Counter()

    class Deployed(Machine):
        pass

    Deployed.open_shelf = staticmethod(open_shelf)
    Deployed.came_across = came_across
    run_state_machine_as_test(
        Deployed,
        settings=settings(
            max_examples=runs,
            stateful_step_count=steps,
            deadline=None,
            derandomize=True,
            suppress_health_check=list(HealthCheck),
        ),
    )
    return set(came_across)


@pytest.fixture(scope="module")
def dynamodb() -> Iterator[DynamoDBClient]:
    with emulated_aws():
        yield boto3.client("dynamodb", region_name="eu-west-1")


def test_the_six_invariants_hold_over_a_store_in_memory() -> None:
    came_across = run(MemoryShelf, scaled(60, 2000))
    assert came_across >= scaled(USUAL_ANSWERS, EVERY_ANSWER)


def test_the_six_invariants_hold_over_dynamodb(dynamodb: DynamoDBClient) -> None:
    """Fewer runs, because each step on the emulator takes many times as long."""
    came_across = run(
        lambda: DynamoShelf(dynamodb, new_table(dynamodb)), runs=scaled(2, 10), steps=scaled(20, 50)
    )
    assert came_across >= scaled({"ok"}, USUAL_ANSWERS)
