"""What is remembered of one number: its sends and failures by lane, and where it was verified. Pure.

A request about a number is in one of three lanes, and none spends another's budget (OWASP's device
cookies, https://owasp.org/www-community/Slow_Down_Online_Guessing_Attacks_with_Device_Cookies):

    token      brings a device token of this number at this tenant
    network    comes from one of the three networks from which the number was verified last
    stranger   everybody else, the number's owner on a new device and network included

An own lane whose failures are used up opens nothing any more: who comes with it is a stranger.
Moments of sends, refusals and failures are in milliseconds, every other time in seconds.
"""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum

from sms_otp.domain import clock, errors, limits
from sms_otp.domain.clock import NO_MILLISECONDS, NO_SECONDS, Milliseconds, Seconds, to_milliseconds
from sms_otp.domain.limits import DAY, HOUR, KEEP_LOG, Failures, GuessPolicy, SendPolicy, Window
from sms_otp.domain.users import FOREVER

REMEMBERED = 90 * clock.DAY
"""Seconds after which it is forgotten that, and from where, a number was verified."""
KEEP_VERIFICATION = clock.DAY
"""Seconds that an expired verification is kept, so that a late guess is answered with `OTP_EXPIRED`."""
LATE_DELETION = 7 * clock.DAY
"""Seconds by which a number's item outlives all that it lists: DynamoDB deletes late, in no order."""
MOST_NETWORKS = 3
"""Networks that a number's own lane remembers: those from which it was verified last."""
FINER = 1000
"""A refusal or failure differs from others of its millisecond by a number below this."""


class Lane(StrEnum):
    """Whose budget a send or a guess is taken from."""

    TOKEN = "token"  # noqa: S105 # a lane's name
    NETWORK = "network"
    STRANGER = "stranger"


@dataclass(frozen=True, slots=True)
class Send:
    """One send to the number. `at` is unlike that of any other."""

    at: Milliseconds
    lane: Lane = Lane.STRANGER
    network: str | None = None
    """Keyed hash of the network that requested it, if one was named."""
    is_challenged: bool = False


@dataclass(frozen=True, slots=True)
class ListedVerification:
    """A verification, as its number lists it."""

    created_at: Seconds
    expires_at: Seconds
    owner: str
    """As `keys.owner`: by it, a verification that is named by its number is found."""
    provider: str = ""
    """The provider that holds the code, or the first that is to send it."""


@dataclass(frozen=True, slots=True)
class Number:
    """One number's item. What is not there is empty; what has ended may still be there."""

    sends: tuple[Send, ...] = ()
    version: int = 0
    """What the next reservation is conditioned on; 0 where none was made yet."""
    verifications: Mapping[str, ListedVerification] = field(default_factory=dict)
    """By their keys."""
    over: frozenset[str] = frozenset()
    """Keys of listed verifications that were over before they expired: their code is in nobody's hand."""
    failures: Mapping[tuple[str, Lane], Failures] = field(default_factory=dict)
    """By tenant and lane: in a row, cleared by a success."""
    totals: Mapping[str, int] = field(default_factory=dict)
    """By tenant: failures of all lanes since the last success in any."""
    verified: Mapping[str, Seconds] = field(default_factory=dict)
    """By tenant: when it was verified there last."""
    tokens_from: Mapping[str, Seconds] = field(default_factory=dict)
    """By tenant: device tokens that were issued before this are worth nothing."""
    networks: Mapping[str, Seconds] = field(default_factory=dict)
    """Keyed hashes of the networks from which it was verified, and when last."""
    unproven: int = 0
    """Sends since the last success, at whichever tenant."""
    refused: frozenset[int] = frozenset()
    """Refused requests; `moment`s."""
    failed: frozenset[int] = frozenset()
    """Guesses that were not right, or have not been found so; `moment`s."""

    @property
    def verified_at(self) -> Seconds | None:
        """When it was verified last, at whichever tenant."""
        return max(self.verified.values(), default=None)

    def kept(self, now: Seconds) -> Iterator[str]:
        """Keys of the listed verifications that are not due for deletion yet."""
        return (key for key, each in self.verifications.items() if each.expires_at + KEEP_VERIFICATION > now)

    def failures_of(self, tenant: str, lane: Lane) -> Failures:
        """In a row."""
        return self.failures.get((tenant, lane), Failures())

    def sends_of(self, lane: Lane) -> Iterator[Send]:
        """Those of one lane."""
        return (send for send in self.sends if send.lane is lane)

    def has_token(self, tenant: str, issued_at: Seconds) -> bool:
        """Whether a device token, genuine and not ended, is this number's at this tenant."""
        return tenant in self.tokens_from and issued_at >= self.tokens_from[tenant]

    def knows(self, networks: tuple[str, ...], now: Seconds) -> bool:
        """Whether the number was verified from one of these networks."""
        return any(self.networks.get(network, NO_SECONDS) > now - REMEMBERED for network in networks)

    def requests_within_hour(self, now: Milliseconds) -> int:
        """Requests for it within the hour before `now`, refused ones included."""
        return sum(send.at > now - HOUR for send in self.sends) + within_hour(self.refused, now)

    def joined(self, other: "Number") -> "Number":
        """What is known of it under either pepper. Of failures, what is no more lenient than either."""
        both = (self, other)
        return replace(
            self,
            sends=tuple(sorted({*self.sends, *other.sends}, key=lambda send: send.at)),
            verifications={**other.verifications, **self.verifications},
            over=self.over | other.over,
            failures={
                about: self.failures_of(*about).joined(other.failures_of(*about))
                for about in {*self.failures, *other.failures}
            },
            totals={
                tenant: max(each.totals.get(tenant, 0) for each in both)
                for tenant in {*self.totals, *other.totals}
            },
            verified=_newest(self.verified, other.verified),
            tokens_from=_newest(self.tokens_from, other.tokens_from),
            networks=_newest(self.networks, other.networks),
            unproven=max(self.unproven, other.unproven),
            refused=self.refused | other.refused,
            failed=self.failed | other.failed,
        )


NOTHING_KNOWN = Number()


def _newest(ours: Mapping[str, Seconds], theirs: Mapping[str, Seconds]) -> dict[str, Seconds]:
    return {key: max(ours.get(key, NO_SECONDS), theirs.get(key, NO_SECONDS)) for key in {*ours, *theirs}}


def moment(now: Milliseconds, finer: int) -> int:
    """A refusal or failure, to be counted once: `now` and a number of the caller's."""
    return now * FINER + finer % FINER


def within_hour(moments: frozenset[int], now: Milliseconds) -> int:
    """How many of these `moment`s lie in the hour before `now`."""
    return len(moments - hour_old(moments, now))


def hour_old(moments: frozenset[int], now: Milliseconds) -> frozenset[int]:
    """Those of these `moment`s that lie an hour or more before `now`."""
    return frozenset(at for at in moments if Milliseconds(at // FINER) <= now - HOUR)


def verified_from(number: Number, network: str | None, now: Seconds) -> dict[str, Seconds]:
    """The networks to remember after a success that was requested from `network`."""
    known = {key: at for key, at in number.networks.items() if at > now - REMEMBERED}
    if network is not None:
        known[network] = now
    newest_first = sorted(known, key=lambda key: known[key], reverse=True)
    return {key: known[key] for key in newest_first[:MOST_NETWORKS]}


@dataclass(frozen=True, slots=True)
class LanePolicy:
    """The limits of one number's lanes."""

    own: SendPolicy
    """Of each of the two own lanes, and of strangers together where no network is named."""
    strangers: SendPolicy
    """Of all strangers together."""
    unchallenged: SendPolicy
    """The part of it that strangers may have without a challenge."""
    network: SendPolicy
    """The part of it that each network may have."""
    own_guesses: GuessPolicy
    """Of each of the two own lanes."""
    stranger_guesses: GuessPolicy
    disabled_at: int
    """Failures since the last success, of all lanes: at most 100 (NIST SP 800-63B-4 §3.2.2)."""

    @classmethod
    def of(cls, own: SendPolicy, own_guesses: GuessPolicy) -> "LanePolicy":
        """All limits, from those of an owner; `own_guesses.closed_at` is that of all lanes together.

        3, 5 and 10 codes in 15 minutes, an hour and a day make strangers' 4, 6 and 10; 3, 4 and 7 without a
        challenge; 3, 4 and 5 for each network. 5 free failures and 100 in all make strangers' 20 and 80, and
        20 for each own lane.
        """
        quarter, hour, day = (window.limit for window in own.windows)
        total = own_guesses.closed_at
        part = max(1, total // 5)
        return cls(
            own=own,
            strangers=SendPolicy(_limited(own, quarter + 1, hour + 1, day)),
            unchallenged=SendPolicy(_limited(own, quarter, hour - 1, day * 7 // 10)),
            network=replace(own, windows=_limited(own, quarter, hour - 1, day // 2)),
            own_guesses=replace(own_guesses, closed_at=part),
            stranger_guesses=replace(
                own_guesses,
                free=min(4 * own_guesses.free, total - part),
                closed_at=max(1, total - part),
            ),
            disabled_at=total,
        )

    @property
    def memory(self) -> Milliseconds:
        """How long a send is remembered."""
        return self.own.memory

    def without_gap(self) -> "LanePolicy":
        """The same, for the second send of one code request."""
        return replace(
            self,
            own=replace(self.own, gap=NO_MILLISECONDS),
            network=replace(self.network, gap=NO_MILLISECONDS),
        )

    def guesses(self, lane: Lane) -> GuessPolicy:
        """The lane's."""
        return self.stranger_guesses if lane is Lane.STRANGER else self.own_guesses


def _limited(own: SendPolicy, *at_most: int) -> tuple[Window, ...]:
    return tuple(
        Window(max(1, limit), window.span) for limit, window in zip(at_most, own.windows, strict=True)
    )


@dataclass(frozen=True, slots=True)
class Approach:
    """How somebody comes to a number at a tenant: what may open a lane for them."""

    tenant: str
    token_issued_at: Seconds | None = None
    """Of a genuine device token of this number at this tenant that has not ended."""
    networks: tuple[str, ...] = ()
    """The hash of the network that asks, the one that is written first."""
    is_challenged: bool = False

    @property
    def network(self) -> str | None:
        """As it is written."""
        return self.networks[0] if self.networks else None


def lane_of(number: Number, approach: Approach, policy: LanePolicy, now: Seconds) -> Lane:
    """The lane of a request."""
    opened = []
    issued_at = approach.token_issued_at
    if issued_at is not None and number.has_token(approach.tenant, issued_at):
        opened.append(Lane.TOKEN)
    if number.knows(approach.networks, now):
        opened.append(Lane.NETWORK)
    usable = (lane for lane in opened if not is_used_up(number, approach.tenant, lane, policy))
    return next(usable, Lane.STRANGER)


def guess_lane(
    number: Number, tenant: str, requested_in: Lane, token_issued_at: Seconds | None, policy: LanePolicy
) -> Lane:
    """The lane of a guess: the token's if one comes with it, else the one in which its code was requested."""
    opened = [] if requested_in is Lane.STRANGER else [requested_in]
    if token_issued_at is not None and number.has_token(tenant, token_issued_at):
        opened.insert(0, Lane.TOKEN)
    usable = (lane for lane in opened if not is_used_up(number, tenant, lane, policy))
    return next(usable, Lane.STRANGER)


def disables(number: Number, tenant: str, lane: Lane, policy: LanePolicy) -> bool:
    """Whether the lane's next failure disables the number, for strangers or for everybody."""
    next_total = number.totals.get(tenant, 0) + 1
    next_in_lane = number.failures_of(tenant, lane).count + 1
    return next_total >= policy.disabled_at or (
        lane is Lane.STRANGER and next_in_lane >= policy.stranger_guesses.closed_at
    )


def is_used_up(number: Number, tenant: str, lane: Lane, policy: LanePolicy) -> bool:
    """Whether the lane takes no further guess at this tenant, however long one waits."""
    return number.failures_of(tenant, lane).count >= policy.guesses(lane).closed_at


def next_send_at(
    number: Number, lane: Lane, approach: Approach, policy: LanePolicy, now: Milliseconds
) -> Milliseconds:
    """The earliest moment at which one more send keeps the lane's windows and gap."""
    sends = tuple(number.sends_of(lane))
    together = tuple(send.at for send in sends)
    if lane is not Lane.STRANGER or not approach.networks:
        return limits.next_send_at(together, policy.own, now)
    theirs = tuple(send.at for send in sends if send.network in approach.networks)
    return max(
        limits.next_send_at(theirs, policy.network, now), limits.next_send_at(together, policy.strangers, now)
    )


def send_error(
    number: Number, lane: Lane, approach: Approach, policy: LanePolicy, now: Milliseconds
) -> errors.OtpError | None:
    """Why no code may be sent to the number now, or None if it may."""
    if (locked := lock(number, approach.tenant, lane, policy, now)) is not None:
        return locked
    wait = next_send_at(number, lane, approach, policy, now) - now
    if wait > 0:
        return errors.RateLimited(reason="number", retry_after=limits.whole_seconds(wait))
    if lane is Lane.STRANGER and approach.networks:
        return _challenge(number, approach, policy, now)
    return None


def _challenge(
    number: Number, approach: Approach, policy: LanePolicy, now: Milliseconds
) -> errors.OtpError | None:
    """Strangers' part without a challenge. Beyond it, a network's first challenged send in a day goes."""
    strangers = tuple(number.sends_of(Lane.STRANGER))
    unchallenged = tuple(send.at for send in strangers if not send.is_challenged)
    wait = limits.next_send_at(unchallenged, policy.unchallenged, now) - now
    if wait <= 0:
        return None
    if not approach.is_challenged:
        return errors.ChallengeRequired(reason="number")
    recent = (send for send in strangers if send.at > now - DAY)
    if all(send.network not in approach.networks for send in recent):
        return None
    return errors.RateLimited(reason="number", retry_after=limits.whole_seconds(wait))


def lock(
    number: Number, tenant: str, lane: Lane, policy: LanePolicy, now: Milliseconds
) -> errors.OtpError | None:
    """Why the lane's next guess may not be made, or None if it may."""
    failures, guesses = number.failures_of(tenant, lane), policy.guesses(lane)
    if number.totals.get(tenant, 0) >= policy.disabled_at or failures.count >= guesses.closed_at:
        return errors.NumberDisabled(reason="disabled")
    wait = failures.next_guess_at(guesses) - now
    if wait > 0:
        return errors.NumberLocked(reason="waiting", retry_after=limits.whole_seconds(wait))
    return None


def cleared(number: Number, tenant: str, lane: Lane) -> Number:
    """After a success at the tenant in this lane: its failures are gone, the strangers' and the total."""
    gone = {(tenant, lane), (tenant, Lane.STRANGER)}
    return replace(
        number,
        failures={about: failures for about, failures in number.failures.items() if about not in gone},
        totals={other: total for other, total in number.totals.items() if other != tenant},
    )


def keep_until(number: Number, policy: LanePolicy, now: Seconds) -> Seconds:
    """When the item of a number that somebody comes to at `now` may be forgotten."""
    return FOREVER if is_disabled(number, policy) else usual_end(number, now)


def usual_end(number: Number, now: Seconds) -> Seconds:
    """When the item of a number that is not disabled may be forgotten."""
    known_until = (number.verified_at or NO_SECONDS) + REMEMBERED
    return max(now + KEEP_LOG, known_until) + LATE_DELETION


def codes_in_hand(known: Number, own: Collection[str], now: Seconds) -> dict[str, Seconds]:
    """By provider, until when it holds a code of this number that somebody may still type.

    Less those of `own` verifications, of those that are over, and those from before the number was verified
    last: the phone's owner has typed a newer one since.
    """
    since = known.verified_at or NO_SECONDS
    held: dict[str, Seconds] = {}
    for key, listed in known.verifications.items():
        is_in_hand = listed.expires_at > now and listed.created_at > since and key not in known.over
        if is_in_hand and key not in own:
            held[listed.provider] = max(listed.expires_at, held.get(listed.provider, NO_SECONDS))
    return held


def still_listed(number: Number, now: Seconds) -> dict[str, ListedVerification]:
    """The verifications that there may be under the number's key."""
    return {
        key: listed
        for key, listed in number.verifications.items()
        if listed.expires_at + KEEP_VERIFICATION + LATE_DELETION > now
    }


def expired_over(number: Number, now: Seconds) -> frozenset[str]:
    """Those of `over` that have expired since, or are not listed any more."""
    listed = number.verifications
    return frozenset(key for key in number.over if key not in listed or listed[key].expires_at <= now)


def ended_failures(number: Number, policy: LanePolicy, now: Milliseconds) -> tuple[tuple[str, Lane], ...]:
    """Tenants and lanes at which nobody has failed for long. What is disabled does not end."""
    return tuple(
        (tenant, lane)
        for (tenant, lane), failures in number.failures.items()
        if failures.last_at + to_milliseconds(KEEP_LOG) <= now
        and failures.count < policy.stranger_guesses.closed_at
        and number.totals.get(tenant, 0) < policy.disabled_at
    )


def forgotten_tenants(number: Number, now: Seconds) -> tuple[str, ...]:
    """Tenants at which the number was verified too long ago to be remembered."""
    return tuple(tenant for tenant, at in number.verified.items() if at + REMEMBERED <= now)


def is_disabled(number: Number, policy: LanePolicy) -> bool:
    """Whether strangers, or everybody, must have it unlocked at some tenant. Such an item has no end."""
    most = policy.stranger_guesses.closed_at
    return any(total >= policy.disabled_at for total in number.totals.values()) or any(
        lane is Lane.STRANGER and failures.count >= most for (_, lane), failures in number.failures.items()
    )
