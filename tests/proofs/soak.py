"""An hour of a deployment's life in virtual time. See `test_soak`.

Several execution environments with clocks of their own serve users at random, over one table, two providers
and one pepper secret. Meanwhile the providers fail and come back, the pepper is rotated, a number is erased
and the stack is redeployed with other limits. One provider keeps one code for each number and, most of the
time, requests it from the webhook, as Sinch does. The rules are asserted at every event, and events are
counted, so that a quiet hour does not pass by accident.
"""

import base64
import json
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import islice
from random import Random
from typing import Any, cast

from mypy_boto3_dynamodb import DynamoDBClient
from mypy_boto3_secretsmanager import SecretsManagerClient

from bench.outage import Time
from fakes.memory import PEPPER
from local.template import environment
from ops.rotate_pepper import next_step
from sms_otp.adapters.aws.secrets import SecretCache
from sms_otp.adapters.config import Settings
from sms_otp.adapters.dynamodb.circuits import DynamoCircuits
from sms_otp.adapters.dynamodb.numbers import DynamoNumbers
from sms_otp.adapters.dynamodb.store import DynamoStore
from sms_otp.adapters.providers import aws_events
from sms_otp.adapters.providers.callbacks import READERS
from sms_otp.adapters.providers.registry import ONE_CODE_PER_NUMBER
from sms_otp.adapters.providers.sinch import decoded_secret, signature_of
from sms_otp.adapters.providers.test_numbers import FixedCodes
from sms_otp.adapters.telemetry import metrics
from sms_otp.domain import keys
from sms_otp.domain.clock import DAY, HOUR, Deadline
from sms_otp.domain.commands import Callback, Caller, Requested, RequestOtp, ResendOtp, VerifyOtp
from sms_otp.domain.errors import OtpError
from sms_otp.domain.number import LATE_DELETION, REMEMBERED
from sms_otp.domain.provider import (
    Ambiguous,
    Check,
    CodeMessage,
    Doubtful,
    Misconfigured,
    NotSent,
    ProviderError,
    Refused,
    Sent,
    Throttled,
)
from sms_otp.domain.verification import REPEATABLE_SECONDS, State, Verification
from sms_otp.entry_points.bootstrap import policy
from sms_otp.use_cases.administration import Administration, Administrator
from sms_otp.use_cases.circuit_breaker import CircuitBreaker
from sms_otp.use_cases.failover import Router
from sms_otp.use_cases.request import request_code
from sms_otp.use_cases.resend import resend_code
from sms_otp.use_cases.service import Service
from sms_otp.use_cases.status import Lifecycle
from sms_otp.use_cases.verify import verify_code
from sms_otp.use_cases.webhooks import Webhooks
from tests.proofs.model import Rules, room
from tests.races.crowd import fresh_numbers

MOST_APART = 4.0
"""Seconds that an environment's clock is ahead of or behind the true time, at most."""
ENVIRONMENTS = 4
SECONDS_PER_USER = 288
"""Between two acts of one user: so that some are held back by limits, and not all."""
TENANTS = ("tenant-a", "tenant-b")
SESSIONS = (None, "one browser", "another browser")

BEFORE = Rules()
AFTER = Rules(windows=((2, 900), (4, HOUR), (8, DAY)), guesses=4, gap=20)
"""The limits of the deployment, and those that it is redeployed with."""

LONGEST_RETENTION = REMEMBERED + LATE_DELETION + DAY
"""The most seconds that an item may be kept: a number record outlives its verifications."""


@dataclass(frozen=True)
class Outage:
    """A provider fails in one way from one minute of the hour to another."""

    provider: str
    begins: float
    ends: float
    failure: type[ProviderError]


OUTAGES = (
    Outage("infobip", 5, 13, NotSent),
    Outage("sinch", 9, 11, Throttled),
    Outage("infobip", 14, 21, NotSent),
    Outage("infobip", 26, 29, Ambiguous),
    Outage("infobip", 32, 35, Doubtful),
    Outage("infobip", 44, 47, Misconfigured),
    Outage("sinch", 46, 48, NotSent),
    Outage("infobip", 55, 61, NotSent),
)
ANNOUNCED_AT, IN_USE_AT, ERASED_AT, DEPLOYED_AT, ALL_DEPLOYED_AT = 8, 16, 22, 36, 38
"""Minutes. Between the last two, the old version and the new one serve side by side."""
CALLS_BACK = (7, 58)
"""Minutes from which and until which the callback is set up at Sinch."""
ACTS_FIRST = (Ambiguous, Doubtful)
"""Failures after which a message may have left all the same."""
SINCH_KEY, SINCH_SECRET = "sinch", base64.b64encode(b"a secret for an hour").decode()


@dataclass
class Issued:
    """A verification whose id a user has received."""

    verification_id: str
    tenant: str
    session: str | None
    number: str
    made_at: float
    guesses: int = 0
    done: bool = False
    """Verified or cancelled."""
    verified_at: float | None = None


@dataclass
class Vendor:
    """A provider: it makes codes, no two alike, and fails during an outage."""

    name: str
    soak: "Soak"
    codes: dict[str, str] = field(default_factory=dict)
    """By handle."""

    def send(self, message: CodeMessage, deadline: Deadline) -> Sent:
        """See `Provider`."""
        del deadline
        self._fail_unless_lost()
        ref = f"{self.name}-{len(self.codes)}"
        self.codes[ref] = f"{(len(self.codes) * 7919 + 123) % 10**6:06d}"
        self.soak.left(message.to.e164, message.reference)
        self._fail()
        return Sent(ref, message_id=f"message-of-{ref}")

    def resend(self, ref: str, message: CodeMessage, deadline: Deadline) -> Sent:
        """See `Provider`: the same code again."""
        del deadline
        self._fail_unless_lost()
        self.soak.left(message.to.e164, message.reference)
        self._fail()
        return Sent(ref, message_id=f"message-of-{message.reference}", is_same_code=True)

    def check(self, ref: str, otp: str, **_: Any) -> Check:
        """See `Provider`."""
        self.soak.checked(ref)
        self._fail()
        return Check.CORRECT if self.codes[ref] == otp else Check.WRONG

    def _fail_unless_lost(self) -> None:
        if self.soak.failure(self.name) not in ACTS_FIRST:
            self._fail()

    def _fail(self) -> None:
        if failure := self.soak.failure(self.name):
            self.soak.met[f"{self.name} {failure.__name__}"] += 1
            raise failure(self.name, "soak")


@dataclass
class SinchVendor(Vendor):
    """Keeps one code for each number: a start ends the earlier one. Requests the code where it may."""

    current: dict[str, str] = field(default_factory=dict)
    """By number, the newest start's handle."""
    started: dict[str, str] = field(default_factory=dict)
    """By handle, the key of its verification."""
    given: dict[str, str] = field(default_factory=dict)
    """By verification's key, the code that the webhook gave."""

    def send(self, message: CodeMessage, deadline: Deadline) -> Sent:
        """See `Provider`."""
        del deadline
        self._fail()
        number, key = message.to.e164, message.reference.partition("-")[0]
        ref = f"{self.name}-{len(self.codes)}"
        code = self._requested(ref, message) or f"{(len(self.codes) * 7919 + 456) % 10**6:06d}"
        if (ended := self.current.get(number)) is not None:
            self.soak.ends(self.started[ended], key)
        self.codes[ref], self.started[ref], self.current[number] = code, key, ref
        self.soak.left(number, message.reference)
        return Sent(ref)

    def resend(self, ref: str, message: CodeMessage, deadline: Deadline) -> Sent:
        """See `Provider`: a new start."""
        del ref
        return self.send(message, deadline)

    def check(self, ref: str, otp: str, **named: Any) -> Check:
        """See `Provider`."""
        verdict = super().check(ref, otp, **named)
        return verdict if ref in self.current.values() else Check.UNKNOWN

    def _requested(self, ref: str, message: CodeMessage) -> str | None:
        """The code that the webhook of an environment gives; None if Sinch is to make one."""
        begins, ends = CALLS_BACK
        if not begins <= self.soak.minute < ends:
            return None
        event = {
            "id": ref,
            "event": "VerificationRequestEvent",
            "method": "sms",
            "identity": {"type": "number", "endpoint": message.to.e164},
            "reference": message.reference,
            "custom": message.callback_key,
        }
        answer = self.soak.call_back(json.dumps(event).encode())
        if answer["action"] != "allow":
            self.soak.met["sinch denied"] += 1
            raise Refused(self.name, "40303")
        code: str = answer["sms"]["code"]
        key = message.reference.partition("-")[0]
        assert self.given.setdefault(key, code) == code, "each send of a verification has the same code"
        self.soak.met["own code"] += 1
        return code


class Environment:
    """An execution environment: its own clock, its own cached secrets, one version of the limits."""

    def __init__(self, soak: "Soak", rules: Rules) -> None:
        self._soak, self.rules = soak, rules
        self._apart = soak.random.uniform(-MOST_APART, MOST_APART)
        chosen = Settings.from_environment(environment(PumpingGuard="record", **rules.parameters))
        secret_cache = SecretCache(soak.secrets, "providers", "pepper", self.clock)
        limits = policy(chosen)
        store = DynamoStore(soak.dynamodb, soak.table)
        breaker = CircuitBreaker(DynamoCircuits(soak.dynamodb, soak.table), self.clock, soak.emit)
        router = Router(
            tuple(soak.vendors),
            {},
            secret_cache,
            soak.vendor,
            FixedCodes({}),
            breaker,
            soak.emit,
            ONE_CODE_PER_NUMBER,
        )
        self.service = Service(
            policy=limits,
            store=store,
            providers=router,
            peppers=secret_cache.peppers,
            clock=self.clock,
            emit=soak.emit,
        )
        self.lifecycle = Lifecycle(limits, store, self.clock, soak.emit, ONE_CODE_PER_NUMBER)
        self.webhooks = Webhooks(
            store=store,
            credentials=secret_cache.credentials,
            renew=secret_cache.renew_credentials,
            readers=READERS,
            read_from_aws=aws_events.read,
            providers=frozenset(soak.vendors),
            peppers=secret_cache.peppers,
            code_length=chosen.code_length,
            clock=self.clock,
            emit=soak.emit,
        )
        numbers = DynamoNumbers(soak.dynamodb, soak.table, None)
        self.administration = Administration(limits, numbers, secret_cache.peppers, self.clock, soak.emit)

    def clock(self) -> float:
        """Seconds, as this environment has them."""
        return self._soak.time.now + self._apart


class Soak:
    """One hour. `step` seconds pass between two acts, at most twice as many by chance."""

    def __init__(
        self, dynamodb: DynamoDBClient, secrets: SecretsManagerClient, table: str, seed: int, step: float
    ) -> None:
        self.dynamodb, self.secrets, self.table = dynamodb, secrets, table
        self.step = step
        self.random = Random(seed)  # noqa: S311 - a script that must repeat
        self.time = Time()
        self.started = self.time.now
        self.met: Counter[str] = Counter()
        self.measured: set[str] = set()
        """The metrics that the hour has measured."""
        self.vendors = {"infobip": Vendor("infobip", self), "sinch": SinchVendor("sinch", self)}
        users = int(SECONDS_PER_USER / step)
        self.numbers = list(islice(fresh_numbers(), users))
        self.erased = self.numbers.pop()
        self.issued: list[Issued] = []
        self.texts: dict[str, list[float]] = defaultdict(list)
        self.newest: dict[str, tuple[str, float]] = {}
        """By number, its newest message's verification and moment."""
        self.verified_at: dict[str, float] = defaultdict(float)
        """By number, its last success."""
        self.checks: Counter[str] = Counter()
        self.failed: Counter[tuple[str, str]] = Counter()
        """Wrong guesses in a row, by number and tenant, as an upper bound."""
        self.pepper: Mapping[str, str] = {"pepper": PEPPER}
        self.pepper_since = self._date()
        self.all_peppers = {PEPPER}
        fields = {"applicationKey": SINCH_KEY, "applicationSecret": SINCH_SECRET}
        providers = json.dumps(dict.fromkeys(self.vendors, fields))
        secrets.create_secret(Name="providers", SecretString=providers)
        secrets.create_secret(Name="pepper", SecretString=json.dumps(self.pepper))
        self.environments = [Environment(self, BEFORE) for _ in range(ENVIRONMENTS)]

    # The course of the hour.

    def run(self) -> None:
        """Run the whole hour. Raises AssertionError if a rule is broken."""
        plan = self._plan()
        due, happens = next(plan)
        acts = (
            self._request,
            self._request,
            self._verify,
            self._verify,
            self._verify,
            self._resend,
            self._other,
        )
        while self.minute < 60:
            self.time.now += self.random.uniform(0, 2 * self.step)
            while self.minute >= due:
                happens()
                due, happens = next(plan)
            if self.random.random() < 0.01:
                self._restart()
            self.random.choice(acts)()
        self.look_at_every_item()

    @property
    def minute(self) -> float:
        """The minute of the hour."""
        return (self.time.now - self.started) / 60

    def _plan(self) -> Iterator[tuple[float, Callable[[], None]]]:
        """(minute, what happens then), in order."""
        yield ANNOUNCED_AT, self._rotate
        yield IN_USE_AT, self._rotate
        yield ERASED_AT, self._use_and_erase
        yield DEPLOYED_AT, lambda: self._deploy(ENVIRONMENTS // 2)
        yield ALL_DEPLOYED_AT, lambda: self._deploy(ENVIRONMENTS)
        yield float("inf"), lambda: None

    def _rotate(self) -> None:
        """The next step of `make rotate-pepper`, which refuses one that comes too early."""
        step = next_step(self.pepper, self.pepper_since, self._date())
        self.pepper, self.pepper_since = step.fields, self._date()
        self.all_peppers |= {value for name, value in step.fields.items() if name != "rotation"}
        self.secrets.put_secret_value(SecretId="pepper", SecretString=json.dumps(dict(step.fields)))
        self.met[f"pepper {step.fields['rotation']}"] += 1

    def _use_and_erase(self) -> None:
        """Use a number, then erase it as docs/privacy.md says: repeatedly, until it is complete."""
        assert self._request_code(RequestOtp(self.erased), TENANTS[0])[0] == "ok"
        self.issued.pop()
        self.time.now += 1
        retry_after = 1
        while retry_after:
            environment = self._environment()
            who = Administrator("arn:aws:iam::123456789012:role/admin", Deadline(60))
            retry_after = environment.administration.erase(self.erased, who).retry_after
            self.time.now += retry_after
            self.met["erase"] += 1
        kept = json.dumps(list(self._items()))
        assert self.erased not in kept
        for pepper in self.all_peppers:
            assert keys.keyed(pepper, "number", self.erased) not in kept
        self.texts.pop(self.erased)

    def _deploy(self, how_many: int) -> None:
        for index in range(how_many):
            if self.environments[index].rules is not AFTER:
                self.environments[index] = Environment(self, AFTER)
        self.met["deployed"] += 1

    def _restart(self) -> None:
        """Lambda replaces an environment: nothing is kept but what the table has."""
        index = self.random.randrange(ENVIRONMENTS)
        self.environments[index] = Environment(self, self.environments[index].rules)
        self.met["restarted"] += 1

    # Acts of users.

    def _request(self) -> None:
        number, tenant = self.random.choice(self.numbers), self.random.choice(TENANTS)
        key = f"key-{self.random.random()}" if self.random.random() < 0.3 else None
        command = RequestOtp(number, session_id=self.random.choice(SESSIONS), idempotency_key=key)
        is_free = self._may_surely_be_sent_to(number, tenant)
        outcome, verification_id = self._request_code(command, tenant)
        assert not (is_free and outcome in ("RATE_LIMITED", "NUMBER_LOCKED")), number
        if key and outcome == "ok":
            texts = len(self.texts[number])
            again, same_id = self._request_code(command, tenant, repeated=True)
            assert (again, same_id) == ("ok", verification_id)
            assert len(self.texts[number]) == texts
            self.met["repeated"] += 1

    def _request_code(self, command: RequestOtp, tenant: str, *, repeated: bool = False) -> tuple[str, str]:
        service = self._environment().service
        made: list[str] = []
        outcome = self._outcome(
            "request", lambda: made.append(request_code(service, command, _caller(tenant)).verification_id)
        )
        verification_id = made[0] if made else ""
        if made and not repeated:
            number, session = command.phone_number, command.session_id
            self.issued.append(Issued(verification_id, tenant, session, number, self.time.now))
        return outcome, verification_id

    def _verify(self) -> None:
        issued = self._recent()
        if issued is None:
            return
        kind = self.random.choices(("right", "wrong", "another's"), (80, 15, 5))[0]
        code = self._code(issued) if kind != "wrong" else "999999"
        tenant = issued.tenant if kind != "another's" else next(t for t in TENANTS if t != issued.tenant)
        environment = self._environment()
        is_sure = kind == "right" and self._is_surely_right(issued)
        about = (issued.number, issued.tenant)
        command = VerifyOtp(issued.verification_id, code, session_id=issued.session)
        outcome = self._outcome("verify", lambda: verify_code(environment.service, command, _caller(tenant)))
        assert outcome == "ok" or not is_sure, outcome
        if kind == "another's":
            assert outcome == "VERIFICATION_NOT_FOUND"
            return
        issued.guesses += 1
        self.failed[about] += 1
        if outcome != "ok":
            return
        assert kind == "right"
        if issued.verified_at is not None and issued.session is not None:
            # The session that it is bound to gets the first answer again, for two minutes.
            assert self.time.now - issued.verified_at < REPEATABLE_SECONDS + 2 * MOST_APART
            return
        assert not issued.done, "verified twice, or after it was cancelled"
        assert self.time.now - issued.made_at < BEFORE.ttl_seconds + 2 * MOST_APART
        issued.done, issued.verified_at = True, self.time.now
        self.verified_at[issued.number] = self.time.now
        self.failed[about] = 0

    def _resend(self) -> None:
        issued = self._waiting() if self.random.random() < 0.5 else self._recent()
        if issued is None:
            return
        command = ResendOtp(issued.verification_id, session_id=issued.session)
        service, earlier, answers = self._environment().service, self._code(issued), list[Requested]()
        outcome = self._outcome(
            "resend", lambda: answers.append(resend_code(service, command, _caller(issued.tenant)))
        )
        if outcome != "ok":
            return
        assert not issued.done
        holder, is_same = self._held(issued).provider, self._code(issued) == earlier
        assert answers[0].same_code is is_same, "the answer says whether an earlier message is right"
        self.met[f"{holder} sent {'the same' if is_same else 'another'}"] += 1

    def _other(self) -> None:
        """Cancel a verification, or read its status."""
        issued = self._recent()
        if issued is None:
            return
        environment, caller = self._environment(), _caller(issued.tenant)
        lifecycle, verification_id = environment.lifecycle, issued.verification_id
        if self.random.random() < 0.3 and not issued.done:
            assert self._outcome("cancel", lambda: lifecycle.cancel(verification_id, caller)) == "ok"
            issued.done = True
        else:
            assert self._outcome("status", lambda: lifecycle.status(verification_id, caller)) == "ok"

    # Calls of providers, and the rules that must hold then.

    def failure(self, provider: str) -> type[ProviderError] | None:
        """The failure of a provider at this minute, or None."""
        for outage in OUTAGES:
            if outage.provider == provider and outage.begins <= self.minute < outage.ends:
                return outage.failure
        return None

    def call_back(self, body: bytes) -> Mapping[str, Any]:
        """The answer of an environment's webhook to a request that Sinch signed at the true time."""
        timestamp = f"{self._date():%Y-%m-%dT%H:%M:%S.%f}0Z"
        path, kind = "/prod/webhooks/sinch", "application/json; charset=utf-8"
        made = signature_of(decoded_secret(SINCH_SECRET), "POST", path, body, kind, timestamp)
        headers = {
            "content-type": kind,
            "x-timestamp": timestamp,
            "authorization": f"application {SINCH_KEY}:{made}",
        }
        return self._environment().webhooks.receive(Callback(path, headers, body))

    def ends(self, key: str, by: str) -> None:
        """A start ends a number's earlier code, which nobody else may still be able to use."""
        if key == by or (ended := self._find(key)) is None:
            return
        session, newer = self._session(ended), self._find(by)
        assert newer is not None
        is_own = session is not None and (session, ended.tenant) == (self._session(newer), newer.tenant)
        is_over = ended.state is not State.PENDING or ended.attempts >= AFTER.guesses
        is_expired = self.time.now >= ended.expires_at - 2 * MOST_APART
        is_superseded = self.verified_at[ended.phone] >= ended.created_at - 2 * MOST_APART
        assert is_own or is_over or is_expired or is_superseded, "a code in somebody's hand was ended"
        self.met["code ended"] += 1

    def left(self, number: str, reference: str) -> None:
        """A message may reach a phone: it is on record, and within the limits as the phone sees them."""
        key = reference.partition("-")[0]
        held = self._find(key)
        assert held is not None
        assert (held.state, held.phone) == (State.PENDING, number)
        before, now = self.texts[number], self.time.now
        for limit, span in BEFORE.windows:
            recent = [at for at in before if now - at < span - 2 * MOST_APART]
            assert len(recent) < limit, (number, span)
        # A send that may have failed only after it left is made once more at once, and counted.
        is_second = self.newest.get(number) == (key, now)
        assert is_second or not before or now - before[-1] >= AFTER.gap - 2 * MOST_APART
        before.append(now)
        self.newest[number] = (key, now)

    def checked(self, ref: str) -> None:
        """A guess reaches a provider: no code is guessed at more often than allowed."""
        self.checks[ref] += 1
        assert self.checks[ref] <= BEFORE.guesses

    def look_at_every_item(self) -> None:
        """Check that every item has a TTL within the longest retention."""
        kinds = Counter[str]()
        for item in self._items():
            kind = item["pk"]["S"].partition("#")[0]
            assert "ttl" in item, kind
            assert int(item["ttl"]["N"]) <= self.time.now + LONGEST_RETENTION, kind
            kinds[kind] += 1
        self.met.update({f"item {kind}": count for kind, count in kinds.items()})

    # Outcomes that are certain in spite of the clocks' skew.

    def _may_surely_be_sent_to(self, number: str, tenant: str) -> bool:
        """Whether the stricter of both versions' limits has room."""
        now, sends = self.time.now, self.texts[number]
        spans = tuple((limit, span + int(2 * MOST_APART)) for limit, span in AFTER.windows)
        has_room = room(spans, [int(at) for at in sends], int(now))
        is_rested = not sends or now - sends[-1] > BEFORE.gap_max + 2 * MOST_APART
        return has_room and is_rested and self.failed[number, tenant] < BEFORE.free

    def _is_surely_right(self, issued: Issued) -> bool:
        held = self._held(issued)
        holder, sinch = held.provider, cast("SinchVendor", self.vendors["sinch"])
        return (
            not issued.done
            and (holder != "sinch" or sinch.current[issued.number] == held.provider_ref)
            and issued.guesses < AFTER.guesses
            and self.failed[issued.number, issued.tenant] < BEFORE.free
            and self.time.now - issued.made_at < BEFORE.ttl_seconds - 2 * MOST_APART
            and self.failure(str(holder)) is None
        )

    # Helpers.

    def vendor(self, name: str, credentials: Mapping[str, str]) -> Any:
        """As `registry.build`."""
        del credentials
        return self.vendors[name]

    def emit(self, event: str, **fields: Any) -> None:
        """Count the event, and note the metrics that it produces."""
        self.met[event] += 1
        self.measured |= {
            metric.name
            for metric in metrics.measured_by(event, fields)
            if isinstance(metric.value, int) or fields.get(metric.value) is not None
        }

    def _outcome(self, act: str, do: Callable[[], object]) -> str:
        """`ok` or an errorCode. Anything else that is raised ends the hour."""
        try:
            do()
            outcome = "ok"
        except OtpError as error:
            outcome = error.code
        self.met[f"{act} {outcome}"] += 1
        return outcome

    def _environment(self) -> Environment:
        return self.random.choice(self.environments)

    def _recent(self) -> Issued | None:
        """Mostly the newest, now and then one whose code has ended."""
        if not self.issued:
            return None
        return self.random.choice(self.issued[-self.random.choice((3, 3, 8, 100)) :])

    def _waiting(self) -> Issued | None:
        """Somebody whose code has not come for a while, if there is anybody."""
        since, until = self.time.now - BEFORE.ttl_seconds, self.time.now - BEFORE.gap - 2 * MOST_APART
        waiting = [each for each in self.issued if not each.done and since < each.made_at < until]
        return self.random.choice(waiting) if waiting else None

    def _held(self, issued: Issued) -> Verification:
        found = self._find(keys.verification_key(issued.verification_id))
        assert found is not None
        return found

    def _find(self, key: str) -> Verification | None:
        return DynamoStore(self.dynamodb, self.table).find(key)

    def _session(self, held: Verification) -> str | None:
        return next(each for each in SESSIONS if keys.session_hash(held.key, each) == held.session_hash)

    def _code(self, issued: Issued) -> str:
        held = self._held(issued)
        return self.vendors[str(held.provider)].codes[str(held.provider_ref)]

    def _items(self) -> Iterator[dict[str, Any]]:
        for page in self.dynamodb.get_paginator("scan").paginate(TableName=self.table):
            yield from cast("list[dict[str, Any]]", page["Items"])

    def _date(self) -> datetime:
        return datetime.fromtimestamp(self.time.now, UTC)


def _caller(tenant: str) -> Caller:
    return Caller(tenant, "request", Deadline(60), "198.51.100.1", "https://api.test")
