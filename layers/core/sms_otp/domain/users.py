"""Users of a tenant: whether a number was verified, for which purposes, and its consent. Pure.

Kept only with `KeepUsers=true`, in a table of their own: they are business records. A user is a number's
keyed hash and a tenant; the number itself is not kept.
"""

from dataclasses import dataclass

from sms_otp.domain.clock import DAY, Seconds

FOREVER = Seconds(253402300799)
"""The last second of the year 9999: the end of a record that is kept without end, so that each has one."""
MOST_PURPOSES = 20
"""Per user. A caller that sends a new purpose each time must not grow the record without bound."""


@dataclass(frozen=True, slots=True)
class Consent:
    """A consent in the caller's own terms: the version of the text, and where it was given."""

    text_version: str
    source: str


@dataclass(frozen=True, slots=True)
class ConsentRecord:
    """A consent with the time of its request."""

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
    """Time of the last success. None if never verified: the caller may not hold the phone."""
    purposes: tuple[str, ...] = ()
    """Purposes that it was verified for."""
    consent: ConsentRecord | None = None
    """The newest consent that came with a verified code."""
    requested_consent: ConsentRecord | None = None
    """The consent of a newer request whose code is not verified yet: not valid so far."""
    kept_until: Seconds | None = None
    """None is forever."""

    def is_kept(self, now: Seconds) -> bool:
        """Whether it has not ended. DynamoDB deletes it up to days later."""
        return self.kept_until is None or now < self.kept_until


@dataclass(frozen=True, slots=True)
class Retention:
    """How long users are kept, in days."""

    unverified: int
    """After the newest request."""
    verified: int
    """After the newest verification; 0 is forever."""

    def unverified_until(self, now: Seconds) -> Seconds:
        """The moment after which an unverified user may be deleted."""
        return Seconds(now + self.unverified * DAY)

    def verified_until(self, now: Seconds) -> Seconds:
        """The moment after which a verified user may be deleted."""
        return Seconds(now + self.verified * DAY) if self.verified else FOREVER
