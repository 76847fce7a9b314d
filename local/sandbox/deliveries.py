"""Delivery reports: one a moment after each message, and more on demand for a phone's newest message."""

import asyncio
from collections.abc import Callable

from local.sandbox.inbox import e164
from local.sandbox.memory import Newest

STATUSES = ("delivered", "failed")
DELIVERY_SECONDS = 1.0
"""From a message to its report; real networks never report within milliseconds."""

Report = Callable[[str], None]
"""Posts the delivery report of one message; takes one of `STATUSES`."""


class BadDelivery(ValueError):
    """The body of `POST /deliveries` is invalid or matches no message; the error text says why."""


class Deliveries:
    """The report function of each phone's newest message, from any provider."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._reports: Newest[str, Report] = Newest()

    def sent(self, to: str, report: Report) -> None:
        """Remember the message to `to`, and report it as delivered after the configured seconds."""
        self._reports[e164(to)] = report
        asyncio.get_running_loop().call_later(self._seconds, report, "delivered")

    def report(self, body: object) -> None:
        """Report again on the newest message to `to`, with `status`. Raises `BadDelivery`."""
        if not isinstance(body, dict) or set(body) != {"to", "status"}:
            raise BadDelivery("the body must be a JSON object of to and status")
        if body["status"] not in STATUSES:
            raise BadDelivery(f"status must be one of the strings {', '.join(STATUSES)}")
        report = self._reports.get(e164(body["to"])) if isinstance(body["to"], str) else None
        if report is None:
            raise BadDelivery("no message with delivery reports went to that number")
        report(body["status"])
