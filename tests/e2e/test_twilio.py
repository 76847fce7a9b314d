"""Twilio's clients for Python and Node call the deployed template; only their base URL is changed."""

import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import pytest
import requests
from twilio.base.exceptions import TwilioRestException
from twilio.rest import Client

from local.run import ACCOUNT, SERVICE
from local.stack import LocalStack
from local.template import ROOT
from tests.e2e.conftest import Backend, fresh_number

pytestmark = pytest.mark.e2e

PACKAGES = ROOT / ".venv/vendors/node_modules"
NODE = Path(sys.prefix) / "bin/node"
SATELLITE = "+870301234567"
"""libphonenumber's example of a number in no country."""

Fields = dict[str, Any]


class Refused(Exception):
    """A client raised an error, with this status and Twilio's code."""

    def __init__(self, status: int, code: int) -> None:
        super().__init__(status, code)
        self.outcome = (status, code)


class Api(Protocol):
    """The calls of Twilio Verify in either language. Fields have the names of Twilio's JSON."""

    def start(self, to: str, channel: str = "sms") -> Fields: ...
    def check(self, code: str, **named: str) -> Fields: ...
    def fetch(self, name: str) -> Fields: ...
    def cancel(self, name: str) -> Fields: ...


class PythonApi:
    def __init__(self, base_url: str, token: str) -> None:
        client = Client(ACCOUNT, token)
        client.verify.base_url = base_url
        self._service = client.verify.v2.services(SERVICE)

    def start(self, to: str, channel: str = "sms") -> Fields:
        return self._call(lambda: self._service.verifications.create(to=to, channel=channel))

    def check(self, code: str, **named: str) -> Fields:
        return self._call(lambda: self._service.verification_checks.create(code=code, **named))

    def fetch(self, name: str) -> Fields:
        return self._call(lambda: self._service.verifications(name).fetch())

    def cancel(self, name: str) -> Fields:
        return self._call(lambda: self._service.verifications(name).update(status="canceled"))

    def _call(self, call: Any) -> Fields:
        try:
            found = vars(call())
        except TwilioRestException as error:
            raise Refused(error.status, error.code) from error
        return {name: value for name, value in found.items() if not name.startswith("_")}


@dataclass
class NodeApi:
    process: subprocess.Popen[str]

    def start(self, to: str, channel: str = "sms") -> Fields:
        return self._call("start", to, channel)

    def check(self, code: str, **named: str) -> Fields:
        members = {"to": "to", "verification_sid": "verificationSid"}
        return self._call("check", {"code": code, **{members[name]: value for name, value in named.items()}})

    def fetch(self, name: str) -> Fields:
        return self._call("fetch", name)

    def cancel(self, name: str) -> Fields:
        return self._call("cancel", name)

    def _call(self, call: str, *values: Any) -> Fields:
        assert self.process.stdin
        assert self.process.stdout
        self.process.stdin.write(json.dumps({"call": call, "values": values}) + "\n")
        self.process.stdin.flush()
        line = json.loads(self.process.stdout.readline())
        if "error" in line:
            error = line["error"]
            assert error["kind"] == "RestException", error
            assert error["moreInfo"].endswith(str(error["code"]))
            raise Refused(error["status"], error["code"])
        return {_snake(name): value for name, value in line["answer"].items()}


def _snake(name: str) -> str:
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name)


@pytest.fixture
def backend(with_twilio_api: LocalStack) -> Backend:
    return Backend(with_twilio_api, with_twilio_api.api_key)


@pytest.fixture(scope="module")
def node(with_twilio_api: LocalStack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[NodeApi]:
    folder = tmp_path_factory.mktemp("twilio")
    (folder / "node_modules").symlink_to(PACKAGES)
    (folder / "calls.mjs").write_text((ROOT / "tests/vendors/twilio.mjs").read_text())
    variables = {
        "ACCOUNT": ACCOUNT,
        "TOKEN": with_twilio_api.api_key,
        "SERVICE": SERVICE,
        "BASE_URL": with_twilio_api.sandbox_url,
    }
    command = [str(NODE), "calls.mjs"]
    with subprocess.Popen(  # noqa: S603 - a program of our own
        command, cwd=folder, env=variables, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        yield NodeApi(process)
        assert process.stdin
        process.stdin.close()


@pytest.fixture(params=["python", "node"])
def api(request: pytest.FixtureRequest, backend: Backend) -> Api:
    if request.param == "node":
        found: NodeApi = request.getfixturevalue("node")
        return found
    return PythonApi(backend.stack.sandbox_url, backend.api_key)


def refused(call: Any) -> tuple[int, int]:
    with pytest.raises(Refused) as error:
        call()
    return error.value.outcome


def wrong_for(code: str) -> str:
    return "111111" if code != "111111" else "222222"


def test_a_user_signs_up(backend: Backend, api: Api) -> None:
    number = fresh_number()
    started = api.start(number)
    assert (started["status"], started["to"], started["channel"]) == ("pending", number, "sms")
    code = backend.code(number)
    wrong = api.check(wrong_for(code), to=number)
    assert (wrong["status"], wrong["valid"], wrong["sid"]) == ("pending", False, started["sid"])
    right = api.check(code, to=number)
    assert (right["status"], right["valid"], right["sid"]) == ("approved", True, started["sid"])
    assert refused(lambda: api.check(code, to=number)) == (404, 20404)
    assert refused(lambda: api.fetch(started["sid"])) == (404, 20404)


def test_the_clients_read_every_field(backend: Backend, api: Api) -> None:
    number = fresh_number()
    started, fetched = api.start(number), api.fetch(number)
    assert started["sid"] == fetched["sid"]
    for found in (started, fetched):
        assert (found["service_sid"], found["account_sid"]) == (SERVICE, ACCOUNT)
        assert (found["lookup"], found["amount"], found["payee"], found["sna"]) == ({}, None, None, None)
        assert found["date_created"]
        assert found["date_updated"]
        assert found["url"].endswith(found["sid"])
        (attempt,) = found["send_code_attempts"]
        assert attempt["attempt_sid"].startswith("VL")
    checked = api.check(wrong_for(backend.code(number)), verification_sid=started["sid"])
    assert checked["sna_attempts_error_codes"] is None


def test_a_second_start_resends_the_code_of_the_same_verification(backend: Backend, api: Api) -> None:
    number = fresh_number()
    first, second = api.start(number), api.start(number, "call")
    assert (second["sid"], second["channel"]) == (first["sid"], "call")
    assert len(backend.inbox(number)) == 2
    assert api.check(backend.code(number), verification_sid=first["sid"])["status"] == "approved"


def test_five_wrong_codes_end_a_verification(backend: Backend, api: Api) -> None:
    number = fresh_number()
    api.start(number)
    code = backend.code(number)
    for _ in range(5):
        assert api.check(wrong_for(code), to=number)["status"] == "pending"
    assert refused(lambda: api.check(code, to=number)) == (429, 60202)


def test_a_cancelled_verification_is_gone(backend: Backend, api: Api) -> None:
    number = fresh_number()
    api.start(number)
    assert api.cancel(number)["status"] == "canceled"
    code = backend.code(number)
    assert refused(lambda: api.check(code, to=number)) == (404, 20404)
    assert refused(lambda: api.cancel(number)) == (404, 20404)


def test_an_expired_code_is_gone(backend: Backend, api: Api) -> None:
    number = fresh_number()
    api.start(number)
    table, client = backend.stack.outputs["TableName"], backend.stack.client("dynamodb")
    for item in client.scan(TableName=table)["Items"]:
        if item.get("phone", {}).get("S") == number:
            client.put_item(TableName=table, Item=item | {"expiresAt": {"N": "1"}})
    code = backend.code(number)
    assert refused(lambda: api.check(code, to=number)) == (404, 20404)


def test_a_number_in_no_allowed_country_is_refused(api: Api) -> None:
    assert refused(lambda: api.start(SATELLITE)) == (403, 60605)


def test_a_number_has_a_limit_of_sends(backend: Backend, api: Api) -> None:
    number = fresh_number()
    outcomes = []
    for _ in range(20):
        try:
            outcomes.append(api.start(number)["status"])
        except Refused as error:
            outcomes.append(str(error.outcome))
            break
    assert outcomes[-1] == "(429, 60203)"
    assert len(backend.inbox(number)) == len(outcomes) - 1 > 0


def test_an_unsupported_channel_or_invalid_number_is_refused(api: Api) -> None:
    assert refused(lambda: api.start(fresh_number(), "email")) == (400, 60200)
    assert refused(lambda: api.start("0179")) == (400, 60200)


def test_a_wrong_token_is_not_authenticated(backend: Backend) -> None:
    wrong = PythonApi(backend.stack.sandbox_url, "an-unknown-token")
    number = fresh_number()
    assert refused(lambda: wrong.start(number)) == (401, 20003)
    url = f"{backend.stack.sandbox_url}/v2/Services/{SERVICE}/Verifications"
    answer = requests.post(url, data={"To": number, "Channel": "sms"}, timeout=10)
    assert (answer.status_code, answer.json()["code"]) == (401, 20003)
    assert backend.inbox(number) == []


def test_no_tenant_sees_anothers_verification(backend: Backend, api: Api) -> None:
    number = fresh_number()
    started = api.start(number)
    stranger = PythonApi(backend.stack.sandbox_url, backend.stack.second_api_key)
    code = backend.code(number)
    for call in (
        lambda: stranger.fetch(started["sid"]),
        lambda: stranger.fetch(number),
        lambda: stranger.cancel(number),
        lambda: stranger.check(code, to=number),
        lambda: stranger.check(code, verification_sid=started["sid"]),
    ):
        assert refused(call) == (404, 20404)
    assert api.check(code, to=number)["status"] == "approved"


def test_no_log_has_a_number_or_the_key(backend: Backend, api: Api) -> None:
    """Not even the path of `GET …/Verifications/{To}`."""
    number = fresh_number()
    api.start(number)
    api.fetch(number)
    api.cancel(number)
    logs = backend.stack.client("logs")
    logged = ""
    for group in logs.describe_log_groups()["logGroups"]:
        events = logs.filter_log_events(logGroupName=group["logGroupName"])["events"]
        logged += "".join(event["message"] for event in events)
    assert "otp_cancelled" in logged
    assert number[-9:] not in logged
    assert backend.api_key not in logged
