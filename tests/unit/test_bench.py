"""The benchmark's arithmetic: request units, ratios, and the bill in docs/performance.md."""

import re

import pytest

from bench import figures, units
from bench.figures import Figure
from bench.units import Units
from local.template import ROOT, template
from ops import cost

PAGE = (ROOT / "docs/performance.md").read_text()
NUMBER = {"N": "12345"}


def put(item: dict[str, dict[str, str]]) -> dict[str, object]:
    return {"operation": "TransactWriteItems", "body": {"TransactItems": [{"Put": {"Item": item}}]}}


def test_a_read_costs_a_unit_for_each_key_even_if_no_item_exists() -> None:
    body: dict[str, object] = {"RequestItems": {"Table": {"Keys": [{}, {}, {}]}}}
    assert units.of_call("BatchGetItem", body) == Units(read=3)


def test_a_write_costs_a_unit_per_kilobyte_and_two_in_a_transaction() -> None:
    assert units.of_call("UpdateItem", {"Key": {}}) == Units(write=1)
    assert units.total([put({"pk": {"S": "x" * 1022}})]) == Units(write=2)
    assert units.total([put({"pk": {"S": "x" * 1023}})]) == Units(write=4)


def test_a_call_to_another_service_uses_no_unit() -> None:
    assert units.of_call("GetSecretValue", {"SecretId": "x"}) == Units()


def test_an_item_is_as_large_as_its_names_and_values() -> None:
    item = {"pk": {"S": "ab"}, "n": NUMBER, "sends": {"NS": ["1", "2"]}, "list": {"L": [{"S": "ab"}]}}
    assert units.size(item) == (2 + 2) + (1 + 4) + (5 + 3 + 2 * (1 + 2)) + (4 + 3 + 1 + 2)


def test_a_ratio_is_the_median_over_pairs_of_runs() -> None:
    """A slow moment then counts on both sides."""
    made = figures.compared("x", [1.0, 10.0, 1.0], [2.0, 20.0, 4.0], "ms", 0.5)
    assert (made.ours, made.baseline, made.ratio, made.is_reached) == (1.0, 4.0, 0.5, True)


@pytest.mark.parametrize(("ours", "reach", "reached"), [(3, 3, True), (4, 3, False), (4, None, None)])
def test_without_a_baseline_the_figure_itself_must_be_within_reach(
    ours: float, reach: float | None, reached: bool | None
) -> None:
    assert Figure("x", ours, "calls", reach=reach).is_reached is reached


def test_the_page_has_the_units_of_every_other_operation() -> None:
    rows = re.findall(r"^\| (an? [^|]+) \| (\d+) \|$", PAGE, re.MULTILINE)
    assert [int(units) for _, units in rows] == [*cost.OTHER_UNITS.values()]


def test_the_bill_sums_use_times_price_over_its_lines() -> None:
    measured = cost.Measured(request_ms=100, verify_ms=60, waiting_ms=340, memory_mb=1024)
    lines = {line.what: line.of_a_million for line in cost.ours(measured)}
    assert lines["API Gateway, REST"] == pytest.approx(7.00)
    assert lines["Lambda, arm64"] == pytest.approx(0.5 * 13.3334)
    assert lines["DynamoDB, writes"] == pytest.approx(measured.write_units * 0.625)
    own = cost.offers()[0]
    assert own.of_a_million() == pytest.approx(sum(line.of_a_million for line in cost.ours()))
    assert own.of_a_million(0.01) == pytest.approx(own.of_a_million() + 10_000)


def test_the_page_shows_the_bill_by_provider_and_the_offers() -> None:
    assert cost.cost_table() in PAGE
    assert cost.provider_table() in PAGE
    assert cost.offer_table() in PAGE


def test_the_bill_is_for_the_memory_that_a_function_has_by_default() -> None:
    assert template()["Globals"]["Function"]["MemorySize"] == cost.MEASURED.memory_mb


@pytest.mark.parametrize(
    ("function", "billed"),
    [("request_otp", cost.MEASURED.request_ms), ("verify_otp", cost.MEASURED.verify_ms)],
)
def test_the_bill_is_for_no_less_time_than_was_measured(function: str, billed: float) -> None:
    heads = re.findall(r"(\d+) MB, ms", re.findall(r"^\| \| .*MB, ms.*$", PAGE, re.MULTILINE)[0])
    rows = re.findall(rf"^\| {function}, mean of the next 19 \| (.*) \|$", PAGE, re.MULTILINE)
    measured = dict(zip(heads, rows[0].split(" | "), strict=True))
    assert float(measured[str(cost.MEASURED.memory_mb)]) <= billed


def test_figures_of_one_kind_are_columns_of_one_table() -> None:
    tables = figures.markdown(
        [
            Figure("layer", 0.8, "MB", reach=5),
            Figure("start of a, against naive", 1.0, "ms", 2.0, 0.5, 0.55),
            Figure("start of a, against bare", 1.0, "ms", 1.0, 1.0, 1.15),
            Figure("start of b, against naive", 1.0, "ms", 4.0, 0.25, 0.55),
            Figure("a, first request, at 128 MB", 400, "ms"),
            Figure("a, first request, at 256 MB", 200, "ms"),
        ]
    )
    assert tables.split("\n\n") == [
        "| figure | ours | baseline | ratio | reach | unit |\n"
        "| --- | --- | --- | --- | --- | --- |\n"
        "| layer | 0.8 |  |  | 5 | MB |",
        "| | naive, at most 0.55 | bare, at most 1.15 |\n"
        "| --- | --- | --- |\n"
        "| start of a | 0.5 | 1 |\n"
        "| start of b | 0.25 |  |",
        "| | 128 MB, ms | 256 MB, ms |\n| --- | --- | --- |\n| a, first request | 400 | 200 |\n",
    ]
