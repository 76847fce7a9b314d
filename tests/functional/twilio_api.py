"""Twilio's API over the functions of a `Deployment`, routed as API Gateway routes the template's definition.

Credentials go through the real authorizer. The template has the answers to requests that API Gateway refuses.
"""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from generators import events
from local.sandbox.server import running_sandbox
from local.template import resource
from tests.functional.deployment import HANDLERS, Context
from twilio_authorizer.app import Unauthorized
from twilio_authorizer.app import lambda_handler as authorize

ARN = "arn:aws:execute-api:eu-west-1:123456789012:exampleapi"
ONE = "/v2/Services/{ServiceSid}/Verifications/{Sid}"
FUNCTIONS = {
    ("POST", "/v2/Services/{ServiceSid}/Verifications"): "request_otp",
    ("POST", "/v2/Services/{ServiceSid}/VerificationCheck"): "verify_otp",
    ("GET", ONE): "otp_status",
    ("POST", ONE): "cancel_otp",
}
FORWARDED = ("content-type", "authorization")


@contextmanager
def served_twilio() -> Iterator[str]:
    """The API's base URL. The one API key is `events.API_KEY`."""
    routes = [Route("/{path:path}", _answer, methods=["GET", "POST"])]
    with running_sandbox(app=Starlette(routes=routes)) as url:
        yield url


async def _answer(request: Request) -> Response:
    path = request.url.path
    found = next((match for key in FUNCTIONS if (match := _match(key, request.method, path))), None)
    if found is None:
        return gateway_response("MISSING_AUTHENTICATION_TOKEN")
    (method, template), parameters = found
    credentials = request.headers.get("authorization")
    if credentials is None:
        return gateway_response("UNAUTHORIZED")
    try:
        called = f"{ARN}/v1/{method}{path}"
        authorizer_event = {"type": "TOKEN", "authorizationToken": credentials, "methodArn": called}
        authorized = authorize(authorizer_event, None)
    except Unauthorized:
        return gateway_response("UNAUTHORIZED")
    (statement,) = authorized["policyDocument"]["Statement"]
    assert statement == {"Action": "execute-api:Invoke", "Effect": "Allow", "Resource": f"{ARN}/v1/*"}
    if authorized["usageIdentifierKey"] != events.API_KEY:
        return gateway_response("INVALID_API_KEY")
    headers = {name: request.headers[name] for name in FORWARDED if name in request.headers}
    body = await request.body()
    event = events.build(path, method, body or None, headers=headers, as_base64=bool(body))
    event |= {"resource": template, "pathParameters": parameters}
    event["requestContext"] |= {"resourcePath": template}
    answered = HANDLERS[FUNCTIONS[(method, template)]](event, Context())
    return Response(answered["body"], answered["statusCode"], answered["headers"])


def _match(key: tuple[str, str], method: str, path: str) -> tuple[tuple[str, str], Mapping[str, str]] | None:
    pattern = re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", key[1])
    match = re.fullmatch(pattern, path)
    return (key, match.groupdict()) if match and method == key[0] else None


def gateway_response(name: str) -> Response:
    """The template's answer to a request that API Gateway refuses."""
    worded = resource("TwilioVerifyApi")["GatewayResponses"][name]
    headers = {header: value.strip("'") for header, value in worded["ResponseParameters"]["Headers"].items()}
    return Response(worded["ResponseTemplates"]["application/json"], worded["StatusCode"], headers)
