"""The expected answers of the service, worked out a second time from the rules alone.

Nothing of `limits`, `admission`, `verification` or a store is used here. Times are whole seconds.
"""

from dataclasses import dataclass, field

from sms_otp.domain.clock import DAY, HOUR

KEY_TTL_SECONDS = 24 * HOUR


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
    strangers: tuple[int, ...] = (4, 6, 10)
    """Sends of all strangers together, in the same spans."""
    unchallenged: tuple[int, ...] = (3, 4, 7)
    part: tuple[int, ...] = (3, 4, 5)
    """Sends of strangers that one network may have."""
    free: int = 5
    stranger_free: int = 20
    wait: int = 30
    wait_max: int = HOUR
    own_closed_at: int = 20
    stranger_closed_at: int = 80
    disabled_at: int = 100
    """Failures of all lanes."""

    @property
    def parameters(self) -> dict[str, str]:
        """These limits as parameters of the template."""
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
            # Each code costs a dollar.
            "DailySpendCap": self.day,
            "SmsPrices": "*=1",
            "VoiceCountries": "*=1",
            "WhatsappCountries": "*=1",
            "FailuresBeforeWait": self.free,
            "FailureWaitSeconds": self.wait,
            "FailureWaitMaxSeconds": self.wait_max,
            "FailuresBeforeDisabled": self.disabled_at,
        }
        return {name: str(value) for name, value in named.items()}

    def wait_after(self, failures: int, lane: str) -> int:
        """Seconds between that many failures in a row and the lane's next guess."""
        free = self.stranger_free if lane == STRANGER else self.free
        return 0 if failures < free else min(self.wait << (failures - free), self.wait_max)

    def closed_at(self, lane: str) -> int:
        """Failures in a row after which the lane takes no guess any more."""
        return self.stranger_closed_at if lane == STRANGER else self.own_closed_at

    def spans(self, limits: tuple[int, ...]) -> tuple[tuple[int, int], ...]:
        """Windows of these limits."""
        return tuple((limit, span) for limit, (_, span) in zip(limits, self.windows, strict=True))

    def is_spaced(self, sends: list[int], now: int) -> bool:
        """Whether one more send keeps the gap, which doubles with each in an hour."""
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
    strangers=(4, 5, 6),
    unchallenged=(3, 3, 4),
    part=(3, 3, 3),
    free=1,
    stranger_free=4,
    wait=5,
    wait_max=20,
    own_closed_at=2,
    stranger_closed_at=8,
    disabled_at=10,
)
"""So small that every limit is reached within a few dozen steps."""

TOKEN, NETWORK, STRANGER = LANES = ("token", "network", "stranger")
MONTH = 30 * DAY
REPEATABLE = 120


@dataclass(frozen=True)
class SentOne:
    """One send to a number."""

    at: int
    lane: str
    client: str | None
    challenged: bool


@dataclass
class Issued:
    """A verification that was requested."""

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
    lane: str = STRANGER
    client: str | None = None
    verified_at: int = 0
    sent_at: list[int] = field(default_factory=list)
    """Its sends, which count at its client until it is verified."""
    right: str = ""
    """The code that verified it."""


@dataclass
class Answered:
    """The answer to a request with an Idempotency-Key, which a repetition gets again."""

    body: tuple[str, str | None]
    at: int
    outcome: str
    verification_id: str = ""


@dataclass
class Model:
    """The past that the rules depend on."""

    rules: Rules
    sends: dict[str, list[SentOne]] = field(default_factory=dict)
    client_sends: dict[str, list[int]] = field(default_factory=dict)
    """Moments of the sends that were not verified."""
    client_verified: dict[str, list[int]] = field(default_factory=dict)
    """Moments at which codes were requested that were verified later."""
    day_sends: dict[int, int] = field(default_factory=dict)
    stranger_sends: dict[int, int] = field(default_factory=dict)
    """Of the day's sends, those neither to known numbers nor in own lanes."""
    unproven: dict[str, int] = field(default_factory=dict)
    """By number: codes since it was verified last."""
    verified_at: dict[str, int] = field(default_factory=dict)
    """By number, for all tenants together."""
    failures: dict[tuple[str, str, str], tuple[int, int]] = field(default_factory=dict)
    """By number, tenant and lane: how many in a row, and when the last was."""
    totals: dict[tuple[str, str], int] = field(default_factory=dict)
    known: set[tuple[str, str]] = field(default_factory=set)
    """(number, tenant) of each success."""
    networks: dict[str, set[str]] = field(default_factory=dict)
    """By number: the clients that it was verified from."""
    keys: dict[tuple[str, str], Answered] = field(default_factory=dict)

    def lane(self, number: str, tenant: str, opened: tuple[str, ...]) -> str:
        """The first of these lanes that is not used up."""
        for lane in opened:
            if self.failures.get((number, tenant, lane), (0, 0))[0] < self.rules.closed_at(lane):
                return lane
        return STRANGER

    def lane_of_a_send(self, number: str, tenant: str, client: str | None, *, token: bool) -> str:
        """The lane in which a code is requested."""
        opened: tuple[str, ...] = (TOKEN,) if token and (number, tenant) in self.known else ()
        opened += (NETWORK,) if client in self.networks.get(number, ()) else ()
        return self.lane(number, tenant, opened)

    def lane_of_a_guess(self, issued: Issued, *, token: bool) -> str:
        """The lane in which a guess is counted."""
        opened = (TOKEN,) if token and (issued.number, issued.tenant) in self.known else ()
        return self.lane(issued.number, issued.tenant, (*opened, issued.lane))

    def lock(self, number: str, tenant: str, lane: str, now: int) -> str | None:
        """The errorCode that refuses the lane's next guess, or None."""
        count, last = self.failures.get((number, tenant, lane), (0, 0))
        if (
            count >= self.rules.closed_at(lane)
            or self.totals.get((number, tenant), 0) >= self.rules.disabled_at
        ):
            return "NUMBER_DISABLED"
        return "NUMBER_LOCKED" if now < last + self.rules.wait_after(count, lane) else None

    def earlier(self, tenant: str, key: str | None, now: int) -> Answered | None:
        """The answer to this tenant's key within the key's lifetime."""
        answered = self.keys.get((tenant, key or ""))
        return answered if answered and now < answered.at + KEY_TTL_SECONDS else None

    def send_error(
        self, number: str, tenant: str, lane: str, client: str | None, now: int, *, challenged: bool = False
    ) -> str | None:
        """The errorCode that refuses a request before anything is sent, or None."""
        if (locked := self.lock(number, tenant, lane, now)) is not None:
            return locked
        mine = [sent for sent in self.sends.get(number, []) if sent.lane == lane]
        together = [sent.at for sent in mine]
        if lane != STRANGER or client is None:
            if not (room(self.rules.windows, together, now) and self.rules.is_spaced(together, now)):
                return "RATE_LIMITED"
        elif (refused := self._stranger_error(mine, client, now, challenged)) is not None:
            return refused
        free = client is None or self._has_client_room(client, now)
        return None if free and self._has_money(number, lane, now) else "RATE_LIMITED"

    def _has_client_room(self, client: str, now: int) -> bool:
        """This hour's codes, the rest of the last one's, and those of the 24 hours before it.

        The guard is off, so the ratio is the one that a country begins with: 0.6 of the week's verified, 1.5
        times.
        """
        hours = [at // HOUR for at in self.client_sends.get(client, [])]
        this_hour = now // HOUR
        rest = -(-hours.count(this_hour - 1) * (HOUR - now % HOUR) // HOUR)
        earlier = sum(this_hour - 24 <= hour < this_hour for hour in hours)
        week = sum(at // DAY > now // DAY - 7 for at in self.client_verified.get(client, []))
        (by_hour, _), (by_day, _) = self.rules.client_windows
        earned = int(1.5 * 0.6 * week)
        used = hours.count(this_hour)
        return used + rest < by_hour + earned and used + earlier < by_day + earned

    def _has_money(self, number: str, lane: str, now: int) -> bool:
        """A fifth of the day's is kept for known numbers and own lanes."""
        today, cap = now // DAY, self.rules.day
        if self.day_sends.get(today, 0) >= cap:
            return False
        return self._is_known(number, lane, now) or self.stranger_sends.get(today, 0) < cap - cap // 5

    def _is_known(self, number: str, lane: str, now: int) -> bool:
        if self.unproven.get(number, 0) >= 2:
            return False
        return lane != STRANGER or now - self.verified_at.get(number, -90 * DAY) < 90 * DAY

    def _stranger_error(self, mine: list[SentOne], client: str, now: int, challenged: bool) -> str | None:
        theirs = [sent.at for sent in mine if sent.client == client]
        if not (room(self.rules.spans(self.rules.part), theirs, now) and self.rules.is_spaced(theirs, now)):
            return "RATE_LIMITED"
        if not room(self.rules.spans(self.rules.strangers), [sent.at for sent in mine], now):
            return "RATE_LIMITED"
        unchallenged = [sent.at for sent in mine if not sent.challenged]
        if room(self.rules.spans(self.rules.unchallenged), unchallenged, now):
            return None
        if not challenged:
            return "CHALLENGE_REQUIRED"
        return "RATE_LIMITED" if any(now - at < DAY for at in theirs) else None

    def charge(
        self, issued: Issued, lane: str, client: str | None, now: int, *, challenged: bool = False
    ) -> None:
        """Count a send that may have gone out, and forget the number's expired failures."""
        number, today = issued.number, now // DAY
        self.sends.setdefault(number, []).append(SentOne(now, lane, client, challenged))
        issued.sent_at.append(now)
        if client is not None:
            self.client_sends.setdefault(client, []).append(now)
        self.day_sends[today] = self.day_sends.get(today, 0) + 1
        if not self._is_known(number, lane, now):
            self.stranger_sends[today] = self.stranger_sends.get(today, 0) + 1
        self.unproven[number] = self.unproven.get(number, 0) + 1
        self.forget(number, now)

    def forget(self, number: str, now: int) -> None:
        """Failures of more than a month ago, unless they disable the number."""
        for about, (count, last) in list(self.failures.items()):
            other, tenant, _ = about
            is_disabled = self.totals.get((number, tenant), 0) >= self.rules.disabled_at
            if other == number and last + MONTH <= now and count < self.rules.stranger_closed_at:
                if is_disabled:
                    continue
                del self.failures[about]
                if not any((number, tenant, lane) in self.failures for lane in LANES):
                    self.totals.pop((number, tenant), None)

    def status(self, issued: Issued, now: int) -> str:
        """As /otp-status names it."""
        if issued.state != "pending":
            return issued.state
        if now >= issued.made_at + self.rules.ttl_seconds:
            return "expired"
        return "locked" if issued.guesses >= self.rules.guesses else "pending"

    def no_use(self, issued: Issued | None, tenant: str, session: str | None, now: int) -> str | None:
        """The errorCode that refuses both a guess and a resend, or None."""
        if issued is None or (issued.tenant, issued.session) != (tenant, session):
            return "VERIFICATION_NOT_FOUND"
        return {
            "pending": None,
            "verified": "ALREADY_VERIFIED",
            "expired": "OTP_EXPIRED",
            "locked": "TOO_MANY_ATTEMPTS",
        }.get(self.status(issued, now), "VERIFICATION_CANCELLED")

    def is_repeated(
        self, issued: Issued | None, tenant: str, session: str | None, otp: str, now: int
    ) -> bool:
        """Whether a right code is sent again by the session that it is bound to."""
        return (
            issued is not None
            and (issued.tenant, issued.session) == (tenant, session)
            and session is not None
            and issued.state == "verified"
            and issued.right == otp
            and now < issued.verified_at + REPEATABLE
        )

    def guess(self, issued: Issued, lane: str, now: int) -> str | None:
        """Count a guess. The errorCode with which it never reaches a provider, or None if it does."""
        number, tenant = issued.number, issued.tenant
        if (locked := self.lock(number, tenant, lane, now)) is not None:
            return locked
        issued.guesses += 1
        count, _ = self.failures.get((number, tenant, lane), (0, 0))
        self.failures[number, tenant, lane] = (count + 1, now)
        self.totals[number, tenant] = self.totals.get((number, tenant), 0) + 1
        return None

    def succeed(self, issued: Issued, lane: str, ref: str, otp: str, now: int) -> str:
        """The answer when the provider accepts a code. Nothing else clears a number's failures."""
        if issued.state != "pending":
            return "ALREADY_VERIFIED" if issued.state == "verified" else "VERIFICATION_CANCELLED"
        if now >= issued.made_at + self.rules.ttl_seconds or ref != issued.ref:
            return "OTP_EXPIRED"
        issued.state, issued.verified_at, issued.right = "verified", now, otp
        self.verified(issued, lane, now)
        return "ok"

    def verified(self, issued: Issued, lane: str, now: int) -> None:
        """Apply a success to the number."""
        number, tenant = issued.number, issued.tenant
        for each in (lane, STRANGER):
            self.failures.pop((number, tenant, each), None)
        self.totals.pop((number, tenant), None)
        self.known.add((number, tenant))
        self.unproven[number], self.verified_at[number] = 0, now
        if issued.client is not None:
            for at in issued.sent_at:
                self.client_sends[issued.client].remove(at)
            self.client_verified.setdefault(issued.client, []).append(issued.made_at)
            self.networks.setdefault(number, set()).add(issued.client)
