"""The CloudWatch metrics that each event adds, in embedded metric format (EMF) and one namespace.

Every metric exists for the whole service, so that an alarm can watch one metric; some also exist by country
or by provider, which are both bounded. The names are a contract with alarms and dashboards. An invocation's
metrics are one line at its end, because a line for each event would cost more time and more log.
"""

import json
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sms_otp.adapters import config

NAMESPACE = "SmsOtp"

PLACES = ("country", "provider")
PROVIDER = ("provider",)
COUNTRY = ("country",)


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric of an event. `value` is a number, or the name of the event's field that holds it."""

    name: str
    by: tuple[str, ...] = ()
    """Dimensions, each by itself, in addition to the value of the whole service."""
    value: int | str = 1
    unit: str = "Count"
    always: tuple[str, ...] = ()
    """The dimensions that remain if `MetricDetail` is `service`: CloudWatch bills each one."""

    def dimensions(self, detail: str) -> tuple[str, ...]:
        """Its dimensions at this detail, `service` or `places`."""
        return self.by if detail == "places" else self.always


BY_EVENT: Mapping[str, tuple[Metric, ...]] = {
    "send_decided": (
        Metric("OtpRequested", COUNTRY),
        Metric("UnverifiedSends", value="unverified"),
        Metric("ExpiredUnused", value="expired_unused", unit="Percent"),
        Metric("NumberSpike", value="requests"),
        Metric("DailyCapUsed", value="cap_used", unit="Percent"),
    ),
    "otp_requested": (
        Metric("OtpSent", PLACES, always=PLACES),
        Metric("EstimatedCost", COUNTRY, value="cost", unit="None"),
    ),
    "otp_resent": (
        Metric("OtpResent", PLACES),
        Metric("EstimatedCost", COUNTRY, value="cost", unit="None"),
    ),
    "otp_rejected": (Metric("SendRefused"),),
    "send_suspect": (Metric("SendSuspect"),),
    "provider_answered": (
        Metric("ProviderLatency", PROVIDER, value="milliseconds", unit="Milliseconds", always=PROVIDER),
    ),
    "provider_failed": (
        Metric("ProviderError", PROVIDER, value="failed"),
        Metric("ProviderServerError", value="server_error"),
        Metric("ProviderMisconfigured", value="misconfigured"),
    ),
    "failed_over": (Metric("FailedOver", PROVIDER),),
    "breaker_open": (Metric("BreakerOpen", PROVIDER),),
    # A metric of its own would be billed. The circuit closed as often as samples minus sum.
    "breaker_closed": (Metric("BreakerOpen", PROVIDER, value=0),),
    "otp_verified": (
        Metric("OtpVerified", PLACES, always=PLACES),
        Metric("VerifySuccess", value=1),
        Metric("TimeToVerify", value="seconds", unit="Seconds"),
    ),
    "otp_incorrect": (
        Metric("OtpIncorrect"),
        Metric("VerifySuccess", value=0),
        Metric("NumberFailures", value="failures"),
    ),
    "otp_ended": (Metric("NumberFailures", value="failures"),),
    "delivery_reported": (
        Metric("DeliverySuccess", PLACES, value="delivered", always=PROVIDER),
        Metric("DeliveryLatency", value="seconds", unit="Seconds"),
    ),
    "webhook_refused": (Metric("WebhookRefused"),),
    "token_failed": (Metric("TokenFailed"),),
}

SEND_REFUSALS: Mapping[str, tuple[Metric, ...]] = {
    "RATE_LIMITED": (Metric("SendRateLimited", COUNTRY),),
    "NUMBER_LOCKED": (Metric("SendRateLimited", COUNTRY),),
    "DESTINATION_NOT_ALLOWED": (Metric("SendRefused"),),
    "SENDING_STOPPED": (Metric("SendRefused"),),
}
VERIFY_REFUSALS: Mapping[str, tuple[Metric, ...]] = {
    # A failure too: no code verifies if the provider's codes have another length than `CodeLength`.
    "INVALID_OTP_FORMAT": (Metric("OtpIncorrect"), Metric("VerifySuccess", value=0)),
    "OTP_EXPIRED": (Metric("OtpExpired"), Metric("VerifySuccess", value=0)),
    "TOO_MANY_ATTEMPTS": (Metric("OtpLocked"), Metric("VerifySuccess", value=0)),
    "NUMBER_LOCKED": (Metric("OtpLocked"), Metric("VerifySuccess", value=0)),
}
BY_REFUSAL: Mapping[str, Mapping[str, tuple[Metric, ...]]] = {
    "/request-otp": SEND_REFUSALS,
    "/resend-otp": SEND_REFUSALS,
    "/one-time-password-sms/v1/send-code": SEND_REFUSALS,
    "/verify-otp": VERIFY_REFUSALS,
    "/one-time-password-sms/v1/validate-code": VERIFY_REFUSALS,
    "/v2/Services/{ServiceSid}/Verifications": SEND_REFUSALS,
    "/v2/Services/{ServiceSid}/VerificationCheck": VERIFY_REFUSALS,
}
"""The metrics of a refused request, by its path and errorCode."""


def all() -> frozenset[Metric]:
    """Every metric that an event can add."""
    tables = (BY_EVENT, *BY_REFUSAL.values())
    return frozenset(metric for table in tables for row in table.values() for metric in row)


@dataclass(frozen=True, slots=True)
class _Line:
    """One line of EMF. Its root holds one value a name, so a repeated metric or place needs another line."""

    root: dict[str, Any] = field(default_factory=dict)
    directives: list[dict[str, Any]] = field(default_factory=list)

    def has_room(self, dimensions: Mapping[str, str], values: Mapping[str, float]) -> bool:
        elsewhere = {name for name, place in dimensions.items() if self.root.get(name, place) != place}
        return not elsewhere and not self.root.keys() & values.keys()

    def add(
        self, dimensions: Mapping[str, str], values: Mapping[str, float], units: Mapping[str, str]
    ) -> None:
        self.root.update({**dimensions, **values})
        by = [["service"], *(["service", name] for name in dimensions)]
        metrics = [{"Name": name, "Unit": units[name]} for name in values]
        for directive in self.directives:
            if directive["Dimensions"] == by:
                directive["Metrics"] += metrics
                return
        self.directives.append({"Namespace": NAMESPACE, "Dimensions": by, "Metrics": metrics})


_lines: list[_Line] = []
"""The lines of the current invocation."""


def emit(event: str, fields: Mapping[str, Any]) -> None:
    """Add an event to the invocation's lines, without metrics and dimensions whose field it lacks."""
    groups: dict[tuple[str, ...], list[Metric]] = {}
    detail = config.metric_detail()
    for metric in measured_by(event, fields):
        if isinstance(metric.value, int) or metric.value in fields:
            groups.setdefault(metric.dimensions(detail), []).append(metric)
    for by, group in groups.items():
        dimensions = {name: str(fields[name]) for name in by if name in fields}
        values = {
            metric.name: fields[metric.value] if isinstance(metric.value, str) else metric.value
            for metric in group
        }
        line = next((line for line in _lines if line.has_room(dimensions, values)), None)
        if line is None:
            line = _Line()
            _lines.append(line)
        line.add(dimensions, values, {metric.name: metric.unit for metric in group})


def flush() -> None:
    """Print the invocation's line, or lines where one metric was added more than once."""
    while _lines:
        line = _lines.pop(0)
        metadata = {"Timestamp": int(time.time() * 1000), "CloudWatchMetrics": line.directives}
        root = {"service": os.environ.get("POWERTOOLS_SERVICE_NAME", "sms-otp"), **line.root}
        print(json.dumps({"_aws": metadata, **root}, separators=(",", ":")))


def measured_by(event: str, fields: Mapping[str, Any]) -> tuple[Metric, ...]:
    """The metrics that an event may add; `emit` adds those whose field the event has."""
    if event == "request_refused":
        return BY_REFUSAL.get(fields.get("path", ""), {}).get(fields.get("error_code", ""), ())
    return BY_EVENT.get(event, ())
