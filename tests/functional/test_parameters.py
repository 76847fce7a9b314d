"""The service works with all parameters that the template and its checks accept."""

import os
import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from local.template import template
from ops.template import Stack
from sms_otp.adapters.config import Settings
from sms_otp.entry_points import bootstrap
from sms_otp.setup import deployed_settings
from sms_otp.use_cases.status import Lifecycle
from tests.functional.deployment import Deployment

DECLARED: Mapping[str, Mapping[str, Any]] = template()["Parameters"]
FIXED = {
    # Every country, so that the tests' numbers are allowed; and nothing that needs more than one process.
    "AllowedCountries": "*",
    "ProviderSandboxUrl": "",
    "AwsSmsIdentityArn": "",
    "KeepUsers": "false",
    "IssueTokens": "false",
    "ProvisionInfobip": "false",
}
NUMBERS = ("+14155550150", "+14155550151")


def values_of(name: str) -> st.SearchStrategy[str]:
    """Any value that CloudFormation accepts for a parameter, its bounds more often than others."""
    known = DECLARED[name]
    if name in FIXED:
        return st.just(FIXED[name])
    if "AllowedValues" in known:
        return st.sampled_from([str(value) for value in known["AllowedValues"]])
    if known["Type"] == "Number":
        least, most = known["MinValue"], known["MaxValue"]
        bounds = st.sampled_from([least, most, known["Default"]])
        return st.one_of(bounds, st.integers(least, most)).map(str)
    pattern = re.compile(known["AllowedPattern"])
    default = st.just(str(known.get("Default", "*")))
    # Texts that name countries are refused nearly always, so most of them are the default in each example.
    return st.integers(0, 9).flatmap(lambda dice: default if dice else st.from_regex(pattern, fullmatch=True))


DEPLOYMENTS = st.fixed_dictionaries({name: values_of(name) for name in DECLARED})


def refused(parameters: Mapping[str, str]) -> list[str]:
    """The faults for which a deployment with these parameters is refused."""
    stack = Stack(template(), "sms-otp", parameters)
    faults = deployed_settings.faults_of(stack.environment(), parameters["AwsSmsIdentityArn"])
    return [*stack.broken_rules(), *faults]


def chosen(parameters: Mapping[str, str]) -> Settings:
    return Settings.from_environment(Stack(template(), "sms-otp", parameters).environment())


@given(parameters=DEPLOYMENTS)
@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
def test_parameters_that_pass_the_checks_make_valid_settings(parameters: dict[str, str]) -> None:
    faults = refused(parameters)
    assert all(fault.endswith((".", ")")) for fault in faults)
    if not faults:
        chosen(parameters)


@pytest.fixture
def service(deployed: Deployment, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A function that gives other parameters to the deployed functions."""
    given = bootstrap.service()

    def deploy(parameters: Mapping[str, str]) -> None:
        policy = bootstrap.policy(chosen(parameters))
        service = replace(given, policy=policy)
        lifecycle = Lifecycle(policy, service.store, deployed.clock, service.emit)
        monkeypatch.setattr(bootstrap, "service", lambda: service)
        monkeypatch.setattr(bootstrap, "lifecycle", lambda: lifecycle)

    return deploy


@given(parameters=DEPLOYMENTS, later=DEPLOYMENTS)
@settings(
    max_examples=400 if os.environ.get("PROVE") else 25,
    deadline=None,
    suppress_health_check=[
        HealthCheck.function_scoped_fixture,
        HealthCheck.filter_too_much,
        HealthCheck.too_slow,
    ],
)
def test_a_code_is_sent_and_verified_under_any_parameters_and_over_a_redeployment(
    deployed: Deployment, service: Any, parameters: dict[str, str], later: dict[str, str]
) -> None:
    """No answer is a 5xx. A right code verifies unless its attempts are spent or it has expired."""
    assume(not refused(parameters))
    deployed.empty()
    service(parameters)
    number = NUMBERS[0]
    if number in parameters["TestNumbers"]:
        return
    requested = deployed.post("request_otp", phoneNumber=number)
    assert requested.status == 200, requested.text
    verification_id = requested.body["verificationId"]
    length = int(parameters["CodeLength"])
    right, wrong = "1234567890"[:length], "9" * length
    deployed.provider.code = right
    steps = [
        deployed.post("verify_otp", verificationId=verification_id, otp=wrong),
        deployed.post("otp_status", verificationId=verification_id),
        deployed.post("resend_otp", verificationId=verification_id),
    ]
    if not refused(later):
        # A code under way keeps the settings it was sent with. Here it only matters that nothing breaks.
        service(later)
        steps.append(deployed.post("request_otp", phoneNumber=NUMBERS[1]))
        steps.append(deployed.post("verify_otp", verificationId=verification_id, otp=wrong))
        service(parameters)
    verified = deployed.post("verify_otp", verificationId=verification_id, otp=right)
    if int(parameters["MaxAttempts"]) > 2 and int(parameters["FailuresBeforeWait"]) > 2:
        assert verified.status == 200, verified.text
    steps += [verified, deployed.post("cancel_otp", verificationId=verification_id)]
    assert [step.status for step in steps if step.status >= 500] == [], [step.text for step in steps]
