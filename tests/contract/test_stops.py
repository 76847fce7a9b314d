"""The stops of administrators: one suite for DynamoDB, on three engines, and for the fake."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import phonenumbers
import pytest
from mypy_boto3_dynamodb import DynamoDBClient

from fakes.memory import START, MemoryStore
from sms_otp.adapters.dynamodb.stops import STOPS_PK, DynamoStops
from sms_otp.adapters.dynamodb.store import DynamoStore
from sms_otp.adapters.providers import registry
from sms_otp.domain.clock import Seconds
from sms_otp.domain.ports import AdmissionQuery, SendingStops, Store, StoreError
from sms_otp.domain.stops import EVERYTHING, LONGEST, NO_STOPS, Scope, Stop, Stops
from sms_otp.entry_points.schemas import CHANNELS, STOP_SENDING
from tests.contract.engines import engine
from tests.tables import tables

TABLE = "stops"
NOW = Seconds(int(START))
LATER, LATEST = Seconds(NOW + 600), Seconds(NOW + 6000)
GB, SE = Stop(Scope.COUNTRY, "GB"), Stop(Scope.COUNTRY, "SE")
VOICE, SINCH = Stop(Scope.CHANNEL, "voice"), Stop(Scope.PROVIDER, "sinch")
EVERY_COUNTRY = tuple(Stop(Scope.COUNTRY, country) for country in sorted(phonenumbers.SUPPORTED_REGIONS))


@dataclass
class Both:
    """The stops that administrators write, and the store that a send reads."""

    stops: SendingStops
    store: Store

    def read(self) -> Stops:
        """Read the stops as a send does."""
        return self.store.read(AdmissionQuery("a-number", "a-tenant", with_stops=True)).stops


ENGINES = ["moto", "ministack", "dynamodb-local"]


@pytest.fixture(params=ENGINES)
def client(request: pytest.FixtureRequest) -> Iterator[DynamoDBClient]:
    with engine(request.param, request) as made, tables(made, {TABLE: "Table"}):
        yield made


@pytest.fixture(params=["memory", *ENGINES])
def both(request: pytest.FixtureRequest) -> Iterator[Both]:
    if request.param == "memory":
        store = MemoryStore()
        yield Both(store.stops, store)
        return
    with engine(request.param, request) as made, tables(made, {TABLE: "Table"}):
        yield Both(DynamoStops(made, TABLE), DynamoStore(made, TABLE))


def test_nothing_is_stopped_until_somebody_stops_it(both: Both) -> None:
    assert both.read() == NO_STOPS
    assert both.stops.resume([EVERYTHING, GB]) == NO_STOPS
    assert both.read() == NO_STOPS


def test_every_kind_of_stop_is_read_by_the_next_send_as_it_was_made(both: Both) -> None:
    made = both.stops.stop([EVERYTHING], LATER, NOW)
    assert made == Stops({EVERYTHING: LATER})
    made = both.stops.stop([GB, SE, VOICE, SINCH], LATEST, NOW)
    assert made == Stops({EVERYTHING: LATER, GB: LATEST, SE: LATEST, VOICE: LATEST, SINCH: LATEST})
    assert both.read() == made


def test_a_read_that_sends_nothing_does_not_look_at_the_stops(both: Both) -> None:
    both.stops.stop([EVERYTHING], LATER, NOW)
    assert both.store.read(AdmissionQuery("a-number", "a-tenant")).stops == NO_STOPS


def test_a_stop_that_is_made_again_has_the_newer_end(both: Both) -> None:
    both.stops.stop([GB], LATER, NOW)
    assert both.stops.stop([GB], LATEST, NOW) == Stops({GB: LATEST})
    assert both.stops.stop([GB], LATER, NOW) == Stops({GB: LATER})


def test_a_resumption_ends_the_stops_that_it_names_and_no_other(both: Both) -> None:
    both.stops.stop([EVERYTHING, GB, SE], LATER, NOW)
    assert both.stops.resume([GB, VOICE]) == Stops({EVERYTHING: LATER, SE: LATER})
    assert both.stops.resume([EVERYTHING]) == Stops({SE: LATER})
    assert both.stops.resume([SE]) == NO_STOPS
    assert both.read() == NO_STOPS


# Of the engines, those that take several callers at once.
@pytest.mark.parametrize("both", ["memory", "server", "dynamodb-local"], indirect=True)
def test_concurrent_administrators_do_not_undo_each_others_changes(both: Both) -> None:
    kept, ended = EVERY_COUNTRY[:8], EVERY_COUNTRY[8:16]
    both.stops.stop(ended, LATER, NOW)
    with ThreadPoolExecutor(16) as pool:
        acts = [pool.submit(both.stops.stop, [stop], LATEST, NOW) for stop in kept]
        acts += [pool.submit(both.stops.resume, [stop]) for stop in ended]
        for act in acts:
            act.result()
    assert both.read() == Stops(dict.fromkeys(kept, LATEST))


def test_as_many_countries_as_the_api_takes_are_stopped_in_one_write(both: Both) -> None:
    most = STOP_SENDING["properties"]["countries"]["maxItems"]
    made = both.stops.stop(EVERY_COUNTRY[:most], LATER, NOW)
    assert len(made.ends) == most
    assert both.stops.resume(EVERY_COUNTRY[:most]) == NO_STOPS


def test_an_item_with_every_possible_stop_is_one_read_unit(client: DynamoDBClient) -> None:
    stops = DynamoStops(client, TABLE)
    for start in range(0, len(EVERY_COUNTRY), 100):
        stops.stop(EVERY_COUNTRY[start : start + 100], LATER, NOW)
    stops.stop([Stop(Scope.CHANNEL, name) for name in CHANNELS], LATER, NOW)
    stops.stop([Stop(Scope.PROVIDER, name) for name in registry.NAMES], LATER, NOW)
    stops.stop([EVERYTHING], LATER, NOW)
    item = client.get_item(TableName=TABLE, Key={"pk": {"S": STOPS_PK}})["Item"]
    # docs.aws.amazon.com/amazondynamodb/latest/developerguide/CapacityUnitCalculations.html: a number is
    # a byte for each two digits, and one more.
    sizes = (
        len(name) + (len(value["S"]) if "S" in value else len(value["N"]) // 2 + 2)
        for name, value in item.items()
    )
    assert sum(sizes) < 4096


def test_the_item_outlives_every_stop_in_it_and_then_ends(client: DynamoDBClient) -> None:
    stops = DynamoStops(client, TABLE)
    stops.stop([GB], Seconds(NOW + LONGEST), NOW)
    stops.stop([SE], Seconds(NOW + 160), Seconds(NOW + 100))
    item = client.get_item(TableName=TABLE, Key={"pk": {"S": STOPS_PK}})["Item"]
    assert item["ttl"] == {"N": str(NOW + 100 + LONGEST)}


@pytest.mark.parametrize(
    "malformed",
    [
        {"to_GB": {"S": "1800000600"}},
        {"to_GB": {"N": "0.5"}},
        {"to_": {"N": "1800000600"}},
        {"all_GB": {"N": "1800000600"}},
        {"tenant_a": {"N": "1800000600"}},
        {"all": {"N": "1800000600"}},
        {"stopped": {"BOOL": True}},
    ],
    ids=str,
)
def test_a_send_fails_on_a_malformed_item_of_stops(
    client: DynamoDBClient, malformed: dict[str, dict[str, str]]
) -> None:
    item = {"pk": {"S": STOPS_PK}, "by_voice": {"N": str(LATER)}, **malformed}
    client.put_item(TableName=TABLE, Item=item)
    store, stops = DynamoStore(client, TABLE), DynamoStops(client, TABLE)
    with pytest.raises(StoreError, match="malformed item of stops"):
        store.read(AdmissionQuery("a-number", "a-tenant", with_stops=True))
    with pytest.raises(StoreError, match="malformed item of stops"):
        stops.stop([SE], LATER, NOW)
    assert store.read(AdmissionQuery("a-number", "a-tenant")).stops == NO_STOPS, "checking goes on"


def test_a_malformed_stop_is_repaired_by_stopping_or_resuming_again(client: DynamoDBClient) -> None:
    item = {"pk": {"S": STOPS_PK}, "to_GB": {"S": "tomorrow"}}
    client.put_item(TableName=TABLE, Item=item)
    stops = DynamoStops(client, TABLE)
    assert stops.stop([GB], LATER, NOW) == Stops({GB: LATER})
    client.put_item(TableName=TABLE, Item=item)
    assert stops.resume([GB]) == NO_STOPS
