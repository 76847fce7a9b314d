"""The proof of a verification: a JSON Web Token that other services check without calling back.

What a token says (RFC 7519), how it is written down (RFC 7515, compact), and the public keys that it
is checked with (RFC 7517, RFC 8037). The signature alone is made elsewhere, by a key that never leaves
KMS, so there is no secret here and no library.
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
"""How long a token is good for after the code was found right."""
ALGORITHM = "EdDSA"
"""RFC 8037; with the one curve that KMS has for it, Ed25519."""

_ED25519_HEADER = bytes.fromhex("302a300506032b6570032100")
"""What stands before the 32 bytes of an Ed25519 key in its SubjectPublicKeyInfo (RFC 8410)."""
_ED25519_BYTES = 32


class Signer(Protocol):
    """A private key that is somewhere else."""

    @property
    def key_id(self) -> str:
        """Under which name its public key is told: `kid`."""
        ...

    def sign(self, message: bytes) -> bytes:
        """The 64 bytes of an Ed25519 signature. Raises `TokenError`."""
        ...


class PublicKey(Protocol):
    """The public half of a key that tokens were signed with, or will be."""

    @property
    def key_id(self) -> str:
        """As a token's header names it."""
        ...

    def public_key(self) -> bytes:
        """Its SubjectPublicKeyInfo, DER. Raises `TokenError`."""
        ...


@dataclass(frozen=True, slots=True)
class TokenIssuer:
    """Makes the tokens of one deployment."""

    signer: Signer
    issuer: str
    """`iss`; where it is empty, the API's own URL."""

    def __call__(self, verification: Verification, api_url: str, verified_at: Seconds) -> str:
        """The token for a verification that has been consumed. Raises `TokenError`."""
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
            # Whoever holds the verificationId can tell which verification a token is of, and nobody else.
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
    """Without padding (RFC 7515 §2)."""
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
