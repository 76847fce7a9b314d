"""The outcome of each answer of Infobip 2FA."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import pytest

from sms_otp.adapters.providers.infobip import Infobip
from sms_otp.adapters.providers.transport import HttpResponse, NoAnswer, RequestNotSent, TransportError
from sms_otp.domain.clock import Deadline, Seconds
from sms_otp.domain.phone import PhoneNumber
from sms_otp.domain.provider import (
    Ambiguous,
    Channel,
    Check,
    CodeMessage,
    Delivery,
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

BASE_URL = "https://abc123.api.infobip.com"
CREDENTIALS = {"apiKey": "the-key", "applicationId": "the-application", "messageId": "the-message"}
MESSAGE_IDS = {"de": "the-german-message", "pt_br": "the-brazilian-message"}
INDIA_MESSAGE_IDS = {"pt_br": "the-brazilian-message"}
PIN_ID = "9C817C6F8AF3D48F9FE553282AFA2B67"

SENT = {
    "pinId": PIN_ID,
    "to": "14155550123",
    "ncStatus": "NC_DESTINATION_REACHABLE",
    "smsStatus": "MESSAGE_SENT",
}
NOT_SENT = {**SENT, "smsStatus": "MESSAGE_NOT_SENT"}
RIGHT = {"pinId": PIN_ID, "msisdn": "14155550123", "verified": True, "attemptsRemaining": 0}
WRONG = {**RIGHT, "verified": False, "attemptsRemaining": 2, "pinError": "WRONG_PIN"}
HTML = b"<!doctype html><title>Welcome</title>"


def without(body: Mapping[str, object], *names: str) -> dict[str, object]:
    return {name: value for name, value in body.items() if name not in names}


def service_exception(message_id: str, **more: object) -> dict[str, object]:
    return {"requestError": {"serviceException": {"messageId": message_id, "text": "…", **more}}}


def infobip(
    transport: ScriptedTransport,
    *,
    number_lookup: bool = False,
    sleep: Callable[[float], object] = lambda _: None,
) -> Infobip:
    return Infobip(
        BASE_URL,
        CREDENTIALS,
        transport,
        message_ids=MESSAGE_IDS,
        india_message_ids=INDIA_MESSAGE_IDS,
        sender_ids={"IN": "ACMEIN"},
        number_lookup=number_lookup,
        code_length=6,
        message_parts={"the-german-message": 2},
        sleep=sleep,
    )


def send(given: HttpResponse | TransportError, channel: Channel = Channel.SMS) -> Sent:
    return infobip(ScriptedTransport(given)).send(
        CodeMessage(PHONE, channel=channel, locale=None, reference="our-reference", ttl_seconds=LIFE),
        DEADLINE,
    )


def check(given: HttpResponse | TransportError, ref: str = PIN_ID) -> Check:
    return infobip(ScriptedTransport(given)).check(ref, "123456", channel=Channel.SMS, deadline=DEADLINE)


def send_call(channel: Channel, *, number_lookup: bool = False) -> Call:
    transport = ScriptedTransport(answer(200, SENT))
    infobip(transport, number_lookup=number_lookup).send(
        CodeMessage(PHONE, channel=channel, locale="sv-SE", reference="our-reference", ttl_seconds=LIFE),
        DEADLINE,
    )
    (call,) = transport.calls
    return call


@pytest.mark.parametrize(
    ("locale", "message_id"),
    [
        (None, "the-message"),
        ("de", "the-german-message"),
        ("de-AT", "the-german-message"),
        ("pt-BR", "the-brazilian-message"),
        ("PT-br", "the-brazilian-message"),
        ("pt", "the-message"),
        ("sv-SE", "the-message"),
    ],
)
def test_a_code_is_sent_in_the_text_of_its_locale_or_else_in_the_default(
    locale: str | None, message_id: str
) -> None:
    transport = ScriptedTransport(answer(200, SENT))
    infobip(transport).send(
        CodeMessage(PHONE, channel=Channel.SMS, locale=locale, reference="our-reference", ttl_seconds=LIFE),
        DEADLINE,
    )
    assert transport.calls[0].json["messageId"] == message_id


@pytest.mark.parametrize(
    ("locale", "message_id"), [("de", "the-message"), ("pt-BR", "the-brazilian-message")]
)
def test_a_number_in_india_is_sent_only_a_registered_text(locale: str, message_id: str) -> None:
    transport = ScriptedTransport(answer(200, SENT))
    infobip(transport).send(
        CodeMessage(
            PhoneNumber("+919999900000", "IN"),
            channel=Channel.SMS,
            locale=locale,
            reference="our-reference",
            ttl_seconds=LIFE,
        ),
        DEADLINE,
    )
    assert transport.calls[0].json["messageId"] == message_id


@pytest.mark.parametrize(
    ("to", "channel", "sender"),
    [
        (PhoneNumber("+919999900000", "IN"), Channel.SMS, "ACMEIN"),
        (PhoneNumber("+919999900000", "IN"), Channel.VOICE, None),
        (PHONE, Channel.SMS, None),
    ],
)
def test_a_text_is_from_its_countrys_sender_where_there_is_one(
    to: PhoneNumber, channel: Channel, sender: str | None
) -> None:
    transport = ScriptedTransport(answer(200, SENT))
    infobip(transport).send(
        CodeMessage(to, channel=channel, locale=None, reference="our-reference", ttl_seconds=LIFE),
        DEADLINE,
    )
    assert transport.calls[0].json.get("from") == sender


def test_an_sms_request_has_the_api_key_and_the_digits_of_the_number() -> None:
    call = send_call(Channel.SMS)
    assert (call.method, call.url) == ("POST", f"{BASE_URL}/2fa/2/pin?ncNeeded=false")
    assert call.headers["Authorization"] == "App the-key"
    assert call.headers["Content-Type"] == "application/json"
    assert call.json == {
        "applicationId": "the-application",
        "messageId": "the-message",
        "to": "14155550123",
        "trackDelivery": True,
    }
    assert call.deadline is DEADLINE


def test_the_number_is_looked_up_first_if_enabled() -> None:
    assert send_call(Channel.SMS, number_lookup=True).url.endswith("/2fa/2/pin?ncNeeded=true")


def test_a_voice_request_uses_the_voice_endpoint_without_a_lookup() -> None:
    call = send_call(Channel.VOICE, number_lookup=True)
    assert call.url == f"{BASE_URL}/2fa/2/pin/voice"
    assert call.json["to"] == "14155550123"


def test_a_guess_is_sent_to_the_verify_endpoint_of_its_pin() -> None:
    transport = ScriptedTransport(answer(200, RIGHT))
    infobip(transport).check(PIN_ID, "012345", channel=Channel.SMS, deadline=DEADLINE)
    (call,) = transport.calls
    assert (call.method, call.url) == ("POST", f"{BASE_URL}/2fa/2/pin/{PIN_ID}/verify")
    assert call.headers["Authorization"] == "App the-key"
    assert call.json == {"pin": "012345"}
    assert call.deadline is DEADLINE


def test_a_pin_id_is_escaped_in_the_path() -> None:
    transport = ScriptedTransport(answer(404))
    infobip(transport).check("../a?b#c%/é", "123456", channel=Channel.SMS, deadline=DEADLINE)
    assert transport.calls[0].url == f"{BASE_URL}/2fa/2/pin/..%2Fa%3Fb%23c%25%2F%C3%A9/verify"


@pytest.mark.parametrize(
    ("channel", "body", "sent"),
    [
        (Channel.SMS, SENT, Sent(PIN_ID)),
        (Channel.SMS, {**SENT, "externalMessageId": "a-message"}, Sent(PIN_ID, message_id="a-message")),
        (Channel.SMS, {**SENT, "externalMessageId": 7}, Sent(PIN_ID)),
        (Channel.SMS, {**SENT, "externalMessageId": "m" * 3000}, Sent(PIN_ID)),
        (Channel.SMS, {**SENT, "externalMessageId": "a message\nwith a line"}, Sent(PIN_ID)),
        (Channel.SMS, without(SENT, "ncStatus"), Sent(PIN_ID)),
        (Channel.SMS, {**SENT, "ncStatus": "NC_DESTINATION_UNKNOWN"}, Sent(PIN_ID)),
        (Channel.SMS, {**SENT, "ncStatus": "NC_NOT_CONFIGURED"}, Sent(PIN_ID)),
        (Channel.SMS, without(SENT, "ncStatus", "smsStatus"), Sent(PIN_ID)),
        (Channel.SMS, {**SENT, "smsStatus": "MESSAGE_POSTPONED"}, Sent(PIN_ID, delivery=Delivery.UNKNOWN)),
        (Channel.VOICE, {"pinId": PIN_ID, "to": "1", "callStatus": "PENDING_ACCEPTED"}, Sent(PIN_ID)),
    ],
)
def test_an_accepted_send_returns_the_pin_id(channel: Channel, body: object, sent: Sent) -> None:
    assert send(answer(200, body), channel) == sent


def test_any_status_of_the_2xx_class_is_a_success() -> None:
    assert send(answer(201, SENT)) == Sent(PIN_ID)


SEND_FAILURES: list[tuple[str, HttpResponse | TransportError, type[ProviderError]]] = [
    ("unreachable, first spelling", answer(200, {**NOT_SENT, "ncStatus": "NC_NOT_REACHABLE"}), Refused),
    (
        "unreachable, second spelling",
        answer(200, {**NOT_SENT, "ncStatus": "NC_DESTINATION_NOT_REACHABLE"}),
        Refused,
    ),
    ("unreachable, yet said to be sent", answer(200, {**SENT, "ncStatus": "NC_NOT_REACHABLE"}), Refused),
    ("blocked for calls", answer(200, {"pinId": PIN_ID, "callStatus": "REJECTED_DESTINATION"}), Refused),
    ("no such destination", answer(200, {**NOT_SENT, "smsStatus": "REJECTED_DESTINATION"}), Refused),
    ("on the blocklist", answer(200, {**NOT_SENT, "smsStatus": "REJECTED_DESTINATION_BLOCKLISTED"}), Refused),
    ("stopped as fraud", answer(200, {**NOT_SENT, "smsStatus": "SIGNALS_BLOCKED"}), Refused),
    ("no number", answer(200, {**NOT_SENT, "smsStatus": "MISSING_TO"}), Misconfigured),
    ("undeliverable", answer(200, {**NOT_SENT, "smsStatus": "UNDELIVERABLE_NOT_SENT"}), NotSent),
    ("platform", answer(200, {"callStatus": "UNDELIVERABLE_REJECTED_PLATFORM"}), NotSent),
    ("busy", answer(200, {"pinId": PIN_ID, "callStatus": "BUSY"}), DestinationUnavailable),
    ("a rejection of tomorrow", answer(200, {**NOT_SENT, "smsStatus": "REJECTED_TOMORROW"}), NotSent),
    ("do not disturb", answer(200, {**NOT_SENT, "smsStatus": "REJECTED_DND"}), Refused),
    (
        "no route",
        answer(200, {**NOT_SENT, "smsStatus": "REJECTED_ROUTE_NOT_AVAILABLE"}),
        DestinationUnavailable,
    ),
    ("not sent, though reachable", answer(200, NOT_SENT), NotSent),
    ("not sent, unknown", answer(200, {**NOT_SENT, "ncStatus": "NC_DESTINATION_UNKNOWN"}), NotSent),
    ("not sent, no lookup", answer(200, {**NOT_SENT, "ncStatus": "NC_NOT_CONFIGURED"}), NotSent),
    ("not sent, no word on the lookup", answer(200, without(NOT_SENT, "ncStatus")), NotSent),
    ("not sent, no pinId", answer(200, without(NOT_SENT, "pinId")), NotSent),
    ("no credit for calls", answer(200, {"callStatus": "REJECTED_NOT_ENOUGH_CREDITS"}), Misconfigured),
    ("no pinId", answer(200, without(SENT, "pinId")), Ambiguous),
    ("empty pinId", answer(200, {**SENT, "pinId": ""}), Ambiguous),
    ("pinId null", answer(200, {**SENT, "pinId": None}), Ambiguous),
    ("pinId a number", answer(200, {**SENT, "pinId": 7}), Ambiguous),
    ("pinId a dot segment", answer(200, {**SENT, "pinId": ".."}), Ambiguous),
    ("pinId with a line's end", answer(200, {**SENT, "pinId": "A\n"}), Ambiguous),
    ("pinId not ASCII", answer(200, {**SENT, "pinId": "é"}), Ambiguous),
    ("pinId without end", answer(200, {**SENT, "pinId": "A" * 257}), Ambiguous),
    ("empty body", answer(200, b""), Ambiguous),
    ("empty object", answer(200, {}), Ambiguous),
    ("array", answer(200, [SENT]), Ambiguous),
    ("html", answer(200, HTML), Ambiguous),
    ("no content", answer(204, b""), Ambiguous),
    ("the number", answer(400, service_exception("BAD_REQUEST", validationErrors={"to": ["…"]})), Refused),
    (
        "the number, by its path",
        answer(400, service_exception("BAD_REQUEST", validationErrors={"request.to": ["…"]})),
        Refused,
    ),
    (
        "the number, in the newer shape",
        answer(400, {"errorCode": "E400", "violations": [{"property": "to", "violation": "…"}]}),
        Refused,
    ),
    (
        "another field",
        answer(400, service_exception("BAD_REQUEST", validationErrors={"applicationId": ["…"]})),
        Misconfigured,
    ),
    (
        "the number and another field",
        answer(400, service_exception("BAD_REQUEST", validationErrors={"to": ["…"], "messageId": ["…"]})),
        Misconfigured,
    ),
    (
        "another field, in the newer shape",
        answer(400, {"errorCode": "E400", "violations": [{"property": "from"}]}),
        Misconfigured,
    ),
    ("no field", answer(400, service_exception("BAD_REQUEST")), Misconfigured),
    ("a 400 of no known shape", answer(400, {"violations": "to", "requestError": ["to"]}), Misconfigured),
    ("a 400 in html", answer(400, HTML), Misconfigured),
    ("key refused", answer(401, service_exception("UNAUTHORIZED")), Misconfigured),
    ("key refused, under a 500", answer(500, service_exception("UNAUTHORIZED")), Misconfigured),
    ("missing scope, in the newer shape", answer(500, {"errorCode": "E403"}), Misconfigured),
    ("no credit", answer(402), Misconfigured),
    ("missing scope", answer(403, service_exception("FORBIDDEN")), Misconfigured),
    ("no such application", answer(404, service_exception("RESOURCE_NOT_FOUND")), Misconfigured),
    ("never came in whole", answer(408), NotSent),
    ("conflict", answer(409), Ambiguous),
    ("too often", answer(429, service_exception("TOO_MANY_REQUESTS")), DestinationUnavailable),
    ("too often, in html", answer(429, HTML), DestinationUnavailable),
    ("500", answer(500, service_exception("GENERAL_ERROR")), Doubtful),
    ("502", answer(502, HTML), Doubtful),
    ("503", answer(503), Doubtful),
    ("504", answer(504, HTML), Ambiguous),
    ("an unknown status", answer(524), Ambiguous),
    ("301", answer(301, HTML), NotSent),
    ("302", answer(302, HTML), NotSent),
    ("307", answer(307), NotSent),
    ("nothing left", RequestNotSent("connect_timeout"), NotSent),
    ("no answer", NoAnswer("read_timeout"), Ambiguous),
]


@pytest.mark.parametrize(
    ("given", "expected"), [case[1:] for case in SEND_FAILURES], ids=[case[0] for case in SEND_FAILURES]
)
def test_a_failed_send_has_the_right_outcome(
    given: HttpResponse | TransportError, expected: type[ProviderError]
) -> None:
    assert outcome(lambda: send(given)) is expected


def resend(given: HttpResponse | TransportError, channel: Channel = Channel.SMS) -> tuple[Sent, Call]:
    transport = ScriptedTransport(given)
    sent = infobip(transport).resend(
        PIN_ID,
        CodeMessage(PHONE, channel=channel, locale="sv-SE", reference="our-reference", ttl_seconds=LIFE),
        DEADLINE,
    )
    (call,) = transport.calls
    return sent, call


@pytest.mark.parametrize(("channel", "path"), [(Channel.SMS, "resend"), (Channel.VOICE, "resend/voice")])
def test_a_resend_repeats_the_pin_and_tracks_its_delivery(channel: Channel, path: str) -> None:
    sent, call = resend(answer(200, {**SENT, "externalMessageId": "another-message"}), channel)
    assert sent == Sent(PIN_ID, message_id="another-message", is_same_code=True)
    assert (call.method, call.url) == ("POST", f"{BASE_URL}/2fa/2/pin/{PIN_ID}/{path}")
    assert call.headers["Authorization"] == "App the-key"
    assert call.json == {"trackDelivery": True}
    assert call.deadline is DEADLINE


@pytest.mark.parametrize(
    ("given", "expected", "reason"),
    [
        (answer(404, service_exception("NOT_FOUND")), NotSent, "unknown_pin"),
        (answer(200, {**SENT, "pinId": "ANOTHER"}), Ambiguous, "other_pin_id"),
        (answer(200, without(SENT, "pinId")), Ambiguous, "no_pin_id"),
        (answer(200, {**NOT_SENT, "smsStatus": "REJECTED_DND"}), Refused, "REJECTED_DND"),
        (answer(200, NOT_SENT), NotSent, "MESSAGE_NOT_SENT"),
        (answer(401, service_exception("UNAUTHORIZED")), Misconfigured, "UNAUTHORIZED"),
        (answer(429, service_exception("TOO_MANY_REQUESTS")), DestinationUnavailable, "TOO_MANY_REQUESTS"),
        (answer(500, HTML), Doubtful, "http_500"),
        (RequestNotSent("connection"), NotSent, "connection"),
        (NoAnswer("read_timeout"), Ambiguous, "read_timeout"),
    ],
)
def test_a_failed_resend_has_the_right_outcome(
    given: HttpResponse | TransportError, expected: type[ProviderError], reason: str
) -> None:
    with pytest.raises(ProviderError) as caught:
        resend(given)
    assert (type(caught.value), caught.value.reason) == (expected, reason)


CHECKS: list[tuple[str, HttpResponse | TransportError, object]] = [
    ("right", answer(200, RIGHT), Check.CORRECT),
    ("right, without pinId", answer(200, without(RIGHT, "pinId")), Check.CORRECT),
    ("right, another number's digits", answer(200, {**RIGHT, "msisdn": "447700900123"}), Check.CORRECT),
    ("wrong", answer(200, WRONG), Check.WRONG),
    ("expired", answer(200, {**WRONG, "pinError": "TTL_EXPIRED"}), Check.EXPIRED),
    ("exhausted", answer(200, {**WRONG, "pinError": "NO_MORE_PIN_ATTEMPTS"}), Check.EXHAUSTED),
    ("wrong, for a new reason", answer(200, {**WRONG, "pinError": "PIN_REVOKED"}), Check.WRONG),
    ("wrong, for no reason", answer(200, without(WRONG, "pinError")), Check.WRONG),
    ("wrong, for a list", answer(200, {**WRONG, "pinError": ["TTL_EXPIRED"]}), Check.WRONG),
    ("verified as a string", answer(200, {**RIGHT, "verified": "true"}), Ambiguous),
    ("verified as one", answer(200, {**RIGHT, "verified": 1}), Ambiguous),
    ("verified null", answer(200, {**RIGHT, "verified": None}), Ambiguous),
    ("verified missing", answer(200, without(RIGHT, "verified")), Ambiguous),
    ("verified not, as zero", answer(200, {**WRONG, "verified": 0}), Ambiguous),
    ("another pin's yes", answer(200, {**RIGHT, "pinId": "ANOTHER"}), Ambiguous),
    ("another pin's no", answer(200, {**WRONG, "pinId": "ANOTHER"}), Ambiguous),
    ("pinId null", answer(200, {**RIGHT, "pinId": None}), Ambiguous),
    ("verified twice", answer(200, b'{"verified": false, "verified": true}'), Ambiguous),
    ("html", answer(200, HTML), Ambiguous),
    ("empty", answer(200, b""), Ambiguous),
    ("array", answer(200, [RIGHT]), Ambiguous),
    ("unknown pin", answer(404, service_exception("NOT_FOUND")), Check.UNKNOWN),
    ("a yes under a 404", answer(404, RIGHT), Check.UNKNOWN),
    ("a yes under a 400", answer(400, RIGHT), Misconfigured),
    ("a yes under a 302", answer(302, RIGHT), NotSent),
    ("a yes under a 500", answer(500, RIGHT), Doubtful),
    ("bad request", answer(400, service_exception("BAD_REQUEST")), Misconfigured),
    ("key refused", answer(401, service_exception("UNAUTHORIZED")), Misconfigured),
    ("missing scope", answer(403, service_exception("FORBIDDEN")), Misconfigured),
    ("too often", answer(429, service_exception("TOO_MANY_REQUESTS")), Throttled),
    ("500", answer(500, service_exception("GENERAL_ERROR")), Doubtful),
    ("502", answer(502, HTML), Doubtful),
    ("503", answer(503), Doubtful),
    ("504", answer(504), Ambiguous),
    ("nothing left", RequestNotSent("connection"), NotSent),
    ("no answer", NoAnswer("deadline"), Ambiguous),
]


@pytest.mark.parametrize(
    ("given", "expected"), [case[1:] for case in CHECKS], ids=[case[0] for case in CHECKS]
)
def test_a_check_maps_each_answer_to_its_outcome(
    given: HttpResponse | TransportError, expected: object
) -> None:
    assert outcome(lambda: check(given)) is expected


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        (answer(401, service_exception("UNAUTHORIZED")), "UNAUTHORIZED"),
        (answer(404, service_exception("RESOURCE_NOT_FOUND")), "RESOURCE_NOT_FOUND"),
        (answer(403, {"errorCode": "E403", "description": "…"}), "E403"),
        (answer(500, HTML), "http_500"),
        (answer(403, service_exception("blocked: 14155550123")), "http_403"),
        (answer(403, service_exception("14155550123")), "http_403"),
        (answer(302, {"errorCode": "E302"}), "redirect"),
        (answer(200, NOT_SENT), "MESSAGE_NOT_SENT"),
        (answer(200, {**NOT_SENT, "smsStatus": "REJECTED_14155550123"}), "not_sent"),
        (RequestNotSent("tls"), "tls"),
    ],
)
def test_a_failures_reason_contains_no_phone_number(
    given: HttpResponse | TransportError, reason: str
) -> None:
    with pytest.raises(ProviderError) as caught:
        send(given)
    assert caught.value.reason == reason
    assert str(caught.value) == f"infobip: {reason}"


def test_the_providers_retry_after_is_passed_on() -> None:
    with pytest.raises(DestinationUnavailable) as caught:
        send(answer(429, service_exception("TOO_MANY_REQUESTS"), retry_after=Seconds(30)))
    assert caught.value.retry_after == 30


def paced(*given: HttpResponse, deadline: Deadline = DEADLINE) -> tuple[object, list[float]]:
    """The outcome of a check, and the seconds that it waited before each retry."""
    waits: list[float] = []
    adapter = infobip(ScriptedTransport(*given), sleep=waits.append)
    return outcome(lambda: adapter.check(PIN_ID, "123456", channel=Channel.SMS, deadline=deadline)), waits


def test_a_guess_that_came_too_soon_is_retried_after_the_wait() -> None:
    too_soon = answer(429, service_exception("TOO_MANY_REQUESTS"))
    assert paced(too_soon, answer(200, RIGHT)) == (Check.CORRECT, [3])
    assert paced(too_soon, answer(200, WRONG)) == (Check.WRONG, [3])
    shorter = answer(429, service_exception("TOO_MANY_REQUESTS"), retry_after=Seconds(2))
    assert paced(shorter, answer(200, RIGHT)) == (Check.CORRECT, [2])
    assert paced(too_soon, too_soon) == (Throttled, [3])
    later = answer(429, service_exception("TOO_MANY_REQUESTS"), retry_after=Seconds(7))
    assert paced(later, answer(200, RIGHT)) == (Throttled, [])


def test_a_guess_that_came_too_soon_is_not_retried_without_time_left() -> None:
    too_soon = answer(429, service_exception("TOO_MANY_REQUESTS"))
    near = Deadline(3, monotonic=lambda: 0.0)
    assert paced(too_soon, answer(200, RIGHT), deadline=near) == (Throttled, [])


TEMPLATES = [
    {"messageId": message_id, "pinType": "NUMERIC", "pinLength": 6}
    for message_id in ("the-message", "the-german-message", "the-brazilian-message")
]


@pytest.mark.parametrize(
    ("templates", "field"),
    [
        ([TEMPLATES[0] | {"pinLength": 8}, *TEMPLATES[1:]], "CodeLength"),
        ([TEMPLATES[0], TEMPLATES[1] | {"pinLength": 4}, TEMPLATES[2]], "CodeLength"),
        ([TEMPLATES[0] | {"pinType": "HEX"}, *TEMPLATES[1:]], "CodeLength"),
        (TEMPLATES[1:], "messageId"),
        ([], "messageId"),
    ],
)
def test_a_template_with_pins_of_another_form_is_a_misconfiguration(templates: object, field: str) -> None:
    with pytest.raises(Misconfigured) as wrong:
        infobip(ScriptedTransport(answer(200, templates))).probe(DEADLINE)
    assert wrong.value.reason == field


def test_unused_templates_may_have_any_form() -> None:
    infobip(ScriptedTransport(answer(200, [*TEMPLATES, {"messageId": "another", "pinLength": 4}]))).probe(
        DEADLINE
    )


def test_a_malformed_list_of_templates_fails_the_probe() -> None:
    with pytest.raises(Ambiguous):
        infobip(ScriptedTransport(answer(200, {"templates": TEMPLATES}))).probe(DEADLINE)


def test_a_key_without_the_scope_to_list_templates_passes_the_probe() -> None:
    infobip(ScriptedTransport(answer(403, service_exception("FORBIDDEN")))).probe(DEADLINE)


@pytest.mark.parametrize(
    ("locale", "channel", "parts"),
    [("de", Channel.SMS, 2), (None, Channel.SMS, 1), ("de", Channel.VOICE, 1)],
)
def test_a_send_says_how_many_messages_its_text_is_billed_as(
    locale: str | None, channel: Channel, parts: int
) -> None:
    sent = infobip(ScriptedTransport(answer(200, SENT))).send(
        CodeMessage(PHONE, channel=channel, locale=locale, reference="ours", ttl_seconds=LIFE),
        DEADLINE,
    )
    assert sent.parts == parts


@pytest.mark.parametrize(
    ("act", "reason"),
    [
        (lambda: send(answer(200, {})), "no_pin_id"),
        (lambda: check(answer(200, {**RIGHT, "pinId": "another"})), "other_pin_id"),
        (lambda: check(answer(200, {})), "no_verdict"),
    ],
)
def test_an_inconclusive_answer_has_its_reason(act: Callable[[], object], reason: str) -> None:
    with pytest.raises(Ambiguous) as caught:
        act()
    assert (caught.value.provider, caught.value.reason) == ("infobip", reason)


APP_HASH = "FA+9qCX9VSu"
BY_PURPOSE = {
    "en": "the-message",
    "en/login": "the-login",
    "en/login+appHash": "the-login-in-an-app",
    "de": "the-german-message",
    "pt_br/login": "the-brazilian-login",
}


@dataclass(frozen=True)
class Message:
    """The fields that select the text of a code."""

    locale: str | None
    purpose: str | None
    app_hash: str | None = None


IN_AN_APP = Message(None, "login", APP_HASH)


def with_purposes(transport: ScriptedTransport) -> Infobip:
    return Infobip(
        BASE_URL,
        CREDENTIALS,
        transport,
        message_ids=BY_PURPOSE,
        india_message_ids={"en": "the-message"},
        sender_ids={},
        number_lookup=False,
        code_length=6,
        message_parts={"the-login-in-an-app": 2},
    )


def in_text(message: Message, channel: Channel, to: PhoneNumber = PHONE) -> CodeMessage:
    return CodeMessage(
        to, channel, message.locale, "ours", LIFE, purpose=message.purpose, app_hash=message.app_hash
    )


@pytest.mark.parametrize(
    ("message", "message_id"),
    [
        (Message(None, "login"), "the-login"),
        (Message("en-GB", "login"), "the-login"),
        (Message("pt-BR", "login"), "the-brazilian-login"),
        (Message("sv", "login"), "the-login"),
        # A text in the user's language goes before one for the purpose in another.
        (Message("de", "login"), "the-german-message"),
        (Message("pt-BR", "sign-up"), "the-message"),
        (Message(None, "sign-up"), "the-message"),
        (Message(None, None, APP_HASH), "the-message"),
        (IN_AN_APP, "the-login-in-an-app"),
        (Message("de", "login", APP_HASH), "the-german-message"),
    ],
)
def test_a_code_is_sent_in_the_text_of_its_language_and_purpose(message: Message, message_id: str) -> None:
    transport = ScriptedTransport(answer(200, SENT))
    with_purposes(transport).send(in_text(message, Channel.SMS), DEADLINE)
    assert transport.calls[0].json["messageId"] == message_id


def test_an_unregistered_text_for_a_purpose_is_not_sent_to_india() -> None:
    transport = ScriptedTransport(answer(200, SENT))
    india = PhoneNumber("+919999900000", "IN")
    sent = with_purposes(transport).send(in_text(IN_AN_APP, Channel.SMS, india), DEADLINE)
    assert (transport.calls[0].json["messageId"], sent.has_app_hash) == ("the-message", False)


def test_an_sms_ends_with_the_apps_hash_in_every_message_of_the_pin() -> None:
    transport = ScriptedTransport(answer(200, SENT))
    provider, message = with_purposes(transport), in_text(IN_AN_APP, Channel.SMS)
    sent, again = provider.send(message, DEADLINE), provider.resend(PIN_ID, message, DEADLINE)
    assert [call.json["placeholders"] for call in transport.calls] == [{"appHash": APP_HASH}] * 2
    assert [(each.has_app_hash, each.parts) for each in (sent, again)] == [(True, 2)] * 2


def test_a_call_reads_out_no_hash() -> None:
    transport = ScriptedTransport(answer(200, SENT))
    again = with_purposes(transport).resend(PIN_ID, in_text(IN_AN_APP, Channel.VOICE), DEADLINE)
    assert transport.calls[0].json["placeholders"] == {"appHash": "."}
    assert (again.has_app_hash, again.parts) == (False, 1)


def test_a_text_without_a_placeholder_is_sent_without_the_hash() -> None:
    transport = ScriptedTransport(answer(200, SENT))
    sent = with_purposes(transport).send(in_text(Message("de", None, APP_HASH), Channel.SMS), DEADLINE)
    assert not sent.has_app_hash
    assert "placeholders" not in transport.calls[0].json


def test_a_resend_is_billed_as_many_messages_as_the_first_send() -> None:
    adapter = infobip(ScriptedTransport(answer(200, SENT)))
    sms = CodeMessage(PHONE, channel=Channel.SMS, locale="de", reference="ours", ttl_seconds=LIFE)
    assert adapter.resend(PIN_ID, sms, DEADLINE).parts == 2
    assert adapter.resend(PIN_ID, replace(sms, channel=Channel.VOICE), DEADLINE).parts == 1


@pytest.mark.parametrize(
    ("given", "failure"),
    [
        (answer(401, service_exception("UNAUTHORIZED")), Misconfigured),
        (answer(404, service_exception("RESOURCE_NOT_FOUND")), Misconfigured),
        (answer(429, service_exception("TOO_MANY_REQUESTS")), Throttled),
        (answer(503), Doubtful),
        (NoAnswer("read_timeout"), Ambiguous),
    ],
)
def test_a_failed_probe_of_the_templates_raises_its_outcome(
    given: HttpResponse | TransportError, failure: type[ProviderError]
) -> None:
    transport = ScriptedTransport(given)
    with pytest.raises(failure):
        infobip(transport).probe(DEADLINE)
    (call,) = transport.calls
    assert call.method == "GET"
    assert call.url.removeprefix(BASE_URL) == "/2fa/2/applications/the-application/messages"
