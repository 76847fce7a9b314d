"""The idiomatic stack: the imports of a typical tutorial's function."""

import boto3
import phonenumbers
import requests
from aws_lambda_powertools import Logger, Metrics, Tracer
from aws_lambda_powertools.event_handler import APIGatewayRestResolver
from pydantic import BaseModel

logger = Logger()
metrics = Metrics()
tracer = Tracer()
app = APIGatewayRestResolver(enable_validation=True)
table = boto3.resource("dynamodb").Table("Table")
secrets = boto3.client("secretsmanager")
session = requests.Session()


class Request(BaseModel):
    """The body of a request."""

    phoneNumber: str  # noqa: N815 - a field of the API
    channel: str = "sms"


@app.post("/request-otp")
@tracer.capture_method
def request_otp(request: Request) -> dict[str, str]:
    """Never called: only the start is measured."""
    number = phonenumbers.parse(request.phoneNumber)
    return {"country": str(phonenumbers.region_code_for_number(number))}


@logger.inject_lambda_context
@tracer.capture_lambda_handler
@metrics.log_metrics
def lambda_handler(event: dict[str, object], context: object) -> dict[str, object]:
    """API Gateway's proxy event in, its proxy response out."""
    return app.resolve(event, context)  # type: ignore[arg-type] # Lambda's own
