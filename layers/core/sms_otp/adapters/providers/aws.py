"""AWS End User Messaging SMS (`pinpoint-sms-voice-v2`), which sends texts and checks no codes.

So this adapter makes and checks the code. It keeps only a keyed hash, inside the handle that the
verification holds; the key is in the provider secret, apart from the table. So a code ends with its
verification.
"""

import base64
import contextlib
import hmac
import re
import secrets
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from typing import Any, ClassVar, Protocol

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectTimeoutError,
    CredentialRetrievalError,
    EndpointConnectionError,
    NoCredentialsError,
    NoRegionError,
    ParamValidationError,
    PartialCredentialsError,
    ProxyConnectionError,
)

from sms_otp.adapters.providers import aws_codes, codes, outcomes, texts
from sms_otp.adapters.providers.outcomes import word
from sms_otp.adapters.providers.transport import IDLE_SECONDS, TOTAL_SECONDS
from sms_otp.domain.clock import Deadline
from sms_otp.domain.provider import (
    Ambiguous,
    Channel,
    Check,
    CodeMessage,
    Misconfigured,
    NotSent,
    ProviderError,
    Refused,
    Sent,
    TooLate,
)
from sms_otp.domain.sms_text import parts

SHORTEST_KEY = 32
SHORTEST_LIFE, LONGEST_LIFE = 5, 259_200
"""Seconds, the bounds of `TimeToLive`."""

_TEMPLATE = "Your verification code is {code}."
_TEXT = re.compile(r"template(\.(?=[^/]))?(?P<locale>[^./]*)(?P<purpose>(/[A-Za-z0-9_.:-]{1,64})?)")
"""The name of a secret's field that holds a text."""
_PLACEHOLDER = "{code}"

# From botocore's model of the service, where it has a pattern.
_PATTERNS: Mapping[str, re.Pattern[str]] = {
    "originationIdentity": re.compile(r"[A-Za-z0-9_:/+-]{1,256}"),
    "configurationSetName": re.compile(r"[A-Za-z0-9_:/-]{1,256}"),
    "maxPrice": re.compile(r"[0-9]{0,2}\.[0-9]{1,5}"),
    "inEntityId": re.compile(r"[0-9]{1,64}"),
    "inTemplateId": re.compile(r"[0-9]{1,64}"),
    "domain": re.compile(r"(?=.{1,100}$)([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]{2,63}"),
}
_PARAMETERS = {
    "originationIdentity": "OriginationIdentity",
    "configurationSetName": "ConfigurationSetName",
    "maxPrice": "MaxPrice",
}
_DLT = {"inEntityId": "IN_ENTITY_ID", "inTemplateId": "IN_TEMPLATE_ID"}

# botocore's errors if no connection came about, and if no request could be made.
_NOT_CONNECTED = (ConnectTimeoutError, EndpointConnectionError, ProxyConnectionError)
_NOT_MADE = (
    CredentialRetrievalError,
    NoCredentialsError,
    NoRegionError,
    ParamValidationError,
    PartialCredentialsError,
)

_REASON = re.compile(r"[A-Z][A-Za-z_]{0,79}")
_REF = re.compile(r"([A-Za-z0-9_-]{22})\.([A-Za-z0-9_-]{43})(?:\.([A-Za-z0-9-]{1,128}))?")
"""Nonce, hash of the code, and the message's id, for feedback to AWS."""
_MESSAGE_ID = re.compile(r"[A-Za-z0-9-]{1,128}")


class Client(Protocol):
    """The part of the boto3 client that is used."""

    def send_text_message(self, **parameters: Any) -> Mapping[str, Any]: ...

    def put_message_feedback(self, *, MessageId: str, MessageFeedbackStatus: str) -> object: ...  # noqa: N803 - names in AWS

    def describe_account_attributes(self) -> Mapping[str, Any]: ...

    def close(self) -> None: ...


class Aws:
    """`credentials` are the secret's `codeKey`, `originationIdentity` and optional fields.

    `docs/providers.md` lists the fields. `client` must try once: a message that may have been sent is never
    repeated. Raises `Misconfigured`, naming an unusable field.
    """

    name: ClassVar[str] = "aws"

    def __init__(
        self,
        credentials: Mapping[str, str],
        client: Client,
        *,
        code_length: int,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        _check(credentials)
        self._key = credentials["codeKey"].encode()
        self._code_length = code_length
        self._last_line = _last_line(credentials)
        self._texts, self._bad_texts = _texts(credentials, self._last_line, code_length)
        self._india = _present(credentials, _DLT)
        self._parameters = {
            "MessageType": "TRANSACTIONAL",
            # The AWS filter against SMS pumping learns from which messages led to a verification.
            "MessageFeedbackEnabled": True,
            **_present(credentials, _PARAMETERS),
        }
        self._client = client
        self._lock = threading.Lock()
        self._monotonic = monotonic
        self._last_used = monotonic()

    def send(self, message: CodeMessage, deadline: Deadline) -> Sent:
        """Call `SendTextMessage`, which is not idempotent. Raises a `ProviderError`."""
        seconds = min(TOTAL_SECONDS, deadline.remaining())
        if not seconds:
            raise TooLate(self.name, "deadline")
        code = f"{secrets.randbelow(10**self._code_length):0{self._code_length}d}"
        parameters = {
            **self._parameters,
            "DestinationPhoneNumber": message.to.e164,
            "Context": {aws_codes.CONTEXT: message.reference},
            "TimeToLive": min(max(message.ttl_seconds, SHORTEST_LIFE), LONGEST_LIFE),
        }
        text, has_app_hash = self._text(message, code)
        message_id = word(self._sent(parameters | text, seconds).get("MessageId"))
        return Sent(self._ref(code, message_id), message_id=message_id, has_app_hash=has_app_hash)

    def resend(
        self,
        ref: str,  # noqa: ARG002 - of the port; only a hash of the old code is left
        message: CodeMessage,
        deadline: Deadline,
    ) -> Sent:
        """Send a new code in a new message. Raises a `ProviderError`."""
        return self.send(message, deadline)

    def check(self, ref: str, otp: str, *, channel: Channel, deadline: Deadline) -> Check:
        """See `Provider`. Checked here, in constant time."""
        del channel, deadline
        parts = _REF.fullmatch(ref)
        if parts is None:
            return Check.UNKNOWN
        if not hmac.compare_digest(self._hash(parts[1], otp), parts[2]):
            return Check.WRONG
        if parts[3]:
            self._report_received(parts[3])
        return Check.CORRECT

    def _report_received(self, message_id: str) -> None:
        """Call `PutMessageFeedback`, without waiting for it.

        AWS counts a message without feedback as not received after an hour. In Lambda the thread runs until
        the request is finished, and goes on with the next request if that was too short.
        """

        def put() -> None:
            with contextlib.suppress(Exception):  # the filter learns a little less
                client = self._connected()
                client.put_message_feedback(MessageId=message_id, MessageFeedbackStatus="RECEIVED")

        threading.Thread(target=put, name="aws-feedback", daemon=True).start()

    def probe(self, deadline: Deadline) -> None:
        """Call `DescribeAccountAttributes`, which names no number or identity; then check the texts."""
        seconds = min(TOTAL_SECONDS, deadline.remaining())
        answer = self._call(lambda client: client.describe_account_attributes(), seconds)
        if "AccountAttributes" not in answer:
            raise Ambiguous(self.name, "no_attributes")
        for field in self._bad_texts:
            raise _unusable(field)

    def _ref(self, code: str, message_id: str) -> str:
        nonce = secrets.token_urlsafe(16)
        named = f".{message_id}" if _MESSAGE_ID.fullmatch(message_id) else ""
        return f"{nonce}.{self._hash(nonce, code)}{named}"

    def _hash(self, nonce: str, code: str) -> str:
        """The code's hash with this send's nonce: no table of all codes' hashes helps an attacker."""
        digest = hmac.digest(self._key, f"{nonce}:{code}".encode(), "sha256")
        return base64.urlsafe_b64encode(digest).decode().rstrip("=")

    def _text(self, message: CodeMessage, code: str) -> tuple[dict[str, Any], bool]:
        """The parameters of the text, with its registration for India; whether it ends with the app hash."""
        if message.to.country == "IN" and self._india:
            # A DLT template's id is for one text, which is sent for every locale, purpose and app.
            registered = (self._texts[""] + self._last_line).replace(_PLACEHOLDER, code)
            return {"MessageBody": registered, "DestinationCountryParameters": self._india}, False
        found = (name for name in texts.names(message.locale, message.purpose) if name in self._texts)
        template = self._texts[next(found)]
        with_hash = f"{template}\n{message.app_hash}".replace(_PLACEHOLDER, code)
        # Both an app hash and WebOTP's line must come last; a user of an app is not in a browser.
        has_app_hash = message.app_hash is not None and parts(with_hash) == 1
        text = with_hash if has_app_hash else (template + self._last_line).replace(_PLACEHOLDER, code)
        return {"MessageBody": text}, has_app_hash

    def _sent(self, message: Mapping[str, Any], seconds: float) -> Mapping[str, Any]:
        """Send the message; return the answer, within `seconds`. Raises a `ProviderError`."""
        answer = self._call(lambda client: client.send_text_message(**message), seconds)
        if not word(answer.get("MessageId")):
            raise Ambiguous(self.name, "no_message_id")
        return answer

    def _call(self, ask: Callable[[Client], Mapping[str, Any]], seconds: float) -> Mapping[str, Any]:
        try:
            return _within(seconds, lambda: ask(self._connected()))
        except ClientError as error:
            raise _refusal(error) from None
        except _NOT_CONNECTED:
            raise NotSent(self.name, "connection") from None
        except _NOT_MADE as error:
            raise Misconfigured(self.name, type(error).__name__) from None
        except BotoCoreError as error:
            # `from None`, because their texts hold what was sent.
            raise Ambiguous(self.name, type(error).__name__) from None
        except TimeoutError:
            raise Ambiguous(self.name, "deadline") from None
        except Exception:  # botocore's parser assumes that an answer fits its model
            raise Ambiguous(self.name, "unreadable") from None

    def _connected(self) -> Client:
        """The client, without connections that were idle for so long that they may be dead."""
        with self._lock:
            now = self._monotonic()
            if now - self._last_used > IDLE_SECONDS:
                self._client.close()
            self._last_used = now
        return self._client


def _within(seconds: float, act: Callable[[], Mapping[str, Any]]) -> Mapping[str, Any]:
    """Run `act` in a thread. Raises what it raises, or `TimeoutError` after `seconds` and abandons it.

    botocore's timeouts bound neither name resolution nor an answer that drips in byte by byte.
    """
    answer: Future[Mapping[str, Any]] = Future()

    def work() -> None:
        try:
            answer.set_result(act())
        except BaseException as error:
            answer.set_exception(error)

    threading.Thread(target=work, name="aws-exchange", daemon=True).start()
    return answer.result(timeout=seconds)


def _refusal(error: ClientError) -> ProviderError:
    """The outcome by the error's code and `Reason`, else by its status."""
    response: Mapping[str, Any] = error.response
    code, reason = word(response["Error"].get("Code")), word(response.get("Reason"))
    kind = Refused if _is_about_number(response) else codes.error_of(aws_codes.failed(code, reason))
    status = response["ResponseMetadata"]["HTTPStatusCode"]
    shown = next((text for text in (reason, code) if _REASON.fullmatch(text)), f"http_{status}")
    return (kind or outcomes.of_status(status))(Aws.name, shown, status=status)


def _is_about_number(response: Mapping[str, Any]) -> bool:
    """Whether a ValidationException names the destination number and no other field."""
    return {field.get("Name") for field in response.get("Fields", [])} == {"DestinationPhoneNumber"}


def _check(credentials: Mapping[str, str]) -> None:
    if len(credentials["codeKey"]) < SHORTEST_KEY:
        raise _unusable("codeKey")
    for name, pattern in _PATTERNS.items():
        if name in credentials and not pattern.fullmatch(credentials[name]):
            raise _unusable(name)
    missing = [name for name in _DLT if name not in credentials]
    if len(missing) == 1:
        raise _unusable(missing[0])


def _present(credentials: Mapping[str, str], names: Mapping[str, str]) -> dict[str, Any]:
    """The fields that are present, under their names in AWS."""
    return {name: credentials[field] for field, name in names.items() if field in credentials}


def _last_line(credentials: Mapping[str, str]) -> str:
    """Binds the code to a site: browsers fill it in only there (WebOTP). Empty without a `domain`."""
    return f"\n@{credentials['domain']} #{_PLACEHOLDER}" if "domain" in credentials else ""


def _texts(
    credentials: Mapping[str, str], last_line: str, code_length: int
) -> tuple[dict[str, str], list[str]]:
    """The texts as `texts.names` names them: `template`, `template.<locale>`, `template.<locale>/<purpose>`.

    And the skipped fields: their text does not hold the code exactly once, or is longer than one SMS.
    """
    found, bad = {"": _TEMPLATE}, list[str]()
    for field, template in credentials.items():
        named = _TEXT.fullmatch(field)
        if named is None:
            continue
        whole = (template + last_line).replace(_PLACEHOLDER, "0" * code_length)
        if template.count(_PLACEHOLDER) != 1 or parts(whole) > 1:
            bad.append(field)
            continue
        found[named["locale"].lower() + named["purpose"]] = template
    return found, bad


def _unusable(field: str) -> Misconfigured:
    return Misconfigured(Aws.name, f"secret field aws.{field}")
