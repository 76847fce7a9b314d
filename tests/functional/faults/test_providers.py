"""A provider that fails sends no second SMS and verifies nobody."""

import pytest

from sms_otp.adapters.providers import transport
from tests.functional.faults.exchanges import CHECKS, SENDS
from tests.functional.faults.outcomes import (
    FOR_GOOD,
    NOT_KNOWN,
    NOT_SENT,
    UNAVAILABLE,
    WRONG_CODE,
    Checking,
    Sending,
    check_again,
    check_sending,
    outcome_of,
    refused,
    state,
)
from tests.functional.faults.turns import rows
from tests.functional.faults.world import ProviderFault, World

HANG_SECONDS = 0.7
"""The time limit of an exchange with a provider that never answers in full."""


@rows(SENDS)
def test_a_provider_that_fails_to_send_causes_no_second_sms(
    fault: ProviderFault, expected: Sending, world: World
) -> None:
    world.transport.faults.append(fault)
    check_sending(world, expected)


@rows(CHECKS)
def test_a_provider_that_fails_to_check_verifies_nobody(
    fault: ProviderFault, expected: Checking, world: World
) -> None:
    verification_id, code = world.pending()
    # Twice: a guess that came too soon for Infobip is sent once more.
    world.transport.faults = [fault, fault]
    assert refused(world.verify(verification_id, WRONG_CODE))
    assert state(world) == ("pending", 1)
    world.transport.faults = [fault, fault]
    assert outcome_of(world.verify(verification_id, code)) == expected.ends
    assert state(world) == ("pending", 2)
    world.heal()
    check_again(world, verification_id, code, expected.again)


@pytest.mark.parametrize("operation", ["send", "check"])
@pytest.mark.parametrize("fault", ["timeout", "lost", "drip"])
def test_a_hanging_provider_is_abandoned_at_the_deadline(
    operation: str, fault: str, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Over real sockets. Whether a request leaves in so short a time is up to the machine; safety is not."""
    monkeypatch.setattr(transport, "TOTAL_SECONDS", HANG_SECONDS)
    if operation == "check":
        verification_id, code = world.pending()
        world.spoil_provider("check", fault)
        assert outcome_of(world.verify(verification_id, code)) == UNAVAILABLE
        assert state(world) == ("pending", 1)
        return
    # Sinch's status of the send is read too, and hangs as well.
    world.spoil_provider("send", fault)
    world.spoil_provider("status", "timeout")
    assert outcome_of(world.request()) == UNAVAILABLE
    world.heal()
    outcome_of(world.request(request_id="request-9"))
    assert world.sms() <= 1


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        ("refused", FOR_GOOD),
        ("401", NOT_SENT),
        ("500", NOT_KNOWN),
        ("502", NOT_KNOWN),
        ("redirect", NOT_SENT),
    ],
)
def test_a_providers_own_error_answers_cause_no_second_sms(
    fault: str, expected: Sending, world: World
) -> None:
    world.spoil_provider("send", fault)
    check_sending(world, expected)
