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

    def providers(self, now: Seconds) -> frozenset[str]:
        """The providers that are stopped."""
        return frozenset(stop.name for stop in self.standing(now) if stop.scope is Scope.PROVIDER)

    def send_error(
        self, country: str, channel: str, providers: Collection[str], now: Seconds
    ) -> SendingStopped | None:
        """Why no code may be sent now, or None where one may. `providers`: those that could send it.

        `retry_after` is until every stop that covers the send has ended, as far as they are known now.
        """
        standing = self.standing(now)
        covering = (EVERYTHING, Stop(Scope.COUNTRY, country), Stop(Scope.CHANNEL, channel))
        ends = {stop.scope: standing[stop] for stop in covering if stop in standing}
        if self.providers(now).issuperset(providers):
            ends[Scope.PROVIDER] = min(standing[Stop(Scope.PROVIDER, name)] for name in providers)
        if not ends:
            return None
        last = max(ends, key=lambda scope: ends[scope])
        return SendingStopped(reason=last, retry_after=ends[last] - now)


NO_STOPS = Stops()
