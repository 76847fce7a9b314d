"""Sinch Verification's error answers: code, HTTP status (the code's first three digits) and message."""

import uuid

from starlette.responses import JSONResponse, Response

from local.sandbox.gateway import Refusal

_MESSAGES = {
    40001: "Invalid parameter.",
    40002: "Endpoint parameter is missing.",
    40003: "Invalid identity or code.",
    40005: "Phone number missing leading plus sign",
    40100: "Invalid authorization header",
    40101: "X-Timestamp required",
    40102: "Invalid signature",
    40104: "Authorization required",
    40107: "Invalid authorization",
    40300: "Identity is blacklisted.",
    40303: "Callback URL must be set when using public authorization method.",
    40400: "Requested resource was not found.",
    40900: "Reference already defined",
    42201: "No route to destination.",
    42900: "Request capacity exceeded",
    42901: "Cannot initiate verification to the same number too quickly",
    50000: "Internal server error.",
    50300: "Service is temporarily unavailable.",
}


def error(code: int, message: str | None = None) -> Response:
    """The error answer for `code`. Its `reference` is Sinch's support id, not the caller's reference."""
    body = {
        "errorCode": code,
        "message": message or _MESSAGES[code],
        "reference": str(uuid.uuid4()),
    }
    return JSONResponse(body, status_code=code // 100)


def denied(reason: str) -> Refusal:
    """The refusal of a start that the callback denied. Of its body only the code is documented."""
    return refusal(40303, f"{reason}.")


def refusal(code: int, message: str | None = None) -> Refusal:
    """`error` as an exception."""
    return Refusal(error(code, message))
