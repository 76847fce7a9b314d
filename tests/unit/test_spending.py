"""The decisions of the budgets on sends, over counts kept in memory."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import pytest

from sms_otp.domain import errors
from sms_otp.domain.budgets import (
    Counts,
    DayCounter,
    OpenCount,
    Spans,
    changes_of_success,
    dumped,
)
from sms_otp.domain.clock import DAY, HOUR, Seconds
from sms_otp.domain.countries import History
from sms_otp.domain.guard import BudgetLane, Mode, NumberFacts
from sms_otp.domain.prices import USD, Prices
from sms_otp.domain.spending import Payment, Spending, SpendPolicy

NOON = Seconds(1_800_000_000 // DAY * DAY + 12 * HOUR)
CENT = USD // 100
POLICY = SpendPolicy(Mode.ENFORCE, 50 * USD, 1, Spans(10, 30), Prices({"*": 0.01}, {"*": 0.1}))
STRANGER, KNOWN = NumberFacts(), NumberFacts(is_known=True)
OWN = NumberFacts(is_own=True, is_known=True)


@dataclass
class Bank:
    """The counts, and sends that are made at once."""

    policy: SpendPolicy = POLICY
    now: Seconds = NOON
    counts: dict[str, dict[str, int]] = field(default_factory=dict)
    history: History = field(default_factory=History)

    def remember(self, country: str, verified: int, unverified: int = 0) -> None:
        """Fourteen days, in micro-dollars each."""
        for ago in range(1, 15):
            day = DayCounter.of(f"B#{country}", self.now - ago * DAY)
            self.counts[day.first] = {"verified": verified, "open": unverified}

    def spending(self, country: str, channel: str, block: str, network: str | None) -> Spending:
        clients = () if network is None else (network,)
        return Spending(self.policy, self.history, country, channel, (block,), clients, self.now)

    def send(
        self,
        number: NumberFacts = STRANGER,
        *,
        country: str = "US",
        channel: str = "sms",
        block: str | None = None,
        network: str | None = None,
        challenged: bool = False,
    ) -> Payment:
        """Raises as `Spending.decide`; then nothing is counted."""
        block = f"block-{sum(map(len, self.counts.values()))}-{len(self.counts)}" if block is None else block
        spending = self.spending(country, channel, block, network)
        read = {key: dict(self.counts[key]) for key in spending.keys if key in self.counts}
        payment = spending.decide(read, number, is_challenged=challenged)
        for increment in payment.increments:
            held = self.counts.setdefault(increment.key, {})
            assert all(held.get(name, 0) <= most for name, most in increment.limits.items())
            self._add(increment.key, increment.added)
        return payment

    def verify(self, payment: Payment) -> None:
        counted = map(OpenCount.load, dumped(payment.increments))
        for key, amounts in changes_of_success(counted, ()).items():
            self._add(key, amounts)

    def _add(self, key: str, amounts: Counts) -> None:
        held = self.counts.setdefault(key, {})
        for name, amount in amounts.items():
            held[name] = held.get(name, 0) + amount

    def until_refused(self, **send: object) -> list[BudgetLane]:
        """The lanes of the sends that were admitted before the first that was not."""
        admitted: list[BudgetLane] = []
        while True:
            try:
                admitted.append(self.send(**send).lane)  # type: ignore[arg-type] # the caller's own keywords
            except errors.OtpError as refused:
                self.refused = refused
                return admitted


@pytest.fixture
def bank() -> Bank:
    return Bank()


def day(country: str = "US") -> str:
    return DayCounter.of(f"B#{country}", NOON).first


def test_a_country_without_history_has_its_floor_then_requires_a_challenge(bank: Bank) -> None:
    assert bank.until_refused() == [BudgetLane.OPEN] * 50, "half a dollar an hour"
    assert isinstance(bank.refused, errors.ChallengeRequired)
    assert bank.refused.reason == "country"
    assert bank.refused.retry_after is None


def test_a_challenge_opens_eight_times_the_floor_then_rate_limits(bank: Bank) -> None:
    bank.until_refused()
    assert bank.until_refused(challenged=True) == [BudgetLane.CHALLENGED] * 400
    assert isinstance(bank.refused, errors.RateLimited)
    assert bank.refused.retry_after == HOUR


def test_a_voice_call_counts_at_its_price(bank: Bank) -> None:
    assert len(bank.until_refused(channel="voice")) == 5


def test_a_code_dearer_than_the_floor_is_sent_once(bank: Bank) -> None:
    bank.policy = replace(POLICY, prices=Prices({"*": 3.0}, {}))
    assert bank.until_refused() == [BudgetLane.OPEN]
    assert isinstance(bank.refused, errors.ChallengeRequired)


def test_verified_codes_make_room_for_others(bank: Bank) -> None:
    for _ in range(200):
        bank.verify(bank.send())
    assert bank.counts[day()] == {
        "open": 0,
        "open12": 0,
        "verified": 200 * CENT,
        "verified12": 200 * CENT,
    }
    assert len(bank.until_refused()) == 144, "1.2 of the 0.6 that a country begins with"


def test_a_fresh_network_may_send_when_the_open_lane_is_full(bank: Bank) -> None:
    bank.remember("US", verified=100 * USD, unverified=30 * USD)
    admitted = bank.until_refused()
    assert bank.send(network="fresh").lane is BudgetLane.FRESH
    with pytest.raises(errors.ChallengeRequired):
        bank.send(network="fresh")
    assert set(admitted) == {BudgetLane.OPEN}


def test_a_known_number_is_counted_on_its_own_lane_alone(bank: Bank) -> None:
    bank.remember("US", verified=100 * USD)
    bank.until_refused()
    payment = bank.send(KNOWN)
    assert payment.lane is BudgetLane.KNOWN
    assert [increment.key[0] for increment in payment.increments] == ["D", "B"]


def test_an_own_lane_counts_only_against_the_daily_cap(bank: Bank) -> None:
    bank.until_refused()
    payment = bank.send(OWN)
    assert payment.lane is BudgetLane.OWN
    assert [increment.key[0] for increment in payment.increments] == ["D"]


def test_a_send_of_a_country_with_history_is_three_items(bank: Bank) -> None:
    bank.remember("US", verified=100 * USD)
    assert [increment.key[0] for increment in bank.send().increments] == ["D", "B", "P"]


def test_a_floor_is_one_item_more_only_where_the_day_has_shards(bank: Bank) -> None:
    assert [increment.key[0] for increment in bank.send().increments] == ["D", "B", "P"]


def test_the_floors_of_all_countries_come_out_of_one_pool(bank: Bank) -> None:
    admitted = [len(bank.until_refused(country=country)) for country in ("US", "GB", "DE", "FR", "ES", "IT")]
    assert admitted == [50, 50, 50, 50, 0, 0], "two dollars an hour"


def test_a_block_of_numbers_has_ten_codes_open_in_an_hour(bank: Bank) -> None:
    bank.remember("US", verified=100 * USD)
    assert len(bank.until_refused(block="one")) == 10
    assert bank.refused.reason == "block"
    assert len(bank.until_refused(block="one", challenged=True)) == 30
    assert bank.send(block="another").lane is BudgetLane.OPEN


def test_a_network_has_ten_unverified_codes_open_in_an_hour_and_verified_ones_do_not_count(
    bank: Bank,
) -> None:
    bank.remember("US", verified=100 * USD)
    for _ in range(25):
        bank.verify(bank.send(network="shared"))
    assert len(bank.until_refused(network="shared")) == 10 + 11, "and 1.5 of the ratio of the verified ones"
    assert (type(bank.refused), bank.refused.reason) == (errors.RateLimited, "network")


@pytest.mark.parametrize("step", [HOUR, HOUR // 4])
def test_no_24_hours_of_a_network_have_more_than_its_day_open(bank: Bank, step: int) -> None:
    bank.remember("US", verified=1_000 * USD)
    moments: list[int] = []
    for _ in range(3 * DAY // step):
        moments += [bank.now] * len(bank.until_refused(network="one", country="US"))
        bank.now += Seconds(step)
    assert max(sum(at <= other < at + DAY for other in moments) for at in moments) == 30


def test_a_fifth_of_the_daily_cap_is_reserved_for_known_numbers(bank: Bank) -> None:
    bank.policy = replace(POLICY, daily_cap=USD)
    bank.remember("US", verified=1_000 * USD)
    assert len(bank.until_refused()) == 80
    assert (type(bank.refused), bank.refused.reason) == (errors.RateLimited, "service day")
    assert bank.refused.retry_after == 12 * HOUR
    assert len(bank.until_refused(number=OWN)) == 20
    assert bank.refused.reason == "service day"


def test_known_numbers_may_use_the_whole_daily_cap(bank: Bank) -> None:
    bank.policy = replace(POLICY, daily_cap=USD)
    assert len(bank.until_refused(number=OWN)) == 100


@pytest.mark.parametrize("mode", [Mode.OFF, Mode.RECORD])
def test_the_guard_refuses_only_in_enforce_mode(bank: Bank, mode: Mode) -> None:
    bank.policy = replace(POLICY, mode=mode)
    bank.remember("US", verified=100 * USD)
    payments = [bank.send(block="one") for _ in range(60)]
    assert payments[-1].over == (None if mode is Mode.OFF else "block")
    counted = bank.counts.get(day(), {})
    assert counted.get("open", 0) == (0 if mode is Mode.OFF else 60 * CENT)


def test_in_record_mode_many_shards_share_the_counting(bank: Bank) -> None:
    bank.policy = replace(POLICY, mode=Mode.RECORD, daily_cap=10_000 * USD, shards=101)
    for _ in range(400):
        bank.send()
    on_first = bank.counts.get(day(), {}).get("open", 0)
    total = sum(counts.get("open", 0) for key, counts in bank.counts.items() if key.startswith("B#US"))
    assert total == 400 * CENT
    assert on_first < 100 * CENT, "only the floor is the first shard's"


def test_a_lower_cap_keeps_the_counts_of_more_shards(bank: Bank) -> None:
    bank.policy = replace(POLICY, daily_cap=300 * USD, shards=4)
    bank.remember("US", verified=10_000 * USD)
    for _ in range(4_000):
        bank.send(OWN)
    bank.policy, bank.history = replace(POLICY, daily_cap=45 * USD, shards=1), History()
    spending = bank.spending("US", "sms", "block", None)
    read = {key: bank.counts[key] for key in spending.keys if key in bank.counts}
    assert spending.has_more_shards(read)
    again = bank.spending("US", "sms", "block", None)
    assert not again.has_more_shards({key: bank.counts[key] for key in again.keys if key in bank.counts})
    left = len(bank.until_refused(number=OWN))
    assert 300 <= left <= 700, "five dollars, but for shards that had more than their share"


def test_the_used_share_of_the_cap_includes_each_send_to_the_micro_dollar(bank: Bank) -> None:
    bank.policy = replace(POLICY, daily_cap=4, prices=Prices({"*": 1 / USD}))
    assert [bank.send(OWN).cap_used for _ in range(4)] == [25, 50, 75, 100]


@pytest.mark.parametrize(("shards", "stored"), [(2, {2}), (4, {4}), (5, {None, 5}), (512, {None, 512})])
def test_the_first_send_of_a_day_stores_its_number_of_shards_unless_there_are_many(
    shards: int, stored: set[int | None]
) -> None:
    policy = replace(POLICY, daily_cap=10_000 * USD, shards=shards)
    found: set[int | None] = set()
    for _ in range(50):
        bank = Bank(policy)
        bank.send(OWN)
        found.add(bank.counts.get(DayCounter.of("D", NOON).first, {}).get("shards"))
    assert found <= stored
    assert None in found or None not in stored


def test_in_record_mode_only_the_cap_and_the_network_limit_a_write(bank: Bank) -> None:
    """A limit of the guard would make concurrent sends conflict, and refuse the last of them."""
    bank.remember("US", verified=100 * USD)
    limited: dict[Mode, set[str]] = {}
    for mode in (Mode.RECORD, Mode.ENFORCE):
        bank.policy = replace(POLICY, mode=mode)
        increments = bank.send(network="a-network").increments
        assert {increment.key[0] for increment in increments} == {"D", "C", "B", "P"}
        limited[mode] = {increment.key[0] for increment in increments if increment.limits}
    assert limited == {Mode.RECORD: {"D", "C"}, Mode.ENFORCE: {"D", "C", "B", "P"}}


def test_history_is_read_once_and_old_days_are_forgotten(bank: Bank) -> None:
    assert len(bank.spending("US", "sms", "b", None).keys) == 1 + 1 + 14 + 1
    bank.send()
    assert len(bank.spending("US", "sms", "b", None).keys) == 3
    bank.now += 40 * DAY
    bank.send()
    assert len(bank.history.totals) == 14


@pytest.mark.parametrize(("seconds", "is_read_again"), [(1, True), (599, True), (600, False)])
def test_yesterday_is_read_again_while_its_codes_may_be_verified(
    bank: Bank, seconds: int, is_read_again: bool
) -> None:
    bank.now = Seconds(NOON + 12 * HOUR + Seconds(seconds))
    bank.send()
    assert (day() in bank.spending("US", "sms", "b", None).keys) is is_read_again


def test_one_read_holds_everything_with_many_shards_two_peppers_and_no_history() -> None:
    policy = replace(POLICY, shards=512)
    spending = Spending(policy, History(), "US", "sms", ("one", "two"), ("one", "two"), NOON)
    assert len(spending.keys) + 2 * 4 <= 100, "BatchGetItem takes a hundred keys"


def test_open_counts_under_two_peppers_are_added_up(bank: Bank) -> None:
    bank.remember("US", verified=100 * USD)
    bank.until_refused(block="old", network="old")
    spending = Spending(POLICY, bank.history, "US", "sms", ("new", "old"), ("new", "old"), NOON)
    read: Mapping[str, Counts] = {key: bank.counts[key] for key in spending.keys if key in bank.counts}
    with pytest.raises(errors.RateLimited) as refused:
        spending.decide(read, STRANGER, is_challenged=False)
    assert refused.value.reason == "network"


@pytest.mark.parametrize(("verified", "codes"), [(0, [1, 2, 3]), (1, [1, 1, 2])])
def test_unverified_codes_to_a_country_are_counted_until_one_verifies(
    bank: Bank, verified: int, codes: list[int]
) -> None:
    payments = [bank.send(), *([] if verified else [bank.send()])]
    if verified:
        bank.verify(payments[0])
        assert bank.send().unverified == 0
        return
    payments.append(bank.send())
    assert [payment.unverified for payment in payments] == codes


def codes(number: int) -> int:
    """Micro-dollars of so many codes."""
    return number * CENT


@pytest.fixture
def recording() -> Bank:
    """A bank whose guard records but refuses nothing."""
    return Bank(replace(POLICY, mode=Mode.RECORD))


def of_last_hour(bank: Bank, unverified: int, verified: int) -> None:
    """Codes of 11:00 to 12:00."""
    bank.counts[day()] = {
        "open": codes(unverified),
        "open11": codes(unverified - 1),
        "fresh11": codes(1),
        "verified": codes(verified),
        "verified11": codes(verified),
    }


@pytest.mark.parametrize(("unverified", "verified", "beyond"), [(32, 10, 20), (12, 10, 0), (11, 10, 0)])
def test_codes_beyond_twice_the_usual_ratio_of_the_last_hour_are_measured(
    recording: Bank, unverified: int, verified: int, beyond: int
) -> None:
    """A country without history is taken to leave 0.6 unverified for each verified one."""
    recording.now = Seconds(NOON + 600)
    of_last_hour(recording, unverified, verified)
    assert recording.send().unverified == beyond


def test_the_usual_ratio_comes_from_the_countrys_history(recording: Bank) -> None:
    recording.now = Seconds(NOON + 600)
    recording.remember("US", verified=codes(100_000), unverified=codes(100_000))
    of_last_hour(recording, 50, 10)
    assert recording.send().unverified == 30


def test_an_hour_whose_codes_may_still_be_typed_is_not_judged(recording: Bank) -> None:
    recording.now = Seconds(NOON + 599)
    of_last_hour(recording, 32, 10)
    assert recording.send().unverified == 0


def test_after_midnight_the_last_hour_is_yesterdays(recording: Bank) -> None:
    midnight = NOON + 12 * HOUR
    recording.counts[day()] = {"open23": codes(50), "verified23": codes(10)}
    recording.now = Seconds(midnight + 600)
    assert recording.send().unverified == 38


def test_an_hour_without_verifications_is_measured_until_the_next_hour(recording: Bank) -> None:
    recording.now = Seconds(NOON + 600)
    of_last_hour(recording, 30, 0)
    first = recording.send()
    assert first.unverified == 30
    recording.verify(first)
    assert recording.send().unverified == 30
    recording.now = Seconds(NOON + HOUR)
    assert recording.send().unverified == 0


@pytest.mark.parametrize(
    ("unverified", "verified", "percent"), [(25, 75, 25.0), (74, 25, None), (0, 100, 0.0)]
)
def test_the_share_of_a_days_codes_that_expired_unused_is_measured_from_a_hundred_on(
    recording: Bank, unverified: int, verified: int, percent: float | None
) -> None:
    of_last_hour(recording, unverified, verified)
    assert recording.send().expired_unused == percent


def test_codes_of_the_running_hour_have_not_expired(recording: Bank) -> None:
    of_last_hour(recording, 50, 50)
    recording.send()
    recording.verify(recording.send())
    assert recording.send().expired_unused == 50.0


def test_yesterdays_codes_count_for_the_rest_of_their_24_hours(recording: Bank) -> None:
    yesterday = DayCounter.of("B#US", NOON - DAY).first
    recording.counts[yesterday] = {"open": codes(100), "verified": codes(100)}
    assert recording.send().expired_unused == 50.0
    recording.now = Seconds(NOON + 1)
    assert recording.send().expired_unused is None, "half of them, less one"


def test_with_many_shards_only_the_sampled_codes_are_judged(recording: Bank) -> None:
    """One code of one shard would stand for ten."""
    recording.policy = replace(recording.policy, daily_cap=1_000 * USD, shards=11)
    recording.now = Seconds(NOON + 600)
    yesterday = DayCounter.of("B#US", recording.now - DAY)
    recording.counts[yesterday.first] = {"open": codes(1_000)}
    for shard in range(11):
        recording.counts[f"{DayCounter.of('B#US', recording.now).stem}#{shard}"] = {
            "open11": codes(2),
            "open": codes(2),
        }
    payment = recording.send()
    assert payment.unverified == 8
    assert payment.expired_unused is not None


def test_with_the_guard_off_no_country_is_measured() -> None:
    payment = Bank(replace(POLICY, mode=Mode.OFF)).send()
    assert (payment.unverified, payment.expired_unused) == (None, None)
