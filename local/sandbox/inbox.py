"""The phones' inbox: every delivered message."""

import re
from collections import deque
from collections.abc import Container
from dataclasses import asdict, dataclass
from itertools import islice

from local.sandbox.memory import NEWEST_KEPT
from local.sandbox.times import Clock, iso_utc

_NUMBER = re.compile(r"\+?[0-9]{1,20}")


def e164(number: str) -> str:
    """`number` with exactly one plus sign, whether written with or without it."""
    return "+" + number.strip().lstrip("+")


def number_or_none(value: object) -> str | None:
    """E.164 of `value`, with or without a plus sign; `None` if it is not a number."""
    return e164(value) if isinstance(value, str) and _NUMBER.fullmatch(value.strip()) else None


@dataclass(frozen=True, slots=True)
class Message:
    """One SMS, or the text of one call. Fields are named as in `GET /inbox`; `to` is E.164."""

    to: str
    text: str
    code: str
    provider: str
    channel: str
    sentAt: str  # noqa: N815 - the JSON field's name


class Inbox:
    """The newest `NEWEST_KEPT` messages of all phones."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._messages: deque[Message] = deque(maxlen=NEWEST_KEPT)

    def deliver(self, to: str, text: str, code: str, *, provider: str, channel: str) -> None:
        """Put a message on the phone `to` (digits, with or without a plus sign)."""
        message = Message(e164(to), text, code, provider, channel, iso_utc(self._clock()))
        self._messages.append(message)

    def newest_first(
        self, to: str | None = None, *, limit: int = NEWEST_KEPT, without: Container[str] = ()
    ) -> list[dict[str, str]]:
        """At most `limit` messages as JSON objects: only to `to` unless None, not to numbers in `without`."""
        recipient = None if to is None else e164(to)
        every = (message for message in reversed(self._messages) if message.to not in without)
        matching = (message for message in every if recipient in (None, message.to))
        return [asdict(message) for message in islice(matching, limit)]

    def clear(self) -> None:
        """Delete every message."""
        self._messages.clear()
