"""How `<otp-form>` shows each refusal: text, wait, next steps, and a challenge."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
import yaml
from playwright.sync_api import Browser, Page, expect

from local.template import ROOT
from tests.browser.conftest import (
    CODE,
    NUMBER,
    button,
    code,
    events,
    number,
    put_form,
    record_events,
    request_code,
    sent,
    show,
    spoken,
)
from tests.chromium import StubBackend, accessibility_problems, watched

pytestmark = pytest.mark.long

SERVICE = yaml.safe_load((ROOT / "openapi.yaml").read_text())
CODES = {
    *SERVICE["components"]["schemas"]["Problem"]["properties"]["errorCode"]["enum"],
    "SERVICE_MISCONFIGURED",
    *("UNREACHABLE", "SERVICE_UNAVAILABLE"),
}
ANSWERED_BY_THE_FORM = {"REQUEST_IN_PROGRESS"}
GENERAL = "Something went wrong. Try again."
CAPTCHA = """() => {
  const form = document.querySelector("otp-form");
  const captcha = document.createElement("button");
  captcha.slot = "challenge";
  captcha.textContent = "I am a person";
  captcha.addEventListener("click", () => form.passChallenge("a-response"));
  form.append(captcha);
}"""


@pytest.fixture
def alone(browser: Browser, sandbox: str) -> Iterator[Page]:
    """The form on a page of its own with a running clock."""
    with watched(browser) as page:
        show(page, sandbox)
        yield page


@pytest.mark.parametrize("error", sorted(CODES - ANSWERED_BY_THE_FORM))
def test_every_error_code_has_a_message_that_stays(page: Page, backend: StubBackend, error: str) -> None:
    backend.will_refuse(400, error)
    number(page).fill(NUMBER)
    number(page).press("Enter")
    text = page.locator("otp-form #number-error")
    expect(text).to_be_visible()
    if error != "IDEMPOTENCY_KEY_REUSED":
        expect(text).not_to_have_text(GENERAL)
    page.clock.run_for(60_000)
    expect(text).to_be_visible()
    expect(number(page)).to_have_value("+1 415 555 0123")


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (429, "RATE_LIMITED"),
        (429, "NUMBER_LOCKED"),
        (503, "PROVIDER_UNAVAILABLE"),
        (503, "SENDING_STOPPED"),
        (500, "INTERNAL_ERROR"),
    ],
)
def test_a_message_outlives_its_wait(page: Page, backend: StubBackend, status: int, error: str) -> None:
    backend.will_refuse(status, error, retryAfter=4)
    number(page).fill(NUMBER)
    number(page).press("Enter")
    text = page.locator("otp-form #number-error")
    expect(button(page, "0:04")).to_have_attribute("aria-disabled", "true")
    page.clock.run_for(5_000)
    expect(button(page, "Text me a code")).to_have_attribute("aria-disabled", "false")
    expect(text).to_be_visible()
    number(page).press_sequentially("1")
    expect(text).to_be_hidden()


@pytest.mark.parametrize(
    ("status", "error", "members"),
    [
        (429, "TOO_MANY_ATTEMPTS", {"attemptsRemaining": 0, "retryAfter": 30}),
        (400, "OTP_INCORRECT", {"attemptsRemaining": 0, "retryAfter": 30}),
        (429, "TOO_MANY_ATTEMPTS", {"retryAfter": 30}),
    ],
)
def test_the_button_counts_the_wait_down_after_the_last_wrong_code(
    page: Page, backend: StubBackend, status: int, error: str, members: dict[str, int]
) -> None:
    request_code(page, backend)
    backend.will_refuse(status, error, **members)
    page.keyboard.insert_text("111111")
    waiting = button(page, "Try again in 0:30")
    expect(waiting).to_be_focused()
    expect(code(page)).to_be_disabled()
    page.keyboard.press("Enter")
    assert len(backend.calls) == 2
    page.clock.run_for(31_000)
    expect(page.locator("otp-form #code-error")).to_be_visible()
    backend.will(200, sent())
    page.keyboard.press("Enter")
    expect(code(page)).to_be_focused()
    assert backend.calls[-1][0] == "request"


def test_a_locked_number_shows_the_wait_and_not_the_attempts(page: Page, backend: StubBackend) -> None:
    request_code(page, backend)
    backend.will_refuse(429, "NUMBER_LOCKED", attemptsRemaining=4, retryAfter=30)
    page.keyboard.insert_text(CODE)
    expect(button(page, "Try again in 0:30")).to_be_visible()
    expect(page.locator("otp-form #code-error")).not_to_contain_text("4")
    expect(code(page)).to_have_value(CODE)


def test_a_disabled_number_ends_its_code(page: Page, backend: StubBackend) -> None:
    request_code(page, backend)
    backend.will_refuse(403, "NUMBER_DISABLED")
    page.keyboard.insert_text(CODE)
    expect(code(page)).to_be_disabled()
    backend.will_refuse(403, "NUMBER_DISABLED")
    button(page, "Request a new code").click()
    expect(number(page)).to_be_focused()
    expect(number(page)).to_have_attribute("aria-invalid", "true")


@pytest.mark.parametrize("error", ["DESTINATION_NOT_ALLOWED", "PROVIDER_REJECTED", "NUMBER_LOCKED"])
def test_a_refused_resend_keeps_the_code_that_was_sent(page: Page, backend: StubBackend, error: str) -> None:
    request_code(page, backend, resendAfter=0)
    backend.will_refuse(403, error)
    button(page, "Call me instead").click()
    expect(page.locator("otp-form #code-error")).to_be_visible()
    backend.will(200, {})
    code(page).fill(CODE)
    expect(page.get_by_role("group", name="verified")).to_be_visible()


def test_a_challenge_is_shown_passed_and_the_request_repeated(page: Page, backend: StubBackend) -> None:
    record_events(page, "challenge-required")
    page.evaluate(CAPTCHA)
    captcha = page.get_by_role("button", name="I am a person")
    expect(captcha).to_be_hidden()
    backend.will_refuse(403, "CHALLENGE_REQUIRED").will(200, sent())
    number(page).fill(NUMBER)
    number(page).press("Enter")
    expect(captcha).to_be_visible()
    (name, detail), *more = events(page)
    assert (name, detail["errorCode"], more) == ("challenge-required", "CHALLENGE_REQUIRED", [])
    captcha.click()
    expect(code(page)).to_be_focused()
    expect(captcha).to_be_hidden()
    (_, first), (_, second) = backend.calls
    assert second == {**first, "challenge": "a-response"}


def test_a_challenge_before_a_resend_keeps_the_code_in_reach(page: Page, backend: StubBackend) -> None:
    page.evaluate(CAPTCHA)
    captcha = page.get_by_role("button", name="I am a person")
    request_code(page, backend, resendAfter=0)
    backend.will_refuse(403, "CHALLENGE_REQUIRED").will_refuse(403, "CHALLENGE_REQUIRED").will(200, sent())
    button(page, "Call me instead").click()
    for _ in range(2):
        expect(captcha).to_be_visible()
        expect(page.locator("otp-form [aria-busy=true]")).to_have_count(0)
        expect(code(page)).to_be_enabled()
        captcha.click()
    expect(captcha).to_be_hidden()
    assert backend.calls[1:] == [
        ("resend", {"channel": "voice"}),
        ("resend", {"channel": "voice", "challenge": "a-response"}),
        ("resend", {"channel": "voice", "challenge": "a-response"}),
    ]


def test_the_focus_goes_to_the_challenge_and_from_there_to_the_button(
    page: Page, backend: StubBackend
) -> None:
    page.evaluate(CAPTCHA)
    captcha = page.get_by_role("button", name="I am a person")
    place = page.get_by_role("group", name="Confirm that you are a person to get a code.")

    def pass_and_be_refused(again: str) -> None:
        expect(place).to_be_focused()
        page.keyboard.press("Tab")
        expect(captcha).to_be_focused()
        backend.will_refuse(503, "PROVIDER_UNAVAILABLE")
        page.keyboard.press("Enter")
        expect(captcha).to_be_hidden()
        expect(button(page, again)).to_be_focused()

    number(page).fill(NUMBER)
    backend.will_refuse(403, "CHALLENGE_REQUIRED")
    number(page).press("Enter")
    pass_and_be_refused("Text me a code")
    request_code(page, backend, resendAfter=0)
    backend.will_refuse(403, "CHALLENGE_REQUIRED")
    button(page, "Call me instead").click()
    pass_and_be_refused("Verify")


def test_a_challenge_for_one_number_does_not_count_for_another(page: Page, backend: StubBackend) -> None:
    page.evaluate(CAPTCHA)
    captcha = page.get_by_role("button", name="I am a person")
    backend.will_refuse(403, "CHALLENGE_REQUIRED")
    number(page).fill(NUMBER)
    number(page).press("Enter")
    expect(captcha).to_be_visible()
    number(page).fill("+14155550145")
    expect(captcha).to_be_hidden()
    page.evaluate("document.querySelector('otp-form').passChallenge('late')")
    assert len(backend.calls) == 1


def test_each_offered_channel_can_be_chosen_first_or_for_a_resend(page: Page, backend: StubBackend) -> None:
    put_form(page, channels="whatsapp sms voice")
    backend.will(200, sent(channel="sms", resendAfter=0))
    number(page).fill(NUMBER)
    expect(page.locator("otp-form button[type=submit]:visible")).to_have_text("Send it by WhatsApp")
    expect(button(page, "Call me with a code")).to_be_visible()
    button(page, "Text me a code").click()
    expect(code(page)).to_be_focused()
    expect(button(page, "Text me instead")).to_be_hidden()
    backend.will(200, sent(channel="whatsapp", resendAfter=0))
    button(page, "Send it by WhatsApp instead").click()
    expect(page.get_by_text("We sent a WhatsApp message to").first).to_be_visible()
    expect(button(page, "Call me instead")).to_be_visible()
    assert [body["channel"] for _, body in backend.calls] == ["sms", "whatsapp"]


def test_a_channel_that_cannot_reach_the_number_leaves_the_others(page: Page, backend: StubBackend) -> None:
    put_form(page, channels="sms voice whatsapp")
    backend.will_refuse(403, "DESTINATION_NOT_ALLOWED")
    number(page).fill(NUMBER)
    button(page, "Send it by WhatsApp").click()
    expect(page.get_by_text("We cannot send a code to this number that way.").first).to_be_visible()
    backend.will(200, sent(resendAfter=0))
    button(page, "Text me a code").click()
    expect(code(page)).to_be_focused()
    backend.will_refuse(403, "DESTINATION_NOT_ALLOWED")
    button(page, "Send it by WhatsApp instead").click()
    expect(page.get_by_text("We cannot send a code to this number that way.").first).to_be_visible()
    expect(code(page)).to_be_visible()


def test_a_channel_that_does_not_exist_is_not_offered(browser: Browser, sandbox: str) -> None:
    with browser.new_context() as context:
        page = context.new_page()
        said: list[str] = []
        page.on("console", lambda message: said.append(message.text))
        show(page, sandbox)
        put_form(page, channels="pigeon sms")
        expect(page.locator("otp-form button:visible")).to_have_count(1)
        assert any("pigeon" in text for text in said)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_in_any_state(alone: Page, scheme: str) -> None:
    """Waits, refusals, a challenge, the way back to the code, all channels, an invalidated code."""
    now = datetime.now(UTC)
    backend = StubBackend(alone, now)
    alone.emulate_media(color_scheme=scheme)  # type: ignore[arg-type] # one of its words
    arrives = sent(resendAfter=0, expiresAt=(now + timedelta(minutes=5)).isoformat())
    put_form(alone, channels="sms voice whatsapp")
    found = accessibility_of_form(alone)
    alone.evaluate(CAPTCHA)
    number(alone).fill(NUMBER)
    for status, error, members in (
        (403, "CHALLENGE_REQUIRED", {}),
        (400, "INVALID_PHONE_NUMBER", {}),
        (429, "RATE_LIMITED", {"retryAfter": 100}),
    ):
        backend.will_refuse(status, error, **members)
        number(alone).press("Enter")
        expect(alone.locator("otp-form #number-error")).to_be_visible()
        expect(alone.locator("otp-form [aria-busy=true]")).to_have_count(0)
        found += accessibility_of_form(alone)
    number(alone).fill(NUMBER)
    backend.will(200, arrives)
    number(alone).press("Enter")
    expect(code(alone)).to_be_focused()
    backend.will(200, {**arrives, "sameCode": False})
    button(alone, "Call me instead").click()
    expect(alone.locator("otp-form .newest")).to_be_visible()
    found += accessibility_of_form(alone)
    button(alone, "Change number").click()
    found += accessibility_of_form(alone)
    button(alone, "Enter the code sent to").click()
    for members in ({"attemptsRemaining": 4}, {"attemptsRemaining": 0, "retryAfter": 60}):
        backend.will_refuse(400, "OTP_INCORRECT", **members)
        alone.keyboard.insert_text("111111")
        expect(alone.locator("otp-form #code-error")).to_be_visible()
        expect(alone.locator("otp-form [aria-busy=true]")).to_have_count(0)
        found += accessibility_of_form(alone)
    assert found == []


def accessibility_of_form(page: Page) -> list[str]:
    """The problems that axe finds in the form, without those of a bare page: headings and landmarks."""
    page_rules = ("landmark", "region", "page-has-heading", "meta-viewport")
    return [problem for problem in accessibility_problems(page) if not problem.startswith(page_rules)]


def test_the_end_of_a_wait_is_spoken(page: Page, backend: StubBackend) -> None:
    backend.will_refuse(429, "RATE_LIMITED", retryAfter=4)
    number(page).fill(NUMBER)
    number(page).press("Enter")
    expect(button(page, "0:04")).to_be_visible()
    before = spoken(page).text_content()
    page.clock.run_for(4_000)
    expect(spoken(page)).not_to_have_text(before or "")
