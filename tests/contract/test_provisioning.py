"""The custom resource sets up Infobip over real HTTP and answers CloudFormation."""

import http.server
import json
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import pytest
import requests

from local.sandbox.credentials import credentials
from local.sandbox.server import running_sandbox
from local.template import environment, template
from ops import provision_check
from sms_otp.adapters.config import Settings
from sms_otp.adapters.providers import registry
from sms_otp.domain.clock import Deadline, Seconds
from sms_otp.domain.phone import PhoneNumber
from sms_otp.domain.provider import Channel, CodeMessage
from sms_otp.entry_points import custom_resource
from sms_otp.setup import desired_state, provisioning

PROPERTIES = {
    name: str(template()["Parameters"][name]["Default"])
    for name in template()["Resources"]["InfobipSetup"]["Properties"]
    if name in template()["Parameters"]
} | {"InfobipApplicationName": "sms-otp"}
WRONG_KEY = "canary-of-a-wrong-key"


class CloudFormation(http.server.BaseHTTPRequestHandler):
    """Receives the answers of the custom resource."""

    answers: ClassVar[list[dict[str, Any]]] = []
    media_types: ClassVar[list[str | None]] = []

    def do_PUT(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.answers.append(json.loads(body))
        self.media_types.append(self.headers["Content-Type"])
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        """Logs nothing."""


@pytest.fixture
def response_url() -> Iterator[str]:
    CloudFormation.answers.clear()
    CloudFormation.media_types.clear()
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), CloudFormation) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/answer?signed=%2Fyes%3D"
        server.shutdown()
        thread.join()


@dataclass
class Deployment:
    """A stack that is deployed repeatedly, with an Infobip account of its own."""

    sandbox: str
    response_url: str
    settings: Settings
    api_key: str | None = None

    def __call__(self, kind: str = "Create", **parameters: str) -> dict[str, Any]:
        event: custom_resource.Event = {
            "RequestType": kind,
            "RequestId": "a-request",
            "StackId": "a-stack",
            "LogicalResourceId": "InfobipSetup",
            "ResponseURL": self.response_url,
            "ResourceProperties": {**PROPERTIES, "ServiceToken": "an-arn", **parameters},
        }
        custom_resource.answer(event, self._provision, self.settings.stage)
        return CloudFormation.answers[-1]

    def _provision(self, parameters: Mapping[str, str]) -> Mapping[str, str]:
        held: dict[str, object] = {**credentials(self.sandbox)["infobip"]}
        if self.api_key is not None:
            held["apiKey"] = self.api_key
        account = provisioning.open_account(held, self.settings)
        return provisioning.provision(account, desired_state.desired_state_from(parameters)).attributes

    def deployed(self, made: Mapping[str, str]) -> Settings:
        """The settings of the functions after a deployment whose custom resource answered `made`."""
        names = ("ApplicationId", "MessageId", "MessageIds", "IndiaMessageIds", "MessageParts")
        ids = {f"Infobip{name}": made[name] for name in names}
        return Settings.from_environment(environment(Stage="local", ProviderSandboxUrl=self.sandbox, **ids))

    def calls(self) -> list[str]:
        """The writes that reached Infobip since the last call of this method."""
        made = requests.get(f"{self.sandbox}/calls", timeout=5).json()
        requests.delete(f"{self.sandbox}/calls", timeout=5).raise_for_status()
        assert {call["provider"] for call in made} <= {"infobip"}
        return [call["operation"] for call in made if call["operation"] != "provision-read"]

    def found(self, **parameters: str) -> list[str]:
        """Field and verdict of `make provision-check` where a field is not as desired."""
        account = provisioning.open_account(dict(credentials(self.sandbox)["infobip"]), self.settings)
        found = provisioning.look(account, desired_state.desired_state_from({**PROPERTIES, **parameters}))
        rows = provision_check.rows(found)
        return [f"{field} {verdict}".strip() for _, field, _, _, verdict in rows if verdict != "as desired"]


@pytest.fixture
def deploy(response_url: str) -> Iterator[Deployment]:
    with running_sandbox() as url:
        settings = Settings.from_environment(environment(Stage="local", ProviderSandboxUrl=url))
        yield Deployment(url, response_url, settings)


def test_a_repeated_deployment_creates_once_and_updates_only_a_change(
    deploy: Deployment,
) -> None:
    first = deploy()
    # The application, and its one template.
    assert deploy.calls() == ["provision-create", "provision-create"]
    assert deploy("Update")["Data"] == first["Data"]
    assert deploy.calls() == []
    assert deploy("Update", CodeLifeSeconds="240")["Data"] == first["Data"]
    assert deploy.calls() == ["provision-update"]
    assert first["Status"] == "SUCCESS"
    assert first["Data"]["MessageIds"] == f"en={first['Data']['MessageId']}"


def test_a_code_is_sent_with_each_template_that_was_created(
    deploy: Deployment,
) -> None:
    made = deploy(InfobipTexts="en=Your code is {{pin}}.;de=Ihr Code ist {{pin}}.")["Data"]
    ids = dict(pair.split("=") for pair in made["MessageIds"].split(","))
    assert ids.keys() == {"en", "de"}
    infobip = credentials(deploy.sandbox)["infobip"]
    for message_id in ids.values():
        sent = requests.post(
            f"{infobip['baseUrl']}/2fa/2/pin",
            json={"applicationId": made["ApplicationId"], "messageId": message_id, "to": "14155550123"},
            headers={"Authorization": f"App {infobip['apiKey']}"},
            timeout=5,
        )
        assert sent.status_code == 200, sent.text
    german, english = requests.get(f"{deploy.sandbox}/inbox", timeout=5).json()
    assert german["text"] == f"Ihr Code ist {german['code']}."
    assert english["text"] == f"Your code is {english['code']}."


def test_a_further_language_creates_one_template_and_nothing_else(deploy: Deployment) -> None:
    deploy()
    deploy.calls()
    deploy("Update", InfobipTexts="en=Your code is {{pin}}.;de=Ihr Code ist {{pin}}.")
    assert deploy.calls() == ["provision-create"]


APP_HASH = "FA+9qCX9VSu"
LOGIN = "{{pin}} logs you in.\\n@example.com #{{pin}} {{appHash}}"


def test_a_send_and_a_resend_have_the_text_of_the_purpose_and_the_app_hash(
    deploy: Deployment,
) -> None:
    made = deploy(InfobipTexts=f"en=Your code is {{{{pin}}}}.;en/login={LOGIN}")["Data"]
    chosen = deploy.deployed(made)
    provider = registry.build("infobip", dict(credentials(deploy.sandbox)["infobip"]), chosen)
    us = PhoneNumber("+14155550123", "US")
    plain = CodeMessage(us, Channel.SMS, "en-US", "ours", Seconds(300), purpose="login")
    in_app = replace(plain, app_hash=APP_HASH)
    provider.send(plain, Deadline(10))
    sent = provider.send(in_app, Deadline(10))
    again = provider.resend(sent.ref, in_app, Deadline(10))
    third, second, first = requests.get(f"{deploy.sandbox}/inbox", timeout=5).json()
    login = "{code} logs you in.\n@example.com #{code}"
    assert first["text"] == login.format(code=first["code"])
    assert second["text"] == login.format(code=second["code"]) + f" {APP_HASH}"
    assert (third["text"], again.is_same_code, again.has_app_hash) == (second["text"], True, True)


def test_a_changed_text_updates_its_own_template_only(deploy: Deployment) -> None:
    before = deploy(InfobipTexts=f"en=Your code is {{{{pin}}}}.;en/login={LOGIN}")["Data"]
    deploy.calls()
    after = deploy("Update", InfobipTexts=f"en={{{{pin}}}} is your code.;en/login={LOGIN}")["Data"]
    assert (after["MessageIds"], deploy.calls()) == (before["MessageIds"], ["provision-update"])
    names = [pair.partition("=")[0] for pair in after["MessageIds"].split(",")]
    assert names == ["en", "en/login", "en/login+appHash"]


def test_the_check_says_which_text_is_billed_as_several_messages(deploy: Deployment) -> None:
    long = {"InfobipTexts": "en={{pin}}" + "x" * 143 + " {{appHash}}"}
    deploy(**long)
    account = provisioning.open_account(dict(credentials(deploy.sandbox)["infobip"]), deploy.settings)
    found = provisioning.look(account, desired_state.desired_state_from({**PROPERTIES, **long}))
    rows = [row for row in provision_check.rows(found) if row[4] == "longer than one SMS"]
    assert rows == [("template en+appHash", "messages", "1", "2", "longer than one SMS")]


def test_numbers_in_india_are_sent_the_texts_that_are_registered_there(deploy: Deployment) -> None:
    texts = {"InfobipTexts": "en=Your code is {{pin}}.;de=Ihr Code ist {{pin}}.;fr=Votre code est {{pin}}."}
    made = deploy(**texts)["Data"]
    assert made["IndiaMessageIds"] == made["MessageIds"]
    ids = {"IndiaDlt": "1101;1107;fr=1109"}
    registered = deploy("Update", **texts, **ids)["Data"]
    assert deploy.calls()[-2:] == ["provision-update"] * 2
    assert registered["MessageIds"] == made["MessageIds"]
    by_language = dict(pair.split("=") for pair in made["MessageIds"].split(","))
    assert registered["IndiaMessageIds"] == f"en={by_language['en']},fr={by_language['fr']}"


def test_a_cleared_parameter_is_cleared_at_infobip_once(deploy: Deployment) -> None:
    texts = {"InfobipSenderIds": "*=Acme", "InfobipVoices": "en=Joanna,rate=0.8"}
    india = {"IndiaDlt": "1101;1107"}
    deploy(**texts, **india)
    assert deploy.found(**texts, **india) == []
    deploy.calls()
    deploy("Update")
    assert deploy.calls() == ["provision-update"]
    deploy("Update")
    assert deploy.calls() == []
    assert deploy.found() == []


def test_a_field_that_infobip_does_not_update_fails_the_deployment_by_name(
    deploy: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    deploy(InfobipSenderIds="*=Acme")
    update = provisioning.Account.update_template

    def keeps(
        self: provisioning.Account, application_id: str, message_id: str, body: desired_state.Body
    ) -> desired_state.Body:
        return {**update(self, application_id, message_id, body), "senderId": "Acme"}

    monkeypatch.setattr(provisioning.Account, "update_template", keeps)
    answer = deploy("Update")
    assert answer["Status"] == "FAILED"
    assert "Infobip keeps senderId of template en" in answer["Reason"]


def test_a_wrong_key_fails_the_deployment_and_is_not_in_the_answer(deploy: Deployment) -> None:
    deploy.api_key = WRONG_KEY
    answer = deploy()
    assert answer["Status"] == "FAILED"
    assert answer["Reason"] == "Infobip answered GET /2fa/2/applications with 401 UNAUTHORIZED Unauthorized"
    assert WRONG_KEY not in json.dumps(answer)


def test_a_parameter_that_infobip_refuses_fails_the_deployment_and_names_it(deploy: Deployment) -> None:
    answer = deploy(MaxAttempts="0")
    assert answer["Status"] == "FAILED"
    assert "400 BAD_REQUEST Bad request" in answer["Reason"]
    assert "configuration.pinAttempts" in answer["Reason"]


def test_a_secret_that_was_not_put_yet_fails_the_deployment_and_says_what_to_do(deploy: Deployment) -> None:
    deploy.api_key = ""
    answer = deploy()
    assert answer["Status"] == "FAILED"
    assert answer["Reason"].endswith(
        "must be put before ProvisionInfobip is true: secret field infobip.apiKey"
    )
    assert deploy.calls() == []


def test_a_deployment_succeeds_after_failed_ones(deploy: Deployment) -> None:
    fault = {"provider": "infobip", "operation": "provision", "fault": "500", "times": 3}
    requests.post(f"{deploy.sandbox}/faults", json=fault, timeout=5).raise_for_status()
    assert deploy()["Status"] == "FAILED"
    assert deploy()["Status"] == "FAILED"
    assert deploy()["Status"] == "FAILED"
    assert deploy.calls() == []
    assert deploy()["Status"] == "SUCCESS"
    assert deploy.calls() == ["provision-create", "provision-create"]


def test_the_next_deployment_finds_an_application_whose_answer_was_lost(
    deploy: Deployment,
) -> None:
    lost = {"provider": "infobip", "operation": "provision-create", "fault": "lost"}
    requests.post(f"{deploy.sandbox}/faults", json=lost, timeout=5).raise_for_status()
    answer = deploy()
    assert answer["Status"] == "FAILED"
    assert answer["Reason"] == "Infobip gave no answer to POST /2fa/2/applications: read_timeout"
    deploy.calls()
    assert deploy()["Status"] == "SUCCESS"
    # Only the template was missing.
    assert deploy.calls() == ["provision-create"]


def test_deleting_the_stack_changes_nothing_at_infobip(deploy: Deployment) -> None:
    deploy()
    deploy.calls()
    assert deploy("Delete")["Status"] == "SUCCESS"
    assert deploy.calls() == []
    assert deploy.found() == []


def test_every_answer_names_the_one_resource_and_the_request(deploy: Deployment) -> None:
    for kind in ("Create", "Update", "Delete"):
        answer = deploy(kind)
        assert answer["PhysicalResourceId"] == answer["LogicalResourceId"] == "InfobipSetup"
        assert (answer["StackId"], answer["RequestId"]) == ("a-stack", "a-request")
    # The URL is signed for an empty media type.
    assert set(CloudFormation.media_types) == {""}


def test_the_check_lists_every_setting_that_matters(deploy: Deployment) -> None:
    deploy(InfobipSenderIds="*=Acme")
    account = provisioning.open_account(dict(credentials(deploy.sandbox)["infobip"]), deploy.settings)
    desired = desired_state.desired_state_from({**PROPERTIES, "InfobipSenderIds": "*=Acme"})
    rows = list(provision_check.rows(provisioning.look(account, desired)))
    assert {verdict for *_, verdict in rows} == {"as desired"}
    listed = {field: (want, have) for _, field, want, have, _ in rows}
    assert listed["configuration.verifyPinLimit"] == ("5/3s", "5/3s")
    assert listed["pinLength"] == ("6", "6")
    assert listed["senderId"] == ("Acme", "Acme")
    assert "voiceName" not in listed


def test_the_check_reads_the_application_of_the_secret_if_none_is_provisioned(
    deploy: Deployment,
) -> None:
    held = credentials(deploy.sandbox)["infobip"]
    account = provisioning.open_account(dict(held), deploy.settings)
    desired = desired_state.desired_state_from(PROPERTIES)
    found = provisioning.look(account, desired, application_id=held["applicationId"])
    rows = list(provision_check.rows(found))
    weaker = {field for _, field, _, _, verdict in rows if verdict == "weaker"}
    assert {"configuration.pinAttempts", "configuration.allowMultiplePinVerifications"} <= weaker
    assert "missing" not in {verdict for *_, verdict in rows}


def test_the_check_says_what_is_weaker_and_what_only_differs(deploy: Deployment) -> None:
    assert deploy.found() == ["missing", "missing"]
    deploy(CodeLifeSeconds="600", InfobipTexts="en=Old {{pin}}")
    assert deploy.found() == ["configuration.pinTimeToLive weaker", "messageText differs"]
    assert deploy.found(CodeLifeSeconds="600", InfobipTexts="en=Old {{pin}}") == []


@pytest.mark.parametrize("stage", ["dev", "prod"])
def test_only_a_local_stack_may_be_answered_without_tls(deploy: Deployment, stage: str) -> None:
    deploy.settings = replace(deploy.settings, stage=stage, provider_sandbox_url="")
    with pytest.raises(ValueError, match="not https"):
        deploy("Delete")
    assert CloudFormation.answers == []


def test_an_unexpected_error_is_answered_by_class_only(response_url: str, deploy: Deployment) -> None:
    def act(_: Mapping[str, str]) -> Mapping[str, str]:
        raise KeyError(WRONG_KEY)

    event: custom_resource.Event = {
        "RequestType": "Create",
        "RequestId": "a-request",
        "StackId": "a-stack",
        "LogicalResourceId": "InfobipSetup",
        "ResponseURL": response_url,
        "ResourceProperties": {},
    }
    custom_resource.answer(event, act, deploy.settings.stage)
    assert CloudFormation.answers[-1]["Reason"] == "KeyError while the custom resource was made"
