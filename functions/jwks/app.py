"""GET /.well-known/jwks.json: the public keys that verification tokens are checked with."""

from typing import Any

from sms_otp import http, proof, startup, wiring


def lambda_handler(event: http.Event, context: Any) -> dict[str, Any]:
    """API Gateway's proxy event in, its proxy response out."""
    return http.answer_keys(event, context, _keys)


def _keys() -> http.Body:
    return proof.key_set(wiring.token_keys())


startup.publisher()
