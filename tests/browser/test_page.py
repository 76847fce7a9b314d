"""The page around `<otp-form>` in Chromium: its messages and provider calls, with a stand-in service."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import requests
from playwright.sync_api import Browser, Locator, Page, expect
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from local.sandbox.app import create_wide_app
from local.sandbox.credentials import credentials
from local.sandbox.server import running_sandbox
from tests.browser.conftest import NUMBER, number
from tests.chromium import StubBackend, accessibility_problems, overflow, watched

pytestmark = pytest.mark.long

NARROW = {"width": 320, "height": 720}
SMALL = {"width": 360, "height": 740}
WIDE = {"width": 1360, "height": 860}
FIRST_REQUEST_ARRIVES_LATE = """() => {
  const fetched = window.fetch;
  let late = 40;
  let answered = 0;
  let finish;
  window.over = new Promise((resolve) => (finish = resolve));
  window.fetch = async (...calls) => {
    await new Promise((go) => setTimeout(go, late));
    late = 0;
    const answer = await fetched(...calls);
    answered += 1;
    // Two requests that clear all faults, and four that set one.
    if (answered === 6) finish();
    return answer;
  };
}"""


WIDER = """() => [...document.querySelectorAll("main *")]
  .filter((each) => !each.closest("otp-form, .visually-hidden, .call, svg"))
  .filter((each) => each.clientWidth > 0 && each.scrollWidth > each.clientWidth + 1)
  .filter((each) => getComputedStyle(each).display !== "inline")
  .filter((each) => getComputedStyle(each).overflowX === "visible")
  .map((each) => each.outerHTML.slice(0, 80))"""
"""The elements whose content is wider than they are."""


@pytest.fixture(scope="module")
def alone() -> Iterator[str]:
    """A sandbox without a service."""
    with running_sandbox(app=create_wide_app()) as url:
        yield url


def send_by_infobip(sandbox: str, to: str) -> int:
    """The status that the fake Infobip answers a send with."""
    account = credentials(sandbox)["infobip"]
    body = {"applicationId": account["applicationId"], "messageId": account["messageId"], "to": to[1:]}
    headers = {"Authorization": f"App {account['apiKey']}"}
    return requests.post(f"{account['baseUrl']}/2fa/2/pin", json=body, headers=headers, timeout=5).status_code


def send_by_sinch(sandbox: str, to: str) -> int:
    """The status that the fake Sinch answers a send with."""
    account = credentials(sandbox)["sinch"]
    body = {"identity": {"type": "number", "endpoint": to}, "method": "sms"}
    key = (account["applicationKey"], account["applicationSecret"])
    return requests.post(
        f"{sandbox}/sinch/verification/v1/verifications", json=body, auth=key, timeout=5
    ).status_code


@pytest.fixture
def served(tmp_path: Path) -> Iterator[str]:
    """A sandbox with a stand-in service, which fails over from Infobip to Sinch as the service does."""

    def request_otp(to: str) -> tuple[int, dict[str, Any]]:
        if 200 not in (send_by_infobip(url, to), send_by_sinch(url, to)):
            return 503, {"errorCode": "PROVIDER_UNAVAILABLE", "status": 503, "retryAfter": 5}
        expires = (datetime.now(UTC) + timedelta(minutes=5)).isoformat()
        return 200, {
            "success": True,
            "verificationId": "an-id",
            "channel": "sms",
            "expiresAt": expires,
            "resendAfter": 30,
        }

    async def answer(request: Request) -> Response:
        to = (await request.json())["phoneNumber"]
        status, body = await run_in_threadpool(request_otp, to)
        return JSONResponse(body, status)

    stack_file = tmp_path / "stack.json"
    service = Starlette(routes=[Route("/{path:path}", answer, methods=["POST"])])
    with (
        running_sandbox(app=service) as api,
        running_sandbox(app=create_wide_app(stack_file=stack_file)) as url,
    ):
        stack_file.write_text(f'{{"baseUrl": "{api}", "apiKey": "a-key"}}')
        yield url


def deliver(sandbox: str, operation: str = "") -> str:
    """Send a code to the phone, as a message or by `/voice`. Returns the code."""
    account = credentials(sandbox)["infobip"]
    body = {"applicationId": account["applicationId"], "messageId": account["messageId"], "to": NUMBER[1:]}
    headers = {"Authorization": f"App {account['apiKey']}"}
    url = f"{account['baseUrl']}/2fa/2/pin{operation}"
    requests.post(url, json=body, headers=headers, timeout=5).raise_for_status()
    inbox: list[dict[str, Any]] = requests.get(f"{sandbox}/inbox", timeout=5).json()
    return str(inbox[0]["code"])


def open_and_request(page: Page, sandbox: str) -> StubBackend:
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


def test_a_notice_announces_a_message_on_the_phone_below_the_form(browser: Browser, alone: str) -> None:
    with watched(browser, viewport=NARROW) as page:
        backend = open_and_request(page, alone)
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
        assert backend.calls[-1] == ("verify", {"otp": right})


def test_a_phone_beside_the_form_shows_the_message_without_a_notice(browser: Browser, alone: str) -> None:
    with watched(browser, viewport=WIDE) as page:
        open_and_request(page, alone)
        deliver(alone)
        expect(page.locator("#suggestion").get_by_role("button")).to_be_in_viewport()
        expect(arrival(page)).to_be_hidden()


def test_a_call_can_be_reached_heard_and_ended_by_keyboard(browser: Browser, alone: str) -> None:
    with watched(browser, viewport=NARROW) as page:
        open_and_request(page, alone)
        right = deliver(alone, "/voice")
        page.get_by_role("button", name="The phone below rings").press("Enter")
        expect(page.get_by_role("button", name="Accept")).to_be_focused()
        page.keyboard.press("Enter")
        expect(page.get_by_role("button", name="End", exact=True)).to_be_focused()
        expect(page.locator("#phone-status")).to_contain_text(right)
        page.keyboard.press("Enter")
        expect(page.locator("#suggestion").get_by_role("button")).to_be_focused()


def test_a_code_by_whatsapp_is_offered_and_arrives(browser: Browser, alone: str) -> None:
    with watched(browser, viewport=WIDE) as page:
        page.goto(alone)
        expect(page.get_by_role("button", name="Send it by WhatsApp")).to_be_visible()
        backend = open_and_request(page, alone)
        account = credentials(alone)["sinch"]
        body = {"identity": {"type": "number", "endpoint": NUMBER}, "method": "whatsapp"}
        keys = (account["applicationKey"], account["applicationSecret"])
        url = f"{alone}/sinch/verification/v1/verifications"
        requests.post(url, json=body, auth=keys, timeout=5).raise_for_status()
        expect(page.locator("#suggestion")).to_contain_text("From WhatsApp")
        backend.will(200, {})
        page.locator("#suggestion").get_by_role("button").click()
        expect(page.get_by_text("Your number is verified.")).to_be_visible()


def test_the_later_of_two_provider_choices_counts(browser: Browser, alone: str) -> None:
    with watched(browser, viewport=WIDE) as page:
        page.goto(alone)
        page.evaluate(FIRST_REQUEST_ARRIVES_LATE)
        page.get_by_text("Infobip and Sinch down").click()
        page.get_by_text("Both up").click()
        page.evaluate("over")
        assert requests.get(f"{alone}/faults", timeout=5).json() == []


def fail_over(page: Page, sandbox: str) -> Locator:
    """Request a code while Infobip is down. Returns the request in the drawer."""
    page.goto(sandbox)
    page.get_by_text("Infobip down").click()
    page.wait_for_function("fetch('/faults').then((answer) => answer.json()).then((all) => all.length === 2)")
    number(page).fill(NUMBER)
    number(page).press("Enter")
    expect(page.get_by_role("textbox", name="6-digit code")).to_be_focused()
    return page.locator("#exchanges summary").first


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_failover_is_seen_without_scrolling(browser: Browser, served: str, scheme: Any) -> None:
    with watched(browser, viewport=WIDE, color_scheme=scheme) as page:
        request = fail_over(page, served)
        made = request.locator(".call-made")
        expect(made).to_have_text(["Infobip send500", "Sinch send200"])
        for call in made.all():
            expect(call).to_be_in_viewport(ratio=1)
        expect(page.locator("#elsewhere")).to_be_hidden()
        assert (overflow(page), accessibility_problems(page)) == (0, [])


def test_calls_from_elsewhere_have_a_heading_of_their_own(browser: Browser, served: str) -> None:
    with watched(browser, viewport=WIDE) as page:
        fail_over(page, served)
        requests.delete(f"{served}/faults", timeout=5)
        assert send_by_infobip(served, "+14155550145") == 200
        elsewhere = page.get_by_role("region", name="From elsewhere")
        expect(elsewhere.locator(".call-made")).to_have_text(["Infobip send200"])
        expect(page.locator("#exchanges > li")).to_have_count(1)
        other = page.context.browser.new_page() if page.context.browser else page
        other.goto(served)
        number(other).fill("+14155550167")
        number(other).press("Enter")
        expect(other.get_by_role("textbox", name="6-digit code")).to_be_focused()
        expect(elsewhere.locator("summary code")).to_have_text(["POST /request-otp"])
        expect(page.locator("#exchanges > li")).to_have_count(1)
        other.close()
        # After a reload the page shows the same exchanges.
        page.reload()
        expect(page.locator("#exchanges > li")).to_have_count(1)
        assert accessibility_problems(page) == []


def test_a_reloaded_page_goes_on_at_the_code(browser: Browser, served: str) -> None:
    with watched(browser, viewport=WIDE) as page:
        fail_over(page, served)
        page.reload()
        expect(page.get_by_role("textbox", name="6-digit code")).to_be_visible()
        expect(page.locator("otp-form")).to_contain_text("+1 415 555 0123")
        page.goto("about:blank")
        page.go_back()
        expect(page.get_by_role("textbox", name="6-digit code")).to_be_visible()


def test_json_has_each_kind_of_value_in_its_colour(browser: Browser, served: str) -> None:
    with watched(browser, viewport=WIDE) as page:
        fail_over(page, served)
        answer = page.locator("#exchanges .inside pre").nth(1)
        expect(answer.locator(".key")).to_have_count(5)
        kinds = {kind: answer.locator(f".{kind}").all_text_contents() for kind in ("key", "string", "other")}
        assert kinds["other"] == ["true", "30"]
        assert kinds["key"][:2] == ['"success"', '"verificationId"']
        assert kinds["string"][0] == '"an-id"'
        text = answer.text_content() or ""
        assert text.startswith('{\n  "success": true,')
        assert text.endswith('"resendAfter": 30\n}')


@pytest.mark.parametrize("viewport", [NARROW, SMALL])
def test_nothing_overflows_on_a_small_phone(browser: Browser, served: str, viewport: Any) -> None:
    with watched(browser, viewport=viewport) as page:
        fail_over(page, served)
        send_by_sinch(served, "+14155550145")
        expect(page.get_by_role("region", name="From elsewhere")).to_be_visible()
        wider = page.evaluate(WIDER)
        assert (overflow(page), wider) == (0, [])
        assert accessibility_problems(page) == []


def test_forced_colours_show_every_state(browser: Browser, served: str) -> None:
    with watched(browser, viewport=WIDE, forced_colors="active") as page:
        fail_over(page, served)
        reached = page.locator("#progress .reached").first
        ahead = page.locator("#progress li:not(.reached)").first
        style = "(each) => getComputedStyle(each).borderTopColor + getComputedStyle(each).borderTopWidth"
        assert reached.evaluate(style) != ahead.evaluate(style)
        chosen, other = (
            page.locator(f".weather {kind} + span").first for kind in (":checked", ":not(:checked)")
        )
        ground = "(each) => getComputedStyle(each).backgroundColor"
        assert chosen.evaluate(ground) != other.evaluate(ground)
        bad, good = page.locator(".call-made .bad").first, page.locator(".call-made .good").first
        width = "(each) => getComputedStyle(each).borderTopWidth"
        assert bad.evaluate(width) != good.evaluate(width) != "0px"
