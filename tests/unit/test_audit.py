"""`make audit` reports on the packages that run on Lambda, and claims nothing that it did not look up."""

import json

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from release import audit, sbom
from release.audit import NOT_LOOKED_UP, Advisories
from release.dependencies import LAYER_LOCK, Dependency, pins, run_time
from sms_otp import __version__

CLEAR = Advisories(looked_up=True)
AFFECTED = Advisories(looked_up=True, ids=("GHSA-0000", "CVE-0000-0000"))


@pytest.fixture(scope="module")
def dependencies() -> list[Dependency]:
    return run_time()


def test_every_package_of_the_layer_and_of_the_runtime_is_listed(
    dependencies: list[Dependency],
) -> None:
    layer = {one.name: one.version for one in dependencies if one.brought_by == "layer"}
    assert layer == pins(LAYER_LOCK)
    runtime = {one.name for one in dependencies if one.brought_by == "runtime"}
    assert runtime >= {"boto3", "botocore", "s3transfer", "python-dateutil", "six", "snapshot-restore-py"}


def test_every_required_package_is_listed(dependencies: list[Dependency]) -> None:
    names = {one.name for one in dependencies}
    assert {required for one in dependencies for required in one.requires} <= names


def test_every_package_has_a_licence(dependencies: list[Dependency]) -> None:
    assert all(one.licence for one in dependencies)


def test_a_package_that_no_service_knows_is_not_called_free_of_advisories() -> None:
    report = {
        "dependencies": [
            {"name": "a", "version": "1", "vulns": []},
            {"name": "b", "version": "1", "vulns": [{"id": "GHSA-0000"}, {"id": "CVE-0000-0000"}]},
            {"name": "c", "skip_reason": "Dependency not found"},
        ],
        "fixes": [],
    }
    assert audit.parse(json.dumps(report)) == {"a": CLEAR, "b": AFFECTED, "c": NOT_LOOKED_UP}
    assert str(NOT_LOOKED_UP) == "not looked up"
    assert str(AFFECTED) == "GHSA-0000, CVE-0000-0000"


@pytest.mark.parametrize("truncated", ["", "Traceback", "{}"])
def test_a_truncated_report_lists_no_package(truncated: str) -> None:
    assert audit.parse(truncated) == {}


def test_a_package_unknown_to_the_first_service_is_looked_up_at_the_second(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    requests = []

    def answer(service: str, versions: dict[str, str]) -> dict[str, Advisories]:
        requests.append((service, sorted(versions)))
        return {"a": CLEAR, "b": NOT_LOOKED_UP} if service == "pypi" else {"b": AFFECTED}

    monkeypatch.setattr(audit, "_query", answer)
    three = [Dependency(name, "1", "MIT", "layer", ()) for name in "abc"]
    assert audit.advisories(three) == {"a": CLEAR, "b": AFFECTED, "c": NOT_LOOKED_UP}
    assert requests == [("pypi", ["a", "b", "c"]), ("osv", ["b", "c"])]


def test_the_summary_counts_the_packages_that_were_not_looked_up() -> None:
    line = audit.summary({"a": CLEAR, "b": AFFECTED, "c": NOT_LOOKED_UP})
    assert line.startswith("3 packages: 1 with a known advisory, 1 without one, 1 not looked up.")
    assert (
        audit.summary({"a": CLEAR}) == "1 packages: 0 with a known advisory, 1 without one, 0 not looked up"
    )


def test_the_sbom_is_valid_and_has_every_package_with_its_dependencies(
    dependencies: list[Dependency],
) -> None:
    document = sbom.document(dependencies)
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(document) is None
    content = json.loads(document)
    assert content["metadata"]["component"]["version"] == __version__
    assert [component["name"] for component in content["components"]] == [one.name for one in dependencies]
    needs = {row["ref"]: row.get("dependsOn", []) for row in content["dependencies"]}
    assert len(needs["sms-otp"]) == len(dependencies)
    assert any(ref.startswith("jmespath@") for ref in needs[f"botocore@{pins_of(dependencies)['botocore']}"])


def pins_of(dependencies: list[Dependency]) -> dict[str, str]:
    return {one.name: one.version for one in dependencies}


def test_equal_packages_make_an_equal_sbom(dependencies: list[Dependency]) -> None:
    assert sbom.document(dependencies) == sbom.document(reversed(dependencies))
