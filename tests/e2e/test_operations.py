"""What an operator runs against a stack, run against the local one."""

import dataclasses

import pytest

from local import smoke
from local.deployed import Deployed, described
from local.stack import PARAMETERS, STACK_NAME, LocalStack
from tests.e2e.conftest import Backend

pytestmark = pytest.mark.e2e


@pytest.fixture
def deployed(stack: LocalStack) -> Deployed:
    return described(STACK_NAME, stack.client, stack.base_url)


def test_the_smoke_test_does_the_main_job_and_sends_nothing(deployed: Deployed, backend: Backend) -> None:
    told: list[str] = []
    smoke.smoke(deployed, told.append)
    assert [line.split(": ")[-1] for line in told] == [
        "200 healthy",
        "200 healthy",
        "403",
        "200",
        "200 pending",
        "400 OTP_INCORRECT",
        "200",
        "409 ALREADY_VERIFIED",
        "200 verified",
    ]
    number = PARAMETERS["TestNumbers"].partition("=")[0]
    assert backend.every_call(number) == []


def test_the_smoke_test_names_the_step_that_failed(deployed: Deployed) -> None:
    number, _, code = PARAMETERS["TestNumbers"].partition("=")
    other = {"TestNumbers": f"{number}={int(code) + 1}"}
    with pytest.raises(smoke.SmokeFailed, match=r"the right one is right: /verify-otp answered 400 OTP_INC"):
        smoke.smoke(dataclasses.replace(deployed, parameters=other), lambda _: None)
