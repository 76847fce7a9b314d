"""Arbitrary events get documented answers: never an exception, never a 5xx.

`pytest tests/functional --hypothesis-profile=prove` tries 10,000 events at each function.
"""

import base64
import json
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import event as record
from hypothesis import strategies as st

from generators import events
from sms_otp.entry_points import http, schemas
from tests.corpora.json_bodies import REQUEST_OTP, UNREADABLE, VERIFY_OTP
from tests.functional.deployment import PATHS, Answer, Deployment

# Hypothesis makes the fixture once for all examples of a test; each example begins by emptying it.
one_deployment = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
one_deployment_often = settings(one_deployment, max_examples=200)
"""For the tests that `make prove` does not run with more examples."""
TEXT = st.text(max_size=40)
FIELDS = st.sampled_from(
    [*schemas.REQUEST_OTP["properties"], *schemas.VERIFY_OTP["properties"], "__proto__", "tenant", "success"]
)
LIKELY = st.sampled_from(["+14155550177", "+447400123456", "sms", "voice", "en-US", "login", "123456", "::1"])
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXT | LIKELY,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=5,
)
SOME_JSON = st.dictionaries(FIELDS | TEXT, VALUES, max_size=6).map(json.dumps).map(str.encode)
NEARLY_RIGHT = st.fixed_dictionaries(
    {},
    optional={
        "phoneNumber": st.sampled_from(["+14155550177", "+447400123456", "+881612345678", "+12"]) | TEXT,
        "channel": st.sampled_from(["sms", "voice"]),
        "locale": st.sampled_from(["en", "pt-BR"]) | TEXT,
        "purpose": st.text("aZ9_.:-", min_size=1, max_size=64) | TEXT,
        "sessionId": TEXT,
        "verificationId": TEXT,
        "otp": st.from_regex("[0-9]{6}", fullmatch=True) | TEXT,
    },
)
RIGHT_REQUEST = st.fixed_dictionaries(
    {"phoneNumber": st.sampled_from(["+14155550177", "+447400123456", "+33612345678"])},
    optional={"purpose": st.text("aZ9_.:-", min_size=1, max_size=64), "sessionId": st.text(min_size=1)},
)
RIGHT_VERIFY = st.fixed_dictionaries(
    {
        "verificationId": st.text(min_size=1, max_size=64),
        "otp": st.from_regex("[0-9]{6}", fullmatch=True),
    },
    optional={"sessionId": st.text(min_size=1)},
)
CORPUS = st.sampled_from(
    [body.raw for body in UNREADABLE + REQUEST_OTP + VERIFY_OTP if len(body.raw) <= 2 * http.BODY_LIMIT]
)


def spoiled(body: bytes, place: int, bad: bytes) -> bytes:
    """A body with some bytes of it replaced."""
    at = place % (len(body) + 1)
    return body[:at] + bad + body[at + len(bad) :]


DOCUMENTS = (NEARLY_RIGHT | RIGHT_REQUEST | RIGHT_VERIFY).map(json.dumps).map(str.encode)
BODIES = (
    st.binary(max_size=300)
    | SOME_JSON
    | DOCUMENTS
    | CORPUS
    | st.builds(spoiled, DOCUMENTS | CORPUS, st.integers(0, 4_000), st.binary(max_size=4))
)

HEADERS = st.none() | st.dictionaries(
    st.sampled_from(
        [
            "Content-Type",
            "content-type",
            "CONTENT-TYPE",
            "X-Forwarded-For",
            "x-api-key",
            "Idempotency-Key",
            "Content-Encoding",
            "Transfer-Encoding",
            "X-HTTP-Method-Override",
            "Host",
            "X-Amzn-Trace-Id",
        ]
    )
    | TEXT,
    st.sampled_from(["application/json", "application/json; charset=utf-8", "gzip", "1.2.3.4", "a"]) | TEXT,
    max_size=6,
)
USUAL_HEADERS = st.just({"Content-Type": "application/json"})
QUERIES = st.none() | st.dictionaries(TEXT, TEXT, max_size=3)
PATHNAMES = st.sampled_from([*PATHS.values(), "/", "//request-otp", "/verify-otp/", "/..%2f"]) | TEXT


@st.composite
def arriving(draw: st.DrawFn) -> dict[str, Any]:
    """An event that API Gateway could make of any request of a caller with a key."""
    raw = draw(BODIES)
    path = draw(PATHNAMES)
    method = draw(st.sampled_from(["POST", "GET", "PUT", "DELETE", "HEAD", "PATCH", "OPTIONS"]))
    event = events.build(path, method)
    as_text = draw(st.booleans())
    if draw(st.booleans()):
        body: str | None = raw.decode(errors="replace") if as_text else base64.b64encode(raw).decode()
        event |= {"body": body, "isBase64Encoded": not as_text}
    else:  # the flag and the body need not fit
        body = draw(st.none() | TEXT | st.text("ey=+/\u00e9\ud800 \n", max_size=20))
        event |= {"body": body, "isBase64Encoded": draw(st.booleans())}
    event["headers"] = draw(USUAL_HEADERS | HEADERS)
    event["multiValueHeaders"] = event["headers"] and {
        name: [value] for name, value in event["headers"].items()
    }
    event["queryStringParameters"] = draw(QUERIES)
    return event


def check_documented(answer: Answer) -> None:
    """Check that it is no server error and has its errorCode's status. Hypothesis counts its outcome."""
    record(answer.outcome)
    assert answer.status < 500
    assert answer.outcome == "ok" or http.PROBLEMS[answer.outcome][0] == answer.status


@pytest.mark.parametrize("function", ["request_otp", "verify_otp"])
@one_deployment
@given(event=arriving())
def test_an_arbitrary_event_gets_a_documented_answer(
    deployed: Deployment, function: str, event: dict[str, Any]
) -> None:
    deployed.empty()
    answer = deployed.call(function, event)
    check_documented(answer)


@pytest.mark.parametrize("function", ["request_otp", "verify_otp"])
@one_deployment
@given(raw=BODIES)
@example(raw=b"{")
def test_an_arbitrary_body_gets_a_documented_answer(deployed: Deployment, function: str, raw: bytes) -> None:
    deployed.empty()
    answer = deployed.call(function, events.build(PATHS[function], body=raw, as_base64=True))
    check_documented(answer)


@one_deployment
@given(event=arriving())
def test_an_arbitrary_event_gets_a_healthy_answer(deployed: Deployment, event: dict[str, Any]) -> None:
    body = deployed.call("health", event).body
    assert (body["success"], body["status"]) == (True, "healthy")


@one_deployment_often
@given(raw=DOCUMENTS | CORPUS)
def test_a_refused_body_neither_sends_nor_stores(deployed: Deployment, raw: bytes) -> None:
    """A caller learns only from the answer whether a code was sent, so the answer must be true."""
    deployed.empty()
    answer = deployed.call("request_otp", events.build("/request-otp", body=raw, as_base64=True))
    assert deployed.untouched() is (answer.outcome != "ok")
    assert len(deployed.provider.sent) == (answer.outcome == "ok")


@one_deployment_often
@given(raw=BODIES)
def test_each_line_of_the_log_is_json_without_a_full_number(deployed: Deployment, raw: bytes) -> None:
    deployed.empty()
    deployed.call("request_otp", events.build("/request-otp", body=raw, as_base64=True))
    assert deployed.log.getvalue().endswith("\n")
    for line in deployed.lines():
        assert isinstance(json.loads(line), dict)
        assert "4155550177" not in line
