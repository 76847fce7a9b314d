"""The page in Chromium, on the deployed template: a person signs up, and meets refusals.

Each test sends few codes: all come from one client, whose sends are limited by the hour.
"""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from local.sandbox.demo import COOKIE
from tests.chromium import accessibility_problems, overflow, watched
from tests.e2e.conftest import Backend, fresh_number

pytestmark = pytest.mark.e2e

WIDE = {"width": 1360, "height": 860}
NARROW = {"width": 320, "height": 720}
SLOW = 30_000
"""Milliseconds: a function's first call after the deployment, on a busy machine."""


@pytest.fixture
def wide(browser: Browser, backend: Backend) -> Iterator[Page]:
    """The page in the light, as wide as a laptop."""
    with watched(browser, viewport=WIDE, color_scheme="light") as page:
        page.goto(backend.stack.sandbox_url)
        yield page


@pytest.fixture
def narrow(browser: Browser, backend: Backend) -> Iterator[Page]:
    """The page in the dark, as narrow as a small phone."""
    with watched(browser, viewport=NARROW, color_scheme="dark") as page:
        page.goto(backend.stack.sandbox_url)
        yield page


def number(page: Page) -> Locator:
    return page.get_by_label("Phone number")


def code(page: Page) -> Locator:
    return page.get_by_role("textbox", name="6-digit code")


def form_says(page: Page, text: str) -> None:
    expect(page.locator("otp-form").get_by_role("status")).to_have_text(text, timeout=SLOW)


def request_code(page: Page, to: str) -> None:
    number(page).fill(to)
    page.get_by_role("button", name="Text me a code").click()
    expect(code(page)).to_be_focused(timeout=SLOW)


def wrong(right: str) -> str:
    return "111111" if right != "111111" else "222222"


def check_looks(page: Page) -> None:
    """Nothing is wider than the window, and axe finds no problem with names, roles or contrast."""
    assert overflow(page) == 0
    assert accessibility_problems(page) == []


def test_a_person_signs_up_with_the_message_that_arrives_on_the_phone(wide: Page, backend: Backend) -> None:
    to = fresh_number()
    check_looks(wide)
    request_code(wide, to)
    suggestion = wide.locator("#suggestion").get_by_role("button")
    expect(suggestion).to_contain_text(backend.code(to))
    right = backend.code(to)
    wide.keyboard.type(wrong(right))
    wide.keyboard.press("Enter")
    form_says(wide, "Incorrect code. You have 4 attempts left.")
    check_looks(wide)
    session = {
        cookie["name"]: cookie for cookie in wide.context.cookies(f"{backend.stack.sandbox_url}/demo/")
    }
    assert (session[COOKIE]["httpOnly"], session[COOKIE]["sameSite"]) == (True, "Strict")
    suggestion.click()
    expect(wide.get_by_text("Your number is verified.")).to_be_visible(timeout=SLOW)
    check_looks(wide)

    drawer = wide.get_by_role("region", name="Behind the form")
    expect(drawer.locator("summary code").first).to_have_text("POST /verify-otp")
    expect(drawer.get_by_text("Infobip check").first).to_be_visible()
    wide.context.grant_permissions(["clipboard-read", "clipboard-write"])
    drawer.get_by_role("button", name="Copy as curl").click()
    expect(drawer.get_by_role("button", name="Copied")).to_be_visible()
    copied = wide.evaluate("navigator.clipboard.readText()")
    assert copied.startswith('curl -sS "$API/verify-otp" -H "x-api-key: $KEY"')
    assert backend.api_key not in wide.content() + copied
    assert right not in drawer.inner_text() + copied


@pytest.mark.long
def test_a_person_signs_up_by_keyboard_on_a_narrow_dark_screen(narrow: Page, backend: Backend) -> None:
    to = fresh_number()
    check_looks(narrow)
    narrow.keyboard.press("Tab")
    expect(narrow.get_by_label("Country")).to_be_focused()
    narrow.keyboard.press("Tab")
    expect(number(narrow)).to_be_focused()
    narrow.keyboard.type(to.removeprefix("+1"))
    narrow.keyboard.press("Enter")
    expect(code(narrow)).to_be_focused(timeout=SLOW)
    check_looks(narrow)
    narrow.keyboard.type(backend.code(to))
    narrow.keyboard.press("Tab")
    expect(narrow.get_by_role("button", name="Verify")).to_be_focused()
    narrow.keyboard.press("Space")
    expect(narrow.get_by_text("Your number is verified.")).to_be_visible(timeout=SLOW)
    check_looks(narrow)
    narrow.keyboard.press("Tab")
    expect(narrow.get_by_role("button", name="Start again")).to_be_focused()
    narrow.keyboard.press("Enter")
    expect(number(narrow)).to_be_focused()


@pytest.mark.long
def test_a_person_signs_up_with_a_phone_call(wide: Page, backend: Backend) -> None:
    to = fresh_number()
    number(wide).fill(to)
    wide.get_by_role("button", name="Call me with a code").click()
    phone = wide.get_by_role("group", name="Phone call")
    expect(phone).to_contain_text("Incoming call", timeout=SLOW)
    check_looks(wide)
    phone.get_by_role("button", name="Accept").click()
    expect(phone).to_contain_text(backend.code(to))
    phone.get_by_role("button", name="End").click()
    wide.locator("#suggestion").get_by_role("button").click()
    expect(wide.get_by_text("Your number is verified.")).to_be_visible(timeout=SLOW)


def test_five_wrong_codes_end_the_code_and_the_number_must_wait(wide: Page, backend: Backend) -> None:
    to = fresh_number()
    request_code(wide, to)
    guess = wrong(backend.code(to))
    for left in (4, 3, 2):
        wide.keyboard.insert_text(guess)
        expect(wide.locator("otp-form #code-error")).to_contain_text(str(left), timeout=SLOW)
    for _ in range(2):
        expect(wide.locator("otp-form [aria-busy=true]")).to_have_count(0, timeout=SLOW)
        wide.keyboard.insert_text(guess)
    expect(code(wide)).to_be_disabled(timeout=SLOW)
    # The last answer may already carry the wait; otherwise the request for a new code does.
    wide.keyboard.press("Enter")
    expect(wide.get_by_role("button", name="Try again in 0:")).to_be_focused(timeout=SLOW)
    check_looks(wide)


@pytest.mark.long
def test_an_invalid_number_or_a_request_too_soon_gets_no_code(wide: Page, backend: Backend) -> None:
    number(wide).fill("+1 999 999 9999")
    number(wide).press("Enter")
    form_says(wide, "Enter a valid phone number.")
    expect(number(wide)).to_have_attribute("aria-invalid", "true")
    to = fresh_number()
    request_code(wide, to)
    wide.get_by_role("button", name="Change number").click()
    wide.get_by_role("button", name="Text me a code").click()
    form_says(wide, "Too many codes in a short time.")
    expect(code(wide)).to_be_focused()
    expect(wide.get_by_role("button", name="Send it again in 0:")).to_be_visible()
    assert len(backend.inbox(to)) == 1


@pytest.mark.long
def test_one_provider_down_goes_unnoticed_and_both_down_shows_an_error(wide: Page, backend: Backend) -> None:
    to = fresh_number()
    both, one = wide.get_by_text("Infobip and Sinch down"), wide.get_by_text("Infobip down")
    both.click()
    expect(wide.get_by_role("radio", name="Infobip and Sinch down")).to_be_checked()
    wide.wait_for_function("fetch('/faults').then((answer) => answer.json()).then((all) => all.length === 4)")
    number(wide).fill(to)
    wide.get_by_role("button", name="Text me a code").click()
    form_says(wide, "Messages cannot be sent at the moment.")
    one.click()
    wide.wait_for_function("fetch('/faults').then((answer) => answer.json()).then((all) => all.length === 2)")
    wide.reload()
    expect(wide.get_by_role("radio", name="Infobip down")).to_be_checked()
    # Another number, because a send of unknown outcome counts towards the limits of the first.
    other = fresh_number()
    request_code(wide, other)
    expect(wide.locator("#thread .message").last).to_contain_text("Sinch to")
    assert backend.inbox(other)[0]["provider"] == "sinch"
    newest = wide.locator("#exchanges > li").first
    expect(newest.locator(".call-made")).to_have_text(["Infobip send500", "Sinch send200"])
