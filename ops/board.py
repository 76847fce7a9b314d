"""The screen of `make watch`, computed from per-minute metrics.

A deployed stack's metrics come from CloudWatch, the local stack's from its functions' log lines. Both
arrive here as `Minute`s.
"""

import time
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from rich.console import Group
from rich.table import Table
from rich.text import Text

from ops.measured import Datapoint
from sms_otp.domain.clock import MINUTE

WHOLE = ""
"""The `place` of a metric of the whole service."""

SENT = ("OtpSent", "OtpResent")
REFUSALS: Mapping[str, str] = {
    "SendRateLimited": "a limit on sends",
    "SendRefused": "the destination, or the provider for good",
    "OtpIncorrect": "wrong code",
    "OtpExpired": "too late",
    "OtpLocked": "guesses spent",
    "WebhookRefused": "callback not signed",
}
LATENCIES = ("ProviderLatency", "TimeToVerify", "DeliveryLatency")
ALL = (
    "OtpRequested",
    *SENT,
    "OtpVerified",
    "DeliverySuccess",
    "ProviderError",
    "FailedOver",
    "BreakerOpen",
    "EstimatedCost",
    "DailyCapUsed",
    *REFUSALS,
    *LATENCIES,
)
"""Every metric on the screen; a test compares them with the metrics that the code emits."""

EXPLAINED = (
    "delivered: share of the messages with a delivery report. conversion: verified / sent. errors: provider "
    "failures. failed over: sent by another provider instead. breaker OPEN: the provider is skipped for now. "
    "cost: estimated USD. day's cap: share of DailySpendCap that is spent."
)

_BARS = "▁▂▃▄▅▆▇█"


@dataclass(frozen=True, slots=True)
class Minute:
    """One metric in one minute at one place: a provider, a country or the whole service."""

    name: str
    kind: str
    """`provider`, `country`, or empty for the whole service."""
    place: str
    at: int
    """The minute's first second since the epoch."""
    total: float
    count: float
    p95: float


def minutes_of(points: Iterable[Datapoint]) -> list[Minute]:
    """Aggregate datapoints by metric, place and minute, as CloudWatch does."""
    grouped: dict[tuple[str, str, str, int], list[float]] = defaultdict(list)
    for point in points:
        places = [item for item in point.dimensions.items() if item[0] != "service"]
        kind, place = places[0] if places else ("", WHOLE)
        grouped[point.name, kind, place, int(point.at) // MINUTE * MINUTE].append(point.value)
    return [
        Minute(
            *key, total=sum(values), count=len(values), p95=sorted(values)[-(-95 * len(values) // 100) - 1]
        )
        for key, values in grouped.items()
    ]


@dataclass(frozen=True)
class Board:
    """The last `span` minutes before `now` (seconds since the epoch)."""

    minutes: Sequence[Minute]
    now: float
    span: int

    def total(self, name: str, place: str = WHOLE) -> float:
        """The sum of a metric."""
        return sum(each.total for each in self._of(name, place))

    def mean(self, name: str, place: str = WHOLE) -> float | None:
        """The mean of a metric's values; None without values."""
        found = self._of(name, place)
        count = sum(each.count for each in found)
        return sum(each.total for each in found) / count if count else None

    def p95(self, name: str, place: str = WHOLE) -> float | None:
        """The highest p95 of any minute; None without values."""
        return max((each.p95 for each in self._of(name, place)), default=None)

    def sent(self, place: str = WHOLE) -> float:
        """Codes that a provider accepted, first sends and resends."""
        return sum(self.total(name, place) for name in SENT)

    def conversion(self, place: str = WHOLE) -> float | None:
        """Verified codes / sent codes, capped at 1 because a code may be sent before the span begins."""
        sent = self.sent(place)
        return min(1.0, self.total("OtpVerified", place) / sent) if sent else None

    def breaker(self, provider: str) -> str:
        """`OPEN` or `closed`: the breaker's last change within the span; `closed` without a change."""
        minutes = self._of("BreakerOpen", provider)
        opened = max((each.at for each in minutes if each.total), default=0)
        closed = max((each.at for each in minutes if each.total < each.count), default=0)
        return "OPEN" if opened > closed else "closed"

    def places(self, kind: str) -> list[str]:
        """The providers or countries with measurements, most sends first."""
        found = {each.place for each in self.minutes if each.kind == kind}
        return sorted(found, key=lambda place: (-self.sent(place), place))

    def per_minute(self, name: str) -> list[float]:
        """A metric's sum of each minute of the span, oldest first."""
        last = int(self.now) // MINUTE * MINUTE
        sums: dict[int, float] = defaultdict(float)
        for each in self._of(name, WHOLE):
            sums[each.at] += each.total
        return [sums[last - MINUTE * ago] for ago in range(self.span - 1, -1, -1)]

    def _of(self, name: str, place: str) -> list[Minute]:
        since = self.now - self.span * MINUTE
        return [each for each in self.minutes if (each.name, each.place) == (name, place) and each.at > since]


def draw(board: Board, stack: str) -> Group:
    """Render one screen."""
    at = time.strftime("%H:%M:%S", time.gmtime(board.now))
    title = Text(f"{stack}: the last {board.span} minutes, at {at} UTC", style="bold")
    return Group(
        title,
        _story(board),
        _by_the_minute(board),
        _providers(board),
        _countries(board),
        _refusals(board),
        Text(EXPLAINED, style="dim"),
    )


def _story(board: Board) -> Table:
    # These columns fit a terminal of 80 characters.
    table = Table(
        "requested", "sent", "delivered", "verified", "conversion", "p95 to\nverify", "cost", "day's\ncap"
    )
    table.add_row(
        _number(board.total("OtpRequested")),
        _number(board.sent()),
        _share(board.mean("DeliverySuccess")),
        _number(board.total("OtpVerified")),
        _share(board.conversion()),
        _seconds(board.p95("TimeToVerify")),
        f"{board.total('EstimatedCost'):.2f}",
        _percent(board.p95("DailyCapUsed")),
    )
    return table


def _by_the_minute(board: Board) -> Text:
    metrics = {"requested": "OtpRequested", "sent": "OtpSent", "verified": "OtpVerified"}
    return Text("  ".join(f"{word} {_spark(board.per_minute(name))}" for word, name in metrics.items()))


def _providers(board: Board) -> Table:
    table = Table("provider", "sent", "delivered", "verified", "errors", "failed\nover", "p95", "breaker")
    for name in board.places("provider"):
        breaker = board.breaker(name)
        table.add_row(
            name,
            _number(board.sent(name)),
            _share(board.mean("DeliverySuccess", name)),
            _number(board.total("OtpVerified", name)),
            _number(board.total("ProviderError", name)),
            _number(board.total("FailedOver", name)),
            _milliseconds(board.p95("ProviderLatency", name)),
            Text(breaker, style="bold red" if breaker == "OPEN" else ""),
        )
    return table


def _countries(board: Board) -> Table:
    table = Table("country", "requested", "sent", "verified", "conversion", "limited")
    for name in board.places("country")[:8]:
        table.add_row(
            name,
            _number(board.total("OtpRequested", name)),
            _number(board.sent(name)),
            _number(board.total("OtpVerified", name)),
            _share(board.conversion(name)),
            _number(board.total("SendRateLimited", name)),
        )
    return table


def _refusals(board: Board) -> Table:
    table = Table("refused", "why", "times")
    for name, why in REFUSALS.items():
        if times := board.total(name):
            table.add_row(name, why, _number(times))
    return table


def _number(value: float) -> str:
    return f"{value:.0f}"


def _share(value: float | None) -> str:
    return "" if value is None else f"{100 * value:.1f} %"


def _percent(value: float | None) -> str:
    return "" if value is None else f"{value:.1f} %"


def _seconds(value: float | None) -> str:
    return "" if value is None else f"{value:.0f} s"


def _milliseconds(value: float | None) -> str:
    return "" if value is None else f"{value:.0f} ms"


def _spark(values: Sequence[float]) -> str:
    most = max(values, default=0)
    return "".join(_BARS[round(value / most * (len(_BARS) - 1))] if most else _BARS[0] for value in values)
