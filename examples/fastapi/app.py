"""Sign-up with a verified phone: what stands between a browser and the phone-verification service.

The API key, the verificationId and the word on who is verified stay here. The browser holds a cookie
that it cannot read, so a code can be asked for and typed in one browser only.
"""

import hashlib
import logging
import os
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

import httpx
from fastapi import Depends, FastAPI, Header, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel

LOG = logging.getLogger(__name__)
COOKIE = "session"
SECURE = os.environ.get("INSECURE_COOKIE") != "true"
"""Off only where there is no TLS, on the machine of a developer."""

UNAVAILABLE = "This does not work just now. Please try again in a minute."
WORDS = {
    "INVALID_PHONE_NUMBER": "Please check the number. It begins with + and the country's code.",
    "DESTINATION_NOT_ALLOWED": "We cannot send codes to this number. Please use another one.",
    "PROVIDER_REJECTED": "This number cannot receive our codes. Please use another one.",
    "INVALID_OTP_FORMAT": "The code has only digits. Please type it as it is in the message.",
    "OTP_INCORRECT": "This code is not right.",
    "OTP_EXPIRED": "This code is too old. Please ask for a new one.",
    "ALREADY_VERIFIED": "This code was used already. Please ask for a new one.",
    "VERIFICATION_CANCELLED": "This code cannot be used any more. Please ask for a new one.",
    "VERIFICATION_NOT_FOUND": "Please ask for a code first.",
    "TOO_MANY_ATTEMPTS": "That was too often. Please ask for a new code.",
    "RATE_LIMITED": "Please wait a little before you ask for another code.",
    "NUMBER_LOCKED": "That was too often. Please wait a little before you try again.",
    "REQUEST_IN_PROGRESS": "Your code is being sent.",
    "PROVIDER_UNAVAILABLE": UNAVAILABLE,
    "PHONE_NOT_VERIFIED": "Please verify your phone first.",
    "INVALID_REQUEST": "Please fill in the form.",
    "CROSS_SITE": "Please use the form on our own page.",
}
"""What users are told, by errorCode. Whatever is not here is a fault of ours, and told as one."""

SHOWN = ("channel", "expiresAt", "resendAfter")
"""What the page needs of an answer. Not the verificationId."""


class CodeWanted(BaseModel):
    """A click on "send me a code"."""

    phoneNumber: str  # noqa: N815 - a name of the page's JSON
    channel: Literal["sms", "voice"] = "sms"
    locale: str | None = None


class CodeWantedAgain(BaseModel):
    """A click on "send it again", or "call me instead"."""

    channel: Literal["sms", "voice"] | None = None


class CodeTyped(BaseModel):
    """A click on "verify"."""

    otp: str


class Account(BaseModel):
    """A click on "sign up"."""

    name: str


@dataclass
class Session:
    """One browser's."""

    binding: str = field(default_factory=lambda: secrets.token_urlsafe(24))
    """The API's sessionId: bound to the cookie, and not the cookie itself."""
    verification_id: str | None = None
    phone: str | None = None
    """Verified, by the service's word and not by the browser's."""


class Refused(Exception):
    """What the user is told instead of a success."""

    def __init__(self, status: int, code: str, **more: int) -> None:
        super().__init__(code)
        self.status = status
        self.body = {"errorCode": code, "detail": WORDS.get(code, UNAVAILABLE), **more}


# In memory they end with the process; in earnest, keep them where your other sessions are, with an end.
SESSIONS: dict[str, Session] = {}
USERS: list[dict[str, str]] = []


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    """One pool of connections to the service, which answers within 29 seconds."""
    key = {"x-api-key": os.environ["OTP_API_KEY"]}
    async with httpx.AsyncClient(
        base_url=os.environ["OTP_API_URL"], headers=key, timeout=30, trust_env=False
    ) as service:
        app.state.service = service
        yield


def require_own_page(site: Annotated[str, Header(alias="Sec-Fetch-Site")] = "none") -> None:
    """Browsers say which site a request comes from, and no page can change that."""
    if site not in ("same-origin", "none"):
        raise Refused(403, "CROSS_SITE")


app = FastAPI(
    lifespan=lifespan,
    dependencies=[Depends(require_own_page)],
    docs_url=None,
    redoc_url=None,
    openapi_url=None,
)


@app.exception_handler(Refused)
async def emit(_: Request, refused: Refused) -> JSONResponse:
    """As problem details (RFC 9457)."""
    body = refused.body | {"status": refused.status}
    return JSONResponse(body, refused.status, media_type="application/problem+json")


@app.exception_handler(RequestValidationError)
async def tell_malformed(request: Request, _: RequestValidationError) -> JSONResponse:
    """FastAPI's own answer would repeat what was sent."""
    return await emit(request, Refused(400, "INVALID_REQUEST"))


@app.middleware("http")
async def keep(request: Request, answer: Callable[[Request], Awaitable[Response]]) -> Response:
    """A new session's name, in a cookie that scripts cannot read and other sites cannot send.

    With a refusal too: a click that failed and is sent again is then the same session's.
    """
    response = await answer(request)
    if name := getattr(request.state, "begun", None):
        response.set_cookie(COOKIE, name, httponly=True, samesite="strict", secure=SECURE)
    return response


def session_of(request: Request) -> Session:
    """The browser's own, or a new one: a name that the browser made up is none."""
    return SESSIONS.get(request.cookies.get(COOKIE, "")) or begin(request, Session())


def begin(request: Request, session: Session) -> Session:
    """Under a new name, which the answer to this request tells the browser."""
    request.state.begun = secrets.token_urlsafe(24)
    SESSIONS[request.state.begun] = session
    return session


Own = Annotated[Session, Depends(session_of)]


async def ask(request: Request, path: str, body: dict[str, Any], **headers: str) -> dict[str, Any]:
    """The service's 200. Anything else is not success, and raises `Refused`."""
    status, told = 0, None
    with suppress(httpx.HTTPError, ValueError):
        answer = await request.app.state.service.post(path, json=body, headers=headers)
        status, told = answer.status_code, answer.json()
    told = told if isinstance(told, dict) else {}
    if status == 200 and told:
        return told
    code = told.get("errorCode", "")
    if code not in WORDS:
        # Ours to mend, such as a wrong API key. Nothing of the body, which has the number or the code.
        LOG.error("%s: %s %s", path, status or "no answer", code)
        raise Refused(503, "SERVICE_UNAVAILABLE")
    more = {name: told[name] for name in ("retryAfter", "attemptsRemaining") if name in told}
    raise Refused(status, code, **more)


@app.post("/request-code")
async def request_code(
    wanted: CodeWanted,
    request: Request,
    session: Own,
    click: Annotated[str | None, Header(alias="Idempotency-Key", max_length=100)] = None,
) -> dict[str, Any]:
    """The page makes up a key for each click, so that a repetition of its request sends no second code."""
    key = hashlib.sha256(f"{session.binding} {click or secrets.token_urlsafe()}".encode()).hexdigest()
    # uvicorn believes a proxy on this machine about the user's address; --forwarded-allow-ips names another.
    client = {"clientIp": request.client.host} if request.client else {}
    asked = (
        wanted.model_dump(exclude_none=True) | {"purpose": "sign-up", "sessionId": session.binding} | client
    )
    answer = await ask(request, "/request-otp", asked, **{"Idempotency-Key": key})
    session.verification_id = answer["verificationId"]
    return {name: answer[name] for name in SHOWN}


@app.post("/resend-code")
async def resend_code(again: CodeWantedAgain, request: Request, session: Own) -> dict[str, Any]:
    """The same verification goes on."""
    answer = await ask(request, "/resend-otp", held(session) | again.model_dump(exclude_none=True))
    return {name: answer[name] for name in SHOWN}


@app.post("/verify-code")
async def verify_code(typed: CodeTyped, request: Request, session: Own) -> dict[str, Any]:
    """The number is the one that the service names, for it alone knows where the code went."""
    answer = await ask(request, "/verify-otp", held(session) | {"otp": typed.otp})
    # Whoever knew the session's name before must not hold a verified one.
    SESSIONS.pop(request.cookies.get(COOKIE, ""), None)
    begin(request, Session(phone=answer["phoneNumber"]))
    return {"verified": True}


@app.post("/sign-up")
async def sign_up(account: Account, session: Own) -> dict[str, Any]:
    """An account for a phone that this session has verified."""
    if session.phone is None:
        raise Refused(403, "PHONE_NOT_VERIFIED")
    user = {"name": account.name, "phoneNumber": session.phone}
    USERS.append(user)
    session.phone = None  # one verification, one account
    return user


def held(session: Session) -> dict[str, str]:
    """What names this session's verification to the service."""
    if session.verification_id is None:
        raise Refused(404, "VERIFICATION_NOT_FOUND")
    return {"verificationId": session.verification_id, "sessionId": session.binding}
