"""The pepper is rotated under the functions, step by step, as `make rotate-pepper` does it."""

import dataclasses
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import pytest

from fakes.memory import PEPPER
from ops import rotate_pepper
from ops.deployed import Deployed
from ops.rotate_pepper import UNTIL_FORGOTTEN, UNTIL_HEARD, TooEarly
from sms_otp.adapters import config
from sms_otp.adapters.aws.secrets import SecretCache
from sms_otp.entry_points import bootstrap
from tests.functional.deployment import Deployment

NUMBER = "+14155550177"
A_MOMENT = timedelta(seconds=10)
"""The emulator dates each version of a secret by the real clock, which goes on a little meanwhile."""


class Rotation:
    """The pepper secret, and the time that passes between the steps."""

    def __init__(self, deployed: Deployment) -> None:
        self.client = boto3.client("secretsmanager", region_name="eu-west-1")
        self.arn = config.settings().pepper_secret_arn
        outputs = {"PepperSecretArn": self.arn}
        self.stack = Deployed("a-stack", self._client, outputs, {}, "https://api.invalid", is_local=False)
        self.clock = deployed.clock
        self.now = datetime.now(UTC)

    def _client(self, service: str) -> Any:
        assert service == "secretsmanager"
        return self.client

    def held(self) -> dict[str, str]:
        held: dict[str, str] = json.loads(self.client.get_secret_value(SecretId=self.arn)["SecretString"])
        return held

    def step(self, after: timedelta = timedelta()) -> str:
        """Run the next step some time later."""
        self.now += after
        self.clock.step(after.total_seconds())
        return rotate_pepper.rotate(self.stack, self.now)


@pytest.fixture
def rotation(deployed: Deployment, monkeypatch: pytest.MonkeyPatch) -> Rotation:
    rotation = Rotation(deployed)
    service = bootstrap.service()
    secret_cache = SecretCache(rotation.client, "none", rotation.arn, deployed.clock)
    rotated = dataclasses.replace(service, peppers=secret_cache.peppers)
    monkeypatch.setattr(bootstrap, "service", lambda: rotated)
    rotation.client.put_secret_value(SecretId=rotation.arn, SecretString=json.dumps({"pepper": PEPPER}))
    return rotation


def test_a_pepper_rotation_loses_no_limit_and_no_verification(
    deployed: Deployment, rotation: Rotation
) -> None:
    def requested() -> str:
        answer = deployed.post("request_otp", phoneNumber=NUMBER)
        return str(answer.body.get("verificationId") or answer.outcome)

    def verified(verification_id: str, otp: str) -> str:
        return deployed.post("verify_otp", verificationId=verification_id, otp=otp).outcome

    first = requested()
    for _ in range(2):
        assert verified(first, "000000") == "OTP_INCORRECT"
    rotation.step()
    second = requested()
    assert second == "RATE_LIMITED", "the pepper is announced, and the gap of half a minute is not over"
    deployed.clock.step(30)
    second = requested()
    assert verified(second, "000000") == "OTP_INCORRECT"
    rotation.step(UNTIL_HEARD + A_MOMENT)
    third = requested()
    assert len(deployed.provider.sent) == 3
    deployed.clock.step(120)
    assert requested() == "RATE_LIMITED", "three in a quarter of an hour, under two peppers"
    assert verified(third, "000000") == "OTP_INCORRECT"
    assert verified(third, "000000") == "OTP_INCORRECT"
    counts = [(name, value) for item in deployed.items() for name, value in item.items()]
    failures = [count["N"] for name, count in counts if name.startswith("failures#stranger#")]
    assert failures == ["5"], "five in a row, under two peppers"
    assert verified(third, deployed.provider.code) == "ok"
    rotation.step(UNTIL_FORGOTTEN)
    assert len(requested()) == len(third)


def test_the_steps_run_in_order_and_never_too_early(rotation: Rotation) -> None:
    messages = [rotation.step()]
    announced = rotation.held()
    assert announced["pepper"] == PEPPER
    with pytest.raises(TooEarly, match="nothing was changed"):
        rotation.step(UNTIL_HEARD - A_MOMENT)
    assert rotation.held() == announced
    messages.append(rotation.step(2 * A_MOMENT))
    in_use = rotation.held()
    assert (in_use["pepper"], in_use["alsoRead"]) == (announced["alsoRead"], PEPPER)
    with pytest.raises(TooEarly):
        rotation.step(UNTIL_FORGOTTEN - UNTIL_HEARD - 2 * A_MOMENT)
    messages.append(rotation.step(2 * A_MOMENT))
    assert rotation.held() == {"pepper": announced["alsoRead"]}
    assert all(PEPPER not in each and announced["alsoRead"] not in each for each in messages)
    again = rotation.step()
    assert "announced" in again
    assert rotation.held()["alsoRead"] not in (PEPPER, announced["alsoRead"])


def test_the_rotation_warns_that_kept_users_can_no_longer_be_found(
    deployed: Deployment, rotation: Rotation
) -> None:
    del deployed
    assert "Users" not in rotation.step()
    in_use = rotation.step(UNTIL_HEARD + A_MOMENT)
    forgotten = rotation.step(UNTIL_FORGOTTEN)
    for message in (in_use, forgotten):
        assert "Users stored under it can no longer be found or erased" in message
    assert "With KeepUsers=true, wait" in in_use
