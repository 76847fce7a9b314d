"""Structured events: one JSON line per decision. Numbers are masked; codes and secrets never appear.

Only what `emit` knows how to make safe leaves this module; an exception's text does not, because
it can hold what a caller or a provider sent.
"""

import logging
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

from aws_lambda_powertools import Logger

from sms_otp.adapters.telemetry import metrics
from sms_otp.domain.phone import PhoneNumber

_CHATTY = ("boto3", "botocore", "urllib3")
"""At DEBUG these write whole requests to the log, secrets and numbers included."""

_WARNINGS = frozenset(
    {
        "breaker_open",
        "dependency_failed",
        "doubt_unrecorded",
        "events_failed",
        "failed_over",
        "keys_failed",
        "own_code_failed",
        "provider_failed",
        "rejection_unrecorded",
        "release_failed",
        "send_suspect",
        "sending_stopped",
        "store_failed",
        "service_failed",
        "token_failed",
        "webhook_ignored",
        "webhook_refused",
    }
)
"""Events that an operator should look at."""

_MEASURED_ONLY = frozenset({"send_decided", "provider_answered"})
"""Events of every request whose line would repeat another one."""

_KEPT_OF_KEYS = {"number_key": 8, "verification": 16}
"""Characters of a hash that are logged: enough to find related lines, too few for anything else."""


@cache
def _logger() -> Logger:
    for name in _CHATTY:
        logging.getLogger(name).setLevel(logging.WARNING)
    # Where it was written is always this module.
    return Logger(utc=True, location=None)  # `None` leaves the key out


def load() -> None:
    """Make the logger before the first request."""
    _logger()


@contextmanager
def invocation(request_id: str, function_request_id: str) -> Iterator[None]:
    """Every line in it carries these ids, from the access log to the provider's reference.

    Its metrics are written at its end, also where an exception ends it.
    """
    _logger().append_keys(request_id=request_id, function_request_id=function_request_id, tenant="-")
    try:
        yield
    finally:
        metrics.flush()


def identify(tenant: str) -> None:
    """Name the invocation's tenant in every further line."""
    _logger().append_keys(tenant=tenant)


def emit(event: str, **fields: Any) -> None:
    """Log a decision and add its metrics. `number` is masked and adds its country; a key is cut."""
    safe = _safe(fields)
    metrics.emit(event, safe)
    if event in _MEASURED_ONLY:
        return
    write = _logger().warning if event in _WARNINGS else _logger().info
    write(event, extra=safe)


def fail(event: str, error: BaseException, **fields: Any) -> None:
    """Log an unforeseen exception: its class and its place, not its text."""
    frames = traceback.extract_tb(error.__traceback__)[-5:]
    where = [f"{frame.filename.rpartition('/')[2]}:{frame.lineno} {frame.name}" for frame in frames]
    _logger().error(event, extra=_safe(fields | {"error": type(error).__name__, "where": where}))


def _safe(fields: dict[str, Any]) -> dict[str, Any]:
    safe = {name: value for name, value in fields.items() if value is not None}
    number = safe.pop("number", None)
    if isinstance(number, PhoneNumber):
        safe |= {"number": number.masked, "country": number.country}
        safe |= {"test_number": True} if number.is_test else {}
    return safe | {name: safe[name][:kept] for name, kept in _KEPT_OF_KEYS.items() if name in safe}
