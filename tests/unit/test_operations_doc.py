"""Every command of docs/operations.md exists: targets, parameters, AWS's operations, outputs."""

import re
import shlex
from collections.abc import Iterator

import boto3
import pytest
import yaml
from botocore import xform_name

from tests.template import ROOT, template
from tests.unit.test_docs import blocks, make_targets, make_variables, quoted

DOCUMENT = ROOT / "docs/operations.md"
TEXT = DOCUMENT.read_text()
OF_THE_CLI = {"--query", "--output", "--include-value", "--secret-string"}
"""Options of the AWS CLI itself; the last two are also members of what is asked, spelled as here."""


def commands() -> list[str]:
    return [line.strip() for block in blocks(DOCUMENT, "") for line in block.splitlines() if line.strip()]


def aws_calls() -> Iterator[list[str]]:
    for command in commands():
        for found in re.findall(r"aws [a-z-]+ [a-z-]+(?: wait)?[^)]*", command):
            words = shlex.split(found.replace('"$(output', "$(output"), posix=False)
            yield [word.strip('"') for word in words]


def test_the_document_has_commands_of_every_kind() -> None:
    starts = {command.split()[0] for command in commands()}
    assert starts >= {"make", "aws", "curl"}


@pytest.mark.parametrize("call", list(aws_calls()), ids=lambda call: " ".join(call[1:3]))
def test_a_call_of_the_aws_cli_names_an_operation_and_its_members(call: list[str]) -> None:
    _, service, operation, *rest = call
    client = boto3.client(service, region_name="eu-west-1")  # type: ignore[call-overload] # any service
    if operation == "wait":
        assert rest[0].replace("-", "_") in client.waiter_names
        return
    known = client.meta.method_to_api_mapping
    assert operation.replace("-", "_") in known
    shape = client.meta.service_model.operation_model(known[operation.replace("-", "_")]).input_shape
    members = {f"--{xform_name(member, '-')}" for member in shape.members}
    members |= {f"--{member.lower()}" for member in shape.members}
    used = {word for word in rest if word.startswith("--")}
    assert used <= members | OF_THE_CLI


def test_each_target_is_called_with_variables_that_the_makefile_has() -> None:
    calls = [shlex.split(command) for command in commands() if command.startswith("make ")]
    assert calls
    for _, target, *given in calls:
        assert target in make_targets()
        assert {word.partition("=")[0] for word in given} <= make_variables()


def test_each_output_that_is_read_is_one_of_the_templates() -> None:
    read = set(re.findall(r"output ([A-Z][A-Za-z]+)\)", TEXT))
    assert read
    assert read <= template()["Outputs"].keys()


def test_each_value_of_a_parameter_is_one_that_it_takes() -> None:
    given = [word.split("=", 1) for word in quoted(DOCUMENT) if re.fullmatch(r"([A-Z][a-z]+)+=\S+", word)]
    assert {name for name, _ in given} >= {
        "AllowedCountries",
        "ProviderOrder",
        "ProviderRoutes",
        "PumpingGuard",
    }
    for name, value in given:
        known = template()["Parameters"][name]
        if "AllowedValues" in known:
            assert value in known["AllowedValues"]
        else:
            assert re.fullmatch(known["AllowedPattern"], value)


def test_each_path_that_is_called_is_one_of_the_api() -> None:
    called = set(re.findall(r'"\$API(/[^"]*)"', TEXT)) | {
        word for word in quoted(DOCUMENT) if re.fullmatch("/[a-z/-]+", word)
    }
    assert called
    assert called <= yaml.safe_load((ROOT / "openapi.yaml").read_text())["paths"].keys()


@pytest.mark.parametrize(
    "matter",
    [
        "Deploying",
        "Rolling back",
        "A provider's secret",
        "The pepper",
        "Adding a country",
        "Unlocking a number",
        "An outage at a provider",
        "A pumping attack",
        "Restoring the table",
        "Why did this user get no code?",
    ],
)
def test_there_is_a_runbook_for(matter: str) -> None:
    assert f"\n## {matter}" in TEXT
