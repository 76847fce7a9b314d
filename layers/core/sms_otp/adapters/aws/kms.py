"""Signs with a KMS key, which never leaves KMS, and reads its public key.

No ClientError leaves this module, only its error code.
"""

from collections.abc import Callable
from functools import cached_property
from typing import Any, Protocol

from botocore.exceptions import BotoCoreError, ClientError

from sms_otp.domain.ports import TokenError


class Client(Protocol):
    """The part of the boto3 client that is used."""

    def sign(self, **request: Any) -> dict[str, Any]: ...

    def get_public_key(self, **request: Any) -> dict[str, Any]: ...


class KmsKey:
    """One Ed25519 key (`ECC_NIST_EDWARDS25519`). The client is made at first use."""

    def __init__(self, client: Callable[[], Client], arn: str) -> None:
        self._client = client
        self._arn = arn

    @property
    def key_id(self) -> str:
        """The last part of the key's ARN, which no other key ever has."""
        return self._arn.rpartition("/")[2]

    def sign(self, message: bytes) -> bytes:
        """See `tokens.Signer`. Signs the message itself, not its hash: plain Ed25519 (RFC 8032)."""
        return self._call(
            "Sign",
            "Signature",
            lambda client: client.sign(
                KeyId=self._arn, Message=message, MessageType="RAW", SigningAlgorithm="ED25519_SHA_512"
            ),
        )

    def public_key(self) -> bytes:
        """See `tokens.PublicKey`. It never changes, so it is read once."""
        return self._public_key

    @cached_property
    def _public_key(self) -> bytes:
        return self._call("GetPublicKey", "PublicKey", lambda client: client.get_public_key(KeyId=self._arn))

    def _call(self, operation: str, field: str, ask: Callable[[Client], dict[str, Any]]) -> bytes:
        try:
            return bytes(ask(self._client())[field])
        except ClientError as error:
            raise TokenError(f"{operation}: {error.response['Error']['Code']}") from None
        except BotoCoreError as error:
            raise TokenError(f"{operation}: {type(error).__name__}") from None
