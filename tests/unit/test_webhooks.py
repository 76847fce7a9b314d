"""Callbacks of providers: which are genuine, which are refused, and the little that each may change."""

import base64
import copy
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import pytest

from fakes.memory import PEPPERS, START, MemoryStore, StepClock, a_verification, number_key
from sms_otp.adapters.providers import aws_events
from sms_otp.adapters.providers.callbacks import READERS
from sms_otp.adapters.providers.infobip_callbacks import InfobipCallbacks
from sms_otp.adapters.providers.sinch import signature_of
from sms_otp.adapters.providers.sinch_callbacks import SinchCallbacks
from sms_otp.domain import errors, keys
from sms_otp.domain.callbacks import CodeRequest
from sms_otp.domain.commands import Callback
from sms_otp.domain.number import KEEP_VERIFICATION, ListedVerification, Number
from sms_otp.domain.phone import PhoneNumber
from sms_otp.domain.ports import ProviderHandle
from sms_otp.domain.verification import State, Verification
from sms_otp.use_cases.webhooks import BODY_LIMIT, Webhooks

KEY = "an-application-key"
SECRET = base64.b64encode(b"a secret of sixteen bytes or so").decode()
SINCH_PATH, INFOBIP_PATH = "/v1/webhooks/sinch", "/v1/webhooks/infobip"
JSON = "application/json; charset=utf-8"
SINCH_ID = "018c25e1-7163-5677-b8fb-467d7b1cffa5"
MESSAGE = "a-message"
INFOBIP, SINCH = InfobipCallbacks(), SinchCallbacks()
PASSWORD = {"webhookUser": "infobip", "webhookPassword": "a-pass:word"}


class World:
    """The use case, everything around it in memory."""

    def __init__(self) -> None:
        self.store, self.clock = MemoryStore(), StepClock()
        self.emitted: list[tuple[str, dict[str, Any]]] = []
        self.secrets: dict[str, Mapping[str, str]] = {
            "sinch": {"applicationKey": KEY, "applicationSecret": SECRET},
            "infobip": PASSWORD,
        }
        self.rotated: dict[str, Mapping[str, str]] = {}
        self.may_renew, self.renewals = True, 0
        self.peppers = PEPPERS
        self.webhooks = Webhooks(
            store=self.store,
            credentials=self.secrets.__getitem__,
            renew=self.renew,
            readers={"infobip": INFOBIP, "sinch": SINCH},
            read_from_aws=aws_events.read,
            providers=frozenset({"infobip", "sinch"}),
            peppers=lambda: self.peppers,
            code_length=6,
            clock=self.clock,
            emit=lambda event, **fields: self.emitted.append((event, fields)),
        )

    def hold(self, provider: str, **changes: Any) -> Verification:
        """A verification whose code this provider took: one `id`, one message. Its number lists it."""
        held = a_verification(**{"provider": None, "provider_ref": None} | changes)
        listed = ListedVerification(held.created_at, held.expires_at, "an-owner", provider)
        self.store.numbers[held.number_key] = Number(verifications={held.key: listed})
        self.store.verifications[held.key] = replace(held, state=State.PENDING)
        ref = SINCH_ID if provider == "sinch" else "a-pin-id"
        message = None if provider == "sinch" else MESSAGE
        self.store.record_sent(held.key, ProviderHandle(provider, ref, "sms", "accepted", message))
        self.store.verifications[held.key] = replace(self.store.verifications[held.key], state=held.state)
        return self.store.verifications[held.key]

    def renew(self) -> bool:
        """Makes the rotated secrets available; returns whether a renewal is allowed."""
        self.renewals += 1
        self.secrets |= self.rotated
        return self.may_renew

    def receive(self, callback: Callback) -> Any:
        """The answer's body, or the errorCode."""
        try:
            return self.webhooks.receive(callback)
        except errors.OtpError as refused:
            return refused.code

    def snapshot(self) -> Any:
        return copy.deepcopy((self.store.verifications, self.store.numbers))


@pytest.fixture
def world() -> World:
    return World()


@dataclass(frozen=True)
class Post:
    """The parts of a callback that Sinch signs. A forger changes one before or after signing."""

    body: bytes
    path: str = SINCH_PATH
    method: str = "POST"
    content_type: str = JSON
    timestamp: str = ""
    key: str = KEY
    secret: bytes = base64.b64decode(SECRET)
    scheme: str = "application"

    def signed(self) -> Callback:
        timestamp = self.timestamp or stamp(START)
        signature = signature_of(self.secret, self.method, self.path, self.body, self.content_type, timestamp)
        headers = {
            "content-type": self.content_type,
            "x-timestamp": timestamp,
            "authorization": f"{self.scheme} {self.key}:{signature}",
        }
        return Callback(self.path, headers, self.body)


def stamp(seconds: float) -> str:
    """As Sinch writes it: seven digits of a second."""
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S.%f}0Z"


def sinch_event(held: Verification, event: str = "VerificationSmsDeliveredEvent", **fields: Any) -> bytes:
    whole: dict[str, Any] = {
        "id": SINCH_ID,
        "event": event,
        "method": "sms",
        "identity": {"type": "number", "endpoint": held.phone},
        "reference": held.key,
        "smsResult": "Successful",
    }
    return json.dumps({name: value for name, value in (whole | fields).items() if value is not None}).encode()


def sinch(held: Verification, event: str = "VerificationSmsDeliveredEvent", **fields: Any) -> Callback:
    return Post(sinch_event(held, event, **fields)).signed()


def report(*groups: int, message: str = MESSAGE, to: object = "14155550123") -> bytes:
    results = [
        {"messageId": message, "to": to, "status": {"groupId": group, "groupName": "ANY"}} for group in groups
    ]
    return json.dumps({"results": results}).encode()


def infobip(body: bytes, pair: str = "infobip:a-pass:word", scheme: str = "Basic") -> Callback:
    encoded = base64.b64encode(pair.encode()).decode()
    return Callback(INFOBIP_PATH, {"authorization": f"{scheme} {encoded}"}, body)


def header(callback: Callback, name: str, value: str | None) -> Callback:
    headers = {**callback.headers, name: value}
    return replace(callback, headers={name: value for name, value in headers.items() if value is not None})


# The vendor's own: its documentation's sample and its Java SDK's, whose secret lacks its padding.
ACE = (
    b'{"event":"ace","callid":"822aa4b7-05b4-4d83-87c7-1f835ee0b6f6_257",'
    b'"timestamp":"2014-09-24T10:59:41Z","version":1}'
)
RESULT = (
    b'{"id":"018c25e1-7163-5677-b8fb-467d7b1cffa5","event":"VerificationResultEvent","method":"sms",'
    b'"identity":{"verified":false,"type":"number","endpoint":"+33628254417"},"status":"FAIL",'
    b'"reason":"Expired"}'
)
VECTORS = [
    (
        {"applicationKey": "key", "applicationSecret": "BeIukql3pTKJ8RGL5zo0DA=="},
        "Application key:Tg6fMyo8mj9pYfWQ9ssbx3Tc1BNC87IEygAfLbJqZb4=",
        "application/json",
        "2014-09-24T10:59:41Z",
        "/sinch/callback/ace",
        ACE,
        datetime(2014, 9, 24, 10, 59, 41, tzinfo=UTC),
    ),
    (
        {"applicationKey": "789", "applicationSecret": "9876543210"},
        "application 789:xfKhO0XvlRNJraahUBEJzzi1f3Fn3pYO41/ZzwOHPaQ=",
        "application/json; charset=utf-8",
        "2023-12-01T15:01:20.0406449Z",
        "/VerificationRequestEvent",
        RESULT,
        datetime(2023, 12, 1, 15, 1, 20, tzinfo=UTC),
    ),
]


@pytest.mark.parametrize(
    ("credentials", "authorization", "content_type", "timestamp", "path", "body", "now"), VECTORS
)
def test_the_vendors_own_signatures_are_valid_and_invalid_with_a_byte_more(
    credentials: dict[str, str],
    authorization: str,
    content_type: str,
    timestamp: str,
    path: str,
    body: bytes,
    now: datetime,
) -> None:
    headers = {"authorization": authorization, "content-type": content_type, "x-timestamp": timestamp}
    callback = Callback(path, headers, body)
    assert SINCH.refusal(callback, credentials, now.timestamp()) is None
    altered = replace(callback, body=body + b" ")
    assert SINCH.refusal(altered, credentials, now.timestamp()) == "signature"


Forgery = Callable[[bytes], Callback]
OTHER = base64.b64decode("b3RoZXI=")


def signature(change: Callable[[str], str]) -> Forgery:
    """A genuine callback whose signature has been changed on its way."""

    def forge(body: bytes) -> Callback:
        callback = Post(body).signed()
        lead, _, signed = callback.headers["authorization"].rpartition(":")
        return header(callback, "authorization", f"{lead}:{change(signed)}")

    return forge


def arrives(name: str, value: str | None) -> Forgery:
    """A genuine callback, one of whose headers has been changed on its way."""
    return lambda body: header(Post(body).signed(), name, value)


def signs(**fields: Any) -> Forgery:
    """Signed with the right secret, but not as Sinch would have; it arrives as a POST to our path."""
    return lambda body: replace(Post(body, **fields).signed(), path=SINCH_PATH)


def comes_to(path: str) -> Forgery:
    return lambda body: replace(Post(body).signed(), path=path)


def holds(change: Callable[[bytes], bytes]) -> Forgery:
    """A genuine callback, whose body has been changed on its way."""
    return lambda body: replace(Post(body).signed(), body=change(body))


def bare(authorization: str) -> Forgery:
    return arrives("authorization", authorization)


SINCH_FORGERIES: dict[str, Forgery] = {
    "no authorization": arrives("authorization", None),
    "an empty authorization": bare(""),
    "a scheme alone": bare("application"),
    "a scheme and a blank": bare("application "),
    "a key without a signature": bare(f"application {KEY}"),
    "a key and an empty signature": bare(f"application {KEY}:"),
    "only separators": bare("application :::"),
    "HTTP Basic with the right secret": bare(
        "Basic " + base64.b64encode(f"{KEY}:{SECRET}".encode()).decode()
    ),
    "a bearer": bare(f"Bearer {KEY}:{SECRET}"),
    "another scheme": signs(scheme="Signature"),
    "a scheme in front of which a blank stands": signs(scheme=" application"),
    "another key": signs(key="another-key"),
    "no key": signs(key=""),
    "the key in capitals": signs(key=KEY.upper()),
    "a key that is ours and more": signs(key=KEY + "x"),
    "a key beyond ASCII": signs(key="schlüssel"),
    "the signature of another secret": signs(secret=OTHER),
    "the signature of no secret": signs(secret=b""),
    "the secret used as it is shown": signs(secret=SECRET.encode()),
    "a truncated signature": signature(lambda signed: signed[:-1]),
    "half a signature": signature(lambda signed: signed[:22]),
    "a signature and more": signature(lambda signed: signed + "A"),
    "a signature and a blank": signature(lambda signed: signed + " "),
    "a signature in small letters": signature(str.lower),
    "a signature in hex": signature(lambda signed: base64.b64decode(signed).hex()),
    "a signature in URL-safe base64 without its padding": signature(
        lambda signed: signed.translate(str.maketrans("+/", "-_")).rstrip("=")
    ),
    "a signature that is not base64": signature(lambda _: "%%%%"),
    "a signature beyond ASCII": signature(lambda signed: signed[:-2] + "é="),
    "a signature with a lone surrogate": signature(lambda signed: signed[:-2] + "\udc80="),
    "a signature twice": signature(lambda signed: f"{signed},{signed}"),
    "another byte in the body": holds(lambda body: body.replace(b"Successful", b"successful")),
    "a byte more": holds(lambda body: body + b"\n"),
    "a byte less": holds(lambda body: body[:-1]),
    "no body": holds(lambda _: b""),
    "another body": holds(lambda body: body.replace(b"Verification", b"Confirmation")),
    "the same JSON, spelled anew": holds(lambda body: json.dumps(json.loads(body), indent=1).encode()),
    "the body in base64": holds(base64.b64encode),
    "a body that is not UTF-8": holds(lambda _: b"\xff\xfe"),
    "another path": comes_to("/v2/webhooks/sinch"),
    "Infobip's path": signs(path=INFOBIP_PATH),
    "a path whose stage is missing": signs(path="/webhooks/sinch"),
    "a path with a query": signs(path=SINCH_PATH + "?a=b"),
    "a path with a slash at its end": signs(path=SINCH_PATH + "/"),
    "a path with a host": signs(path="https://example.com" + SINCH_PATH),
    "a path with a lone surrogate": comes_to("/\udc80/sinch"),
    "a path that no provider has": comes_to("/v1/webhooks/twilio"),
    "an empty path": comes_to(""),
    "PUT signed": signs(method="PUT"),
    "GET signed": signs(method="GET"),
    "post in small letters": signs(method="post"),
    "no timestamp": arrives("x-timestamp", None),
    "an empty timestamp": arrives("x-timestamp", ""),
    "another timestamp than was signed": arrives("x-timestamp", stamp(START + 1)),
    "a timestamp of six minutes ago": signs(timestamp=stamp(START - 360)),
    "a timestamp just too old": signs(timestamp=stamp(START - 301)),
    "a timestamp just too far ahead": signs(timestamp=stamp(START + 301)),
    "a timestamp of next year": signs(timestamp=stamp(START + 365 * 86400)),
    "a timestamp in seconds": signs(timestamp=str(int(START))),
    "a timestamp without its zone": signs(timestamp=stamp(START).removesuffix("Z")),
    "a timestamp of another zone": signs(timestamp=stamp(START).replace("Z", "+00:00")),
    "a timestamp of a day that there is not": signs(timestamp="2027-02-30T08:00:00Z"),
    "a timestamp in Arabic digits": signs(timestamp=stamp(START).replace("2", "٢")),
    "a timestamp with a line's end": signs(timestamp=stamp(START) + "\n"),
    "a garbled timestamp": signs(timestamp="yesterday"),
    "no content type": arrives("content-type", None),
    "another content type": arrives("content-type", "text/plain"),
    "a content type without its blank": arrives("content-type", JSON.replace(" ", "")),
    "a content type in capitals": arrives("content-type", JSON.upper()),
    "a content type with a lone surrogate": arrives("content-type", JSON + "\udc80"),
    "a body larger than any event": lambda body: Post(body + b" " * BODY_LIMIT).signed(),
}


@pytest.mark.parametrize("name", SINCH_FORGERIES)
@pytest.mark.parametrize("event", ["VerificationSmsDeliveredEvent", "VerificationRequestEvent"])
def test_a_forged_callback_of_sinch_is_refused_and_changes_nothing(
    world: World, name: str, event: str
) -> None:
    held = world.hold("sinch")
    before = world.snapshot()
    assert world.receive(SINCH_FORGERIES[name](sinch_event(held, event))) == "FORBIDDEN"
    assert world.snapshot() == before
    assert world.emitted == []


def test_the_genuine_callback_behind_the_forgeries_is_accepted(world: World) -> None:
    held = world.hold("sinch")
    assert world.receive(Post(sinch_event(held)).signed()) == {}
    assert world.store.verifications[held.key].delivery == "delivered"


@pytest.mark.parametrize("scheme", ["Application", "application", "APPLICATION"])
@pytest.mark.parametrize("age", [-300, 0, 300])
def test_a_scheme_is_valid_in_any_case_and_a_time_within_five_minutes(
    world: World, scheme: str, age: int
) -> None:
    held = world.hold("sinch")
    post = Post(sinch_event(held), scheme=scheme, timestamp=stamp(START - age))
    assert world.receive(post.signed()) == {}
    assert world.store.verifications[held.key].delivery == "delivered"


INFOBIP_FORGERIES: dict[str, tuple[Mapping[str, str], Callback]] = {
    "beyond ASCII": (PASSWORD, header(infobip(report(3)), "authorization", "Basic é")),
    "a lone surrogate": (PASSWORD, header(infobip(report(3)), "authorization", "Basic \udc80")),
    "too large": (PASSWORD, infobip(report(3) + b" " * BODY_LIMIT)),
    "another password": (PASSWORD, infobip(report(3), "infobip:another")),
    "another user": (PASSWORD, infobip(report(3), "somebody:a-pass:word")),
    "no password": (PASSWORD, infobip(report(3), "infobip:")),
    "no authorization": (PASSWORD, Callback(INFOBIP_PATH, {}, report(3))),
    "another scheme": (PASSWORD, infobip(report(3), scheme="Digest")),
    "a signature in place of a password": (
        PASSWORD,
        Callback(INFOBIP_PATH, {"x-hub-signature": "sha256=0"}, report(3)),
    ),
    "nothing configured": ({"apiKey": "any"}, infobip(report(3))),
    "nothing configured and nothing given": ({}, infobip(report(3), ":")),
    "a user without a password configured": (
        {"webhookUser": "infobip"},
        infobip(report(3), "infobip:"),
    ),
    "nothing configured and that spelled out": ({}, infobip(report(3), "None:None")),
    "half configured and the rest spelled out": (
        {"webhookUser": "infobip"},
        infobip(report(3), "infobip:None"),
    ),
}


@pytest.mark.parametrize("name", INFOBIP_FORGERIES)
def test_a_forged_report_of_infobip_is_refused_and_changes_nothing(world: World, name: str) -> None:
    world.secrets["infobip"], callback = INFOBIP_FORGERIES[name]
    world.hold("infobip")
    before = world.snapshot()
    assert world.receive(callback) == "FORBIDDEN"
    assert world.snapshot() == before
    assert world.emitted == []


@pytest.mark.parametrize("provider", ["sinch", "infobip"])
@pytest.mark.parametrize(("may_renew", "delivery"), [(True, "delivered"), (False, "accepted")])
def test_a_callback_signed_with_a_rotated_secret_is_read_after_a_renewal(
    world: World, provider: str, may_renew: bool, delivery: str
) -> None:
    held = world.hold(provider)
    callback = sinch(held) if provider == "sinch" else infobip(report(3))
    new, world.may_renew = world.secrets[provider], may_renew
    world.secrets[provider] = dict.fromkeys(new, "b2xk")
    world.rotated = {provider: new} if may_renew else {}
    assert world.receive(callback) == ({} if may_renew else "FORBIDDEN")
    assert world.store.verifications[held.key].delivery == delivery
    assert world.renewals == 1


@pytest.mark.parametrize(
    ("provider", "old"),
    [
        ("sinch", {"applicationKey": "an-old-key", "applicationSecret": SECRET}),
        ("sinch", {"applicationKey": KEY, "applicationSecret": "b2xk"}),
        ("infobip", {"webhookUser": "infobip", "webhookPassword": "an-old-one"}),
        ("infobip", {}),
    ],
    ids=["key", "signature", "password", "not configured"],
)
def test_any_rotated_part_of_a_secret_is_fetched_before_a_refusal(
    world: World, provider: str, old: dict[str, str]
) -> None:
    callback = sinch(world.hold("sinch")) if provider == "sinch" else infobip(report(3))
    world.rotated = {provider: world.secrets[provider]}
    world.secrets[provider] = old
    assert world.receive(callback) == {}
    assert world.renewals == 1


@pytest.mark.parametrize("headers", [{}, {"authorization": "application key:sig", "x-timestamp": "long ago"}])
def test_a_malformed_signature_renews_no_secret(world: World, headers: dict[str, str]) -> None:
    assert world.receive(Callback(SINCH_PATH, headers, b"{}")) == "FORBIDDEN"
    assert world.renewals == 0


@pytest.mark.parametrize("scheme", ["Basic", "basic"])
def test_a_genuine_report_is_recognised_by_its_password(scheme: str) -> None:
    assert INFOBIP.refusal(infobip(report(3), scheme=scheme), PASSWORD, START) is None


def test_each_provider_that_calls_back_has_its_own_reader() -> None:
    assert {name: type(reader) for name, reader in READERS.items()} == {
        "infobip": InfobipCallbacks,
        "sinch": SinchCallbacks,
    }


def test_infobip_requests_no_code() -> None:
    with pytest.raises(NotImplementedError):
        INFOBIP.answer(CodeRequest(None, ""), may_send=True, code=None)


def test_a_provider_that_is_not_used_has_no_callbacks(world: World) -> None:
    held = world.hold("sinch")
    webhooks = replace(world.webhooks, providers=frozenset({"infobip"}))
    with pytest.raises(errors.Forbidden):
        webhooks.receive(sinch(held))


@pytest.mark.parametrize(
    "fields", [{}, {"applicationKey": KEY}, {"applicationKey": KEY, "applicationSecret": "not base64!"}]
)
def test_a_secret_that_lacks_its_fields_is_a_misconfiguration(world: World, fields: dict[str, str]) -> None:
    world.secrets["sinch"] = fields
    assert world.receive(sinch(world.hold("sinch"))) == "SERVICE_MISCONFIGURED"


def test_a_refusal_names_the_provider_and_a_fixed_word(world: World) -> None:
    with pytest.raises(errors.Forbidden) as refused:
        world.webhooks.receive(Post(b"{}", secret=OTHER).signed())
    assert (refused.value.reason, refused.value.context) == ("signature", {"provider": "sinch"})


@pytest.mark.parametrize(
    ("event", "fields", "delivery"),
    [
        ("VerificationSmsDeliveredEvent", {"smsResult": "Successful"}, "delivered"),
        ("VerificationSmsDeliveredEvent", {"smsResult": "Failed"}, "failed"),
        ("VerificationSmsDeliveredEvent", {"smsResult": "Later"}, "accepted"),
        ("VerificationSmsDeliveredEvent", {"smsResult": None}, "accepted"),
        ("VerificationSmsDeliveredEvent", {"smsResult": ["Successful"]}, "accepted"),
        ("VerificationSmsDeliveredEvent", {"reference": None}, "accepted"),
        ("VerificationSmsDeliveredEvent", {"reference": "f" * 64}, "accepted"),
        ("VerificationSmsDeliveredEvent", {"reference": ["a"]}, "accepted"),
        ("VerificationSmsDeliveredEvent", {"reference": "an-id"}, "accepted"),
        ("VerificationSmsDeliveredEvent", {"id": "another"}, "accepted"),
        ("VerificationResultEvent", {"status": "SUCCESSFUL"}, "delivered"),
        ("VerificationResultEvent", {"status": "DENIED"}, "failed"),
        ("VerificationResultEvent", {"status": "ERROR"}, "failed"),
        ("VerificationResultEvent", {"status": "FAIL"}, "accepted"),
        ("VerificationResultEvent", {"status": "ABORTED"}, "accepted"),
        ("VerificationResultEvent", {"status": None}, "accepted"),
        ("VerificationVoiceDeliveredEvent", {"smsResult": "Successful", "status": "SUCCESSFUL"}, "accepted"),
        ("", {}, "accepted"),
    ],
)
def test_an_event_of_sinch_changes_only_the_delivery(
    world: World, event: str, fields: dict[str, Any], delivery: str
) -> None:
    held = world.hold("sinch")
    assert world.receive(sinch(held, event, **fields)) == {}
    assert world.store.verifications == {held.key: replace(held, delivery=delivery)}


@pytest.mark.parametrize(
    ("groups", "delivery"),
    [
        ((0,), "accepted"),
        ((1,), "accepted"),
        ((2,), "failed"),
        ((3,), "delivered"),
        ((4,), "failed"),
        ((5,), "failed"),
        ((6,), "accepted"),
        ((True,), "accepted"),
        ((1, 3), "delivered"),
        ((), "accepted"),
    ],
)
def test_a_report_of_infobip_changes_only_the_delivery(
    world: World, groups: tuple[int, ...], delivery: str
) -> None:
    held = world.hold("infobip")
    assert world.receive(infobip(report(*groups))) == {}
    assert world.store.verifications == {held.key: replace(held, delivery=delivery)}


@pytest.mark.parametrize(
    ("ids", "delivery"),
    [
        ((("DELIVERED_TO_OPERATOR", 2, 3),), "accepted"),
        ((("DELIVERED_TO_HANDSET", 5, 3),), "delivered"),
        ((("DELIVERED_TO_OPERATOR", 2, 3), ("UNDELIVERABLE_NOT_DELIVERED", 9, 2)), "failed"),
        ((("UNDELIVERABLE_NOT_DELIVERED", 9, 2), ("DELIVERED_TO_OPERATOR", 2, 3)), "failed"),
        ((("EXPIRED_DLR_UNKNOWN", 29, 4),), "unknown"),
        ((("EXPIRED_DLR_UNKNOWN", 29, 4), ("DELIVERED_TO_HANDSET", 5, 3)), "delivered"),
        ((("EXPIRED_EXPIRED", 15, 4),), "failed"),
        ((("SIGNALS_BLOCKED", 87, 5),), "failed"),
        ((("A_STATUS_OF_TOMORROW", 4711, 2),), "failed"),
        ((("A_STATUS_OF_TOMORROW", True, 9),), "accepted"),
    ],
)
def test_a_report_of_infobip_is_read_by_the_id_of_its_status(
    world: World, ids: tuple[tuple[str, int, int], ...], delivery: str
) -> None:
    held = world.hold("infobip")
    for name, id_, group in ids:
        status = {"groupId": group, "groupName": "ANY", "id": id_, "name": name}
        body = {"results": [{"messageId": MESSAGE, "to": "14155550123", "status": status}]}
        world.receive(infobip(json.dumps(body).encode()))
    assert world.store.verifications[held.key].delivery == delivery


def test_a_failed_delivery_is_emitted_with_the_providers_code(world: World) -> None:
    held = world.hold("sinch")
    world.receive(sinch(held, "VerificationResultEvent", status="ERROR", reason="SMS delivery failure"))
    ((_, fields),) = world.emitted
    assert (fields["delivery"], fields["reason"]) == ("failed", "SMS delivery failure")


def test_free_text_from_a_provider_is_not_emitted_as_the_reason(world: World) -> None:
    held = world.hold("sinch")
    world.receive(sinch(held, "VerificationResultEvent", status="ERROR", reason=f"to {held.phone}"))
    ((_, fields),) = world.emitted
    assert fields["reason"] == "ERROR"


def test_a_report_with_a_price_of_many_digits_is_read(world: World) -> None:
    """Programs print a double with as many digits as identify it."""
    held = world.hold("infobip")
    body = json.loads(report(3))
    body["results"][0]["price"] = {"pricePerMessage": 0.0034999999999999996, "currency": "EUR"}
    world.receive(infobip(json.dumps(body).encode()))
    assert world.store.verifications[held.key].delivery == "delivered"


@pytest.mark.parametrize(
    "body",
    [
        report(3, message="another"),
        report(3, message=""),
        report(3, message="x" * 3000),
        report(3, to=7),
        report(3, to=""),
        report(3, to="+14155550123"),
        report(3, to="0123"),
        report(3, to="1" * 16),
        report(3, to="14155550124"),
        b'{"results":[{"messageId":"a-message","status":{"groupId":3}}]}',
        b'{"results":[{"messageId":7,"to":"14155550123","status":{"groupId":3}}]}',
        b'{"results":[{"messageId":"a-message","to":"14155550123","status":{"groupId":"3"}}]}',
        b'{"results":[{"messageId":"a-message","to":"14155550123","status":[3]}]}',
        b'{"results":[{"messageId":"a-message","to":"14155550123"}]}',
        b'{"results":["a-message",null,[]]}',
        b'{"results":{"messageId":"a-message"}}',
        b'{"results":null}',
        b"{}",
    ],
)
def test_a_report_on_an_unknown_message_changes_nothing(world: World, body: bytes) -> None:
    world.hold("infobip")
    before = world.snapshot()
    assert world.receive(infobip(body)) == {}
    assert world.snapshot() == before


@pytest.mark.parametrize("body", [b"", b"null", b"[]", b"{", b"\xff", b'{"a":1,"a":2}', b"[" * 60000])
def test_a_signed_body_that_cannot_be_read_is_accepted_and_emitted(world: World, body: bytes) -> None:
    for provider, callback in (("sinch", Post(body).signed()), ("infobip", infobip(body))):
        world.emitted.clear()
        assert world.receive(callback) == {}
        assert world.emitted == [("webhook_ignored", {"provider": provider, "reason": "unreadable"})]


@pytest.mark.parametrize("provider", ["sinch", "infobip"])
def test_a_repeated_report_changes_nothing_and_is_emitted_once(world: World, provider: str) -> None:
    held = world.hold(provider)
    callback = sinch(held) if provider == "sinch" else infobip(report(3))
    world.clock.step(4)
    for _ in range(3):
        assert world.receive(callback) == {}
    assert world.store.verifications == {held.key: replace(held, delivery="delivered")}
    ((event, fields),) = world.emitted
    assert event == "delivery_reported"
    emitted = {name: fields[name] for name in ("provider", "delivery", "delivered", "seconds")}
    assert emitted == {"provider": provider, "delivery": "delivered", "delivered": 1, "seconds": 4}


@pytest.mark.parametrize("first", ["Successful", "Failed"])
def test_a_failure_before_or_after_the_delivery_ends_as_delivered(world: World, first: str) -> None:
    held = world.hold("sinch")
    for result in (first, "Failed" if first == "Successful" else "Successful"):
        world.receive(sinch(held, smsResult=result))
    assert world.store.verifications == {held.key: replace(held, delivery="delivered")}


def test_a_failed_delivery_has_no_latency(world: World) -> None:
    world.receive(sinch(world.hold("sinch"), smsResult="Failed"))
    ((_, fields),) = world.emitted
    assert (fields["delivered"], fields["seconds"]) == (0, None)


def test_a_report_names_a_number_in_its_other_spelling(world: World) -> None:
    held = world.hold("infobip", phone="+525512345678", number_key=number_key("+525512345678"))
    world.receive(infobip(report(3, to="5215512345678")))
    assert world.store.verifications[held.key].delivery == "delivered"


def test_a_report_is_found_under_the_previous_pepper(world: World) -> None:
    held = world.hold("infobip")
    world.peppers = keys.Peppers("another-pepper", PEPPERS.current)
    world.receive(infobip(report(3)))
    assert world.store.verifications[held.key].delivery == "delivered"


@pytest.mark.parametrize(("late", "delivery"), [(0, "delivered"), (1, "accepted")])
def test_a_report_is_recorded_while_its_verification_is_kept(world: World, late: int, delivery: str) -> None:
    held = world.hold("infobip")
    world.clock.step(300 + KEEP_VERIFICATION - 1 + late)
    world.receive(infobip(report(3)))
    assert world.store.verifications[held.key].delivery == delivery


def test_a_report_without_a_pepper_is_an_error_so_that_it_comes_again(world: World) -> None:
    world.hold("infobip")
    webhooks = replace(world.webhooks, peppers=_no_pepper)
    with pytest.raises(errors.ServiceMisconfigured):
        webhooks.receive(infobip(report(3)))


def _no_pepper() -> keys.Peppers:
    raise errors.ServiceMisconfigured(reason="pepper secret: AccessDeniedException")


def test_a_report_of_a_provider_that_no_longer_holds_the_code_changes_nothing(world: World) -> None:
    held = world.hold("infobip")
    world.store.record_sent(held.key, ProviderHandle("sinch", SINCH_ID, "sms", "accepted"))
    before = world.snapshot()
    assert world.receive(infobip(report(3))) == {}
    assert world.snapshot() == before
    world.store.record_sent(held.key, ProviderHandle("infobip", SINCH_ID, "sms", "accepted"))
    before = world.snapshot()
    assert world.receive(sinch(held)) == {}
    assert world.snapshot() == before


def every_genuine_callback(held: Verification) -> list[Callback]:
    events = [
        sinch(held, "VerificationResultEvent", status=status, source="manual")
        for status in ("PENDING", "SUCCESSFUL", "FAIL", "DENIED", "ABORTED", "ERROR", "VERIFIED")
    ]
    events += [sinch(held, smsResult=result) for result in ("Successful", "Failed")]
    verified = {"type": "number", "endpoint": held.phone, "verified": True}
    events.append(sinch(held, "VerificationResultEvent", status="SUCCESSFUL", identity=verified))
    events.append(sinch(held, "VerificationRequestEvent"))
    events += [infobip(report(group)) for group in range(7)]
    return events


@pytest.mark.parametrize("provider", ["sinch", "infobip"])
@pytest.mark.parametrize("state", State)
def test_no_callback_changes_the_state_of_a_verification(world: World, provider: str, state: State) -> None:
    held = world.hold(provider, state=state, attempts=3)
    for callback in every_genuine_callback(held):
        world.receive(callback)
    after = world.store.verifications[held.key]
    assert after == replace(held, delivery="delivered")


@pytest.mark.parametrize("is_sent", [True, False])
def test_sinch_may_send_a_code_that_was_reserved_here(world: World, is_sent: bool) -> None:
    """Whether Sinch asks before it has answered our start, or after."""
    held = world.hold("sinch")
    if not is_sent:
        held = replace(held, provider=None, provider_ref=None, delivery="unknown")
        world.store.verifications[held.key] = held
    for _ in range(2):
        assert world.receive(sinch(held, "VerificationRequestEvent")) == {"action": "allow"}
    assert world.store.verifications == {held.key: held}


@pytest.mark.parametrize(
    ("sends", "suffix", "action"),
    [
        (1, "", "allow"),
        (2, "-1", "allow"),
        (3, "-2", "allow"),
        (1, "-1", "deny"),
        (2, "", "deny"),
        (2, "-2", "deny"),
        (3, "-1", "deny"),
        (1, "-0", "deny"),
        (2, "-01", "deny"),
        (2, "-1 ", "deny"),
        (2, "-1\n", "deny"),
        (2, "-١", "deny"),
        (2, "--1", "deny"),
    ],
)
def test_only_the_newest_send_of_a_verification_may_be_sent(
    world: World, sends: int, suffix: str, action: str
) -> None:
    held = world.hold("sinch", sends=sends)
    requested = sinch(held, "VerificationRequestEvent", reference=held.key + suffix)
    assert world.receive(requested) == {"action": action}


@pytest.mark.parametrize(
    ("changes", "fields"),
    [
        ({"state": State.VERIFIED}, {}),
        ({"state": State.CANCELLED}, {}),
        ({"state": State.FAILED}, {}),
        ({"expires_at": int(START)}, {}),
        ({}, {"reference": None}),
        ({}, {"reference": ""}),
        ({}, {"reference": "f" * 64}),
        ({}, {"reference": 7}),
        ({}, {"reference": "an-id"}),
        ({}, {"identity": {"type": "number", "endpoint": "+14155550199"}}),
        ({}, {"identity": {"type": "number", "endpoint": "14155550123"}}),
        ({}, {"identity": {"type": "number"}}),
        ({}, {"identity": {"type": "number", "endpoint": None}}),
        ({}, {"identity": "+14155550123"}),
        ({}, {"identity": None}),
    ],
)
def test_sinch_may_send_no_other_code(world: World, changes: dict[str, Any], fields: dict[str, Any]) -> None:
    held = world.hold("sinch", **changes)
    assert world.receive(sinch(held, "VerificationRequestEvent", **fields)) == {"action": "deny"}


def reserved(world: World) -> Verification:
    """A verification whose first send is under way at Sinch."""
    nonce = keys.new_nonce()
    key = keys.verification_key(keys.verification_id(PEPPERS.current, nonce))
    held = a_verification(key=key, nonce=nonce, provider=None, provider_ref=None)
    world.store.verifications[key] = held
    return held


def code_requested(held: Verification, **fields: Any) -> Callback:
    """As Sinch requests the code of a send that our start announced."""
    custom = keys.callback_key(PEPPERS.current, held.key)
    return sinch(held, "VerificationRequestEvent", **{"custom": custom} | fields)


def own_code(held: Verification) -> str | None:
    return keys.own_code(PEPPERS, str(held.nonce), held.key, 6)


@pytest.mark.parametrize("method", ["sms", "callout"])
def test_our_send_gets_the_verifications_own_code(world: World, method: str) -> None:
    held = reserved(world)
    answer = {"action": "allow", method: {"code": own_code(held)}}
    for _ in range(2):
        assert world.receive(code_requested(held, method=method)) == answer
    assert world.store.verifications[held.key] == replace(held, own_code_refs=(SINCH_ID,))
    assert world.emitted == []


def test_every_send_of_a_verification_gets_the_same_code(world: World) -> None:
    held = reserved(world)
    first = world.receive(code_requested(held))
    resent = reserved_again(world, held)
    assert world.receive(code_requested(held, id="another-id", reference=f"{held.key}-1")) == first
    found = world.store.verifications[held.key]
    assert found == replace(resent, own_code_refs=tuple(sorted((SINCH_ID, "another-id"))))


def reserved_again(world: World, held: Verification) -> Verification:
    """Sinch holds the code of the first send, and a second one is under way."""
    world.store.verifications[held.key] = replace(
        world.store.verifications[held.key], provider="sinch", provider_ref=SINCH_ID, sends=2
    )
    return world.store.verifications[held.key]


@pytest.mark.parametrize("method", ["whatsapp", "flashcall", "seamless", "", None])
def test_a_method_that_takes_no_code_is_allowed_without_one(world: World, method: str | None) -> None:
    held = reserved(world)
    assert world.receive(code_requested(held, method=method)) == {"action": "allow"}
    assert world.store.verifications == {held.key: held}


@pytest.mark.parametrize(
    "custom",
    [
        None,
        "",
        "a-guess",
        7,
        keys.callback_key(PEPPERS.current, "f" * 64),
        keys.callback_key("another-pepper", keys.verification_key("an-id")),
        "é",
    ],
)
def test_a_request_without_the_callback_key_gets_no_code(world: World, custom: object) -> None:
    held = reserved(world)
    assert world.receive(code_requested(held, custom=custom)) == {"action": "allow"}
    assert world.store.verifications == {held.key: held}


def test_a_replayed_request_for_a_code_gets_no_code(world: World) -> None:
    held = reserved(world)
    requested = code_requested(held)
    world.receive(requested)
    holder = ProviderHandle("sinch", SINCH_ID, "sms", "accepted")
    world.store.record_sent(held.key, holder)
    before = world.store.verifications[held.key]
    assert world.receive(requested) == {"action": "allow"}
    assert world.store.verifications[held.key] == before


@pytest.mark.parametrize(
    "changes",
    [
        {"state": State.VERIFIED},
        {"state": State.CANCELLED},
        {"state": State.FAILED},
        {"expires_at": int(START)},
        {"phone": "+14155550199"},
        {"sends": 2},
    ],
)
def test_a_send_that_is_not_under_way_gets_no_code(world: World, changes: dict[str, Any]) -> None:
    held = reserved(world)
    requested = code_requested(held)
    changed = replace(held, **changes)
    world.store.verifications[held.key] = changed
    assert world.receive(requested) == {"action": "deny"}
    assert world.store.verifications == {held.key: changed}


def test_without_a_matching_pepper_sinch_makes_the_code(world: World) -> None:
    held = reserved(world)
    world.peppers = keys.Peppers("another-pepper-that-is-long-enough")
    custom = keys.callback_key(world.peppers.current, held.key)
    assert world.receive(code_requested(held, custom=custom)) == {"action": "allow"}


def test_a_callback_does_not_show_its_body() -> None:
    assert "14155550123" not in repr(infobip(report(3)))


REFERENCE = {"reference": keys.verification_key("an-id")}


def aws_event(
    kind: str, *, final: object = True, message: object = MESSAGE, context: object = REFERENCE
) -> str:
    """As AWS publishes it, without the fields that are not read."""
    event = {"eventType": kind, "isFinal": final, "messageId": message, "messageStatus": "ANY"}
    return json.dumps(event | {"context": context})


@pytest.mark.parametrize(
    ("kind", "final", "delivery"),
    [
        ("TEXT_DELIVERED", True, "delivered"),
        ("TEXT_DELIVERED", False, "delivered"),
        ("TEXT_SUCCESSFUL", True, "accepted"),
        ("TEXT_PENDING", False, "accepted"),
        ("TEXT_UNKNOWN", True, "unknown"),
        ("TEXT_UNKNOWN", False, "accepted"),
        ("TEXT_UNREACHABLE", False, "accepted"),
        ("TEXT_UNREACHABLE", True, "failed"),
        ("TEXT_CARRIER_BLOCKED", True, "failed"),
        ("TEXT_TTL_EXPIRED", True, "failed"),
        ("TEXT_TTL_EXPIRED", "true", "accepted"),
        ("VOICE_COMPLETED", True, "accepted"),
    ],
)
def test_an_event_of_aws_is_recorded_once_it_is_final(
    world: World, kind: str, final: object, delivery: str
) -> None:
    held = world.hold("aws")
    world.webhooks.receive_from_aws(aws_event(kind, final=final))
    assert world.store.verifications[held.key] == replace(held, delivery=delivery)


def test_repeated_or_unordered_events_of_aws_end_as_delivered(world: World) -> None:
    held = world.hold("aws")
    for kind in ("SPAM", "DELIVERED", "DELIVERED", "SPAM"):
        world.webhooks.receive_from_aws(aws_event(f"TEXT_{kind}"))
    assert world.store.verifications[held.key] == replace(held, delivery="delivered")


@pytest.mark.parametrize(
    "message",
    [
        aws_event("TEXT_DELIVERED", message="another"),
        aws_event("TEXT_DELIVERED", message=None),
        aws_event("TEXT_DELIVERED", message=["a"]),
        aws_event("TEXT_DELIVERED", context=None),
        aws_event("TEXT_DELIVERED", context={}),
        aws_event("TEXT_DELIVERED", context={"reference": ["a"]}),
        aws_event("TEXT_DELIVERED", context={"reference": "f" * 64}),
        aws_event("TEXT_DELIVERED", context={"reference": "an-id"}),
        "[]",
        "no JSON",
        "\udc80",
        json.dumps({"eventType": 7, "isFinal": True, "messageId": MESSAGE, "context": REFERENCE}),
    ],
)
def test_an_event_about_no_message_of_ours_changes_nothing(world: World, message: str) -> None:
    world.hold("aws")
    before = world.snapshot()
    world.webhooks.receive_from_aws(message)
    assert world.snapshot() == before


def test_an_event_of_aws_on_an_earlier_code_does_not_change_the_newest(world: World) -> None:
    held = world.hold("aws")
    world.store.record_sent(
        held.key, ProviderHandle("aws", "a-new-code", "sms", "accepted", "another-message")
    )
    world.webhooks.receive_from_aws(aws_event("TEXT_DELIVERED"))
    assert world.store.verifications[held.key].delivery == "accepted"
    world.webhooks.receive_from_aws(aws_event("TEXT_DELIVERED", message="another-message"))
    assert world.store.verifications[held.key].delivery == "delivered"


def test_a_report_of_infobip_on_any_message_with_the_code_is_recorded(world: World) -> None:
    held = world.hold("infobip")
    world.store.record_sent(
        held.key,
        ProviderHandle("infobip", "a-pin-id", "sms", "accepted", "another-message", is_same_code=True),
    )
    world.receive(infobip(report(3)))
    assert world.store.verifications[held.key].delivery == "delivered"


def test_an_event_of_aws_does_not_change_another_providers_code(world: World) -> None:
    held = world.hold("aws")
    world.store.record_sent(held.key, ProviderHandle("sinch", SINCH_ID, "sms", "accepted"))
    world.webhooks.receive_from_aws(aws_event("TEXT_DELIVERED"))
    assert world.store.verifications[held.key].delivery == "accepted"


@pytest.mark.parametrize("message", ["", "[]", "{", '{"eventType": 1', "\ud800"])
def test_an_unreadable_event_of_aws_is_emitted(world: World, message: str) -> None:
    before = world.snapshot()
    world.webhooks.receive_from_aws(message)
    assert world.emitted == [("webhook_ignored", {"provider": "aws", "reason": "unreadable"})]
    assert world.snapshot() == before


@pytest.mark.parametrize(
    ("delivery", "event", "seconds"), [("DELIVERED", "TEXT_DELIVERED", 9), ("failed", "TEXT_BLOCKED", None)]
)
def test_a_report_is_emitted_with_all_fields_of_its_metrics(
    world: World, delivery: str, event: str, seconds: int | None
) -> None:
    held = world.hold("aws", purpose="login")
    world.clock.step(9.8)
    world.webhooks.receive_from_aws(aws_event(event))
    is_delivered = event == "TEXT_DELIVERED"
    assert world.emitted == [
        (
            "delivery_reported",
            {
                "number": PhoneNumber(held.phone, "US"),
                "number_key": held.number_key,
                "verification": held.key,
                "channel": "sms",
                "provider": "aws",
                "purpose": "login",
                "delivery": delivery.lower(),
                "reason": None if is_delivered else event,
                "delivered": int(is_delivered),
                "seconds": seconds,
            },
        )
    ]
    assert world.store.verifications[held.key].delivery == delivery.lower()
