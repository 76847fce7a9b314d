"""Keys that reveal nothing: plain hashes of verificationIds, keyed hashes of phone numbers.

A verificationId derives from a random nonce and the pepper, so that it can be derived again although the
table holds neither it nor the pepper. It has 128 bits or more (OWASP ASVS 5.0 11.5.1), so its plain SHA-256
cannot be reversed. A phone number can be guessed, ten digits in seconds, so everything derived from one is
keyed with the pepper, a secret of this deployment that the table never holds.
"""

import base64
import hashlib
import hmac
import secrets
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum


@dataclass(frozen=True, slots=True)
class Peppers:
    """Writes are keyed with `current`, reads also with `previous` while the pepper rotates."""

    current: str = field(repr=False)
    previous: str | None = field(default=None, repr=False)

    @property
    def all(self) -> tuple[str, ...]:
        """The current one first."""
        return (self.current,) if self.previous is None else (self.current, self.previous)


def verification_key(verification_id: str) -> str:
    """The key of a verification in the table: SHA-256 of its id, 64 hex digits."""
    return hashlib.sha256(verification_id.encode()).hexdigest()


class IdForm(StrEnum):
    """How a verificationId is written. The table holds its hash alone, so each verification has one form."""

    OWN = "own"
    """32 URL-safe characters, 192 bits."""
    TWILIO = "twilio"
    """`VE` and 32 hex digits, 128 bits, as Twilio's clients expect it."""


def new_nonce() -> str:
    """192 random bits, from which the pepper derives a verificationId. Useless without the pepper."""
    return secrets.token_urlsafe(24)


def verification_id(pepper: str, nonce: str, form: IdForm = IdForm.OWN) -> str:
    """The verificationId that derives from a stored nonce and the pepper; each form gives another."""
    if form is IdForm.TWILIO:
        return f"VE{hmac.digest(pepper.encode(), f'twilio:{nonce}'.encode(), 'sha256')[:16].hex()}"
    made = hmac.digest(pepper.encode(), f"verification:{nonce}".encode(), "sha256")
    return base64.urlsafe_b64encode(made[:24]).decode()


def named_again(peppers: Peppers, nonce: str, key: str) -> str | None:
    """The id of the verification with this nonce and key, derived again; None if neither pepper made it."""
    return next((named for _, named in _names(peppers, nonce) if verification_key(named) == key), None)


def own_code(peppers: Peppers, nonce: str, key: str, length: int) -> str | None:
    """The code, of `length` digits, of a verification for which the service chooses it.

    Derives from the pepper that made the verificationId, so a rotation does not change it; None if neither
    pepper did. It cannot be computed without the pepper, even from all ids.
    """
    pepper = next((by for by, named in _names(peppers, nonce) if verification_key(named) == key), None)
    if pepper is None:
        return None
    # 256 bits modulo at most 10^10: no code is likelier than another by more than 2^-222.
    drawn = int.from_bytes(hmac.digest(pepper.encode(), f"own code:{nonce}".encode(), "sha256"))
    return f"{drawn % 10**length:0{length}d}"


def callback_key(pepper: str, key: str) -> str:
    """Proof that a send was ours, handed back by a provider that requests its code. 22 characters."""
    return _short(hmac.digest(pepper.encode(), f"callback:{key}".encode(), "sha256")[:16])


def is_callback_key(peppers: Peppers, key: str, candidate: str) -> bool:
    """Whether `candidate` is the verification's callback key, by either pepper. In constant time."""
    raw = candidate.encode(errors="surrogatepass")
    found = [hmac.compare_digest(raw, callback_key(pepper, key).encode()) for pepper in peppers.all]
    return any(found)


def _names(peppers: Peppers, nonce: str) -> Iterator[tuple[str, str]]:
    """Each pepper with each verificationId that derives from it and the nonce."""
    return ((pepper, verification_id(pepper, nonce, form)) for pepper in peppers.all for form in IdForm)


def owner(number_key: str, tenant: str, session_id: str | None) -> str:
    """The key of a tenant's session in a number's list: 64 bits, 11 characters.

    A match is only a candidate: the verification's own tenant and session decide.
    """
    text = f"owner:{tenant}:{'' if session_id is None else session_id}"
    return _short(hmac.digest(number_key.encode(), text.encode(), "sha256")[:8])


def network_hash(pepper: str, e164: str, network: str) -> str:
    """A network's hash for one number: 64 bits, 11 characters. Other numbers hash it to other values."""
    return _short(hmac.digest(pepper.encode(), f"network:{e164}:{network}".encode(), "sha256")[:8])


def _short(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def session_hash(verification_key: str, session_id: str | None) -> str | None:
    """Keyed hash of a session for one verification. The caller chooses the id, which must be unguessable."""
    if session_id is None:
        return None
    return hmac.digest(verification_key.encode(), session_id.encode(), "sha256").hex()


def code_hash(pepper: str, verification_key: str, otp: str) -> str:
    """Keyed hash of a correct code, to recognise its repetition: 128 bits, 22 characters."""
    text = f"code:{verification_key}:{otp}"
    return _short(hmac.digest(pepper.encode(), text.encode(), "sha256")[:16])


def subject(number_key: str, tenant: str) -> str:
    """The `sub` claim of a token: 64 hex digits, different at each tenant.

    Keyed with the number's key, which is itself keyed with the pepper and in no token.
    """
    return hmac.digest(number_key.encode(), f"subject:{tenant}".encode(), "sha256").hex()


def keyed(pepper: str, kind: str, value: str) -> str:
    """HMAC-SHA256 under the pepper, 64 hex digits. `kind` keeps a number from colliding with an address."""
    return hmac.digest(pepper.encode(), f"{kind}:{value}".encode(), "sha256").hex()


def number_keys(peppers: Peppers, e164: str) -> tuple[str, ...]:
    """The number's keys in the table, the current pepper's first."""
    return tuple(keyed(pepper, "number", e164) for pepper in peppers.all)
