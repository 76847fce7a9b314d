"""Custom::DeployedSettings: refuses settings that no function could work with, digests the others."""

from typing import Any

from sms_otp.adapters import config
from sms_otp.entry_points import custom_resource
from sms_otp.setup import deployed_settings


def lambda_handler(event: custom_resource.Event, _context: Any) -> None:
    """CloudFormation's event in; the answer goes to the URL that it names."""
    custom_resource.answer(event, deployed_settings.accept, config.stage())
