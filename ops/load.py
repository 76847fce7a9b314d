"""`make load`: load-test the local stack and check every limit exactly.

    python -m ops.load --rate 50 --seconds 120 --workers 4

A request starts every 1/rate seconds, or as soon as a worker is free. Requests are not queued, so the
reported rate is the rate that the stack carried. Few numbers and fewer clients request codes again and again,
and guess, mostly wrongly, until the service stops them. Then the sandbox's calls are counted, number by
number, against the limits.

Locust or k6 would send the same requests; neither could count what reached a provider. Loopback only.
"""

import argparse
import json
import random
import sys
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import requests
from rich.console import Console
from rich.table import Table

from local.stack_file import LOCAL, LocalStackError, StackFile
from ops.deployed import Deployed, StackNotFound, find
from sms_otp.domain.clock import DAY, HOUR, MINUTE

OUTPUT = LOCAL / "load.json"
NUMBERS = tuple(f"+141555501{index:02d}" for index in range(40))
"""North American numbers reserved for fiction (555-0100 to 555-0199)."""
CLIENTS = 8
"""Few enough that both clients and numbers reach their limits."""
TIMEOUT_SECONDS = 60
FAILURE_WAIT_SECONDS, FAILURE_WAIT_MAX_SECONDS = 30, HOUR
"""Constants of the template."""
WRONG_SHARE = 0.7
HTTP_OK, NO_ANSWER = 200, None
"""Values of `status` in the sandbox's call log."""

EXPECTED = {
    "/request-otp": {
        "200",
        "403 CHALLENGE_REQUIRED",
        "403 NUMBER_DISABLED",
        "429 RATE_LIMITED",
        "429 NUMBER_LOCKED",
    },
    "/verify-otp": {
        "200",
        "400 OTP_INCORRECT",
        "409 ALREADY_VERIFIED",
        "429 TOO_MANY_ATTEMPTS",
        "429 NUMBER_LOCKED",
        "403 NUMBER_DISABLED",
        "410 OTP_EXPIRED",
    },
}
"""Statuses and error codes that the limits explain, by path. Any other outcome is an error."""

EXPLAINED = (
    "unexpected: an answer that no limit explains. most: the most by one number, client or code. at it: how "
    "many reached the limit. BROKEN: more calls than the limit allows reached a provider, counted in the "
    "sandbox's log."
)


@dataclass(frozen=True, slots=True)
class Answered:
    """One request and its outcome. `seconds` is its latency, by the monotonic clock."""

    path: str
    said: str
    """The status and, for a refusal, its errorCode; the exception's name without an answer."""
    number: str
    client: str
    seconds: float


@dataclass
class Open:
    """A verification under way."""

    number: str
    verification_id: str


@dataclass
class Drive:
    """State shared by the workers."""

    api: str
    key: str
    sandbox: str
    chance: random.Random
    answered: list[Answered] = field(default_factory=list)
    waiting: list[Open] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def act(self, session: requests.Session) -> None:
        """Send one request: half of them guesses, while verifications are open."""
        with self.lock:
            guesses = bool(self.waiting) and self.chance.random() < 0.5
            held = self.chance.choice(self.waiting) if guesses else None
            number, client = self.chance.choice(NUMBERS), f"203.0.113.{self.chance.randrange(CLIENTS)}"
            wrong = self.chance.random() < WRONG_SHARE
        if held is None:
            self._request(session, number, client)
        else:
            self._guess(session, held, wrong=wrong)

    def _request(self, session: requests.Session, number: str, client: str) -> None:
        found = self._post(
            session, "/request-otp", {"phoneNumber": number, "clientIp": client}, number, client
        )
        if "verificationId" in found:
            with self.lock:
                self.waiting = [held for held in self.waiting if held.number != number]
                self.waiting.append(Open(number, str(found["verificationId"])))

    def _guess(self, session: requests.Session, held: Open, *, wrong: bool) -> None:
        code = self._code(session, held.number)
        if code is None:
            return
        guess = "".join(str(9 - int(digit)) for digit in code) if wrong else code
        body = {"verificationId": held.verification_id, "otp": guess}
        found = self._post(session, "/verify-otp", body, held.number, "")
        if found.get("errorCode") not in ("OTP_INCORRECT", "NUMBER_LOCKED"):
            with self.lock:
                self.waiting = [each for each in self.waiting if each is not held]

    def _code(self, session: requests.Session, number: str) -> str | None:
        messages = session.get(f"{self.sandbox}/inbox", params={"to": number}, timeout=TIMEOUT_SECONDS).json()
        return str(messages[0]["code"]) if messages else None

    def _post(
        self, session: requests.Session, path: str, body: Any, number: str, client: str
    ) -> dict[str, Any]:
        began = time.monotonic()
        try:
            answer = session.post(
                self.api + path, json=body, headers={"x-api-key": self.key}, timeout=TIMEOUT_SECONDS
            )
            found: dict[str, Any] = answer.json()
            outcome = f"{answer.status_code} {found.get('errorCode', '')}".strip()
        except (requests.RequestException, ValueError) as error:
            found, outcome = {}, type(error).__name__
        with self.lock:
            self.answered.append(Answered(path, outcome, number, client, time.monotonic() - began))
        return found

    def warm(self, _worker: int) -> None:
        """Send one invalid request to each path, uncounted, so that no cold start is measured."""
        for path, body in (("/request-otp", {"phoneNumber": "none"}), ("/verify-otp", {"otp": "none"})):
            headers = {"x-api-key": self.key}
            answer = requests.post(self.api + path, json=body, headers=headers, timeout=TIMEOUT_SECONDS)
            if answer.status_code != 400:
                raise LocalStackError(f"{path} answered {answer.status_code}, not 400")


def drive(shared: Drive, rate: float, seconds: float, workers: int) -> float:
    """Send requests for `seconds`. Returns the seconds until the last answer."""
    began = time.monotonic()
    due = iter(range(int(rate * seconds)))

    def next_due() -> int | None:
        with shared.lock:
            return next(due, None)

    def work() -> None:
        with requests.Session() as session:
            session.trust_env = False
            while (index := next_due()) is not None and time.monotonic() - began < seconds:
                time.sleep(max(0.0, began + index / rate - time.monotonic()))
                shared.act(session)

    threads = [threading.Thread(target=work) for _ in range(workers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return time.monotonic() - began


@dataclass(frozen=True)
class Limit:
    """One limit: what it allows, the most that was used, and how many numbers or clients reached it."""

    name: str
    allowed: int
    most: int
    at_it: int
    held: bool


def guesses_within(seconds: float, parameters: Mapping[str, int]) -> int:
    """Wrong guesses that a number may make within `seconds`: the free ones, and one after each wait."""
    guesses, wait = parameters["FailuresBeforeWait"], FAILURE_WAIT_SECONDS
    while seconds >= wait:
        seconds -= wait
        guesses, wait = guesses + 1, min(2 * wait, FAILURE_WAIT_MAX_SECONDS)
    return guesses


def limits(
    parameters: Mapping[str, int], shared: Drive, calls: Sequence[dict[str, Any]], took: float
) -> Iterator[Limit]:
    """Compare provider calls and answers with each limit of the stack's parameters."""
    # A send that a provider answered with an error sent no code, and the next provider may have been called.
    sends = [
        call
        for call in calls
        if call["operation"] in ("send", "resend") and call["status"] in (HTTP_OK, NO_ANSWER)
    ]
    moments: dict[str, list[float]] = defaultdict(list)
    for call in sends:
        moments[call["to"]].append(datetime.fromisoformat(call["at"]).timestamp())
    for name, span in (("SendsPerQuarterHour", 15 * MINUTE), ("SendsPerHour", HOUR), ("SendsPerDay", DAY)):
        yield _of(f"{name}, a number", parameters[name], [most_within(at, span) for at in moments.values()])
    requested = [each for each in shared.answered if (each.path, each.said) == ("/request-otp", "200")]
    clients = Counter(each.client for each in requested)
    yield _of("ClientSendsPerHour, a client", parameters["ClientSendsPerHour"], clients.values())
    checks = Counter(call["to"] for call in calls if call["operation"] == "check")
    right = {each.number for each in shared.answered if (each.path, each.said) == ("/verify-otp", "200")}
    in_a_row = [count for number, count in checks.items() if number not in right]
    guesses = guesses_within(took, parameters)
    yield _of("FailuresBeforeWait, a number without success", guesses, in_a_row)
    per_code = [-(-count // max(1, len(moments[number]))) for number, count in checks.items()]
    yield _of("MaxAttempts, a code", parameters["MaxAttempts"], per_code)
    unknown = sum(
        each.path == "/request-otp" and each.said not in EXPECTED[each.path] for each in shared.answered
    )
    # A request without an answer, or with an unexpected error, may or may not have sent a code.
    allowed = len(requested) + unknown
    held = len(requested) <= len(sends) <= allowed
    yield Limit("one code for each 200, none for a refusal", allowed, len(sends), 0, held)


def most_within(moments: Sequence[float], span: float) -> int:
    """The most moments within any `span` seconds."""
    return max((sum(1 for at in moments if end - span < at <= end) for end in moments), default=0)


def _of(name: str, allowed: int, counts: Any) -> Limit:
    found = list(counts)
    most = max(found, default=0)
    return Limit(name, allowed, most, sum(count == allowed for count in found), most <= allowed)


def percentile(values: Sequence[float], share: float) -> float:
    """The percentile by nearest rank; 0 without values."""
    ordered = sorted(values)
    return ordered[max(0, -(-int(share * 1000) * len(ordered) // 1000) - 1)] if ordered else 0.0


def latencies(answered: Sequence[Answered]) -> Iterator[tuple[str, int, list[float]]]:
    """Yield (path, requests, milliseconds at 50, 95, 99 and 100 percent)."""
    for path in EXPECTED:
        seconds = [each.seconds for each in answered if each.path == path]
        yield path, len(seconds), [1000 * percentile(seconds, share) for share in (0.5, 0.95, 0.99, 1.0)]


def unexpected(answered: Sequence[Answered]) -> Counter[str]:
    """Count the outcomes that no limit explains, by path and outcome."""
    return Counter(f"{each.path} {each.said}" for each in answered if each.said not in EXPECTED[each.path])


def report(shared: Drive, took: float, found: Sequence[Limit], say: Callable[[Any], None]) -> bool:
    """Print three tables and their legend. Returns whether no answer was unexpected and every limit held."""
    say(f"{len(shared.answered)} requests in {took:.0f} s: {len(shared.answered) / took:.1f} a second")
    slow = Table("path", "requests", "p50 ms", "p95 ms", "p99 ms", "most ms")
    for path, count, milliseconds in latencies(shared.answered):
        slow.add_row(path, str(count), *(f"{value:.0f}" for value in milliseconds))
    answers = Table("path", "answer", "times", "")
    for (path, outcome), times in sorted(Counter((each.path, each.said) for each in shared.answered).items()):
        answers.add_row(path, outcome, str(times), "" if outcome in EXPECTED[path] else "unexpected")
    held = Table("limit", "allowed", "most", "at it", "")
    for each in found:
        at_it = str(each.at_it) if each.at_it else ""
        held.add_row(each.name, str(each.allowed), str(each.most), at_it, "held" if each.held else "BROKEN")
    for shown in (slow, answers, held, EXPLAINED):
        say(shown)
    return not unexpected(shared.answered) and all(each.held for each in found)


def run(
    stack: Deployed, running: StackFile, rate: float, seconds: float, workers: int
) -> tuple[Drive, float]:
    """Empty the sandbox's call log and drive the stack. Returns the state and the seconds it took."""
    requests.delete(f"{running.sandboxUrl}/calls", timeout=TIMEOUT_SECONDS)
    shared = Drive(stack.base_url, running.apiKey, running.sandboxUrl, random.Random(1))  # noqa: S311 # no secret
    with ThreadPoolExecutor(workers) as pool:
        # At once, so that each worker starts a function process of its own.
        list(pool.map(shared.warm, range(workers)))
    return shared, drive(shared, rate, seconds, workers)


def main() -> None:
    """Print the tables and write `.local/load.json`; exits with 1 on an unexpected answer or broken limit."""
    parser = argparse.ArgumentParser(prog="python -m ops.load")
    parser.add_argument("--rate", type=float, default=50, help="requests a second (default: %(default)s)")
    parser.add_argument("--seconds", type=float, default=120, help="(default: %(default)s)")
    parser.add_argument("--workers", type=int, default=4, help="requests at once (default: %(default)s)")
    chosen = parser.parse_args()
    try:
        stack, running = find(""), StackFile.read(LOCAL / "stack.json")
    except (StackNotFound, LocalStackError) as error:
        sys.exit(f"load: {error}")
    try:
        shared, took = run(stack, running, chosen.rate, chosen.seconds, chosen.workers)
    except LocalStackError as error:
        sys.exit(f"load: {error}")
    calls = requests.get(f"{running.sandboxUrl}/calls", timeout=TIMEOUT_SECONDS).json()
    parameters = {name: int(value) for name, value in stack.parameters.items() if value.isdigit()}
    found = list(limits(parameters, shared, calls, took))
    is_well = report(shared, took, found, Console().print)
    written = {
        "requests": len(shared.answered),
        "seconds": round(took, 1),
        "latencies": {path: milliseconds for path, _, milliseconds in latencies(shared.answered)},
        "unexpected": unexpected(shared.answered),
        "limits": {each.name: [each.allowed, each.most, each.held] for each in found},
    }
    OUTPUT.write_text(json.dumps(written, indent=2) + "\n")
    sys.exit(not is_well)


if __name__ == "__main__":
    main()
