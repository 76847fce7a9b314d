"""Delivery events of AWS End User Messaging, by SNS."""

from collections.abc import Mapping
from typing import Any

from sms_otp.adapters.telemetry import events
from sms_otp.entry_points import bootstrap, startup


def lambda_handler(event: Mapping[str, Any], context: Any) -> None:
    """Takes an event of SNS. If it raises, Lambda retries twice."""
    with events.invocation(context.aws_request_id, context.aws_request_id):
        for record in event["Records"]:
            bootstrap.webhooks().receive_from_aws(record["Sns"]["Message"])


startup.prepare(bootstrap.webhooks, ("dynamodb", "secretsmanager"))
