"""The sets of parameters that the translated template is checked with, and the checks."""

import copy
import json

from local.template import template
from ops.template import Stack
from release import translated


def stack(name: str) -> Stack:
    values = {
        parameter: str(known.get("Default", "*")) for parameter, known in template()["Parameters"].items()
    }
    return Stack(template(), "sms-otp", {**values, **translated.SETS[name]})


def test_each_condition_is_true_in_one_set_and_false_in_another() -> None:
    for condition in template()["Conditions"]:
        held = {stack(name).holds(condition) for name in translated.SETS}
        assert held == {True, False}, condition


def test_each_set_breaks_no_rule() -> None:
    for name in translated.SETS:
        assert list(stack(name).broken_rules()) == []


def test_a_dependency_on_a_conditional_resource_is_found() -> None:
    made = copy.deepcopy(translated.translated(translated.SETS["existing-role"]))
    assert list(translated.faults(json.dumps(made))) == []
    made["Resources"]["Apiv1Stage"]["DependsOn"] = "ApiGatewayAccount"
    assert list(translated.faults(json.dumps(made)))
