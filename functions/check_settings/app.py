"""Custom::DeployedSettings: refuses settings with which no function could work; digests the others."""

from typing import Any

from sms_otp.adapters import config
from sms_otp.entry_points import custom_resource
from sms_otp.setup import deployed_settings


def lambda_handler(event: custom_resource.Event, _context: Any) -> None:
    """Takes CloudFormation's event; the answer goes to the URL in it."""
    custom_resource.answer(event, deployed_settings.accept, config.stage())
