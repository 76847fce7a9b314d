"""Parameters, outputs and paths that docs/operations.md names exist. Its commands: see `test_docs`."""

import json
import re
import shlex
from pathlib import Path

import pytest
import yaml

from local.template import ROOT, template
from ops import deploy
from sms_otp.entry_points import schemas
from tests.unit.commands import commands, program
from tests.unit.test_docs import quoted

DOCUMENT = ROOT / "docs/operations.md"
TEXT = DOCUMENT.read_text()


def test_the_document_has_commands_of_every_kind() -> None:
    starts = {program(command) for command in commands(DOCUMENT)}
    assert starts >= {"make", "aws", "curl"}


def test_each_output_that_is_named_is_in_the_template() -> None:
    for document in (DOCUMENT, ROOT / "docs/deploying.md"):
        named = set(re.findall(r"output ([A-Z][A-Za-z]+)\)", document.read_text()))
        assert named
        assert named <= template()["Outputs"].keys()


def test_each_resource_that_a_command_names_is_in_the_template() -> None:
    (skipped,) = re.findall(r"--resources-to-skip (\w+)", TEXT)
    assert skipped in template()["Resources"]


def deployments(document: Path) -> list[dict[str, str]]:
    """The parameters of each `make deploy` in a page."""
    calls = [shlex.split(line) for line in commands(document) if line.startswith("make deploy")]
    named = [word.split("=", 1)[1] for call in calls for word in call if word.startswith("PARAMETERS=")]
    return [deploy.pairs(given) for given in named]


@pytest.mark.parametrize("document", [DOCUMENT, ROOT / "docs/deploying.md"], ids=lambda path: path.name)
def test_each_deployment_would_be_accepted(document: Path) -> None:
    given = deployments(document)
    assert given
    for parameters in given:
        deploy.check_values(template()["Parameters"], parameters)
        target = deploy.Target("dev", "sms-otp-dev", "123456789012", "eu-west-1", None)
        deploy.plan(template(), target, {"AllowedCountries": "GB", **parameters})


def test_the_parameters_of_an_emergency_are_in_the_runbook() -> None:
    named = set[str]().union(*deployments(DOCUMENT))
    assert named >= {"AllowedCountries", "ProviderOrder", "ProviderRoutes", "PumpingGuard", "DailySpendCap"}


def administrations() -> list[tuple[str, str]]:
    """(operation, body) of each admin call."""
    calls = (shlex.split(line) for line in commands(DOCUMENT) if line.startswith("admin "))
    return [(operation, body) for _, operation, body in calls]


def test_each_admin_call_has_a_valid_body() -> None:
    schema_of = {
        "unlock-number": "AdminNumber",
        "stop-sending": "StopSending",
        "resume-sending": "ResumeSending",
    }
    assert {operation for operation, _ in administrations()} == schema_of.keys()
    for operation, body in administrations():
        schemas.validator(schema_of[operation])(json.loads(body))


def test_every_stop_of_the_runbook_is_resumed_there() -> None:
    bodies: dict[str, list[dict[str, object]]] = {"stop-sending": [], "resume-sending": []}
    section = TEXT.partition("\n## Stopping sending\n")[2].partition("\n## ")[0]
    for operation, body in re.findall(r"^admin ([a-z-]+) '(.+)'$", section, re.MULTILINE):
        bodies[operation].append(
            {name: value for name, value in json.loads(body).items() if name != "seconds"}
        )
    stopped, resumed = bodies.values()
    assert len(stopped) == 4
    assert sorted(stopped, key=str) == sorted(resumed, key=str)


def test_each_path_that_is_called_is_in_the_api() -> None:
    called = {path for path in re.findall(r'"\$API(/[^"]*)"', TEXT) if "$" not in path}
    called |= {word for word in quoted(DOCUMENT) if re.fullmatch("/[a-z/-]+", word)}
    called |= {f"/admin/{operation}" for operation, _ in administrations()}
    assert called
    assert called <= yaml.safe_load((ROOT / "openapi.yaml").read_text())["paths"].keys()


@pytest.mark.parametrize(
    "matter",
    [
        "Deploying",
        "Rolling back",
        "A first deployment that failed",
        "A rollback that failed",
        "Deleting a stack",
        "A comeback",
        "A provider's secret",
        "The pepper",
        "Adding a country",
        "Unlocking a number",
        "Stopping sending",
        "An outage at a provider",
        "A pumping attack",
        "Restoring the table",
        "Why did this user get no code?",
    ],
)
def test_there_is_a_runbook_for(matter: str) -> None:
    assert f"\n## {matter}" in TEXT
