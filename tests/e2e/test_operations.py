"""The tools that an operator runs against a stack, run against the local one."""

import dataclasses
import time

import pytest

from local.stack import PARAMETERS, STACK_NAME, LocalStack
from ops import smoke, watch
from ops.board import Board
from ops.deployed import Deployed, described
from sms_otp.domain.clock import MINUTE
from tests.e2e.conftest import Backend, fresh_number

pytestmark = [pytest.mark.e2e, pytest.mark.long]


@pytest.fixture
def deployed(stack: LocalStack) -> Deployed:
    return described(STACK_NAME, stack.client, stack.base_url)


def test_the_smoke_test_verifies_a_test_number_and_sends_nothing(
    deployed: Deployed, backend: Backend
) -> None:
    printed: list[str] = []
    smoke.smoke(deployed, printed.append)
    assert [line.split(": ")[-1] for line in printed] == [
        "200 healthy",
        "200 healthy",
        "403 FORBIDDEN",
        "200",
        "200 pending",
        "400 OTP_INCORRECT",
        "200",
        "409 ALREADY_VERIFIED",
        "200 verified",
    ]
    number = PARAMETERS["TestNumbers"].partition("=")[0]
    assert backend.every_call(number) == []


def test_watch_shows_the_metrics_of_the_local_stack(deployed: Deployed, backend: Backend) -> None:
    before = time.time() - 15 * MINUTE
    verification_id = backend.requested(number := fresh_number())
    assert backend.verify(verification_id, backend.code(number)).status_code == 200
    board = Board(watch.reader(deployed)(before), time.time(), 15)
    assert board.total("OtpRequested") >= 1
    assert board.total("OtpVerified", "infobip") >= 1
    assert "infobip" in board.places("provider")


def test_the_smoke_test_names_the_step_that_failed(deployed: Deployed) -> None:
    number, _, code = PARAMETERS["TestNumbers"].partition("=")
    other = {"TestNumbers": f"{number}={int(code) + 1}"}
    with pytest.raises(smoke.SmokeFailed, match=r"the right code verifies: /verify-otp answered 400 OTP_INC"):
        smoke.smoke(dataclasses.replace(deployed, parameters=other), lambda _: None)
