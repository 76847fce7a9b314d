"""The calls of a warm request and of its verification, as the stub counted them: `once.py ENDPOINT`.

Prints JSON on its last line, below what the functions log.
"""

import json
import sys
import urllib.request
from typing import Any

from bench.programs.verification import request, verify


def counted() -> Any:
    """The calls since it was asked last."""
    asked = urllib.request.Request(f"{sys.argv[1]}/_calls", method="DELETE")  # noqa: S310 - loopback
    with urllib.request.urlopen(asked) as answer:  # noqa: S310 - as above
        return json.load(answer)


verify(request())
counted()
told = {}
verification_id = request()
told["request_otp"] = counted()
verify(verification_id)
told["verify_otp"] = counted()
print(json.dumps(told))
