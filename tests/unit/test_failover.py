"""The router: the provider that sends, the next one after a failure, and refused credentials."""

import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, ClassVar

import pytest

from fakes.memory import NoBreaker
from local.template import environment
from sms_otp.adapters.config import Settings
from sms_otp.adapters.providers.test_numbers import FixedCodes
from sms_otp.domain.circuit import Circuit
from sms_otp.domain.clock import MINUTE, Deadline, Milliseconds, Seconds
from sms_otp.domain.errors import ServiceMisconfigured
from sms_otp.domain.phone import PhoneNumber
from sms_otp.domain.provider import (
    Ambiguous,
    Channel,
    Check,
    CodeMessage,
    DestinationUnavailable,
    Doubtful,
    Misconfigured,
    NotSent,
    Order,
    Provider,
    ProviderError,
    Refused,
    Sent,
    Throttled,
    TooLate,
)
from sms_otp.use_cases.failover import Router

TO = PhoneNumber("+14155550123", "US")
TESTS = FixedCodes({"+14155550100": "246810"})
NUMBER_KEY = "a-number-key"
ORDER = Order(TO, Channel.SMS, None, "r", Seconds(300), NUMBER_KEY)
Behaviour = Callable[[], None]


class SecretCache:
    """Holds one key for every provider; `rotated` is the key after the next fetch."""

    def __init__(self, rotated: str = "old-key", missing: str = "") -> None:
        self.key, self.rotated, self.forgotten, self.missing = "old-key", rotated, 0, missing

    def credentials(self, provider: str) -> Mapping[str, str]:
        if provider == self.missing:
            raise ServiceMisconfigured(reason=f"secret field {provider}")
        return {"provider": provider, "key": self.key}

    def forget_credentials(self) -> None:
        self.key, self.forgotten = self.rotated, self.forgotten + 1


class Scripted:
    """A provider that follows the script for its name, and records each call."""

    name: ClassVar[str] = "scripted"

    def __init__(self, name: str, key: str, world: "World") -> None:
        self._name, self._key, self._world = name, key, world

    def send(self, message: CodeMessage, deadline: Deadline) -> Sent:
        del deadline
        return self._call("send", message.reference)

    def resend(self, ref: str, message: CodeMessage, deadline: Deadline) -> Sent:
        del message, deadline
        return self._call("resend", ref)

    def check(self, ref: str, otp: str, *, channel: Channel, deadline: Deadline) -> Check:
        del otp, channel, deadline
        self._call("check", ref)
        return Check.CORRECT

    def probe(self, deadline: Deadline) -> None:
        del deadline

    def _call(self, operation: str, ref: str) -> Sent:
        self._world.calls.append((operation, self._name, self._key))
        failure = self._world.failures.get(self._name)
        if failure is not None:
            raise failure(self._name, "scripted")
        if self._key != self._world.right_key:
            raise Misconfigured(self._name, "http_401")
        return Sent(ref=f"{self._name}:{ref}")


class World:
    """A router over scripted providers, and the calls that they got."""

    def __init__(
        self,
        order: tuple[str, ...] = ("infobip", "sinch"),
        routes: Mapping[str, tuple[str, ...]] | None = None,
        secret_cache: SecretCache | None = None,
        right_key: str = "old-key",
    ) -> None:
        self.calls: list[tuple[str, str, str]] = []
        self.failures: dict[str, type[ProviderError]] = {}
        self.failed: list[ProviderError] = []
        self.emitted: list[tuple[str, dict[str, Any]]] = []
        self.right_key = right_key
        self.reserved, self.has_room = 0, True
        self.secret_cache = secret_cache or SecretCache()
        self.router = Router(
            order,
            routes or {},
            self.secret_cache,
            self.build,
            TESTS,
            NoBreaker(),
            self.emit,
            channels={"aws": frozenset({Channel.SMS})},
        )

    def reserve_again(self) -> str | None:
        self.reserved += 1
        return "r-1" if self.has_room else None

    def emit(self, event: str, **fields: Any) -> None:
        self.emitted.append((event, fields))

    def build(self, name: str, credentials: Mapping[str, str]) -> Provider:
        return Scripted(name, credentials["key"], self)

    def send(self, order: Order = ORDER) -> tuple[str, Sent]:
        return self.router.send(order, Deadline(5), self.failed.append, self.reserve_again)

    def resend(self, holder: str = "infobip", order: Order = ORDER) -> tuple[str, Sent]:
        return self.router.resend(
            holder, "old-ref", order, Deadline(5), self.failed.append, self.reserve_again
        )

    def check(self, holder: str) -> Check:
        return self.router.check(holder, "ref", "123456", channel=Channel.SMS, deadline=Deadline(5))

    def names(self) -> list[str]:
        return [name for _, name, _ in self.calls]


@pytest.mark.parametrize("order", [("infobip", "sinch"), ("sinch", "infobip"), ("sinch",)])
def test_the_first_of_the_order_sends(order: tuple[str, ...]) -> None:
    world = World(order)
    assert world.send() == (order[0], Sent(ref=f"{order[0]}:r"))
    assert world.names() == [order[0]]


def test_a_country_with_a_route_uses_it() -> None:
    world = World(routes={"US": ("sinch",), "IN": ("infobip",)})
    assert world.send()[0] == "sinch"


@pytest.mark.parametrize("failure", [Throttled, NotSent, Misconfigured, DestinationUnavailable])
def test_a_code_that_was_certainly_not_sent_is_sent_by_the_next_provider(
    failure: type[ProviderError],
) -> None:
    world = World()
    world.failures["infobip"] = failure
    assert world.send()[0] == "sinch"
    assert world.names() == ["infobip", "sinch"]
    assert [error.provider for error in world.failed] == ["infobip"]


@pytest.mark.parametrize("failure", [Refused, Ambiguous])
def test_a_refused_or_ambiguous_send_does_not_fail_over(failure: type[ProviderError]) -> None:
    world = World()
    world.failures["infobip"] = failure
    with pytest.raises(failure):
        world.send()
    assert world.names() == ["infobip"]


def test_a_doubtful_send_is_repeated_once_if_the_second_send_is_counted() -> None:
    world = World()
    world.failures["infobip"] = Doubtful
    assert world.send() == ("sinch", Sent(ref="sinch:r-1"))
    assert world.reserved == 1
    assert [error.provider for error in world.failed] == ["infobip"]


def test_a_doubtful_send_is_not_repeated_when_the_limits_have_no_room() -> None:
    world = World()
    world.failures["infobip"], world.has_room = Doubtful, False
    with pytest.raises(Doubtful):
        world.send()
    assert world.names() == ["infobip"]


def test_no_code_is_sent_a_third_time() -> None:
    world = World(("infobip", "sinch", "aws"))
    world.failures |= {"infobip": Doubtful, "sinch": Doubtful}
    with pytest.raises(Doubtful):
        world.send()
    assert (world.names(), world.reserved) == (["infobip", "sinch"], 1)


def test_nothing_is_reserved_where_no_other_provider_is_left() -> None:
    world = World(("infobip",))
    world.failures["infobip"] = Doubtful
    with pytest.raises(Doubtful):
        world.send()
    assert world.reserved == 0


def test_nothing_is_reserved_where_no_other_provider_has_the_channel() -> None:
    world = World(("infobip", "aws"))
    world.failures["infobip"] = Doubtful
    with pytest.raises(Doubtful):
        world.send(Order(TO, Channel.VOICE, None, "r", Seconds(300), NUMBER_KEY))
    assert (world.names(), world.reserved) == (["infobip"], 0)


def test_a_doubtful_resend_is_repeated_once_by_another_provider() -> None:
    world = World()
    world.failures["infobip"] = Doubtful
    assert world.resend("infobip") == ("sinch", Sent(ref="sinch:r-1"))


def test_the_last_failure_is_raised_when_every_provider_fails() -> None:
    world = World(("infobip", "sinch", "aws"))
    world.failures |= {"infobip": NotSent, "sinch": Throttled, "aws": Misconfigured}
    with pytest.raises(Misconfigured):
        world.send()
    assert world.names() == ["infobip", "sinch", "aws"]


def test_a_provider_without_the_channel_is_skipped_and_not_called() -> None:
    world = World(("aws", "sinch"))
    assert world.send(Order(TO, Channel.VOICE, None, "r", Seconds(300), NUMBER_KEY))[0] == "sinch"
    assert world.names() == ["sinch"]
    assert world.failed == []


def test_a_provider_whose_secret_is_missing_is_skipped() -> None:
    world = World(secret_cache=SecretCache(missing="infobip"))
    assert world.send()[0] == "sinch"
    assert [error.reason for error in world.failed] == ["secret field infobip"]


def test_a_doubtful_send_is_not_repeated_when_the_other_secret_is_missing() -> None:
    world = World(secret_cache=SecretCache(missing="sinch"))
    world.failures["infobip"] = Doubtful
    with pytest.raises(Doubtful):
        world.send()
    assert (world.names(), world.reserved) == (["infobip"], 0)


def test_after_the_deadline_no_provider_is_called() -> None:
    world = World()
    with pytest.raises(TooLate):
        world.router.send(ORDER, Deadline(0), world.failed.append, world.reserve_again)
    assert world.calls == []


def test_the_holder_of_a_code_resends_it() -> None:
    world = World(("sinch", "infobip"))
    assert world.resend("infobip") == ("infobip", Sent(ref="infobip:old-ref"))
    assert world.calls == [("resend", "infobip", "old-key")]


def test_another_provider_sends_a_new_code_when_the_holder_cannot_resend() -> None:
    world = World()
    world.failures["infobip"] = NotSent
    assert world.resend("infobip") == ("sinch", Sent(ref="sinch:r"))
    assert [(operation, name) for operation, name, _ in world.calls] == [
        ("resend", "infobip"),
        ("send", "sinch"),
    ]


GOES_ON = replace(ORDER, goes_on=True)


@pytest.mark.parametrize(("holder", "next_one"), [("infobip", "sinch"), ("sinch", "aws"), ("aws", "infobip")])
def test_a_resend_that_goes_on_is_sent_by_the_provider_after_the_holder(holder: str, next_one: str) -> None:
    world = World(("infobip", "sinch", "aws"))
    assert world.resend(holder, GOES_ON) == (next_one, Sent(ref=f"{next_one}:r"))
    assert world.names() == [next_one]


def test_a_resend_that_goes_on_comes_back_to_the_holder_where_no_other_can_send() -> None:
    world = World(("infobip", "sinch", "aws"))
    world.failures |= {"aws": NotSent, "infobip": DestinationUnavailable}
    assert world.resend("sinch", GOES_ON) == ("sinch", Sent(ref="sinch:old-ref"))
    assert [(operation, name) for operation, name, _ in world.calls] == [
        ("send", "aws"),
        ("send", "infobip"),
        ("resend", "sinch"),
    ]


def test_a_resend_that_goes_on_without_another_provider_is_sent_by_the_holder() -> None:
    assert World(("infobip",)).resend("infobip", GOES_ON)[0] == "infobip"


def test_a_resend_that_goes_on_ends_no_code_in_hand() -> None:
    world = World(("infobip", "sinch", "aws"))
    assert world.resend("infobip", replace(GOES_ON, avoid=frozenset({"sinch"})))[0] == "aws"


def test_a_holder_without_the_channel_does_not_send_again() -> None:
    world = World(("aws", "sinch"))
    assert world.resend("aws", replace(ORDER, channel=Channel.VOICE))[0] == "sinch"
    assert [(operation, name) for operation, name, _ in world.calls] == [("send", "sinch")]


def test_a_resend_goes_on_from_a_holder_that_no_longer_sends() -> None:
    assert World(("sinch", "aws")).resend("infobip", GOES_ON)[0] == "sinch"


@pytest.mark.parametrize("failure", [Refused, Ambiguous])
def test_a_resend_that_may_have_gone_out_is_not_sent_by_another(failure: type[ProviderError]) -> None:
    world = World()
    world.failures["infobip"] = failure
    with pytest.raises(failure):
        world.resend("infobip")
    assert world.names() == ["infobip"]


def test_the_only_provider_raises_the_failure_of_its_resend() -> None:
    world = World(("infobip",))
    world.failures["infobip"] = Throttled
    with pytest.raises(Throttled):
        world.resend("infobip")


def test_the_holder_of_a_code_checks_it_even_if_it_no_longer_sends() -> None:
    assert World(("sinch",)).check("infobip") is Check.CORRECT


def test_a_provider_is_built_once_for_the_same_credentials() -> None:
    world, built = World(), []

    def build(name: str, credentials: Mapping[str, str]) -> Provider:
        built.append(name)
        return world.build(name, credentials)

    world.router = Router(("infobip",), {}, world.secret_cache, build, TESTS, NoBreaker(), world.emit)
    for _ in range(3):
        world.send()
    assert built == ["infobip"]


def test_refused_credentials_are_fetched_anew_once_and_the_request_goes_through() -> None:
    world = World(secret_cache=SecretCache(rotated="new-key"), right_key="new-key")
    assert world.send()[0] == "infobip"
    assert [key for _, _, key in world.calls] == ["old-key", "new-key"]
    assert world.secret_cache.forgotten == 1


def test_credentials_that_are_still_the_same_are_not_tried_again() -> None:
    world = World(right_key="another")
    with pytest.raises(Misconfigured):
        world.check("infobip")
    assert [key for _, _, key in world.calls] == ["old-key"]


def test_fresh_credentials_that_are_refused_too_are_not_fetched_again() -> None:
    world = World(("infobip",), secret_cache=SecretCache(rotated="new-key"), right_key="another")
    with pytest.raises(Misconfigured):
        world.send()
    assert [key for _, _, key in world.calls] == ["old-key", "new-key"]


def test_a_provider_that_is_named_twice_is_in_the_order_once() -> None:
    """The template lets it through, and DynamoDB refuses to read one breaker's state twice."""
    named = environment(ProviderOrder="sinch,infobip,sinch", ProviderRoutes="IN=aws,aws;EU=sinch,sinch")
    chosen = Settings.from_environment(named)
    assert chosen.provider_order == ("sinch", "infobip")
    assert (chosen.provider_routes["IN"], chosen.provider_routes["FR"]) == (("aws",), ("sinch",))


def test_an_empty_order_is_a_misconfiguration() -> None:
    with pytest.raises(ServiceMisconfigured) as refused:
        World(order=())
    assert refused.value.reason == "environment variable PROVIDER_ORDER"


@pytest.mark.parametrize(
    ("ref", "otp", "expected"),
    [
        ("+14155550100", "246810", Check.CORRECT),
        ("+14155550100", "246811", Check.WRONG),
        ("+14155550199", "246810", Check.UNKNOWN),
    ],
)
def test_a_test_number_has_its_fixed_code_and_no_provider_is_called(
    ref: str, otp: str, expected: Check
) -> None:
    world = World()
    to = PhoneNumber("+14155550100", "ZZ", is_test=True)
    assert world.send(Order(to, Channel.SMS, None, "r", Seconds(300), NUMBER_KEY)) == (
        "test",
        Sent(ref="+14155550100"),
    )
    checked = world.router.check("test", ref, otp, channel=Channel.SMS, deadline=Deadline(5))
    assert checked is expected
    assert world.calls == []


def test_the_duration_of_each_call_is_emitted_even_if_it_failed() -> None:
    world = World()
    world.failures["infobip"] = NotSent
    world.send()
    world.check("sinch")
    emitted = [(event, fields["provider"]) for event, fields in world.emitted]
    assert emitted == [("provider_answered", name) for name in ("infobip", "sinch", "sinch")]
    assert all(fields["milliseconds"] >= 0 for _, fields in world.emitted)


class Watched(NoBreaker):
    """Records each provider called, and whether another one could be called instead."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, bool]] = []

    def call(self, provider: str, *about: Any, has_next: Callable[[], bool]) -> Any:
        self.calls.append((provider, has_next()))
        return super().call(provider, *about, has_next=has_next)


def watched(order: tuple[str, ...]) -> tuple[World, Watched]:
    world, breaker = World(order), Watched()
    world.router = Router(order, {}, world.secret_cache, world.build, TESTS, breaker, world.emit)
    return world, breaker


def test_the_last_provider_of_an_order_has_no_next_one() -> None:
    """If the breaker blocked it for being slow, no code would be sent, although its codes arrive."""
    world, breaker = watched(("infobip", "sinch", "third"))
    world.failures |= {"infobip": NotSent, "sinch": NotSent}
    world.send()
    assert breaker.calls == [("infobip", True), ("sinch", True), ("third", False)]
    alone, breaker = watched(("infobip",))
    alone.send()
    assert breaker.calls == [("infobip", False)]


def test_a_resending_holder_has_a_next_provider_only_if_one_exists() -> None:
    world, breaker = watched(("infobip", "sinch"))
    world.failures["infobip"] = NotSent
    world.resend("infobip")
    assert breaker.calls == [("infobip", True), ("sinch", False)]
    alone, breaker = watched(("infobip",))
    alone.resend("infobip")
    assert breaker.calls == [("infobip", False)]
    elsewhere, breaker = watched(("sinch",))
    elsewhere.resend("infobip")
    assert breaker.calls == [("infobip", True)]


@pytest.mark.parametrize("operation", ["send", "resend", "check"])
def test_the_duration_of_a_call_is_emitted_in_milliseconds(
    monkeypatch: pytest.MonkeyPatch, operation: str
) -> None:
    world, clock = World(), [1000.0]
    monkeypatch.setattr(time, "monotonic", lambda: clock[0])
    call_provider = world.build("infobip", world.secret_cache.credentials("infobip"))._call  # type: ignore[attr-defined] # Scripted's

    class Slow(Scripted):
        def _call(self, operation: str, ref: str) -> Sent:
            clock[0] += 0.04326
            return call_provider(operation, ref)  # type: ignore[no-any-return] # as above

    def build(name: str, credentials: Mapping[str, str]) -> Provider:
        return Slow(name, credentials["key"], world)

    world.router = Router(("infobip",), {}, world.secret_cache, build, TESTS, NoBreaker(), world.emit)
    acts: dict[str, Callable[[], object]] = {
        "send": world.send,
        "resend": world.resend,
        "check": lambda: world.check("infobip"),
    }
    acts[operation]()
    assert world.emitted == [("provider_answered", {"provider": "infobip", "milliseconds": 43.3})]


def test_the_breaker_gets_the_circuits_that_were_read_and_the_number_key() -> None:
    reached: list[tuple[object, ...]] = []

    class Noting(NoBreaker):
        def call(self, provider: str, *about: Any, **named: Any) -> Any:
            reached.append((provider, *about[:2]))
            return super().call(provider, *about, **named)

    world, circuits = World(), {"infobip": Circuit(opened_at=Milliseconds(1))}
    router = Router(("infobip",), {}, world.secret_cache, world.build, TESTS, Noting(), world.emit)
    order = replace(ORDER, circuits=circuits)
    router.send(order, Deadline(5), world.failed.append, world.reserve_again)
    assert reached == [("infobip", circuits, NUMBER_KEY)]


def test_the_candidates_are_those_of_the_route_or_of_the_order() -> None:
    router = World(("infobip", "aws"), {"IN": ("sinch",)}).router
    assert router.candidates(TO, Channel.SMS) == ("infobip", "aws")
    assert router.candidates(TO, Channel.VOICE) == ("infobip",)
    assert router.candidates(PhoneNumber("+918123456789", "IN"), Channel.SMS) == ("sinch",)
    assert router.candidates(PhoneNumber("+14155550100", "ZZ", is_test=True), Channel.VOICE) == ("test",)


def test_a_stopped_provider_is_not_called_and_is_no_next_provider() -> None:
    world = World()
    assert world.send(replace(ORDER, stopped={"infobip": MINUTE}))[0] == "sinch"
    assert world.names() == ["sinch"]
    world.failures["sinch"] = NotSent
    with pytest.raises(NotSent):
        world.send(replace(ORDER, stopped={"infobip": MINUTE}))
    assert world.names() == ["sinch", "sinch"]
    assert world.failed == [], "there was no next provider to fail over to"


def test_another_provider_sends_a_new_code_when_the_holder_is_stopped() -> None:
    world = World()
    assert world.resend("infobip", replace(ORDER, stopped={"infobip": MINUTE})) == (
        "sinch",
        Sent(ref="sinch:r"),
    )
    assert world.resend("infobip", replace(ORDER, stopped={"sinch": MINUTE})) == (
        "infobip",
        Sent(ref="infobip:old-ref"),
    )


def test_a_stopped_provider_still_checks_its_codes() -> None:
    world = World()
    world.send(replace(ORDER, stopped={"infobip": MINUTE}))
    assert world.check("infobip") is Check.CORRECT
