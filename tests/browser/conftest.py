"""`<otp-form>` alone on a page in Chromium, with a backend that answers as each test needs."""

import contextlib
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from local.sandbox.app import create_wide_app
from local.sandbox.page import HEADERS
from local.sandbox.server import running_sandbox
from tests.chromium import StubBackend, watch

NUMBER = "+14155550123"
CODE = "482913"
NOW = datetime(2026, 11, 22, 9, 0, tzinfo=UTC)

PAGE = """<!doctype html>
<html lang="en">
<title>A form</title>
<script src="/phone-library/libphonenumber-js.min.js" defer></script>
<script src="/otp-form/otp-form.js" type="module"></script>
<script src="/test/library.js" type="module"></script>
<otp-form request-url="/demo/request-code" verify-url="/demo/verify-code" resend-url="/demo/resend-code"
  channels="sms voice"></otp-form>
"""
LIBRARY = "document.querySelector('otp-form').phoneLibrary = globalThis.libphonenumber;"

PASTE = """(input, text) => {
  const data = new DataTransfer();
  data.setData("text", text);
  input.value = "";
  input.dispatchEvent(new ClipboardEvent("paste", { clipboardData: data, cancelable: true }));
}"""


@pytest.fixture(scope="module")
def sandbox() -> Iterator[str]:
    with running_sandbox(app=create_wide_app()) as url:
        yield url


@pytest.fixture(scope="module")
def window(browser: Browser, sandbox: str) -> Iterator[tuple[Page, list[str]]]:
    """One page for all tests of a module, which saves a second each, and the errors that it logs."""
    with contextlib.closing(browser.new_context()) as context:
        opened = context.new_page()
        wrong = watch(opened)
        opened.clock.install(time=NOW)
        opened.goto(f"{sandbox}/healthz")
        # From here on time passes only when a test advances the clock.
        opened.clock.pause_at(NOW + timedelta(minutes=1))
        yield opened, wrong


@pytest.fixture
def page(window: tuple[Page, list[str]], sandbox: str) -> Iterator[Page]:
    """A page with a new form."""
    opened, wrong = window
    show(opened, sandbox)
    yield opened
    opened.unroute_all()
    found, wrong[:] = wrong[:], []
    assert found == []


def show(page: Page, sandbox: str, library: str = LIBRARY) -> None:
    """Load a page with nothing but the form."""
    page.route(
        "**/test/form", lambda route: route.fulfill(body=PAGE, content_type="text/html", headers=HEADERS)
    )
    page.route(
        "**/test/library.js", lambda route: route.fulfill(body=library, content_type="text/javascript")
    )
    page.goto(f"{sandbox}/test/form")


FORM = """(attributes) => {
  const form = document.createElement("otp-form");
  const all = { "request-url": "/demo/request-code", "verify-url": "/demo/verify-code",
    "resend-url": "/demo/resend-code", ...attributes };
  for (const [name, value] of Object.entries(all)) form.setAttribute(name, value);
  form.phoneLibrary = globalThis.libphonenumber;
  document.querySelector("otp-form").replaceWith(form);
}"""


def put_form(page: Page, **attributes: str) -> None:
    """Replace the form by a new one with these attributes; write `_` for a hyphen."""
    page.evaluate(FORM, {name.replace("_", "-"): value for name, value in attributes.items()})


EVENTS = """(names) => {
  window.events = [];
  const record = ({ type, detail }) => window.events.push([type, detail]);
  for (const name of names) document.addEventListener(name, record);
}"""


def record_events(page: Page, *names: str) -> None:
    """From now on `events(page)` has each of these events with its detail."""
    page.evaluate(EVENTS, list(names))


def events(page: Page) -> list[list[Any]]:
    """The events recorded so far: name and detail."""
    found: list[list[Any]] = page.evaluate("events")
    return found


@pytest.fixture
def backend(page: Page) -> StubBackend:
    return StubBackend(page, NOW)


def sent(**members: Any) -> dict[str, Any]:
    return {"channel": "sms", "expiresAt": "2026-11-22T09:05:00Z", "resendAfter": 30, **members}


def number(page: Page) -> Locator:
    return page.get_by_label("Phone number")


def code(page: Page) -> Locator:
    return page.get_by_role("textbox", name="6-digit code")


def button(page: Page, name: str) -> Locator:
    return page.locator("otp-form").get_by_role("button", name=name)


def spoken(page: Page) -> Locator:
    return page.locator("otp-form").get_by_role("status")


def request_code(page: Page, backend: StubBackend, **members: Any) -> None:
    """Request a code and reach the step at which it is typed."""
    backend.will(200, sent(**members))
    number(page).fill(NUMBER)
    button(page, "Text me a code").click()
    expect(code(page)).to_be_focused()
