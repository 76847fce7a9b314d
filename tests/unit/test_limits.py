"""The bounds of the limits, as properties: they hold exactly for any timing of the caller."""

from hypothesis import given
from hypothesis import strategies as st

from sms_otp.domain.clock import Milliseconds, to_milliseconds
from sms_otp.domain.limits import (
    DAY,
    HOUR,
    MINUTE,
    SECOND,
    GuessPolicy,
    SendPolicy,
    Window,
    gap_after,
    next_send_at,
    whole_seconds,
)

NOW = Milliseconds(1_800_000_000_000)
SENDS = SendPolicy(
    windows=(Window(3, 15 * MINUTE), Window(5, HOUR), Window(10, DAY)), gap=30 * SECOND, gap_max=240 * SECOND
)
GUESSES = GuessPolicy(free=5, wait=30 * SECOND, wait_max=HOUR, closed_at=100)

waits = st.lists(st.integers(0, 3 * HOUR).map(Milliseconds), min_size=1, max_size=120)
windows = st.lists(
    st.builds(Window, st.integers(1, 12), st.integers(SECOND, DAY).map(Milliseconds)), min_size=1, max_size=4
).map(tuple)


def sends_granted(policy: SendPolicy, pauses: list[Milliseconds]) -> list[Milliseconds]:
    """The moments of the sends that the policy lets through, tried after each of these pauses."""
    now = NOW
    log: tuple[Milliseconds, ...] = ()
    granted: list[Milliseconds] = []
    for pause in pauses:
        now += pause
        if next_send_at(log, policy, now) <= now:
            log = (*(at for at in log if at > now - policy.memory), now)
            granted.append(now)
    return granted


@given(windows=windows, pauses=waits)
def test_no_span_of_a_window_ever_holds_more_sends_than_its_limit(
    windows: tuple[Window, ...], pauses: list[Milliseconds]
) -> None:
    granted = sends_granted(SendPolicy(windows), pauses)
    for window in windows:
        for start in granted:
            within = [at for at in granted if start <= at < start + window.span]
            assert len(within) <= window.limit


@given(windows=windows, pauses=waits)
def test_the_named_moment_is_the_first_at_which_a_send_is_allowed(
    windows: tuple[Window, ...], pauses: list[Milliseconds]
) -> None:
    policy = SendPolicy(windows)
    log = tuple(sends_granted(policy, pauses))
    now = log[-1]
    allowed_at = next_send_at(log, policy, now)
    for window in windows:
        assert sum(1 for at in log if at > allowed_at - window.span) < window.limit
    if allowed_at > now:
        early = allowed_at - Milliseconds(1)
        assert any(sum(1 for at in log if at > early - w.span) >= w.limit for w in windows)


@given(pauses=waits)
def test_sends_are_at_least_the_grown_gap_apart(
    pauses: list[Milliseconds],
) -> None:
    granted = sends_granted(SENDS, pauses)
    for index in range(1, len(granted)):
        before = granted[:index][::-1]
        assert granted[index] - granted[index - 1] >= gap_after(before, SENDS)


def test_the_gap_doubles_with_each_send_of_the_hour_up_to_its_ceiling() -> None:
    newest_first: list[Milliseconds] = []
    gaps = []
    for index in range(6):
        newest_first.insert(0, NOW + index * MINUTE)
        gaps.append(gap_after(newest_first, SENDS) // SECOND)
    assert gaps == [30, 60, 120, 240, 240, 240]


def test_a_send_of_more_than_an_hour_ago_no_longer_widens_the_gap() -> None:
    assert gap_after([NOW, NOW - HOUR], SENDS) == 30 * SECOND


def test_the_first_send_need_not_wait() -> None:
    assert next_send_at((), SENDS, NOW) == NOW


def test_the_default_limits_let_three_five_and_ten_through() -> None:
    granted = sends_granted(SENDS, [30 * SECOND] * (3 * DAY // (30 * SECOND)))
    first = granted[0]
    assert sum(1 for at in granted if at < first + 15 * MINUTE) == 3
    assert sum(1 for at in granted if at < first + HOUR) == 5
    assert sum(1 for at in granted if at < first + DAY) == 10


@given(failures=st.integers(0, 200))
def test_the_rows_of_the_stores_condition_match_the_policy(failures: int) -> None:
    rows = dict(GUESSES.steps)
    most = max(rows)
    in_rows = 0 if failures < GUESSES.free else rows[min(failures, most)]
    assert in_rows == GUESSES.wait_after(failures)


def test_a_first_wait_above_the_longest_is_capped_for_the_store_too() -> None:
    """Each parameter is checked on its own; nothing compares the two."""
    policy = GuessPolicy(free=5, wait=HOUR, wait_max=30 * SECOND, closed_at=100)
    assert policy.steps == ((5, 30 * SECOND),)
    assert policy.wait_after(5) == 30 * SECOND


def test_the_wait_grows_from_thirty_seconds_to_an_hour() -> None:
    assert [GUESSES.wait_after(n) // SECOND for n in range(4, 14)] == [
        0, 30, 60, 120, 240, 480, 960, 1920, 3600, 3600,
    ]  # fmt: skip


@given(milliseconds=st.integers(-5 * SECOND, DAY).map(Milliseconds))
def test_waiting_the_named_seconds_is_never_too_short(milliseconds: Milliseconds) -> None:
    assert whole_seconds(milliseconds) >= 1
    assert to_milliseconds(whole_seconds(milliseconds)) >= milliseconds
