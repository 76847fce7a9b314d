"""The number of messages that a text is billed as (3GPP TS 23.038, TS 23.040 §9.2.3.24.1)."""

GSM7_SINGLE, GSM7_PART = 160, 153
UCS2_SINGLE, UCS2_PART = 70, 67
"""Septets and UTF-16 code units in a single message, and in each part of several."""

# TS 23.038 §6.2.1: one septet each, two for a character of the extension table.
_GSM7 = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§"
    "¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
_GSM7_EXTENSION = frozenset("\f^{}\\[~]|€")


def is_gsm7(text: str) -> bool:
    """Whether every character is in GSM-7; otherwise the whole text is sent as UCS-2."""
    return set(text) <= _GSM7 | _GSM7_EXTENSION


def parts(text: str) -> int:
    """The number of messages that a text is sent and billed as."""
    if is_gsm7(text):
        return _divided(
            [2 if character in _GSM7_EXTENSION else 1 for character in text], GSM7_SINGLE, GSM7_PART
        )
    return _divided([2 if ord(character) > 0xFFFF else 1 for character in text], UCS2_SINGLE, UCS2_PART)


def _divided(sizes: list[int], single: int, part: int) -> int:
    """Number of parts, without splitting a character."""
    if sum(sizes) <= single:
        return 1
    count, room = 1, part
    for size in sizes:
        if size > room:
            count, room = count + 1, part
        room -= size
    return count
