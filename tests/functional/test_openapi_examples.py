"""Every example of `openapi.yaml` is sent, and answered with a status, headers and body that it declares.

The ids of the examples do not exist, so each example is sent once as it is, and once with the id of a
verification that was made for it.
"""

import importlib
import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import fastjsonschema
import pytest

from generators import api_doc, events
from local.template import template
from sms_otp.adapters.dynamodb.numbers import DynamoNumbers
from sms_otp.entry_points import bootstrap
from sms_otp.use_cases.administration import Administration
from sms_otp.use_cases.status import Lifecycle
from tests.functional.deployment import Context, Deployment

DOCUMENT = api_doc.Document(api_doc.SOURCE.read_text())
IDS = ("verificationId", "authenticationId")
CODES = ("otp", "code")
NUMBER = "+14155550123"
JSON = "application/json"


def handlers() -> dict[str, Callable[[dict[str, Any], Any], dict[str, Any]]]:
    """The handlers by path, from the template."""
    found = {}
    for declared in template()["Resources"].values():
        for event in declared["Properties"].get("Events", {}).values():
            if event["Type"] == "Api":
                module = declared["Properties"]["Handler"].removesuffix(".lambda_handler")
                found[event["Properties"]["Path"]] = importlib.import_module(module).lambda_handler
    return found


def sent_examples() -> Iterator[Any]:
    """The examples of every operation that takes a body from an authenticated caller."""
    for path, methods in DOCUMENT.root["paths"].items():
        for operation in methods.values():
            media = operation.get("requestBody", {}).get("content", {}).get(JSON)
            if media is not None and operation.get("security", DOCUMENT.root["security"]):
                for name, example in DOCUMENT.examples(media).items():
                    yield pytest.param(path, operation, example["value"], id=f"{path} {name}")


@pytest.fixture
def whole(deployed: Deployment, monkeypatch: pytest.MonkeyPatch) -> Deployment:
    """A deployment that finds verifications by number, with status and administration on the same table."""
    given = bootstrap.service()
    service = replace(given, policy=replace(given.policy, require_verification_id=False, keeps_users=True))
    lifecycle = Lifecycle(service.policy, service.store, deployed.clock, service.emit)
    monkeypatch.setattr(bootstrap, "service", lambda: service)
    monkeypatch.setattr(bootstrap, "lifecycle", lambda: lifecycle)
    numbers = DynamoNumbers(deployed.dynamodb, deployed.table, None)
    administration = Administration(service.policy, numbers, given.peppers, deployed.clock, given.emit)
    monkeypatch.setattr(bootstrap, "administration", lambda: administration)
    return deployed


def check_declared(operation: dict[str, Any], answer: dict[str, Any]) -> None:
    """Check that the operation declares this answer."""
    declared = DOCUMENT.resolved(operation["responses"][str(answer["statusCode"])])
    for name, reference in declared["headers"].items():
        header = DOCUMENT.resolved(reference)
        assert name in answer["headers"] or not header["required"], name
        if name in answer["headers"]:
            value = answer["headers"][name]
            fastjsonschema.compile(header["schema"])(int(value) if value.isdigit() else value)
    assert set(answer["headers"]) - {"Content-Type"} <= set(declared["headers"])
    if "content" not in declared:
        assert "body" not in answer
        return
    kind = answer["headers"]["Content-Type"].split(";")[0]
    fastjsonschema.compile(DOCUMENT.resolved(declared["content"][kind]["schema"]))(json.loads(answer["body"]))


def send(path: str, operation: dict[str, Any], body: dict[str, Any]) -> int:
    """Send one body, check that the answer is declared, and return its status."""
    parameters = [DOCUMENT.resolved(each) for each in operation.get("parameters", ())]
    headers = events.JSON_TYPE | {each["name"]: each["example"] for each in parameters}
    signed = operation.get("security") == api_doc.SIGNED
    caller = events.ADMINISTRATOR if signed else None
    event = events.build(path, body=json.dumps(body), headers=headers, with_key=not signed, caller=caller)
    answer = handlers()[path](event, Context())
    check_declared(operation, answer)
    return int(answer["statusCode"])


@pytest.mark.parametrize(("path", "operation", "body"), list(sent_examples()))
def test_an_example_is_answered_as_the_document_says(
    whole: Deployment, path: str, operation: dict[str, Any], body: dict[str, Any]
) -> None:
    names = [name for name in IDS if name in body]
    codes = [body[name] for name in CODES if name in body]
    if names or codes:
        assert send(path, operation, body) == 404
        whole.provider.code = codes[0] if codes else whole.provider.code
        session = {"sessionId": body["sessionId"]} if "sessionId" in body else {}
        made = whole.post("request_otp", phoneNumber=body.get("phoneNumber", NUMBER), **session)
        body = body | dict.fromkeys(names, made.body["verificationId"])
        whole.clock.step(30)
    assert send(path, operation, body) in (200, 204)
