"""`make deploy`: build the template and deploy it, after one confirmation.

    python -m ops.deploy --env prod --parameters "AllowedCountries=GB,IE ProviderOrder=sinch"

Parameters that are not named keep the stack's values. Wrong names and values are refused before the build.
It prints the changes and, on a terminal, asks for confirmation once; in a pipeline it does not ask.
"""

import argparse
import contextlib
import os
import shlex
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from local.template import parameter_faults, template
from ops import cost
from ops.template import Stack
from sms_otp.adapters.config import Settings
from sms_otp.domain.errors import ServiceMisconfigured
from sms_otp.setup import deployed_settings, desired_state

ROOT = Path(__file__).parent.parent
SAM = Path(sys.prefix) / "bin/sam"
"""SAM CLI in this process's virtual environment."""
TABLES = {"dev": "default"}
"""ENV -> its table in samconfig.toml, where the names differ."""
YES = ("y", "yes")

# A stack's status -> why nothing can be deployed on it, and what to do.
STUCK = {
    "ROLLBACK_COMPLETE": "its first deployment failed. Delete it and deploy again: "
    "aws cloudformation delete-stack --stack-name {stack}",
    "ROLLBACK_FAILED": "its first deployment failed, and so did its removal. Delete it and deploy again: "
    "aws cloudformation delete-stack --stack-name {stack}",
    "DELETE_FAILED": "its deletion failed. See its events, then delete it again: "
    "aws cloudformation delete-stack --stack-name {stack}",
    "UPDATE_ROLLBACK_FAILED": "the last deployment failed and could not be rolled back. "
    'See "A rollback that failed" in docs/operations.md',
}

Values = Mapping[str, str]


class Refused(Exception):
    """Nothing was deployed. The message says why, and what to do."""


@dataclass(frozen=True)
class Target:
    """The account, Region and stack to deploy to, and the stack's current parameters."""

    env: str
    stack: str
    account: str
    region: str
    current: Values | None
    """The stack's parameters; None if the stack does not exist."""


def main() -> None:
    """Deploy. Exits with 0 on success, with 1 and the reason otherwise."""
    arguments = _arguments()
    try:
        overrides = pairs(arguments.parameters)
        declared = template()
        stack = arguments.stack or stack_of(arguments.env)
        check_values(declared["Parameters"], overrides)
        check_countries(declared, stack, overrides)
        target = look(arguments.env, stack)
        desired = plan(declared, target, overrides)
        texts = long_texts(desired, stack)
        print("\n".join([shown(declared["Parameters"], target, desired), *texts]), flush=True)
        if arguments.confirm != "no" and _can_confirm() and not _confirms():
            raise Refused("nothing was deployed")
        run(target, {"Stage": desired["Stage"], **overrides})
        print(next_steps(target, desired), flush=True)
    except Refused as refused:
        sys.exit(f"make deploy: {refused}")
    except (ClientError, BotoCoreError) as error:
        # AWS error texts name the cause: no credentials, no such Region, no permission.
        sys.exit(f"make deploy: {error}")


def pairs(text: str) -> dict[str, str]:
    """Parse `Name=Value …`, quoted as in a shell. Raises `Refused`."""
    try:
        words = shlex.split(text)
    except ValueError as error:
        raise Refused(f"PARAMETERS cannot be read: {error}") from None
    if malformed := [word for word in words if "=" not in word]:
        raise Refused(f"PARAMETERS are Name=Value pairs separated by blanks; {malformed[0]} has no value")
    return dict(word.split("=", 1) for word in words)


def check_values(declared: Mapping[str, Mapping[str, Any]], overrides: Values) -> None:
    """Check names and values against the template's parameters. Raises `Refused` with every fault."""
    faults = [fault for name, value in overrides.items() for fault in parameter_faults(declared, name, value)]
    if faults:
        raise Refused("\n  ".join(["nothing was deployed:", *faults]))


def check_countries(template: Mapping[str, Any], stack: str, overrides: Values) -> None:
    """Check that each country exists, which no AllowedPattern can. Raises `Refused`."""
    desired = {"AllowedCountries": "*", **_defaults(template["Parameters"]), **overrides}
    with contextlib.suppress(ServiceMisconfigured):
        settings = Settings.from_environment(Stack(template, stack, desired).environment())
        if faults := list(deployed_settings.country_faults_of(settings)):
            raise Refused("\n  ".join(["nothing was deployed:", *faults]))


def _defaults(declared: Mapping[str, Mapping[str, Any]]) -> dict[str, str]:
    return {name: str(known["Default"]) for name, known in declared.items() if "Default" in known}


def stack_of(env: str) -> str:
    """The stack's name, from samconfig.toml. Raises `Refused`."""
    tables = tomllib.loads((ROOT / "samconfig.toml").read_text())
    table = tables.get(TABLES.get(env, env))
    if not isinstance(table, dict):
        raise Refused(f"samconfig.toml has no ENV={env}; take dev, staging or prod")
    return str(table["global"]["parameters"]["stack_name"])


def look(env: str, stack: str) -> Target:
    """Read the account, the Region and the stack. Raises `Refused` or a boto3 error."""
    session = boto3.Session()
    if session.region_name is None:
        raise Refused("no Region is chosen: export AWS_REGION=eu-west-1, or another")
    account = str(session.client("sts").get_caller_identity()["Account"])
    return Target(env, stack, account, session.region_name, _current(session, stack))


def _current(session: boto3.Session, stack: str) -> Values | None:
    try:
        (found,) = session.client("cloudformation").describe_stacks(StackName=stack)["Stacks"]
    except ClientError as error:
        if "does not exist" in str(error):
            return None
        raise
    status = found["StackStatus"]
    if status == "REVIEW_IN_PROGRESS":
        # A change set was made and never executed: the stack has no resources.
        return None
    if status in STUCK:
        raise Refused(f"the stack {stack} is {status}: {STUCK[status].format(stack=stack)}")
    if status.endswith("_IN_PROGRESS"):
        raise Refused(f"the stack {stack} is {status}: wait until it has ended")
    return {each["ParameterKey"]: each["ParameterValue"] for each in found.get("Parameters", ())}


def plan(template: Mapping[str, Any], target: Target, overrides: Values) -> Values:
    """Every parameter's value after the deployment. Raises `Refused` if the values are invalid together."""
    declared = template["Parameters"]
    current = {name: value for name, value in (target.current or {}).items() if name in declared}
    stage = {"Stage": target.env if target.env in declared["Stage"]["AllowedValues"] else "dev"}
    desired: dict[str, str] = {**_defaults(declared), **current, **stage, **overrides}
    if missing := sorted(declared.keys() - desired.keys()):
        hint = ' PARAMETERS="AllowedCountries=GB,IE", or where your users are' if missing else ""
        raise Refused(f"a first deployment must name {', '.join(missing)}:{hint}")
    # The stack's current values are checked too: a newer version may accept fewer.
    check_values(declared, desired)
    stack = Stack(template, target.stack, desired)
    faults = [*stack.broken_rules()]
    faults += deployed_settings.faults_of(stack.environment(), desired["AwsSmsIdentityArn"])
    # Only a value named now: a date that has passed since must not block a deployment.
    end = overrides.get("TestNumbersEnd")
    if end and end <= f"{datetime.now(UTC):%Y-%m-%d}":
        faults.append(f"TestNumbersEnd={end} has passed: TestNumbers would get real messages.")
    if faults:
        raise Refused("\n  ".join(["nothing was deployed:", *dict.fromkeys(faults)]))
    return desired


def shown(declared: Mapping[str, Any], target: Target, desired: Values) -> str:
    """The target and each changed parameter, as text."""
    current = target.current
    lines = [f"account    {target.account}", f"Region     {target.region}", f"stack      {target.stack}"]
    if current is None:
        named = [name for name in desired if desired[name] != str(declared[name].get("Default"))]
        lines.append("           is new; every other parameter has the template's default")
        lines += [f"  {name} = {desired[name] or '(empty)'}" for name in named]
        return "\n".join(lines)
    changed = [name for name in desired if name in current and current[name] != desired[name]]
    added = [name for name in desired if name not in current]
    gone = sorted(current.keys() - desired.keys())
    unchanged = len(desired) - len(changed) - len(added)
    lines.append(f"           is updated; {unchanged} parameters keep their values")
    lines += [f"  {name}: {current[name] or '(empty)'} -> {desired[name] or '(empty)'}" for name in changed]
    lines += [f"  {name}: new in this version, {desired[name] or '(empty)'}" for name in added]
    lines += [f"  {name}: removed in this version (was {current[name] or '(empty)'})" for name in gone]
    return "\n".join(lines)


def long_texts(desired: Values, stack: str) -> list[str]:
    """Warnings for Infobip texts longer than one SMS. Raises `Refused` if a text is invalid."""
    if desired["ProvisionInfobip"] != "true":
        return []
    try:
        return list(desired_state.long_texts({**desired, "InfobipApplicationName": stack}))
    except desired_state.ProvisioningFailed as wrong:
        raise Refused(f"nothing was deployed: {wrong}") from None


def _can_confirm() -> bool:
    return sys.stdin.isatty() and sys.stdout.isatty() and not os.environ.get("CI")


def _confirms() -> bool:
    return input("Deploy? [y/N] ").strip().lower() in YES


def run(target: Target, overrides: Values) -> None:
    """Build and deploy. Raises `Refused` with CloudFormation's reasons."""
    for cache in (ROOT / "functions").rglob("__pycache__"):
        shutil.rmtree(cache)
    table = TABLES.get(target.env, target.env)
    path = f"{SAM.parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
    environment = {**os.environ, "PATH": path, "SAM_CLI_TELEMETRY": "0"}
    config = ["--config-env", table]
    where = ["--stack-name", target.stack, "--region", target.region]
    began = datetime.now(UTC)
    _sam(["build", *config], environment, lambda: "the build failed")
    parameters = ["--parameter-overrides", *(f"{name}={_quoted(value)}" for name, value in overrides.items())]
    _sam(
        ["deploy", *config, *where, "--no-confirm-changeset", "--no-fail-on-empty-changeset", *parameters],
        environment,
        lambda: "\n  ".join(["the deployment failed:", *_failures(target, began)]),
    )


def _sam(command: list[str], environment: Values, reason: Callable[[], str]) -> None:
    done = subprocess.run([str(SAM), *command], cwd=ROOT, env=dict(environment), check=False)  # noqa: S603 - a command of our own
    if done.returncode != 0:
        raise Refused(reason())


def _quoted(value: str) -> str:
    """Quote a value so that SAM CLI keeps its blanks."""
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _failures(target: Target, began: datetime) -> Iterator[str]:
    """The reasons of failed resources, without those cancelled because another failed."""
    client = boto3.client("cloudformation", region_name=target.region)
    pages = client.get_paginator("describe_stack_events").paginate(StackName=target.stack)
    try:
        events = [event for page in pages for event in page["StackEvents"] if event["Timestamp"] >= began]
    except ClientError:
        return
    for event in reversed(events):
        reason = event.get("ResourceStatusReason", "")
        if event["ResourceStatus"].endswith("_FAILED") and "cancelled" not in reason:
            yield f"{event['LogicalResourceId']}: {reason}"


def next_steps(target: Target, desired: Values) -> str:
    """The outputs, what to do next, and what the stack costs each month."""
    client = boto3.client("cloudformation", region_name=target.region)
    (found,) = client.describe_stacks(StackName=target.stack)["Stacks"]
    outputs = {each["OutputKey"]: each["OutputValue"] for each in found.get("Outputs", ())}
    lines = ["", *(f"{name:24} {value}" for name, value in sorted(outputs.items())), ""]
    if target.current is None:
        lines += [
            "Next: put the providers' credentials into the secret, from a file that you then delete:",
            f"  aws secretsmanager put-secret-value --secret-id {outputs['ProviderSecretArn']} "
            "--secret-string file://provider-secret.json",
            "then fetch the API key, for your backend alone:",
            f"  aws apigateway get-api-key --api-key {outputs['ApiKeyId']} --include-value --query value "
            "--output text",
        ]
    else:
        lines.append(f"Next: GET {outputs['ApiUrl']}/health/deep with the API key checks the stack.")
    bill = cost.fixed(Stack(template(), target.stack, desired))
    lines += ["", f"Each month, without any traffic: at most {bill.dollars:.2f} USD ({bill.words})."]
    return "\n".join(lines)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m ops.deploy", description=__doc__)
    parser.add_argument("--env", default="dev", help="dev, staging or prod (default: %(default)s)")
    parser.add_argument("--stack", default="", help="the stack's name (default: from samconfig.toml)")
    parser.add_argument("--parameters", default="", help="template parameters: Name=Value …")
    parser.add_argument(
        "--confirm", default="yes", choices=["yes", "no"], help="whether to confirm on a terminal"
    )
    return parser.parse_args()


if __name__ == "__main__":
    main()
