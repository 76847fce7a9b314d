"""Entry of every provider call: record it, then fail it or act.

Operations are synchronous code on one event loop, so calls do not interleave and counts are exact under
concurrency. Only waiting for a callback's answer is an `await`.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response, StreamingResponse
from starlette.routing import Route

from local.sandbox.calls import Calls
from local.sandbox.faults import ACTED, Faults

HANG_SECONDS = 30.0
"""How long a call hangs at most; longer than any client here waits."""

NOWHERE = "http://127.0.0.1:1/"

Act = Callable[[Request, bytes], Response | Awaitable[Response]]


class Refusal(Exception):
    """Ends an operation with the provider's error answer."""

    def __init__(self, answer: Response) -> None:
        super().__init__(answer.status_code)
        self.answer = answer


@dataclass(frozen=True, slots=True)
class Operation:
    """One endpoint of a provider. `name` identifies it in faults and the call log."""

    method: str
    path: str
    name: str
    act: Act
    number: Callable[[Request, bytes], str | None]
    """Extracts a call's phone number, E.164; `None` without one."""
    refused: Callable[[str | None], Response]
    """Makes the permanent refusal of this number."""
    name_of: Callable[[Request], str] | None = None
    """Overrides `name` for an endpoint that serves several operations."""


class FakeProvider(Protocol):
    """The interface of a fake provider."""

    name: str

    def operations(self) -> Sequence[Operation]:
        """The provider's endpoints."""
        ...

    def fault_names(self, operation: str, number: str | None) -> Sequence[str]:
        """The operations whose pending faults apply to this call."""
        ...

    def failure(self, fault: str) -> Response:
        """The provider's error answer for 401, 429, 500, 503, `number-limit` or one of its codes."""
        ...


class Gateway:
    """Wraps the providers' operations into routes."""

    def __init__(self, calls: Calls, faults: Faults, hang_seconds: float) -> None:
        self._calls = calls
        self._faults = faults
        self._hang_seconds = hang_seconds

    def routes(self, provider: FakeProvider) -> Iterator[Route]:
        """One route for each of the provider's operations."""
        for operation in provider.operations():
            yield Route(operation.path, self._endpoint(provider, operation), methods=[operation.method])

    def _endpoint(
        self, provider: FakeProvider, operation: Operation
    ) -> Callable[[Request], Awaitable[Response]]:
        async def endpoint(request: Request) -> Response:
            body = await request.body()
            number = operation.number(request, body)
            name = operation.name_of(request) if operation.name_of else operation.name
            call = self._calls.record(provider.name, name, number)
            fault = self._faults.take(provider.name, provider.fault_names(name, number))
            if fault == "lost" or (fault or "").startswith(ACTED):
                await _act(operation, request, body)
            if fault in ("lost", "timeout"):
                return await hang(request, self._hang_seconds)
            if fault is None:
                answer = await _act(operation, request, body)
            elif fault == "refused":
                answer = operation.refused(number)
            else:
                answer = self._failed(provider, fault.removeprefix(ACTED))
            call.status = answer.status_code
            return answer

        return endpoint

    def _failed(self, provider: FakeProvider, fault: str) -> Response:
        match fault:
            case "drip":
                return StreamingResponse(self._drip(), media_type="application/json")
            case "html":
                return HTMLResponse("<!doctype html><title>Welcome</title><p>Sign in to this network.")
            case "redirect":
                return RedirectResponse(NOWHERE, status_code=302)
            case "502":
                return HTMLResponse("<html><body><h1>502 Bad Gateway</h1></body></html>", status_code=502)
            case _:
                return provider.failure(fault)

    async def _drip(self) -> AsyncIterator[bytes]:
        """Blanks, which are valid before any JSON, so that only a total deadline ends the wait."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._hang_seconds):
                while True:
                    yield b" "
                    await asyncio.sleep(1)


async def _act(operation: Operation, request: Request, body: bytes) -> Response:
    try:
        answer = operation.act(request, body)
        return answer if isinstance(answer, Response) else await answer
    except Refusal as refusal:
        return refusal.answer


async def hang(request: Request, seconds: float) -> Response:
    """Wait until the client disconnects, or for `seconds`; then answer 504."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            while (await request.receive())["type"] != "http.disconnect":
                continue
    return Response(status_code=504)
