"""The items that each operation stores, and when each may be deleted.

`stored_items.json` holds the items of one number as an earlier version wrote them. An upgrade meets such
items, so they are read here too, not only written.
"""

import itertools
import json
import secrets
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from mypy_boto3_dynamodb import DynamoDBClient

from fakes.memory import PEPPER, FakeProvider, StepClock, outcome
from local.template import resource
from sms_otp.adapters.dynamodb.numbers import DynamoNumbers
from sms_otp.adapters.dynamodb.store import DynamoStore
from sms_otp.adapters.dynamodb.users import UsersTable
from sms_otp.domain import keys
from sms_otp.domain.clock import DAY, Deadline, Milliseconds
from sms_otp.domain.commands import Caller, Policy, RequestOtp, ResendOtp, VerifyOtp
from sms_otp.domain.keys import Peppers
from sms_otp.domain.ports import AdmissionQuery, NumberGuess
from sms_otp.domain.provider import Ambiguous, Channel, NotSent, Refused, Sent
from sms_otp.domain.users import FOREVER, Consent, Retention
from sms_otp.use_cases.administration import Administration, Administrator
from sms_otp.use_cases.request import request_code
from sms_otp.use_cases.resend import resend_code
from sms_otp.use_cases.service import Service
from sms_otp.use_cases.status import Lifecycle
from sms_otp.use_cases.verify import verify_code
from tests.emulator import emulated_aws

NUMBER = "+14155550123"
TABLES = {"a-table": "Table", "users": "UsersTable"}
STORED = Path(__file__).with_name("stored_items.json")
LONGEST_KEPT = 100 * DAY
"""Seconds. No item with an end is kept longer: an unverified user is kept for 90 days."""
RIGHT, WRONG = "123456", "000000"
ADMINISTRATOR = Administrator("arn:aws:iam::123456789012:role/support", Deadline(3600))

Items = dict[str, list[dict[str, Any]]]


class MessageProvider(FakeProvider):
    """As Infobip: a message has a handle of its own."""

    def send(self, *given: Any, **named: Any) -> tuple[str, Sent]:
        name, sent = super().send(*given, **named)
        return name, replace(sent, message_id=f"message-{len(self.sent)}")


@dataclass
class Tables:
    """Every use case over the template's two tables."""

    client: DynamoDBClient
    service: Service
    lifecycle: Lifecycle
    administration: Administration
    provider: MessageProvider
    clock: StepClock

    def caller(self, tenant: str = "tenant-a") -> Caller:
        return Caller(tenant, "a-request", Deadline(10), "198.51.100.1", "https://api.test")

    def request(self, number: str = NUMBER, **fields: Any) -> str:
        return request_code(self.service, RequestOtp(number, **fields), self.caller()).verification_id

    def resend(self, verification_id: str, **fields: Any) -> str:
        command = ResendOtp(verification_id, **fields)
        return outcome(lambda: resend_code(self.service, command, self.caller()))

    def verify(self, verification_id: str | None, otp: str = RIGHT, **fields: Any) -> str:
        command = VerifyOtp(verification_id, otp, **fields)
        return outcome(lambda: verify_code(self.service, command, self.caller()))

    def rotate(self, peppers: Peppers) -> None:
        self.service = replace(self.service, peppers=lambda: peppers)
        self.administration = replace(self.administration, peppers=lambda: peppers)

    def items(self) -> Items:
        """All stored items in a fixed order, sets too."""
        found = {}
        for table in TABLES:
            pages = self.client.get_paginator("scan").paginate(TableName=table)
            items = [_sorted(item) for page in pages for item in page["Items"]]
            found[table] = sorted(items, key=json.dumps)
        return found

    def load(self, stored: Items) -> None:
        for table, items in stored.items():
            for item in items:
                self.client.put_item(TableName=table, Item=item)


def _sorted(item: dict[str, Any]) -> dict[str, Any]:
    def ordered(value: dict[str, Any]) -> dict[str, Any]:
        ((kind, content),) = value.items()
        if kind in ("SS", "NS"):
            return {kind: sorted(content)}
        if kind == "M":
            return {kind: {name: ordered(content[name]) for name in sorted(content)}}
        return {kind: content}

    return {name: ordered(item[name]) for name in sorted(item)}


@pytest.fixture
def tables(policy: Policy, clock: StepClock, monkeypatch: pytest.MonkeyPatch) -> Iterator[Tables]:
    made = (f"random-{index:025d}" for index in itertools.count())
    with emulated_aws() as session:
        client: DynamoDBClient = session.client("dynamodb")
        for name, described in TABLES.items():
            known = ("AttributeDefinitions", "KeySchema", "BillingMode")
            client.create_table(TableName=name, **{word: resource(described)[word] for word in known})
        monkeypatch.setattr(time, "time", clock)
        monkeypatch.setattr(secrets, "token_urlsafe", lambda _: next(made))
        users = UsersTable(client, "users", Retention(90, 400))
        policy = replace(policy, keeps_users=True, require_verification_id=False)
        provider = MessageProvider()
        store = DynamoStore(client, "a-table", users)
        service = Service(policy, store, provider, lambda: Peppers(PEPPER), clock, lambda *_, **__: None)
        numbers = DynamoNumbers(client, "a-table", users)
        yield Tables(
            client,
            service,
            Lifecycle(policy, store, clock, service.emit),
            Administration(policy, numbers, service.peppers, clock, service.emit),
            provider,
            clock,
        )


REQUEST: dict[str, Any] = {
    "purpose": "login",
    "locale": "pt-BR",
    "session_id": "a-session",
    "client_ip": "198.51.100.1",
    "consent": Consent("terms-2026-11", "sign-up-form"),
    "idempotency_key": "a-key",
}


def test_items_are_stored_as_an_earlier_version_stored_them(tables: Tables) -> None:
    verification_id = tables.request(**REQUEST)
    assert tables.verify(verification_id, WRONG, session_id="a-session") == "OTP_INCORRECT"
    tables.clock.step(30)
    assert tables.resend(verification_id, session_id="a-session", channel=Channel.VOICE) == "ok"
    assert tables.items() == json.loads(STORED.read_text())


def test_a_verification_stored_by_an_earlier_version_still_works(tables: Tables) -> None:
    tables.load(json.loads(STORED.read_text()))
    tables.clock.step(60)
    verification_id = tables.request(**REQUEST)
    assert tables.provider.sent == [], "its Idempotency-Key has an answer already"
    assert tables.resend(verification_id, session_id="a-session") == "RATE_LIMITED", "its sends count"
    assert tables.verify(verification_id, WRONG) == "VERIFICATION_NOT_FOUND", "its session is bound"
    status = tables.lifecycle.status(verification_id, tables.caller())
    assert (status.status, status.channel, status.attempts_remaining) == ("pending", "voice", 4)
    store = tables.service.store
    held = store.find(keys.verification_key(verification_id))
    assert held is not None
    assert (held.provider_ref, held.message_ids) == ("ref-1", ("message-1",))
    named = {"phone_number": NUMBER, "session_id": "a-session"}
    assert tables.verify(None, **named) == "ok"
    left = [item["pk"]["S"][0] for item in tables.items()["a-table"]]
    assert set(left) >= set("NV")
    known = store.read(AdmissionQuery(keys.keyed(PEPPER, "number", NUMBER), "tenant-a")).number
    assert known.failures == {}, "its failure is cleared where it was counted"
    assert list(known.verified) == ["tenant-a"]
    (user,) = tables.items()["users"]
    assert user["verifiedAt"] == {"N": str(int(tables.clock()))}


def test_all_items_of_a_number_from_an_earlier_version_are_erased(tables: Tables) -> None:
    tables.load(json.loads(STORED.read_text()))
    tables.clock.step(DAY)
    status = tables.administration.status(NUMBER, ADMINISTRATOR)
    assert [(lock.tenant, lock.failures) for lock in status.locks] == [("tenant-a", 1)]
    assert tables.administration.erase(NUMBER, ADMINISTRATOR).retry_after == 0
    left = tables.items()
    assert left["users"] == []
    assert {item["pk"]["S"][0] for item in left["a-table"]} == set("BCDP"), "counts about no number"


def deletions(tables: Tables) -> Iterator[tuple[str, int]]:
    """When each stored item may be deleted, in seconds from now."""
    now = int(tables.clock())
    for table, items in tables.items().items():
        for item in items:
            if "ttl" in item:
                yield f"{table}: {json.dumps(item)}", int(item["ttl"]["N"]) - now


def check_deletions(tables: Tables, longest: int = LONGEST_KEPT) -> None:
    found = dict(deletions(tables))
    assert found
    for item, seconds in found.items():
        assert 0 < seconds <= longest, item


def test_no_operation_writes_a_ttl_beyond_the_longest_retention(tables: Tables) -> None:
    """A TTL in milliseconds, or a sum of two times, would end in tens of thousands of years."""
    first = tables.request(**REQUEST)
    check_deletions(tables)
    assert tables.verify(first, WRONG, session_id="a-session") == "OTP_INCORRECT"
    check_deletions(tables)
    tables.clock.step(30)
    assert tables.resend(first, session_id="a-session") == "ok"
    check_deletions(tables)
    tables.lifecycle.cancel(first, tables.caller())
    check_deletions(tables)
    for number, failure in (("+14155550124", NotSent), ("+14155550125", Refused)):
        tables.provider.fails_with = lambda failure=failure: failure("fake", "scripted")
        assert outcome(lambda number=number: tables.request(number)) != "ok"  # type: ignore[misc] # bound now
        check_deletions(tables)
    tables.provider.fails_with = lambda: Ambiguous("fake", "timeout")
    assert outcome(lambda: tables.request("+14155550126", idempotency_key="k")) == "PROVIDER_UNAVAILABLE"
    check_deletions(tables)
    tables.provider.fails_with = None
    tables.administration.unlock(NUMBER, ADMINISTRATOR)
    check_deletions(tables)
    assert tables.administration.erase(NUMBER, ADMINISTRATOR).retry_after
    check_deletions(tables)


def test_failures_that_move_to_a_new_pepper_are_kept_no_longer_than_others(tables: Tables) -> None:
    assert tables.verify(tables.request(), WRONG) == "OTP_INCORRECT"
    tables.rotate(Peppers("another-pepper-for-tests-that-is-long-enough", PEPPER))
    tables.clock.step(60)
    tables.request()
    failing = [item["pk"]["S"] for item in tables.items()["a-table"] if "failures#tenant-a" in item]
    assert failing == [f"N#{keys.keyed('another-pepper-for-tests-that-is-long-enough', 'number', NUMBER)}"]
    check_deletions(tables)


def test_a_disabled_number_and_its_list_have_no_end_until_it_is_unlocked(tables: Tables) -> None:
    lanes = tables.service.policy.number_limits("US")
    number_key = keys.keyed(PEPPER, "number", NUMBER)
    tables.request()
    for index in range(lanes.stranger_guesses.closed_at):
        tables.clock.step(3600)
        now = int(tables.clock() * 1000)
        guess = NumberGuess(number_key, "tenant-a", Milliseconds(now), now * 1000 + index, lanes)
        tables.service.store.spend_number_guess(guess)
    endless = {item["pk"]["S"][0] for item in tables.items()["a-table"] if item["ttl"] == {"N": str(FOREVER)}}
    assert endless == {"N"}
    tables.administration.unlock(NUMBER, ADMINISTRATOR)
    assert all(int(item["ttl"]["N"]) < FOREVER for item in tables.items()["a-table"])
    numbers = [seconds for item, seconds in deletions(tables) if f"N#{number_key}" in item]
    assert numbers == [37 * DAY]


@pytest.mark.parametrize(("days", "ends"), [(400, 400 * DAY), (0, None)])
def test_a_verified_user_is_kept_as_long_as_the_deployment_says(
    tables: Tables, days: int, ends: int | None
) -> None:
    users = UsersTable(tables.client, "users", Retention(90, days))
    tables.service = replace(tables.service, store=DynamoStore(tables.client, "a-table", users))
    assert tables.verify(tables.request()) == "ok"
    (user,) = tables.items()["users"]
    until = FOREVER if ends is None else int(tables.clock()) + ends
    assert user["ttl"] == user["verifiedUntil"] == {"N": str(until)}


@pytest.mark.parametrize(("days", "later", "ends"), [(400, 1, 400), (1, 2, 92), (100, 15, 105)])
def test_a_user_who_requests_again_is_kept_until_the_later_of_both_ends(
    tables: Tables, days: int, later: int, ends: int
) -> None:
    users = UsersTable(tables.client, "users", Retention(90, days))
    tables.service = replace(tables.service, store=DynamoStore(tables.client, "a-table", users))
    began = int(tables.clock())
    assert tables.verify(tables.request()) == "ok"
    tables.clock.step(later * DAY)
    assert tables.request()
    (user,) = tables.items()["users"]
    assert user["ttl"] == {"N": str(began + ends * DAY)}
    assert user["verifiedUntil"] == {"N": str(began + days * DAY)}
