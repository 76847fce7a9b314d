"""Stop and resume sending: the kill switch of administrators. Every use emits an event."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from sms_otp.domain.clock import Clock, Seconds, seconds
from sms_otp.domain.ports import EventSink, SendingStops
from sms_otp.domain.stops import Stop
from sms_otp.use_cases.administration import Administrator

Standing = Mapping[Stop, Seconds]
"""The active stops, each with its end: seconds since the epoch."""


@dataclass(frozen=True, slots=True)
class SendingControl:
    """The use cases, on one deployment's stops. Each also emits before it acts, so that a failure shows."""

    stops: SendingStops
    clock: Clock
    emit: EventSink

    def stop(self, stops: Collection[Stop], length: Seconds, who: Administrator) -> Standing:
        """Stop these sends from the next request on, for `length` seconds. Returns all active stops.

        A stop that is already active gets the new end, sooner or later.
        """
        now = seconds(self.clock)
        self._emit("admin_called", stops, who, operation="stop")
        standing = self.stops.stop(stops, Seconds(now + length), now).standing(now)
        self._emit("sending_stopped", stops, who, seconds=length)
        return standing

    def resume(self, stops: Collection[Stop], who: Administrator) -> Standing:
        """End these stops. Returns all active stops.

        Sends that another stop covers stay stopped: to a country, for example, while all sending is stopped.
        """
        now = seconds(self.clock)
        self._emit("admin_called", stops, who, operation="resume")
        standing = self.stops.resume(stops).standing(now)
        self._emit("sending_resumed", stops, who, still_stopped=[str(stop) for stop in standing] or None)
        return standing

    def _emit(self, event: str, stops: Collection[Stop], who: Administrator, **fields: Any) -> None:
        self.emit(event, caller=who.arn, stops=[str(stop) for stop in stops], **fields)
