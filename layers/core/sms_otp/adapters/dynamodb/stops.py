"""The stops of sending in DynamoDB: one item `S#`, which exists only after a recent stop.

    all_, to_<country>, by_<channel>, via_<provider>     seconds; when the stop ends
    ttl                                                  when every stop in it has ended

Each stop is its own attribute, so that administrators who stop or resume at once do not undo each other's
changes. An item with all countries is still below 4 KB: one read unit.
"""

from collections.abc import Collection
from typing import TYPE_CHECKING

from sms_otp.adapters.dynamodb.client import ConditionFailed, Item, Table, update
from sms_otp.adapters.dynamodb.writes import IS_THERE
from sms_otp.domain.clock import Seconds
from sms_otp.domain.ports import StoreError
from sms_otp.domain.stops import LONGEST, NO_STOPS, Scope, Stop, Stops

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

STOPS_PK = "S#"
_NO_STOP = ("pk", "ttl")
_WORDS = {Scope.ALL: "all", Scope.COUNTRY: "to", Scope.CHANNEL: "by", Scope.PROVIDER: "via"}
_SCOPES = {word: scope for scope, word in _WORDS.items()}


def stops_of(item: Item | None) -> Stops:
    """Parse the item. Raises `StoreError` if it is malformed: what it stops is unknown."""
    if item is None:
        return NO_STOPS
    try:
        return Stops(
            {_stop_of(name): Seconds(int(value["N"])) for name, value in item.items() if name not in _NO_STOP}
        )
    except (KeyError, ValueError) as error:
        raise StoreError(f"malformed item of stops: {type(error).__name__}") from None


class DynamoStops:
    """Implements `ports.SendingStops`. Safe to share between requests."""

    def __init__(self, client: "DynamoDBClient", table: str) -> None:
        self._table = Table(client, table)

    def stop(self, stops: Collection[Stop], until: Seconds, now: Seconds) -> Stops:
        """See `ports.SendingStops`."""
        ends = ", ".join(f"{_name(stop)} = :until" for stop in stops)
        # The longest possible stop, so every other stop of the item has ended by then too.
        ttl = now + LONGEST
        return stops_of(
            self._table.update(update(STOPS_PK, f"SET #ttl = :ttl, {ends}", until=until, ttl=ttl))
        )

    def resume(self, stops: Collection[Stop]) -> Stops:
        """See `ports.SendingStops`."""
        names = ", ".join(map(_name, stops))
        try:
            return stops_of(self._table.update(update(STOPS_PK, f"REMOVE {names}", IS_THERE)))
        except ConditionFailed:
            return NO_STOPS


def _name(stop: Stop) -> str:
    """The attribute of a stop. The underscore avoids `ALL`, a reserved word in DynamoDB."""
    return f"{_WORDS[stop.scope]}_{stop.name}"


def _stop_of(attribute: str) -> Stop:
    """The inverse of `_name`. Raises KeyError or ValueError for any other attribute."""
    word, separator, name = attribute.partition("_")
    stop = Stop(_SCOPES[word], name)
    if not separator or bool(name) == (stop.scope is Scope.ALL):
        raise ValueError(attribute)
    return stop
