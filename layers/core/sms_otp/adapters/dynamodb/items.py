"""The table's items: their keys, and the conversion of each record to an item and back.

    V#<sha256(verificationId)>          the verification
    N#<numberKey>                       a number's sends, failures and list of verifications
    K#<provider>                        the provider's circuit breaker, where it is not closed
    C#<clientKey>                       a network's unverified codes by hour, its verified ones by day
    I#<claimKey>                        a request with an Idempotency-Key, and its answer
    D#<day>#<shard>                     the service's spend of a day, and the pools of the guard's floors
    B#<country>#<day>#<shard>           a country's spend by day and hour: unverified by lane, and verified
    P#<blockKey>#<day>#0                codes to a block of 10,000 numbers, by day and hour

The keys of counters (D, B, P, C) are made where they count: `service_day`, `countries`, `blocks`, `networks`.

A number's item has separate top-level attributes for each tenant and lane, so that a count needs no parent
map and a reservation overwrites no count:

    version                             changed by each reservation, and by nothing else
    sends                               `<moment>:<lane>:<network>[:c]`, c where a challenge was passed
    verifications                       by key: `<createdAt>:<expiresAt>:<owner>:<provider>`
    over                                keys of verifications that were over before they expired
    unproven                            sends since the last success
    networks                            by hash: when the number was last verified from there
    failures#<lane>#<tenant>            consecutive failures in this lane
    failedAt#<lane>#<tenant>            time of the last one, in milliseconds
    failures#<tenant>                   failures in all lanes since the last success in any
    verified#<tenant>                   time of the last success
    tokensFrom#<tenant>                 device tokens issued before this are void
    refused, failed                     moments of refused requests and of guesses that were not right
    quietAt                             of an erased number: when no running request can know it any more
    ttl                                 the year 9999 while the number is disabled
"""

import base64
from collections.abc import Callable, Mapping
from typing import Any

from sms_otp.adapters.dynamodb.client import Item, typed
from sms_otp.domain.budgets import Counts
from sms_otp.domain.clock import Milliseconds, Seconds
from sms_otp.domain.idempotency import IdempotencyRecord, StoredAnswer
from sms_otp.domain.limits import Failures
from sms_otp.domain.number import (
    KEEP_VERIFICATION,
    NOTHING_KNOWN,
    Lane,
    ListedVerification,
    Number,
    Send,
)
from sms_otp.domain.ports import StoreError
from sms_otp.domain.users import Consent
from sms_otp.domain.verification import State, Verification

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
    ("appHash", "app_hash", "S"),
    ("claims", "idempotency_records", "SS"),
    ("nonce", "nonce", "S"),
    ("lane", "lane", "S"),
    ("network", "network", "S"),
    ("client", "client_key", "S"),
    ("sessionHash", "session_hash", "S"),
    ("provider", "provider", "S"),
    ("providerRef", "provider_ref", "S"),
    ("messages", "message_ids", "SS"),
    ("ownCode", "own_code_refs", "SS"),
    ("countedOn", "counted_on", "L"),
    ("alsoCountedOn", "resends_counted_on", "L"),
    ("delivery", "delivery", "S"),
    ("verifiedAt", "verified_at", "N"),
    ("verifiedBy", "verified_by", "S"),
    ("codeHash", "code_hash", "S"),
)
_VALUES: Mapping[str, Callable[[Any], Any]] = {
    "S": str,
    "N": int,
    "L": lambda texts: tuple(text["S"] for text in texts),
    "SS": lambda texts: tuple(sorted(texts)),
}
_LANES = {"t": Lane.TOKEN, "n": Lane.NETWORK, "s": Lane.STRANGER}
_LETTERS = {lane: letter for letter, lane in _LANES.items()}


def verification_pk(key: str) -> str:
    return f"V#{key}"


def number_pk(number_key: str) -> str:
    return f"N#{number_key}"


def idempotency_pk(record_key: str) -> str:
    return f"I#{record_key}"


def verification_ttl(verification: Verification) -> Seconds:
    """When DynamoDB may delete the item."""
    return verification.expires_at + KEEP_VERIFICATION


def verification_item(verification: Verification) -> Item:
    item: Item = {
        "pk": typed(verification_pk(verification.key)),
        "ttl": typed(verification_ttl(verification)),
    }
    for attribute, field, kind in _VERIFICATION_ATTRIBUTES:
        value = getattr(verification, field)
        if kind == "SS" and value:
            item[attribute] = typed(frozenset(value))
        elif kind != "SS" and value is not None:
            item[attribute] = typed(value)
    if (consent := verification.consent) is not None:
        item["consent"] = typed({"textVersion": consent.text_version, "source": consent.source})
    return item


def verification_of(item: Item) -> Verification:
    """Parse an item. Raises `StoreError` for an incomplete verification, which can verify nobody."""
    values: dict[str, Any] = {"key": item["pk"]["S"].removeprefix("V#")}
    try:
        for attribute, field, kind in _VERIFICATION_ATTRIBUTES:
            if attribute in item:
                values[field] = _VALUES[kind](item[attribute][kind])
        values["state"] = State(values["state"])
        values["lane"] = Lane(values["lane"])
        if "consent" in item:
            stored = item["consent"]["M"]
            values["consent"] = Consent(stored["textVersion"]["S"], stored["source"]["S"])
        return Verification(**values)
    except (KeyError, ValueError, TypeError) as error:
        raise StoreError(f"malformed item: {type(error).__name__}") from None


def send_text(send: Send) -> str:
    """Encode a send as a member of its number's set of sends, so that a release can take it out."""
    challenged = ":c" if send.is_challenged else ""
    return f"{send.at}:{_LETTERS[send.lane]}:{send.network or ''}{challenged}"


def send_of(text: str) -> Send:
    """The inverse of `send_text`."""
    at, letter, network, *challenged = text.split(":")
    return Send(Milliseconds(at), _LANES[letter], network or None, bool(challenged))


def listed_text(listed: ListedVerification) -> str:
    """Encode a verification's entry in its number's list."""
    return f"{listed.created_at}:{listed.expires_at}:{listed.owner}:{listed.provider}"


def listed_of(text: str) -> ListedVerification:
    """The inverse of `listed_text`."""
    created_at, expires_at, owner, provider = text.split(":")
    return ListedVerification(Seconds(created_at), Seconds(expires_at), owner, provider)


def failures_name(lane: Lane, tenant: str) -> str:
    return f"failures#{lane}#{tenant}"


def failed_at_name(lane: Lane, tenant: str) -> str:
    return f"failedAt#{lane}#{tenant}"


def total_name(tenant: str) -> str:
    return f"failures#{tenant}"


def verified_name(tenant: str) -> str:
    return f"verified#{tenant}"


def tokens_from_name(tenant: str) -> str:
    return f"tokensFrom#{tenant}"


def number_of(item: Item | None) -> Number:
    """Parse an item. Raises `StoreError` if it is malformed: half of it is no basis for a decision."""
    if item is None:
        return NOTHING_KNOWN
    try:
        failures, totals = _failures_of(item)
        sends = (send_of(text) for text in item.get("sends", {"SS": []})["SS"])
        listed = item.get("verifications", {"M": {}})["M"]
        return Number(
            sends=tuple(sorted(sends, key=lambda send: send.at)),
            version=_number(item, "version") or 0,
            verifications={listed_key(key): listed_of(entry["S"]) for key, entry in listed.items()},
            over=frozenset(map(listed_key, item.get("over", {"SS": []})["SS"])),
            failures=failures,
            totals=totals,
            verified=_by_tenant(item, "verified"),
            tokens_from=_by_tenant(item, "tokensFrom"),
            networks={key: Seconds(at["N"]) for key, at in item.get("networks", {"M": {}})["M"].items()},
            unproven=max(0, _number(item, "unproven") or 0),
            refused=_moments(item, "refused"),
            failed=_moments(item, "failed"),
        )
    except (KeyError, ValueError, TypeError) as error:
        raise StoreError(f"malformed item: {type(error).__name__}") from None


def _failures_of(item: Item) -> tuple[dict[tuple[str, Lane], Failures], dict[str, int]]:
    failures, totals = {}, {}
    for name, value in item.items():
        kind, _, lane_and_tenant = name.partition("#")
        if kind != "failures":
            continue
        lane, separator, tenant = lane_and_tenant.partition("#")
        if separator:
            last_at = Milliseconds(item[failed_at_name(Lane(lane), tenant)]["N"])
            failures[tenant, Lane(lane)] = Failures(int(value["N"]), last_at)
        else:
            totals[lane_and_tenant] = int(value["N"])
    return failures, totals


def _by_tenant(item: Item, kind: str) -> dict[str, Seconds]:
    prefix = f"{kind}#"
    return {
        name.removeprefix(prefix): Seconds(value["N"])
        for name, value in item.items()
        if name.startswith(prefix)
    }


def _moments(item: Item, name: str) -> frozenset[int]:
    return frozenset(map(int, item.get(name, {"NS": []})["NS"]))


def list_key(key: str) -> str:
    """Encode a verification's key for its number's list: its 256 bits in 43 characters, not 64."""
    return base64.urlsafe_b64encode(bytes.fromhex(key)).rstrip(b"=").decode()


def listed_key(text: str) -> str:
    """The inverse of `list_key`."""
    return base64.urlsafe_b64decode(f"{text}=").hex()


def counts_of(item: Item) -> Counts:
    """An item's counters by name."""
    return {name: int(value["N"]) for name, value in item.items() if "N" in value and name != "ttl"}


def _number(item: Item, attribute: str) -> int | None:
    return int(item[attribute]["N"]) if attribute in item else None


def idempotency_item(idempotency_record: IdempotencyRecord) -> Item:
    item: Item = {
        "pk": typed(idempotency_pk(idempotency_record.key)),
        "verification": typed(idempotency_record.verification),
        "fingerprint": typed(idempotency_record.fingerprint),
        "nonce": typed(idempotency_record.nonce),
        "claimedAt": typed(idempotency_record.started_at),
        "expiresAt": typed(idempotency_record.expires_at),
        "ttl": typed(idempotency_record.expires_at),
    }
    return item


def idempotency_record_of(item: Item | None) -> IdempotencyRecord | None:
    if item is None:
        return None
    answer = item.get("answer")
    return IdempotencyRecord(
        key=item["pk"]["S"].removeprefix("I#"),
        fingerprint=item["fingerprint"]["S"],
        nonce=item["nonce"]["S"],
        started_at=Seconds(item["claimedAt"]["N"]),
        answer=StoredAnswer.load(answer["S"]) if answer else None,
        verification=item["verification"]["S"],
    )
