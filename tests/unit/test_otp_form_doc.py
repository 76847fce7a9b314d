"""The form's README and types name every attribute, event, custom property, part and slot, and no other."""

import re

import pytest

from local.template import ROOT

FORM = ROOT / "web/otp-form"
README = (FORM / "README.md").read_text()
TYPES = (FORM / "otp-form.d.ts").read_text()
REACT = (FORM / "react.d.ts").read_text()
SOURCES = {path.name: path.read_text() for path in sorted(FORM.glob("*.js"))}
SOURCE = "\n".join(SOURCES.values())
TEXT_NAME = r'^  "?([a-z-]+)"?: "'
EVENT = r"(otp-(?:step|error|verified)|challenge-required)"


def section(title: str) -> str:
    return README.split(f"\n## {title}\n")[1].split("\n## ")[0]


def first_column(title: str) -> set[str]:
    """The quoted words in the first cells of a section's tables."""
    cells = re.findall(r"^\| (`.+?) \|", section(title), re.MULTILINE)
    return {word for cell in cells for word in re.findall("`([^`]+)`", cell)}


def attributes() -> set[str]:
    """The attributes that the source reads."""
    read = set(re.findall(r'(?:getAttribute|hasAttribute)\("([a-z-]+)"', SOURCE))
    # The attributes that name the address of a request.
    return read | set(re.findall(r'#post\("([a-z-]+)"', SOURCE))


def members() -> set[str]:
    """The element's own properties and methods."""
    found = re.findall(r"^  set (\w+)\(|^  ([a-z]\w+)\(.*\) \{$", SOURCES["otp-form.js"], re.MULTILINE)
    return {name for pair in found for name in pair if name and not name.endswith("Callback")}


def test_every_attribute_is_listed() -> None:
    listed = {
        word for word in first_column("Attributes, properties, methods") if re.fullmatch("[a-z-]+", word)
    }
    methods = {word for word in listed if "-" not in word and word in members()}
    # `lang` is read from the nearest element that has one.
    assert listed - methods == attributes() | {"lang"}


def test_every_property_and_method_is_listed_and_typed() -> None:
    listed = {
        re.split(r"[ (]", word)[0]
        for word in first_column("Attributes, properties, methods")
        if re.match(r"[a-z]+[A-Z]|\w+ =|\w+\(", word)
    }
    assert listed == members()
    of_class = TYPES.split("export class OtpForm")[1]
    assert members() <= set(re.findall(r"^  (?:set )?(\w+)[:(]", of_class, re.MULTILINE))


@pytest.mark.parametrize(
    ("title", "pattern", "listed"),
    [
        ("Events", r'#emit\("([a-z-]+)"', f"`{EVENT}`"),
        ("Looks", r"var\((--otp-[a-z-]+)", r"`(--otp-[a-z-]+)`"),
    ],
)
def test_every_event_and_custom_property_is_listed(title: str, pattern: str, listed: str) -> None:
    assert set(re.findall(listed, section(title))) == set(re.findall(pattern, SOURCE))


def test_every_event_and_attribute_is_typed() -> None:
    emitted = set(re.findall(r'#emit\("([a-z-]+)"', SOURCE))
    assert set(re.findall(rf'^  "{EVENT}": CustomEvent', TYPES, re.MULTILINE)) == emitted
    assert set(re.findall(rf'"on{EVENT}"', REACT)) == emitted
    props = REACT.split("interface OtpFormProps")[1]
    assert attributes() <= set(re.findall(r'^  "?([a-z-]+)"?\??:', props, re.MULTILINE))


def test_every_part_and_slot_is_listed() -> None:
    parts = {name for names in re.findall(r'part: "([a-z -]+)"', SOURCE) for name in names.split()}
    slots = set(re.findall(r'"slot", \{ name: "([a-z]+)"', SOURCE))
    named = set(re.findall("`([a-z-]+)`", section("Looks").split("Parts for")[1]))
    assert named == parts | slots


def test_every_text_is_used_and_every_text_that_is_used_exists() -> None:
    texts = SOURCES["texts.js"]
    named = set(re.findall(TEXT_NAME, texts, re.MULTILINE))
    elsewhere = "\n".join(source for name, source in SOURCES.items() if name != "texts.js")
    said = set(re.findall(r'say\(\s*"([a-z-]+)"', elsewhere))
    assert said <= named
    quoted = set(re.findall(r'"([a-z-]+)"', elsewhere)) | {"error-unknown"}
    # Chosen by an errorCode or a plural.
    unused = {name for name in named - quoted if not name.startswith(("error-", "attempts-left-"))}
    assert unused == set()


def test_every_module_has_fewer_than_400_lines() -> None:
    for path in (*FORM.glob("*.js"), *(ROOT / "local/sandbox/www").glob("*.js")):
        assert len(path.read_text().splitlines()) < 400, path
