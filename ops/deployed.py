"""A deployed stack, in AWS or on this machine: its outputs, parameters and clients."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from local.stack_file import LOCAL, LocalStackError, StackFile, local_client


class StackNotFound(Exception):
    """The stack does not exist or cannot be read. The message is for the person at the terminal."""


@dataclass(frozen=True)
class Deployed:
    """A stack. `make_client` makes a boto3 client; outputs and parameters are CloudFormation's, by name."""

    name: str
    make_client: Callable[[str], Any]
    outputs: Mapping[str, str]
    parameters: Mapping[str, str]
    base_url: str
    """The API's URL, without a path."""
    is_local: bool

    def client(self, service: str) -> Any:
        """A boto3 client for the stack's AWS endpoint."""
        return self.make_client(service)

    def physical_id(self, resource: str) -> str:
        """The physical id of a resource, by its logical id."""
        found = self.client("cloudformation").describe_stack_resource(
            StackName=self.name, LogicalResourceId=resource
        )
        return str(found["StackResourceDetail"]["PhysicalResourceId"])

    def api_key(self) -> str:
        """The first tenant's API key."""
        found = self.client("apigateway").get_api_key(apiKey=self.outputs["ApiKeyId"], includeValue=True)
        return str(found["value"])


def find(stack: str) -> Deployed:
    """Find the stack in this shell's AWS account; an empty name means the local stack.

    Raises `StackNotFound`.
    """
    if stack:
        return described(stack, boto3.client)  # type: ignore[arg-type] # any service
    try:
        running = StackFile.read(LOCAL / "stack.json")
    except LocalStackError as error:
        raise StackNotFound(str(error)) from None
    return described(
        running.stackName, lambda service: local_client(service, running.awsEndpointUrl), running.baseUrl
    )


def described(stack: str, client: Callable[[str], Any], local_url: str | None = None) -> Deployed:
    """Read the stack from CloudFormation. `local_url` is the local API's URL. Raises `StackNotFound`."""
    try:
        found = client("cloudformation").describe_stacks(StackName=stack)["Stacks"][0]
    except (ClientError, BotoCoreError) as error:
        # AWS error texts name the cause: no such stack, no credentials, no Region.
        raise StackNotFound(f"cannot find the stack {stack}: {error}") from None
    outputs = {each["OutputKey"]: each["OutputValue"] for each in found["Outputs"]}
    return Deployed(
        name=stack,
        make_client=client,
        outputs=outputs,
        parameters={each["ParameterKey"]: each["ParameterValue"] for each in found["Parameters"]},
        base_url=local_url or outputs["ApiUrl"],
        is_local=local_url is not None,
    )
