"""A number's lanes: no lane spends another's budget, and together they stay bounded. Pure decisions."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sms_otp.domain import errors, number
from sms_otp.domain.clock import Milliseconds, Seconds, to_milliseconds, to_seconds
from sms_otp.domain.limits import (
    DAY,
    HOUR,
    KEEP_LOG,
    MINUTE,
    SECOND,
    Failures,
    GuessPolicy,
    SendPolicy,
    Window,
)
from sms_otp.domain.number import (
    LATE_DELETION,
    REMEMBERED,
    Approach,
    Lane,
    LanePolicy,
    ListedVerification,
    Number,
    Send,
)
from sms_otp.domain.users import FOREVER

NOW = Milliseconds(1_800_000_000_000)
SECONDS = to_seconds(NOW)
OWN = SendPolicy(
    windows=(Window(3, 15 * MINUTE), Window(5, HOUR), Window(10, DAY)), gap=30 * SECOND, gap_max=240 * SECOND
)
POLICY = LanePolicy.of(OWN, GuessPolicy(free=5, wait=30 * SECOND, wait_max=HOUR, closed_at=100))
KNOWN = Number(
    verified={"t": SECONDS - Seconds(60)},
    tokens_from={"t": SECONDS - Seconds(3600)},
    networks={"home": SECONDS - Seconds(60)},
)
OWNER = Approach("t", token_issued_at=SECONDS - Seconds(60))
AT_HOME = Approach("t", networks=("home",))
STRANGER = Approach("t", networks=("elsewhere",))
NO_NETWORK = Approach("t")

pauses = st.lists(st.integers(0, 2 * HOUR), max_size=150)


def refused(known: Number, approach: Approach, now: Milliseconds = NOW) -> str:
    lane = number.lane_of(known, approach, POLICY, to_seconds(now))
    found = number.send_error(known, lane, approach, POLICY, now)
    return "ok" if found is None else found.code


def sent(known: Number, approach: Approach, now: Milliseconds = NOW) -> Number:
    lane = number.lane_of(known, approach, POLICY, to_seconds(now))
    send = Send(now + Milliseconds(len(known.sends)), lane, approach.network, approach.is_challenged)
    return replace(known, sends=(*known.sends, send))


def failed(known: Number, approach: Approach, now: Milliseconds = NOW) -> Number:
    lane = number.lane_of(known, approach, POLICY, to_seconds(now))
    count = known.failures_of("t", lane).count + 1
    return replace(
        known,
        failures={**known.failures, ("t", lane): Failures(count, now)},
        totals={"t": known.totals.get("t", 0) + 1},
    )


def may_guess(known: Number, approach: Approach, now: Milliseconds = NOW) -> bool:
    lane = number.lane_of(known, approach, POLICY, to_seconds(now))
    return number.lock(known, "t", lane, POLICY, now) is None


def test_the_limits_of_every_lane_follow_from_the_owners() -> None:
    def limits(policy: SendPolicy) -> list[int]:
        return [window.limit for window in policy.windows]

    assert limits(POLICY.own) == [3, 5, 10]
    assert limits(POLICY.strangers) == [4, 6, 10]
    assert limits(POLICY.unchallenged) == [3, 4, 7]
    assert limits(POLICY.network) == [3, 4, 5]
    assert (POLICY.own.gap, POLICY.network.gap, POLICY.strangers.gap) == (30_000, 30_000, 0)
    assert (POLICY.own_guesses.free, POLICY.own_guesses.closed_at) == (5, 20)
    assert (POLICY.stranger_guesses.free, POLICY.stranger_guesses.closed_at) == (20, 80)
    assert POLICY.disabled_at == 100


@pytest.mark.parametrize(
    ("approach", "lane"),
    [
        (OWNER, Lane.TOKEN),
        (replace(AT_HOME, token_issued_at=SECONDS - Seconds(60)), Lane.TOKEN),
        (AT_HOME, Lane.NETWORK),
        (STRANGER, Lane.STRANGER),
        (NO_NETWORK, Lane.STRANGER),
        (replace(OWNER, tenant="another"), Lane.STRANGER),
        (replace(OWNER, token_issued_at=SECONDS - Seconds(3601)), Lane.STRANGER),
        (replace(OWNER, token_issued_at=SECONDS - Seconds(3600)), Lane.TOKEN),
    ],
)
def test_a_lane_is_opened_by_a_token_or_network_that_the_number_knows(approach: Approach, lane: Lane) -> None:
    assert number.lane_of(KNOWN, approach, POLICY, SECONDS) is lane
    assert number.lane_of(Number(), approach, POLICY, SECONDS) is Lane.STRANGER


def test_a_number_keeps_three_usual_networks_for_ninety_days() -> None:
    known = Number()
    for index in range(5):
        known = replace(
            known, networks=number.verified_from(known, f"network-{index}", SECONDS + Seconds(index))
        )
    assert set(known.networks) == {"network-2", "network-3", "network-4"}
    assert known.knows(("network-4",), SECONDS + Seconds(4) + REMEMBERED - Seconds(1))
    assert not known.knows(("network-4",), SECONDS + Seconds(4) + REMEMBERED)
    assert number.verified_from(known, None, SECONDS + Seconds(2) + REMEMBERED) == {
        "network-3": SECONDS + Seconds(3),
        "network-4": SECONDS + Seconds(4),
    }


def test_sends_of_one_lane_do_not_limit_another() -> None:
    known = KNOWN
    for approach in (STRANGER, OWNER, AT_HOME):
        assert refused(known, approach) == "ok"
        known = sent(known, approach)
        assert refused(known, approach) == "RATE_LIMITED"


def test_one_network_leaves_a_share_of_the_number_to_others() -> None:
    known, now = Number(), NOW
    for _ in range(3):
        known, now = sent(known, STRANGER, now), now + 4 * MINUTE
    assert refused(known, STRANGER, now) == "RATE_LIMITED"
    other = Approach("t", networks=("another",))
    assert refused(known, other, now) == "CHALLENGE_REQUIRED", "the fourth of strangers within 15 minutes"
    assert refused(known, replace(other, is_challenged=True), now) == "ok"
    known = sent(known, replace(other, is_challenged=True), now)
    third = Approach("t", networks=("third",), is_challenged=True)
    assert refused(known, third, now + MINUTE) == "RATE_LIMITED", "the fifth"


@pytest.mark.parametrize(("left", "answer"), [(1, "RATE_LIMITED"), (0, "ok")])
def test_a_number_waits_to_the_millisecond(left: int, answer: str) -> None:
    known = sent(KNOWN, OWNER, NOW)
    assert refused(known, OWNER, Milliseconds(NOW + 30 * SECOND - left)) == answer


def test_past_the_unchallenged_share_each_network_gets_one_code_a_day() -> None:
    known = Number(sends=tuple(Send(NOW - (9 - hour) * HOUR, network=f"n{hour}") for hour in range(7)))
    challenged = Approach("t", networks=("new",), is_challenged=True)
    assert refused(known, replace(challenged, is_challenged=False)) == "CHALLENGE_REQUIRED"
    assert refused(known, challenged) == "ok"
    assert refused(sent(known, challenged), challenged, NOW + HOUR) == "RATE_LIMITED"
    assert refused(known, replace(challenged, networks=("n6",))) == "RATE_LIMITED"


def test_strangers_without_a_network_share_the_owners_limits() -> None:
    known, now, answers = Number(), NOW, []
    for _ in range(4):
        answers.append(refused(known, NO_NETWORK, now))
        if answers[-1] == "ok":
            known = sent(known, NO_NETWORK, now)
        now += 4 * MINUTE
    assert answers == ["ok", "ok", "ok", "RATE_LIMITED"]


@given(
    pauses=pauses,
    callers=st.lists(st.sampled_from(["a", "b", "c", "d", "e", "home", "token"]), min_size=150, max_size=150),
    challenged=st.booleans(),
)
def test_a_number_gets_at_most_ten_codes_a_day_in_each_lane(
    pauses: list[int], callers: list[str], challenged: bool
) -> None:
    known, now = KNOWN, NOW
    for pause, caller in zip(pauses, callers, strict=False):
        now += Milliseconds(pause)
        approach = OWNER if caller == "token" else Approach("t", networks=(caller,), is_challenged=challenged)
        if refused(known, approach, now) == "ok":
            known = sent(known, approach, now)
    for lane in Lane:
        sends = [send.at for send in known.sends_of(lane)]
        for at in sends:
            assert sum(at <= other < at + DAY for other in sends) <= 10
            assert sum(at <= other < at + HOUR for other in sends) <= (6 if lane is Lane.STRANGER else 5)
    for network in "abcde":
        theirs = [send.at for send in known.sends_of(Lane.STRANGER) if send.network == network]
        for at in theirs:
            assert sum(at <= other < at + DAY for other in theirs) <= 5


def test_strangers_failures_do_not_lock_the_owner_out() -> None:
    known = KNOWN
    for step in range(80):
        known = failed(known, STRANGER, Milliseconds(NOW + step))
    for approach in (OWNER, AT_HOME):
        assert may_guess(known, approach, NOW + Milliseconds(100))
        assert refused(known, approach, NOW + Milliseconds(100)) == "ok"
    assert refused(known, STRANGER, NOW + 365 * DAY) == "NUMBER_DISABLED"


def test_strangers_wait_after_twenty_failures_and_the_owner_after_five() -> None:
    theirs = own = KNOWN
    waits = []
    for _ in range(24):
        theirs = failed(theirs, STRANGER)
        refusal = number.lock(theirs, "t", Lane.STRANGER, POLICY, NOW)
        waits.append(0 if refusal is None else refusal.retry_after)
    assert waits == [0] * 19 + [30, 60, 120, 240, 480]
    for _ in range(6):
        own = failed(own, OWNER)
    assert number.lock(own, "t", Lane.TOKEN, POLICY, NOW).retry_after == 60  # type: ignore[union-attr] # it is locked


def test_a_used_up_own_lane_no_longer_opens() -> None:
    known = replace(KNOWN, failures={("t", Lane.TOKEN): Failures(20, NOW)}, totals={"t": 20})
    assert number.lane_of(known, OWNER, POLICY, SECONDS) is Lane.STRANGER
    both = replace(OWNER, networks=("home",))
    assert number.lane_of(known, both, POLICY, SECONDS) is Lane.NETWORK


@given(
    pauses=pauses, callers=st.lists(st.sampled_from([OWNER, AT_HOME, STRANGER]), min_size=150, max_size=150)
)
def test_a_number_takes_at_most_a_hundred_failures_over_all_lanes(
    pauses: list[int], callers: list[Approach]
) -> None:
    known, now = KNOWN, NOW
    for pause, caller in zip(pauses, callers, strict=False):
        now += Milliseconds(pause) + HOUR
        if may_guess(known, caller, now):
            known = failed(known, caller, now)
    assert known.totals.get("t", 0) <= 100
    assert known.failures_of("t", Lane.STRANGER).count <= 80
    assert max(known.failures_of("t", lane).count for lane in (Lane.TOKEN, Lane.NETWORK)) <= 20


def test_the_hundredth_failure_over_all_lanes_ends_the_guessing_in_each() -> None:
    known = replace(KNOWN, totals={"t": 100}, failures={("t", Lane.STRANGER): Failures(70, NOW)})
    for lane in Lane:
        assert isinstance(number.lock(known, "t", lane, POLICY, NOW + DAY), errors.NumberDisabled)
    assert number.is_disabled(known, POLICY)


def test_a_success_clears_its_lane_and_the_strangers_alone() -> None:
    known = replace(
        KNOWN,
        failures={
            **{("t", lane): Failures(7, NOW) for lane in Lane},
            ("other", Lane.STRANGER): Failures(3, NOW),
        },
        totals={"t": 21, "other": 3},
    )
    after = number.cleared(known, "t", Lane.TOKEN)
    assert set(after.failures) == {("t", Lane.NETWORK), ("other", Lane.STRANGER)}
    assert after.totals == {"other": 3}


def test_failures_end_a_month_after_the_last_unless_the_number_is_disabled() -> None:
    ended = Failures(7, NOW - to_milliseconds(KEEP_LOG))
    known = Number(
        failures={
            ("a", Lane.STRANGER): ended,
            ("a", Lane.TOKEN): replace(ended, last_at=ended.last_at + Milliseconds(1)),
            ("b", Lane.STRANGER): replace(ended, count=80),
            ("c", Lane.STRANGER): ended,
        },
        totals={"a": 14, "b": 80, "c": 100},
    )
    assert number.ended_failures(known, POLICY, NOW) == (("a", Lane.STRANGER),)


def test_a_number_is_kept_until_its_last_memory_ends() -> None:
    assert number.keep_until(Number(), POLICY, SECONDS) == SECONDS + KEEP_LOG + LATE_DELETION
    assert number.keep_until(KNOWN, POLICY, SECONDS) == SECONDS - Seconds(60) + REMEMBERED + LATE_DELETION
    disabled = Number(failures={("t", Lane.STRANGER): Failures(80, NOW)})
    assert number.keep_until(disabled, POLICY, SECONDS) == FOREVER


def test_tenants_that_verified_a_number_are_forgotten_after_ninety_days() -> None:
    known = Number(verified={"a": SECONDS - REMEMBERED, "b": SECONDS - REMEMBERED + Seconds(1)})
    assert number.forgotten_tenants(known, SECONDS) == ("a",)


def test_records_under_two_peppers_join_to_the_stricter_of_both() -> None:
    one = Number(
        sends=(Send(NOW),),
        failures={("t", Lane.STRANGER): Failures(3, NOW)},
        totals={"t": 3},
        tokens_from={"t": Seconds(5)},
        networks={"home": Seconds(1)},
        unproven=1,
        refused=frozenset({1}),
    )
    two = Number(
        sends=(Send(NOW), Send(NOW + Milliseconds(1), Lane.TOKEN)),
        failures={("t", Lane.STRANGER): Failures(7, NOW - Milliseconds(1))},
        totals={"t": 7, "other": 1},
        tokens_from={"t": Seconds(9)},
        networks={"home": Seconds(2), "work": Seconds(1)},
        unproven=2,
        failed=frozenset({2}),
    )
    joined = one.joined(two)
    assert [send.at for send in joined.sends] == [NOW, NOW + Milliseconds(1)]
    assert joined.failures == {("t", Lane.STRANGER): Failures(7, NOW)}
    assert joined.totals == {"t": 7, "other": 1}
    assert joined.tokens_from == {"t": 9}, "unlocking it under one moves it for both"
    assert (joined.networks, joined.unproven) == ({"home": 2, "work": Seconds(1)}, 2)
    assert (joined.refused, joined.failed) == (frozenset({1}), frozenset({2}))


def test_requests_of_the_last_hour_are_counted_refused_ones_included() -> None:
    known = Number(
        sends=(Send(NOW - HOUR), Send(NOW - HOUR + Milliseconds(1))),
        refused=frozenset({number.moment(NOW - HOUR, 0), number.moment(NOW, 1), number.moment(NOW, 2)}),
    )
    assert known.requests_within_hour(NOW) == 3


def test_a_verification_is_listed_for_as_long_as_its_item_may_be_there() -> None:
    until = SECONDS + Seconds(300) + number.KEEP_VERIFICATION + LATE_DELETION
    known = Number(verifications={"key": ListedVerification(SECONDS, SECONDS + Seconds(300), "owner")})
    assert list(number.still_listed(known, until - Seconds(1))) == ["key"]
    assert number.still_listed(known, until) == {}


def test_codes_that_are_over_are_forgotten_once_they_expire_or_are_no_longer_listed() -> None:
    def until(expires_at: Seconds) -> ListedVerification:
        return ListedVerification(SECONDS, expires_at, "owner")

    listed = {"valid": until(SECONDS + Seconds(1)), "expired": until(SECONDS)}
    known = Number(verifications=listed, over=frozenset({"valid", "expired", "unlisted"}))
    assert number.expired_over(known, SECONDS) == {"expired", "unlisted"}
