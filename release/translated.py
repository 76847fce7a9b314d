"""Translate the template by SAM for several sets of parameters, and validate the results.

    python -m release.translated DIRECTORY

Validators of the SAM template miss faults that appear in CloudFormation's form, such as a `DependsOn` on a
resource whose condition is false. So `make lint` validates the translated templates too.
"""

import json
import logging
import os
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from cloudformation_validate import RegoEngine
from samcli.yamlhelper import yaml_parse
from samtranslator.translator.transform import transform

ROOT = Path(__file__).parent.parent
REGION = "eu-west-1"
LET_BE: Mapping[str, str] = {
    "W3011": "SAM keeps versions that leave the template; one that is replaced needs no protection",
    "W3694": "AWS takes an alias of a function where it takes a function",
    "W9002": "the ARN is an example's",
}
"""Ignored warnings of the validator, and why."""

SETS: Mapping[str, Mapping[str, str]] = {
    "plain": {},
    "existing-role": {"ApiGatewayLogRole": "existing"},
    "everything": {
        "Stage": "prod",
        "ProviderOrder": "aws,infobip,sinch",
        "AwsSmsIdentityArn": "arn:aws:sms-voice:eu-west-1:123456789012:pool/example",
        "ProvisionInfobip": "true",
        "KeepUsers": "true",
        "IssueTokens": "true",
        "SnapStart": "true",
        "ReservedConcurrency": "5",
        "AlarmEmail": "alarms@example.com",
        "EventBusName": "default",
        "TwilioApi": "true",
    },
    "least": {"PumpingGuard": "off", "Stage": "local", "ApiGatewayLogRole": "existing"},
}
"""Parameters that override the defaults: each condition is true in one set and false in another."""


class _NoManagedPolicies:
    """SAM looks up managed policies; the functions use none."""

    def load(self) -> dict[str, str]:
        return {}


def translated(parameters: Mapping[str, str]) -> dict[str, Any]:
    """The template translated by SAM, with these parameters as defaults."""
    source = yaml_parse((ROOT / "template.yaml").read_text())
    values = {name: str(known.get("Default", "*")) for name, known in source["Parameters"].items()}
    values.update(parameters)
    for declared in source["Resources"].values():
        for code in declared["Properties"].keys() & {"CodeUri", "ContentUri"}:
            declared["Properties"][code] = "s3://a-bucket/a-key"
    os.environ.setdefault("AWS_DEFAULT_REGION", REGION)
    # SAM warns about its feature flags.
    logging.getLogger("samtranslator").setLevel(logging.CRITICAL)
    made: dict[str, Any] = transform(source, values, _NoManagedPolicies())
    for name, known in made["Parameters"].items():
        known["Default"] = int(values[name]) if values[name].isdigit() else values[name]
    return made


def faults(text: str) -> Iterator[str]:
    """Yield the validator's faults in a translated template, except those in `LET_BE`."""
    for found in RegoEngine().validate_template(text.encode()).diagnostics:
        if found.severity.name != "INFO" and found.rule_id not in LET_BE:
            yield f"{found.rule_id}: {found.message}"


def main() -> None:
    """Write a file for each set; exits with 1 if the validator finds a fault."""
    (directory,) = sys.argv[1:]
    target = Path(directory)
    target.mkdir(parents=True, exist_ok=True)
    found = []
    for name, parameters in SETS.items():
        path = target / f"{name}.json"
        path.write_text(json.dumps(translated(parameters), indent=1))
        found += [f"{path.name}: {fault}" for fault in faults(path.read_text())]
    if found:
        sys.exit("\n".join(found))


if __name__ == "__main__":
    main()
