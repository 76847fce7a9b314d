"""All kinds of faults, counted."""

from tests.functional.faults.exchanges import CHECKS, SENDS
from tests.functional.faults.refusals import REFUSALS
from tests.functional.faults.test_lambda import KILLED_GUESSES, KILLED_REQUESTS
from tests.functional.faults.test_secrets import SECRETS_FAIL


def test_there_are_at_least_120_kinds_of_faults() -> None:
    """The matrix does not shrink unseen."""
    kinds = len(SENDS) + len(CHECKS) + len(REFUSALS) + len(SECRETS_FAIL)
    kinds += len(KILLED_REQUESTS) + len(KILLED_GUESSES)
    assert kinds >= 120
