"""Print the calls of a warm request and of its verification, as the stub recorded them: `once.py ENDPOINT`.

The JSON is on the last line, after the functions' log lines.
"""

import json
import sys
import urllib.request
from typing import Any

from bench.programs.verification import request, verify


def counted() -> Any:
    """Read and reset the recorded calls."""
    ending = urllib.request.Request(f"{sys.argv[1]}/_calls", method="DELETE")  # noqa: S310 - loopback
    with urllib.request.urlopen(ending) as answer:  # noqa: S310 - as above
        return json.load(answer)


verify(request())
counted()
counts = {}
verification_id = request()
counts["request_otp"] = counted()
verify(verification_id)
counts["verify_otp"] = counted()
print(json.dumps(counts))
