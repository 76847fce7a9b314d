"""Structured events: one JSON line per decision. Numbers are masked; codes and secrets never appear.

Only fields that `emit` can make safe leave this module. An exception's text does not: it can hold what a
caller or a provider sent.
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
"""At DEBUG these loggers write whole requests, secrets and numbers included."""

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
"""Events that only add metrics: their line would repeat another event's."""

_LOGGED_CHARACTERS = {"number_key": 8, "verification": 16}
"""Logged characters of each hash: enough to find related lines, too few for anything else."""


@cache
def _logger() -> Logger:
    for name in _CHATTY:
        logging.getLogger(name).setLevel(logging.WARNING)
    # The location would always be this module; `None` leaves the key out.
    return Logger(utc=True, location=None)


def load() -> None:
    """Create the logger before the first request."""
    _logger()


@contextmanager
def invocation(request_id: str, function_request_id: str) -> Iterator[None]:
    """Add these ids to every log line inside the block, from the access log to the provider's reference.

    Writes the invocation's metrics at its end, even if an exception ends it.
    """
    _logger().append_keys(request_id=request_id, function_request_id=function_request_id, tenant="-")
    try:
        yield
    finally:
        metrics.flush()


def identify(tenant: str) -> None:
    """Add the tenant to every further line of the invocation."""
    _logger().append_keys(tenant=tenant)


def emit(event: str, **fields: Any) -> None:
    """Log a decision and add its metrics. `number` is masked and adds its country; hashes are cut."""
    safe = _safe(fields)
    metrics.emit(event, safe)
    if event in _MEASURED_ONLY:
        return
    write = _logger().warning if event in _WARNINGS else _logger().info
    write(event, extra=safe)


def fail(event: str, error: BaseException, **fields: Any) -> None:
    """Log an unexpected exception: its class and its last five stack frames, not its text."""
    frames = traceback.extract_tb(error.__traceback__)[-5:]
    where = [f"{frame.filename.rpartition('/')[2]}:{frame.lineno} {frame.name}" for frame in frames]
    _logger().error(event, extra=_safe(fields | {"error": type(error).__name__, "where": where}))


def _safe(fields: dict[str, Any]) -> dict[str, Any]:
    safe = {name: value for name, value in fields.items() if value is not None}
    number = safe.pop("number", None)
    if isinstance(number, PhoneNumber):
        safe |= {"number": number.masked, "country": number.country}
        safe |= {"test_number": True} if number.is_test else {}
    return safe | {name: safe[name][:length] for name, length in _LOGGED_CHARACTERS.items() if name in safe}
