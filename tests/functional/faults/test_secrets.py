"""Secrets Manager fails, or secrets are rotated meanwhile."""

import json
from collections.abc import Callable
from typing import Any

from botocore.exceptions import EndpointConnectionError, ReadTimeoutError

from local.sandbox.credentials import INFOBIP_API_KEY, SINCH_APPLICATION_SECRET, credentials
from tests.functional.faults.outcomes import (
    INTERNAL,
    NOT_SENT,
    OK,
    SENT,
    UNAVAILABLE,
    Sending,
    check_again,
    check_sending,
    outcome_of,
    state,
)
from tests.functional.faults.turns import AT_ONE, kinds
from tests.functional.faults.world import AwsFault, World, aws_answer, aws_error

PEPPER_CALL, PROVIDER_CALL = 1, 2
"""A cold environment's first request fetches both secrets, in this order."""

SECRETS_FAIL: dict[str, Callable[[str], Any] | BaseException] = {
    "throttled": aws_error("ThrottlingException"),
    "internal error": aws_error("InternalServiceError", 500),
    "access denied": aws_error("AccessDeniedException"),
    "no such secret": aws_error("ResourceNotFoundException"),
    "cannot be decrypted": aws_error("DecryptionFailure"),
    "no value yet": aws_error("ResourceNotFoundException", Message="no staging label AWSCURRENT"),
    "connection refused": EndpointConnectionError(endpoint_url="https://secretsmanager.invalid"),
    "no answer": ReadTimeoutError(endpoint_url="https://secretsmanager.invalid"),
    "HTML": aws_answer(200, b"<html>Sign in"),
    "no text": aws_answer(200, {"SecretBinary": "AAAA"}),
    "nothing": aws_answer(200, {}),
    "not JSON": aws_answer(200, {"SecretString": "sandbox-infobip-key"}),
    "a list": aws_answer(200, {"SecretString": "[]"}),
    "nested too deeply": aws_answer(200, {"SecretString": "[" * 60_000}),
    "an empty object": aws_answer(200, {"SecretString": "{}"}),
    "numbers for texts": aws_answer(
        200,
        {"SecretString": json.dumps({"pepper": 1, "infobip": {"apiKey": 1}, "sinch": {"applicationKey": 1}})},
    ),
    "empty texts": aws_answer(
        200,
        {
            "SecretString": json.dumps(
                {"pepper": "", "infobip": {"apiKey": ""}, "sinch": {"applicationKey": ""}}
            )
        },
    ),
    "a line's end within": aws_answer(
        200,
        {
            "SecretString": json.dumps(
                {
                    "pepper": "short\n",
                    "infobip": {"apiKey": "a\nb", "baseUrl": "x", "applicationId": "x", "messageId": "x"},
                    "sinch": {"applicationKey": "a\nb", "applicationSecret": "x"},
                }
            )
        },
    ),
}


@AT_ONE
@kinds(SECRETS_FAIL, turn=0, of=3)
def test_without_the_pepper_nothing_is_reserved_or_sent(kind: str, world: World) -> None:
    world.aws.faults.append(AwsFault("GetSecretValue", SECRETS_FAIL[kind], first=PEPPER_CALL))
    check_sending(world, Sending(INTERNAL, sms=0, again=OK, sms_again=1))


@kinds(SECRETS_FAIL, turn=1, of=3)
def test_without_credentials_nothing_is_sent_and_the_reservation_is_given_back(
    kind: str, world: World
) -> None:
    world.aws.faults.append(AwsFault("GetSecretValue", SECRETS_FAIL[kind], first=PROVIDER_CALL, calls=9))
    check_sending(world, NOT_SENT)
    assert world.reserved() == 1


@kinds(SECRETS_FAIL, turn=2, of=3)
def test_without_credentials_nobody_is_verified(kind: str, world: World) -> None:
    verification_id, code = world.pending()
    world.restart()
    world.aws.faults.append(AwsFault("GetSecretValue", SECRETS_FAIL[kind], first=PROVIDER_CALL, calls=9))
    assert outcome_of(world.verify(verification_id, code)) in (INTERNAL, UNAVAILABLE)
    assert (state(world), world.checks()) == (("pending", 1), 0)
    world.heal()
    check_again(world, verification_id, code, OK)


@AT_ONE
@kinds(SECRETS_FAIL, turn=2, of=3)
def test_without_the_pepper_no_guess_is_counted(kind: str, world: World) -> None:
    verification_id, code = world.pending()
    world.restart()
    world.aws.faults.append(AwsFault("GetSecretValue", SECRETS_FAIL[kind], first=PEPPER_CALL))
    assert outcome_of(world.verify(verification_id, code)) == INTERNAL
    assert (state(world), world.checks()) == (("pending", 0), 0)
    world.heal()
    check_again(world, verification_id, code, OK)


def test_credentials_that_are_rotated_in_flight_are_fetched_again(world: World, sandbox: str) -> None:
    right = json.dumps(credentials(sandbox))
    wrong = right.replace(INFOBIP_API_KEY, "the-key-before").replace(SINCH_APPLICATION_SECRET, "YmVmb3JlIQ==")
    world.put_secret("provider_secret_arn", wrong)
    assert outcome_of(world.request()) == UNAVAILABLE  # which puts the old ones into the cache
    world.put_secret("provider_secret_arn", right)
    check_sending(world, SENT)


def test_credentials_rotated_between_send_and_check_are_fetched_again(world: World, sandbox: str) -> None:
    verification_id, code = world.pending()
    right = json.dumps(credentials(sandbox))
    wrong = right.replace(INFOBIP_API_KEY, "the-key-before").replace(SINCH_APPLICATION_SECRET, "YmVmb3JlIQ==")
    world.put_secret("provider_secret_arn", wrong)
    world.restart()
    assert outcome_of(world.verify(verification_id, code)) == UNAVAILABLE
    world.put_secret("provider_secret_arn", right)
    assert outcome_of(world.verify(verification_id, code)) == OK
    assert state(world) == ("verified", 2)


def test_a_key_that_is_refused_for_good_is_fetched_once_per_request(world: World, sandbox: str) -> None:
    wrong = json.dumps(credentials(sandbox)).replace(INFOBIP_API_KEY, "an-older-key")
    world.put_secret("provider_secret_arn", wrong.replace(SINCH_APPLICATION_SECRET, "b2xkZXIhIQ=="))
    assert outcome_of(world.request()) == UNAVAILABLE
    assert world.aws.calls["GetSecretValue"] == PROVIDER_CALL + 1
    assert outcome_of(world.request()) == UNAVAILABLE
    assert world.aws.calls["GetSecretValue"] == 1
