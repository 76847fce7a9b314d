"""The DynamoDB calls of one request, counted as botocore sends them."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import pytest
from mypy_boto3_dynamodb import DynamoDBClient

from fakes.memory import StepClock
from generators import events
from ops import cost
from sms_otp.adapters.dynamodb.circuits import DynamoCircuits
from sms_otp.adapters.providers.test_numbers import FixedCodes
from sms_otp.domain import keys
from sms_otp.domain.budgets import DayCounter
from sms_otp.domain.circuit import NUMBERS as FAILURES
from sms_otp.domain.circuit import OPEN
from sms_otp.domain.clock import HOUR, Deadline, Seconds, seconds
from sms_otp.domain.commands import Caller
from sms_otp.domain.countries import History
from sms_otp.domain.ports import OwnCode
from sms_otp.domain.prices import USD
from sms_otp.domain.provider import (
    Ambiguous,
    Channel,
    Check,
    Delivery,
    Doubtful,
    NotSent,
    ProviderError,
    Refused,
    Sent,
)
from sms_otp.entry_points import bootstrap
from sms_otp.use_cases.circuit_breaker import CircuitBreaker
from sms_otp.use_cases.failover import Router
from sms_otp.use_cases.service import Service
from sms_otp.use_cases.status import Lifecycle
from tests.functional.deployment import PATHS, Deployment

NUMBERS = [f"+141555501{index:02d}" for index in range(20, 60)]
READ, WRITE, TRANSACTION = "BatchGetItem", "UpdateItem", "TransactWriteItems"
PUT = "PutItem"
"""Only tests use it: the service puts items within transactions only."""


@dataclass
class Scripted:
    """A provider that is up or down; its one code is right."""

    name: str
    is_down: bool = False
    fails_with: type[ProviderError] | None = None
    calls: int = 0
    message_id: str | None = None

    def send(self, *_: Any, **__: Any) -> Sent:
        self.calls += 1
        if self.is_down:
            raise NotSent(self.name, "scripted")
        if self.fails_with:
            raise self.fails_with(self.name, "scripted")
        return Sent(f"a-ref-of-{self.name}", message_id=self.message_id)

    def resend(self, ref: str, *_: Any, **__: Any) -> Sent:
        return replace(self.send(), ref=ref)

    def check(self, ref: str, otp: str, *, channel: Channel, deadline: Deadline) -> Check:
        del ref, channel, deadline
        return Check.CORRECT if otp == "123456" else Check.WRONG


class SecretCache:
    """Made-up credentials, which the scripted providers do not read."""

    def credentials(self, provider: str) -> Mapping[str, str]:
        return {"of": provider}

    def forget_credentials(self) -> None:
        pass


def silent(event: str, **fields: Any) -> None:
    """Emits nothing."""


@dataclass
class Wire:
    """The deployed functions over a scripted first and second provider, and their DynamoDB operations."""

    deployed: Deployment
    service: Service
    first: Scripted
    second: Scripted
    operations: list[str]

    def restarted(self) -> None:
        """Start a new execution environment, which has cached nothing yet."""
        providers = {each.name: each for each in (self.first, self.second)}
        breaker = CircuitBreaker(
            DynamoCircuits(self.deployed.dynamodb, self.deployed.table), self.service.clock, silent
        )

        def build(name: str, _: Mapping[str, str]) -> Any:
            return providers[name]

        router = Router(tuple(providers), {}, SecretCache(), build, FixedCodes({}), breaker, silent)
        self.service = replace(self.service, providers=router)

    def post(self, function: str, **members: Any) -> tuple[Any, list[str]]:
        """The answer's body, and the operations."""
        self.operations.clear()
        answer = self.deployed.post(function, **members)
        assert answer.status == 200, answer.text
        return answer.body, list(self.operations)


@pytest.fixture
def wire(
    deployed: Deployment,
    _wired: Service,
    _dynamodb: DynamoDBClient,
    clock: StepClock,
    monkeypatch: pytest.MonkeyPatch,
    request: pytest.FixtureRequest,
) -> Iterator[Wire]:
    first, second = (Scripted(f"{which}-{request.node.name}") for which in ("first", "second"))
    operations: list[str] = []

    def count(model: Any, **_: Any) -> None:
        operations.append(model.name)

    made = Wire(deployed, replace(_wired, clock=clock, history=History()), first, second, operations)
    made.restarted()
    monkeypatch.setattr(bootstrap, "service", lambda: made.service)
    # The service's own client, and the breaker's in these tests.
    clients = (bootstrap._dynamodb(), _dynamodb)
    for client in clients:
        client.meta.events.register("before-call.dynamodb", count)
    yield made
    for client in clients:
        client.meta.events.unregister("before-call.dynamodb", count)


def test_a_request_takes_three_round_trips_in_every_new_environment(wire: Wire) -> None:
    for number in NUMBERS[:3]:
        wire.restarted()
        assert wire.post("request_otp", phoneNumber=number)[1] == [READ, TRANSACTION, WRITE]


def test_a_failover_takes_one_more_write_for_the_circuit(wire: Wire) -> None:
    wire.first.is_down = True
    relisted = TRANSACTION  # the number record names the code's provider, with the record of the send
    assert wire.post("request_otp", phoneNumber=NUMBERS[0])[1] == [READ, TRANSACTION, WRITE, relisted]
    assert (wire.first.calls, wire.second.calls) == (1, 1)


def test_an_open_circuit_is_known_from_the_same_read_in_every_environment(wire: Wire) -> None:
    wire.first.is_down = True
    for number in NUMBERS[:FAILURES]:
        wire.post("request_otp", phoneNumber=number)
    calls = wire.first.calls
    wire.restarted()
    assert wire.post("request_otp", phoneNumber=NUMBERS[10])[1] == [READ, TRANSACTION, TRANSACTION]
    assert wire.first.calls == calls == FAILURES


def test_a_probe_is_elected_and_closes_the_circuit_for_everybody(wire: Wire) -> None:
    wire.first.is_down = True
    for number in NUMBERS[:FAILURES]:
        wire.post("request_otp", phoneNumber=number)
    wire.first.is_down = False
    pk = {"pk": {"S": f"K#{wire.first.name}"}}
    opened = wire.deployed.dynamodb.get_item(TableName=wire.deployed.table, Key=pk)["Item"]["openedAt"]["N"]
    wire.deployed.dynamodb.update_item(
        TableName=wire.deployed.table,
        Key=pk,
        UpdateExpression="SET openedAt = :then",
        ExpressionAttributeValues={":then": {"N": str(int(opened) - OPEN)}},
    )
    wire.restarted()
    probed = wire.post("request_otp", phoneNumber=NUMBERS[11])[1]
    assert probed == [READ, TRANSACTION, WRITE, "DeleteItem", WRITE]
    wire.restarted()
    assert wire.post("request_otp", phoneNumber=NUMBERS[12])[1] == [READ, TRANSACTION, WRITE]
    assert wire.first.calls == FAILURES + 2


def test_a_right_code_takes_three_round_trips(wire: Wire) -> None:
    requested, _ = wire.post("request_otp", phoneNumber=NUMBERS[0])
    verified = wire.post("verify_otp", verificationId=requested["verificationId"], otp="123456")
    assert verified[1] == [WRITE, WRITE, TRANSACTION]


@dataclass
class Meter:
    """The write units that DynamoDB reports as consumed, and the keys that were read."""

    consumed: list[float]
    read: list[list[str]]

    def spent(self) -> float:
        """The units consumed since the last call."""
        units = sum(self.consumed)
        self.consumed.clear()
        return units


@pytest.fixture
def meter(_dynamodb: DynamoDBClient) -> Iterator[Meter]:
    made = Meter([], [])

    def request_capacity(params: dict[str, Any], model: Any, **_: Any) -> None:
        # The emulator reports no capacity for a read that finds nothing.
        if model.name == READ:
            ((_table, request),) = params["RequestItems"].items()
            made.read.append([key["pk"]["S"] for key in request["Keys"]])
        elif model.name != PUT:
            params["ReturnConsumedCapacity"] = "TOTAL"

    def note(parsed: dict[str, Any], **_: Any) -> None:
        consumed = parsed.get("ConsumedCapacity", [])
        tables = consumed if isinstance(consumed, list) else [consumed]
        made.consumed.extend(table["CapacityUnits"] for table in tables)

    # The service's own client, and the breaker's in these tests.
    clients = (bootstrap._dynamodb(), _dynamodb)
    for client in clients:
        client.meta.events.register("before-parameter-build.dynamodb", request_capacity)
        client.meta.events.register("after-call.dynamodb", note)
    yield made
    for client in clients:
        client.meta.events.unregister("before-parameter-build.dynamodb", request_capacity)
        client.meta.events.unregister("after-call.dynamodb", note)


def with_history(wire: Wire, clock: StepClock) -> None:
    """A country that verified yesterday: no floor is needed, and its pool not counted."""
    yesterday = DayCounter.of("B#US", Seconds(int(clock()) - 24 * 3600)).first
    verified = {"N": str(1_000 * USD)}
    item = {"pk": {"S": yesterday}, "verified": verified, "verifiedKnown": verified}
    wire.deployed.dynamodb.put_item(TableName=wire.deployed.table, Item=item)


def verification(wire: Wire, number: str, **request: Any) -> dict[str, Any]:
    """Request a code and verify it. Returns the second answer."""
    requested, _ = wire.post("request_otp", phoneNumber=number, **request)
    verified, _ = wire.post("verify_otp", verificationId=requested["verificationId"], otp="123456")
    return dict(verified)


def test_a_verification_consumes_the_units_of_its_lane(wire: Wire, meter: Meter, clock: StepClock) -> None:
    with_history(wire, clock)
    unknown = verification(wire, NUMBERS[0])
    assert meter.spent() == cost.WRITE_UNITS["unknown"]
    clock.step(HOUR)
    verification(wire, NUMBERS[0])
    assert meter.spent() == cost.WRITE_UNITS["known"]
    clock.step(HOUR)
    verification(wire, NUMBERS[0], deviceToken=unknown["deviceToken"])
    assert meter.spent() == cost.WRITE_UNITS["own"]


def test_a_client_and_a_key_consume_the_units_on_the_bill(wire: Wire, meter: Meter, clock: StepClock) -> None:
    with_history(wire, clock)
    wire.first.message_id = "a-message"
    verification(wire, NUMBERS[0])
    assert meter.spent() == cost.WRITE_UNITS["unknown"] == cost.MEASURED.write_units
    wire.first.message_id = None
    verification(wire, NUMBERS[1], clientIp="192.0.2.7")
    assert meter.spent() == cost.WRITE_UNITS["unknown"] + cost.CLIENT_UNITS
    event = events.build(
        PATHS["request_otp"],
        headers=events.JSON_TYPE | {"Idempotency-Key": "a-key"},
        body=json.dumps({"phoneNumber": NUMBERS[2]}),
    )
    requested = wire.deployed.call("request_otp", event).body
    wire.post("verify_otp", verificationId=requested["verificationId"], otp="123456")
    assert meter.spent() == cost.WRITE_UNITS["unknown"] + cost.KEY_UNITS


def test_other_outcomes_consume_the_units_in_the_table(wire: Wire, meter: Meter, clock: StepClock) -> None:
    with_history(wire, clock)
    numbers = iter(NUMBERS)

    def request(kind: type[ProviderError] | None, expected: int) -> float:
        wire.first.fails_with = kind
        answer = wire.deployed.post("request_otp", phoneNumber=next(numbers))
        wire.first.fails_with = None
        assert answer.status == expected, answer.text
        return meter.spent()

    measured = {
        "taken": request(None, 200),
        "ambiguous": request(Ambiguous, 503),
        "doubtful": request(Doubtful, 200),
        "refused": request(Refused, 422),
    }
    requested, _ = wire.post("request_otp", phoneNumber=(number := next(numbers)))
    meter.spent()
    key = keys.verification_key(requested["verificationId"])
    wire.service.store.note_own_code(OwnCode(key, 0, "a-ref", number, seconds(clock)))
    measured["own code"] = meter.spent()
    wire.service.store.record_delivery(key, Delivery.DELIVERED)
    measured["report"] = meter.spent()
    for kept, ends_codes in (("cancelled", frozenset[str]()), ("cancelled at Sinch", {wire.first.name})):
        requested, _ = wire.post("request_otp", phoneNumber=next(numbers))
        meter.spent()
        service = wire.service
        lifecycle = Lifecycle(service.policy, service.store, clock, silent, frozenset(ends_codes))
        held = service.store.find(keys.verification_key(requested["verificationId"]))
        assert held is not None
        lifecycle.cancel(
            requested["verificationId"],
            Caller(held.tenant, "", Deadline(10), "198.51.100.1", "https://api.test"),
        )
        measured[kept] = meter.spent()
    assert measured == cost.OTHER_UNITS


def test_a_request_reads_one_unit_for_each_item_that_decides(
    wire: Wire, meter: Meter, clock: StepClock
) -> None:
    with_history(wire, clock)
    for number in NUMBERS[:2]:
        wire.post("request_otp", phoneNumber=number)
    first, second = meter.read
    assert len(first) == cost.MEASURED.read_units + 14, "the past days are read once in an environment"
    assert sorted(key[0] for key in second) == ["B", "D", "K", "K", "N", "P", "S"]
