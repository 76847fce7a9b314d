"""What API Gateway refuses by itself is the problem that `openapi.yaml` shows for it."""

from typing import Any

import pytest
import requests

from generators.api_doc import SOURCE, Document
from local.stack import API_ID, LocalStack
from tests.e2e.conftest import Backend, fresh_number

pytestmark = pytest.mark.e2e

DOCUMENT = Document(SOURCE.read_text())


def documented(name: str) -> dict[str, Any]:
    """The problem that `openapi.yaml` shows for a kind of API Gateway's refusals."""
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


@pytest.mark.parametrize("key", ["", "a-key-that-opens-nothing"])
def test_a_key_that_is_missing_or_wrong(stack: LocalStack, key: str) -> None:
    check(Backend(stack, key).request(fresh_number()), "INVALID_API_KEY")


def test_a_path_that_there_is_not(backend: Backend) -> None:
    check(backend.post("/request-opt", {"phoneNumber": fresh_number()}), "MISSING_AUTHENTICATION_TOKEN")


def test_a_method_that_a_path_does_not_have(backend: Backend) -> None:
    answer = requests.get(
        f"{backend.stack.base_url}/request-otp", headers={"x-api-key": backend.api_key}, timeout=30
    )
    check(answer, "MISSING_AUTHENTICATION_TOKEN")


def test_an_administrators_call_that_is_not_signed(backend: Backend) -> None:
    check(
        backend.post("/admin/number-status", {"phoneNumber": fresh_number()}), "MISSING_AUTHENTICATION_TOKEN"
    )


def test_more_requests_at_once_than_the_keys_plan_allows(backend: Backend) -> None:
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
