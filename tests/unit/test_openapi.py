"""`openapi.yaml` says what the code and the template do, no more and no less."""

import ast
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import fastjsonschema
import pytest
import yaml
from openapi_spec_validator import validate

from health import app as health
from local.template import ROOT, resource, template
from sms_otp.domain import errors
from sms_otp.entry_points import camara, http, schemas

CALLERS_CODES = {code for code in http.PROBLEMS if code != http.SHOWN_AS_INTERNAL}
PROBLEM = "application/problem+json"
DONE = ("200", "204")
UNHEALTHY = ("/health/deep", "503")
"""The one answer that is neither done nor a problem: the same report as of a healthy service."""
CAMARA = "/one-time-password-sms/v1/"
"""Paths whose answers are of the standard's shape, but for API Gateway's own."""
CAMARAS_WORDS = {*camara.WORDS.values(), camara.OTHERWISE}


@cache
def document() -> dict[str, Any]:
    parsed: dict[str, Any] = yaml.safe_load((ROOT / "openapi.yaml").read_text())
    return parsed


def resolved(node: dict[str, Any]) -> dict[str, Any]:
    """The node itself, or what its `$ref` names in this document."""
    if "$ref" not in node:
        return node
    found: Any = document()
    for step in node["$ref"].removeprefix("#/").split("/"):
        found = found[step]
    return dict(found)


def operations() -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, methods in document()["paths"].items():
        for method, operation in methods.items():
            yield path, method, operation


def responses() -> Iterator[tuple[str, str, dict[str, Any]]]:
    """(path, status, response) of every operation."""
    for path, _, operation in operations():
        for status, response in operation["responses"].items():
            yield path, status, resolved(response)


def media_types() -> Iterator[tuple[str, dict[str, Any]]]:
    """(where, media type) of every body of a request or response."""
    for path, _, operation in operations():
        for content in operation.get("requestBody", {}).get("content", {}).values():
            yield path, content
    for path, status, response in responses():
        for content in response.get("content", {}).values():
            yield f"{path} {status}", content


def examples(content: dict[str, Any]) -> dict[str, Any]:
    return {name: resolved(example)["value"] for name, example in content["examples"].items()}


def events() -> dict[tuple[str, str], dict[str, Any]]:
    """The template's API events, by path and method."""
    found = {}
    for declared in template()["Resources"].values():
        if declared["Type"] != "AWS::Serverless::Function":
            continue
        for event in declared["Properties"].get("Events", {}).values():
            if event["Type"] == "Api":
                properties = event["Properties"]
                found[properties["Path"], properties["Method"].lower()] = properties
    return found


def gateway_bodies() -> dict[str, dict[str, Any]]:
    """API Gateway's own answers, by the type of their gateway response."""
    declared = resource("Api")["GatewayResponses"]
    return {name: json.loads(own["ResponseTemplates"]["application/json"]) for name, own in declared.items()}


def without_descriptions(schema: Any) -> Any:
    if not isinstance(schema, dict):
        return schema
    return {
        key: without_descriptions(value)
        for key, value in schema.items()
        if not (key == "description" and isinstance(value, str)) and key != "$schema"
    }


def camaras_examples() -> Iterator[tuple[str, dict[str, Any]]]:
    """(where, error) of every error in CAMARA's words."""
    for path, status, response in responses():
        if path.startswith(CAMARA) and status not in DONE and "application/json" in response["content"]:
            for body in examples(response["content"]["application/json"]).values():
                yield f"{path} {status}", body


def must_wait(body: dict[str, Any]) -> bool:
    """Whether an answer says when to come again."""
    waiting = {camara.WORDS[code][1] for code in camara._WAIT}
    return "retryAfter" in body or body.get("code") in waiting


def problem_examples() -> dict[str, dict[str, Any]]:
    return {name: example["value"] for name, example in document()["components"]["examples"].items()}


def error_class(code: str) -> type[errors.OtpError]:
    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type)]
    return next(kind for kind in kinds if issubclass(kind, errors.OtpError) and kind.code == code)


def names_used(source: Path) -> set[str]:
    nodes = list(ast.walk(ast.parse(source.read_text())))
    return {node.id for node in nodes if isinstance(node, ast.Name)} | {
        node.attr for node in nodes if isinstance(node, ast.Attribute)
    }


def codes_raised() -> set[str]:
    """The errorCodes whose exceptions the code uses, as callers see them."""
    modules = [path for path in (ROOT / "layers/core/sms_otp").rglob("*.py") if path.name != "errors.py"]
    used = set().union(*(names_used(path) for path in modules))
    return {code for code in CALLERS_CODES if error_class(code).__name__ in used}


def test_the_document_is_valid() -> None:
    validate(document())


def test_every_operation_is_described_alike() -> None:
    tags = [tag["name"] for tag in document()["tags"]]
    ids = [operation["operationId"] for _, _, operation in operations()]
    assert len(ids) == len(set(ids))
    assert set(tags) == {tag for _, _, operation in operations() for tag in operation["tags"]}
    for path, _, operation in operations():
        assert len(operation["tags"]) == 1, path
        assert operation["summary"][0].isupper(), path
        assert not operation["summary"].endswith("."), path
        assert operation["description"].strip().endswith("."), path
        for response in operation["responses"].values():
            assert resolved(response)["description"].strip().endswith("."), path


def test_every_component_is_used() -> None:
    text = (ROOT / "openapi.yaml").read_text()
    for kind, components in document()["components"].items():
        if kind != "securitySchemes":
            for name in components:
                assert f'"#/components/{kind}/{name}"' in text, name


def test_every_error_example_has_a_summary() -> None:
    for where, content in media_types():
        for example in map(resolved, content["examples"].values()):
            if isinstance(example["value"], dict) and {"errorCode", "code"} & example["value"].keys():
                assert example.get("summary"), where


def test_paths_and_methods_match_the_template() -> None:
    assert {(path, method) for path, method, _ in operations()} == set(events())


def test_an_api_key_is_required_where_the_template_requires_one() -> None:
    by_default = resource("Api")["Auth"]["ApiKeyRequired"]
    for path, method, operation in operations():
        required = events()[path, method].get("Auth", {}).get("ApiKeyRequired", by_default)
        assert ({"apiKey": []} in operation.get("security", document()["security"])) == required, path


def test_a_signature_is_required_where_the_template_requires_one() -> None:
    for path, method, operation in operations():
        signed = events()[path, method].get("Auth", {}).get("Authorizer") == "AWS_IAM"
        assert ({"sigv4": []} in operation.get("security", [])) == signed, path


@pytest.mark.parametrize("schema", [*schemas.ALL, *schemas.OF_CAMARA], ids=lambda schema: schema["title"])
def test_a_requests_schema_is_the_one_that_the_code_checks(schema: dict[str, Any]) -> None:
    documented = document()["components"]["schemas"][schema["title"]]
    assert without_descriptions(documented) == without_descriptions(schema)


def test_a_request_body_names_the_model_that_the_template_validates() -> None:
    for path, method, operation in operations():
        model = events()[path, method].get("RequestModel", {}).get("Model")
        body = operation.get("requestBody", {}).get("content", {}).get("application/json")
        documented = body and body["schema"]["$ref"].rpartition("/")[2]
        if path.startswith(CAMARA):
            assert model is None, path
            assert documented in {schema["title"] for schema in schemas.OF_CAMARA}, path
        else:
            assert documented == model, path


def test_error_codes_are_those_of_the_code_and_of_api_gateway() -> None:
    listed = document()["components"]["schemas"]["Problem"]["properties"]["errorCode"]["enum"]
    assert len(listed) == len(set(listed))
    assert set(listed) == CALLERS_CODES | {body["errorCode"] for body in gateway_bodies().values()}


def test_every_error_code_has_an_example_of_its_name() -> None:
    own = problem_examples().keys() - gateway_bodies().keys()
    assert own == CALLERS_CODES


@pytest.mark.parametrize("code", sorted(CALLERS_CODES))
def test_an_error_codes_example_matches_the_answer_of_the_code(code: str) -> None:
    example = problem_examples()[code]
    error = error_class(code)(
        retry_after=example.get("retryAfter"),
        attempts_remaining=example.get("attemptsRemaining"),
        errors=example.get("errors", ()),
    )

    def refuse(_command: None, _caller: None) -> http.Body:
        raise error

    event = {"requestContext": {"requestId": example["instance"], "identity": {"apiKeyId": "a-key"}}}
    context = SimpleNamespace(aws_request_id="a-request", get_remaining_time_in_millis=lambda: 20_000)
    route = http.Route(http.no_body, refuse, http.same, http.public, http.OURS)
    answer = http.handle(event, context, route)

    assert json.loads(answer["body"]) == example
    assert answer["statusCode"] == example["status"]
    assert answer["headers"]["Content-Type"].split(";")[0] == PROBLEM
    assert answer["headers"].get("Retry-After") == (
        str(example["retryAfter"]) if "retryAfter" in example else None
    )


def test_api_gateways_examples_match_the_template() -> None:
    shown = problem_examples()
    for name in shown.keys() & gateway_bodies().keys():
        assert shown[name] | {"instance": "$context.requestId"} == gateway_bodies()[name], name
        declared = resource("Api")["GatewayResponses"][name]
        assert declared["StatusCode"] == shown[name]["status"], name


def test_every_refusal_is_shown_under_its_own_status() -> None:
    for path, status, response in responses():
        if status in DONE or (path, status) == UNHEALTHY:
            continue
        for content in response["content"].values():
            assert {str(body["status"]) for body in examples(content).values()} == {status}, path


def test_the_refusals_shown_are_those_that_the_code_can_raise() -> None:
    shown = {
        body["errorCode"]
        for _, status, response in responses()
        if status not in DONE and PROBLEM in response["content"]
        for body in examples(response["content"][PROBLEM]).values()
    }
    assert shown == codes_raised()


def test_the_errors_in_camaras_words_are_those_that_the_code_knows() -> None:
    shown = {(body["status"], body["code"]) for _, body in camaras_examples()}
    assert shown == {(status, code) for status, code, _ in CAMARAS_WORDS}
    listed = document()["components"]["schemas"]["CamaraError"]["properties"]["code"]["enum"]
    assert sorted(listed) == sorted({code for _, code, _ in CAMARAS_WORDS})
    for where, body in camaras_examples():
        texts = [
            text for status, code, text in CAMARAS_WORDS if (status, code) == (body["status"], body["code"])
        ]
        assert any(body["message"].startswith(text) for text in texts), where


def test_every_answer_documents_its_headers() -> None:
    for path, status, response in responses():
        documented = set(response["headers"])
        assert set(http.HEADERS) <= documented, (path, status)
        assert ("x-correlator" in documented) <= path.startswith(CAMARA), path
        bodies = [
            body for content in response.get("content", {}).values() for body in examples(content).values()
        ]
        waits = {must_wait(body) for body in bodies}
        assert ("Retry-After" in documented) == (True in waits), (path, status)
        if True in waits:
            assert resolved(response["headers"]["Retry-After"])["required"] == (waits == {True}), (
                path,
                status,
            )


def test_constant_headers_have_the_values_that_are_sent() -> None:
    for path, status, response in responses():
        # Public answers, the same for all callers, may be cached.
        kept = {
            "/health": health.lambda_handler({}, None)["headers"]["Cache-Control"],
            "/.well-known/jwks.json": http.KEYS_CACHE,
        }
        may_be_kept = status == "200" and path in kept
        sent = http.HEADERS | ({"Cache-Control": kept[path]} if may_be_kept else {})
        for name, value in sent.items():
            assert resolved(response["headers"][name])["schema"]["const"] == value


def test_every_example_fits_its_schema() -> None:
    for where, content in media_types():
        check = fastjsonschema.compile(resolved(content["schema"]))
        assert content["examples"], where
        for example in examples(content).values():
            check(example)


def test_the_idempotency_key_is_taken_and_refused_as_its_schema_says() -> None:
    (declared,) = document()["paths"]["/request-otp"]["post"]["parameters"]
    parameter = resolved(declared)
    assert (parameter["in"], parameter["required"]) == ("header", False)
    fits = fastjsonschema.compile(parameter["schema"])
    header = parameter["name"].lower()
    for key in ("", "k", "~" * 255, parameter["example"]):
        fits(key)
        assert http.idempotency_key({"headers": {header: key}}) == (key or None)
    for key in ("~" * 256, "two words", "cl\u00e9", "a\ttab", "a\nline"):
        with pytest.raises(fastjsonschema.JsonSchemaValueException):
            fits(key)
        with pytest.raises(errors.InvalidRequest) as refused:
            http.idempotency_key({"headers": {header: key}})
        answers = document()["paths"]["/request-otp"]["post"]["responses"]
        shown = examples(answers["400"]["content"][PROBLEM])["INVALID_IDEMPOTENCY_KEY"]
        assert shown["errors"] == list(refused.value.errors)
        assert (shown["errorCode"], shown["detail"]) == (refused.value.code, str(refused.value))


def test_each_path_documents_the_request_headers_that_it_reads() -> None:
    taken = {
        path: [resolved(parameter)["name"] for parameter in operation.get("parameters", ())]
        for path, _, operation in operations()
    }
    for path, names in taken.items():
        own = ["x-correlator"] if path.startswith(CAMARA) else []
        has_key = path in ("/request-otp", "/resend-otp", "/verify-otp")
        assert names == (["Idempotency-Key"] if has_key else own), path


def test_the_health_example_matches_the_functions_answer() -> None:
    content = document()["paths"]["/health"]["get"]["responses"]["200"]["content"]["application/json"]
    answered = json.loads(health.lambda_handler({}, None)["body"])
    shown = examples(content)["healthy"]
    assert {**answered, "timestamp": shown["timestamp"]} == shown
    assert datetime.fromisoformat(answered["timestamp"]) <= datetime.now(UTC)
