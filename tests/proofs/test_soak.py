"""An hour of service, with clocks apart, providers that fail and a stack that changes under its users.

1. No number gets more messages than its limits, as its phone sees them, and none leaves unrecorded.
2. No code is guessed at more often than allowed, and nobody is verified twice, late, or at another tenant.
3. A right code that must be right is, through restarts, rotations and redeployments.
4. A number that no limit holds back is not refused.
5. The same Idempotency-Key has the same answer and sends nothing more, in every environment.
6. Nothing of an erased number is left, under either pepper.
7. Every item has an end.
8. No code is ended at a provider that keeps one for each number while somebody else may still use it.
9. A resend says correctly whether it sent the same code. The service makes one code for each verification,
   in every environment and under both peppers.
10. Every metric that was measured is on the dashboard, in `make watch` or in an alarm.
"""

import boto3
import pytest

from tests.emulator import emulated_aws
from tests.proofs.scale import scaled
from tests.proofs.soak import Soak
from tests.tables import create_table
from tests.unit.test_metrics import read_by_place, read_by_watch
from tests.unit.test_monitoring import ALARMS, DASHBOARD, SEARCH, rows

REGION = "eu-west-1"

MET = {
    "infobip NotSent",
    "infobip Ambiguous",
    "infobip Doubtful",
    "failed_over",
    "own code",
    "code ended",
    "infobip sent the same",
    "breaker_open",
    "pepper announced",
    "pepper in use",
    "erase",
    "deployed",
    "request ok",
    "verify ok",
    "verify OTP_INCORRECT",
    "resend ok",
    "cancel ok",
    "status ok",
    "repeated",
    "item V",
    "item N",
    "item I",
    "item D",
    "item B",
    "item P",
    "item K",
}
"""The events that an hour must include."""
FEWEST_METRICS = 12
MET_IN_FULL = MET | {
    "sinch Throttled",
    "infobip Misconfigured",
    "breaker_closed",
    "sinch sent the same",
    "sinch sent another",
    "restarted",
    "request RATE_LIMITED",
    "request PROVIDER_UNAVAILABLE",
    "verify OTP_EXPIRED",
    "verify ALREADY_VERIFIED",
    "verify VERIFICATION_CANCELLED",
}


@pytest.mark.parametrize("seed", range(scaled(1, 2)))
def test_an_hour_of_service_keeps_every_promise(seed: int) -> None:
    with emulated_aws():
        dynamodb = boto3.client("dynamodb", region_name=REGION)
        create_table(dynamodb, "table")
        secrets = boto3.client("secretsmanager", region_name=REGION)
        soak = Soak(dynamodb, secrets, "table", seed, step=scaled(6.0, 1.5))
        soak.run()
        assert set(soak.met) >= scaled(MET, MET_IN_FULL)
        assert soak.met["verify ok"] > soak.met["request ok"] / 4
        assert len(soak.measured) > FEWEST_METRICS
        assert soak.measured <= read_metrics()


def read_metrics() -> set[str]:
    """The names of the metrics that the dashboard, `make watch` or an alarm reads."""
    shown = {word for row in rows() for word in row if isinstance(word, str)}
    searched = {found["name"] for found in SEARCH.finditer(DASHBOARD.replace('\\"', '"'))}
    watched = {alarm["MetricName"] for alarm in ALARMS.values() if "MetricName" in alarm}
    read_by_place()
    return shown | searched | watched | {name for name, _ in read_by_watch}
