"""The smoke test's choice of a test number, without a stack."""

import pytest

from ops.smoke import SmokeFailed, number_of


def test_the_first_test_number_is_used_with_a_fully_different_wrong_code() -> None:
    found = number_of({"TestNumbers": "+447700900199=246802,+447700900198=111111"})
    assert (found.number, found.code, found.wrong_code) == ("+447700900199", "246802", "753197")


@pytest.mark.parametrize("parameters", [{}, {"TestNumbers": ""}])
def test_a_stack_without_a_test_number_is_refused(parameters: dict[str, str]) -> None:
    with pytest.raises(SmokeFailed, match="TestNumbersEnd"):
        number_of(parameters)
