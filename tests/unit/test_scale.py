"""The simulation of scale, in small: it makes the code's calls, and it finds throttling and conflicts."""

from collections import Counter
from random import Random

import pytest

from bench import scale
from bench.scale import BEGIN, CONSUME, END, PAGE, REQUEST, RESERVE, VERIFY, Kind, Spread, Step, Table
from ops import cost
from sms_otp.domain import budgets
from sms_otp.domain.clock import Seconds

SMALL = 400


def test_a_simulated_verification_costs_the_units_of_the_benchmark() -> None:
    """With one shard for each count, as the template's defaults make it."""
    read, write = scale.units((*REQUEST, *VERIFY), shards=1)
    assert (read, write) == (cost.MEASURED.read_units, cost.MEASURED.write_units)


@pytest.mark.parametrize("shards", [1, 4, 5, 512])
def test_a_simulated_count_uses_the_shards_that_the_code_uses(shards: int) -> None:
    table = Table(Random(1), partitions=1, shards=shards)  # noqa: S311 - a simulation, which must repeat
    count = Kind("count", Spread.COUNTED)
    window = budgets.DayCounter("count", Seconds(0), shards)
    sampled, written = Counter[int](), Counter[int]()
    of_the_code = Counter[str]()
    for _ in range(300):
        keys = table._sampled(count)
        assert len(keys) == len(window.sample())
        sampled.update(shard for _, shard in filter(None, keys))
        key = table._written(count)
        assert key is not None
        written[key[1]] += 1
        increment = window.increment({}, window.sample(), 1, {"spent": 1_000_000})
        assert increment is not None
        of_the_code[increment.key] += 1
    assert max(sampled) < shards
    assert (0 in written) is ("count#0" in of_the_code) is (shards <= budgets.SAMPLE)


def test_a_new_table_throttles_only_rates_above_its_capacity() -> None:
    calm = scale.simulate(100, scale.NEW_TABLE_PARTITIONS, SMALL)
    assert (calm.throttled, calm.contended) == (0, 0)
    assert calm.request_p99 is not None
    flooded = scale.simulate(10_000, scale.NEW_TABLE_PARTITIONS, SMALL)
    assert flooded.throttled > 40


def test_a_partition_gives_its_limit_each_second_and_saves_no_burst() -> None:
    table = Table(Random(1), partitions=1, shards=1)  # noqa: S311 - a simulation, which must repeat
    for now, given in ((0.0, 0), (0.5, 500), (1.0, 500), (100.0, scale.PARTITION_WRITE_UNITS)):
        table.now = now
        assert sum(table._take(1, [0], 1) for _ in range(2_000)) == given


def test_transactions_on_one_item_conflict() -> None:
    random = Random(1)  # noqa: S311 - a simulation, which must repeat
    table = Table(random, partitions=1000, shards=1)
    table.now = 1.0
    first, second = table.write(CONSUME), table.write(CONSUME)
    next(first)
    next(second)
    assert table.counts["conflicts"] == 1
    table.now = 10.0
    with pytest.raises(StopIteration):
        next(first)
    next(second)
    assert (table.counts["transactions"], table.counts["conflicts"]) == (3, 1)


def test_a_transaction_that_always_conflicts_is_contended() -> None:
    table = Table(Random(1), partitions=1000, shards=1)  # noqa: S311 - a simulation, which must repeat
    table.now = 1.0
    table.held = {("service's day", 0): 100.0}
    with pytest.raises(scale.Contended):
        list(table.write(RESERVE))


def test_a_single_write_is_no_transaction() -> None:
    one, two = Step((scale.NUMBER,)), Step((scale.NUMBER, scale.VERIFICATION))
    assert (one.is_transaction, two.is_transaction) == (False, True)
    assert (scale.units((one,), 1), scale.units((two,), 1)) == ((0, 1), (0, 4))


def test_an_equal_seed_gives_an_equal_result() -> None:
    runs = [scale.simulate(1_000, 58, SMALL, seed) for seed in (1, 1, 2)]
    assert runs[0] == runs[1] != runs[2]


def test_a_table_that_has_grown_has_room_for_twice_the_rate() -> None:
    for rate in scale.RATES:
        read, write = scale.needed(rate)
        partitions = scale.grown(rate)
        assert partitions * scale.PARTITION_WRITE_UNITS >= 2 * write
        assert partitions * scale.PARTITION_READ_UNITS >= 2 * read
    assert (scale.minutes_to_grow(1), scale.minutes_to_grow(1_000)) == (0, 90)


def test_writing_the_page_twice_changes_nothing_more() -> None:
    page = f"before\n{BEGIN}old\n{END}after\n"
    once = scale.written(page, "new\n")
    assert once == f"before\n{BEGIN}\nnew\n\n{END}after\n" == scale.written(once, "new\n")


def test_the_calculated_part_of_the_page_is_up_to_date() -> None:
    assert "\n".join(scale._reckoned()) in PAGE.read_text()
