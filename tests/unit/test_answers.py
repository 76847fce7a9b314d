"""Answers are closed: each has the fields that `openapi.yaml` has, all of them and no other."""

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

import admin.app
import cancel_otp.app
import deep_health.app
import health.app
import otp_status.app
import request_otp.app
import resend_otp.app
import verify_otp.app
from fakes.memory import START, a_verification
from local.template import template
from sms_otp.domain import errors
from sms_otp.domain.clock import Deadline, Seconds, to_milliseconds
from sms_otp.domain.commands import Requested, Verified
from sms_otp.domain.guard import BudgetLane
from sms_otp.domain.number import Lane, Number, Send
from sms_otp.domain.ports import Erased, NumberRecord
from sms_otp.domain.stops import Scope, Stop
from sms_otp.domain.users import Consent, ConsentRecord, User
from sms_otp.entry_points import bootstrap, http
from sms_otp.use_cases import tokens
from sms_otp.use_cases.administration import Administrator, Lock, NumberStatus
from sms_otp.use_cases.health import ProviderReport, Report
from sms_otp.use_cases.next_send import NextSend
from sms_otp.use_cases.status import Status
from tests.answers import produced, properties, undocumented

NOW = Seconds(int(START))
REQUESTED = Requested("an-id", "sms", NOW + Seconds(300), Seconds(30), app_hash_sent=True)
VERIFIED = Verified(
    "an-id", "+14155550123", "login", NOW, "a-token", device_token="a-device-token"
)  # no secret
CONSENT = ConsentRecord(Consent("2027-01", "checkout"), NOW)
USER = User("tenant-a", "US", NOW, NOW, NOW, ("login",), CONSENT, CONSENT, NOW)
NUMBER = NumberStatus(
    "f" * 64,
    (NumberRecord(Number(sends=(Send(to_milliseconds(NOW)),)), users=(USER,)),),
    (Lock("tenant-a", Lane.STRANGER, 7, disabled=True, retry_after=Seconds(30)),),
    ((a_verification(purpose="login"), "pending"),),
    Seconds(30),
)
NEXT = (
    NextSend(Lane.TOKEN, "tenant-a", Lane.STRANGER, BudgetLane.FRESH),
    NextSend(Lane.STRANGER, error=errors.RateLimited(reason="number", retry_after=Seconds(30))),
)
STOPS = {Stop(Scope.COUNTRY, "GB"): NOW}
HEALTHY = Report("up", "up", "up", {"aws": ProviderReport("up", "closed")}, "up", {"aws": "a_code"})
KINDS = ("verifications", "numbers", "idempotencyKeys", "users")


class Administration:
    """Answers each operation with everything that it can."""

    def status(self, _number: str, _who: Administrator) -> NumberStatus:
        return NUMBER

    def unlock(self, _number: str, _who: Administrator) -> int:
        return 1

    def erase(self, _number: str, _who: Administrator) -> Erased:
        return Erased(dict.fromkeys(KINDS, 1), retry_after=Seconds(30))


class Key:
    """Publishes one key."""

    key_id = "a-key"

    def public_key(self) -> bytes:
        public = Ed25519PrivateKey.from_private_bytes(bytes(32)).public_key()
        return public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def administered(path: str) -> Any:
    return admin.app._ROUTES[path].act("+14155550123", Administrator("an-arn", Deadline(10)))


# By path, an answer with every field that it can have.
WHOLE: dict[str, Callable[[], Any]] = {
    "/request-otp": lambda: request_otp.app._ROUTES["/request-otp"].write(REQUESTED),
    "/resend-otp": lambda: resend_otp.app._ROUTE.write(replace(REQUESTED, same_code=False)),
    "/verify-otp": lambda: verify_otp.app._ROUTES["/verify-otp"].write(VERIFIED),
    "/cancel-otp": lambda: cancel_otp.app._ROUTES["/cancel-otp"].write(None),
    "/otp-status": lambda: otp_status.app._ROUTES["/otp-status"].write(
        Status("pending", "sms", "accepted", 5, NOW, Seconds(0))
    ),
    "/one-time-password-sms/v1/send-code": lambda: request_otp.app._ROUTES[
        "/one-time-password-sms/v1/send-code"
    ].write(REQUESTED),
    "/health": lambda: json.loads(health.app.lambda_handler({}, None)["body"]),
    "/health/deep": lambda: deep_health.app._ROUTE.write(HEALTHY),
    "/admin/number-status": lambda: administered("/admin/number-status"),
    "/admin/unlock-number": lambda: administered("/admin/unlock-number"),
    "/admin/erase-number": lambda: administered("/admin/erase-number"),
    "/admin/stop-sending": lambda: admin.app._ROUTES["/admin/stop-sending"].write(STOPS),
    "/admin/resume-sending": lambda: admin.app._ROUTES["/admin/resume-sending"].write(STOPS),
    "/.well-known/jwks.json": lambda: tokens.key_set([Key()]),
}
NOT_HERE = {
    "/one-time-password-sms/v1/validate-code": "204, without a body",
    "/webhooks/sinch": "tests/unit/test_webhooks.py holds the two answers",
    "/webhooks/infobip": "always empty",
}
ONLY_UNHEALTHY = {"/retryAfter"}


@pytest.fixture(autouse=True)
def _administration(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bootstrap, "administration", Administration)
    monkeypatch.setattr(bootstrap, "service", lambda: None)
    monkeypatch.setattr(admin.app, "next_sends", lambda *_: NEXT)


def test_every_path_of_the_template_is_checked_here() -> None:
    events = [
        event["Properties"]["Path"]
        for declared in template()["Resources"].values()
        for event in declared["Properties"].get("Events", {}).values()
        if event["Type"] == "Api"
    ]
    assert set(events) == WHOLE.keys() | NOT_HERE.keys()


@pytest.mark.parametrize("path", WHOLE)
def test_an_answer_has_no_undocumented_field(path: str) -> None:
    assert undocumented(path, 200, WHOLE[path]()) == []


@pytest.mark.parametrize("path", WHOLE)
def test_every_documented_field_is_in_an_answer(path: str) -> None:
    assert properties(path, 200) - ONLY_UNHEALTHY <= produced(WHOLE[path]())


@pytest.mark.parametrize("path", WHOLE)
def test_a_field_that_is_added_to_an_answer_is_reported(path: str) -> None:
    assert undocumented(path, 200, WHOLE[path]() | {"surprise": 1}) == [f"{path} 200: /surprise"]


def test_a_field_that_is_added_deep_in_an_answer_is_reported() -> None:
    body = WHOLE["/admin/number-status"]()
    body["users"][0]["consent"]["surprise"] = 1
    assert undocumented("/admin/number-status", 200, body) == [
        "/admin/number-status 200: /users/0/consent/surprise"
    ]


def test_a_problem_has_exactly_the_documented_fields() -> None:
    wrong = errors.OtpIncorrect(
        attempts_remaining=0, retry_after=Seconds(30), errors=[{"pointer": "/otp", "detail": "wrong"}]
    )
    body = json.loads(http.problem({}, wrong, "request-1")["body"])
    assert undocumented("/verify-otp", 400, body) == []
    assert properties("/verify-otp", 400) == produced(body)
