"""DynamoDB. Every condition is named here, and every ClientError ends here.

One table, one item per thing, by partition key alone:

    V#<sha256(verificationId)>          the verification
    N#<numberKey>                       the number's sends, whoever asked
    F#<numberKey>#<tenant>              the number's consecutive failures at one tenant
    L#<numberKey>#<tenant>              the number's newest verification, where it may be named by number
    C#<clientKey>                       a client's sends
    I#<claimKey>                        a request with an Idempotency-Key, and its answer
    D#<day>#<shard>                     the whole service's sends of a day
    B#<country>#<hour or day>#<shard>   a country's unverified sends, and its verifications
    P#<blockKey>#<hour>#<shard>         the same of a block of 10,000 neighbouring numbers

The life of a verification, and what its conditions look at:

    createdAt ───────────────────────── expiresAt ─────────────── ttl (a day later) ── deleted, some day
       │ state = pending, attempts < max, now < expiresAt │ nothing may be guessed │

Writing to a deleted item would create it anew, so every update names an attribute that only a
whole item has.
"""

import secrets
import time
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from sms_otp import errors
from sms_otp.budgets import Counter, Share
from sms_otp.idempotency import Answer, Claim
from sms_otp.limits import KEEP_LOG, SECOND, Failures, GuessPolicy, lock
from sms_otp.ports import Entry, LostRace, Moved, Question, Reservation, SendLog, StoreError, View
from sms_otp.verification import Guess, State, Verification, refusal, unconsumable

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

Item = dict[str, Any]

KEEP_VERIFICATION = 24 * 3600
"""Seconds that an expired verification is kept, so that a late guess still gets a telling answer."""

CONFLICT_PAUSES = (10, 20, 40, 80)
"""Milliseconds, each doubled at most by chance, between tries at an item that a transaction holds."""

# The parts of conditions. `state` and `ttl` are reserved words of DynamoDB, hence the placeholders.
IS_TENANTS = "tenant = :tenant"
IS_PENDING = "#state = :pending"
IS_ALIVE = "expiresAt > :now"
HAS_GUESSES = "attempts < :max"
HAS_HOLDER = "attribute_exists(providerRef)"
IS_SESSIONS = "sessionHash = :session"
IS_SESSIONLESS = "attribute_not_exists(sessionHash)"
IS_NUMBERS = "phone = :phone"
IS_NEW = "attribute_not_exists(pk)"
IS_VERSION = "version = :version"
IS_UNUSED = "attribute_not_exists(used)"
HAS_ROOM = "used < :limit"
IS_OVER = "expiresAt <= :now"
IS_CLAIMANTS = "nonce = :nonce"


class DynamoStore:
    """Implements `ports.Store` on one DynamoDB table. Safe to share between requests."""

    def __init__(self, client: "DynamoDBClient", table: str) -> None:
        self._client = client
        self._table = table

    def read(self, question: Question) -> View:
        """See `ports.Store`."""
        number, failures = (
            _number_pk(question.number_key),
            _failures_pk(question.number_key, question.tenant),
        )
        client = _client_pk(question.client_key or "")
        claim = _claim_pk(question.claim_key or "")
        wanted = [number, failures, *question.counters]
        wanted += [client] if question.client_key else []
        wanted += [claim] if question.claim_key else []
        found = self._read(wanted)
        return View(
            number=_send_log(found.get(number)),
            failures=_failures(found.get(failures)),
            client=_send_log(found.get(client)),
            claim=_claim(found.get(claim)),
            counters={key: _counter(found[key]) for key in question.counters if key in found},
        )

    def reserve(self, reservation: Reservation) -> None:
        """See `ports.Store`."""
        steps = [self._put_verification(reservation.verification)]
        if reservation.number:
            steps.insert(
                0, self._add_send(_number_pk(reservation.number.key), reservation.number, reservation)
            )
        if reservation.client:
            steps.append(self._add_send(_client_pk(reservation.client.key), reservation.client, reservation))
        if reservation.claim:
            steps.append(self._put_claim(reservation.claim))
        if reservation.find_by_number:
            steps.append(self._put_newest(reservation.verification))
        steps += [self._spend(share) for share in reservation.shares]
        try:
            self._transact(steps)
        except _ConditionFailed as failed:
            if reservation.number and failed.at == 0:
                raise LostRace from failed
            raise Moved from failed
        except _Conflict as conflict:
            raise Moved from conflict

    def release(self, reservation: Reservation) -> None:
        """See `ports.Store`."""
        verification = reservation.verification
        steps: list[Item] = [
            {
                "Delete": {
                    "TableName": self._table,
                    "Key": _key(_verification_pk(verification.key)),
                    "ConditionExpression": f"{IS_PENDING} AND NOT {HAS_HOLDER}",
                    "ExpressionAttributeNames": {"#state": "state"},
                    "ExpressionAttributeValues": {":pending": {"S": State.PENDING}},
                }
            }
        ]
        if reservation.number:
            steps.append(self._remove_send(_number_pk(reservation.number.key), reservation.sent_at))
        if reservation.client:
            steps.append(self._remove_send(_client_pk(reservation.client.key), reservation.sent_at))
        if reservation.claim:
            claim = _key(_claim_pk(reservation.claim.key))
            steps.append({"Delete": {"TableName": self._table, "Key": claim}})
        steps += [
            self._count(share.key, "ADD used :minus", {":minus": {"N": "-1"}}) for share in reservation.shares
        ]
        self._transact(steps)

    def record_sent(self, key: str, provider: str, provider_ref: str, claim: Claim | None = None) -> None:
        """See `ports.Store`."""
        values: Item = {":provider": {"S": provider}, ":ref": {"S": provider_ref}}
        self._settle(key, "SET provider = :provider, providerRef = :ref", values, claim)

    def record_failed(self, key: str, claim: Claim | None = None) -> None:
        """See `ports.Store`."""
        self._settle(key, "SET #state = :failed", {":failed": {"S": State.FAILED}}, claim)

    def record_answer(self, claim: Claim) -> None:
        """See `ports.Store`."""
        self._transact([self._answer(claim)])

    def newest(self, number_key: str, tenant: str) -> str | None:
        """See `ports.Store`."""
        pk = _newest_pk(number_key, tenant)
        found = self._read([pk]).get(pk)
        return str(found["verification"]["S"]) if found else None

    def spend_guess(self, guess: Guess) -> Verification:
        """See `ports.Store`."""
        conditions = [IS_TENANTS, IS_PENDING, IS_ALIVE, HAS_GUESSES, HAS_HOLDER]
        values: Item = {
            ":tenant": {"S": guess.tenant},
            ":pending": {"S": State.PENDING},
            ":now": {"N": str(guess.now)},
            ":max": {"N": str(guess.max_attempts)},
            ":one": {"N": "1"},
        }
        if guess.session_hash is None:
            conditions.append(IS_SESSIONLESS)
        else:
            conditions.append(IS_SESSIONS)
            values[":session"] = {"S": guess.session_hash}
        if guess.phone is not None:
            conditions.append(IS_NUMBERS)
            values[":phone"] = {"S": guess.phone}
        try:
            return _verification(
                self._update(
                    _verification_pk(guess.key),
                    "ADD attempts :one",
                    " AND ".join(conditions),
                    names={"#state": "state"},
                    values=values,
                )
            )
        except _ConditionFailed as failed:
            found = _verification(failed.items[0]) if failed.items[0] else None
            raise refusal(found, guess) or errors.VerificationNotFound() from failed

    def spend_number_guess(self, number_key: str, tenant: str, now: int, policy: GuessPolicy) -> None:
        """See `ports.Store`."""
        values: Item = {
            ":now": {"N": str(now)},
            ":one": {"N": "1"},
            ":free": {"N": str(policy.free)},
            ":last": {"N": str(policy.disabled_at - 1)},
            ":ttl": {"N": str(now // SECOND + KEEP_LOG)},
        }
        waited = _waited_long_enough(policy, now, values)
        pk = _failures_pk(number_key, tenant)
        try:
            self._update(
                pk,
                "SET lastAt = :now, #ttl = :ttl ADD failures :one",
                f"attribute_not_exists(pk) OR failures < :free OR (failures < :last AND ({waited}))",
                names={"#ttl": "ttl"},
                values=values,
            )
        except _ConditionFailed as failed:
            found = _failures(failed.items[0])
            if found.count != policy.disabled_at - 1 or found.next_guess_at(policy) > now:
                raise lock(found, policy, now) or errors.NumberLocked() from failed
            self._spend_last_guess(pk, now, policy)

    def _spend_last_guess(self, pk: str, now: int, policy: GuessPolicy) -> None:
        """The guess that disables the number unless it is right. It is kept until unlocked: no TTL."""
        try:
            self._update(
                pk,
                "SET lastAt = :now REMOVE #ttl ADD failures :one",
                "failures = :last AND lastAt <= :waited",
                names={"#ttl": "ttl"},
                values={
                    ":now": {"N": str(now)},
                    ":one": {"N": "1"},
                    ":last": {"N": str(policy.disabled_at - 1)},
                    ":waited": {"N": str(now - policy.wait_after(policy.disabled_at - 1))},
                },
            )
        except _ConditionFailed as failed:
            raise lock(_failures(failed.items[0]), policy, now) or errors.NumberLocked() from failed

    def consume(self, verification: Verification, request_id: str, now: int) -> None:
        """See `ports.Store`."""
        consume = {
            "Update": {
                "TableName": self._table,
                "Key": _key(_verification_pk(verification.key)),
                "UpdateExpression": "SET #state = :verified, verifiedAt = :now, verifiedBy = :request",
                "ConditionExpression": f"{IS_PENDING} AND {IS_ALIVE} AND providerRef = :ref",
                "ExpressionAttributeNames": {"#state": "state"},
                "ExpressionAttributeValues": {
                    ":verified": {"S": State.VERIFIED},
                    ":pending": {"S": State.PENDING},
                    ":now": {"N": str(now)},
                    ":request": {"S": request_id},
                    ":ref": {"S": str(verification.provider_ref)},
                },
                "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
            }
        }
        clear_failures = {
            "Delete": {
                "TableName": self._table,
                "Key": _key(_failures_pk(verification.number_key, verification.tenant)),
            }
        }
        verified = [
            self._count(key, "ADD used :minus, verified :one", {":minus": {"N": "-1"}, ":one": {"N": "1"}})
            for key in verification.counted_on
        ]
        try:
            self._consume([consume, clear_failures], verified)
        except _ConditionFailed as failed:
            held = _verification(failed.items[0]) if failed.items[0] else None
            if held and held.state is State.VERIFIED and held.verified_by == request_id:
                return
            raise unconsumable(held) from failed

    def _consume(self, needed: list[Item], statistics: list[Item]) -> None:
        """A busy counter may cost the guard a count, never a user the success."""
        try:
            self._transact(needed + statistics)
        except _Conflict:
            self._transact(needed)

    def _settle(self, key: str, update: str, values: Item, claim: Claim | None) -> None:
        """The end of a send: what became of the verification and, where one was claimed, the answer."""
        settle: Item = {
            "Update": {
                "TableName": self._table,
                "Key": _key(_verification_pk(key)),
                "UpdateExpression": update,
                "ConditionExpression": IS_PENDING,
                "ExpressionAttributeNames": {"#state": "state"},
                "ExpressionAttributeValues": {":pending": {"S": State.PENDING}, **values},
            }
        }
        self._transact([settle, self._answer(claim)] if claim else [settle])

    def _add_send(self, pk: str, entry: Entry, reservation: Reservation) -> Item:
        log = entry.log
        return {
            "Update": {
                "TableName": self._table,
                "Key": _key(pk),
                "UpdateExpression": "SET sends = :sends, version = :next, #ttl = :ttl",
                "ConditionExpression": IS_VERSION if log.version else IS_NEW,
                "ExpressionAttributeNames": {"#ttl": "ttl"},
                "ExpressionAttributeValues": {
                    ":sends": {"NS": [str(at) for at in {*log.sends, reservation.sent_at}]},
                    ":next": {"N": str(log.version + 1)},
                    ":ttl": {"N": str(entry.keep_until)},
                    **({":version": {"N": str(log.version)}} if log.version else {}),
                },
            }
        }

    def _remove_send(self, pk: str, sent_at: int) -> Item:
        return self._count(
            pk, "DELETE sends :sent ADD version :one", {":sent": {"NS": [str(sent_at)]}, ":one": {"N": "1"}}
        )

    def _count(self, pk: str, update: str, values: Item) -> Item:
        return {
            "Update": {
                "TableName": self._table,
                "Key": _key(pk),
                "UpdateExpression": update,
                "ExpressionAttributeValues": values,
            }
        }

    def _spend(self, share: Share) -> Item:
        spend = self._count(
            share.key,
            "SET #ttl = :ttl ADD used :one",
            {":one": {"N": "1"}, ":ttl": {"N": str(share.keep_until)}},
        )
        spend["Update"]["ExpressionAttributeNames"] = {"#ttl": "ttl"}
        if share.limit is not None:
            spend["Update"]["ConditionExpression"] = f"{IS_UNUSED} OR {HAS_ROOM}"
            spend["Update"]["ExpressionAttributeValues"][":limit"] = {"N": str(share.limit)}
        return spend

    def _put_claim(self, claim: Claim) -> Item:
        return {
            "Put": {
                "TableName": self._table,
                "Item": {
                    "pk": {"S": _claim_pk(claim.key)},
                    "fingerprint": {"S": claim.fingerprint},
                    "nonce": {"S": claim.nonce},
                    "claimedAt": {"N": str(claim.claimed_at)},
                    "expiresAt": {"N": str(claim.expires_at)},
                    "ttl": {"N": str(claim.expires_at)},
                },
                # Whether or not it has been deleted by then.
                "ConditionExpression": f"{IS_NEW} OR {IS_OVER}",
                "ExpressionAttributeValues": {":now": {"N": str(claim.claimed_at)}},
            }
        }

    def _answer(self, claim: Claim) -> Item:
        answer = claim.answer.dump() if claim.answer else ""
        update = self._count(_claim_pk(claim.key), "SET answer = :answer", {":answer": {"S": answer}})
        update["Update"]["ConditionExpression"] = IS_CLAIMANTS
        update["Update"]["ExpressionAttributeValues"][":nonce"] = {"S": claim.nonce}
        return update

    def _put_newest(self, verification: Verification) -> Item:
        return {
            "Put": {
                "TableName": self._table,
                "Item": {
                    "pk": {"S": _newest_pk(verification.number_key, verification.tenant)},
                    "verification": {"S": verification.key},
                    "ttl": {"N": str(verification.expires_at + KEEP_VERIFICATION)},
                },
            }
        }

    def _put_verification(self, verification: Verification) -> Item:
        return {
            "Put": {
                "TableName": self._table,
                "Item": _verification_item(verification),
                "ConditionExpression": IS_NEW,
            }
        }

    def _read(self, pks: Iterable[str]) -> dict[str, Item]:
        request = {self._table: {"Keys": [_key(pk) for pk in pks], "ConsistentRead": True}}
        try:
            answer = self._client.batch_get_item(RequestItems=request)  # type: ignore[arg-type] # built as data
        except (ClientError, BotoCoreError) as error:
            raise _read_failed(error) from None
        if answer.get("UnprocessedKeys"):
            raise StoreError("BatchGetItem: throttled")
        return {item["pk"]["S"]: item for item in answer["Responses"].get(self._table, [])}

    def _update(
        self, pk: str, update: str, condition: str, *, names: Mapping[str, str], values: Item
    ) -> Item:
        def write() -> Item:
            answer = self._client.update_item(
                TableName=self._table,
                Key=_key(pk),
                UpdateExpression=update,
                ConditionExpression=condition,
                ExpressionAttributeNames=names,
                ExpressionAttributeValues=values,
                ReturnValues="ALL_NEW",
                ReturnValuesOnConditionCheckFailure="ALL_OLD",
            )
            return answer["Attributes"]

        return self._write("UpdateItem", write)

    def _transact(self, items: list[Item]) -> None:
        def write() -> Item:
            self._client.transact_write_items(TransactItems=items)  # type: ignore[arg-type] # built as data
            return {}

        self._write("TransactWriteItems", write)

    def _write(self, operation: str, write: Callable[[], Item]) -> Item:
        """One write, tried again while another transaction holds the item: such a refusal wrote nothing."""
        for pause in CONFLICT_PAUSES:
            try:
                return write()
            except ClientError as error:
                conflict = _translated(operation, error)
                if not isinstance(conflict, _Conflict):
                    raise conflict from None
            except BotoCoreError as error:
                raise StoreError(f"{operation}: {type(error).__name__}") from None
            time.sleep((pause + secrets.randbelow(pause)) / SECOND)
        raise _Conflict(operation)


class _ConditionFailed(Exception):
    """A condition did not hold. `items` are what stood there, in the order of the transaction."""

    def __init__(self, items: list[Item | None], at: int = 0) -> None:
        super().__init__("condition failed")
        self.items = items
        self.at = at
        """The first of the transaction's conditions that did not hold."""


class _Conflict(StoreError):
    """Another transaction held an item all the while. Nothing was written."""

    def __init__(self, operation: str) -> None:
        super().__init__(f"{operation}: conflict")


def _translated(operation: str, error: ClientError) -> Exception:
    """AWS's error as one of ours. Only its code is kept: a message can hold values."""
    response: Mapping[str, Any] = error.response
    code = response["Error"]["Code"]
    if code == "ConditionalCheckFailedException":
        return _ConditionFailed([response.get("Item")])
    if code == "TransactionConflictException":
        return _Conflict(operation)
    if code == "TransactionCanceledException":
        reasons = response.get("CancellationReasons", [])
        codes = [reason.get("Code") for reason in reasons]
        if "ConditionalCheckFailed" in codes:
            at = codes.index("ConditionalCheckFailed")
            return _ConditionFailed([reason.get("Item") for reason in reasons], at)
        if "TransactionConflict" in codes:
            return _Conflict(operation)
        return StoreError(f"{operation}: cancelled")
    return StoreError(f"{operation}: {code}")


def _waited_long_enough(policy: GuessPolicy, now: int, values: Item) -> str:
    """One clause per step of the growing wait, so that a single write can decide without a read."""
    clauses = []
    *steps, (most, longest) = policy.steps
    for failures, wait in steps:
        values[f":f{failures}"] = {"N": str(failures)}
        values[f":w{failures}"] = {"N": str(now - wait)}
        clauses.append(f"(failures = :f{failures} AND lastAt <= :w{failures})")
    values[":most"] = {"N": str(most)}
    values[":longest"] = {"N": str(now - longest)}
    clauses.append("(failures >= :most AND lastAt <= :longest)")
    return " OR ".join(clauses)


def _read_failed(error: Exception) -> StoreError:
    word = error.response["Error"]["Code"] if isinstance(error, ClientError) else type(error).__name__
    return StoreError(f"BatchGetItem: {word}")


def _key(pk: str) -> Item:
    return {"pk": {"S": pk}}


def _verification_pk(key: str) -> str:
    return f"V#{key}"


def _number_pk(number_key: str) -> str:
    return f"N#{number_key}"


def _client_pk(client_key: str) -> str:
    return f"C#{client_key}"


def _claim_pk(claim_key: str) -> str:
    return f"I#{claim_key}"


def _newest_pk(number_key: str, tenant: str) -> str:
    return f"L#{number_key}#{tenant}"


def _failures_pk(number_key: str, tenant: str) -> str:
    return f"F#{number_key}#{tenant}"


def _send_log(item: Item | None) -> SendLog:
    if item is None:
        return SendLog()
    sends = item.get("sends", {"NS": []})["NS"]
    return SendLog(sends=tuple(int(at) for at in sends), version=int(item["version"]["N"]))


def _failures(item: Item | None) -> Failures:
    if item is None:
        return Failures()
    return Failures(count=int(item["failures"]["N"]), last_at=int(item["lastAt"]["N"]))


def _counter(item: Item) -> Counter:
    nothing = {"N": "0"}
    return Counter(int(item.get("used", nothing)["N"]), int(item.get("verified", nothing)["N"]))


def _claim(item: Item | None) -> Claim | None:
    if item is None:
        return None
    answer = item.get("answer")
    return Claim(
        key=item["pk"]["S"].removeprefix("I#"),
        fingerprint=item["fingerprint"]["S"],
        nonce=item["nonce"]["S"],
        claimed_at=int(item["claimedAt"]["N"]),
        answer=Answer.load(answer["S"]) if answer else None,
    )


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
    ("sessionHash", "session_hash", "S"),
    ("provider", "provider", "S"),
    ("providerRef", "provider_ref", "S"),
    ("countedOn", "counted_on", "L"),
    ("verifiedAt", "verified_at", "N"),
    ("verifiedBy", "verified_by", "S"),
)


_VALUES: Mapping[str, Callable[[Any], Any]] = {
    "S": str,
    "N": int,
    "L": lambda texts: tuple(text["S"] for text in texts),
}


def _verification_item(verification: Verification) -> Item:
    item: Item = {
        "pk": {"S": _verification_pk(verification.key)},
        "ttl": {"N": str(verification.expires_at + KEEP_VERIFICATION)},
    }
    for attribute, field, kind in _VERIFICATION_ATTRIBUTES:
        value = getattr(verification, field)
        if kind == "L":
            item[attribute] = {kind: [{"S": text} for text in value]}
        elif value is not None:
            item[attribute] = {kind: str(value)}
    return item


def _verification(item: Item) -> Verification:
    """Raises `StoreError` for an item that is not a whole verification: such a one can verify nobody."""
    values: dict[str, Any] = {"key": item["pk"]["S"].removeprefix("V#")}
    try:
        for attribute, field, kind in _VERIFICATION_ATTRIBUTES:
            if attribute in item:
                values[field] = _VALUES[kind](item[attribute][kind])
        values["state"] = State(values["state"])
        return Verification(**values)
    except (KeyError, ValueError, TypeError) as error:
        raise StoreError(f"malformed item: {type(error).__name__}") from None
