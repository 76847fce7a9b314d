"""Takes the other functions' log lines from CloudWatch Logs; puts public events on an EventBridge bus."""

from collections.abc import Mapping
from typing import Any

from sms_otp.adapters.config import settings
from sms_otp.adapters.telemetry import events, published
from sms_otp.entry_points import bootstrap, startup

MOST_ENTRIES = 10
"""Entries in one call of PutEvents."""


class NotPublished(Exception):
    """The bus did not take every entry."""


def lambda_handler(event: Mapping[str, Any], context: Any) -> None:
    """Takes a batch of lines. If it raises, they are sent again: an event can come twice, with one id."""
    with events.invocation(context.aws_request_id, context.aws_request_id):
        _publish(event)


def _publish(event: Mapping[str, Any]) -> None:
    entries = list(published.entries(event, settings().event_bus_name))
    for first in range(0, len(entries), MOST_ENTRIES):
        answer = bootstrap.event_bus().put_events(Entries=entries[first : first + MOST_ENTRIES])
        if answer["FailedEntryCount"]:
            codes = sorted({each["ErrorCode"] for each in answer["Entries"] if "ErrorCode" in each})
            events.emit("events_failed", reason=", ".join(codes))
            raise NotPublished


startup.prepare(bootstrap.event_bus, ("events",))
