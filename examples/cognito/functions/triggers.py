"""Amazon Cognito's custom-challenge triggers: the service sends the code and the service checks it.

State between rounds is in `challengeMetadata`, which only triggers see: the verificationId, never a code.
Cognito treats any exception as a refusal, so none signs a user in.
"""

import functools
import hashlib
import http.client
import json
import logging
import os
import time
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

import boto3

Event = dict[str, Any]
Json = dict[str, Any]

LOG = logging.getLogger(__name__)

CHALLENGE = "CUSTOM_CHALLENGE"
PASSWORD = (("SRP_A", True), ("PASSWORD_VERIFIER", True))
"""The password rounds (SRP) before the code, if the code is a second factor."""

CODE_LIFE = timedelta(seconds=300)

MAX_ROUNDS = 10
"""Challenge rounds of one sign-in, including resends. The service allows five guesses for each code."""

TIMEOUT_SECONDS = 4
"""Cognito waits 5 s for a trigger."""

SAME_SIGN_IN_SECONDS = 30
"""The service's shortest gap between two codes: sign-ins within it share one code."""

KEY_SECONDS = 300
"""How long the API key is cached."""

SHOWN = ("channel", "expiresAt", "resendAfter")
"""Fields of an answer that the app gets; the verificationId stays here."""

WRONG = ("OTP_INCORRECT", "INVALID_OTP_FORMAT")
"""Error codes after which the user may try again; any other ends the sign-in."""

CONNECTIONS = {"https": http.client.HTTPSConnection, "http": http.client.HTTPConnection}


class SignInRefused(Exception):
    """Cognito passes its text to the app: an errorCode of the service, or one of those below."""

    def __init__(self, code: str, retry_after: int | None = None) -> None:
        super().__init__(code)
        self.code = code
        self.retry_after = retry_after


def define(event: Event, _context: object) -> Event:
    """DefineAuthChallenge: choose the next round of a sign-in, issue tokens, or fail it."""
    rounds = [(step["challengeName"], step["challengeResult"]) for step in event["request"]["session"]]
    first = list(PASSWORD) if os.environ["SIGN_IN"] == "mfa" else []
    before, guesses = rounds[: len(first)], rounds[len(first) :]
    response = event["response"]
    response["issueTokens"] = response["failAuthentication"] = False
    if first and before == first[:1]:
        response["challengeName"] = "PASSWORD_VERIFIER"
    elif before != first or any(name != CHALLENGE for name, _ in guesses):
        response["failAuthentication"] = True
    elif guesses and guesses[-1][1] is True:
        response["issueTokens"] = True
    elif len(guesses) >= MAX_ROUNDS:
        response["failAuthentication"] = True
    else:
        response["challengeName"] = CHALLENGE
    return event


def create(event: Event, _context: object) -> Event:
    """CreateAuthChallenge: send a code in the first round, resend on demand, no code after a wrong guess.

    Raises `SignInRefused` if the first code cannot be sent. A refused resend, such as one that comes too
    soon, is reported by `errorCode` and `retryAfter` in the challenge: the first code stays valid.
    """
    request, response = event["request"], event["response"]
    challenge = _last_challenge(request["session"])
    refused: dict[str, str] = {}
    if not challenge:
        challenge = _send(event)
    elif _resend_requested(request):
        try:
            challenge = _resend(event, challenge)
        except SignInRefused as refusal:
            refused = {"errorCode": refusal.code, "retryAfter": str(refusal.retry_after or "")}
    response["publicChallengeParameters"] = {name: str(challenge[name]) for name in SHOWN} | refused
    response["privateChallengeParameters"] = {"verificationId": challenge["verificationId"]}
    response["challengeMetadata"] = json.dumps(challenge)
    return event


def verify(event: Event, _context: object) -> Event:
    """VerifyAuthChallengeResponse: check by the service that the code is right, for this user's number.

    Raises `SignInRefused` if the guesses are spent, the code has expired or the service is unavailable.
    """
    request, response = event["request"], event["response"]
    response["answerCorrect"] = False
    verification_id = request["privateChallengeParameters"]["verificationId"]
    if not verification_id or _resend_requested(request):
        return event
    attributes = request["userAttributes"]
    guess = {
        "verificationId": verification_id,
        "otp": request["challengeAnswer"],
        "sessionId": attributes["sub"],
    }
    try:
        verified = _call("/verify-otp", guess)
    except SignInRefused as refusal:
        if refusal.code not in WRONG:
            raise
        return event
    # The user's number may have changed since the code was sent.
    response["answerCorrect"] = verified["phoneNumber"] == attributes["phone_number"]
    return event


def _last_challenge(session: list[Json]) -> Json:
    """The metadata of the sign-in's last custom challenge; empty before the first."""
    if not session or session[-1]["challengeName"] != CHALLENGE:
        return {}
    challenge: Json = json.loads(session[-1]["challengeMetadata"])
    return challenge


def _resend_requested(request: Json) -> bool:
    return (request.get("clientMetadata") or {}).get("resend") == "true"


def _send(event: Event) -> Json:
    if event["request"].get("userNotFound"):
        return _fake_challenge()
    attributes = event["request"]["userAttributes"]
    if "phone_number" not in attributes:
        raise SignInRefused("NO_PHONE_NUMBER")
    number, user = attributes["phone_number"], attributes["sub"]
    sign_in = (event["userPoolId"], user, number, int(time.time() // SAME_SIGN_IN_SECONDS))
    key = hashlib.sha256(repr(sign_in).encode()).hexdigest()
    body = {"phoneNumber": number, "purpose": "sign-in", "sessionId": user}
    return _challenge(_call("/request-otp", body, {"Idempotency-Key": key}))


def _resend(event: Event, challenge: Json) -> Json:
    request = event["request"]
    if request.get("userNotFound"):
        return _fake_challenge()
    body = {"verificationId": challenge["verificationId"], "sessionId": request["userAttributes"]["sub"]}
    if channel := request["clientMetadata"].get("channel"):
        body["channel"] = channel
    return _challenge(_call("/resend-otp", body))


def _fake_challenge() -> Json:
    """A challenge for an unknown user, with the service's defaults: Cognito hides who has an account."""
    expires_at = datetime.now(UTC) + CODE_LIFE
    shown = {"channel": "sms", "expiresAt": f"{expires_at:%Y-%m-%dT%H:%M:%SZ}", "resendAfter": 30}
    return {"verificationId": "", **shown}


def _challenge(answer: Json) -> Json:
    return {name: answer[name] for name in ("verificationId", *SHOWN)}


def _call(path: str, body: Json, headers: dict[str, str] | None = None) -> Json:
    """Returns the service's 200. Raises `SignInRefused` for any other answer, or none."""
    url = urlsplit(os.environ["SERVICE_URL"])
    connection = CONNECTIONS[url.scheme](url.netloc, timeout=TIMEOUT_SECONDS)
    sent = {"content-type": "application/json", "x-api-key": _api_key(), **(headers or {})}
    status, answer = 0, {}
    try:
        connection.request("POST", url.path.rstrip("/") + path, json.dumps(body), sent)
        response = connection.getresponse()
        status, answer = response.status, json.loads(response.read())
    except (OSError, http.client.HTTPException, ValueError) as error:
        LOG.warning("%s: %s", path, type(error).__name__)
    finally:
        connection.close()
    if status == 200:
        return answer
    code = answer.get("errorCode") or "SERVICE_UNAVAILABLE"
    # The body is not logged: it has the number or the code.
    LOG.warning("%s: %s %s", path, status, code)
    raise SignInRefused(code, answer.get("retryAfter"))


def _api_key() -> str:
    return _read_api_key(int(time.monotonic() // KEY_SECONDS))


@functools.lru_cache(maxsize=1)
def _read_api_key(_period: int) -> str:
    found = boto3.client("secretsmanager").get_secret_value(SecretId=os.environ["API_KEY_SECRET_ARN"])
    return found["SecretString"]
