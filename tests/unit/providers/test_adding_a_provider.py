"""Each provider consists of the parts that `docs/providers.md` lists, and of no others."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from local.sandbox import faults
from local.sandbox.credentials import credentials
from local.template import ROOT, template
from sms_otp.adapters.providers import registry
from tests.contract import test_providers as contract

NAMES = tuple(registry._BUILDERS)
CORE = ROOT / "layers/core/sms_otp"

# Modules outside `providers/` that know a provider by name, and why.
KNOWING = {
    "webhooks.py": "AWS's events come through SNS",
    "provisioning.py": "Infobip alone is set up by the deployment",
    "deployed_settings.py": "AWS alone needs an identity that the functions may send from",
    "app.py": "the function of provisioning.py",
}


def words_of(path: Path) -> Iterator[str]:
    """The texts in a module's code, docstrings and all."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value


@pytest.mark.parametrize("name", NAMES)
def test_a_provider_is_one_file_and_one_line_in_the_registry(name: str) -> None:
    source = (CORE / "adapters/providers" / f"{name}.py").read_text()
    assert f'name: ClassVar[str] = "{name}"' in source
    registered = (CORE / "adapters/providers/registry.py").read_text()
    assert registered.count(f'    "{name}": _{name},\n') == 1


def test_no_other_module_knows_a_provider_by_name() -> None:
    outside = [path for path in CORE.rglob("*.py") if path.parent.name != "providers"]
    outside += (ROOT / "functions").rglob("*.py")
    knowing = {path.name for path in outside if set(NAMES) & set(words_of(path))}
    assert knowing == set(KNOWING)


@pytest.mark.parametrize("name", NAMES)
def test_the_sandbox_simulates_each_provider_and_its_failures(name: str) -> None:
    assert (ROOT / "local/sandbox" / f"{name}.py").exists()
    assert name in credentials("http://127.0.0.1:1")
    assert name in faults.PROVIDERS


def test_the_contract_suite_runs_over_every_provider() -> None:
    assert set(contract.NAMES) == set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_each_provider_can_be_first_last_and_chosen_by_country(name: str) -> None:
    parameters = template()["Parameters"]
    other = next(each for each in NAMES if each != name)
    for order in (name, f"{other},{name}", f"{name},{other}"):
        assert re.fullmatch(parameters["ProviderOrder"]["AllowedPattern"], order)
        assert re.fullmatch(parameters["ProviderRoutes"]["AllowedPattern"], f"IN={order};EU={name}")
    assert not re.fullmatch(parameters["ProviderOrder"]["AllowedPattern"], f"{name},another")


@pytest.mark.parametrize("name", NAMES)
def test_the_pages_first_table_has_a_column_for_each_provider(name: str) -> None:
    page = (ROOT / "docs/providers.md").read_text()
    (line,) = [line for line in page.splitlines() if line.startswith("| name |")]
    assert name in [cell.strip() for cell in line.split("|")]


def test_every_file_that_the_page_names_is_there() -> None:
    page = (ROOT / "docs/providers.md").read_text()
    named = re.findall(r"`((?:layers|local|tests)/[\w./]+)`", page)
    assert len(named) >= 8
    assert [path for path in named if not (ROOT / path).exists()] == []
