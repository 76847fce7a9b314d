"""ALTCHA's widget in the form, on the page: a user meets a challenge and passes it."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from playwright.sync_api import Browser, Locator, Page, expect

from local.sandbox.app import create_wide_app
from local.sandbox.server import running_sandbox
from tests.browser.conftest import CODE, NUMBER, button, code, number
from tests.chromium import accessibility_problems, overflow, watched
from tests.stand_in import stand_in

pytestmark = pytest.mark.long

SMALL = {"width": 360, "height": 740}
WIDE = {"width": 1360, "height": 860}
OUTLINE = "(box) => getComputedStyle(box).outlineStyle"


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The page, with a service that requires a challenge for every code."""
    stack_file: Path = tmp_path_factory.mktemp("stack") / "stack.json"
    with (
        running_sandbox(app=stand_in(is_wary=True)) as api,
        running_sandbox(app=create_wide_app(stack_file=stack_file)) as url,
    ):
        stack_file.write_text(f'{{"baseUrl": "{api}", "apiKey": "a-key"}}')
        yield url


def box(page: Page) -> Locator:
    return page.get_by_role("checkbox", name="I'm not a robot")


def meet(page: Page, url: str) -> None:
    """Request a code, and be refused until the challenge is passed."""
    page.goto(url)
    expect(box(page)).to_have_count(0)
    number(page).fill(NUMBER)
    number(page).press("Enter")
    expect(box(page)).to_be_visible()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_challenge_is_passed_by_keyboard_on_a_small_phone(browser: Browser, url: str, scheme: Any) -> None:
    with watched(browser, viewport=SMALL, color_scheme=scheme) as page:
        meet(page, url)
        # A screen reader reads the group's name, which says what is required; the widget comes next.
        expect(page.get_by_role("group", name="Confirm that you are a person to get a code.")).to_be_focused()
        page.keyboard.press("Tab")
        expect(box(page)).to_be_focused()
        assert box(page).evaluate(OUTLINE) != "none"
        assert (overflow(page), accessibility_problems(page)) == (0, [])
        page.keyboard.press("Space")
        expect(code(page)).to_be_focused()
        expect(page.locator("altcha-widget")).to_be_hidden()
        page.keyboard.type(CODE)
        page.keyboard.press("Enter")
        expect(page.get_by_text("Your number is verified.")).to_be_visible()


def test_forced_colours_show_the_box_and_where_the_focus_is(browser: Browser, url: str) -> None:
    with watched(browser, viewport=WIDE, forced_colors="active") as page:
        meet(page, url)
        page.keyboard.press("Tab")
        style = box(page).evaluate(
            "(box) => [getComputedStyle(box).borderStyle, getComputedStyle(box).outlineStyle]"
        )
        assert "none" not in style
        assert (overflow(page), accessibility_problems(page)) == (0, [])


def test_each_code_needs_a_challenge_of_its_own(browser: Browser, url: str) -> None:
    with watched(browser, viewport=WIDE) as page:
        sent: list[Any] = []
        page.on("request", lambda each: sent.append(each.post_data_json) if "-code" in each.url else None)
        meet(page, url)
        box(page).click()
        expect(code(page)).to_be_focused()
        for _ in range(2):
            button(page, "Call me instead").or_(button(page, "Text me instead")).first.click()
            expect(box(page)).to_be_visible()
            expect(box(page)).not_to_be_checked()
            box(page).click()
            expect(page.locator("altcha-widget")).to_be_hidden()
            expect(page.locator("otp-form [aria-busy=true]")).to_have_count(0)
        solutions = [body["challenge"] for body in sent if "challenge" in body]
        assert len(set(solutions)) == len(solutions) == 3
        # The drawer shows the backend's request, which has no solution.
        expect(page.locator("#exchanges .inside pre").first).to_contain_text('"challenged": true')


def test_another_number_needs_another_challenge(browser: Browser, url: str) -> None:
    with watched(browser, viewport=WIDE) as page:
        meet(page, url)
        number(page).fill("+14155550145")
        expect(page.locator("altcha-widget")).to_be_hidden()
        number(page).press("Enter")
        expect(box(page)).to_be_visible()
        box(page).click()
        expect(code(page)).to_be_focused()


def test_a_failing_challenge_route_shows_an_error_and_can_be_retried(browser: Browser, url: str) -> None:
    with watched(browser, viewport=SMALL) as page:
        page.route("**/demo/challenge", lambda route: route.fulfill(status=500), times=1)
        meet(page, url)
        box(page).click()
        expect(page.locator("altcha-widget")).to_contain_text("Verification failed")
        assert (overflow(page), accessibility_problems(page)) == (0, [])
        box(page).click()
        expect(code(page)).to_be_focused()


def test_a_widget_that_fails_to_load_shows_an_error_and_is_loaded_again(browser: Browser, url: str) -> None:
    with watched(browser, viewport=SMALL) as page:
        page.route("**/altcha/**", lambda route: route.fulfill(status=404), times=2)
        page.goto(url)
        number(page).fill(NUMBER)
        number(page).press("Enter")
        missing = page.get_by_text("The check could not be loaded.")
        expect(missing).to_be_visible()
        assert accessibility_problems(page) == []
        number(page).press("Enter")
        expect(box(page)).to_be_visible()
        expect(missing).to_have_count(0)


def test_the_attack_switch_shows_the_state_of_the_attack(browser: Browser, url: str) -> None:
    with watched(browser, viewport=SMALL) as page:
        page.goto(url)
        switch = page.get_by_role("switch", name="Under attack")
        expect(switch).not_to_be_checked()
        switch.press("Space")
        expect(switch).to_be_checked()
        status = page.locator("#attack-status")
        expect(status).to_have_text(re.compile("^Strangers will request codes"))
        page.reload()
        expect(switch).to_be_checked()
        number(page).fill(NUMBER)
        number(page).press("Enter")
        expect(status).to_have_text(re.compile("Now the service requires a challenge.$"))
        expect(page.locator("#others code").first).to_have_text("POST /request-otp")
        box(page).click()
        expect(status).to_have_text(re.compile("The user passed it and was sent a code.$"))
        assert (overflow(page), accessibility_problems(page)) == (0, [])
        switch.uncheck()
        expect(status).to_have_text("")
        expect(switch).not_to_be_checked()
    assert requests.get(f"{url}/inbox", timeout=5).json() == []
