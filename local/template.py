"""`template.yaml` as data, the one source for tools and tests.

Parsed without SAM CLI, which operators may have as a program and not as a library.
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
    """The template, intrinsic functions in long form: `{"Ref": …}` and `{"Fn::…": …}`."""
    parsed: dict[str, Any] = yaml.load((ROOT / "template.yaml").read_text(), Loader=_Loader)  # noqa: S506 # nosec B506 # a SafeLoader
    return parsed


def resource(name: str) -> dict[str, Any]:
    """The properties of one resource."""
    properties: dict[str, Any] = template()["Resources"][name]["Properties"]
    return properties


def environment(**parameters: str) -> dict[str, str]:
    """The functions' environment variables with these parameters, defaults for the rest.

    `AllowedCountries`, which has no default, is `*`. A reference to a resource becomes its logical id.
    Constants of the template can be overridden in the parameters' spelling: `FailureWaitSeconds` for
    `FAILURE_WAIT_SECONDS`. Raises `ValueError` for an unknown name.
    """
    known = template()["Parameters"]
    constants = {name: value for name, value in parameters.items() if name not in known}
    parameters = {"AllowedCountries": "*"} | parameters

    def value(node: Any) -> str:
        if not isinstance(node, dict):
            return str(node)
        if "Fn::If" in node:
            # Every condition used here is false by default.
            return value(node["Fn::If"][2])
        name = node["Ref"]
        if name not in known:
            return str(name)
        return parameters.get(name, str(known[name].get("Default", "")))

    variables = template()["Globals"]["Function"]["Environment"]["Variables"]
    made = {name: value(node) for name, node in variables.items()}
    overrides = {re.sub("(?<!^)(?=[A-Z])", "_", name).upper(): text for name, text in constants.items()}
    if not overrides.keys() <= made.keys():
        raise ValueError("the template has no such parameter or constant")
    return made | overrides


def parameter_faults(declared: Mapping[str, Mapping[str, Any]], name: str, value: str) -> Iterator[str]:
    """Yield the faults of one parameter's name or value; `declared` are the template's Parameters."""
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
