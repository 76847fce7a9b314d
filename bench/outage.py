"""A provider's outage in virtual time: who still gets a code, how much later, and when it is over.

    python -m bench.outage

Ten requests a second for ten minutes, from four execution environments in turn. For five minutes and
ten seconds of them the first provider is down: it answers 500, or not at all. The router and the circuit
breaker are the real ones; the providers answer from a script, and the clock moves only by it.
"""

import contextlib
import json
import statistics
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar
from unittest.mock import patch

from aws_lambda_powertools.utilities.circuit_breaker import base as breaker_base
from aws_lambda_powertools.utilities.circuit_breaker.persistence import base as persistence_base

from sms_otp.adapters.dynamodb.items import circuit_of, circuit_pk
from sms_otp.adapters.providers.breaker import CircuitBreaker, NoBreaker
from sms_otp.adapters.providers.test_numbers import FixedCodes
from sms_otp.domain.clock import Deadline
from sms_otp.domain.phone import PhoneNumber
from sms_otp.domain.ports import Breaker, Circuit
from sms_otp.domain.provider import Ambiguous, Channel, Check, Order, ProviderError, Sent, Unavailable
from sms_otp.use_cases.failover import Router

RATE = 10
SECONDS = 600
DOWN_FROM, DOWN_UNTIL = 120, 430
ANSWER_SECONDS = 0.2
TIMEOUT_SECONDS = 6.0
OUTPUT = Path(".local/outage.json")
ORDER = Order(PhoneNumber("+14155550123", "US"), Channel.SMS, None, "r", 300)


@dataclass
class Time:
    """The virtual clock, and what the request under way has taken of it (seconds)."""

    now: float = 1_800_000_000.0
    taken: float = 0.0


@dataclass
class Scripted:
    """A provider that is up, or down in the way the script says."""

    name: str
    time: Time
    down: Callable[[], type[ProviderError] | None]
    channels: ClassVar[frozenset[Channel]] = frozenset(Channel)

    def send(self, to: PhoneNumber, **_: Any) -> Sent:
        """See `Provider`. Takes virtual time."""
        del to
        failure = self.down()
        self.time.taken += TIMEOUT_SECONDS if failure is Ambiguous else ANSWER_SECONDS
        if failure is not None:
            raise failure(self.name, "scripted")
        return Sent(ref=self.name)

    def resend(self, ref: str, to: PhoneNumber, **named: Any) -> Sent:
        """See `Provider`."""
        del ref
        return self.send(to, **named)

    def check(self, ref: str, otp: str, **_: Any) -> Check:
        """See `Provider`."""
        del ref, otp
        return Check.UNKNOWN


class SecretCache:
    """Nobody's credentials."""

    def credentials(self, provider: str) -> Mapping[str, str]:
        """See `router.Credentials`."""
        return {"of": provider}

    def forget_credentials(self) -> None:
        """See `router.Credentials`."""


class FakeTable:
    """As much of a DynamoDB client as the breaker's store needs, in memory."""

    def __init__(self) -> None:
        self.items: dict[str, dict[str, Any]] = {}

    def get_item(self, *, Key: Mapping[str, Any], **_: Any) -> dict[str, Any]:  # noqa: N803 # boto3's name
        """One item, if it is there."""
        found = self.items.get(Key["pk"]["S"])
        return {"Item": found} if found else {}

    def read(self, provider: str) -> Circuit | None:
        """A circuit, as a send reads it with everything else."""
        return circuit_of(self.items.get(circuit_pk(provider)))

    def put_item(self, *, Item: dict[str, Any], **_: Any) -> None:  # noqa: N803 # boto3's name
        """Without conditions: one environment probes at a time here."""
        self.items[Item["pk"]["S"]] = Item

    def update_item(self, *, Key: Mapping[str, Any], **named: Any) -> None:  # noqa: N803 # boto3's name
        """Sets what the store's one kind of expression sets."""
        names, values = named["ExpressionAttributeNames"], named["ExpressionAttributeValues"]
        sets, _, removes = named["UpdateExpression"].partition(" REMOVE ")
        item = dict(self.items.get(Key["pk"]["S"], Key))
        for part in sets.removeprefix("SET ").split(", "):
            alias, value = part.split(" = ")
            item[names[alias]] = values[value]
        for alias in filter(None, removes.split(", ")):
            item.pop(names[alias], None)
        self.items[Key["pk"]["S"]] = item


@dataclass
class Outcome:
    """What one run shows. Latencies in seconds."""

    sent: int = 0
    failed: int = 0
    latencies: list[float] = field(default_factory=list)
    first_failures: int = 0
    recovered_at: float | None = None


def run(kind: type[ProviderError], order: tuple[str, ...], *, breaking: bool) -> Outcome:
    """One outage of this kind with this order."""
    time, outcome = Time(), Outcome()
    start = time.now

    def down() -> type[ProviderError] | None:
        return kind if DOWN_FROM <= time.now - start < DOWN_UNTIL else None

    def build(name: str, _: Mapping[str, str]) -> Any:
        return Scripted(name, time, down if name == "infobip" else lambda: None)

    table: Any = FakeTable()

    def router() -> Router:
        breaker: Breaker = CircuitBreaker(table, "t", lambda *_, **__: None) if breaking else NoBreaker()
        return Router(order, {}, SecretCache(), build, FixedCodes({}), breaker, lambda *_, **__: None)

    with virtual(time):
        environments = [router() for _ in range(4)]
        for index in range(SECONDS * RATE):
            time.now, time.taken = start + index / RATE, 0.0
            try:
                environment = environments[index % 4]
                read = {name: table.read(name) for name in environment.circuits(ORDER.to)}
                environment.prime(read)
                name, _ = environment.send(ORDER, Deadline(60), lambda _: None)
            except ProviderError:
                outcome.failed += DOWN_FROM <= index / RATE < DOWN_UNTIL
                continue
            if DOWN_FROM <= index / RATE < DOWN_UNTIL:
                outcome.sent += 1
                outcome.latencies.append(time.taken)
            elif index / RATE >= DOWN_UNTIL and name == "infobip" and outcome.recovered_at is None:
                outcome.recovered_at = index / RATE - DOWN_UNTIL
    return outcome


def forget_counts() -> None:
    """As in a new process: the circuit breaker's utility counts failures in modules, by provider."""
    for counters in (
        breaker_base._LOCAL_FAILURES,
        breaker_base._LOCAL_SUCCESSES,
        breaker_base._LAST_OBSERVED_STATE,
    ):
        counters.clear()


@contextlib.contextmanager
def virtual(time: Time) -> Iterator[None]:
    """The circuit breaker's utility reads this clock, and starts without memory of another run."""

    class Moment:
        @staticmethod
        def now(*_: object) -> "Moment":
            return Moment()

        @staticmethod
        def timestamp() -> float:
            return time.now

    class FakeDatetime:
        datetime = Moment

    forget_counts()
    with patch.object(breaker_base, "dt", FakeDatetime), patch.object(persistence_base, "dt", FakeDatetime):
        yield


CASES = (
    ("answers 500", Unavailable),
    ("does not answer", Ambiguous),
)
SETUPS = (
    ("one provider", ("infobip",), False),
    ("failover", ("infobip", "sinch"), False),
    ("failover and breaker", ("infobip", "sinch"), True),
)


def rows() -> list[dict[str, Any]]:
    """Every kind of outage with every way to meet it."""
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
    """Seconds that a code took longer than from a provider that is up."""
    return statistics.mean(outcome.latencies) - ANSWER_SECONDS if outcome.latencies else 0.0


def main() -> None:
    """Prints the table and writes it as JSON."""
    table = rows()
    widths = {name: max(len(name), *(len(str(row[name])) for row in table)) for name in table[0]}
    print("  ".join(name.ljust(width) for name, width in widths.items()))
    for row in table:
        print("  ".join(str(row[name]).ljust(width) for name, width in widths.items()))
    OUTPUT.parent.mkdir(exist_ok=True)
    OUTPUT.write_text(json.dumps(table, indent=2) + "\n")


if __name__ == "__main__":
    main()
