"""What a million verifications cost, and what others ask for them: `python -m bench.cost` prints both tables.

Prices are in US dollars, of AWS's us-east-1 and of the providers' public pages; look them up before you
rely on them. A verification is one request and one right code. What does not grow with their number, some
dollars a month for secrets, metrics and alarms, is left out; so is the free tier.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from bench import prices

MILLION = 1_000_000
EUR = 1.10
"""Dollars, rounded."""


@dataclass(frozen=True)
class Measured:
    """Of one verification, as `make bench` counts and measures it."""

    memory_mb: int = 512
    request_ms: float = 60.0
    verify_ms: float = 60.0
    """In Lambda's image, warm, with answers that come at once: means at this memory, rounded up to tens."""
    waiting_ms: float = 400.0
    """What a provider and DynamoDB are waited for on top, in both functions together. Assumed."""
    calls: int = 2
    read_units: int = 9
    write_units: int = 29
    log_kb: float = 4.0
    """Lines and metrics of both functions, and the API's two lines of access log."""


MEASURED = Measured()


@dataclass(frozen=True)
class Line:
    """One price, and how much of it a verification uses."""

    what: str
    per_verification: float
    unit: str
    price: float
    """For one of the unit."""
    source: str

    @property
    def of_a_million(self) -> float:
        """Dollars for a million verifications."""
        return self.per_verification * self.price * MILLION


def ours(measured: Measured = MEASURED) -> tuple[Line, ...]:
    """What AWS bills. The SMS comes on top, from a provider of your own choice."""
    seconds = (measured.request_ms + measured.verify_ms + measured.waiting_ms) / 1000
    gateway = "aws.amazon.com/api-gateway/pricing"
    function, table, logs = (
        "aws.amazon.com/lambda/pricing",
        "aws.amazon.com/dynamodb/pricing",
        "aws.amazon.com/cloudwatch/pricing",
    )
    return (
        Line("API Gateway, REST", measured.calls, "calls", 3.50 / MILLION, gateway),
        Line("Lambda, requests", measured.calls, "requests", 0.20 / MILLION, function),
        Line("Lambda, arm64", round(seconds * measured.memory_mb / 1024, 4), "GB-s", 0.0000133334, function),
        Line("DynamoDB, reads", measured.read_units, "units", 0.125 / MILLION, table),
        Line("DynamoDB, writes", measured.write_units, "units", 0.625 / MILLION, table),
        Line("CloudWatch, logs taken in", measured.log_kb, "KB", 0.50 / MILLION, logs),
        Line(
            "X-Ray, one trace in twenty",
            measured.calls * 0.05,
            "traces",
            5.00 / MILLION,
            "aws.amazon.com/xray/pricing",
        ),
    )


@dataclass(frozen=True)
class Offer:
    """What a product asks for one verification, without the SMS."""

    name: str
    fee: float
    source: str

    def of_a_million(self, sms: float = 0.0) -> float:
        """Dollars for a million verifications, each with one SMS at this price."""
        return (self.fee + sms) * MILLION


def offers() -> tuple[Offer, ...]:
    """Ours first. Each asks for the SMS on top."""
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


def cost_table() -> str:
    """The bill of a million, line by line, in Markdown."""
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
    """Ours beside the others', without and with the SMS to one country, in Markdown."""
    sms = prices.price(country)
    told = "| {} | {:,.2f} | {:,.2f} | {} |"
    rows = [
        f"| | USD for a million, without SMS | with SMS to {country} at {sms:g} | source |",
        "| --- | --- | --- | --- |",
        *(
            told.format(offer.name, offer.of_a_million(), offer.of_a_million(sms), offer.source)
            for offer in offers()
        ),
    ]
    return "\n".join(rows) + "\n"


if __name__ == "__main__":
    print(cost_table())
    print(offer_table())
