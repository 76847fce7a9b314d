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
    source_ip: str = ""
    api_url: str = ""
    """Where the API was called, without the path of the operation."""


@dataclass(frozen=True, slots=True)
class Callback:
    """A POST from a provider."""

    path: str
    """The public path that it called, the stage included: a part of what it signs."""
    headers: Mapping[str, str]
    """By name in lower case."""
    body: bytes = field(repr=False)
    """As it came over the wire: the provider signs these bytes."""


def language_tag(locale: str) -> str:
    """Language, script and region of a locale as devices write it: `en_US`, `en-US-u-ca-gregory` are `en-US`.

    Extensions begin with a single character (BCP 47, RFC 5646 §2.2.6) and say nothing of a text's language.
    """
    kept = []
    for subtag in locale.replace("_", "-").split("-"):
        if len(subtag) == 1:
            break
        kept.append(subtag)
    return "-".join(kept)


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
    """The backend's word that its user has passed a challenge."""
    id_form: IdForm = IdForm.OWN
    app_hash: str | None = field(default=None, repr=False)
    """Eleven characters that name an Android app to its phone; see `provider.CodeMessage`."""


@dataclass(frozen=True, slots=True)
class ResendOtp:
    """Send the code again. Fields as in the API; without a channel, the last one."""

    verification_id: str
    channel: Channel | None = None
    session_id: str | None = None
    idempotency_key: str | None = None
    device_token: str | None = field(default=None, repr=False)
    is_challenged: bool = False


@dataclass(frozen=True, slots=True)
class Requested:
    """A code is on its way. `resend_after` is from now on."""

    verification_id: str
    channel: str
    expires_at: Seconds
    resend_after: Seconds
    same_code: bool | None = None
    """Of a resend: whether an earlier message's code is still right."""
    app_hash_sent: bool | None = None
    """Where the first request named an `app_hash`: whether the message ends with it."""


@dataclass(frozen=True, slots=True)
class VerifyOtp:
    """A code was typed. Fields as in the API.

    Without `verification_id` it is for the newest verification that the number's session requested.
    """

    verification_id: str | None
    otp: str = field(repr=False)
    phone_number: str | None = field(default=None, repr=False)
    session_id: str | None = None
    idempotency_key: str | None = None
    device_token: str | None = field(default=None, repr=False)
    with_token: bool = True
    """Whether the answer has a place for a token, where this deployment issues any."""


@dataclass(frozen=True, slots=True)
class Verified:
    """The code was right."""

    verification_id: str | None
    phone_number: str = field(repr=False)
    purpose: str | None
    verified_at: Seconds
    token: str | None = field(default=None, repr=False)
    """The verification token, where this deployment issues one and signing succeeded."""
    token_failed: bool = False
    """Whether signing failed. The verification still succeeded."""
    device_token: str | None = field(default=None, repr=False)
    """Says that on this device the number was verified; see `device_token`."""


@dataclass(frozen=True, slots=True)
class Policy:
    """The limits and settings of this deployment."""

    code_length: int
    code_ttl_seconds: Seconds
    """At most 600 (NIST SP 800-63B-4 §3.1.3.2)."""
    max_attempts: int
    admission: AdmissionPolicy
    countries: frozenset[str] | None
    """ISO 3166-1 alpha-2 codes that are sent to; None is all."""
    trust_client_ip: bool
    require_verification_id: bool
    keeps_users: bool = False
    test_numbers: Mapping[str, str] = field(default_factory=dict, repr=False)
    """Numbers whose code is fixed, by E.164."""
    test_numbers_end: Seconds = NO_SECONDS
    """From then on they are numbers like any other."""
    channel_countries: Mapping[Channel, frozenset[str] | None] = field(default_factory=dict)
    """Of `countries`, those that a channel other than SMS goes to; None is all of them. One that is not there
    goes nowhere.
    """

    def sends_to(self, country: str) -> bool:
        """Whether codes go to this country."""
        return self.countries is None or country in self.countries

    def allows(self, country: str, channel: Channel) -> bool:
        """Whether codes go to the country by this channel, as far as the channel decides."""
        if channel is Channel.SMS:
            return True
        allowed = self.channel_countries.get(channel, frozenset())
        return allowed is None or country in allowed

    def number_limits(self, country: str) -> LanePolicy:
        """The limits on sends to a number of this country, and on guesses at it."""
        return self.admission.number_limits(country)
