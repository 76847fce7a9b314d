"""`template.yaml` as data, and what CloudFormation will make of it with given parameters.

It knows as much of CloudFormation as that template uses. It reads YAML by itself, because an operator's
machine has SAM CLI as a program and not as a library.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

TEMPLATE = Path(__file__).parent.parent / "template.yaml"


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
def read(path: Path = TEMPLATE) -> dict[str, Any]:
    """The template, its intrinsic functions in their long form."""
    parsed: dict[str, Any] = _Loader(path.read_text()).get_single_data()
    return parsed


@dataclass(frozen=True)
class Stack:
    """The template with every parameter's value. `parameters` has them all, defaults filled in."""

    template: Mapping[str, Any]
    name: str
    parameters: Mapping[str, str]

    def environment(self) -> dict[str, str]:
        """The functions' environment variables. A resource's attribute is the resource's name."""
        variables = self.template["Globals"]["Function"]["Environment"]["Variables"]
        return {name: str(self.value(given)) for name, given in variables.items()}

    def holds(self, condition: str) -> bool:
        """Whether the condition of this name is true."""
        return bool(self.value(self.template["Conditions"][condition]))

    def resources(self) -> dict[str, Mapping[str, Any]]:
        """The resources that are made, by name."""
        return {
            name: resource
            for name, resource in self.template["Resources"].items()
            if "Condition" not in resource or self.holds(resource["Condition"])
        }

    def broken_rules(self) -> Iterator[str]:
        """What CloudFormation's Rules refuse, in their own words."""
        for rule in self.template["Rules"].values():
            if self.value(rule["RuleCondition"]):
                for each in rule["Assertions"]:
                    if not self.value(each["Assert"]):
                        yield each["AssertDescription"]

    def value(self, node: Any) -> Any:
        """What CloudFormation makes of a value of the template."""
        match node:
            case {"Ref": name}:
                return self.name if name == "AWS::StackName" else self.parameters.get(name, name)
            case {"Condition": name}:
                return self.holds(name)
            case {"Fn::GetAtt": [name, *_]}:
                return name
            case {"Fn::If": [condition, then, otherwise]}:
                return self.value(then if self.holds(condition) else otherwise)
            case {"Fn::Equals": [left, right]}:
                return str(self.value(left)) == str(self.value(right))
            case {"Fn::Not": [condition]}:
                return not self.value(condition)
            case {"Fn::And": conditions}:
                return all(self.value(each) for each in conditions)
            case {"Fn::Or": conditions}:
                return any(self.value(each) for each in conditions)
            case {"Fn::Contains": [values, wanted]}:
                return self.value(wanted) in values
            case _:
                return node
