"""The sandbox's web application: the fake providers, and the routes that inspect and control them."""

import json
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from local.sandbox import page, twilio
from local.sandbox.attack import Attack
from local.sandbox.aws import Aws
from local.sandbox.callbacks import BadCallbacks, Callbacks
from local.sandbox.calls import Calls
from local.sandbox.deliveries import DELIVERY_SECONDS, BadDelivery, Deliveries
from local.sandbox.demo import Demo, service_in, twilio_url_in
from local.sandbox.exchanges import Exchanges
from local.sandbox.faults import BadFault, Faults, parse_fault
from local.sandbox.feed import feed
from local.sandbox.gateway import HANG_SECONDS, Gateway
from local.sandbox.inbox import Inbox
from local.sandbox.infobip import Infobip
from local.sandbox.infobip_application import Application, wide_application
from local.sandbox.sinch import Sinch, SinchApplication, wide_sinch_application
from local.sandbox.times import Clock

SHOWN = 50
"""Number of messages on the page."""


def create_app(
    *,
    infobip: Application | None = None,
    sinch: SinchApplication | None = None,
    hang_seconds: float = HANG_SECONDS,
    delivery_seconds: float = DELIVERY_SECONDS,
    clock: Clock = time.time,
    stack_file: Path | None = None,
) -> Starlette:
    """Make an empty sandbox. `infobip` and `sinch` configure the account's application at each.

    `clock` decides expiry and the age of signatures; `hang_seconds` limits how long a fault hangs;
    `delivery_seconds` is the time from a message to its delivery report; `stack_file` locates the service
    that the page's backend calls, and may be written later.
    """
    inbox, calls, faults = Inbox(clock), Calls(clock), Faults()
    callbacks, deliveries = Callbacks(), Deliveries(delivery_seconds)
    exchanges, attack = Exchanges(clock, calls), Attack()
    gateway = Gateway(calls, faults, hang_seconds)
    return Starlette(
        routes=[
            *gateway.routes(Infobip(inbox, callbacks, deliveries, clock, infobip or Application())),
            *gateway.routes(Sinch(inbox, callbacks, deliveries, clock, sinch or SinchApplication())),
            *gateway.routes(Aws(inbox, clock)),
            *_Control(inbox, calls, faults, callbacks, deliveries).routes(),
            *Demo(lambda: service_in(stack_file), exchanges, attack).routes(),
            *twilio.routes(lambda: twilio_url_in(stack_file)),
            *_page_routes(inbox, faults, exchanges, attack),
        ]
    )


def create_wide_app(*, code_length: int = 6, **options: Any) -> Starlette:
    """`create_app` with limits that no test reaches, and codes of `code_length` digits."""
    return create_app(
        infobip=wide_application(code_length), sinch=wide_sinch_application(code_length), **options
    )


def _page_routes(inbox: Inbox, faults: Faults, exchanges: Exchanges, attack: Attack) -> list[BaseRoute]:
    def snapshot() -> dict[str, Any]:
        return {
            # The page shows the user's phone, not the attackers' phones.
            "messages": inbox.newest_first(limit=SHOWN, without=attack.numbers),
            **exchanges.snapshot(),
            "faults": faults.pending(),
            "attack": attack.as_json(),
        }

    async def events(request: Request) -> Response:
        return feed(request, snapshot)

    return [Route("/demo/events", events), *page.routes()]


class _Control:
    """The sandbox's control routes."""

    def __init__(
        self, inbox: Inbox, calls: Calls, faults: Faults, callbacks: Callbacks, deliveries: Deliveries
    ) -> None:
        self._inbox = inbox
        self._calls = calls
        self._faults = faults
        self._callbacks = callbacks
        self._deliveries = deliveries

    def routes(self) -> list[Route]:
        return [
            Route("/healthz", self._health),
            Route("/inbox", self._read_inbox, methods=["GET"]),
            Route("/inbox", self._clear_inbox, methods=["DELETE"]),
            Route("/calls", self._read_calls, methods=["GET"]),
            Route("/calls", self._clear_calls, methods=["DELETE"]),
            Route("/faults", self._read_faults, methods=["GET"]),
            Route("/faults", self._add_fault, methods=["POST"]),
            Route("/faults", self._clear_faults, methods=["DELETE"]),
            Route("/callbacks", self._read_callbacks, methods=["GET"]),
            Route("/callbacks", self._replace_callbacks, methods=["PUT"]),
            Route("/deliveries", self._report_delivery, methods=["POST"]),
        ]

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
        except ValueError as error:
            return _refused(error)
        return JSONResponse(asdict(fault), status_code=201)

    async def _clear_faults(self, _request: Request) -> Response:
        self._faults.clear()
        return Response(status_code=204)

    async def _read_callbacks(self, _request: Request) -> Response:
        return JSONResponse(self._callbacks.urls())

    async def _replace_callbacks(self, request: Request) -> Response:
        try:
            self._callbacks.replace(json.loads(await request.body()))
        except ValueError as error:
            return _refused(error)
        return JSONResponse(self._callbacks.urls())

    async def _report_delivery(self, request: Request) -> Response:
        try:
            self._deliveries.report(json.loads(await request.body()))
        except ValueError as error:
            return _refused(error)
        return Response(status_code=202)


def _refused(error: ValueError) -> Response:
    """The 400 for a control route's body; an error of another type comes from the JSON parser."""
    ours = isinstance(error, BadFault | BadCallbacks | BadDelivery)
    return JSONResponse({"error": str(error) if ours else "the body must be JSON"}, status_code=400)
