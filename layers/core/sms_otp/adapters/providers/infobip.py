"""Infobip 2FA, version 2 (`/2fa/2`): it makes, delivers and checks the code, identified by `pinId`."""

import json
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar
from urllib.parse import quote

from sms_otp.adapters.providers import codes, infobip_codes, outcomes, texts
from sms_otp.adapters.providers.outcomes import word
from sms_otp.adapters.providers.transport import HttpResponse, Transport
from sms_otp.domain.clock import Deadline
from sms_otp.domain.provider import (
    Ambiguous,
    Channel,
    Check,
    CodeMessage,
    Delivery,
    DestinationUnavailable,
    Misconfigured,
    NotSent,
    ProviderError,
    Refused,
    Sent,
)

_PIN_ERRORS: Mapping[str, Check] = {
    "WRONG_PIN": Check.WRONG,
    "TTL_EXPIRED": Check.EXPIRED,
    "NO_MORE_PIN_ATTEMPTS": Check.EXHAUSTED,
}

PACE_SECONDS = 3
"""The default `verifyPinLimit` is one guess in this many seconds. No guess waits longer to be retried."""

# Errors have two formats; a messageId or errorCode is logged only if it cannot hold a phone number.
_ERROR_CODE = re.compile(r"[A-Z_]{1,40}|E[0-9]{3}")


WITH_APP_HASH = "+appHash"
"""Ends the name of a template whose text ends with `{{appHash}}`."""


class Infobip:
    """`credentials` are `apiKey`, `applicationId` and `messageId`; `base_url` comes from `hosts`.

    `message_ids` are templates by Infobip language, with `/purpose` for one purpose and `WITH_APP_HASH` for
    apps; `messageId` is for all others.
    Numbers in India get `india_message_ids` instead: operators there drop unregistered texts.
    `sender_ids`, by country, override the template's sender. Every template's PINs must have `code_length`
    digits. `message_parts` are the messages that a template's text is billed as, if more than one.
    """

    name: ClassVar[str] = "infobip"

    def __init__(
        self,
        base_url: str,
        credentials: Mapping[str, str],
        transport: Transport,
        *,
        message_ids: Mapping[str, str],
        india_message_ids: Mapping[str, str],
        sender_ids: Mapping[str, str],
        number_lookup: bool,
        code_length: int,
        message_parts: Mapping[str, int],
        sleep: Callable[[float], object] = time.sleep,
    ) -> None:
        self._base_url = base_url
        self._headers = {
            # An API key's scheme is App; Bearer is for OAuth tokens alone.
            "Authorization": f"App {credentials['apiKey']}",
            "Content-Type": "application/json",
        }
        self._application_id = credentials["applicationId"]
        self._message_id = credentials["messageId"]
        self._message_ids = message_ids
        self._india_message_ids = india_message_ids
        self._sender_ids = sender_ids
        self._code_length = code_length
        self._message_parts = message_parts
        self._sleep = sleep
        self._transport = transport
        lookup = "true" if number_lookup else "false"
        self._send_paths = {Channel.SMS: f"/2fa/2/pin?ncNeeded={lookup}", Channel.VOICE: "/2fa/2/pin/voice"}
        self._resend_paths = {Channel.SMS: "resend", Channel.VOICE: "resend/voice"}

    def send(self, message: CodeMessage, deadline: Deadline) -> Sent:
        """`POST /2fa/2/pin` or `/2fa/2/pin/voice`. Raises a `ProviderError`.

        Not idempotent at Infobip. The code's lifetime is the application's `pinTimeToLive`.
        """
        to, channel = message.to, message.channel
        sender = self._sender_ids.get(to.country) if channel is Channel.SMS else None
        template = self._template(message)
        body = {
            "applicationId": self._application_id,
            "messageId": template.id,
            "to": to.digits,
            "trackDelivery": True,
            **({"from": sender} if sender else {}),
            **template.placeholders,
        }
        answer = self._ask(self._send_paths[channel], body, deadline)
        if not answer.ok:
            raise self._send_failure(answer)
        return self._in(template, channel, self._sent(outcomes.content(self.name, answer)))

    def resend(self, ref: str, message: CodeMessage, deadline: Deadline) -> Sent:
        """`POST /2fa/2/pin/{pinId}/resend` or `…/resend/voice`: the same PIN. Raises a `ProviderError`."""
        path = f"{_pin_path(ref)}/{self._resend_paths[message.channel]}"
        template = self._template(message)
        answer = self._ask(path, {"trackDelivery": True, **template.placeholders}, deadline)
        if answer.status == 404:
            # Nothing was sent and no setting is wrong: only this PIN is gone, so a new one may be sent.
            raise NotSent(self.name, "unknown_pin")
        if not answer.ok:
            raise self._send_failure(answer)
        sent = self._sent(outcomes.content(self.name, answer))
        if sent.ref != ref:
            raise Ambiguous(self.name, "other_pin_id")
        return replace(self._in(template, message.channel, sent), is_same_code=True)

    def check(
        self,
        ref: str,
        otp: str,
        *,
        channel: Channel,  # noqa: ARG002 - of the port; a pinId is enough here
        deadline: Deadline,
    ) -> Check:
        """`POST /2fa/2/pin/{pinId}/verify`. A wrong code is a 200 too. Raises a `ProviderError`.

        A guess that came too soon after another (429) was not checked: it is retried if there is time.
        """
        path = f"{_pin_path(ref)}/verify"
        answer = self._ask(path, {"pin": otp}, deadline)
        pause = answer.retry_after or PACE_SECONDS
        if answer.status == 429 and pause <= PACE_SECONDS and pause < deadline.remaining():
            self._sleep(pause)
            answer = self._ask(path, {"pin": otp}, deadline)
        if answer.status == 404:
            return Check.UNKNOWN
        if not answer.ok:
            raise self._failure(answer)
        return self._verdict(ref, outcomes.content(self.name, answer))

    def probe(self, deadline: Deadline) -> None:
        """`GET /2fa/2/applications/{appId}/messages`: key, host, application and templates at once.

        A template whose PINs this service would not accept is misconfigured. A key with the one scope
        `2fa:pin:send` may not read templates (403), but is right for all else.
        """
        path = f"/2fa/2/applications/{quote(self._application_id, safe='')}/messages"
        answer = self._exchange("GET", path, b"", deadline)
        if answer.ok:
            self._check_templates(answer)
        elif answer.status != 403:
            raise self._failure(answer)

    def _check_templates(self, answer: HttpResponse) -> None:
        """Raises `Misconfigured` if a used template is missing or its PINs have another type or length."""
        listed = outcomes.items(self.name, answer)
        held = {word(template.get("messageId")): template for template in listed}
        for message_id in {self._message_id, *self._message_ids.values(), *self._india_message_ids.values()}:
            if (template := held.get(message_id)) is None:
                raise Misconfigured(self.name, "messageId")
            if (template.get("pinType"), template.get("pinLength")) != ("NUMERIC", self._code_length):
                raise Misconfigured(self.name, "CodeLength")

    def _template(self, message: CodeMessage) -> "_Template":
        """Choose the template: for `pt-BR` that of `pt_br`, else of `pt`, else the default.

        Within each, the purpose's template goes first, and its app variant if the message names an app.
        """
        message_ids = self._india_message_ids if message.to.country == "IN" else self._message_ids
        defaults = (name for name, message_id in message_ids.items() if message_id == self._message_id)
        for locale in (message.locale, next(defaults, "").replace("_", "-")):
            for name in texts.names(locale, message.purpose, joint="_"):
                if name not in message_ids:
                    continue
                if message.app_hash is None or name + WITH_APP_HASH not in message_ids:
                    return _Template(message_ids[name])
                # A resend by voice reads out the text of the SMS. A hash would be noise there, and whether
                # Infobip takes an empty value is unknown.
                app_hash = message.app_hash if message.channel is Channel.SMS else "."
                return _Template(message_ids[name + WITH_APP_HASH], app_hash)
        return _Template(self._message_id)

    def _in(self, template: "_Template", channel: Channel, sent: Sent) -> Sent:
        """Add the template's parts and app hash to an SMS. A call counts once, however long its text."""
        if channel is not Channel.SMS:
            return sent
        has_app_hash = template.app_hash is not None
        return replace(sent, parts=self._message_parts.get(template.id, 1), has_app_hash=has_app_hash)

    def _sent(self, content: dict[str, Any]) -> Sent:
        """Read a 200, which may still say that nothing was sent. Without a status, a pinId means success."""
        status = word(content.get("smsStatus") or content.get("callStatus"))
        for code in map(infobip_codes.named, (word(content.get("ncStatus")), status)):
            if code is not None and code.kind is not None:
                raise codes.ERRORS[code.kind](self.name, code.name)
        taken = infobip_codes.named(status)
        ref = content.get("pinId")
        if not outcomes.is_reference(ref):
            raise Ambiguous(self.name, "no_pin_id")
        message_id = content.get("externalMessageId")
        return Sent(
            ref,
            delivery=taken.delivery if taken else Delivery.UNKNOWN if status else Delivery.ACCEPTED,
            # An unusable id is dropped: it costs delivery reports, but must not cost the code.
            message_id=message_id if outcomes.is_reference(message_id) else None,
        )

    def _verdict(self, ref: str, content: dict[str, Any]) -> Check:
        """`attemptsRemaining` is 0 on success too, so `verified` alone decides, and only as a boolean."""
        if content.get("pinId", ref) != ref:
            raise Ambiguous(self.name, "other_pin_id")
        verified = content.get("verified")
        if verified is True:
            return Check.CORRECT
        if verified is False:
            return _PIN_ERRORS.get(word(content.get("pinError")), Check.WRONG)
        raise Ambiguous(self.name, "no_verdict")

    def _ask(self, path: str, body: Mapping[str, object], deadline: Deadline) -> HttpResponse:
        return self._exchange("POST", path, json.dumps(body).encode(), deadline)

    def _exchange(self, method: str, path: str, body: bytes, deadline: Deadline) -> HttpResponse:
        return outcomes.ask(
            self.name,
            self._transport,
            method,
            self._base_url + path,
            headers=self._headers,
            body=body,
            deadline=deadline,
        )

    def _send_failure(self, answer: HttpResponse) -> ProviderError:
        if _is_about_number(answer):
            return self._failure(answer, Refused)
        if answer.status == 429:
            # One status for three limits, and not always a body that distinguishes them. The one that a
            # deployment meets is the number's own, three a day by default.
            return self._failure(answer, DestinationUnavailable)
        return self._failure(answer, codes.error_of(infobip_codes.failed(_error_code(answer))))

    def _failure(self, answer: HttpResponse, kind: type[ProviderError] | None = None) -> ProviderError:
        return outcomes.failure(self.name, answer, code=_error_code(answer), kind=kind)


@dataclass(frozen=True, slots=True)
class _Template:
    """A message template at Infobip, and the text that replaces `{{appHash}}` in it."""

    id: str
    app_hash: str | None = None

    @property
    def placeholders(self) -> dict[str, object]:
        return {} if self.app_hash is None else {"placeholders": {"appHash": self.app_hash}}


def _pin_path(ref: str) -> str:
    return f"/2fa/2/pin/{quote(ref, safe='')}"


def _is_about_number(answer: HttpResponse) -> bool:
    """Whether a 400 names `to` and no other field. Any other is about our request."""
    return answer.status == 400 and _faulty_fields(answer) == {"to"}


def _faulty_fields(answer: HttpResponse) -> set[str]:
    """The last names of the fields that an error rejects, in either of the two formats."""
    content = outcomes.error_content(answer)
    named = _object(_service_exception(content).get("validationErrors"))
    violations = content.get("violations")
    listed = [_object(item).get("property") for item in violations] if isinstance(violations, list) else []
    return {word(field).rpartition(".")[2] for field in (*named, *listed)}


def _error_code(answer: HttpResponse) -> str | None:
    content = outcomes.error_content(answer)
    code = word(_service_exception(content).get("messageId") or content.get("errorCode"))
    return code if _ERROR_CODE.fullmatch(code) else None


def _service_exception(content: dict[str, Any]) -> dict[str, Any]:
    return _object(_object(content.get("requestError")).get("serviceException"))


def _object(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}
