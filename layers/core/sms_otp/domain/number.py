"""One number's state: its sends and failures by lane, and where it was verified. Pure.

Each request for a number is in one of three lanes, and no lane spends another's budget (OWASP, device
cookies: https://owasp.org/www-community/Slow_Down_Online_Guessing_Attacks_with_Device_Cookies):

    token      carries a device token of this number at this tenant
    network    comes from one of the three networks from which the number was last verified
    stranger   all others, the number's owner on a new device and network included

An own lane (token, network) that has used up its failures is closed: its requests become strangers'.
Moments of sends, refusals and failures are in milliseconds, all other times in seconds.
"""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum

from sms_otp.domain import clock, errors, limits
from sms_otp.domain.clock import NO_MILLISECONDS, NO_SECONDS, Milliseconds, Seconds, to_milliseconds
from sms_otp.domain.limits import DAY, HOUR, KEEP_LOG, Failures, GuessPolicy, SendPolicy, Window
from sms_otp.domain.users import FOREVER

REMEMBERED = 90 * clock.DAY
"""Seconds for which a success, and its network, are remembered."""
KEEP_VERIFICATION = clock.DAY
"""Seconds that an expired verification is kept, so that a late guess is answered with `OTP_EXPIRED`."""
LATE_DELETION = 7 * clock.DAY
"""Seconds by which a number's item outlives what it lists: DynamoDB deletes late and in any order."""
MOST_NETWORKS = 3
"""Networks that a number remembers: those from which it was last verified."""
FINER = 1000
"""Refusals or failures that one millisecond can tell apart; see `moment`."""


class Lane(StrEnum):
    """The lane that a send or a guess is counted in."""

    TOKEN = "token"  # noqa: S105 # a lane's name
    NETWORK = "network"
    STRANGER = "stranger"


@dataclass(frozen=True, slots=True)
class Send:
    """One send to the number. `at` is unique among them."""

    at: Milliseconds
    lane: Lane = Lane.STRANGER
    network: str | None = None
    """Keyed hash of the requesting network; None if the request named none."""
    is_challenged: bool = False


@dataclass(frozen=True, slots=True)
class ListedVerification:
    """An entry in a number's list of verifications."""

    created_at: Seconds
    expires_at: Seconds
    owner: str
    """As `keys.owner`: finds a verification by number and session."""
    provider: str = ""
    """The provider that holds the code, or that will send it first."""


@dataclass(frozen=True, slots=True)
class Number:
    """One number's item. Missing attributes are empty; ended entries may remain."""

    sends: tuple[Send, ...] = ()
    version: int = 0
    """Optimistic lock of the next reservation; 0 before the first."""
    verifications: Mapping[str, ListedVerification] = field(default_factory=dict)
    """By verification key."""
    over: frozenset[str] = frozenset()
    """Keys of listed verifications that ended before they expired: no user still holds their code."""
    failures: Mapping[tuple[str, Lane], Failures] = field(default_factory=dict)
    """Failures in a row, by tenant and lane; cleared by a success."""
    totals: Mapping[str, int] = field(default_factory=dict)
    """Failures in all lanes since the last success in any, by tenant."""
    verified: Mapping[str, Seconds] = field(default_factory=dict)
    """Time of the last success, by tenant."""
    tokens_from: Mapping[str, Seconds] = field(default_factory=dict)
    """Time before which issued device tokens are invalid, by tenant."""
    networks: Mapping[str, Seconds] = field(default_factory=dict)
    """Time of the last success, by keyed hash of its network."""
    unproven: int = 0
    """Sends since the last success, at any tenant."""
    refused: frozenset[int] = frozenset()
    """`moment`s of refused requests."""
    failed: frozenset[int] = frozenset()
    """`moment`s of guesses that were wrong, or not yet found right."""

    @property
    def verified_at(self) -> Seconds | None:
        """Time of the last success at any tenant."""
        return max(self.verified.values(), default=None)

    def kept(self, now: Seconds) -> Iterator[str]:
        """Keys of listed verifications that are not due for deletion yet."""
        return (key for key, each in self.verifications.items() if each.expires_at + KEEP_VERIFICATION > now)

    def failures_of(self, tenant: str, lane: Lane) -> Failures:
        """Failures in a row of one lane at the tenant."""
        return self.failures.get((tenant, lane), Failures())

    def sends_of(self, lane: Lane) -> Iterator[Send]:
        """The sends of one lane."""
        return (send for send in self.sends if send.lane is lane)

    def has_token(self, tenant: str, issued_at: Seconds) -> bool:
        """Whether a genuine, unexpired device token is valid for this number at this tenant."""
        return tenant in self.tokens_from and issued_at >= self.tokens_from[tenant]

    def knows(self, networks: tuple[str, ...], now: Seconds) -> bool:
        """Whether the number was verified from one of these networks."""
        return any(self.networks.get(network, NO_SECONDS) > now - REMEMBERED for network in networks)

    def requests_within_hour(self, now: Milliseconds) -> int:
        """Requests for the number in the hour before `now`, refused ones included."""
        return sum(send.at > now - HOUR for send in self.sends) + within_hour(self.refused, now)

    def joined(self, other: "Number") -> "Number":
        """The number's record, merged over both peppers; of failures, the stricter of both."""
        both = (self, other)
        return replace(
            self,
            sends=tuple(sorted({*self.sends, *other.sends}, key=lambda send: send.at)),
            verifications={**other.verifications, **self.verifications},
            over=self.over | other.over,
            failures={
                key: self.failures_of(*key).joined(other.failures_of(*key))
                for key in {*self.failures, *other.failures}
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
    """The unique moment of a refusal or failure: `now`, then a number chosen by the caller."""
    return now * FINER + finer % FINER


def within_hour(moments: frozenset[int], now: Milliseconds) -> int:
    """The number of these `moment`s in the hour before `now`."""
    return len(moments - hour_old(moments, now))


def hour_old(moments: frozenset[int], now: Milliseconds) -> frozenset[int]:
    """The `moment`s an hour or more before `now`."""
    return frozenset(at for at in moments if Milliseconds(at // FINER) <= now - HOUR)


def verified_from(number: Number, network: str | None, now: Seconds) -> dict[str, Seconds]:
    """The networks to remember after a success requested from `network`, with their times."""
    known = {key: at for key, at in number.networks.items() if at > now - REMEMBERED}
    if network is not None:
        known[network] = now
    newest_first = sorted(known, key=lambda key: known[key], reverse=True)
    return {key: known[key] for key in newest_first[:MOST_NETWORKS]}


@dataclass(frozen=True, slots=True)
class LanePolicy:
    """The limits of a number's lanes."""

    own: SendPolicy
    """Of each own lane (token, network), and of all strangers where the request names no network."""
    strangers: SendPolicy
    """Of all strangers together."""
    unchallenged: SendPolicy
    """The part of `strangers` that needs no challenge."""
    network: SendPolicy
    """The part of `strangers` for each network."""
    own_guesses: GuessPolicy
    """Of each own lane."""
    stranger_guesses: GuessPolicy
    disabled_at: int
    """Failures in all lanes since the last success: at most 100 (NIST SP 800-63B-4 §3.2.2)."""

    @classmethod
    def of(cls, own: SendPolicy, own_guesses: GuessPolicy) -> "LanePolicy":
        """All limits, derived from those of an owner; `own_guesses.closed_at` is the total of all lanes.

        3, 5 and 10 codes in 15 minutes, an hour and a day become strangers' 4, 6 and 10; 3, 4 and 7 without
        a challenge; 3, 4 and 5 for each network. 5 free failures and 100 in all become strangers' 20 and 80,
        and 5 and 20 for each own lane.
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
        """These limits without the gap, for the second send of one code request."""
        return replace(
            self,
            own=replace(self.own, gap=NO_MILLISECONDS),
            network=replace(self.network, gap=NO_MILLISECONDS),
        )

    def guesses(self, lane: Lane) -> GuessPolicy:
        """The lane's limits on guesses."""
        return self.stranger_guesses if lane is Lane.STRANGER else self.own_guesses


def _limited(own: SendPolicy, *at_most: int) -> tuple[Window, ...]:
    return tuple(
        Window(max(1, limit), window.span) for limit, window in zip(at_most, own.windows, strict=True)
    )


@dataclass(frozen=True, slots=True)
class Approach:
    """The caller's identity at a tenant: what may open an own lane."""

    tenant: str
    token_issued_at: Seconds | None = None
    """Of a genuine, unexpired device token of this number at this tenant."""
    networks: tuple[str, ...] = ()
    """Hashes of the requesting network, by the current pepper first."""
    is_challenged: bool = False

    @property
    def network(self) -> str | None:
        """The hash to store."""
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
    """The lane of a guess: the token's if a valid one comes with it, else the one that requested its code."""
    opened = [] if requested_in is Lane.STRANGER else [requested_in]
    if token_issued_at is not None and number.has_token(tenant, token_issued_at):
        opened.insert(0, Lane.TOKEN)
    usable = (lane for lane in opened if not is_used_up(number, tenant, lane, policy))
    return next(usable, Lane.STRANGER)


def disables(number: Number, tenant: str, lane: Lane, policy: LanePolicy) -> bool:
    """Whether the lane's next failure disables the number, for strangers or for all."""
    next_total = number.totals.get(tenant, 0) + 1
    next_in_lane = number.failures_of(tenant, lane).count + 1
    return next_total >= policy.disabled_at or (
        lane is Lane.STRANGER and next_in_lane >= policy.stranger_guesses.closed_at
    )


def is_used_up(number: Number, tenant: str, lane: Lane, policy: LanePolicy) -> bool:
    """Whether the lane is closed at this tenant: no wait opens it to another guess."""
    return number.failures_of(tenant, lane).count >= policy.guesses(lane).closed_at


def next_send_at(
    number: Number, lane: Lane, approach: Approach, policy: LanePolicy, now: Milliseconds
) -> Milliseconds:
    """The earliest moment at which one more send respects the lane's windows and gap."""
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
    """Over `unchallenged`: allow only the first send of a network in a day, and only with a challenge."""
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
    """The number after a success at the tenant: without failures of this lane and strangers, or a total."""
    gone = {(tenant, lane), (tenant, Lane.STRANGER)}
    return replace(
        number,
        failures={key: failures for key, failures in number.failures.items() if key not in gone},
        totals={other: total for other, total in number.totals.items() if other != tenant},
    )


def keep_until(number: Number, policy: LanePolicy, now: Seconds) -> Seconds:
    """When the item of a number that is used at `now` may be deleted."""
    return FOREVER if is_disabled(number, policy) else usual_end(number, now)


def usual_end(number: Number, now: Seconds) -> Seconds:
    """When the item of a number that is not disabled may be deleted."""
    known_until = (number.verified_at or NO_SECONDS) + REMEMBERED
    return max(now + KEEP_LOG, known_until) + LATE_DELETION


def codes_in_hand(known: Number, own: Collection[str], now: Seconds) -> dict[str, Seconds]:
    """Until when each provider holds a code of this number that a user may still type, by provider.

    Leaves out the `own` verifications, those that are over, and those created before the last success: the
    phone's owner has typed a newer code since.
    """
    since = known.verified_at or NO_SECONDS
    held: dict[str, Seconds] = {}
    for key, listed in known.verifications.items():
        is_in_hand = listed.expires_at > now and listed.created_at > since and key not in known.over
        if is_in_hand and key not in own:
            held[listed.provider] = max(listed.expires_at, held.get(listed.provider, NO_SECONDS))
    return held


def still_listed(number: Number, now: Seconds) -> dict[str, ListedVerification]:
    """The listed verifications whose items may still exist."""
    return {
        key: listed
        for key, listed in number.verifications.items()
        if listed.expires_at + KEEP_VERIFICATION + LATE_DELETION > now
    }


def expired_over(number: Number, now: Seconds) -> frozenset[str]:
    """Keys in `over` whose verification has expired or is no longer listed."""
    listed = number.verifications
    return frozenset(key for key in number.over if key not in listed or listed[key].expires_at <= now)


def ended_failures(number: Number, policy: LanePolicy, now: Milliseconds) -> tuple[tuple[str, Lane], ...]:
    """Tenants and lanes whose last failure is older than `KEEP_LOG`. Disabled ones never end."""
    return tuple(
        (tenant, lane)
        for (tenant, lane), failures in number.failures.items()
        if failures.last_at + to_milliseconds(KEEP_LOG) <= now
        and failures.count < policy.stranger_guesses.closed_at
        and number.totals.get(tenant, 0) < policy.disabled_at
    )


def forgotten_tenants(number: Number, now: Seconds) -> tuple[str, ...]:
    """Tenants whose last success is older than `REMEMBERED`."""
    return tuple(tenant for tenant, at in number.verified.items() if at + REMEMBERED <= now)


def is_disabled(number: Number, policy: LanePolicy) -> bool:
    """Whether strangers, or all, are refused at some tenant until it is unlocked. Its item never expires."""
    most = policy.stranger_guesses.closed_at
    return any(total >= policy.disabled_at for total in number.totals.values()) or any(
        lane is Lane.STRANGER and failures.count >= most for (_, lane), failures in number.failures.items()
    )
