"""A provider's outage in virtual time: the share of codes still sent, their delay, and the recovery time.

    python -m bench.outage

Ten requests a second for ten minutes, from four execution environments in turn. For five minutes and
ten seconds the first provider is down: it answers 500, or not at all. The router and the circuit
breaker are the real ones; the providers follow a script, which also moves the clock.
"""

import json
import statistics
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fakes.memory import MemoryCircuits, NoBreaker
from sms_otp.adapters.providers.test_numbers import FixedCodes
from sms_otp.domain.circuit import Circuit
from sms_otp.domain.clock import Deadline, Seconds
from sms_otp.domain.phone import PhoneNumber
from sms_otp.domain.ports import Breaker
from sms_otp.domain.provider import (
    Ambiguous,
    Channel,
    Check,
    CodeMessage,
    Doubtful,
    Order,
    ProviderError,
    Sent,
)
from sms_otp.use_cases.circuit_breaker import CircuitBreaker
from sms_otp.use_cases.failover import Router

RATE = 10
SECONDS = 600
DOWN_FROM, DOWN_UNTIL = 120, 430
ANSWER_SECONDS = 0.2
TIMEOUT_SECONDS = 6.0
OUTPUT = Path(".local/outage.json")


@dataclass
class Time:
    """The virtual clock, and the seconds that the current request has taken."""

    now: float = 1_800_000_000.0
    taken: float = 0.0


@dataclass
class Scripted:
    """A provider that fails with the exception of `down()`, if any."""

    name: str
    time: Time
    down: Callable[[], type[ProviderError] | None]

    def send(self, message: CodeMessage, deadline: Deadline) -> Sent:
        """See `Provider`. Takes virtual time."""
        del message, deadline
        failure = self.down()
        self.time.taken += TIMEOUT_SECONDS if failure is Ambiguous else ANSWER_SECONDS
        if failure is not None:
            raise failure(self.name, "scripted")
        return Sent(ref=self.name)

    def resend(self, ref: str, message: CodeMessage, deadline: Deadline) -> Sent:
        """See `Provider`."""
        del ref
        return self.send(message, deadline)

    def check(self, ref: str, otp: str, **_: Any) -> Check:
        """See `Provider`."""
        del ref, otp
        return Check.UNKNOWN


class SecretCache:
    """Made-up credentials for every provider."""

    def credentials(self, provider: str) -> Mapping[str, str]:
        """See `router.Credentials`."""
        return {"of": provider}

    def forget_credentials(self) -> None:
        """See `router.Credentials`."""


@dataclass
class Outcome:
    """The result of one run. Latencies in seconds."""

    sent: int = 0
    failed: int = 0
    latencies: list[float] = field(default_factory=list)
    recovered_at: float | None = None


def run(kind: type[ProviderError], order: tuple[str, ...], *, breaking: bool) -> Outcome:
    """Simulate one outage: `kind` is the failure, `order` the providers, `breaking` adds the breaker."""
    time, outcome = Time(), Outcome()
    start = time.now

    def down() -> type[ProviderError] | None:
        return kind if DOWN_FROM <= time.now - start < DOWN_UNTIL else None

    def build(name: str, _: Mapping[str, str]) -> Any:
        return Scripted(name, time, down if name == "infobip" else lambda: None)

    circuits = MemoryCircuits()

    def router() -> Router:
        breaker: Breaker = NoBreaker()
        if breaking:
            breaker = CircuitBreaker(circuits, lambda: time.now, silent, lambda: time.now + time.taken)
        return Router(order, {}, SecretCache(), build, FixedCodes({}), breaker, silent)

    environments = [router() for _ in range(4)]
    for index in range(SECONDS * RATE):
        time.now, time.taken = start + index / RATE, 0.0
        try:
            environment = environments[index % 4]
            sent_to = an_order(index, circuits.read(order))
            # Each number is new, so its limits allow a second send.
            name, _ = environment.send(sent_to, Deadline(60), silent, lambda: "a-second-reference")
        except ProviderError:
            outcome.failed += DOWN_FROM <= index / RATE < DOWN_UNTIL
            continue
        if DOWN_FROM <= index / RATE < DOWN_UNTIL:
            outcome.sent += 1
            outcome.latencies.append(time.taken)
        elif index / RATE >= DOWN_UNTIL and name == "infobip" and outcome.recovered_at is None:
            outcome.recovered_at = index / RATE - DOWN_UNTIL
    return outcome


def an_order(index: int, circuits: Mapping[str, Circuit]) -> Order:
    """A code for a number that no other request uses."""
    number_key = f"{index:08x}"
    return Order(
        PhoneNumber("+14155550123", "US"),
        Channel.SMS,
        None,
        "a-reference",
        Seconds(300),
        number_key,
        circuits,
    )


def silent(*_: object, **__: object) -> None:
    """Discard every event."""


CASES = (
    ("answers 500", Doubtful),
    ("does not answer", Ambiguous),
)
SETUPS = (
    ("one provider", ("infobip",), False),
    ("failover", ("infobip", "sinch"), False),
    ("failover and breaker", ("infobip", "sinch"), True),
)


def rows() -> list[dict[str, Any]]:
    """A row for each kind of outage and each setup."""
    table = []
    for down, kind in CASES:
        for setup, order, breaking in SETUPS:
            outcome = run(kind, order, breaking=breaking)
            table.append(
                {
                    "outage": down,
                    "with": setup,
                    "sent %": round(100 * outcome.sent / (outcome.sent + outcome.failed), 2),
                    "added mean s": round(mean_added(outcome), 3),
                    "added max s": round(max(outcome.latencies, default=ANSWER_SECONDS) - ANSWER_SECONDS, 3),
                    "back after s": outcome.recovered_at,
                }
            )
    return table


def mean_added(outcome: Outcome) -> float:
    """Mean delay of sent codes in seconds, compared with a provider that is up."""
    return statistics.mean(outcome.latencies) - ANSWER_SECONDS if outcome.latencies else 0.0


def main() -> None:
    """Print the table, and write it as JSON."""
    table = rows()
    widths = {name: max(len(name), *(len(str(row[name])) for row in table)) for name in table[0]}
    print("  ".join(name.ljust(width) for name, width in widths.items()))
    for row in table:
        print("  ".join(str(row[name]).ljust(width) for name, width in widths.items()))
    OUTPUT.parent.mkdir(exist_ok=True)
    OUTPUT.write_text(json.dumps(table, indent=2) + "\n")


if __name__ == "__main__":
    main()
