"""Parsing of request bodies, shared by all fake providers."""

import json
from typing import Any


def json_object(body: bytes) -> dict[str, Any] | None:
    """Parse `body` as a JSON object; `None` if it is not one.

    Also `None` for text with an unpaired surrogate, which no answer or inbox can encode.
    """
    try:
        parsed = json.loads(body)
        json.dumps(parsed, ensure_ascii=False).encode()
    except ValueError:
        return None
    return parsed if isinstance(parsed, dict) else None
