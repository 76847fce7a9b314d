"""The page's challenge: a proof of work (ALTCHA) that the browser solves and this backend accepts once.

Attackers can solve it too, for some processor time. A solution is good for the one request that it was made
for, and a passed challenge raises the service's limits only slightly.
"""

import secrets
import time
from threading import Lock
from typing import Any

from altcha import Payload, create_challenge, verify_solution

ALGORITHM = "PBKDF2/SHA-256"
ITERATIONS = 2000
"""PBKDF2 iterations of one try."""
FEWEST_TRIES, MOST_TRIES = 150, 350
"""About half a second on one processor."""
LIFE_SECONDS = 600
"""Long enough for an interrupted user; accepted solutions are remembered as long."""


class Challenges:
    """Makes and verifies challenges. Key and store are in memory: several processes must share both."""

    def __init__(self, life_seconds: int = LIFE_SECONDS) -> None:
        self._life = life_seconds
        self._key = secrets.token_bytes(32)
        self._taken: dict[str, tuple[str, int]] = {}
        self._lock = Lock()

    def make(self, purpose: str) -> dict[str, Any]:
        """A new challenge for ALTCHA's widget, valid only for `purpose`, which the browser can read."""
        return create_challenge(
            ALGORITHM,
            ITERATIONS,
            counter=FEWEST_TRIES + secrets.randbelow(MOST_TRIES - FEWEST_TRIES),
            expires_at=int(time.time()) + self._life,
            data={"purpose": purpose},
            hmac_secret=self._key,
        ).to_dict()

    def take(self, solution: object, purpose: str, click: str) -> bool:
        """Whether this solves a challenge made for `purpose`, in time and for the first time.

        Repeats with the same `click` are accepted: its Idempotency-Key prevents a second code.
        """
        if not isinstance(solution, str):
            return False
        try:
            payload = Payload.from_base64(solution)
        except (ValueError, KeyError, TypeError, RecursionError):
            return False
        made = payload.challenge
        if not verify_solution(payload, self._key).verified or made.parameters.data != {"purpose": purpose}:
            return False
        with self._lock:
            now = time.time()
            self._taken = {name: taken for name, taken in self._taken.items() if taken[1] >= now}
            # The signature identifies a challenge however its JSON is written.
            taken = (click, int(made.parameters.expires_at or 0))
            return self._taken.setdefault(str(made.signature), taken)[0] == click
