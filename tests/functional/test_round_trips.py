"""What goes over the wire to DynamoDB for one request: the calls are counted as botocore sends them."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import pytest
from mypy_boto3_dynamodb import DynamoDBClient

from fakes.memory import StepClock
from ops import cost
from sms_otp.adapters.dynamodb.circuits import DynamoCircuits
from sms_otp.adapters.providers.test_numbers import FixedCodes
from sms_otp.domain.circuit import NUMBERS as FAILURES
from sms_otp.domain.circuit import OPEN
from sms_otp.domain.clock import Deadline
from sms_otp.domain.provider import Channel, Check, NotSent, Sent
from sms_otp.entry_points import bootstrap
from sms_otp.use_cases.circuit_breaker import CircuitBreaker
from sms_otp.use_cases.failover import Router
from sms_otp.use_cases.service import Service
from tests.functional.deployment import Deployment

NUMBERS = [f"+141555501{index:02d}" for index in range(20, 60)]
READ, WRITE, TRANSACTION = "BatchGetItem", "UpdateItem", "TransactWriteItems"


@dataclass
class Scripted:
    """A provider that is up or down; its one code is right."""

    name: str
    is_down: bool = False
    asked: int = 0
    channels: ClassVar[frozenset[Channel]] = frozenset(Channel)

    def send(self, *_: Any, **__: Any) -> Sent:
        self.asked += 1
        if self.is_down:
            raise NotSent(self.name, "scripted")
        return Sent(f"a-ref-of-{self.name}")

    def resend(self, ref: str, *_: Any, **__: Any) -> Sent:
        return replace(self.send(), ref=ref)

    def check(self, ref: str, otp: str, *, channel: Channel, deadline: Deadline) -> Check:
        del ref, channel, deadline
        return Check.CORRECT if otp == "123456" else Check.WRONG


class SecretCache:
    """Holds nothing, which is enough."""

    def credentials(self, provider: str) -> Mapping[str, str]:
        return {"of": provider}

    def forget_credentials(self) -> None:
        pass


def silent(event: str, **fields: Any) -> None:
    """Tells nobody."""


@dataclass
class Wire:
    """The deployed functions over a scripted first and second provider, and what they asked of DynamoDB."""

    deployed: Deployment
    service: Service
    first: Scripted
    second: Scripted
    operations: list[str]

    def restarted(self) -> None:
        """A new execution environment, which knows nothing yet."""
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

    made = Wire(deployed, replace(_wired, clock=clock), first, second, operations)
    made.restarted()
    monkeypatch.setattr(bootstrap, "service", lambda: made.service)
    # The service's own client, and the breaker's in these tests.
    clients = (bootstrap._dynamodb(), _dynamodb)
    for client in clients:
        client.meta.events.register("before-call.dynamodb", count)
    yield made
    for client in clients:
        client.meta.events.unregister("before-call.dynamodb", count)


def test_a_request_is_three_round_trips_whatever_the_environment_knew(wire: Wire) -> None:
    for number in NUMBERS[:3]:
        wire.restarted()
        assert wire.post("request_otp", phoneNumber=number)[1] == [READ, TRANSACTION, WRITE]


def test_a_failover_is_one_write_more_that_the_circuit_counts(wire: Wire) -> None:
    wire.first.is_down = True
    relisted = TRANSACTION  # the number's list says who holds the code, with the record of the send
    assert wire.post("request_otp", phoneNumber=NUMBERS[0])[1] == [READ, TRANSACTION, WRITE, relisted]
    assert (wire.first.asked, wire.second.asked) == (1, 1)


def test_an_open_circuit_is_known_from_the_same_read_in_every_environment(wire: Wire) -> None:
    wire.first.is_down = True
    for number in NUMBERS[:FAILURES]:
        wire.post("request_otp", phoneNumber=number)
    asked = wire.first.asked
    wire.restarted()
    assert wire.post("request_otp", phoneNumber=NUMBERS[10])[1] == [READ, TRANSACTION, TRANSACTION]
    assert wire.first.asked == asked == FAILURES


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
    assert wire.first.asked == FAILURES + 2


def test_a_right_code_is_three_round_trips(wire: Wire) -> None:
    requested, _ = wire.post("request_otp", phoneNumber=NUMBERS[0])
    told = wire.post("verify_otp", verificationId=requested["verificationId"], otp="123456")
    assert told[1] == [WRITE, WRITE, TRANSACTION]


def test_a_verification_consumes_the_write_units_that_the_bill_reckons_with(wire: Wire) -> None:
    consumed: list[float] = []

    def ask(params: dict[str, Any], model: Any, **_: Any) -> None:
        # Of a read that finds nothing the emulator tells none.
        if model.name != READ:
            params["ReturnConsumedCapacity"] = "TOTAL"

    def note(parsed: dict[str, Any], **_: Any) -> None:
        told = parsed.get("ConsumedCapacity", [])
        consumed.extend(table["CapacityUnits"] for table in (told if isinstance(told, list) else [told]))

    events = bootstrap._dynamodb().meta.events
    events.register("before-parameter-build.dynamodb", ask)
    events.register("after-call.dynamodb", note)
    requested, _ = wire.post("request_otp", phoneNumber=NUMBERS[0])
    wire.post("verify_otp", verificationId=requested["verificationId"], otp="123456")
    events.unregister("before-parameter-build.dynamodb", ask)
    events.unregister("after-call.dynamodb", note)
    assert len(consumed) == 5
    assert sum(consumed) == cost.MEASURED.write_units
