"""The page around `<otp-form>` in Chromium: its messages and calls, before a stand-in of a backend."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import requests
from playwright.sync_api import Browser, Locator, Page, expect

from local.sandbox.app import create_wide_app
from local.sandbox.credentials import credentials
from local.sandbox.server import running_sandbox
from tests.browser.conftest import NUMBER, number
from tests.chromium import StubBackend, accessibility_problems, overflow, watched

pytestmark = pytest.mark.long

NARROW = {"width": 320, "height": 720}
WIDE = {"width": 1360, "height": 860}
FIRST_ASKED_COMES_LATE = """() => {
  const fetched = window.fetch;
  let late = 40;
  let answered = 0;
  let tell;
  window.over = new Promise((resolve) => (tell = resolve));
  window.fetch = async (...asked) => {
    await new Promise((go) => setTimeout(go, late));
    late = 0;
    const answer = await fetched(...asked);
    answered += 1;
    // Twice that all are cleared, and four faults.
    if (answered === 6) tell();
    return answer;
  };
}"""


@pytest.fixture(scope="module")
def alone() -> Iterator[str]:
    """A sandbox without a service."""
    with running_sandbox(app=create_wide_app()) as url:
        yield url


def deliver(sandbox: str, operation: str = "") -> str:
    """A code reaches the phone, as a message or by `/voice`; which one is returned."""
    account = credentials(sandbox)["infobip"]
    body = {"applicationId": account["applicationId"], "messageId": account["messageId"], "to": NUMBER[1:]}
    headers = {"Authorization": f"App {account['apiKey']}"}
    url = f"{account['baseUrl']}/2fa/2/pin{operation}"
    requests.post(url, json=body, headers=headers, timeout=5).raise_for_status()
    inbox: list[dict[str, Any]] = requests.get(f"{sandbox}/inbox", timeout=5).json()
    return str(inbox[0]["code"])


def ask(page: Page, sandbox: str) -> StubBackend:
    page.goto(sandbox)
    now = datetime.now(UTC)
    backend = StubBackend(page, now)
    expires = (now + timedelta(minutes=5)).isoformat()
    backend.will(200, {"channel": "sms", "expiresAt": expires, "resendAfter": 30})
    number(page).fill(NUMBER)
    number(page).press("Enter")
    expect(page.get_by_role("textbox", name="6-digit code")).to_be_focused()
    return backend


def arrival(page: Page) -> Locator:
    return page.locator("#arrival")


def test_who_has_the_phone_below_the_form_is_told_there_that_a_message_came(
    browser: Browser, alone: str
) -> None:
    with watched(browser, viewport=NARROW) as page:
        backend = ask(page, alone)
        expect(arrival(page)).to_have_text("The phone is below")
        right = deliver(alone)
        notice = page.get_by_role("button", name="New message on the phone below")
        expect(notice).to_be_in_viewport()
        assert (overflow(page), accessibility_problems(page)) == (0, [])
        suggestion = page.locator("#suggestion").get_by_role("button")
        expect(suggestion).not_to_be_in_viewport()
        notice.click()
        expect(suggestion).to_be_focused()
        expect(suggestion).to_be_in_viewport(ratio=1)
        backend.will(200, {})
        suggestion.press("Enter")
        expect(page.get_by_text("Your number is verified.")).to_be_in_viewport()
        assert backend.asked[-1] == ("verify", {"otp": right})


def test_who_has_the_phone_beside_the_form_sees_it_there(browser: Browser, alone: str) -> None:
    with watched(browser, viewport=WIDE) as page:
        ask(page, alone)
        deliver(alone)
        expect(page.locator("#suggestion").get_by_role("button")).to_be_in_viewport()
        expect(arrival(page)).to_be_hidden()


def test_a_call_is_led_to_heard_and_left_by_keyboard(browser: Browser, alone: str) -> None:
    with watched(browser, viewport=NARROW) as page:
        ask(page, alone)
        right = deliver(alone, "/voice")
        page.get_by_role("button", name="The phone below rings").press("Enter")
        expect(page.get_by_role("button", name="Accept")).to_be_focused()
        page.keyboard.press("Enter")
        expect(page.get_by_role("button", name="End", exact=True)).to_be_focused()
        expect(page.locator("#phone-status")).to_contain_text(right)
        page.keyboard.press("Enter")
        expect(page.locator("#suggestion").get_by_role("button")).to_be_focused()


def test_of_two_choices_of_what_is_down_the_later_counts(browser: Browser, alone: str) -> None:
    with watched(browser, viewport=WIDE) as page:
        page.goto(alone)
        page.evaluate(FIRST_ASKED_COMES_LATE)
        page.get_by_text("Both down").click()
        page.get_by_text("Both up").click()
        page.evaluate("over")
        assert requests.get(f"{alone}/faults", timeout=5).json() == []
