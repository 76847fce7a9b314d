"""Secrets Manager: the providers' credentials and the pepper, cached for five minutes.

    provider secret  {"infobip": {"apiKey", "baseUrl", "applicationId", "messageId"},
                      "sinch": {"applicationKey", "applicationSecret"},
                      "aws": {"codeKey", "originationIdentity"}}
                     without Infobip's two ids where the deployment provisioned it;
                     with infobip's "webhookUser" and "webhookPassword" to accept its delivery
                     reports; docs/providers.md lists the optional fields of `aws`
    pepper secret    {"pepper": "…"}, and "alsoRead": "…" while it is being rotated

An error about a secret names the field, never the value.
"""

import json
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

from botocore.exceptions import BotoCoreError, ClientError

from sms_otp.domain.clock import Clock
from sms_otp.domain.errors import ServiceMisconfigured
from sms_otp.domain.keys import Peppers

if TYPE_CHECKING:
    from mypy_boto3_secretsmanager import SecretsManagerClient

CACHE_SECONDS = 300
RENEW_SECONDS = 60
"""The shortest time between fetches that forged callbacks can cause."""
SHORTEST_PEPPER = 32

Taken = TypeVar("Taken")


class SecretCache:
    """Both secrets, fetched when first needed. Safe to share between requests."""

    def __init__(
        self, client: "SecretsManagerClient", provider_secret: str, pepper_secret: str, clock: Clock
    ) -> None:
        self._client = client
        self._provider_secret = provider_secret
        self._pepper_secret = pepper_secret
        self._clock = clock
        self._cached: dict[str, tuple[float, Mapping[str, Any]]] = {}

    def peppers(self) -> Peppers:
        """The keys of all keyed hashes. Raises `ServiceMisconfigured`."""
        return self._read(self._pepper_secret, "pepper", _peppers)

    def credentials(self, provider: str) -> Mapping[str, str]:
        """The provider's fields that are non-empty text. Raises `ServiceMisconfigured`."""
        return self._read(self._provider_secret, "provider", lambda fields: _credentials(fields, provider))

    def forget_credentials(self) -> None:
        """Fetch the providers' credentials again at their next use, after a provider refused these."""
        self._cached.pop(self._provider_secret, None)

    def renew_credentials(self) -> bool:
        """As `forget_credentials`, if a rotated secret may accept a callback; False if they are fresh."""
        fetched_at, _ = self._cached.get(self._provider_secret, (-RENEW_SECONDS, {}))
        if self._clock() - fetched_at < RENEW_SECONDS:
            return False
        self.forget_credentials()
        return True

    def fetch_credentials(self) -> None:
        """Fetch the providers' credentials now, past the cache. Raises `ServiceMisconfigured`."""
        self.forget_credentials()
        self._read(self._provider_secret, "provider", lambda fields: fields)

    def fetch_peppers(self) -> None:
        """Fetch the peppers now, past the cache. Raises `ServiceMisconfigured`."""
        self._cached.pop(self._pepper_secret, None)
        self.peppers()

    def _read(self, secret: str, name: str, take: Callable[[Mapping[str, Any]], Taken]) -> Taken:
        """Read a secret. A malformed one is not cached, so that the next request sees the corrected one."""
        now = self._clock()
        fetched_at, fields = self._cached.get(secret, (-CACHE_SECONDS, {}))
        if now - fetched_at >= CACHE_SECONDS:
            fetched_at, fields = now, self._fetch(secret, name)
        taken = take(fields)
        self._cached[secret] = (fetched_at, fields)
        return taken

    def _fetch(self, secret: str, name: str) -> Mapping[str, Any]:
        try:
            text = self._client.get_secret_value(SecretId=secret)["SecretString"]
        except ClientError as error:
            raise ServiceMisconfigured(reason=f"{name} secret: {error.response['Error']['Code']}") from None
        except BotoCoreError as error:
            raise ServiceMisconfigured(reason=f"{name} secret: {type(error).__name__}") from None
        except KeyError:
            raise ServiceMisconfigured(reason=f"{name} secret: not text") from None
        try:
            fields = json.loads(text)
        except (ValueError, RecursionError):
            fields = None
        if not isinstance(fields, dict):
            raise ServiceMisconfigured(reason=f"{name} secret: not a JSON object")
        return fields


def _peppers(fields: Mapping[str, Any]) -> Peppers:
    for name in ("pepper", "alsoRead"):
        value = fields.get(name)
        is_optional = name == "alsoRead" and value is None
        if not is_optional and (not isinstance(value, str) or len(value) < SHORTEST_PEPPER):
            raise ServiceMisconfigured(reason=f"secret field {name}")
    # Two equal peppers would request one key twice, which DynamoDB refuses.
    previous = fields.get("alsoRead") if fields.get("alsoRead") != fields["pepper"] else None
    return Peppers(fields["pepper"], previous)


def _credentials(secret: Mapping[str, Any], provider: str) -> Mapping[str, str]:
    fields = secret.get(provider)
    if not isinstance(fields, dict):
        raise ServiceMisconfigured(reason=f"secret field {provider}")
    # The adapter that needs a missing field names it; comments and empty fields do no harm.
    return {name: value for name, value in fields.items() if isinstance(value, str) and value}
