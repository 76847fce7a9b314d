"""The number of messages that a text is billed as, by 3GPP TS 23.038 and TS 23.040."""

import pytest

from sms_otp.domain.sms_text import is_gsm7, parts


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("", 1),
        ("a" * 160, 1),
        ("a" * 161, 2),
        ("a" * 306, 2),
        ("a" * 307, 3),
        ("é" * 160, 1),
        ("{" * 80, 1),
        ("{" * 80 + "a", 2),
        # An escape and its character stand in one part: 152 septets, then one that needs two.
        ("a" * 152 + "{" + "a" * 152, 3),
        ("я" * 70, 1),
        ("я" * 71, 2),
        ("я" * 134, 2),
        ("я" * 135, 3),
        ("a" * 70 + "ç", 2),
        ("🙂" * 35, 1),
        ("🙂" * 36, 2),
        # The first character beyond the Basic Multilingual Plane, and the last within it.
        ("\U00010000" * 36, 2),
        ("\uffff" * 70, 1),
    ],
)
def test_a_text_is_counted_in_messages(text: str, count: int) -> None:
    assert parts(text) == count


def test_a_single_character_outside_gsm7_makes_the_whole_text_ucs2() -> None:
    assert is_gsm7("Your code is 123456. €5 {ok}")
    assert not is_gsm7("Seu código é 123456.")


def test_a_text_may_contain_every_gsm7_character() -> None:
    """TS 23.038 §6.2.1, in its order, but for the escape; and the ten characters of the extension table."""
    table = (
        "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
        "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
    )
    assert (len(table), len({*table})) == (127, 127)
    assert is_gsm7(table + "\f^{}\\[~]|€")
