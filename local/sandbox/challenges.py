"""The page's own challenge: a proof of work (ALTCHA) that the browser solves and this backend takes once.

Attackers solve it too, for some processor time. It buys the one code that it was made for, and the service
allows those who passed a challenge few codes more than others.
"""

import secrets
import time
from threading import Lock
from typing import Any

from altcha import Payload, create_challenge, verify_solution

ALGORITHM = "PBKDF2/SHA-256"
ITERATIONS = 2000
"""Of one try."""
FEWEST_TRIES, MOST_TRIES = 150, 350
"""Half a second or so of one processor."""
LIFE_SECONDS = 600
"""The user may be called away; what was taken is remembered as long."""


class Challenges:
    """Signed with a key of its own. Both are in memory: several processes need one key and one store."""

    def __init__(self, life_seconds: int = LIFE_SECONDS) -> None:
        self._life = life_seconds
        self._key = secrets.token_bytes(32)
        self._taken: dict[str, tuple[str, int]] = {}
        self._lock = Lock()

    def make(self, purpose: str) -> dict[str, Any]:
        """A new one, as ALTCHA's widget takes it, for `purpose` alone, which the browser sees."""
        return create_challenge(
            ALGORITHM,
            ITERATIONS,
            counter=FEWEST_TRIES + secrets.randbelow(MOST_TRIES - FEWEST_TRIES),
            expires_at=int(time.time()) + self._life,
            data={"purpose": purpose},
            hmac_secret=self._key,
        ).to_dict()

    def take(self, solution: object, purpose: str, click: str) -> bool:
        """Whether this solves a challenge that was made for `purpose`, in time and for the first time.

        The same click may bring it again: its answer was lost, and the service sends no second code for it.
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
            # One signature for each challenge, however its JSON is written.
            taken = (click, int(made.parameters.expires_at or 0))
            return self._taken.setdefault(str(made.signature), taken)[0] == click
