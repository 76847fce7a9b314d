"""Custom::InfobipSetup: Infobip's application and message templates, as the stack's parameters say."""

from collections.abc import Mapping
from typing import Any

from sms_otp import custom_resource, infobip_setup, provisioning, wiring
from sms_otp.config import settings


def lambda_handler(event: custom_resource.Event, _context: Any) -> None:
    """CloudFormation's event in; the answer goes to the URL that it names."""
    custom_resource.answer(event, _provision, settings())


def _provision(parameters: Mapping[str, str]) -> Mapping[str, str]:
    wanted = infobip_setup.wanted_from(parameters)
    account = provisioning.open_account(wiring.credentials("infobip"), settings())
    return provisioning.provision(account, wanted).attributes
