"""The authorizer of Twilio's API: takes the API key from the password of Basic authentication.

API Gateway then treats the key like an `x-api-key`: it refuses a key that is in no usage plan.
"""

import base64
from typing import Any


class Unauthorized(Exception):
    """API Gateway answers 401 to an exception with exactly this text."""

    def __init__(self) -> None:
        super().__init__("Unauthorized")


def lambda_handler(event: dict[str, Any], _context: Any) -> dict[str, Any]:
    """Takes a TOKEN authorizer's event; returns a policy for the whole stage and the API key.

    Logs nothing of the event: the path in its `methodArn` can contain a number.
    """
    name, key = _credentials(event["authorizationToken"])
    stage = "/".join(event["methodArn"].split("/")[:2])
    allowed = {"Action": "execute-api:Invoke", "Effect": "Allow", "Resource": f"{stage}/*"}
    return {
        "principalId": name,
        "policyDocument": {"Version": "2012-10-17", "Statement": [allowed]},
        "usageIdentifierKey": key,
    }


def _credentials(header: str) -> tuple[str, str]:
    """The user name and password of `Basic …` (RFC 7617). Raises `Unauthorized`."""
    scheme, _, encoded = header.partition(" ")
    try:
        name, separator, password = base64.b64decode(encoded, validate=True).decode("ascii").partition(":")
    except ValueError:
        raise Unauthorized from None
    if scheme.lower() != "basic" or not (name and separator and password):
        raise Unauthorized
    return name, password
