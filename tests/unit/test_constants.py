"""The constants behind limits, costs and promises, each as it was decided.

Other tests import them and would pass after a change; here each value is written out. Change it here too,
and wherever a document names it.
"""

from types import ModuleType

import pytest

from sms_otp.adapters.aws import secrets
from sms_otp.adapters.dynamodb import client, number_writes, numbers
from sms_otp.adapters.providers import aws, infobip, sinch_callbacks, transport
from sms_otp.adapters.telemetry import published
from sms_otp.domain import (
    admission,
    budgets,
    circuit,
    countries,
    device_token,
    guard,
    idempotency,
    limits,
    networks,
    number,
    prices,
    service_day,
    stops,
    strict_json,
    users,
    verification,
)
from sms_otp.domain.budgets import Spans
from sms_otp.entry_points import bootstrap, custom_resource, http
from sms_otp.setup import deployed_settings, desired_state, provisioning
from sms_otp.use_cases import delivery, health, listed, resend, sending, service, tokens, webhooks

MINUTE, DAY = 60, 86_400

NUMBERS: dict[ModuleType, dict[str, object]] = {
    secrets: {"CACHE_SECONDS": 300, "RENEW_SECONDS": 60, "SHORTEST_PEPPER": 32},
    client: {
        "CONFLICT_PAUSES": (10, 20, 40, 80),
        "CONFLICT_SECONDS": 0.5,
        "LEFT_PAUSE": 50,
        "MOST_KEYS": 100,
    },
    number_writes: {"MOST_REFUSED": 22},
    numbers: {"UNLOCK_TRIES": 5},
    aws: {"SHORTEST_KEY": 32, "SHORTEST_LIFE": 5, "LONGEST_LIFE": 3 * DAY},
    infobip: {"PACE_SECONDS": 3},
    sinch_callbacks: {"CLOCK_WINDOW": 5 * MINUTE},
    transport: {
        "CONNECT_SECONDS": 2.0,
        "READ_SECONDS": 4.0,
        "TOTAL_SECONDS": 6.0,
        "IDLE_SECONDS": 20.0,
        "MAX_BODY_BYTES": 65_536,
    },
    published: {"VERSION": 1},
    admission: {"BLOCK_KEY": 32, "MOST_LISTED_TESTS": 50},
    budgets: {
        "DOLLARS_PER_SHARD": 100,
        "MOST_SHARDS": 512,
        "SAMPLE": 4,
        "KEEP_DAYS": 16,
        "LEAST_PART": 8,
    },
    circuit: {
        "NUMBERS": 3,
        "WINDOW": 60_000,
        "OPEN": 30_000,
        "PROBE_LEASE": 15_000,
        "SLOW_SECONDS": 3.0,
        "KEEP": 600_000,
    },
    countries: {"LONGEST_CODE_LIFE": 600},
    device_token: {"LIFE_SECONDS": 90 * DAY, "VERSION": 1},
    guard: {
        "HISTORY_DAYS": 14,
        "HOURS_OF_A_DAY": 6,
        "LEAST_RATIO": 0.3,
        "MOST_RATIO": 1.0,
        "PRIOR_UNVERIFIED": 6,
        "PRIOR_VERIFIED": 10,
        "SLACK": 1.5,
        "SLACK_OF_DAY": 1.2,
        "IGNORED_AT_MOST": 2,
        "FLOOR": Spans(500_000, 2_000_000),
        "POOL": Spans(2_000_000, 10_000_000),
        "CHALLENGED_FLOORS": 8,
        "BLOCK": Spans(10, 20),
        "BLOCK_CHALLENGED": 4,
        "NETWORK_OPEN": {"fresh": 1, "challenged": 2},
    },
    idempotency: {"KEEP_SECONDS": DAY, "RUNNING_SECONDS": 30},
    limits: {"KEEP_LOG": 30 * DAY},
    networks: {"WEEK": 7, "KEEP": 8 * DAY},
    number: {
        "REMEMBERED": 90 * DAY,
        "LATE_DELETION": 7 * DAY,
        "MOST_NETWORKS": 3,
        "FINER": 1000,
    },
    prices: {"USD": 1_000_000},
    service_day: {"KEPT_FOR_KNOWN": 5},
    stops: {"SHORTEST": MINUTE, "LONGEST": 30 * DAY, "DEFAULT": DAY},
    strict_json: {"LONGEST_NUMBER": 20, "LONGEST_FRACTION": 32},
    users: {"FOREVER": 253_402_300_799, "MOST_PURPOSES": 20},
    verification: {"REPEATABLE_SECONDS": 2 * MINUTE},
    bootstrap: {
        "DYNAMODB_TIMEOUTS": {"connect_timeout": 0.5, "read_timeout": 0.5},
        "SECRETS_TIMEOUTS": {"connect_timeout": 1.0, "read_timeout": 1.0},
        "KMS_TIMEOUTS": {"connect_timeout": 0.5, "read_timeout": 1.0},
        "EVENTS_TIMEOUTS": {"connect_timeout": 1.0, "read_timeout": 2.0},
        "AWS_TRIES": 2,
    },
    custom_resource: {"ANSWER_SECONDS": 6.0},
    http: {"BODY_LIMIT": 4096, "RESERVE_SECONDS": 12.5, "DEFAULT_RETRY_AFTER": 1},
    deployed_settings: {"DIGEST_LENGTH": 16, "LONGEST_STACK_NAME": 37},
    desired_state: {
        "APP_HASH_LENGTH": 11,
        "SENDS_PER_NUMBER": 200,
        "SENDS_PER_APPLICATION": 1_000_000,
    },
    provisioning: {"SECONDS": 60.0},
    delivery: {"LOOK_SECONDS": 2.0},
    health: {"CHECK_SECONDS": 1.2},
    listed: {"MOST_NAMED": 5},
    resend: {"SENDS_BEFORE_NEXT": 2},
    sending: {"SECOND_SEND_SECONDS": 2.0, "RESERVE_TRIES": 5, "MOST_NOTED": 11},
    service: {"RETRY_AFTER": 5},
    tokens: {"LIFE_SECONDS": 5 * MINUTE},
    webhooks: {"BODY_LIMIT": 2 * 1024 * 1024},
}


@pytest.mark.parametrize("module", NUMBERS, ids=lambda module: module.__name__)
def test_each_number_is_the_one_that_was_decided(module: ModuleType) -> None:
    found = vars(module)
    assert {name: found[name] for name in NUMBERS[module]} == NUMBERS[module]
