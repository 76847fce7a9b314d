"""A page in Chromium in which an error, a policy violation or a call to another host fails the test."""

import contextlib
import json
import sys
from collections.abc import Iterator
from datetime import datetime
from email.utils import format_datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from playwright.sync_api import Browser, ConsoleMessage, Page, Request, Route

AXE = Path(sys.prefix) / "web/node_modules/axe-core/axe.min.js"

REFUSED = (
    "Failed to load resource: the server responded with a status of",
    "Failed to load resource: net::ERR_FAILED",
)
"""The messages that Chromium logs for a problem and for a lost answer; the form handles both."""

_VIOLATIONS = """
document.addEventListener("securitypolicyviolation", ({ violatedDirective, blockedURI }) =>
  console.error(`policy: ${violatedDirective} ${blockedURI}`));
"""

_FINISH = """
for (const each of document.getAnimations()) if (each.effect.getTiming().iterations === 1) each.finish();
"""


@contextlib.contextmanager
def watched(browser: Browser, **context: Any) -> Iterator[Page]:
    """A page of its own, and at the end a check that nothing went wrong; `context` as for Playwright."""
    with contextlib.closing(browser.new_context(**context)) as own:
        page = own.new_page()
        wrong = watch(page)
        yield page
    assert wrong == [], wrong  # spelled out, since pytest explains the asserts of test modules alone


def watch(page: Page) -> list[str]:
    """Start to record errors and calls to other hosts; returns the growing list of them."""
    wrong: list[str] = []

    def check_message(message: ConsoleMessage) -> None:
        if message.type in ("error", "warning") and not message.text.startswith(REFUSED):
            wrong.append(message.text)

    def check_request(request: Request) -> None:
        if urlsplit(request.url).hostname != "127.0.0.1":
            wrong.append(f"a request to {request.url}")

    page.set_default_timeout(20_000)
    page.add_init_script(_VIOLATIONS)
    page.on("console", check_message)
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("request", check_request)
    return wrong


def accessibility_problems(page: Page) -> list[str]:
    """The findings of axe on the current page, contrast included, by the rules of WCAG 2.2 A and AA."""
    page.evaluate(AXE.read_text())
    # Finish the animations: a text that is still fading in has too little contrast.
    page.evaluate(_FINISH)
    tags = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
    result = page.evaluate("(tags) => axe.run({ runOnly: tags })", tags)
    return [
        f"{rule['id']}: {node['html'][:120]} {node['failureSummary']}"
        for rule in result["violations"]
        for node in rule["nodes"]
    ]


def overflow(page: Page) -> int:
    """Pixels by which the page is wider than its window."""
    return int(page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth"))


_RECORD_TIMERS = """() => {
  const set = window.setTimeout;
  window.delays = [];
  window.setTimeout = (callback, delay, ...rest) => {
    window.delays.push(delay);
    return set(callback, delay, ...rest);
  };
}"""


def record_timers(page: Page) -> None:
    """Let `await_timer` see the timers that the page sets from now on."""
    page.evaluate(_RECORD_TIMERS)


def await_timer(page: Page, milliseconds: int) -> None:
    """Return once the page has set a timer of this delay: a clock that is moved before would miss it."""
    page.wait_for_function("(delay) => window.delays.includes(delay)", arg=milliseconds)


LOST = 0
"""In place of a status: the request arrives, and its answer is lost."""


class StubBackend:
    """The app's backend with queued answers, for states that are slow to reach with a real one."""

    def __init__(self, page: Page, now: datetime) -> None:
        self._date = format_datetime(now, usegmt=True)
        self.calls: list[tuple[str, Any]] = []
        """The steps requested, such as `request`, with their bodies."""
        self.keys: list[str] = []
        """The `Idempotency-Key` of each."""
        self.session: dict[str, Any] = {"step": "number"}
        """The answer of the session route."""
        self._answers: list[tuple[int, dict[str, Any]]] = []
        page.route("**/demo/*-code*", self._answer)
        page.route("**/demo/session*", self._answer_session)

    def will(self, status: int, body: dict[str, Any]) -> "StubBackend":
        """Queue one answer."""
        self._answers.append((status, body))
        return self

    def will_lose(self) -> "StubBackend":
        """Give no answer, once."""
        return self.will(LOST, {})

    def will_refuse(self, status: int, code: str, **members: Any) -> "StubBackend":
        """Answer with a problem, once."""
        return self.will(status, {"success": False, "status": status, "errorCode": code, **members})

    def _answer(self, route: Route) -> None:
        step = urlsplit(route.request.url).path.removeprefix("/demo/").removesuffix("-code")
        self.calls.append((step, route.request.post_data_json))
        self.keys.append(route.request.headers["idempotency-key"])
        status, body = self._answers.pop(0)
        if status == LOST:
            route.abort()
            return
        kind = "application/json" if status == 200 else "application/problem+json"
        route.fulfill(
            status=status, body=json.dumps(body), headers={"Content-Type": kind, "Date": self._date}
        )

    def _answer_session(self, route: Route) -> None:
        headers = {"Content-Type": "application/json", "Date": self._date}
        route.fulfill(status=200, body=json.dumps(self.session), headers=headers)
