"""The challenge of the sandbox page: a solution is accepted once, in time, and for its own purpose."""

import base64
import json
from concurrent.futures import ThreadPoolExecutor

from local.sandbox.challenges import Challenges
from tests.challenges import solution_of


def test_a_solution_is_accepted_once() -> None:
    challenges = Challenges()
    solution = solution_of(challenges.make("a code"))
    assert challenges.take(solution, "a code", "first click")
    assert challenges.take(solution, "a code", "first click")
    assert not challenges.take(solution, "a code", "second click")


def test_one_of_many_concurrent_uses_of_a_solution_is_accepted() -> None:
    challenges = Challenges()
    solution = solution_of(challenges.make("a code"))
    with ThreadPoolExecutor(8) as crowd:
        taken = list(crowd.map(lambda click: challenges.take(solution, "a code", str(click)), range(40)))
    assert taken.count(True) == 1


def test_a_reformatted_solution_counts_as_the_same_one() -> None:
    challenges = Challenges()
    solution = solution_of(challenges.make("a code"))
    assert challenges.take(solution, "a code", "one")
    written = json.loads(base64.b64decode(solution))
    written["solution"]["time"] = 1
    reformatted = base64.b64encode(json.dumps(written, indent=1).encode()).decode()
    assert not challenges.take(reformatted, "a code", "two")


def test_a_solution_is_refused_for_another_purpose_and_stays_valid_for_its_own() -> None:
    challenges = Challenges()
    solution = solution_of(challenges.make("a code"))
    assert not challenges.take(solution, "another code", "one")
    assert challenges.take(solution, "a code", "two")


def test_a_late_solution_or_one_under_another_key_is_refused() -> None:
    late = Challenges(life_seconds=-1)
    solution = solution_of(late.make("a code"))
    assert not late.take(solution, "a code", "one")
    assert not Challenges().take(solution_of(Challenges().make("a code")), "a code", "one")


def test_a_malformed_solution_is_refused() -> None:
    def written(value: object) -> str:
        return base64.b64encode(json.dumps(value).encode()).decode()

    texts = ["", "person", "é", "bm8ganNvbg==", base64.b64encode(b"[" * 100_000).decode()]
    others: list[object] = [None, 1, True, [], {}]
    parsed: list[object] = [None, 1, [], {}, {"challenge": 1}, {"challenge": {}, "solution": {}}]
    for malformed in (
        *others,
        *texts,
        *map(written, parsed),
        written({"challenge": {"parameters": [], "signature": "x"}, "solution": {"counter": 1}}),
        base64.b64encode(b"9" * 10_000).decode(),
    ):
        assert not Challenges().take(malformed, "a code", "one")
