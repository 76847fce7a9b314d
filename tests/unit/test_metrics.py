"""The metrics that each event adds in CloudWatch."""

import json
from typing import Any

import pytest

from local.template import resource, template
from ops.board import Board, Minute, draw
from ops.measured import LOG_GROUPS, lines
from sms_otp.adapters.telemetry import events, metrics
from sms_otp.domain.phone import PhoneNumber
from sms_otp.entry_points.http import PROBLEMS
from tests.unit.test_monitoring import ALARMS, DASHBOARD, SEARCH, rows

NAMES = {metric.name for metric in metrics.all()}
PROMISED = {
    "OtpRequested",
    "OtpSent",
    "OtpVerified",
    "OtpIncorrect",
    "OtpExpired",
    "OtpLocked",
    "SendRefused",
    "SendRateLimited",
    "ProviderError",
    "ProviderLatency",
    "FailedOver",
    "DeliverySuccess",
    "DeliveryLatency",
    "VerifySuccess",
    "TimeToVerify",
    "NumberSpike",
    "NumberFailures",
    "EstimatedCost",
}
"""Metrics that dashboards and alarms outside of this repository may use."""

Values = dict[str, float]


@pytest.fixture(autouse=True)
def _namespace(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POWERTOOLS_SERVICE_NAME", "sms-otp")
    monkeypatch.setenv("METRIC_DETAIL", "places")
    metrics._lines.clear()


def emitted(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    metrics.flush()
    return [json.loads(line) for line in capsys.readouterr().out.splitlines() if "_aws" in line]


def values(lines: list[dict[str, Any]]) -> Values:
    return {name: line[name] for line in lines for name in sorted(NAMES & line.keys())}


def dimensions(line: dict[str, Any]) -> dict[str, list[list[str]]]:
    """By metric."""
    directives = line["_aws"]["CloudWatchMetrics"]
    assert {directive["Namespace"] for directive in directives} == {"SmsOtp"}
    return {
        metric["Name"]: [sorted(names) for names in directive["Dimensions"]]
        for directive in directives
        for metric in directive["Metrics"]
    }


def test_every_promised_metric_exists() -> None:
    assert PROMISED <= NAMES


def test_metrics_have_no_dimension_but_country_and_provider() -> None:
    assert {dimension for metric in metrics.all() for dimension in metric.by} == {"country", "provider"}


def test_a_metric_has_the_same_dimensions_for_every_event() -> None:
    """Else a panel by country would lack the values of one event."""
    for name in NAMES - {"VerifySuccess", "SendRefused"}:
        assert len({metric.by for metric in metrics.all() if metric.name == name}) == 1, name


def test_every_measured_refusal_has_a_known_path_and_error_code() -> None:
    events = [
        event
        for made in template()["Resources"].values()
        for event in made["Properties"].get("Events", {}).values()
    ]
    paths = {event["Properties"]["Path"] for event in events if event["Type"] == "Api"}
    paths |= resource("TwilioVerifyApi")["DefinitionBody"]["paths"].keys()
    assert metrics.BY_REFUSAL.keys() <= paths
    for refusals in metrics.BY_REFUSAL.values():
        assert refusals.keys() <= PROBLEMS.keys()


def test_the_log_group_of_every_measured_function_is_read() -> None:
    groups = {
        event["Properties"]["Path"]: made["Properties"]["LoggingConfig"]["LogGroup"]["Ref"]
        for made in template()["Resources"].values()
        for event in made["Properties"].get("Events", {}).values()
        if event["Type"] == "Api"
    }
    measured = {path for path in metrics.BY_REFUSAL if path in groups}
    assert {groups[path] for path in (*measured, "/webhooks/sinch")} == {*LOG_GROUPS}


@pytest.mark.parametrize(("outputs", "is_read"), [({}, False), ({"AwsEventsTopicArn": "an-arn"}, True)])
def test_deliveries_by_aws_are_read_if_aws_sends(outputs: dict[str, str], is_read: bool) -> None:
    read_groups: list[str] = []

    class Logs:
        def get_paginator(self, operation: str) -> "Logs":
            assert operation == "filter_log_events"
            return self

        def paginate(self, **request: Any) -> tuple[()]:
            read_groups.append(request["logGroupName"])
            return ()

    class Stack:
        def __init__(self) -> None:
            self.outputs = outputs

        def client(self, service: str) -> Any:
            assert service == "logs"
            return Logs()

        def physical_id(self, resource: str) -> str:
            return resource

    assert lines(Stack()) == []
    assert ("AwsEventsLogGroup" in read_groups) is is_read


def test_a_send_is_counted_once_for_the_service_its_country_and_its_provider(
    capsys: pytest.CaptureFixture[str],
) -> None:
    metrics.emit("otp_requested", {"country": "US", "provider": "infobip", "cost": 0.008})
    (line,) = emitted(capsys)
    assert values([line]) == {"OtpSent": 1, "EstimatedCost": 0.008}
    assert (line["service"], line["country"], line["provider"]) == ("sms-otp", "US", "infobip")
    assert dimensions(line) == {
        "OtpSent": [["service"], ["country", "service"], ["provider", "service"]],
        "EstimatedCost": [["service"], ["country", "service"]],
    }


def test_by_default_only_the_funnel_has_place_dimensions(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("METRIC_DETAIL")
    metrics.emit("otp_requested", {"country": "US", "provider": "infobip", "cost": 0.008})
    (line,) = emitted(capsys)
    assert values([line]) == {"OtpSent": 1, "EstimatedCost": 0.008}
    assert dimensions(line) == {
        "OtpSent": [["service"], ["country", "service"], ["provider", "service"]],
        "EstimatedCost": [["service"]],
    }


def test_more_detail_keeps_the_default_dimensions() -> None:
    for metric in metrics.all():
        assert set(metric.always) <= set(metric.by), metric.name


def test_requests_are_counted_by_country_but_number_and_cap_are_not(
    capsys: pytest.CaptureFixture[str],
) -> None:
    fields = {"country": "US", "requests": 3, "cap_used": 80.1, "unverified": 0}
    metrics.emit("send_decided", fields)
    (line,) = emitted(capsys)
    for_all = {"UnverifiedSends": 0, "NumberSpike": 3, "DailyCapUsed": 80.1}
    assert values([line]) == {"OtpRequested": 1, **for_all}
    assert dimensions(line) == {
        "OtpRequested": [["service"], ["country", "service"]],
        **{name: [["service"]] for name in for_all},
    }


@pytest.mark.parametrize(
    ("event", "fields", "expected"),
    [
        ("otp_verified", {"seconds": 17}, {"OtpVerified": 1, "VerifySuccess": 1, "TimeToVerify": 17}),
        ("otp_incorrect", {"failures": 6}, {"OtpIncorrect": 1, "VerifySuccess": 0, "NumberFailures": 6}),
        ("delivery_reported", {"delivered": 1, "seconds": 4}, {"DeliverySuccess": 1, "DeliveryLatency": 4}),
        ("delivery_reported", {"delivered": 0}, {"DeliverySuccess": 0}),
        ("provider_answered", {"milliseconds": 41.5}, {"ProviderLatency": 41.5}),
        ("provider_failed", {"failed": 1}, {"ProviderError": 1}),
        ("provider_failed", {"failed": 1, "server_error": 1}, {"ProviderError": 1, "ProviderServerError": 1}),
        (
            "provider_failed",
            {"failed": 1, "misconfigured": 1},
            {"ProviderError": 1, "ProviderMisconfigured": 1},
        ),
        ("failed_over", {}, {"FailedOver": 1}),
        ("breaker_open", {}, {"BreakerOpen": 1}),
        ("breaker_closed", {}, {"BreakerOpen": 0}),
        ("webhook_refused", {}, {"WebhookRefused": 1}),
        ("otp_resent", {"cost": 0.1}, {"OtpResent": 1, "EstimatedCost": 0.1}),
        ("otp_rejected", {}, {"SendRefused": 1}),
    ],
)
def test_an_event_adds_these_metrics(
    capsys: pytest.CaptureFixture[str], event: str, fields: dict[str, float], expected: dict[str, float]
) -> None:
    metrics.emit(event, {"provider": "sinch", "country": "US", **fields})
    lines = emitted(capsys)
    assert values(lines) == expected
    by_provider = {metric.name for metric in metrics.BY_EVENT[event] if "provider" in metric.by}
    assert {line["provider"] for line in lines if "provider" in line} <= {"sinch"}
    found = {name for line in lines for name, by in dimensions(line).items() if ["provider", "service"] in by}
    assert found == by_provider & expected.keys()


def test_an_invocations_events_are_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    with events.invocation("an-id", "another"):
        metrics.emit("send_decided", {"country": "US", "requests": 1})
        metrics.emit("provider_answered", {"provider": "sinch", "milliseconds": 41.5})
        metrics.emit("otp_requested", {"country": "US", "provider": "sinch", "cost": 0.008})
        assert [line for line in capsys.readouterr().out.splitlines() if "_aws" in line] == []
    (line,) = (json.loads(line) for line in capsys.readouterr().out.splitlines())
    kinds = [directive["Dimensions"] for directive in line["_aws"]["CloudWatchMetrics"]]
    assert len(kinds) == len({str(kind) for kind in kinds}), "metrics of the same dimensions stand together"
    assert values([line]) == {
        "OtpRequested": 1,
        "NumberSpike": 1,
        "ProviderLatency": 41.5,
        "OtpSent": 1,
        "EstimatedCost": 0.008,
    }


def test_a_line_of_metrics_has_no_blanks(capsys: pytest.CaptureFixture[str]) -> None:
    """CloudWatch bills each byte of a log."""
    metrics.emit("otp_requested", {"country": "US", "provider": "infobip", "cost": 0.008})
    metrics.flush()
    assert not any(letter.isspace() for letter in capsys.readouterr().out.removesuffix("\n"))


def test_a_second_value_of_a_metric_has_a_line_of_its_own(capsys: pytest.CaptureFixture[str]) -> None:
    """As after a failover: each provider's latency is its own."""
    metrics.emit("provider_answered", {"provider": "infobip", "milliseconds": 900.5})
    metrics.emit("failed_over", {"provider": "infobip"})
    metrics.emit("provider_answered", {"provider": "sinch", "milliseconds": 41.5})
    first, second = emitted(capsys)
    assert values([first]) == {"ProviderLatency": 900.5, "FailedOver": 1}
    assert values([second]) == {"ProviderLatency": 41.5}
    assert (first["provider"], second["provider"]) == ("infobip", "sinch")
    assert emitted(capsys) == []


def test_the_metrics_of_an_invocation_that_raises_are_written(capsys: pytest.CaptureFixture[str]) -> None:
    def fail() -> None:
        metrics.emit("breaker_open", {"provider": "sinch"})
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError), events.invocation("an-id", "another"):
        fail()
    assert "BreakerOpen" in capsys.readouterr().out


def test_an_open_breaker_adds_no_provider_error(capsys: pytest.CaptureFixture[str]) -> None:
    metrics.emit("provider_failed", {"provider": "sinch", "reason": "breaker_open"})
    assert emitted(capsys) == []


@pytest.mark.parametrize(
    ("path", "code", "names"),
    [
        ("/request-otp", "RATE_LIMITED", {"SendRateLimited"}),
        ("/resend-otp", "NUMBER_LOCKED", {"SendRateLimited"}),
        ("/resend-otp", "OTP_EXPIRED", set()),
        ("/request-otp", "DESTINATION_NOT_ALLOWED", {"SendRefused"}),
        ("/verify-otp", "NUMBER_LOCKED", {"OtpLocked", "VerifySuccess"}),
        ("/verify-otp", "OTP_EXPIRED", {"OtpExpired", "VerifySuccess"}),
        ("/verify-otp", "INVALID_OTP_FORMAT", {"OtpIncorrect", "VerifySuccess"}),
        ("/v2/Services/{ServiceSid}/Verifications", "RATE_LIMITED", {"SendRateLimited"}),
        ("/verify-otp", "VERIFICATION_NOT_FOUND", set()),
        ("/otp-status", "VERIFICATION_NOT_FOUND", set()),
    ],
)
def test_a_refusal_is_measured_by_its_path_and_its_error_code(
    capsys: pytest.CaptureFixture[str], path: str, code: str, names: set[str]
) -> None:
    metrics.emit("request_refused", {"path": path, "error_code": code})
    assert values(emitted(capsys)).keys() == names


def test_an_emitted_event_is_measured_without_the_phone_number(capsys: pytest.CaptureFixture[str]) -> None:
    events._logger.cache_clear()
    events.emit("otp_resent", number=PhoneNumber("+14155550123", "US"), provider="sinch")
    (line,) = emitted(capsys)
    assert line["country"] == "US"
    assert "4155550123" not in json.dumps(line)


def test_a_send_decision_is_measured_without_its_own_log_line(
    capsys: pytest.CaptureFixture[str],
) -> None:
    events._logger.cache_clear()
    events.emit("send_decided", number=PhoneNumber("+14155550123", "US"), requests=1)
    metrics.flush()
    printed = capsys.readouterr().out.splitlines()
    assert printed
    assert all("_aws" in line for line in printed)


class RecordingBoard(Board):
    """A board that records each metric and kind of place that it reads."""

    def _of(self, name: str, place: str) -> list[Minute]:
        read_by_watch.add((name, place))
        return super()._of(name, place)


read_by_watch: set[tuple[str, str]] = set()


def read_by_place() -> set[tuple[str, str]]:
    """(metric, dimension) of everything that the dashboard, `make watch` or an alarm's advice looks at."""
    draw(
        RecordingBoard([Minute("OtpSent", kind, kind, 0, 1, 1, 1) for kind in metrics.PLACES], 60, 15),
        "a-stack",
    )
    read = {(name, kind) for name, kind in read_by_watch if kind}
    read |= {(found["name"], found["by"]) for found in SEARCH.finditer(DASHBOARD.replace('\\"', '"'))}
    for row in rows():
        named = [word for word in row if isinstance(word, str)]
        read |= {(named[1], dimension) for dimension in named[2::2] if len(named) > 2}
    return read | ADVISED.keys()


ADVISED = {("DeliverySuccess", "country"): "send the worst country by ProviderRoutes"}
"""Read by hand, because an alarm's description says so."""


def test_every_dimension_of_a_metric_is_read_somewhere() -> None:
    """CloudWatch bills each metric for each country and provider. That each is shown: `test_monitoring`."""
    measured = {(metric.name, dimension) for metric in metrics.all() for dimension in metric.by}
    assert measured <= read_by_place()


@pytest.mark.parametrize("metric", ADVISED)
def test_a_metric_read_by_hand_is_advised_by_an_alarm(metric: tuple[str, str]) -> None:
    advice = {alarm["MetricName"]: alarm["AlarmDescription"] for alarm in ALARMS.values()}
    assert ADVISED[metric] in " ".join(advice[metric[0]].split())


@pytest.mark.parametrize("code", ["INVALID_OTP_FORMAT", "OTP_EXPIRED", "TOO_MANY_ATTEMPTS", "NUMBER_LOCKED"])
@pytest.mark.parametrize(
    "path",
    [
        "/verify-otp",
        "/one-time-password-sms/v1/validate-code",
        "/v2/Services/{ServiceSid}/VerificationCheck",
    ],
)
def test_a_refused_guess_is_measured_as_a_failure(
    capsys: pytest.CaptureFixture[str], path: str, code: str
) -> None:
    """As a success it would hide an attack from the alarm on failures."""
    metrics.emit("request_refused", {"path": path, "error_code": code})
    assert values(emitted(capsys))["VerifySuccess"] == 0
