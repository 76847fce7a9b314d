"""Everything that the documents name exists: files, targets, parameters, paths and codes."""

import ast
import json
import re
import textwrap
from collections.abc import Iterator
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import boto3
import pytest
import yaml
from botocore import xform_name

from local.template import ROOT, template
from sms_otp.adapters.telemetry import metrics
from sms_otp.domain import limits, phone
from sms_otp.domain.clock import DAY
from sms_otp.domain.number import LATE_DELETION
from sms_otp.entry_points import camara, http
from tests.unit.commands import (
    BLOCK,
    PROGRAMS,
    aws_calls,
    blocks,
    commands,
    functions,
    make_calls,
    make_targets,
    make_variables,
    program,
)

FOUND = [*ROOT.glob("*.md"), *ROOT.glob("[!.]*/**/*.md"), *ROOT.glob(".github/**/*.md")]
DOCUMENTS = sorted(path for path in FOUND if "node_modules" not in path.parts)
CORE = ROOT / "layers/core/sms_otp"

LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
QUOTED = re.compile(r"`([^`\n]+)`")
FOLDERS = r"(functions|layers|local|docs|tests|events|examples|web|\.ci)"
FILE = re.compile(FOLDERS + r"(/[\w.-]+)+|[\w./-]+\.(py|yaml|toml|txt|in|md)")
OF_THE_CLI = {"--query", "--output", "--include-value", "--secret-string"}
"""Options of the AWS CLI itself; the last two are also members of a request, spelled as here."""
CURLED = re.compile(r'"\$API(/[^"?]*)')


def each_document() -> pytest.MarkDecorator:
    return pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))


def quoted(document: Path) -> Iterator[str]:
    """The words in backticks in the running text."""
    yield from QUOTED.findall(BLOCK.sub("", document.read_text()))


def heading_anchors(document: Path) -> set[str]:
    """GitHub's anchors of a document's headings."""
    headings = re.findall(r"^#+ (.+)$", BLOCK.sub("", document.read_text()), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading).lower().replace(" ", "-") for heading in headings}


def sources() -> list[Path]:
    return [
        *CORE.rglob("*.py"),
        *(ROOT / "functions").rglob("*.py"),
        *(ROOT / "local").rglob("*.py"),
        *(ROOT / "ops").rglob("*.py"),
    ]


@cache
def classes_and_constants() -> frozenset[str]:
    """The names of all our classes and of all constants of our modules."""
    names = set()
    for path in sources():
        tree = ast.parse(path.read_text())
        names |= {node.name for node in ast.walk(tree) if isinstance(node, ast.ClassDef)}
        for statement in tree.body:
            targets = statement.targets if isinstance(statement, ast.Assign) else ()
            names |= {target.id for target in targets if isinstance(target, ast.Name)}
    return frozenset(names)


@cache
def known_to_aws() -> frozenset[str]:
    """The names of the template, AWS operations, and the one class of botocore that documents mention."""
    operations = [
        operation
        for service in ("dynamodb", "pinpoint-sms-voice-v2")
        for operation in boto3.client(service).meta.service_model.operation_names
    ]
    sections = ("Parameters", "Resources", "Outputs", "Globals")
    own = {name for section in sections for name in template()[section]}
    return frozenset({*operations, *own, *template()["Globals"]["Function"], "ClientError"})


@cache
def known_to_cloudwatch() -> frozenset[str]:
    """The metrics and their namespace, and those of AWS that alarms watch."""
    watched = {made["Properties"].get("MetricName") for made in template()["Resources"].values()}
    return frozenset({metrics.NAMESPACE, *(metric.name for metric in metrics.all()), *watched - {None}})


def form_error_codes() -> set[str]:
    """The error codes that `<otp-form>` has a text for, as its README spells them."""
    texts = (ROOT / "web/otp-form/texts.js").read_text()
    return {name.upper().replace("-", "_") for name in re.findall('"error-([a-z-]+)"', texts)}


def example_variables() -> set[str]:
    """The environment variables of the examples."""
    return set(
        re.findall(r'os\.environ(?:\.get\(|\[)"([A-Z_]+)"', (ROOT / "examples/fastapi/app.py").read_text())
    )


@each_document()
def test_every_relative_link_leads_somewhere(document: Path) -> None:
    for link in LINK.findall(BLOCK.sub("", document.read_text())):
        if link.startswith("https://"):
            continue
        path, _, anchor = link.partition("#")
        target = (document.parent / path).resolve() if path else document
        assert target.exists(), link
        assert target.is_relative_to(ROOT), link
        assert not anchor or anchor in heading_anchors(target), link


@each_document()
def test_every_call_of_make_names_an_existing_target_and_variables(document: Path) -> None:
    for target, *given in make_calls(document):
        assert target in make_targets()
        assert {word.partition("=")[0] for word in given} <= make_variables(), target


@each_document()
def test_every_command_is_one_that_the_reader_has(document: Path) -> None:
    typed = {program(command) for command in commands(document)} - {""}
    assert typed <= PROGRAMS | functions(document)


@each_document()
def test_every_python_module_that_is_run_exists(document: Path) -> None:
    for module in re.findall(r"python3? -m ([\w.]+)", document.read_text()):
        assert find_spec(module), module


@each_document()
def test_every_python_block_parses(document: Path) -> None:
    for block in blocks(document, "python"):
        ast.parse(textwrap.dedent(block))


AWS_CALLS = [
    pytest.param(call, id=f"{document.relative_to(ROOT)}: {' '.join(call[1:3])}")
    for document in DOCUMENTS
    for call in aws_calls(document)
]


@pytest.mark.parametrize("call", AWS_CALLS)
def test_a_call_of_the_aws_cli_names_an_operation_and_its_members(call: list[str]) -> None:
    _, service, operation, *rest = call
    client = boto3.client(service, region_name="eu-west-1")  # type: ignore[call-overload] # any service
    if operation == "wait":
        assert rest[0].replace("-", "_") in client.waiter_names
        return
    known = client.meta.method_to_api_mapping
    assert operation.replace("-", "_") in known
    shape = client.meta.service_model.operation_model(known[operation.replace("-", "_")]).input_shape
    names = shape.members if shape else ()
    members = {f"--{xform_name(member, '-')}" for member in names}
    members |= {f"--{member.lower()}" for member in names}
    used = {word for word in rest if word.startswith("--")}
    assert used <= members | OF_THE_CLI


@pytest.mark.parametrize(
    "document",
    # The changelog also names things that are gone.
    [document for document in DOCUMENTS if document != ROOT / "CHANGELOG.md"],
    ids=lambda path: str(path.relative_to(ROOT)),
)
def test_every_camel_case_name_is_one_of_ours_or_of_aws(document: Path) -> None:
    """Template parameters above all: each is written in backticks, alone or as `Name=value`."""
    names = {word.partition("=")[0] for word in quoted(document)}
    camel_case = {name for name in names if re.fullmatch(r"([A-Z][a-z]+){2,}", name)}
    assert camel_case <= known_to_aws() | known_to_cloudwatch() | classes_and_constants()


@each_document()
def test_every_name_in_capitals_is_an_error_code_or_a_variable(document: Path) -> None:
    capitals = {word for word in quoted(document) if re.fullmatch("[A-Z]+(_[A-Z]+)+", word)}
    of_camara = {code.rpartition(".")[2] for _, code, _ in camara.WORDS.values()} | {"UNAUTHENTICATED"}
    of_programs = make_variables() | classes_and_constants() | form_error_codes() | example_variables()
    assert capitals <= http.PROBLEMS.keys() | of_camara | of_programs


@each_document()
def test_every_file_named_exists(document: Path) -> None:
    for word in quoted(document):
        if FILE.fullmatch(word):
            assert (ROOT / word).exists() or (CORE / word).exists(), word


def test_every_path_that_the_readme_calls_is_one_of_the_api() -> None:
    called = set(CURLED.findall((ROOT / "README.md").read_text()))
    assert called >= {"/request-otp", "/verify-otp"}
    assert called <= yaml.safe_load((ROOT / "openapi.yaml").read_text())["paths"].keys()


def test_every_json_block_is_json() -> None:
    found = [block for document in DOCUMENTS for block in blocks(document, "json")]
    assert found
    for block in found:
        json.loads(block)


def test_the_readme_has_the_cost_of_a_million_from_the_performance_page() -> None:
    page = (ROOT / "docs/performance.md").read_text()
    (amount,) = re.findall(r"^\| this service \| ([\d,]+\.\d\d) \|", page, re.MULTILINE)
    readme = " ".join((ROOT / "README.md").read_text().split())
    assert f"A million verifications cost {amount} USD" in readme


def test_every_body_that_the_readme_sends_is_json() -> None:
    bodies = re.findall(r"-d '(\{.*?\})'", (ROOT / "README.md").read_text())
    assert bodies
    for body in bodies:
        json.loads(body)


def test_the_service_accepts_every_number_that_a_document_or_the_page_sends() -> None:
    sent = [
        number
        for document in DOCUMENTS
        for number in re.findall(r'"phoneNumber": "(\+\d+)"', document.read_text())
    ]
    page = (ROOT / "local/sandbox/www/index.html").read_text()
    offered = re.findall(r'data-number="(.+?)">(.+?)<', page)
    assert sent
    assert offered
    assert all(number == shown.replace(" ", "") for number, shown in offered)
    for number in {*sent, *(number for number, _ in offered)}:
        assert phone.parse(number), number


def decisions() -> list[Path]:
    return sorted((ROOT / "docs/decisions").glob("[0-9]*.md"))


def test_the_index_of_decisions_has_each_by_its_number_and_title() -> None:
    titles = [(record, record.read_text().partition("\n")[0].lstrip("# ")) for record in decisions()]
    expected = [
        f"{number}. [{title}]({record.name})"
        for record, (number, title) in ((record, words.split(". ", 1)) for record, words in titles)
    ]
    index = (ROOT / "docs/decisions/README.md").read_text()
    assert re.findall(r"^\d+\. .+$", index, re.MULTILINE) == expected


def test_the_readme_stays_short_and_leads_to_the_map_of_the_documents() -> None:
    readme = (ROOT / "README.md").read_text()
    assert "docs/README.md" in LINK.findall(readme)
    assert len(readme.splitlines()) <= 150


def test_the_map_leads_to_every_page() -> None:
    linked = {link.partition("#")[0] for link in LINK.findall((ROOT / "docs/README.md").read_text())}
    pages = {page.name for page in (ROOT / "docs").glob("*.md")} - {"README.md"}
    assert {*pages, "decisions/README.md"} <= linked


def test_the_changelog_has_every_call_of_the_api() -> None:
    named = set(re.findall(r"`(GET|POST) (/[^`]+)`", (ROOT / "CHANGELOG.md").read_text()))
    paths = yaml.safe_load((ROOT / "openapi.yaml").read_text())["paths"]
    assert named == {(method.upper(), path) for path, calls in paths.items() for method in calls}


def test_the_limits_that_are_compared_are_the_templates_defaults() -> None:
    page = (ROOT / "docs/comparison.md").read_text()
    default = {name: parameter.get("Default") for name, parameter in template()["Parameters"].items()}
    quarter, hour, day = (default[f"SendsPer{window}"] for window in ("QuarterHour", "Hour", "Day"))
    assert f"| codes to one number | {quarter} in 15 min, {hour} an hour, {day} a day, " in page
    assert f"| wrong codes | {default['MaxAttempts']} for each code," in page


def test_the_privacy_page_has_the_defaults_of_the_template() -> None:
    page = (ROOT / "docs/privacy.md").read_text().partition("\n## Users\n")[0]
    documented = re.findall(r"`([A-Za-z]+Days)=(\d+)`", page)
    assert len(documented) == 2
    assert dict(documented) == {
        name: str(template()["Parameters"][name]["Default"]) for name, _ in documented
    }


@pytest.mark.parametrize("page", ["architecture", "privacy", "operations"])
def test_every_page_has_the_days_for_which_a_number_is_remembered(page: str) -> None:
    days = (limits.KEEP_LOG + LATE_DELETION) // DAY
    assert f"{days} days" in (ROOT / f"docs/{page}.md").read_text()


def test_each_decision_has_its_own_number_and_all_required_sections() -> None:
    records = decisions()
    numbers = [int(record.name[:4]) for record in records]
    assert numbers == list(range(1, len(records) + 1))
    for number, record in zip(numbers, records, strict=True):
        text = record.read_text()
        assert record.name.startswith(f"{number:04}-")
        assert text.startswith(f"# {number}. ")
        assert re.search(r"^20\d\d-\d\d-\d\d$", text, re.MULTILINE), record.name
        for heading in ("Context", "Decision", "Consequences"):
            assert f"\n## {heading}\n" in text, record.name
        assert re.search("\n## (Alternatives|Left out)\n", text), record.name


def test_every_parameter_on_the_compliance_page_exists() -> None:
    page = (ROOT / "docs/compliance.md").read_text()
    named = set(re.findall(r"`([A-Z][a-z]+(?:[A-Z][A-Za-z]*)+)(?:=[^`]*)?`", page))
    assert len(named) >= 10
    assert named <= set(template()["Parameters"])
