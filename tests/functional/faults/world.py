"""The deployed functions on emulated AWS, where AWS, the providers and Lambda fail on demand.

The bootstrap, the adapters and their HTTP transport are the real ones; the providers are the sandbox on
loopback; DynamoDB and Secrets Manager are emulated. A test injects faults between the SDK and the
emulator, and between an adapter and the network.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import boto3
import pytest
import requests
from aws_lambda_powertools.shared import user_agent
from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from mypy_boto3_dynamodb import DynamoDBClient
from mypy_boto3_secretsmanager import SecretsManagerClient

from fakes.memory import PEPPER, StepClock
from generators import events
from local.sandbox.credentials import credentials
from local.template import environment
from sms_otp.adapters import config
from sms_otp.adapters.providers import registry
from sms_otp.adapters.providers.infobip import Infobip
from sms_otp.adapters.providers.transport import HttpResponse, Transport
from sms_otp.domain.clock import Deadline
from sms_otp.entry_points import bootstrap, http
from tests import emulator
from tests.functional.deployment import HANDLERS, PATHS, Answer, Context, check
from tests.tables import create_table

NUMBER = "+14155550177"
KEY = "an-idempotency-key-of-one-order"
PLENTY = 20_000
"""The milliseconds that Lambda reports as left: the template's timeout."""


class Killed(BaseException):
    """The execution environment ends: no exception handler runs, and there is no answer."""


def aws_answer(status: int, body: Mapping[str, Any] | bytes) -> Callable[[str], AWSResponse]:
    """AWS answers this."""
    content = body if isinstance(body, bytes) else json.dumps(body)
    headers = {"content-type": "application/x-amz-json-1.0", "x-amzn-requestid": "a-request"}
    return lambda url: emulator.answered(url, status, headers, content)


def aws_error(code: str, status: int = 400, **more: Any) -> Callable[[str], AWSResponse]:
    """AWS answers with an error. Its message repeats the request's values, as a real one may."""
    message = f"One or more parameter values are not valid: {NUMBER}, {PEPPER}"
    return aws_answer(status, {"__type": f"com.amazonaws#{code}", "message": message, **more})


@dataclass
class AwsFault:
    """Fails `calls` calls of one operation from the `first` on, each in its first `tries` tries."""

    operation: str
    instead: Callable[[str], AWSResponse] | BaseException
    first: int = 1
    calls: int = 1
    tries: int = 2
    commits: bool = False
    """Whether AWS carries the request out before its answer is lost or replaced."""


class FaultyAws:
    """Stands between the SDK and the emulator."""

    def __init__(self) -> None:
        self.faults: list[AwsFault] = []
        self.calls: dict[str, int] = {}
        """The calls of the invocation, by operation. The SDK's retries are not counted."""
        self.bodies: list[tuple[str, dict[str, Any]]] = []
        """The requests to AWS, as (operation, body)."""
        self._tries: dict[str, int] = {}
        self._make_client = bootstrap._client
        self._clients: dict[str, Any] = {}

    def attach(self, session: boto3.session.Session) -> None:
        """Intercept the calls of all clients that the session makes from now on."""
        session.events.register("before-call", self._count)
        session.events.register("before-send", self._send)  # type: ignore[arg-type] # it answers

    def client(self, name: str, timeouts: dict[str, float]) -> Any:
        """As `bootstrap._client`, but makes each client once: that takes longer than a whole request."""
        if name not in self._clients:
            self._clients[name] = self._make_client(name, timeouts)
        return self._clients[name]

    def heal(self) -> None:
        """AWS works again."""
        self.faults = []

    def _count(self, model: Any, params: Mapping[str, Any], **_: Any) -> None:
        self.bodies.append((model.name, json.loads(params["body"])))
        self.calls[model.name] = self.calls.get(model.name, 0) + 1
        self._tries[model.name] = 0

    def _send(self, request: AWSPreparedRequest, event_name: str, **_: Any) -> AWSResponse:
        operation = event_name.rpartition(".")[2]
        self._tries[operation] += 1
        fault = self._fault(operation)
        if fault is None:
            return emulator.answer(request)
        if fault.commits:
            emulator.answer(request)
        if isinstance(fault.instead, BaseException):
            raise fault.instead
        return fault.instead(request.url)

    def _fault(self, operation: str) -> AwsFault | None:
        call, tried = self.calls[operation], self._tries[operation]
        for fault in self.faults:
            in_calls = fault.first <= call < fault.first + fault.calls
            if fault.operation == operation and in_calls and tried <= fault.tries:
                return fault
        return None


Exchange = Callable[[], HttpResponse]
ProviderFault = Callable[[Exchange], HttpResponse]
"""Replaces one exchange with a provider; it may call the real one or not."""


class FaultyTransport(Transport):
    """The real transport, of which some exchanges fail."""

    def __init__(self) -> None:
        super().__init__()
        self.faults: list[ProviderFault] = []

    def exchange(
        self, method: str, url: str, *, headers: Mapping[str, str], body: bytes, deadline: Deadline
    ) -> HttpResponse:
        """See `Transport`."""

        def really() -> HttpResponse:
            return super(FaultyTransport, self).exchange(
                method, url, headers=headers, body=body, deadline=deadline
            )

        return self.faults.pop(0)(really) if self.faults else really()


@dataclass
class World:
    """The deployed functions, and the ways to make their dependencies fail."""

    provider: str
    sandbox: str
    account: "Aws"
    table: str
    clock: StepClock
    browser: requests.Session
    """The client of the sandbox."""
    transport: FaultyTransport = field(default_factory=FaultyTransport)
    milliseconds: int = PLENTY
    """The time that Lambda reports as left in each invocation."""

    @property
    def aws(self) -> FaultyAws:
        """The layer between the SDK and AWS."""
        return self.account.faulty

    def request(self, key: str | None = KEY, number: str = NUMBER, request_id: str = "request-1") -> Answer:
        """Request a code, as a backend does."""
        headers = {**events.JSON_TYPE, **({"Idempotency-Key": key} if key else {})}
        return self._call("request_otp", {"phoneNumber": number}, headers, request_id)

    def verify(self, verification_id: str, otp: str, request_id: str = "request-2") -> Answer:
        """Verify a code."""
        body = {"verificationId": verification_id, "otp": otp}
        return self._call("verify_otp", body, events.JSON_TYPE, request_id)

    def resend(self, verification_id: str) -> Answer:
        """Resend the code."""
        return self._call("resend_otp", {"verificationId": verification_id}, events.JSON_TYPE, "request-3")

    def cancel(self, verification_id: str) -> Answer:
        """Cancel a verification."""
        return self._call("cancel_otp", {"verificationId": verification_id}, events.JSON_TYPE, "request-4")

    def status(self, verification_id: str) -> Answer:
        """Read the status of a verification."""
        return self._call("otp_status", {"verificationId": verification_id}, events.JSON_TYPE, "request-5")

    def _call(
        self, function: str, body: Mapping[str, str], headers: Mapping[str, str], request_id: str
    ) -> Answer:
        event = events.build(PATHS[function], body=json.dumps(body), headers=headers)
        event["requestContext"]["requestId"] = request_id
        self.aws.calls.clear()
        answered = HANDLERS[function](event, _Context(self.milliseconds))
        answer = Answer(answered["statusCode"], answered["headers"], answered["body"])
        check(answer)
        assert answer.outcome == "ok" or http.PROBLEMS[answer.outcome][0] == answer.status
        return answer

    def pending(self) -> tuple[str, str]:
        """A verification that waits for its code, and the code."""
        answer = self.request()
        assert answer.outcome == "ok"
        return answer.body["verificationId"], self.inbox()[0]["code"]

    def heal(self) -> None:
        """Everything works again."""
        self.aws.heal()
        self.transport.faults.clear()
        self.browser.delete(f"{self.sandbox}/faults", timeout=5)

    def restart(self) -> None:
        """The next request runs in a new execution environment, which keeps only the AWS clients."""
        for cached in (config.settings, *vars(bootstrap).values()):
            getattr(cached, "cache_clear", lambda: None)()

    def spoil_provider(self, operation: str, fault: str, times: int = 1) -> None:
        """Make the sandbox fail the next calls of an operation."""
        body = {"provider": self.provider, "operation": operation, "fault": fault, "times": times}
        self.browser.post(f"{self.sandbox}/faults", json=body, timeout=5).raise_for_status()

    def put_secret(self, name: str, text: str | bytes) -> None:
        """Store a new value of a secret. `name` is the setting that holds its ARN."""
        kind = "SecretBinary" if isinstance(text, bytes) else "SecretString"
        secret: dict[str, Any] = {kind: text}
        self.account.secrets.put_secret_value(SecretId=getattr(config.settings(), name), **secret)

    def inbox(self, number: str = NUMBER) -> list[dict[str, Any]]:
        """The phone's messages, newest first."""
        found = self.browser.get(f"{self.sandbox}/inbox", params={"to": number}, timeout=5).json()
        assert isinstance(found, list)
        return found

    def sms(self) -> int:
        """The number of messages on the phone."""
        return len(self.inbox())

    def checks(self) -> int:
        """The number of guesses that reached the provider."""
        calls = self.browser.get(f"{self.sandbox}/calls", timeout=5).json()
        return sum(call["operation"] == "check" for call in calls)

    def items(self, kind: str) -> list[dict[str, Any]]:
        """The table's items of one kind, by the first letter of their keys."""
        found = self.account.dynamodb.scan(TableName=self.table)["Items"]
        return [item for item in found if item["pk"]["S"].startswith(f"{kind}#")]

    def verification(self) -> dict[str, Any]:
        """The one verification, as the table holds it."""
        [item] = self.items("V")
        return item

    def change(self, item: Mapping[str, Any]) -> None:
        """Write an item from outside the functions."""
        self.account.dynamodb.put_item(TableName=self.table, Item=dict(item))

    def reserved(self) -> int:
        """The number of sends in the number record."""
        return sum(len(item.get("sends", {"SS": []})["SS"]) for item in self.items("N"))


class _Context(Context):
    """An invocation with this much time left."""

    def __init__(self, milliseconds: int) -> None:
        self._milliseconds = milliseconds

    def get_remaining_time_in_millis(self) -> int:  # type: ignore[override] # of an instance here
        return self._milliseconds


@dataclass(frozen=True)
class Aws:
    """An account with clients for the test, and the layer that makes the deployment's calls fail."""

    dynamodb: DynamoDBClient
    secrets: SecretsManagerClient
    faulty: FaultyAws


@contextmanager
def faulty_aws() -> Iterator[Aws]:
    """The deployment's clients are those of boto3's default session."""
    faulty, variables = FaultyAws(), environment()
    with emulator.emulated_aws() as beside:
        boto3.DEFAULT_SESSION = emulator.new_session()
        faulty.attach(boto3.DEFAULT_SESSION)
        aws = Aws(beside.client("dynamodb"), beside.client("secretsmanager"), faulty)
        for name in ("PEPPER_SECRET_ARN", "PROVIDER_SECRET_ARN"):
            aws.secrets.create_secret(Name=variables[name])
        yield aws


@contextmanager
def deployed_world(
    aws: Aws, provider: str, sandbox: str, clock: StepClock, patch: pytest.MonkeyPatch
) -> Iterator[World]:
    """A deployment with one provider, an empty table, valid secrets, and a phone without messages."""
    variables = environment(Stage="local", ProviderSandboxUrl=sandbox, ProviderOrder=provider)
    for name, value in variables.items():
        patch.setenv(name, value)
    with requests.Session() as browser:
        # It would look for a proxy in the environment anew each time, which takes longer than the sandbox.
        browser.trust_env = False
        world = World(provider, sandbox, aws, variables["TABLE_NAME"], clock, browser)
        world.restart()
        world.put_secret("pepper_secret_arn", json.dumps({"pepper": PEPPER}))
        world.put_secret("provider_secret_arn", json.dumps(credentials(sandbox)))
        create_table(aws.dynamodb, world.table)
        # The two seams: the clock that the bootstrap hands out, and the transport that the adapters share.
        patch.setattr(bootstrap, "time", SimpleNamespace(time=clock))
        patch.setattr(registry, "_transport", lambda: world.transport)
        patch.setattr(bootstrap, "_client", aws.faulty.client)
        # Skip the pause that Infobip needs between two guesses.
        patch.setitem(Infobip.__init__.__kwdefaults__ or {}, "sleep", lambda _: None)
        # It would add itself to a client's user agent once more for each environment.
        patch.setattr(user_agent, "register_feature_to_client", lambda **_: None)
        for path in ("inbox", "calls", "faults"):
            world.browser.delete(f"{sandbox}/{path}", timeout=5)
        try:
            yield world
        finally:
            world.heal()
            aws.dynamodb.delete_table(TableName=world.table)
            world.restart()
