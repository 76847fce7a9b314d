"""Operations of administrators on a number: status, unlock, erase. Every use emits an event.

An administrator knows the number and belongs to no tenant: an operation works at every tenant, and under both
peppers while one is being rotated.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Any

from sms_otp.domain import keys, limits, number, phone
from sms_otp.domain.clock import (
    NO_SECONDS,
    Clock,
    Deadline,
    Milliseconds,
    Seconds,
    milliseconds,
    seconds,
    to_seconds,
)
from sms_otp.domain.commands import Policy
from sms_otp.domain.errors import NumberDisabled
from sms_otp.domain.keys import Peppers
from sms_otp.domain.number import Approach, Lane, LanePolicy, Number
from sms_otp.domain.ports import Erased, EventSink, NumberRecord, Numbers
from sms_otp.domain.verification import Verification, status_of


@dataclass(frozen=True, slots=True)
class Administrator:
    """The caller: an IAM principal, by its ARN."""

    arn: str
    deadline: Deadline


@dataclass(frozen=True, slots=True)
class Lock:
    """A number's consecutive failures at one tenant in one lane.

    `retry_after` is in seconds; 0 if no wait is needed, or no wait helps.
    """

    tenant: str
    lane: Lane
    failures: int
    disabled: bool
    retry_after: Seconds


@dataclass(frozen=True, slots=True)
class NumberStatus:
    """Everything stored about a number, under the current pepper first."""

    number_key: str
    records: tuple[NumberRecord, ...]
    locks: tuple[Lock, ...]
    verifications: tuple[tuple[Verification, str], ...]
    """Each with its current status."""
    resend_after: Seconds
    """Seconds until another code may be sent; 0 is now."""

    @property
    def known(self) -> Number:
        """The number's record, merged over both peppers."""
        return _joined(self.records)

    @property
    def tenants(self) -> frozenset[str]:
        """The tenants that have any data on the number."""
        known = self.known
        failing = (tenant for tenant, _ in known.failures)
        tried = (verification.tenant for verification, _ in self.verifications)
        return frozenset((*failing, *known.totals, *known.verified, *known.tokens_from, *tried))


@dataclass(frozen=True, slots=True)
class Administration:
    """The operations, on one deployment's policy and tables."""

    policy: Policy
    numbers: Numbers
    peppers: Callable[[], Peppers]
    clock: Clock
    emit: EventSink

    def status(self, phone_number: str, who: Administrator) -> NumberStatus:
        """Everything stored about a number. Raises `InvalidPhoneNumber`."""
        number_keys = self._log_call("status", phone_number, who)
        now = milliseconds(self.clock)
        records = tuple(self.numbers.record_of(key, to_seconds(now)) for key in number_keys)
        known = _joined(records)
        lanes = self.policy.number_limits(phone.parse_any_kind(phone_number).country)
        next_code = number.next_send_at(known, Lane.STRANGER, Approach(""), lanes, now)
        return NumberStatus(
            number_key=number_keys[0],
            records=records,
            locks=tuple(
                _lock(record.number, tenant, lane, lanes, now)
                for record in records
                for (tenant, lane), failures in record.number.failures.items()
                if failures.count
            ),
            verifications=tuple(
                (verification, status_of(verification, to_seconds(now), self.policy.max_attempts))
                for record in records
                for verification in record.verifications
            ),
            resend_after=limits.seconds_until(next_code, now),
        )

    def unlock(self, number: str, who: Administrator) -> int:
        """Clear a number's failures; returns at how many tenants it had any. Raises `InvalidPhoneNumber`.

        Guesses are allowed again at once. Sends stay counted.
        """
        number_keys = self._log_call("unlock", number, who)
        now = seconds(self.clock)
        unlocked = sum(self.numbers.unlock(key, now) for key in number_keys)
        self._emit("number_unlocked", number, number_keys, who, tenants=unlocked)
        return unlocked

    def erase(self, number: str, who: Administrator) -> Erased:
        """Delete all data on a number; repeat while `retry_after` is not 0. Raises `InvalidPhoneNumber`."""
        number_keys = self._log_call("erase", number, who)
        now = seconds(self.clock)
        counts: Counter[str] = Counter()
        retry_after = NO_SECONDS
        for key in number_keys:
            erased = self.numbers.erase(key, now, who.deadline)
            counts.update(erased.counts)
            retry_after = max(retry_after, erased.retry_after)
        self._emit("number_erased", number, number_keys, who, erased=dict(counts), complete=not retry_after)
        return Erased(counts, retry_after)

    def _log_call(self, operation: str, number: str, who: Administrator) -> tuple[str, ...]:
        """Emit `admin_called`, so that a failed operation has an event too. Returns the number's keys."""
        spelled = phone.parse_any_kind(number)
        number_keys = keys.number_keys(self.peppers(), spelled.e164)
        self._emit("admin_called", number, number_keys, who, operation=operation)
        return number_keys

    def _emit(
        self, event: str, number: str, number_keys: tuple[str, ...], who: Administrator, **fields: Any
    ) -> None:
        self.emit(
            event, number=phone.parse_any_kind(number), number_key=number_keys[0], caller=who.arn, **fields
        )


def _joined(records: Sequence[NumberRecord]) -> Number:
    return reduce(Number.joined, (record.number for record in records), Number())


def _lock(known: Number, tenant: str, lane: Lane, lanes: LanePolicy, now: Milliseconds) -> Lock:
    refused = number.lock(known, tenant, lane, lanes, now)
    return Lock(
        tenant,
        lane,
        known.failures_of(tenant, lane).count,
        isinstance(refused, NumberDisabled),
        (refused and refused.retry_after) or NO_SECONDS,
    )
