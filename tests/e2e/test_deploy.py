"""`make deploy` without a terminal, on the emulated AWS: a first deployment, a change, a refusal."""

import subprocess
from collections.abc import Mapping

import pytest

from local.stack import LocalStack, aws_environment, sam
from local.stack_file import ROOT, LocalStackError

pytestmark = [pytest.mark.e2e, pytest.mark.long]

STACK = "sms-otp-second"
FIRST = {
    "AllowedCountries": "GB,IE",
    "MaxAttempts": "4",
    "ProviderOrder": "sinch",
    "InfobipSenderIds": "*=An Acme,US=14155550100",
}


def deploy(stack: LocalStack, name: str = STACK, **parameters: str) -> subprocess.CompletedProcess[str]:
    """Run `make deploy` as a pipeline does, with stdin closed. `ENV=local` is the emulated AWS."""
    given = " ".join(f"{parameter}='{value}'" for parameter, value in parameters.items())
    command = ["make", "--no-print-directory", "-o", ".venv/.run", "deploy", "ENV=local", f"STACK={name}"]
    return subprocess.run(  # noqa: S603 - a command of our own
        [*command, f"PARAMETERS={given}"],
        cwd=ROOT,
        env=aws_environment(stack.aws_endpoint_url),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def sam_deploy(stack: LocalStack, **parameters: str) -> subprocess.CompletedProcess[str]:
    """Run SAM CLI itself, which sends no parameters but these."""
    overrides = [f"{name}={value}" for name, value in parameters.items()]
    return subprocess.run(  # noqa: S603 - a command of our own
        [*sam("deploy"), "--stack-name", STACK, "--parameter-overrides", *overrides],
        cwd=ROOT,
        env=aws_environment(stack.aws_endpoint_url),
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def reasons(stack: LocalStack) -> str:
    """Why resources of the stack failed."""
    events = stack.client("cloudformation").describe_stack_events(StackName=STACK)["StackEvents"]
    return " ".join(
        event.get("ResourceStatusReason", "") for event in events if "FAILED" in event["ResourceStatus"]
    )


def parameters_of(stack: LocalStack) -> Mapping[str, str]:
    (found,) = stack.client("cloudformation").describe_stacks(StackName=STACK)["Stacks"]
    return {each["ParameterKey"]: each["ParameterValue"] for each in found["Parameters"]}


def live_environment(stack: LocalStack) -> Mapping[str, str]:
    """The environment of the function version that the API calls."""
    found = stack.client("cloudformation").describe_stack_resource(
        StackName=STACK, LogicalResourceId="VerifyOtpFunction"
    )
    name = found["StackResourceDetail"]["PhysicalResourceId"]
    live = stack.client("lambda").get_function_configuration(FunctionName=name, Qualifier="live")
    environment: Mapping[str, str] = live["Environment"]["Variables"]
    return environment


def test_a_deployment_changes_the_named_parameters_and_keeps_the_rest(stack: LocalStack) -> None:
    first = deploy(stack, **FIRST)
    assert first.returncode == 0, first.stdout + first.stderr
    made = parameters_of(stack)
    assert made.items() >= (FIRST | {"Stage": "local"}).items()
    assert "aws secretsmanager put-secret-value" in first.stdout
    assert "Each month, without any traffic: at most " in first.stdout
    assert live_environment(stack)["MAX_ATTEMPTS"] == "4"

    second = deploy(stack, MaxAttempts="3")
    assert second.returncode == 0, second.stdout + second.stderr
    assert "  MaxAttempts: 4 -> 3\n" in second.stdout
    assert parameters_of(stack) == {**made, "MaxAttempts": "3"}
    # A version of the function holds its environment, so the live alias must point at a new version.
    assert live_environment(stack)["MAX_ATTEMPTS"] == "3"

    plain = sam_deploy(stack, MaxAttempts="5")
    assert plain.returncode == 0, plain.stdout + plain.stderr
    assert parameters_of(stack) == {**made, "MaxAttempts": "5"}
    assert live_environment(stack)["MAX_ATTEMPTS"] == "5"

    # With SAM CLI, because `make deploy` would refuse this at once.
    contradiction = sam_deploy(stack, ResendGapSeconds="90", CodeLifeSeconds="60")
    assert contradiction.returncode != 0
    assert "ResendGapSeconds must be 30 seconds below CodeLifeSeconds" in reasons(stack)
    assert parameters_of(stack) == {**made, "MaxAttempts": "5"}
    assert live_environment(stack)["CODE_LIFE_SECONDS"] == "300"

    refused = deploy(stack, AllowedCountries="UK")
    assert refused.returncode != 0
    assert "write GB" in refused.stderr


def test_a_local_stack_that_cannot_be_made_says_why() -> None:
    with (
        pytest.raises(LocalStackError, match="AllowedCountries has UK"),
        LocalStack(parameters={"AllowedCountries": "UK"}),
    ):
        pytest.fail("it was made")
