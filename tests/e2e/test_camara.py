"""A client of CAMARA's one-time-password-sms against the deployed template."""

import pytest
import requests

from tests.camara import AT_API_GATEWAY, Scenario
from tests.e2e.conftest import Backend, fresh_number

pytestmark = pytest.mark.e2e

BASE = "/one-time-password-sms/v1"
CORRELATOR = "b4333c46-49c0-4f62-80d7-f0ef930f1c46"


def told(answer: requests.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["code"].removeprefix("ONE_TIME_PASSWORD_SMS.")


def test_a_code_is_sent_and_validated_in_the_words_of_the_standard(backend: Backend) -> None:
    number = fresh_number()
    asked = {"phoneNumber": number, "message": "{{code}} is your code for Example"}
    sent = backend.post(f"{BASE}/send-code", asked, **{"x-correlator": CORRELATOR})
    assert sent.status_code == 200, sent.text
    assert sent.headers["x-correlator"] == CORRELATOR
    assert told(backend.post(f"{BASE}/send-code", asked)) == (403, "MAX_OTP_CODES_EXCEEDED")

    code = backend.code(number)
    guess = {"authenticationId": sent.json()["authenticationId"], "code": code}
    wrong = guess | {"code": "111111" if code != "111111" else "222222"}
    assert told(backend.post(f"{BASE}/validate-code", wrong)) == (400, "INVALID_OTP")
    right = backend.post(f"{BASE}/validate-code", guess, **{"x-correlator": CORRELATOR})
    assert (right.status_code, right.content) == (204, b"")
    assert right.headers["x-correlator"] == CORRELATOR
    assert told(backend.post(f"{BASE}/validate-code", guess)) == (400, "VERIFICATION_EXPIRED")


def test_what_no_provider_sent_is_unavailable_and_may_be_asked_for_again(backend: Backend) -> None:
    asked = {"phoneNumber": fresh_number(), "message": "{{code}}"}
    for provider in ("infobip", "sinch"):
        backend.spoil(provider, "send", "redirect")
    assert told(backend.post(f"{BASE}/send-code", asked)) == (503, "UNAVAILABLE")
    assert backend.post(f"{BASE}/send-code", asked).status_code == 200


@pytest.mark.parametrize("scenario", AT_API_GATEWAY, ids=lambda scenario: scenario.tag)
def test_a_caller_without_a_right_key_is_refused_by_api_gateway(backend: Backend, scenario: Scenario) -> None:
    """The standard expects a 401 of its own shape: see `docs/camara.md`."""
    operation = "send-code" if "send_code" in scenario.tag else "validate-code"
    key = "" if "no_authorization_header" in scenario.tag else "a-key-of-nobody"
    answer = Backend(backend.stack, key).post(f"{BASE}/{operation}", {})
    assert answer.status_code == 403
    assert "code" not in answer.json()
