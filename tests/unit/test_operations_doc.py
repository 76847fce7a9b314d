"""What docs/operations.md names exists: parameters, outputs and paths. Its commands: see `test_docs`."""

import re

import pytest
import yaml

from local.template import ROOT, template
from tests.unit.commands import commands, program
from tests.unit.test_docs import quoted

DOCUMENT = ROOT / "docs/operations.md"
TEXT = DOCUMENT.read_text()


def test_the_document_has_commands_of_every_kind() -> None:
    starts = {program(command) for command in commands(DOCUMENT)}
    assert starts >= {"make", "aws", "curl"}


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
