"""An hour of service, with clocks apart, providers that fail and a stack that changes under its users.

1. No number gets more messages than its limits, as its phone sees them, and none leaves unrecorded.
2. No code is guessed at more often than allowed, and nobody is verified twice, late, or at another tenant.
3. A right code that must be right is: whatever is restarted, rotated or redeployed meanwhile.
4. A number that no limit holds back is not refused.
5. The same Idempotency-Key has the same answer and sends nothing more, whichever environment takes it.
6. Of an erased number nothing is left, under either pepper.
7. Every item has an end.
"""

import boto3
import pytest

from tests.emulator import emulated_aws
from tests.proofs.scale import scaled
from tests.proofs.soak import Soak
from tests.tables import create_table

REGION = "eu-west-1"

MET = {
    "infobip NotSent",
    "infobip Ambiguous",
    "failed_over",
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
    "item M",
    "item I",
    "item D",
    "item B",
    "item P",
    "item K",
}
"""What an hour must have come across."""
MET_IN_FULL = MET | {
    "sinch Throttled",
    "infobip Misconfigured",
    "breaker_closed",
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
