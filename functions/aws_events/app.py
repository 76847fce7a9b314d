"""AWS End User Messaging's events, brought by SNS: what became of a message."""

from collections.abc import Mapping
from typing import Any

from sms_otp.adapters.telemetry import events
from sms_otp.entry_points import bootstrap, startup


def lambda_handler(event: Mapping[str, Any], context: Any) -> None:
    """SNS's event in. What raises is brought again, by Lambda, twice."""
    with events.invocation(context.aws_request_id, context.aws_request_id):
        for record in event["Records"]:
            bootstrap.webhooks().receive_from_aws(record["Sns"]["Message"])


startup.prepare(bootstrap.webhooks, ("dynamodb", "secretsmanager"))
