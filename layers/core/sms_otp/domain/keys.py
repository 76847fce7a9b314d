"""How things are named without saying what they are: hashes for identifiers, keyed hashes for numbers.

A verificationId derives from a random nonce and the pepper, so that it can be named again although the
table holds neither it nor the pepper; 128 bits or more (OWASP ASVS 5.0 11.5.1), so its plain SHA-256 cannot
be reversed. A phone number can be guessed: ten
digits are tried in seconds, so everything derived from one is keyed with the pepper, a secret of
this deployment that the table never holds.
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
    """What is written is keyed with `current`; what is read, with `previous` too while a rotation lasts."""

    current: str = field(repr=False)
    previous: str | None = field(default=None, repr=False)

    @property
    def all(self) -> tuple[str, ...]:
        """The current one first."""
        return (self.current,) if self.previous is None else (self.current, self.previous)


def verification_key(verification_id: str) -> str:
    """What the table holds of a verificationId: its SHA-256, 64 hex digits."""
    return hashlib.sha256(verification_id.encode()).hexdigest()


class IdForm(StrEnum):
    """How a verificationId is written. The table holds its hash alone, so each verification has one form."""

    OWN = "own"
    """32 URL-safe characters, 192 bits."""
    TWILIO = "twilio"
    """`VE` and 32 hex digits, 128 bits, as Twilio's clients expect it."""


def new_nonce() -> str:
    """192 random bits: with the pepper, a verificationId; alone, of no use."""
    return secrets.token_urlsafe(24)


def verification_id(pepper: str, nonce: str, form: IdForm = IdForm.OWN) -> str:
    """The verificationId that the pepper makes of a stored nonce, in each form another."""
    if form is IdForm.TWILIO:
        return f"VE{hmac.digest(pepper.encode(), f'twilio:{nonce}'.encode(), 'sha256')[:16].hex()}"
    made = hmac.digest(pepper.encode(), f"verification:{nonce}".encode(), "sha256")
    return base64.urlsafe_b64encode(made[:24]).decode()


def named_again(peppers: Peppers, nonce: str, key: str) -> str | None:
    """The verificationId that a verification with this nonce and key was given, under either pepper."""
    return next((named for _, named in _names(peppers, nonce) if verification_key(named) == key), None)


def own_code(peppers: Peppers, nonce: str, key: str, length: int) -> str | None:
    """The code of this many digits that a verification has where the service chooses it.

    The same under either pepper while one is rotated: it derives from the pepper that named the verification.
    None if neither did. Nobody without the pepper can compute it, even from every id.
    """
    pepper = next((by for by, named in _names(peppers, nonce) if verification_key(named) == key), None)
    if pepper is None:
        return None
    # 256 bits modulo at most 10^10: no code is likelier than another by more than 2^-222.
    drawn = int.from_bytes(hmac.digest(pepper.encode(), f"own code:{nonce}".encode(), "sha256"))
    return f"{drawn % 10**length:0{length}d}"


def callback_key(pepper: str, key: str) -> str:
    """What a provider hands back when it requests a code: it shows that the send was ours. 22 characters."""
    return _short(hmac.digest(pepper.encode(), f"callback:{key}".encode(), "sha256")[:16])


def is_callback_key(peppers: Peppers, key: str, given: str) -> bool:
    """Whether this is the verification's callback key, under either pepper. In constant time."""
    raw = given.encode(errors="surrogatepass")
    found = [hmac.compare_digest(raw, callback_key(pepper, key).encode()) for pepper in peppers.all]
    return any(found)


def _names(peppers: Peppers, nonce: str) -> Iterator[tuple[str, str]]:
    """Each pepper with each verificationId that it makes of the nonce."""
    return ((pepper, verification_id(pepper, nonce, form)) for pepper in peppers.all for form in IdForm)


def owner(number_key: str, tenant: str, session_id: str | None) -> str:
    """The key of a tenant's session, by which a number's list is searched: 64 bits, 11 characters.

    A match is a candidate and no more: the verification's own tenant and session decide.
    """
    about = f"owner:{tenant}:{'' if session_id is None else session_id}"
    return _short(hmac.digest(number_key.encode(), about.encode(), "sha256")[:8])


def network_hash(pepper: str, e164: str, network: str) -> str:
    """A network as one number knows it: 64 bits, 11 characters. Equal ones of two numbers are unlike."""
    return _short(hmac.digest(pepper.encode(), f"network:{e164}:{network}".encode(), "sha256")[:8])


def _short(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def session_hash(verification_key: str, session_id: str | None) -> str | None:
    """Binds a session to one verification. The session's id is the caller's, and is to be unguessable."""
    if session_id is None:
        return None
    return hmac.digest(verification_key.encode(), session_id.encode(), "sha256").hex()


def code_hash(pepper: str, verification_key: str, otp: str) -> str:
    """By which a code that was right is recognised again: 128 bits, 22 characters."""
    about = f"code:{verification_key}:{otp}"
    return _short(hmac.digest(pepper.encode(), about.encode(), "sha256")[:16])


def subject(number_key: str, tenant: str) -> str:
    """What a token calls the subscriber: 64 hex digits, another at each tenant.

    Keyed with the number's key, which is itself keyed with the pepper and is in no token.
    """
    return hmac.digest(number_key.encode(), f"subject:{tenant}".encode(), "sha256").hex()


def keyed(pepper: str, kind: str, value: str) -> str:
    """HMAC-SHA256 under the pepper, 64 hex digits. `kind` keeps a number from colliding with an address."""
    return hmac.digest(pepper.encode(), f"{kind}:{value}".encode(), "sha256").hex()
