"""Infobip 2FA's error answers, and its refusals of a number."""

import secrets
from collections.abc import Mapping, Sequence
from typing import Any

from starlette.responses import JSONResponse, Response

from local.sandbox.gateway import Refusal

_ERRORS = {
    400: ("BAD_REQUEST", "Bad request"),
    401: ("UNAUTHORIZED", "Unauthorized"),
    403: ("FORBIDDEN", "Forbidden"),
    404: ("NOT_FOUND", "Not found"),
    429: ("TOO_MANY_REQUESTS", "Too many requests"),
    500: ("GENERAL_ERROR", "Something went wrong. Please contact support."),
    503: ("GENERAL_ERROR", "Something went wrong. Please contact support."),
}


def invalid(name: str, problem: str) -> Refusal:
    return Refusal(error(400, validation_errors={name: [problem]}))


def error(
    status: int,
    *,
    message_id: str | None = None,
    text: str | None = None,
    validation_errors: Mapping[str, Sequence[str]] | None = None,
) -> JSONResponse:
    usual_id, usual_text = _ERRORS[status]
    exception: dict[str, Any] = {"messageId": message_id or usual_id, "text": text or usual_text}
    if validation_errors:
        exception["validationErrors"] = validation_errors
    return JSONResponse({"requestError": {"serviceException": exception}}, status_code=status)


def sms_refused(number: str | None) -> Response:
    """HTTP 200, as at Infobip: only `smsStatus` says that no message was sent."""
    return JSONResponse(
        {
            "pinId": secrets.token_hex(16).upper(),
            "to": (number or "").lstrip("+"),
            "ncStatus": "NC_DESTINATION_NOT_REACHABLE",
            "smsStatus": "MESSAGE_NOT_SENT",
        }
    )


def voice_refused(number: str | None) -> Response:
    """The values of `callStatus` are unspecified; this is Infobip's general name for a rejection."""
    return JSONResponse(
        {
            "pinId": secrets.token_hex(16).upper(),
            "to": (number or "").lstrip("+"),
            "callStatus": "REJECTED_DESTINATION",
        }
    )


def forbidden(number: str | None) -> Response:
    del number
    return error(403)
