"""The shared state of circuit breakers: one suite for DynamoDB, on two engines, and for the fake."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import boto3
import pytest

from fakes.memory import MemoryCircuits
from sms_otp.adapters.dynamodb.circuits import DynamoCircuits, circuit_pk
from sms_otp.domain.circuit import KEEP, OPEN, PROBE_LEASE, WINDOW, Circuit, State
from sms_otp.domain.clock import Milliseconds, to_seconds
from sms_otp.domain.ports import Circuits
from tests.contract.engines import engine
from tests.emulator import emulated_aws
from tests.tables import create_table, tables

NOW = Milliseconds(1_800_000_000_000)
TABLE = "circuits"
NUMBERS = ("aaaaaaaa", "bbbbbbbb", "cccccccc")


@pytest.fixture(params=["memory", "ministack", "dynamodb-local"])
def circuits(request: pytest.FixtureRequest) -> Iterator[DynamoCircuits | MemoryCircuits]:
    if request.param == "memory":
        yield MemoryCircuits()
        return
    with engine(request.param, request) as client, tables(client, {TABLE: "Table"}):
        yield DynamoCircuits(client, TABLE)


Both = DynamoCircuits | MemoryCircuits


def opened(circuits: Circuits) -> None:
    assert circuits.open("infobip", NOW)


def test_a_circuit_without_failures_is_not_stored(circuits: Both) -> None:
    assert circuits.read(("infobip", "sinch")) == {}


def test_failures_are_counted_by_number_and_stale_ones_are_forgotten(circuits: Both) -> None:
    circuits.add_failure("infobip", NUMBERS[0], NOW, ())
    circuits.add_failure("infobip", NUMBERS[0], NOW + Milliseconds(1), ())
    circuits.add_failure("infobip", NUMBERS[1], NOW + Milliseconds(2), ())
    found = circuits.read(("infobip",))["infobip"]
    assert found == Circuit(failures={NUMBERS[0]: NOW + Milliseconds(1), NUMBERS[1]: NOW + Milliseconds(2)})
    later = NOW + Milliseconds(1) + WINDOW
    assert found.stale(later) == (NUMBERS[0],)
    circuits.add_failure("infobip", NUMBERS[2], later, found.stale(later))
    kept = circuits.read(("infobip", "sinch"))["infobip"]
    assert kept.failures == {NUMBERS[1]: NOW + Milliseconds(2), NUMBERS[2]: later}


def test_a_number_that_fails_again_is_not_forgotten_as_stale(circuits: Both) -> None:
    circuits.add_failure("infobip", NUMBERS[0], NOW, ())
    found, later = circuits.read(("infobip",))["infobip"], NOW + WINDOW
    circuits.add_failure("infobip", NUMBERS[0], later, found.stale(later))
    assert circuits.read(("infobip",))["infobip"].failures == {NUMBERS[0]: later}


def test_a_circuit_is_opened_once(circuits: Both) -> None:
    opened(circuits)
    assert not circuits.open("infobip", NOW + Milliseconds(1))
    assert circuits.read(("infobip",))["infobip"].opened_at == NOW


# Of the engines, those that take several callers at once.
@pytest.mark.parametrize("circuits", ["memory", "server", "dynamodb-local"], indirect=True)
def test_one_of_many_requests_is_elected_to_probe(circuits: Both) -> None:
    opened(circuits)
    read, due = circuits.read(("infobip",))["infobip"], NOW + OPEN
    with ThreadPoolExecutor(8) as pool:
        elected = list(pool.map(lambda _: circuits.elect("infobip", read, due), range(8)))
    assert elected.count(True) == 1
    assert circuits.read(("infobip",))["infobip"].state(due) is State.OPEN


def test_another_request_may_probe_when_the_lease_has_ended(circuits: Both) -> None:
    opened(circuits)
    read = circuits.read(("infobip",))["infobip"]
    assert circuits.elect("infobip", read, NOW + OPEN)
    assert not circuits.elect("infobip", read, NOW + OPEN + PROBE_LEASE - Milliseconds(1))
    assert circuits.elect("infobip", read, NOW + OPEN + PROBE_LEASE)


def test_a_circuit_that_changed_since_it_was_read_is_not_probed(circuits: Both) -> None:
    opened(circuits)
    read = circuits.read(("infobip",))["infobip"]
    circuits.reopen("infobip", NOW + Milliseconds(5))
    assert not circuits.elect("infobip", read, NOW + OPEN)


def test_a_probe_that_is_handed_on_lets_the_next_request_probe(circuits: Both) -> None:
    opened(circuits)
    read = circuits.read(("infobip",))["infobip"]
    assert circuits.elect("infobip", read, NOW + OPEN)
    assert circuits.hand_on("infobip")
    assert circuits.read(("infobip",))["infobip"].state(NOW + OPEN) is State.HALF_OPEN


def test_a_failed_probe_restarts_the_open_time_of_the_circuit(circuits: Both) -> None:
    opened(circuits)
    read = circuits.read(("infobip",))["infobip"]
    assert circuits.elect("infobip", read, NOW + OPEN)
    assert circuits.reopen("infobip", NOW + OPEN)
    found = circuits.read(("infobip",))["infobip"]
    assert (found.opened_at, found.probe_until) == (NOW + OPEN, None)


def test_a_circuit_is_closed_once_and_forgets_its_failures(circuits: Both) -> None:
    circuits.add_failure("infobip", NUMBERS[0], NOW, ())
    opened(circuits)
    assert circuits.close("infobip")
    assert not circuits.close("infobip")
    assert circuits.read(("infobip",)) == {}


def test_a_closed_circuit_is_neither_reopened_nor_handed_on(circuits: Both) -> None:
    assert not circuits.reopen("infobip", NOW)
    assert not circuits.hand_on("infobip")
    circuits.add_failure("infobip", NUMBERS[0], NOW, ())
    assert not circuits.close("infobip")
    assert circuits.read(("infobip",))["infobip"].failures == {NUMBERS[0]: NOW}


def test_the_item_of_a_circuit_has_a_ttl() -> None:
    with emulated_aws():
        client = boto3.client("dynamodb", region_name="eu-west-1")
        create_table(client, TABLE)
        circuits = DynamoCircuits(client, TABLE)
        circuits.add_failure("infobip", NUMBERS[0], NOW, ())
        circuits.open("infobip", NOW)
        item = client.get_item(TableName=TABLE, Key={"pk": {"S": circuit_pk("infobip")}})["Item"]
    assert int(item["ttl"]["N"]) == to_seconds(NOW + KEEP)
    assert item["f_aaaaaaaa"] == {"N": str(NOW)}
