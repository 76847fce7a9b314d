"""A resend by Sinch repeats the code of the verification if the callback of Sinch reaches the service.

The sandbox requests each code from the service's own webhook, signed as Sinch signs, and checks guesses.
"""

import json
import re
from collections.abc import Iterator, Mapping

import pytest
import requests

from fakes.memory import PEPPERS, MemoryStore, NoBreaker, StepClock
from local.sandbox.app import create_wide_app
from local.sandbox.credentials import SINCH_APPLICATION_KEY, SINCH_APPLICATION_SECRET
from local.sandbox.server import running_sandbox
from local.template import environment
from sms_otp.adapters.config import Settings
from sms_otp.adapters.providers import registry
from sms_otp.adapters.providers.callbacks import READERS
from sms_otp.adapters.providers.sinch import Sinch, signed
from sms_otp.adapters.providers.test_numbers import FixedCodes
from sms_otp.adapters.providers.transport import Transport
from sms_otp.domain import errors, keys
from sms_otp.domain.clock import Deadline
from sms_otp.domain.commands import Callback, Caller, Requested, RequestOtp, ResendOtp, VerifyOtp
from sms_otp.domain.provider import Channel
from sms_otp.entry_points import bootstrap
from sms_otp.use_cases.failover import Router
from sms_otp.use_cases.request import request_code
from sms_otp.use_cases.resend import resend_code
from sms_otp.use_cases.service import Service
from sms_otp.use_cases.verify import verify_code
from sms_otp.use_cases.webhooks import Webhooks
from tests.contract.receiver import Received, Receiver, receiving

NUMBER = "+14155550123"
PATH = "/prod/webhooks/sinch"
GAP = 61
"""Seconds after which a first and a second resend are allowed."""
AT_SINCH: Mapping[str, str] = {
    "applicationKey": SINCH_APPLICATION_KEY,
    "applicationSecret": SINCH_APPLICATION_SECRET,
}


class World:
    """The service and its webhook over the sandbox, with one clock for all."""

    def __init__(self, sandbox: str, receiver: Receiver, clock: StepClock) -> None:
        self.sandbox, self.receiver, self.clock = sandbox, receiver, clock
        self.store, self.peppers = MemoryStore(), PEPPERS
        self.code_length, self.may_read_pepper = 6, True
        self.emitted: list[str] = []
        settings = Settings.from_environment(
            environment(ProviderOrder="sinch", VoiceCountries="US", WhatsappCountries="US")
        )
        key, secret = AT_SINCH["applicationKey"], AT_SINCH["applicationSecret"]
        self.sinch = Sinch(f"{sandbox}/sinch", signed(key, secret, clock), Transport())
        self.service = Service(
            policy=bootstrap.policy(settings),
            store=self.store,
            providers=Router(
                ("sinch",),
                {},
                self,
                lambda *_: self.sinch,
                FixedCodes({}),
                NoBreaker(),
                self.emit,
                registry.ONE_CODE_PER_NUMBER,
            ),
            peppers=lambda: self.peppers,
            clock=clock,
            emit=self.emit,
        )
        receiver.relay = self.webhook

    def emit(self, event: str, **fields: object) -> None:
        self.emitted.append(json.dumps([event, fields], default=str))

    def credentials(self, provider: str) -> Mapping[str, str]:
        """See `CredentialSource`."""
        del provider
        return AT_SINCH

    def forget_credentials(self) -> None:
        """See `CredentialSource`."""

    def webhook(self, received: Received) -> bytes:
        """The service's answer to a callback."""
        webhooks = Webhooks(
            store=self.store,
            credentials=lambda _: AT_SINCH,
            renew=lambda: False,
            readers=READERS,
            read_from_aws=lambda _: (),
            providers=frozenset({"sinch"}),
            peppers=self.peppers_of_webhook,
            code_length=self.code_length,
            clock=self.clock,
            emit=self.emit,
        )
        answer = webhooks.receive(Callback(received.path, received.headers, received.body))
        return json.dumps(answer).encode()

    def peppers_of_webhook(self) -> keys.Peppers:
        if not self.may_read_pepper:
            raise errors.ServiceMisconfigured(reason="pepper secret: AccessDeniedException")
        return self.peppers

    def call_back(self, *, is_set_up: bool) -> None:
        """Set the URL of the callback in the dashboard of Sinch, or clear it."""
        targets = {"sinch": f"{self.receiver.url}{PATH}"} if is_set_up else {}
        requests.put(f"{self.sandbox}/callbacks", json=targets, timeout=5).raise_for_status()

    def caller(self) -> Caller:
        return Caller("tenant-a", "a-request", Deadline(10), "198.51.100.1", "https://api.test")

    def request(self, channel: Channel = Channel.SMS, number: str = NUMBER) -> str:
        return request_code(self.service, RequestOtp(number, channel), self.caller()).verification_id

    def resend(
        self, verification_id: str, channel: Channel | None = None, key: str | None = None
    ) -> Requested:
        """Resend after the gap."""
        self.clock.step(GAP)
        return resend_code(
            self.service, ResendOtp(verification_id, channel, idempotency_key=key), self.caller()
        )

    def verify(self, verification_id: str, otp: str) -> None:
        verify_code(self.service, VerifyOtp(verification_id, otp), self.caller())

    def codes(self, number: str = NUMBER) -> list[str]:
        """The codes that the phone got, newest first."""
        inbox = requests.get(f"{self.sandbox}/inbox", params={"to": number}, timeout=5).json()
        return [message["code"] for message in inbox]


@pytest.fixture
def world() -> Iterator[World]:
    clock = StepClock()
    app = create_wide_app(clock=clock, delivery_seconds=0)
    with receiving() as receiver, running_sandbox(app=app) as sandbox:
        made = World(sandbox, receiver, clock)
        made.call_back(is_set_up=True)
        yield made


CHANNELS = [
    (Channel.SMS, Channel.SMS),
    (Channel.SMS, Channel.VOICE),
    (Channel.VOICE, Channel.SMS),
    (Channel.VOICE, Channel.VOICE),
]


@pytest.mark.parametrize(("first", "then"), CHANNELS)
def test_a_resend_repeats_the_code_and_the_earlier_message_stays_right(
    world: World, first: Channel, then: Channel
) -> None:
    verification_id = world.request(first)
    assert world.resend(verification_id, then).same_code is True
    newest, oldest = world.codes()
    assert newest == oldest
    world.verify(verification_id, oldest)


def test_a_second_resend_repeats_the_code_too(world: World) -> None:
    verification_id = world.request()
    assert [world.resend(verification_id).same_code for _ in range(2)] == [True, True]
    assert len(set(world.codes())) == 1


def test_a_resend_without_the_callback_brings_a_new_code_and_says_so(world: World) -> None:
    world.call_back(is_set_up=False)
    verification_id = world.request()
    assert world.resend(verification_id).same_code is False
    newest, oldest = world.codes()
    with pytest.raises(errors.OtpIncorrect):
        world.verify(verification_id, oldest)
    world.verify(verification_id, newest)


@pytest.mark.parametrize("is_set_up", [True, False])
def test_a_callback_set_up_or_removed_between_two_sends_means_a_new_code(
    world: World, is_set_up: bool
) -> None:
    world.call_back(is_set_up=not is_set_up)
    verification_id = world.request()
    world.call_back(is_set_up=is_set_up)
    assert world.resend(verification_id).same_code is False
    assert len(set(world.codes())) == 2


def test_a_resend_by_whatsapp_brings_a_code_that_sinch_made(world: World) -> None:
    verification_id = world.request(Channel.SMS)
    assert world.resend(verification_id, Channel.WHATSAPP).same_code is False
    assert len(set(world.codes())) == 2


def test_a_resend_repeated_with_its_key_returns_the_stored_answer(world: World) -> None:
    verification_id = world.request()
    first = world.resend(verification_id, key="a-key")
    world.clock.step(-GAP)
    assert world.resend(verification_id, key="a-key") == first
    assert (first.same_code, len(world.codes())) == (True, 2)


def test_each_verification_has_a_code_of_its_own(world: World) -> None:
    numbers = [f"+141555501{last:02d}" for last in range(8)]
    for number in numbers:
        world.request(number=number)
    codes = [world.codes(number)[0] for number in numbers]
    assert len(set(codes)) >= len(codes) - 1
    assert all(re.fullmatch("[0-9]{6}", code) for code in codes)


def test_the_code_has_the_length_that_the_service_configures(world: World) -> None:
    world.code_length = 8
    world.request()
    assert re.fullmatch("[0-9]{8}", world.codes()[0])


def test_the_code_stays_the_same_while_the_pepper_is_rotated(world: World) -> None:
    verification_id = world.request()
    world.peppers = keys.Peppers("the-next-pepper-that-is-long-enough", PEPPERS.current)
    assert world.resend(verification_id).same_code is True
    assert len(set(world.codes())) == 1


def test_without_the_pepper_sinch_makes_the_code(world: World) -> None:
    verification_id = world.request()
    world.may_read_pepper = False
    assert world.resend(verification_id).same_code is False
    newest, oldest = world.codes()
    assert newest != oldest
    world.verify(verification_id, newest)


def test_the_code_is_in_no_event_and_in_no_record(world: World) -> None:
    verification_id = world.request()
    world.resend(verification_id)
    (code,) = set(world.codes())
    assert not any(code in line for line in world.emitted)
    assert not any(code in repr(each) for each in world.store.verifications.values())
