"""The sandbox's web application: both fake providers, and the routes that look into and control them."""

import json
import time
from dataclasses import asdict

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from local.sandbox import page
from local.sandbox.calls import Calls
from local.sandbox.faults import BadFault, Faults, parse_fault
from local.sandbox.gateway import HANG_SECONDS, Gateway
from local.sandbox.inbox import Inbox
from local.sandbox.infobip import Infobip
from local.sandbox.infobip_application import Application
from local.sandbox.sinch import Sinch, SinchApplication
from local.sandbox.times import Clock


def create_app(
    *,
    infobip: Application | None = None,
    sinch: SinchApplication | None = None,
    hang_seconds: float = HANG_SECONDS,
    clock: Clock = time.time,
) -> Starlette:
    """An empty sandbox. `infobip` and `sinch` configure the account's application at each.

    `clock` decides expiry and the age of signatures; `hang_seconds` bounds how long a fault hangs.
    """
    inbox, calls, faults = Inbox(clock), Calls(clock), Faults()
    gateway = Gateway(calls, faults, hang_seconds)
    return Starlette(
        routes=[
            *gateway.routes(Infobip(inbox, clock, infobip or Application())),
            *gateway.routes(Sinch(inbox, clock, sinch or SinchApplication())),
            *_Control(inbox, calls, faults).routes(),
        ]
    )


class _Control:
    """The routes that no provider has."""

    def __init__(self, inbox: Inbox, calls: Calls, faults: Faults) -> None:
        self._inbox = inbox
        self._calls = calls
        self._faults = faults

    def routes(self) -> list[Route]:
        return [
            Route("/", self._page),
            Route("/page.css", self._stylesheet),
            Route("/healthz", self._health),
            Route("/inbox", self._read_inbox, methods=["GET"]),
            Route("/inbox", self._clear_inbox, methods=["DELETE"]),
            Route("/calls", self._read_calls, methods=["GET"]),
            Route("/calls", self._clear_calls, methods=["DELETE"]),
            Route("/faults", self._read_faults, methods=["GET"]),
            Route("/faults", self._add_fault, methods=["POST"]),
            Route("/faults", self._clear_faults, methods=["DELETE"]),
        ]

    async def _page(self, _request: Request) -> Response:
        newest = self._inbox.newest_first(limit=page.MESSAGES_SHOWN)
        return HTMLResponse(page.render(newest), headers=page.HEADERS)

    async def _stylesheet(self, _request: Request) -> Response:
        return Response(page.stylesheet(), media_type="text/css", headers=page.HEADERS)

    async def _health(self, _request: Request) -> Response:
        return JSONResponse({"status": "ok"})

    async def _read_inbox(self, request: Request) -> Response:
        return JSONResponse(self._inbox.newest_first(request.query_params.get("to")))

    async def _clear_inbox(self, _request: Request) -> Response:
        self._inbox.clear()
        return Response(status_code=204)

    async def _read_calls(self, _request: Request) -> Response:
        return JSONResponse(self._calls.oldest_first())

    async def _clear_calls(self, _request: Request) -> Response:
        self._calls.clear()
        return Response(status_code=204)

    async def _read_faults(self, _request: Request) -> Response:
        return JSONResponse(self._faults.pending())

    async def _add_fault(self, request: Request) -> Response:
        try:
            fault = parse_fault(json.loads(await request.body()))
            self._faults.add(fault)
        except BadFault as bad:
            return JSONResponse({"error": str(bad)}, status_code=400)
        except ValueError:
            return JSONResponse({"error": "the body must be JSON"}, status_code=400)
        return JSONResponse(asdict(fault), status_code=201)

    async def _clear_faults(self, _request: Request) -> Response:
        self._faults.clear()
        return Response(status_code=204)
