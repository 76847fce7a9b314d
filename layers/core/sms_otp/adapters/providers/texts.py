"""Which of a deployment's texts a message is sent in, where the provider lets the text be chosen."""

import re
from collections.abc import Iterator, Mapping

REPLACED = {"in": "id", "iw": "he", "ji": "yi", "jw": "jv", "mo": "ro", "no": "nb", "tl": "fil"}
"""Codes of languages that others have replaced (CLDR 45, `languageAlias`)."""
REGIONS: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "zh": {"hans": ("cn", "sg", "my"), "hant": ("tw", "hk", "mo")},
    "sr": {"cyrl": ("rs", "ba"), "latn": ("me",)},
}
"""Where a language is written in several scripts: each script's regions (CLDR 45, `likelySubtags`)."""
_SCRIPT = re.compile("[a-z]{4}")


def names(locale: str | None, purpose: str | None, *, joint: str = "-") -> Iterator[str]:
    """The names to look for, the best first: `pt-br/login`, `pt-br`, `pt/login`, `pt`, `/login`, ``.

    The language goes before the purpose: a text for any purpose that is understood is better than the right
    one that is not. `joint` is what a name has between language and region. `zh-Hant-TW` finds `zh-tw` and
    `zh-hant`, and `iw` and `he` find each other.
    """
    for words in _languages((locale or "").lower()):
        language = joint.join(words)
        if purpose:
            yield f"{language}/{purpose}"
        yield language


def _languages(locale: str) -> Iterator[tuple[str, ...]]:
    given, *rest = locale.split("-")
    language = REPLACED.get(given, given)
    codes = [language, *(old for old, new in REPLACED.items() if new == language)] if given else []
    tried = dict.fromkeys(tuple(rest[:count]) for count in range(len(rest), 0, -1))
    tried |= dict.fromkeys(_other_spellings(language, rest))
    for words in (*tried, ()):
        for code in codes:
            yield (code, *words)
    yield ()


def _other_spellings(language: str, rest: list[str]) -> Iterator[tuple[str, ...]]:
    """A script by its regions, a region by its script."""
    scripts = REGIONS.get(language, {})
    script = next((word for word in rest if _SCRIPT.fullmatch(word)), None)
    without = tuple(word for word in rest if word != script)
    if script and not scripts:
        yield without
    for each, regions in scripts.items():
        if each == script or (script is None and set(regions) & set(without)):
            yield (each,)
            yield from ((region,) for region in sorted(regions, key=lambda region: region not in without))
