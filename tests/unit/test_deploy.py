"""`make deploy` refuses wrong parameters before it builds, and shows the changes before it deploys."""

import re
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from local.template import ROOT, template
from ops import deploy
from tests.make import make

DECLARED = template()["Parameters"]


def target(env: str = "dev", **current: str) -> deploy.Target:
    return deploy.Target(env, "sms-otp-dev", "123456789012", "eu-west-1", current or None)


def deployed(**changed: str) -> dict[str, str]:
    """The parameters of a stack that has the template's defaults but for these."""
    defaults = {name: str(known.get("Default", "GB")) for name, known in DECLARED.items()}
    return defaults | changed


def test_an_environment_that_samconfig_does_not_know_is_not_built() -> None:
    # The tools are taken for installed, however old their lists are.
    command = ["make", "--no-print-directory", "-o", ".venv/.run", "build", "ENV=typo"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)  # noqa: S603 - a command of our own
    assert done.returncode != 0
    assert done.stdout == "samconfig.toml has no ENV=typo\n"


@pytest.mark.parametrize(
    ("env", "stack"), [("dev", "sms-otp-dev"), ("staging", "sms-otp-staging"), ("prod", "sms-otp")]
)
def test_each_environment_has_a_stack_of_its_own(env: str, stack: str) -> None:
    assert deploy.stack_of(env) == stack


def test_an_unknown_environment_is_refused() -> None:
    with pytest.raises(deploy.Refused, match="ENV=typo"):
        deploy.stack_of("typo")


def test_parameters_are_read_as_a_shell_reads_words() -> None:
    given = deploy.pairs("AllowedCountries=GB,IE InfobipTexts='en=Your code is {{pin}}.' TokenIssuer=")
    assert given == {
        "AllowedCountries": "GB,IE",
        "InfobipTexts": "en=Your code is {{pin}}.",
        "TokenIssuer": "",
    }


@pytest.mark.parametrize("text", ["AllowedCountries", "AllowedCountries GB", "InfobipTexts='en="])
def test_a_malformed_pair_is_refused(text: str) -> None:
    with pytest.raises(deploy.Refused):
        deploy.pairs(text)


@pytest.mark.parametrize(
    ("name", "value", "word"),
    [
        ("ProviderOrdr", "sinch", "did you mean ProviderOrder?"),
        ("ProviderOrder", "twilio", "infobip, sinch and aws"),
        ("AllowedCountries", "gb", "ISO 3166-1"),
        ("CodeLength", "5", "from 6 to 10"),
        ("CodeLength", "6.0", "a whole number"),
        ("DailySpendCap", "1e4", "a whole number"),
        ("Stage", "production", "local, dev, staging, prod"),
        ("ReservedConcurrency", "0", "1 to 1000"),
        ("ProviderSandboxUrl", "http://LOCALHOST:4600", "lower case"),
    ],
)
def test_a_wrong_name_or_value_is_refused_with_an_explanation(name: str, value: str, word: str) -> None:
    with pytest.raises(deploy.Refused) as refused:
        deploy.check_values(DECLARED, {name: value})
    assert word in str(refused.value)


def test_every_wrong_value_is_named_at_once() -> None:
    with pytest.raises(deploy.Refused) as refused:
        deploy.check_values(DECLARED, {"CodeLength": "5", "MaxAttempts": "0", "Nonsense": "x"})
    assert len(str(refused.value).splitlines()) == 4


def test_an_unknown_country_is_refused_before_aws_is_called() -> None:
    with pytest.raises(deploy.Refused, match="write GB"):
        deploy.check_countries(template(), "sms-otp-dev", {"AllowedCountries": "UK"})
    deploy.check_countries(template(), "sms-otp-dev", {"AllowedCountries": "GB,EU"})


def test_a_first_deployment_needs_nothing_but_the_countries() -> None:
    with pytest.raises(deploy.Refused, match="AllowedCountries"):
        deploy.plan(template(), target(), {})
    desired = deploy.plan(template(), target(), {"AllowedCountries": "GB"})
    assert desired == deployed(AllowedCountries="GB", Stage="dev")


def test_a_parameter_that_is_not_given_keeps_its_deployed_value() -> None:
    has = deployed(AllowedCountries="IE", MaxAttempts="3", KeepUsers="true")
    desired = deploy.plan(template(), target(**has), {"MaxAttempts": "4"})
    assert desired == has | {"MaxAttempts": "4"}


@pytest.mark.parametrize("env", ["dev", "staging", "prod"])
def test_the_stage_is_that_of_the_environment(env: str) -> None:
    assert deploy.plan(template(), target(env), {"AllowedCountries": "GB"})["Stage"] == env


@pytest.mark.parametrize(
    ("given", "word"),
    [
        ({"TestNumbers": "+14155550100=123456"}, "TestNumbersEnd"),
        ({"TestNumbers": "+14155550100=123456", "TestNumbersEnd": "2026-01-01"}, "has passed"),
        ({"ProviderOrder": "aws"}, "AwsSmsIdentityArn"),
        ({"ProviderSandboxUrl": "http://127.0.0.1:4600"}, "Stage is local"),
        ({"InfobipTexts": "en=Code: {{pin}}"}, "ProvisionInfobip"),
        ({"InfobipVoices": "en=Joanna"}, "ProvisionInfobip"),
        ({"ResendGapSeconds": "100", "CodeLifeSeconds": "60"}, "CodeLifeSeconds"),
    ],
)
def test_parameters_that_contradict_each_other_are_refused(given: dict[str, str], word: str) -> None:
    with pytest.raises(deploy.Refused, match=word):
        deploy.plan(template(), target(**deployed()), given)


def test_expired_test_numbers_do_not_block_a_deployment() -> None:
    has = deployed(TestNumbers="+14155550100=123456", TestNumbersEnd="2026-01-01")
    deploy.plan(template(), target(**has), {"AllowedCountries": "GB"})


def test_a_contradiction_with_a_deployed_parameter_is_refused() -> None:
    has = deployed(CodeLifeSeconds="60")
    with pytest.raises(deploy.Refused, match="CodeLifeSeconds"):
        deploy.plan(template(), target(**has), {"ResendGapSeconds": "60"})


def test_only_changes_are_shown_each_as_old_and_new() -> None:
    has = deployed(MaxAttempts="4", AlarmEmail="") | {"Gone": "x"}
    del has["MetricDetail"]
    desired = deploy.plan(template(), target(**has), {"MaxAttempts": "3"})
    lines = deploy.shown(DECLARED, target(**has), desired).splitlines()
    assert [line.split() for line in lines[:3]] == [
        ["account", "123456789012"],
        ["Region", "eu-west-1"],
        ["stack", "sms-otp-dev"],
    ]
    assert lines[4:] == [
        "  MaxAttempts: 4 -> 3",
        "  MetricDetail: new in this version, service",
        "  Gone: removed in this version (was x)",
    ]


def test_a_first_deployment_shows_the_parameters_that_differ_from_the_defaults() -> None:
    desired = deploy.plan(template(), target(), {"AllowedCountries": "GB"})
    lines = deploy.shown(DECLARED, target(), desired).splitlines()
    assert lines[4:] == ["  AllowedCountries = GB"]


class Session:
    """A boto3 session whose CloudFormation has one stack of this status, or no stack."""

    def __init__(self, status: str | None) -> None:
        self.status = status

    def client(self, service: str) -> "Session":
        assert service == "cloudformation"
        return self

    def describe_stacks(self, StackName: str) -> Mapping[str, Any]:  # noqa: N803 - boto3's name
        if self.status is None:
            error = {"Error": {"Code": "ValidationError", "Message": f"Stack {StackName} does not exist"}}
            raise ClientError(error, "DescribeStacks")  # type: ignore[arg-type] # as boto3 raises it
        parameters = [{"ParameterKey": "MaxAttempts", "ParameterValue": "4"}]
        return {"Stacks": [{"StackStatus": self.status, "Parameters": parameters}]}


def current(status: str | None) -> Mapping[str, str] | None:
    return deploy._current(Session(status), "sms-otp")  # type: ignore[arg-type] # the part that is used


def test_current_parameters_are_null_until_a_stack_is_deployed() -> None:
    assert current("UPDATE_ROLLBACK_COMPLETE") == {"MaxAttempts": "4"}
    assert current("REVIEW_IN_PROGRESS") is None
    assert current(None) is None


@pytest.mark.parametrize("status", [*deploy.STUCK, "UPDATE_IN_PROGRESS", "DELETE_IN_PROGRESS"])
def test_a_stack_that_cannot_be_updated_is_refused_with_the_remedy(status: str) -> None:
    with pytest.raises(deploy.Refused, match=r"delete-stack|docs/operations\.md|wait until"):
        current(status)


@pytest.mark.parametrize(
    "value", ["", "GB,IE", "en=Your code is {{pin}}.", 'a "quoted" \\ word', r"en={{pin}}\n{{appHash}}"]
)
def test_a_value_reaches_sam_unchanged(value: str) -> None:
    """By the pattern that SAM CLI reads it with."""
    quoted = deploy._quoted(value)
    assert re.fullmatch(r'"(?:\\.|[^"\\])*"', quoted)
    assert re.sub(r"\\(.)", r"\1", quoted[1:-1]) == value


@pytest.mark.parametrize(
    "environment",
    [{"AWS_REGION": "eu-west-1"}, {"AWS_REGION": "eu-west-1", "AWS_DEFAULT_REGION": "us-east-1"}],
)
def test_make_deploy_takes_the_region_that_the_aws_cli_takes(
    tmp_path: Path, environment: dict[str, str]
) -> None:
    printed = make(tmp_path, "deploy", **environment)
    assert "started: -m ops.deploy" in printed
    assert "region: eu-west-1\n" in printed


def test_a_text_billed_as_several_messages_is_shown_before_the_deployment() -> None:
    long = "en={{pin}}" + "x" * 155
    provisioned = deployed(ProvisionInfobip="true", InfobipTexts=long)
    (line,) = deploy.long_texts(provisioned, "sms-otp-dev")
    assert "InfobipTexts: en" in line
    assert "2 messages" in line
    assert deploy.long_texts(deployed(InfobipTexts=long), "sms-otp-dev") == []
    assert deploy.long_texts(deployed(ProvisionInfobip="true"), "sms-otp-dev") == []


def test_a_text_in_a_language_that_infobip_lacks_is_refused_before_the_build() -> None:
    wrong = deployed(ProvisionInfobip="true", InfobipTexts="xx={{pin}}")
    with pytest.raises(deploy.Refused, match="xx is none of Infobip's languages"):
        deploy.long_texts(wrong, "sms-otp-dev")
