"""Solves a challenge as ALTCHA's widget does."""

from typing import Any

from altcha import Challenge, Payload, solve_challenge


def solution_of(given: dict[str, Any]) -> str:
    """The solution that the widget hands to the form for a backend's challenge."""
    challenge = Challenge.from_dict(given)
    solution = solve_challenge(challenge)
    assert solution is not None
    return Payload(challenge, solution).to_base64()
