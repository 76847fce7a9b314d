"""The examples' backends, run as their READMEs say, in front of the deployed template: a user signs up."""

import itertools
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
import requests

from tests.e2e.conftest import Backend, fresh_number, passed
from tests.examples import running_example

pytestmark = [pytest.mark.e2e, pytest.mark.long]

_addresses = itertools.count(1)


@dataclass
class Browser:
    """One browser in front of a backend. It keeps cookies and has an IP address of its own."""

    url: str
    secrets: tuple[str, ...]
    """Texts that no answer may contain."""
    cookies: requests.Session = field(default_factory=requests.Session)
    address: str = field(default_factory=lambda: f"192.0.2.{next(_addresses)}")

    def post(self, path: str, body: Any = None, **headers: str) -> requests.Response:
        sent = {"X-Forwarded-For": self.address, **headers}
        answer = self.cookies.post(f"{self.url}{path}", json=body or {}, headers=sent, timeout=30)
        content = f"{answer.text} {answer.headers}"
        assert not [secret for secret in self.secrets if secret in content]
        assert "verificationId" not in content
        return answer


@dataclass
class Site:
    """A running example and the service behind it."""

    url: str
    behind: Backend

    def browser(self) -> Browser:
        return Browser(self.url, (self.behind.api_key, self.behind.stack.base_url))

    def requested(self, number: str) -> Browser:
        """A browser that has requested a code."""
        browser = self.browser()
        answer = browser.post("/request-code", {"phoneNumber": number})
        assert answer.status_code == 200, answer.text
        return browser

    def items(self) -> list[dict[str, Any]]:
        table = self.behind.stack.outputs["TableName"]
        found: list[dict[str, Any]] = self.behind.stack.client("dynamodb").scan(TableName=table)["Items"]
        return found


@pytest.fixture(scope="module", params=["fastapi", "express"])
def running(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[str, Any]]:
    """An example's URL, once it answers."""
    stack = request.getfixturevalue("stack")
    log = tmp_path_factory.mktemp(request.param) / "log"
    with running_example(request.param, stack.base_url, stack.api_key, log) as url:
        yield url, stack


@pytest.fixture
def site(running: tuple[str, Any], backend: Backend) -> Site:
    return Site(running[0], backend)


def status_and_code(answer: requests.Response) -> tuple[int, str]:
    """The status and the errorCode of a problem, after a check that it has a text for the user."""
    body = answer.json()
    assert answer.headers["Content-Type"].startswith("application/problem+json")
    assert body["status"] == answer.status_code
    assert re.fullmatch("[A-Z].*[.]", body["detail"])
    return answer.status_code, body["errorCode"]


def test_a_user_signs_up_with_a_phone_that_the_service_has_verified(site: Site) -> None:
    number = fresh_number()
    browser = site.browser()
    answer = browser.post("/request-code", {"phoneNumber": number})
    assert (answer.status_code, answer.json()["channel"]) == (200, "sms")
    assert {"httponly", "samesite=strict"} <= set(answer.headers["Set-Cookie"].lower().split("; "))
    before = browser.cookies.cookies.get_dict()
    assert status_and_code(browser.post("/sign-up", {"name": "Ada"})) == (403, "PHONE_NOT_VERIFIED")

    code = site.behind.code(number)
    wrong = browser.post("/verify-code", {"otp": "111111" if code != "111111" else "222222"})
    assert status_and_code(wrong) == (400, "OTP_INCORRECT")
    assert wrong.json()["attemptsRemaining"] == 4
    assert status_and_code(browser.post("/sign-up", {"name": "Ada"})) == (403, "PHONE_NOT_VERIFIED")

    right = browser.post("/verify-code", {"otp": code})
    assert (right.status_code, right.json()) == (200, {"verified": True})
    after = browser.cookies.cookies.get_dict()
    assert after.keys() == before.keys() | {"device"}
    assert set(after.values()).isdisjoint(before.values())
    assert browser.post("/sign-up", {"name": "Ada"}).json() == {"name": "Ada", "phoneNumber": number}
    assert status_and_code(browser.post("/sign-up", {"name": "Eve"})) == (403, "PHONE_NOT_VERIFIED")


def test_another_session_cannot_verify_even_with_the_right_code(site: Site) -> None:
    number, other = fresh_number(), fresh_number()
    owner = site.requested(number)
    code = site.behind.code(number)
    assert status_and_code(site.browser().post("/verify-code", {"otp": code})) == (
        404,
        "VERIFICATION_NOT_FOUND",
    )
    with_its_own = site.requested(other)
    if site.behind.code(other) != code:
        assert status_and_code(with_its_own.post("/verify-code", {"otp": code})) == (400, "OTP_INCORRECT")
    made_up = site.browser()
    for name in owner.cookies.cookies.get_dict():
        made_up.cookies.cookies.set(name, "an-unknown-session")
    assert status_and_code(made_up.post("/verify-code", {"otp": code})) == (404, "VERIFICATION_NOT_FOUND")
    assert site.behind.calls("check", number) == []
    assert owner.post("/verify-code", {"otp": code}).status_code == 200


def test_the_example_passes_on_the_session_and_the_users_address(site: Site) -> None:
    clients = sum(item["pk"]["S"].startswith("C#") for item in site.items())
    number = fresh_number()
    site.requested(number)
    items = site.items()
    (verification,) = [item for item in items if item.get("phone", {}).get("S") == number]
    assert verification["sessionHash"]["S"]
    assert verification["purpose"]["S"] == "sign-up"
    assert sum(item["pk"]["S"].startswith("C#") for item in items) == clients + 1


def test_a_repeated_click_sends_one_code_and_a_second_click_must_wait(site: Site) -> None:
    number = fresh_number()
    browser = site.browser()
    click = {"Idempotency-Key": "one-click"}
    answers = [browser.post("/request-code", {"phoneNumber": number}, **click).json() for _ in range(2)]
    assert answers[0]["expiresAt"] == answers[1]["expiresAt"]
    assert len(site.behind.inbox(number)) == 1
    refused = browser.post("/request-code", {"phoneNumber": number}, **{"Idempotency-Key": "another"})
    assert status_and_code(refused) == (429, "RATE_LIMITED")
    assert 1 <= refused.json()["retryAfter"] <= 30
    assert status_and_code(browser.post("/resend-code")) == (429, "RATE_LIMITED")
    assert browser.post("/verify-code", {"otp": site.behind.code(number)}).status_code == 200


def test_a_user_may_request_a_call_if_the_message_did_not_arrive(site: Site) -> None:
    number = fresh_number()
    browser = site.requested(number)
    passed(site.behind, number, 30)
    again = browser.post("/resend-code", {"channel": "voice"})
    assert (again.status_code, again.json()["channel"]) == (200, "voice")
    assert browser.post("/verify-code", {"otp": site.behind.code(number)}).status_code == 200


def test_an_error_has_a_text_for_the_user(site: Site) -> None:
    browser = site.browser()
    assert status_and_code(browser.post("/request-code", {"phoneNumber": "0179"})) == (
        400,
        "INVALID_PHONE_NUMBER",
    )
    number = fresh_number()
    for provider in ("infobip", "sinch"):
        site.behind.spoil(provider, "send", "500")
    down = browser.post("/request-code", {"phoneNumber": number})
    assert status_and_code(down) == (503, "PROVIDER_UNAVAILABLE")
    assert site.behind.inbox(number) == []


@pytest.mark.parametrize("body", ["{", "[]", '"text"', '{"phoneNumber": 1}', '{"phoneNumber": null}'])
def test_a_body_that_no_page_sends_is_refused(site: Site, body: str) -> None:
    headers = {"content-type": "application/json"}
    answer = requests.post(f"{site.url}/request-code", data=body, headers=headers, timeout=10)
    assert status_and_code(answer) == (400, "INVALID_REQUEST")


@pytest.mark.parametrize("other", ["cross-site", "same-site"])
def test_another_sites_page_cannot_send_a_code(site: Site, other: str) -> None:
    number = fresh_number()
    answer = site.browser().post("/request-code", {"phoneNumber": number}, **{"Sec-Fetch-Site": other})
    assert status_and_code(answer) == (403, "CROSS_SITE")
    assert site.behind.inbox(number) == []


def test_another_sites_form_cannot_send_a_code(site: Site) -> None:
    """A browser without `Sec-Fetch-Site` sends no other content type than a form's without a preflight."""
    number = fresh_number()
    body = f'{{"phoneNumber": "{number}"}}'
    headers = {"content-type": "text/plain"}
    answer = requests.post(f"{site.url}/request-code", data=body, headers=headers, timeout=10)
    assert status_and_code(answer) == (400, "INVALID_REQUEST")
    assert site.behind.inbox(number) == []
