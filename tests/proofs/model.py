"""What the service must answer, worked out a second time and from the rules alone.

Nothing of `limits`, `admission`, `verification` or a store is used here. Times are whole seconds.
"""

from dataclasses import dataclass, field

HOUR, DAY = 3600, 24 * 3600
KEY_LIFE = 24 * HOUR


@dataclass(frozen=True)
class Rules:
    """The limits of one deployment, by default the template's."""

    ttl_seconds: int = 300
    guesses: int = 5
    gap: int = 30
    gap_max: int = 240
    windows: tuple[tuple[int, int], ...] = ((3, 900), (5, HOUR), (10, DAY))
    """(limit, seconds): sends to a number."""
    client_windows: tuple[tuple[int, int], ...] = ((10, HOUR), (30, DAY))
    day: int = 10_000
    """Sends of the whole service in a UTC day."""
    free: int = 5
    wait: int = 30
    wait_max: int = HOUR
    disabled_at: int = 100

    @property
    def parameters(self) -> dict[str, str]:
        """The same as parameters of the template."""
        (quarter, _), (hour, _), (day, _) = self.windows
        (client_hour, _), (client_day, _) = self.client_windows
        named = {
            "CodeLifeSeconds": self.ttl_seconds,
            "MaxAttempts": self.guesses,
            "ResendGapSeconds": self.gap,
            "ResendGapMaxSeconds": self.gap_max,
            "SendsPerQuarterHour": quarter,
            "SendsPerHour": hour,
            "SendsPerDay": day,
            "ClientSendsPerHour": client_hour,
            "ClientSendsPerDay": client_day,
            "DailySendCap": self.day,
            "FailuresBeforeWait": self.free,
            "FailureWaitSeconds": self.wait,
            "FailureWaitMaxSeconds": self.wait_max,
            "FailuresBeforeDisabled": self.disabled_at,
        }
        return {name: str(value) for name, value in named.items()}

    def wait_after(self, failures: int) -> int:
        """Seconds between that many failures in a row and the next guess."""
        return 0 if failures < self.free else min(self.wait << (failures - self.free), self.wait_max)

    def may_send(self, sends: list[int], now: int) -> bool:
        """Whether one more send keeps every window, and the gap that doubles with each in an hour."""
        if not room(self.windows, sends, now):
            return False
        if not sends:
            return True
        streak = sum(sends[-1] - at < HOUR for at in sends)
        return now - sends[-1] >= min(self.gap << (streak - 1), self.gap_max)


def room(windows: tuple[tuple[int, int], ...], sends: list[int], now: int) -> bool:
    """Whether a send at `now` leaves no span of a window's length with more than its limit."""
    return all(sum(now - at < span for at in sends) < limit for limit, span in windows)


TEMPLATE = Rules()
TIGHT = Rules(
    ttl_seconds=90,
    guesses=3,
    gap=10,
    gap_max=20,
    windows=((3, 900), (4, HOUR), (6, DAY)),
    client_windows=((3, HOUR), (5, DAY)),
    day=10,
    free=2,
    wait=5,
    wait_max=20,
    disabled_at=6,
)
"""So small that every limit is met within a few dozen steps."""


@dataclass
class Issued:
    """A verification that somebody asked for."""

    tenant: str
    session: str | None
    number: str
    made_at: int
    verification_id: str = ""
    ref: str = ""
    """The provider's handle of its newest code."""
    former_ref: str = ""
    state: str = "pending"
    guesses: int = 0
    sends: int = 1


@dataclass
class Answered:
    """What a request with an Idempotency-Key was answered with, to be told again."""

    body: tuple[str, str | None, str | None]
    at: int
    outcome: str
    verification_id: str = ""


@dataclass
class Model:
    """Everything that the rules make depend on the past."""

    rules: Rules
    sends: dict[str, list[int]] = field(default_factory=dict)
    client_sends: dict[str, list[int]] = field(default_factory=dict)
    day_sends: dict[int, int] = field(default_factory=dict)
    failures: dict[tuple[str, str], tuple[int, int]] = field(default_factory=dict)
    """By number and tenant: how many in a row, and when the last was."""
    keys: dict[tuple[str, str], Answered] = field(default_factory=dict)

    def locked(self, number: str, tenant: str, now: int) -> bool:
        """Whether the number's guesses at this tenant must wait, or are over."""
        count, last = self.failures.get((number, tenant), (0, 0))
        return count >= self.rules.disabled_at or now < last + self.rules.wait_after(count)

    def earlier(self, tenant: str, key: str | None, now: int) -> Answered | None:
        """What was answered to this tenant's key within its life."""
        answered = self.keys.get((tenant, key or ""))
        return answered if answered and now < answered.at + KEY_LIFE else None

    def guess_error(self, number: str, tenant: str, client: str | None, now: int) -> str | None:
        """The errorCode with which a request is refused before anything is sent, or None."""
        if self.locked(number, tenant, now):
            return "NUMBER_LOCKED"
        free = (
            self.rules.may_send(self.sends.get(number, []), now)
            and (client is None or room(self.rules.client_windows, self.client_sends.get(client, []), now))
            and self.day_sends.get(now // DAY, 0) < self.rules.day
        )
        return None if free else "RATE_LIMITED"

    def charge(self, number: str, client: str | None, now: int) -> None:
        """A send that may have gone out."""
        self.sends.setdefault(number, []).append(now)
        if client is not None:
            self.client_sends.setdefault(client, []).append(now)
        self.day_sends[now // DAY] = self.day_sends.get(now // DAY, 0) + 1

    def status(self, issued: Issued, now: int) -> str:
        """As /otp-status names it."""
        if issued.state != "pending":
            return issued.state
        if now >= issued.made_at + self.rules.ttl_seconds:
            return "expired"
        return "locked" if issued.guesses >= self.rules.guesses else "pending"

    def no_use(self, issued: Issued | None, tenant: str, session: str | None, now: int) -> str | None:
        """The errorCode with which neither a guess nor a resend is taken, or None."""
        if issued is None or (issued.tenant, issued.session) != (tenant, session):
            return "VERIFICATION_NOT_FOUND"
        return {
            "pending": None,
            "verified": "ALREADY_VERIFIED",
            "expired": "OTP_EXPIRED",
            "locked": "TOO_MANY_ATTEMPTS",
        }.get(self.status(issued, now), "VERIFICATION_CANCELLED")

    def guess(self, issued: Issued, now: int) -> str | None:
        """Count a guess. The errorCode with which it never reaches a provider, or None if it does."""
        issued.guesses += 1
        if self.locked(issued.number, issued.tenant, now):
            return "NUMBER_LOCKED"
        count, _ = self.failures.get((issued.number, issued.tenant), (0, 0))
        self.failures[issued.number, issued.tenant] = (count + 1, now)
        return None

    def succeed(self, issued: Issued, ref: str, now: int) -> str:
        """What comes of the provider's yes to a handle. The one thing that clears a number's failures."""
        if issued.state != "pending":
            return "ALREADY_VERIFIED" if issued.state == "verified" else "VERIFICATION_CANCELLED"
        if now >= issued.made_at + self.rules.ttl_seconds or ref != issued.ref:
            return "OTP_EXPIRED"
        issued.state = "verified"
        self.failures.pop((issued.number, issued.tenant), None)
        return "ok"
