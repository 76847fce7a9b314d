"""A client of CAMARA's one-time-password-sms against the deployed template."""

import pytest
import requests

from tests.camara import AT_API_GATEWAY, Scenario
from tests.e2e.conftest import Backend, fresh_number

pytestmark = pytest.mark.e2e

BASE = "/one-time-password-sms/v1"
CORRELATOR = "b4333c46-49c0-4f62-80d7-f0ef930f1c46"


def status_and_code(answer: requests.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["code"].removeprefix("ONE_TIME_PASSWORD_SMS.")


def test_a_code_is_sent_and_validated_as_the_standard_says(backend: Backend) -> None:
    number = fresh_number()
    request = {"phoneNumber": number, "message": "{{code}} is your code for Example"}
    sent = backend.post(f"{BASE}/send-code", request, **{"x-correlator": CORRELATOR})
    assert sent.status_code == 200, sent.text
    assert sent.headers["x-correlator"] == CORRELATOR
    assert status_and_code(backend.post(f"{BASE}/send-code", request)) == (403, "MAX_OTP_CODES_EXCEEDED")

    code = backend.code(number)
    guess = {"authenticationId": sent.json()["authenticationId"], "code": code}
    wrong = guess | {"code": "111111" if code != "111111" else "222222"}
    assert status_and_code(backend.post(f"{BASE}/validate-code", wrong)) == (400, "INVALID_OTP")
    right = backend.post(f"{BASE}/validate-code", guess, **{"x-correlator": CORRELATOR})
    assert (right.status_code, right.content) == (204, b"")
    assert right.headers["x-correlator"] == CORRELATOR
    assert status_and_code(backend.post(f"{BASE}/validate-code", guess)) == (400, "VERIFICATION_EXPIRED")


def test_a_send_that_every_provider_refused_is_unavailable_and_may_be_repeated(backend: Backend) -> None:
    request = {"phoneNumber": fresh_number(), "message": "{{code}}"}
    for provider in ("infobip", "sinch"):
        backend.spoil(provider, "send", "redirect")
    assert status_and_code(backend.post(f"{BASE}/send-code", request)) == (503, "UNAVAILABLE")
    assert backend.post(f"{BASE}/send-code", request).status_code == 200


@pytest.mark.parametrize("scenario", AT_API_GATEWAY, ids=lambda scenario: scenario.tag)
def test_api_gateway_refuses_a_caller_without_a_valid_key(backend: Backend, scenario: Scenario) -> None:
    """The standard expects a 401 of its own shape: see `docs/camara.md`."""
    operation = "send-code" if "send_code" in scenario.tag else "validate-code"
    key = "" if "no_authorization_header" in scenario.tag else "an-unknown-key"
    answer = Backend(backend.stack, key).post(f"{BASE}/{operation}", {})
    assert answer.status_code == 403
    assert "code" not in answer.json()
