"""Users, erasure and unlocking of a number, over the tables of the template."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from mypy_boto3_dynamodb import DynamoDBClient

from fakes.memory import PEPPER, START, FakeProvider, StepClock, number_key, outcome
from sms_otp.adapters.dynamodb.items import list_key, number_pk
from sms_otp.adapters.dynamodb.numbers import DynamoNumbers
from sms_otp.adapters.dynamodb.store import DynamoStore
from sms_otp.adapters.dynamodb.users import UsersTable
from sms_otp.domain import errors, keys, number
from sms_otp.domain.clock import DAY, HOUR, Deadline, Seconds, milliseconds, seconds, to_milliseconds
from sms_otp.domain.commands import Caller, Policy, RequestOtp, ResendOtp, VerifyOtp
from sms_otp.domain.guard import Mode
from sms_otp.domain.keys import Peppers
from sms_otp.domain.number import Lane
from sms_otp.domain.phone import mask
from sms_otp.domain.ports import Erased, NumberGuess
from sms_otp.domain.provider import NotSent, Sent
from sms_otp.domain.users import FOREVER, MOST_PURPOSES, Consent, ConsentRecord, Retention
from sms_otp.use_cases.administration import Administration, Administrator
from sms_otp.use_cases.request import request_code
from sms_otp.use_cases.resend import resend_code
from sms_otp.use_cases.service import Service
from sms_otp.use_cases.verify import verify_code
from tests.contract.engines import engine
from tests.tables import tables

NUMBER, OTHER = "+14155550123", "+12125550147"
TABLES = {"a-table": "Table", "users": "UsersTable"}
CONSENT = Consent("terms-2026-11", "sign-up-form")
RIGHT, WRONG = "123456", "000000"

Item = dict[str, Any]


class MessageProvider(FakeProvider):
    """As Infobip: a message has an id of its own."""

    def send(self, *given: Any, **named: Any) -> tuple[str, Sent]:
        name, sent = super().send(*given, **named)
        return name, replace(sent, message_id=f"message-{len(self.sent)}")


@dataclass
class Town:
    """A service and its administration over the tables, with the emitted events and the calls to DynamoDB."""

    client: DynamoDBClient
    service: Service
    administration: Administration
    numbers: DynamoNumbers
    users: UsersTable
    clock: StepClock
    emitted: list[tuple[str, dict[str, Any]]]
    calls: list[str] = field(default_factory=list)
    meanwhile: Callable[[int], None] | None = None
    """Called before each call to DynamoDB with the count of calls, this one included."""

    def caller(self, tenant: str = "tenant-a") -> Caller:
        return Caller(
            tenant, f"request-{len(self.emitted)}", Deadline(10), "198.51.100.1", "https://api.test"
        )

    def request(self, number: str = NUMBER, tenant: str = "tenant-a", **fields: Any) -> str:
        return request_code(self.service, RequestOtp(number, **fields), self.caller(tenant)).verification_id

    def verify(self, verification_id: str, otp: str = RIGHT, tenant: str = "tenant-a", **fields: Any) -> str:
        command = VerifyOtp(verification_id, otp, **fields)
        return outcome(lambda: verify_code(self.service, command, self.caller(tenant)))

    def erase(self, number: str = NUMBER, seconds: float = 10) -> Erased:
        return self.administration.erase(
            number, Administrator("arn:aws:iam::1:role/admin", Deadline(seconds))
        )

    def items(self, table: str = "a-table") -> list[Item]:
        """Everything that a table holds."""
        pages = self.client.get_paginator("scan").paginate(TableName=table)
        return [item for page in pages for item in page["Items"]]

    def about(self, number: str) -> list[str]:
        """Every item of any table that holds a number in any spelling, or a key of it."""
        names = texts_of(number)
        found = []
        for table in TABLES:
            for item in self.items(table):
                text = json.dumps(item)
                found += [f"{table}: {text}"] if any(name in text for name in names) else []
        return found

    def count(self, operation: str) -> None:
        """Record a call to DynamoDB before it is made, and run `meanwhile`."""
        self.calls.append(operation)
        if self.meanwhile:
            act, self.meanwhile = self.meanwhile, None
            act(len(self.calls))
            self.meanwhile = self.meanwhile or act


def texts_of(number: str) -> set[str]:
    """The spellings of a number, and the texts that are derived from it."""
    digits = number[1:]
    whole = {digits, digits[-10:], digits[-9:], f"{digits[-10:-7]}-{digits[-7:-4]}-{digits[-4:]}"}
    spaced = {f"({digits[-10:-7]}) {digits[-7:-4]}-{digits[-4:]}", f"{digits[-7:-4]} {digits[-4:]}"}
    return {*whole, *spaced, mask(number), number_key(number), number_key(number)[:8]}


@pytest.fixture(params=["ministack", "dynamodb-local"])
def dynamodb(request: pytest.FixtureRequest) -> Iterator[DynamoDBClient]:
    with engine(request.param, request) as client:
        yield client


@pytest.fixture
def town(dynamodb: DynamoDBClient, policy: Policy, clock: StepClock) -> Iterator[Town]:
    client = dynamodb
    with tables(client, TABLES):
        users = UsersTable(client, "users", Retention(90, 0))
        emitted: list[tuple[str, dict[str, Any]]] = []
        numbers = DynamoNumbers(client, "a-table", users)
        # Without the guard: its counters concern no number and would make most of the calls to the table.
        admission = replace(policy.admission, spend=replace(policy.admission.spend, mode=Mode.OFF))
        policy = replace(policy, admission=admission, keeps_users=True, require_verification_id=False)
        service = Service(
            policy=policy,
            store=DynamoStore(client, "a-table", users),
            providers=MessageProvider(),
            peppers=lambda: Peppers(PEPPER),
            clock=clock,
            emit=lambda event, **fields: emitted.append((event, fields)),
        )
        administration = Administration(policy, numbers, service.peppers, clock, service.emit)
        made = Town(client, service, administration, numbers, users, clock, emitted)

        def count(model: Any, **_: Any) -> None:
            made.count(model.name)

        client.meta.events.register("before-call.dynamodb.*", count)
        yield made
        client.meta.events.unregister("before-call.dynamodb.*", count)


def busy(town: Town) -> list[str]:
    """Every kind of record of a number: two tenants, verified and pending, failures, idempotency records."""
    verified = town.request(consent=CONSENT, purpose="login", idempotency_key="a-key", session_id="s" * 20)
    assert town.verify(verified, WRONG, session_id="s" * 20) == "OTP_INCORRECT"
    assert town.verify(verified, session_id="s" * 20) == "ok"
    town.clock.step(60)
    pending = town.request(tenant="tenant-b", consent=CONSENT)
    assert town.verify(pending, WRONG, tenant="tenant-b") == "OTP_INCORRECT"
    town.clock.step(90)
    resend_code(town.service, ResendOtp(pending), town.caller("tenant-b"))
    town.request(OTHER, consent=CONSENT, idempotency_key="another-key")
    return [verified, pending]


def test_erasing_a_number_leaves_nothing_of_it_in_any_table(town: Town) -> None:
    ids = busy(town)
    others = town.about(OTHER)
    everything = [item["pk"]["S"] for item in town.items()]
    assert {pk[:2] for pk in everything} >= {"V#", "N#", "I#"}
    town.clock.step(600)
    erased = town.erase()
    assert erased.retry_after == 0
    assert town.about(NUMBER) == []
    assert town.about(OTHER) == others
    left = json.dumps([*town.items(), *town.items("users")])
    for verification_id in ids:
        assert keys.verification_key(verification_id) not in left
    assert keys.keyed(PEPPER, "idempotency", "tenant-a:a-key") not in left


def test_an_erasure_answers_with_what_was_erased(town: Town) -> None:
    busy(town)
    town.clock.step(600)
    assert town.erase().counts == {
        "users": 2,
        "verifications": 2,
        "idempotencyKeys": 1,
        "numbers": 1,
    }


def test_erasing_again_finds_nothing(town: Town) -> None:
    busy(town)
    town.clock.step(600)
    town.erase()
    assert town.erase() == Erased({})
    assert town.erase("+14155550199") == Erased({}), "an unknown number has nothing to erase"


def test_another_spelling_of_the_number_erases_it_too(town: Town) -> None:
    town.request("+5215512345678")
    town.clock.step(600)
    assert town.erase("+525512345678").counts["verifications"] == 1
    assert town.about("+525512345678") == []


@pytest.mark.parametrize("seconds", [0.0, 10.0])
def test_an_erasure_of_an_invalid_number_is_refused(town: Town, seconds: float) -> None:
    with pytest.raises(errors.InvalidPhoneNumber):
        town.erase("4155550123", seconds)


def test_an_erasure_that_runs_out_of_time_is_finished_by_the_next(town: Town) -> None:
    busy(town)
    town.clock.step(600)
    first = town.erase(seconds=0)
    assert (first.counts, first.retry_after) == ({}, 1)
    assert town.erase().retry_after == 0
    assert town.about(NUMBER) == []


def fail(town: Town, tenant: str = "tenant-a", times: int = 1, lane: Lane = Lane.STRANGER) -> None:
    """Count wrong guesses at the number, an hour apart."""
    for index in range(times):
        now = milliseconds(town.clock) + to_milliseconds(index * HOUR)
        lanes = town.service.policy.number_limits("US")
        moment = number.moment(now, len(town.calls))
        town.service.store.spend_number_guess(
            NumberGuess(number_key(NUMBER), tenant, now, moment, lanes, lane)
        )


def listed(town: Town) -> Item:
    """The number's own item."""
    (found,) = [item for item in town.items() if item["pk"]["S"] == number_pk(number_key(NUMBER))]
    return found


def test_a_guess_under_way_leaves_a_failure_that_the_next_erasure_finds(town: Town) -> None:
    verification_id = town.request()
    town.clock.step(1)
    first = town.erase()
    assert (first.counts["verifications"], first.retry_after) == (1, 30)
    # The request had spent its guess before the verification was erased, and counts its failure now.
    fail(town)
    town.clock.step(29)
    assert town.erase().retry_after == 1
    town.clock.step(1)
    assert town.erase().retry_after == 0
    assert town.about(NUMBER) == []
    assert town.verify(verification_id) == "VERIFICATION_NOT_FOUND"


def delete_expired(town: Town) -> None:
    """As DynamoDB does some time after the TTL."""
    for item in town.items():
        if "ttl" in item and int(item["ttl"]["N"]) <= town.clock():
            town.client.delete_item(TableName="a-table", Key={"pk": item["pk"]})


def test_a_late_erasure_still_finds_a_failure_that_was_left(town: Town) -> None:
    town.request()
    assert town.erase().retry_after == 30
    fail(town)
    town.clock.step(DAY)
    delete_expired(town)
    assert town.erase().counts["numbers"] == 1
    assert town.about(NUMBER) == []


def test_a_failure_after_an_unlock_is_kept_for_thirty_days(town: Town) -> None:
    verification_id = town.request()
    town.administration.unlock(NUMBER, Administrator("arn", Deadline(10)))
    town.clock.step(60)
    town.verify(verification_id, WRONG)
    assert int(listed(town)["ttl"]["N"]) >= town.clock() + 30 * DAY


def test_a_code_requested_during_an_erasure_is_erased_by_the_next_at_the_latest(
    town: Town,
) -> None:
    """At each step of the erasure in turn. Until it is erased, the code works or is not found."""
    town.request(consent=CONSENT, idempotency_key="a-key")
    town.clock.step(DAY)
    town.calls.clear()
    town.erase()
    steps = len(town.calls)
    assert steps > 5
    for step in range(1, steps + 1):
        town.request(consent=CONSENT, idempotency_key="a-key")
        town.clock.step(DAY)
        town.calls.clear()
        made: list[str] = []

        def request_once(call: int, at: int = step, made: list[str] = made) -> None:
            if call == at and not made:
                made.append(town.request(consent=CONSENT, purpose="during"))

        town.meanwhile = request_once
        town.erase()
        town.meanwhile = None
        assert made, step
        if town.about(NUMBER):
            assert town.verify(made[0]) in ("ok", "VERIFICATION_NOT_FOUND"), step
        town.clock.step(30)
        town.erase()
        town.clock.step(600)
        assert town.erase().retry_after == 0
        assert town.about(NUMBER) == [], step


def test_an_idempotency_record_of_another_number_is_not_erased(town: Town) -> None:
    town.request(idempotency_key="a-key")
    town.clock.step(DAY + 1)
    town.request(OTHER, idempotency_key="a-key")
    assert town.erase().counts["verifications"] == 1
    assert [item["pk"]["S"][:2] for item in town.items() if item["pk"]["S"].startswith("I#")] == ["I#"]
    assert town.about(NUMBER) == []


def test_records_under_the_previous_pepper_are_erased_too(town: Town) -> None:
    busy(town)
    rotated = replace(
        town.administration, peppers=lambda: Peppers("another-pepper-that-is-long-enough-too", PEPPER)
    )
    town.clock.step(600)
    erased = rotated.erase(NUMBER, Administrator("arn", Deadline(10)))
    assert (erased.counts["verifications"], erased.retry_after) == (2, 0)
    assert town.about(NUMBER) == []


def test_a_disabled_number_can_be_unlocked_at_any_later_time(town: Town) -> None:
    town.request()
    fail(town, times=79)
    town.calls.clear()
    town.clock.step(100 * DAY)
    fail(town)
    assert town.calls[-2:] == ["UpdateItem", "UpdateItem"], "the second one disables, by itself"
    assert listed(town)["ttl"]["N"] == str(FOREVER), "or it would have expired before the unlock"
    assert outcome(town.request) == "NUMBER_DISABLED"
    town.clock.step(400 * DAY)
    town.request(tenant="tenant-b")
    assert listed(town)["ttl"]["N"] == str(FOREVER), "another tenant's code must not make it end"
    who = Administrator("arn", Deadline(10))
    status = town.administration.status(NUMBER, who)
    assert [(lock.tenant, lock.lane, lock.failures, lock.disabled) for lock in status.locks] == [
        ("tenant-a", Lane.STRANGER, 80, True)
    ]
    assert town.administration.unlock(NUMBER, who) == 1
    town.clock.step(60)
    assert town.verify(town.request()) == "ok"
    assert int(listed(town)["ttl"]["N"]) < FOREVER


def test_a_success_with_a_token_enables_a_disabled_number_again(town: Town) -> None:
    token = verify_code(town.service, VerifyOtp(town.request(), RIGHT), town.caller()).device_token
    fail(town, times=80)
    town.clock.step(80 * HOUR)
    assert outcome(town.request) == "NUMBER_DISABLED"
    verification_id = town.request(device_token=token)
    assert town.verify(verification_id, device_token=token) == "ok"
    town.clock.step(60)
    assert outcome(town.request) == "ok"
    assert int(listed(town)["ttl"]["N"]) < FOREVER


def test_unlocking_forgets_the_failures_of_every_tenant_and_no_send(town: Town) -> None:
    town.request()
    town.clock.step(60)
    town.request(tenant="tenant-b")
    for tenant in ("tenant-a", "tenant-b"):
        for lane in Lane:
            fail(town, tenant, lane=lane) if lane is not Lane.TOKEN else None
    who = Administrator("arn", Deadline(10))
    assert town.administration.unlock(NUMBER, who) == 2
    assert town.administration.unlock(NUMBER, who) == 0
    assert town.administration.unlock(OTHER, who) == 0
    (record,) = town.administration.status(NUMBER, who).records
    assert (record.number.failures, record.number.totals) == ({}, {})
    assert len(record.number.sends) == 2


def test_a_token_from_before_an_unlock_or_an_erasure_opens_no_lane(town: Town) -> None:
    """A previous owner of the number may still hold one."""
    token = verify_code(town.service, VerifyOtp(town.request(), RIGHT), town.caller()).device_token

    def lane_of_a_request() -> str:
        town.clock.step(DAY)
        return str(town.service.store.find(keys.verification_key(town.request(device_token=token))).lane)  # type: ignore[union-attr] # it is there

    assert lane_of_a_request() == "token"
    town.administration.unlock(NUMBER, Administrator("arn", Deadline(10)))
    assert lane_of_a_request() == "stranger"
    newer = verify_code(town.service, VerifyOtp(town.request(OTHER), RIGHT), town.caller()).device_token
    assert newer != token
    town.clock.step(600)
    town.erase()
    assert lane_of_a_request() == "stranger"


def test_a_number_expires_after_every_record_that_it_lists(town: Town) -> None:
    verification_id = town.request(idempotency_key="a-key")
    town.verify(verification_id, WRONG)
    ends = {item["pk"]["S"][:2]: int(item["ttl"]["N"]) for item in town.items() if "ttl" in item}
    for kind in ("V#", "I#"):
        assert ends["N#"] >= ends[kind] + 6 * DAY, kind


def test_a_verified_number_is_remembered_for_ninety_days_and_forgotten_after(town: Town) -> None:
    town.verify(town.request())
    assert int(listed(town)["ttl"]["N"]) == int(START) + 97 * DAY
    town.clock.step(60)
    town.request()
    assert int(listed(town)["ttl"]["N"]) == int(START) + 97 * DAY


def test_the_form_of_a_numbers_item_is_pinned(town: Town) -> None:
    """It outlives deployments: a change of a name or a text here loses the stored data."""
    first = town.request(client_ip="192.0.2.7", session_id="s" * 20)
    town.verify(first, session_id="s" * 20)
    town.clock.step(60)
    second = town.request(client_ip="192.0.2.8")
    town.verify(second, WRONG)
    town.clock.step(1)
    fail(town, lane=Lane.NETWORK)
    outcome(lambda: town.request(client_ip="192.0.2.8"))
    item, keyed = listed(town), number_key(NUMBER)
    now = int(START)
    owners = [keys.owner(keyed, "tenant-a", session) for session in ("s" * 20, None)]
    networks = [keys.network_hash(PEPPER, NUMBER, f"192.0.2.{last}") for last in (7, 8)]
    assert owners == ["GFJrV4xHtsk", "o9YSR2cnjFc"]
    assert networks == ["ArJYRhqtpGI", "G8MSmyjjuyk"]
    failed, refused = item.pop("failed"), item.pop("refused")
    item["sends"]["SS"].sort()
    assert len(failed["NS"]) == 2
    assert {at[:13] for at in failed["NS"]} == {f"{now + 60}000", f"{now + 61}000"}
    assert [at[:13] for at in refused["NS"]] == [f"{now + 61}000"]
    assert {len(at) for at in [*failed["NS"], *refused["NS"]]} == {16}
    assert item == {
        "pk": {"S": f"N#{keyed}"},
        "version": {"N": "2"},
        "ttl": {"N": str(now + 97 * DAY)},
        "sends": {"SS": [f"{now}000:s:{networks[0]}", f"{now + 60}000:s:{networks[1]}"]},
        "unproven": {"N": "1"},
        "verifications": {
            "M": {
                list_key(keys.verification_key(first)): {"S": f"{now}:{now + 300}:{owners[0]}:fake"},
                list_key(keys.verification_key(second)): {"S": f"{now + 60}:{now + 360}:{owners[1]}:fake"},
            }
        },
        "verified#tenant-a": {"N": str(now)},
        "tokensFrom#tenant-a": {"N": str(now)},
        "networks": {"M": {networks[0]: {"N": str(now)}}},
        "failures#stranger#tenant-a": {"N": "1"},
        "failedAt#stranger#tenant-a": {"N": f"{now + 60}000"},
        "failures#network#tenant-a": {"N": "1"},
        "failedAt#network#tenant-a": {"N": f"{now + 61}000"},
        "failures#tenant-a": {"N": "2"},
    }


def size_of(value: Any) -> int:
    """Bytes of an item by the rules of DynamoDB: names and values, numbers at two digits a byte."""
    if isinstance(value, dict):
        return sum(size_of(inner) + (len(name) if len(name) > 2 else 0) for name, inner in value.items())
    if isinstance(value, list):
        return sum(map(size_of, value))
    return len(value) // 2 + 1 if str(value).isdigit() else len(str(value))


def test_the_item_of_a_number_in_daily_use_stays_below_a_kilobyte(town: Town) -> None:
    """So that a write of it costs one unit, and two in a transaction."""
    for day in range(6):
        session = f"{day:032x}"
        verification_id = town.request(client_ip=f"192.0.2.{day % 3}", session_id=session)
        town.verify(verification_id, WRONG, session_id=session)
        assert town.verify(verification_id, session_id=session) == "ok"
        town.clock.step(DAY)
    town.verify(town.request(client_ip="198.51.100.9"), WRONG)
    assert len(listed(town)["verifications"]["M"]) == 7
    assert size_of(listed(town)) < 1024


def test_equal_networks_of_two_numbers_cannot_be_linked(town: Town) -> None:
    for each in (NUMBER, OTHER):
        town.verify(town.request(each, client_ip="192.0.2.7"))
    items = [json.dumps(item) for item in town.items() if item["pk"]["S"].startswith("N#")]
    hashes = [set(item["networks"]["M"]) for item in town.items() if item["pk"]["S"].startswith("N#")]
    assert hashes[0].isdisjoint(hashes[1])
    assert not [item for item in items if "192.0.2.7" in item]


def test_the_item_of_a_number_lists_only_verifications_that_may_still_exist(town: Town) -> None:
    for _ in range(12):
        town.request()
        town.clock.step(DAY)
    assert len(listed(town)["verifications"]["M"]) == 9


def test_a_numbers_item_does_not_grow_by_codes_that_were_never_sent(town: Town) -> None:
    """No limit counts them, so requests all through an outage would fill it up to the 400 KB of DynamoDB."""
    provider = town.service.providers
    assert isinstance(provider, MessageProvider)
    provider.fails_with = lambda: NotSent("infobip", "http_503")
    for _ in range(5):
        assert outcome(town.request) == "PROVIDER_UNAVAILABLE"
    assert listed(town)["verifications"]["M"] == {}
    provider.fails_with = None
    verification_id = town.request()
    town.clock.step(30)
    provider.fails_with = lambda: NotSent("infobip", "http_503")
    command = ResendOtp(verification_id)
    assert outcome(lambda: resend_code(town.service, command, town.caller())) == "PROVIDER_UNAVAILABLE"
    assert list(listed(town)["verifications"]["M"]) == [list_key(keys.verification_key(verification_id))]


def test_every_admin_call_is_emitted_with_its_caller_and_without_the_number(town: Town) -> None:
    who = Administrator("arn:aws:iam::1:role/support", Deadline(10))
    town.administration.status(NUMBER, who)
    town.administration.unlock(NUMBER, who)
    town.administration.erase(NUMBER, who)
    assert [event for event, _ in town.emitted] == [
        "admin_called",
        "admin_called",
        "number_unlocked",
        "admin_called",
        "number_erased",
    ]
    for _, fields in town.emitted:
        assert (fields["caller"], fields["number_key"]) == (who.arn, number_key(NUMBER))
        assert NUMBER not in repr(fields)


def test_a_request_records_an_unverified_user_for_ninety_days(town: Town) -> None:
    town.request(consent=CONSENT)
    (user,) = town.users.of(number_key(NUMBER))
    now = Seconds(int(START))
    assert (user.tenant, user.country, user.verified_at, user.purposes) == ("tenant-a", "US", None, ())
    assert (user.consent, user.requested_consent) == (None, ConsentRecord(CONSENT, now))
    assert user.kept_until == now + 90 * DAY
    town.clock.step(60)
    town.request()
    (user,) = town.users.of(number_key(NUMBER))
    assert (user.first_requested_at, user.last_requested_at) == (now, now + 60)
    assert user.kept_until == now + 60 + 90 * DAY


def test_a_right_code_verifies_the_user_in_the_same_transaction(town: Town) -> None:
    verification_id = town.request(consent=CONSENT, purpose="login")
    town.clock.step(20)
    town.calls.clear()
    assert town.verify(verification_id) == "ok"
    assert town.calls == ["UpdateItem", "UpdateItem", "TransactWriteItems"]
    (user,) = town.users.of(number_key(NUMBER))
    assert (user.verified_at, user.purposes, user.kept_until) == (int(START) + 20, ("login",), None)
    assert user.consent == ConsentRecord(CONSENT, Seconds(int(START))), "dated at the request for the code"
    assert user.requested_consent is None


def test_a_request_takes_no_more_round_trips_for_its_user(town: Town) -> None:
    town.request(consent=CONSENT)
    assert town.calls == ["BatchGetItem", "TransactWriteItems", "UpdateItem"]


def test_a_user_whose_code_was_wrong_or_used_is_not_verified_by_it(town: Town) -> None:
    verification_id = town.request()
    assert town.verify(verification_id, WRONG) == "OTP_INCORRECT"
    assert town.users.of(number_key(NUMBER))[0].verified_at is None
    assert town.verify(verification_id) == "ok"
    at = town.users.of(number_key(NUMBER))[0].verified_at
    town.clock.step(1)
    assert town.verify(verification_id) == "ALREADY_VERIFIED"
    assert town.users.of(number_key(NUMBER))[0].verified_at == at


def test_a_request_for_a_code_changes_nothing_that_was_verified(town: Town) -> None:
    """A consent without a right code may come from anybody."""
    assert town.verify(town.request(consent=CONSENT)) == "ok"
    before = town.users.of(number_key(NUMBER))[0]
    town.clock.step(60)
    forged = Consent("terms-of-somebody-else", "a-form")
    town.request(consent=forged)
    after = town.users.of(number_key(NUMBER))[0]
    assert after.requested_consent == ConsentRecord(forged, seconds(town.clock))
    assert replace(after, requested_consent=None, last_requested_at=before.last_requested_at) == before


def test_each_tenant_has_users_of_its_own(town: Town) -> None:
    assert town.verify(town.request(tenant="tenant-a"), tenant="tenant-a") == "ok"
    town.clock.step(60)
    town.request(tenant="tenant-b")
    verified = {user.tenant: user.verified_at is not None for user in town.users.of(number_key(NUMBER))}
    assert verified == {"tenant-a": True, "tenant-b": False}


def test_a_user_has_no_more_purposes_than_fit_and_is_verified_all_the_same(town: Town) -> None:
    for index in range(MOST_PURPOSES + 3):
        assert town.verify(town.request(purpose=f"purpose-{index}")) == "ok"
        town.clock.step(DAY)
    assert town.verify(town.request(purpose="purpose-1")) == "ok"
    (user,) = town.users.of(number_key(NUMBER))
    assert len(user.purposes) == MOST_PURPOSES
    assert user.verified_at == int(town.clock())


def test_verified_users_expire_where_the_deployment_sets_a_retention(town: Town) -> None:
    users = UsersTable(town.client, "users", Retention(90, 365))
    service = replace(town.service, store=DynamoStore(town.client, "a-table", users))
    verification_id = request_code(service, RequestOtp(NUMBER), town.caller()).verification_id
    verify_code(service, VerifyOtp(verification_id, RIGHT), town.caller())
    assert town.users.of(number_key(NUMBER))[0].kept_until == int(START) + 365 * DAY
    town.clock.step(60)
    request_code(service, RequestOtp(NUMBER), town.caller())
    assert town.users.of(number_key(NUMBER))[0].kept_until == int(START) + 365 * DAY


def test_an_expired_user_is_no_longer_shown_and_still_erased(town: Town) -> None:
    """DynamoDB deletes up to days after the TTL."""
    town.request()
    who = Administrator("arn:aws:iam::1:role/admin", Deadline(10))
    town.clock.step(90 * DAY - 1)
    (record,) = town.administration.status(NUMBER, who).records
    assert len(record.users) == 1
    town.clock.step(1)
    (record,) = town.administration.status(NUMBER, who).records
    assert record.users == ()
    town.erase()
    assert town.items("users") == []


def test_a_consent_is_refused_where_the_deployment_keeps_no_users(town: Town) -> None:
    service = replace(town.service, policy=replace(town.service.policy, keeps_users=False))
    with pytest.raises(errors.InvalidRequest) as refused:
        request_code(service, RequestOtp(NUMBER, consent=CONSENT), town.caller())
    assert refused.value.errors == ({"pointer": "/consent", "detail": "this deployment keeps no users"},)
    assert town.calls == []


def test_the_users_table_holds_no_number(town: Town) -> None:
    town.verify(town.request(consent=CONSENT, purpose="login"))
    text = json.dumps(town.items("users"))
    assert number_key(NUMBER) in text
    for name in texts_of(NUMBER) - {number_key(NUMBER), number_key(NUMBER)[:8]}:
        assert name not in text
