"""The backends of the examples in front of a stubbed service, which may be down or misconfigured."""

import base64
import json
import os
import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import requests
import yaml
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from local.sandbox.server import running_sandbox
from local.template import ROOT
from tests.challenges import solution_of
from tests.examples import EXAMPLES, START_SECONDS, command, running_example

pytestmark = pytest.mark.long

API_KEY = "the-key-that-stays-in-the-backend"
NUMBER = "+14155550123"
REQUESTED = {
    "success": True,
    "verificationId": "an-id-that-stays-in-the-backend",
    "channel": "sms",
    "expiresAt": "2026-11-22T09:05:00Z",
    "resendAfter": 30,
}
VERIFIED = {"success": True, "phoneNumber": NUMBER, "deviceToken": "a-device-token"}
LATE_PYTHON = """
import os, time
now = time.time
time.time = lambda: now() + (3600 if os.path.exists(os.environ["LATE"]) else 0)
"""
LATE_NODE = """
import { existsSync } from "node:fs";
const { now } = Date;
Date.now = () => now() + (existsSync(process.env.LATE) ? 3_600_000 : 0);
"""
FAULTS_OF_THE_BACKEND = {"INTERNAL_ERROR", "SERVICE_MISCONFIGURED", "FORBIDDEN"}
CODES = {
    *yaml.safe_load((ROOT / "openapi.yaml").read_text())["components"]["schemas"]["Problem"]["properties"][
        "errorCode"
    ]["enum"],
    "SERVICE_MISCONFIGURED",
}
DOWN = {"success": False, "errorCode": "PROVIDER_UNAVAILABLE", "status": 503, "retryAfter": 5}


@dataclass
class Service:
    """Stands in for the API: gives one answer, or queued ones, and keeps the requests."""

    status: int = 503
    body: Any = None
    queued: list[tuple[int, Any]] = field(default_factory=list)
    keys: list[str] = field(default_factory=list)
    requests: list[tuple[str, dict[str, Any]]] = field(default_factory=list)

    async def answer(self, request: Request) -> Response:
        self.keys.append(request.headers["idempotency-key"])
        self.requests.append((request.url.path, await request.json()))
        status, body = self.queued.pop(0) if self.queued else (self.status, self.body)
        return JSONResponse(body, status)


@dataclass
class Example:
    """One of the backends, the service behind it, and its log."""

    url: str
    service: Service
    log: Path
    late: Path
    """The clock of the backend is an hour ahead while this file exists."""


@pytest.fixture(scope="module", params=["fastapi", "express"])
def example(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Example]:
    service = Service()
    stand_in = Starlette(routes=[Route("/{path:path}", service.answer, methods=["POST"])])
    folder = tmp_path_factory.mktemp(request.param)
    log, late = folder / "log", folder / "late"
    (folder / "sitecustomize.py").write_text(LATE_PYTHON)
    (folder / "late.mjs").write_text(LATE_NODE)
    clock = {
        "LATE": str(late),
        "PYTHONPATH": str(folder),
        "NODE_OPTIONS": f"--import={(folder / 'late.mjs').as_uri()}",
    }
    with (
        running_sandbox(app=stand_in) as api,
        running_example(request.param, api, API_KEY, log, **clock) as url,
    ):
        yield Example(url, service, log, late)


def test_a_failed_click_is_retried_with_its_idempotency_key(example: Example) -> None:
    example.service.status, example.service.body = 503, DOWN
    browser = requests.Session()
    for _ in range(2):
        body, click = {"phoneNumber": NUMBER}, {"Idempotency-Key": "one-click"}
        answer = browser.post(f"{example.url}/request-code", json=body, headers=click, timeout=10)
        assert (answer.status_code, answer.json()["errorCode"]) == (503, "PROVIDER_UNAVAILABLE")
    first, again = example.service.keys[-2:]
    assert first == again


@pytest.mark.parametrize(
    ("status", "body"),
    [(403, {"errorCode": "FORBIDDEN"}), (403, {"message": "Forbidden"}), (500, None), (500, [])],
)
def test_a_fault_of_the_backend_is_answered_as_unavailable_and_logged(
    example: Example, status: int, body: Any
) -> None:
    example.service.status, example.service.body = status, body
    before = len(example.log.read_text())
    answer = requests.post(f"{example.url}/request-code", json={"phoneNumber": NUMBER}, timeout=10)
    assert (answer.status_code, answer.json()["errorCode"]) == (503, "SERVICE_UNAVAILABLE")
    logged = example.log.read_text()[before:]
    assert f"/request-otp: {status}" in logged
    assert NUMBER not in logged
    assert API_KEY not in logged


def test_a_body_that_is_too_large_is_an_invalid_request(example: Example) -> None:
    answer = requests.post(f"{example.url}/request-code", json={"padding": "x" * 200_000}, timeout=10)
    assert (answer.status_code, answer.json()["errorCode"]) == (400, "INVALID_REQUEST")


@pytest.mark.parametrize("name", ["fastapi", "express"])
def test_a_backend_without_its_api_key_does_not_start(name: str) -> None:
    ended = subprocess.run(  # noqa: S603 - the command of the example's README
        command(name, 0),
        cwd=EXAMPLES / name,
        env={"PATH": os.environ["PATH"], "OTP_API_URL": "http://127.0.0.1:1", "PORT": "0"},
        capture_output=True,
        text=True,
        timeout=START_SECONDS,
        check=False,
    )
    assert ended.returncode != 0
    assert "OTP_API_KEY" in ended.stderr


@dataclass
class Browser:
    """One browser in front of an example."""

    example: Example
    cookies: requests.Session = field(default_factory=requests.Session)

    def post(self, path: str, body: Any, *queued: tuple[int, Any], click: str = "") -> requests.Response:
        self.example.service.queued[:] = queued
        headers = {"Idempotency-Key": click} if click else {}
        return self.cookies.post(f"{self.example.url}{path}", json=body, headers=headers, timeout=10)

    def requested(self, **members: Any) -> requests.Response:
        """Request a first code, which the service sends."""
        return self.post("/request-code", {"phoneNumber": NUMBER, **members}, (200, REQUESTED))

    def session(self) -> Any:
        return self.cookies.get(f"{self.example.url}/session", timeout=10).json()

    @property
    def sent(self) -> dict[str, Any]:
        """The last request to the service."""
        return self.example.service.requests[-1][1]


@pytest.fixture
def browser_of(example: Example) -> Browser:
    return Browser(example)


def test_the_page_and_the_form_are_served(example: Example) -> None:
    page = requests.get(example.url, timeout=10)
    assert page.status_code == 200
    assert page.headers["Content-Security-Policy"].startswith("default-src 'self'")
    for path in ("/otp-form/otp-form.js", "/page/page.js", "/page/page.css"):
        assert path in page.text or "/otp-form" in path
        assert requests.get(f"{example.url}{path}", timeout=10).status_code == 200
    # A link on another site leads here.
    arrived = requests.get(example.url, headers={"Sec-Fetch-Site": "cross-site"}, timeout=10)
    assert arrived.status_code == 200
    assert requests.get(f"{example.url}/page/..%2ffastapi/app.py", timeout=10).status_code == 404


def test_the_session_says_that_a_code_was_sent(browser_of: Browser) -> None:
    assert browser_of.session() == {"step": "number"}
    browser_of.requested()
    waiting = browser_of.session()
    assert 28 <= waiting.pop("resendAfter") <= 30
    assert waiting == {
        "step": "code",
        "phoneNumber": NUMBER,
        "channel": "sms",
        "expiresAt": REQUESTED["expiresAt"],
    }
    resent = {**REQUESTED, "channel": "voice", "sameCode": False}
    answer = browser_of.post("/resend-code", {"channel": "voice"}, (200, resent)).json()
    assert (answer["sameCode"], browser_of.session()["channel"]) == (False, "voice")
    browser_of.post("/verify-code", {"otp": "123456"}, (200, VERIFIED))
    assert browser_of.session() == {"step": "done"}
    browser_of.post("/sign-up", {"name": "Ada"})
    assert browser_of.session() == {"step": "number"}


@pytest.mark.parametrize(
    "refusal",
    [(400, {"errorCode": "OTP_INCORRECT", "attemptsRemaining": 0}), (410, {"errorCode": "OTP_EXPIRED"})],
)
def test_the_session_stops_waiting_for_a_code_that_is_over(
    browser_of: Browser, refusal: tuple[int, Any]
) -> None:
    browser_of.requested()
    browser_of.post("/verify-code", {"otp": "123456"}, (400, {"errorCode": "OTP_INCORRECT"}))
    assert browser_of.session()["step"] == "code"
    browser_of.post("/verify-code", {"otp": "123456"}, refusal)
    assert browser_of.session() == {"step": "number"}


def test_each_click_has_one_idempotency_key_on_every_route(browser_of: Browser) -> None:
    browser_of.requested()
    keys = browser_of.example.service.keys
    keys.clear()
    for path, body in (("/resend-code", {}), ("/verify-code", {"otp": "123456"})):
        for click in ("one", "one", "two"):
            browser_of.post(path, body, (503, DOWN), click=click)
        first, again, other = keys
        assert first == again != other
        keys.clear()


def test_a_right_code_is_accepted_again_when_its_answer_was_lost(
    browser_of: Browser,
) -> None:
    browser_of.requested()
    before = browser_of.cookies.cookies.copy()
    for _ in range(3):
        # Without the answer the browser has no new cookies either.
        browser_of.cookies.cookies = before.copy()
        right = browser_of.post("/verify-code", {"otp": "123456"}, (200, VERIFIED), click="one")
        assert (right.status_code, right.json()) == (200, {"verified": True})
        assert browser_of.session() == {"step": "done"}
    assert [path for path, _ in browser_of.example.service.requests].count("/verify-otp") >= 1
    assert len(browser_of.example.service.queued) == 1
    for body, click in (({"otp": "123456"}, "two"), ({"otp": "123456"}, ""), ({"otp": "654321"}, "one")):
        other = Browser(browser_of.example)
        other.cookies.cookies = before.copy()
        assert other.post("/verify-code", body, click=click).status_code == 404
        assert other.session() == {"step": "number"}
    browser_of.post("/sign-up", {"name": "Ada"})
    browser_of.cookies.cookies = before.copy()
    assert browser_of.post("/verify-code", {"otp": "123456"}, click="one").status_code == 404


def test_a_device_token_is_kept_in_a_cookie_and_sent_with_each_request(browser_of: Browser) -> None:
    browser_of.requested()
    assert "deviceToken" not in browser_of.sent
    verified = browser_of.post("/verify-code", {"otp": "123456"}, (200, VERIFIED))
    assert "a-device-token" not in verified.text
    cookies = re.split(", (?=[a-z]+=)", verified.headers["Set-Cookie"])
    (cookie,) = [each for each in cookies if "a-device-token" in each]
    assert {"httponly", "samesite=strict"} <= set(cookie.lower().split("; "))
    browser_of.requested()
    assert browser_of.sent["deviceToken"] == "a-device-token"
    for path, body in (("/resend-code", {}), ("/verify-code", {"otp": "123456"})):
        browser_of.post(path, body, (503, DOWN))
        assert browser_of.sent["deviceToken"] == "a-device-token"


CHALLENGED = (403, {"errorCode": "CHALLENGE_REQUIRED", "status": 403})


def solved(browser: Browser, path: str = "/request-code", number: str = NUMBER) -> str:
    """The solution of a challenge that this browser gets after a refusal."""
    refused = browser.post(path, {"phoneNumber": number} if path == "/request-code" else {}, CHALLENGED)
    assert (refused.status_code, refused.json()["errorCode"]) == (403, "CHALLENGE_REQUIRED")
    given = browser.cookies.get(f"{browser.example.url}/challenge", timeout=10)
    assert given.headers["Cache-Control"] == "no-store"
    return solution_of(given.json())


def is_challenged(browser: Browser, path: str, body: Any, click: str = "") -> bool:
    """Whether the backend sends `challenged` to the service."""
    browser.post(path, body, CHALLENGED, click=click)
    assert "challenge" not in browser.sent
    return browser.sent.get("challenged", False) is True


def test_a_browsers_own_claim_to_be_challenged_is_not_forwarded(browser_of: Browser) -> None:
    claims: list[dict[str, Any]] = [
        {},
        {"challenged": True},
        {"challenge": "person"},
        {"challenge": "bm8ganNvbg=="},
        {"challenge": base64.b64encode(b'{"challenge": {"parameters": []}}').decode()},
        {"challenge": base64.b64encode(b"[" * 2000).decode()},
    ]
    for claim in claims:
        assert not is_challenged(browser_of, "/request-code", {"phoneNumber": NUMBER, **claim}), claim


def test_a_solution_is_accepted_for_one_code(browser_of: Browser) -> None:
    body = {"phoneNumber": NUMBER, "challenge": solved(browser_of)}
    assert is_challenged(browser_of, "/request-code", body, "one")
    # The page whose answer was lost sends the same click again.
    assert is_challenged(browser_of, "/request-code", body, "one")
    assert not is_challenged(browser_of, "/request-code", body, "two")
    assert not is_challenged(browser_of, "/request-code", body)


def test_a_solution_counts_only_for_its_own_session_number_and_step(browser_of: Browser) -> None:
    solution = solved(browser_of)
    other = Browser(browser_of.example)
    assert not is_challenged(other, "/request-code", {"phoneNumber": NUMBER, "challenge": solution})
    neighbour = {"phoneNumber": "+14155550145", "challenge": solution}
    assert not is_challenged(browser_of, "/request-code", neighbour)
    browser_of.requested()
    assert not is_challenged(browser_of, "/resend-code", {"challenge": solution})
    assert is_challenged(browser_of, "/request-code", {"phoneNumber": NUMBER, "challenge": solution})


def test_a_resend_has_a_challenge_of_its_own(browser_of: Browser) -> None:
    browser_of.requested()
    assert is_challenged(browser_of, "/resend-code", {"challenge": solved(browser_of, "/resend-code")})


@pytest.mark.parametrize(
    ("part", "name", "value"),
    [
        ("parameters", "cost", 1),
        ("parameters", "keyPrefix", ""),
        ("parameters", "expiresAt", 4_102_444_800),
        ("challenge", "signature", "0" * 64),
        ("challenge", "signature", None),
        ("solution", "counter", 1),
        ("solution", "derivedKey", "0" * 64),
    ],
)
def test_a_tampered_solution_is_rejected(browser_of: Browser, part: str, name: str, value: Any) -> None:
    payload = json.loads(base64.b64decode(solved(browser_of)))
    parts = {**payload, "parameters": payload["challenge"]["parameters"]}
    parts[part][name] = value
    tampered = base64.b64encode(json.dumps(payload).encode()).decode()
    body = {"phoneNumber": NUMBER, "challenge": tampered}
    assert not is_challenged(browser_of, "/request-code", body)


def test_a_late_solution_is_rejected(browser_of: Browser) -> None:
    late = browser_of.example.late
    first, second = solved(browser_of), solved(browser_of)
    assert is_challenged(browser_of, "/request-code", {"phoneNumber": NUMBER, "challenge": first})
    late.touch()
    try:
        for each in (first, second):
            assert not is_challenged(browser_of, "/request-code", {"phoneNumber": NUMBER, "challenge": each})
    finally:
        late.unlink()


def test_no_challenge_is_issued_without_a_refusal(browser_of: Browser) -> None:
    for _ in range(2):
        answer = browser_of.cookies.get(f"{browser_of.example.url}/challenge", timeout=10)
        assert (answer.status_code, answer.json()["errorCode"]) == (404, "VERIFICATION_NOT_FOUND")
        solved(browser_of)
        browser_of.requested()


def test_the_widget_is_served_by_the_backend_itself(example: Example) -> None:
    for path in ("external/altcha.min.js", "external/altcha.css", "workers/pbkdf2.js"):
        assert requests.get(f"{example.url}/altcha/{path}", timeout=10).status_code == 200


@pytest.mark.parametrize("code", sorted(CODES))
def test_every_error_code_is_answered_with_a_sentence(browser_of: Browser, code: str) -> None:
    refused = (400, {"errorCode": code, "retryAfter": 7})
    answer = browser_of.post("/request-code", {"phoneNumber": NUMBER}, refused)
    problem = answer.json()
    assert re.fullmatch("[A-Z].*[.]", problem["detail"])
    assert answer.headers["Content-Type"].startswith("application/problem+json")
    if code in FAULTS_OF_THE_BACKEND:
        assert (answer.status_code, problem["errorCode"]) == (503, "SERVICE_UNAVAILABLE")
    else:
        assert (problem["errorCode"], problem["retryAfter"]) == (code, 7)
