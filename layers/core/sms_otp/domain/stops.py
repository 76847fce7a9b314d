"""What an administrator has stopped from being sent, and until when. Pure.

A stop covers every send, those to a country, those by a channel, or those through a provider. Each stands and
ends by itself: a send goes if no stop that still stands covers it, through a provider that none covers. Codes
that were sent before can be checked all the while.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from sms_otp.domain.clock import DAY, MINUTE, Seconds
from sms_otp.domain.errors import SendingStopped

SHORTEST, LONGEST = MINUTE, Seconds(30 * DAY)
DEFAULT = DAY
"""Long enough that no stop ends at night, while nobody watches; short enough that none is forgotten."""


class Scope(StrEnum):
    """What a stop covers."""

    ALL = "all"
    COUNTRY = "country"
    CHANNEL = "channel"
    PROVIDER = "provider"


@dataclass(frozen=True, slots=True, order=True)
class Stop:
    """What is stopped: everything, or what `name` says of its scope."""

    scope: Scope
    name: str = ""

    def __str__(self) -> str:
        return f"{self.scope} {self.name}".rstrip()


EVERYTHING = Stop(Scope.ALL)


@dataclass(frozen=True, slots=True)
class Stops:
    """The stops as they were read, with the seconds at which each ends. Some may have ended."""

    ends: Mapping[Stop, Seconds] = field(default_factory=dict)

    def standing(self, now: Seconds) -> dict[Stop, Seconds]:
        """Those that have not ended, in the order of their scopes and names."""
        return {stop: end for stop, end in sorted(self.ends.items()) if end > now}

    def waits(self, providers: Collection[str], now: Seconds) -> dict[str, Seconds]:
        """Those of the providers that are stopped, and for how long yet."""
        ends = {name: self.ends.get(Stop(Scope.PROVIDER, name), now) for name in providers}
        return {name: end - now for name, end in ends.items() if end > now}

    def send_error(
        self, country: str, channel: str, providers: Collection[str], now: Seconds
    ) -> SendingStopped | None:
        """Why no code may be sent now, or None where one may. `providers`: those that could send it.

        `retry_after` is until every stop that covers the send has ended, as far as they are known now.
        """
        standing = self.standing(now)
        covering = (EVERYTHING, Stop(Scope.COUNTRY, country), Stop(Scope.CHANNEL, channel))
        waits = {stop.scope: standing[stop] - now for stop in covering if stop in standing}
        stopped = self.waits(providers, now)
        if len(stopped) == len({*providers}):
            waits[Scope.PROVIDER] = min(stopped.values())
        if not waits:
            return None
        longest = max(waits, key=lambda scope: waits[scope])
        return SendingStopped(reason=longest, retry_after=waits[longest])


NO_STOPS = Stops()
