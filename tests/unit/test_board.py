"""The screen of `make watch`, from the log lines of the functions and from the answers of CloudWatch."""

import io
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from rich.console import Console

from fakes.memory import StepClock
from ops import watch
from ops.board import ALL, Board, Minute, draw, minutes_of
from ops.measured import Datapoint, datapoints
from sms_otp.adapters.telemetry import metrics
from sms_otp.domain.clock import MINUTE

NOW = 1_800_000_000.0
FIELDS = {"Sum": "total", "SampleCount": "count", "p95": "p95"}


def line(ago: int, dimensions: dict[str, str], **values: float) -> dict[str, Any]:
    """One line of the embedded metric format, so many minutes ago."""
    names = ["service", *dimensions]
    directive = {
        "Namespace": "SmsOtp",
        "Dimensions": [names],
        "Metrics": [{"Name": name, "Unit": "Count"} for name in values],
    }
    at = int((NOW - ago * MINUTE) * 1000)
    given = {name: [value] for name, value in values.items()}
    return {
        "_aws": {"Timestamp": at, "CloudWatchMetrics": [directive]},
        "service": "sms-otp",
        **dimensions,
        **given,
    }


def recorded() -> Iterator[dict[str, Any]]:
    """Ten codes, six of them verified; Infobip slow and then with an open circuit; one country limited."""
    whole: dict[str, str] = {}
    infobip, sinch = {"provider": "infobip"}, {"provider": "sinch"}
    for number in range(10):
        provider = infobip if number < 7 else sinch
        yield line(2, whole, OtpRequested=1)
        yield line(2, {"country": "US"}, OtpRequested=1)
        for place in (whole, provider, {"country": "US"}):
            yield line(2, place, OtpSent=1, EstimatedCost=0.0083)
        yield line(2, provider, ProviderLatency=100 * (number + 1))
    for number in range(6):
        for place in (whole, infobip, {"country": "US"}):
            yield line(1, place, OtpVerified=1, TimeToVerify=10 + number)
    yield line(1, whole, OtpIncorrect=1)
    for place in (whole, {"country": "DE"}):
        yield line(1, place, SendRateLimited=1)
    for delivered in (1, 1, 1, 0):
        yield line(1, whole, DeliverySuccess=delivered)
    yield line(1, infobip, ProviderError=1)
    yield line(1, infobip, BreakerOpen=1)
    yield line(3, sinch, BreakerOpen=1)
    yield line(2, sinch, BreakerOpen=0)
    yield line(30, whole, OtpRequested=1000)


def points() -> Iterator[Datapoint]:
    for each in recorded():
        yield from datapoints(each)


def screen(board: Board) -> str:
    """The screen on a terminal of eighty columns."""
    console = Console(file=io.StringIO(), width=80, record=True, force_terminal=False)
    console.print(draw(board, "a-stack"))
    return console.export_text()


def row(text: str, first: str) -> list[str]:
    """The cells of the row that begins with this word."""
    (found,) = [each for each in text.splitlines() if each.strip("│ ").startswith(first)]
    return [cell.strip() for cell in found.strip("│").split("│")]


@pytest.fixture
def board() -> Board:
    return Board(minutes_of(points()), NOW, span=15)


def test_the_screen_shows_the_last_minutes(board: Board) -> None:
    text = screen(board)
    assert row(text, "10 ") == ["10", "10", "75.0 %", "6", "60.0 %", "15 s", "0.08", ""]
    assert f"requested {12 * '▁'}█▁▁  sent {12 * '▁'}█▁▁  verified {13 * '▁'}█▁" in text
    assert row(text, "infobip") == ["infobip", "7", "", "6", "1", "0", "700 ms", "OPEN"]
    assert row(text, "sinch") == ["sinch", "3", "", "0", "0", "0", "1000 ms", "closed"]
    assert row(text, "US") == ["US", "10", "10", "6", "60.0 %", "0"]
    assert row(text, "DE") == ["DE", "0", "0", "0", "", "1"]
    assert row(text, "OtpIncorrect") == ["OtpIncorrect", "wrong code", "1"]
    assert row(text, "SendRateLimited")[-1] == "1"
    assert "OtpLocked" not in text
    assert "a-stack: the last 15 minutes, at 08:00:00 UTC" in text


def test_the_screen_explains_its_words(board: Board) -> None:
    text = " ".join(screen(board).split())
    for word in ("delivered", "conversion", "errors", "failed over", "breaker OPEN", "cost", "day's cap"):
        assert f"{word}: " in text


def test_conversion_stays_within_one_when_a_code_was_sent_before_the_span(board: Board) -> None:
    of_sinch = [Minute("OtpVerified", "provider", "sinch", int(NOW) - MINUTE, total=9, count=9, p95=1)]
    assert Board([*board.minutes, *of_sinch], NOW, 15).conversion("sinch") == 1


def test_minutes_are_in_order_and_older_ones_are_left_out(board: Board) -> None:
    assert board.per_minute("OtpRequested")[-4:] == [0, 10, 0, 0]
    assert len(board.per_minute("OtpRequested")) == 15
    assert Board(board.minutes, NOW, span=60).total("OtpRequested") == 1010


def test_the_screen_is_drawn_without_any_data() -> None:
    text = screen(Board((), NOW, 15))
    assert row(text, "0 ") == ["0", "0", "", "0", "", "", "0.00", ""]


def test_the_code_emits_every_metric_on_the_screen() -> None:
    assert set(ALL) <= {metric.name for metric in metrics.all()}


class RecordedCloudWatch:
    """Answers as CloudWatch would after it ingested the lines, one statistic at a time."""

    def __init__(self, minutes: list[Minute]) -> None:
        self.minutes = minutes

    def get_paginator(self, operation: str) -> Any:
        paginate = {"list_metrics": self._list, "get_metric_data": self._data}[operation]
        return type("Paginator", (), {"paginate": staticmethod(paginate)})

    def _list(self, **request: str) -> Iterator[dict[str, Any]]:
        assert request == {"Namespace": "SmsOtp"}
        service = {"Name": "service", "Value": "sms-otp"}
        for name, kind, place in {(each.name, each.kind, each.place) for each in self.minutes}:
            own = [{"Name": kind, "Value": place}] if kind else []
            yield {"Metrics": [{"Namespace": "SmsOtp", "MetricName": name, "Dimensions": [service, *own]}]}
        yield {"Metrics": [{"Namespace": "SmsOtp", "MetricName": "NotShown", "Dimensions": [service]}]}

    def _data(self, **request: Any) -> Iterator[dict[str, Any]]:
        assert len(request["MetricDataQueries"]) <= watch.QUERIES_AT_ONCE
        for query in request["MetricDataQueries"]:
            metric, field = query["MetricStat"]["Metric"], FIELDS[query["MetricStat"]["Stat"]]
            place = metric["Dimensions"][1]["Value"] if len(metric["Dimensions"]) > 1 else ""
            found = [
                each for each in self.minutes if (each.name, each.place) == (metric["MetricName"], place)
            ]
            found = [each for each in found if request["StartTime"].timestamp() <= each.at]
            stamps = [datetime.fromtimestamp(each.at, UTC) for each in found]
            values = [getattr(each, field) for each in found]
            yield {"MetricDataResults": [{"Id": query["Id"], "Timestamps": stamps, "Values": values}]}


def test_cloudwatch_gives_the_same_screen_as_the_log_lines(board: Board) -> None:
    read = watch.from_cloudwatch(RecordedCloudWatch(list(board.minutes)), NOW - 15 * MINUTE, NOW)
    assert screen(Board(read, NOW, 15)) == screen(board)


def test_a_minute_that_is_over_is_read_once(clock: StepClock) -> None:
    reads: list[float] = []

    def read(since: float) -> list[Minute]:
        reads.append(since)
        every = [Minute("OtpSent", "", "", at, 1, 1, 1) for at in range(0, int(clock()) + 1, MINUTE)]
        return [each for each in every if each.at >= since]

    clock.now = 10 * MINUTE + 30
    remembered = watch.Remembered(read, clock)
    assert [each.at for each in remembered(5 * MINUTE)] == [at * MINUTE for at in range(5, 11)]
    clock.step(MINUTE)
    assert [each.at for each in remembered(6 * MINUTE)] == [at * MINUTE for at in range(6, 12)]
    assert reads == [5 * MINUTE, 9 * MINUTE]
