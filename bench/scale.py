"""The service's load on DynamoDB at 1 to 10,000 requests a second, in virtual time.

    python -m bench.scale            prints the tables and writes .local/scale.json
    python -m bench.scale --write    puts them into docs/scaling.md

A discrete-event simulation: each request and each verification is a process that reads, writes and waits
as the code does, with its shards, pauses and retries. `REQUEST` and `VERIFY` list the items that a call
touches; a test compares their units with those that `make bench` counts. DynamoDB's limits are the documented
ones; its latencies are assumed, not measured on AWS. All requests go to one country and every code is
verified, the worst case for the counters; each request has a number of its own.
"""

import argparse
import heapq
import json
import math
from collections import Counter
from collections.abc import Callable, Generator, Iterator
from dataclasses import asdict, dataclass, field, replace
from enum import Enum
from pathlib import Path
from random import Random

from ops import cost
from sms_otp.adapters.dynamodb.client import CONFLICT_PAUSES, LEFT_PAUSE
from sms_otp.domain.budgets import SAMPLE, shards_for
from sms_otp.domain.clock import DAY, HOUR
from sms_otp.entry_points.bootstrap import AWS_TRIES
from sms_otp.use_cases.sending import RESERVE_TRIES

RATES = (1, 100, 1_000, 10_000)
PRICE = 0.008
"""US dollars for a code to the US."""
PAGE = Path(__file__).parent.parent / "docs/scaling.md"
OUTPUT = Path(".local/scale.json")
BEGIN, END = "<!-- made by python -m bench.scale --write -->\n", "<!-- end of what is made -->\n"

# docs.aws.amazon.com/amazondynamodb/latest/developerguide: bp-partition-key-design, on-demand-capacity-mode
PARTITION_WRITE_UNITS = 1_000
PARTITION_READ_UNITS = 3_000
NEW_TABLE_PARTITIONS = 4
"""A new on-demand table serves 4,000 write and 12,000 read units a second."""
DOUBLING_MINUTES = 30
"""On-demand tables serve twice the previous peak at once; more within half an hour may throttle."""

# Default quotas of an account in one Region; AWS raises them on request.
TABLE_QUOTA = 40_000
"""Read or write units a second of one on-demand table."""
LAMBDA_QUOTA = 1_000
"""Concurrent executions."""
GATEWAY_QUOTA = 10_000
"""Requests a second of API Gateway."""

Quantiles = tuple[float, float, float, float, float]
READ_MS: Quantiles = (2, 4, 8, 20, 60)
WRITE_MS: Quantiles = (3, 5, 9, 25, 80)
TRANSACTION_MS: Quantiles = (6, 12, 20, 50, 150)
"""Assumed call latency in milliseconds at 0, 50, 90, 99 and 100 %. Transactions lock items throughout."""
LEVELS = (0.0, 0.5, 0.9, 0.99, 1.0)
BLOCKS = 10_000
"""Number of blocks of 10,000 numbers that requests are spread over: a hundred million numbers."""


class Spread(Enum):
    """How the requests spread over the items of a kind."""

    OWN = "one for each number or verification"
    COUNTED = "shards of a count that every request shares"
    BLOCK = "one for each block of numbers"
    FEW = "one for each provider"
    ONE = "one, which every request reads and none writes"


@dataclass(frozen=True)
class Kind:
    """A kind of item under 1 KB, so that a read or a write is one unit."""

    name: str
    spread: Spread = Spread.OWN


NUMBER = Kind("number")
VERIFICATION = Kind("verification")
SERVICE_DAY = Kind("service's day", Spread.COUNTED)
COUNTRY_DAY = Kind("country's day", Spread.COUNTED)
BLOCK_DAY = Kind("block's day", Spread.BLOCK)
BREAKER = Kind("breaker", Spread.FEW)
STOPS = Kind("stops", Spread.ONE)


@dataclass(frozen=True)
class Step:
    """One call to DynamoDB."""

    kinds: tuple[Kind, ...]
    writes: bool = True

    @property
    def is_transaction(self) -> bool:
        """Whether it is several writes in one transaction, which costs twice the units."""
        return self.writes and len(self.kinds) > 1


READ = Step((NUMBER, STOPS, SERVICE_DAY, COUNTRY_DAY, BLOCK_DAY, BREAKER, BREAKER), writes=False)
RESERVE = Step((NUMBER, VERIFICATION, SERVICE_DAY, COUNTRY_DAY, BLOCK_DAY))
SETTLE = Step((VERIFICATION,))
GUESS = Step((VERIFICATION,))
NUMBER_GUESS = Step((NUMBER,))
CONSUME = Step((VERIFICATION, NUMBER, COUNTRY_DAY, BLOCK_DAY))
CONSUME_LEAST = Step((VERIFICATION, NUMBER))
"""The second try, without the counters."""

REQUEST = (READ, RESERVE, SETTLE)
VERIFY = (GUESS, NUMBER_GUESS, CONSUME)


def units(steps: tuple[Step, ...], shards: int) -> tuple[int, int]:
    """Read and write units of one request or verification without conflicts."""
    read = write = 0
    for step in steps:
        if step.writes:
            write += len(step.kinds) * (2 if step.is_transaction else 1)
        else:
            read += sum(_copies(kind, shards) for kind in step.kinds)
    return read, write


def _copies(kind: Kind, shards: int) -> int:
    """Number of items of a kind that one request reads."""
    return min(SAMPLE, shards) if kind.spread is Spread.COUNTED else 1


class Throttled(Exception):
    """DynamoDB throttled every retry. The request is answered 500 or 503."""


class Contended(Exception):
    """Every retry conflicted with another transaction."""


Waits = Generator[float, None, None]
"""A process: yields the seconds to wait."""


class Partition:
    """The units left now, capped at one second's, because AWS guarantees no burst capacity."""

    __slots__ = ("at", "left")

    def __init__(self) -> None:
        self.at = 0.0
        self.left = [0.0, 0.0]

    def refill(self, now: float) -> list[float]:
        """Refill by the time passed. Returns [read, write] units left."""
        passed, self.at = now - self.at, now
        self.left[0] = min(PARTITION_READ_UNITS, self.left[0] + passed * PARTITION_READ_UNITS)
        self.left[1] = min(PARTITION_WRITE_UNITS, self.left[1] + passed * PARTITION_WRITE_UNITS)
        return self.left


@dataclass
class Table:
    """An on-demand table with a number of partitions, and the counts of its calls."""

    random: Random
    partitions: int
    shards: int
    now: float = 0.0
    counts: Counter[str] = field(default_factory=Counter)
    held: dict[tuple[str, int], float] = field(default_factory=dict)
    """When the transaction on a shared item ends, by item; virtual seconds."""
    places: dict[tuple[str, int], int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._partitions = [Partition() for _ in range(self.partitions)]

    def read(self, step: Step) -> Waits:
        """One BatchGetItem, and one retry of its unprocessed keys. Raises Throttled."""
        keys = [key for kind in step.kinds for key in self._sampled(kind)]
        for pause in (LEFT_PAUSE, 0):
            keys = [key for key in keys if not self._take(0, [self._place(key)], 1)]
            yield self._lasts(READ_MS)
            if not keys:
                return
            self.counts["throttled calls"] += 1
            yield self._pause(pause)
        raise Throttled

    def write(self, step: Step) -> Waits:
        """One write or one transaction. Raises Throttled, Contended."""
        keys = [self._written(kind) for kind in step.kinds]
        shared = [key for key in keys if key is not None]
        cost_of_one = 2 if step.is_transaction else 1
        places = [self._place(key) for key in keys]
        for pause in CONFLICT_PAUSES:
            yield from self._spend(places, cost_of_one, retries=not step.is_transaction)
            lasts = self._lasts(TRANSACTION_MS if step.is_transaction else WRITE_MS)
            self.counts["transactions"] += step.is_transaction
            if all(self.held.get(key, 0.0) <= self.now for key in shared):
                if step.is_transaction:
                    self.held.update(dict.fromkeys(shared, self.now + lasts))
                yield lasts
                return
            self.counts["conflicts"] += 1
            yield lasts + self._pause(pause)
        raise Contended

    def _spend(self, places: list[int], each: int, *, retries: bool) -> Waits:
        # botocore retries throttled calls, but not transactions, whose refusal has another error code.
        for attempt in range(AWS_TRIES if retries else 1):
            if self._take(1, places, each):
                return
            self.counts["throttled calls"] += 1
            yield self._lasts(WRITE_MS) + self.random.random() * 2**attempt
        raise Throttled

    def _take(self, kind: int, places: list[int], each: int) -> bool:
        """Whether every partition had the units. A refused transaction spends no units."""
        needed = Counter(places)
        lefts = [(self._partitions[place].refill(self.now), count * each) for place, count in needed.items()]
        if any(left[kind] < count for left, count in lefts):
            return False
        for left, count in lefts:
            left[kind] -= count
            self.counts["write units" if kind else "read units"] += count
        return True

    def _sampled(self, kind: Kind) -> list[tuple[str, int] | None]:
        """As `budgets.DayCounter.sample`."""
        if kind.spread is not Spread.COUNTED:
            return [self._written(kind)]
        if self.shards <= SAMPLE:
            return [(kind.name, shard) for shard in range(self.shards)]
        others = self.random.sample(range(1, self.shards), SAMPLE - 1)
        return [(kind.name, shard) for shard in (0, *others)]

    def _written(self, kind: Kind) -> tuple[str, int] | None:
        """The item that a request writes; None if no other request shares it. As `DayCounter.increment`."""
        if kind.spread is Spread.OWN:
            return None
        if kind.spread is Spread.BLOCK:
            return (kind.name, self._below(BLOCKS))
        if kind.spread is Spread.FEW:
            return (kind.name, self._below(2))
        if kind.spread is Spread.ONE:
            return (kind.name, 0)
        if self.shards <= SAMPLE:
            return (kind.name, self._below(self.shards))
        return (kind.name, 1 + self._below(self.shards - 1))

    def _place(self, key: tuple[str, int] | None) -> int:
        """The partition of an item: random but fixed, like its hash."""
        if key is None:
            return self._below(self.partitions)
        if key not in self.places:
            self.places[key] = self._below(self.partitions)
        return self.places[key]

    def _below(self, end: int) -> int:
        return int(self.random.random() * end)

    def _pause(self, milliseconds: int) -> float:
        """Seconds of a pause with jitter, at most doubled, as in the code."""
        return milliseconds * (1 + self.random.random()) / 1000

    def _lasts(self, quantiles: Quantiles) -> float:
        """Random seconds of one call; only arithmetic that is equal on every machine."""
        drawn = self.random.random()
        above = next(index for index, level in enumerate(LEVELS) if drawn <= level and index)
        share = (drawn - LEVELS[above - 1]) / (LEVELS[above] - LEVELS[above - 1])
        return (quantiles[above - 1] + share * (quantiles[above] - quantiles[above - 1])) / 1000


def request(table: Table) -> Waits:
    """As `request_code`: read, decide, reserve, retry on a conflict; settle after the send."""
    for _ in range(RESERVE_TRIES):
        yield from table.read(READ)
        try:
            yield from table.write(RESERVE)
        except Contended:
            continue
        yield from table.write(SETTLE)
        return
    raise Contended


def verify(table: Table) -> Waits:
    """As `verify_code`: both guesses, then consume; without the counters if they conflict or throttle."""
    yield from table.write(GUESS)
    yield from table.write(NUMBER_GUESS)
    try:
        yield from table.write(CONSUME)
    except (Contended, Throttled):
        table.counts["consumed without counters"] += 1
        yield from table.write(CONSUME_LEAST)


@dataclass(frozen=True)
class Run:
    """The results of one rate on one table. Shares in percent; milliseconds without the provider's time."""

    rate: int
    table: str
    partitions: int
    shards: int
    throttled: float
    contended: float
    conflicts: float
    request_p99: float | None
    verify_p99: float | None
    read_units: float
    write_units: float
    """Units of one request and its verification."""

    @property
    def dollars_an_hour(self) -> float:
        """The AWS bill without the SMS."""
        spent = replace(cost.MEASURED, read_units=round(self.read_units), write_units=round(self.write_units))
        return sum(line.of_a_million for line in cost.ours(spent)) * self.rate * HOUR / cost.MILLION


def simulate(rate: int, partitions: int, verifications: int, seed: int = 1, name: str = "") -> Run:
    """Simulate `verifications` requests and verifications at random moments; `rate` is per second."""
    random = Random(seed)  # noqa: S311 - a simulation, which must repeat
    table = Table(random, partitions, shards_of(rate))
    span = verifications / rate
    failures: Counter[str] = Counter()
    times: dict[Callable[[Table], Waits], list[float]] = {request: [], verify: []}
    waiting: list[tuple[float, int, float, Callable[[Table], Waits], Waits]] = []
    for kind in times:
        for begins in sorted(random.random() * span for _ in range(verifications)):
            waiting.append((begins, len(waiting), begins, kind, kind(table)))
    heapq.heapify(waiting)
    while waiting:
        now, number, begins, kind, process = heapq.heappop(waiting)
        table.now = now
        try:
            heapq.heappush(waiting, (now + next(process), number, begins, kind, process))
        except StopIteration:
            times[kind].append(now - begins)
        except (Throttled, Contended) as failed:
            failures[type(failed).__name__] += 1
    done = 2 * verifications
    return Run(
        rate,
        name,
        partitions,
        table.shards,
        throttled=100 * failures["Throttled"] / done,
        contended=100 * failures["Contended"] / done,
        conflicts=100 * table.counts["conflicts"] / max(1, table.counts["transactions"]),
        request_p99=p99(times[request]),
        verify_p99=p99(times[verify]),
        read_units=table.counts["read units"] / verifications,
        write_units=table.counts["write units"] / verifications,
    )


def p99(seconds: list[float]) -> float | None:
    """The 99th percentile in milliseconds; None without any sample."""
    if not seconds:
        return None
    return 1000 * sorted(seconds)[min(len(seconds) - 1, int(0.99 * len(seconds)))]


def shards_of(rate: int) -> int:
    """The shards of a deployment whose cap pays a day of codes to the US at this rate."""
    return shards_for(int(rate * DAY * PRICE))


def needed(rate: int) -> tuple[int, int]:
    """Read and write units a second at this rate of requests and verifications."""
    read, write = units((*REQUEST, *VERIFY), shards_of(rate))
    return read * rate, write * rate


def grown(rate: int) -> int:
    """Partitions of a table that served this rate before: on-demand keeps room for twice the peak."""
    read, write = needed(rate)
    most = max(2 * read / PARTITION_READ_UNITS, 2 * write / PARTITION_WRITE_UNITS)
    return max(NEW_TABLE_PARTITIONS, math.ceil(most))


def minutes_to_grow(rate: int) -> int:
    """Minutes until a new table serves this rate, doubling each half hour; 0 if it does at once."""
    _, write = needed(rate)
    doublings = math.ceil(math.log2(max(1.0, write / (NEW_TABLE_PARTITIONS * PARTITION_WRITE_UNITS))))
    return doublings * DOUBLING_MINUTES


def runs(verifications: int = 5_000) -> list[Run]:
    """Simulate each rate on a new table and on a grown one, for at least two seconds."""
    made = []
    for rate in RATES:
        for name, partitions in (("new", NEW_TABLE_PARTITIONS), ("grown", grown(rate))):
            made.append(simulate(rate, partitions, max(verifications, 2 * rate), name=name))
    return made


def tables(made: list[Run]) -> str:
    """The page's tables in Markdown: the simulated and the computed one."""
    return "\n".join([*_simulated(made), "", *_reckoned()]) + "\n"


def _simulated(made: list[Run]) -> Iterator[str]:
    yield (
        "| requests a second | table | partitions | shards of a count | throttled, % "
        "| refused as contended, % | transactions that met another, % "
        "| p99 of a request, ms | p99 of a verification, ms | read units | write units | USD an hour |"
    )
    yield "| --- |" + " --- |" * 11
    for run in made:
        # Only a served load has a bill.
        bill = f"{run.dollars_an_hour:,.2f}" if run.throttled < 1 else "-"
        cells = (
            f"{run.rate:,}",
            run.table,
            run.partitions,
            run.shards,
            *(f"{share:.1f}" for share in (run.throttled, run.contended, run.conflicts)),
            *("-" if time is None else f"{time:.0f}" for time in (run.request_p99, run.verify_p99)),
            *(f"{spent:.1f}" for spent in (run.read_units, run.write_units)),
            bill,
        )
        yield f"| {' | '.join(map(str, cells))} |"


def _reckoned() -> Iterator[str]:
    yield (
        "| requests a second | read units a second | write units a second | a new table has grown after "
        "| Lambda executions at once | calls a second at API Gateway | above its default quota |"
    )
    yield "| --- |" + " --- |" * 6
    measured = cost.MEASURED
    seconds = (measured.request_ms + measured.verify_ms + measured.waiting_ms) / 1000
    for rate in RATES:
        read, write = needed(rate)
        executions = math.ceil(rate * seconds)
        over = {
            "DynamoDB table": max(read, write) > TABLE_QUOTA,
            "Lambda": executions > LAMBDA_QUOTA,
            "API Gateway": measured.gateway_calls * rate > GATEWAY_QUOTA,
        }
        minutes = minutes_to_grow(rate)
        cells = (
            f"{rate:,}",
            f"{read:,}",
            f"{write:,}",
            f"{minutes} min" if minutes else "at once",
            f"{executions:,}",
            f"{measured.gateway_calls * rate:,}",
            ", ".join(name for name, is_over in over.items() if is_over) or "none",
        )
        yield f"| {' | '.join(cells)} |"


def written(page: str, made: str) -> str:
    """The page with these tables between its two markers."""
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n{made}\n{END}{after}"


def main() -> None:
    """Print the tables, or write them into the page."""
    arguments = argparse.ArgumentParser(prog="bench.scale")
    arguments.add_argument("--write", action="store_true", help=f"put the tables into {PAGE.name}")
    made = runs()
    if arguments.parse_args().write:
        PAGE.write_text(written(PAGE.read_text(), tables(made)))
        return
    print(tables(made))
    OUTPUT.parent.mkdir(exist_ok=True)
    OUTPUT.write_text(json.dumps([asdict(run) for run in made], indent=2) + "\n")


if __name__ == "__main__":
    main()
