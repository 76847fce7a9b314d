"""Infobip set up by the deployment itself, and codes sent by what it made."""

from collections.abc import Iterator

import pytest
import requests

from local import provision_check
from local.deployed import described
from local.sandbox.credentials import INFOBIP_APPLICATION_ID
from local.stack import STACK_NAME, LocalStack
from tests.e2e.conftest import Backend, fresh_number

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def provisioned() -> Iterator[LocalStack]:
    """Deployed once without, so that its secret could be put, and then with it."""
    with LocalStack() as running:
        assert "InfobipApplicationId" not in running.outputs
        running.deploy_again(
            {
                "ProvisionInfobip": "true",
                "InfobipLocaleTexts": "de=Dein_Code_{{pin}}",
                "CodeLifeSeconds": "240",
            }
        )
        yield running


def writes(stack: LocalStack) -> list[str]:
    """What wrote to Infobip's application and templates, of all deployments."""
    calls = requests.get(f"{stack.sandbox_url}/calls", timeout=10).json()
    names = [call["operation"] for call in calls if call["operation"].startswith("provision-")]
    return [name.removeprefix("provision-") for name in names if name != "provision-read"]


def test_codes_are_sent_and_checked_by_what_the_deployment_made(provisioned: LocalStack) -> None:
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
    assert message["text"] == f"Your code is {message['code']}."


def test_the_next_deployments_change_what_differs_and_the_check_sees_it(provisioned: LocalStack) -> None:
    made = ["create"] * 3
    assert writes(provisioned) == made
    provisioned.deploy_again({})
    assert writes(provisioned) == made
    provisioned.deploy_again({"CodeLifeSeconds": "180"})
    assert writes(provisioned) == [*made, "update"]
    found = provision_check.look(described(STACK_NAME, provisioned.client))
    assert [verdict for *_, verdict in provision_check.rows(found)] == ["as wanted"] * 3
