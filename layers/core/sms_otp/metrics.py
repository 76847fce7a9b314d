"""Which numbers each event adds to CloudWatch, by the embedded metric format (EMF), in one namespace.

Dimensions are `service` and at most one of `provider` and `country`: both are bounded, and an alarm
watches one metric. The names are a contract with alarms and dashboards.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

NAMESPACE = "SmsOtp"


@dataclass(frozen=True, slots=True)
class Metric:
    """One number of an event. `value` is a number, or the name of the event's field that holds it."""

    name: str
    dimension: str | None = None
    value: int | str = 1
    unit: str = "Count"


BY_EVENT: Mapping[str, tuple[Metric, ...]] = {
    "otp_requested": (Metric("OtpRequested", "country"), Metric("OtpSent", "provider")),
    "otp_rejected": (Metric("SendRefused", "provider"),),
    "send_suspect": (Metric("SendSuspect", "country"),),
    "provider_failed": (Metric("ProviderError", "provider"),),
    "otp_verified": (
        Metric("OtpVerified", "country"),
        Metric("VerifySuccess", value=1),
        Metric("TimeToVerify", value="seconds", unit="Seconds"),
    ),
    "delivery_reported": (
        Metric("DeliverySuccess", "provider", value="delivered"),
        Metric("DeliveryLatency", "provider", value="seconds", unit="Seconds"),
    ),
    "webhook_refused": (Metric("WebhookRefused", "provider"),),
    "otp_incorrect": (Metric("OtpIncorrect", "country"), Metric("VerifySuccess", value=0)),
}

BY_REFUSAL: Mapping[str, tuple[Metric, ...]] = {
    "RATE_LIMITED": (Metric("SendRateLimited", "country"),),
    "DESTINATION_NOT_ALLOWED": (Metric("SendRefused", "country"),),
    "OTP_EXPIRED": (Metric("OtpExpired"), Metric("VerifySuccess", value=0)),
    "TOO_MANY_ATTEMPTS": (Metric("OtpLocked"), Metric("VerifySuccess", value=0)),
    "NUMBER_LOCKED": (Metric("OtpLocked"), Metric("VerifySuccess", value=0)),
}


def emit(event: str, fields: Mapping[str, Any]) -> None:
    """Print the EMF lines of one event. A metric or dimension whose field the event lacks is left out."""
    metrics = BY_REFUSAL.get(str(fields.get("error_code")), ()) if event == "request_refused" else ()
    for metric in (*BY_EVENT.get(event, ()), *metrics):
        if isinstance(metric.value, int) or metric.value in fields:
            _print(metric, fields)


def _print(metric: Metric, fields: Mapping[str, Any]) -> None:
    # Not every request has something to count, so that the first does not wait for the import.
    from aws_lambda_powertools.metrics import MetricUnit, single_metric

    value = fields[metric.value] if isinstance(metric.value, str) else metric.value
    with single_metric(
        name=metric.name, unit=MetricUnit(metric.unit), value=value, namespace=NAMESPACE
    ) as line:
        if metric.dimension and metric.dimension in fields:
            line.add_dimension(name=metric.dimension, value=str(fields[metric.dimension]))
