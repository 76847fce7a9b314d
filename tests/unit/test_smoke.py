"""The smoke test's own judgement, without a stack."""

import pytest

from ops.smoke import SmokeFailed, number_of


def test_the_first_test_number_is_taken_and_its_wrong_code_differs_in_every_digit() -> None:
    found = number_of({"TestNumbers": "+447700900199=246802,+447700900198=111111"})
    assert (found.number, found.code, found.wrong_code) == ("+447700900199", "246802", "753197")


@pytest.mark.parametrize("parameters", [{}, {"TestNumbers": ""}])
def test_a_stack_without_a_test_number_is_not_tried(parameters: dict[str, str]) -> None:
    with pytest.raises(SmokeFailed, match="TestNumbersEnd"):
        number_of(parameters)
