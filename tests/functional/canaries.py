"""Looks for leaks: no code, secret or full number of a test may appear in any output.

A canary is recognised by its field in an event or an answer. The outputs are the log at DEBUG, the
printed output (metrics are printed), the texts of our exceptions, error answers and the table.
"""

import base64
import json
import logging
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest
from mypy_boto3_dynamodb import DynamoDBClient

from fakes.memory import PEPPER
from local.sandbox.credentials import credentials
from local.template import ROOT
from sms_otp.domain import errors, phone
from sms_otp.domain.number import KEEP_VERIFICATION
from sms_otp.domain.ports import StoreError
from sms_otp.domain.provider import ProviderError
from tests.functional import deployment

SECRETS = {
    "pepper": PEPPER,
    **{
        f"{provider}'s {field}": value
        for provider, fields in credentials("https://provider.invalid").items()
        for field, value in fields.items()  # type: ignore[attr-defined] # a TypedDict
        if field in ("apiKey", "applicationKey", "applicationSecret")
    },
}
IN_BODIES = {
    "sessionId": "session id",
    "verificationId": "verificationId",
    "deviceToken": "device token",
    "verificationToken": "verification token",
    "appHash": "app hash",
}
IN_HEADERS = {"x-api-key": "API key", "idempotency-key": "Idempotency-Key"}
PUBLIC = ("purpose", "locale", "channel")
"""Fields that are stored or logged as they are. Fuzzing can put a text into a secret field and into these."""

OTP = re.compile("[0-9]{6}")
HEAD = 6
"""No canary is shorter than this."""
FEWEST_KINDS_OF_CHARACTERS = 4
SHORTEST = 8
"""A made-up text that is shorter or plainer may appear anywhere by chance."""
LAST_DIGITS = 9
"""This many last digits identify a number in any spelling. A masked number shows two of them."""

TAKEN_FROM = ("layers/core", "functions", "local", "ops", "generators")
SOURCE = "".join(path.read_text() for folder in TAKEN_FROM for path in (ROOT / folder).rglob("*.py"))
LONGEST_TAKEN = 20
"""No secret is in the source, but Hypothesis takes texts of up to this length from it as examples."""
EXAMPLE = errors.InvalidPhoneNumber.detail
"""The detail of an InvalidPhoneNumber answer. It contains an example number."""

Handler = Callable[[dict[str, Any], Any], dict[str, Any]]


class Watch:
    """The canaries of one test, and its outputs."""

    def __init__(self) -> None:
        self._by_head: dict[str, dict[str, str]] = {}
        self._outputs: list[tuple[str, str]] = []
        self._sources: list[tuple[str, Callable[[], str]]] = []
        self._public: set[str] = set()
        for kind, text in SECRETS.items():
            self.look_for(kind, text)

    def look_for(self, kind: str, text: str) -> None:
        """Look for this text from now on."""
        for spelled in _spellings(text):
            self._by_head.setdefault(spelled[:HEAD], {})[spelled] = kind

    def record(self, where: str, text: str) -> None:
        """Record an output."""
        self._outputs.append((where, text.replace(EXAMPLE, "")))

    def record_from(self, where: str, read: Callable[[], str]) -> None:
        """Read this output each time that leaks are looked for."""
        self._sources.append((where, read))

    def found(self) -> list[str]:
        """The kinds of canaries that leaked, and where; not the texts themselves."""
        for where, read in self._sources:
            self.record(where, read())
        return sorted({f"{kind} in {where}" for where, text in self._outputs for kind in self._in(text)})

    def forget(self) -> None:
        """Forget all outputs. For tests that planted the leak themselves."""
        self._outputs.clear()
        self._sources.clear()

    def _in(self, text: str) -> Iterator[str]:
        for at in range(len(text) - HEAD + 1):
            for canary, kind in self._by_head.get(text[at : at + HEAD], {}).items():
                is_leak = text.startswith(canary, at) and _stands_alone(kind, text, at, len(canary))
                if is_leak and not any(canary in public for public in self._public):
                    yield kind

    def watched(self, handler: Handler) -> Handler:
        """Wrap a handler so that its events and answers are inspected."""

        def call(event: dict[str, Any], context: Any) -> dict[str, Any]:
            self._take_event(event)
            answer = handler(event, context)
            body = json.loads(answer["body"])
            if answer["statusCode"] in (200, 201):
                self._take_body(body)
            else:
                self.record("the answer of an error", answer["body"] + json.dumps(answer["headers"]))
            return answer

        return call

    def record_items(self, dynamodb: DynamoDBClient, table: str, now: float) -> None:
        """Record all items. A verification may hold its phone, app hash and handle while it is kept."""
        for item in dynamodb.get_paginator("scan").paginate(TableName=table).search("Items[]"):
            kept = dict(item)
            if kept["pk"]["S"].startswith("V#") and _is_kept(kept, now):
                kept.pop("phone", None)
                kept.pop("appHash", None)
                kept.pop("providerRef", None)
            elif "ttl" in kept and int(kept["ttl"]["N"]) <= now:
                continue  # TTL has deleted it by now; the emulator never does
            self.record("the table", json.dumps(kept, default=str))

    def _take_event(self, event: Mapping[str, Any]) -> None:
        headers = event.get("headers") or {}
        body = _body(event)
        self._public |= {body[name] for name in PUBLIC if isinstance(body.get(name), str)}
        # API Gateway's resource is logged; fuzzing puts any text there, and the same text elsewhere.
        self._public |= _spellings(event["resource"])
        for name, value in headers.items():
            kind = IN_HEADERS.get(name.lower())
            if kind and "/json" not in value:  # fuzzing sends content types as keys, which are no secret
                self._look_for_text(kind, value)
        self._take_body(body)

    def _take_body(self, body: Mapping[str, Any]) -> None:
        for name, kind in IN_BODIES.items():
            if isinstance(body.get(name), str):
                self._look_for_text(kind, body[name])
        if isinstance(body.get("otp"), str) and OTP.fullmatch(body["otp"]):
            self.look_for("code", body["otp"])
        if isinstance(body.get("phoneNumber"), str) and _is_number(body["phoneNumber"]):
            self.look_for("number", body["phoneNumber"][-LAST_DIGITS:])

    def _look_for_text(self, kind: str, text: str) -> None:
        is_plain = len(text) < SHORTEST or len(set(text)) < FEWEST_KINDS_OF_CHARACTERS
        is_taken = len(text) <= LONGEST_TAKEN and text in SOURCE
        if not is_plain and not is_taken:
            self.look_for(kind, text)


def _spellings(text: str) -> set[str]:
    """The text as it is, and as JSON writes it with and without ASCII escapes."""
    return {text, *(json.dumps(text, ensure_ascii=is_ascii)[1:-1] for is_ascii in (True, False))}


def _stands_alone(kind: str, text: str, at: int, length: int) -> bool:
    """Six digits within a longer time or hash are no code."""
    if kind != "code":
        return True
    around = text[at - 1 : at] + text[at + length : at + length + 1]
    return not any(character.isalnum() or character == "." for character in around)


def _is_number(text: str) -> bool:
    try:
        phone.parse(text)
    except errors.InvalidPhoneNumber:
        return False
    except errors.DestinationNotAllowed:
        return True
    return True


def _is_kept(item: Mapping[str, Any], now: float) -> bool:
    """Whether its TTL, the end of the verification and a day, is not over."""
    ends = int(item["expiresAt"]["N"]) + KEEP_VERIFICATION
    return int(item["ttl"]["N"]) == ends and now < ends


def _body(event: Mapping[str, Any]) -> dict[str, Any]:
    raw = event.get("body") or ""
    try:
        body = json.loads(base64.b64decode(raw) if event.get("isBase64Encoded") else raw)
    except (ValueError, RecursionError):
        return {}
    return body if isinstance(body, dict) else {}


class _RecordingHandler(logging.Handler):
    """Records every log record that propagates to the root logger."""

    def __init__(self, watch: Watch) -> None:
        super().__init__(logging.DEBUG)
        self._watch = watch

    def emit(self, record: logging.LogRecord) -> None:
        self._watch.record("the log", logging.Formatter().format(record))


def _record_texts(watch: Watch, kind: type[Exception], patch: pytest.MonkeyPatch) -> None:
    make = kind.__init__

    def made(error: Exception, *given: Any, **named: Any) -> None:
        make(error, *given, **named)
        watch.record(f"the text of a {kind.__name__}", f"{error} {error!r} {error.args}")

    patch.setattr(kind, "__init__", made)


@pytest.fixture(autouse=True)
def watch(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Watch]:
    """Fail the test if a canary leaked."""
    watching = Watch()
    monkeypatch.setenv("POWERTOOLS_LOG_LEVEL", "DEBUG")
    for name, handler in deployment.HANDLERS.items():
        monkeypatch.setitem(deployment.HANDLERS, name, watching.watched(handler))
    for kind in (errors.OtpError, ProviderError, StoreError):
        _record_texts(watching, kind, monkeypatch)
    watching.record_from("the printed output", lambda: "".join(capsys.readouterr()))
    # The AWS emulator logs each of its steps at DEBUG; it is not part of the deployment.
    logging.getLogger("ministack").setLevel(logging.WARNING)
    root, recorder = logging.getLogger(), _RecordingHandler(watching)
    level = root.level
    root.setLevel(logging.DEBUG)
    root.addHandler(recorder)
    yield watching
    root.removeHandler(recorder)
    root.setLevel(level)
    found = watching.found()
    assert found == [], found
