"""Sinch's callbacks: what it asks before it sends, and what it tells after, all signed as requests are."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from local.sandbox.callbacks import Callbacks, Target, ask
from local.sandbox.credentials import SINCH_APPLICATION_KEY, SINCH_APPLICATION_SECRET
from local.sandbox.json_body import json_object
from local.sandbox.sinch_auth import signature
from local.sandbox.times import Clock

CONTENT_TYPE = "application/json; charset=utf-8"
"""As Sinch's own samples have it, and the scheme in small letters too."""


class Events:
    """Posts to the application's one callback URL; without one, everything is allowed and nothing told."""

    def __init__(self, callbacks: Callbacks, clock: Clock) -> None:
        self._callbacks = callbacks
        self._clock = clock

    async def refused(self, about: Mapping[str, Any]) -> str | None:
        """VerificationRequestEvent: the reason why it may not be sent, `None` where it may."""
        target = self._callbacks.target("sinch")
        if target is None:
            return None
        price = {"price": {"amount": 0.0453, "currencyId": "EUR"}}
        answer = await ask(target.url, *self._signed(target, "VerificationRequestEvent", {**about, **price}))
        told = None if answer is None or answer.status_code != 200 else json_object(answer.content)
        action = (told or {}).get("action")
        if action == "allow":
            return None
        return "Denied by callback" if action == "deny" else "Invalid callback"

    def emit(self, event: str, about: Mapping[str, Any]) -> None:
        """Post an event that needs no answer."""
        target = self._callbacks.target("sinch")
        if target is not None:
            self._callbacks.post(target.url, *self._signed(target, event, about))

    def _signed(self, target: Target, event: str, about: Mapping[str, Any]) -> tuple[bytes, dict[str, str]]:
        body = json.dumps({"event": event, **about}).encode()
        # Seven digits of a second, as in Sinch's samples.
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
