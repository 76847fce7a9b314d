"""Sinch's callbacks: a request before each send, and events afterwards, signed like requests."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from local.sandbox.callbacks import Callbacks, Target, ask
from local.sandbox.credentials import SINCH_APPLICATION_KEY, SINCH_APPLICATION_SECRET
from local.sandbox.json_body import json_object
from local.sandbox.sinch_auth import signature
from local.sandbox.sinch_request import CALLOUT, SMS
from local.sandbox.times import Clock

CONTENT_TYPE = "application/json; charset=utf-8"
"""As in Sinch's samples, which also write the scheme in lower case."""


@dataclass(frozen=True, slots=True)
class Decision:
    """The callback's answer: `denied` is the reason for a refusal; `code` replaces Sinch's code."""

    denied: str | None = None
    code: str | None = None


# "The SMS code is not valid. Maximum 10 characters. Valid characters: A-Z, a-z, 0-9, '-'". Callouts too.
_CODE = re.compile(r"[A-Za-z0-9-]{1,10}")
_WITH_CODE = (SMS, CALLOUT)


def _decided(answer: Mapping[str, Any], method: str) -> Decision:
    if answer.get("action") == "deny":
        return Decision(denied="Denied by callback")
    options = answer.get(method, {}) if method in _WITH_CODE else {}
    code = options.get("code") if isinstance(options, dict) else ""
    is_code = code is None or (isinstance(code, str) and _CODE.fullmatch(code))
    if answer.get("action") != "allow" or not is_code:
        return Decision(denied="Invalid callback")
    return Decision(code=code)


class Events:
    """Posts to the application's callback URL; without one, allows every send and posts no event."""

    def __init__(self, callbacks: Callbacks, clock: Clock) -> None:
        self._callbacks = callbacks
        self._clock = clock

    async def decision(self, fields: Mapping[str, Any], method: str) -> Decision:
        """Post a VerificationRequestEvent. Returns whether to send, and with which code."""
        target = self._callbacks.target("sinch")
        if target is None:
            return Decision()
        price = {"price": {"amount": 0.0453, "currencyId": "EUR"}}
        answer = await ask(target.url, *self._signed(target, "VerificationRequestEvent", {**fields, **price}))
        body = None if answer is None or answer.status_code != 200 else json_object(answer.content)
        return _decided(body or {}, method)

    def emit(self, event: str, fields: Mapping[str, Any]) -> None:
        """Post an event that needs no answer."""
        target = self._callbacks.target("sinch")
        if target is not None:
            self._callbacks.post(target.url, *self._signed(target, event, fields))

    def _signed(self, target: Target, event: str, fields: Mapping[str, Any]) -> tuple[bytes, dict[str, str]]:
        body = json.dumps({"event": event, **fields}).encode()
        # Seven fractional digits, as in Sinch's samples.
        now = datetime.fromtimestamp(self._clock(), UTC)
        timestamp = f"{now:%Y-%m-%dT%H:%M:%S.%f}0Z"
        made = signature(
            secret=SINCH_APPLICATION_SECRET,
            method="POST",
            body=body,
            content_type=CONTENT_TYPE,
            timestamp=timestamp,
            path=target.path,
        )
        authorization = f"application {SINCH_APPLICATION_KEY}:{made}"
        return body, {
            "Content-Type": CONTENT_TYPE,
            "x-timestamp": timestamp,
            "Authorization": authorization,
        }
