"""The one way in which a provider's request body is read."""

import json
from typing import Any


def json_object(body: bytes) -> dict[str, Any] | None:
    """The JSON object in `body`, `None` where there is none.

    Text with an unpaired surrogate is none either: no answer or inbox could carry it.
    """
    try:
        parsed = json.loads(body)
        json.dumps(parsed, ensure_ascii=False).encode()
    except ValueError:
        return None
    return parsed if isinstance(parsed, dict) else None
