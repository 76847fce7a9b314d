"""Has a reserved code sent, and stores what became of it."""

from collections.abc import Callable
from dataclasses import dataclass

from sms_otp.domain import errors
from sms_otp.domain.clock import Deadline
from sms_otp.domain.idempotency import IdempotencyRecord, StoredAnswer, answered
from sms_otp.domain.ports import EventSink, ProviderHandle, Providers, Reservation, Store, StoreError
from sms_otp.domain.provider import Ambiguous, OnFailure, Order, ProviderError, Refused, Sent
from sms_otp.use_cases.event_fields import event_fields, failure_fields
from sms_otp.use_cases.service import unavailable


@dataclass(frozen=True, slots=True)
class CodeSender:
    """The way of one reservation to the phone."""

    store: Store
    providers: Providers
    emit: EventSink
    price: float | None
    """US dollars, as estimated, that a provider takes for this send; None where it costs nothing."""

    def deliver(self, reservation: Reservation, order: Order, resend_after: int, deadline: Deadline) -> None:
        """Raises `ProviderRejected` or `ProviderUnavailable`.

        What was certainly not sent is given back; what may have been sent stays reserved and is never
        sent again. A resend that fails leaves the verification as it was: an earlier code may be right.
        """
        verification = reservation.verification
        fields = event_fields(verification, order.to) | {"channel": order.channel}

        def failed_over(failed: ProviderError) -> None:
            self.emit("provider_failed", **fields | failure_fields(failed))
            self.emit("failed_over", **fields | {"provider": failed.provider})

        try:
            name, sent = self._ask(reservation, order, deadline, failed_over)
        except Refused as refused:
            self.emit("otp_rejected", **fields | failure_fields(refused))
            self._note("rejection_unrecorded", lambda: self._record_refused(reservation))
            raise errors.ProviderRejected(reason=refused.reason) from refused
        except Ambiguous as unknown:
            self.emit("provider_failed", **fields | failure_fields(unknown))
            self._note("doubt_unrecorded", lambda: self._record_unknown(reservation, resend_after))
            raise errors.ProviderUnavailable(reason="ambiguous", retry_after=resend_after) from unknown
        except ProviderError as failed:
            self.emit("provider_failed", **fields | failure_fields(failed))
            self._note("release_failed", lambda: self.store.release(reservation))
            raise unavailable(failed) from failed
        holder = ProviderHandle(name, sent.ref, order.channel, sent.delivery, sent.message_id)
        answer = StoredAnswer(verification.expires_at, resend_after)
        self._record_sent(reservation, holder, answered(reservation.idempotency_record, answer))
        event = "otp_resent" if reservation.resend else "otp_requested"
        # The handle that the provider's own staff and reports know this message by. That of a number whose
        # code is fixed is the number itself.
        handle = None if order.to.is_test else sent.message_id or sent.ref
        more = {"provider": name, "provider_ref": handle, "cost": self.price}
        self.emit(event, **fields | more)

    def _ask(
        self, reservation: Reservation, order: Order, deadline: Deadline, on_failure: OnFailure
    ) -> tuple[str, Sent]:
        if not reservation.resend:
            return self.providers.send(order, deadline, on_failure)
        held = reservation.verification
        return self.providers.resend(str(held.provider), str(held.provider_ref), order, deadline, on_failure)

    def _record_refused(self, reservation: Reservation) -> None:
        refused = StoredAnswer(error=errors.ProviderRejected.code)
        idempotency_record = answered(reservation.idempotency_record, refused)
        if not reservation.resend:
            self.store.record_failed(reservation.verification.key, idempotency_record)
        elif idempotency_record is not None:
            self.store.record_answer(idempotency_record)

    def _record_unknown(self, reservation: Reservation, resend_after: int) -> None:
        """Whoever repeats the request is told the same again. The claim alone keeps it from sending."""
        answer = StoredAnswer(error=errors.ProviderUnavailable.code, resend_after=resend_after)
        if (idempotency_record := answered(reservation.idempotency_record, answer)) is not None:
            self.store.record_answer(idempotency_record)

    def _note(self, otherwise: str, write: Callable[[], None]) -> None:
        """Store what became of a send that did not succeed. If that fails, what was reserved stays so.

        `otherwise` is the event that then says so. The caller is told the provider's word either way, and
        nothing is sent again.
        """
        try:
            write()
        except StoreError as error:
            self.emit(otherwise, reason=error.reason)

    def _record_sent(
        self, reservation: Reservation, holder: ProviderHandle, idempotency_record: IdempotencyRecord | None
    ) -> None:
        """Tried twice: the phone has the code by now, and what is not stored can never be verified."""
        verification = reservation.verification
        number = reservation.number
        try:
            self.store.record_sent(verification.key, holder, idempotency_record, number)
        except StoreError as error:
            self.emit("store_failed", reason=error.reason)
            self.store.record_sent(verification.key, holder, idempotency_record, number)
