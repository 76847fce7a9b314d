"""Commands and their results, the caller, and the policy of a deployment."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from sms_otp.domain.admission import AdmissionPolicy
from sms_otp.domain.clock import NO_SECONDS, Deadline, Seconds
from sms_otp.domain.keys import IdForm
from sms_otp.domain.number import LanePolicy
from sms_otp.domain.provider import Channel
from sms_otp.domain.users import Consent


@dataclass(frozen=True, slots=True)
class Caller:
    """The caller of one request: the tenant (the id of its API key) and its address."""

    tenant: str
    request_id: str
    deadline: Deadline
    source_ip: str
    api_url: str
    """URL of the API, without the operation's path."""


@dataclass(frozen=True, slots=True)
class Callback:
    """A POST from a provider."""

    path: str
    """The public path with the stage: part of the signed text."""
    headers: Mapping[str, str]
    """By lower-case name."""
    body: bytes = field(repr=False)
    """As received: the provider signs these bytes."""


def language_tag(locale: str) -> str:
    """Language, script and region of a locale as devices write it: `en_US`, `en-US-u-ca-gregory` are `en-US`.

    Drops extensions, which begin with a single character (BCP 47, RFC 5646 §2.2.6).
    """
    subtags = []
    for subtag in locale.replace("_", "-").split("-"):
        if len(subtag) == 1:
            break
        subtags.append(subtag)
    return "-".join(subtags)


@dataclass(frozen=True, slots=True)
class RequestOtp:
    """Send a code. Fields as in the API."""

    phone_number: str = field(repr=False)
    channel: Channel = Channel.SMS
    locale: str | None = None
    purpose: str | None = None
    session_id: str | None = None
    client_ip: str | None = None
    consent: Consent | None = None
    idempotency_key: str | None = None
    device_token: str | None = field(default=None, repr=False)
    is_challenged: bool = False
    """Whether the user has passed a challenge, by the backend's word."""
    id_form: IdForm = IdForm.OWN
    app_hash: str | None = field(default=None, repr=False)
    """Eleven characters that identify an Android app; see `provider.CodeMessage`."""


@dataclass(frozen=True, slots=True)
class ResendOtp:
    """Send the code again. Fields as in the API; `channel` None repeats the last one."""

    verification_id: str
    channel: Channel | None = None
    session_id: str | None = None
    idempotency_key: str | None = None
    device_token: str | None = field(default=None, repr=False)
    is_challenged: bool = False


@dataclass(frozen=True, slots=True)
class Requested:
    """A code is on its way. `resend_after` counts from now."""

    verification_id: str
    channel: str
    expires_at: Seconds
    resend_after: Seconds
    same_code: bool | None = None
    """For a resend: whether an earlier message's code is still valid."""
    app_hash_sent: bool | None = None
    """Whether the message ends with the `app_hash`; None if the first request had none."""


@dataclass(frozen=True, slots=True)
class VerifyOtp:
    """Check a code. Fields as in the API.

    Without `verification_id`: for the newest verification of the number's session.
    """

    verification_id: str | None
    otp: str = field(repr=False)
    phone_number: str | None = field(default=None, repr=False)
    session_id: str | None = None
    idempotency_key: str | None = None
    device_token: str | None = field(default=None, repr=False)
    with_token: bool = True
    """Whether the caller's API returns a verification token, if this deployment issues any."""


@dataclass(frozen=True, slots=True)
class Verified:
    """The code was right."""

    verification_id: str | None
    phone_number: str = field(repr=False)
    purpose: str | None
    verified_at: Seconds
    token: str | None = field(default=None, repr=False)
    """The verification token, if this deployment issues one and signing succeeded."""
    token_failed: bool = False
    """Whether signing failed. The verification still succeeded."""
    device_token: str | None = field(default=None, repr=False)
    """Proof that the number was verified on this device; see `device_token`."""


@dataclass(frozen=True, slots=True)
class Policy:
    """The limits and settings of this deployment."""

    code_length: int
    code_ttl_seconds: Seconds
    """At most 600 (NIST SP 800-63B-4 §3.1.3.2)."""
    max_attempts: int
    admission: AdmissionPolicy
    countries: frozenset[str] | None
    """Allowed destinations, ISO 3166-1 alpha-2; None is all."""
    trust_client_ip: bool
    require_verification_id: bool
    keeps_users: bool = False
    test_numbers: Mapping[str, str] = field(default_factory=dict, repr=False)
    """Fixed codes of test numbers, by E.164."""
    test_numbers_end: Seconds = NO_SECONDS
    """From this moment test numbers are ordinary numbers."""
    channel_countries: Mapping[Channel, frozenset[str] | None] = field(default_factory=dict)
    """Countries within `countries` that a channel other than SMS is sent to; None is all of them. A channel
    without an entry is not sent at all.
    """

    def sends_to(self, country: str) -> bool:
        """Whether codes are sent to this country."""
        return self.countries is None or country in self.countries

    def allows(self, country: str, channel: Channel) -> bool:
        """Whether the channel may be used for the country; see `sends_to` for the country itself."""
        if channel is Channel.SMS:
            return True
        allowed = self.channel_countries.get(channel, frozenset())
        return allowed is None or country in allowed

    def number_limits(self, country: str) -> LanePolicy:
        """The limits on sends to a number of this country, and on guesses at it."""
        return self.admission.number_limits(country)
