"""`<otp-form>` keeps its user: after a reload, a mistake or a lost answer, the code can still be typed."""

from datetime import timedelta
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import (
    CODE,
    NOW,
    NUMBER,
    button,
    code,
    events,
    number,
    put_form,
    record_events,
    request_code,
    sent,
    spoken,
)
from tests.chromium import StubBackend, await_timer, record_timers

pytestmark = pytest.mark.long

OTHER = "+14155550145"
STARTED = {"step": "code", "phoneNumber": NUMBER, "channel": "sms", "resendAfter": 12}
BACK_TO_CODE = "Enter the code sent to"
JUMP = """(milliseconds) => {
  const now = Date.now.bind(Date);
  Date.now = () => now() + milliseconds;
}"""
SHOWN_AGAIN = "document.dispatchEvent(new Event('visibilitychange'))"


def started(seconds: int = 240, **members: Any) -> dict[str, Any]:
    """The session's state `seconds` before the code expires."""
    return {**STARTED, "expiresAt": (NOW + timedelta(seconds=seconds)).isoformat(), **members}


def shows(page: Page, text: str) -> None:
    expect(page.locator("otp-form p:visible").get_by_text(text).first).to_be_visible()


def verify(page: Page, backend: StubBackend) -> None:
    backend.will(200, {})
    code(page).fill(CODE)
    expect(page.get_by_role("group", name="verified")).to_be_visible()


def test_the_form_begins_at_the_code_that_the_session_says_was_sent(page: Page, backend: StubBackend) -> None:
    backend.session = started()
    record_events(page, "otp-step")
    put_form(page, session_url="/demo/session")
    expect(code(page)).to_be_visible()
    shows(page, "+1 415 555 0123")
    shows(page, "4:00")
    expect(button(page, "Send it again in 0:12")).to_have_attribute("aria-disabled", "true")
    assert events(page)[-1] == ["otp-step", {"step": "code", "resumed": True}]
    assert backend.calls == []
    verify(page, backend)


@pytest.mark.parametrize(
    "session", [{"step": "number"}, started(seconds=0), started(seconds=-100), {"step": "code"}, {}]
)
def test_the_form_begins_at_the_number_if_the_session_awaits_no_code(
    page: Page, backend: StubBackend, session: dict[str, Any]
) -> None:
    backend.session = session
    with page.expect_response("**/demo/session"):
        put_form(page, session_url="/demo/session")
    page.evaluate("new Promise((done) => setTimeout(done)) && 0")
    expect(number(page)).to_be_visible()
    expect(button(page, BACK_TO_CODE)).to_be_hidden()


@pytest.mark.parametrize("answer", [(404, ""), (200, "<!doctype html>"), (500, "{}")])
def test_a_session_that_does_not_answer_leaves_the_form_as_it_is(page: Page, answer: tuple[int, str]) -> None:
    page.route("**/demo/session", lambda route: route.fulfill(status=answer[0], body=answer[1]))
    with page.expect_response("**/demo/session"):
        put_form(page, session_url="/demo/session")
    expect(number(page)).to_be_visible()


def test_a_page_can_set_the_session_itself(page: Page, backend: StubBackend) -> None:
    put_form(page)
    page.evaluate(
        "(session) => (document.querySelector('otp-form').session = session)",
        started(now=NOW.isoformat()),
    )
    shows(page, "4:00")
    verify(page, backend)


def test_a_verified_session_ends_the_form_at_once(page: Page, backend: StubBackend) -> None:
    backend.session = {"step": "done"}
    record_events(page, "otp-verified")
    put_form(page, session_url="/demo/session")
    expect(page.get_by_role("group", name="verified")).to_be_visible()
    assert events(page) == [["otp-verified", {"step": "done"}]]


def test_a_user_who_is_typing_a_number_stays_there_when_the_session_answers(
    page: Page, backend: StubBackend
) -> None:
    backend.session = started()
    page.unroute_all()
    waiting: list[Any] = []
    page.route("**/demo/session", lambda route: waiting.append(route))
    with page.expect_request("**/demo/session"):
        put_form(page, session_url="/demo/session")
    number(page).fill(OTHER)
    backend._answer_session(waiting[0])
    expect(button(page, BACK_TO_CODE)).to_be_visible()
    expect(number(page)).to_have_value("+1 415 555 0145")
    button(page, BACK_TO_CODE).click()
    expect(code(page)).to_be_focused()


def test_a_user_who_left_the_code_by_mistake_can_go_back_to_it(page: Page, backend: StubBackend) -> None:
    request_code(page, backend)
    page.clock.run_for(60_000)
    button(page, "Change number").click()
    expect(number(page)).to_be_focused()
    page.clock.run_for(60_000)
    button(page, BACK_TO_CODE).click()
    expect(code(page)).to_be_focused()
    shows(page, "3:00")
    verify(page, backend)
    assert [step for step, _ in backend.calls] == ["request", "verify"]


def test_an_expired_code_is_no_longer_offered(page: Page, backend: StubBackend) -> None:
    request_code(page, backend)
    button(page, "Change number").click()
    expect(button(page, BACK_TO_CODE)).to_be_visible()
    page.clock.run_for(301_000)
    expect(button(page, BACK_TO_CODE)).to_be_hidden()
    expect(spoken(page)).to_have_text("")


def test_the_same_number_requested_too_soon_leads_to_the_code_that_it_was_sent(
    page: Page, backend: StubBackend
) -> None:
    request_code(page, backend)
    button(page, "Change number").click()
    backend.will_refuse(429, "RATE_LIMITED", retryAfter=25)
    number(page).press("Enter")
    expect(code(page)).to_be_focused()
    expect(button(page, "Send it again in 0:25")).to_be_visible()
    verify(page, backend)


def test_a_refused_second_number_keeps_the_first_numbers_code_in_reach(
    page: Page, backend: StubBackend
) -> None:
    request_code(page, backend)
    button(page, "Change number").click()
    number(page).fill(OTHER)
    backend.will_refuse(429, "RATE_LIMITED", retryAfter=25)
    number(page).press("Enter")
    expect(button(page, "Try again in 0:25")).to_be_visible()
    button(page, BACK_TO_CODE).click()
    shows(page, "+1 415 555 0123")
    expect(button(page, "Verify")).to_have_attribute("aria-disabled", "false")
    verify(page, backend)


def test_a_request_with_a_lost_answer_keeps_its_idempotency_key(page: Page, backend: StubBackend) -> None:
    backend.will_lose().will_refuse(500, "INTERNAL_ERROR").will(200, sent())
    number(page).fill(NUMBER)
    for _ in range(3):
        button(page, "Text me a code").click()
        expect(button(page, "One moment")).to_be_hidden()
        expect(page.locator("otp-form [aria-busy=true]")).to_have_count(0)
    expect(code(page)).to_be_focused()
    assert len(set(backend.keys)) == 1


def test_each_answered_click_gets_a_new_idempotency_key(page: Page, backend: StubBackend) -> None:
    backend.will_refuse(503, "PROVIDER_UNAVAILABLE").will(200, sent(resendAfter=0))
    number(page).fill(NUMBER)
    button(page, "Text me a code").click()
    expect(button(page, "Text me a code")).to_have_attribute("aria-disabled", "false")
    button(page, "Text me a code").click()
    for _ in range(2):
        expect(code(page)).to_be_focused()
        backend.will(200, sent(resendAfter=0))
        button(page, "Send it again").click()
        expect(page.locator("otp-form [aria-busy=true]")).to_have_count(0)
    for _ in range(2):
        backend.will_refuse(400, "OTP_INCORRECT", attemptsRemaining=4)
        page.keyboard.insert_text("111111")
        expect(code(page)).to_have_attribute("aria-invalid", "true")
        expect(page.locator("otp-form [aria-busy=true]")).to_have_count(0)
    assert len(set(backend.keys)) == len(backend.keys) == 6
    assert all(len(key) >= 32 for key in backend.keys)


@pytest.mark.parametrize("step", ["resend", "verify"])
def test_a_resend_or_check_with_a_lost_answer_keeps_its_idempotency_key(
    page: Page, backend: StubBackend, step: str
) -> None:
    request_code(page, backend, resendAfter=0)
    code(page).press_sequentially(CODE)
    act = button(page, "Send it again" if step == "resend" else "Verify")
    backend.will_lose().will(200, sent() if step == "resend" else {})
    for _ in range(2):
        act.click()
        expect(page.locator("otp-form [aria-busy=true]")).to_have_count(0)
    assert [each for each, _ in backend.calls] == ["request", step, step]
    assert backend.keys[1] == backend.keys[2] != backend.keys[0]


def test_another_number_gets_a_new_idempotency_key(page: Page, backend: StubBackend) -> None:
    for to in (NUMBER, OTHER):
        backend.will_lose()
        number(page).fill(to)
        number(page).press("Enter")
        expect(page.locator("otp-form [aria-busy=true]")).to_have_count(0)
    assert len(set(backend.keys)) == 2


def test_a_lost_answer_is_found_in_the_session(page: Page, backend: StubBackend) -> None:
    put_form(page, session_url="/demo/session")
    number(page).fill(NUMBER)
    backend.will_lose()
    backend.session = started()
    number(page).press("Enter")
    expect(code(page)).to_be_focused()
    shows(page, "4:00")
    verify(page, backend)


def test_a_request_that_is_still_in_progress_is_awaited(page: Page, backend: StubBackend) -> None:
    backend.will_refuse(409, "REQUEST_IN_PROGRESS", retryAfter=2).will_refuse(409, "REQUEST_IN_PROGRESS")
    backend.will(200, sent())
    number(page).fill(NUMBER)
    record_timers(page)
    button(page, "Text me a code").click()
    for wait in (2_000, 1_000):
        await_timer(page, wait)
        page.clock.run_for(wait)
    expect(code(page)).to_be_focused()
    assert len(backend.calls) == 3
    assert len(set(backend.keys)) == 1


@pytest.mark.parametrize("milliseconds", [400_000, -3_600_000])
def test_a_corrected_device_clock_changes_no_countdown(
    page: Page, backend: StubBackend, milliseconds: int
) -> None:
    request_code(page, backend)
    page.evaluate(JUMP, milliseconds)
    page.clock.run_for(1_000)
    shows(page, "4:59")
    expect(button(page, "Send it again in 0:29")).to_be_visible()
    expect(code(page)).to_be_enabled()
    page.clock.run_for(30_000)
    expect(button(page, "Send it again")).to_have_attribute("aria-disabled", "false")
    verify(page, backend)


def test_a_page_that_is_shown_again_takes_the_countdown_from_the_session(
    page: Page, backend: StubBackend
) -> None:
    put_form(page, session_url="/demo/session")
    request_code(page, backend)
    code(page).press_sequentially("48")
    backend.session = started(seconds=100, resendAfter=0)
    page.evaluate(SHOWN_AGAIN)
    shows(page, "1:40")
    expect(code(page)).to_have_value("48")


def test_a_page_that_is_shown_again_follows_the_other_tab(page: Page, backend: StubBackend) -> None:
    put_form(page, session_url="/demo/session")
    request_code(page, backend)
    backend.session = started(phoneNumber=OTHER)
    page.evaluate(SHOWN_AGAIN)
    shows(page, "+1 415 555 0145")
    backend.session = {"step": "done"}
    page.evaluate(SHOWN_AGAIN)
    expect(page.get_by_role("group", name="verified")).to_be_visible()


@pytest.mark.parametrize(("same_code", "said"), [(False, True), (True, False), (None, False)])
def test_a_resend_that_makes_a_new_code_says_to_use_the_newest_message(
    page: Page, backend: StubBackend, same_code: bool | None, said: bool
) -> None:
    request_code(page, backend, resendAfter=0)
    backend.will(200, sent() if same_code is None else sent(sameCode=same_code))
    button(page, "Send it again").click()
    newest = page.locator("otp-form .newest")
    expect(newest).to_be_visible(visible=said)
    described = code(page).evaluate("(field) => field.getAttribute('aria-describedby')")
    assert "newest" in described.split()
    if said:
        backend.will_refuse(400, "OTP_INCORRECT", attemptsRemaining=4)
        page.keyboard.insert_text("111111")
        expect(code(page)).to_have_attribute("aria-invalid", "true")
        expect(newest).to_be_visible()
    button(page, "Change number").click()
    number(page).fill(OTHER)
    backend.will(200, sent())
    number(page).press("Enter")
    expect(code(page)).to_be_focused()
    expect(newest).to_be_hidden()
