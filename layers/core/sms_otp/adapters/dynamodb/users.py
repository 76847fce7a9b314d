"""The users on DynamoDB, in a table of their own: one item for each number and tenant.

    numberKey, tenant   country, firstRequestedAt, lastRequestedAt; requestedConsent until it is verified;
                        verifiedAt, verifiedUntil, purposes, consent from then on

What the store writes of them is a step of its own transactions, so that no code is sent or used up
without it.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from sms_otp.adapters.dynamodb.client import Item, Table, WriteRequest, typed
from sms_otp.domain.clock import Seconds
from sms_otp.domain.users import FOREVER, MOST_PURPOSES, Consent, ConsentRecord, Retention, User
from sms_otp.domain.verification import Verification

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

HAS_ROOM_FOR_PURPOSE = (
    "attribute_not_exists(purposes) OR size(purposes) < :most OR contains(purposes, :purpose)"
)
KEPT_UNTIL = "if_not_exists(verifiedUntil, :ttl)"
ENDS_LATER = "attribute_not_exists(verifiedUntil) OR verifiedUntil >= :ttl"


class UsersTable:
    """Safe to share between requests."""

    def __init__(self, client: "DynamoDBClient", name: str, retention: Retention) -> None:
        self._table = Table(client, name)
        self._name = name
        self._retention = retention

    def requested(self, verification: Verification, now: Seconds, *, lives_on: bool = False) -> WriteRequest:
        """A code is sent to the number. Changes nothing that was verified.

        What was verified is kept as long as it would be without the request, and its condition fails where
        that ends before the request's own record. It `lives_on` then, as long as the request's.
        """
        values: dict[str, Any] = {
            "country": verification.country,
            "now": now,
            "ttl": self._retention.unverified_until(now),
        }
        consent = ""
        if (given := _given(verification)) is not None:
            consent, values["consent"] = ", requestedConsent = :consent", given
        return self._update(
            verification,
            f"SET country = :country, lastRequestedAt = :now, #ttl = {':ttl' if lives_on else KEPT_UNTIL},"
            f" firstRequestedAt = if_not_exists(firstRequestedAt, :now){consent}",
            values,
            f"NOT ({ENDS_LATER})" if lives_on else ENDS_LATER,
        )

    def verified(self, verification: Verification, now: Seconds, *, with_purpose: bool) -> WriteRequest:
        """The number is verified. Its one condition fails where there is no room for the purpose."""
        values: dict[str, Any] = {
            "country": verification.country,
            "now": now,
            "requested": verification.created_at,
            "until": self._retention.verified_until(now),
        }
        expression = (
            "SET country = :country, verifiedAt = :now, verifiedUntil = :until, #ttl = :until,"
            " firstRequestedAt = if_not_exists(firstRequestedAt, :requested),"
            " lastRequestedAt = if_not_exists(lastRequestedAt, :requested)"
        )
        if (given := _given(verification)) is not None:
            expression, values["consent"] = f"{expression}, consent = :consent", given
        expression += " REMOVE requestedConsent"
        if verification.purpose is None or not with_purpose:
            return self._update(verification, expression, values)
        values |= {"purpose": verification.purpose, "most": MOST_PURPOSES}
        values["purposes"] = frozenset({verification.purpose})
        return self._update(
            verification, f"{expression} ADD purposes :purposes", values, HAS_ROOM_FOR_PURPOSE
        )

    def of(self, number_key: str) -> list[User]:
        """The number at every tenant. Strongly consistent."""
        return [_user_of(item) for item in self._table.partition("numberKey", number_key)]

    def erase(self, number_key: str) -> int:
        """Forget the number at every tenant, and how many there were."""
        return sum(
            self._table.remove({"Delete": {"Key": _key(number_key, user.tenant)}}) is not None
            for user in self.of(number_key)
        )

    def _update(
        self,
        verification: Verification,
        expression: str,
        values: dict[str, Any],
        condition: str | None = None,
    ) -> WriteRequest:
        conditioned = {"ConditionExpression": condition} if condition else {}
        return {
            "Update": {
                "TableName": self._name,
                "Key": _key(verification.number_key, verification.tenant),
                "UpdateExpression": expression,
                "ExpressionAttributeNames": {"#ttl": "ttl"},
                "ExpressionAttributeValues": {f":{name}": typed(value) for name, value in values.items()},
                **conditioned,
            }
        }


def _key(number_key: str, tenant: str) -> Item:
    return {"numberKey": typed(number_key), "tenant": typed(tenant)}


def _given(verification: Verification) -> dict[str, Any] | None:
    """The consent that came with a code, as it is stored."""
    consent = verification.consent
    if consent is None:
        return None
    at = verification.created_at
    return {"textVersion": consent.text_version, "source": consent.source, "at": at}


def _given_of(item: Item | None) -> ConsentRecord | None:
    if item is None:
        return None
    stored = item["M"]
    return ConsentRecord(Consent(stored["textVersion"]["S"], stored["source"]["S"]), _moment(stored["at"]))


def _user_of(item: Item) -> User:
    until = _moment(item["ttl"])
    return User(
        tenant=item["tenant"]["S"],
        country=item["country"]["S"],
        first_requested_at=_moment(item["firstRequestedAt"]),
        last_requested_at=_moment(item["lastRequestedAt"]),
        verified_at=_moment(item["verifiedAt"]) if "verifiedAt" in item else None,
        purposes=tuple(sorted(item.get("purposes", {"SS": []})["SS"])),
        consent=_given_of(item.get("consent")),
        requested_consent=_given_of(item.get("requestedConsent")),
        kept_until=None if until == FOREVER else until,
    )


def _moment(number: Mapping[str, Any]) -> Seconds:
    return Seconds(number["N"])
