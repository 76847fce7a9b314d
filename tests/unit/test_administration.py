"""The operations of an administrator: their answers and their events, over scripted tables."""

from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from fakes.memory import PEPPER, START, StepClock, a_verification, number_key
from sms_otp.domain import errors, keys, limits
from sms_otp.domain.clock import Deadline, Milliseconds, Seconds, to_milliseconds
from sms_otp.domain.commands import Policy
from sms_otp.domain.keys import Peppers
from sms_otp.domain.limits import Failures
from sms_otp.domain.number import Lane, Number, Send
from sms_otp.domain.phone import PhoneNumber
from sms_otp.domain.ports import Erased, NumberRecord
from sms_otp.use_cases.administration import Administration, Administrator, Lock

NUMBER, LANDLINE = "+14155550123", "+441212345678"
NOW = Seconds(int(START))
NEW = "another-pepper-for-tests-that-is-long-enough"
NEW_KEY = keys.keyed(NEW, "number", NUMBER)
WHO = Administrator("arn:aws:iam::123456789012:role/support", Deadline(10))


@dataclass
class Tables:
    """Number records by key; records each call with the time that it was given."""

    records: dict[str, NumberRecord] = field(default_factory=dict)
    erased: dict[str, Erased] = field(default_factory=dict)
    calls: list[tuple[Any, ...]] = field(default_factory=list)

    def record_of(self, number_key: str, now: int) -> NumberRecord:
        self.calls.append(("record_of", number_key, now))
        return self.records.get(number_key, NumberRecord())

    def unlock(self, number_key: str, now: int) -> int:
        self.calls.append(("unlock", number_key, now))
        return 2

    def erase(self, number_key: str, now: int, deadline: Deadline) -> Erased:
        self.calls.append(("erase", number_key, now, deadline))
        return self.erased.get(number_key, Erased({}))


@dataclass
class World:
    """The use cases, their tables, and what was emitted."""

    tables: Tables
    clock: StepClock
    emitted: list[tuple[str, dict[str, Any]]]
    administration: Administration


@pytest.fixture
def world(policy: Policy, clock: StepClock) -> World:
    tables, emitted = Tables(), list[tuple[str, dict[str, Any]]]()

    def emit(event: str, **fields: Any) -> None:
        emitted.append((event, fields))

    clock.step(0.75)
    peppers = Peppers(NEW, PEPPER)
    return World(tables, clock, emitted, Administration(policy, tables, lambda: peppers, clock, emit))


def about(number: str = NUMBER, country: str = "US") -> dict[str, Any]:
    return {
        "number": PhoneNumber(number, country),
        "number_key": keys.keyed(NEW, "number", number),
        "caller": WHO.arn,
    }


def test_each_operation_covers_both_peppers_and_passes_whole_seconds(world: World) -> None:
    """A time in milliseconds would keep an unlocked record for tens of thousands of years."""
    world.administration.status(NUMBER, WHO)
    assert world.administration.unlock(NUMBER, WHO) == 4
    world.administration.erase(NUMBER, WHO)
    old_key = number_key(NUMBER)
    assert world.tables.calls == [
        ("record_of", NEW_KEY, NOW),
        ("record_of", old_key, NOW),
        ("unlock", NEW_KEY, NOW),
        ("unlock", old_key, NOW),
        ("erase", NEW_KEY, NOW, WHO.deadline),
        ("erase", old_key, NOW, WHO.deadline),
    ]


def test_each_operation_is_emitted_with_its_caller_and_its_result(world: World) -> None:
    world.administration.status(NUMBER, WHO)
    world.administration.unlock(NUMBER, WHO)
    world.tables.erased = {
        NEW_KEY: Erased({"verifications": 2, "failures": 1}, retry_after=Seconds(30)),
        number_key(NUMBER): Erased({"verifications": 1}),
    }
    erased = world.administration.erase(NUMBER, WHO)
    counts = {"verifications": 3, "failures": 1}
    assert (erased.counts, erased.retry_after) == (counts, 30)
    assert world.emitted == [
        ("admin_called", {**about(), "operation": "status"}),
        ("admin_called", {**about(), "operation": "unlock"}),
        ("number_unlocked", {**about(), "tenants": 4}),
        ("admin_called", {**about(), "operation": "erase"}),
        ("number_erased", {**about(), "erased": counts, "complete": False}),
    ]
    world.tables.erased = {}
    world.administration.erase(NUMBER, WHO)
    assert world.emitted[-1][1]["complete"] is True


@pytest.mark.parametrize("operation", ["status", "unlock", "erase"])
def test_a_number_that_is_no_longer_sent_to_is_still_looked_up(world: World, operation: str) -> None:
    getattr(world.administration, operation)(LANDLINE, WHO)
    assert world.emitted[0] == ("admin_called", {**about(LANDLINE, "ZZ"), "operation": operation})
    with pytest.raises(errors.InvalidPhoneNumber):
        getattr(world.administration, operation)("4155550123", WHO)


def test_a_status_merges_the_records_under_both_peppers(world: World) -> None:
    now = to_milliseconds(NOW)
    sent, both = now - 10 * limits.SECOND, now - 20 * limits.SECOND
    verified = a_verification(attempts=5)
    world.tables.records = {
        NEW_KEY: NumberRecord(
            Number(
                sends=(Send(both), Send(sent)),
                failures={
                    ("tenant-a", Lane.TOKEN): Failures(5, now - 12 * limits.SECOND),
                    ("tenant-b", Lane.STRANGER): Failures(0, Milliseconds(0)),
                    ("tenant-c", Lane.NETWORK): Failures(4, now),
                },
            ),
            verifications=(verified,),
        ),
        number_key(NUMBER): NumberRecord(
            Number(
                sends=(Send(both),),
                failures={("tenant-d", Lane.STRANGER): Failures(80, Milliseconds(0))},
            ),
            verifications=(replace(verified, expires_at=NOW),),
        ),
    }
    status = world.administration.status(NUMBER, WHO)
    assert status.number_key == NEW_KEY
    assert status.locks == (
        Lock("tenant-a", Lane.TOKEN, 5, disabled=False, retry_after=Seconds(18)),
        Lock("tenant-c", Lane.NETWORK, 4, disabled=False, retry_after=Seconds(0)),
        Lock("tenant-d", Lane.STRANGER, 80, disabled=True, retry_after=Seconds(0)),
    )
    assert [state for _, state in status.verifications] == ["locked", "expired"]
    assert status.resend_after == 50, "sixty seconds after the second of two sends"


def test_resend_after_is_zero_without_sends_and_once_the_gap_is_over(world: World) -> None:
    status = world.administration.status(NUMBER, WHO)
    assert (status.resend_after, status.locks, status.verifications) == (0, (), ())
    world.tables.records = {
        NEW_KEY: NumberRecord(Number(sends=(Send(to_milliseconds(NOW) - Milliseconds(30_000 - 750)),)))
    }
    assert world.administration.status(NUMBER, WHO).resend_after == 0
    world.tables.records = {
        NEW_KEY: NumberRecord(Number(sends=(Send(to_milliseconds(NOW) - Milliseconds(30_000 - 751)),)))
    }
    assert world.administration.status(NUMBER, WHO).resend_after == 1
