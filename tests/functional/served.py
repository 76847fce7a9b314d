"""The functions of a `Deployment` behind real HTTP on loopback, in the place of API Gateway."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from generators import events
from local.sandbox.server import running_sandbox
from tests.functional.deployment import PATHS, Deployment

FORWARDED = ("content-type", "idempotency-key")
"""The request headers that are passed on to a function."""


@contextmanager
def served(deployed: Callable[[], Deployment]) -> Iterator[str]:
    """The API's URL. Every call needs `events.API_KEY`; the current deployment answers it."""
    functions = {path: name for name, path in PATHS.items()}

    async def answer(request: Request) -> Response:
        if request.headers.get("x-api-key") != events.API_KEY:
            return JSONResponse({"success": False, "errorCode": "FORBIDDEN"}, 403)
        headers = {name: request.headers[name] for name in FORWARDED if name in request.headers}
        body = (await request.body()).decode()
        answered = deployed().call(
            functions[request.url.path], events.build(request.url.path, body=body, headers=headers)
        )
        return Response(answered.text, answered.status, dict(answered.headers))

    routes = [Route(path, answer, methods=["POST"]) for path in functions]
    with running_sandbox(app=Starlette(routes=routes)) as url:
        yield url
