"""The numbers that limits, costs and promises rest on, each as it was decided.

Other tests import them, so that a changed number would pass there: here each stands by itself. One that
changes is changed here too, and wherever a document names it.
"""

import importlib

import pytest

from sms_otp.domain.budgets import Spans

MINUTE, DAY = 60, 86_400

NUMBERS: dict[str, dict[str, object]] = {
    "adapters.aws.secrets": {"CACHE_SECONDS": 300, "RENEW_SECONDS": 60, "SHORTEST_PEPPER": 32},
    "adapters.dynamodb.client": {
        "CONFLICT_PAUSES": (10, 20, 40, 80),
        "CONFLICT_SECONDS": 0.5,
        "LEFT_PAUSE": 50,
        "MOST_KEYS": 100,
    },
    "adapters.dynamodb.number_writes": {"MOST_REFUSED": 22},
    "adapters.dynamodb.numbers": {"UNLOCK_TRIES": 5},
    "adapters.providers.aws": {"SHORTEST_KEY": 32, "SHORTEST_LIFE": 5, "LONGEST_LIFE": 3 * DAY},
    "adapters.providers.infobip": {"PACE_SECONDS": 3},
    "adapters.providers.sinch_callbacks": {"CLOCK_WINDOW": 5 * MINUTE},
    "adapters.providers.transport": {
        "CONNECT_SECONDS": 2.0,
        "READ_SECONDS": 4.0,
        "TOTAL_SECONDS": 6.0,
        "IDLE_SECONDS": 20.0,
        "MAX_BODY_BYTES": 65_536,
    },
    "adapters.telemetry.published": {"VERSION": 1},
    "domain.admission": {"BLOCK_KEY": 32, "MOST_LISTED_TESTS": 50},
    "domain.budgets": {
        "DOLLARS_PER_SHARD": 100,
        "MOST_SHARDS": 512,
        "SAMPLE": 4,
        "KEEP_DAYS": 16,
        "LEAST_PART": 8,
    },
    "domain.circuit": {
        "NUMBERS": 3,
        "WINDOW": 60_000,
        "OPEN": 30_000,
        "PROBE_LEASE": 15_000,
        "SLOW_SECONDS": 3.0,
        "KEEP": 600_000,
    },
    "domain.countries": {"LONGEST_CODE_LIFE": 600},
    "domain.device_token": {"LIFE_SECONDS": 90 * DAY, "VERSION": 1},
    "domain.guard": {
        "HISTORY_DAYS": 14,
        "HOURS_OF_A_DAY": 6,
        "LEAST_RATIO": 0.3,
        "MOST_RATIO": 1.0,
        "PRIOR_UNVERIFIED": 6,
        "PRIOR_VERIFIED": 10,
        "SLACK": 1.5,
        "SLACK_OF_DAY": 1.3,
        "IGNORED_AT_MOST": 2,
        "FLOOR": Spans(500_000, 2_000_000),
        "POOL": Spans(2_000_000, 10_000_000),
        "CHALLENGED_FLOORS": 8,
        "BLOCK": Spans(10, 20),
        "BLOCK_CHALLENGED": 4,
        "NETWORK_OPEN": {"fresh": 1, "challenged": 2},
    },
    "domain.idempotency": {"KEEP_SECONDS": DAY, "RUNNING_SECONDS": 30},
    "domain.limits": {"KEEP_LOG": 30 * DAY},
    "domain.networks": {"WEEK": 7, "KEEP": 8 * DAY},
    "domain.number": {
        "REMEMBERED": 90 * DAY,
        "LATE_DELETION": 7 * DAY,
        "MOST_NETWORKS": 3,
        "FINER": 1000,
    },
    "domain.prices": {"USD": 1_000_000},
    "domain.service_day": {"KEPT_FOR_KNOWN": 5},
    "domain.stops": {"SHORTEST": MINUTE, "LONGEST": 30 * DAY, "DEFAULT": DAY},
    "domain.strict_json": {"LONGEST_NUMBER": 20, "LONGEST_FRACTION": 32},
    "domain.users": {"FOREVER": 253_402_300_799, "MOST_PURPOSES": 20},
    "domain.verification": {"REPEATABLE_SECONDS": 2 * MINUTE},
    "entry_points.bootstrap": {
        "DYNAMODB_TIMEOUTS": {"connect_timeout": 0.5, "read_timeout": 0.5},
        "SECRETS_TIMEOUTS": {"connect_timeout": 1.0, "read_timeout": 1.0},
        "KMS_TIMEOUTS": {"connect_timeout": 0.5, "read_timeout": 1.0},
        "EVENTS_TIMEOUTS": {"connect_timeout": 1.0, "read_timeout": 2.0},
        "AWS_TRIES": 2,
    },
    "entry_points.custom_resource": {"ANSWER_SECONDS": 6.0},
    "entry_points.http": {"BODY_LIMIT": 4096, "RESERVE_SECONDS": 12.5, "DEFAULT_RETRY_AFTER": 1},
    "setup.deployed_settings": {"DIGEST_LENGTH": 16, "LONGEST_STACK_NAME": 37},
    "setup.desired_state": {
        "APP_HASH_LENGTH": 11,
        "SENDS_PER_NUMBER": 200,
        "SENDS_PER_APPLICATION": 1_000_000,
    },
    "setup.provisioning": {"SECONDS": 60.0},
    "use_cases.delivery": {"LOOK_SECONDS": 2.0},
    "use_cases.health": {"CHECK_SECONDS": 1.2},
    "use_cases.listed": {"MOST_NAMED": 5},
    "use_cases.resend": {"SENDS_BEFORE_NEXT": 2},
    "use_cases.sending": {"SECOND_SEND_SECONDS": 2.0, "RESERVE_TRIES": 5, "MOST_NOTED": 11},
    "use_cases.service": {"RETRY_AFTER": 5},
    "use_cases.tokens": {"LIFE_SECONDS": 5 * MINUTE},
    "use_cases.webhooks": {"BODY_LIMIT": 2 * 1024 * 1024},
}


@pytest.mark.parametrize("module", NUMBERS)
def test_each_number_is_the_one_that_was_decided(module: str) -> None:
    found = vars(importlib.import_module(f"sms_otp.{module}"))
    assert {name: found[name] for name in NUMBERS[module]} == NUMBERS[module]
