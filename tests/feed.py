"""The demo page's feed of server-sent events."""

import json
from typing import Any

import requests


def first_event(url: str) -> dict[str, Any]:
    """The first event that the sandbox at `url` sends to a page."""
    with requests.get(f"{url}/demo/events", stream=True, timeout=10) as events:
        line = next(line for line in events.iter_lines() if line)
    event: dict[str, Any] = json.loads(line.removeprefix(b"data: "))
    return event
