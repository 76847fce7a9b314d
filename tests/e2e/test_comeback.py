"""A stack is deleted, and a new one takes over its table and pepper, as docs/operations.md says."""

import json
import time
from collections.abc import Mapping

import pytest
import requests

from local.sandbox.credentials import credentials
from local.stack import LocalStack
from ops.restore_items import restore
from tests.e2e.conftest import fresh_number
from tests.e2e.test_deploy import deploy

pytestmark = [pytest.mark.e2e, pytest.mark.long]

GONE, BACK = "sms-otp-gone", "sms-otp-back"


def deployed(stack: LocalStack, name: str) -> Mapping[str, str]:
    """A stack of this name on the emulated AWS: its outputs."""
    done = deploy(
        stack,
        name,
        AllowedCountries="US",
        ProviderSandboxUrl=stack.sandbox_url,
        SendsPerQuarterHour="2",
        ResendGapSeconds="0",
    )
    assert done.returncode == 0, done.stdout + done.stderr
    (found,) = stack.client("cloudformation").describe_stacks(StackName=name)["Stacks"]
    return {each["OutputKey"]: each["OutputValue"] for each in found["Outputs"]}


def request(stack: LocalStack, outputs: Mapping[str, str], number: str) -> int:
    """The status that a request for a code is answered with."""
    found = stack.client("apigateway").get_api_key(apiKey=outputs["ApiKeyId"], includeValue=True)
    url = f"{stack.aws_endpoint_url}/restapis/{outputs['ApiId']}/v1/_user_request_/request-otp"
    headers = {"x-api-key": found["value"]}
    return requests.post(url, json={"phoneNumber": number}, headers=headers, timeout=30).status_code


def test_a_new_stack_over_a_retained_table_and_pepper_remembers_earlier_sends(stack: LocalStack) -> None:
    secrets = stack.client("secretsmanager")

    def secret(arn: str) -> str:
        return str(secrets.get_secret_value(SecretId=arn)["SecretString"])

    old = deployed(stack, GONE)
    held = credentials(stack.sandbox_url)
    secrets.put_secret_value(SecretId=old["ProviderSecretArn"], SecretString=json.dumps(held))
    number = fresh_number()
    assert [request(stack, old, number) for _ in range(3)] == [200, 200, 429]

    client = stack.client("cloudformation")
    client.delete_stack(StackName=GONE)
    client.get_waiter("stack_delete_complete").wait(
        StackName=GONE, WaiterConfig={"Delay": 1, "MaxAttempts": 120}
    )
    assert old["TableName"] in stack.client("dynamodb").list_tables()["TableNames"]

    new = deployed(stack, BACK)
    assert secret(new["PepperSecretArn"]) != secret(old["PepperSecretArn"])
    for name in ("PepperSecretArn", "ProviderSecretArn"):
        secrets.put_secret_value(SecretId=new[name], SecretString=secret(old[name]))
    put, _ = restore(stack.client("dynamodb"), old["TableName"], new["TableName"], time.time())
    assert put > 0
    assert request(stack, new, number) == 429
    assert request(stack, new, fresh_number()) == 200
