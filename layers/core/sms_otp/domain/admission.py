"""Whether a code may be sent, and what must be reserved before it is. Decides; sends nothing.

In this order: the answer to an earlier request with the same key, the lock on guesses, the number's
sends, the client's, the whole service's day, the country's and the block's unverified sends.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import zip_longest

from sms_otp.domain import errors, keys, limits
from sms_otp.domain.budgets import Counter, Share, Window
from sms_otp.domain.guard import Guard, GuardPolicy, History, Mode, Verdict
from sms_otp.domain.idempotency import Answer, Claim, earlier_answer
from sms_otp.domain.keys import Peppers
from sms_otp.domain.limits import SECOND, GuessPolicy, SendPolicy, whole_seconds
from sms_otp.domain.phone import PhoneNumber
from sms_otp.domain.ports import Carried, Entry, Question, SendLog, View

DAY = 24 * 3600
KEEP_SERVICE_DAY = DAY


@dataclass(frozen=True, slots=True)
class AdmissionPolicy:
    """The limits on sends."""

    number: SendPolicy
    client: SendPolicy
    guesses: GuessPolicy
    sends_per_day: int
    """Of the whole service."""
    guard: GuardPolicy


@dataclass(frozen=True, slots=True)
class Admitted:
    """A send that may go, once these are reserved."""

    number: Entry | None
    client: Entry | None
    sent_at: int
    """Milliseconds; unlike that of any other send in either log, so that each is counted."""
    shares: tuple[Share, ...]
    over: tuple[str, ...]
    """The guard's limits that this send is over, where it only records."""
    resend_after: int
    """Seconds until the number's next send."""
    cap_used: float | None = None
    """Percent of the whole service's day that is spent with this send, estimated from a few shards."""
    unverified: int | None = None
    """As in `guard.Verdict`; None where the guard is off."""
    carried: Carried | None = None


class Admission:
    """One request's way through the limits. `now` in milliseconds."""

    def __init__(
        self,
        policy: AdmissionPolicy,
        history: History,
        peppers: Peppers,
        to: PhoneNumber,
        tenant: str,
        client: str | None,
        claims: Sequence[Claim],
        now: int,
        *,
        exempt: bool = False,
    ) -> None:
        self._policy = policy
        self._now = now
        self._exempt = exempt
        self._peppers = peppers
        self._claims = claims
        self._to = to
        self.number_key = keys.keyed(peppers.current, "number", to.e164)
        self._tenant = tenant
        self._client = client
        self._client_key = None if client is None else keys.keyed(peppers.current, "client", client)
        self._day = _service_day(now // SECOND, policy.guard.shards)
        self._day_sample = self._day.sample()
        self._guard = None
        if policy.guard.mode is not Mode.OFF:
            blocks = tuple(keys.keyed(pepper, "block", to.e164[:-4]) for pepper in peppers.every)
            self._guard = Guard(policy.guard, history, to.country, blocks, now // SECOND)

    @property
    def question(self) -> Question:
        """What must be read before `decide`."""
        question, *also = (
            self._under(pepper, claim) for pepper, claim in zip_longest(self._peppers.every, self._claims)
        )
        counters = () if self._exempt else self._day_sample + (self._guard.keys if self._guard else ())
        return replace(question, counters=counters, also=also[0] if also else None)

    def _under(self, pepper: str, claim: Claim | None) -> Question:
        number_key = keys.keyed(pepper, "number", self._to.e164)
        counts_client = self._client is not None and not self._exempt
        client_key = keys.keyed(pepper, "client", str(self._client)) if counts_client else None
        return Question(number_key, self._tenant, client_key, claim.key if claim else None)

    def repeated(self, view: View) -> tuple[Answer, str] | None:
        """The answer of the earlier request with this key and body, and the verificationId that it had.

        Raises as `idempotency` says.
        """
        views = (view, view.also) if view.also else (view,)
        for pepper, claim, under in zip(self._peppers.every, self._claims, views, strict=False):
            answer = earlier_answer(under.claim, claim)
            if under.claim is not None and answer is not None:
                return answer, keys.derived_verification_id(pepper, under.claim.nonce)
        return None

    def decide(self, view: View) -> Admitted:
        """Raises `NumberLocked` or `RateLimited`."""
        carried, view = self._carried(view), _together(view)
        if (locked := limits.lock(view.failures, self._policy.guesses, self._now)) is not None:
            raise locked
        if self._exempt:
            return Admitted(None, None, self._now, (), (), 0, carried=carried)
        self._refuse_early(view.number, self._policy.number, "number")
        number = self._entry(self.number_key, view.number, self._policy.number)
        client = None
        if self._client_key is not None:
            self._refuse_early(view.client, self._policy.client, "client")
            client = self._entry(self._client_key, view.client, self._policy.client)
        share = self._service_share(view.counters)
        verdict = self._guarded(view.counters)
        moments = (*number.log.sends, self._now)
        next_at = limits.next_send_at(moments, self._policy.number, self._now)
        resend_after = whole_seconds(next_at - self._now)
        return Admitted(
            number=number,
            client=client,
            sent_at=self._moment(number, client),
            shares=(share, *(verdict.shares if verdict else ())),
            over=verdict.over if verdict else (),
            resend_after=resend_after,
            cap_used=self._cap_used(view.counters),
            unverified=verdict.unverified if verdict else None,
            carried=carried,
        )

    def _carried(self, view: View) -> Carried | None:
        """Failures go where the guesses at this send's verification will be counted."""
        also = self.question.also
        if also is None or view.also is None or not view.also.failures.count:
            return None
        return Carried(self._tenant, also.number_key, self.number_key, view.also.failures, view.failures)

    def _moment(self, *entries: Entry | None) -> int:
        taken = {at for entry in entries if entry for at in entry.log.sends}
        moment = self._now
        while moment in taken:
            moment += 1
        return moment

    def _refuse_early(self, log: SendLog, policy: SendPolicy, reason: str) -> None:
        wait = limits.next_send_at(log.sends, policy, self._now) - self._now
        if wait > 0:
            raise errors.RateLimited(reason=reason, retry_after=whole_seconds(wait))

    def _entry(self, key: str, log: SendLog, policy: SendPolicy) -> Entry:
        kept = limits.remembered(log.sends, policy, self._now)
        return Entry(key, replace(log, sends=kept), self._now // SECOND + limits.KEEP_LOG)

    def _service_share(self, read: Mapping[str, Counter]) -> Share:
        share = self._day.share(read, self._day_sample, self._policy.sends_per_day, KEEP_SERVICE_DAY)
        if share is None:
            wait = self._day.ends_at - self._now // SECOND
            raise errors.RateLimited(reason="service day", retry_after=wait)
        return share

    def _cap_used(self, read: Mapping[str, Counter]) -> float:
        used = self._day.used(read, self._day_sample) + 1
        return round(100 * used / self._policy.sends_per_day, 1)

    def _guarded(self, read: Mapping[str, Counter]) -> Verdict | None:
        if self._guard is None:
            return None
        verdict = self._guard.decide(read)
        if verdict.over and self._policy.guard.mode is Mode.ENFORCE:
            raise errors.RateLimited(reason=verdict.over[0], retry_after=verdict.retry_after)
        return verdict


def _together(view: View) -> View:
    """What is known of a number and of a client, under whichever pepper."""
    also = view.also
    if also is None:
        return view
    return replace(
        view,
        number=view.number.joined(also.number),
        client=view.client.joined(also.client),
        failures=view.failures.joined(also.failures),
    )


def _service_day(now: int, shards: int) -> Window:
    start = now - now % DAY
    return Window(f"D#{datetime.fromtimestamp(start, UTC):%Y-%m-%d}", shards, start + DAY)
