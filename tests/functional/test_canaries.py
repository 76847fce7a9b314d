"""The watch over all functional tests finds planted leaks, and nothing else."""

import json
import logging
from dataclasses import replace
from typing import Any

import pytest

from fakes.memory import PEPPER, START
from generators import events
from sms_otp.adapters.providers.test_numbers import FixedCodes
from sms_otp.adapters.telemetry import events as telemetry
from sms_otp.domain import errors
from sms_otp.domain.clock import HOUR, Deadline, Seconds
from sms_otp.domain.ports import StoreError
from sms_otp.domain.provider import NotSent, Order, Sent
from sms_otp.entry_points import bootstrap
from tests.functional import canaries
from tests.functional.canaries import SECRETS, Watch
from tests.functional.deployment import Deployment

NUMBER, CODE, SESSION = "+14155550177", "123456", "a-session-of-one-browser"
APP_HASH = "FA+9qCX9VSu"
KEY = "an-idempotency-key-of-one-order"


def post(deployed: Deployment, path: str, key: str = KEY, **members: Any) -> dict[str, Any]:
    event = events.build(path, body=json.dumps(members), headers={**events.JSON_TYPE, "Idempotency-Key": key})
    return deployed.call(path.strip("/").replace("-", "_"), event).body


@pytest.fixture
def verification_id(deployed: Deployment) -> str:
    """One whole verification, so that every kind of canary is in use."""
    requested = post(deployed, "/request-otp", phoneNumber=NUMBER, sessionId=SESSION, appHash=APP_HASH)
    found = str(requested["verificationId"])
    named = {"verificationId": found, "sessionId": SESSION}
    assert post(deployed, "/verify-otp", otp="654321", **named)["errorCode"] == "OTP_INCORRECT"
    answer = post(deployed, "/verify-otp", key=f"{KEY}-2", otp=CODE, **named)
    assert answer["success"]
    _tokens.append(answer["deviceToken"])
    deployed.clock.step(60)
    post(deployed, "/request-otp", key=f"{KEY}-3", phoneNumber=NUMBER, deviceToken=_tokens[-1])
    return found


_tokens: list[str] = []


@pytest.fixture
def canary(request: pytest.FixtureRequest, verification_id: str) -> str:
    """The secret that a test names."""
    name: str = request.param
    return {"verificationId": verification_id, "deviceToken": _tokens[-1]}.get(name, name)


EVERY_KIND = pytest.mark.parametrize(
    ("canary", "kind"),
    [
        (CODE, "code"),
        (APP_HASH, "app hash"),
        (NUMBER, "number"),
        (NUMBER[3:], "number"),
        (SESSION, "session id"),
        (KEY, "Idempotency-Key"),
        (events.API_KEY, "API key"),
        ("verificationId", "verificationId"),
        ("deviceToken", "device token"),
        *((text, kind) for kind, text in SECRETS.items()),
    ],
    indirect=["canary"],
)


@pytest.mark.usefixtures("verification_id")
def test_a_whole_verification_leaks_nothing(watch: Watch) -> None:
    assert watch.found() == []


def test_a_test_number_is_never_shown_in_full(
    deployed: Deployment, watch: Watch, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The provider handle of a test number is the number itself."""
    fixed, service = FixedCodes({NUMBER: CODE}), bootstrap.service()
    policy = replace(service.policy, test_numbers={NUMBER: CODE}, test_numbers_end=Seconds(START) + HOUR)
    monkeypatch.setattr(bootstrap, "service", lambda: replace(service, policy=policy))

    def send(order: Order, deadline: Deadline, *_: object) -> tuple[str, Sent]:
        return fixed.name, fixed.send(order, deadline)

    monkeypatch.setattr(deployed.provider, "send", send)
    assert post(deployed, "/request-otp", phoneNumber=NUMBER)["success"]
    assert '"otp_requested"' in deployed.log.getvalue()
    assert watch.found() == []


@EVERY_KIND
def test_each_kind_of_secret_is_found_in_the_log(canary: str, kind: str, watch: Watch) -> None:
    telemetry.emit("otp_verified", detail=f"it was {canary}, was it not?")
    assert f"{kind} in the log" in watch.found()
    watch.forget()


@EVERY_KIND
def test_each_kind_of_secret_is_found_in_a_librarys_debug_log(canary: str, kind: str, watch: Watch) -> None:
    logging.getLogger("some.library").debug("sending %s", {"value": canary})
    assert f"{kind} in the log" in watch.found()
    watch.forget()


@EVERY_KIND
def test_each_kind_of_secret_is_found_in_a_metric(canary: str, kind: str, watch: Watch) -> None:
    print(json.dumps({"_aws": {"Timestamp": 0}, "country": canary}))
    assert watch.found() == [f"{kind} in the printed output"]
    watch.forget()


@pytest.mark.parametrize(
    "make",
    [
        lambda text: errors.OtpExpired(f"no {text}"),
        lambda text: StoreError(f"no {text}"),
        lambda text: NotSent("infobip", f"no {text}"),
    ],
    ids=["OtpError", "StoreError", "ProviderError"],
)
@EVERY_KIND
def test_each_kind_of_secret_is_found_in_the_text_of_an_exception(
    make: Any, canary: str, kind: str, watch: Watch
) -> None:
    make(canary)
    assert watch.found()[0].startswith(f"{kind} in the text of a ")
    watch.forget()


@EVERY_KIND
def test_each_kind_of_secret_is_found_in_the_table(
    canary: str, kind: str, deployed: Deployment, watch: Watch
) -> None:
    item = {"pk": {"S": "N#1"}, "anything": {"M": {"deep": {"L": [{"S": f"-{canary}-"}]}}}}
    deployed.dynamodb.put_item(TableName=deployed.table, Item=item)  # type: ignore[arg-type] # as written
    watch.record_items(deployed.dynamodb, deployed.table, deployed.clock())
    assert watch.found() == [f"{kind} in the table"]
    deployed.dynamodb.delete_item(TableName=deployed.table, Key={"pk": {"S": "N#1"}})
    watch.forget()


@pytest.mark.usefixtures("verification_id")
def test_a_secret_in_the_answer_of_an_error_is_found(
    deployed: Deployment, watch: Watch, monkeypatch: pytest.MonkeyPatch
) -> None:
    def leak_the_number() -> Any:
        raise errors.OtpExpired(f"The code for {NUMBER} has expired.")

    monkeypatch.setattr(bootstrap, "service", leak_the_number)
    post(deployed, "/verify-otp", verificationId="unknown", otp=CODE)
    assert "number in the answer of an error" in watch.found()
    watch.forget()


def test_a_phone_that_outlives_its_verification_by_more_than_a_day_is_found(
    deployed: Deployment, watch: Watch, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A TTL beyond the verification's own would keep the phone for longer than documented."""
    service = bootstrap.service()
    long_lived = replace(service, policy=replace(service.policy, code_ttl_seconds=Seconds(300)))
    monkeypatch.setattr(bootstrap, "service", lambda: long_lived)
    post(deployed, "/request-otp", phoneNumber=NUMBER)
    [item] = [item for item in deployed.items() if item["pk"]["S"].startswith("V#")]
    item["ttl"]["N"] = str(int(item["ttl"]["N"]) + 1)
    deployed.dynamodb.put_item(TableName=deployed.table, Item=item)
    watch.record_items(deployed.dynamodb, deployed.table, deployed.clock())
    assert watch.found() == ["number in the table"]
    deployed.dynamodb.delete_item(TableName=deployed.table, Key={"pk": item["pk"]})
    watch.forget()


def test_a_text_that_is_also_a_purpose_may_be_logged(deployed: Deployment, watch: Watch) -> None:
    post(deployed, "/verify-otp", verificationId="unknown", otp=CODE)
    post(deployed, "/request-otp", phoneNumber=NUMBER, purpose=CODE)
    watch.record("the log", f'"{CODE}"')
    assert watch.found() == []


@pytest.mark.parametrize("word", [events.API_KEY_ID, "Dimensions", "no-store", "OTP_INCORRECT"])
def test_a_word_that_fuzzing_takes_from_the_source_is_no_secret(
    word: str, deployed: Deployment, watch: Watch
) -> None:
    post(deployed, "/verify-otp", verificationId=word, otp=CODE, sessionId=word)
    assert watch.found() == []


@pytest.mark.parametrize("text", [KEY, '"caf\u00e9" au lait'])
def test_a_logged_path_that_is_also_a_key_is_no_leak(text: str, deployed: Deployment, watch: Watch) -> None:
    deployed.call("request_otp", events.build(text, body="{", headers={"Idempotency-Key": text}))
    assert json.dumps(text, ensure_ascii=False) in deployed.log.getvalue()
    assert watch.found() == []


def test_the_example_number_in_an_error_is_no_leak(deployed: Deployment, watch: Watch) -> None:
    example = "+14155550123"
    assert example in canaries.EXAMPLE
    post(deployed, "/request-otp", phoneNumber=example)
    assert example in post(deployed, "/request-otp", phoneNumber="+12")["detail"]
    assert watch.found() == []
    watch.record("the log", f"sent to {example}")
    assert watch.found() == ["number in the log"]
    watch.forget()


def test_a_code_within_a_longer_number_is_no_leak(watch: Watch) -> None:
    watch.look_for("code", CODE)
    watch.record("the log", f"9{CODE} {CODE}9 a{CODE} 0.{CODE} 18{CODE}00")
    assert watch.found() == []
    watch.record("the log", f'"{CODE}"')
    assert watch.found() == ["code in the log"]
    watch.forget()


def test_the_secrets_of_this_deployment_are_among_the_canaries() -> None:
    assert PEPPER in SECRETS.values()
    assert len(SECRETS) == 4
