"""Counters that requests share: shards, windows, and the counts that a verified code takes back."""

from collections import Counter as Tally

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sms_otp.domain.budgets import (
    DayCounter,
    NoRoom,
    OpenCount,
    ShardIncrement,
    changes_of_success,
    dumped,
    shards_for,
)
from sms_otp.domain.clock import DAY, HOUR, Seconds

NOON = 1_800_000_000 // DAY * DAY + 12 * HOUR


def counter(shards: int = 1, now: int = NOON) -> DayCounter:
    return DayCounter.of("D", Seconds(now), shards)


@pytest.mark.parametrize(
    ("dollars", "shards"), [(1, 1), (50, 1), (99, 1), (100, 2), (1_000, 11), (10**6, 512)]
)
def test_a_service_that_spends_more_has_more_shards(dollars: int, shards: int) -> None:
    assert shards_for(dollars) == shards


@given(limit=st.integers(1, 1_000), amount=st.integers(5, 30), shards=st.integers(1, 4))
def test_spending_never_exceeds_a_limit_and_uses_all_of_it(limit: int, amount: int, shards: int) -> None:
    day, spent = counter(shards), Tally[str]()
    while True:
        read = {key: {"spent": count} for key, count in spent.items()}
        increment = day.increment(read, day.sample(), amount, {"spent": limit})
        if increment is None:
            break
        assert spent[increment.key] <= increment.limits["spent"]
        spent[increment.key] += amount
    assert limit - shards * amount < sum(spent.values()) <= limit


@given(shards=st.integers(5, 60), limit=st.integers(0, 50_000))
def test_spending_over_many_shards_never_exceeds_a_limit(shards: int, limit: int) -> None:
    day, spent = counter(shards), Tally[str]()
    misses = 0
    while misses < 3:
        read = {key: {"spent": count} for key, count in spent.items()}
        increment = day.increment(read, day.sample(), 500, {"spent": limit})
        if increment is None:
            misses += 1
        else:
            spent[increment.key] += 500
    assert sum(spent.values()) <= limit


def test_a_limit_too_small_to_divide_is_kept_on_the_first_shard() -> None:
    day = counter(41)
    increment = day.increment({}, day.sample(), 10, {"open": 41 * 8 * 10 - 1})
    assert increment is not None
    assert increment.key == day.first
    spread = day.increment({}, day.sample(), 10, {"open": 41 * 8 * 10})
    assert spread is not None
    assert spread.key != day.first


def test_an_unlimited_count_goes_to_any_shard_but_the_first() -> None:
    day = counter(41)
    keys = {day.unlimited({}, day.sample()).key for _ in range(200)}
    assert day.first not in keys
    assert len(keys) > 20


@given(shards=st.integers(1, 512))
def test_a_request_samples_few_shards_and_only_existing_ones(shards: int) -> None:
    sampled = counter(shards).sample()
    assert len(set(sampled)) == len(sampled) == min(4, shards)
    assert {int(key.rpartition("#")[2]) for key in sampled} <= set(range(shards))


def test_a_total_is_estimated_from_the_sampled_shards() -> None:
    sampled = ("D#0", "D#2", "D#5", "D#7")
    read = {"D#0": {"spent": 10}, "D#2": {"spent": 3}, "D#5": {"spent": 4}, "D#7": {"spent": 2}}
    assert counter(9).total(read, sampled)["spent"] == 10 + 9 * 8 // 3


def test_the_last_hour_is_weighted_by_its_part_of_the_last_sixty_minutes() -> None:
    counts = {"open12": 10, "open11": 40, "open": 60}
    assert counter().last_60_minutes("open", counts) == 50
    assert counter(now=NOON + 45 * 60).last_60_minutes("open", counts) == 20


def test_after_midnight_the_last_hour_is_yesterdays() -> None:
    midnight = NOON + 12 * HOUR
    assert counter(now=midnight).last_60_minutes("open", {}, {"open23": 8}) == 8
    assert counter(now=midnight + 6 * HOUR).last_24_hours("open", {"open": 1}, {"open": 8}) == 7


def test_hours_outside_every_window_are_removed_by_the_next_write() -> None:
    day = counter()
    read = {day.first: {"open": 9, "open09": 1, "open10": 2, "open11": 3, "open12": 3}}
    assert day.on(day.first, read, {}).expired == ("open09", "open10")


def test_a_full_budget_waits_for_the_end_of_its_hour_or_its_day() -> None:
    day = counter(now=NOON + 600)
    for counts, seconds in (({"open12": 5}, HOUR - 600), ({"open12": 5, "open": 9}, 12 * HOUR - 600)):
        with pytest.raises(NoRoom) as full:
            day.hold(counts, {"open12": 4, "open": 8}, "country")
        assert full.value.retry_after == seconds


FIRST = ShardIncrement("B#US#day#0", open={"open": 8, "open12": 8}, verified={"verified": 8})
RESEND = ShardIncrement("B#US#day#0", open={"open": 8, "open13": 8}, verified={"verified": 8})
MONEY = ShardIncrement("D#day#0", spent={"spent": 8})


def test_a_verified_code_takes_back_all_its_sends_and_counts_once_as_verified() -> None:
    first, resends = ([OpenCount.load(text) for text in dumped([each, MONEY])] for each in (FIRST, RESEND))
    assert changes_of_success(first, resends) == {
        "B#US#day#0": {"open": -16, "open12": -8, "open13": -8, "verified": 8}
    }


def test_spent_money_is_never_taken_back() -> None:
    assert dumped([MONEY]) == ()


def test_increments_of_one_item_are_one_write() -> None:
    pool = ShardIncrement("D#day#0", open={"openFloor": 8}, limits={"openFloor": 2})
    both = MONEY.joined(pool)
    assert both.added == {"spent": 8, "openFloor": 8}
    assert both.limits == {"openFloor": 2}
