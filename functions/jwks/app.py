"""GET /.well-known/jwks.json: the public keys that verification tokens are checked with."""

from typing import Any

from sms_otp.entry_points import bootstrap, http, startup
from sms_otp.use_cases import tokens


def lambda_handler(event: http.Event, context: Any) -> dict[str, Any]:
    """API Gateway's proxy event in, its proxy response out."""
    return http.answer_keys(event, context, _keys)


def _keys() -> http.Body:
    return tokens.key_set(bootstrap.token_keys())


startup.publisher()
