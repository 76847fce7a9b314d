"""GET /.well-known/jwks.json: the public keys that verify verification tokens."""

from typing import Any

from sms_otp.entry_points import bootstrap, http, startup
from sms_otp.use_cases import tokens


def lambda_handler(event: http.Event, context: Any) -> http.Response:
    """API Gateway's proxy event in, its proxy response out."""
    return http.handle(event, context, _ROUTE)


def _keys(_command: None, _caller: None) -> http.Body:
    return tokens.key_set(bootstrap.token_keys())


_ROUTE = http.Route(http.no_body, _keys, http.same, http.public, http.KEY_SET)

startup.prepare(bootstrap.kms_client, ("kms",))
