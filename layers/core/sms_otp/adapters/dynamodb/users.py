"""Users in their own DynamoDB table: one item for each number and tenant.

    numberKey, tenant   country, firstRequestedAt, lastRequestedAt; requestedConsent until verification;
                        verifiedAt, verifiedUntil, purposes, consent after it

The store writes users in its own transactions, so that no code is sent or used up without its user.
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
        """Record a request for a code, without a change to what a verification wrote.

        A verified user keeps its TTL. The condition fails where that ends before the request's own
        retention; `lives_on` is for the second try, and sets the request's TTL.
        """
        values: dict[str, Any] = {
            "country": verification.country,
            "now": now,
            "ttl": self._retention.unverified_until(now),
        }
        consent = ""
        if (stored := _stored_consent(verification)) is not None:
            consent, values["consent"] = ", requestedConsent = :consent", stored
        return self._update(
            verification,
            f"SET country = :country, lastRequestedAt = :now, #ttl = {':ttl' if lives_on else KEPT_UNTIL},"
            f" firstRequestedAt = if_not_exists(firstRequestedAt, :now){consent}",
            values,
            f"NOT ({ENDS_LATER})" if lives_on else ENDS_LATER,
        )

    def verified(self, verification: Verification, now: Seconds, *, with_purpose: bool) -> WriteRequest:
        """Record a verification. Conditioned only `with_purpose`: on room for one more purpose."""
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
        if (stored := _stored_consent(verification)) is not None:
            expression, values["consent"] = f"{expression}, consent = :consent", stored
        expression += " REMOVE requestedConsent"
        if verification.purpose is None or not with_purpose:
            return self._update(verification, expression, values)
        values |= {"purpose": verification.purpose, "most": MOST_PURPOSES}
        values["purposes"] = frozenset({verification.purpose})
        return self._update(
            verification, f"{expression} ADD purposes :purposes", values, HAS_ROOM_FOR_PURPOSE
        )

    def of(self, number_key: str) -> list[User]:
        """The number's users at all tenants. Strongly consistent."""
        return [_user_of(item) for item in self._table.partition("numberKey", number_key)]

    def erase(self, number_key: str) -> int:
        """Delete the number's users at all tenants; return how many were deleted."""
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


def _stored_consent(verification: Verification) -> dict[str, Any] | None:
    """The request's consent as it is stored; None if the request had none."""
    consent = verification.consent
    if consent is None:
        return None
    at = verification.created_at
    return {"textVersion": consent.text_version, "source": consent.source, "at": at}


def _consent_record(item: Item | None) -> ConsentRecord | None:
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
        consent=_consent_record(item.get("consent")),
        requested_consent=_consent_record(item.get("requestedConsent")),
        kept_until=None if until == FOREVER else until,
    )


def _moment(number: Mapping[str, Any]) -> Seconds:
    return Seconds(number["N"])
