"""Events for other systems: the functions' log lines, passed through the function that publishes them."""

import base64
import gzip
import json
from dataclasses import dataclass, field
from typing import Any

import pytest

import publish_events.app
from generators import events
from sms_otp.adapters.telemetry import published
from sms_otp.domain.keys import verification_key
from sms_otp.domain.provider import Refused
from sms_otp.entry_points import bootstrap
from tests.functional.canaries import LAST_DIGITS, Watch
from tests.functional.deployment import Context, Deployment

NUMBER = "+14155550177"
RIGHT, WRONG = "123456", "654321"
AT = 1_800_000_000_000
"""Milliseconds; when CloudWatch Logs took each line."""


@dataclass
class Bus:
    """Stands in for EventBridge's client."""

    entries: list[dict[str, Any]] = field(default_factory=list)
    calls: list[int] = field(default_factory=list)
    fails: bool = False

    def put_events(self, *, Entries: list[dict[str, Any]]) -> dict[str, Any]:  # noqa: N803 - AWS's name
        assert 1 <= len(Entries) <= 10
        self.calls.append(len(Entries))
        if self.fails:
            failed = [{"ErrorCode": "ThrottlingException", "ErrorMessage": "slow down"}]
            return {"FailedEntryCount": 1, "Entries": failed}
        self.entries += Entries
        return {"FailedEntryCount": 0, "Entries": [{"EventId": "an-id"} for _ in Entries]}

    def published(self) -> list[tuple[str, dict[str, Any]]]:
        return [(entry["DetailType"], json.loads(entry["Detail"])) for entry in self.entries]


@pytest.fixture
def bus(monkeypatch: pytest.MonkeyPatch, watch: Watch) -> Bus:
    watch.look_for("number", NUMBER[-LAST_DIGITS:])
    for code in (RIGHT, WRONG):
        watch.look_for("code", code)
    made = Bus()
    monkeypatch.setattr(bootstrap, "event_bus", lambda: made)
    return made


def publish(lines: list[str]) -> None:
    publish_events.app.lambda_handler(events.logged(*lines), Context())


def test_a_verification_is_published_from_request_to_success(deployed: Deployment, bus: Bus) -> None:
    verification_id = deployed.post("request_otp", phoneNumber=NUMBER, purpose="login").body["verificationId"]
    deployed.clock.step(30)
    deployed.post("resend_otp", verificationId=verification_id)
    deployed.post("verify_otp", verificationId=verification_id, otp=WRONG)
    deployed.post("verify_otp", verificationId=verification_id, otp=RIGHT)
    publish(deployed.lines())
    published_events = bus.published()
    assert [kind for kind, _ in published_events] == ["otp.requested", "otp.requested", "otp.verified"]
    assert [detail.get("resent") for _, detail in published_events] == [False, True, None]
    for _, detail in published_events:
        assert detail["verification"] == verification_key(verification_id)[:16]
        assert (detail["version"], detail["country"], detail["channel"]) == (1, "US", "sms")
        assert (detail["purpose"], detail["tenant"]) == ("login", "examplekey")
    assert len({detail["id"] for _, detail in published_events}) == 3
    assert published_events[-1][1]["seconds"] == 30


def test_an_event_has_neither_the_number_nor_the_verification_id(deployed: Deployment, bus: Bus) -> None:
    verification_id = deployed.post("request_otp", phoneNumber=NUMBER).body["verificationId"]
    deployed.post("verify_otp", verificationId=verification_id, otp=RIGHT)
    publish(deployed.lines())
    known = {"version", "id", "resent", *published.DETAIL}
    for _, detail in bus.published():
        assert detail.keys() <= known
    assert "1415" not in json.dumps(bus.published())
    assert verification_id not in json.dumps(bus.published())


def test_a_permanently_refused_number_publishes_a_failure(deployed: Deployment, bus: Bus) -> None:
    deployed.provider.fails_with = lambda: Refused("fake", "opted out")
    deployed.post("request_otp", phoneNumber=NUMBER)
    publish(deployed.lines())
    ((kind, detail),) = bus.published()
    assert (kind, detail["reason"]) == ("otp.failed", "opted out")


def test_a_guess_at_a_locked_number_publishes_the_lock(deployed: Deployment, bus: Bus) -> None:
    for _ in range(3):
        guessed = deployed.post("request_otp", phoneNumber=NUMBER).body["verificationId"]
        for _ in range(5):
            deployed.post("verify_otp", verificationId=guessed, otp=WRONG)
        deployed.clock.step(3601)
    second = deployed.post("request_otp", phoneNumber=NUMBER).body["verificationId"]
    deployed.clock.step(30)
    last = deployed.post("request_otp", phoneNumber=NUMBER).body["verificationId"]
    for _ in range(5):
        deployed.post("verify_otp", verificationId=last, otp=WRONG)
    assert deployed.post("verify_otp", verificationId=second, otp=RIGHT).outcome == "NUMBER_LOCKED"
    publish(deployed.lines())
    assert bus.published()[-1][0] == "number.locked"
    assert bus.published()[-1][1]["verification"] == verification_key(second)[:16]


@pytest.mark.parametrize(
    ("line", "kind"),
    [
        ({"message": "delivery_reported", "delivered": 1}, "otp.delivered"),
        ({"message": "delivery_reported", "delivered": 0}, "otp.failed"),
        ({"message": "request_refused", "error_code": "NUMBER_LOCKED"}, "number.locked"),
        ({"message": "request_refused", "error_code": "OTP_EXPIRED"}, None),
        ({"message": "otp_incorrect"}, None),
        ({"message": "otp_cancelled"}, None),
        ({}, None),
    ],
)
def test_a_line_is_one_event_or_none(line: dict[str, Any], kind: str | None) -> None:
    assert published.type_of(line | {"verification": "0123456789abcdef"}) == kind
    assert published.type_of(line) is None


@pytest.mark.usefixtures("deployed")
def test_lines_of_another_form_are_ignored(bus: Bus) -> None:
    publish(["START RequestId: 1", "[]", '"verification"', '{"verification": "x"}', "{", ""])
    control = gzip.compress(json.dumps({"messageType": "CONTROL_MESSAGE", "logEvents": []}).encode())
    publish_events.app.lambda_handler({"awslogs": {"data": base64.b64encode(control).decode()}}, Context())
    assert bus.calls == []


@pytest.mark.usefixtures("deployed")
def test_no_call_has_more_entries_than_the_bus_takes_and_each_has_its_time(bus: Bus) -> None:
    line = json.dumps({"message": "otp_verified", "verification": "0123456789abcdef"})
    publish([line] * 23)
    assert bus.calls == [10, 10, 3]
    for entry in bus.entries:
        assert (entry["EventBusName"], entry["Source"]) == ("", "sms-otp")
        assert entry["Time"].timestamp() * 1000 == AT


def test_events_that_the_bus_rejects_raise_and_are_retried(deployed: Deployment, bus: Bus) -> None:
    bus.fails = True
    line = json.dumps({"message": "otp_verified", "verification": "0123456789abcdef"})
    with pytest.raises(publish_events.app.NotPublished):
        publish([line])
    (logged,) = [json.loads(each) for each in deployed.lines()]
    assert (logged["message"], logged["reason"]) == ("events_failed", "ThrottlingException")
