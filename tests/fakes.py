"""Stand-ins that pass the same contract suites as what they stand for."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from threading import Lock
from typing import Any, ClassVar

from sms_otp import errors, keys
from sms_otp.clock import Deadline
from sms_otp.limits import Failures, GuessPolicy, lock
from sms_otp.phone import PhoneNumber
from sms_otp.ports import LostRace, Reservation, SendLog
from sms_otp.providers.base import Channel, Check, Sent
from sms_otp.verification import Guess, State, Verification, refusal, unconsumable

START = 1_800_000_000.0
PEPPER = "a-pepper-for-tests-that-is-long-enough"


class StepClock:
    """A clock that moves only when told to."""

    def __init__(self, now: float = START) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now

    def step(self, seconds: float) -> None:
        self.now += seconds


class MemoryStore:
    """`ports.Store` in a dictionary under one lock: every method is one step, as DynamoDB's are."""

    def __init__(self) -> None:
        self.lock = Lock()
        self.verifications: dict[str, Verification] = {}
        self.logs: dict[str, SendLog] = {}
        self.failures: dict[tuple[str, str], Failures] = {}

    def read_number(self, number_key: str, tenant: str) -> tuple[SendLog, Failures]:
        with self.lock:
            return (
                self.logs.get(number_key, SendLog()),
                self.failures.get((number_key, tenant), Failures()),
            )

    def reserve(self, reservation: Reservation) -> None:
        verification, read = reservation.verification, reservation.number_log
        with self.lock:
            held = self.logs.get(verification.number_key, SendLog())
            if held.version != read.version:
                raise LostRace
            self.logs[verification.number_key] = SendLog((*read.sends, reservation.sent_at), read.version + 1)
            self.verifications[verification.key] = verification

    def release(self, reservation: Reservation) -> None:
        number_key = reservation.verification.number_key
        with self.lock:
            held = self.logs[number_key]
            left = tuple(at for at in held.sends if at != reservation.sent_at)
            self.logs[number_key] = SendLog(left, held.version + 1)
            del self.verifications[reservation.verification.key]

    def record_sent(self, key: str, provider: str, provider_ref: str) -> None:
        self._change(key, provider=provider, provider_ref=provider_ref)

    def record_failed(self, key: str) -> None:
        self._change(key, state=State.FAILED)

    def spend_guess(self, guess: Guess) -> Verification:
        with self.lock:
            found = self.verifications.get(guess.key)
            if (refused := refusal(found, guess)) is not None:
                raise refused
            assert found is not None
            spent = replace(found, attempts=found.attempts + 1)
            self.verifications[guess.key] = spent
            return spent

    def spend_number_guess(self, number_key: str, tenant: str, now: int, policy: GuessPolicy) -> None:
        with self.lock:
            found = self.failures.get((number_key, tenant), Failures())
            if (locked := lock(found, policy, now)) is not None:
                raise locked
            self.failures[number_key, tenant] = Failures(found.count + 1, now)

    def consume(self, verification: Verification, request_id: str, now: int) -> None:
        with self.lock:
            held = self.verifications.get(verification.key)
            if held and held.state is State.VERIFIED and held.verified_by == request_id:
                return
            if held is None or held.state is not State.PENDING or now >= held.expires_at:
                raise unconsumable(held)
            self.verifications[verification.key] = replace(
                held, state=State.VERIFIED, verified_at=now, verified_by=request_id
            )
            self.failures.pop((verification.number_key, verification.tenant), None)

    def _change(self, key: str, **changes: Any) -> None:
        with self.lock:
            self.verifications[key] = replace(self.verifications[key], **changes)


@dataclass
class FakeProvider:
    """A provider that keeps its codes in memory. `fails_with` spoils every call until it is cleared."""

    name: str = "fake"
    channels: ClassVar[frozenset[Channel]] = frozenset(Channel)
    code: str = "123456"
    fails_with: Callable[[], Exception] | None = None
    sent: list[tuple[str, str]] = field(default_factory=list)
    checked: list[tuple[str, str]] = field(default_factory=list)

    def send(
        self, to: PhoneNumber, *, channel: Channel, locale: str | None, reference: str, deadline: Deadline
    ) -> tuple[str, Sent]:
        """As `Router.send`."""
        del channel, locale, deadline
        self.sent.append((to.e164, reference))
        if self.fails_with:
            raise self.fails_with()
        return self.name, Sent(ref=f"ref-{len(self.sent)}")

    def check(self, name: str, ref: str, otp: str, *, channel: Channel, deadline: Deadline) -> Check:
        """As `Router.check`."""
        del name, channel, deadline
        self.checked.append((ref, otp))
        if self.fails_with:
            raise self.fails_with()
        return Check.CORRECT if otp == self.code else Check.WRONG


def number_key(e164: str) -> str:
    """The key under which the tests' pepper keeps a number."""
    return keys.keyed(PEPPER, "number", e164)


def a_verification(**changes: Any) -> Verification:
    """A pending verification that a provider holds, made at the tests' start of time."""
    whole: dict[str, Any] = {
        "key": keys.verification_key("an-id"),
        "tenant": "tenant-a",
        "phone": "+14155550123",
        "country": "US",
        "number_key": number_key("+14155550123"),
        "channel": "sms",
        "created_at": int(START),
        "expires_at": int(START) + 300,
        "provider": "infobip",
        "provider_ref": "ref-1",
    }
    return Verification(**whole | changes)


def outcome(act: Callable[[], Any]) -> str:
    """`ok`, or the errorCode with which an act was refused."""
    try:
        act()
    except errors.OtpError as error:
        return error.code
    return "ok"
