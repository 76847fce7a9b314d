"""The bodies that callers send, as JSON Schema (draft 04, the dialect of API Gateway models).

The functions validate with them; API Gateway has them as models in `template.yaml` and refuses a malformed
body before a function starts. Code, not a schema, decides whether a string is a number (`phone`) or
a code of this deployment's length, how a body names its verification (both `use_cases.verify`), and what it
stops (`controls`). No schema has alternatives (`oneOf`, `anyOf`): generators of typed clients make an untyped
body of them.
"""

from collections.abc import Callable
from functools import cache
from typing import Any

from sms_otp.domain import stops
from sms_otp.domain.provider import Channel

Schema = dict[str, Any]

CHANNELS = [channel.value for channel in Channel]
"""The channels of a request. `tests/unit/test_channels.py` holds every place that lists them."""

_IDENTIFIER = {"type": "string", "minLength": 1, "maxLength": 64}
_SESSION = {"type": "string", "minLength": 1, "maxLength": 256}
_NUMBER = {"type": "string", "minLength": 1, "maxLength": 32}

_DEVICE_TOKEN = {"type": "string", "minLength": 1, "maxLength": 128}
_CHALLENGED = {"type": "boolean"}

_NAME = {"type": "string", "pattern": "^[A-Za-z0-9_.:-]{1,64}$"}

REQUEST_OTP: Schema = {
    "$schema": "http://json-schema.org/draft-04/schema#",
    "title": "RequestOtp",
    "type": "object",
    "additionalProperties": False,
    "required": ["phoneNumber"],
    "properties": {
        "phoneNumber": _NUMBER,
        "channel": {"type": "string", "enum": CHANNELS},
        "locale": {"type": "string", "maxLength": 35, "pattern": "^[A-Za-z]{2,3}([-_][A-Za-z0-9]{1,8})*$"},
        "purpose": _NAME,
        "sessionId": _SESSION,
        "clientIp": {"type": "string", "minLength": 2, "maxLength": 64},
        "deviceToken": _DEVICE_TOKEN,
        "challenged": _CHALLENGED,
        "appHash": {"type": "string", "pattern": "^[A-Za-z0-9+/]{11}$"},
        "consent": {
            "type": "object",
            "additionalProperties": False,
            "required": ["textVersion", "source"],
            "properties": {"textVersion": _NAME, "source": _NAME},
        },
    },
}

VERIFY_OTP: Schema = {
    "$schema": "http://json-schema.org/draft-04/schema#",
    "title": "VerifyOtp",
    "type": "object",
    "additionalProperties": False,
    "required": ["otp"],
    "properties": {
        "verificationId": _IDENTIFIER,
        "otp": {"type": "string", "minLength": 1, "maxLength": 16},
        "phoneNumber": _NUMBER,
        "sessionId": _SESSION,
        "deviceToken": _DEVICE_TOKEN,
    },
}

_ONE_VERIFICATION = {
    "$schema": "http://json-schema.org/draft-04/schema#",
    "type": "object",
    "additionalProperties": False,
    "required": ["verificationId"],
}

RESEND_OTP: Schema = {
    **_ONE_VERIFICATION,
    "title": "ResendOtp",
    "properties": {
        "verificationId": _IDENTIFIER,
        "channel": {"type": "string", "enum": CHANNELS},
        "sessionId": _SESSION,
        "deviceToken": _DEVICE_TOKEN,
        "challenged": _CHALLENGED,
    },
}

CANCEL_OTP: Schema = {
    **_ONE_VERIFICATION,
    "title": "CancelOtp",
    "properties": {"verificationId": _IDENTIFIER},
}

OTP_STATUS: Schema = {
    **_ONE_VERIFICATION,
    "title": "OtpStatus",
    "properties": {"verificationId": _IDENTIFIER},
}

ADMIN_NUMBER: Schema = {
    "$schema": "http://json-schema.org/draft-04/schema#",
    "title": "AdminNumber",
    "type": "object",
    "additionalProperties": False,
    "required": ["phoneNumber"],
    "properties": {"phoneNumber": _NUMBER},
}


def _names(most: int, name: Schema) -> Schema:
    return {"type": "array", "minItems": 1, "maxItems": most, "items": {"type": "string", **name}}


_STOPPED: Schema = {
    "all": {"type": "boolean", "enum": [True]},
    # The most that one DynamoDB expression can name.
    "countries": _names(100, {"pattern": "^[A-Z]{2}$"}),
    "channels": _names(8, {"enum": CHANNELS}),
    # `controls` checks that they exist, so that a new provider changes no schema.
    "providers": _names(8, {"pattern": "^[a-z]{1,64}$"}),
}

_A_STOP: Schema = {
    "$schema": "http://json-schema.org/draft-04/schema#",
    "type": "object",
    "additionalProperties": False,
}

STOP_SENDING: Schema = {
    **_A_STOP,
    "title": "StopSending",
    "properties": {
        **_STOPPED,
        "seconds": {"type": "integer", "minimum": stops.SHORTEST, "maximum": stops.LONGEST},
    },
}

RESUME_SENDING: Schema = {**_A_STOP, "title": "ResumeSending", "properties": _STOPPED}

ALL = (
    *(REQUEST_OTP, RESEND_OTP, VERIFY_OTP, CANCEL_OTP, OTP_STATUS),
    *(ADMIN_NUMBER, STOP_SENDING, RESUME_SENDING),
)

# CAMARA's one-time-password-sms 1.1.1, which allows additional members. Only the functions check these, as
# API Gateway's own refusal does not have the standard's shape.
SEND_CODE: Schema = {
    "$schema": "http://json-schema.org/draft-04/schema#",
    "title": "SendCode",
    "type": "object",
    "required": ["phoneNumber", "message"],
    "properties": {
        "phoneNumber": {"type": "string", "pattern": r"^\+[1-9][0-9]{4,14}$"},
        "message": {"type": "string", "maxLength": 160, "pattern": r"\{\{code\}\}"},
    },
}

VALIDATE_CODE: Schema = {
    "$schema": "http://json-schema.org/draft-04/schema#",
    "title": "ValidateCode",
    "type": "object",
    "required": ["authenticationId", "code"],
    "properties": {
        "authenticationId": {"type": "string", "minLength": 1, "maxLength": 36},
        "code": {"type": "string", "minLength": 1, "maxLength": 10},
    },
}

OF_CAMARA = (SEND_CODE, VALIDATE_CODE)


@cache
def validator(title: str) -> Callable[[Any], Any]:
    """The compiled check for the schema with this title. Raises fastjsonschema's exception."""
    import fastjsonschema

    by_title = {schema["title"]: schema for schema in (*ALL, *OF_CAMARA)}
    check: Callable[[Any], Any] = fastjsonschema.compile(by_title[title], detailed_exceptions=True)
    return check
