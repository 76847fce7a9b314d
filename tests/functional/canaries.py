"""What must never be told: every code, secret and full number that a test uses, looked for in what came out.

A canary is known by where it stands in an event or an answer. What came out is the log at DEBUG, what
was printed (metrics are printed), the texts of our exceptions, the answers of errors, and the table.
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
"""Fields that are stored or told as they are. Fuzzing can put one text into a secret field and into these."""

OTP = re.compile("[0-9]{6}")
HEAD = 6
"""No canary is shorter than this."""
FEWEST_KINDS_OF_CHARACTERS = 4
SHORTEST = 8
"""A made-up text that is shorter or plainer may stand anywhere by chance."""
LAST_DIGITS = 9
"""By so many last digits a number is known in any spelling. A masked one shows two of them."""

TAKEN_FROM = ("layers/core", "functions", "local", "ops", "generators")
SOURCE = "".join(path.read_text() for folder in TAKEN_FROM for path in (ROOT / folder).rglob("*.py"))
LONGEST_TAKEN = 20
"""No secret stands in the source, but Hypothesis takes texts of up to this length from it to try them."""
EXAMPLE = errors.InvalidPhoneNumber.detail
"""What every caller is told, a number of nobody's in it."""

Handler = Callable[[dict[str, Any], Any], dict[str, Any]]


class Watch:
    """The canaries of one test, and what came out during it."""

    def __init__(self) -> None:
        self._by_head: dict[str, dict[str, str]] = {}
        self._heard: list[tuple[str, str]] = []
        self._sources: list[tuple[str, Callable[[], str]]] = []
        self._public: set[str] = set()
        for kind, text in SECRETS.items():
            self.hide(kind, text)

    def hide(self, kind: str, text: str) -> None:
        """From now on this text is looked for."""
        for spelled in _spellings(text):
            self._by_head.setdefault(spelled[:HEAD], {})[spelled] = kind

    def hear(self, where: str, text: str) -> None:
        """Something came out."""
        self._heard.append((where, text.replace(EXAMPLE, "")))

    def listen(self, where: str, read: Callable[[], str]) -> None:
        """More may come out there until the end of the test."""
        self._sources.append((where, read))

    def found(self) -> list[str]:
        """What was told that must not be, and where; not the thing itself."""
        for where, read in self._sources:
            self.hear(where, read())
        return sorted({f"{kind} in {where}" for where, text in self._heard for kind in self._in(text)})

    def forgive(self) -> None:
        """For a test of this watch, which has planted what it found."""
        self._heard.clear()
        self._sources.clear()

    def _in(self, text: str) -> Iterator[str]:
        for at in range(len(text) - HEAD + 1):
            for canary, kind in self._by_head.get(text[at : at + HEAD], {}).items():
                told = text.startswith(canary, at) and _stands_alone(kind, text, at, len(canary))
                if told and not any(canary in public for public in self._public):
                    yield kind

    def watched(self, handler: Handler) -> Handler:
        """A function that does the same while its events and answers are looked at."""

        def call(event: dict[str, Any], context: Any) -> dict[str, Any]:
            self._take_event(event)
            answer = handler(event, context)
            body = json.loads(answer["body"])
            if answer["statusCode"] in (200, 201):
                self._take_body(body)
            else:
                self.hear("the answer of an error", answer["body"] + json.dumps(answer["headers"]))
            return answer

        return call

    def look_into(self, dynamodb: DynamoDBClient, table: str, now: float) -> None:
        """A verification keeps its phone, its app and its provider's handle as long as it is kept itself."""
        for item in dynamodb.get_paginator("scan").paginate(TableName=table).search("Items[]"):
            kept = dict(item)
            if kept["pk"]["S"].startswith("V#") and _is_kept(kept, now):
                kept.pop("phone", None)
                kept.pop("appHash", None)
                kept.pop("providerRef", None)
            elif "ttl" in kept and int(kept["ttl"]["N"]) <= now:
                continue  # deleted by now; this table's emulator never does it
            self.hear("the table", json.dumps(kept, default=str))

    def _take_event(self, event: Mapping[str, Any]) -> None:
        headers = event.get("headers") or {}
        body = _body(event)
        self._public |= {body[name] for name in PUBLIC if isinstance(body.get(name), str)}
        # API Gateway's own word, which is told; fuzzing puts any text there, and the same text elsewhere.
        self._public |= _spellings(event["resource"])
        for name, value in headers.items():
            kind = IN_HEADERS.get(name.lower())
            if kind and "/json" not in value:  # fuzzing sends content types as keys, which are no secret
                self._hide_text(kind, value)
        self._take_body(body)

    def _take_body(self, body: Mapping[str, Any]) -> None:
        for name, kind in IN_BODIES.items():
            if isinstance(body.get(name), str):
                self._hide_text(kind, body[name])
        if isinstance(body.get("otp"), str) and OTP.fullmatch(body["otp"]):
            self.hide("code", body["otp"])
        if isinstance(body.get("phoneNumber"), str) and _is_number(body["phoneNumber"]):
            self.hide("number", body["phoneNumber"][-LAST_DIGITS:])

    def _hide_text(self, kind: str, text: str) -> None:
        is_plain = len(text) < SHORTEST or len(set(text)) < FEWEST_KINDS_OF_CHARACTERS
        is_taken = len(text) <= LONGEST_TAKEN and text in SOURCE
        if not is_plain and not is_taken:
            self.hide(kind, text)


def _spellings(text: str) -> set[str]:
    """As it is and as JSON spells it, in ASCII alone or not."""
    return {text, *(json.dumps(text, ensure_ascii=is_ascii)[1:-1] for is_ascii in (True, False))}


def _stands_alone(kind: str, text: str, at: int, length: int) -> bool:
    """Six digits may be part of any time or hash; a code is none."""
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
    """Within its life and the day after it, which is also when it is deleted."""
    ends = int(item["expiresAt"]["N"]) + KEEP_VERIFICATION
    return int(item["ttl"]["N"]) == ends and now < ends


def _body(event: Mapping[str, Any]) -> dict[str, Any]:
    raw = event.get("body") or ""
    try:
        body = json.loads(base64.b64decode(raw) if event.get("isBase64Encoded") else raw)
    except (ValueError, RecursionError):
        return {}
    return body if isinstance(body, dict) else {}


class _Ear(logging.Handler):
    """Hears every record of every logger that passes its records on."""

    def __init__(self, watch: Watch) -> None:
        super().__init__(logging.DEBUG)
        self._watch = watch

    def emit(self, record: logging.LogRecord) -> None:
        self._watch.hear("the log", logging.Formatter().format(record))


def _heard_when_made(watch: Watch, kind: type[Exception], patch: pytest.MonkeyPatch) -> None:
    make = kind.__init__

    def made(error: Exception, *given: Any, **named: Any) -> None:
        make(error, *given, **named)
        watch.hear(f"the text of a {kind.__name__}", f"{error} {error!r} {error.args}")

    patch.setattr(kind, "__init__", made)


@pytest.fixture(autouse=True)
def watch(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Watch]:
    """Fails the test if anything came out that must not."""
    watching = Watch()
    monkeypatch.setenv("POWERTOOLS_LOG_LEVEL", "DEBUG")
    for name, handler in deployment.HANDLERS.items():
        monkeypatch.setitem(deployment.HANDLERS, name, watching.watched(handler))
    for kind in (errors.OtpError, ProviderError, StoreError):
        _heard_when_made(watching, kind, monkeypatch)
    watching.listen("what was printed", lambda: "".join(capsys.readouterr()))
    # AWS's stand-in tells itself at DEBUG every step that it takes; it is not what is deployed.
    logging.getLogger("ministack").setLevel(logging.WARNING)
    root, ear = logging.getLogger(), _Ear(watching)
    level = root.level
    root.setLevel(logging.DEBUG)
    root.addHandler(ear)
    yield watching
    root.removeHandler(ear)
    root.setLevel(level)
    found = watching.found()
    assert found == [], found
