"""The provider and channel of each resend. It stays one verification throughout."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, ClassVar

import pytest

from fakes.memory import PEPPERS, NoBreaker, StepClock, outcome
from sms_otp.adapters.providers import registry
from sms_otp.adapters.providers.test_numbers import FixedCodes
from sms_otp.domain import errors
from sms_otp.domain.clock import Deadline, Milliseconds, Seconds
from sms_otp.domain.commands import Policy, Requested, RequestOtp, ResendOtp
from sms_otp.domain.number import LanePolicy
from sms_otp.domain.prices import EVERYWHERE
from sms_otp.domain.provider import Channel, Check, CodeMessage, Delivery, NotSent, Provider, Sent
from sms_otp.use_cases.failover import Router
from sms_otp.use_cases.request import request_code
from sms_otp.use_cases.resend import resend_code
from sms_otp.use_cases.service import Service
from sms_otp.use_cases.status import Lifecycle
from tests.unit.test_delivery import Secrets
from tests.unit.world import NUMBER, World

CODES = {"infobip": "111111", "sinch": "222222", "aws": "333333"}
APP_HASH = "FA+9qCX9VSu"


class OneCodeProvider:
    """A provider with a code of its own. Infobip sends it again, the others make a new one."""

    name: ClassVar[str] = "of its own"

    def __init__(self, name: str, world: "ThreeProviders") -> None:
        self._name, self._world = name, world

    def send(self, message: CodeMessage, deadline: Deadline) -> Sent:
        del deadline
        if self._name in self._world.down:
            raise NotSent(self._name, "dns")
        meanwhile, self._world.meanwhile = self._world.meanwhile, None
        if meanwhile:
            meanwhile()
        self._world.sent.append((self._name, message.channel, message.app_hash))
        carries = message.app_hash is not None and self._name == "aws"
        return Sent(f"{self._name}-{len(self._world.sent)}", has_app_hash=carries)

    def resend(self, ref: str, message: CodeMessage, deadline: Deadline) -> Sent:
        sent = self.send(message, deadline)
        return replace(sent, ref=ref, is_same_code=True) if self._name == "infobip" else sent

    def check(self, ref: str, otp: str, *, channel: Channel, deadline: Deadline) -> Check:
        del ref, channel, deadline
        return Check.CORRECT if otp == CODES[self._name] else Check.WRONG

    def probe(self, deadline: Deadline) -> None:
        """It is up."""


class ThreeProviders(World):
    """A service over real routing to three providers, with the channels that they have."""

    def __init__(self, policy: Policy, clock: StepClock, *order: str) -> None:
        super().__init__(policy, clock)
        self.sent: list[tuple[str, str, str | None]] = []
        self.down: set[str] = set()
        self.meanwhile: Callable[[], None] | None = None
        """A callback to run while the next message is sent."""

        def build(name: str, _: Mapping[str, str]) -> Provider:
            return OneCodeProvider(name, self)

        router = Router(
            order,
            {},
            Secrets(),
            build,
            FixedCodes({}),
            NoBreaker(),
            self.service.emit,
            registry.ONE_CODE_PER_NUMBER,
            registry.CHANNELS,
        )
        self.service = Service(policy, self.store, router, lambda: PEPPERS, clock, self.service.emit)

    def ask(self, **fields: Any) -> Requested:
        return request_code(self.service, RequestOtp(NUMBER, **fields), self.caller())

    def again(self, first: Requested, **fields: Any) -> Requested:
        return resend_code(self.service, ResendOtp(first.verification_id, **fields), self.caller())

    def wait_and_again(self, first: Requested, seconds: int = 30, **fields: Any) -> Requested:
        self.clock.step(seconds)
        return self.again(first, **fields)

    def senders(self) -> list[str]:
        return [name for name, *_ in self.sent]

    def channels(self) -> list[str]:
        return [channel for _, channel, _ in self.sent]

    def report(self, delivery: Delivery) -> None:
        (key,) = self.store.verifications
        self.store.record_delivery(key, delivery)


@pytest.fixture
def roomy(policy: Policy) -> Policy:
    """Many sends in a quarter of an hour, and a long life, so that no limit ends the rows of sends here."""
    usual = policy.number_limits("US")
    windows = tuple(replace(window, limit=50) for window in usual.own.windows)
    gap = Milliseconds(1_000)
    limits = LanePolicy.of(replace(usual.own, windows=windows, gap=gap, gap_max=gap), usual.own_guesses)
    admission = replace(policy.admission, limits_by_country={EVERYWHERE: limits})
    return replace(policy, code_ttl_seconds=Seconds(600), admission=admission)


@pytest.mark.parametrize(
    ("order", "senders"),
    [
        (("infobip", "sinch", "aws"), ["infobip", "infobip", "sinch", "aws", "infobip", "sinch"]),
        (("sinch", "aws"), ["sinch", "sinch", "aws", "sinch", "aws", "sinch"]),
        (("infobip",), ["infobip"] * 6),
    ],
)
def test_from_the_third_send_on_providers_take_turns(
    roomy: Policy, clock: StepClock, order: tuple[str, ...], senders: list[str]
) -> None:
    world = ThreeProviders(roomy, clock, *order)
    first = world.ask()
    for _ in range(5):
        world.wait_and_again(first)
    assert world.senders() == senders


def test_the_first_resend_takes_the_next_provider_after_a_failed_delivery(
    policy: Policy, clock: StepClock
) -> None:
    world = ThreeProviders(policy, clock, "infobip", "aws")
    first = world.ask()
    world.report(Delivery.FAILED)
    again = world.wait_and_again(first)
    assert (world.senders(), again.same_code) == (["infobip", "aws"], False)
    (verification,) = world.store.verifications.values()
    assert verification.delivery == Delivery.ACCEPTED, "the report was on the earlier message"


@pytest.mark.parametrize("delivery", [Delivery.DELIVERED, Delivery.UNKNOWN, None])
def test_the_first_resend_repeats_the_code_unless_delivery_failed(
    policy: Policy, clock: StepClock, delivery: Delivery | None
) -> None:
    world = ThreeProviders(policy, clock, "infobip", "aws")
    first = world.ask()
    if delivery:
        world.report(delivery)
    assert first.same_code is None
    assert world.wait_and_again(first).same_code is True
    assert world.senders() == ["infobip", "infobip"]


def test_a_failed_delivery_does_not_lift_the_send_limit(policy: Policy, clock: StepClock) -> None:
    world = ThreeProviders(policy, clock, "infobip", "aws")
    first = world.ask()
    world.report(Delivery.FAILED)
    with pytest.raises(errors.RateLimited) as refused:
        world.again(first)
    assert (refused.value.retry_after, world.senders()) == (30, ["infobip"])


def test_if_the_next_provider_is_down_the_first_repeats_its_code(policy: Policy, clock: StepClock) -> None:
    world = ThreeProviders(policy, clock, "infobip", "aws")
    first = world.ask()
    world.report(Delivery.FAILED)
    world.down.add("aws")
    assert world.wait_and_again(first).same_code is True
    assert world.verify(first.verification_id, CODES["infobip"]) == "ok"


def test_the_next_providers_code_replaces_the_first_and_refills_no_guesses(
    policy: Policy, clock: StepClock
) -> None:
    world = ThreeProviders(policy, clock, "infobip", "aws")
    first = world.ask()
    for _ in range(3):
        assert world.verify(first.verification_id, "000000") == "OTP_INCORRECT"
    world.report(Delivery.FAILED)
    again = world.wait_and_again(first)
    assert again.expires_at == first.expires_at
    assert world.verify(first.verification_id, CODES["infobip"]) == "OTP_INCORRECT"
    status = Lifecycle(policy, world.store, clock, world.service.emit).status(
        first.verification_id, world.caller()
    )
    assert status.attempts_remaining == 1
    assert world.verify(first.verification_id, CODES["aws"]) == "ok"


def test_sms_and_whatsapp_messages_belong_to_one_verification(roomy: Policy, clock: StepClock) -> None:
    world = ThreeProviders(roomy, clock, "infobip", "sinch")
    first = world.ask()
    assert world.verify(first.verification_id, "000000") == "OTP_INCORRECT"
    by_whatsapp = world.wait_and_again(first, channel=Channel.WHATSAPP)
    assert (by_whatsapp.channel, by_whatsapp.same_code) == ("whatsapp", False)
    assert by_whatsapp.expires_at == first.expires_at
    status = Lifecycle(roomy, world.store, clock, world.service.emit)
    assert status.status(first.verification_id, world.caller()).channel == "whatsapp"
    by_sms = world.wait_and_again(first, channel=Channel.SMS)
    assert (by_sms.channel, by_sms.same_code) == ("sms", False)
    assert world.sent == [
        ("infobip", "sms", None),
        ("sinch", "whatsapp", None),
        ("infobip", "sms", None),
    ]
    assert status.status(first.verification_id, world.caller()).attempts_remaining == 4
    assert world.verify(first.verification_id, CODES["sinch"]) == "OTP_INCORRECT"
    assert world.verify(first.verification_id, CODES["infobip"]) == "ok"


def test_a_whatsapp_resend_is_a_new_code_from_the_only_whatsapp_provider(
    policy: Policy, clock: StepClock
) -> None:
    world = ThreeProviders(policy, clock, "infobip", "sinch", "aws")
    first = world.ask(channel=Channel.WHATSAPP)
    assert world.wait_and_again(first).same_code is False
    assert (world.senders(), world.channels()) == (["sinch", "sinch"], ["whatsapp", "whatsapp"])


def sent_by_sinch(world: ThreeProviders) -> Requested:
    """Another session's code at the provider that keeps one for each number."""
    world.down.add("infobip")
    theirs = world.ask(session_id="a" * 20)
    world.down.clear()
    return theirs


def test_a_whatsapp_message_does_not_end_another_sessions_code(policy: Policy, clock: StepClock) -> None:
    world = ThreeProviders(policy, clock, "infobip", "sinch")
    theirs = sent_by_sinch(world)
    clock.step(60)
    mine = world.ask(session_id="b" * 20)
    assert world.senders() == ["sinch", "infobip"]
    clock.step(90)
    acts: list[Callable[[], object]] = [
        lambda: world.again(mine, session_id="b" * 20, channel=Channel.WHATSAPP),
        lambda: world.ask(session_id="b" * 20, channel=Channel.WHATSAPP),
    ]
    for act in acts:
        with pytest.raises(errors.RateLimited) as refused:
            act()
        assert (refused.value.reason, refused.value.retry_after) == ("code in hand", 150)
    assert world.senders() == ["sinch", "infobip"]
    assert world.verify(theirs.verification_id, CODES["sinch"], session_id="a" * 20) == "ok"


def test_a_resend_does_not_end_another_sessions_code(roomy: Policy, clock: StepClock) -> None:
    world = ThreeProviders(roomy, clock, "infobip", "sinch")
    theirs = sent_by_sinch(world)
    clock.step(1)
    mine = world.ask(session_id="b" * 20)
    for _ in range(3):
        world.wait_and_again(mine, session_id="b" * 20)
    assert world.senders() == ["sinch", *["infobip"] * 4]
    assert world.verify(theirs.verification_id, CODES["sinch"], session_id="a" * 20) == "ok"


def test_a_request_during_a_resend_does_not_end_its_code(roomy: Policy, clock: StepClock) -> None:
    world = ThreeProviders(roomy, clock, "infobip", "sinch")
    mine = world.ask(session_id="a" * 20)
    answers = list[str]()

    def meanwhile() -> None:
        clock.step(1)
        theirs = RequestOtp(NUMBER, channel=Channel.WHATSAPP, session_id="b" * 20)
        answers.append(outcome(lambda: request_code(world.service, theirs, world.caller())))

    world.meanwhile = meanwhile
    world.wait_and_again(mine, session_id="a" * 20, channel=Channel.WHATSAPP)
    assert (answers, world.senders()) == (["RATE_LIMITED"], ["infobip", "sinch"])
    assert world.verify(mine.verification_id, CODES["sinch"], session_id="a" * 20) == "ok"


@pytest.mark.parametrize("channel", [Channel.VOICE, Channel.WHATSAPP])
def test_a_channel_sends_only_to_its_listed_countries(
    policy: Policy, clock: StepClock, channel: Channel
) -> None:
    british = replace(policy, channel_countries={channel: frozenset({"GB"})})
    world = ThreeProviders(british, clock, "sinch")
    first = world.ask()
    clock.step(30)
    before = world.number()
    acts: list[Callable[[], object]] = [
        lambda: world.ask(channel=channel),
        lambda: world.again(first, channel=channel),
    ]
    for act in acts:
        with pytest.raises(errors.DestinationNotAllowed) as refused:
            act()
        assert refused.value.reason == "channel"
    assert (world.number(), world.channels()) == (before, ["sms"])
    british_number = RequestOtp("+447400123456", channel=channel)
    assert outcome(lambda: request_code(world.service, british_number, world.caller())) == "ok"


def test_a_strangers_resend_reveals_nothing_by_its_channel(policy: Policy, clock: StepClock) -> None:
    world = ThreeProviders(replace(policy, channel_countries={}), clock, "sinch")
    first = world.ask(session_id="a" * 20)
    with pytest.raises(errors.VerificationNotFound):
        world.again(first, channel=Channel.WHATSAPP)


def test_every_sms_has_the_app_hash_if_its_provider_supports_it(roomy: Policy, clock: StepClock) -> None:
    world = ThreeProviders(roomy, clock, "infobip", "aws")
    first = world.ask(app_hash=APP_HASH)
    later = [world.wait_and_again(first) for _ in range(2)]
    assert [each.app_hash_sent for each in (first, *later)] == [False, False, True]
    assert world.sent == [("infobip", "sms", APP_HASH)] * 2 + [("aws", "sms", APP_HASH)]
    logged = [
        fields["app_hash_sent"] for event, fields in world.emitted if event in ("otp_requested", "otp_resent")
    ]
    assert logged == [False, False, True]


def test_a_request_without_a_hash_gets_no_answer_about_one(policy: Policy, clock: StepClock) -> None:
    world = ThreeProviders(policy, clock, "aws")
    first = world.ask()
    assert (first.app_hash_sent, world.wait_and_again(first).app_hash_sent) == (None, None)


def test_only_an_sms_has_an_app_hash(policy: Policy, clock: StepClock) -> None:
    world = ThreeProviders(policy, clock, "infobip", "aws")
    first = world.ask(channel=Channel.VOICE, app_hash=APP_HASH)
    again = world.wait_and_again(first, channel=Channel.SMS)
    assert (first.app_hash_sent, again.app_hash_sent) == (None, None)
    assert world.sent == [("infobip", "voice", None), ("infobip", "sms", None)]


def test_a_repeated_request_and_a_repeated_resend_get_their_first_answers(
    policy: Policy, clock: StepClock
) -> None:
    world = ThreeProviders(policy, clock, "aws", "infobip")
    fields = {"app_hash": APP_HASH, "idempotency_key": "first"}
    first = world.ask(**fields)
    assert world.ask(**fields) == first
    again = world.wait_and_again(first, idempotency_key="second")
    assert (again.same_code, again.app_hash_sent) == (False, True)
    assert world.again(first, idempotency_key="second") == again
    assert len(world.sent) == 2
