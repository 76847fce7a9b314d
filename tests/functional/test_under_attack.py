"""The page's switch "Under attack" with the real functions: a user is challenged and gets through.

The attack requests real codes, and the guard decides which requests to refuse.
"""

import json
import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from playwright.sync_api import Browser, expect

from generators import events
from local.sandbox.app import create_app
from local.sandbox.server import running_sandbox
from local.template import ROOT
from sms_otp.domain.guard import BLOCK
from tests.challenges import solution_of
from tests.chromium import accessibility_problems, overflow, watched
from tests.feed import first_event
from tests.functional.deployment import Deployment
from tests.functional.served import served

NUMBER = "+14155550123"


class User:
    """A user's browser on the page, and the requests of its form."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.cookies = requests.Session()

    def post(self, step: str, body: dict[str, Any]) -> Any:
        return self.cookies.post(
            f"{self.url}/demo/{step}", json=body, headers={"Origin": self.url}, timeout=60
        ).json()

    def solution(self) -> str:
        """The solution of this session's challenge."""
        return solution_of(self.cookies.get(f"{self.url}/demo/challenge", timeout=10).json())

    def feed(self) -> dict[str, Any]:
        """The first event that the page receives."""
        return first_event(self.url)


@pytest.fixture
def user(deployed: Deployment, tmp_path: Path) -> Iterator[User]:
    stack_file = tmp_path / "stack.json"
    with (
        served(lambda: deployed) as api,
        running_sandbox(app=create_app(stack_file=stack_file)) as url,
    ):
        stack_file.write_text(json.dumps({"baseUrl": api, "apiKey": events.API_KEY}))
        yield User(url)


def test_a_user_is_challenged_under_attack_and_gets_through(user: User, deployed: Deployment) -> None:
    user.post("attack", {"isOn": True})
    refused = user.post("request-code", {"phoneNumber": NUMBER})
    assert (refused["status"], refused["errorCode"]) == (403, "CHALLENGE_REQUIRED")
    attack = user.feed()["attack"]
    assert attack == {
        "isOn": True,
        "requested": int(BLOCK.hour) + 1,
        "sent": int(BLOCK.hour),
        "isChallenged": True,
    }
    through = user.post("request-code", {"phoneNumber": NUMBER, "challenge": user.solution()})
    assert through["channel"] == "sms"
    assert [to for to, _ in deployed.provider.sent].count(NUMBER) == 1
    assert user.post("verify-code", {"otp": deployed.provider.code})["purpose"] == "sign-up"
    deployed.clock.step(60)
    # The service no longer challenges a number that was verified.
    assert user.post("request-code", {"phoneNumber": NUMBER})["channel"] == "sms"
    assert NUMBER not in deployed.log.getvalue()


def test_on_the_page_a_user_is_challenged_and_gets_through(
    user: User, deployed: Deployment, browser: Browser
) -> None:
    with watched(browser, viewport={"width": 1360, "height": 860}) as page:
        page.goto(user.url)
        page.get_by_role("switch", name="Under attack").check()
        page.get_by_label("Phone number").fill(NUMBER)
        page.get_by_role("button", name="Text me a code").click()
        box = page.get_by_role("checkbox", name="I'm not a robot")
        expect(box).to_be_visible()
        status = page.locator("#attack-status")
        expect(status).to_have_text("Strangers were sent 10 codes. Now the service requires a challenge.")
        assert (overflow(page), accessibility_problems(page)) == (0, [])
        box.click()
        code = page.get_by_role("textbox", name="6-digit code")
        expect(code).to_be_focused()
        expect(status).to_contain_text("The user passed it and was sent a code.")
        code.fill(deployed.provider.code)
        expect(page.get_by_text("Your number is verified.")).to_be_visible()


def test_without_the_switch_nobody_is_challenged(user: User) -> None:
    assert user.post("request-code", {"phoneNumber": NUMBER})["channel"] == "sms"
    assert user.feed()["attack"]["requested"] == 0


def test_the_commands_of_the_page_on_abuse_do_what_it_says(deployed: Deployment) -> None:
    section = (ROOT / "docs/abuse.md").read_text().split("## Let users pass a challenge")[1]
    (commands, *_) = re.findall("^```\n(.*?)^```$", section, re.MULTILINE | re.DOTALL)
    with served(lambda: deployed) as api:
        done = subprocess.run(  # noqa: S603 - commands of our own page
            ["/bin/bash", "-c", commands],
            env={"PATH": os.environ["PATH"], "API": api, "KEY": events.API_KEY},
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
        )
    *strangers, refused, through = [json.loads(line) for line in done.stdout.splitlines()]
    assert [answer["success"] for answer in strangers] == [True] * 10
    assert (refused["status"], refused["errorCode"], "retryAfter" in refused) == (
        403,
        "CHALLENGE_REQUIRED",
        False,
    )
    assert through["success"] is True
