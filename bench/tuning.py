"""Durations in Lambda's image: a function's start, first and twentieth request; and by memory."""

from collections.abc import Iterator
from statistics import fmean

from rich.progress import Progress

from bench.containers import DEFAULT_MB, Environment, event, started
from bench.figures import Figure

MEMORIES = (128, 256, 512, 1024, 1769)
REQUESTS = 20
EVENTS = {
    "request_otp": "request_otp-sms",
    "verify_otp": "verify_otp-code",
    "resend_otp": "resend_otp-unknown_id",
    "cancel_otp": "cancel_otp-unknown_id",
    "otp_status": "otp_status-unknown_id",
    "webhooks": "webhooks-sinch",
    "aws_events": "aws_events-delivered",
    "admin": "admin-number_status",
    "jwks": "jwks-keys",
    "deep_health": "deep_health-up",
    "health": "health-up",
}
"""Every function except the custom resource."""
TUNED = ("request_otp", "verify_otp")


def figures_of(endpoint: str, progress: Progress) -> Iterator[Figure]:
    """Measure each function at the default memory, and `TUNED` at every memory."""
    others = [memory for memory in MEMORIES if memory != DEFAULT_MB]
    task = progress.add_task("Lambda's image", total=len(EVENTS) + len(TUNED) * len(others))
    at_default = {}
    for function in EVENTS:
        with started(function, endpoint) as environment:
            yield Figure(f"{function} in Lambda's image, start", round(environment.cpu_ms(), 1), "ms CPU")
            times = at_default[function] = _requests(environment, function, DEFAULT_MB)
        yield Figure(
            f"{function} in Lambda's image, first request", round(times[0], 1), f"ms at {DEFAULT_MB} MB"
        )
        yield Figure(
            f"{function} in Lambda's image, 20th request", round(times[-1], 1), f"ms at {DEFAULT_MB} MB"
        )
        progress.advance(task)
    for function in TUNED:
        by_memory = {DEFAULT_MB: at_default[function]}
        for memory in others:
            with started(function, endpoint) as environment:
                by_memory[memory] = _requests(environment, function, memory)
            progress.advance(task)
        for memory in MEMORIES:
            first, *more = by_memory[memory]
            yield Figure(f"{function}, first request, at {memory} MB", round(first, 1), "ms")
            yield Figure(f"{function}, mean of the next 19, at {memory} MB", round(fmean(more), 1), "ms")


def _requests(environment: Environment, function: str, memory: int) -> list[float]:
    environment.limit_to(memory)
    request = event(EVENTS[function])
    return [environment.api.invoke(request).ms for _ in range(REQUESTS)]
