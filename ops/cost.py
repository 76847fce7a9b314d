"""Estimate the monthly cost of a stack without traffic, and of its verifications.

    python -m ops.cost --countries 2 --providers 2 --verifications 50000
    python -m ops.cost --tables

Prices are in US dollars, from AWS (us-east-1) and the providers' public pages; check them before you rely
on them. A verification is one request and one right code. Of the free tier, only CloudWatch's first metrics
and alarms are included, because they do not expire.
"""

import argparse
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from local.template import template
from ops.template import Stack
from sms_otp.adapters.telemetry import metrics
from sms_otp.domain.prices import Prices

MILLION = 1_000_000
EUR = 1.10
"""Dollars, rounded."""


@dataclass(frozen=True)
class Measured:
    """Resource use of one verification, as `make bench` counts and measures it."""

    memory_mb: int = 512
    request_ms: float = 60.0
    verify_ms: float = 60.0
    """Warm means in Lambda's image at this memory, providers answering at once, rounded up to tens."""
    waiting_ms: float = 400.0
    """Added wait for a provider and DynamoDB, both functions together. Assumed."""
    invocations: int = 2
    gateway_calls: int = 2
    read_units: int = 7
    write_units: float = 21
    """For an unknown number; see `WRITE_UNITS`."""
    log_kb: float = 3.9
    """2.0 for both functions' lines and metrics, 0.7 for Lambda's platform lines, 0.9 for the access log.
    CloudWatch adds 26 bytes to each of the twelve lines."""


MEASURED = Measured()

WRITE_UNITS = {"unknown": 21, "known": 17, "own": 13}
"""Write units of one verification without `clientIp`, by the budget that it is charged to."""
CLIENT_UNITS, KEY_UNITS = 4, 5
"""Added write units with `clientIp`, and with an Idempotency-Key."""
OTHER_UNITS = {
    "taken": 11,
    "ambiguous": 11,
    "doubtful": 25,
    "refused": 11,
    "own code": 1,
    "report": 1,
    "cancelled": 1,
    "cancelled at Sinch": 2,
}
"""Write units of a request for an unknown number by its outcome, of a callback and of a cancellation."""


def _callbacks(count: int, read_units: int, write_units: int, *, over_http: bool = True) -> Measured:
    return Measured(
        request_ms=60.0 * count,
        verify_ms=0,
        waiting_ms=0,
        invocations=count,
        gateway_calls=count if over_http else 0,
        read_units=read_units,
        write_units=write_units,
        log_kb=1.5 * count,
    )


CALLBACKS: Mapping[str, Measured] = {
    "infobip": _callbacks(1, read_units=2, write_units=1),
    "sinch": _callbacks(3, read_units=2, write_units=2),
    "aws": _callbacks(1, read_units=1, write_units=1, over_http=False),
}
"""Cost of a provider's callbacks for one verification. Each sends a delivery report. Infobip's carries no
reference, so the number's item is read too. Sinch also calls back for the code and with the result."""
KNOWN_SHARE = 0.8
"""Share of verifications by known numbers, in a service with returning users. Assumed."""


@dataclass(frozen=True)
class Line:
    """One line of the bill: a price, and the units that a verification uses."""

    what: str
    per_verification: float
    unit: str
    price: float
    """US dollars for one unit."""
    source: str

    @property
    def of_a_million(self) -> float:
        """Dollars for a million verifications."""
        return self.per_verification * self.price * MILLION


def ours(measured: Measured = MEASURED) -> tuple[Line, ...]:
    """The lines that AWS bills. The provider bills the SMS on top."""
    seconds = (measured.request_ms + measured.verify_ms + measured.waiting_ms) / 1000
    gateway = "aws.amazon.com/api-gateway/pricing"
    function, table, logs = (
        "aws.amazon.com/lambda/pricing",
        "aws.amazon.com/dynamodb/pricing",
        "aws.amazon.com/cloudwatch/pricing",
    )
    return (
        Line("API Gateway, REST", measured.gateway_calls, "calls", 3.50 / MILLION, gateway),
        Line("Lambda, requests", measured.invocations, "requests", 0.20 / MILLION, function),
        Line("Lambda, arm64", round(seconds * measured.memory_mb / 1024, 4), "GB-s", 0.0000133334, function),
        Line("DynamoDB, reads", measured.read_units, "units", 0.125 / MILLION, table),
        Line("DynamoDB, writes", measured.write_units, "units", 0.625 / MILLION, table),
        Line("CloudWatch, logs taken in", measured.log_kb, "KB", 0.50 / MILLION, logs),
        Line(
            "X-Ray, one trace in twenty",
            measured.invocations * 0.05,
            "traces",
            5.00 / MILLION,
            "aws.amazon.com/xray/pricing",
        ),
    )


METRIC, ALARM, SECRET, KEY = 0.30, 0.10, 0.40, 1.00
"""Dollars a month: aws.amazon.com/cloudwatch/pricing, /secrets-manager/pricing, /kms/pricing."""
FREE_METRICS, FREE_ALARMS = 10, 10
"""Free in each account, without expiry."""
SNAPSHOT = 1.98
"""Dollars a month for the snapshot of one function of 512 MB."""
EVERYWHERE = 10
"""Number of countries assumed for `AllowedCountries=*`."""


@dataclass(frozen=True)
class Bill:
    """The monthly bill without traffic, assuming that each metric is measured in every hour."""

    metrics: int
    alarms: int
    secrets: int
    keys: int
    snapshots: int

    @property
    def dollars(self) -> float:
        """An upper bound: a metric without measurements in an hour is not billed for that hour."""
        return (
            max(0, self.metrics - FREE_METRICS) * METRIC
            + max(0, self.alarms - FREE_ALARMS) * ALARM
            + self.secrets * SECRET
            + self.keys * KEY
            + self.snapshots * SNAPSHOT
        )

    @property
    def words(self) -> str:
        """The billed resources, as text."""
        counted = {
            "metrics": self.metrics,
            "alarms": self.alarms,
            "secrets": self.secrets,
            "keys": self.keys,
            "snapshots": self.snapshots,
        }
        billed = ", ".join(f"{count} {name}" for name, count in counted.items() if count)
        return f"{billed}; an account's first {FREE_METRICS} metrics and {FREE_ALARMS} alarms are free"


def fixed(stack: Stack, countries: int | None = None, providers: int | None = None) -> Bill:
    """Compute the bill from the template and the metrics. Counts default to the stack's parameters."""
    kinds = [resource["Type"] for resource in stack.resources().values()]
    return Bill(
        metrics=_metrics(stack, countries or _countries(stack), providers or _providers(stack)),
        alarms=kinds.count("AWS::CloudWatch::Alarm"),
        secrets=kinds.count("AWS::SecretsManager::Secret"),
        keys=kinds.count("AWS::KMS::Key"),
        snapshots=_snapshots(stack) if stack.holds("StartsFromSnapshots") else 0,
    )


def _snapshots(stack: Stack) -> int:
    return sum("SnapStart" in resource["Properties"] for resource in stack.resources().values())


def _metrics(stack: Stack, countries: int, providers: int) -> int:
    """Count each metric once for the service, and once for each value of its dimensions."""
    places = {"country": countries, "provider": providers}
    by_name: dict[str, set[str]] = {}
    for metric in metrics.all():
        by_name.setdefault(metric.name, set()).update(metric.dimensions(stack.parameters["MetricDetail"]))
    for condition, names in UNMEASURED.items():
        if not stack.holds(condition):
            by_name = {name: by for name, by in by_name.items() if name not in names}
    return sum(1 + sum(places[place] for place in by) for by in by_name.values())


UNMEASURED: Mapping[str, tuple[str, ...]] = {
    "IssuesTokens": ("TokenFailed",),
    "GuardsAgainstPumping": ("UnverifiedSends", "ExpiredUnused", "SendSuspect"),
}
"""Metrics that exist only if a condition of the template holds, by condition."""


def _countries(stack: Stack) -> int:
    allowed = stack.parameters["AllowedCountries"]
    return EVERYWHERE if allowed == "*" else len(allowed.split(","))


def _providers(stack: Stack) -> int:
    named = f"{stack.parameters['ProviderOrder']},{stack.parameters['ProviderRoutes']}"
    return sum(provider in named for provider in ("infobip", "sinch", "aws"))


@dataclass(frozen=True)
class Offer:
    """A product's fee for one verification, without the SMS."""

    name: str
    fee: float
    source: str

    def of_a_million(self, sms: float = 0.0) -> float:
        """Dollars for a million verifications, each with one SMS at this price."""
        return (self.fee + sms) * MILLION


def offers() -> tuple[Offer, ...]:
    """The offers compared, this service first. Each bills the SMS on top."""
    own = sum(line.of_a_million for line in ours()) / MILLION
    return (
        Offer("this service", own, "the table above"),
        Offer("Twilio Verify", 0.05, "twilio.com/verify/pricing: a successful verification"),
        Offer(
            "Vonage Verify",
            0.05 * EUR,
            "api.support.vonage.com, article 360038161032: EUR 0.05 for a successful verification",
        ),
        Offer(
            "Amazon Cognito",
            0.015,
            "aws.amazon.com/cognito/pricing: a user of a month, Essentials, each verified once",
        ),
    )


def mixed() -> Measured:
    """An average verification with `clientIp`, `KNOWN_SHARE` of the numbers known."""
    units = KNOWN_SHARE * WRITE_UNITS["known"] + (1 - KNOWN_SHARE) * WRITE_UNITS["unknown"] + CLIENT_UNITS
    return replace(MEASURED, write_units=round(units, 1), read_units=MEASURED.read_units + 1)


def provider_table() -> str:
    """The cost of a million verifications by provider, in Markdown."""
    dollars = sum(line.of_a_million for line in ours(mixed()))
    rows = [
        f"| provider | USD for a million, {KNOWN_SHARE:.0%} of the numbers known | callbacks for each "
        "| USD with these |",
        "| --- | --- | --- | --- |",
    ]
    for provider, measured in CALLBACKS.items():
        more = sum(line.of_a_million for line in ours(measured))
        rows.append(f"| {provider} | {dollars:.2f} | {measured.invocations} | {dollars + more:.2f} |")
    return "\n".join(rows) + "\n"


def cost_table() -> str:
    """The cost of a million verifications, line by line, in Markdown."""
    return "\n".join(_cost_rows()) + "\n"


def _cost_rows() -> Iterator[str]:
    yield "| billed | for one verification | price of one | USD for a million | source |"
    yield "| --- | --- | --- | --- | --- |"
    for line in ours():
        price = f"{line.price:.10f}".rstrip("0")
        used = f"{line.per_verification:g} {line.unit}"
        yield f"| {line.what} | {used} | {price} | {line.of_a_million:.2f} | {line.source} |"
    yield f"| **together** | | | **{sum(line.of_a_million for line in ours()):.2f}** | |"


def offer_table(country: str = "US") -> str:
    """The offers, without and with the SMS to one country, in Markdown."""
    sms = Prices().dollars(country, "sms")
    row = "| {} | {:,.2f} | {:,.2f} | {} |"
    rows = [
        f"| | USD for a million, without SMS | with SMS to {country} at {sms:g} | source |",
        "| --- | --- | --- | --- |",
        *(
            row.format(offer.name, offer.of_a_million(), offer.of_a_million(sms), offer.source)
            for offer in offers()
        ),
    ]
    return "\n".join(rows) + "\n"


def defaults(**parameters: str) -> Stack:
    """A stack with the template's defaults and these parameters."""
    declared = template()["Parameters"]
    values = {name: str(known.get("Default", "*")) for name, known in declared.items()}
    return Stack(template(), "sms-otp", values | parameters)


def month(countries: int, providers: int, verifications: int, detail: str = "service") -> str:
    """The monthly bill as text, without SMS."""
    bill = fixed(defaults(MetricDetail=detail), countries, providers)
    traffic = sum(line.of_a_million for line in ours()) / MILLION * verifications
    return "\n".join(
        [
            f"fixed      {bill.dollars:9.2f} USD at most: {bill.words}",
            f"traffic    {traffic:9.2f} USD for {verifications:,} verifications",
            f"together   {bill.dollars + traffic:9.2f} USD a month; the provider bills SMS on top",
        ]
    )


def main() -> None:
    """Print the monthly bill, or the tables of docs/performance.md."""
    parser = argparse.ArgumentParser(prog="python -m ops.cost", description=__doc__)
    parser.add_argument("--countries", type=int, default=1, help="(default: %(default)s)")
    parser.add_argument("--providers", type=int, default=1, choices=[1, 2, 3], help="(default: %(default)s)")
    parser.add_argument("--verifications", type=int, default=10_000, help="a month (default: %(default)s)")
    parser.add_argument("--detail", default="service", choices=["service", "places"], help="MetricDetail")
    parser.add_argument("--tables", action="store_true", help="what a million costs, line by line")
    arguments = parser.parse_args()
    if arguments.tables:
        print(cost_table())
        print(provider_table())
        print(offer_table())
        return
    print(month(arguments.countries, arguments.providers, arguments.verifications, arguments.detail))


if __name__ == "__main__":
    main()
