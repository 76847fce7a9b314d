"""Chooses among a deployment's texts by language and purpose, for providers that allow a choice."""

import re
from collections.abc import Iterator, Mapping

REPLACED = {"in": "id", "iw": "he", "ji": "yi", "jw": "jv", "mo": "ro", "no": "nb", "tl": "fil"}
"""Deprecated language codes and their replacements (CLDR 45, `languageAlias`)."""
REGIONS: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "zh": {"hans": ("cn", "sg", "my"), "hant": ("tw", "hk", "mo")},
    "sr": {"cyrl": ("rs", "ba"), "latn": ("me",)},
}
"""For languages with several scripts, the regions of each script (CLDR 45, `likelySubtags`)."""
_SCRIPT = re.compile("[a-z]{4}")


def names(locale: str | None, purpose: str | None, *, joint: str = "-") -> Iterator[str]:
    """Yield the names to look for, best first: `pt-br/login`, `pt-br`, `pt/login`, `pt`, `/login`, ``.

    The language goes before the purpose: a general text that the user understands is better than one for the
    purpose in another language. `joint` separates language and region. `zh-Hant-TW` finds `zh-tw` and
    `zh-hant`, and `iw` and `he` find each other.
    """
    for words in _languages((locale or "").lower()):
        language = joint.join(words)
        if purpose:
            yield f"{language}/{purpose}"
        yield language


def _languages(locale: str) -> Iterator[tuple[str, ...]]:
    subtag, *rest = locale.split("-")
    language = REPLACED.get(subtag, subtag)
    codes = [language, *(old for old, new in REPLACED.items() if new == language)] if subtag else []
    tried = dict.fromkeys(tuple(rest[:count]) for count in range(len(rest), 0, -1))
    tried |= dict.fromkeys(_other_spellings(language, rest))
    for words in (*tried, ()):
        for code in codes:
            yield (code, *words)
    yield ()


def _other_spellings(language: str, rest: list[str]) -> Iterator[tuple[str, ...]]:
    """Yield a script's regions, or a region's script, in place of it."""
    scripts = REGIONS.get(language, {})
    script = next((word for word in rest if _SCRIPT.fullmatch(word)), None)
    without = tuple(word for word in rest if word != script)
    if script and not scripts:
        yield without
    for each, regions in scripts.items():
        if each == script or (script is None and set(regions) & set(without)):
            yield (each,)
            yield from ((region,) for region in sorted(regions, key=lambda region: region not in without))
