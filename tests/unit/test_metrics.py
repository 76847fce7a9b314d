"""What each event adds to CloudWatch."""

import json
from typing import Any

import pytest

from sms_otp import metrics, observability
from sms_otp.http import PROBLEMS
from sms_otp.phone import PhoneNumber

NAMES = {
    "OtpRequested",
    "OtpSent",
    "OtpVerified",
    "OtpIncorrect",
    "OtpExpired",
    "OtpLocked",
    "SendRefused",
    "SendRateLimited",
    "SendSuspect",
    "ProviderError",
    "DeliverySuccess",
    "DeliveryLatency",
    "WebhookRefused",
    "VerifySuccess",
    "TimeToVerify",
}


@pytest.fixture(autouse=True)
def _namespace(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POWERTOOLS_SERVICE_NAME", "sms-otp")


def emitted(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in capsys.readouterr().out.splitlines() if "_aws" in line]


def test_every_metric_has_a_known_name_and_at_most_one_dimension_of_its_own() -> None:
    every = [
        metric for table in (metrics.BY_EVENT, metrics.BY_REFUSAL) for row in table.values() for metric in row
    ]
    assert {metric.name for metric in every} == NAMES
    assert {metric.dimension for metric in every} == {None, "provider", "country"}


def test_every_refusal_that_is_measured_is_one_that_there_is() -> None:
    assert set(metrics.BY_REFUSAL) <= set(PROBLEMS)


def test_a_send_is_counted_for_its_country_and_its_provider(capsys: pytest.CaptureFixture[str]) -> None:
    metrics.emit("otp_requested", {"country": "US", "provider": "infobip", "number": "+1415*****23"})
    requested, sent = emitted(capsys)
    assert (requested["OtpRequested"], requested["country"]) == ([1.0], "US")
    assert (sent["OtpSent"], sent["provider"]) == ([1.0], "infobip")
    directive = requested["_aws"]["CloudWatchMetrics"][0]
    assert directive["Namespace"] == "SmsOtp"
    assert sorted(directive["Dimensions"][0]) == ["country", "service"]


def test_success_and_its_time_and_failure_are_measured(capsys: pytest.CaptureFixture[str]) -> None:
    metrics.emit("otp_verified", {"country": "US", "seconds": 17})
    metrics.emit("otp_incorrect", {"country": "US"})
    values = {name: line[name] for line in emitted(capsys) for name in NAMES if name in line}
    assert values["TimeToVerify"] == [17.0]
    assert values["VerifySuccess"] == [0.0]


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"delivered": 1, "seconds": 4}, {"DeliverySuccess": [1.0], "DeliveryLatency": [4.0]}),
        ({"delivered": 0}, {"DeliverySuccess": [0.0]}),
    ],
)
def test_a_delivery_is_measured_for_its_provider_and_its_time_only_where_it_arrived(
    capsys: pytest.CaptureFixture[str], fields: dict[str, int], expected: dict[str, list[float]]
) -> None:
    metrics.emit("delivery_reported", {"provider": "sinch", **fields})
    lines = emitted(capsys)
    assert {name: line[name] for line in lines for name in NAMES if name in line} == expected
    assert {line["provider"] for line in lines} == {"sinch"}


def test_a_refused_callback_is_counted_for_its_provider(capsys: pytest.CaptureFixture[str]) -> None:
    metrics.emit("webhook_refused", {"provider": "infobip", "reason": "signature"})
    (line,) = emitted(capsys)
    assert (line["WebhookRefused"], line["provider"]) == ([1.0], "infobip")


@pytest.mark.parametrize(
    ("code", "names"),
    [
        ("RATE_LIMITED", {"SendRateLimited"}),
        ("DESTINATION_NOT_ALLOWED", {"SendRefused"}),
        ("NUMBER_LOCKED", {"OtpLocked", "VerifySuccess"}),
        ("VERIFICATION_NOT_FOUND", set()),
    ],
)
def test_a_refusal_is_measured_by_its_error_code(
    capsys: pytest.CaptureFixture[str], code: str, names: set[str]
) -> None:
    metrics.emit("request_refused", {"error_code": code})
    assert {name for line in emitted(capsys) for name in line if name in NAMES} == names


def test_what_is_told_is_measured_without_the_number(capsys: pytest.CaptureFixture[str]) -> None:
    observability._logger.cache_clear()
    observability.tell("send_suspect", number=PhoneNumber("+14155550123", "US"), limit="country hour")
    (line,) = emitted(capsys)
    assert line["country"] == "US"
    assert "4155550123" not in json.dumps(line)
