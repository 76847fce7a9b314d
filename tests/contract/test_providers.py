"""One suite of the port for every provider, over real HTTP against the sandbox."""

import json
import threading
import uuid
from collections.abc import Callable, Iterator
from dataclasses import replace
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar

import pytest
import requests

from local.sandbox.app import create_wide_app
from local.sandbox.credentials import credentials
from local.sandbox.server import running_sandbox
from sms_otp.adapters.config import Settings
from sms_otp.adapters.providers import registry
from sms_otp.adapters.providers.sinch import Sinch, basic
from sms_otp.adapters.providers.test_numbers import FixedCodes
from sms_otp.adapters.providers.transport import NoAnswer, Transport
from sms_otp.domain.clock import Deadline, Seconds
from sms_otp.domain.phone import PhoneNumber
from sms_otp.domain.provider import (
    Ambiguous,
    Channel,
    Check,
    CodeMessage,
    DestinationUnavailable,
    Doubtful,
    Health,
    Misconfigured,
    NotSent,
    Provider,
    ProviderError,
    Refused,
    Sent,
    Throttled,
)
from tests.probes import probed

PHONE = PhoneNumber(e164="+14155550123", country="US")
TTL_SECONDS = Seconds(300)
IMPATIENT = 1.0
"""Seconds until the deadline in tests where the provider does not answer."""

NAMES = ["infobip", "sinch", "aws"]
CHECKERS = ["infobip", "sinch"]
"""The providers that check codes. AWS only sends; the service itself checks those codes."""
CHANNELS = [
    *(("infobip", channel) for channel in (Channel.SMS, Channel.VOICE)),
    *(("sinch", channel) for channel in Channel),
    ("aws", Channel.SMS),
]

WRONG_SETTINGS = {
    "infobip": {"apiKey": "not-the-key"},
    "sinch": {"applicationSecret": "bm90LXRoZS1zZWNyZXQ="},
    "aws": {"originationIdentity": "NOBODYS"},
}

FAULTS: dict[str, type[ProviderError]] = {
    "timeout": Ambiguous,
    "drip": Ambiguous,
    "lost": Ambiguous,
    "html": Ambiguous,
    "401": Misconfigured,
    "429": Throttled,
    "500": Doubtful,
    "502": Doubtful,
    "redirect": NotSent,
}
SEND_FAULTS = {("infobip", "429"): DestinationUnavailable}
"""Faults that mean something else in a send: a 429 of Infobip is then the limit of the number."""


PROBES = {"infobip": "provision", "sinch": "status", "aws": "status"}
"""The operation of the sandbox that probes each provider."""

HEALTH = {
    **dict.fromkeys(("timeout", "drip", "lost", "html", "500", "502", "redirect"), Health.DOWN),
    "401": Health.MISCONFIGURED,
    "429": Health.UP,
}


@pytest.fixture(params=NAMES)
def name(request: pytest.FixtureRequest) -> str:
    chosen: str = request.param
    return chosen


@pytest.fixture
def build(sandbox: str, settings: Settings) -> Callable[..., Provider]:
    """Build a provider as a local stack does, with some of its credentials or settings changed."""

    def build(name: str, changed: dict[str, str] | None = None, **chosen: Any) -> Provider:
        held: dict[str, object] = {**credentials(sandbox)[name], **(changed or {})}  # type: ignore[literal-required]  # the name is a parameter
        local = replace(settings, stage="local", provider_sandbox_url=sandbox, **chosen)
        return registry.build(name, held, local)

    return build


@pytest.fixture
def provider(name: str, build: Callable[..., Provider]) -> Provider:
    return build(name)


@pytest.fixture(autouse=True)
def _every_fault_is_used(sandbox: str) -> Iterator[None]:
    """Check that a call met every fault that the test queued."""
    yield
    assert requests.get(f"{sandbox}/faults", timeout=5).json() == []


def send(
    provider: Provider,
    channel: Channel = Channel.SMS,
    *,
    to: PhoneNumber = PHONE,
    reference: str | None = None,
    seconds: float = 10,
) -> Sent:
    return provider.send(
        CodeMessage(
            to,
            channel=channel,
            locale="en-US",
            reference=reference or str(uuid.uuid4()),
            ttl_seconds=TTL_SECONDS,
        ),
        Deadline(seconds),
    )


def resend(
    provider: Provider,
    ref: str,
    channel: Channel = Channel.SMS,
    *,
    to: PhoneNumber = PHONE,
    seconds: float = 10,
) -> Sent:
    return provider.resend(
        ref,
        CodeMessage(
            to, channel=channel, locale="en-US", reference=str(uuid.uuid4()), ttl_seconds=TTL_SECONDS
        ),
        Deadline(seconds),
    )


def a_phone() -> PhoneNumber:
    """A new number, to which no earlier test has sent a code."""
    return PhoneNumber(e164=f"+1415555{uuid.uuid4().int % 10**8:08d}", country="US")


def check(provider: Provider, ref: str, otp: str, *, seconds: float = 10) -> Check:
    return provider.check(ref, otp, channel=Channel.SMS, deadline=Deadline(seconds))


def inbox(sandbox: str) -> list[dict[str, str]]:
    messages: list[dict[str, str]] = requests.get(f"{sandbox}/inbox", timeout=5).json()
    return messages


def calls(sandbox: str) -> list[tuple[str, str]]:
    """Provider and operation of every call, oldest first, without feedback, which goes in the background."""
    made = requests.get(f"{sandbox}/calls", timeout=5).json()
    return [(call["provider"], call["operation"]) for call in made if call["operation"] != "feedback"]


def calls_of(name: str, *operations: str) -> list[tuple[str, str]]:
    """The expected `calls` of one provider, without checks where it offers none."""
    return [(name, operation) for operation in operations if operation != "check" or name in CHECKERS]


def spoil(sandbox: str, name: str, operation: str, fault: str) -> None:
    body = {"provider": name, "operation": operation, "fault": fault, "times": 1}
    requests.post(f"{sandbox}/faults", json=body, timeout=5).raise_for_status()


def other_than(code: str) -> str:
    return f"{(int(code) + 1) % 10 ** len(code):0{len(code)}d}"


def test_the_suite_covers_every_channel_of_each_provider(name: str, provider: Provider) -> None:
    assert registry.CHANNELS[name] == {channel for of, channel in CHANNELS if of == name}
    assert provider.name == name


def test_a_code_with_an_app_hash_arrives_and_says_whether_it_has_the_hash(
    name: str, provider: Provider, sandbox: str
) -> None:
    app_hash, to = "FA+9qCX9VSu", a_phone()
    message = CodeMessage(
        to, Channel.SMS, "en-US", str(uuid.uuid4()), TTL_SECONDS, purpose="login", app_hash=app_hash
    )
    sent = provider.send(message, Deadline(10))
    (text,) = [each["text"] for each in inbox(sandbox) if each["to"] == to.e164]
    assert (text.endswith(app_hash), sent.has_app_hash) == (name == "aws", name == "aws")


@pytest.mark.parametrize("name", ["infobip", "sinch"])
def test_a_resend_says_whether_it_is_the_same_code(name: str, provider: Provider, sandbox: str) -> None:
    to = a_phone()
    again = resend(provider, send(provider, to=to).ref, to=to)
    newest, oldest = [each["code"] for each in inbox(sandbox) if each["to"] == to.e164]
    assert again.is_same_code is (newest == oldest) is (name == "infobip")


@pytest.mark.parametrize(("name", "channel"), CHANNELS)
def test_a_code_is_delivered_and_then_recognised(
    channel: Channel, name: str, provider: Provider, sandbox: str
) -> None:
    sent = send(provider, channel)
    (message,) = inbox(sandbox)
    assert (message["to"], message["provider"], message["channel"]) == (PHONE.e164, name, channel)
    assert provider.check(sent.ref, message["code"], channel=channel, deadline=Deadline(10)) is Check.CORRECT
    assert calls(sandbox) == calls_of(name, "send", "check")


def test_a_wrong_code_is_wrong_and_leaves_the_right_one_right(
    name: str, provider: Provider, sandbox: str
) -> None:
    sent = send(provider)
    code = inbox(sandbox)[0]["code"]
    assert check(provider, sent.ref, other_than(code)) is Check.WRONG
    assert check(provider, sent.ref, code) is Check.CORRECT
    assert calls(sandbox) == calls_of(name, "send", "check", "check")


def test_each_provider_decides_whether_a_right_code_is_right_twice(
    name: str, provider: Provider, sandbox: str
) -> None:
    sent = send(provider)
    code = inbox(sandbox)[0]["code"]
    assert check(provider, sent.ref, code) is Check.CORRECT
    again = {"infobip": Check.CORRECT, "sinch": Check.UNKNOWN, "aws": Check.CORRECT}
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
    assert calls(sandbox) == calls_of(name, "check")


def test_a_setting_that_the_provider_refuses_raises_misconfigured(
    name: str, provider: Provider, build: Callable[..., Provider], sandbox: str
) -> None:
    sent = send(provider)
    stranger = build(name, WRONG_SETTINGS[name])
    with pytest.raises(Misconfigured):
        send(stranger)
    with pytest.raises(Misconfigured):
        resend(stranger, sent.ref)
    assert calls(sandbox) == calls_of(name, "send", "send", "resend" if name == "infobip" else "send")
    assert len(inbox(sandbox)) == 1


@pytest.mark.parametrize("name", CHECKERS)
def test_a_check_with_a_key_that_the_provider_refuses_raises_misconfigured(
    name: str, provider: Provider, build: Callable[..., Provider], sandbox: str
) -> None:
    ref = send(provider).ref
    with pytest.raises(Misconfigured):
        check(build(name, WRONG_SETTINGS[name]), ref, inbox(sandbox)[0]["code"])


def test_a_code_of_our_own_is_right_only_under_the_key_that_made_it(
    build: Callable[..., Provider], sandbox: str
) -> None:
    ref = send(build("aws")).ref
    code = inbox(sandbox)[0]["code"]
    assert code not in ref
    assert check(build("aws", {"codeKey": "another-key-of-more-than-32-letters"}), ref, code) is Check.WRONG
    assert check(build("aws"), ref, code) is Check.CORRECT


@pytest.mark.parametrize(("fault", "expected"), FAULTS.items())
def test_a_failed_send_is_tried_once_and_says_whether_failover_is_safe(
    fault: str, expected: type[ProviderError], name: str, provider: Provider, sandbox: str
) -> None:
    spoil(sandbox, name, "send", fault)
    with pytest.raises(ProviderError) as caught:
        send(provider, seconds=IMPATIENT)
    assert type(caught.value) is SEND_FAULTS.get((name, fault), expected)
    # After an ambiguous answer the adapter looks the start up at Sinch, and finds none here.
    looks = ["status"] if name == "sinch" and fault in ("html", "500", "502") else []
    assert calls(sandbox) == calls_of(name, "send", *looks)
    assert len(inbox(sandbox)) == (1 if fault == "lost" else 0)


@pytest.mark.parametrize(("fault", "expected"), FAULTS.items())
def test_a_failed_resend_is_tried_once_and_says_whether_failover_is_safe(
    fault: str, expected: type[ProviderError], name: str, provider: Provider, sandbox: str
) -> None:
    to = a_phone()
    ref = send(provider, to=to).ref
    code = inbox(sandbox)[0]["code"]
    spoil(sandbox, name, "resend", fault)
    with pytest.raises(ProviderError) as caught:
        resend(provider, ref, to=to, seconds=IMPATIENT)
    assert type(caught.value) is SEND_FAULTS.get((name, fault), expected)
    assert len(inbox(sandbox)) == (2 if fault == "lost" else 1)
    # Only a start that reached Sinch ends the earlier code.
    ended = (name, fault) == ("sinch", "lost")
    assert check(provider, ref, code) is (Check.UNKNOWN if ended else Check.CORRECT)


@pytest.mark.parametrize("name", CHECKERS)
@pytest.mark.parametrize(("fault", "expected"), FAULTS.items())
def test_a_failed_check_is_tried_once_and_gives_no_verdict_on_the_code(
    fault: str, expected: type[ProviderError], name: str, provider: Provider, sandbox: str
) -> None:
    ref = send(provider).ref
    code = inbox(sandbox)[0]["code"]
    spoil(sandbox, name, "check", fault)
    with pytest.raises(ProviderError) as caught:
        check(provider, ref, code, seconds=IMPATIENT)
    assert type(caught.value) is expected
    assert calls(sandbox) == [(name, "send"), (name, "check")]


@pytest.mark.parametrize(("name", "channel"), CHANNELS)
def test_a_send_to_a_number_that_the_provider_refuses_raises_refused(
    channel: Channel, name: str, provider: Provider, sandbox: str
) -> None:
    spoil(sandbox, name, "send", "refused")
    with pytest.raises(Refused):
        send(provider, channel)
    assert calls(sandbox) == [(name, "send")]
    assert inbox(sandbox) == []


@pytest.mark.parametrize(("name", "channel"), CHANNELS)
def test_a_resend_to_a_number_that_the_provider_refuses_raises_refused(
    channel: Channel, name: str, provider: Provider, sandbox: str
) -> None:
    to = a_phone()
    ref = send(provider, channel, to=to).ref
    spoil(sandbox, name, "resend", "refused")
    with pytest.raises(Refused):
        resend(provider, ref, channel, to=to)
    assert len(inbox(sandbox)) == 1


@pytest.mark.parametrize("name", CHECKERS)
def test_a_refused_check_gives_no_verdict_on_the_code(name: str, provider: Provider, sandbox: str) -> None:
    ref = send(provider).ref
    code = inbox(sandbox)[0]["code"]
    spoil(sandbox, name, "check", "refused")
    with pytest.raises(ProviderError) as caught:
        check(provider, ref, code)
    # A 403 of Infobip concerns the key, a 403 of Sinch the number.
    assert type(caught.value) is {"infobip": Misconfigured, "sinch": Refused}[name]


def test_a_probe_finds_a_provider_up_and_sends_nothing(name: str, provider: Provider, sandbox: str) -> None:
    before = send(provider).ref
    code = inbox(sandbox)[0]["code"]
    assert probed(provider, Deadline(10)) is Health.UP
    assert calls(sandbox)[0] == (name, "send")
    assert [operation.partition("-")[0] for _, operation in calls(sandbox)[1:]] == [PROBES[name]]
    assert len(inbox(sandbox)) == 1
    assert check(provider, before, code) is Check.CORRECT


@pytest.mark.parametrize(("fault", "expected"), HEALTH.items())
def test_a_probe_says_what_is_wrong(
    fault: str, expected: Health, name: str, provider: Provider, sandbox: str
) -> None:
    spoil(sandbox, name, PROBES[name], fault)
    hangs = fault in ("timeout", "drip", "lost")
    assert probed(provider, Deadline(IMPATIENT / 4 if hangs else 10)) is expected
    assert probed(provider, Deadline(10)) is Health.UP


@pytest.mark.parametrize("name", CHECKERS)
def test_a_probe_with_a_key_that_the_provider_refuses_finds_it_misconfigured(
    name: str, build: Callable[..., Provider]
) -> None:
    assert probed(build(name, WRONG_SETTINGS[name]), Deadline(10)) is Health.MISCONFIGURED


def test_infobip_is_up_for_a_key_that_may_only_send(build: Callable[..., Provider], sandbox: str) -> None:
    spoil(sandbox, "infobip", "provision", "refused")
    assert probed(build("infobip"), Deadline(10)) is Health.UP


def test_infobip_without_its_application_is_misconfigured(build: Callable[..., Provider]) -> None:
    gone = build("infobip", {"applicationId": "0000"})
    assert probed(gone, Deadline(10)) is Health.MISCONFIGURED


def test_a_probe_after_its_deadline_finds_nothing_up(provider: Provider) -> None:
    assert probed(provider, Deadline(0)) is Health.DOWN


def test_a_test_numbers_provider_is_always_up() -> None:
    assert probed(FixedCodes({}), Deadline(0)) is Health.UP


def test_a_code_is_sent_with_and_without_a_number_lookup(
    build: Callable[..., Provider], sandbox: str
) -> None:
    for lookup in (False, True):
        send(build("infobip", infobip_number_lookup=lookup))
    assert len(inbox(sandbox)) == 2


@pytest.mark.parametrize(("name", "channel"), CHANNELS)
def test_a_resend_delivers_a_code_that_is_right_for_its_reference(
    channel: Channel, name: str, provider: Provider, sandbox: str
) -> None:
    first = send(provider)
    again = resend(provider, first.ref, channel)
    newer, older = inbox(sandbox)
    assert (newer["to"], newer["provider"], newer["channel"]) == (PHONE.e164, name, channel)
    assert again.ref == first.ref if name == "infobip" else again.ref != first.ref
    if name == "infobip":
        assert newer["code"] == older["code"]
    elif newer["code"] != older["code"]:
        wrong = provider.check(again.ref, older["code"], channel=channel, deadline=Deadline(10))
        assert wrong is Check.WRONG
    right = provider.check(again.ref, newer["code"], channel=channel, deadline=Deadline(10))
    assert right is Check.CORRECT


def test_a_new_start_at_sinch_ends_the_earlier_code(build: Callable[..., Provider], sandbox: str) -> None:
    sinch = build("sinch")
    first = send(sinch)
    code = inbox(sandbox)[0]["code"]
    resend(sinch, first.ref)
    assert check(sinch, first.ref, code) is Check.UNKNOWN


def test_a_resend_of_a_pin_that_infobip_does_not_know_was_not_sent(
    build: Callable[..., Provider], sandbox: str
) -> None:
    with pytest.raises(NotSent) as caught:
        resend(build("infobip"), "00000000-0000-0000-0000-000000000000")
    assert caught.value.reason == "unknown_pin"
    assert inbox(sandbox) == []


@pytest.fixture(scope="module")
def forgetful() -> Iterator[str]:
    """The URL of a sandbox that soon answers 504 for a lost answer, as a gateway does."""
    with running_sandbox(app=create_wide_app(hang_seconds=0.2)) as url:
        yield url


def test_a_sinch_start_whose_answer_was_lost_is_found_by_its_reference(
    forgetful: str, settings: Settings
) -> None:
    held: Any = credentials(forgetful)["sinch"]
    sinch = registry.build("sinch", held, replace(settings, stage="local", provider_sandbox_url=forgetful))
    spoil(forgetful, "sinch", "send", "lost")
    sent = send(sinch)
    (message,) = inbox(forgetful)
    assert check(sinch, sent.ref, message["code"]) is Check.CORRECT
    assert calls(forgetful) == calls_of("sinch", "send", "status", "check")


class Forgetful(BaseHTTPRequestHandler):
    """Closes the connection of every start without an answer, and finds the start afterwards."""

    looked_up: ClassVar[list[Message]]

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.close_connection = True

    def do_GET(self) -> None:
        reference = self.path.rpartition("/")[2]
        self.looked_up.append(self.headers)
        if reference == "unanswered":
            self.close_connection = True
            return
        body = json.dumps({"id": "the-id", "status": "PENDING", "reference": reference}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def hanging_up() -> Iterator[str]:
    """The URL of a Sinch that answers no start."""
    Forgetful.looked_up = []
    server = ThreadingHTTPServer(("127.0.0.1", 0), Forgetful)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_start_that_was_cut_off_is_found_by_a_plain_get_without_a_body(hanging_up: str) -> None:
    sinch = Sinch(hanging_up, basic("key", "secret"), Transport())
    assert send(sinch, reference="ours") == Sent("the-id")
    (headers,) = Forgetful.looked_up
    assert not {"transfer-encoding", "content-length", "content-type"} & {name.lower() for name in headers}


def test_a_get_without_an_answer_raises_no_answer_and_is_not_repeated(hanging_up: str) -> None:
    with pytest.raises(NoAnswer):
        Transport().exchange("GET", f"{hanging_up}/unanswered", headers={}, body=b"", deadline=Deadline(10))
    assert len(Forgetful.looked_up) == 1


def test_a_start_repeated_with_its_reference_finds_the_earlier_start(
    build: Callable[..., Provider], sandbox: str
) -> None:
    sinch, reference = build("sinch"), str(uuid.uuid4())
    started = send(sinch, reference=reference)
    assert send(sinch, reference=reference) == started
    assert len(inbox(sandbox)) == 1
    assert calls(sandbox) == calls_of("sinch", "send", "send", "status")


def test_a_start_repeated_after_its_end_is_ambiguous(build: Callable[..., Provider], sandbox: str) -> None:
    sinch, reference = build("sinch"), str(uuid.uuid4())
    send(sinch, reference=reference)
    send(sinch)
    with pytest.raises(Ambiguous):
        send(sinch, reference=reference)
    assert len(inbox(sandbox)) == 2


def test_sinch_accepts_basic_credentials_too(build: Callable[..., Provider], sandbox: str) -> None:
    sinch = build("sinch", sinch_auth="basic")
    sent = send(sinch)
    assert check(sinch, sent.ref, inbox(sandbox)[0]["code"]) is Check.CORRECT
