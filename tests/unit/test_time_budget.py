"""A request is answered before Lambda ends it, even if everything around it is slow.

A request starts no step after its deadline, which is the Lambda's timeout less `RESERVE_SECONDS`. So
those seconds must hold the longest step that may start at the last moment, together with the writes
that must still follow it. The numbers are those of the real clients and the template.

Not bounded by any setting of botocore's, and so not counted: the resolution of AWS's own names, and
an answer of AWS's that comes in byte by byte.
"""

import contextlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import pytest
from botocore.retries.standard import ExponentialBackoff, RetryContext
from hypothesis import HealthCheck, given, settings, target
from hypothesis import strategies as st

from fakes.memory import PEPPERS, MemoryStore, StepClock, a_verification
from local.template import environment, template
from sms_otp.adapters import config
from sms_otp.adapters.aws import clients
from sms_otp.adapters.dynamodb import client
from sms_otp.adapters.providers import transport
from sms_otp.adapters.providers.test_numbers import FixedCodes
from sms_otp.domain import errors, keys
from sms_otp.domain.circuit import Circuit
from sms_otp.domain.clock import Deadline
from sms_otp.domain.commands import Caller, Policy, RequestOtp, ResendOtp, VerifyOtp
from sms_otp.domain.keys import Peppers
from sms_otp.domain.number import ListedVerification, Number
from sms_otp.domain.ports import Result, StoreError, TokenError, WriteConflict
from sms_otp.domain.provider import (
    COUNTED_BY_BREAKER,
    Check,
    CircuitOpen,
    CodeMessage,
    Refused,
    Sent,
    TooLate,
)
from sms_otp.domain.verification import Verification
from sms_otp.entry_points import bootstrap, http
from sms_otp.use_cases.delivery import LOOK_SECONDS
from sms_otp.use_cases.failover import Router
from sms_otp.use_cases.request import request_code
from sms_otp.use_cases.resend import resend_code
from sms_otp.use_cases.sending import SECOND_SEND_SECONDS
from sms_otp.use_cases.service import Service
from sms_otp.use_cases.verify import verify_code
from tests.proofs.scale import scaled

API_GATEWAY_SECONDS = 29
TIMEOUT: int = template()["Globals"]["Function"]["Timeout"]
A_SECOND_OF_AWS = 1.0
"""A cold start's secrets, read and reservation take less."""
ANSWER_SECONDS = 0.5
"""For work that is neither network nor waiting: parsing, imports, writing the log and the answer."""


@dataclass(frozen=True)
class Longest:
    """The longest that each step can take, in seconds."""

    secret: float
    read: float
    state: float
    """A circuit breaker's write: its items are in no transaction, so no conflict delays it."""
    write: float
    provider: float
    token: float

    def overruns(self) -> dict[str, float]:
        """The steps that may start just before the deadline, each with those that must still follow."""
        return {
            "the pepper, then the read": self.secret + self.read,
            "the reservation, then its release": 2 * self.write,
            "the probe's election, then the release": self.state + self.write,
            "unavailable credentials, counted by the circuit, then the release": self.secret
            + self.state
            + self.write,
            "the provider's failure, counted by the circuit, then the release": self.state + self.write,
            "the provider's success, which closes the circuit, then its record, tried twice": self.state
            + 2 * self.write,
            "a successful resend, then the read of the code's owner, then its record": self.read
            + 2 * self.write
            - LOOK_SECONDS,
            "the second send's read and reservation, then the record of its doubt": self.read
            + 2 * self.write
            - SECOND_SEND_SECONDS,
            "the number's guess, which may be the one that disables it": 2 * self.write,
            "a refusal that is counted at its number, where older ones make room": 3 * self.write,
            "a correct check, then the consuming write, with and without the counts, then the token": 2
            * self.write
            + self.token,
        }


@pytest.fixture(scope="module")
def longest() -> Longest:
    """From the clients as `bootstrap` makes them."""
    made: dict[str, Any] = {}
    make = clients.client

    def kept(service: str, **named: Any) -> Any:
        made[service] = make(service, **named)
        return made[service]

    with pytest.MonkeyPatch.context() as patch:
        for name, value in (environment() | {"AWS_DEFAULT_REGION": "eu-west-1"}).items():
            patch.setenv(name, value)
        patch.setattr(clients, "client", kept)
        forget_deployment()
        bootstrap.service()
        bootstrap.kms_client()
        forget_deployment()
    one_call = longest_call(made["dynamodb"])
    longest_pause = 2 * max(client.CONFLICT_PAUSES) / 1000
    return Longest(
        secret=longest_call(made["secretsmanager"]),
        # Once more for the keys that were left over.
        read=2 * (one_call + client.LEFT_PAUSE / 1000),
        state=one_call,
        write=client.CONFLICT_SECONDS + one_call + longest_pause,
        provider=transport.TOTAL_SECONDS,
        token=longest_call(made["kms"]),
    )


def forget_deployment() -> None:
    """Clear the caches that `bootstrap` keeps for an execution environment."""
    for kept in (config.settings, *vars(bootstrap).values()):
        getattr(kept, "cache_clear", lambda: None)()


def longest_call(client: Any) -> float:
    """Every try's connection and answer, and the waits between them at their longest."""
    chosen = client.meta.config
    assert chosen.retries["mode"] == "standard"
    tries = chosen.retries["total_max_attempts"]
    backoff = ExponentialBackoff(random=lambda: 1.0)
    waits = sum(backoff.delay_amount(RetryContext(attempt_number=ended)) for ended in range(1, tries))
    return float(tries * (chosen.connect_timeout + chosen.read_timeout) + waits)


def test_a_step_that_starts_at_the_last_moment_ends_within_the_reserve(longest: Longest) -> None:
    step, seconds = max(longest.overruns().items(), key=lambda item: item[1])
    assert seconds + ANSWER_SECONDS <= http.RESERVE_SECONDS, step


def test_all_timeouts_together_stay_under_lambdas_and_that_under_api_gateways(longest: Longest) -> None:
    whole = (TIMEOUT - http.RESERVE_SECONDS) + max(longest.overruns().values()) + ANSWER_SECONDS
    assert whole < TIMEOUT < API_GATEWAY_SECONDS


def test_a_slow_provider_gets_its_whole_time_unless_aws_is_slow_too(longest: Longest) -> None:
    assert longest.provider + A_SECOND_OF_AWS <= TIMEOUT - http.RESERVE_SECONDS


def test_the_total_timeout_allows_a_slow_connection_and_a_slow_answer() -> None:
    assert transport.CONNECT_SECONDS + transport.READ_SECONDS <= transport.TOTAL_SECONDS


class Slowest:
    """Every step takes its longest time and succeeds."""

    def share(self) -> float:
        """The share of its longest time that a step takes, from 0 to 1."""
        return 1.0

    def ending(self, endings: int) -> int:
        """The index of a step's ending among `endings`; 0 is success."""
        del endings
        return 0


class DrawnFate(Slowest):
    """Durations and endings drawn by Hypothesis."""

    def __init__(self, data: st.DataObject) -> None:
        self._data = data

    def share(self) -> float:
        """Often 0 or 1."""
        return float(self._data.draw(st.sampled_from([0.0, 1.0]) | st.floats(0, 1)))

    def ending(self, endings: int) -> int:
        """0, success, in about half of the cases."""
        return max(0, self._data.draw(st.integers(1 - endings, endings - 1)))


class SlowWorld:
    """The real service, admission and router. Its fate decides how long each step takes and how it ends."""

    def __init__(self, fate: Slowest, longest: Longest, policy: Policy, reserve: float) -> None:
        self.fate, self.longest, self.now = fate, longest, 0.0
        self.has_pepper = False
        self.clock = StepClock()
        self.caller = Caller(
            "tenant-a",
            "a-request",
            Deadline(TIMEOUT - reserve, lambda: self.now),
            "198.51.100.1",
            "https://api.test",
        )
        self.store = SlowStore(self)
        self.service = Service(
            policy=policy,
            store=self.store,
            providers=Router(
                ("slow", "slower"),
                {},
                SlowSecrets(self),
                lambda *_: SlowProvider(self),
                FixedCodes({}),
                SlowBreaker(self),
                lambda *_, **__: None,
            ),
            peppers=self.peppers,
            clock=self.clock,
            emit=lambda *_, **__: None,
            issue_token=self.issue_token,
        )

    def issue_token(self, verification: Verification, api_url: str, verified_at: int) -> str:
        """See `ports.IssueToken`."""
        del verification, api_url, verified_at
        self.take(self.longest.token)
        self.end(TokenError("drawn"))
        return "a-token"

    def take(self, most: float) -> None:
        """Let time pass, at most this many seconds."""
        self.now += most * self.fate.share()

    def end(self, *failures: Exception) -> None:
        """Return, or raise one of these."""
        ending = self.fate.ending(1 + len(failures))
        if ending:
            raise failures[ending - 1]

    def peppers(self) -> Peppers:
        """Fetched at most once, for it is then cached for longer than a request lasts."""
        began = self.now
        if not self.has_pepper:
            self.take(self.longest.secret)
            self.end(errors.ServiceMisconfigured())
        self.has_pepper = self.has_pepper or self.now > began
        return PEPPERS


class SlowSecrets:
    """Secrets Manager, called each time."""

    def __init__(self, world: SlowWorld) -> None:
        self._world = world
        self._fetched = 0

    def credentials(self, provider: str) -> Mapping[str, str]:
        """Other credentials each time, so that a refused key is always tried again."""
        del provider
        self._world.take(self._world.longest.secret)
        self._world.end(errors.ServiceMisconfigured())
        self._fetched += 1
        return {"fetched": str(self._fetched)}

    def forget_credentials(self) -> None:
        """Nothing is kept."""


class SlowBreaker:
    """Elects a probe, and records the outcome of the send."""

    def __init__(self, world: SlowWorld) -> None:
        self._world = world

    def call(
        self,
        provider: str,
        read: Mapping[str, Circuit],
        number_key: str,
        act: Callable[[], Result],
        *,
        has_next: Callable[[], bool],
    ) -> Result:
        """See `ports.Breaker`."""
        del read, number_key, has_next
        self._world.take(self._world.longest.state)
        self._world.end(CircuitOpen(provider, "circuit_open"))
        try:
            answer = act()
        except COUNTED_BY_BREAKER:
            self._world.take(self._world.longest.state)
            raise
        self._world.take(self._world.longest.state)
        return answer


class SlowProvider:
    """Takes as long as the transport allows."""

    name: ClassVar[str] = "slow"

    def __init__(self, world: SlowWorld) -> None:
        self._world = world

    def send(self, message: CodeMessage, deadline: Deadline) -> Sent:
        """See `Provider`."""
        del message
        self._exchange(deadline)
        return Sent("a-ref")

    def resend(self, ref: str, message: CodeMessage, deadline: Deadline) -> Sent:
        """See `Provider`."""
        del ref
        return self.send(message, deadline)

    def check(self, *_: object, deadline: Deadline, **__: object) -> Check:
        """See `Provider`."""
        self._exchange(deadline)
        return Check.CORRECT

    def probe(self, deadline: Deadline) -> None:
        """See `Provider`."""
        self._exchange(deadline)

    def _exchange(self, deadline: Deadline) -> None:
        """One exchange, with the bounds of `transport` and `outcomes`."""
        seconds = min(transport.TOTAL_SECONDS, deadline.remaining())
        if seconds <= 0:
            raise TooLate(self.name, "deadline")
        self._world.take(seconds)
        self._world.end(*(kind(self.name, "drawn") for kind in (*COUNTED_BY_BREAKER, Refused)))


class SlowStore(MemoryStore):
    """The store in memory, where each call takes time and may fail."""

    def __init__(self, world: SlowWorld) -> None:
        super().__init__()
        self._world = world

    def _step(self, most: float, *failures: Exception) -> None:
        self._world.take(most)
        self._world.end(StoreError("drawn"), *failures)

    def read(self, *given: Any) -> Any:
        self._step(self._world.longest.read)
        return super().read(*given)

    def find(self, *given: Any) -> Any:
        self._step(self._world.longest.read)
        return super().find(*given)

    def reserve(self, *given: Any) -> None:
        self._step(self._world.longest.write, WriteConflict())
        super().reserve(*given)

    def release(self, *given: Any) -> None:
        self._step(self._world.longest.write)
        super().release(*given)

    def record_sent(self, *given: Any) -> None:
        self._step(self._world.longest.write)
        super().record_sent(*given)

    def record_failed(self, *given: Any) -> None:
        self._step(self._world.longest.write)
        super().record_failed(*given)

    def record_answer(self, *given: Any) -> None:
        self._step(self._world.longest.write)
        super().record_answer(*given)

    def spend_guess(self, *given: Any) -> Any:
        self._step(self._world.longest.write)
        return super().spend_guess(*given)

    def spend_number_guess(self, *given: Any) -> Any:
        self._step(2 * self._world.longest.write, errors.NumberLocked())
        return super().spend_number_guess(*given)

    def return_guess(self, *given: Any) -> None:
        self._step(self._world.longest.write)
        super().return_guess(*given)

    def note_refused(self, *given: Any) -> None:
        self._step(3 * self._world.longest.write)
        super().note_refused(*given)

    def claim(self, *given: Any) -> Any:
        self._step(self._world.longest.write)
        return super().claim(*given)

    def unclaim(self, *given: Any) -> None:
        self._step(self._world.longest.write)
        super().unclaim(*given)

    def consume(self, *given: Any) -> None:
        self._step(2 * self._world.longest.write)
        super().consume(*given)


def request(world: SlowWorld) -> None:
    request_code(world.service, RequestOtp("+14155550123", idempotency_key="a-key"), world.caller)


def resend(world: SlowWorld) -> None:
    """Resend the code of a verification that the first provider holds."""
    held = a_verification(provider="slow")
    world.store.verifications[held.key] = held
    resend_code(world.service, ResendOtp("an-id"), world.caller)


def verify(world: SlowWorld) -> None:
    """Verify by number alone and with a key, the longest way to a verification."""
    held = a_verification(provider="slow")
    world.store.verifications[held.key] = held
    owner = keys.owner(held.number_key, held.tenant, None)
    listed = ListedVerification(held.created_at, held.expires_at, owner)
    world.store.numbers[held.number_key] = Number(verifications={held.key: listed})
    command = VerifyOtp(None, "123456", phone_number=held.phone, idempotency_key="a-key")
    verify_code(world.service, command, world.caller)


def seconds_taken(act: Callable[[SlowWorld], None], world: SlowWorld) -> float:
    """The seconds that one request took, whether or not it failed."""
    with contextlib.suppress(errors.OtpError, StoreError):
        act(world)
    return world.now


@pytest.fixture
def by_number() -> Policy:
    """The template's defaults, where a verification may also be named by its number."""
    return bootstrap.policy(config.Settings.from_environment(environment(RequireVerificationId="false")))


@pytest.mark.parametrize("act", [request, resend, verify])
@settings(
    max_examples=scaled(100, 2000), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_a_request_with_slow_steps_ends_before_lambda_does(
    act: Callable[[SlowWorld], None], data: st.DataObject, longest: Longest, by_number: Policy
) -> None:
    taken = seconds_taken(act, SlowWorld(DrawnFate(data), longest, by_number, http.RESERVE_SECONDS))
    target(taken)
    assert taken + ANSWER_SECONDS < TIMEOUT


@pytest.mark.parametrize("act", [request, resend, verify])
def test_with_one_second_in_reserve_a_slow_request_would_be_cut_off(
    act: Callable[[SlowWorld], None], longest: Longest, by_number: Policy
) -> None:
    assert seconds_taken(act, SlowWorld(Slowest(), longest, by_number, reserve=1.0)) > TIMEOUT


def test_a_request_after_its_deadline_touches_nothing(longest: Longest, by_number: Policy) -> None:
    world = SlowWorld(Slowest(), longest, by_number, reserve=TIMEOUT)
    with pytest.raises(errors.ProviderUnavailable):
        request(world)
    assert (world.now, world.store.numbers, world.store.verifications) == (0.0, {}, {})
