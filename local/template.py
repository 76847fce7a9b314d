"""`template.yaml` as data, so that tests and stack cannot drift apart."""

from functools import cache
from pathlib import Path
from typing import Any

from samcli.yamlhelper import yaml_parse

ROOT = Path(__file__).parent.parent


@cache
def template() -> dict[str, Any]:
    """The template, its intrinsic functions as `{"Ref": …}` and `{"Fn::…": …}`."""
    parsed: dict[str, Any] = yaml_parse((ROOT / "template.yaml").read_text())
    return parsed


def resource(name: str) -> dict[str, Any]:
    """The properties of one resource."""
    properties: dict[str, Any] = template()["Resources"][name]["Properties"]
    return properties


def environment(**parameters: str) -> dict[str, str]:
    """The functions' environment, made from the template with these parameters and the defaults of the rest.

    Which countries are sent to has no default; here it is all of them. A reference to a resource
    becomes the resource's name.
    """
    known = template()["Parameters"]
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
    return {name: value(given) for name, given in variables.items()}
