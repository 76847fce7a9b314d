"""`make facts`: print the defaults and counts that documents claim, from the template and the API."""

from collections.abc import Iterator
from typing import Any

import yaml
from samcli.yamlhelper import yaml_parse

from release import ROOT
from sms_otp.adapters.telemetry import metrics
from sms_otp.entry_points import http


def facts() -> Iterator[str]:
    """Yield a line each: the parameters' defaults, then counts."""
    template: dict[str, Any] = yaml_parse((ROOT / "template.yaml").read_text())
    paths = yaml.safe_load((ROOT / "openapi.yaml").read_text())["paths"]
    for name, parameter in template["Parameters"].items():
        if parameter.get("Default", "") != "":
            yield f"{name}={parameter['Default']}"
    kinds = [resource["Type"] for resource in template["Resources"].values()]
    yield f"{kinds.count('AWS::Serverless::Function')} functions"
    yield f"{kinds.count('AWS::CloudWatch::Alarm')} alarms"
    yield f"{len(metrics.all())} metrics"
    yield f"{sum(len(calls) for calls in paths.values())} calls"
    yield f"{len(http.PROBLEMS)} error codes"


if __name__ == "__main__":
    print("\n".join(facts()))
