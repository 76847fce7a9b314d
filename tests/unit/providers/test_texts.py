"""The names under which a message's text is looked up."""

import pytest

from sms_otp.adapters.providers.texts import names


@pytest.mark.parametrize(
    ("locale", "purpose", "found"),
    [
        (None, None, [""]),
        (None, "login", ["/login", ""]),
        ("pt-BR", "login", ["pt-br/login", "pt-br", "pt/login", "pt", "/login", ""]),
        # A language's code that another has replaced, either way.
        ("iw-IL", None, ["he-il", "iw-il", "he", "iw", ""]),
        ("he", None, ["he", "iw", ""]),
        ("no", None, ["nb", "no", ""]),
        # A script by its regions, a region by its script; the language's own text before the other script.
        ("zh-Hant-TW", None, ["zh-hant-tw", "zh-hant", "zh-tw", "zh-hk", "zh-mo", "zh", ""]),
        ("zh-HK", None, ["zh-hk", "zh-hant", "zh-tw", "zh-mo", "zh", ""]),
        ("zh-Hans-CN", None, ["zh-hans-cn", "zh-hans", "zh-cn", "zh-sg", "zh-my", "zh", ""]),
        ("zh", None, ["zh", ""]),
        ("sr-Latn-RS", None, ["sr-latn-rs", "sr-latn", "sr-me", "sr", ""]),
        ("de-Latn-CH", None, ["de-latn-ch", "de-latn", "de-ch", "de", ""]),
    ],
)
def test_the_best_name_comes_first(locale: str | None, purpose: str | None, found: list[str]) -> None:
    assert list(names(locale, purpose)) == found


def test_a_name_joins_language_and_region_as_its_provider_does() -> None:
    assert list(names("pt-BR", None, joint="_")) == ["pt_br", "pt", ""]
