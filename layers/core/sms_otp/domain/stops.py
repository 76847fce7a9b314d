"""Administrators' stops on sending, and their ends. Pure.

A stop covers all sends, or those to a country, by a channel or through a provider. Stops are independent: a
send is allowed if no standing stop covers it, through a provider that none covers. Codes that were already
sent can still be checked.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from sms_otp.domain.clock import DAY, MINUTE, Seconds
from sms_otp.domain.errors import SendingStopped

SHORTEST, LONGEST = MINUTE, Seconds(30 * DAY)
DEFAULT = DAY
"""Long enough not to end at night, unattended; short enough not to be forgotten."""


class Scope(StrEnum):
    """What a stop covers."""

    ALL = "all"
    COUNTRY = "country"
    CHANNEL = "channel"
    PROVIDER = "provider"


@dataclass(frozen=True, slots=True, order=True)
class Stop:
    """A stop on all sends, or on the country, channel or provider of that `name`."""

    scope: Scope
    name: str = ""

    def __str__(self) -> str:
        return f"{self.scope} {self.name}".rstrip()


EVERYTHING = Stop(Scope.ALL)


@dataclass(frozen=True, slots=True)
class Stops:
    """The stops as read, with their ends in seconds since the epoch. Some may have ended."""

    ends: Mapping[Stop, Seconds] = field(default_factory=dict)

    def standing(self, now: Seconds) -> dict[Stop, Seconds]:
        """Stops that have not ended, sorted by scope and name."""
        return {stop: end for stop, end in sorted(self.ends.items()) if end > now}

    def waits(self, providers: Collection[str], now: Seconds) -> dict[str, Seconds]:
        """Seconds until each stopped provider may send again, by provider."""
        ends = {name: self.ends.get(Stop(Scope.PROVIDER, name), now) for name in providers}
        return {name: end - now for name, end in ends.items() if end > now}

    def send_error(
        self, country: str, channel: str, providers: Collection[str], now: Seconds
    ) -> SendingStopped | None:
        """Why no code may be sent now, or None if one may. `providers`: the candidates.

        `retry_after`: until every stop that covers the send now has ended.
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
