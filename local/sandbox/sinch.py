"""Fake Sinch Verification, version 1, after its OpenAPI document and SDKs: start, report, status.

Sinch has no resend: a new start aborts the number's pending verification.
"""

import uuid
from collections.abc import Awaitable, Sequence
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from local.sandbox.callbacks import Callbacks
from local.sandbox.codes import new_code
from local.sandbox.credentials import SINCH_PATH
from local.sandbox.deliveries import Deliveries
from local.sandbox.gateway import Act, Operation
from local.sandbox.inbox import Inbox, number_or_none
from local.sandbox.limits import WIDE, RateLimit
from local.sandbox.memory import Newest
from local.sandbox.sinch_answers import Verification, about, outcome, started, status
from local.sandbox.sinch_auth import AuthError, authorize
from local.sandbox.sinch_errors import denied, error, refusal
from local.sandbox.sinch_events import Events
from local.sandbox.sinch_request import (
    CHANNELS,
    FLASHCALL,
    SEAMLESS,
    Start,
    checked_number,
    named_endpoint,
    parse_start,
    reported_code,
)
from local.sandbox.times import Clock

WRONG_CODES_TOLERATED = 10
"""Undocumented at Sinch; more than the service allows, so that the service's limit applies first."""
CALLER = "+4670000"
"""Prefix of the caller number of a flash call; the rest is the code."""

_FAILURES = {"401": 40100, "429": 42900, "500": 50000, "503": 50300, "number-limit": 42901}
_VERIFICATIONS = f"{SINCH_PATH}/verification/v1/verifications"


@dataclass(frozen=True, slots=True)
class SinchApplication:
    """Dashboard settings of a Verification app, and Sinch's rate limit per number (unspecified)."""

    start_limit: str = "1/10s"
    code_length: int = 4


def wide_sinch_application(code_length: int = 6) -> SinchApplication:
    """An application with a limit that no test reaches."""
    return SinchApplication(start_limit=WIDE, code_length=code_length)


class Sinch:
    """The fake: one application, with the sandbox's key and secret."""

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
        self._application = application
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
        """A start that replaces a pending verification also counts as `resend`."""
        if operation == "send" and number is not None and self._pending(number) is not None:
            return ("resend", "send")
        return (operation,)

    def failure(self, fault: str) -> Response:
        """Sinch's error body; without `Retry-After`, because Sinch documents none."""
        return error(_FAILURES.get(fault) or int(fault))

    async def _start(self, request: Request, body: bytes) -> Response:
        start = parse_start(body)
        if start.method == SEAMLESS:
            # Seamless needs the phone's mobile network.
            raise refusal(40300, "Seamless verification not available for given destination.")
        if start.reference in self._by_reference:
            raise refusal(40900)
        if not self._start_limit.allows(start.number):
            raise refusal(42901)
        pending = self._pending(start.number)
        if pending is not None:
            self._finish(pending, "ABORTED")
        verification = self._begin(start)
        decision = await self._events.decision(about(verification), verification.method)
        if decision.denied is not None:
            self._finish(verification, "DENIED", decision.denied)
            raise denied(decision.denied)
        verification.code = decision.code or verification.code
        self._deliver(verification)
        href = f"{str(request.base_url).rstrip('/')}{_VERIFICATIONS}/id/{verification.id}"
        return JSONResponse(started(verification, href))

    def _deliver(self, verification: Verification) -> None:
        text = f"Your verification code is {verification.code}. Verified by Sinch"
        if verification.method == FLASHCALL:
            text = f"Missed call from {verification.code}"
        channel = CHANNELS[verification.method]
        self._inbox.deliver(verification.number, text, verification.code, provider=self.name, channel=channel)

        def report(status: str) -> None:
            result = "Successful" if status == "delivered" else "Failed"
            self._events.emit("VerificationSmsDeliveredEvent", about(verification) | {"smsResult": result})

        if channel == "sms":
            self._deliveries.sent(verification.number, report)

    def _finish(self, verification: Verification, status: str, reason: str | None = None) -> None:
        """Set the verification's result, and post it as an event."""
        verification.finish(status, reason)
        result = {"status": status} | ({"reason": reason} if reason else {})
        source = {"source": "manual"} if status == "SUCCESSFUL" else {}
        self._events.emit("VerificationResultEvent", about(verification) | result | source)

    def _begin(self, start: Start) -> Verification:
        now = self._clock()
        verification = Verification(
            id=str(uuid.uuid4()),
            method=start.method,
            number=start.number,
            reference=start.reference,
            code=self._new_code(start),
            code_type=start.code_type,
            started_at=now,
            expires_at=now + start.expiry_seconds,
            custom=start.custom,
        )
        self._by_id[verification.id] = verification
        self._latest[start.number] = verification
        self._latest_by_method[start.method, start.number] = verification
        if start.reference is not None:
            self._by_reference[start.reference] = verification
        return verification

    def _new_code(self, start: Start) -> str:
        code = new_code(self._application.code_length, start.code_type.upper())
        return CALLER + code if start.method == FLASHCALL else code

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
            return JSONResponse(outcome(verification))
        if verification.status != "PENDING":
            raise refusal(40400)
        if code == verification.code:
            self._finish(verification, "SUCCESSFUL")
            return JSONResponse(outcome(verification))
        verification.wrong_codes += 1
        if verification.wrong_codes <= WRONG_CODES_TOLERATED:
            raise refusal(40003)
        self._finish(verification, "FAIL", "Invalid code")
        return JSONResponse(outcome(verification))

    def _status_by_id(self, request: Request, body: bytes) -> Response:
        del body
        return JSONResponse(status(self._found(self._by_id.get(request.path_params["id"]))))

    def _status_by_reference(self, request: Request, body: bytes) -> Response:
        del body
        return JSONResponse(status(self._found(self._by_reference.get(request.path_params["reference"]))))

    def _status_by_number(self, request: Request, body: bytes) -> Response:
        del body
        number = checked_number(request.path_params["endpoint"])
        latest = self._latest_by_method.get((request.path_params["method"], number))
        return JSONResponse(status(self._found(latest)))

    def _found(self, verification: Verification | None) -> Verification:
        """`verification`, expired if it is due. Raises `Refusal` with 40400 for `None`."""
        if verification is None:
            raise refusal(40400)
        if verification.status == "PENDING" and self._clock() >= verification.expires_at:
            self._finish(verification, "FAIL", "Expired")
        return verification

    def _pending(self, number: str) -> Verification | None:
        latest = self._latest.get(number)
        return latest if latest is not None and self._found(latest).status == "PENDING" else None

    def _number(self, request: Request, body: bytes) -> str | None:
        """The number in the path or the body, or of the verification in the path."""
        path = request.path_params
        known = self._by_id.get(path.get("id", "")) or self._by_reference.get(path.get("reference", ""))
        if known is not None:
            return known.number
        return number_or_none(path["endpoint"] if "endpoint" in path else named_endpoint(body))


def _blacklisted(number: str | None) -> Response:
    del number
    return error(40300)
