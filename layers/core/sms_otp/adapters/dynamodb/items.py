"""The items of the table: their keys, and how each record is written as one and read back.

    V#<sha256(verificationId)>          the verification
    N#<numberKey>                       the number's sends, whoever asked, and what there is about it
    F#<numberKey>#<tenant>              the number's consecutive failures at one tenant
    L#<numberKey>#<tenant>              the number's newest verification, where it may be named by number
    K#<provider>                        the provider's circuit breaker, where it is not closed
    M#<provider>#<message>              the verification, and its code, that a provider's reports are about
    C#<clientKey>                       a client's sends
    I#<claimKey>                        a request with an Idempotency-Key, and its answer
    D#<day>#<shard>                     the whole service's sends of a day
    B#<country>#<hour or day>#<shard>   a country's unverified sends, and its verifications
    P#<blockKey>#<hour>#<shard>         the same of a block of 10,000 neighbouring numbers

The keys of counters (D, B, P) are made where they are counted, in `budgets`, `guard` and `admission`.
"""

from collections.abc import Callable, Mapping
from typing import Any

from sms_otp.adapters.dynamodb.client import Item, typed
from sms_otp.domain.budgets import Counter
from sms_otp.domain.idempotency import IdempotencyRecord, StoredAnswer
from sms_otp.domain.limits import Failures
from sms_otp.domain.ports import SendLog, StoreError
from sms_otp.domain.users import Consent
from sms_otp.domain.verification import State, Verification

LATE_DELETION = 7 * 24 * 3600
"""Seconds by which a number's item outlives all that it lists: DynamoDB deletes late, in no order."""
KEEP_VERIFICATION = 24 * 3600
"""Seconds that an expired verification is kept, so that a late guess still gets a telling answer."""

# (attribute, field of Verification, DynamoDB's type)
_VERIFICATION_ATTRIBUTES = (
    ("tenant", "tenant", "S"),
    ("phone", "phone", "S"),
    ("country", "country", "S"),
    ("numberKey", "number_key", "S"),
    ("channel", "channel", "S"),
    ("createdAt", "created_at", "N"),
    ("expiresAt", "expires_at", "N"),
    ("state", "state", "S"),
    ("attempts", "attempts", "N"),
    ("sends", "sends", "N"),
    ("purpose", "purpose", "S"),
    ("locale", "locale", "S"),
    ("claim", "idempotency_record", "S"),
    ("sessionHash", "session_hash", "S"),
    ("nonce", "nonce", "S"),
    ("provider", "provider", "S"),
    ("providerRef", "provider_ref", "S"),
    ("countedOn", "counter_keys", "L"),
    ("alsoCountedOn", "resend_counter_keys", "L"),
    ("delivery", "delivery", "S"),
    ("verifiedAt", "verified_at", "N"),
    ("verifiedBy", "verified_by", "S"),
)
_VALUES: Mapping[str, Callable[[Any], Any]] = {
    "S": str,
    "N": int,
    "L": lambda texts: tuple(text["S"] for text in texts),
}
_ZERO = {"N": "0"}


def verification_pk(key: str) -> str:
    return f"V#{key}"


def number_pk(number_key: str) -> str:
    return f"N#{number_key}"


def client_pk(client_key: str) -> str:
    return f"C#{client_key}"


def idempotency_pk(record_key: str) -> str:
    return f"I#{record_key}"


def newest_pk(number_key: str, tenant: str) -> str:
    return f"L#{number_key}#{tenant}"


def message_pk(provider: str, message_id: str) -> str:
    return f"M#{provider}#{message_id}"


def failures_pk(number_key: str, tenant: str) -> str:
    return f"F#{number_key}#{tenant}"


def verification_ttl(verification: Verification) -> int:
    """Seconds; when DynamoDB may delete it."""
    return verification.expires_at + KEEP_VERIFICATION


def verification_item(verification: Verification) -> Item:
    item: Item = {
        "pk": typed(verification_pk(verification.key)),
        "ttl": typed(verification_ttl(verification)),
    }
    for attribute, field, _ in _VERIFICATION_ATTRIBUTES:
        value = getattr(verification, field)
        if value is not None:
            item[attribute] = typed(value)
    if (consent := verification.consent) is not None:
        item["consent"] = typed({"textVersion": consent.text_version, "source": consent.source})
    return item


def verification_of(item: Item) -> Verification:
    """Raises `StoreError` for an item that is not a whole verification: such a one can verify nobody."""
    values: dict[str, Any] = {"key": item["pk"]["S"].removeprefix("V#")}
    try:
        for attribute, field, kind in _VERIFICATION_ATTRIBUTES:
            if attribute in item:
                values[field] = _VALUES[kind](item[attribute][kind])
        values["state"] = State(values["state"])
        if "consent" in item:
            stored = item["consent"]["M"]
            values["consent"] = Consent(stored["textVersion"]["S"], stored["source"]["S"])
        return Verification(**values)
    except (KeyError, ValueError, TypeError) as error:
        raise StoreError(f"malformed item: {type(error).__name__}") from None


def send_log_of(item: Item | None) -> SendLog:
    if item is None:
        return SendLog()
    sends = item.get("sends", {"NS": []})["NS"]
    listed = item.get("verifications", {"M": {}})["M"]
    return SendLog(
        sends=tuple(int(at) for at in sends),
        version=int(item["version"]["N"]),
        verifications={key: int(until["N"]) for key, until in listed.items()},
        endless="endless" in item,
    )


def failures_of(item: Item | None) -> Failures:
    if item is None:
        return Failures()
    return Failures(count=int(item["failures"]["N"]), last_at=int(item["lastAt"]["N"]))


def counter_of(item: Item) -> Counter:
    return Counter(int(item.get("used", _ZERO)["N"]), int(item.get("verified", _ZERO)["N"]))


def idempotency_item(idempotency_record: IdempotencyRecord, verification: str) -> Item:
    return {
        "pk": typed(idempotency_pk(idempotency_record.key)),
        "verification": typed(verification),
        "fingerprint": typed(idempotency_record.fingerprint),
        "nonce": typed(idempotency_record.nonce),
        "claimedAt": typed(idempotency_record.started_at),
        "expiresAt": typed(idempotency_record.expires_at),
        "ttl": typed(idempotency_record.expires_at),
    }


def idempotency_record_of(item: Item | None) -> IdempotencyRecord | None:
    if item is None:
        return None
    answer = item.get("answer")
    return IdempotencyRecord(
        key=item["pk"]["S"].removeprefix("I#"),
        fingerprint=item["fingerprint"]["S"],
        nonce=item["nonce"]["S"],
        started_at=int(item["claimedAt"]["N"]),
        answer=StoredAnswer.load(answer["S"]) if answer else None,
    )
