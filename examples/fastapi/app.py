"""Sign-up with a verified phone: the backend between a browser and the phone-verification service.

The API key, the verificationId and the verified number stay here. The browser holds cookies that scripts
cannot read, so a code can only be verified in the browser that requested it.
"""

import hashlib
import logging
import math
import os
import secrets
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal

import httpx
from altcha import Payload, create_challenge, verify_solution
from fastapi import Depends, FastAPI, Header, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import FileResponse, JSONResponse
from fastapi.staticfiles import StaticFiles
from pydantic import BaseModel, Field

LOG = logging.getLogger(__name__)
EXAMPLES = Path(__file__).parents[1]
COOKIE = "session"
DEVICE_COOKIE = "device"
DEVICE_SECONDS = 90 * 24 * 3600
REPEAT_SECONDS = 120
CHALLENGE_SECONDS = 600
CHALLENGE_ITERATIONS = 2000
CHALLENGE_TRIES = range(150, 350)
"""About half a second on one processor."""
SECURE = os.environ.get("INSECURE_COOKIE") != "true"
"""Off only without TLS, on a developer's machine."""

PAGE_HEADERS = {
    "Content-Security-Policy": "default-src 'self'; img-src 'self' data:; frame-ancestors 'none'",
    "Cache-Control": "no-store",
}

UNAVAILABLE = "This does not work just now. Please try again in a minute."
WORDS = {
    "INVALID_PHONE_NUMBER": "Please check the number. It begins with + and the country's code.",
    "DESTINATION_NOT_ALLOWED": "We cannot send codes to this number. Please use another one.",
    "PROVIDER_REJECTED": "This number cannot receive our codes. Please use another one.",
    "NUMBER_DISABLED": "This number is blocked after too many incorrect codes. Please contact us.",
    "CHALLENGE_REQUIRED": "Please confirm that you are a person.",
    "INVALID_OTP_FORMAT": "The code has only digits. Please type it as it is in the message.",
    "OTP_INCORRECT": "This code is incorrect.",
    "OTP_EXPIRED": "This code has expired. Please request a new one.",
    "ALREADY_VERIFIED": "This code has been used already. Please request a new one.",
    "VERIFICATION_CANCELLED": "This code is no longer valid. Please request a new one.",
    "VERIFICATION_NOT_FOUND": "Please request a code first.",
    "TOO_MANY_ATTEMPTS": "Too many incorrect codes. Please request a new one.",
    "RATE_LIMITED": "Please wait a little before you request another code.",
    "NUMBER_LOCKED": "Too many incorrect codes. Please wait a little before you try again.",
    "REQUEST_IN_PROGRESS": "Your code is being sent.",
    "IDEMPOTENCY_KEY_REUSED": "Please try that again.",
    "PROVIDER_UNAVAILABLE": UNAVAILABLE,
    "SENDING_STOPPED": UNAVAILABLE,
    "PHONE_NOT_VERIFIED": "Please verify your phone first.",
    "INVALID_REQUEST": "Please fill in the form.",
    "CROSS_SITE": "Please use the form on our own page.",
}
"""The sentence for the user, by errorCode. Every other code is a fault of this backend, and is logged."""

OVER = {
    "OTP_EXPIRED",
    "TOO_MANY_ATTEMPTS",
    "VERIFICATION_CANCELLED",
    "VERIFICATION_NOT_FOUND",
    "ALREADY_VERIFIED",
}
"""Error codes after which the session's verification can no longer succeed."""

SHOWN = ("channel", "expiresAt", "resendAfter", "sameCode")
"""Fields of an answer that the page gets; the verificationId stays here."""


Solution = Annotated[str, Field(max_length=4000)]
"""A challenge's solution, as ALTCHA's widget encodes it."""


class CodeRequest(BaseModel):
    """A click on "send me a code"."""

    phoneNumber: str  # noqa: N815 - a name of the page's JSON
    channel: Literal["sms", "voice", "whatsapp"] = "sms"
    locale: str | None = None
    challenge: Solution | None = None


class CodeResend(BaseModel):
    """A click on "send it again", or "call me instead"."""

    channel: Literal["sms", "voice", "whatsapp"] | None = None
    challenge: Solution | None = None


class CodeTyped(BaseModel):
    """A click on "verify"."""

    otp: str


class Account(BaseModel):
    """A click on "sign up"."""

    name: str


@dataclass
class Pending:
    """A sent code: the state from which a reloaded form resumes."""

    phone_number: str
    channel: str
    expires_at: str
    resend_at: float

    @classmethod
    def of(cls, phone_number: str, answer: dict[str, Any]) -> "Pending":
        """The pending code of the service's answer."""
        resend_at = time.monotonic() + answer["resendAfter"]
        return cls(phone_number, answer["channel"], answer["expiresAt"], resend_at)


@dataclass
class Session:
    """One browser's session."""

    binding: str = field(default_factory=lambda: secrets.token_urlsafe(24))
    """The API's sessionId: bound to the cookie, but distinct from it."""
    verification_id: str | None = None
    pending: Pending | None = None
    challenge_for: str | None = None
    """The purpose of the challenge that the service requires."""
    phone: str | None = None
    """The verified number, from the service's answer."""


@dataclass
class Repeat:
    """A successful verification, in case its answer is lost: its session, and until when it is kept."""

    name: str
    device: str | None
    until: float


class Refused(Exception):
    """An error answer to the user."""

    def __init__(self, status: int, code: str, **more: int) -> None:
        super().__init__(code)
        self.status = status
        self.code = code
        self.body = {"errorCode": code, "detail": WORDS.get(code, UNAVAILABLE), **more}


# In memory, they end with the process. In production, use your session store, with an expiry.
SESSIONS: dict[str, Session] = {}
REPEATS: dict[str, Repeat] = {}
USERS: list[dict[str, str]] = []
TAKEN: dict[str, tuple[str, int]] = {}
"""Solved challenges: the click that each was accepted for, and when it expires. Several processes must share
the store and the key."""
CHALLENGE_KEY = secrets.token_bytes(32)
"""Signs challenges."""


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    """Open the connection pool to the service, which answers within 29 seconds."""
    key = {"x-api-key": os.environ["OTP_API_KEY"]}
    async with httpx.AsyncClient(
        base_url=os.environ["OTP_API_URL"], headers=key, timeout=30, trust_env=False
    ) as service:
        app.state.service = service
        yield


def require_own_page(request: Request) -> None:
    """Browsers send the Origin of a request, and no page can change it."""
    if request.method == "POST" and request.headers.get("Sec-Fetch-Site", "none") not in (
        "same-origin",
        "none",
    ):
        raise Refused(403, "CROSS_SITE")


app = FastAPI(
    lifespan=lifespan,
    dependencies=[Depends(require_own_page)],
    docs_url=None,
    redoc_url=None,
    openapi_url=None,
)
app.mount("/otp-form", StaticFiles(directory=EXAMPLES.parent / "web/otp-form"))
app.mount("/page", StaticFiles(directory=EXAMPLES / "page"))
app.mount("/altcha", StaticFiles(directory=EXAMPLES / "altcha/node_modules/altcha/dist", check_dir=False))


@app.exception_handler(Refused)
async def answer_refusal(_: Request, refused: Refused) -> JSONResponse:
    """Answer with problem details (RFC 9457)."""
    body = refused.body | {"status": refused.status}
    return JSONResponse(body, refused.status, media_type="application/problem+json")


@app.exception_handler(RequestValidationError)
async def answer_malformed(request: Request, _: RequestValidationError) -> JSONResponse:
    """FastAPI's default answer would repeat the request's values."""
    return await answer_refusal(request, Refused(400, "INVALID_REQUEST"))


@app.middleware("http")
async def keep(request: Request, answer: Callable[[Request], Awaitable[Response]]) -> Response:
    """Set the cookies of this request, which scripts cannot read and other sites cannot send.

    Also with a refusal, so that a repeated click is in the same session.
    """
    response = await answer(request)
    if name := getattr(request.state, "begun", None):
        response.set_cookie(COOKIE, name, httponly=True, samesite="strict", secure=SECURE)
    if token := getattr(request.state, "device", None):
        response.set_cookie(
            DEVICE_COOKIE, token, max_age=DEVICE_SECONDS, httponly=True, samesite="strict", secure=SECURE
        )
    return response


def session_of(request: Request) -> Session:
    """The browser's session, or a new one: unknown ids are not accepted."""
    return SESSIONS.get(request.cookies.get(COOKIE, "")) or begin(request, Session())


def begin(request: Request, session: Session) -> Session:
    """Store the session under a new id, which this request's answer sets as cookie."""
    request.state.begun = secrets.token_urlsafe(24)
    SESSIONS[request.state.begun] = session
    return session


def click_of(key: Annotated[str | None, Header(alias="Idempotency-Key", max_length=100)] = None) -> str:
    """The page makes one for each click, so that a repeated request sends no second code."""
    return key or secrets.token_urlsafe()


Own = Annotated[Session, Depends(session_of)]
Click = Annotated[str, Depends(click_of)]


async def ask(
    request: Request,
    session: Session,
    click: str,
    path: str,
    body: dict[str, Any],
    solution: str | None = None,
) -> dict[str, Any]:
    """Returns the service's 200. Raises `Refused` for any other answer."""
    # Bound to the session, so that users cannot share a key.
    key = sha256(session.binding, click)
    # A challenge is good only for this session's request for this number or verification.
    purpose = sha256(session.binding, path, body.get("phoneNumber", body.get("verificationId", "")))
    if solution and challenge_passed(solution, purpose, key):
        body = body | {"challenged": True}
    status, received = 0, None
    with suppress(httpx.HTTPError, ValueError):
        answer = await request.app.state.service.post(path, json=body, headers={"Idempotency-Key": key})
        status, received = answer.status_code, answer.json()
    received = received if isinstance(received, dict) else {}
    if status == 200 and received:
        session.challenge_for = None
        return received
    code = received.get("errorCode", "")
    if code not in WORDS:
        # A fault here, such as a wrong API key. The body is not logged: it has the number or the code.
        LOG.error("%s: %s %s", path, status or "no answer", code)
        raise Refused(503, "SERVICE_UNAVAILABLE")
    if code == "CHALLENGE_REQUIRED":
        session.challenge_for = purpose
    if code in OVER or received.get("attemptsRemaining") == 0:
        session.pending = None
    details = {name: received[name] for name in ("retryAfter", "attemptsRemaining") if name in received}
    raise Refused(status, code, **details)


def sha256(*parts: str) -> str:
    """The hash of all parts, in hex."""
    return hashlib.sha256(" ".join(parts).encode()).hexdigest()


def device_of(request: Request) -> dict[str, str]:
    """The device token of an earlier verification, by which the service recognizes the user."""
    token = request.cookies.get(DEVICE_COOKIE)
    return {"deviceToken": token} if token else {}


def challenge_passed(solution: str, purpose: str, click: str) -> bool:
    """Whether it solves a challenge made for `purpose`, in time and for the first time.

    Repeats of the same click are accepted: its Idempotency-Key prevents a second code.
    """
    try:
        payload = Payload.from_base64(solution)
    except (ValueError, KeyError, TypeError, RecursionError):
        return False
    made = payload.challenge
    if not verify_solution(payload, CHALLENGE_KEY).verified or made.parameters.data != {"purpose": purpose}:
        return False
    for ended in [each for each, (_, expires_at) in TAKEN.items() if expires_at < time.time()]:
        del TAKEN[ended]
    # The signature identifies a challenge however its JSON is written.
    return TAKEN.setdefault(str(made.signature), (click, int(made.parameters.expires_at or 0)))[0] == click


def held(session: Session) -> dict[str, str]:
    """The ids of this session's verification. Raises `Refused` without one."""
    if session.verification_id is None:
        raise Refused(404, "VERIFICATION_NOT_FOUND")
    return {"verificationId": session.verification_id, "sessionId": session.binding}


@app.get("/challenge")
async def challenge(session: Own, response: Response) -> dict[str, Any]:
    """A proof of work for the refused request, so that a solution is good for one code."""
    if session.challenge_for is None:
        raise Refused(404, "VERIFICATION_NOT_FOUND")
    response.headers["Cache-Control"] = "no-store"
    return create_challenge(
        "PBKDF2/SHA-256",
        CHALLENGE_ITERATIONS,
        counter=secrets.choice(CHALLENGE_TRIES),
        expires_at=int(time.time()) + CHALLENGE_SECONDS,
        data={"purpose": session.challenge_for},
        hmac_secret=CHALLENGE_KEY,
    ).to_dict()


@app.get("/")
async def page() -> FileResponse:
    """The sign-up page."""
    return FileResponse(EXAMPLES / "page/index.html", headers=PAGE_HEADERS)


@app.get("/session")
async def answer_session(session: Own, response: Response) -> dict[str, Any]:
    """The user's step, so that a reloaded page resumes there."""
    response.headers["Cache-Control"] = "no-store"
    if session.pending:
        return {
            "step": "code",
            "phoneNumber": session.pending.phone_number,
            "channel": session.pending.channel,
            "expiresAt": session.pending.expires_at,
            "resendAfter": max(0, math.ceil(session.pending.resend_at - time.monotonic())),
        }
    return {"step": "done" if session.phone else "number"}


@app.post("/request-code")
async def request_code(code: CodeRequest, request: Request, session: Own, click: Click) -> dict[str, Any]:
    """Send the first code, by the user's channel."""
    # uvicorn trusts a proxy on this machine for the user's address; --forwarded-allow-ips names another.
    client = {"clientIp": request.client.host} if request.client else {}
    body = (
        code.model_dump(exclude_none=True, exclude={"challenge"})
        | {"purpose": "sign-up", "sessionId": session.binding}
        | client
        | device_of(request)
    )
    answer = await ask(request, session, click, "/request-otp", body, code.challenge)
    session.verification_id = answer["verificationId"]
    session.pending = Pending.of(code.phoneNumber, answer)
    return shown(answer)


@app.post("/resend-code")
async def resend_code(code: CodeResend, request: Request, session: Own, click: Click) -> dict[str, Any]:
    """Send another code for the session's verification."""
    body = held(session) | code.model_dump(exclude_none=True, exclude={"challenge"}) | device_of(request)
    answer = await ask(request, session, click, "/resend-otp", body, code.challenge)
    if session.pending:
        session.pending = Pending.of(session.pending.phone_number, answer)
    return shown(answer)


def shown(answer: dict[str, Any]) -> dict[str, Any]:
    """The fields of an answer that the page gets."""
    return {name: answer[name] for name in SHOWN if name in answer}


@app.post("/verify-code")
async def verify_code(typed: CodeTyped, request: Request, session: Own, click: Click) -> dict[str, Any]:
    """Verify the code. The number comes from the service, which alone knows where it sent the code."""
    name = request.cookies.get(COOKIE, "")
    # A page whose answer was lost repeats the click. Only that page knows its key.
    key = sha256(name, click, typed.otp)
    repeat = REPEATS.get(key)
    verified = SESSIONS.pop(repeat.name, None) if repeat and time.monotonic() < repeat.until else None
    if repeat is None or verified is None or verified.phone is None:
        body = held(session) | {"otp": typed.otp} | device_of(request)
        answer = await ask(request, session, click, "/verify-otp", body)
        verified = Session(phone=answer["phoneNumber"])
        repeat = Repeat("", answer.get("deviceToken"), time.monotonic() + REPEAT_SECONDS)
        # A session id known before (fixation) must not become verified.
        SESSIONS.pop(name, None)
    begin(request, verified)
    request.state.device = repeat.device
    for ended in [each for each, kept in REPEATS.items() if kept.until < time.monotonic()]:
        del REPEATS[ended]
    REPEATS[key] = Repeat(request.state.begun, repeat.device, repeat.until)
    return {"verified": True}


@app.post("/sign-up")
async def sign_up(account: Account, session: Own) -> dict[str, Any]:
    """Create an account for the phone that this session verified."""
    if session.phone is None:
        raise Refused(403, "PHONE_NOT_VERIFIED")
    user = {"name": account.name, "phoneNumber": session.phone}
    USERS.append(user)
    session.phone = None  # one verification, one account
    return user
