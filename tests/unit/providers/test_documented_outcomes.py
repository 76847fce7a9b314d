"""The outcomes in `docs/providers.md` are those of the adapters."""

import re
from collections.abc import Callable, Mapping
from typing import Any

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError, ReadTimeoutError

from local.template import ROOT
from sms_otp.adapters.config import Settings
from sms_otp.adapters.providers import registry
from sms_otp.adapters.providers.aws import Aws
from sms_otp.adapters.providers.transport import (
    HttpResponse,
    NoAnswer,
    RequestNotSent,
    Transport,
    TransportError,
)
from sms_otp.domain.provider import Channel, Check, CodeMessage, Provider, ProviderError, TooLate
from tests.unit.providers.scripted import DEADLINE, LIFE, PHONE, ScriptedTransport, answer, outcome

URL = "https://example.com"
REF = "a-reference"
EACH = ("infobip", "sinch", "aws")
CREDENTIALS: Mapping[str, dict[str, object]] = {
    "infobip": {
        "apiKey": "a-key",
        "baseUrl": "https://api.infobip.com",
        "applicationId": "an-application",
        "messageId": "a-message",
    },
    "sinch": {"applicationKey": "a-key", "applicationSecret": "JViE5vDor0Sw3WllZka15Q=="},
}

Row = tuple[str, str, str, str]


def rows(first: str) -> list[Row]:
    """The rows of the table that begins with the header `first`, one for each provider and code in them."""
    text = (ROOT / "docs/providers.md").read_text()
    table = text[text.index(first) :].split("\n\n")[0]
    found: list[Row] = []
    for line in table.splitlines()[2:]:
        provider, status, codes, documented = (cell.strip() for cell in re.split(r"\|", line)[1:-1])
        names = EACH if provider == "each" else (provider,)
        found += [(name, status, code, documented) for name in names for code in codes.split(", ")]
    return found


SENDS = rows("| provider | status | code | outcome |")
CHECKS = rows("| provider | status | says | answer |")


class OneAnswer:
    """An AWS client with one answer."""

    def __init__(self, given: Mapping[str, Any] | Exception) -> None:
        self._given = given

    def send_text_message(self, **_parameters: Any) -> Mapping[str, Any]:
        if isinstance(self._given, Exception):
            raise self._given
        return self._given

    def put_message_feedback(self, **_parameters: Any) -> Mapping[str, Any]:
        return {}

    def describe_account_attributes(self) -> Mapping[str, Any]:
        return self.send_text_message()

    def close(self) -> None:
        """There is nothing to close."""


@pytest.fixture
def build(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Provider]:
    def build(name: str, given: HttpResponse | TransportError) -> Provider:
        transport: Transport = ScriptedTransport(given)
        monkeypatch.setattr(registry, "_transport", lambda: transport)
        return registry.build(name, CREDENTIALS[name], settings)

    return build


def infobip_says(status: int, code: str) -> HttpResponse:
    field, _, value = code.partition(" ")
    if field == "field":
        return answer(status, service_exception("BAD_REQUEST", validationErrors={value: ["…"]}))
    if value:
        return answer(status, {"pinId": REF, field: value})
    return answer(status, service_exception(code) if code else b"")


def service_exception(message_id: str, **more: object) -> dict[str, object]:
    return {"requestError": {"serviceException": {"messageId": message_id, **more}}}


def sinch_says(status: int, code: str) -> HttpResponse:
    number, _, message = code.partition(" ")
    return answer(status, {"errorCode": int(number), "message": message} if number else b"")


def aws_says(status: str, code: str) -> Mapping[str, Any] | Exception:
    if status == "200":
        return {}
    if status == "not connected":
        return EndpointConnectionError(endpoint_url=URL)
    if status == "no answer":
        return ReadTimeoutError(endpoint_url=URL)
    name, _, detail = code.partition(" ")
    field = detail.removeprefix("field ")
    details = {"Reason": detail} if field == detail else {"Fields": [{"Name": field, "Message": "…"}]}
    response: Any = {
        "Error": {"Code": name or status},
        "ResponseMetadata": {"HTTPStatusCode": int(status)},
        **details,
    }
    return ClientError(response, "SendTextMessage")


def http_says(name: str, status: str, code: str) -> HttpResponse | TransportError:
    if status == "not connected":
        return RequestNotSent("connection")
    if status == "no answer":
        return NoAnswer("read_timeout")
    return (infobip_says if name == "infobip" else sinch_says)(int(status), code)


def test_each_provider_has_each_outcome_of_a_send() -> None:
    # TooLate comes from our own clock, never from a provider.
    outcomes = {kind.__name__ for kind in ProviderError.__subclasses__() if kind is not TooLate}
    for name in EACH:
        # Infobip answers 429 to a number's own limit and to the account's rate alike.
        never = {"Throttled"} if name == "infobip" else set[str]()
        assert {documented for of, _, _, documented in SENDS if of == name} == outcomes - never


@pytest.mark.parametrize(("name", "status", "code", "documented"), SENDS)
def test_a_sends_outcome_is_the_documented_one(
    name: str, status: str, code: str, documented: str, build: Callable[..., Provider]
) -> None:
    if name == "aws":
        credentials = {"codeKey": "a-key-of-no-less-than-32-letters", "originationIdentity": "SENDER"}
        provider: Provider = Aws(credentials, OneAnswer(aws_says(status, code)), code_length=6)
    else:
        provider = build(name, http_says(name, status, code))
    found = outcome(
        lambda: provider.send(
            CodeMessage(PHONE, channel=Channel.SMS, locale=None, reference=REF, ttl_seconds=LIFE),
            DEADLINE,
        )
    )
    assert isinstance(found, type)
    assert found.__name__ == documented


def guess_says(name: str, status: int, says: str) -> HttpResponse:
    if status != 200:
        return infobip_says(status, says) if name == "infobip" else sinch_says(status, says)
    if name == "infobip":
        error = {} if says == "verified" else {"pinError": says}
        return answer(200, {"pinId": REF, "verified": not error, **error})
    word, _, reason = says.partition(" ")
    return answer(200, {"id": REF, "status": word, "reason": reason})


def test_every_answer_to_a_guess_is_documented() -> None:
    assert {documented for _, _, _, documented in CHECKS} == {check.name for check in Check}


@pytest.mark.parametrize(("name", "status", "says", "documented"), CHECKS)
def test_the_answer_to_a_guess_is_the_documented_one(
    name: str, status: str, says: str, documented: str, build: Callable[..., Provider]
) -> None:
    provider = build(name, guess_says(name, int(status), says))
    assert provider.check(REF, "123456", channel=Channel.SMS, deadline=DEADLINE) is Check[documented]
