"""Providers' callbacks: whether they are a provider's own, and what they change.

Whatever comes over HTTP and is not signed with the secret that this deployment shares with the provider is
refused before it is read; what AWS brings itself has passed IAM. What a provider says is recorded as the
delivery of a code and as nothing else: no callback verifies anyone, and one that comes twice, late or out
of order changes nothing more.
"""

import base64
import hashlib
import hmac
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sms_otp.adapters.providers.outcomes import is_reference, word
from sms_otp.adapters.providers.sinch import decoded_secret, signature_of
from sms_otp.domain import errors, strict_json
from sms_otp.domain.clock import Clock
from sms_otp.domain.commands import Callback
from sms_otp.domain.ports import EventSink, Store
from sms_otp.domain.provider import Delivery, Misconfigured
from sms_otp.domain.verification import State, Verification
from sms_otp.use_cases.event_fields import event_fields

BODY_LIMIT = 64 * 1024
"""Bytes. Sinch tells one event at a time, Infobip a few hundred bytes for each of several messages."""
CLOCK_WINDOW = 300
"""Seconds that a signature's time may lie before or after ours. Sinch names no tolerance of its own."""

INFOBIP_SIGNATURE_HEADER = "x-hub-signature"
"""Carries `sha256=` and the HMAC-SHA256 of the body in hex. Not verified: Infobip documents that its
subscriptions sign by HMAC, but neither the header nor its form. HTTP Basic is documented in full."""

Credentials = Mapping[str, str]

_BY_SECRET = ("key", "signature", "password", "not configured")
"""Refusals that another secret could turn."""

# `2023-12-01T15:01:20.0406449Z`: always UTC, with up to seven digits after the seconds.
_TIMESTAMP = re.compile(r"([0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2})(?:\.[0-9]{1,9})?Z")

# The verification's key and, for every send after the first, which one it is; see `service`.
_REFERENCE = re.compile(r"([0-9a-f]{64})(?:-([1-9][0-9]{0,3}))?")

_SINCH_SMS_RESULTS = {"Successful": Delivery.DELIVERED, "Failed": Delivery.FAILED}
# What a verification's end says of its code's way: whoever typed it had it; a denied one was never sent.
_SINCH_STATUSES = {
    "SUCCESSFUL": Delivery.DELIVERED,
    "DENIED": Delivery.FAILED,
    "ERROR": Delivery.FAILED,
}
# Infobip's groups: 2 undeliverable, 3 delivered, 4 expired, 5 rejected. 0 and 1 decide nothing.
_INFOBIP_GROUPS = {2: Delivery.FAILED, 3: Delivery.DELIVERED, 4: Delivery.FAILED, 5: Delivery.FAILED}

# AWS's `eventType`, less `TEXT_`. SUCCESSFUL is the carrier's word that it took it, and no handset's.
_AWS_EVENTS = {
    "DELIVERED": Delivery.DELIVERED,
    **dict.fromkeys(
        (
            "INVALID",
            "INVALID_MESSAGE",
            "UNREACHABLE",
            "CARRIER_UNREACHABLE",
            "BLOCKED",
            "CARRIER_BLOCKED",
            "SPAM",
            "TTL_EXPIRED",
            "PROTECT_BLOCKED",
        ),
        Delivery.FAILED,
    ),
}


@dataclass(frozen=True, slots=True)
class Webhooks:
    """The use case over one deployment's store and secrets."""

    store: Store
    credentials: Callable[[str], Credentials]
    """A provider's fields of the provider secret. Raises `ServiceMisconfigured`."""
    renew: Callable[[], bool]
    """Have them fetched anew, unless that was done a moment ago. See `secrets.SecretCache`."""
    providers: frozenset[str]
    """Those that this deployment uses; it takes no callback of another."""
    clock: Clock
    emit: EventSink

    def receive(self, callback: Callback) -> dict[str, Any]:
        """What the provider is to be answered. Raises `Forbidden` for what is not the provider's own."""
        provider = callback.path.rpartition("/")[2]
        if provider not in self.providers & _READERS.keys():
            raise errors.Forbidden(reason="no such provider")
        reason = self._refusal(provider, callback)
        # A secret that was rotated a moment ago makes what is genuine look forged.
        if reason in _BY_SECRET and self.renew():
            reason = self._refusal(provider, callback)
        if reason is not None:
            refused = errors.Forbidden(reason=reason)
            refused.about = {"provider": provider}
            raise refused
        try:
            event = strict_json.parse_object(callback.body, limit=BODY_LIMIT)
        except ValueError:
            # Genuine, so sending it again would not make it readable.
            self.emit("webhook_ignored", provider=provider, reason="unreadable")
            return {}
        return _READERS[provider](self, event)

    def receive_from_aws(self, message: str) -> None:
        """One event of AWS End User Messaging: `{"eventType", "isFinal", "messageId", …}`."""
        try:
            event = strict_json.parse_object(message.encode(errors="surrogatepass"), limit=BODY_LIMIT)
        except ValueError:
            self.emit("webhook_ignored", provider="aws", reason="unreadable")
            return
        delivery = _AWS_EVENTS.get(word(event.get("eventType")).removeprefix("TEXT_"))
        if delivery is Delivery.DELIVERED or event.get("isFinal") is True:
            self._record_message("aws", event.get("messageId"), delivery)

    def _refusal(self, provider: str, callback: Callback) -> str | None:
        if len(callback.body) > BODY_LIMIT:
            return "too long"
        if provider == "sinch":
            return sinch_refusal(callback, self.credentials(provider), self.clock())
        return infobip_refusal(callback, self.credentials(provider))

    def _sinch(self, event: Mapping[str, Any]) -> dict[str, Any]:
        """One event. Those that are not known, such as Sinch may yet add, change nothing."""
        match event.get("event"):
            case "VerificationRequestEvent":
                return {"action": "allow" if self._may_be_sent(event) else "deny"}
            case "VerificationSmsDeliveredEvent":
                self._record_sinch(event, _SINCH_SMS_RESULTS.get(word(event.get("smsResult"))))
            case "VerificationResultEvent":
                self._record_sinch(event, _SINCH_STATUSES.get(word(event.get("status"))))
        return {}

    def _may_be_sent(self, event: Mapping[str, Any]) -> bool:
        """Only what was reserved here is sent, so that a stolen application key cannot spend money.

        The newest send of a verification alone: Sinch asks about it before it answers our start.
        """
        reference = _REFERENCE.fullmatch(word(event.get("reference")))
        found = self.store.find(reference[1]) if reference else None
        if reference is None or found is None:
            return False
        return (
            found.state is State.PENDING
            and self.clock() < found.expires_at
            and found.phone == _endpoint(event)
            and found.sends - 1 == int(reference[2] or 0)
        )

    def _record_sinch(self, event: Mapping[str, Any], delivery: Delivery | None) -> None:
        """A report on an earlier code says nothing of the newest, whose `id` is another."""
        reference = _REFERENCE.fullmatch(word(event.get("reference")))
        if delivery is None or reference is None:
            return
        found = self.store.find(reference[1])
        if found and found.provider == "sinch" and found.provider_ref == event.get("id"):
            self._record(found, delivery)

    def _infobip(self, event: Mapping[str, Any]) -> dict[str, Any]:
        """Delivery reports of SMS v3: `{"results": [{"messageId", "status": {"groupId"}, …}, …]}`."""
        results = event.get("results")
        for result in results if isinstance(results, list) else ():
            self._record_message("infobip", *_infobip_report(result))
        return {}

    def _record_message(self, provider: str, message_id: object, delivery: Delivery | None) -> None:
        """As there; of one code several messages may have been sent, and each report says something of it."""
        if delivery is None or not is_reference(message_id):
            return
        message = self.store.find_message(provider, message_id)
        if message is None:
            return
        key, ref = message
        found = self.store.find(key)
        if found and (found.provider, found.provider_ref) == (provider, ref):
            self._record(found, delivery)

    def _record(self, found: Verification, delivery: Delivery) -> None:
        if not self.store.record_delivery(found.key, delivery):
            return
        is_delivered = delivery is Delivery.DELIVERED
        self.emit(
            "delivery_reported",
            **event_fields(found),
            delivery=delivery,
            delivered=int(is_delivered),
            # How long a failure took to be noticed is no measure of delivery.
            seconds=max(0, int(self.clock()) - found.created_at) if is_delivered else None,
        )


_READERS: Mapping[str, Callable[[Webhooks, Mapping[str, Any]], dict[str, Any]]] = {
    "sinch": Webhooks._sinch,
    "infobip": Webhooks._infobip,
}


def sinch_refusal(callback: Callback, credentials: Credentials, now: float) -> str | None:
    """Why a callback is not Sinch's, or None if it is: `Authorization: Application <key>:<signature>`.

    The signature is over the verb, the body's bytes, and Content-Type, time and path as they were sent
    (Sinch, "Callback request signing"). Raises `ServiceMisconfigured`.
    """
    scheme, _, value = callback.headers.get("authorization", "").partition(" ")
    key, _, signature = value.partition(":")
    if scheme.lower() != "application" or not signature:
        return "no signature"
    timestamp = callback.headers.get("x-timestamp", "")
    signed_at = _seconds(timestamp)
    if signed_at is None or abs(now - signed_at) > CLOCK_WINDOW:
        return "timestamp"
    try:
        own_key, secret = credentials["applicationKey"], decoded_secret(credentials["applicationSecret"])
    except (KeyError, Misconfigured):
        raise errors.ServiceMisconfigured(reason="secret field sinch") from None
    content_type = callback.headers.get("content-type", "")
    try:
        expected = signature_of(secret, "POST", callback.path, callback.body, content_type, timestamp)
    except UnicodeError:
        return "not text"
    # Both are compared, whatever the first says, so that time tells nothing of either.
    is_ours, is_signed = _equal(key, own_key), _equal(signature, expected)
    if not is_ours:
        return "key"
    return None if is_signed else "signature"


def infobip_refusal(callback: Callback, credentials: Credentials) -> str | None:
    """Why a callback is not Infobip's, or None if it is. A secret to sign with goes before a password.

    The signature names no time, so an old report may be repeated; it changes nothing more.
    """
    if secret := credentials.get("webhookSecret"):
        signature = callback.headers.get(INFOBIP_SIGNATURE_HEADER, "")
        expected = "sha256=" + hmac.new(secret.encode(), callback.body, hashlib.sha256).hexdigest()
        return None if _equal(signature, expected) else "signature"
    user, password = credentials.get("webhookUser"), credentials.get("webhookPassword")
    if not user or not password:
        return "not configured"
    scheme, _, value = callback.headers.get("authorization", "").partition(" ")
    pair = base64.b64encode(f"{user}:{password}".encode()).decode()
    return None if scheme.lower() == "basic" and _equal(value, pair) else "password"


def _equal(given: str, expected: str) -> bool:
    """In constant time. Bytes, because of text only ASCII can be compared so."""
    return hmac.compare_digest(given.encode(errors="surrogatepass"), expected.encode())


def _seconds(timestamp: str) -> float | None:
    found = _TIMESTAMP.fullmatch(timestamp)
    if found is None:
        return None
    try:
        return datetime.fromisoformat(found[1]).replace(tzinfo=UTC).timestamp()
    except ValueError:
        return None


def _endpoint(event: Mapping[str, Any]) -> str:
    """The number that Sinch is about to send to, in E.164."""
    identity = event.get("identity")
    return word(identity.get("endpoint")) if isinstance(identity, dict) else ""


def _infobip_report(result: Any) -> tuple[object, Delivery | None]:
    """(messageId, delivery) of one result; None for whatever is not there or decides nothing."""
    if not isinstance(result, dict):
        return None, None
    status = result.get("status")
    group = status.get("groupId") if isinstance(status, dict) else None
    return result.get("messageId"), _INFOBIP_GROUPS.get(group) if type(group) is int else None
