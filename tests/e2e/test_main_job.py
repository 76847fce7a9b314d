"""Request a code, receive it and verify it: over HTTP, on the real template."""

import contextlib
import time
from collections.abc import Iterator

import pytest
import requests

from local.stack import PARAMETERS, LocalStack
from sms_otp.domain.keys import verification_key
from tests.e2e.conftest import Backend, fresh_number, passed

pytestmark = pytest.mark.e2e

WRONG = "000000"


def test_a_code_is_requested_received_and_verified_with_infobip(backend: Backend) -> None:
    number = fresh_number()
    answer = backend.request(number, purpose="signup")
    body = answer.json()
    assert answer.status_code == 200
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert (body["success"], body["channel"], body["resendAfter"]) == (True, "sms", 30)
    (message,) = backend.inbox(number)
    assert message["provider"] == "infobip"

    wrong = backend.verify(body["verificationId"], "000000" if message["code"] != "000000" else "000001")
    assert wrong.status_code == 400
    assert wrong.headers["Content-Type"].startswith("application/problem+json")
    assert (wrong.json()["errorCode"], wrong.json()["attemptsRemaining"]) == ("OTP_INCORRECT", 4)

    right = backend.verify(body["verificationId"], message["code"])
    assert right.status_code == 200
    assert right.json()["phoneNumber"] == number
    assert right.json()["purpose"] == "signup"

    again = backend.verify(body["verificationId"], message["code"])
    assert (again.status_code, again.json()["errorCode"]) == (409, "ALREADY_VERIFIED")


def test_a_call_brings_the_code_if_voice_is_requested(backend: Backend) -> None:
    number = fresh_number()
    verification_id = backend.requested(number, channel="voice")
    (message,) = backend.inbox(number)
    assert message["channel"] == "voice"
    assert backend.verify(verification_id, message["code"]).status_code == 200


def test_five_wrong_guesses_end_a_verification_and_the_right_code_no_longer_helps(backend: Backend) -> None:
    number = fresh_number()
    verification_id = backend.requested(number)
    right = backend.code(number)
    wrong = "111111" if right != "111111" else "222222"
    assert [backend.verify(verification_id, wrong).status_code for _ in range(5)] == [400] * 5
    spent = backend.verify(verification_id, right)
    assert (spent.status_code, spent.json()["errorCode"]) == (429, "TOO_MANY_ATTEMPTS")
    assert int(spent.headers["Retry-After"]) >= 1
    assert len(backend.calls("check", number)) == 5


def test_only_the_session_that_requested_the_code_may_verify(backend: Backend) -> None:
    number = fresh_number()
    verification_id = backend.requested(number, sessionId="mine")
    code = backend.code(number)
    for stranger in ({}, {"sessionId": "another"}, {"sessionId": "mine", "phoneNumber": fresh_number()}):
        refused = backend.verify(verification_id, code, **stranger)
        assert (refused.status_code, refused.json()["errorCode"]) == (404, "VERIFICATION_NOT_FOUND")
    assert backend.calls("check", number) == []
    assert backend.verify(verification_id, code, sessionId="mine", phoneNumber=number).status_code == 200


def test_a_second_code_within_the_gap_is_refused_and_not_sent(backend: Backend) -> None:
    number = fresh_number()
    backend.requested(number)
    refused = backend.request(number)
    assert (refused.status_code, refused.json()["errorCode"]) == (429, "RATE_LIMITED")
    assert 1 <= refused.json()["retryAfter"] == int(refused.headers["Retry-After"]) <= 30
    assert len(backend.inbox(number)) == 1


@pytest.mark.parametrize("fault", ["500", "502", "429", "401", "redirect"])
def test_the_second_provider_sends_if_the_first_did_not(backend: Backend, fault: str) -> None:
    number = fresh_number()
    backend.spoil("infobip", "send", fault)
    verification_id = backend.requested(number)
    (message,) = backend.inbox(number)
    assert message["provider"] == "sinch"
    assert backend.verify(verification_id, message["code"]).status_code == 200
    assert [call["provider"] for call in backend.calls("check", number)] == ["sinch"]


def test_a_number_may_request_again_if_no_provider_sent(backend: Backend) -> None:
    number = fresh_number()
    for provider in ("infobip", "sinch"):
        backend.spoil(provider, "send", "redirect")
    refused = backend.request(number)
    assert (refused.status_code, refused.json()["errorCode"]) == (503, "PROVIDER_UNAVAILABLE")
    assert backend.inbox(number) == []
    backend.requested(number)


def test_a_send_whose_answer_is_lost_is_never_repeated(backend: Backend) -> None:
    number = fresh_number()
    backend.spoil("infobip", "send", "lost")
    refused = backend.request(number)
    assert refused.status_code == 503, refused.text
    assert refused.json()["errorCode"] == "PROVIDER_UNAVAILABLE"
    assert backend.request(number).status_code == 429
    assert len(backend.calls("send", number)) == 1


def test_a_number_that_the_provider_rejects_for_good_is_answered_422(backend: Backend) -> None:
    number = fresh_number()
    backend.spoil("infobip", "send", "refused")
    refused = backend.request(number)
    assert (refused.status_code, refused.json()["errorCode"]) == (422, "PROVIDER_REJECTED")
    assert len(backend.calls("send", number)) == 1


def test_a_check_without_an_answer_verifies_nobody_and_spends_an_attempt(backend: Backend) -> None:
    number = fresh_number()
    verification_id = backend.requested(number)
    backend.spoil("infobip", "check", "500")
    assert backend.verify(verification_id, backend.code(number)).status_code == 503
    wrong = backend.verify(verification_id, "111111")
    assert wrong.json().get("attemptsRemaining", 3) == 3


def test_a_request_without_a_valid_api_key_is_refused(backend: Backend) -> None:
    stranger = Backend(backend.stack, "")
    assert stranger.request(fresh_number()).status_code == 403
    assert stranger.verify("an-id", WRONG).status_code == 403
    assert Backend(backend.stack, "not-a-key").request(fresh_number()).status_code == 403


def test_health_needs_no_key(backend: Backend) -> None:
    answer = requests.get(f"{backend.stack.base_url}/health", timeout=10)
    assert (answer.status_code, answer.json()["status"]) == (200, "healthy")


def deep_health(backend: Backend) -> requests.Response:
    headers = {"x-api-key": backend.api_key}
    return requests.get(f"{backend.stack.base_url}/health/deep", headers=headers, timeout=20)


def test_deep_health_needs_a_key_and_checks_every_dependency(backend: Backend) -> None:
    assert requests.get(f"{backend.stack.base_url}/health/deep", timeout=10).status_code == 403
    report = deep_health(backend).json()
    found = report.pop("providers")
    assert report.pop("timestamp").endswith("Z")
    assert report == {"success": True, "status": "healthy", "table": "up", "secret": "up", "pepper": "up"}
    assert found.keys() >= {"infobip", "sinch"}
    assert all(each == {"status": "up", "breaker": "closed"} for each in found.values())


def test_deep_health_names_the_provider_that_hangs(backend: Backend) -> None:
    backend.spoil("sinch", "status", "timeout")
    answer = deep_health(backend)
    assert (answer.status_code, answer.json()["status"]) == (200, "degraded")
    assert answer.json()["providers"]["sinch"]["status"] == "down"


def test_a_code_is_requested_and_verified_with_sinch(backend: Backend) -> None:
    number = fresh_number("787")
    verification_id = backend.requested(number)
    (message,) = backend.inbox(number)
    assert message["provider"] == "sinch"
    wrong = "111111" if message["code"] != "111111" else "222222"
    assert backend.verify(verification_id, wrong).json()["errorCode"] == "OTP_INCORRECT"
    assert backend.verify(verification_id, message["code"]).status_code == 200


def test_an_expired_code_is_refused_although_its_item_is_still_there(backend: Backend) -> None:
    number = fresh_number()
    verification_id = backend.requested(number)
    backend.stack.client("dynamodb").update_item(
        TableName=backend.stack.outputs["TableName"],
        Key={"pk": {"S": f"V#{verification_key(verification_id)}"}},
        UpdateExpression="SET expiresAt = :now",
        ExpressionAttributeValues={":now": {"N": str(int(time.time()))}},
    )
    late = backend.verify(verification_id, backend.code(number))
    assert (late.status_code, late.json()["errorCode"]) == (410, "OTP_EXPIRED")
    assert backend.calls("check", number) == []


@contextlib.contextmanager
def narrow_plan(stack: LocalStack, rate: int, burst: int) -> Iterator[None]:
    """The deployed usage plan with another rate and burst."""
    client, plan = stack.client("apigateway"), stack.physical_id("UsagePlan")
    deployed = client.get_usage_plan(usagePlanId=plan)["throttle"]
    assert deployed == {
        "rateLimit": float(PARAMETERS["PlanRateLimit"]),
        "burstLimit": int(PARAMETERS["PlanRateLimit"]),
    }

    def throttle(**limits: float) -> None:
        changes = [
            {"op": "replace", "path": f"/throttle/{name}", "value": str(value)}
            for name, value in limits.items()
        ]
        client.update_usage_plan(usagePlanId=plan, patchOperations=changes)

    throttle(rateLimit=rate, burstLimit=burst)
    try:
        yield
    finally:
        throttle(**deployed)


def test_requests_above_the_usage_plan_are_throttled(by_number: LocalStack) -> None:
    backend = Backend(by_number, by_number.api_key)
    assert {backend.verify("an-id", WRONG).status_code for _ in range(20)} == {404}
    with narrow_plan(by_number, rate=5, burst=10):
        assert {backend.verify("an-id", WRONG).status_code for _ in range(40)} == {404, 429}


def test_a_resend_repeats_the_code_and_the_earlier_message_still_works(backend: Backend) -> None:
    number = fresh_number()
    first = backend.request(number).json()
    early = backend.post("/resend-otp", {"verificationId": first["verificationId"]})
    assert (early.status_code, early.json()["errorCode"]) == (429, "RATE_LIMITED")
    passed(backend, number, 30)
    again = backend.post("/resend-otp", {"verificationId": first["verificationId"]})
    assert again.status_code == 200, again.text
    assert again.json()["verificationId"] == first["verificationId"]
    assert again.json()["expiresAt"] == first["expiresAt"]
    newer, older = backend.inbox(number)
    assert newer["code"] == older["code"]
    assert backend.verify(first["verificationId"], older["code"]).status_code == 200


def test_a_call_may_follow_a_message_that_did_not_arrive(backend: Backend) -> None:
    number = fresh_number()
    verification_id = backend.requested(number)
    passed(backend, number, 30)
    again = backend.post("/resend-otp", {"verificationId": verification_id, "channel": "voice"})
    assert (again.status_code, again.json()["channel"]) == (200, "voice")
    newest = backend.inbox(number)[0]
    assert newest["channel"] == "voice"
    assert backend.verify(verification_id, newest["code"]).status_code == 200


def test_a_whatsapp_message_follows_an_sms_and_an_sms_follows_that(backend: Backend) -> None:
    number = fresh_number()
    first = backend.request(number, purpose="login", appHash="FA+9qCX9VSu").json()
    # This deployment does not provision Infobip, and its own texts end with no hash.
    assert first["appHashSent"] is False
    named = {"verificationId": first["verificationId"]}
    wrong = backend.verify(first["verificationId"], WRONG)
    assert wrong.json()["attemptsRemaining"] == 4
    passed(backend, number, 30)
    by_whatsapp = backend.post("/resend-otp", {**named, "channel": "whatsapp"}).json()
    assert (by_whatsapp["channel"], by_whatsapp["sameCode"]) == ("whatsapp", False)
    assert by_whatsapp["expiresAt"] == first["expiresAt"]
    status = backend.post("/otp-status", named).json()
    assert (status["channel"], status["attemptsRemaining"]) == ("whatsapp", 4)
    passed(backend, number, 60)
    by_sms = backend.post("/resend-otp", {**named, "channel": "sms"}).json()
    assert (by_sms["channel"], by_sms["sameCode"]) == ("sms", False)
    newest, second, _ = backend.inbox(number)
    assert [(each["provider"], each["channel"]) for each in (second, newest)] == [
        ("sinch", "whatsapp"),
        ("infobip", "sms"),
    ]
    assert backend.verify(first["verificationId"], newest["code"]).status_code == 200


def test_the_third_send_of_a_verification_goes_by_the_next_provider(backend: Backend) -> None:
    number = fresh_number()
    verification_id = backend.requested(number)
    same_codes = []
    for seconds in (30, 60):
        passed(backend, number, seconds)
        same_codes.append(backend.post("/resend-otp", {"verificationId": verification_id}).json()["sameCode"])
    assert same_codes == [True, False]
    newest, *earlier = backend.inbox(number)
    assert [each["provider"] for each in (newest, *earlier)] == ["sinch", "infobip", "infobip"]
    assert backend.verify(verification_id, newest["code"]).status_code == 200


def test_a_resend_goes_by_the_other_provider_if_the_first_is_down(backend: Backend) -> None:
    number = fresh_number()
    verification_id = backend.requested(number)
    passed(backend, number, 30)
    backend.spoil("infobip", "resend", "500")
    assert backend.post("/resend-otp", {"verificationId": verification_id}).status_code == 200
    newer, older = backend.inbox(number)
    assert (newer["provider"], older["provider"]) == ("sinch", "infobip")
    if newer["code"] != older["code"]:
        assert backend.verify(verification_id, older["code"]).json()["errorCode"] == "OTP_INCORRECT"
    assert backend.verify(verification_id, newer["code"]).status_code == 200


def test_a_verification_can_be_looked_up_and_cancelled(backend: Backend) -> None:
    number = fresh_number()
    verification_id = backend.requested(number)
    status = backend.post("/otp-status", {"verificationId": verification_id}).json()
    assert (status["status"], status["channel"], status["delivery"]) == ("pending", "sms", "accepted")
    assert status["attemptsRemaining"] == 5
    assert 0 < status["resendAfter"] <= 30
    for _ in range(2):
        assert backend.post("/cancel-otp", {"verificationId": verification_id}).status_code == 200
    refused = backend.verify(verification_id, backend.code(number))
    assert (refused.status_code, refused.json()["errorCode"]) == (410, "VERIFICATION_CANCELLED")
    assert backend.post("/otp-status", {"verificationId": verification_id}).json()["status"] == "cancelled"
    assert backend.post("/otp-status", {"verificationId": "unknown"}).status_code == 404
    assert backend.calls("check", number) == []
