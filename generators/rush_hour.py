"""Two minutes of traffic for the dashboard: users, a provider's failure, abuse.

Scripted and bounded, against the local stack only. Numbers are from the North American ranges reserved for
fiction (555-0100 to 555-0199), in area codes of five countries.
"""

import heapq
import itertools
import random
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import requests

from local.stack import LocalStack

SECONDS = 120
THREADS = 4
USERS_PER_SECOND = 0.8
AREAS = {"US": ("415", "212", "305"), "CA": ("416", "604"), "JM": ("876",), "PR": ("787",)}
SHARES = {"US": 0.5, "CA": 0.25, "JM": 0.1, "PR": 0.15}
PUMPED_AREA = "809"
"""The Dominican Republic, whose codes are never verified."""
PARAMETERS = {
    "AllowedCountries": "US,CA,JM,PR,DO",
    "ProviderRoutes": "CA=sinch;PR=sinch,infobip",
    "ResendGapSeconds": "1",
    "FailuresBeforeWait": "10",
    "DailySpendCap": "400",
}
NOT_SENT_TO = "+4915123456789"
"""libphonenumber's example of a German mobile."""


@dataclass(order=True)
class Planned:
    """An action, `at` seconds after the start."""

    at: float
    order: int
    act: Callable[[], object] = field(compare=False)


class RushHour:
    """The scripted traffic against one running stack."""

    def __init__(self, stack: LocalStack) -> None:
        self._stack = stack
        self._chance = random.Random(7)  # noqa: S311 - a script's, no secret
        self._order = itertools.count()
        self._plan: list[Planned] = []
        self._numbers = {country: numbers(areas) for country, areas in AREAS.items()}

    def warm_up(self) -> None:
        """Start every function, so that the first user does not wait for it."""
        self._stack.take_callbacks()
        for number in ("+13125550100", "+16045550199"):
            if (verification_id := self._request(number)) is not None:
                self._verify(verification_id, self._code(number))

    def run(self) -> None:
        """Play the script."""
        self._write_script()
        started = time.monotonic()
        with ThreadPoolExecutor(THREADS) as pool:
            while self._plan and time.monotonic() - started < 2 * SECONDS:
                wait = self._plan[0].at - (time.monotonic() - started)
                if wait > 0:
                    time.sleep(min(wait, 0.2))
                else:
                    pool.submit(heapq.heappop(self._plan).act)

    def _at(self, seconds: float, act: Callable[[], object]) -> None:
        heapq.heappush(self._plan, Planned(seconds, next(self._order), act))

    def _write_script(self) -> None:
        moment = 0.0
        while moment < SECONDS:
            country = self._chance.choices(list(SHARES), list(SHARES.values()))[0]
            if (number := next(self._numbers[country], None)) is not None:
                self._at(moment, lambda number=number, moment=moment: self._user(number, moment))  # type: ignore[misc] # bound now
            moment += self._chance.expovariate(USERS_PER_SECOND)
        self._at(30, lambda: self._spoil("infobip", "500", 15))
        self._at(45, lambda: self._spoil("sinch", "429", 2))
        self._at(12, lambda: self._spoil("infobip", "refused", 1))
        self._at(75, lambda: self._spoil("sinch", "refused", 1))
        for step in range(14):
            self._at(60 + step, lambda: self._request("+16175550100"))
            self._at(85 + step, lambda step=step: self._request(f"+1{PUMPED_AREA}55501{step:02d}"))  # type: ignore[misc] # bound now
        for step in range(10):
            self._at(20 + 8 * step, lambda: self._request(NOT_SENT_TO))
        for step in range(4):
            self._at(100 + step, self._forge)
        self._at(40, lambda: self._guesser("+17025550100"))

    def _user(self, number: str, moment: float) -> None:
        """Request a code; most users verify it later, some mistype it first, some never verify."""
        verification_id = self._request(number)
        kind = self._chance.random()
        if verification_id is None or kind > 0.9:
            return
        later = moment + self._chance.uniform(2, 9)
        if kind < 0.12:
            self._at(later, lambda: self._verify(verification_id, "000000"))
        self._at(later + 1.5 * (kind < 0.12), lambda: self._verify(verification_id, self._code(number)))

    def _guesser(self, number: str) -> None:
        verification_id = self._request(number)
        for guess in range(8):
            self._verify(verification_id or "", f"00000{guess}")

    def _request(self, number: str) -> str | None:
        answer = self._post("/request-otp", {"phoneNumber": number})
        return answer.get("verificationId")

    def _verify(self, verification_id: str, code: str) -> None:
        self._post("/verify-otp", {"verificationId": verification_id, "otp": code})

    def _code(self, number: str) -> str:
        inbox = requests.get(f"{self._stack.sandbox_url}/inbox", params={"to": number}, timeout=10).json()
        return str(inbox[0]["code"])

    def _spoil(self, provider: str, fault: str, times: int) -> None:
        spoilt = {"provider": provider, "operation": "send", "fault": fault, "times": times}
        requests.post(f"{self._stack.sandbox_url}/faults", json=spoilt, timeout=10).raise_for_status()

    def _forge(self) -> None:
        requests.post(f"{self._stack.base_url}/webhooks/sinch", json={}, timeout=10)

    def _post(self, path: str, body: dict[str, str]) -> dict[str, Any]:
        headers = {"x-api-key": self._stack.api_key}
        url = f"{self._stack.base_url}{path}"
        return dict(requests.post(url, json=body, headers=headers, timeout=30).json())


def numbers(areas: tuple[str, ...]) -> Iterator[str]:
    """The numbers of these area codes, each once."""
    return (f"+1{area}55501{index:02d}" for index in range(100) for area in areas)
