"""Twilio's own client for Python against the functions. Only its base URL is changed."""

import base64
import logging
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
import requests
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from requests.auth import HTTPBasicAuth
from twilio.base.exceptions import TwilioRestException
from twilio.rest import Client

from generators import events
from sms_otp.domain.clock import Seconds
from sms_otp.domain.provider import NotSent, ProviderError, Refused
from sms_otp.domain.verification import Verification
from sms_otp.entry_points import bootstrap, http, twilio
from tests.functional.canaries import LAST_DIGITS, Watch
from tests.functional.deployment import Deployment
from tests.functional.twilio_api import served_twilio

NUMBER, OTHER = "+14155550177", "+14155550178"
RIGHT, WRONG = "123456", "654321"
ACCOUNT = "AC" + "0" * 32
SERVICE = "VA" + "1" * 32


@pytest.fixture(scope="module")
def base_url() -> Iterator[str]:
    with served_twilio() as url:
        yield url


@pytest.fixture(autouse=True)
def service(deployed: Deployment, watch: Watch, monkeypatch: pytest.MonkeyPatch) -> Deployment:
    for number in (NUMBER, OTHER):
        watch.look_for("number", number[-LAST_DIGITS:])
    for code in (RIGHT, WRONG):
        watch.look_for("code", code)
    watch.look_for("API key", events.API_KEY)
    # These libraries would log the paths that they call.
    for name in ("urllib3", "twilio"):
        logging.getLogger(name).setLevel(logging.WARNING)
    found = bootstrap.by_number()
    by_number = type(found)(found.policy, found.store, found.peppers, deployed.clock)
    monkeypatch.setattr(bootstrap, "by_number", lambda: by_number)
    return deployed


def client(base_url: str, account: str = ACCOUNT, token: str = events.API_KEY) -> Client:
    made = Client(account, token)
    made.verify.base_url = base_url
    return made


@pytest.fixture
def api(base_url: str) -> Any:
    """Twilio's model of one Verify service."""
    return client(base_url).verify.v2.services(SERVICE)


def refused(error: pytest.ExceptionInfo[TwilioRestException]) -> tuple[int, int]:
    return error.value.status, error.value.code


def raises() -> Any:
    """A context in which the client's own error must be raised."""
    return pytest.raises(TwilioRestException)


def test_a_code_is_sent_and_approved_once(service: Deployment, api: Any) -> None:
    started = api.verifications.create(to=NUMBER, channel="sms")
    assert [number for number, _ in service.provider.sent] == [NUMBER]
    wrong = api.verification_checks.create(to=NUMBER, code=WRONG)
    assert (wrong.status, wrong.valid, wrong.sid) == ("pending", False, started.sid)
    right = api.verification_checks.create(to=NUMBER, code=RIGHT)
    assert (right.status, right.valid, right.sid) == ("approved", True, started.sid)
    with raises() as again:
        api.verification_checks.create(to=NUMBER, code=RIGHT)
    assert refused(again) == (404, 20404)


def test_every_field_that_the_client_reads_of_a_verification_is_there(service: Deployment, api: Any) -> None:
    made = datetime.fromtimestamp(service.clock(), UTC)
    for found in (api.verifications.create(to=NUMBER, channel="sms"), api.verifications(NUMBER).fetch()):
        assert (found.to, found.channel, found.status, found.valid) == (NUMBER, "sms", "pending", False)
        assert (found.service_sid, found.account_sid) == (SERVICE, ACCOUNT)
        assert found.sid.startswith("VE")
        assert len(found.sid) == 34
        assert int(found.sid[2:], 16)
        assert (found.date_created, found.date_updated) == (made, made)
        assert (found.lookup, found.amount, found.payee, found.sna) == ({}, None, None, None)
        (attempt,) = found.send_code_attempts
        assert (attempt["channel"], attempt["time"]) == ("sms", f"{made:%Y-%m-%dT%H:%M:%SZ}")
        assert len(attempt["attempt_sid"]) == 34
        assert found.url.endswith(f"/v2/Services/{SERVICE}/Verifications/{found.sid}")
    checked = api.verification_checks.create(to=NUMBER, code=WRONG)
    assert (checked.service_sid, checked.account_sid, checked.channel) == (SERVICE, ACCOUNT, "sms")
    assert (checked.date_created, checked.date_updated) == (made, made)
    assert (checked.amount, checked.payee, checked.sna_attempts_error_codes) == (None, None, None)


def test_answers_have_every_member_of_twilios_models(service: Deployment, base_url: str) -> None:
    """The clients read a missing member as null, so this checks the JSON itself."""
    url, auth = f"{base_url}/v2/Services/{SERVICE}", (ACCOUNT, events.API_KEY)
    form = {"To": NUMBER, "Channel": "sms"}
    started = requests.post(f"{url}/Verifications", data=form, auth=auth, timeout=10)
    assert started.status_code == 201
    shared = {"sid", "service_sid", "account_sid", "to", "channel", "status", "valid", "amount", "payee"}
    shared |= {"date_created", "date_updated"}
    assert started.json().keys() == shared | {"lookup", "send_code_attempts", "sna", "url"}
    checked = requests.post(
        f"{url}/VerificationCheck", data={"To": NUMBER, "Code": WRONG}, auth=auth, timeout=10
    )
    assert checked.status_code == 200
    assert checked.json().keys() == shared | {"sna_attempts_error_codes"}
    assert http.HEADERS.items() <= checked.headers.items()
    assert len(service.provider.checked) == 1


def test_the_same_number_again_is_a_resend_under_the_same_sid(service: Deployment, api: Any) -> None:
    first = api.verifications.create(to=NUMBER, channel="sms")
    with raises() as soon:
        api.verifications.create(to=NUMBER, channel="sms")
    assert refused(soon) == (429, 60203)
    service.clock.step(30)
    again = api.verifications.create(to=NUMBER, channel="call")
    assert (again.sid, again.channel, again.date_created) == (first.sid, "call", first.date_created)
    assert again.date_updated > first.date_updated
    assert again.send_code_attempts != first.send_code_attempts
    assert again.send_code_attempts == api.verifications(first.sid).fetch().send_code_attempts
    assert api.verification_checks.create(verification_sid=first.sid, code=RIGHT).status == "approved"


@pytest.mark.parametrize("channel", ["sms", "call", "whatsapp"])
def test_a_channel_comes_back_by_twilios_name(api: Any, channel: str) -> None:
    assert api.verifications.create(to=NUMBER, channel=channel).channel == channel
    assert api.verifications(NUMBER).fetch().channel == channel


def test_a_verification_that_is_over_is_followed_by_another(service: Deployment, api: Any) -> None:
    first = api.verifications.create(to=NUMBER, channel="sms")
    service.clock.step(300)
    with raises() as expired:
        api.verification_checks.create(to=NUMBER, code=RIGHT)
    assert refused(expired) == (404, 20404)
    with raises() as gone:
        api.verifications(first.sid).fetch()
    assert refused(gone) == (404, 20404)
    assert api.verifications.create(to=NUMBER, channel="sms").sid != first.sid


def test_the_sixth_check_is_one_too_many(service: Deployment, api: Any) -> None:
    started = api.verifications.create(to=NUMBER, channel="sms")
    checks = [api.verification_checks.create(to=NUMBER, code=WRONG).status for _ in range(5)]
    assert checks == ["pending"] * 5
    with raises() as spent:
        api.verification_checks.create(to=NUMBER, code=RIGHT)
    assert refused(spent) == (429, 60202)
    assert len(service.provider.checked) == 5
    with raises() as gone:
        api.verifications(started.sid).fetch()
    assert refused(gone) == (404, 20404)


def test_a_code_of_another_length_is_wrong_and_no_guess(service: Deployment, api: Any) -> None:
    api.verifications.create(to=NUMBER, channel="sms")
    assert api.verification_checks.create(to=NUMBER, code="1234").status == "pending"
    for code in ("123", "12345678901", "12a456", ""):
        with raises() as malformed:
            api.verification_checks.create(to=NUMBER, code=code)
        assert refused(malformed) == (400, 60200)
    assert not service.provider.checked
    assert api.verification_checks.create(to=NUMBER, code=RIGHT).status == "approved"


@pytest.mark.parametrize("by", ["sid", "number"])
def test_a_cancelled_verification_is_gone(service: Deployment, api: Any, by: str) -> None:
    started = api.verifications.create(to=NUMBER, channel="sms")
    name = started.sid if by == "sid" else NUMBER
    assert api.verifications(name).fetch().sid == started.sid
    cancelled = api.verifications(name).update(status="canceled")
    assert (cancelled.status, cancelled.valid, cancelled.sid) == ("canceled", False, started.sid)
    calls: list[Callable[[], Any]] = [
        lambda: api.verifications(name).fetch(),
        lambda: api.verifications(name).update(status="canceled"),
        lambda: api.verification_checks.create(to=NUMBER, code=RIGHT),
    ]
    for call in calls:
        with raises() as error:
            call()
        assert refused(error) == (404, 20404)
    assert not service.provider.checked


def test_a_verification_cannot_be_approved_without_its_code(service: Deployment, api: Any) -> None:
    api.verifications.create(to=NUMBER, channel="sms")
    with raises() as error:
        api.verifications(NUMBER).update(status="approved")
    assert refused(error) == (400, 60200)
    assert not service.provider.checked


@pytest.mark.parametrize(
    "more",
    [
        {"custom_code": "111111"},
        {"custom_message": "hello"},
        {"amount": "10"},
        {"payee": "a shop"},
        {"send_digits": "1"},
        {"locale": "not a locale"},
        {"device_ip": "not an address"},
        {"channel": "email"},
        {"channel": "sna"},
        {"channel": "auto"},
        {"channel": "voice"},
        {"to": "0179"},
        {"to": "a@example.com"},
        {"app_hash": "a-hash"},
    ],
    ids=str,
)
def test_an_unsupported_or_malformed_parameter_is_refused(
    service: Deployment, api: Any, more: dict[str, str]
) -> None:
    with raises() as error:
        api.verifications.create(**{"to": NUMBER, "channel": "sms"} | more)
    assert refused(error) == (400, 60200)
    assert service.untouched()


def test_parameters_that_change_nothing_are_accepted(service: Deployment, api: Any) -> None:
    api.verifications.create(
        to=NUMBER,
        channel="sms",
        locale="pt-BR",
        device_ip="192.0.2.7",
        custom_friendly_name="Example",
        template_sid="HJ" + "0" * 32,
        template_custom_substitutions="{}",
        rate_limits={"ip": "192.0.2.7"},
        channel_configuration={},
        risk_check="enable",
        tags="{}",
        enable_sna_client_token=False,
    )
    (kept,) = [item for item in service.items() if item["pk"]["S"].startswith("V#")]
    assert kept["locale"]["S"] == "pt-BR"
    assert sum(item["pk"]["S"].startswith("C#") for item in service.items()) == 1


def test_an_apps_hash_is_kept_for_every_message_of_the_verification(service: Deployment, api: Any) -> None:
    api.verifications.create(to=NUMBER, channel="sms", app_hash="FA+9qCX9VSu")
    (kept,) = [item for item in service.items() if item["pk"]["S"].startswith("V#")]
    assert kept["appHash"]["S"] == "FA+9qCX9VSu"


def test_a_channel_that_does_not_go_to_a_country_is_disabled_there(
    service: Deployment, api: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = bootstrap.service()
    sms_alone = replace(plain, policy=replace(plain.policy, channel_countries={}))
    monkeypatch.setattr(bootstrap, "service", lambda: sms_alone)
    for channel in ("call", "whatsapp"):
        with raises() as disabled:
            api.verifications.create(to=NUMBER, channel=channel)
        assert refused(disabled) == (400, 60223)
    assert service.untouched()


def test_a_blocked_country_and_a_landline_have_their_own_error_codes(
    service: Deployment, api: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    with raises() as landline:
        api.verifications.create(to="+442079460123", channel="sms")
    assert refused(landline) == (403, 60205)
    plain = bootstrap.service()
    british = replace(plain, policy=replace(plain.policy, countries=frozenset({"GB"})))
    monkeypatch.setattr(bootstrap, "service", lambda: british)
    with raises() as abroad:
        api.verifications.create(to=NUMBER, channel="sms")
    assert refused(abroad) == (403, 60605)
    assert service.untouched()


def test_a_number_that_the_provider_refuses_is_blocked(service: Deployment, api: Any) -> None:
    service.provider.fails_with = lambda: Refused("fake", "opted out")
    with raises() as error:
        api.verifications.create(to=NUMBER, channel="sms")
    assert refused(error) == (403, 60410)


def test_a_provider_that_is_down_is_a_503(service: Deployment, api: Any) -> None:
    api.verifications.create(to=OTHER, channel="sms")
    service.provider.fails_with = lambda: NotSent("fake", "500")
    with raises() as sending:
        api.verifications.create(to=NUMBER, channel="sms")
    with raises() as checking:
        api.verification_checks.create(to=OTHER, code=RIGHT)
    assert refused(sending) == refused(checking) == (503, 20503)


def test_an_internal_error_is_answered_without_its_cause(service: Deployment, api: Any) -> None:
    service.provider.fails_with = ZeroDivisionError
    with raises() as error:
        api.verifications.create(to=NUMBER, channel="sms")
    assert refused(error) == (500, 20500)
    assert "Zero" not in error.value.msg


@pytest.mark.parametrize("sid", ["VE" + "0" * 32, OTHER, "VE0", "%2E%2E", "anything"])
def test_a_verification_that_was_never_started_is_not_found(service: Deployment, api: Any, sid: str) -> None:
    api.verifications.create(to=NUMBER, channel="sms")
    with raises() as fetched:
        api.verifications(sid).fetch()
    with raises() as checked:
        api.verification_checks.create(verification_sid=sid, code=RIGHT)
    assert refused(fetched) == refused(checked) == (404, 20404)
    assert not service.provider.checked


def test_a_sid_and_a_number_that_do_not_belong_together_verify_nobody(service: Deployment, api: Any) -> None:
    started = api.verifications.create(to=NUMBER, channel="sms")
    with raises() as error:
        api.verification_checks.create(verification_sid=started.sid, to=OTHER, code=RIGHT)
    assert refused(error) == (404, 20404)
    assert not service.provider.checked


def test_a_service_without_a_valid_sid_is_not_found(service: Deployment, base_url: str) -> None:
    with raises() as error:
        client(base_url).verify.v2.services("default").verifications.create(to=NUMBER, channel="sms")
    assert refused(error) == (404, 20404)
    assert service.untouched()


@pytest.mark.parametrize("token", ["another-key", "", "caf\u00e9"])
def test_a_caller_without_the_right_key_is_not_authenticated(
    service: Deployment, base_url: str, token: str
) -> None:
    answer = requests.post(
        f"{base_url}/v2/Services/{SERVICE}/Verifications",
        data={"To": NUMBER, "Channel": "sms"},
        auth=HTTPBasicAuth(ACCOUNT.encode(), token.encode()),
        timeout=10,
    )
    assert (answer.status_code, answer.json()["code"]) == (401, 20003)
    assert service.untouched()


NAMED = base64.b64encode(f"{ACCOUNT}:{events.API_KEY}".encode()).decode()


@pytest.mark.parametrize(
    "header",
    [
        None,
        "Bearer abc",
        f"Bearer {NAMED}",
        "Basic",
        "Basic !",
        f"Basic !{NAMED}",
        "Basic bm8tY29sb24=",
        "Basic " + base64.b64encode(f":{events.API_KEY}".encode()).decode(),
        "Basic " + base64.b64encode(f"{ACCOUNT}:".encode()).decode(),
    ],
)
def test_malformed_credentials_are_not_authenticated(
    service: Deployment, base_url: str, header: str | None
) -> None:
    sent = requests.Request(
        "POST",
        f"{base_url}/v2/Services/{SERVICE}/Verifications",
        data={"To": NUMBER, "Channel": "sms"},
        headers={"Authorization": header} if header else {},
    )
    answer = requests.Session().send(sent.prepare(), timeout=10)
    assert (answer.status_code, answer.json()["code"]) == (401, 20003)
    assert service.untouched()


def test_an_api_keys_sid_signs_in_too(service: Deployment, base_url: str) -> None:
    """`Client(key_sid, secret, account_sid)`: the account is not in what is sent."""
    made = Client("SK" + "2" * 32, events.API_KEY, ACCOUNT)
    made.verify.base_url = base_url
    started = made.verify.v2.services(SERVICE).verifications.create(to=NUMBER, channel="sms")
    assert started.account_sid is None
    assert len(service.provider.sent) == 1


@pytest.mark.parametrize(
    "body",
    [
        "",
        "To",
        "To=%2B14155550177",
        "Channel=sms",
        "To=%2B14155550177&To=%2B14155550178&Channel=sms",
        "To=%2B14155550177&Channel=sms&Unknown=1",
        "To=%FF&Channel=sms",
        "To=%2B14155550177&Channel=sms&Locale",
        "To=%2B14155550177&&Channel=sms",
        "To=%2B14155550177&Channel=sms&AppHash=" + "x" * 5000,
        '{"To": "+14155550177", "Channel": "sms"}',
    ],
)
def test_a_malformed_body_is_refused(service: Deployment, base_url: str, body: str) -> None:
    answer = requests.post(
        f"{base_url}/v2/Services/{SERVICE}/Verifications",
        data=body,
        headers={"content-type": "application/x-www-form-urlencoded"},
        auth=(ACCOUNT, events.API_KEY),
        timeout=10,
    )
    assert (answer.status_code, answer.json()["code"]) == (400, 60200)
    assert service.untouched()


@pytest.mark.parametrize("form", [{"Channel": "sms"}, {"To": "", "Channel": "sms"}])
def test_a_verification_without_a_number_is_refused(
    service: Deployment, base_url: str, form: dict[str, str]
) -> None:
    answer = requests.post(
        f"{base_url}/v2/Services/{SERVICE}/Verifications",
        data=form,
        auth=(ACCOUNT, events.API_KEY),
        timeout=10,
    )
    assert (answer.status_code, answer.json()["code"]) == (400, 60200)
    assert answer.json()["message"].endswith(": To")
    assert service.untouched()


def test_a_check_without_a_sid_or_number_is_refused(service: Deployment, base_url: str) -> None:
    answer = requests.post(
        f"{base_url}/v2/Services/{SERVICE}/VerificationCheck",
        data={"Code": RIGHT},
        auth=(ACCOUNT, events.API_KEY),
        timeout=10,
    )
    assert (answer.status_code, answer.json()["code"]) == (400, 60200)
    assert answer.json()["message"].endswith(": To")
    assert service.untouched()


@pytest.mark.parametrize(
    ("authorization", "account"),
    [
        (f"Basic {NAMED}", ACCOUNT),
        (f"basic {NAMED}", ACCOUNT),
        (f"Bearer {NAMED}", None),
        (f"Basic !{NAMED}", None),
        ("Basic /w==", None),
        ("", None),
    ],
)
def test_the_account_is_the_one_that_signs_in(authorization: str, account: str | None) -> None:
    assert twilio._account({"headers": {"Authorization": authorization}}) == account


def test_a_json_body_is_refused(service: Deployment, base_url: str) -> None:
    answer = requests.post(
        f"{base_url}/v2/Services/{SERVICE}/Verifications",
        json={"To": NUMBER, "Channel": "sms"},
        auth=(ACCOUNT, events.API_KEY),
        timeout=10,
    )
    assert (answer.status_code, answer.json()["code"]) == (400, 60200)
    assert service.untouched()


def test_both_apis_share_a_verification(service: Deployment, api: Any) -> None:
    """A team can move from one to the other with codes on their way."""
    sid = api.verifications.create(to=NUMBER, channel="sms").sid
    verified = service.post("verify_otp", verificationId=sid, otp=RIGHT)
    assert (verified.status, verified.body["phoneNumber"]) == (200, NUMBER)


def test_a_verification_of_the_other_api_is_not_found_by_its_number(service: Deployment, api: Any) -> None:
    """It may be bound to a session, which Twilio's API cannot name."""
    service.post("request_otp", phoneNumber=NUMBER)
    with raises() as error:
        api.verification_checks.create(to=NUMBER, code=RIGHT)
    assert refused(error) == (404, 20404)
    assert not service.provider.checked


def test_a_verification_keeps_its_sid_during_a_pepper_rotation(
    service: Deployment, api: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    started = api.verifications.create(to=NUMBER, channel="sms")
    found = bootstrap.by_number()
    before = found.peppers()
    after = type(before)("another-pepper-that-is-long-enough-too", before.current)
    rotated = type(found)(found.policy, found.store, lambda: after, found.clock)
    monkeypatch.setattr(bootstrap, "by_number", lambda: rotated)
    assert api.verifications(NUMBER).fetch().sid == started.sid
    assert service.provider.sent


def test_every_error_code_has_words_or_is_a_fault_or_cannot_happen() -> None:
    never = {"FORBIDDEN", "IDEMPOTENCY_KEY_REUSED", "OTP_INCORRECT"}
    faults = {"SERVICE_MISCONFIGURED", "INTERNAL_ERROR"}
    assert twilio.WORDS.keys() == http.PROBLEMS.keys() - never - faults


@given(
    body=st.binary(max_size=200) | st.text(max_size=100).map(lambda text: f"To={text}&Channel=sms".encode())
)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_an_arbitrary_body_is_never_a_server_error(service: Deployment, base_url: str, body: bytes) -> None:
    for path in ("Verifications", "VerificationCheck", f"Verifications/{NUMBER}"):
        answer = requests.post(
            f"{base_url}/v2/Services/{SERVICE}/{path}",
            data=body,
            headers={"content-type": "application/x-www-form-urlencoded"},
            auth=(ACCOUNT, events.API_KEY),
            timeout=10,
        )
        assert answer.status_code < 500, answer.text
    assert not service.provider.checked


def test_a_verification_under_a_removed_pepper_is_not_found(
    api: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    started = api.verifications.create(to=NUMBER, channel="sms")
    found = bootstrap.by_number()
    after = type(found.peppers())("another-pepper-that-is-long-enough-too", None)
    rotated = type(found)(found.policy, found.store, lambda: after, found.clock)
    monkeypatch.setattr(bootstrap, "by_number", lambda: rotated)
    with raises() as error:
        api.verifications(started.sid).fetch()
    assert refused(error) == (404, 20404)


def test_no_token_is_signed_for_an_answer_without_a_token(
    api: Any, service: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    signed: list[str] = []

    def issue(verification: Verification, api_url: str, verified_at: Seconds) -> str:
        del api_url, verified_at
        signed.append(verification.key)
        return "a-token"

    issuing = replace(bootstrap.service(), issue_token=issue)
    monkeypatch.setattr(bootstrap, "service", lambda: issuing)
    api.verifications.create(to=NUMBER, channel="sms")
    assert api.verification_checks.create(to=NUMBER, code=RIGHT).status == "approved"
    assert (signed, len(service.provider.checked)) == ([], 1)


@pytest.mark.parametrize("failure", [Refused, NotSent])
def test_a_failed_send_does_not_hide_the_numbers_verification(
    service: Deployment, api: Any, failure: type[ProviderError]
) -> None:
    started = api.verifications.create(to=NUMBER, channel="sms")
    service.clock.step(30)
    service.provider.fails_with = lambda: failure("fake", "scripted")
    assert service.post("request_otp", phoneNumber=NUMBER).status != 200
    assert api.verifications(NUMBER).fetch().sid == started.sid
