"""Fake Infobip 2FA, version 2, after its OpenAPI document and SDKs: sending, resending, verifying.

Behaviour that the documents leave open is marked "unspecified"; there the fake does the simplest thing
allowed. `Infobip._applications` holds the applications by id, with their message templates.
"""

import re
import secrets
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from local.sandbox import infobip_report
from local.sandbox.callbacks import Callbacks
from local.sandbox.codes import new_code
from local.sandbox.credentials import (
    INFOBIP_API_KEY,
    INFOBIP_APPLICATION_ID,
    INFOBIP_PASSWORD,
    INFOBIP_PATH,
    INFOBIP_USERNAME,
)
from local.sandbox.deliveries import Deliveries
from local.sandbox.gateway import Operation, Refusal
from local.sandbox.inbox import Inbox, e164, number_or_none
from local.sandbox.infobip_application import Application, LiveApplication
from local.sandbox.infobip_errors import error, forbidden, invalid, sms_refused, voice_refused
from local.sandbox.infobip_provisioning import Provisioning
from local.sandbox.json_body import json_object
from local.sandbox.memory import Newest
from local.sandbox.times import Clock

_NUMBER = re.compile(r"[1-9][0-9]{6,14}")
_PLACEHOLDER = re.compile(r"\{\{(\w+)\}\}")
_PIN = f"{INFOBIP_PATH}/2fa/2/pin"
_AUTHORIZATIONS = (
    f"App {INFOBIP_API_KEY}".encode(),
    infobip_report.basic(INFOBIP_USERNAME, INFOBIP_PASSWORD)["Authorization"].encode(),
)


@dataclass(slots=True)
class Pin:
    """One sent PIN. `to` is digits without a plus sign; times are seconds since the epoch."""

    pin_id: str
    application_id: str
    message_id: str
    to: str
    code: str
    sent_at: float
    attempts_left: int
    verified_at: float | None = None


class Infobip:
    """The fake: one application, `INFOBIP_APPLICATION_ID`, and those created at run time."""

    name = "infobip"

    def __init__(
        self,
        inbox: Inbox,
        callbacks: Callbacks,
        deliveries: Deliveries,
        clock: Clock,
        application: Application,
    ) -> None:
        self._inbox = inbox
        self._callbacks = callbacks
        self._deliveries = deliveries
        self._clock = clock
        self._applications = {INFOBIP_APPLICATION_ID: LiveApplication(application, clock)}
        self._provisioning = Provisioning(self._applications, clock, authorize)
        self._pins: Newest[str, Pin] = Newest()

    def operations(self) -> Sequence[Operation]:
        """The endpoints for PINs, and those for applications and their templates."""
        pin, in_body, of_pin = f"{_PIN}/{{pin_id}}", self._number_in_body, self._number_of_pin
        return (
            Operation("POST", _PIN, "send", self._send_sms, in_body, sms_refused),
            Operation("POST", f"{_PIN}/voice", "send", self._send_voice, in_body, voice_refused),
            Operation("POST", f"{pin}/resend", "resend", self._resend_sms, of_pin, sms_refused),
            Operation("POST", f"{pin}/resend/voice", "resend", self._resend_voice, of_pin, voice_refused),
            Operation("POST", f"{pin}/verify", "check", self._verify, of_pin, forbidden),
            Operation(
                "GET",
                f"{INFOBIP_PATH}/2fa/2/applications/{{application_id}}/verifications",
                "status",
                self._verifications,
                self._number_in_query,
                forbidden,
            ),
            *self._provisioning.operations(),
        )

    def fault_names(self, operation: str, number: str | None) -> Sequence[str]:
        """The operation itself, which has an endpoint of its own; provisioning also counts as `provision`."""
        del number
        return (operation, operation.partition("-")[0])

    def failure(self, fault: str) -> Response:
        """Infobip's error body; a 429 carries `Retry-After`, as Infobip's may.

        Every limit, also the limit per number, has this one body.
        """
        status = 429 if fault == "number-limit" else int(fault)
        answer = error(status)
        if status == 429:
            answer.headers["Retry-After"] = "2"
        return answer

    def _send_sms(self, request: Request, body: bytes) -> Response:
        authorize(request)
        looked_up = _flag(request.query_params.get("ncNeeded", "true"), "ncNeeded")
        sent = _object(body)
        return self._sms(self._new_pin(sent), sent, looked_up=looked_up is True)

    def _send_voice(self, request: Request, body: bytes) -> Response:
        authorize(request)
        sent = _object(body)
        return self._voice(self._new_pin(sent), sent)

    def _resend_sms(self, request: Request, body: bytes) -> Response:
        pin, sent = self._resent_pin(request, body)
        return self._sms(pin, sent, looked_up=True)

    def _resend_voice(self, request: Request, body: bytes) -> Response:
        pin, sent = self._resent_pin(request, body)
        return self._voice(pin, sent)

    def _resent_pin(self, request: Request, body: bytes) -> tuple[Pin, dict[str, Any]]:
        """The PIN to resend; its lifetime and attempts do not restart (unspecified)."""
        authorize(request)
        pin = self._pin(request)
        sent = _object(body or b"{}")
        _check_placeholders(sent)
        self._spend_send(self._applications[pin.application_id], pin.to)
        return pin, sent

    def _new_pin(self, sent: dict[str, Any]) -> Pin:
        for required in ("applicationId", "messageId", "to"):
            if not isinstance(sent.get(required), str) or not sent[required]:
                raise invalid(required, "must not be blank")
        if not _NUMBER.fullmatch(sent["to"]):
            raise invalid("to", "must be digits in international format, without a plus sign")
        _check_placeholders(sent)
        live = self._applications.get(sent["applicationId"])
        if live is None or sent["messageId"] not in live.application.templates:
            text = "Application or message with given ID cannot be found."
            raise Refusal(error(404, message_id="RESOURCE_NOT_FOUND", text=text))
        self._spend_send(live, sent["to"])
        template = live.application.templates[sent["messageId"]]
        pin = Pin(
            pin_id=secrets.token_hex(16).upper(),
            application_id=sent["applicationId"],
            message_id=sent["messageId"],
            to=sent["to"],
            code=new_code(template.pin_length, template.pin_type),
            sent_at=self._clock(),
            attempts_left=live.application.pin_attempts,
        )
        self._pins[pin.pin_id] = pin
        return pin

    def _spend_send(self, live: LiveApplication, number: str) -> None:
        if not live.application.enabled:
            # How Infobip refuses a disabled application's sends is unspecified.
            raise Refusal(error(403))
        if not live.may_send(number):
            raise Refusal(self.failure("429"))

    def _sms(self, pin: Pin, sent: dict[str, Any], *, looked_up: bool) -> Response:
        self._deliver(pin, sent, "sms")
        answer = {
            "pinId": pin.pin_id,
            "to": pin.to,
            "ncStatus": "NC_DESTINATION_REACHABLE" if looked_up else "NC_DESTINATION_UNKNOWN",
            "smsStatus": "MESSAGE_SENT",
        }
        if sent.get("trackDelivery") is True:
            answer["externalMessageId"] = self._tracked(pin)
        return JSONResponse(answer)

    def _tracked(self, pin: Pin) -> str:
        """Schedule this message's delivery report. Returns the message id in it."""
        message_id, sent = str(uuid.uuid4()), self._clock()

        def report(status: str) -> None:
            now = self._clock()
            infobip_report.post(self._callbacks, message_id, pin.to, status, sent=sent, now=now)

        self._deliveries.sent(pin.to, report)
        return message_id

    def _voice(self, pin: Pin, sent: dict[str, Any]) -> Response:
        self._deliver(pin, sent, "voice")
        return JSONResponse({"pinId": pin.pin_id, "to": pin.to, "callStatus": "PENDING_ACCEPTED"})

    def _deliver(self, pin: Pin, sent: dict[str, Any], channel: str) -> None:
        values = {**sent.get("placeholders", {}), "pin": pin.code}
        template = self._applications[pin.application_id].application.templates[pin.message_id]
        text = _PLACEHOLDER.sub(lambda match: values.get(match[1], match[0]), template.text)
        self._inbox.deliver(pin.to, text, pin.code, provider=self.name, channel=channel)

    def _verify(self, request: Request, body: bytes) -> Response:
        authorize(request)
        pin = self._pin(request)
        guess = _object(body).get("pin")
        if not isinstance(guess, str) or not guess:
            raise invalid("pin", "must not be blank")
        live = self._applications[pin.application_id]
        if not live.verify_limit.allows(pin.to):
            refused = error(429)
            refused.headers["Retry-After"] = str(live.verify_limit.wait(pin.to))
            raise Refusal(refused)
        pin_error = self._judge(pin, guess, live)
        answer: dict[str, Any] = {"pinId": pin.pin_id, "msisdn": pin.to, "verified": pin_error is None}
        if pin_error is None:
            pin.verified_at = self._clock()
            # Infobip's samples show 0 on success, even with attempts left.
            return JSONResponse(answer | {"attemptsRemaining": 0})
        return JSONResponse(answer | {"attemptsRemaining": pin.attempts_left, "pinError": pin_error})

    def _judge(self, pin: Pin, guess: str, live: LiveApplication) -> str | None:
        """The `pinError`, or `None` for the right PIN. A wrong PIN costs an attempt."""
        if self._clock() >= pin.sent_at + live.time_to_live:
            return "TTL_EXPIRED"
        # The answer to a second verification where only one is allowed is unspecified.
        used = pin.verified_at is not None and not live.application.allow_multiple_pin_verifications
        if used or pin.attempts_left == 0:
            return "NO_MORE_PIN_ATTEMPTS"
        if guess == pin.code:
            return None
        pin.attempts_left -= 1
        return "WRONG_PIN"

    def _verifications(self, request: Request, body: bytes) -> Response:
        del body
        authorize(request)
        application_id = request.path_params["application_id"]
        if application_id not in self._applications:
            raise Refusal(error(404))
        query = request.query_params
        if not query.get("msisdn"):
            raise invalid("msisdn", "must not be blank")
        verified, sent = _flag(query.get("verified"), "verified"), _flag(query.get("sent"), "sent")
        return JSONResponse(
            {
                "verifications": [
                    _verification(pin)
                    for pin in reversed(self._pins.values())
                    if pin.application_id == application_id
                    and pin.to == query["msisdn"]
                    and verified in (None, pin.verified_at is not None)
                    and sent in (None, True)
                ]
            }
        )

    def _pin(self, request: Request) -> Pin:
        pin = self._pins.get(request.path_params["pin_id"])
        if pin is None:
            raise Refusal(error(404))
        return pin

    def _number_of_pin(self, request: Request, body: bytes) -> str | None:
        del body
        pin = self._pins.get(request.path_params["pin_id"])
        return e164(pin.to) if pin else None

    @staticmethod
    def _number_in_body(request: Request, body: bytes) -> str | None:
        del request
        return number_or_none((json_object(body) or {}).get("to"))

    @staticmethod
    def _number_in_query(request: Request, body: bytes) -> str | None:
        del body
        return number_or_none(request.query_params.get("msisdn"))


def _verification(pin: Pin) -> dict[str, Any]:
    """Times are whole seconds, as in Infobip's samples, although its text says milliseconds."""
    answer: dict[str, Any] = {"msisdn": pin.to, "verified": pin.verified_at is not None}
    if pin.verified_at is not None:
        answer["verifiedAt"] = int(pin.verified_at)
    return answer | {"sentAt": int(pin.sent_at)}


def authorize(request: Request) -> None:
    """Raises `Refusal` unless `App <key>` or Basic is right; this account has no tokens."""
    presented = request.headers.get("authorization", "").encode()
    if not any(secrets.compare_digest(presented, known) for known in _AUTHORIZATIONS):
        raise Refusal(error(401))


def _object(body: bytes) -> dict[str, Any]:
    parsed = json_object(body)
    if parsed is None:
        raise Refusal(error(400))
    return parsed


def _check_placeholders(sent: dict[str, Any]) -> None:
    placeholders = sent.get("placeholders", {})
    if not isinstance(placeholders, dict) or not all(isinstance(v, str) for v in placeholders.values()):
        raise invalid("placeholders", "must be a map of strings")
    if "pin" in placeholders:
        raise invalid("placeholders", "must not contain pin")


def _flag(text: str | None, name: str) -> bool | None:
    if text not in (None, "true", "false"):
        raise invalid(name, "must be true or false")
    return None if text is None else text == "true"
