"""How things are named without saying what they are: hashes for identifiers, keyed hashes for numbers.

A verificationId is random, so its plain SHA-256 cannot be reversed. A phone number is not: ten
digits are tried in seconds, so everything derived from one is keyed with the pepper, a secret of
this deployment that the table never holds.
"""

import base64
import hashlib
import hmac
import secrets
from dataclasses import dataclass, field
from enum import StrEnum


@dataclass(frozen=True, slots=True)
class Peppers:
    """What is written is keyed with `current`; what is read, with `previous` too while a rotation lasts."""

    current: str = field(repr=False)
    previous: str | None = field(default=None, repr=False)

    @property
    def all(self) -> tuple[str, ...]:
        """The current one first."""
        return (self.current,) if self.previous is None else (self.current, self.previous)


def new_verification_id() -> str:
    """192 random bits, URL-safe (OWASP ASVS 5.0 11.5.1 asks for at least 128; a UUID does not count)."""
    return secrets.token_urlsafe(24)


def verification_key(verification_id: str) -> str:
    """What the table holds of a verificationId: its SHA-256, 64 hex digits."""
    return hashlib.sha256(verification_id.encode()).hexdigest()


def derived_verification_id(pepper: str, nonce: str) -> str:
    """A verificationId that whoever has the pepper can make again from a stored nonce: 192 bits of HMAC."""
    made = hmac.digest(pepper.encode(), f"verification:{nonce}".encode(), "sha256")
    return base64.urlsafe_b64encode(made[:24]).decode()


class IdForm(StrEnum):
    """How a verificationId is written. The table holds its hash alone, so each verification has one form."""

    OWN = "own"
    """32 URL-safe characters, 192 bits."""
    TWILIO = "twilio"
    """`VE` and 32 hex digits, 128 bits, as Twilio's clients expect it."""


def new_nonce() -> str:
    """192 random bits: with the pepper, a verificationId; alone, of no use."""
    return secrets.token_urlsafe(24)


def verification_id(pepper: str, nonce: str, form: IdForm) -> str:
    """The verificationId that the pepper makes of a stored nonce, in each form another."""
    if form is IdForm.OWN:
        return derived_verification_id(pepper, nonce)
    return f"VE{hmac.digest(pepper.encode(), f'twilio:{nonce}'.encode(), 'sha256')[:16].hex()}"


def named_again(peppers: Peppers, nonce: str, key: str) -> str | None:
    """The verificationId that a verification with this nonce and key was given, under either pepper."""
    made = (verification_id(pepper, nonce, form) for pepper in peppers.all for form in IdForm)
    return next((each for each in made if verification_key(each) == key), None)


def session_hash(verification_key: str, session_id: str) -> str:
    """Binds a session to one verification. The session's id is the caller's, and is to be unguessable."""
    return hmac.digest(verification_key.encode(), session_id.encode(), "sha256").hex()


def subject(number_key: str, tenant: str) -> str:
    """What a token calls the subscriber: 64 hex digits, another at each tenant.

    Keyed with the number's key, which is itself keyed with the pepper and is in no token.
    """
    return hmac.digest(number_key.encode(), f"subject:{tenant}".encode(), "sha256").hex()


def keyed(pepper: str, kind: str, value: str) -> str:
    """HMAC-SHA256 under the pepper, 64 hex digits. `kind` keeps a number from colliding with an address."""
    return hmac.digest(pepper.encode(), f"{kind}:{value}".encode(), "sha256").hex()
