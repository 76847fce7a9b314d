"""The sign-up form's backend: the code that a team writes between `<otp-form>` and the service.

Only the backend holds the API key. The verificationId stays in the user's session and is never sent to the
browser, so a code can only be verified in the browser that requested it.
"""

import hashlib
import json
import math
import re
import secrets
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import requests
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from local.sandbox.attack import Attack, documentation_address
from local.sandbox.challenges import Challenges
from local.sandbox.exchanges import Exchanges
from local.sandbox.json_body import json_object
from local.sandbox.memory import Newest

COOKIE = "demo_session"
DEVICE_COOKIE = "demo_device"
DEVICE_SECONDS = 90 * 24 * 3600
"""How long the service accepts a device token."""
PURPOSE = "sign-up"
ATTACKERS = "attack"
"""The page name of the attackers' requests."""
E164 = re.compile(r"\+[1-9][0-9]{7,14}")
TIMEOUT_SECONDS = 30
"""The service answers within 29 seconds, API Gateway's limit."""
REPEAT_SECONDS = 120
"""How long a verification whose answer was lost can be repeated with its `Idempotency-Key`."""

SHOWN = ("channel", "expiresAt", "resendAfter", "sameCode", "purpose", "verifiedAt")
"""Fields of a 200 that the form gets. verificationId and tokens stay in the backend."""

OVER = {
    "OTP_EXPIRED",
    "TOO_MANY_ATTEMPTS",
    "VERIFICATION_CANCELLED",
    "VERIFICATION_NOT_FOUND",
    "ALREADY_VERIFIED",
}
"""Error codes after which the session's verification can no longer succeed."""


@dataclass(frozen=True, slots=True)
class Service:
    """The API's URL and this backend's API key."""

    url: str
    api_key: str = field(repr=False)


def service_in(path: Path | None) -> Service | None:
    """Read the service from a `.local/stack.json`; `None` while the file does not exist."""
    if path is None or not path.exists():
        return None
    stack = json.loads(path.read_text())
    return Service(stack["baseUrl"], stack["apiKey"])


def twilio_url_in(path: Path | None) -> str:
    """The Twilio API's URL from a `.local/stack.json`; empty while the file or the API does not exist."""
    if path is None or not path.exists():
        return ""
    return str(json.loads(path.read_text()).get("twilioApiUrl", ""))


@dataclass(slots=True)
class Pending:
    """A sent code that is still valid: the state from which the form resumes."""

    phone_number: str
    channel: str
    expires_at: str
    resend_at: float
    """Seconds, by the monotonic clock."""

    def as_json(self) -> dict[str, Any]:
        """The answer of `GET /demo/session`."""
        return {
            "step": "code",
            "phoneNumber": self.phone_number,
            "channel": self.channel,
            "expiresAt": self.expires_at,
            "resendAfter": max(0, math.ceil(self.resend_at - time.monotonic())),
        }


@dataclass(slots=True)
class Session:
    """One browser's session. `binding` is the API's sessionId, distinct from the cookie."""

    binding: str = field(default_factory=lambda: secrets.token_urlsafe(24))
    verification_id: str | None = None
    pending: Pending | None = None
    phone_number: str | None = None
    """The verified number, from the service's answer."""
    challenge_for: str | None = None
    """The purpose of the challenge that the service requires."""


@dataclass(slots=True)
class Visit:
    """One request of the form, and its session."""

    session: Session
    presented: str
    """The cookie in the request."""
    cookie: str
    """The session's id from now on."""
    body: dict[str, Any]
    click: str
    """The page's `Idempotency-Key`."""
    client_ip: str | None
    device: str | None
    """The device token of an earlier verification in this browser."""
    page: str
    new_device: str | None = None

    @property
    def key(self) -> str:
        """The `Idempotency-Key` for the service, unique to this session and click."""
        return hashlib.sha256(f"{self.session.binding} {self.click}".encode()).hexdigest()

    def given(self, *names: str) -> dict[str, Any]:
        """The named fields that the form sent."""
        return {name: self.body[name] for name in names if name in self.body}

    @property
    def token(self) -> dict[str, Any]:
        """The device token as a request field; empty without one."""
        return {"deviceToken": self.device} if self.device else {}


@dataclass(frozen=True, slots=True)
class Repeat:
    """A successful verification: its answer, in case it is lost, and its session."""

    cookie: str
    answer: dict[str, Any]
    device: str | None
    until: float


class Demo:
    """The routes that `<otp-form>` calls."""

    def __init__(self, service: Callable[[], Service | None], exchanges: Exchanges, attack: Attack) -> None:
        self._service = service
        self._exchanges = exchanges
        self._attack = attack
        self._challenges = Challenges()
        self._sessions: Newest[str, Session] = Newest()
        self._repeats: Newest[str, Repeat] = Newest()

    def routes(self) -> list[Route]:
        """The routes, all under `/demo`, which is also the cookies' path."""
        steps = {
            "request-code": self._request_code,
            "resend-code": self._resend_code,
            "verify-code": self._verify_code,
            "start-again": self._start_again,
            "attack": self._switch_attack,
        }
        return [
            *(Route(f"/demo/{name}", self._endpoint(step), methods=["POST"]) for name, step in steps.items()),
            Route("/demo/session", self._answer_session),
            Route("/demo/challenge", self._make_challenge),
        ]

    def _endpoint(self, step: Callable[[Visit], Response]) -> Callable[[Request], Awaitable[Response]]:
        async def endpoint(request: Request) -> Response:
            if not _is_from_our_page(request):
                return problem(403, "FORBIDDEN", "This request does not come from the sign-up page.")
            body = json_object(await request.body())
            if body is None:
                return problem(400, "INVALID_REQUEST", "The body must be a JSON object.")
            visit = self._visit(request, body)
            # In a thread, because the service calls this server to send the code.
            response = await run_in_threadpool(step, visit)
            return self._keep(visit, response)

        return endpoint

    def _visit(self, request: Request, body: dict[str, Any]) -> Visit:
        cookie = request.cookies.get(COOKIE, "")
        session = self._sessions.get(cookie)
        if session is None:
            # Unknown cookies get a new id too: session ids are made only here.
            session, session_id = Session(), secrets.token_urlsafe(24)
        else:
            session_id = cookie
        return Visit(
            session=session,
            presented=cookie,
            cookie=session_id,
            body=body,
            click=request.headers.get("idempotency-key") or secrets.token_urlsafe(24),
            client_ip=request.client.host if request.client else None,
            device=request.cookies.get(DEVICE_COOKIE),
            page=request.query_params.get("page", ""),
        )

    def _keep(self, visit: Visit, response: Response) -> Response:
        self._sessions[visit.cookie] = visit.session
        # A real site adds `secure=True` and the prefix `__Host-`.
        response.set_cookie(COOKIE, visit.cookie, httponly=True, samesite="strict", path="/demo")
        if visit.new_device:
            response.set_cookie(
                DEVICE_COOKIE,
                visit.new_device,
                max_age=DEVICE_SECONDS,
                httponly=True,
                samesite="strict",
                path="/demo",
            )
        return response

    async def _answer_session(self, request: Request) -> Response:
        """The user's step, so that a reloaded page resumes there."""
        visit = self._visit(request, {})
        session = visit.session
        state: dict[str, Any] = {"step": "done" if session.phone_number else "number"}
        if session.pending:
            state = session.pending.as_json()
        return self._keep(visit, JSONResponse(state, headers=_NOT_STORED))

    async def _make_challenge(self, request: Request) -> Response:
        """A challenge for the refused request, so that a solution is good for one code."""
        visit = self._visit(request, {})
        purpose = visit.session.challenge_for
        if purpose is None:
            return problem(404, "VERIFICATION_NOT_FOUND", "No request of this session needs a challenge.")
        return self._keep(visit, JSONResponse(self._challenges.make(purpose), headers=_NOT_STORED))

    def _switch_attack(self, visit: Visit) -> Response:
        self._attack.switch(visit.body.get("isOn") is True)
        return JSONResponse(self._attack.as_json(), headers=_NOT_STORED)

    def _strike(self, service: Service, number: str) -> None:
        """Run the attack before the user's request, through this backend."""

        def post(body: dict[str, Any]) -> str:
            click = secrets.token_urlsafe(24)
            to = body["phoneNumber"]
            status, received = self._exchange(service, "/request-otp", body, click, ATTACKERS, to)
            return "ok" if status == 200 else str((received or {}).get("errorCode"))

        self._attack.strike(number, post)

    def _request_code(self, visit: Visit) -> Response:
        session = visit.session
        fields = visit.given("phoneNumber", "channel", "locale")
        client = {"clientIp": visit.client_ip} if visit.client_ip else {}
        service, number = self._service(), str(fields.get("phoneNumber"))
        self._attack.numbers.discard(number)
        if self._attack.is_on and service and E164.fullmatch(number):
            # All requests come from this machine: each session gets an address, and so a limit, of its own.
            client = {"clientIp": documentation_address(hashlib.sha256(session.binding.encode()).hexdigest())}
            if "challenge" not in visit.body:
                self._strike(service, number)
        context = {"purpose": PURPOSE, "sessionId": session.binding, **client}
        answer, response = self._call(visit, "/request-otp", {**fields, **context, **visit.token})
        if answer:
            session.verification_id = answer["verificationId"]
            session.pending = _pending(number, answer)
        return response

    def _resend_code(self, visit: Visit) -> Response:
        session = visit.session
        body = {**_ids(session), **visit.given("channel"), **visit.token}
        answer, response = self._call(visit, "/resend-otp", body)
        if answer and session.pending:
            session.pending = _pending(session.pending.phone_number, answer)
        return response

    def _verify_code(self, visit: Visit) -> Response:
        """Success changes the session's id, so that an id known before (fixation) is not verified."""
        otp = visit.body.get("otp")
        # Only the page that clicked knows the key, so the old cookie alone cannot repeat the answer.
        repeat_key = hashlib.sha256(f"{visit.presented} {visit.click} {otp}".encode()).hexdigest()
        repeat = self._repeats.get(repeat_key)
        verified = self._sessions.pop(repeat.cookie, None) if repeat else None
        if repeat is None or verified is None or time.monotonic() > repeat.until:
            answer, response = self._call(
                visit, "/verify-otp", {**_ids(visit.session), "otp": otp, **visit.token}
            )
            if not answer:
                return response
            verified = Session(phone_number=answer["phoneNumber"])
            until = time.monotonic() + REPEAT_SECONDS
            repeat = Repeat("", _shown(answer), answer.get("deviceToken"), until)
            self._sessions.pop(visit.cookie, None)
        visit.session, visit.cookie, visit.new_device = verified, secrets.token_urlsafe(24), repeat.device
        self._repeats[repeat_key] = replace(repeat, cookie=visit.cookie)
        return JSONResponse(repeat.answer, headers=_NOT_STORED)

    def _start_again(self, visit: Visit) -> Response:
        self._sessions.pop(visit.cookie, None)
        visit.session, visit.cookie = Session(), secrets.token_urlsafe(24)
        return JSONResponse({"step": "number"}, headers=_NOT_STORED)

    def _call(self, visit: Visit, path: str, body: Mapping[str, Any]) -> tuple[dict[str, Any], Response]:
        """Returns the body of a 200, else an empty dict, and the answer for the browser."""
        service = self._service()
        if service is None:
            return {}, problem(503, "SERVICE_UNAVAILABLE", "No service runs beside this page: `make run`.")
        session = visit.session
        purpose = _purpose(session, path, body)
        if self._challenges.take(visit.body.get("challenge"), purpose, visit.key):
            body = {**body, "challenged": True}
        number = body.get("phoneNumber") or (session.pending.phone_number if session.pending else None)
        status, received = self._exchange(service, path, body, visit.key, visit.page, number)
        if status is None or received is None:
            return {}, problem(503, "SERVICE_UNAVAILABLE", "The service does not answer.")
        if status == 200:
            session.challenge_for = None
            return received, JSONResponse(_shown(received), headers=_NOT_STORED)
        if received.get("errorCode") == "CHALLENGE_REQUIRED":
            session.challenge_for = purpose
        if received.get("errorCode") in OVER or received.get("attemptsRemaining") == 0:
            session.pending = None
        # Problem details hold nothing secret and are passed on unchanged.
        return {}, _problem_response(status, received)

    def _exchange(
        self, service: Service, path: str, body: Mapping[str, Any], key: str, page: str, number: str | None
    ) -> tuple[int | None, dict[str, Any] | None]:
        """Returns the service's status and JSON body, each None if missing, and records both for the page."""
        exchange = self._exchanges.begin(path, body, page=page, number=number)
        started = time.monotonic()
        try:
            answer = _post(service, path, body, key)
            status, received = answer.status_code, json_object(answer.content)
        except requests.RequestException:
            status, received = None, None
        self._exchanges.end(exchange, status, received, time.monotonic() - started)
        return status, received


_NOT_STORED = {"Cache-Control": "no-store"}


def problem(status: int, code: str, detail: str) -> Response:
    """An error of this backend as problem details (RFC 9457), like the service's."""
    return _problem_response(status, {"status": status, "errorCode": code, "detail": detail})


def _problem_response(status: int, body: Mapping[str, Any]) -> Response:
    return JSONResponse(body, status, _NOT_STORED, "application/problem+json")


def _shown(answer: Mapping[str, Any]) -> dict[str, Any]:
    return {name: answer[name] for name in SHOWN if name in answer}


def _pending(phone_number: str, answer: Mapping[str, Any]) -> Pending:
    resend_at = time.monotonic() + answer["resendAfter"]
    return Pending(phone_number, answer["channel"], answer["expiresAt"], resend_at)


def _purpose(session: Session, path: str, body: Mapping[str, Any]) -> str:
    """A challenge's purpose: this session's request for this number or verification only."""
    target = body.get("phoneNumber") or body.get("verificationId")
    return hashlib.sha256(f"{session.binding} {path} {target}".encode()).hexdigest()


def _ids(session: Session) -> dict[str, Any]:
    """The ids of this session's verification; an id that matches none if the session has none."""
    return {"verificationId": session.verification_id or "none", "sessionId": session.binding}


def _is_from_our_page(request: Request) -> bool:
    """Whether Origin is this server; another site cannot forge it, or post JSON without CORS preflight.

    Compares with the address that this server listens on, because the caller controls the Host header.
    """
    host, port = request.scope["server"]
    ours = {f"http://{host}:{port}", f"http://localhost:{port}"}
    is_json = request.headers.get("content-type", "").partition(";")[0].strip() == "application/json"
    return is_json and request.headers.get("origin") in ours


def _post(service: Service, path: str, body: Mapping[str, Any], key: str) -> requests.Response:
    with requests.Session() as session:
        # Bypasses a proxy of this machine.
        session.trust_env = False
        return session.post(
            service.url + path,
            json=body,
            headers={"x-api-key": service.api_key, "Idempotency-Key": key},
            timeout=TIMEOUT_SECONDS,
            allow_redirects=False,
        )
