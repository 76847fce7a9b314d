"""`make provision-check`: compare the resources at Infobip with a stack's parameters.

Reads the stack, its provider secret and Infobip, and changes nothing. `STACK=` names a stack in this shell's
AWS account; the default is the local stack. Exits with 1 if anything is missing or weaker.
"""

import argparse
import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ops.deployed import Deployed, StackNotFound, find
from sms_otp.adapters.aws.secrets import SecretCache
from sms_otp.adapters.config import Settings
from sms_otp.domain.errors import ServiceMisconfigured
from sms_otp.domain.provider import Misconfigured
from sms_otp.setup import desired_state, provisioning

Row = tuple[str, str, str, str, str]
HEADINGS = ("resource", "field", "desired", "found", "")
WORSE = ("weaker", "missing")
EXPLAINED = (
    "desired: set by the stack's parameters. weaker: allows more than desired. differs: another value, not "
    "weaker. missing: not at Infobip. longer than one SMS: each code is billed as several. The command exits "
    "with 1 if anything is weaker or missing."
)


def rows(found: Sequence[provisioning.Found]) -> Iterator[Row]:
    """Yield a row for each compared setting, and one for each missing resource."""
    for each in found:
        if each.body is None:
            yield (each.name, "", "", "", "missing")
            continue
        for setting in each.settings:
            verdict = "as desired" if setting.same else "weaker" if setting.weaker else "differs"
            yield (each.name, setting.field, str(setting.desired), str(setting.found), verdict)
        parts = desired_state.parts_of(each.desired) if "messageText" in each.desired else 1
        if parts > 1:
            yield (each.name, "messages", "1", str(parts), "longer than one SMS")


def table(lines: Sequence[Row]) -> str:
    """Format rows as a table of aligned columns."""
    widths = [max(len(line[column]) for line in (HEADINGS, *lines)) for column in range(len(HEADINGS))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in (HEADINGS, *lines)
    )


def look(stack: Deployed) -> Sequence[provisioning.Found]:
    """Read Infobip. Raises `ServiceMisconfigured`, `Misconfigured` or `ProvisioningFailed`."""
    settings = _settings(stack.client("lambda"), stack.outputs["RequestOtpFunctionName"])
    secret_cache = SecretCache(
        stack.client("secretsmanager"), settings.provider_secret_arn, settings.pepper_secret_arn, lambda: 0.0
    )
    credentials = secret_cache.credentials("infobip")
    account = provisioning.open_account(credentials, settings)
    desired = desired_state.desired_state_from({**stack.parameters, "InfobipApplicationName": stack.name})
    # Without provisioning, the stack sends with the application that the secret names.
    held = "" if settings.infobip_application_id else credentials.get("applicationId", "")
    return provisioning.look(account, desired, held)


def _settings(functions: Any, name: str) -> Settings:
    """The deployed function's settings."""
    configuration = functions.get_function_configuration(FunctionName=name)
    variables: Mapping[str, str] = configuration["Environment"]["Variables"]
    return Settings.from_environment(variables)


def main() -> None:
    """Print the table; exits with 1 and a message on an error."""
    parser = argparse.ArgumentParser(prog="python -m ops.provision_check")
    parser.add_argument("--stack", default="", help="a stack's name (default: the local stack)")
    name = parser.parse_args().stack
    try:
        found = look(find(name))
    except (StackNotFound, desired_state.ProvisioningFailed) as error:
        sys.exit(f"provision-check: {error}")
    except (ServiceMisconfigured, Misconfigured) as error:
        sys.exit(f"provision-check: {error.reason}")
    lines = list(rows(found))
    print(f"{table(lines)}\n\n{EXPLAINED}")
    sys.exit(any(verdict in WORSE for *_, verdict in lines))


if __name__ == "__main__":
    main()
