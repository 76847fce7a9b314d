"""Faults between an adapter and its provider, and the outcomes of a send and a check.

Each row is one kind of fault, with the answer to the backend, the messages on the phone, and the answer
to the same request once the fault is over.
"""

import json
from typing import Any

from sms_otp.adapters.providers.transport import HttpResponse as HttpAnswer
from sms_otp.adapters.providers.transport import NoAnswer, RequestNotSent
from sms_otp.domain.clock import Seconds
from tests.functional.faults.outcomes import (
    FORGOTTEN,
    NO_VERDICT,
    NOT_KNOWN,
    NOT_SENT,
    SENT,
    SENT_UNKNOWN,
    VERDICT_LOST,
    Checking,
    Sending,
)
from tests.functional.faults.world import NUMBER, Exchange, ProviderFault


def never(error: BaseException) -> ProviderFault:
    """The provider does not get the request."""

    def fault(_really: Exchange) -> HttpAnswer:
        raise error

    return fault


def lost(error: BaseException) -> ProviderFault:
    """The provider acts, and its answer does not come back."""

    def fault(really: Exchange) -> HttpAnswer:
        really()
        raise error

    return fault


def instead(status: int, body: object = None, retry_after: Seconds | None = None) -> ProviderFault:
    """The provider answers this and does not act."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return lambda _really: HttpAnswer(status, content, retry_after)


def acted(status: int, body: bytes) -> ProviderFault:
    """The provider acts and answers this."""

    def fault(really: Exchange) -> HttpAnswer:
        really()
        return HttpAnswer(status, body)

    return fault


def edited(*without: str, **changes: Any) -> ProviderFault:
    """The provider acts, and its answer has other values or fewer members."""

    def fault(really: Exchange) -> HttpAnswer:
        answer = really()
        content = {name: value for name, value in (answer.json() | changes).items() if name not in without}
        return HttpAnswer(answer.status, json.dumps(content).encode())

    return fault


# Name, fault; the outcome at Infobip, and at Sinch, which reports the status of a send.
SENDS: list[tuple[str, ProviderFault, Sending, Sending]] = [
    ("the name does not resolve", never(RequestNotSent("connection")), NOT_SENT, NOT_SENT),
    ("the connection is refused", never(RequestNotSent("connection")), NOT_SENT, NOT_SENT),
    ("the connection takes too long", never(RequestNotSent("connect_timeout")), NOT_SENT, NOT_SENT),
    ("the certificate is not the provider's", never(RequestNotSent("tls")), NOT_SENT, NOT_SENT),
    ("the connection is reset while the request leaves", never(NoAnswer("connection")), NOT_KNOWN, NOT_KNOWN),
    ("no answer comes", never(NoAnswer("read_timeout")), NOT_KNOWN, NOT_KNOWN),
    ("the answer is lost", lost(NoAnswer("read_timeout")), SENT_UNKNOWN, SENT),
    ("the answer drips in", lost(NoAnswer("deadline")), SENT_UNKNOWN, SENT),
    ("the answer is of 10 MB", lost(NoAnswer("oversize")), SENT_UNKNOWN, SENT),
    ("400", instead(400, {}), NOT_SENT, NOT_SENT),
    ("401", instead(401, {}), NOT_SENT, NOT_SENT),
    ("403", instead(403, {}), NOT_SENT, NOT_SENT),
    ("404", instead(404, {}), NOT_SENT, NOT_SENT),
    ("409", instead(409, {}), NOT_KNOWN, NOT_KNOWN),
    ("429", instead(429, {}), NOT_KNOWN, NOT_SENT),
    ("429 with the seconds to wait", instead(429, {}, retry_after=Seconds(7)), NOT_KNOWN, NOT_SENT),
    ("500", instead(500, {}), NOT_KNOWN, NOT_KNOWN),
    ("500 that repeats what it was sent", instead(500, {"text": NUMBER}), NOT_KNOWN, NOT_KNOWN),
    ("502 of a gateway", instead(502, b"<html>Bad Gateway"), NOT_KNOWN, NOT_KNOWN),
    ("503", instead(503, {}), NOT_KNOWN, NOT_KNOWN),
    ("500 after it was sent", acted(500, b"{}"), SENT_UNKNOWN, SENT),
    ("502 after it was sent", acted(502, b"<html>Bad Gateway"), SENT_UNKNOWN, SENT),
    ("503 after it was sent", acted(503, b"{}"), SENT_UNKNOWN, SENT),
    ("504 of a gateway", instead(504, b"<html>Gateway Timeout"), NOT_KNOWN, NOT_KNOWN),
    ("520 of a CDN", instead(520, b""), NOT_KNOWN, NOT_KNOWN),
    ("302", instead(302, b""), NOT_SENT, NOT_SENT),
    ("200 with HTML", acted(200, b"<html>Sign in"), SENT_UNKNOWN, SENT),
    ("200 with nothing", acted(200, b""), SENT_UNKNOWN, SENT),
    ("200 with half an object", acted(200, b'{"pinId": "A'), SENT_UNKNOWN, SENT),
    ("200 with a list", acted(200, b"[]"), SENT_UNKNOWN, SENT),
    ("200 with a name twice", acted(200, b'{"id":"A","id":"B","pinId":"A","pinId":"B"}'), SENT_UNKNOWN, SENT),
    ("200 with NaN", acted(200, b'{"id": NaN, "pinId": NaN}'), SENT_UNKNOWN, SENT),
    ("200 nested too deeply", acted(200, b"[" * 60_000), SENT_UNKNOWN, SENT),
    ("200 that is no UTF-8", acted(200, b'{"id": "\xff", "pinId": "\xff"}'), SENT_UNKNOWN, SENT),
    ("200 without a handle", edited("id", "pinId"), SENT_UNKNOWN, SENT),
    ("200 whose handle is null", edited(id=None, pinId=None), SENT_UNKNOWN, SENT),
    ("200 whose handle is a number", edited(id=1, pinId=1), SENT_UNKNOWN, SENT),
    ("200 whose handle is a path", edited(id="..", pinId=".."), SENT_UNKNOWN, SENT),
    ("200 whose handle is endless", edited(id="A" * 300, pinId="A" * 300), SENT_UNKNOWN, SENT),
]

CHECKS: list[tuple[str, ProviderFault, Checking, Checking]] = [
    ("the name does not resolve", never(RequestNotSent("connection")), NO_VERDICT, NO_VERDICT),
    ("the connection takes too long", never(RequestNotSent("connect_timeout")), NO_VERDICT, NO_VERDICT),
    ("the certificate is not the provider's", never(RequestNotSent("tls")), NO_VERDICT, NO_VERDICT),
    (
        "the connection is reset while the request leaves",
        never(NoAnswer("connection")),
        NO_VERDICT,
        NO_VERDICT,
    ),
    ("no answer comes", never(NoAnswer("read_timeout")), NO_VERDICT, NO_VERDICT),
    ("the answer is lost", lost(NoAnswer("read_timeout")), NO_VERDICT, VERDICT_LOST),
    ("the answer drips in", lost(NoAnswer("deadline")), NO_VERDICT, VERDICT_LOST),
    ("the answer is of 10 MB", lost(NoAnswer("oversize")), NO_VERDICT, VERDICT_LOST),
    ("400", instead(400, {}), NO_VERDICT, NO_VERDICT),
    ("401", instead(401, {}), NO_VERDICT, NO_VERDICT),
    ("403", instead(403, {}), NO_VERDICT, NO_VERDICT),
    ("404, for a code that it no longer knows", instead(404, {}), FORGOTTEN, FORGOTTEN),
    ("409", instead(409, {}), NO_VERDICT, NO_VERDICT),
    ("429", instead(429, {}), NO_VERDICT, NO_VERDICT),
    ("429 with the seconds to wait", instead(429, {}, retry_after=Seconds(7)), NO_VERDICT, NO_VERDICT),
    ("500", instead(500, {}), NO_VERDICT, NO_VERDICT),
    ("502 of a gateway", instead(502, b"<html>Bad Gateway"), NO_VERDICT, NO_VERDICT),
    ("503", instead(503, {}), NO_VERDICT, NO_VERDICT),
    ("504 of a gateway", instead(504, b"<html>Gateway Timeout"), NO_VERDICT, NO_VERDICT),
    ("520 of a CDN", instead(520, b""), NO_VERDICT, NO_VERDICT),
    ("302", instead(302, b""), NO_VERDICT, NO_VERDICT),
    ("200 with HTML", acted(200, b"<html>Sign in"), NO_VERDICT, VERDICT_LOST),
    ("200 with nothing", acted(200, b""), NO_VERDICT, VERDICT_LOST),
    ("200 with an empty object", acted(200, b"{}"), NO_VERDICT, VERDICT_LOST),
    ("200 with half an object", acted(200, b'{"verified": true'), NO_VERDICT, VERDICT_LOST),
    ("200 with a list", acted(200, b'[{"verified": true}]'), NO_VERDICT, VERDICT_LOST),
    ("200 with a name twice", acted(200, b'{"verified":true,"verified":true}'), NO_VERDICT, VERDICT_LOST),
    (
        "200 with NaN",
        acted(200, b'{"verified": true, "status": "SUCCESSFUL", "n": NaN}'),
        NO_VERDICT,
        VERDICT_LOST,
    ),
    ("200 that says yes as text", edited(verified="true", status="successful"), NO_VERDICT, VERDICT_LOST),
    ("200 that says yes as a number", edited(verified=1, status=1), NO_VERDICT, VERDICT_LOST),
    ("200 that says null", edited(verified=None, status=None), NO_VERDICT, VERDICT_LOST),
    ("200 that says nothing", edited("verified", "status"), NO_VERDICT, VERDICT_LOST),
    ("200 about another code", edited(pinId="ANOTHER", id="another"), NO_VERDICT, VERDICT_LOST),
]
