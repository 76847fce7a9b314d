"""The lock-out drill: its counts, and its promise to the holder of a device token."""

import pytest

from bench.lockout import DAYS, TRIES_A_DAY, Owner, Siege, Stranger


@pytest.mark.parametrize("addresses", [1, 100])
def test_a_stranger_cannot_lock_out_a_device_token_holder_in_thirty_days(addresses: int) -> None:
    outcome = Siege(Owner.DEVICE, addresses, Stranger.GUESSES).run()
    assert outcome.tries == outcome.verified == DAYS * TRIES_A_DAY
    assert 0 < outcome.most_in_a_day <= 10


def test_a_stranger_who_passes_challenges_can_lock_out_an_unknown_owner() -> None:
    outcome = Siege(Owner.NOTHING, 100, Stranger.PASSES).run()
    assert outcome.tries == DAYS * TRIES_A_DAY
    assert outcome.verified == 0
    assert outcome.strangers_messages == DAYS * 10
