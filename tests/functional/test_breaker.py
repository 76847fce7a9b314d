"""The circuit breaker on a table: what it stops, what it lets through, and what its store's failure does."""

import itertools
import time
from collections.abc import Callable, Iterator

import boto3
import pytest
from mypy_boto3_dynamodb import DynamoDBClient

from sms_otp.adapters.providers.breaker import (
    FAILURES,
    OPEN_SECONDS,
    SLOW_SECONDS,
    STATE_AGE_SECONDS,
    CircuitBreaker,
)
from sms_otp.domain.provider import Ambiguous, NotAsked, ProviderError, Refused, Sent, Throttled, Unavailable
from tests.emulator import emulated_aws
from tests.functional.deployment import create_table

TABLE = "a-table"
names = (f"provider-{index}" for index in itertools.count())


@pytest.fixture
def client() -> Iterator[DynamoDBClient]:
    with emulated_aws():
        client = boto3.client("dynamodb", region_name="eu-west-1")
        create_table(client, TABLE)
        yield client


@pytest.fixture
def told() -> list[tuple[str, str]]:
    return []


@pytest.fixture
def breaker(client: DynamoDBClient, told: list[tuple[str, str]]) -> CircuitBreaker:
    return CircuitBreaker(client, TABLE, lambda event, **fields: told.append((event, fields["provider"])))


@pytest.fixture
def name() -> str:
    """A provider that no test has used: the utility counts failures in the process, by name."""
    return next(names)


def works() -> Sent:
    return Sent("ref")


def fails(kind: type[ProviderError]) -> Callable[[], Sent]:
    def act() -> Sent:
        raise kind("fake", "scripted")

    return act


def trip(breaker: CircuitBreaker, name: str, kind: type[ProviderError] = Unavailable) -> None:
    for _ in range(FAILURES):
        with pytest.raises(kind):
            breaker.call(name, fails(kind), has_next=True)


@pytest.mark.parametrize("kind", [Unavailable, Throttled, Ambiguous])
def test_failures_in_a_row_open_it_and_the_provider_is_left_alone(
    breaker: CircuitBreaker, told: list[tuple[str, str]], name: str, kind: type[ProviderError]
) -> None:
    trip(breaker, name, kind)
    asked: list[int] = []
    with pytest.raises(NotAsked, match="breaker_open"):
        breaker.call(name, lambda: asked.append(1), has_next=True)
    assert asked == []
    assert told == [("breaker_open", name)]


def test_a_number_that_is_refused_says_nothing_of_the_provider(breaker: CircuitBreaker, name: str) -> None:
    for _ in range(FAILURES * 2):
        with pytest.raises(Refused):
            breaker.call(name, fails(Refused), has_next=True)
    assert breaker.call(name, works, has_next=True) == Sent("ref")


def test_a_success_starts_the_count_anew(breaker: CircuitBreaker, name: str) -> None:
    for _ in range(FAILURES * 3):
        with pytest.raises(Unavailable):
            breaker.call(name, fails(Unavailable), has_next=True)
        breaker.call(name, works, has_next=True)


def test_another_environment_learns_of_it_from_the_table(
    client: DynamoDBClient, breaker: CircuitBreaker, name: str
) -> None:
    trip(breaker, name)
    other = CircuitBreaker(client, TABLE, lambda *_, **__: None)
    with pytest.raises(Unavailable, match="breaker_open"):
        other.call(name, works, has_next=True)


class Slowly:
    """A provider that takes its time and says yes, and the clock that it takes it from."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.now = 0.0

    def __call__(self) -> Sent:
        self.now += self.seconds
        return Sent("ref")


@pytest.mark.parametrize(
    ("seconds", "has_next", "state"),
    [
        pytest.param(SLOW_SECONDS + 1, True, ["breaker_open"], id="slow, and there is another"),
        pytest.param(SLOW_SECONDS + 1, False, [], id="slow, but there is no other"),
        pytest.param(SLOW_SECONDS, True, [], id="not slow"),
    ],
)
def test_a_provider_that_is_slow_again_and_again_is_left_alone_where_another_may_be_faster(
    client: DynamoDBClient,
    told: list[tuple[str, str]],
    name: str,
    seconds: float,
    has_next: bool,
    state: list[str],
) -> None:
    provider = Slowly(seconds)
    breaker = CircuitBreaker(
        client, TABLE, lambda event, **fields: told.append((event, fields["provider"])), lambda: provider.now
    )
    for _ in range(FAILURES):
        assert breaker.call(name, provider, has_next=has_next) == Sent("ref"), (
            "its user has a code all the same"
        )
    assert [event for event, _ in told] == state


def test_one_provider_says_nothing_of_another(breaker: CircuitBreaker, name: str) -> None:
    trip(breaker, name)
    assert breaker.call(next(names), works, has_next=True) == Sent("ref")


def test_a_table_that_cannot_be_read_never_stops_a_send(
    client: DynamoDBClient, breaker: CircuitBreaker, name: str
) -> None:
    client.delete_table(TableName=TABLE)
    assert breaker.call(name, works, has_next=True) == Sent("ref")
    trip(breaker, name)
    assert breaker.call(name, works, has_next=True) == Sent("ref")


def test_after_a_while_one_probe_decides_whether_it_closes(
    breaker: CircuitBreaker,
    client: DynamoDBClient,
    told: list[tuple[str, str]],
    name: str,
) -> None:
    trip(breaker, name)
    opened = int(client.get_item(TableName=TABLE, Key={"pk": {"S": f"K#{name}"}})["Item"]["opened_at"]["N"])
    client.update_item(
        TableName=TABLE,
        Key={"pk": {"S": f"K#{name}"}},
        UpdateExpression="SET opened_at = :then",
        ExpressionAttributeValues={":then": {"N": str(opened - OPEN_SECONDS)}},
    )
    later = CircuitBreaker(client, TABLE, lambda event, **fields: told.append((event, fields["provider"])))
    assert later.call(name, works, has_next=True) == Sent("ref")
    assert [event for event, _ in told] == ["breaker_open", "breaker_half_open", "breaker_closed"]
    assert later.call(name, works, has_next=True) == Sent("ref")


def test_what_an_environment_knows_of_the_state_grows_old_quickly() -> None:
    assert STATE_AGE_SECONDS < OPEN_SECONDS


def test_a_provider_that_is_left_alone_is_named_with_the_reason_and_when_it_is_tried_again(
    breaker: CircuitBreaker, name: str
) -> None:
    """The provider is a dimension of metrics; a reason in its place would be one more of them each time."""
    trip(breaker, name)
    with pytest.raises(NotAsked) as refused:
        breaker.call(name, works, has_next=True)
    error = refused.value
    assert (error.provider, error.reason, error.retry_after) == (name, "breaker_open", OPEN_SECONDS)


def test_what_is_stored_of_a_breaker_is_deleted_within_days(
    client: DynamoDBClient, breaker: CircuitBreaker, name: str
) -> None:
    trip(breaker, name)
    item = client.get_item(TableName=TABLE, Key={"pk": {"S": f"K#{name}"}})["Item"]
    assert 0 < int(item["ttl"]["N"]) - time.time() < 7 * 24 * 3600
    assert abs(int(item["opened_at"]["N"]) - time.time()) < 60
