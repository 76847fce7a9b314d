"""Sends that administrators stop are refused; everything else goes on."""

from typing import Any

import pytest

from fakes.memory import START, MemoryStops, StepClock, number_key, outcome
from sms_otp.domain import errors
from sms_otp.domain.clock import Deadline, Seconds
from sms_otp.domain.commands import Policy, RequestOtp, ResendOtp
from sms_otp.domain.stops import DEFAULT, EVERYTHING, LONGEST, SHORTEST, Scope, Stop, Stops
from sms_otp.use_cases.administration import Administrator
from sms_otp.use_cases.request import request_code
from sms_otp.use_cases.resend import resend_code
from sms_otp.use_cases.stopping import SendingControl
from tests.unit.world import NUMBER, World

NOW = Seconds(int(START))
HOUR = Seconds(3600)
ADMINISTRATOR = Administrator("arn:aws:iam::123456789012:role/on-call", Deadline(10))
GB, US = Stop(Scope.COUNTRY, "GB"), Stop(Scope.COUNTRY, "US")
SMS, VOICE = Stop(Scope.CHANNEL, "sms"), Stop(Scope.CHANNEL, "voice")
INFOBIP, SINCH = Stop(Scope.PROVIDER, "infobip"), Stop(Scope.PROVIDER, "sinch")
BOTH = ("infobip", "sinch")


def ending(*stops: Stop) -> Stops:
    """All of these stops, for another hour."""
    return Stops(dict.fromkeys(stops, Seconds(NOW + HOUR)))


@pytest.mark.parametrize(
    ("stop", "reason"), [(EVERYTHING, "all"), (US, "country"), (SMS, "channel"), (GB, None), (VOICE, None)]
)
def test_a_stop_covers_everything_or_one_country_or_one_channel(stop: Stop, reason: str | None) -> None:
    refused = ending(stop).send_error("US", "sms", BOTH, NOW)
    assert (refused and refused.reason) == reason
    assert refused is None or (refused.code, refused.retry_after) == ("SENDING_STOPPED", HOUR)


def test_a_stop_has_ended_in_its_last_second() -> None:
    stops = ending(EVERYTHING)
    assert stops.send_error("US", "sms", BOTH, Seconds(NOW + HOUR - 1)) is not None
    assert stops.send_error("US", "sms", BOTH, Seconds(NOW + HOUR)) is None
    assert stops.active(Seconds(NOW + HOUR)) == {}
    assert ending(INFOBIP).waits(BOTH, Seconds(NOW + HOUR)) == {}


def test_the_last_of_overlapping_stops_sets_the_wait() -> None:
    stops = Stops({EVERYTHING: Seconds(NOW + 60), US: Seconds(NOW + 600), SMS: Seconds(NOW + 300)})
    refused = stops.send_error("US", "sms", BOTH, NOW)
    assert refused is not None
    assert (refused.reason, refused.retry_after) == ("country", 600)
    later = stops.send_error("US", "sms", BOTH, Seconds(NOW + 60))
    assert later is not None, "the wider stop has ended and the narrower one has not"


def test_a_stopped_provider_refuses_no_send_while_another_is_left() -> None:
    assert ending(INFOBIP).send_error("US", "sms", BOTH, NOW) is None
    assert ending(INFOBIP).waits(BOTH, NOW) == {"infobip": HOUR}
    stops = Stops({INFOBIP: Seconds(NOW + 600), SINCH: Seconds(NOW + 60)})
    refused = stops.send_error("US", "sms", BOTH, NOW)
    assert refused is not None
    assert (refused.reason, refused.retry_after) == ("provider", 60), (
        "the first of the two may send again then"
    )


def test_standing_stops_are_listed_by_scope_and_name() -> None:
    assert [*ending(US, SINCH, EVERYTHING, GB).active(NOW)] == [EVERYTHING, GB, US, SINCH]


def test_a_stop_lasts_a_day_by_default_and_thirty_days_at_most() -> None:
    assert (SHORTEST, DEFAULT, LONGEST) == (60, 24 * 3600, 30 * 24 * 3600)


@pytest.fixture
def world(policy: Policy, clock: StepClock) -> World:
    return World(policy, clock)


def resend(world: World, verification_id: str, **more: Any) -> str:
    command = ResendOtp(verification_id, **more)
    return outcome(lambda: resend_code(world.service, command, world.caller()))


def test_a_stop_refuses_requests_and_resends_but_not_guesses(world: World) -> None:
    verification_id = world.request()
    world.store.stops.stop([EVERYTHING], Seconds(NOW + HOUR), NOW)
    world.clock.step(60)
    assert resend(world, verification_id) == "SENDING_STOPPED"
    assert outcome(lambda: world.request("+14155550124")) == "SENDING_STOPPED"
    assert world.sends() == 1
    assert world.verify(verification_id, "000000") == "OTP_INCORRECT"
    assert world.verify(verification_id) == "ok"


def test_a_request_after_resuming_is_sent_and_refused_ones_count_nothing(
    world: World,
) -> None:
    world.store.stops.stop([US], Seconds(NOW + HOUR), NOW)
    for _ in range(20):
        assert outcome(world.request) == "SENDING_STOPPED"
    assert (world.store.numbers, world.store.counters, world.store.verifications) == ({}, {}, {})
    world.store.stops.resume([US])
    assert outcome(world.request) == "ok"


def test_a_stop_ends_by_itself_and_says_when(world: World) -> None:
    world.store.stops.stop([EVERYTHING], Seconds(NOW + HOUR), NOW)
    with pytest.raises(errors.SendingStopped) as refused:
        world.request()
    assert refused.value.retry_after == HOUR
    world.clock.step(HOUR)
    assert outcome(world.request) == "ok"


def test_an_earlier_answer_is_replayed_while_sending_is_stopped(world: World) -> None:
    first = world.request(idempotency_key="a-key")
    world.store.stops.stop([EVERYTHING], Seconds(NOW + HOUR), NOW)
    assert world.request(idempotency_key="a-key") == first
    assert world.sends() == 1


def test_a_refused_request_leaves_its_idempotency_key_free(world: World) -> None:
    world.store.stops.stop([EVERYTHING], Seconds(NOW + HOUR), NOW)
    assert outcome(lambda: world.request(idempotency_key="a-key")) == "SENDING_STOPPED"
    world.store.stops.resume([EVERYTHING])
    assert outcome(lambda: world.request(idempotency_key="a-key")) == "ok"


def test_a_stopped_channel_leaves_the_others(world: World) -> None:
    world.store.stops.stop([VOICE], Seconds(NOW + HOUR), NOW)
    assert outcome(lambda: world.request(channel="voice")) == "SENDING_STOPPED"
    verification_id = world.request()
    world.clock.step(60)
    assert resend(world, verification_id, channel="voice") == "SENDING_STOPPED"
    assert resend(world, verification_id) == "ok"


def test_a_stop_is_logged_with_the_number_and_counts_nothing(world: World) -> None:
    world.store.stops.stop([EVERYTHING], Seconds(NOW + HOUR), NOW)
    with pytest.raises(errors.SendingStopped) as refused:
        request_code(world.service, RequestOtp(NUMBER), world.caller())
    assert refused.value.context["number_key"] == number_key(NUMBER)
    assert world.number().refused == frozenset()


def test_stopping_and_resuming_are_emitted_with_the_caller(
    clock: StepClock,
) -> None:
    emitted: list[tuple[str, dict[str, Any]]] = []
    control = SendingControl(MemoryStops(), clock, lambda event, **fields: emitted.append((event, fields)))
    assert control.stop([GB, US], HOUR, ADMINISTRATOR) == {GB: NOW + HOUR, US: NOW + HOUR}
    assert control.resume([US], ADMINISTRATOR) == {GB: NOW + HOUR}
    assert control.resume([GB], ADMINISTRATOR) == {}
    caller = {"caller": ADMINISTRATOR.arn}
    assert emitted == [
        ("admin_called", {**caller, "operation": "stop", "stops": ["country GB", "country US"]}),
        ("sending_stopped", {**caller, "stops": ["country GB", "country US"], "seconds": HOUR}),
        ("admin_called", {**caller, "operation": "resume", "stops": ["country US"]}),
        ("sending_resumed", {**caller, "stops": ["country US"], "still_stopped": ["country GB"]}),
        ("admin_called", {**caller, "operation": "resume", "stops": ["country GB"]}),
        ("sending_resumed", {**caller, "stops": ["country GB"], "still_stopped": None}),
    ]


def test_a_repeated_stop_ends_when_the_newer_one_does(clock: StepClock) -> None:
    control = SendingControl(MemoryStops(), clock, lambda *_, **__: None)
    control.stop([GB], Seconds(600), ADMINISTRATOR)
    assert control.stop([GB], Seconds(6000), ADMINISTRATOR) == {GB: NOW + 6000}
    assert control.stop([GB], Seconds(60), ADMINISTRATOR) == {GB: NOW + 60}


def test_resuming_a_part_of_a_wider_stop_leaves_the_wider_stop(world: World) -> None:
    control = SendingControl(world.store.stops, world.clock, lambda *_, **__: None)
    control.stop([EVERYTHING], HOUR, ADMINISTRATOR)
    assert control.resume([US], ADMINISTRATOR) == {EVERYTHING: NOW + HOUR}
    assert outcome(world.request) == "SENDING_STOPPED"


def test_resuming_everything_leaves_narrower_stops(world: World) -> None:
    control = SendingControl(world.store.stops, world.clock, lambda *_, **__: None)
    control.stop([US], HOUR, ADMINISTRATOR)
    control.stop([EVERYTHING], HOUR, ADMINISTRATOR)
    assert control.resume([EVERYTHING], ADMINISTRATOR) == {US: NOW + HOUR}
    assert outcome(world.request) == "SENDING_STOPPED"
    assert outcome(lambda: world.request("+447400123456")) == "ok"
