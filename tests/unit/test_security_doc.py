"""`docs/security.md` and `docs/scaling.md` say what template and code do, and name tests that exist."""

import ast
import importlib
import re
from functools import cache, reduce
from pathlib import Path
from typing import Any

import pytest

from local.template import ROOT, template
from sms_otp.domain import budgets
from sms_otp.domain.budgets import Spans
from sms_otp.domain.clock import DAY, Seconds
from sms_otp.domain.countries import LONGEST_CODE_LIFE, History
from sms_otp.domain.guard import Mode, NumberFacts
from sms_otp.domain.prices import Prices
from sms_otp.domain.spending import Spending, SpendPolicy

SECURITY = ROOT / "docs/security.md"
SCALING = ROOT / "docs/scaling.md"
DOCUMENTS = sorted((ROOT / "docs").rglob("*.md"))

PARAMETER = re.compile(r"([A-Z][A-Za-z]+)(?:=(.*))?")
CONSTANT = re.compile(r"([a-z_]+(?:\.[a-z_]+)*)\.([A-Z_]+)=(.+)")
ENFORCER = re.compile(r"[a-z_]+(\.[A-Za-z_]+)+")
LIMITING = (
    "Codes",
    "Limits of a number",
    "Limits of a client",
    "Pumping guard",
    "Convenience",
    "Load",
)
"""The groups of the template's parameters that are limits, every one of them."""

Row = dict[str, str]


def quoted(text: str) -> list[str]:
    return re.findall(r"`([^`]+)`", text)


def table(document: Path, heading: str) -> list[Row]:
    """The first table under a heading, its rows by the names of its columns."""
    text = document.read_text()
    section = re.split(r"^#+ ", text.partition(f"\n{heading}\n")[2], maxsplit=1, flags=re.MULTILINE)[0]
    lines = [line for line in section.splitlines() if line.startswith("|")]
    head, _, *rows = ([cell.strip() for cell in line.strip("|").split("|")] for line in lines)
    for row in rows:
        assert len(row) == len(head), row
    return [dict(zip(head, row, strict=True)) for row in rows]


def limits() -> list[Row]:
    return table(SECURITY, "## Limits")


def attempts() -> list[Row]:
    return table(SECURITY, "## How each limit was tried")


def attacks() -> list[Row]:
    return table(SECURITY, "## Attacks")


def parameters_in_limits() -> dict[str, str | None]:
    """The parameters of the table of limits, each with the default that stands there, if one does."""
    found = {}
    for row in limits():
        for word in quoted(row["parameters"]):
            if (match := PARAMETER.fullmatch(word)) is not None:
                found[match[1]] = match[2]
    return found


def named(path: str) -> Any:
    """The object that `module.name` names in any package of `sms_otp`. Raises if it does not exist."""
    module, *names = path.split(".")
    (found,) = [each for each in modules() if each.endswith(f".{module}") and has(each, names[0])]
    return reduce(getattr, names, importlib.import_module(found))


@cache
def modules() -> tuple[str, ...]:
    core = ROOT / "layers/core"
    paths = (core / "sms_otp").rglob("*.py")
    return tuple(str(path.relative_to(core).with_suffix("")).replace("/", ".") for path in paths)


def has(module: str, name: str) -> bool:
    return hasattr(importlib.import_module(module), name)


@cache
def existing_tests() -> frozenset[str]:
    paths = list((ROOT / "tests").rglob("*.py"))
    trees = [ast.parse(path.read_text()) for path in paths]
    functions = [node for tree in trees for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]
    names = [function.name for function in functions] + [path.stem for path in paths]
    return frozenset(name for name in names if name.startswith("test_"))


def group(label: str) -> set[str]:
    groups = template()["Metadata"]["AWS::CloudFormation::Interface"]["ParameterGroups"]
    (found,) = [group["Parameters"] for group in groups if group["Label"]["default"] == label]
    return set(found)


def test_every_parameter_that_limits_is_in_the_table_of_limits() -> None:
    limiting = set[str]().union(
        *(group(label) for label in LIMITING),
        {"ReservedConcurrency", "AllowedCountries", "DailySpendCap", "TrustClientIp"},
    )
    assert limiting == parameters_in_limits().keys()


def test_the_defaults_in_the_table_of_limits_match_the_template() -> None:
    declared = template()["Parameters"]
    defaults = {name: declared[name].get("Default") for name in parameters_in_limits()}
    expected = {name: None if default is None else str(default) for name, default in defaults.items()}
    assert parameters_in_limits() == expected


def test_every_place_that_enforces_a_limit_exists() -> None:
    for row in limits():
        places = quoted(row["enforced in"])
        assert places or row["enforced in"] in ("API Gateway", "Lambda"), row["limit"]
        for place in places:
            assert ENFORCER.fullmatch(place), place
            assert callable(named(place)), place


def test_every_limit_has_a_row_that_says_how_it_was_tried() -> None:
    assert [row["limit"] for row in attempts()] == [row["limit"] for row in limits()]


def test_every_limit_of_ours_was_tried_by_a_test() -> None:
    enforced_by = {row["limit"]: row["enforced in"] for row in limits()}
    for row in attempts():
        ours = bool(quoted(enforced_by[row["limit"]]))
        assert not ours or quoted(row["test"]), row["limit"]
        assert quoted(row["test"]) or "not tried" in row["tried"], row["limit"]


def test_every_attack_stands_once_and_is_tried_or_says_why_not() -> None:
    ids = [row["id"] for row in attacks()]
    assert len(ids) == len(set(ids))
    for row in attacks():
        assert re.fullmatch("T(-[A-Z0-9]+)+", row["id"])
        excused = re.search("not measured|there are none", row["outcome"])
        assert bool(quoted(row["test"])) != bool(excused), row["id"]


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_test_that_is_named_exists(document: Path) -> None:
    assert set(re.findall(r"\btest_\w+", document.read_text())) <= existing_tests()


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_constant_has_the_documented_value(document: Path) -> None:
    for word in quoted(document.read_text()):
        if (match := CONSTANT.fullmatch(word)) is not None:
            assert str(named(f"{match[1]}.{match[2]}")) == match[3], word


def test_the_constants_of_both_pages_are_checked() -> None:
    found = [word for page in (SECURITY, SCALING) for word in quoted(page.read_text())]
    assert sum(1 for word in found if CONSTANT.fullmatch(word)) >= 7


@pytest.mark.parametrize(
    ("parameter", "bound", "value"),
    [
        ("CodeLength", "MinValue", 6),
        ("CodeLifeSeconds", "MaxValue", 600),
    ],
)
def test_the_template_allows_no_value_that_the_standard_forbids(
    parameter: str, bound: str, value: int
) -> None:
    assert template()["Parameters"][parameter][bound] == value


def test_the_documented_guesses_a_day_are_right() -> None:
    declared = template()["Parameters"]
    codes = round(declared["DailySpendCap"]["Default"] / Prices().dollars("US", "sms"))
    guesses = codes * declared["MaxAttempts"]["Default"]
    assert f"is {guesses:,} guesses a day" in SECURITY.read_text()


def test_pages_agree_on_the_units_of_a_usual_verification() -> None:
    bill = (ROOT / "docs/performance.md").read_text()
    (reads,), (writes,) = (
        re.findall(rf"^\| DynamoDB, {kind} \| (\d+) units", bill, re.MULTILINE)
        for kind in ("reads", "writes")
    )
    units = f"{reads} read and {writes} write units"
    assert units in " ".join(bill.split())
    assert units in " ".join(SCALING.read_text().split())


def test_the_documented_shards_of_each_daily_cap_are_right() -> None:
    for row in table(SCALING, "## No hot item"):
        cap = int(row["`DailySpendCap`"])
        shards = budgets.shards_for(cap)
        rate = cap / Prices().dollars("US", "sms") / DAY
        assert row["shards"] == str(shards)
        assert row["mean codes a second, at 0.008 USD"] == f"{rate:.1f}"
        assert row["mean writes a second on one shard of the day"] == f"{rate / shards:.1f}"


def keys_read(history: History, now: int) -> int:
    policy = SpendPolicy(Mode.ENFORCE, 10**12, budgets.MOST_SHARDS, Spans(10, 30))
    spending = Spending(policy, history, "US", "sms", ("block",), ("network",), Seconds(now))
    count = len(spending.keys)
    spending.decide({}, NumberFacts(), is_challenged=False)
    return count


def test_the_documented_keys_that_a_request_reads_are_right() -> None:
    midnight, settled, unsettled = DAY * 20_000, History(), History()
    first, again = (keys_read(settled, midnight + LONGEST_CODE_LIFE) for _ in range(2))
    _, still_early = (keys_read(unsettled, midnight + LONGEST_CODE_LIFE - 1) for _ in range(2))
    number = stops = 1
    providers = re.findall("[a-z]+", template()["Parameters"]["ProviderOrder"]["AllowedPattern"])
    rows = {row["step"]: row["units"] for row in table(SCALING, "## DynamoDB")}
    assert rows["read"].startswith(f"up to {number + stops + len(set(providers)) + again} reads")
    assert (
        rows["the same, first time for a country in an execution environment"]
        == f"up to {first - again} more"
    )
    (documented,) = (units for step, units in rows.items() if "first ten minutes" in step)
    assert (documented, LONGEST_CODE_LIFE) == (f"up to {still_early - again} more", 10 * 60)


def test_the_documented_quota_of_an_api_key_is_the_templates() -> None:
    quota = template()["Resources"]["UsagePlan"]["Properties"]["Quota"]
    assert quota["Period"] == "DAY"
    assert f"{quota['Limit']:,} a day" in SECURITY.read_text()
