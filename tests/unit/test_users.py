"""The retention of a user."""

import pytest

from fakes.memory import START
from sms_otp.domain.clock import Seconds
from sms_otp.domain.users import FOREVER, Retention, User

NOW = Seconds(int(START))


@pytest.mark.parametrize(
    ("kept_until", "is_kept"),
    [(None, True), (Seconds(NOW + 1), True), (NOW, False), (Seconds(NOW - 1), False)],
)
def test_a_user_is_kept_until_its_retention_ends(kept_until: Seconds | None, is_kept: bool) -> None:
    assert User("tenant-a", "US", NOW, NOW, kept_until=kept_until).is_kept(NOW) is is_kept


def test_a_retention_is_counted_in_days() -> None:
    retention = Retention(90, 400)
    assert retention.unverified_until(NOW) == NOW + 90 * 86_400
    assert retention.verified_until(NOW) == NOW + 400 * 86_400
    assert Retention(90, 0).verified_until(NOW) == FOREVER == 253_402_300_799
