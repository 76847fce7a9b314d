"""`make screenshots`: take the page's screenshots in `docs/images`, on a local stack of their own."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

import requests
from playwright.sync_api import Browser, Page

from generators.browser import CHROMIUM, chromium
from local.stack import LocalStack
from local.stack_file import ROOT, LocalStackError

IMAGES = ROOT / "docs/images"
WIDE = (1360, 860)
NARROW = (390, 844)
WRONG = "111111"
ARRIVE_MILLISECONDS = 700
"""Every animation has ended by then."""


def main() -> None:
    """Take the screenshots; exits with a message without Chromium or if the stack cannot start."""
    if not CHROMIUM.exists():
        sys.exit(f"make screenshots: {CHROMIUM} is missing; on Debian: apt-get install chromium")
    try:
        with LocalStack() as stack, chromium() as browser:
            draw(browser, stack.sandbox_url, IMAGES)
    except LocalStackError as error:
        sys.exit(f"make screenshots: {error}")


def draw(browser: Browser, url: str, to: Path) -> None:
    """Save each screenshot of the page at `url` into the directory `to`."""
    to.mkdir(exist_ok=True)
    with _opened(browser, url, WIDE, "dark") as page:
        # Warms the functions up, so that the page shows usual durations.
        _verify(page, "415 555 0134")
    with _opened(browser, url, WIDE, "dark") as page:
        _verify(page, "415 555 0145")
        _picture(page, to / "page-verified-dark.png")
    with _opened(browser, url, WIDE, "light") as page:
        _request_code(page, "415 555 0123")
        _guess_wrong(page)
        _picture(page, to / "page-wrong-code.png")
    with _opened(browser, url, WIDE, "light") as page:
        page.get_by_label("Phone number").fill("415 555 0167")
        page.get_by_role("button", name="Call me with a code").click()
        page.get_by_role("button", name="Accept").wait_for()
        _picture(page, to / "page-call.png")
    with _opened(browser, url, WIDE, "light") as page, _infobip_down(page, url):
        _request_code(page, "415 555 0156")
        page.locator("#exchanges .call-made").nth(1).wait_for()
        _picture(page, to / "page-failover.png")
    with _opened(browser, url, WIDE, "light") as page, _under_attack(page):
        page.get_by_label("Phone number").fill("646 555 0123")
        page.get_by_role("button", name="Text me a code").click()
        page.get_by_role("checkbox", name="I'm not a robot").wait_for()
        _picture(page, to / "page-challenge.png")
    with _opened(browser, url, NARROW, "light") as page:
        _request_code(page, "415 555 0178")
        page.keyboard.type("48")
        _picture(page, to / "page-narrow.png")
    with _opened(browser, url, NARROW, "dark") as page:
        _request_code(page, "415 555 0189")
        _guess_wrong(page)
        _picture(page, to / "page-narrow-dark.png")


@contextmanager
def _opened(
    browser: Browser, url: str, size: tuple[int, int], scheme: Literal["light", "dark"]
) -> Iterator[Page]:
    requests.delete(f"{url}/inbox", timeout=5).raise_for_status()
    page = browser.new_page(viewport={"width": size[0], "height": size[1]}, color_scheme=scheme)
    try:
        page.goto(url)
        yield page
    finally:
        page.close()


@contextmanager
def _infobip_down(page: Page, url: str) -> Iterator[None]:
    """Use the page's switch."""
    page.get_by_text("Infobip down").click()
    page.wait_for_function("fetch('/faults').then((answer) => answer.json()).then((all) => all.length > 0)")
    try:
        yield
    finally:
        requests.delete(f"{url}/faults", timeout=5).raise_for_status()


@contextmanager
def _under_attack(page: Page) -> Iterator[None]:
    """Use the page's switch."""
    switch = page.get_by_role("switch", name="Under attack")
    switch.check()
    try:
        yield
    finally:
        switch.uncheck()


def _request_code(page: Page, number: str) -> None:
    page.get_by_label("Phone number").fill(number)
    page.get_by_role("button", name="Text me a code").click()
    page.locator("#suggestion button").wait_for()


def _verify(page: Page, number: str) -> None:
    _request_code(page, number)
    page.locator("#suggestion button").click()
    page.get_by_text("Your number is verified.").wait_for()


def _guess_wrong(page: Page) -> None:
    page.keyboard.type(WRONG)
    page.keyboard.press("Enter")
    page.locator("otp-form #code-error").wait_for()


def _picture(page: Page, path: Path) -> None:
    page.wait_for_timeout(ARRIVE_MILLISECONDS)
    # Focus may have scrolled the page, but every screenshot shows its top.
    page.evaluate("scrollTo({ top: 0, behavior: 'instant' })")
    page.screenshot(path=path)
    print(path.relative_to(ROOT), flush=True)


if __name__ == "__main__":
    main()
