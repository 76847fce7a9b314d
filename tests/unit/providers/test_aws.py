"""AWS End User Messaging: the message sent, the stored form of a code, and the outcome of each error."""

import queue
import re
import threading
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest
from botocore.awsrequest import AWSResponse
from botocore.compat import HTTPHeaders
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectionClosedError,
    ConnectTimeoutError,
    CredentialRetrievalError,
    EndpointConnectionError,
    HTTPClientError,
    NoCredentialsError,
    NoRegionError,
    ParamValidationError,
    ProxyConnectionError,
    ReadTimeoutError,
    SSLError,
)

from fakes.memory import StepClock
from sms_otp.adapters.aws import clients
from sms_otp.adapters.providers.aws import Aws
from sms_otp.domain.clock import Deadline, Seconds
from sms_otp.domain.phone import PhoneNumber
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
    TooLate,
)
from sms_otp.domain.sms_text import parts
from tests.unit.providers.scripted import DEADLINE, LIFE, PHONE

KEY = "a-key-of-no-less-than-32-letters"
CREDENTIALS = {"codeKey": KEY, "originationIdentity": "SENDER"}
INDIAN = PhoneNumber(e164="+919999900000", country="IN")
MESSAGE_ID = "862a8790-60c0-4430-9b2b-658bdexample"
URL = "https://sms-voice.eu-west-1.amazonaws.com/"

Outcome = Mapping[str, Any] | Exception


class ScriptedClient:
    """Gives the same outcome to every message."""

    def __init__(self, outcome: Outcome) -> None:
        self.sent: list[dict[str, Any]] = []
        self.closed = 0
        self.feedback: queue.Queue[tuple[str, str]] = queue.Queue()
        self._outcome = outcome

    def send_text_message(self, **parameters: Any) -> Mapping[str, Any]:
        self.sent.append(parameters)
        if isinstance(self._outcome, Exception):
            raise self._outcome
        return self._outcome

    def put_message_feedback(self, *, MessageId: str, MessageFeedbackStatus: str) -> object:  # noqa: N803 - AWS's
        assert threading.current_thread().daemon, "a process that ends does not wait for it"
        self.feedback.put((MessageId, MessageFeedbackStatus))
        if isinstance(self._outcome, Exception):
            raise self._outcome
        return {}

    def describe_account_attributes(self) -> Mapping[str, Any]:
        return self.send_text_message()

    def close(self) -> None:
        self.closed += 1


@pytest.fixture
def client() -> ScriptedClient:
    return ScriptedClient({"MessageId": MESSAGE_ID})


def aws(client: ScriptedClient, **more: str) -> Aws:
    return Aws({**CREDENTIALS, **more}, client, code_length=6)


def send(
    provider: Aws,
    *,
    to: PhoneNumber = PHONE,
    locale: str | None = None,
    ttl_seconds: Seconds = LIFE,
    deadline: Deadline = DEADLINE,
    **more: str | None,
) -> Sent:
    return provider.send(
        CodeMessage(
            to,
            channel=Channel.SMS,
            locale=locale,
            reference="our-reference",
            ttl_seconds=ttl_seconds,
            **more,
        ),
        deadline,
    )


def check(provider: Aws, ref: str, otp: str) -> Check:
    return provider.check(ref, otp, channel=Channel.SMS, deadline=DEADLINE)


def code_in(text: str) -> str:
    found = re.search("[0-9]{4,}", text)
    assert found is not None
    return found[0]


def test_a_message_is_transactional_from_our_sender_with_the_codes_ttl(
    client: ScriptedClient,
) -> None:
    sent = send(aws(client))
    (message,) = client.sent
    assert message == {
        "DestinationPhoneNumber": "+14155550123",
        "OriginationIdentity": "SENDER",
        "MessageType": "TRANSACTIONAL",
        "MessageFeedbackEnabled": True,
        "Context": {"reference": "our-reference"},
        "TimeToLive": 300,
        "MessageBody": f"Your verification code is {code_in(message['MessageBody'])}.",
    }
    assert sent.message_id == MESSAGE_ID


def test_configuration_set_and_maximum_price_are_passed_on(client: ScriptedClient) -> None:
    send(aws(client, configurationSetName="otp", maxPrice="0.25"))
    (message,) = client.sent
    assert (message["ConfigurationSetName"], message["MaxPrice"]) == ("otp", "0.25")


@pytest.mark.parametrize(("ttl_seconds", "seconds"), [(0, 5), (4, 5), (5, 5), (600, 600), (300_000, 259_200)])
def test_the_time_to_live_is_kept_within_the_bounds_of_aws(
    client: ScriptedClient, ttl_seconds: Seconds, seconds: int
) -> None:
    send(aws(client), ttl_seconds=ttl_seconds)
    assert client.sent[0]["TimeToLive"] == seconds


@pytest.mark.parametrize("length", [4, 6, 10])
def test_a_code_has_full_length_and_differs_each_time(client: ScriptedClient, length: int) -> None:
    provider = Aws(CREDENTIALS, client, code_length=length)
    for _ in range(300):
        send(provider)
    codes = [code_in(message["MessageBody"]) for message in client.sent]
    assert {len(code) for code in codes} == {length}
    assert len(set(codes)) > 280
    # Of 300 codes, 30 begin with each digit on average; that one digit begins none has odds of 10**-13.
    assert {code[0] for code in codes} == set("0123456789")


def test_a_code_is_right_only_for_its_own_send(client: ScriptedClient) -> None:
    provider = aws(client)
    first, second = send(provider), send(provider)
    mine, other = (code_in(message["MessageBody"]) for message in client.sent)
    assert check(provider, first.ref, mine) is Check.CORRECT
    assert check(provider, first.ref, other if other != mine else "x") is Check.WRONG
    assert check(provider, first.ref, "") is Check.WRONG
    assert check(provider, first.ref, mine + "0") is Check.WRONG
    nonce, digest = first.ref.split("."), second.ref.split(".")
    assert check(provider, f"{nonce[0]}.{digest[1]}", mine) is Check.WRONG
    assert len(client.sent) == 2


def test_an_equal_code_has_another_hash_in_each_send(
    client: ScriptedClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sms_otp.adapters.providers.aws.secrets.randbelow", lambda _end: 42)
    refs = {send(aws(client)).ref for _ in range(5)}
    assert len(refs) == 5
    assert len({ref.split(".")[1] for ref in refs}) == 5
    assert not any("000042" in ref for ref in refs)
    assert all(check(aws(client), ref, "000042") is Check.CORRECT for ref in refs)
    stranger = aws(client, codeKey="another-key-of-more-than-32-letters")
    assert all(check(stranger, ref, "000042") is Check.WRONG for ref in refs)


@pytest.mark.parametrize("ref", ["", ".", "a.b", "x" * 66, "9C817C6F8AF3D48F9FE553282AFA2B67", "é" * 66])
def test_a_malformed_handle_is_unknown(client: ScriptedClient, ref: str) -> None:
    assert check(aws(client), ref, "123456") is Check.UNKNOWN


def test_a_resend_is_a_new_code_in_a_new_message(client: ScriptedClient) -> None:
    provider = aws(client)
    first = send(provider)
    again = provider.resend(
        first.ref,
        CodeMessage(PHONE, channel=Channel.SMS, locale=None, reference="another", ttl_seconds=Seconds(60)),
        DEADLINE,
    )
    assert again.ref != first.ref
    assert client.sent[1]["TimeToLive"] == 60
    assert check(provider, again.ref, code_in(client.sent[1]["MessageBody"])) is Check.CORRECT


@pytest.mark.parametrize(
    ("locale", "word"),
    [
        (None, "Code"),
        ("de", "Code"),
        ("sv", "Kod"),
        ("sv-SE", "Kod"),
        ("SV-fi", "Kod"),
        ("pt", "Code"),
        ("pt-BR", "Seu codigo"),
        ("pt-br-x1", "Seu codigo"),
        ("pt-PT", "Code"),
    ],
)
def test_the_text_is_in_the_users_language_where_there_is_one(
    client: ScriptedClient, locale: str | None, word: str
) -> None:
    texts = {"template": "Code {code}", "template.sv": "Kod {code}", "template.pt-BR": "Seu codigo {code}"}
    send(aws(client, **texts), locale=locale)
    assert client.sent[0]["MessageBody"].startswith(f"{word} ")


def test_the_last_line_binds_the_code_to_the_site(client: ScriptedClient) -> None:
    send(aws(client, template="Code {code}", domain="login.example.com"))
    first, last = client.sent[0]["MessageBody"].split("\n")
    code = code_in(first)
    assert (first, last) == (f"Code {code}", f"@login.example.com #{code}")


def test_india_gets_the_registered_text_in_any_language(client: ScriptedClient) -> None:
    ids = {"inEntityId": "1101234567890123456", "inTemplateId": "1107654321098765432"}
    provider = aws(client, template="Code {code}", **{"template.sv": "Kod {code}"}, **ids)
    send(provider, to=INDIAN, locale="sv")
    send(provider, to=PHONE, locale="sv")
    indian, other = client.sent
    assert indian["DestinationCountryParameters"] == {
        "IN_ENTITY_ID": "1101234567890123456",
        "IN_TEMPLATE_ID": "1107654321098765432",
    }
    assert indian["MessageBody"].startswith("Code ")
    assert "DestinationCountryParameters" not in other
    assert other["MessageBody"].startswith("Kod ")


def test_without_registered_ids_india_is_like_any_other_country(client: ScriptedClient) -> None:
    send(aws(client, **{"template.sv": "Kod {code}"}), to=INDIAN, locale="sv")
    assert "DestinationCountryParameters" not in client.sent[0]
    assert client.sent[0]["MessageBody"].startswith("Kod ")


LAST_LINE = len("\n@example.com #123456")


@pytest.mark.parametrize(
    ("template", "fits"),
    [
        ("{code}" + "x" * 154, True),
        ("{code}" + "x" * 155, False),
        ("{code}" + "€" * 77, True),
        ("{code}" + "€" * 77 + "x", False),
        ("{code} Ä ö ñ ü à £ ¥ Δ @ _ ~ [ ] { } \\ ^ |", True),
        # UCS-2, of which one SMS holds 70 units.
        ("{code} ç", True),
        ("{code} “quoted”", True),
        ("{code} код", True),
        ("{code}" + "я" * 64, True),
        ("{code}" + "я" * 65, False),
        ("no code", False),
        ("{code} and {code}", False),
        ("{code", False),
        ("", False),
    ],
)
def test_a_text_is_one_sms_with_the_code_in_it_once(
    client: ScriptedClient, template: str, fits: bool
) -> None:
    for field in ("template", "template.sv"):
        provider = aws(client, **{field: template})
        client.sent.clear()
        send(provider, locale="sv")
        sent = client.sent[0]["MessageBody"]
        assert sent.count(code_in(sent)) == 1
        assert sent.startswith("Your") is not fits, "an unusable text falls back to the default"
        if not fits:
            with pytest.raises(Misconfigured) as caught:
                aws(ScriptedClient({"AccountAttributes": []}), **{field: template}).probe(DEADLINE)
            assert caught.value.reason == f"secret field aws.{field}"


@pytest.mark.parametrize(
    ("locale", "purpose", "word"),
    [
        (None, "login", "Login"),
        ("de", "login", "Login"),
        ("sv-SE", "login", "Logga"),
        ("sv", "sign-up", "Kod"),
        # A text in the user's language goes before one for the purpose in another.
        ("pt-BR", "login", "Seu"),
        (None, "Login", "Code"),
        (None, None, "Code"),
    ],
)
def test_the_text_is_for_the_purpose_where_there_is_one(
    client: ScriptedClient, locale: str | None, purpose: str | None, word: str
) -> None:
    texts = {
        "template": "Code {code}",
        "template/login": "Login {code}",
        "template.sv": "Kod {code}",
        "template.sv/login": "Logga in {code}",
        "template.pt-BR": "Seu codigo {code}",
    }
    send(aws(client, **texts), locale=locale, purpose=purpose)
    assert client.sent[0]["MessageBody"].startswith(f"{word} ")


APP_HASH = "FA+9qCX9VSu"


def test_the_app_hash_replaces_the_last_line_of_the_site(client: ScriptedClient) -> None:
    sent = send(aws(client, template="Code {code}", domain="example.com"), app_hash=APP_HASH)
    first, last = client.sent[0]["MessageBody"].split("\n")
    assert (first, last, sent.has_app_hash) == (f"Code {code_in(first)}", APP_HASH, True)


def test_an_app_hash_that_would_need_a_second_message_is_omitted(client: ScriptedClient) -> None:
    for extra, has_app_hash in ((142, True), (143, False)):
        sent = send(aws(client, template="{code}" + "x" * extra), app_hash=APP_HASH)
        assert sent.has_app_hash is has_app_hash
        assert client.sent[-1]["MessageBody"].endswith(APP_HASH) is has_app_hash


def test_a_text_that_is_registered_in_india_has_no_hash(client: ScriptedClient) -> None:
    ids = {"inEntityId": "1101234567890123456", "inTemplateId": "1107654321098765432"}
    sent = send(
        aws(client, **{"template/login": "Login {code}"}, **ids),
        to=INDIAN,
        purpose="login",
        app_hash=APP_HASH,
    )
    assert not sent.has_app_hash
    assert client.sent[0]["MessageBody"].startswith("Your verification code")
    assert APP_HASH not in client.sent[0]["MessageBody"]


def test_the_last_line_counts_towards_the_length() -> None:
    client = ScriptedClient({"AccountAttributes": []})
    aws(client, template="{code}" + "x" * (154 - LAST_LINE), domain="example.com").probe(DEADLINE)
    with pytest.raises(Misconfigured):
        aws(client, template="{code}" + "x" * (155 - LAST_LINE), domain="example.com").probe(DEADLINE)


def test_the_longest_domain_and_code_leave_room_for_the_usual_text(client: ScriptedClient) -> None:
    domain = "a" * 48 + "." + "b" * 47 + ".com"
    provider = Aws({**CREDENTIALS, "domain": domain}, client, code_length=10)
    assert len(domain) == 100
    send(provider)
    assert parts(client.sent[0]["MessageBody"]) == 1


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("codeKey", "x" * 31),
        ("originationIdentity", "a b"),
        ("originationIdentity", "x" * 257),
        ("configurationSetName", "a b"),
        ("configurationSetName", ""),
        ("maxPrice", "1"),
        ("maxPrice", "100.5"),
        ("maxPrice", "-1.0"),
        ("domain", "https://example.com"),
        ("domain", "example.com/path"),
        ("domain", "Example.com"),
        ("domain", "example"),
        ("domain", "exa mple.com"),
        ("domain", "-a.example.com"),
        ("domain", "a" * 97 + ".com"),
        ("inEntityId", "an-id"),
        ("inTemplateId", ""),
    ],
)
def test_an_unusable_field_is_named_and_not_shown(client: ScriptedClient, field: str, value: str) -> None:
    whole = {"inEntityId": "1", "inTemplateId": "2", field: value}
    with pytest.raises(Misconfigured) as caught:
        aws(client, **whole)
    assert caught.value.reason == f"secret field aws.{field}"


@pytest.mark.parametrize(
    ("given", "missing"), [("inEntityId", "inTemplateId"), ("inTemplateId", "inEntityId")]
)
def test_one_of_indias_two_ids_is_not_enough(client: ScriptedClient, given: str, missing: str) -> None:
    with pytest.raises(Misconfigured) as caught:
        aws(client, **{given: "1"})
    assert caught.value.reason == f"secret field aws.{missing}"


def refusal(code: str, status: int = 400, **fields: Any) -> ClientError:
    response: Any = {
        "Error": {"Code": code, "Message": "about +14155550123"},
        "ResponseMetadata": {"HTTPStatusCode": status},
        **fields,
    }
    return ClientError(response, "SendTextMessage")


def invalid(*fields: str, reason: str = "FIELD_VALIDATION_FAILED") -> ClientError:
    named = [{"Name": field, "Message": "…"} for field in fields]
    return refusal("ValidationException", Reason=reason, Fields=named)


OUTCOMES: list[tuple[str, Outcome, type[ProviderError]]] = [
    ("throttled", refusal("ThrottlingException"), Throttled),
    ("throttled, by a status", refusal("TooManyRequestsException", 429), Throttled),
    (
        "opted out",
        refusal("ConflictException", Reason="DESTINATION_PHONE_NUMBER_OPTED_OUT"),
        Refused,
    ),
    (
        "blocked by us",
        refusal("ConflictException", Reason="DESTINATION_PHONE_NUMBER_BLOCKED_BY_PROTECT_NUMBER_OVERRIDE"),
        Refused,
    ),
    (
        "account in its sandbox",
        refusal("ConflictException", Reason="DESTINATION_PHONE_NUMBER_NOT_VERIFIED"),
        Misconfigured,
    ),
    (
        "country blocked by us",
        refusal("ConflictException", Reason="DESTINATION_COUNTRY_BLOCKED_BY_PROTECT_CONFIGURATION"),
        DestinationUnavailable,
    ),
    (
        "no sender",
        refusal("ConflictException", Reason="NO_ORIGINATION_IDENTITIES_FOUND"),
        Misconfigured,
    ),
    ("conflict of no reason", refusal("ConflictException"), Misconfigured),
    # AWS's model names no statuses.
    ("conflict, by its status too", refusal("ConflictException", 409), Misconfigured),
    (
        "spend limit",
        refusal("ServiceQuotaExceededException", Reason="MONTHLY_SPEND_LIMIT_REACHED_FOR_TEXT"),
        Misconfigured,
    ),
    ("account", refusal("AccessDeniedException", Reason="ACCOUNT_DISABLED"), Misconfigured),
    ("permission", refusal("AccessDeniedException", 403), Misconfigured),
    ("sender unknown", refusal("ResourceNotFoundException", ResourceType="sender-id"), Misconfigured),
    ("credentials", refusal("UnrecognizedClientException"), Misconfigured),
    ("the number", invalid("DestinationPhoneNumber"), Refused),
    ("another field", invalid("OriginationIdentity"), Misconfigured),
    ("the number and another", invalid("DestinationPhoneNumber", "TimeToLive"), Misconfigured),
    ("no field", invalid(), Misconfigured),
    ("a field without a name", refusal("ValidationException", Fields=[{}]), Misconfigured),
    ("no word on fields", refusal("ValidationException"), Misconfigured),
    ("country not enabled", invalid(reason="COUNTRY_NOT_ENABLED"), DestinationUnavailable),
    ("too dear", invalid(reason="PRICE_OVER_THRESHOLD"), DestinationUnavailable),
    ("internal", refusal("InternalServerException", 500), Doubtful),
    ("500", refusal("500", 500), Doubtful),
    ("502", refusal("502", 502), Doubtful),
    ("503", refusal("503", 503), Doubtful),
    ("504", refusal("504", 504), Ambiguous),
    ("302", refusal("302", 302), NotSent),
    ("no name", EndpointConnectionError(endpoint_url=URL), NotSent),
    ("no connection", ConnectTimeoutError(endpoint_url=URL), NotSent),
    ("no proxy", ProxyConnectionError(proxy_url=URL), NotSent),
    ("no answer", ReadTimeoutError(endpoint_url=URL), Ambiguous),
    ("cut off", ConnectionClosedError(endpoint_url=URL), Ambiguous),
    ("tls, at any moment", SSLError(endpoint_url=URL, error=OSError()), Ambiguous),
    ("anything else on the way", HTTPClientError(error=OSError()), Ambiguous),
    ("anything else at all", BotoCoreError(), Ambiguous),
    ("no credentials", NoCredentialsError(), Misconfigured),
    ("no way to credentials", CredentialRetrievalError(provider="…", error_msg="…"), Misconfigured),
    ("no region", NoRegionError(), Misconfigured),
    ("no request", ParamValidationError(report="…"), Misconfigured),
    ("no id", {}, Ambiguous),
    ("empty id", {"MessageId": ""}, Ambiguous),
    ("id a number", {"MessageId": 7}, Ambiguous),
]


@pytest.mark.parametrize(
    ("given", "expected"), [case[1:] for case in OUTCOMES], ids=[case[0] for case in OUTCOMES]
)
def test_a_failed_message_has_the_right_outcome_and_is_not_repeated(
    given: Outcome, expected: type[ProviderError]
) -> None:
    client = ScriptedClient(given)
    with pytest.raises(ProviderError) as caught:
        send(aws(client))
    assert type(caught.value) is expected
    assert len(client.sent) == 1
    assert "4155550123" not in str(caught.value)
    assert caught.value.__suppress_context__ or caught.value.__context__ is None


class Raw:
    """A body as botocore reads it off a connection."""

    def __init__(self, body: bytes) -> None:
        self._body = body

    def stream(self) -> Iterator[bytes]:
        yield self._body


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (200, b"\xff\xfe"),
        (200, b"[]"),
        (200, b"7"),
        (400, b'"no object"'),
        (400, b'{"__type": 7}'),
        (400, b'{"__type": "ValidationException", "Fields": [7]}'),
        (500, b"\xff\xfe"),
    ],
)
def test_an_answer_that_botocore_cannot_read_is_ambiguous(status: int, body: bytes) -> None:
    client = clients.client("pinpoint-sms-voice-v2", retries={"mode": "standard", "total_max_attempts": 1})
    answer = AWSResponse(URL, status, HTTPHeaders(), Raw(body))
    client.meta.events.register("before-send.*", lambda **_: answer)
    with pytest.raises(Ambiguous) as caught:
        send(Aws(CREDENTIALS, client, code_length=6))
    assert caught.value.reason == "unreadable"
    assert caught.value.__suppress_context__


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        (
            refusal("ConflictException", Reason="DESTINATION_PHONE_NUMBER_OPTED_OUT"),
            "DESTINATION_PHONE_NUMBER_OPTED_OUT",
        ),
        (refusal("ThrottlingException"), "ThrottlingException"),
        (refusal("502", 502), "http_502"),
        (refusal("+14155550123"), "http_400"),
        (refusal("ThrottlingException", Reason="14155550123"), "ThrottlingException"),
        (refusal("ThrottlingException", Reason=["x"]), "ThrottlingException"),
        (EndpointConnectionError(endpoint_url=URL), "connection"),
        (ReadTimeoutError(endpoint_url=URL), "ReadTimeoutError"),
        ({}, "no_message_id"),
    ],
)
def test_a_failures_reason_contains_no_phone_number(given: Outcome, reason: str) -> None:
    with pytest.raises(ProviderError) as caught:
        send(aws(ScriptedClient(given)))
    assert caught.value.reason == reason
    assert str(caught.value) == f"aws: {reason}"


def test_after_the_deadline_nothing_is_sent(client: ScriptedClient) -> None:
    with pytest.raises(TooLate) as caught:
        send(aws(client), deadline=Deadline(0))
    assert caught.value.reason == "deadline"
    assert client.sent == []


class SlowClient(ScriptedClient):
    """Answers once it is released."""

    def __init__(self) -> None:
        super().__init__({"MessageId": MESSAGE_ID})
        self.released = threading.Event()

    def send_text_message(self, **parameters: Any) -> Mapping[str, Any]:
        self.released.wait(10)
        return super().send_text_message(**parameters)


@pytest.fixture
def slow() -> Iterator[SlowClient]:
    client = SlowClient()
    yield client
    client.released.set()


def test_a_missing_answer_at_the_deadline_is_ambiguous(slow: SlowClient) -> None:
    with pytest.raises(Ambiguous) as caught:
        send(aws(slow), deadline=Deadline(0.05))
    assert caught.value.reason == "deadline"
    left = [thread for thread in threading.enumerate() if thread.name == "aws-exchange"]
    assert [thread.daemon for thread in left] == [True]


def test_long_idle_connections_are_not_reused(client: ScriptedClient) -> None:
    monotonic = StepClock(0.0)
    deadline = Deadline(1000, lambda: 0.0)
    provider = Aws(CREDENTIALS, client, code_length=6, monotonic=monotonic)
    closed: list[int] = []
    for later in (0.0, 20.0, 20.5, 0.5):
        monotonic.step(later)
        send(provider, deadline=deadline)
        closed.append(client.closed)
    assert closed == [0, 0, 1, 1]


def test_codes_are_compared_in_constant_time(client: ScriptedClient, monkeypatch: pytest.MonkeyPatch) -> None:
    compared: list[tuple[str, str]] = []

    def compare(one: str, other: str) -> bool:
        compared.append((one, other))
        return one == other

    monkeypatch.setattr("sms_otp.adapters.providers.aws.hmac.compare_digest", compare)
    provider = aws(client)
    ref = send(provider).ref
    code = code_in(client.sent[0]["MessageBody"])
    guesses: list[Callable[[], Check]] = [
        lambda: check(provider, ref, code),
        lambda: check(provider, ref, "0"),
    ]
    assert [guess() for guess in guesses] == [Check.CORRECT, Check.WRONG]
    # Whole digests are compared, never the codes themselves.
    assert {len(text) for pair in compared for text in pair} == {43}


def test_a_right_code_is_reported_to_aws_as_received(client: ScriptedClient) -> None:
    provider = aws(client)
    ref = send(provider).ref
    assert check(provider, ref, code_in(client.sent[0]["MessageBody"])) is Check.CORRECT
    assert client.feedback.get(timeout=5) == (MESSAGE_ID, "RECEIVED")


def test_wrong_codes_and_handles_of_earlier_releases_are_not_reported(client: ScriptedClient) -> None:
    provider = aws(client)
    ref = send(provider).ref
    code = code_in(client.sent[0]["MessageBody"])
    assert check(provider, ref, f"{(int(code) + 1) % 10**6:06d}") is Check.WRONG
    assert check(provider, ref.removesuffix(f".{MESSAGE_ID}"), code) is Check.CORRECT
    assert client.feedback.empty()


def test_failed_feedback_changes_no_answer(client: ScriptedClient) -> None:
    ref = send(aws(client)).ref
    code = code_in(client.sent[0]["MessageBody"])
    refusing = ScriptedClient(EndpointConnectionError(endpoint_url=URL))
    assert check(aws(refusing), ref, code) is Check.CORRECT
    assert refusing.feedback.get(timeout=5) == (MESSAGE_ID, "RECEIVED")


def test_a_message_with_an_unusable_id_is_still_sent() -> None:
    client = ScriptedClient({"MessageId": "an id with blanks"})
    provider = aws(client)
    assert check(provider, send(provider).ref, code_in(client.sent[0]["MessageBody"])) is Check.CORRECT
    assert client.feedback.empty()


def test_a_probe_reads_the_accounts_attributes() -> None:
    aws(ScriptedClient({"AccountAttributes": []})).probe(DEADLINE)


@pytest.mark.parametrize(
    ("outcome", "failure"),
    [
        ({}, Ambiguous),
        (refusal("AccessDeniedException"), Misconfigured),
        (refusal("ThrottlingException"), Throttled),
        (refusal("InternalServerException", 500), Doubtful),
    ],
)
def test_a_probe_that_fails_says_why(outcome: Outcome, failure: type[ProviderError]) -> None:
    with pytest.raises(failure):
        aws(ScriptedClient(outcome)).probe(DEADLINE)
