"""Evaluate `template.yaml` with parameters, as CloudFormation does; only the functions that it uses."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Stack:
    """The template and the value of every parameter, defaults included."""

    template: Mapping[str, Any]
    name: str
    parameters: Mapping[str, str]

    def environment(self) -> dict[str, str]:
        """The functions' environment variables. A reference to a resource evaluates to its logical id."""
        variables = self.template["Globals"]["Function"]["Environment"]["Variables"]
        return {name: str(self.value(node)) for name, node in variables.items()}

    def holds(self, condition: str) -> bool:
        """Whether the condition of this name is true."""
        return bool(self.value(self.template["Conditions"][condition]))

    def resources(self) -> dict[str, Mapping[str, Any]]:
        """The resources whose conditions hold, by logical id."""
        return {
            name: resource
            for name, resource in self.template["Resources"].items()
            if "Condition" not in resource or self.holds(resource["Condition"])
        }

    def broken_rules(self) -> Iterator[str]:
        """Descriptions of the template's Rules assertions that fail."""
        for rule in self.template["Rules"].values():
            if self.value(rule["RuleCondition"]):
                for each in rule["Assertions"]:
                    if not self.value(each["Assert"]):
                        yield each["AssertDescription"]

    def value(self, node: Any) -> Any:
        """Evaluate a node of the template: references, conditions and intrinsic functions."""
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
            case {"Fn::Contains": [values, element]}:
                return self.value(element) in values
            case _:
                return node
