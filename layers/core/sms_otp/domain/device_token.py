"""The device token: "on this device, this number was verified here". Opens a lane and verifies nobody. Pure.

An HMAC under the pepper over version, tenant, number, time and nonce, so nothing is stored for it. It is
genuine for 90 days, and valid only while the number's item shows a success at this tenant and a `tokensFrom`
that is not later (`Number.has_token`): erasing a number deletes that item, unlocking it moves `tokensFrom`.
Until then, holders of an old token of a recycled number share the new owner's lane, and can only request and
guess within its limits.
"""

import base64
import binascii
import hmac

from sms_otp.domain import keys
from sms_otp.domain.clock import DAY, Seconds
from sms_otp.domain.keys import Peppers

LIFE_SECONDS = 90 * DAY
"""Counted from `issuedAt`."""
VERSION = 1

_TIME_BYTES = 5
_NONCE_BYTES = 12
_HEAD_BYTES = 1 + _TIME_BYTES + _NONCE_BYTES


def made(pepper: str, tenant: str, e164: str, issued_at: Seconds, verification: str) -> str:
    """The token of a success at `issued_at`: 67 URL-safe characters.

    The nonce derives from the verification's key, so that a repeated answer has the same token.
    """
    nonce = hmac.digest(pepper.encode(), f"device-nonce:{verification}".encode(), "sha256")[:_NONCE_BYTES]
    head = bytes([VERSION]) + issued_at.to_bytes(_TIME_BYTES, "big") + nonce
    return _encoded(head + _mac(pepper, tenant, e164, head))


def issued_at(token: str | None, peppers: Peppers, tenant: str, e164: str, now: Seconds) -> Seconds | None:
    """When a token of this number at this tenant was issued; None unless genuine and unexpired.

    Tokens made with the previous pepper are accepted while it rotates.
    """
    raw = _decoded(token)
    if raw is None:
        return None
    head, mac = raw[:_HEAD_BYTES], raw[_HEAD_BYTES:]
    # Each pepper is tried even if the first fits, so that the time taken reveals nothing.
    genuine = [hmac.compare_digest(mac, _mac(pepper, tenant, e164, head)) for pepper in peppers.all]
    at = Seconds(int.from_bytes(head[1 : 1 + _TIME_BYTES], "big"))
    return at if any(genuine) and head[0] == VERSION and at <= now < at + LIFE_SECONDS else None


def _mac(pepper: str, tenant: str, e164: str, head: bytes) -> bytes:
    number_key = keys.keyed(pepper, "number", e164)
    signed = b":".join((b"device-token", tenant.encode(), number_key.encode(), head))
    return hmac.digest(pepper.encode(), signed, "sha256")


def _encoded(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def _decoded(token: str | None) -> bytes | None:
    """The bytes of a token in its one spelling, or None."""
    if token is None or not token.isascii():
        return None
    try:
        raw = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4))
    except (binascii.Error, ValueError):
        return None
    return raw if _encoded(raw) == token else None
