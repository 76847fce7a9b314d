"""`sam local`: the functions in Lambda containers, on the running local stack.

    python -m local.containers invoke RequestOtpFunction events/request_otp-sms.json
    python -m local.containers api

The stack must listen on an address that containers reach: `make run HOST=docker`.
"""

import argparse
import ipaddress
import os
import platform
import shutil
import subprocess
import sys
from urllib.parse import urlsplit

from samcli.yamlhelper import yaml_dump, yaml_parse

from local.stack import BUILD, aws_environment, sam
from local.stack_file import LOCAL, LocalStackError, StackFile, local_client

ARCHITECTURES = {"x86_64": "x86_64", "amd64": "x86_64", "aarch64": "arm64", "arm64": "arm64"}
DOCKER_SECONDS = 20


def docker_host() -> str:
    """This machine's address on the Docker bridge. Raises `LocalStackError`."""
    subnet = _docker("network", "inspect", "bridge", "--format", "{{(index .IPAM.Config 0).Subnet}}")
    return str(next(ipaddress.ip_network(subnet.strip()).hosts()))


def architecture() -> str:
    """This machine's architecture, by Lambda's name: its containers run without emulation."""
    return ARCHITECTURES[platform.machine().lower()]


def image() -> str:
    """The base image that SAM CLI runs the functions in."""
    return f"public.ecr.aws/lambda/python:3.13-{architecture()}"


def require_reachable(stack: StackFile) -> None:
    """Raises `LocalStackError` if the stack listens on loopback, which containers cannot reach."""
    host = str(urlsplit(stack.awsEndpointUrl).hostname)
    if host == "localhost" or host.startswith("127."):
        raise LocalStackError(
            "containers cannot reach this local stack; start it with `make run HOST=docker`"
        )


def require_image() -> None:
    """Raises `LocalStackError` if Docker does not run or lacks the image."""
    _docker("version")
    if not _has_image():
        raise LocalStackError(f"Docker has no image {image()}: `docker pull {image()}`")


def sam_local(stack: StackFile, *command: str) -> list[str]:
    """A `sam local` command with the deployed functions' environment. Raises `LocalStackError`."""
    template = BUILD / "sam-local.yaml"
    template.write_text(yaml_dump(_with_deployed_environment(stack)))
    skip = ["--skip-pull-image"] if _has_image() else []
    overrides = ["--parameter-overrides", f"Architecture={architecture()}"]
    return [*sam("local", *command), "--template-file", str(template), *overrides, *skip]


def _with_deployed_environment(stack: StackFile) -> dict[str, object]:
    """The built template with the environment of the deployed functions.

    `sam local` would pass logical ids as table names and secret ARNs.
    """
    template = yaml_parse((BUILD / "template.yaml").read_text())
    resources = local_client("cloudformation", stack.awsEndpointUrl).describe_stack_resources(
        StackName=stack.stackName
    )["StackResources"]
    names = {resource["LogicalResourceId"]: resource["PhysicalResourceId"] for resource in resources}
    function = local_client("lambda", stack.awsEndpointUrl).get_function_configuration(
        FunctionName=names["RequestOtpFunction"]
    )
    variables = {**function["Environment"]["Variables"], "AWS_ENDPOINT_URL": stack.awsEndpointUrl}
    template["Globals"]["Function"]["Environment"]["Variables"] = variables
    return dict(template)


def _has_image() -> bool:
    try:
        _docker("image", "inspect", image())
    except LocalStackError:
        return False
    return True


def _docker(*arguments: str) -> str:
    docker = shutil.which("docker")
    if docker is None:
        raise LocalStackError("`sam local` runs functions in containers and needs the docker command")
    command = [docker, *arguments]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=DOCKER_SECONDS, check=True)  # noqa: S603 - a command of our own, no shell
    except subprocess.TimeoutExpired:
        raise LocalStackError(f"Docker does not answer in {DOCKER_SECONDS} s") from None
    except subprocess.CalledProcessError as error:
        raise LocalStackError(f"`docker {arguments[0]}` failed: {error.stderr.strip()}") from None
    return done.stdout


def main() -> None:
    """Replace this process by `sam local`; exits with 1 and a message if it cannot run."""
    parser = argparse.ArgumentParser(prog="python -m local.containers", description=__doc__.splitlines()[0])
    commands = parser.add_subparsers(required=True, dest="command")
    invoke = commands.add_parser("invoke", help="run one function once")
    invoke.add_argument("function", help="its logical id, such as RequestOtpFunction")
    invoke.add_argument("event", help="a file with API Gateway's proxy event, or - for standard input")
    api = commands.add_parser("api", help="serve every path on this machine")
    api.add_argument("--port", default="3000", help="port to listen on (default: %(default)s)")
    arguments = parser.parse_args()
    try:
        _docker("version")
        stack = StackFile.read(LOCAL / "stack.json")
        require_reachable(stack)
        if arguments.command == "invoke":
            command = sam_local(stack, "invoke", arguments.function, "--event", arguments.event)
        else:
            warm = ["--warm-containers", "EAGER"]
            command = sam_local(stack, "start-api", "--port", arguments.port, *warm)
    except LocalStackError as error:
        sys.exit(f"sam local: {error}")
    sys.stdout.flush()
    os.execve(command[0], command, aws_environment(stack.awsEndpointUrl))  # noqa: S606 - a command of our own


if __name__ == "__main__":
    main()
