"""The effect of failover and the circuit breaker while a provider is down."""

from typing import Any

import pytest

from bench.outage import ANSWER_SECONDS, rows
from sms_otp.domain.circuit import OPEN


@pytest.fixture(scope="module")
def table() -> dict[tuple[str, str], dict[str, Any]]:
    return {(row["outage"], row["with"]): row for row in rows()}


def test_without_another_provider_no_code_is_sent(table: dict[tuple[str, str], dict[str, Any]]) -> None:
    assert table["answers 500", "one provider"]["sent %"] == 0


def test_failover_sends_every_code_for_one_fast_failure_each(
    table: dict[tuple[str, str], dict[str, Any]],
) -> None:
    row = table["answers 500", "failover"]
    assert (row["sent %"], row["added max s"]) == (100, ANSWER_SECONDS)


def test_the_breaker_spares_nearly_every_request_the_failure(
    table: dict[tuple[str, str], dict[str, Any]],
) -> None:
    row = table["answers 500", "failover and breaker"]
    assert row["sent %"] == 100
    assert row["added mean s"] < ANSWER_SECONDS / 20


def test_when_answers_are_lost_only_the_breaker_helps(
    table: dict[tuple[str, str], dict[str, Any]],
) -> None:
    assert table["does not answer", "failover"]["sent %"] == 0, "an ambiguous send is never repeated"
    assert table["does not answer", "failover and breaker"]["sent %"] > 98


def test_the_first_provider_is_back_within_the_time_of_one_probe(
    table: dict[tuple[str, str], dict[str, Any]],
) -> None:
    for (_, setup), row in table.items():
        assert row["back after s"] <= (OPEN / 1000 if "breaker" in setup else 1)
