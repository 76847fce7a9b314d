"""The page's own challenge: each solution is taken once, in time, and for what it was made for."""

import base64
import json
from concurrent.futures import ThreadPoolExecutor

from local.sandbox.challenges import Challenges
from tests.challenges import solution_of


def test_a_solution_is_taken_once() -> None:
    challenges = Challenges()
    solution = solution_of(challenges.make("a code"))
    assert challenges.take(solution, "a code", "first click")
    assert challenges.take(solution, "a code", "first click")
    assert not challenges.take(solution, "a code", "second click")


def test_of_many_that_bring_it_at_once_one_is_taken() -> None:
    challenges = Challenges()
    solution = solution_of(challenges.make("a code"))
    with ThreadPoolExecutor(8) as crowd:
        taken = list(crowd.map(lambda click: challenges.take(solution, "a code", str(click)), range(40)))
    assert taken.count(True) == 1


def test_the_same_solution_written_otherwise_is_the_same() -> None:
    challenges = Challenges()
    solution = solution_of(challenges.make("a code"))
    assert challenges.take(solution, "a code", "one")
    written = json.loads(base64.b64decode(solution))
    written["solution"]["time"] = 1
    otherwise = base64.b64encode(json.dumps(written, indent=1).encode()).decode()
    assert not challenges.take(otherwise, "a code", "two")


def test_it_is_good_for_nothing_else_and_stays_good_for_what_it_is() -> None:
    challenges = Challenges()
    solution = solution_of(challenges.make("a code"))
    assert not challenges.take(solution, "another code", "one")
    assert challenges.take(solution, "a code", "two")


def test_another_key_or_a_late_one_is_none() -> None:
    late = Challenges(life_seconds=-1)
    solution = solution_of(late.make("a code"))
    assert not late.take(solution, "a code", "one")
    assert not Challenges().take(solution_of(Challenges().make("a code")), "a code", "one")


def test_what_is_no_solution_is_none() -> None:
    def written(value: object) -> str:
        return base64.b64encode(json.dumps(value).encode()).decode()

    texts = ["", "person", "é", "bm8ganNvbg==", base64.b64encode(b"[" * 100_000).decode()]
    others: list[object] = [None, 1, True, [], {}]
    parsed: list[object] = [None, 1, [], {}, {"challenge": 1}, {"challenge": {}, "solution": {}}]
    for nothing in (
        *others,
        *texts,
        *map(written, parsed),
        written({"challenge": {"parameters": [], "signature": "x"}, "solution": {"counter": 1}}),
        base64.b64encode(b"9" * 10_000).decode(),
    ):
        assert not Challenges().take(nothing, "a code", "one")
