"""The windows of the guard's counters, at the moments where they begin and end."""

import pytest

from sms_otp.domain.blocks import BlockCounter
from sms_otp.domain.budgets import DayCounter, NoRoom, Spans
from sms_otp.domain.clock import DAY, HOUR, Seconds
from sms_otp.domain.countries import CountryCounter, History
from sms_otp.domain.guard import BudgetLane
from sms_otp.domain.networks import NetworkCounter

MIDNIGHT = Seconds(1_800_000_000 // DAY * DAY)
HALF_PAST_NINE = Seconds(MIDNIGHT + 9 * HOUR + HOUR // 2)
HOURS, DAYS = HALF_PAST_NINE // HOUR, MIDNIGHT // DAY


def block_limits(*read: dict[str, int]) -> dict[str, int]:
    """The most that a block of numbers may hold before one more code, at half past nine."""
    counter = BlockCounter(tuple(DayCounter.of(f"P#{key}", HALF_PAST_NINE) for key in range(len(read))))
    increment = counter.increment(dict(zip(counter.keys, read, strict=True)), 0.5, 1)
    assert increment.open == {"used": 1, "used09": 1}
    assert increment.verified == {"verified": 1, "verified09": 1}
    return dict(increment.limits)


def test_a_block_may_have_ten_codes_open_in_an_hour_and_twenty_in_a_day() -> None:
    assert block_limits({}) == {"used09": 9, "used": 19}


def test_half_of_a_blocks_last_hour_counts_at_half_past() -> None:
    assert block_limits({"used08": 4, "used09": 3, "used": 7}) == {"used09": 7, "used": 19}


def test_a_blocks_open_codes_under_the_other_pepper_lower_its_limits() -> None:
    assert block_limits({}, {"used08": 2, "used09": 1, "used": 4}) == {"used09": 7, "used": 15}


def test_a_blocks_verified_codes_under_both_peppers_raise_its_limits() -> None:
    counts = {"verified08": 50, "verified09": 50, "verified": 500}
    assert block_limits(counts, counts) == {"used09": 111, "used": 749}


def network(*read: dict[str, int]) -> tuple[NetworkCounter, dict[str, dict[str, int]]]:
    keys = ("C#a", "C#b")[: len(read)]
    return NetworkCounter(keys, HALF_PAST_NINE), dict(zip(keys, read, strict=True))


@pytest.mark.parametrize(("days_ago", "counted"), [(0, 5), (6, 5), (7, 0)])
def test_a_networks_verified_codes_count_for_seven_days(days_ago: int, counted: int) -> None:
    counter, read = network({f"verified{DAYS - days_ago}": 5})
    assert counter.facts(read).verified_week == counted


@pytest.mark.parametrize(
    ("name", "is_removed"),
    [
        (f"used{HOURS - 24}", False),
        (f"used{HOURS - 25}", True),
        (f"verified{DAYS - 6}", False),
        (f"verified{DAYS - 7}", True),
        ("another", False),
    ],
)
def test_a_networks_counts_outside_all_windows_are_removed_by_a_write(name: str, is_removed: bool) -> None:
    counter, read = network({name: 1})
    assert counter.increment(read, Spans(10, 30)).expired == ((name,) if is_removed else ())


@pytest.mark.parametrize(
    ("hours_ago", "is_open"),
    [(0, Spans(4, 4)), (1, Spans(2, 4)), (2, Spans(0, 4)), (24, Spans(0, 4)), (25, Spans(0, 0))],
)
def test_a_networks_hour_fades_evenly_and_its_day_ends_after_24_hours(hours_ago: int, is_open: Spans) -> None:
    counter, read = network({f"used{HOURS - hours_ago}": 4})
    assert counter.facts(read).open == is_open


def test_a_networks_open_codes_under_the_other_pepper_lower_its_limit() -> None:
    counter, read = network({f"used{HOURS}": 1}, {f"used{HOURS}": 2, f"used{HOURS - 3}": 4})
    increment = counter.increment(read, Spans(10, 30))
    assert (increment.key, increment.limits) == ("C#a", {f"used{HOURS}": 7})
    assert (increment.open, increment.verified) == ({f"used{HOURS}": 1}, {f"verified{DAYS}": 1})
    assert increment.keep_until == HALF_PAST_NINE + 8 * DAY
    assert counter.increment(read, Spans(30, 10)).limits == {f"used{HOURS}": 3}


@pytest.mark.parametrize(
    ("hours_ago", "limits", "retry_after"),
    [
        (0, Spans(4, 30), HOUR // 2 + HOUR),
        (0, Spans(10, 4), HOUR // 2 + 24 * HOUR),
        (3, Spans(10, 4), HOUR // 2 + 21 * HOUR),
        (23, Spans(10, 4), HOUR // 2 + HOUR),
        (24, Spans(10, 4), HOUR // 2),
    ],
)
def test_a_full_network_says_when_it_has_room(hours_ago: int, limits: Spans, retry_after: int) -> None:
    counter, read = network({f"used{HOURS - hours_ago}": 4})
    with pytest.raises(NoRoom) as full:
        counter.increment(read, limits)
    assert (full.value.budget, full.value.retry_after) == ("network", retry_after)


def country(past: dict[str, int], *, price: int = 1, shards: int = 1) -> CountryCounter:
    """After fourteen days with the same counts."""
    history = History()
    for ago in range(1, 15):
        day = DayCounter.of("B#US", Seconds(HALF_PAST_NINE - ago * DAY))
        history.prime(day, past, HALF_PAST_NINE)
    return CountryCounter("US", HALF_PAST_NINE, shards, 1, history, price)


@pytest.mark.parametrize(
    ("past", "price", "ratio"),
    [
        ({}, 1, 0.6),
        ({"verified": 10}, 1, 0.3),
        ({"verified": 5, "open": 2, "fresh": 1}, 1, 0.6),
        ({"verified": 50, "known": 10, "challenged": 20, "own": 90}, 10, 0.6),
        ({"verified": 5, "open": 4}, 1, 0.775),
    ],
)
def test_a_countrys_ratio_comes_from_its_last_two_weeks(
    past: dict[str, int], price: int, ratio: float
) -> None:
    assert country(past, price=price).facts({}).ratio == ratio


def test_half_of_a_countrys_last_hour_counts_at_half_past_and_a_part_of_its_yesterday() -> None:
    counter = country({"verified": 48, "open": 48})
    (today,) = counter.keys
    read = {today: {"verified08": 10, "verified09": 20, "verified": 40}}
    # At half past nine 29 of yesterday's 48 half-hours are still within 24 hours.
    assert counter.facts(read).verified == Spans(25, 69)
    limits = counter.increment(read, BudgetLane.OPEN, 1, Spans(100, 200)).limits
    assert limits == {"open09": 99, "open": 170}


@pytest.mark.parametrize(("full", "retry_after"), [("open09", HOUR // 2), ("open", 14 * HOUR + HOUR // 2)])
def test_a_countrys_full_hour_ends_with_the_hour_and_its_full_day_with_the_day(
    full: str, retry_after: int
) -> None:
    counter = country({})
    (today,) = counter.keys
    assert counter.increment({today: {full: 99}}, BudgetLane.OPEN, 1, Spans(100, 100)).key == today
    with pytest.raises(NoRoom) as refused:
        counter.increment({today: {full: 100}}, BudgetLane.OPEN, 1, Spans(100, 100))
    assert (refused.value.budget, refused.value.retry_after) == ("country", retry_after)


def test_only_known_numbers_count_as_known_when_they_verify() -> None:
    counter = country({})
    known = counter.increment({}, BudgetLane.KNOWN, 8, Spans(100, 100))
    assert known.open == {"known": 8, "known09": 8}
    assert known.verified == {"verified": 8, "verified09": 8, "verifiedKnown": 8, "verifiedKnown09": 8}
    others = counter.unlimited({}, BudgetLane.OPEN, 8)
    assert (others.limits, others.verified) == ({}, {"verified": 8, "verified09": 8})


@pytest.mark.parametrize(("seconds", "is_settled"), [(599, False), (600, True)])
def test_a_day_is_settled_once_its_last_code_has_ended(seconds: int, is_settled: bool) -> None:
    history, day = History(), DayCounter.of("B#US", MIDNIGHT)
    history.prime(day, {}, Seconds(MIDNIGHT + DAY + seconds))
    assert history.missing([day]) == ([] if is_settled else [day])


def test_days_older_than_the_guards_history_are_forgotten_once_a_day() -> None:
    history = History()
    for ago in (14, 15, 16):
        history.prime(DayCounter.of("B#US", Seconds(MIDNIGHT - ago * DAY)), {}, MIDNIGHT)
        history.shards[DayCounter.of("D", Seconds(MIDNIGHT - ago * DAY)).stem] = 2
    history.sweep(MIDNIGHT)
    assert (len(history.totals), len(history.settled), len(history.shards)) == (2, 2, 2)
    history.shards["D#2020-01-01"] = 2
    history.sweep(Seconds(MIDNIGHT + DAY - 1))
    assert "D#2020-01-01" in history.shards, "the history is swept once a day"
    history.sweep(Seconds(MIDNIGHT + DAY))
    assert (len(history.totals), len(history.settled), len(history.shards)) == (1, 1, 1)


def test_a_country_is_full_if_no_sampled_shard_has_room() -> None:
    """Of 52 codes over five shards two have eleven, and three ten: the estimate alone would see room."""
    counter = country({}, shards=6)
    first, *others = counter.keys
    read = {key: {"open09": 11 if key.endswith(("#1", "#2")) else 10} for key in others}
    assert (first[-2:], len(read)) == ("#0", 3)
    with pytest.raises(NoRoom) as refused:
        counter.increment(read, BudgetLane.OPEN, 1, Spans(52, 10_000))
    assert (refused.value.budget, refused.value.retry_after) == ("country", HOUR // 2)
