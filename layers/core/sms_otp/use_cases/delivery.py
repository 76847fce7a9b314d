"""Sends a reserved code, and stores the outcome."""

from collections.abc import Callable
from dataclasses import dataclass, field

from sms_otp.domain import errors
from sms_otp.domain.clock import Deadline, Seconds
from sms_otp.domain.idempotency import IdempotencyRecord, StoredAnswer, answered
from sms_otp.domain.ports import EventSink, ProviderHandle, Providers, Reservation, Store, StoreError
from sms_otp.domain.provider import (
    KEPT,
    MAY_HAVE_SENT,
    CircuitOpen,
    OnFailure,
    Order,
    ProviderError,
    Refused,
    ReserveAgain,
    Sent,
)
from sms_otp.domain.verification import Verification
from sms_otp.use_cases.event_fields import event_fields, failure_fields
from sms_otp.use_cases.service import unavailable

LOOK_SECONDS = 2.0
"""With less time left, a resend's code is reported as new without reading the store."""


@dataclass(slots=True)
class Failures:
    """The failures of one send, of each provider that was tried before one took it."""

    all: list[ProviderError] = field(default_factory=list)

    @property
    def keep_reservation(self) -> bool:
        """Whether the send stays counted although no provider took it."""
        return any(isinstance(failed, KEPT) for failed in self.all)

    @property
    def may_have_sent(self) -> bool:
        """Whether a code may have been sent despite the failures."""
        return any(isinstance(failed, MAY_HAVE_SENT) for failed in self.all)

    @property
    def decisive(self) -> ProviderError:
        """The failure to answer with: the last one of a provider that was called, else the last one."""
        called = [failed for failed in self.all if not isinstance(failed, CircuitOpen)]
        return (called or self.all)[-1]


@dataclass(frozen=True, slots=True)
class CodeSender:
    """Sends one reserved code and stores the outcome."""

    store: Store
    providers: Providers
    emit: EventSink
    price: float | None
    """Estimated US dollars per message or call; None if it costs nothing."""

    def deliver(
        self,
        reservation: Reservation,
        order: Order,
        resend_after: Seconds,
        deadline: Deadline,
        reserve_again: ReserveAgain,
    ) -> StoredAnswer:
        """Send; returns the answer to the request. Raises `ProviderRejected` or `ProviderUnavailable`.

        Releases a reservation that was certainly not sent, unless the number was the cause. All others stay.
        A resend that fails leaves the verification unchanged: an earlier code may be right.
        """
        verification = reservation.verification
        fields = event_fields(verification, order.to) | {"channel": order.channel}
        failures = Failures()

        def failed_over(failed: ProviderError) -> None:
            failures.all.append(failed)
            self.emit("provider_failed", **fields | failure_fields(failed))
            self.emit("failed_over", **fields | {"provider": failed.provider})

        try:
            name, sent = self._send(reservation, order, deadline, failed_over, reserve_again)
        except Refused as refused:
            self.emit("otp_rejected", **fields | failure_fields(refused))
            self._note("rejection_unrecorded", lambda: self._record_refused(reservation))
            self._end_code(reservation)
            raise errors.ProviderRejected(reason=refused.reason) from refused
        except ProviderError as failed:
            failures.all.append(failed)
            self.emit("provider_failed", **fields | failure_fields(failed))
            raise self._give_up(reservation, failures, resend_after) from failed
        answer = StoredAnswer(
            verification.expires_at,
            resend_after,
            same_code=self._is_same_code(verification, name, sent, deadline) if reservation.resend else None,
            app_hash_sent=None if order.app_hash is None else sent.has_app_hash,
        )
        holder = ProviderHandle(
            name, sent.ref, order.channel, sent.delivery, sent.message_id, is_same_code=bool(answer.same_code)
        )
        self._record_sent(reservation, holder, answered(reservation.idempotency_record, answer))
        event = "otp_resent" if reservation.resend else "otp_requested"
        # The handle by which the provider's support and reports identify this message. A test number's handle
        # is the number itself.
        handle = None if order.to.is_test else sent.message_id or sent.ref
        outcome = {
            "provider": name,
            "provider_ref": handle,
            "cost": None if self.price is None else round(self.price * sent.parts, 6),
            "same_code": answer.same_code,
            "app_hash_sent": answer.app_hash_sent,
        }
        self.emit(event, **fields | outcome)
        return answer

    def _send(
        self,
        reservation: Reservation,
        order: Order,
        deadline: Deadline,
        on_failure: OnFailure,
        reserve_again: ReserveAgain,
    ) -> tuple[str, Sent]:
        if not reservation.resend:
            return self.providers.send(order, deadline, on_failure, reserve_again)
        held = reservation.verification
        return self.providers.resend(
            str(held.provider), str(held.provider_ref), order, deadline, on_failure, reserve_again
        )

    def _is_same_code(self, held: Verification, name: str, sent: Sent, deadline: Deadline) -> bool:
        """Whether a resend repeated the earlier code: its provider says so, or both codes are our own.

        The new code is our own if the provider requested it from us; the verification then lists this send.
        """
        if sent.is_same_code:
            return True
        was_chosen = name == held.provider and held.provider_ref in held.own_code_refs
        if not was_chosen or deadline.remaining() < LOOK_SECONDS:
            return False
        try:
            found = self.store.find(held.key)
        except StoreError as error:
            self.emit("store_failed", reason=error.reason)
            return False
        return found is not None and sent.ref in found.own_code_refs

    def _give_up(
        self, reservation: Reservation, failures: Failures, resend_after: Seconds
    ) -> errors.OtpError:
        """Keep or release the reservation of a send that no provider took; returns the error to raise."""
        if not failures.keep_reservation:
            self._note("release_failed", lambda: self.store.release(reservation))
            return unavailable(failures.decisive)
        self._note("doubt_unrecorded", lambda: self._record_unknown(reservation, resend_after))
        if not failures.may_have_sent:
            self._end_code(reservation)
        reason = "ambiguous" if failures.may_have_sent else failures.decisive.reason
        return errors.ProviderUnavailable(reason=reason, retry_after=resend_after)

    def _end_code(self, reservation: Reservation) -> None:
        """End the protection of this first send's code, which never left, so that others may be sent one.

        If the write fails, they wait until it would have expired.
        """
        number, key = reservation.number, reservation.verification.key
        listed = number.verifications.get(key) if number else None
        if number is None or listed is None or reservation.resend:
            return
        number_key = number.key
        if self.providers.ends_a_code({listed.provider}):
            self._note("store_failed", lambda: self.store.end_code(number_key, key))

    def _record_refused(self, reservation: Reservation) -> None:
        refused = StoredAnswer(error=errors.ProviderRejected.code)
        idempotency_record = answered(reservation.idempotency_record, refused)
        if not reservation.resend:
            self.store.record_failed(reservation.verification.key, idempotency_record)
        elif idempotency_record is not None:
            self.store.record_answer(idempotency_record)

    def _record_unknown(self, reservation: Reservation, resend_after: Seconds) -> None:
        """Store the answer for repeated requests. Only the idempotency record keeps them from sending."""
        answer = StoredAnswer(error=errors.ProviderUnavailable.code, resend_after=resend_after)
        if (idempotency_record := answered(reservation.idempotency_record, answer)) is not None:
            self.store.record_answer(idempotency_record)

    def _note(self, otherwise: str, write: Callable[[], None]) -> None:
        """Store the outcome of a send that failed. If the write fails, the reservation stays.

        `otherwise` is the event to emit then. The caller's answer stays the same; nothing is sent again.
        """
        try:
            write()
        except StoreError as error:
            self.emit(otherwise, reason=error.reason)

    def _record_sent(
        self, reservation: Reservation, holder: ProviderHandle, idempotency_record: IdempotencyRecord | None
    ) -> None:
        """Store the handle, with one retry: the code is on the phone and cannot be verified without it."""
        verification = reservation.verification
        number = reservation.number
        try:
            self.store.record_sent(verification.key, holder, idempotency_record, number)
        except StoreError as error:
            self.emit("store_failed", reason=error.reason)
            self.store.record_sent(verification.key, holder, idempotency_record, number)
