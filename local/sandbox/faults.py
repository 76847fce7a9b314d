"""Failures on demand: the kinds of faults, and the queue of pending ones.

timeout   neither acts nor answers                lost   acts, never answers
drip      does not act, answers 1 byte a second   html   a 200 with a web page
refused   the provider's permanent refusal        redirect   to another host
401 429 500 502 503   that status, in the provider's (502: its gateway's) form
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass

PROVIDERS = ("infobip", "sinch", "aws")
OPERATIONS = ("send", "resend", "check", "status", "feedback", "provision", "provision-create")
ACTED = "acted-"
"""Prefix of a status: the call acts, and is answered with the status."""
FAULTS = (
    *("timeout", "drip", "lost", "refused", "html", "redirect"),
    *("401", "429", "500", "502", "503", f"{ACTED}500", f"{ACTED}502", f"{ACTED}503"),
    "number-limit",
)
OF_PROVIDER = {"sinch": ("42901", "42201")}
"""Faults of one provider only, by its error codes."""

MOST_TIMES = 1_000_000
MOST_PENDING = 1_000


class BadFault(ValueError):
    """The body of `POST /faults` is not a fault; the message says why."""


@dataclass(slots=True)
class Fault:
    """The next `times` calls of `operation` at `provider` fail with `fault`."""

    provider: str
    operation: str
    fault: str
    times: int


def parse_fault(body: object) -> Fault:
    """Parse a JSON body into a fault; `times` defaults to 1. Raises `BadFault`."""
    if not isinstance(body, dict):
        raise BadFault("the body must be a JSON object")
    unknown = sorted(set(body) - {"provider", "operation", "fault", "times"})
    if unknown:
        raise BadFault(f"unknown field: {', '.join(unknown)}")
    times = body.get("times", 1)
    if type(times) is not int or not 1 <= times <= MOST_TIMES:
        raise BadFault(f"times must be an integer from 1 to {MOST_TIMES}")
    provider = _one_of(PROVIDERS, "provider", body)
    return Fault(
        provider=provider,
        operation=_one_of(OPERATIONS, "operation", body),
        fault=_one_of((*FAULTS, *OF_PROVIDER.get(provider, ())), "fault", body),
        times=times,
    )


def _one_of(choices: Sequence[str], field: str, body: dict[str, object]) -> str:
    value = body.get(field)
    if not isinstance(value, str) or value not in choices:
        raise BadFault(f"{field} must be one of the strings {', '.join(choices)}")
    return value


class Faults:
    """The pending faults, oldest first."""

    def __init__(self) -> None:
        self._pending: list[Fault] = []

    def add(self, fault: Fault) -> None:
        """Queue `fault` behind the others. Raises `BadFault` when the queue is full."""
        if len(self._pending) >= MOST_PENDING:
            raise BadFault(f"at most {MOST_PENDING} faults may be pending")
        self._pending.append(fault)

    def take(self, provider: str, operations: Sequence[str]) -> str | None:
        """Take one failure of the oldest fault for `provider` and any of `operations`; `None` without one."""
        for fault in self._pending:
            if fault.provider == provider and fault.operation in operations:
                fault.times -= 1
                if fault.times == 0:
                    self._pending.remove(fault)
                return fault.fault
        return None

    def pending(self) -> list[dict[str, str | int]]:
        """The faults as JSON objects; `times` is the number of failures left."""
        return [asdict(fault) for fault in self._pending]

    def clear(self) -> None:
        """Delete all pending faults."""
        self._pending.clear()
