"""Concurrent sends: never one more than a limit, and one for each Idempotency-Key.

Exact, on DynamoDB as on its emulation: **no limit is ever exceeded.** A send is reserved in one
transaction, on the condition that no log has changed since it was read and every counter has room.

Best effort: **that one burst reaches the limit.** A request that loses an optimistic lock decides again,
and is refused after five times (`contended`). So a burst may leave room for callers that try again later, as
the refusal says. Callers that try again reach the limit exactly.
"""

import dataclasses
from collections import Counter
from collections.abc import Callable

import pytest
import requests

from fakes.memory import PEPPERS, StepClock, outcome
from sms_otp.domain.clock import DAY
from sms_otp.domain.commands import RequestOtp, VerifyOtp
from sms_otp.domain.errors import OtpError
from sms_otp.domain.keys import keyed
from sms_otp.domain.number import Lane
from sms_otp.domain.ports import AdmissionQuery
from sms_otp.use_cases.request import request_code
from sms_otp.use_cases.service import Service
from sms_otp.use_cases.verify import verify_code
from tests.proofs.scale import scaled
from tests.races.crowd import at_once, caller, fresh_numbers, persistently, tally
from tests.races.servers import calls, inbox, sends

CROWD = scaled(60, 200)
ROUNDS = scaled(1, 20)
FEW_ROUNDS = scaled(1, 3)
"""Fewer rounds for callers that try again, because each makes several requests."""
REPEATED = 100
REPEATED_ROUNDS = scaled(3, 60)
"""Rounds with one Idempotency-Key: only some of them read the record and the log at different moments."""


def request(service: Service, command: RequestOtp, tenant: str = "tenant-a") -> Callable[[], str]:
    return lambda: outcome(lambda: request_code(service, command, caller(tenant)))


def request_persistently(service: Service, command: RequestOtp) -> Callable[[], str]:
    return lambda: outcome(lambda: persistently(lambda: request_code(service, command, caller())))


def spoil(sandbox: str, provider: str, fault: str) -> None:
    """Every send at a provider fails."""
    body = {"provider": provider, "operation": "send", "fault": fault, "times": 1_000}
    requests.post(f"{sandbox}/faults", json=body, timeout=10).raise_for_status()


def counted_sends(service: Service, number: str) -> int:
    """The sends in a number record."""
    number_key = keyed(PEPPERS.current, "number", number)
    return len(service.store.read(AdmissionQuery(number_key, "tenant-a")).number.sends)


def test_concurrent_requests_of_two_tenants_for_a_number_send_one_code(
    service: Service, sandbox: str
) -> None:
    for _, number in zip(range(ROUNDS), fresh_numbers(), strict=False):
        crowd = [request(service, RequestOtp(number), f"tenant-{index % 2}") for index in range(CROWD)]
        assert tally(crowd) == {"ok": 1, "RATE_LIMITED": CROWD - 1}
        assert calls(sandbox, "send", number) == len(inbox(sandbox, number)) == 1


def test_a_burst_without_a_gap_never_exceeds_the_window_and_with_retries_reaches_it(
    build: Callable[..., Service], sandbox: str
) -> None:
    service = build(ResendGapSeconds="0", SendsPerQuarterHour="3")
    for _, number in zip(range(FEW_ROUNDS), fresh_numbers(), strict=False):
        burst = tally([request(service, RequestOtp(number)) for _ in range(CROWD)])
        assert 1 <= burst["ok"] <= 3
        rest = tally([request_persistently(service, RequestOtp(number)) for _ in range(CROWD)])
        assert burst["ok"] + rest["ok"] == 3
        assert calls(sandbox, "send", number) == 3


def test_concurrent_requests_in_two_lanes_are_limited_by_their_own_lane(
    build: Callable[..., Service], sandbox: str
) -> None:
    service = build(ResendGapSeconds="0", SendsPerQuarterHour="3")
    for _, number in zip(range(FEW_ROUNDS), fresh_numbers(), strict=False):
        verification_id = request_code(service, RequestOtp(number), caller()).verification_id
        code = inbox(sandbox, number)[0]["code"]
        token = verify_code(service, VerifyOtp(verification_id, code), caller()).device_token
        service.clock.step(DAY)  # type: ignore[attr-defined] # a StepClock
        before = calls(sandbox, "send", number)
        stranger, owner = RequestOtp(number), RequestOtp(number, device_token=token)
        crowd = [
            request_persistently(service, command) for command in (stranger, owner) for _ in range(CROWD // 2)
        ]
        assert tally(crowd) == {"ok": 6, "RATE_LIMITED": len(crowd) - 6}
        number_key = keyed(PEPPERS.current, "number", number)
        counted = service.store.read(AdmissionQuery(number_key, "tenant-a")).number.sends
        assert Counter(send.lane for send in counted) == {Lane.TOKEN: 3, Lane.STRANGER: 3}
        assert calls(sandbox, "send", number) - before == 6


@pytest.mark.parametrize("fault", ["503", "acted-503"])
def test_one_of_two_ambiguous_sends_fails_over_into_the_last_place(
    build: Callable[..., Service], sandbox: str, fault: str
) -> None:
    """Both calls of a request that fails over count, and a window of three has room for one failover."""
    service = build(
        ProviderOrder="infobip,sinch", ResendGapSeconds="0", SendsPerQuarterHour="3", PumpingGuard="record"
    )
    spoil(sandbox, "infobip", fault)
    numbers = [number for _, number in zip(range(CROWD // 2), fresh_numbers(), strict=False)]
    crowd = [request_persistently(service, RequestOtp(number)) for number in numbers for _ in range(2)]
    answers = tally(crowd)
    assert answers == {"ok": len(numbers), "PROVIDER_UNAVAILABLE": len(numbers)}
    by_provider = Counter((call["to"], call["provider"]) for call in sends(sandbox))
    assert by_provider == {(number, "infobip"): 2 for number in numbers} | {
        (number, "sinch"): 1 for number in numbers
    }
    assert {counted_sends(service, number) for number in numbers} == {3}


def test_each_counted_send_that_the_first_provider_refuses_goes_to_the_next(
    build: Callable[..., Service], sandbox: str
) -> None:
    """The first provider sent nothing, so both calls count as one send."""
    service = build(ProviderOrder="infobip,sinch", ResendGapSeconds="0", SendsPerQuarterHour="3")
    spoil(sandbox, "infobip", "number-limit")
    for _, number in zip(range(FEW_ROUNDS), fresh_numbers(), strict=False):
        crowd = [request_persistently(service, RequestOtp(number)) for _ in range(CROWD)]
        assert tally(crowd) == {"ok": 3, "RATE_LIMITED": CROWD - 3}
        by_provider = Counter(call["provider"] for call in sends(sandbox) if call["to"] == number)
        assert by_provider == {"infobip": 3, "sinch": 3}
        assert counted_sends(service, number) == len(inbox(sandbox, number)) == 3


def test_concurrent_requests_of_one_client_never_exceed_its_limit(service: Service, sandbox: str) -> None:
    """Ten an hour by default. Only callers that try again reach all ten."""
    numbers = fresh_numbers()
    for index in range(FEW_ROUNDS):
        client = f"192.0.2.{index}"
        before = calls(sandbox, "send")
        crowd = [RequestOtp(next(numbers), client_ip=client) for _ in range(CROWD)]
        burst = tally([request(service, command) for command in crowd])
        assert 1 <= burst["ok"] <= 10
        crowd = [RequestOtp(next(numbers), client_ip=client) for _ in range(CROWD)]
        rest = tally([request_persistently(service, command) for command in crowd])
        assert burst["ok"] + rest["ok"] == 10
        assert calls(sandbox, "send") - before == 10


def test_concurrent_requests_reach_the_daily_cap_and_never_exceed_it(
    build: Callable[..., Service], sandbox: str
) -> None:
    service = build(DailySpendCap="10", SmsPrices="*=0.16", PumpingGuard="off")
    assert isinstance(service.clock, StepClock)
    for _ in range(FEW_ROUNDS):
        before = calls(sandbox, "send")
        crowd = [RequestOtp(number) for _, number in zip(range(CROWD), fresh_numbers(), strict=False)]
        answers = tally([request_persistently(service, command) for command in crowd])
        assert answers == {"ok": 50, "RATE_LIMITED": CROWD - 50}
        assert calls(sandbox, "send") - before == 50
        service.clock.step(DAY)


def test_a_sharded_daily_cap_is_never_exceeded(build: Callable[..., Service], sandbox: str) -> None:
    """With more shards than a request looks at, it may find them spent while another has something left."""
    service = build(DailySpendCap="10", SmsPrices="*=0.16", PumpingGuard="off")
    admission = service.policy.admission
    sharded = dataclasses.replace(admission.spend, shards=16)
    policy = dataclasses.replace(service.policy, admission=dataclasses.replace(admission, spend=sharded))
    service = dataclasses.replace(service, policy=policy)
    crowd = [RequestOtp(number) for _, number in zip(range(CROWD), fresh_numbers(), strict=False)]
    answers = tally([request_persistently(service, command) for command in crowd])
    assert 1 <= answers["ok"] <= 50
    assert calls(sandbox, "send") == answers["ok"]


def test_concurrent_requests_with_one_idempotency_key_send_one_code(service: Service, sandbox: str) -> None:
    """The other requests get the same answer, or that the first is in progress."""
    for index, number in zip(range(REPEATED_ROUNDS), fresh_numbers(), strict=False):
        command = RequestOtp(number, idempotency_key=f"key-{index}")

        def act(command: RequestOtp = command) -> str:
            try:
                return request_code(service, command, caller()).verification_id
            except OtpError as error:
                return error.code

        answers = Counter(at_once([act] * REPEATED))
        in_progress = answers.pop("REQUEST_IN_PROGRESS", 0)
        ((verification_id, given),) = answers.items()
        assert given + in_progress == REPEATED
        assert act() == verification_id
        assert calls(sandbox, "send", number) == len(inbox(sandbox, number)) == 1


def test_one_idempotency_key_with_many_bodies_sends_one_code(service: Service, sandbox: str) -> None:
    numbers = fresh_numbers()
    crowd = [RequestOtp(next(numbers), idempotency_key="a-key") for _ in range(CROWD // 2)]
    answers = tally([request(service, command) for command in crowd])
    assert answers == {"ok": 1, "IDEMPOTENCY_KEY_REUSED": CROWD // 2 - 1}
    assert calls(sandbox, "send") == 1
