"""The page's backend, before a service that answers what each test needs; and what it tells the page."""

import json
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import requests
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from local.sandbox.app import create_app
from local.sandbox.demo import COOKIE
from local.sandbox.exchanges import curl
from local.sandbox.server import running_sandbox

API_KEY = "the-key-that-stays-in-the-backend"
NUMBER = "+14155550123"
VERIFICATION_ID = "an-id-that-stays-in-the-backend"
REQUESTED = {
    "success": True,
    "verificationId": VERIFICATION_ID,
    "channel": "sms",
    "expiresAt": "2026-11-22T09:05:00Z",
    "resendAfter": 30,
}
VERIFIED = {
    "success": True,
    "verificationId": VERIFICATION_ID,
    "phoneNumber": NUMBER,
    "verificationToken": "jwt",
}
WRONG = {"success": False, "errorCode": "OTP_INCORRECT", "status": 400, "attemptsRemaining": 4}


class Service:
    """Stands in for the API: keeps what it was asked and gives the answers that it was told to."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, dict[str, Any], str]] = []
        self.answers: list[tuple[int, Any]] = []

    async def answer(self, request: Request) -> Response:
        self.asked.append((request.url.path, await request.json(), request.headers["x-api-key"]))
        status, body = self.answers.pop(0)
        return JSONResponse(body, status)


class App:
    """A browser on the page."""

    def __init__(self, url: str, service: Service) -> None:
        self.url = url
        self.service = service
        self.browser = requests.Session()

    def post(
        self,
        step: str,
        body: Any = None,
        *,
        answer: tuple[int, Any] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Any:
        if answer is not None:
            self.service.answers.append(answer)
        return self.browser.post(
            f"{self.url}/demo/{step}-code",
            data=json.dumps(body if body is not None else {}),
            headers={"Origin": self.url, "Content-Type": "application/json", **(headers or {})},
            timeout=5,
        )

    def told(self) -> dict[str, Any]:
        """What the page is told first."""
        with requests.get(f"{self.url}/demo/events", stream=True, timeout=5) as events:
            line = next(line for line in events.iter_lines() if line)
        told: dict[str, Any] = json.loads(line.removeprefix(b"data: "))
        return told


@pytest.fixture
def app(tmp_path: Path) -> Iterator[App]:
    service = Service()
    stand_in = Starlette(routes=[Route("/{path:path}", service.answer, methods=["POST"])])
    stack_file = tmp_path / "stack.json"
    with (
        running_sandbox(app=stand_in) as api,
        running_sandbox(app=create_app(stack_file=stack_file)) as url,
    ):
        stack_file.write_text(json.dumps({"baseUrl": api, "apiKey": API_KEY}))
        yield App(url, service)


def test_the_browser_learns_neither_the_key_nor_the_verification(app: App) -> None:
    answer = app.post("request", {"phoneNumber": NUMBER}, answer=(200, REQUESTED))
    assert answer.json() == {"channel": "sms", "expiresAt": "2026-11-22T09:05:00Z", "resendAfter": 30}
    assert "no-store" in answer.headers["Cache-Control"]
    assert [(path, key) for path, _, key in app.service.asked] == [("/request-otp", API_KEY)]
    assert API_KEY not in json.dumps(app.told())


def test_what_is_asked_for_is_bound_to_the_browser_and_says_where_it_is(app: App) -> None:
    wanted = {
        "phoneNumber": NUMBER,
        "channel": "voice",
        "locale": "en",
        "purpose": "payment",
        "sessionId": "x",
    }
    app.post("request", wanted, answer=(200, REQUESTED))
    asked = app.service.asked[0][1]
    assert {name: asked[name] for name in ("phoneNumber", "channel", "locale")} == {
        "phoneNumber": NUMBER,
        "channel": "voice",
        "locale": "en",
    }
    assert (asked["purpose"], asked["clientIp"]) == ("sign-up", "127.0.0.1")
    assert asked["sessionId"] not in ("x", app.browser.cookies[COOKIE])
    app.post("verify", {"otp": "123456"}, answer=(400, WRONG))
    assert app.service.asked[1][1] == {
        "verificationId": VERIFICATION_ID,
        "sessionId": asked["sessionId"],
        "otp": "123456",
    }


def test_another_browser_has_no_part_in_it(app: App) -> None:
    app.post("request", {"phoneNumber": NUMBER}, answer=(200, REQUESTED))
    app.browser = requests.Session()
    app.post("verify", {"otp": "123456"}, answer=(404, {"errorCode": "VERIFICATION_NOT_FOUND"}))
    (_, first, _), (_, second, _) = app.service.asked
    assert second["verificationId"] != VERIFICATION_ID
    assert second["sessionId"] != first["sessionId"]


def test_the_session_is_out_of_reach_of_scripts_and_other_sites_and_changes_with_success(app: App) -> None:
    set_cookie = app.post("request", {"phoneNumber": NUMBER}, answer=(200, REQUESTED)).headers["Set-Cookie"]
    assert {"HttpOnly", "SameSite=strict", "Path=/demo"} <= set(set_cookie.split("; "))
    before = app.browser.cookies[COOKIE]
    app.post("verify", {"otp": "123456"}, answer=(400, WRONG))
    assert app.browser.cookies[COOKIE] == before
    assert app.post("verify", {"otp": "123456"}, answer=(200, VERIFIED)).json() == {}
    assert app.browser.cookies[COOKIE] != before


def test_who_is_verified_can_verify_another_number(app: App) -> None:
    for _ in range(2):
        app.post("request", {"phoneNumber": NUMBER}, answer=(200, REQUESTED))
        app.post("verify", {"otp": "123456"}, answer=(200, VERIFIED))
        (_, asked, _), (_, verified, _) = app.service.asked[-2:]
        assert (verified["verificationId"], verified["sessionId"]) == (VERIFICATION_ID, asked["sessionId"])


def test_a_session_that_the_browser_made_up_is_not_taken(app: App) -> None:
    app.browser.cookies.set(COOKIE, "chosen-by-somebody-else", path="/demo")
    answer = app.post("request", {"phoneNumber": NUMBER}, answer=(200, REQUESTED))
    assert "chosen-by-somebody-else" not in answer.headers["Set-Cookie"]


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://evil.example:80", "Host": "evil.example:80"},
        {"Content-Type": "text/plain"},
    ],
)
def test_a_request_that_another_site_could_make_is_refused(app: App, headers: dict[str, str]) -> None:
    answer = app.post("request", {"phoneNumber": NUMBER}, headers=headers)
    assert (answer.status_code, answer.json()["errorCode"]) == (403, "FORBIDDEN")
    assert app.service.asked == []


def test_a_problem_is_passed_on_as_it_is(app: App) -> None:
    answer = app.post("verify", {"otp": "1"}, answer=(400, WRONG))
    assert (answer.status_code, answer.json()) == (400, WRONG)
    assert answer.headers["Content-Type"] == "application/problem+json"


def test_what_is_no_object_is_refused_and_what_is_no_service_told(app: App, sandbox: str) -> None:
    assert app.post("request", [NUMBER]).json()["errorCode"] == "INVALID_REQUEST"
    alone = App(sandbox, app.service).post("request", {"phoneNumber": NUMBER})
    assert (alone.status_code, alone.json()["errorCode"]) == (503, "SERVICE_UNAVAILABLE")


def test_each_exchange_is_told_to_the_page_without_code_or_token(app: App) -> None:
    app.post("request", {"phoneNumber": NUMBER}, answer=(200, REQUESTED))
    app.post("verify", {"otp": "123456"}, answer=(200, VERIFIED))
    verify, request = app.told()["exchanges"]
    assert (request["method"], request["path"], request["status"]) == ("POST", "/request-otp", 200)
    assert verify["request"]["otp"] == "$OTP"
    assert verify["response"]["verificationToken"] == "$TOKEN"
    assert "123456" not in json.dumps(verify)


def test_the_command_sends_the_same_body_with_the_key_and_the_code_from_the_shell() -> None:
    body = {"otp": "123456", "locale": "it's"}
    command = curl("http://127.0.0.1:1/v1", "/verify-otp", body)
    # A function in the place of curl prints its arguments.
    script = f"curl() {{ printf '%s\\n' \"$@\"; }}; API_KEY=k OTP=654321; {command}"
    told = subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=True)  # noqa: S603, S607 - a shell is what people paste it into
    arguments = told.stdout.splitlines()
    assert arguments[:2] == ["-sS", "http://127.0.0.1:1/v1/verify-otp"]
    assert "x-api-key: k" in arguments
    assert json.loads(arguments[-1]) == {"otp": "654321", "locale": "it's"}


def test_the_page_and_its_files_come_under_a_strict_policy(sandbox: str) -> None:
    for path in ("/", "/page/page.js", "/page/page.css", "/otp-form/otp-form.js"):
        answer = requests.get(f"{sandbox}{path}", timeout=5)
        assert answer.status_code == 200, path
        policy = answer.headers["Content-Security-Policy"]
        assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self';")
        assert "unsafe" not in policy
    assert requests.get(f"{sandbox}/page/%2e%2e/demo.py", timeout=5).status_code == 404
