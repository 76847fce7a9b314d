"""The sign-up form's backend: what a team writes between `<otp-form>` and the service.

It alone holds the API key. The verification is kept in the user's session and never named to the browser,
so a code can be asked for and typed in one browser only.
"""

import json
import secrets
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import requests
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from local.sandbox.exchanges import Exchanges
from local.sandbox.json_body import json_object
from local.sandbox.memory import Newest

COOKIE = "demo_session"
PURPOSE = "sign-up"
TIMEOUT_SECONDS = 30
"""The service answers within 29 seconds, API Gateway's limit."""

TOLD = ("channel", "expiresAt", "resendAfter", "purpose", "verifiedAt")
"""What the form needs of a 200. Not the verificationId, which stays here."""


@dataclass(frozen=True, slots=True)
class Service:
    """Where the API is, and this backend's key to it."""

    url: str
    api_key: str = field(repr=False)


def service_in(path: Path | None) -> Service | None:
    """What a file of the local stack's form says; `None` while there is none."""
    if path is None or not path.exists():
        return None
    stack = json.loads(path.read_text())
    return Service(stack["baseUrl"], stack["apiKey"])


def twilio_url_in(path: Path | None) -> str:
    """As `service_in`: where the API for Twilio's clients is, empty while there is none."""
    if path is None or not path.exists():
        return ""
    return str(json.loads(path.read_text()).get("twilioApiUrl", ""))


@dataclass(slots=True)
class Session:
    """One browser's. `binding` is the API's sessionId: bound to the cookie, and not the cookie itself."""

    binding: str = field(default_factory=lambda: secrets.token_urlsafe(24))
    verification_id: str | None = None
    phone_number: str | None = None
    """Verified, by the service's word and not by the browser's."""


class Demo:
    """The three routes that `<otp-form>` posts to."""

    def __init__(self, service: Callable[[], Service | None], exchanges: Exchanges) -> None:
        self._service = service
        self._exchanges = exchanges
        self._sessions: Newest[str, Session] = Newest()

    def routes(self) -> list[Route]:
        """Under `/demo`, which is also how far the cookie goes."""
        steps = {"request": self._request_code, "resend": self._resend_code, "verify": self._verify_code}
        return [
            Route(f"/demo/{name}-code", self._endpoint(step), methods=["POST"])
            for name, step in steps.items()
        ]

    def _endpoint(
        self, step: Callable[[Request, Session, dict[str, Any]], Response]
    ) -> Callable[[Request], Awaitable[Response]]:
        async def endpoint(request: Request) -> Response:
            if not _is_from_our_page(request):
                return problem(403, "FORBIDDEN", "This request does not come from the sign-up page.")
            body = json_object(await request.body())
            if body is None:
                return problem(400, "INVALID_REQUEST", "The body must be a JSON object.")
            cookie = request.cookies.get(COOKIE, "")
            session = self._sessions.get(cookie)
            if session is None:
                # Also where the browser brought a name of its own: only names from here are sessions.
                cookie, session = secrets.token_urlsafe(24), Session()
            # In a thread: on its way to the phone the service calls this very server.
            response = await run_in_threadpool(step, request, session, body)
            if response.status_code == 200 and step == self._verify_code:
                # Whoever knew the session's name before must not hold a verified one.
                self._sessions.pop(cookie, None)
                cookie, session = secrets.token_urlsafe(24), Session(phone_number=session.phone_number)
            self._sessions[cookie] = session
            # On a real site also `secure=True`, and the prefix `__Host-`.
            response.set_cookie(COOKIE, cookie, httponly=True, samesite="strict", path="/demo")
            return response

        return endpoint

    def _request_code(self, request: Request, session: Session, body: dict[str, Any]) -> Response:
        wanted = {name: body[name] for name in ("phoneNumber", "channel", "locale") if name in body}
        client = {"clientIp": request.client.host} if request.client else {}
        asked = {**wanted, "purpose": PURPOSE, "sessionId": session.binding, **client}
        answer, response = self._call("/request-otp", asked)
        session.verification_id = answer.get("verificationId", session.verification_id)
        return response

    def _resend_code(self, _request: Request, session: Session, body: dict[str, Any]) -> Response:
        wanted = {name: body[name] for name in ("channel",) if name in body}
        return self._call("/resend-otp", {**_held(session), **wanted})[1]

    def _verify_code(self, _request: Request, session: Session, body: dict[str, Any]) -> Response:
        answer, response = self._call("/verify-otp", {**_held(session), "otp": body.get("otp")})
        session.phone_number = answer.get("phoneNumber")
        return response

    def _call(self, path: str, body: Mapping[str, Any]) -> tuple[dict[str, Any], Response]:
        """The body of a 200, else none, and what the browser is told."""
        service = self._service()
        if service is None:
            return {}, problem(503, "SERVICE_UNAVAILABLE", "No service runs beside this page: `make run`.")
        started = time.monotonic()
        try:
            answer = _post(service, path, body)
            told = answer.json()
        except (requests.RequestException, ValueError):
            self._exchanges.record(service.url, path, body, None, None, time.monotonic() - started)
            return {}, problem(503, "SERVICE_UNAVAILABLE", "The service does not answer.")
        seconds = time.monotonic() - started
        self._exchanges.record(service.url, path, body, answer.status_code, told, seconds)
        if answer.status_code != 200:
            # Problem details are written for the user's app: passed on as they are.
            return {}, _problem_response(answer.status_code, told)
        return told, JSONResponse({name: told[name] for name in TOLD if name in told}, headers=_NOT_STORED)


_NOT_STORED = {"Cache-Control": "no-store"}


def problem(status: int, code: str, detail: str) -> Response:
    """A problem of this backend's own, in the form that the service's have (RFC 9457)."""
    return _problem_response(status, {"status": status, "errorCode": code, "detail": detail})


def _problem_response(status: int, body: Mapping[str, Any]) -> Response:
    return JSONResponse(body, status, _NOT_STORED, "application/problem+json")


def _held(session: Session) -> dict[str, Any]:
    """What names this session's verification; one that nobody was given where there is none."""
    return {"verificationId": session.verification_id or "none", "sessionId": session.binding}


def _is_from_our_page(request: Request) -> bool:
    """The browser says where a POST comes from; no other site can change that, or send JSON unasked.

    The address that this server listens on is what counts: the Host header is the caller's own word.
    """
    host, port = request.scope["server"]
    ours = {f"http://{host}:{port}", f"http://localhost:{port}"}
    is_json = request.headers.get("content-type", "").partition(";")[0].strip() == "application/json"
    return is_json and request.headers.get("origin") in ours


def _post(service: Service, path: str, body: Mapping[str, Any]) -> requests.Response:
    with requests.Session() as session:
        # Whatever proxy this machine uses, it is not the way to the local stack.
        session.trust_env = False
        return session.post(
            service.url + path,
            json=body,
            headers={"x-api-key": service.api_key},
            timeout=TIMEOUT_SECONDS,
            allow_redirects=False,
        )
