"""The budgets that many requests share, and the guard that watches for sends that nobody verifies."""

from collections import Counter as Tally
from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sms_otp.domain.budgets import Counter, CounterWindow, shards_for
from sms_otp.domain.guard import (
    DAY,
    HOUR,
    Guard,
    GuardPolicy,
    History,
    Mode,
    Verdict,
    block_day_window,
    block_hour_window,
    day_window,
    hour_window,
)

NOW = 1_800_000_000 - 1_800_000_000 % DAY + 12 * HOUR
POLICY = GuardPolicy(Mode.ENFORCE, floor_hour=3, floor_day=20, block_hour=10, shards=1)


@pytest.mark.parametrize(
    ("sends_per_day", "shards"), [(1, 1), (24_999, 1), (25_000, 2), (1_000_000, 41), (10**9, 512)]
)
def test_a_service_that_sends_more_has_more_shards(sends_per_day: int, shards: int) -> None:
    assert shards_for(sends_per_day) == shards


@given(limit=st.integers(0, 10_000), shards=st.integers(1, 60))
def test_the_shards_of_a_budget_add_up_to_its_limit_exactly(limit: int, shards: int) -> None:
    window = CounterWindow("D#day", shards, NOW)
    spent: Tally[str] = Tally()
    every = tuple(f"D#day#{shard}" for shard in range(shards))
    while True:
        read = {key: Counter(used=count) for key, count in spent.items()}
        increment = window.increment(read, every, limit, 0)
        if increment is None:
            break
        assert increment.limit is not None
        spent[increment.key] = increment.limit
    assert sum(spent.values()) == limit


@given(limit=st.integers(1, 511), shards=st.integers(2, 512))
def test_a_small_limit_is_found_at_once_however_many_shards_there_are(limit: int, shards: int) -> None:
    window = CounterWindow("B#US#hour", shards, NOW)
    assert window.increment({}, window.sample(), max(limit, 5), 0) is not None


@given(shards=st.integers(1, 512))
def test_a_request_looks_at_few_shards_and_only_at_those_there_are(shards: int) -> None:
    sampled = CounterWindow("D#day", shards, NOW).sample()
    assert len(set(sampled)) == len(sampled) == min(4, shards)
    assert {int(key.rpartition("#")[2]) for key in sampled} <= set(range(shards))


def test_the_verified_of_all_shards_are_estimated_from_the_sampled_ones() -> None:
    window = CounterWindow("B#US#day", 9, NOW)
    sampled = ("B#US#day#0", "B#US#day#2", "B#US#day#5")
    counts = zip(sampled, (10, 3, 4), strict=True)
    read = {key: Counter(verified=count) for key, count in counts}
    assert window.verified(read, sampled) == 10 + 8 * 7 // 2


def decide(read: Mapping[str, Counter], policy: GuardPolicy = POLICY, now: int = NOW) -> Verdict:
    guard = Guard(policy, History(), "US", ("block",), now)
    return guard.decide({key: read[key] for key in guard.keys if key in read})


def key_of(window: CounterWindow) -> str:
    return f"{window.stem}#0"


HOUR_KEY = key_of(hour_window("US", NOW, 1))
LAST_HOUR_KEY = key_of(hour_window("US", NOW - HOUR, 1))
DAY_KEY = key_of(day_window("US", NOW, 1))
YESTERDAY_KEY = key_of(day_window("US", NOW - DAY, 1))
BLOCK_HOUR_KEY = key_of(block_hour_window("block", NOW))
BLOCK_DAY_KEY = key_of(block_day_window("block", NOW))


@pytest.mark.parametrize(
    ("read", "over"),
    [
        ({}, ()),
        ({HOUR_KEY: Counter(used=2)}, ()),
        ({HOUR_KEY: Counter(used=3)}, ("country hour",)),
        ({DAY_KEY: Counter(used=19)}, ()),
        ({DAY_KEY: Counter(used=20)}, ("country day",)),
        ({BLOCK_HOUR_KEY: Counter(used=9)}, ()),
        ({BLOCK_HOUR_KEY: Counter(used=10)}, ("block hour",)),
        # a block's day is two of its hours
        ({BLOCK_DAY_KEY: Counter(used=19)}, ()),
        ({BLOCK_DAY_KEY: Counter(used=20)}, ("block day",)),
        # and both grow with what was verified in the block itself
        ({BLOCK_HOUR_KEY: Counter(used=29, verified=100)}, ()),
        ({BLOCK_HOUR_KEY: Counter(used=30, verified=100)}, ("block hour",)),
        ({BLOCK_DAY_KEY: Counter(used=29, verified=100)}, ()),
        ({BLOCK_DAY_KEY: Counter(used=30, verified=100)}, ("block day",)),
        # 20 % of what was verified this hour
        ({HOUR_KEY: Counter(used=19, verified=100)}, ()),
        ({HOUR_KEY: Counter(used=20, verified=100)}, ("country hour",)),
        # and of the last hour, of which all is still within 60 minutes when this one begins
        ({HOUR_KEY: Counter(used=19), LAST_HOUR_KEY: Counter(verified=100)}, ()),
        # 20 % of a sixth of the best day of the last 14
        ({HOUR_KEY: Counter(used=39), YESTERDAY_KEY: Counter(verified=1200)}, ()),
        ({HOUR_KEY: Counter(used=40), YESTERDAY_KEY: Counter(verified=1200)}, ("country hour",)),
        # 30 % of the best day
        ({DAY_KEY: Counter(used=359), YESTERDAY_KEY: Counter(verified=1200)}, ()),
        ({DAY_KEY: Counter(used=360), YESTERDAY_KEY: Counter(verified=1200)}, ("country day",)),
    ],
)
def test_a_country_may_have_open_what_its_own_history_grants(
    read: Mapping[str, Counter], over: tuple[str, ...]
) -> None:
    assert decide(read).over == over


@pytest.mark.parametrize(("days_ago", "over"), [(14, ()), (15, ("country day",))])
def test_the_history_reaches_back_fourteen_days(days_ago: int, over: tuple[str, ...]) -> None:
    past = key_of(day_window("US", NOW - days_ago * DAY, 1))
    assert decide({DAY_KEY: Counter(used=100), past: Counter(verified=1000)}).over == over


def test_another_countrys_history_grants_nothing() -> None:
    other = key_of(day_window("GB", NOW - DAY, 1))
    assert decide({DAY_KEY: Counter(used=20), other: Counter(verified=9999)}).over == ("country day",)


def test_every_send_is_counted_for_its_hour_its_day_and_its_block() -> None:
    assert [increment.key for increment in decide({}).increments] == [
        HOUR_KEY,
        DAY_KEY,
        BLOCK_HOUR_KEY,
        BLOCK_DAY_KEY,
    ]


def test_where_it_enforces_the_counters_refuse_what_a_race_would_let_through() -> None:
    assert [increment.limit for increment in decide({}).increments] == [3, 20, 10, 20]


def test_where_it_only_records_nothing_is_refused_and_everything_counted() -> None:
    policy = GuardPolicy(Mode.RECORD, 3, 20, 10, 1)
    verdict = decide({HOUR_KEY: Counter(used=50)}, policy)
    assert verdict.over == ("country hour",)
    assert [increment.limit for increment in verdict.increments] == [None] * 4


def test_a_refusal_names_the_end_of_the_window_that_is_full() -> None:
    assert decide({HOUR_KEY: Counter(used=3)}, now=NOW + 600).retry_after == HOUR - 600
    assert decide({DAY_KEY: Counter(used=20)}, now=NOW + 600).retry_after == 12 * HOUR - 600


def test_the_past_is_read_once_and_what_is_too_old_is_forgotten() -> None:
    history = History()
    first = Guard(POLICY, history, "US", ("block",), NOW + 600)
    first.decide({})
    again = Guard(POLICY, history, "US", ("block",), NOW + 660)
    assert len(first.keys) == 4 + 1 + 14
    assert len(again.keys) == 4
    again.decide({})
    later = Guard(POLICY, history, "US", ("block",), NOW + 40 * DAY)
    later.decide({})
    assert len(history.verified) == 1 + 14


@pytest.mark.parametrize(("seconds", "is_read_again"), [(1, True), (599, True), (600, False)])
def test_an_hour_that_has_just_passed_is_read_again_while_its_codes_may_be_verified(
    seconds: int, is_read_again: bool
) -> None:
    """A code of its last minute is counted as verified there, minutes later."""
    history, past = History(), hour_window("US", NOW - 1, 1)
    counted = {f"{past.stem}#0": Counter(verified=0)}
    Guard(POLICY, history, "US", ("block",), NOW + seconds).decide(counted)
    counted = {f"{past.stem}#0": Counter(verified=100)}
    later = Guard(POLICY, history, "US", ("block",), NOW + seconds + 1)
    assert (f"{past.stem}#0" in later.keys) is is_read_again
    assert (later.decide(counted).unverified == 0) is is_read_again


def test_one_read_holds_everything_even_with_many_shards_and_no_history() -> None:
    guard = Guard(GuardPolicy(Mode.ENFORCE, 3, 20, 10, 512), History(), "US", ("block",), NOW)
    assert len(guard.keys) + 4 + 4 <= 100, "BatchGetItem takes a hundred keys"


LATE = NOW + 2 * HOUR + 1234
"""Neither the beginning of an hour nor of a day."""
HOUR_LEFT, DAY_LEFT = HOUR - 1234, 10 * HOUR - 1234


@pytest.mark.parametrize(
    ("window", "seconds"),
    [
        (hour_window("US", LATE, 1), HOUR_LEFT),
        (day_window("US", LATE, 1), DAY_LEFT),
        (block_hour_window("block", LATE), HOUR_LEFT),
        (block_day_window("block", LATE), DAY_LEFT),
    ],
    ids=["country hour", "country day", "block hour", "block day"],
)
def test_each_limit_says_when_its_window_ends(window: CounterWindow, seconds: int) -> None:
    assert window.ends_at - LATE == seconds
    verdict = decide({key_of(window): Counter(used=1000)}, now=LATE)
    assert verdict.retry_after == seconds
    assert len(verdict.over) == 1


def test_over_two_limits_the_wait_is_the_shorter_one() -> None:
    over = {
        key_of(hour_window("US", LATE, 1)): Counter(used=3),
        key_of(day_window("US", LATE, 1)): Counter(used=20),
    }
    verdict = decide(over, now=LATE)
    assert (verdict.over, verdict.retry_after) == (("country hour", "country day"), HOUR_LEFT)


@pytest.mark.parametrize("now", [NOW, LATE, NOW + HOUR - 1])
def test_windows_are_named_by_the_start_of_their_hour_and_day_in_utc(now: int) -> None:
    """An upgrade that named them anew would forget what was sent."""
    hour = f"{12 + (now - NOW) // HOUR:02d}"
    assert hour_window("US", now, 1).stem == f"B#US#2027-01-15T{hour}"
    assert day_window("US", now, 1).stem == "B#US#2027-01-15"
    assert block_hour_window("block", now).stem == f"P#block#2027-01-15T{hour}"
    assert block_day_window("block", now).stem == "P#block#2027-01-15"


def test_counts_are_kept_for_as_long_as_they_are_looked_at() -> None:
    """Two hours for an hour, sixteen days for a day of a country, whose best of fourteen counts."""
    kept = [increment.keep_until - LATE for increment in decide({}, now=LATE).increments]
    assert kept == [HOUR_LEFT + 2 * HOUR, DAY_LEFT + 16 * DAY, HOUR_LEFT + 2 * HOUR, DAY_LEFT + 2 * HOUR]


def test_the_last_hours_verifications_grant_less_as_this_hour_goes_on() -> None:
    """Of 60 minutes that end now, a third of the last hour is left after forty."""
    last = {LAST_HOUR_KEY: Counter(verified=300)}
    for minutes, most in ((0, 60), (40, 20)):
        over = [
            decide({**last, HOUR_KEY: Counter(used=used)}, now=NOW + minutes * 60).over
            for used in (most - 1, most)
        ]
        assert over == [(), ("country hour",)], minutes


def test_yesterdays_verifications_grant_less_as_this_day_goes_on() -> None:
    """The best day grants 30 % by itself; yesterday's half that is left is added to today's."""
    read = {DAY_KEY: Counter(used=449, verified=1000), YESTERDAY_KEY: Counter(verified=1000)}
    assert decide(read).over == ()
    assert decide(read | {DAY_KEY: Counter(used=450, verified=1000)}).over == ("country day",)


def test_a_block_is_counted_less_what_stands_under_the_earlier_pepper() -> None:
    both = Guard(POLICY, History(), "US", ("block", "earlier"), NOW)
    before = {
        key_of(block_hour_window("earlier", NOW)): Counter(used=4, verified=0),
        key_of(block_day_window("earlier", NOW)): Counter(used=5, verified=0),
    }
    verdict = both.decide(before)
    assert [increment.limit for increment in verdict.increments] == [3, 20, 10 - 4, 20 - 5]
    assert [increment.key for increment in verdict.increments][2:] == [BLOCK_HOUR_KEY, BLOCK_DAY_KEY]


def test_a_country_is_unverified_until_anyone_verified_in_this_hour_or_the_last() -> None:
    assert decide({HOUR_KEY: Counter(used=2)}).unverified == 3
    assert decide({HOUR_KEY: Counter(used=2, verified=1)}).unverified == 0
    assert decide({HOUR_KEY: Counter(used=2), LAST_HOUR_KEY: Counter(verified=1)}).unverified == 0
