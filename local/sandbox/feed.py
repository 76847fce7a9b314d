"""Server-sent events for the page: each is a whole snapshot, pushed on change."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from typing import Any

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

SECONDS_BETWEEN = 0.2
"""Polling interval: a page gets at most five updates a second."""

Snapshot = Callable[[], dict[str, Any]]


def feed(request: Request, snapshot: Snapshot) -> Response:
    """Stream the snapshot as JSON at once, and again after each change."""
    headers = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
    return StreamingResponse(_events(request, snapshot), media_type="text/event-stream", headers=headers)


async def _events(request: Request, snapshot: Snapshot) -> AsyncIterator[str]:
    pushed = None
    while not await request.is_disconnected():
        now = json.dumps(snapshot())
        if now != pushed:
            pushed = now
            yield f"data: {now}\n\n"
        await asyncio.sleep(SECONDS_BETWEEN)
