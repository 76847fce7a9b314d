"""Providers' callbacks through the real handler: API Gateway's event in, the table's items out."""

import base64
import io
import json
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import boto3
import pytest
from mypy_boto3_dynamodb import DynamoDBClient

import aws_events.app
import webhooks.app
from fakes.memory import PEPPER, PEPPERS, START, StepClock, a_verification
from generators import events
from local.sandbox.credentials import (
    INFOBIP_WEBHOOK_PASSWORD,
    INFOBIP_WEBHOOK_USER,
    SINCH_APPLICATION_KEY,
    SINCH_APPLICATION_SECRET,
    credentials,
)
from local.sandbox.infobip_report import basic
from local.template import environment
from ops.measured import datapoints
from sms_otp.adapters import config
from sms_otp.adapters.aws.secrets import SecretCache
from sms_otp.adapters.config import Settings
from sms_otp.adapters.dynamodb.store import DynamoStore
from sms_otp.adapters.providers.sinch import decoded_secret, signature_of
from sms_otp.domain import errors, keys
from sms_otp.domain.clock import Milliseconds
from sms_otp.domain.number import NOTHING_KNOWN, ListedVerification
from sms_otp.domain.ports import NumberChange, ProviderHandle, Reservation, StoreError
from sms_otp.domain.verification import State, Verification
from sms_otp.entry_points import bootstrap, http
from tests.emulator import emulated_aws
from tests.functional.canaries import Watch
from tests.functional.deployment import Context
from tests.tables import create_table

JSON = "application/json; charset=utf-8"
SINCH_ID = "018c25e1-7163-5677-b8fb-467d7b1cffa5"


@dataclass
class Deployed:
    """The handler, over an emulated table and provider secret."""

    dynamodb: DynamoDBClient
    table: str
    store: DynamoStore
    log: io.StringIO
    capsys: pytest.CaptureFixture[str]

    def call(self, event: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        """Status and body. The headers of every answer are checked."""
        answer = webhooks.app.lambda_handler(event, Context())
        problem = answer["statusCode"] != 200
        kind = "application/problem+json" if problem else "application/json"
        expected = {"Content-Type": f"{kind}; charset=utf-8", **http.HEADERS}
        assert answer["headers"] == expected
        return answer["statusCode"], json.loads(answer["body"])

    def hold(self, provider: str) -> Verification:
        """A verification whose code this provider has accepted for sending."""
        verification = a_verification(provider=None, provider_ref=None)
        listed = ListedVerification(verification.created_at, verification.expires_at, "an-owner", provider)
        number = NumberChange(
            verification.number_key,
            before=NOTHING_KNOWN,
            sends=(),
            send=None,
            verifications={verification.key: listed},
            keep_until=verification.expires_at,
        )
        self.store.reserve(Reservation(verification, Milliseconds(int(START) * 1000), number))
        self.store.record_sent(
            verification.key, ProviderHandle(provider, SINCH_ID, "sms", "accepted", f"{provider}-message")
        )
        return self.read(verification)

    def read(self, verification: Verification) -> Verification:
        found = self.store.find(verification.key)
        assert found is not None
        return found

    def items(self) -> list[dict[str, Any]]:
        return sorted(self.dynamodb.scan(TableName=self.table)["Items"], key=lambda item: item["pk"]["S"])

    def lines(self) -> list[dict[str, Any]]:
        """The parsed log."""
        return [json.loads(line) for line in self.log.getvalue().splitlines()]

    def metrics(self) -> dict[str, float]:
        """The metrics, by name."""
        lines = [json.loads(line) for line in self.capsys.readouterr().out.splitlines() if "_aws" in line]
        return {point.name: point.value for line in lines for point in datapoints(line)}


@pytest.fixture
def deployed(
    _log: io.StringIO,
    clock: StepClock,
    watch: Watch,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Iterator[Deployed]:
    """The real `bootstrap`; only the clock is a fake."""
    variables = environment(ProviderOrder="infobip,sinch")
    for name, value in (variables | {"AWS_DEFAULT_REGION": "eu-west-1"}).items():
        monkeypatch.setenv(name, value)
    caches = (config.settings, bootstrap.webhooks, bootstrap._dynamodb)
    with emulated_aws():
        for cached in caches:
            cached.cache_clear()
        dynamodb = boto3.client("dynamodb", region_name="eu-west-1")
        create_table(dynamodb, variables["TABLE_NAME"])
        fields = credentials("https://provider.invalid")
        manager = boto3.client("secretsmanager", region_name="eu-west-1")
        manager.create_secret(Name=variables["PROVIDER_SECRET_ARN"], SecretString=json.dumps(fields))
        manager.create_secret(
            Name=variables["PEPPER_SECRET_ARN"], SecretString=json.dumps({"pepper": PEPPER})
        )
        made = replace(bootstrap.webhooks(), clock=clock)
        monkeypatch.setattr(bootstrap, "webhooks", lambda: made)
        store = DynamoStore(dynamodb, variables["TABLE_NAME"])
        yield Deployed(dynamodb, variables["TABLE_NAME"], store, _log, capsys)
        watch.record_items(dynamodb, variables["TABLE_NAME"], clock())
        for cached in caches:
            cached.cache_clear()


def sinch(fields: dict[str, Any], *, path: str = "/v1/webhooks/sinch", as_base64: bool = False) -> Any:
    """The event of a callback that Sinch signed, from a sandbox's or a real account's application."""
    body = json.dumps({"id": SINCH_ID, "method": "sms", **fields}).encode()
    timestamp = datetime.fromtimestamp(START, UTC).strftime("%Y-%m-%dT%H:%M:%S.0000000Z")
    signature = signature_of(decoded_secret(SINCH_APPLICATION_SECRET), "POST", path, body, JSON, timestamp)
    headers = {
        "Content-Type": JSON,
        "X-Timestamp": timestamp,
        "Authorization": f"application {SINCH_APPLICATION_KEY}:{signature}",
    }
    return events.build("/webhooks/sinch", body=body, headers=headers, as_base64=as_base64, with_key=False)


def delivered(held: Verification, result: str = "Successful") -> dict[str, Any]:
    return {"event": "VerificationSmsDeliveredEvent", "reference": held.key, "smsResult": result}


def verification_request(held: Verification, number: str | None = None) -> dict[str, Any]:
    identity = {"type": "number", "endpoint": number or held.phone}
    return {"event": "VerificationRequestEvent", "reference": held.key, "identity": identity}


def infobip(*groups: int, password: str = INFOBIP_WEBHOOK_PASSWORD, message: str = "infobip-message") -> Any:
    body = json.dumps({"results": [a_report(group, message) for group in groups]})
    headers = {"Content-Type": "application/json", **basic(INFOBIP_WEBHOOK_USER, password)}
    return events.build("/webhooks/infobip", body=body, headers=headers, with_key=False)


def a_report(group: int, message: str) -> dict[str, Any]:
    """A report as Infobip sends it, including the fields that are not read."""
    return {
        "bulkId": "BULK-ID-123-xyz",
        "messageId": message,
        "to": "14155550123",
        "sender": "InfoSMS",
        "sentAt": "2027-01-15T16:00:00.000+0100",
        "doneAt": "2027-01-15T16:00:00.000+0100",
        "messageCount": 1,
        "price": {"pricePerMessage": 0.01, "currency": "EUR"},
        "status": {"groupId": group, "groupName": "ANY", "description": "The message's description"},
        "error": {"groupId": 0, "groupName": "OK", "id": 0, "name": "NO_ERROR", "permanent": False},
        "platform": {"entityId": "an-entity", "applicationId": "an-application"},
    }


@pytest.mark.parametrize("as_base64", [False, True])
def test_a_sinch_delivery_report_is_stored_logged_and_measured_once(
    deployed: Deployed, clock: StepClock, as_base64: bool
) -> None:
    held = deployed.hold("sinch")
    clock.step(7)
    for _ in range(2):
        assert deployed.call(sinch(delivered(held), as_base64=as_base64)) == (200, {})
    assert deployed.read(held) == replace(held, delivery="delivered")
    (line,) = deployed.lines()
    assert (line["message"], line["delivery"], line["seconds"]) == ("delivery_reported", "delivered", 7)
    assert deployed.metrics() == {"DeliverySuccess": 1, "DeliveryLatency": 7}


@pytest.mark.parametrize(
    ("group", "delivery"), [(3, "delivered"), (2, "failed"), (5, "failed"), (1, "accepted")]
)
def test_an_infobip_delivery_report_is_matched_by_its_message_id(
    deployed: Deployed, group: int, delivery: str
) -> None:
    held = deployed.hold("infobip")
    assert deployed.call(infobip(group)) == (200, {})
    assert deployed.read(held) == replace(held, delivery=delivery)
    assert deployed.call(infobip(group, message="another")) == (200, {})


def test_the_largest_batch_of_infobip_reports_is_accepted(deployed: Deployed) -> None:
    """2000 reports, the maximum of a subscription's `maxBucketSize`; one of them is about our code."""
    held = deployed.hold("infobip")
    results = [a_report(3, f"another-{count}") for count in range(1999)] + [a_report(3, "infobip-message")]
    event = infobip(3)
    assert deployed.call(event | {"body": json.dumps({"results": results})}) == (200, {})
    assert deployed.read(held) == replace(held, delivery="delivered")


def test_an_unknown_delivery_status_is_neither_success_nor_failure(deployed: Deployed) -> None:
    held = deployed.hold("infobip")
    status = {"groupId": 4, "groupName": "EXPIRED", "id": 29, "name": "EXPIRED_DLR_UNKNOWN"}
    body = json.dumps({"results": [a_report(4, "infobip-message") | {"status": status}]})
    assert deployed.call(infobip(4) | {"body": body}) == (200, {})
    assert deployed.read(held) == replace(held, delivery="unknown")
    (line,) = deployed.lines()
    assert (line["delivery"], line["reason"]) == ("unknown", "EXPIRED_DLR_UNKNOWN")
    assert deployed.metrics() == {}


def test_an_aws_delivery_report_is_matched_by_its_message_id(deployed: Deployed) -> None:
    held = deployed.hold("aws")
    event = {"eventType": "TEXT_DELIVERED", "isFinal": True, "messageId": "aws-message"}
    brought = events.published(json.dumps(event | {"context": {"reference": held.key}}))
    for _ in range(2):
        aws_events.app.lambda_handler(brought, Context())
    assert deployed.read(held) == replace(held, delivery="delivered")
    assert [line["message"] for line in deployed.lines()] == ["delivery_reported"]


def test_an_aws_event_that_cannot_be_stored_raises_and_is_retried(deployed: Deployed) -> None:
    deployed.dynamodb.delete_table(TableName=deployed.table)
    with pytest.raises(StoreError):
        aws_events.app.lambda_handler(events.PUBLISHED["aws_events-delivered"], Context())
    create_table(deployed.dynamodb, deployed.table)


def test_reports_out_of_order_end_as_delivered(deployed: Deployed) -> None:
    held = deployed.hold("infobip")
    for group in (1, 2, 3, 2, 1, 3):
        deployed.call(infobip(group))
    assert deployed.read(held) == replace(held, delivery="delivered")


def test_sinch_may_send_only_for_a_reserved_verification(deployed: Deployed, clock: StepClock) -> None:
    held = deployed.hold("sinch")
    before = deployed.items()
    assert deployed.call(sinch(verification_request(held))) == (200, {"action": "allow"})
    assert deployed.call(sinch(verification_request(held, "+14155550199"))) == (200, {"action": "deny"})
    assert deployed.call(sinch({"event": "VerificationRequestEvent"})) == (200, {"action": "deny"})
    deployed.store.cancel(held.key, held.tenant)
    assert deployed.call(sinch(verification_request(held))) == (200, {"action": "deny"})
    assert len(before) == len(deployed.items())
    clock.step(301)
    assert deployed.call(sinch(verification_request(held)))[0] == 401, "five minutes later it is a replay"


def test_sinch_gets_the_verifications_own_code_and_nothing_else_shows_it(
    deployed: Deployed, watch: Watch
) -> None:
    nonce = keys.new_nonce()
    key = keys.verification_key(keys.verification_id(PEPPER, nonce))
    held = a_verification(key=key, nonce=nonce, provider=None, provider_ref=None)
    deployed.store.reserve(Reservation(held, Milliseconds(int(START) * 1000)))
    request = {**verification_request(held), "custom": keys.callback_key(PEPPER, key)}
    status, answer = deployed.call(sinch(request))
    code = answer["sms"]["code"]
    watch.look_for("code", code)
    assert (status, answer) == (200, {"action": "allow", "sms": {"code": code}})
    assert code == keys.own_code(PEPPERS, nonce, key, 6)
    assert deployed.call(sinch(request)) == (status, answer), "Sinch may repeat its request"
    assert deployed.read(held) == replace(held, own_code_refs=(SINCH_ID,))
    assert (deployed.lines(), deployed.metrics()) == ([], {})


@pytest.mark.parametrize("custom", [None, "", "a-guess"])
def test_the_sinch_application_secret_alone_reveals_no_code(deployed: Deployed, custom: str | None) -> None:
    held = deployed.hold("sinch")
    before = deployed.items()
    assert deployed.call(sinch({**verification_request(held), "custom": custom})) == (
        200,
        {"action": "allow"},
    )
    assert deployed.items() == before


def test_sinch_makes_the_code_when_the_pepper_cannot_be_read(
    deployed: Deployed, monkeypatch: pytest.MonkeyPatch
) -> None:
    held = deployed.hold("sinch")
    made = replace(bootstrap.webhooks(), peppers=_no_pepper)
    monkeypatch.setattr(bootstrap, "webhooks", lambda: made)
    request = {**verification_request(held), "custom": keys.callback_key(PEPPER, held.key)}
    assert deployed.call(sinch(request)) == (200, {"action": "allow"})
    assert [line["message"] for line in deployed.lines()] == ["own_code_failed"]


def _no_pepper() -> keys.Peppers:
    raise errors.ServiceMisconfigured(reason="pepper secret: AccessDeniedException")


def test_a_sinch_result_event_verifies_nobody(deployed: Deployed) -> None:
    held = deployed.hold("sinch")
    event = {"event": "VerificationResultEvent", "reference": held.key, "status": "SUCCESSFUL"}
    assert deployed.call(sinch(event)) == (200, {})
    assert deployed.read(held).state is State.PENDING


# (the URL that is registered with Sinch, its path, API Gateway's `path`). AWS fills them like this:
# `requestContext.path` is the path that the caller used, `path` leaves out the stage of an execute-api URL.
PUBLIC = [
    ("the API's own URL", "/v1/webhooks/sinch", "/webhooks/sinch"),
    ("a domain mapped to the stage", "/webhooks/sinch", "/webhooks/sinch"),
    ("a domain with a base path", "/codes/webhooks/sinch", "/codes/webhooks/sinch"),
    ("a domain with a base path of two parts", "/codes/live/webhooks/sinch", "/codes/live/webhooks/sinch"),
    ("a domain mapped to the API", "/codes/v1/webhooks/sinch", "/codes/v1/webhooks/sinch"),
]


@pytest.mark.parametrize(("public", "path"), [each[1:] for each in PUBLIC], ids=[each[0] for each in PUBLIC])
def test_a_sinch_signature_is_checked_against_the_public_path(
    deployed: Deployed, public: str, path: str
) -> None:
    held = deployed.hold("sinch")
    event = sinch(delivered(held), path=public)
    event |= {"path": path, "requestContext": {**event["requestContext"], "path": public}}
    assert deployed.call(event) == (200, {})
    assert deployed.read(held).delivery == "delivered"


def forgeries(held: Verification) -> dict[str, dict[str, Any]]:
    whole = sinch(delivered(held))
    headers = whole["headers"]
    return {
        "unsigned": events.build("/webhooks/sinch", body=whole["body"], with_key=False),
        "another body": whole | {"body": whole["body"] + " "},
        "a body that is not base64": whole | {"isBase64Encoded": True},
        "no body": whole | {"body": None},
        "no headers": whole | {"headers": None},
        "the path without its stage": sinch(delivered(held), path="/webhooks/sinch"),
        "another path": whole | {"requestContext": {**whole["requestContext"], "path": "/v2/webhooks/sinch"}},
        "no path": whole | {"requestContext": {}},
        "at the other provider's path": whole
        | {"requestContext": {**whole["requestContext"], "path": "/v1/webhooks/infobip"}},
        "a lone surrogate": whole | {"headers": {**headers, "Authorization": "application \udc80:\udc80"}},
        "Infobip by another password": infobip(3, password="another"),
        "Infobip by Basic": events.build(
            "/webhooks/infobip",
            body="{}",
            headers={"Authorization": "Basic " + base64.b64encode(b"infobip:").decode()},
            with_key=False,
        ),
    }


FORGERIES = sorted(forgeries(a_verification()))


@pytest.mark.parametrize("name", FORGERIES)
def test_a_forged_callback_is_a_401_that_changes_nothing(deployed: Deployed, name: str) -> None:
    held = deployed.hold("sinch")
    before = deployed.items()
    status, body = deployed.call(forgeries(held)[name])
    assert (status, body["status"], body["errorCode"], body["title"]) == (401, 401, "FORBIDDEN", "Forbidden")
    assert body["success"] is False
    assert deployed.items() == before
    (line,) = deployed.lines()
    assert line["message"] == "webhook_refused"
    assert deployed.metrics() == {"WebhookRefused": 1}


def test_a_store_failure_is_a_500_so_that_the_provider_retries(deployed: Deployed) -> None:
    held = deployed.hold("sinch")
    deployed.dynamodb.delete_table(TableName=deployed.table)
    status, body = deployed.call(sinch(verification_request(held)))
    create_table(deployed.dynamodb, deployed.table)
    assert (status, body["errorCode"]) == (500, "INTERNAL_ERROR")


def test_no_signature_is_verified_when_the_secret_cannot_be_read(
    deployed: Deployed, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    held = deployed.hold("sinch")
    client = boto3.client("secretsmanager", region_name="eu-west-1")
    secret_cache = SecretCache(client, "none", settings.pepper_secret_arn, time.time)
    made = replace(bootstrap.webhooks(), credentials=secret_cache.credentials)
    monkeypatch.setattr(bootstrap, "webhooks", lambda: made)
    status, body = deployed.call(sinch(delivered(held)))
    assert (status, body["errorCode"]) == (500, "INTERNAL_ERROR")
    assert deployed.read(held) == held
