"""Solves a challenge as ALTCHA's widget does."""

from typing import Any

from altcha import Challenge, Payload, solve_challenge


def solution_of(given: dict[str, Any]) -> str:
    """What the widget hands to the form for the challenge that a backend gave."""
    challenge = Challenge.from_dict(given)
    solution = solve_challenge(challenge)
    assert solution is not None
    return Payload(challenge, solution).to_base64()
