"""One suite for every provider: what the port promises, through real HTTP against the sandbox."""

import uuid
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
import requests

from local.sandbox.credentials import credentials
from sms_otp import providers
from sms_otp.clock import Deadline
from sms_otp.config import Settings
from sms_otp.phone import PhoneNumber
from sms_otp.providers.base import (
    Ambiguous,
    Channel,
    Check,
    Misconfigured,
    Provider,
    ProviderError,
    Refused,
    Sent,
    Throttled,
    Unavailable,
)

PHONE = PhoneNumber(e164="+14155550123", country="US")
IMPATIENT = 1.0
"""Seconds until the deadline where the provider never answers."""

WRONG_KEYS = {
    "infobip": {"apiKey": "not-the-key"},
    "sinch": {"applicationSecret": "bm90LXRoZS1zZWNyZXQ="},
}

FAULTS: dict[str, type[ProviderError]] = {
    "timeout": Ambiguous,
    "drip": Ambiguous,
    "lost": Ambiguous,
    "html": Ambiguous,
    "401": Misconfigured,
    "429": Throttled,
    "500": Unavailable,
    "502": Unavailable,
    "redirect": Unavailable,
}


@pytest.fixture(params=["infobip", "sinch"])
def name(request: pytest.FixtureRequest) -> str:
    chosen: str = request.param
    return chosen


@pytest.fixture
def build(sandbox: str, settings: Settings) -> Callable[..., Provider]:
    """Builds a provider as a local stack does, with some of its credentials or settings changed."""

    def build(name: str, changed: dict[str, str] | None = None, **chosen: Any) -> Provider:
        held: dict[str, object] = {**credentials(sandbox)[name], **(changed or {})}  # type: ignore[literal-required]  # the name is a parameter
        local = replace(settings, stage="local", provider_sandbox_url=sandbox, **chosen)
        return providers.build(name, held, local)

    return build


@pytest.fixture
def provider(name: str, build: Callable[..., Provider]) -> Provider:
    return build(name)


@pytest.fixture(autouse=True)
def _nothing_is_asked_in_vain(sandbox: str) -> Iterator[None]:
    """Every fault that a test asked for was met by a call."""
    yield
    assert requests.get(f"{sandbox}/faults", timeout=5).json() == []


def send(provider: Provider, channel: Channel = Channel.SMS, *, seconds: float = 10) -> Sent:
    return provider.send(
        PHONE, channel=channel, locale="en-US", reference=str(uuid.uuid4()), deadline=Deadline(seconds)
    )


def check(provider: Provider, ref: str, otp: str, *, seconds: float = 10) -> Check:
    return provider.check(ref, otp, channel=Channel.SMS, deadline=Deadline(seconds))


def inbox(sandbox: str) -> list[dict[str, str]]:
    messages: list[dict[str, str]] = requests.get(f"{sandbox}/inbox", timeout=5).json()
    return messages


def calls(sandbox: str) -> list[tuple[str, str]]:
    """Provider and operation of every call, oldest first."""
    return [
        (call["provider"], call["operation"]) for call in requests.get(f"{sandbox}/calls", timeout=5).json()
    ]


def spoil(sandbox: str, name: str, operation: str, fault: str) -> None:
    wanted = {"provider": name, "operation": operation, "fault": fault, "times": 1}
    requests.post(f"{sandbox}/faults", json=wanted, timeout=5).raise_for_status()


def other_than(code: str) -> str:
    return f"{(int(code) + 1) % 10 ** len(code):0{len(code)}d}"


@pytest.mark.parametrize("channel", list(Channel))
def test_a_code_is_delivered_and_then_recognised(
    channel: Channel, name: str, provider: Provider, sandbox: str
) -> None:
    sent = send(provider, channel)
    (message,) = inbox(sandbox)
    assert (message["to"], message["provider"], message["channel"]) == (PHONE.e164, name, channel)
    assert provider.check(sent.ref, message["code"], channel=channel, deadline=Deadline(10)) is Check.CORRECT
    assert calls(sandbox) == [(name, "send"), (name, "check")]


def test_a_wrong_code_is_wrong_and_leaves_the_right_one_right(
    name: str, provider: Provider, sandbox: str
) -> None:
    sent = send(provider)
    code = inbox(sandbox)[0]["code"]
    assert check(provider, sent.ref, other_than(code)) is Check.WRONG
    assert check(provider, sent.ref, code) is Check.CORRECT
    assert calls(sandbox) == [(name, "send"), (name, "check"), (name, "check")]


def test_whether_a_right_code_is_right_twice_is_up_to_the_provider(
    name: str, provider: Provider, sandbox: str
) -> None:
    sent = send(provider)
    code = inbox(sandbox)[0]["code"]
    assert check(provider, sent.ref, code) is Check.CORRECT
    again = {"infobip": Check.CORRECT, "sinch": Check.UNKNOWN}
    assert check(provider, sent.ref, code) is again[name]


def test_a_code_is_right_for_its_own_reference_alone(provider: Provider, sandbox: str) -> None:
    first, second = send(provider), send(provider)
    newer, older = (message["code"] for message in inbox(sandbox))
    assert first.ref != second.ref
    if newer != older:
        assert check(provider, second.ref, older) is Check.WRONG
    assert check(provider, second.ref, newer) is Check.CORRECT


def test_a_reference_that_the_provider_does_not_know_is_unknown(
    name: str, provider: Provider, sandbox: str
) -> None:
    assert check(provider, "00000000-0000-0000-0000-000000000000", "123456") is Check.UNKNOWN
    assert calls(sandbox) == [(name, "check")]


def test_a_key_that_the_provider_refuses_is_a_wrong_setting(
    name: str, provider: Provider, build: Callable[..., Provider], sandbox: str
) -> None:
    ref = send(provider).ref
    code = inbox(sandbox)[0]["code"]
    stranger = build(name, WRONG_KEYS[name])
    with pytest.raises(Misconfigured):
        send(stranger)
    with pytest.raises(Misconfigured):
        check(stranger, ref, code)
    assert calls(sandbox) == [(name, "send"), (name, "send"), (name, "check")]
    assert len(inbox(sandbox)) == 1


@pytest.mark.parametrize(("fault", "expected"), FAULTS.items())
def test_a_send_that_fails_is_tried_once_and_says_what_may_be_done_next(
    fault: str, expected: type[ProviderError], name: str, provider: Provider, sandbox: str
) -> None:
    spoil(sandbox, name, "send", fault)
    with pytest.raises(ProviderError) as caught:
        send(provider, seconds=IMPATIENT)
    assert type(caught.value) is expected
    assert calls(sandbox) == [(name, "send")]
    assert len(inbox(sandbox)) == (1 if fault == "lost" else 0)


@pytest.mark.parametrize(("fault", "expected"), FAULTS.items())
def test_a_check_that_fails_is_tried_once_and_is_no_word_on_the_code(
    fault: str, expected: type[ProviderError], name: str, provider: Provider, sandbox: str
) -> None:
    ref = send(provider).ref
    code = inbox(sandbox)[0]["code"]
    spoil(sandbox, name, "check", fault)
    with pytest.raises(ProviderError) as caught:
        check(provider, ref, code, seconds=IMPATIENT)
    assert type(caught.value) is expected
    assert calls(sandbox) == [(name, "send"), (name, "check")]


@pytest.mark.parametrize("channel", list(Channel))
def test_a_number_that_the_provider_refuses_for_good_is_refused(
    channel: Channel, name: str, provider: Provider, sandbox: str
) -> None:
    spoil(sandbox, name, "send", "refused")
    with pytest.raises(Refused):
        send(provider, channel)
    assert calls(sandbox) == [(name, "send")]
    assert inbox(sandbox) == []


def test_a_refused_check_is_no_word_on_the_code(name: str, provider: Provider, sandbox: str) -> None:
    ref = send(provider).ref
    code = inbox(sandbox)[0]["code"]
    spoil(sandbox, name, "check", "refused")
    with pytest.raises(ProviderError) as caught:
        check(provider, ref, code)
    # Infobip's 403 is about the key, Sinch's names the number.
    assert type(caught.value) is {"infobip": Misconfigured, "sinch": Refused}[name]


def test_the_number_is_looked_up_or_not_as_chosen(build: Callable[..., Provider], sandbox: str) -> None:
    for lookup in (False, True):
        send(build("infobip", infobip_number_lookup=lookup))
    assert len(inbox(sandbox)) == 2


def test_sinch_takes_a_reference_once(build: Callable[..., Provider], sandbox: str) -> None:
    sinch, reference = build("sinch"), str(uuid.uuid4())

    def start() -> Sent:
        return sinch.send(PHONE, channel=Channel.SMS, locale=None, reference=reference, deadline=Deadline(10))

    start()
    with pytest.raises(Ambiguous):
        start()
    assert len(inbox(sandbox)) == 1


def test_sinch_takes_basic_credentials_too(build: Callable[..., Provider], sandbox: str) -> None:
    sinch = build("sinch", sinch_auth="basic")
    sent = send(sinch)
    assert check(sinch, sent.ref, inbox(sandbox)[0]["code"]) is Check.CORRECT
