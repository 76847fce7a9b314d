"""The signature of Sinch Verification, and the outcome of each of its answers."""

import base64
from collections.abc import Callable

import pytest

from sms_otp.adapters.providers import sinch
from sms_otp.adapters.providers.sinch import Sinch
from sms_otp.adapters.providers.transport import HttpResponse, NoAnswer, RequestNotSent, TransportError
from sms_otp.domain.clock import Seconds
from sms_otp.domain.provider import (
    Ambiguous,
    Channel,
    Check,
    CodeMessage,
    DestinationUnavailable,
    Doubtful,
    Misconfigured,
    NotSent,
    ProviderError,
    Refused,
    Sent,
    Throttled,
)
from tests.unit.providers.scripted import DEADLINE, LIFE, PHONE, Call, ScriptedTransport, answer, outcome

BASE_URL = "https://verification.api.sinch.com"
KEY = "the-key"
SECRET = "JViE5vDor0Sw3WllZka15Q=="
NOW = 1_717_664_921.9
"""2024-06-06T09:08:41.9Z"""

REF = "1ce0ffee-c0de-5eed-d00d-f00dfeed1337"
STARTED = {"id": REF, "method": "sms", "sms": {"interceptionTimeout": 298}, "_links": []}
SUCCESSFUL = {"id": REF, "method": "sms", "status": "SUCCESSFUL"}
FAIL = {"id": REF, "method": "sms", "status": "FAIL"}
HTML = b"<!doctype html><title>Welcome</title>"


def provider(transport: ScriptedTransport, base_url: str = BASE_URL) -> Sinch:
    return Sinch(base_url, sinch.signed(KEY, SECRET, lambda: NOW), transport)


def send(given: HttpResponse | TransportError) -> Sent:
    return provider(ScriptedTransport(given)).send(
        CodeMessage(PHONE, channel=Channel.SMS, locale=None, reference="our-reference", ttl_seconds=LIFE),
        DEADLINE,
    )


def check(given: HttpResponse | TransportError) -> Check:
    return provider(ScriptedTransport(given)).check(REF, "123456", channel=Channel.SMS, deadline=DEADLINE)


def send_call(channel: Channel, locale: str | None) -> Call:
    transport = ScriptedTransport(answer(200, STARTED))
    provider(transport).send(
        CodeMessage(
            PHONE,
            channel=channel,
            locale=locale,
            reference="our-reference",
            ttl_seconds=LIFE,
            callback_key="a-callback-key",
        ),
        DEADLINE,
    )
    (call,) = transport.calls
    return call


def check_call(ref: str, channel: Channel = Channel.SMS, base_url: str = BASE_URL) -> Call:
    transport = ScriptedTransport(answer(404))
    provider(transport, base_url).check(ref, "012345", channel=channel, deadline=DEADLINE)
    (call,) = transport.calls
    return call


def error(code: object, message: str = "…") -> dict[str, object]:
    return {"errorCode": code, "message": message, "reference": "c01dc0de-c4db-44f1-5ca1-da9159d21c19"}


VENDOR_VECTORS = [
    pytest.param(
        "JViE5vDor0Sw3WllZka15Q==",
        "POST",
        "/v1/sms/+46700000000",
        b'{"message":"Hello world"}',
        "application/json",
        "2014-06-04T13:41:58Z",
        "qDXMwzfaxCRS849c/2R0hg0nphgdHciTo7OdM6MsdnM=",
        id="a",
    ),
    pytest.param(
        "BeIukql3pTKJ8RGL5zo0DA==",
        "POST",
        "/sinch/callback/ace",
        b'{"event":"ace","callid":"822aa4b7-05b4-4d83-87c7-1f835ee0b6f6_257",'
        b'"timestamp":"2014-09-24T10:59:41Z","version":1}',
        "application/json",
        "2014-09-24T10:59:41Z",
        "Tg6fMyo8mj9pYfWQ9ssbx3Tc1BNC87IEygAfLbJqZb4=",
        id="b",
    ),
    pytest.param(
        base64.b64encode(b"my-key-secret").decode(),
        "POST",
        "/path/pathParamValue",
        b'{"identity":{"type":"number","endpoint":"+33444555666"},"method":"sms"}',
        "application/json; charset=UTF-8",
        "2023-11-22T09:10:11.999Z",
        "QP3OzQZVzRZAEev6DBLvJkgpiqyZPuXYsc7oyjUV0K8=",
        id="c",
    ),
    pytest.param(
        "9876543210",
        "POST",
        "/VerificationRequestEvent",
        b'{"id":"018c25e1-7163-5677-b8fb-467d7b1cffa5","event":"VerificationResultEvent","method":"sms",'
        b'"identity":{"verified":false,"type":"number","endpoint":"+33628254417"},'
        b'"status":"FAIL","reason":"Expired"}',
        "application/json; charset=utf-8",
        "2023-12-01T15:01:20.0406449Z",
        "xfKhO0XvlRNJraahUBEJzzi1f3Fn3pYO41/ZzwOHPaQ=",
        id="d, a secret without its padding",
    ),
]
OWN_VECTORS = [
    pytest.param(
        SECRET,
        "POST",
        "/verification/v1/verifications",
        b'{"identity":{"type":"number","endpoint":"+46700000000"},"method":"sms"}',
        "application/json",
        "2024-06-06T09:08:41Z",
        "eZ+nslnTBlc63u5BY6s92Ar2uKaWuv++WU/St7h87JM=",
        id="start",
    ),
    pytest.param(
        SECRET,
        "PUT",
        "/verification/v1/verifications/number/+46700000000",
        b'{"method":"sms","sms":{"code":"1234"}}',
        "application/json",
        "2024-06-06T09:08:41Z",
        "wQhnJFCX/ZjQHKNR2eOPAJrMyrXNW/21qFjznJ9Wrog=",
        id="report",
    ),
    pytest.param(
        SECRET,
        "GET",
        "/verification/v1/verifications/id/1234567890",
        b"",
        "",
        "2024-06-06T09:08:41Z",
        "I0O5HUDa2XaIG0JcJKPHjH4LrBdCYcXdMXBLa1IIvsI=",
        id="status, without a body",
    ),
]


@pytest.mark.parametrize(
    ("secret", "method", "path", "body", "content_type", "timestamp", "signature"),
    [*VENDOR_VECTORS, *OWN_VECTORS],
)
def test_a_signature_matches_sinchs_own(
    secret: str, method: str, path: str, body: bytes, content_type: str, timestamp: str, signature: str
) -> None:
    made = sinch.signature_of(sinch.decoded_secret(secret), method, path, body, content_type, timestamp)
    assert made == signature


@pytest.mark.parametrize("secret", ["not base64!", "abcde", "ab=c", "é" * 4, "YWJj\n"])
def test_a_secret_that_is_not_base64_is_refused_without_being_shown(secret: str) -> None:
    with pytest.raises(Misconfigured) as caught:
        sinch.signed(KEY, secret, lambda: NOW)
    assert caught.value.reason == "secret field sinch.applicationSecret"
    assert secret not in str(caught.value)
    assert caught.value.__suppress_context__


def test_an_sms_request_has_number_expiry_and_our_reference() -> None:
    call = send_call(Channel.SMS, "sv-SE")
    assert (call.method, call.url) == ("POST", f"{BASE_URL}/verification/v1/verifications")
    assert call.json == {
        "identity": {"type": "number", "endpoint": "+14155550123"},
        "method": "sms",
        "reference": "our-reference",
        "custom": "a-callback-key",
        "smsOptions": {"expiry": "00:05:00", "codeType": "Numeric"},
    }
    assert call.headers["Accept-Language"] == "sv-SE"
    assert call.headers["Content-Type"] == "application/json"
    assert call.deadline is DEADLINE


def test_a_voice_request_is_a_callout_in_the_users_language() -> None:
    call = send_call(Channel.VOICE, "fr-FR")
    assert call.json == {
        "identity": {"type": "number", "endpoint": "+14155550123"},
        "method": "callout",
        "reference": "our-reference",
        "custom": "a-callback-key",
        "calloutOptions": {"speech": {"locale": "fr-FR"}},
    }


@pytest.mark.parametrize("channel", list(Channel))
def test_a_request_without_a_locale_names_no_language(channel: Channel) -> None:
    call = send_call(channel, None)
    assert "Accept-Language" not in call.headers
    assert "calloutOptions" not in call.json


@pytest.mark.parametrize(
    ("channel", "name"),
    [(Channel.SMS, "sms"), (Channel.VOICE, "callout"), (Channel.WHATSAPP, "whatsapp")],
)
def test_a_guess_is_reported_by_id_under_the_method_it_was_started_with(channel: Channel, name: str) -> None:
    call = check_call(REF, channel)
    assert (call.method, call.url) == ("PUT", f"{BASE_URL}/verification/v1/verifications/id/{REF}")
    assert call.json == {"method": name, name: {"code": "012345"}}


def test_the_signature_covers_the_sent_body() -> None:
    call = send_call(Channel.SMS, None)
    signature = sinch.signature_of(
        sinch.decoded_secret(SECRET),
        "POST",
        "/verification/v1/verifications",
        call.body,
        call.headers["Content-Type"],
        "2024-06-06T09:08:41Z",
    )
    assert call.headers["x-timestamp"] == "2024-06-06T09:08:41Z"
    assert call.headers["Authorization"] == f"Application the-key:{signature}"


def test_the_signed_path_is_the_decoded_path_of_the_url() -> None:
    call = check_call("a/b +é", base_url="http://127.0.0.1:4600/sinch")
    assert call.url == "http://127.0.0.1:4600/sinch/verification/v1/verifications/id/a%2Fb%20%2B%C3%A9"
    signature = sinch.signature_of(
        sinch.decoded_secret(SECRET),
        "PUT",
        "/sinch/verification/v1/verifications/id/a/b +é",
        call.body,
        "application/json",
        "2024-06-06T09:08:41Z",
    )
    assert call.headers["Authorization"] == f"Application the-key:{signature}"


def test_basic_credentials_use_the_undecoded_secret() -> None:
    transport = ScriptedTransport(answer(200, SUCCESSFUL))
    Sinch(BASE_URL, sinch.basic("key", "c2VjcmV0"), transport).check(
        REF, "123456", channel=Channel.SMS, deadline=DEADLINE
    )
    headers = transport.calls[0].headers
    assert headers["Authorization"] == "Basic " + base64.b64encode(b"key:c2VjcmV0").decode()
    assert "x-timestamp" not in headers


@pytest.mark.parametrize(("seconds", "expiry"), [(60, "00:01:00"), (599, "00:09:59"), (3661, "01:01:01")])
def test_the_expiry_is_in_hours_minutes_and_seconds(seconds: int, expiry: str) -> None:
    transport = ScriptedTransport(answer(200, STARTED))
    provider(transport).send(
        CodeMessage(PHONE, channel=Channel.SMS, locale=None, reference="ours", ttl_seconds=Seconds(seconds)),
        DEADLINE,
    )
    assert transport.calls[0].json["smsOptions"]["expiry"] == expiry


def test_an_accepted_send_returns_sinchs_id() -> None:
    assert send(answer(200, STARTED)) == Sent(REF)


SEND_FAILURES: list[tuple[str, HttpResponse | TransportError, type[ProviderError]]] = [
    ("no id", answer(200, {"method": "sms"}), Ambiguous),
    ("empty id", answer(200, {**STARTED, "id": ""}), Ambiguous),
    ("id a number", answer(200, {**STARTED, "id": 1234567890}), Ambiguous),
    ("id a dot segment", answer(200, {**STARTED, "id": "."}), Ambiguous),
    ("html", answer(200, HTML), Ambiguous),
    ("empty", answer(200, b""), Ambiguous),
    ("40001", answer(400, error(40001)), Refused),
    ("40002", answer(400, error(40002)), Refused),
    ("40003", answer(400, error(40003)), Refused),
    ("40005", answer(400, error(40005)), Refused),
    ("40005, as a string", answer(400, error("40005")), Refused),
    ("40004", answer(400, error(40004)), Misconfigured),
    ("400 without a code", answer(400, HTML), Misconfigured),
    ("40100", answer(401, error(40100)), Misconfigured),
    ("40101", answer(401, error(40101)), Misconfigured),
    ("40102", answer(401, error(40102)), Misconfigured),
    ("40104", answer(401, error(40104)), Misconfigured),
    ("40107", answer(401, error(40107)), Misconfigured),
    ("40200", answer(402, error(40200)), Misconfigured),
    ("40300", answer(403, error(40300)), Refused),
    ("40303, set-up", answer(403, error(40303, "Callback URL must be set when …")), Misconfigured),
    ("40303, denied", answer(403, error(40303, "Explicitly Denied by a callback")), Refused),
    ("403 without a code", answer(403, HTML), Misconfigured),
    ("denied, says another status", answer(503, error(50300, "Access denied")), Doubtful),
    ("40400", answer(404, error(40400)), Misconfigured),
    ("40900", answer(409, error(40900)), Ambiguous),
    ("409 without a code", answer(409, HTML), Ambiguous),
    ("42200", answer(422, error(42200)), Misconfigured),
    ("42201", answer(422, error(42201)), DestinationUnavailable),
    ("42900", answer(429, error(42900)), Throttled),
    ("42901", answer(429, error(42901)), DestinationUnavailable),
    ("429 without a code", answer(429, HTML), Throttled),
    ("50000", answer(500, error(50000)), Doubtful),
    ("502", answer(502, HTML), Doubtful),
    ("50300", answer(503, error(50300)), Doubtful),
    ("50301", answer(503, error(50301)), Misconfigured),
    ("504", answer(504, HTML), Ambiguous),
    ("302", answer(302, HTML), NotSent),
    ("a code of another status", answer(500, error(40300)), Doubtful),
    ("nothing left", RequestNotSent("connection"), NotSent),
    ("no answer", NoAnswer("truncated"), Ambiguous),
]


@pytest.mark.parametrize(
    ("given", "expected"), [case[1:] for case in SEND_FAILURES], ids=[case[0] for case in SEND_FAILURES]
)
def test_a_failed_start_has_the_right_outcome(
    given: HttpResponse | TransportError, expected: type[ProviderError]
) -> None:
    assert outcome(lambda: send(given)) is expected


PENDING = {"id": REF, "method": "sms", "status": "PENDING", "reference": "our-reference"}

LOST: list[HttpResponse | TransportError] = [
    NoAnswer("read_timeout"),
    answer(504, HTML),
    answer(200, HTML),
    answer(200, {"method": "sms"}),
    answer(409, error(40900)),
    answer(409, HTML),
]


@pytest.mark.parametrize("lost", LOST)
def test_an_ambiguous_start_is_looked_up_once_by_our_reference(
    lost: HttpResponse | TransportError,
) -> None:
    transport = ScriptedTransport(lost, answer(200, PENDING))
    sent = provider(transport).send(
        CodeMessage(PHONE, channel=Channel.SMS, locale="sv-SE", reference="our-reference", ttl_seconds=LIFE),
        DEADLINE,
    )
    assert sent == Sent(REF)
    start, lookup = transport.calls
    assert start.method == "POST"
    assert (lookup.method, lookup.body, lookup.deadline) == ("GET", b"", DEADLINE)
    assert lookup.url == f"{BASE_URL}/verification/v1/verifications/reference/our-reference"
    assert "Content-Type" not in lookup.headers
    signature = sinch.signature_of(
        sinch.decoded_secret(SECRET),
        "GET",
        "/verification/v1/verifications/reference/our-reference",
        b"",
        "",
        "2024-06-06T09:08:41Z",
    )
    assert lookup.headers["Authorization"] == f"Application the-key:{signature}"


@pytest.mark.parametrize(
    "found",
    [
        answer(404, error(40400)),
        answer(500, error(50000)),
        answer(401, error(40102)),
        answer(200, HTML),
        answer(200, {}),
        answer(200, {**PENDING, "id": ""}),
        answer(200, {**PENDING, "id": 7}),
        answer(200, {**PENDING, "reference": "another"}),
        answer(200, {**PENDING, "status": "DENIED", "reason": "Fraud"}),
        answer(200, {**PENDING, "status": "ABORTED"}),
        answer(200, {**PENDING, "status": "SUCCESSFUL"}),
        answer(404, PENDING),
        RequestNotSent("deadline"),
        NoAnswer("read_timeout"),
    ],
)
def test_a_start_that_is_not_found_stays_ambiguous_and_is_not_repeated(
    found: HttpResponse | TransportError,
) -> None:
    transport = ScriptedTransport(NoAnswer("truncated"), found)
    with pytest.raises(Ambiguous) as caught:
        provider(transport).send(
            CodeMessage(PHONE, channel=Channel.SMS, locale=None, reference="our-reference", ttl_seconds=LIFE),
            DEADLINE,
        )
    assert caught.value.reason == "truncated"
    assert [call.method for call in transport.calls] == ["POST", "GET"]


@pytest.mark.parametrize("failed", [answer(302), answer(429), RequestNotSent("connection")])
def test_a_start_that_certainly_failed_is_not_looked_up(failed: HttpResponse | TransportError) -> None:
    transport = ScriptedTransport(failed)
    outcome(
        lambda: provider(transport).send(
            CodeMessage(PHONE, channel=Channel.SMS, locale=None, reference="our-reference", ttl_seconds=LIFE),
            DEADLINE,
        )
    )
    assert [call.method for call in transport.calls] == ["POST"]


@pytest.mark.parametrize("channel", list(Channel))
def test_a_resend_is_a_new_start(channel: Channel) -> None:
    transport = ScriptedTransport(answer(200, STARTED))
    sent = provider(transport).resend(
        "an-older-id",
        CodeMessage(
            PHONE,
            channel=channel,
            locale="fr-FR",
            reference="our-reference",
            ttl_seconds=LIFE,
            callback_key="a-callback-key",
        ),
        DEADLINE,
    )
    assert sent == Sent(REF)
    (call,) = transport.calls
    assert call == send_call(channel, "fr-FR")


CHECKS: list[tuple[str, HttpResponse | TransportError, object]] = [
    ("right", answer(200, SUCCESSFUL), Check.CORRECT),
    ("another's yes", answer(200, {**SUCCESSFUL, "id": "another"}), Ambiguous),
    ("a yes without an id", answer(200, {"status": "SUCCESSFUL"}), Ambiguous),
    ("yes in small letters", answer(200, {**SUCCESSFUL, "status": "successful"}), Ambiguous),
    ("yes as a boolean", answer(200, {**SUCCESSFUL, "status": True}), Ambiguous),
    ("wrong, by an error", answer(400, error(40003)), Check.WRONG),
    ("wrong, by an error as a string", answer(400, error("40003")), Check.WRONG),
    ("wrong, by a status", answer(200, {**FAIL, "reason": "Invalid code"}), Check.WRONG),
    ("failed for no reason", answer(200, FAIL), Check.WRONG),
    ("failed for a new reason", answer(200, {**FAIL, "reason": "Tired"}), Check.WRONG),
    ("expired", answer(200, {**FAIL, "reason": "Expired"}), Check.EXPIRED),
    ("another's no", answer(200, {**FAIL, "id": "another"}), Ambiguous),
    ("denied", answer(200, {**FAIL, "status": "DENIED", "reason": "Fraud"}), Check.UNKNOWN),
    ("superseded", answer(200, {**FAIL, "status": "ABORTED"}), Check.UNKNOWN),
    ("network", answer(200, {**FAIL, "status": "ERROR", "reason": "SMS delivery failure"}), Check.UNKNOWN),
    ("pending", answer(200, {**FAIL, "status": "PENDING"}), Ambiguous),
    ("a new status", answer(200, {**FAIL, "status": "PAUSED"}), Ambiguous),
    ("no status", answer(200, {"id": REF}), Ambiguous),
    ("status a list", answer(200, {**FAIL, "status": ["SUCCESSFUL"]}), Ambiguous),
    ("status twice", answer(200, b'{"id": "x", "status": "FAIL", "status": "SUCCESSFUL"}'), Ambiguous),
    ("html", answer(200, HTML), Ambiguous),
    ("empty", answer(200, b""), Ambiguous),
    ("unknown", answer(404, error(40400)), Check.UNKNOWN),
    ("a yes under a 404", answer(404, SUCCESSFUL), Check.UNKNOWN),
    ("a yes under a 500", answer(500, SUCCESSFUL), Doubtful),
    ("a wrong code's code under a 500", answer(500, error(40003)), Doubtful),
    ("40001", answer(400, error(40001)), Misconfigured),
    ("40002", answer(400, error(40002)), Misconfigured),
    ("400 without a code", answer(400, HTML), Misconfigured),
    ("40102", answer(401, error(40102)), Misconfigured),
    ("40200", answer(402, error(40200)), Misconfigured),
    ("40300", answer(403, error(40300)), Refused),
    ("40303", answer(403, error(40303)), Misconfigured),
    ("42200", answer(422, error(42200)), Misconfigured),
    ("42900", answer(429, error(42900)), Throttled),
    ("50000", answer(500, error(50000)), Doubtful),
    ("502", answer(502, HTML), Doubtful),
    ("50300", answer(503, error(50300)), Doubtful),
    ("50301", answer(503, error(50301)), Misconfigured),
    ("504", answer(504, HTML), Ambiguous),
    ("302", answer(302, HTML), NotSent),
    ("nothing left", RequestNotSent("connection"), NotSent),
    ("no answer", NoAnswer("read_timeout"), Ambiguous),
]


@pytest.mark.parametrize(
    ("given", "expected"), [case[1:] for case in CHECKS], ids=[case[0] for case in CHECKS]
)
def test_a_report_maps_each_answer_to_its_outcome(
    given: HttpResponse | TransportError, expected: object
) -> None:
    assert outcome(lambda: check(given)) is expected


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        (answer(429, error(42901)), "42901"),
        (answer(403, error(40300, "+14155550123 is blacklisted")), "40300"),
        (answer(500, HTML), "http_500"),
        (answer(400, error("14155550123")), "http_400"),
        (answer(400, error(True)), "http_400"),
        (answer(400, error("4000٣")), "http_400"),
        (answer(400, error(4000)), "http_400"),
        (answer(400, error(400010)), "http_400"),
        (answer(400, error("4000O")), "http_400"),
        (answer(302, error(30200)), "redirect"),
    ],
)
def test_a_failures_reason_contains_no_phone_number(given: HttpResponse, reason: str) -> None:
    with pytest.raises(ProviderError) as caught:
        send(given)
    assert caught.value.reason == reason
    assert str(caught.value) == f"sinch: {reason}"


def test_the_providers_retry_after_is_passed_on() -> None:
    with pytest.raises(Throttled) as caught:
        send(answer(429, error(42900), retry_after=Seconds(7)))
    assert caught.value.retry_after == 7


def test_a_whatsapp_request_has_a_numeric_code_and_no_expiry() -> None:
    call = send_call(Channel.WHATSAPP, "pt-BR")
    assert call.json["method"] == "whatsapp"
    assert call.json["whatsappOptions"] == {"codeType": "Numeric"}
    assert not {"smsOptions", "calloutOptions"} & set(call.json)
    assert call.headers["Accept-Language"] == "pt-BR"


@pytest.mark.parametrize(
    ("act", "reason"),
    [
        (lambda: send(answer(200, {})), "no_id"),
        (lambda: check(answer(200, {"id": "another", "status": "SUCCESSFUL"})), "other_id"),
        (lambda: check(answer(200, {"id": REF, "status": "PENDING"})), "no_verdict"),
    ],
)
def test_an_inconclusive_answer_has_its_reason(act: Callable[[], object], reason: str) -> None:
    with pytest.raises(Ambiguous) as caught:
        act()
    assert (caught.value.provider, caught.value.reason) == ("sinch", reason)


@pytest.mark.parametrize("given", [answer(404, error(40400)), answer(200, PENDING)])
def test_a_probe_looks_up_a_reference_that_was_never_started(given: HttpResponse) -> None:
    transport = ScriptedTransport(given)
    provider(transport).probe(DEADLINE)
    (call,) = transport.calls
    assert call.method == "GET"
    assert call.url.removeprefix(BASE_URL) == "/verification/v1/verifications/reference/sms-otp-probe"


@pytest.mark.parametrize(
    ("given", "failure"),
    [
        (answer(200, HTML), Ambiguous),
        (answer(404, HTML), Misconfigured),
        (answer(401, error(40100)), Misconfigured),
        (answer(429, error(42900)), Throttled),
        (answer(503, error(50300)), Doubtful),
        (NoAnswer("read_timeout"), Ambiguous),
    ],
)
def test_a_probe_that_fails_says_why(
    given: HttpResponse | TransportError, failure: type[ProviderError]
) -> None:
    with pytest.raises(failure):
        provider(ScriptedTransport(given)).probe(DEADLINE)
