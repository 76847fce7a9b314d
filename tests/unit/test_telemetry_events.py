"""The fields of a log line, and the data that a log line never holds."""

import itertools
import json
import logging
import time
from datetime import datetime, timedelta

import pytest

from sms_otp.adapters.telemetry import events
from sms_otp.domain.phone import PhoneNumber

NUMBER = PhoneNumber("+14155550123", "US")


def lines(capsys: pytest.CaptureFixture[str]) -> list[dict[str, str]]:
    printed = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    return [line for line in printed if "_aws" not in line]


loggers = itertools.count()


@pytest.fixture(autouse=True)
def _fresh_logger(monkeypatch: pytest.MonkeyPatch) -> None:
    """Python keeps a logger, and the stream it was made with, under its name: each test takes a new name."""
    monkeypatch.setenv("POWERTOOLS_SERVICE_NAME", f"sms-otp-{next(loggers)}")
    events._logger.cache_clear()


def test_a_log_line_has_its_event_and_the_ids_of_its_request(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with events.invocation("api-request", "lambda-request"):
        events.identify("tenant-a")
        events.emit("otp_requested", provider="infobip", purpose=None)
    (line,) = lines(capsys)
    assert line["message"] == "otp_requested"
    assert (line["request_id"], line["function_request_id"]) == ("api-request", "lambda-request")
    assert (line["tenant"], line["provider"]) == ("tenant-a", "infobip")
    assert "purpose" not in line


def test_the_time_of_a_log_line_is_in_utc(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as elsewhere:
        elsewhere.setenv("TZ", "Asia/Kolkata")
        time.tzset()
        events.emit("otp_requested")
    time.tzset()
    (line,) = lines(capsys)
    assert datetime.fromisoformat(line["timestamp"]).utcoffset() == timedelta()


def test_the_ids_of_one_request_do_not_stay_for_the_next(capsys: pytest.CaptureFixture[str]) -> None:
    with events.invocation("first", "first"):
        events.identify("tenant-a")
    with events.invocation("second", "second"):
        events.emit("otp_requested")
    (line,) = lines(capsys)
    assert (line["request_id"], line["function_request_id"], line["tenant"]) == ("second", "second", "-")


def test_a_number_is_masked_and_its_key_cut(capsys: pytest.CaptureFixture[str]) -> None:
    events.emit("otp_requested", number=NUMBER, number_key="0123456789abcdef" * 4)
    (line,) = lines(capsys)
    assert (line["number"], line["country"], line["number_key"]) == ("+1415*****23", "US", "01234567")


def test_an_unexpected_error_is_logged_by_class_and_place_without_its_text(
    capsys: pytest.CaptureFixture[str],
) -> None:
    try:
        raise RuntimeError("canary +14155550123 123456")
    except RuntimeError as error:
        events.fail("unforeseen", error)
    printed = capsys.readouterr().out
    assert "RuntimeError" in printed
    assert "test_telemetry_events.py" in printed
    assert "canary" not in printed
    assert "4155550123" not in printed


def test_an_unexpected_error_is_logged_with_its_last_five_places(capsys: pytest.CaptureFixture[str]) -> None:
    def fail(calls: int) -> None:
        if not calls:
            raise RuntimeError
        fail(calls - 1)

    try:
        fail(7)
    except RuntimeError as error:
        events.fail("unforeseen", error)
    (line,) = lines(capsys)
    assert [place.split()[1] for place in line["where"]] == ["fail"] * 5
    assert line["where"][-1] != line["where"][-2], "the last one is the line that raised"


def test_libraries_that_log_whole_requests_are_silenced() -> None:
    events.load()
    for name in ("botocore.endpoint", "boto3", "urllib3.connectionpool", "requests"):
        assert not logging.getLogger(name).isEnabledFor(logging.DEBUG)
        assert not logging.getLogger(name).isEnabledFor(logging.INFO)


def test_only_a_line_about_a_test_number_has_its_flag(capsys: pytest.CaptureFixture[str]) -> None:
    events.emit("otp_requested", number=PhoneNumber("+14155550100", "ZZ", is_test=True))
    events.emit("otp_requested", number=NUMBER)
    of_test, usual = lines(capsys)
    assert of_test["test_number"] is True  # type: ignore[comparison-overlap] # a flag among texts
    assert "test_number" not in usual


@pytest.mark.parametrize(
    ("event", "level"),
    [
        ("provider_failed", "WARNING"),
        ("failed_over", "WARNING"),
        ("breaker_open", "WARNING"),
        ("breaker_closed", "INFO"),
        ("send_suspect", "WARNING"),
        ("store_failed", "WARNING"),
        ("service_failed", "WARNING"),
        ("webhook_refused", "WARNING"),
        ("webhook_ignored", "WARNING"),
        ("token_failed", "WARNING"),
        ("keys_failed", "WARNING"),
        ("doubt_unrecorded", "WARNING"),
        ("rejection_unrecorded", "WARNING"),
        ("release_failed", "WARNING"),
        ("otp_requested", "INFO"),
        ("request_refused", "INFO"),
    ],
)
def test_failures_are_logged_as_warnings(capsys: pytest.CaptureFixture[str], event: str, level: str) -> None:
    events.emit(event, reason="a reason")
    (line,) = lines(capsys)
    assert (line["message"], line["level"]) == (event, level)
