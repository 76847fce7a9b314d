"""`template.yaml` as data, so that what reads it and the stack cannot drift apart.

It reads YAML without SAM CLI, which an operator's machine has as a program and not as a library.
"""

import difflib
import re
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parent.parent


class _Loader(yaml.SafeLoader):
    """YAML with CloudFormation's short forms: `!Ref x` is `{"Ref": "x"}`, `!If […]` is `{"Fn::If": […]}`."""


def _intrinsic(loader: yaml.SafeLoader, suffix: str, node: yaml.Node) -> dict[str, Any]:
    name = suffix if suffix in ("Ref", "Condition") else f"Fn::{suffix}"
    if isinstance(node, yaml.ScalarNode):
        text = str(loader.construct_scalar(node))
        return {name: text.split(".", 1) if suffix == "GetAtt" else text}
    if isinstance(node, yaml.SequenceNode):
        return {name: loader.construct_sequence(node, deep=True)}
    raise yaml.constructor.ConstructorError(None, None, f"!{suffix} of a mapping", node.start_mark)


_Loader.add_multi_constructor("!", _intrinsic)


@cache
def template() -> dict[str, Any]:
    """The template, its intrinsic functions in their long form: `{"Ref": …}` and `{"Fn::…": …}`."""
    parsed: dict[str, Any] = yaml.load((ROOT / "template.yaml").read_text(), Loader=_Loader)  # noqa: S506 # nosec B506 # a SafeLoader
    return parsed


def resource(name: str) -> dict[str, Any]:
    """The properties of one resource."""
    properties: dict[str, Any] = template()["Resources"][name]["Properties"]
    return properties


def environment(**parameters: str) -> dict[str, str]:
    """The functions' environment, made from the template with these parameters and the defaults of the rest.

    Which countries are sent to has no default; here it is all of them. A reference to a resource
    becomes the resource's name. What the template has as a constant may be given too, by its name in
    the same spelling: `FailureWaitSeconds` for `FAILURE_WAIT_SECONDS`.
    """
    known = template()["Parameters"]
    constants = {name: value for name, value in parameters.items() if name not in known}
    parameters = {"AllowedCountries": "*"} | parameters

    def value(given: Any) -> str:
        if not isinstance(given, dict):
            return str(given)
        if "Fn::If" in given:
            # What a condition adds is not there by default.
            return value(given["Fn::If"][2])
        name = given["Ref"]
        if name not in known:
            return str(name)
        return parameters.get(name, str(known[name].get("Default", "")))

    variables = template()["Globals"]["Function"]["Environment"]["Variables"]
    made = {name: value(given) for name, given in variables.items()}
    given = {re.sub("(?<!^)(?=[A-Z])", "_", name).upper(): text for name, text in constants.items()}
    if not given.keys() <= made.keys():
        raise ValueError("the template has neither such a parameter nor such a constant")
    return made | given


def parameter_faults(declared: Mapping[str, Mapping[str, Any]], name: str, value: str) -> Iterator[str]:
    """What is wrong with one parameter's name or value, by what `declared`, the template's, allow."""
    if name not in declared:
        near = difflib.get_close_matches(name, declared, n=1, cutoff=0.5)
        yield f"there is no parameter {name}" + (f"; did you mean {near[0]}?" if near else "")
        return
    known = declared[name]
    values = [str(each) for each in known.get("AllowedValues", ())]
    if values and value not in values:
        yield f"{name}={value}: one of {', '.join(values)}"
    elif "AllowedPattern" in known and not re.fullmatch(known["AllowedPattern"], value):
        yield f"{name}={value}: {known['ConstraintDescription']}"
    elif "MinValue" in known and not _is_within(value, known["MinValue"], known["MaxValue"]):
        yield f"{name}={value}: a whole number from {known['MinValue']} to {known['MaxValue']}"


def _is_within(value: str, least: int, most: int) -> bool:
    return re.fullmatch("[0-9]{1,9}", value) is not None and least <= int(value) <= most
