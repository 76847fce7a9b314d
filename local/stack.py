"""Deploy the unchanged `template.yaml` to an emulated AWS on this machine, beside the provider sandbox.

    with LocalStack(parameters={"MaxAttempts": "3"}) as stack:
        requests.get(f"{stack.base_url}/health")

State is in memory or under `.local/` and removed at the end. No AWS account, profile or variable is used.
"""

import contextlib
import fcntl
import json
import os
import secrets
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import requests
from botocore.exceptions import ClientError
from samcli.yamlhelper import yaml_dump, yaml_parse

from local.processes import Child, free_port, require_free
from local.sandbox.credentials import INFOBIP_WEBHOOK_PASSWORD, INFOBIP_WEBHOOK_USER, credentials
from local.sandbox.infobip_report import basic
from local.stack_file import LOCAL, REGION, ROOT, LocalStackError, StackFile, local_client
from local.template import environment, parameter_faults, resource, template
from sms_otp.adapters.providers import registry
from sms_otp.setup import deployed_settings

if TYPE_CHECKING:
    from types import TracebackType

BUILD = LOCAL / "build"
LOGS = LOCAL / "logs"
BIN = Path(sys.prefix) / "bin"
"""Executables of this process's virtual environment."""

STACK_NAME = "sms-otp-local"
API_ID = "0a1b2c3d"
"""Eight hexadecimal digits: MiniStack requires them in an API's host name."""

MEMORY = Path("/dev/shm")  # noqa: S108 # nosec B108 # a directory of ours is made in it, by a name that nobody can guess
MEMORY_BYTES = 2 * 1024**3

START_SECONDS = 60
BUILD_SECONDS = 240
DEPLOY_SECONDS = 240

PARAMETERS = {
    "Stage": "local",
    "LogRetentionDays": "1",
    "AllowedCountries": "*",
    "ProviderOrder": "infobip,sinch",
    # `make watch` and the dashboard show metrics by country and provider.
    "MetricDetail": "places",
    # For `make smoke`.
    "TestNumbers": "+447700900199=246802",
    "TestNumbersEnd": "2099-12-31",
    # Wide, so that the service's limits are reached before API Gateway's.
    "PlanRateLimit": "1000",
    "StageRateLimit": "1000",
    "RequestOtpRateLimit": "1000",
    # Every request from this machine counts as one client.
    "ClientSendsPerHour": "100",
    "ClientSendsPerDay": "100",
}


def open_channels(provider_order: str) -> dict[str, str]:
    """The parameters that open all countries to each channel that one of these providers supports."""
    names = provider_order.split(",")
    return {
        parameter: "*"
        for channel, parameter in deployed_settings.PARAMETERS.items()
        if any(channel in registry.CHANNELS.get(name, ()) for name in names)
    }


class LocalStack:
    """The stack, running inside a `with` block. Raises `LocalStackError` if it cannot start.

    Both servers listen on `host`, by which the functions reach the sandbox. Ports default to free ones.
    `parameters` override `PARAMETERS`. `say` is called after each step.
    """

    def __init__(
        self,
        *,
        host: str = "127.0.0.1",
        port: int | None = None,
        sandbox_port: int | None = None,
        parameters: Mapping[str, str] | None = None,
        say: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._host = host
        self._port = free_port(host) if port is None else port
        self._sandbox_port = free_port(host) if sandbox_port is None else sandbox_port
        self.aws_endpoint_url = f"http://{host}:{self._port}"
        self.sandbox_url = f"http://{host}:{self._sandbox_port}"
        chosen = parameters or {}
        # A test number's code must have `CodeLength` digits.
        number, _, code = PARAMETERS["TestNumbers"].partition("=")
        test_number = f"{number}={(2 * code)[: int(chosen.get('CodeLength', len(code)))]}"
        local = {"TestNumbers": test_number, "ProviderSandboxUrl": self.sandbox_url}
        everything = {**PARAMETERS, **local, **chosen}
        self._parameters = open_channels(everything["ProviderOrder"]) | everything
        self._say = say
        self._temporary = LOCAL / f"tmp-{self._port}"
        self._deployed = LOCAL / f"deployed-{self._port}"
        # For the page's backend: the sandbox starts before the service is deployed.
        self._stack_file = self._temporary / "stack.json"
        self._running = contextlib.ExitStack()
        self._children: list[Child] = []
        self.outputs: dict[str, str] = {}
        """The CloudFormation stack's outputs, by name."""
        self.api_key = ""
        """The first tenant's key, made by the template."""
        self.second_api_key = ""
        """A second tenant's key, in the first tenant's usage plan."""

    @property
    def base_url(self) -> str:
        """The API's URL on MiniStack, without a path."""
        return f"{self.aws_endpoint_url}/restapis/{self.outputs['ApiId']}/{self._api_stage}/_user_request_"

    @property
    def public_url(self) -> str:
        """The API's URL in API Gateway's form, for callbacks, whose signature covers its path."""
        return f"http://{self.outputs['ApiId']}.execute-api.localhost:{self._port}/{self._api_stage}"

    @property
    def _api_stage(self) -> str:
        """API Gateway's stage, the last part of the API's URL."""
        return self.outputs["ApiUrl"].rsplit("/", 1)[-1]

    @property
    def _twilio_api_url(self) -> str:
        found = self.outputs.get("TwilioApiId")
        return f"{self.aws_endpoint_url}/restapis/{found}/v1/_user_request_" if found else ""

    @property
    def file(self) -> StackFile:
        """The content of `.local/stack.json`."""
        return StackFile(
            self.base_url,
            self.api_key,
            self.sandbox_url,
            self.aws_endpoint_url,
            REGION,
            STACK_NAME,
            self.second_api_key,
            self._twilio_api_url,
        )

    def client(self, service: str) -> Any:
        """A boto3 client for the emulated AWS."""
        return local_client(service, self.aws_endpoint_url)

    def physical_id(self, resource: str) -> str:
        """The physical id of a resource, by its logical id."""
        described = self.client("cloudformation").describe_stack_resource(
            StackName=STACK_NAME, LogicalResourceId=resource
        )
        return str(described["StackResourceDetail"]["PhysicalResourceId"])

    def take_callbacks(self) -> None:
        """Register the deployed webhooks with the sandbox, as the owner does with the providers.

        The sandbox calls only loopback, so the stack must listen there.
        """
        # Warms the function up: a cold start takes longer than the sandbox's Sinch waits for an answer.
        # With the password, because a refusal would count in WebhookRefused.
        requests.post(
            f"{self.base_url}/webhooks/infobip",
            json={"results": []},
            headers=basic(INFOBIP_WEBHOOK_USER, INFOBIP_WEBHOOK_PASSWORD),
            timeout=START_SECONDS,
        )
        targets = {
            "sinch": f"{self.public_url}/webhooks/sinch",
            "infobip": {
                "url": f"{self.public_url}/webhooks/infobip",
                "username": INFOBIP_WEBHOOK_USER,
                "password": INFOBIP_WEBHOOK_PASSWORD,
            },
        }
        requests.put(f"{self.sandbox_url}/callbacks", json=targets, timeout=START_SECONDS).raise_for_status()

    def check(self) -> None:
        """Raises `LocalStackError` if one of the servers has ended."""
        for child in self._children:
            child.check()

    def __enter__(self) -> "LocalStack":
        _require_allowed(self._parameters)
        require_free(self._host, self._port, "choose another port with PORT=…")
        require_free(self._host, self._sandbox_port, "choose another port with SANDBOX_PORT=…")
        with contextlib.ExitStack() as starting:
            starting.push(self._running)
            self._start()
            starting.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: "TracebackType | None",
    ) -> None:
        # Signal every child before waiting for any, so that they stop in parallel.
        for child in self._children:
            child.begin_to_stop()
        self._running.close()

    def _start(self) -> None:
        self._temporary.mkdir(parents=True, exist_ok=True)
        unpacked = Path(tempfile.mkdtemp(prefix="sms-otp-", dir=_memory() or self._temporary))
        for made in (self._temporary, self._deployed, unpacked):
            self._running.callback(shutil.rmtree, made, ignore_errors=True)
        # Both servers start while the build runs.
        emulator = self._serve("emulator", [str(BIN / "ministack")], self._emulator_environment(unpacked))
        sandbox = self._serve(
            "sandbox",
            [
                *(sys.executable, "-m", "local.sandbox", "--host", self._host),
                *("--port", str(self._sandbox_port), "--stack-file", str(self._stack_file)),
                # The service's limits must be reached before the vendors'.
                *("--wide-limits", "--code-length", self._parameters.get("CodeLength", "6")),
            ],
            _environment(),
        )
        build(self._deployed)
        _pin_api_id(self._deployed / "template.yaml")
        self._say("built the template")
        sandbox.answers(f"{self.sandbox_url}/inbox", START_SECONDS)
        self._say(f"the provider sandbox answers at {self.sandbox_url}")
        emulator.answers(f"{self.aws_endpoint_url}/_ministack/health", START_SECONDS)
        self._say(f"MiniStack answers at {self.aws_endpoint_url}")
        self._deploy()
        self.file.write(self._stack_file)
        self._say(f"deployed the template as {STACK_NAME}")

    def _serve(self, name: str, command: list[str], environment: Mapping[str, str]) -> Child:
        log = LOGS / f"{name.lower()}-{self._port}.log"
        child = self._running.enter_context(Child(f"The {name}", command, environment, log))
        self._children.append(child)
        return child

    def _emulator_environment(self, unpacked: Path) -> dict[str, str]:
        return {
            **aws_environment(self.aws_endpoint_url),
            "BIND_HOST": self._host,
            # Host for the answers of custom resources.
            "MINISTACK_HOST": "localhost" if self._host == "127.0.0.1" else self._host,
            "GATEWAY_PORT": str(self._port),
            "TMPDIR": str(unpacked),
            # Enforces the functions' IAM roles, as AWS does.
            "AUTH": "true",
            # Unused servers with ports of their own.
            "IOT_MTLS_ENABLED": "0",
            "SFTP_ENABLED": "0",
            # Keeps MiniStack from cleaning up containers, which may belong to another MiniStack.
            "DOCKER_HOST": f"unix://{LOCAL / 'no-docker'}",
        }

    def deploy_again(self, parameters: Mapping[str, str]) -> None:
        """Deploy the template again with changed parameters. Raises `LocalStackError`."""
        _require_allowed(parameters)
        self._parameters |= parameters
        self._deploy_template()

    def _deploy(self) -> None:
        self._deploy_template()
        self.client("secretsmanager").put_secret_value(
            SecretId=self.outputs["ProviderSecretArn"], SecretString=json.dumps(credentials(self.sandbox_url))
        )
        self.api_key, self.second_api_key = _kept_api_keys()
        # MiniStack allows changing a key's value, so the key stays the same from run to run.
        change = {"op": "replace", "path": "/value", "value": self.api_key}
        key_id = self.outputs["ApiKeyId"]
        self.client("apigateway").update_api_key(apiKey=key_id, patchOperations=[change])
        self._add_second_tenant()

    def _deploy_template(self) -> None:
        command = [
            *sam("deploy", "--template-file", str(self._deployed / "template.yaml")),
            # Quoted, because an unquoted value ends at its first blank.
            *("--parameter-overrides", *(f'{name}="{value}"' for name, value in self._parameters.items())),
        ]
        log = LOGS / f"deploy-{self._port}.log"
        with Child("The deployment", command, aws_environment(self.aws_endpoint_url), log) as deployment:
            try:
                deployment.finish(DEPLOY_SECONDS)
            except LocalStackError as error:
                raise LocalStackError("\n".join([str(error), *self._failures()])) from None
        described = self.client("cloudformation").describe_stacks(StackName=STACK_NAME)["Stacks"][0]
        self.outputs = {output["OutputKey"]: output["OutputValue"] for output in described["Outputs"]}
        self._put_gateway_responses()

    def _put_gateway_responses(self) -> None:
        """Set the template's GatewayResponses.

        SAM writes them into the API's OpenAPI document, where MiniStack ignores them.
        """
        client, api = self.client("apigateway"), self.outputs["ApiId"]
        for kind, declared in resource("Api")["GatewayResponses"].items():
            headers = declared["ResponseParameters"]["Headers"]
            client.put_gateway_response(
                restApiId=api,
                responseType=kind,
                statusCode=str(declared["StatusCode"]),
                responseParameters={
                    f"gatewayresponse.header.{name}": value for name, value in headers.items()
                },
                responseTemplates=declared["ResponseTemplates"],
            )
        # They take effect with the next deployment of the stage.
        client.create_deployment(restApiId=api, stageName=self._api_stage)

    def _failures(self) -> list[str]:
        """The reasons of failed resources, which are far above the end of the log."""
        with contextlib.suppress(ClientError):
            events = self.client("cloudformation").describe_stack_events(StackName=STACK_NAME)["StackEvents"]
            return [
                f"{event['LogicalResourceId']}: {event.get('ResourceStatusReason', '')}"
                for event in reversed(events)
                if event["ResourceStatus"].endswith("_FAILED")
            ]
        return []

    def _add_second_tenant(self) -> None:
        """Create a second API key and add it to the usage plan, as docs say for further tenants."""
        client = self.client("apigateway")
        made = client.create_api_key(name="second-tenant", enabled=True, value=self.second_api_key)
        plan = self.physical_id("UsagePlan")
        client.create_usage_plan_key(usagePlanId=plan, keyId=made["id"], keyType="API_KEY")


def build(to: Path) -> None:
    """Run `sam build` into `.local/build`, and copy the result to `to` for MiniStack.

    Builds in this directory run one at a time. Raises `LocalStackError`.
    """
    with _alone(LOCAL / "build.lock"):
        command = [*sam("build"), "--build-dir", str(BUILD), "--cache-dir", str(LOCAL / "cache")]
        environment = {**_environment(), "PATH": f"{BIN}{os.pathsep}{os.environ.get('PATH', os.defpath)}"}
        with Child("The build", command, environment, LOGS / "build.log") as child:
            child.finish(BUILD_SECONDS)
        shutil.rmtree(to, ignore_errors=True)
        shutil.copytree(BUILD, to)
    _leave_only_bytecode(to)


def _leave_only_bytecode(directory: Path) -> None:
    """Compile every module for the Python of MiniStack's functions, and remove the sources.

    MiniStack unpacks the layers again for each worker. Sources would be compiled each time; sources beside
    their bytecode would double the files to unpack, which takes longer still.
    """
    for made_for_lambda in [*directory.rglob("__pycache__")]:
        shutil.rmtree(made_for_lambda)
    command = [sys.executable, "-m", "compileall", "-q", "-b", "--invalidation-mode", "unchecked-hash"]
    log = LOGS / f"{directory.name}.log"
    with Child("The compilation", [*command, str(directory)], _environment(), log) as child:
        child.finish(BUILD_SECONDS)
    for source in [*directory.rglob("*.py")]:
        source.unlink()


def sam(*command: str) -> list[str]:
    """A SAM CLI command with the table `[local]` of `samconfig.toml`."""
    config = ["--config-file", str(ROOT / "samconfig.toml"), "--config-env", "local"]
    return [str(BIN / "sam"), *command, *config]


def aws_environment(endpoint_url: str) -> dict[str, str]:
    """This process's environment, pointed at the emulated AWS alone."""
    return {
        **_environment(),
        "AWS_ENDPOINT_URL": endpoint_url,
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_REGION": REGION,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
        # Seconds between SAM CLI's polls of a deployment; its default of 5 is for real AWS.
        "SAM_CLI_POLL_DELAY": "0.2",
        # Bypasses a proxy of this machine.
        "NO_PROXY": "*",
        "no_proxy": "*",
    }


def _environment() -> dict[str, str]:
    # Without PYTHONPATH: functions must import the built layer, not this directory.
    dropped = ("AWS_", "SAM_CLI_", "PYTHONPATH")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(dropped)}
    return {
        **kept,
        "PYTHONUNBUFFERED": "1",
        "SAM_CLI_TELEMETRY": "0",
    }


def _pin_api_id(template: Path) -> None:
    """Set MiniStack's tag for the API's id, so that its URL stays the same from run to run."""
    parsed = yaml_parse(template.read_text())
    properties = parsed["Resources"]["Api"]["Properties"]
    properties.setdefault("Tags", {})["ms-custom-id"] = API_ID
    # Otherwise SAM tags only the stage.
    properties["PropagateTags"] = True
    template.write_text(yaml_dump(parsed))


def _require_allowed(parameters: Mapping[str, str]) -> None:
    """Raises `LocalStackError` for parameters that the deployment would refuse or SAM CLI would ignore."""
    declared = template()["Parameters"]
    faults = [
        fault for name, value in parameters.items() for fault in parameter_faults(declared, name, value)
    ]
    if not faults:
        variables = environment(**parameters) | {"POWERTOOLS_SERVICE_NAME": STACK_NAME}
        faults = [*deployed_settings.faults_of(variables, parameters.get("AwsSmsIdentityArn", ""))]
    if faults:
        raise LocalStackError("; ".join(faults))


def _memory() -> Path | None:
    """A directory in memory with room for the layers that MiniStack unpacks; `None` if none has room.

    After a load test they are tens of thousands of files, which some disks take minutes to delete.
    """
    if not MEMORY.is_dir() or shutil.disk_usage(MEMORY).free < MEMORY_BYTES:
        return None
    return MEMORY


def _kept_api_keys() -> tuple[str, str]:
    """The API keys of both tenants, generated once for this directory."""
    path = LOCAL / "api-keys.json"
    with _alone(LOCAL / "api-keys.lock"):
        if not path.exists():
            path.write_text(json.dumps([secrets.token_hex(20) for _ in range(2)]))
        first, second = json.loads(path.read_text())
    return first, second


@contextlib.contextmanager
def _alone(lock: Path) -> Iterator[None]:
    lock.parent.mkdir(parents=True, exist_ok=True)
    with lock.open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        yield
