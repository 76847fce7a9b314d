"""The authorizer of Twilio's API: the password of Basic authentication is the API key. It calls nothing.

API Gateway then treats the key as it does an `x-api-key`: one that no usage plan holds is refused.
"""

import base64
from typing import Any


class Unauthorized(Exception):
    """API Gateway makes a 401 of an exception whose text is this one word."""

    def __init__(self) -> None:
        super().__init__("Unauthorized")


def lambda_handler(event: dict[str, Any], _context: Any) -> dict[str, Any]:
    """An event of a TOKEN authorizer in, a policy for the whole stage and the API key out.

    Nothing of the event is logged: the path in its `methodArn` can hold a number.
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
    """The user's name and the password of `Basic …` (RFC 7617). Raises `Unauthorized`."""
    scheme, _, encoded = header.partition(" ")
    try:
        name, separator, password = base64.b64decode(encoded, validate=True).decode("ascii").partition(":")
    except ValueError:
        raise Unauthorized from None
    if scheme.lower() != "basic" or not (name and separator and password):
        raise Unauthorized
    return name, password
