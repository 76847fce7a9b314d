"""Providers' callbacks: whether they are a provider's own, and what they change.

Whatever comes over HTTP and is not signed with the secret that this deployment shares with the provider is
refused before it is read; what AWS brings itself has passed IAM. What a provider says is recorded as the
delivery of a code and as nothing else: no callback verifies anyone, and one that comes twice, late or out
of order changes nothing more.
"""

import base64
import hmac
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sms_otp.adapters.providers import aws_codes, infobip_codes, sinch_codes
from sms_otp.adapters.providers.outcomes import is_reference, word
from sms_otp.adapters.providers.sinch import decoded_secret, signature_of
from sms_otp.domain import errors, strict_json
from sms_otp.domain.clock import Clock
from sms_otp.domain.commands import Callback
from sms_otp.domain.ports import EventSink, Store
from sms_otp.domain.provider import Delivery, Misconfigured
from sms_otp.domain.verification import DELIVERY_BEFORE, State, Verification
from sms_otp.use_cases.event_fields import event_fields

BODY_LIMIT = 2 * 1024 * 1024
"""Bytes. Infobip batches up to 2000 reports (`maxBucketSize`), each of about 500 bytes."""
CLOCK_WINDOW = 300
"""Seconds that a signature's time may lie before or after ours. Sinch names no tolerance of its own."""

Credentials = Mapping[str, str]

_BY_SECRET = ("key", "signature", "password", "not configured")
"""Refusals that another secret could turn."""

# `2023-12-01T15:01:20.0406449Z`: always UTC, with up to seven digits after the seconds.
_TIMESTAMP = re.compile(r"([0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2})(?:\.[0-9]{1,9})?Z")

# The verification's key and, for every send after the first, which one it is; see `service`.
_REFERENCE = re.compile(r"([0-9a-f]{64})(?:-([1-9][0-9]{0,3}))?")


@dataclass(frozen=True, slots=True)
class Report:
    """What a provider says about one message. `reason` is the provider's code for it, if it has one."""

    message_id: str
    delivery: Delivery
    reason: str | None = None


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
        event_type, message_id = word(event.get("eventType")), event.get("messageId")
        delivery = aws_codes.delivery_of(event_type)
        is_told = delivery is Delivery.DELIVERED or event.get("isFinal") is True
        if delivery and is_told and is_reference(message_id):
            self._record_messages("aws", [Report(message_id, delivery, event_type)])

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
                self._record_sinch(event, word(event.get("smsResult")))
            case "VerificationResultEvent":
                self._record_sinch(event, word(event.get("status")))
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

    def _record_sinch(self, event: Mapping[str, Any], said: str) -> None:
        """A report on an earlier code says nothing of the newest, whose `id` is another."""
        delivery = sinch_codes.delivery_of(said)
        reference = _REFERENCE.fullmatch(word(event.get("reference")))
        if delivery is None or reference is None:
            return
        found = self.store.find(reference[1])
        if found and found.provider == "sinch" and found.provider_ref == event.get("id"):
            reason = word(event.get("reason"))
            self._record(found, delivery, reason if reason in sinch_codes.REASON_NAMES else said)

    def _infobip(self, event: Mapping[str, Any]) -> dict[str, Any]:
        """Delivery reports of SMS v3: `{"results": [{"messageId", "status": {"groupId"}, …}, …]}`."""
        results = event.get("results")
        self._record_messages("infobip", _infobip_reports(results if isinstance(results, list) else []))
        return {}

    def _record_messages(self, provider: str, reports: Iterable[Report]) -> None:
        """As `_record_sinch`; several messages may carry one code, and each report says something of it.

        A batch that was cut short comes again: a report that says nothing new costs no write then.
        """
        new = [report for report in reports if DELIVERY_BEFORE[report.delivery]]
        messages = self.store.find_messages(provider, {report.message_id for report in new})
        held = self.store.find_each({key for key, _ in messages.values()})
        for report in new:
            key, ref = messages.get(report.message_id, ("", ""))
            found = held.get(key)
            if found and (found.provider, found.provider_ref) == (provider, ref):
                self._record(found, report.delivery, report.reason)

    def _record(self, found: Verification, delivery: Delivery, reason: str | None) -> None:
        is_new = found.delivery in DELIVERY_BEFORE[delivery]
        if not is_new or not self.store.record_delivery(found.key, delivery):
            return
        is_delivered = delivery is Delivery.DELIVERED
        self.emit(
            "delivery_reported",
            **event_fields(found),
            delivery=delivery,
            reason=None if is_delivered else reason,
            # Where nobody knows, neither a success nor a failure is counted.
            delivered=None if delivery is Delivery.UNKNOWN else int(is_delivered),
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
    """Why a callback is not Infobip's, or None if it is: HTTP Basic, the one scheme that it documents whole.

    Its subscriptions can sign as well (HMAC), but neither the header nor its form is documented.
    """
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


def _infobip_reports(results: Iterable[Any]) -> list[Report]:
    """The results that say something about a message."""
    found = []
    for result in results:
        status = result.get("status") if isinstance(result, dict) else None
        code = infobip_codes.reported(status) if isinstance(status, dict) else None
        if code and is_reference(result.get("messageId")):
            found.append(Report(result["messageId"], code.delivery, code.name or None))
    return found
