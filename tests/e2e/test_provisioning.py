"""The deployment sets up Infobip itself, and codes are sent with the application that it created."""

import subprocess
import sys
from collections.abc import Iterator

import pytest
import requests

from local.sandbox.credentials import INFOBIP_API_KEY, INFOBIP_APPLICATION_ID
from local.stack import STACK_NAME, LocalStack, aws_environment
from local.stack_file import ROOT, LocalStackError
from ops import provision_check
from ops.deployed import described
from tests.e2e.conftest import ROUTES, SENDER, Backend, fresh_number

TEXTS = "en=Your_code_is_{{pin}}.;de=Dein_Code_{{pin}};en/login={{pin}}_logs_in\\n{{appHash}}"

pytestmark = [pytest.mark.e2e, pytest.mark.long]


@pytest.fixture(scope="module")
def provisioned() -> Iterator[LocalStack]:
    """Deployed without provisioning, to put the secret, and then with it. Codes have eight digits."""
    with LocalStack(
        parameters={"CodeLength": "8", "ProviderRoutes": ROUTES, "AwsSmsIdentityArn": SENDER}
    ) as running:
        assert "InfobipApplicationId" not in running.outputs
        running.deploy_again(
            {
                "ProvisionInfobip": "true",
                "InfobipTexts": TEXTS,
                "CodeLifeSeconds": "240",
            }
        )
        yield running


def writes(stack: LocalStack) -> list[str]:
    """The calls of all deployments that changed the application and templates at Infobip."""
    calls = requests.get(f"{stack.sandbox_url}/calls", timeout=10).json()
    names = [call["operation"] for call in calls if call["operation"].startswith("provision-")]
    return [name.removeprefix("provision-") for name in names if name != "provision-read"]


def test_codes_are_sent_and_checked_with_the_provisioned_application(provisioned: LocalStack) -> None:
    assert provisioned.outputs["InfobipApplicationId"] != INFOBIP_APPLICATION_ID
    backend = Backend(provisioned, provisioned.api_key)
    number = fresh_number()
    verification_id = backend.requested(number, locale="de-AT")
    (message,) = backend.inbox(number)
    assert (message["provider"], message["text"]) == ("infobip", f"Dein_Code_{message['code']}")
    assert backend.verify(verification_id, message["code"]).status_code == 200
    other = fresh_number()
    backend.requested(other)
    (message,) = backend.inbox(other)
    assert message["text"] == f"Your_code_is_{message['code']}."


def test_a_code_is_sent_in_the_text_of_its_purpose_and_with_the_apps_hash(provisioned: LocalStack) -> None:
    backend, number = Backend(provisioned, provisioned.api_key), fresh_number()
    answer = backend.request(number, purpose="login", appHash="FA+9qCX9VSu").json()
    (message,) = backend.inbox(number)
    assert (message["text"], answer["appHashSent"]) == (f"{message['code']}_logs_in\nFA+9qCX9VSu", True)
    assert backend.verify(answer["verificationId"], message["code"]).status_code == 200


@pytest.mark.parametrize(("provider", "area"), [("infobip", ""), ("sinch", "787"), ("aws", "416")])
def test_a_code_of_eight_digits_is_requested_and_verified(
    provisioned: LocalStack, provider: str, area: str
) -> None:
    backend, number = Backend(provisioned, provisioned.api_key), fresh_number(area)
    verification_id = backend.requested(number)
    (message,) = backend.inbox(number)
    assert (message["provider"], len(message["code"])) == (provider, 8)
    short = backend.verify(verification_id, message["code"][:6])
    assert (short.status_code, short.json()["errorCode"]) == (400, "INVALID_OTP_FORMAT")
    assert backend.verify(verification_id, message["code"]).status_code == 200


def test_later_deployments_change_only_what_differs_and_the_check_passes(provisioned: LocalStack) -> None:
    made = ["create"] * 5
    assert writes(provisioned) == made
    provisioned.deploy_again({})
    assert writes(provisioned) == made
    provisioned.deploy_again({"CodeLifeSeconds": "180"})
    assert writes(provisioned) == [*made, "update"]
    found = provision_check.look(described(STACK_NAME, provisioned.client))
    assert {verdict for *_, verdict in provision_check.rows(found)} == {"as desired"}


def check(stack: LocalStack) -> tuple[int, str]:
    """Run `make provision-check STACK=…`. Returns its exit status and its output."""
    command = [sys.executable, "-m", "ops.provision_check", "--stack", STACK_NAME]
    paths = {"PYTHONPATH": str(ROOT / "layers/core")}
    ended = subprocess.run(  # noqa: S603 - a command of our own, no shell
        command,
        cwd=ROOT,
        env=aws_environment(stack.aws_endpoint_url) | paths,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return ended.returncode, ended.stdout


def test_the_check_finds_a_setting_that_was_weakened_by_hand(provisioned: LocalStack) -> None:
    assert check(provisioned)[0] == 0
    url = (
        f"{provisioned.sandbox_url}/infobip/2fa/2/applications/{provisioned.outputs['InfobipApplicationId']}"
    )
    headers = {"Authorization": f"App {INFOBIP_API_KEY}"}
    before = requests.get(url, headers=headers, timeout=10).json()
    loose = {**before, "configuration": {**before["configuration"], "pinAttempts": 10}}
    requests.put(url, json=loose, headers=headers, timeout=10).raise_for_status()
    status, printed = check(provisioned)
    (weaker,) = [line.split() for line in printed.splitlines() if line.endswith("weaker")]
    assert (status, weaker[2:]) == (1, ["configuration.pinAttempts", "5", "10", "weaker"])
    requests.put(url, json=before, headers=headers, timeout=10).raise_for_status()


def test_a_call_that_infobip_refuses_fails_the_deployment_with_its_error_text(
    provisioned: LocalStack,
) -> None:
    fault = {"provider": "infobip", "operation": "provision", "fault": "500", "times": 100}
    requests.post(f"{provisioned.sandbox_url}/faults", json=fault, timeout=10).raise_for_status()
    with pytest.raises(LocalStackError):
        provisioned.deploy_again({"CodeLifeSeconds": "120"})
    requests.delete(f"{provisioned.sandbox_url}/faults", timeout=10).raise_for_status()
    events = provisioned.client("cloudformation").describe_stack_events(StackName=STACK_NAME)["StackEvents"]
    reasons = [str(event.get("ResourceStatusReason")) for event in events]
    text = "500 GENERAL_ERROR Something went wrong. Please contact support."
    assert [reason for reason in reasons if text in reason], reasons[:10]
    backend, number = Backend(provisioned, provisioned.api_key), fresh_number()
    verification_id = backend.requested(number)
    assert backend.verify(verification_id, backend.code(number)).status_code == 200
