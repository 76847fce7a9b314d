"""The local stack's Twilio-compatible API, for clients that cannot send `x-api-key`.

On AWS, the API's authorizer maps Basic authentication to an API key. MiniStack calls it too, but takes the
key only from the header, and answers refusals in one fixed form. This proxy adds the header and gives
refusals the template's form.
"""

import base64
from collections.abc import Callable

import requests
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

TIMEOUT_SECONDS = 30
"""The service answers within 29 seconds, API Gateway's limit."""
FORWARDED = ("authorization", "content-type")
REFUSALS = {401: (401, 20003), 403: (401, 20003), 404: (404, 20404), 429: (429, 20429)}
"""MiniStack's status of a refusal -> the template's status and code."""
OTHERWISE = (500, 20500)


def routes(url: Callable[[], str]) -> list[Route]:
    """The API's routes. `url` returns the API's URL on MiniStack, empty if it is not deployed."""

    async def endpoint(request: Request) -> Response:
        to = url()
        if not to:
            return _refusal(404)
        body = await request.body()
        # In a thread, because the service calls this server to send the code.
        return await run_in_threadpool(_forward, to, request, body)

    return [Route("/v2/Services/{rest:path}", endpoint, methods=["GET", "POST"])]


def _forward(to: str, request: Request, body: bytes) -> Response:
    headers = {name: request.headers[name] for name in FORWARDED if name in request.headers}
    path = request.scope["raw_path"].decode("ascii")
    try:
        answer = requests.request(
            request.method,
            f"{to}{path}",
            data=body,
            headers=headers | {"x-api-key": _password(request.headers.get("authorization", ""))},
            timeout=TIMEOUT_SECONDS,
        )
        is_the_functions = "code" in answer.json() or "sid" in answer.json()
    except (requests.RequestException, ValueError):
        return _refusal(500)
    if not is_the_functions:
        return _refusal(answer.status_code)
    retry_after = {name: answer.headers[name] for name in ("Retry-After",) if name in answer.headers}
    return Response(answer.content, answer.status_code, retry_after, "application/json")


def _password(header: str) -> str:
    try:
        return base64.b64decode(header.partition(" ")[2], validate=True).decode("ascii").partition(":")[2]
    except ValueError:
        return ""


def _refusal(status: int) -> Response:
    shown, code = REFUSALS.get(status, OTHERWISE)
    body = {
        "code": code,
        "message": "Refused by the API itself",
        "more_info": f"https://www.twilio.com/docs/errors/{code}",
        "status": shown,
    }
    return JSONResponse(body, shown)
