"""Verification tokens: JSON Web Tokens that other services check offline.

Their claims (RFC 7519), their encoding (RFC 7515, compact), and the public keys that check them (RFC 7517,
RFC 8037). A KMS key signs and never leaves KMS, so this needs neither a secret nor a library.
"""

import base64
import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Protocol

from sms_otp.domain import keys
from sms_otp.domain.clock import Seconds
from sms_otp.domain.ports import TokenError
from sms_otp.domain.verification import Verification

LIFE_SECONDS = Seconds(300)
"""How long a token is valid after the code was verified."""
ALGORITHM = "EdDSA"
"""RFC 8037, with Ed25519, the only curve that KMS has for it."""

_ED25519_HEADER = bytes.fromhex("302a300506032b6570032100")
"""The prefix of an Ed25519 key's SubjectPublicKeyInfo, before its 32 bytes (RFC 8410)."""
_ED25519_BYTES = 32


class Signer(Protocol):
    """A private key that never leaves its key store."""

    @property
    def key_id(self) -> str:
        """The id of its public key: `kid`."""
        ...

    def sign(self, message: bytes) -> bytes:
        """Sign; returns the 64 bytes of an Ed25519 signature. Raises `TokenError`."""
        ...


class PublicKey(Protocol):
    """The public half of a past, current or future signing key."""

    @property
    def key_id(self) -> str:
        """The `kid` in a token's header."""
        ...

    def public_key(self) -> bytes:
        """Its SubjectPublicKeyInfo, DER. Raises `TokenError`."""
        ...


@dataclass(frozen=True, slots=True)
class TokenIssuer:
    """Makes the tokens of one deployment."""

    signer: Signer
    issuer: str
    """`iss`; if empty, the API's own URL."""

    def __call__(self, verification: Verification, api_url: str, verified_at: Seconds) -> str:
        """Sign the token of a consumed verification; returns a compact JWS. Raises `TokenError`."""
        header = {"alg": ALGORITHM, "kid": self.signer.key_id, "typ": "JWT"}
        signed = f"{_encoded(header)}.{_encoded(self._claims(verification, api_url, verified_at))}"
        return f"{signed}.{_base64url(self.signer.sign(signed.encode()))}"

    def _claims(self, verification: Verification, api_url: str, verified_at: Seconds) -> dict[str, Any]:
        purpose = {} if verification.purpose is None else {"purpose": verification.purpose}
        return {
            "iss": self.issuer or api_url,
            "aud": verification.tenant,
            "sub": keys.subject(verification.number_key, verification.tenant),
            **purpose,
            # A hash of the verificationId: only who holds the id can match a token to its verification.
            "jti": verification.key,
            "iat": verified_at,
            "exp": verified_at + LIFE_SECONDS,
        }


def key_set(published: Iterable[PublicKey]) -> dict[str, Any]:
    """The JWK Set of these keys. Raises `TokenError`."""
    return {"keys": [_jwk(key.key_id, key.public_key()) for key in published]}


def _jwk(key_id: str, spki: bytes) -> dict[str, str]:
    raw = spki.removeprefix(_ED25519_HEADER)
    if not spki.startswith(_ED25519_HEADER) or len(raw) != _ED25519_BYTES:
        raise TokenError("not an Ed25519 key")
    return {
        "kty": "OKP",
        "crv": "Ed25519",
        "x": _base64url(raw),
        "kid": key_id,
        "use": "sig",
        "alg": ALGORITHM,
    }


def _encoded(part: dict[str, Any]) -> str:
    return _base64url(json.dumps(part, separators=(",", ":")).encode())


def _base64url(raw: bytes) -> str:
    """Encode as base64url without padding (RFC 7515 §2)."""
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
