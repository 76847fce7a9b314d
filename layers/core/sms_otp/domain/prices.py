"""Approximate price of a code by country and channel: the weights of the guard and of the daily cap.

Money is in whole micro-dollars everywhere inside, so that sums are exact. The tables are a first estimate:
`SmsPrices` replaces each line that it names, and so do the prices in `VoiceCountries` and
`WhatsappCountries`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

USD = 1_000_000
"""Micro-dollars in a US dollar."""
EVERYWHERE = "*"

SOURCES = {
    "CA ME MU NP PR SR TT US AO": "HighLevel, LC Phone pricing & billing guide",
    "AD TC ZM ZW": "WISECP, Viewing SMS fee schedule, its sample answer",
    "*": "Mobilesquared's mean of an international SMS in 2023, as The SMS Works quotes it",
    "voice": "assumed: a call of one begun minute to a mobile; no provider of codes publishes a list",
}
"""Public pages of 2023 to 2025, rounded; prices differ between networks and change monthly."""

SMS_DOLLARS: Mapping[str, float] = {
    "AD": 0.19,
    "AO": 0.18,
    "CA": 0.008,
    "ME": 0.14,
    "MU": 0.19,
    "NP": 0.30,
    "PR": 0.04,
    "SR": 0.24,
    "TC": 0.29,
    "TT": 0.30,
    "US": 0.008,
    "ZM": 0.27,
    "ZW": 0.11,
    EVERYWHERE: 0.065,
}
"""Also used for WhatsApp, whose rates for authentication are of the same order."""
VOICE_DOLLARS: Mapping[str, float] = {"CA": 0.015, "US": 0.015, EVERYWHERE: 0.10}


def micro_dollars(dollars: float) -> int:
    """Rounded to the nearest micro-dollar."""
    return round(dollars * USD)


@dataclass(frozen=True, slots=True)
class Prices:
    """A deployment's prices in dollars by country; the tables fill the gaps.

    A deployment's price for `*` applies to every country that it does not name.
    """

    sms: Mapping[str, float] = field(default_factory=dict)
    voice: Mapping[str, float] = field(default_factory=dict)
    whatsapp: Mapping[str, float] = field(default_factory=dict)

    def of(self, country: str, channel: str) -> int:
        """Micro-dollars for one message or call; at least 1, or no budget would ever be spent."""
        return max(1, micro_dollars(self.dollars(country, channel)))

    def dollars(self, country: str, channel: str) -> float:
        """US dollars for one message or call."""
        return next(
            prices[place]
            for prices in self._in_order(channel)
            for place in (country, EVERYWHERE)
            if place in prices
        )

    def _in_order(self, channel: str) -> tuple[Mapping[str, float], ...]:
        if channel == "voice":
            return self.voice, VOICE_DOLLARS
        own = (self.whatsapp, self.sms) if channel == "whatsapp" else (self.sms,)
        return *own, SMS_DOLLARS
