"""The examples' page in Chromium, with a stand-in service: a user signs up, and reloads on the way."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from local.sandbox.server import running_sandbox
from tests.browser.conftest import CODE, NUMBER, button, code, number
from tests.chromium import accessibility_problems, overflow, watched
from tests.examples import running_example
from tests.stand_in import stand_in

pytestmark = pytest.mark.long

PHONE = {"width": 360, "height": 740}


@pytest.fixture(scope="module", params=["fastapi", "express"])
def example(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of an example."""
    log: Path = tmp_path_factory.mktemp(request.param) / "log"
    with running_sandbox(app=stand_in()) as api, running_example(request.param, api, "a-key", log) as url:
        yield url


@pytest.fixture
def page(browser: Browser, example: str) -> Iterator[Page]:
    """The example's page, on a phone."""
    with watched(browser, viewport=PHONE) as page:
        page.goto(example)
        yield page


@pytest.mark.parametrize("name", ["fastapi", "express"])
def test_a_user_who_meets_a_challenge_gets_through(browser: Browser, name: str, tmp_path: Path) -> None:
    with (
        running_sandbox(app=stand_in(is_wary=True)) as api,
        running_example(name, api, "a-key", tmp_path / "log") as url,
        watched(browser, viewport=PHONE) as page,
    ):
        page.goto(url)
        number(page).fill(NUMBER)
        number(page).press("Enter")
        box = page.get_by_role("checkbox", name="I'm not a robot")
        expect(box).to_be_visible()
        assert (overflow(page), accessibility_problems(page)) == (0, [])
        box.click()
        expect(code(page)).to_be_focused()
        page.keyboard.type(CODE)
        page.keyboard.press("Enter")
        expect(page.get_by_role("group", name="verified")).to_be_visible()


def test_a_user_signs_up_with_a_reload_at_every_step(page: Page) -> None:
    assert (overflow(page), accessibility_problems(page)) == (0, [])
    number(page).fill(NUMBER)
    button(page, "Text me a code").click()
    expect(code(page)).to_be_focused()
    page.reload()
    expect(code(page)).to_be_visible()
    page.keyboard.press("Tab")
    code(page).focus()
    page.keyboard.insert_text("111111")
    expect(code(page)).to_have_attribute("aria-invalid", "true")
    button(page, "Call me instead").click()
    expect(page.locator("otp-form .sent")).to_contain_text("calling")
    page.reload()
    expect(page.locator("otp-form .sent")).to_contain_text("calling")
    code(page).fill(CODE)
    expect(page.get_by_role("group", name="verified")).to_be_visible()
    page.reload()
    expect(page.get_by_role("group", name="verified")).to_be_visible()
    assert accessibility_problems(page) == []
    page.get_by_label("Your name").fill("Ada")
    page.get_by_role("button", name="Create the account").click()
    expect(page.get_by_text("Welcome, Ada.")).to_be_visible()
    names = {cookie["name"]: cookie for cookie in page.context.cookies()}
    assert names.keys() == {"session", "device"}
    assert all(cookie["httpOnly"] and cookie["sameSite"] == "Strict" for cookie in names.values())


def test_a_right_code_with_a_lost_answer_verifies_on_the_next_click(page: Page) -> None:
    number(page).fill(NUMBER)
    button(page, "Text me a code").click()
    expect(code(page)).to_be_focused()
    before: Any = page.context.cookies()

    def lose(route: Any) -> None:
        """The backend acts, and the browser gets neither its answer nor its cookies."""
        route.fetch()
        page.context.clear_cookies()
        page.context.add_cookies(before)
        route.abort()

    page.route("**/verify-code", lose, times=1)
    page.keyboard.type(CODE)
    button(page, "Verify").click()
    expect(page.locator("otp-form #code-error")).to_be_visible()
    button(page, "Verify").click()
    expect(page.get_by_role("group", name="verified")).to_be_visible()
