"""Stop and resume sending: the kill switch of administrators. Every use emits an event."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from sms_otp.domain.clock import Clock, Seconds, seconds
from sms_otp.domain.ports import EventSink, SendingStops
from sms_otp.domain.stops import Stop
from sms_otp.use_cases.administration import Administrator

Standing = Mapping[Stop, Seconds]
"""Every stop that stands, and when it ends: seconds since the epoch."""


@dataclass(frozen=True, slots=True)
class SendingControl:
    """The use cases over one deployment's stops. Each emits before it acts too, so that none fails unseen."""

    stops: SendingStops
    clock: Clock
    emit: EventSink

    def stop(self, stops: Collection[Stop], length: Seconds, who: Administrator) -> Standing:
        """Stop these sends from the next request on, for this long. Answers every stop that stands then.

        A stop that stands already ends when this one does, be it sooner or later.
        """
        now = seconds(self.clock)
        self._emit("admin_called", stops, who, operation="stop")
        standing = self.stops.stop(stops, Seconds(now + length), now).standing(now)
        self._emit("sending_stopped", stops, who, seconds=length)
        return standing

    def resume(self, stops: Collection[Stop], who: Administrator) -> Standing:
        """End these stops, as they were made. Answers every stop that stands then.

        What another stop covers too stays stopped: a country, for one, while all sending is.
        """
        now = seconds(self.clock)
        self._emit("admin_called", stops, who, operation="resume")
        standing = self.stops.resume(stops).standing(now)
        self._emit("sending_resumed", stops, who, still_stopped=[str(stop) for stop in standing] or None)
        return standing

    def _emit(self, event: str, stops: Collection[Stop], who: Administrator, **more: Any) -> None:
        self.emit(event, caller=who.arn, stops=[str(stop) for stop in stops], **more)
