"""Custom::InfobipSetup: provisions Infobip's application and message templates from the parameters."""

from collections.abc import Mapping
from typing import Any

from sms_otp.adapters import config
from sms_otp.entry_points import bootstrap, custom_resource
from sms_otp.setup import desired_state, provisioning


def lambda_handler(event: custom_resource.Event, _context: Any) -> None:
    """Takes CloudFormation's event; the answer goes to the URL in it."""
    custom_resource.answer(event, _provision, config.stage())


def _provision(parameters: Mapping[str, str]) -> Mapping[str, str]:
    desired = desired_state.desired_state_from(parameters)
    account = provisioning.open_account(bootstrap.credentials("infobip"), config.settings())
    return provisioning.provision(account, desired).attributes
