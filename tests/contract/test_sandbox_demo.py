"""The backend of the demo page in front of a stubbed service, and the events that it sends to the page."""

import json
import subprocess
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import requests
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from local.sandbox.app import create_app
from local.sandbox.credentials import credentials
from local.sandbox.demo import COOKIE, DEVICE_COOKIE
from local.sandbox.exchanges import curl
from local.sandbox.server import running_sandbox
from tests.challenges import solution_of
from tests.feed import first_event

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


def path_of(step: str) -> str:
    """`request?page=1` is `request-code?page=1`."""
    name, *query = step.split("?")
    return "?".join([name if name in ("start-again", "attack") else f"{name}-code", *query])


class Service:
    """Stands in for the API: keeps the requests and gives the queued answers."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, dict[str, Any], str]] = []
        self.keys: list[str] = []
        self.answers: list[tuple[int, Any]] = []
        self.before_answer: Callable[[], None] = lambda: None

    async def answer(self, request: Request) -> Response:
        self.calls.append((request.url.path, await request.json(), request.headers["x-api-key"]))
        self.keys.append(request.headers["idempotency-key"])
        await run_in_threadpool(self.before_answer)
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
            f"{self.url}/demo/{path_of(step)}",
            data=json.dumps(body if body is not None else {}),
            headers={"Origin": self.url, "Content-Type": "application/json", **(headers or {})},
            timeout=5,
        )

    def session(self) -> dict[str, Any]:
        """The step of this browser, as the form reads it."""
        answer: dict[str, Any] = self.browser.get(f"{self.url}/demo/session", timeout=5).json()
        return answer

    def shown(self) -> dict[str, Any]:
        """The first event that the page receives."""
        return first_event(self.url)


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


def test_the_browser_sees_neither_the_api_key_nor_the_verification_id(app: App) -> None:
    answer = app.post("request", {"phoneNumber": NUMBER}, answer=(200, REQUESTED))
    assert answer.json() == {"channel": "sms", "expiresAt": "2026-11-22T09:05:00Z", "resendAfter": 30}
    assert "no-store" in answer.headers["Cache-Control"]
    assert [(path, key) for path, _, key in app.service.calls] == [("/request-otp", API_KEY)]
    assert API_KEY not in json.dumps(app.shown())


def test_a_request_carries_the_session_and_the_address_of_the_browser(app: App) -> None:
    body = {
        "phoneNumber": NUMBER,
        "channel": "voice",
        "locale": "en",
        "purpose": "payment",
        "sessionId": "x",
    }
    app.post("request", body, answer=(200, REQUESTED))
    sent = app.service.calls[0][1]
    assert {name: sent[name] for name in ("phoneNumber", "channel", "locale")} == {
        "phoneNumber": NUMBER,
        "channel": "voice",
        "locale": "en",
    }
    assert (sent["purpose"], sent["clientIp"]) == ("sign-up", "127.0.0.1")
    assert sent["sessionId"] not in ("x", app.browser.cookies[COOKIE])
    app.post("verify", {"otp": "123456"}, answer=(400, WRONG))
    assert app.service.calls[1][1] == {
        "verificationId": VERIFICATION_ID,
        "sessionId": sent["sessionId"],
        "otp": "123456",
    }


def test_another_browser_cannot_use_the_verification(app: App) -> None:
    app.post("request", {"phoneNumber": NUMBER}, answer=(200, REQUESTED))
    app.browser = requests.Session()
    app.post("verify", {"otp": "123456"}, answer=(404, {"errorCode": "VERIFICATION_NOT_FOUND"}))
    (_, first, _), (_, second, _) = app.service.calls
    assert second["verificationId"] != VERIFICATION_ID
    assert second["sessionId"] != first["sessionId"]


def test_the_session_cookie_is_http_only_same_site_and_renewed_on_success(app: App) -> None:
    set_cookie = app.post("request", {"phoneNumber": NUMBER}, answer=(200, REQUESTED)).headers["Set-Cookie"]
    assert {"HttpOnly", "SameSite=strict", "Path=/demo"} <= set(set_cookie.split("; "))
    before = app.browser.cookies[COOKIE]
    app.post("verify", {"otp": "123456"}, answer=(400, WRONG))
    assert app.browser.cookies[COOKIE] == before
    assert app.post("verify", {"otp": "123456"}, answer=(200, VERIFIED)).json() == {}
    assert app.browser.cookies[COOKIE] != before


def test_a_browser_can_verify_a_second_time(app: App) -> None:
    for _ in range(2):
        app.post("request", {"phoneNumber": NUMBER}, answer=(200, REQUESTED))
        app.post("verify", {"otp": "123456"}, answer=(200, VERIFIED))
        (_, requested, _), (_, verified, _) = app.service.calls[-2:]
        assert (verified["verificationId"], verified["sessionId"]) == (
            VERIFICATION_ID,
            requested["sessionId"],
        )


def test_a_session_id_that_the_browser_made_up_is_not_used(app: App) -> None:
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
    assert app.service.calls == []


def test_a_problem_is_forwarded_unchanged(app: App) -> None:
    answer = app.post("verify", {"otp": "1"}, answer=(400, WRONG))
    assert (answer.status_code, answer.json()) == (400, WRONG)
    assert answer.headers["Content-Type"] == "application/problem+json"


def test_a_body_that_is_no_object_and_a_missing_service_are_errors(app: App, sandbox: str) -> None:
    assert app.post("request", [NUMBER]).json()["errorCode"] == "INVALID_REQUEST"
    alone = App(sandbox, app.service).post("request", {"phoneNumber": NUMBER})
    assert (alone.status_code, alone.json()["errorCode"]) == (503, "SERVICE_UNAVAILABLE")


def test_each_exchange_is_shown_on_the_page_without_code_or_token(app: App) -> None:
    app.post("request", {"phoneNumber": NUMBER}, answer=(200, REQUESTED))
    app.post("verify", {"otp": "123456"}, answer=(200, VERIFIED))
    verify, request = app.shown()["exchanges"]
    assert (request["method"], request["path"], request["status"]) == ("POST", "/request-otp", 200)
    assert verify["request"]["otp"] == "$OTP"
    assert verify["response"]["verificationToken"] == "$TOKEN"
    assert "123456" not in json.dumps(verify)


def test_the_command_sends_the_same_body_with_the_key_and_the_code_from_the_shell() -> None:
    body = {"otp": "123456", "locale": "it's"}
    command = curl("/verify-otp", body)
    # A function named curl prints its arguments.
    script = f"curl() {{ printf '%s\\n' \"$@\"; }}; API=http://127.0.0.1:1/v1 KEY=k OTP=654321; {command}"
    printed = subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=True)  # noqa: S603, S607 - people paste it into a shell
    arguments = printed.stdout.splitlines()
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


def test_the_session_says_that_a_code_was_sent_until_it_is_verified(app: App) -> None:
    assert app.session() == {"step": "number"}
    app.post("request", {"phoneNumber": NUMBER}, answer=(200, REQUESTED))
    waiting = app.session()
    assert 29 <= waiting.pop("resendAfter") <= 30
    assert waiting == {
        "step": "code",
        "phoneNumber": NUMBER,
        "channel": "sms",
        "expiresAt": REQUESTED["expiresAt"],
    }
    app.post("verify", {"otp": "123456"}, answer=(400, WRONG))
    again = {**REQUESTED, "channel": "voice", "resendAfter": 60, "sameCode": False}
    assert app.post("resend", {"channel": "voice"}, answer=(200, again)).json()["sameCode"] is False
    assert (app.session()["channel"], app.session()["phoneNumber"]) == ("voice", NUMBER)
    app.post("verify", {"otp": "123456"}, answer=(200, VERIFIED))
    assert app.session() == {"step": "done"}
    app.post("start-again")
    assert app.session() == {"step": "number"}


@pytest.mark.parametrize(
    "refusal",
    [
        (400, {**WRONG, "attemptsRemaining": 0}),
        (429, {"errorCode": "TOO_MANY_ATTEMPTS"}),
        (410, {"errorCode": "OTP_EXPIRED"}),
        (404, {"errorCode": "VERIFICATION_NOT_FOUND"}),
    ],
)
def test_the_session_stops_waiting_for_a_code_that_is_over(
    app: App, refusal: tuple[int, dict[str, Any]]
) -> None:
    app.post("request", {"phoneNumber": NUMBER}, answer=(200, REQUESTED))
    app.post("verify", {"otp": "123456"}, answer=refusal)
    assert app.session() == {"step": "number"}


def test_a_refused_request_leaves_the_code_that_was_sent_before(app: App) -> None:
    app.post("request", {"phoneNumber": NUMBER}, answer=(200, REQUESTED))
    app.post("request", {"phoneNumber": "+14155550145"}, answer=(429, {"errorCode": "RATE_LIMITED"}))
    assert app.session()["phoneNumber"] == NUMBER
    app.post("verify", {"otp": "123456"}, answer=(200, VERIFIED))
    assert app.service.calls[-1][1]["verificationId"] == VERIFICATION_ID


def test_a_click_has_one_idempotency_key_that_no_other_browser_has(app: App) -> None:
    click = {"Idempotency-Key": "one-click"}
    app.session()
    for step, answer in (
        ("request", (200, REQUESTED)),
        ("resend", (200, REQUESTED)),
        ("verify", (400, WRONG)),
    ):
        for _ in range(2):
            app.post(step, {"phoneNumber": NUMBER, "otp": "123456"}, answer=answer, headers=click)
    assert len(set(app.service.keys)) == 1
    app.browser = requests.Session()
    app.post("request", {"phoneNumber": NUMBER}, answer=(200, REQUESTED), headers=click)
    app.post("request", {"phoneNumber": NUMBER}, answer=(200, REQUESTED))
    assert len(set(app.service.keys)) == 3


def test_a_right_code_is_accepted_again_when_its_answer_was_lost(app: App) -> None:
    app.post("request", {"phoneNumber": NUMBER}, answer=(200, REQUESTED))
    click = {"Idempotency-Key": "one-click"}
    before = app.browser.cookies.copy()
    for _ in range(2):
        # Without the answer the browser has no new cookie either.
        app.browser.cookies.update(before)
        answer = [] if app.service.calls[-1][0] == "/verify-otp" else [(200, VERIFIED)]
        app.service.answers.extend(answer)
        assert app.post("verify", {"otp": "123456"}, headers=click).status_code == 200
        assert app.session() == {"step": "done"}
    assert [path for path, _, _ in app.service.calls] == ["/request-otp", "/verify-otp"]
    for other in ({"Idempotency-Key": "another"}, {}):
        app.browser = requests.Session()
        app.browser.cookies.update(before)
        refused = app.post(
            "verify", {"otp": "123456"}, answer=(404, {"errorCode": "VERIFICATION_NOT_FOUND"}), headers=other
        )
        assert refused.status_code == 404
    app.browser.cookies.update(before)
    app.post("verify", {"otp": "654321"}, answer=(404, {"errorCode": "X"}), headers=click)
    assert app.session()["step"] != "done"


def test_a_device_token_is_kept_in_a_cookie_and_sent_with_each_request(app: App) -> None:
    app.post("request", {"phoneNumber": NUMBER}, answer=(200, REQUESTED))
    assert "deviceToken" not in app.service.calls[-1][1]
    verified = app.post("verify", {"otp": "123456"}, answer=(200, {**VERIFIED, "deviceToken": "a-token"}))
    assert "a-token" not in verified.text
    (cookie,) = [each for each in verified.headers["Set-Cookie"].split(", ") if DEVICE_COOKIE in each]
    assert {"HttpOnly", "SameSite=strict", "Path=/demo"} <= set(cookie.split("; "))
    for step, answer in (
        ("request", (200, REQUESTED)),
        ("resend", (200, REQUESTED)),
        ("verify", (400, WRONG)),
    ):
        app.post(step, {"phoneNumber": NUMBER, "otp": "123456"}, answer=answer)
        assert app.service.calls[-1][1]["deviceToken"] == "a-token"
    assert "a-token" not in json.dumps(app.shown())


CHALLENGED = (403, {"errorCode": "CHALLENGE_REQUIRED", "status": 403})


def challenge(app: App) -> Any:
    """The answer to the widget."""
    return app.browser.get(f"{app.url}/demo/challenge", timeout=5)


def test_the_pages_own_claim_to_be_challenged_is_not_forwarded(app: App) -> None:
    for claim in ({}, {"challenge": "person"}, {"challenge": 1}, {"challenged": True}):
        answer = app.post("request", {"phoneNumber": NUMBER, **claim}, answer=CHALLENGED)
        assert answer.json()["errorCode"] == "CHALLENGE_REQUIRED"
        assert not {"challenge", "challenged"} & app.service.calls[-1][1].keys()


def test_a_solved_challenge_counts_only_for_the_refused_request(app: App) -> None:
    assert challenge(app).status_code == 404
    app.post("request", {"phoneNumber": NUMBER}, answer=CHALLENGED)
    solution = solution_of(challenge(app).json())
    app.post("request", {"phoneNumber": "+14155550145", "challenge": solution}, answer=CHALLENGED)
    assert "challenged" not in app.service.calls[-1][1]
    click = {"Idempotency-Key": "one"}
    for _ in range(2):
        body = {"phoneNumber": NUMBER, "challenge": solution}
        app.post("request", body, answer=(200, REQUESTED), headers=click)
        assert app.service.calls[-1][1]["challenged"] is True
    app.post("request", {"phoneNumber": NUMBER, "challenge": solution}, answer=CHALLENGED)
    assert "challenged" not in app.service.calls[-1][1]
    app.post("resend", answer=CHALLENGED)
    app.post("resend", {"challenge": solution_of(challenge(app).json())}, answer=(200, REQUESTED))
    assert app.service.calls[-1][1]["challenged"] is True
    assert challenge(app).status_code == 404
    assert solution not in json.dumps(app.shown())


def test_an_attack_requests_codes_for_strangers_before_the_user(app: App) -> None:
    refused = app.post("attack", {"isOn": True}, headers={"Origin": "https://evil.example"})
    assert refused.status_code == 403
    app.post("attack", {"isOn": True})
    app.service.answers = [(200, REQUESTED), (503, {"errorCode": "PROVIDER_UNAVAILABLE"}), CHALLENGED]
    app.post("request", {"phoneNumber": NUMBER}, answer=CHALLENGED)
    bodies = [body for _, body, _ in app.service.calls]
    numbers, clients = ({body[name] for body in bodies} for name in ("phoneNumber", "clientIp"))
    assert (len(bodies), len(numbers), len(clients)) == (4, 4, 4)
    assert bodies[-1]["phoneNumber"] == NUMBER
    assert all(number.startswith(NUMBER[:-2]) for number in numbers)
    shown = app.shown()
    assert shown["attack"] == {"isOn": True, "requested": 3, "sent": 1, "isChallenged": True}
    assert [exchange["page"] for exchange in shown["exchanges"]] == ["", *["attack"] * 3]
    # The user's next request, with a solution, comes alone and from the same network.
    app.post("request", {"phoneNumber": NUMBER, "challenge": "x"}, answer=(200, REQUESTED))
    assert len(app.service.calls) == 5
    assert app.service.calls[-1][1]["clientIp"] == bodies[-1]["clientIp"]
    app.post("attack", {"isOn": False})
    app.post("request", {"phoneNumber": NUMBER}, answer=(200, REQUESTED))
    assert len(app.service.calls) == 6


def test_an_invalid_number_starts_no_attack(app: App) -> None:
    app.post("attack", {"isOn": True})
    for body in ({}, {"phoneNumber": 1}, {"phoneNumber": "+1"}, {"phoneNumber": ["+14155550123"]}):
        app.post("request", body, answer=(400, {"errorCode": "INVALID_PHONE_NUMBER", "status": 400}))
    assert len(app.service.calls) == 4


def test_an_attackers_messages_do_not_arrive_on_the_users_phone(app: App) -> None:
    account = credentials(app.url)["infobip"]
    body = {"applicationId": account["applicationId"], "messageId": account["messageId"]}
    headers = {"Authorization": f"App {account['apiKey']}"}

    def deliver() -> None:
        to = {"to": app.service.calls[-1][1]["phoneNumber"][1:]}
        requests.post(f"{account['baseUrl']}/2fa/2/pin", json=body | to, headers=headers, timeout=5)

    app.service.before_answer = deliver
    app.post("attack", {"isOn": True})
    app.service.answers = [(200, REQUESTED), (200, REQUESTED), CHALLENGED]
    app.post("request", {"phoneNumber": NUMBER}, answer=(200, REQUESTED))
    assert [message["to"] for message in app.shown()["messages"]] == [NUMBER]
    # The user may later enter a number that the attack had used.
    stranger = app.service.calls[0][1]["phoneNumber"]
    app.post("attack", {"isOn": False})
    app.post("request", {"phoneNumber": stranger}, answer=(200, REQUESTED))
    assert {message["to"] for message in app.shown()["messages"]} == {NUMBER, stranger}


def test_a_provider_call_is_shown_under_the_request_that_caused_it(app: App) -> None:
    def send(to: str) -> None:
        account = credentials(app.url)["infobip"]
        body = {"applicationId": account["applicationId"], "messageId": account["messageId"], "to": to}
        headers = {"Authorization": f"App {account['apiKey']}"}
        requests.post(f"{account['baseUrl']}/2fa/2/pin", json=body, headers=headers, timeout=5)

    def meanwhile() -> None:
        requests.post(
            f"{app.url}/faults",
            json={"provider": "infobip", "operation": "send", "fault": "500", "times": 1},
            timeout=5,
        )
        send(NUMBER[1:])
        send(NUMBER[1:])
        send("14155550199")

    app.service.before_answer = meanwhile
    app.post("request?page=this-tab", {"phoneNumber": NUMBER}, answer=(200, REQUESTED))
    app.service.before_answer = lambda: None
    send(NUMBER[1:])
    shown = app.shown()
    (exchange,) = shown["exchanges"]
    assert [(call["provider"], call["status"]) for call in exchange["calls"]] == [
        ("infobip", 500),
        ("infobip", 200),
    ]
    assert [call["to"] for call in shown["calls"]] == [NUMBER, "+14155550199"]
