"""A provider's circuit at the moments where it changes, to the millisecond."""

import pytest

from sms_otp.domain.circuit import CLOSED, Circuit, State, number_id
from sms_otp.domain.clock import Milliseconds

NOW = Milliseconds(1_800_000_000_000)


def ago(milliseconds: int) -> Milliseconds:
    return Milliseconds(NOW - milliseconds)


@pytest.mark.parametrize(
    ("circuit", "state"),
    [
        (CLOSED, State.CLOSED),
        (Circuit({"a": NOW, "b": NOW, "c": NOW}), State.CLOSED),
        (Circuit(opened_at=ago(0)), State.OPEN),
        (Circuit(opened_at=ago(29_999)), State.OPEN),
        (Circuit(opened_at=ago(30_000)), State.HALF_OPEN),
        (Circuit(opened_at=ago(29_999), probe_until=ago(1)), State.OPEN),
        (Circuit(opened_at=ago(60_000), probe_until=ago(-1)), State.OPEN),
        (Circuit(opened_at=ago(60_000), probe_until=ago(0)), State.HALF_OPEN),
    ],
)
def test_a_circuit_is_open_for_thirty_seconds_and_while_it_is_probed(circuit: Circuit, state: State) -> None:
    assert circuit.state(NOW) is state


@pytest.mark.parametrize(("age", "is_stale"), [(59_999, False), (60_000, True)])
def test_a_failure_counts_for_a_minute(age: int, is_stale: bool) -> None:
    circuit = Circuit({"aaaaaaaa": ago(age), "bbbbbbbb": NOW})
    assert circuit.stale(NOW) == (("aaaaaaaa",) if is_stale else ())
    assert circuit.opens_with("cccccccc-key", NOW) is not is_stale


def test_a_number_that_fails_again_counts_once() -> None:
    circuit = Circuit({"aaaaaaaa": NOW, "bbbbbbbb": NOW})
    assert number_id("bbbbbbbb-key") == "bbbbbbbb"
    assert not circuit.opens_with("bbbbbbbb-key", NOW)
    assert circuit.opens_with("cccccccc-key", NOW)


def test_an_open_circuit_is_not_opened_again() -> None:
    circuit = Circuit({"aaaaaaaa": NOW, "bbbbbbbb": NOW}, opened_at=NOW)
    assert not circuit.opens_with("cccccccc-key", NOW)
