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
    """A number's failures in a row at one tenant in one lane.

    `retry_after` is 0 where it need not wait, or no wait helps.
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
    standings: tuple[NumberRecord, ...]
    locks: tuple[Lock, ...]
    verifications: tuple[tuple[Verification, str], ...]
    """Each with its status as it is now."""
    resend_after: Seconds
    """How long until another code may be sent; 0 is now."""

    @property
    def known(self) -> Number:
        """What is known of it under either pepper."""
        return _joined(self.standings)

    @property
    def tenants(self) -> frozenset[str]:
        """Those at which anything is known of it."""
        known = self.known
        failing = (tenant for tenant, _ in known.failures)
        tried = (verification.tenant for verification, _ in self.verifications)
        return frozenset((*failing, *known.totals, *known.verified, *known.tokens_from, *tried))


@dataclass(frozen=True, slots=True)
class Administration:
    """The use cases over one deployment's policy and tables."""

    policy: Policy
    numbers: Numbers
    peppers: Callable[[], Peppers]
    clock: Clock
    emit: EventSink

    def status(self, phone_number: str, who: Administrator) -> NumberStatus:
        """How a number stands. Raises `InvalidPhoneNumber`."""
        number_keys = self._called("status", phone_number, who)
        now = milliseconds(self.clock)
        standings = tuple(self.numbers.record_of(key, to_seconds(now)) for key in number_keys)
        known = _joined(standings)
        lanes = self.policy.number_limits(phone.parse_any_kind(phone_number).country)
        next_code = number.next_send_at(known, Lane.STRANGER, Approach(""), lanes, now)
        return NumberStatus(
            number_key=number_keys[0],
            standings=standings,
            locks=tuple(
                _lock(record_of.number, tenant, lane, lanes, now)
                for record_of in standings
                for (tenant, lane), failures in record_of.number.failures.items()
                if failures.count
            ),
            verifications=tuple(
                (verification, status_of(verification, to_seconds(now), self.policy.max_attempts))
                for record_of in standings
                for verification in record_of.verifications
            ),
            resend_after=limits.seconds_until(next_code, now),
        )

    def unlock(self, number: str, who: Administrator) -> int:
        """Forget a number's failures; at how many tenants it had any. Raises `InvalidPhoneNumber`.

        It may be guessed at again at once. What was sent stays counted.
        """
        number_keys = self._called("unlock", number, who)
        now = seconds(self.clock)
        unlocked = sum(self.numbers.unlock(key, now) for key in number_keys)
        self._emit("number_unlocked", number, number_keys, who, tenants=unlocked)
        return unlocked

    def erase(self, number: str, who: Administrator) -> Erased:
        """Forget all about a number; to be repeated until it is complete. Raises `InvalidPhoneNumber`."""
        number_keys = self._called("erase", number, who)
        now = seconds(self.clock)
        counts: Counter[str] = Counter()
        retry_after = NO_SECONDS
        for key in number_keys:
            erased = self.numbers.erase(key, now, who.deadline)
            counts.update(erased.counts)
            retry_after = max(retry_after, erased.retry_after)
        self._emit("number_erased", number, number_keys, who, erased=dict(counts), complete=not retry_after)
        return Erased(counts, retry_after)

    def _called(self, operation: str, number: str, who: Administrator) -> tuple[str, ...]:
        """The number's keys. Emits first, so that an operation that fails has an event too."""
        spelled = phone.parse_any_kind(number)
        number_keys = tuple(keys.keyed(pepper, "number", spelled.e164) for pepper in self.peppers().all)
        self._emit("admin_called", number, number_keys, who, operation=operation)
        return number_keys

    def _emit(
        self, event: str, number: str, number_keys: tuple[str, ...], who: Administrator, **more: Any
    ) -> None:
        self.emit(
            event, number=phone.parse_any_kind(number), number_key=number_keys[0], caller=who.arn, **more
        )


def _joined(standings: Sequence[NumberRecord]) -> Number:
    return reduce(Number.joined, (record_of.number for record_of in standings), Number())


def _lock(known: Number, tenant: str, lane: Lane, lanes: LanePolicy, now: Milliseconds) -> Lock:
    refused = number.lock(known, tenant, lane, lanes, now)
    return Lock(
        tenant,
        lane,
        known.failures_of(tenant, lane).count,
        isinstance(refused, NumberDisabled),
        (refused and refused.retry_after) or NO_SECONDS,
    )
