"""A refusal of API Gateway itself is the problem that `openapi.yaml` documents."""

from typing import Any

import pytest
import requests

from generators.api_doc import SOURCE, Document
from local.stack import API_ID, LocalStack
from tests.e2e.conftest import Backend, fresh_number

pytestmark = pytest.mark.e2e

DOCUMENT = Document(SOURCE.read_text())


def documented(name: str) -> dict[str, Any]:
    """The problem that `openapi.yaml` shows for one kind of refusal."""
    problem: dict[str, Any] = DOCUMENT.root["components"]["examples"][name]["value"]
    return problem


def check(answer: requests.Response, name: str) -> None:
    shown = documented(name)
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers.get("Retry-After") == (str(shown["retryAfter"]) if "retryAfter" in shown else None)
    assert answer.status_code == shown["status"]
    body = answer.json()
    assert body.pop("instance")
    assert body == {member: value for member, value in shown.items() if member != "instance"}


def test_the_apis_url_is_the_same_from_run_to_run(stack: LocalStack) -> None:
    assert stack.outputs["ApiId"] == API_ID


@pytest.mark.parametrize("key", ["", "an-unknown-key"])
def test_a_missing_or_wrong_key_gets_the_documented_problem(stack: LocalStack, key: str) -> None:
    check(Backend(stack, key).request(fresh_number()), "INVALID_API_KEY")


def test_an_unknown_path_gets_the_documented_problem(backend: Backend) -> None:
    check(backend.post("/request-opt", {"phoneNumber": fresh_number()}), "MISSING_AUTHENTICATION_TOKEN")


def test_an_unsupported_method_gets_the_documented_problem(backend: Backend) -> None:
    answer = requests.get(
        f"{backend.stack.base_url}/request-otp", headers={"x-api-key": backend.api_key}, timeout=30
    )
    check(answer, "MISSING_AUTHENTICATION_TOKEN")


def test_an_unsigned_admin_request_gets_the_documented_problem(backend: Backend) -> None:
    check(
        backend.post("/admin/number-status", {"phoneNumber": fresh_number()}), "MISSING_AUTHENTICATION_TOKEN"
    )


def test_a_throttled_request_gets_the_documented_problem(backend: Backend) -> None:
    stack = backend.stack
    plan, client = stack.physical_id("UsagePlan"), stack.client("apigateway")
    throttle = client.get_usage_plan(usagePlanId=plan)["throttle"]
    change = {"op": "replace", "path": "/throttle/burstLimit"}
    rate = {"op": "replace", "path": "/throttle/rateLimit"}
    client.update_usage_plan(
        usagePlanId=plan, patchOperations=[change | {"value": "0"}, rate | {"value": "0"}]
    )
    try:
        check(backend.request(fresh_number()), "THROTTLED")
    finally:
        given = [
            change | {"value": str(throttle["burstLimit"])},
            rate | {"value": str(throttle["rateLimit"])},
        ]
        client.update_usage_plan(usagePlanId=plan, patchOperations=given)
    assert backend.request(fresh_number()).status_code == 200
