"""The fixed bill, from the template and the table of metrics."""

import pytest

from local.template import ROOT, template
from ops import cost
from sms_otp.adapters.telemetry import metrics


def test_a_stack_of_one_country_and_one_provider_costs_ten_dollars_or_less() -> None:
    assert cost.fixed(cost.defaults(AllowedCountries="GB")).dollars <= 10


def test_the_readme_has_the_fixed_bill_of_a_small_stack() -> None:
    bill = cost.fixed(cost.defaults(AllowedCountries="GB"))
    text = " ".join((ROOT / "README.md").read_text().split())
    assert f"one country and one provider costs at most {bill.dollars:.2f} USD" in text


def test_the_bill_sums_the_items_beyond_the_free_tier() -> None:
    bill = cost.Bill(metrics=12, alarms=13, secrets=2, keys=1, snapshots=3)
    assert bill.dollars == pytest.approx(2 * 0.30 + 3 * 0.10 + 2 * 0.40 + 1.00 + 3 * 1.98)
    assert cost.Bill(metrics=3, alarms=4, secrets=0, keys=0, snapshots=0).dollars == 0


def test_the_resources_that_a_parameter_adds_are_billed() -> None:
    plain = cost.fixed(cost.defaults(AllowedCountries="GB"))
    tokens = cost.fixed(cost.defaults(AllowedCountries="GB", IssueTokens="true"))
    assert (tokens.keys, tokens.metrics, tokens.alarms) == (1, plain.metrics + 1, plain.alarms + 1)
    users = cost.fixed(cost.defaults(AllowedCountries="GB", KeepUsers="true"))
    assert users.alarms == plain.alarms + 1
    fast = cost.fixed(cost.defaults(AllowedCountries="GB", SnapStart="true"))
    assert fast.snapshots == 3
    unguarded = cost.fixed(cost.defaults(AllowedCountries="GB", PumpingGuard="off"))
    assert (unguarded.metrics, unguarded.alarms) == (plain.metrics - 3, plain.alarms - 3)


def test_each_country_and_provider_adds_the_metrics_with_its_dimension() -> None:
    stack = cost.defaults(MetricDetail="places")
    one, country, provider = (cost.fixed(stack, *counts).metrics for counts in ((1, 1), (2, 1), (1, 2)))
    names = {metric.name for metric in metrics.all() if "country" in metric.by}
    assert country - one == len(names)
    assert provider - one == len({metric.name for metric in metrics.all() if "provider" in metric.by})


def test_every_condition_of_a_metric_is_one_of_the_template() -> None:
    assert cost.UNMEASURED.keys() <= template()["Conditions"].keys()
    named = {name for names in cost.UNMEASURED.values() for name in names}
    assert named <= {metric.name for metric in metrics.all()}


def test_the_calculator_prints_the_bill_of_a_month(capsys: pytest.CaptureFixture[str]) -> None:
    print(cost.month(2, 2, 50_000))
    fixed, traffic, together = (float(line.split()[1]) for line in capsys.readouterr().out.splitlines())
    assert together == pytest.approx(fixed + traffic, abs=0.011)
