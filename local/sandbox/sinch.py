"""Sinch Verification, version 1, as its OpenAPI document and SDKs describe it: start, report, status.

Sinch has no resend: asking again is a new start, which aborts the number's pending verification.
"""

import uuid
from collections.abc import Awaitable, Sequence
from dataclasses import dataclass
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from local.sandbox.callbacks import Callbacks
from local.sandbox.credentials import SINCH_PATH
from local.sandbox.deliveries import Deliveries
from local.sandbox.gateway import Act, Operation
from local.sandbox.inbox import Inbox, new_code, number_or_none
from local.sandbox.limits import WIDE, RateLimit
from local.sandbox.memory import Newest
from local.sandbox.sinch_auth import AuthError, authorize
from local.sandbox.sinch_errors import denied, error, refusal
from local.sandbox.sinch_events import Events
from local.sandbox.sinch_request import Start, checked_number, named_endpoint, parse_start, reported_code
from local.sandbox.times import Clock, iso_utc

WRONG_CODES_TOLERATED = 10
"""Sinch does not say how many; more than the service allows, so that the service's count decides."""

_VERIFICATIONS = f"{SINCH_PATH}/verification/v1/verifications"


@dataclass(frozen=True, slots=True)
class SinchApplication:
    """What can be set of the Verification app. `start_limit` is per number."""

    start_limit: str = WIDE


@dataclass(slots=True)
class Verification:
    """One started verification. Times are seconds since the epoch; `number` is E.164."""

    id: str
    method: str
    number: str
    reference: str | None
    code: str
    started_at: float
    expires_at: float
    status: str = "PENDING"
    reason: str | None = None
    wrong_codes: int = 0

    def finish(self, status: str, reason: str | None = None) -> None:
        """Decide it, for good."""
        self.status, self.reason = status, reason


class Sinch:
    """The fake. One application, known by the sandbox's key and secret."""

    name = "sinch"

    def __init__(
        self,
        inbox: Inbox,
        callbacks: Callbacks,
        deliveries: Deliveries,
        clock: Clock,
        application: SinchApplication,
    ) -> None:
        self._inbox = inbox
        self._events = Events(callbacks, clock)
        self._deliveries = deliveries
        self._clock = clock
        self._start_limit = RateLimit(application.start_limit, clock)
        self._by_id: Newest[str, Verification] = Newest()
        self._by_reference: Newest[str, Verification] = Newest()
        self._latest: Newest[str, Verification] = Newest()
        self._latest_by_method: Newest[tuple[str, str], Verification] = Newest()

    def operations(self) -> Sequence[Operation]:
        """The endpoints for verifications."""
        by_id = f"{_VERIFICATIONS}/id/{{id}}"
        by_number = f"{_VERIFICATIONS}/number/{{endpoint}}"
        by_reference = f"{_VERIFICATIONS}/reference/{{reference}}"
        by_method = f"{_VERIFICATIONS}/{{method}}/number/{{endpoint}}"
        return (
            self._operation("POST", _VERIFICATIONS, "send", self._start),
            self._operation("PUT", by_id, "check", self._report_by_id),
            self._operation("PUT", by_number, "check", self._report_by_number),
            self._operation("GET", by_id, "status", self._status_by_id),
            self._operation("GET", by_reference, "status", self._status_by_reference),
            self._operation("GET", by_method, "status", self._status_by_number),
        )

    def _operation(self, method: str, path: str, name: str, act: Act) -> Operation:
        def authorized(request: Request, body: bytes) -> Response | Awaitable[Response]:
            try:
                authorize(request, body, self._clock())
            except AuthError as refused:
                return error(refused.code)
            return act(request, body)

        return Operation(method, path, name, authorized, self._number, _blacklisted)

    def fault_names(self, operation: str, number: str | None) -> Sequence[str]:
        """A start that replaces a pending verification is what resending comes to here."""
        if operation == "send" and number is not None and self._pending(number) is not None:
            return ("resend", "send")
        return (operation,)

    def failure(self, status: int) -> Response:
        """Sinch's error body for 401, 429 or 500; no `Retry-After`, for Sinch documents none."""
        return error({401: 40100, 429: 42900, 500: 50000}[status])

    async def _start(self, request: Request, body: bytes) -> Response:
        start = parse_start(body)
        if start.reference in self._by_reference:
            raise refusal(40900)
        if not self._start_limit.allows(start.number):
            raise refusal(42901)
        pending = self._pending(start.number)
        if pending is not None:
            self._finish(pending, "ABORTED")
        verification = self._begin(start)
        reason = await self._events.refused(_about(verification))
        if reason is not None:
            self._finish(verification, "DENIED", reason)
            raise denied(reason)
        self._deliver(verification)
        return JSONResponse(_started(verification, start, request))

    def _deliver(self, verification: Verification) -> None:
        text = f"Your verification code is {verification.code}. Verified by Sinch"
        channel = "voice" if verification.method == "callout" else "sms"
        self._inbox.deliver(verification.number, text, verification.code, provider=self.name, channel=channel)

        def report(status: str) -> None:
            result = "Successful" if status == "delivered" else "Failed"
            self._events.emit("VerificationSmsDeliveredEvent", _about(verification) | {"smsResult": result})

        if channel == "sms":
            self._deliveries.sent(verification.number, report)

    def _finish(self, verification: Verification, status: str, reason: str | None = None) -> None:
        """Decide it, and tell what was decided."""
        verification.finish(status, reason)
        decided = {"status": status} | ({"reason": reason} if reason else {})
        source = {"source": "manual"} if status == "SUCCESSFUL" else {}
        self._events.emit("VerificationResultEvent", _about(verification) | decided | source)

    def _begin(self, start: Start) -> Verification:
        now = self._clock()
        verification = Verification(
            id=str(uuid.uuid4()),
            method=start.method,
            number=start.number,
            reference=start.reference,
            code=new_code(),
            started_at=now,
            expires_at=now + start.expiry_seconds,
        )
        self._by_id[verification.id] = verification
        self._latest[start.number] = verification
        self._latest_by_method[start.method, start.number] = verification
        if start.reference is not None:
            self._by_reference[start.reference] = verification
        return verification

    def _report_by_id(self, request: Request, body: bytes) -> Response:
        return self._report(self._found(self._by_id.get(request.path_params["id"])), body)

    def _report_by_number(self, request: Request, body: bytes) -> Response:
        latest = self._latest.get(checked_number(request.path_params["endpoint"]))
        if latest is None:
            raise refusal(40003)
        return self._report(self._found(latest), body)

    def _report(self, verification: Verification, body: bytes) -> Response:
        code = reported_code(body, verification.method)
        if verification.reason == "Expired":
            return JSONResponse(_outcome(verification))
        if verification.status != "PENDING":
            raise refusal(40400)
        if code == verification.code:
            self._finish(verification, "SUCCESSFUL")
            return JSONResponse(_outcome(verification))
        verification.wrong_codes += 1
        if verification.wrong_codes <= WRONG_CODES_TOLERATED:
            raise refusal(40003)
        self._finish(verification, "FAIL", "Invalid code")
        return JSONResponse(_outcome(verification))

    def _status_by_id(self, request: Request, body: bytes) -> Response:
        del body
        return JSONResponse(_status(self._found(self._by_id.get(request.path_params["id"]))))

    def _status_by_reference(self, request: Request, body: bytes) -> Response:
        del body
        return JSONResponse(_status(self._found(self._by_reference.get(request.path_params["reference"]))))

    def _status_by_number(self, request: Request, body: bytes) -> Response:
        del body
        number = checked_number(request.path_params["endpoint"])
        latest = self._latest_by_method.get((request.path_params["method"], number))
        return JSONResponse(_status(self._found(latest)))

    def _found(self, verification: Verification | None) -> Verification:
        """`verification` as it is now. Raises `Refusal` with 40400 where there is none."""
        if verification is None:
            raise refusal(40400)
        if verification.status == "PENDING" and self._clock() >= verification.expires_at:
            self._finish(verification, "FAIL", "Expired")
        return verification

    def _pending(self, number: str) -> Verification | None:
        latest = self._latest.get(number)
        return latest if latest is not None and self._found(latest).status == "PENDING" else None

    def _number(self, request: Request, body: bytes) -> str | None:
        """The number in the path or the body, or that of the verification that the path names."""
        path = request.path_params
        known = self._by_id.get(path.get("id", "")) or self._by_reference.get(path.get("reference", ""))
        if known is not None:
            return known.number
        return number_or_none(path["endpoint"] if "endpoint" in path else named_endpoint(body))


def _started(verification: Verification, start: Start, request: Request) -> dict[str, Any]:
    """The start's answer, which has no status."""
    href = f"{str(request.base_url).rstrip('/')}{_VERIFICATIONS}/id/{verification.id}"
    answer: dict[str, Any] = {"id": verification.id, "method": verification.method}
    if verification.method == "sms":
        answer["sms"] = {
            "template": "Your verification code is {{CODE}}. Verified by Sinch",
            "interceptionTimeout": start.expiry_seconds,
            "codeType": "Numeric",
        }
    answer["_links"] = [
        {"rel": "status", "href": href, "method": "GET"},
        {"rel": "report", "href": href, "method": "PUT"},
    ]
    return answer


def _about(verification: Verification) -> dict[str, Any]:
    """What every callback says of the verification."""
    about: dict[str, Any] = {
        "id": verification.id,
        "method": verification.method,
        "identity": {"type": "number", "endpoint": verification.number},
    }
    return about if verification.reference is None else about | {"reference": verification.reference}


def _outcome(verification: Verification) -> dict[str, Any]:
    """What report and status say alike."""
    answer: dict[str, Any] = {
        "id": verification.id,
        "method": verification.method,
        "status": verification.status,
    }
    if verification.reason is not None:
        answer["reason"] = verification.reason
    if verification.method == "callout":
        answer["callComplete"] = verification.status != "PENDING"
    return answer


def _status(verification: Verification) -> dict[str, Any]:
    """The timestamp is UTC without `Z` and with seven fractional digits, as Sinch writes it."""
    answer = _outcome(verification) | {
        "identity": {"type": "number", "endpoint": verification.number},
        "verificationTimestamp": iso_utc(verification.started_at).replace("Z", "0"),
    }
    if verification.reference is not None:
        answer["reference"] = verification.reference
    if verification.status != "PENDING":
        answer["price"] = {"verificationPrice": {"currencyId": "EUR", "amount": 0.0453}}
    if verification.status == "SUCCESSFUL":
        answer["source"] = "manual"
    return answer


def _blacklisted(number: str | None) -> Response:
    del number
    return error(40300)
