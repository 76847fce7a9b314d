"""Providers' callbacks: authenticate them, and record the deliveries that they report.

An HTTP callback is authenticated before its body is parsed; IAM guards AWS events. A callback can never
verify a user. A repeated, late or out-of-order callback changes nothing.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sms_otp.domain import errors, keys, phone, strict_json
from sms_otp.domain.callbacks import BY_SECRET, CallbackReader, CodeRequest, Credentials, Report
from sms_otp.domain.clock import Clock, seconds
from sms_otp.domain.commands import Callback
from sms_otp.domain.keys import Peppers
from sms_otp.domain.ports import EventSink, OwnCode, Store
from sms_otp.domain.provider import Delivery
from sms_otp.domain.verification import DELIVERY_BEFORE, State, Verification
from sms_otp.use_cases.event_fields import event_fields

BODY_LIMIT = 2 * 1024 * 1024
"""Bytes. Infobip batches up to 2000 reports (`maxBucketSize`), each of about 500 bytes."""


@dataclass(frozen=True, slots=True)
class Webhooks:
    """The use cases, on one deployment's store and secrets."""

    store: Store
    credentials: Callable[[str], Credentials]
    """A provider's fields of the provider secret. Raises `ServiceMisconfigured`."""
    renew: Callable[[], bool]
    """Fetch them again; False if they are fresh. See `secrets.SecretCache.renew_credentials`."""
    readers: Mapping[str, CallbackReader]
    """By provider, of those that call back over HTTP."""
    read_from_aws: Callable[[Mapping[str, Any]], Sequence[Report]]
    providers: frozenset[str]
    """The providers in use; callbacks of others are refused."""
    peppers: Callable[[], Peppers]
    """Raises `ServiceMisconfigured`."""
    code_length: int
    clock: Clock
    emit: EventSink

    def receive(self, callback: Callback) -> dict[str, Any]:
        """Process a callback; returns the answer's body. Raises `Forbidden` if it is not authentic."""
        provider = callback.path.rpartition("/")[2]
        if provider not in self.providers & self.readers.keys():
            raise errors.Forbidden(reason="no such provider")
        reason = self._refusal(provider, callback)
        # After a rotation, a cached secret makes a genuine callback look forged.
        if reason in BY_SECRET and self.renew():
            reason = self._refusal(provider, callback)
        if reason is not None:
            raise errors.Forbidden(reason=reason, context={"provider": provider})
        try:
            event = strict_json.parse_object(callback.body, limit=BODY_LIMIT)
        except ValueError:
            # Answered with 200: the provider would send the same unreadable body again.
            self.emit("webhook_ignored", provider=provider, reason="unreadable")
            return {}
        content = self.readers[provider].read(event)
        if isinstance(content, CodeRequest):
            code = self._own_code(content)
            may_send = code is not None or self._may_be_sent(content)
            return self.readers[provider].answer(content, may_send=may_send, code=code)
        self._record_all(provider, content)
        return {}

    def receive_from_aws(self, message: str) -> None:
        """Record one event of AWS End User Messaging, given as JSON."""
        try:
            event = strict_json.parse_object(message.encode(errors="surrogatepass"), limit=BODY_LIMIT)
        except ValueError:
            self.emit("webhook_ignored", provider="aws", reason="unreadable")
            return
        self._record_all("aws", self.read_from_aws(event))

    def _refusal(self, provider: str, callback: Callback) -> str | None:
        if len(callback.body) > BODY_LIMIT:
            return "too long"
        return self.readers[provider].refusal(callback, self.credentials(provider), self.clock())

    def _own_code(self, request: CodeRequest) -> str | None:
        """The verification's own code, the same for each of its sends; None if the provider makes the code.

        Only for a send that we started and that is under way, so that a stolen application key reads no code.
        A code implies permission to send: the same conditions apply to both.
        """
        if request.send is None or not request.takes_code or not request.callback_key:
            return None
        try:
            peppers = self.peppers()
        except errors.ServiceMisconfigured as error:
            # Without its own code a verification still works; without an answer the provider sends nothing.
            self.emit("own_code_failed", reason=error.reason)
            return None
        send = request.send
        if not keys.is_callback_key(peppers, send.key, request.callback_key):
            return None
        under_way = OwnCode(send.key, send.number, send.ref, request.phone, seconds(self.clock))
        found = self.store.note_own_code(under_way)
        if found is None or found.nonce is None:
            return None
        return keys.own_code(peppers, found.nonce, found.key, self.code_length)

    def _may_be_sent(self, request: CodeRequest) -> bool:
        """Whether we reserved this send, so that a stolen application key cannot spend money.

        Only a verification's newest send: the provider's request comes before its answer to our start.
        """
        if request.send is None:
            return False
        found = self.store.find(request.send.key)
        return (
            found is not None
            and found.state is State.PENDING
            and self.clock() < found.expires_at
            and found.phone == request.phone
            and found.sends - 1 == request.send.number
        )

    def _record_all(self, provider: str, reports: Sequence[Report]) -> None:
        """Record the reports on each verification's current code; a report on an earlier code is ignored.

        One code may have several messages, each with reports. A batch that failed midway is sent again: a
        report that changes nothing costs no write then.
        """
        new = [report for report in reports if DELIVERY_BEFORE[report.delivery]]
        named = {report.key for report in new if report.key}
        listed = self._listed({report.phone for report in new if report.phone})
        held = {
            handle: found
            for found in self.store.find_each(named | listed).values()
            if found.provider == provider
            for handle in (found.provider_ref, *found.message_ids)
        }
        for report in new:
            if found := held.get(report.handle):
                self._record(found, report.delivery, report.reason)

    def _listed(self, phones: Collection[str]) -> frozenset[str]:
        """Keys of these numbers' verifications. Raises `ServiceMisconfigured`."""
        if not phones:
            return frozenset()
        peppers = self.peppers()
        number_keys = {key for each in phones for key in keys.number_keys(peppers, phone.canonical(each))}
        return self.store.find_listed(number_keys, seconds(self.clock))

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
            # An unknown outcome counts as neither success nor failure.
            delivered=None if delivery is Delivery.UNKNOWN else int(is_delivered),
            # The time until a failure was noticed does not measure delivery.
            seconds=max(0, seconds(self.clock) - found.created_at) if is_delivered else None,
        )
