"""Times in seconds and in milliseconds, and the unit that each caller passes."""

from dataclasses import dataclass, field

from fakes.memory import PEPPERS, START, StepClock
from sms_otp.domain.clock import Deadline, Seconds, milliseconds, seconds, to_milliseconds, to_seconds
from sms_otp.domain.commands import Policy
from sms_otp.domain.ports import Erased, NumberRecord
from sms_otp.use_cases.administration import Administration, Administrator

NUMBER = "+14155550123"
WHO = Administrator("an-arn", Deadline(10))


@dataclass
class Numbers:
    """Records the times that it is called with."""

    moments: list[int] = field(default_factory=list)

    def record_of(self, _number_key: str, now: Seconds) -> NumberRecord:
        self.moments.append(now)
        return NumberRecord()

    def unlock(self, _number_key: str, now: Seconds) -> int:
        self.moments.append(now)
        return 0

    def erase(self, _number_key: str, now: Seconds, _deadline: Deadline) -> Erased:
        self.moments.append(now)
        return Erased({})


def test_every_admin_operation_passes_its_time_in_seconds(policy: Policy) -> None:
    numbers = Numbers()
    administration = Administration(policy, numbers, lambda: PEPPERS, StepClock(), lambda *_, **__: None)
    administration.status(NUMBER, WHO)
    administration.unlock(NUMBER, WHO)
    administration.erase(NUMBER, WHO)
    assert numbers.moments == [int(START)] * 3


def test_a_moment_is_rounded_down_and_converted_exactly() -> None:
    clock = StepClock(START + 0.9996)
    assert (seconds(clock), milliseconds(clock)) == (int(START), int(START) * 1000 + 999)
    assert to_seconds(milliseconds(clock)) == int(START)
    assert to_milliseconds(seconds(clock)) == int(START) * 1000
