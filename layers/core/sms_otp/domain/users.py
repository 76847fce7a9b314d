"""A number as a tenant's user: whether it was verified, what for, and what was consented to. Pure.

Kept only with `KeepUsers=true`, and apart from the passcodes: it is a record of the business. A user is a
number's keyed hash and a tenant; the number itself is not kept.
"""

from dataclasses import dataclass

from sms_otp.domain.clock import DAY, Seconds

FOREVER = Seconds(253402300799)
"""The last second of the year 9999. A record that has no end has this one, so that every record has one."""
MOST_PURPOSES = 20
"""Of one user. A caller that names another one each time must not grow the record beyond what is stored."""


@dataclass(frozen=True, slots=True)
class Consent:
    """A consent in the caller's own names: which version of a text, and where it was given."""

    text_version: str
    source: str


@dataclass(frozen=True, slots=True)
class ConsentRecord:
    """A consent with the time of the request that it came with."""

    consent: Consent
    at: Seconds


@dataclass(frozen=True, slots=True)
class User:
    """One number at one tenant. Times in seconds since the epoch."""

    tenant: str
    country: str
    first_requested_at: Seconds
    last_requested_at: Seconds
    verified_at: Seconds | None = None
    """When last. None where it never was: the caller may not hold the phone."""
    purposes: tuple[str, ...] = ()
    """That it was verified for."""
    consent: ConsentRecord | None = None
    """The newest that came with a code that was found right."""
    requested_consent: ConsentRecord | None = None
    """One that came with a newer request, and so far with no right code: worth nothing yet."""
    kept_until: Seconds | None = None
    """None is without end."""

    def is_kept(self, now: Seconds) -> bool:
        """Whether it has not ended yet. DynamoDB deletes it up to days later."""
        return self.kept_until is None or now < self.kept_until


@dataclass(frozen=True, slots=True)
class Retention:
    """How long users are kept, in days."""

    unverified: int
    """After the newest request."""
    verified: int
    """After the newest verification; 0 is without end."""

    def unverified_until(self, now: Seconds) -> Seconds:
        """The moment after which an unverified user may be forgotten."""
        return Seconds(now + self.unverified * DAY)

    def verified_until(self, now: Seconds) -> Seconds:
        """The moment after which a verified user may be forgotten."""
        return Seconds(now + self.verified * DAY) if self.verified else FOREVER
