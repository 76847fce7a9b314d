"""The form's README names every attribute, event, custom property, part and slot, and no other."""

import re

import pytest

from local.template import ROOT

FORM = ROOT / "web/otp-form"
README = (FORM / "README.md").read_text()
SOURCE = "\n".join(path.read_text() for path in sorted(FORM.glob("*.js")))
TEXT_NAME = r'^  "?([a-z-]+)"?: "'


def section(title: str) -> str:
    return README.split(f"\n## {title}\n")[1].split("\n## ")[0]


def first_column(title: str) -> set[str]:
    """What is quoted in the first cells of a section's tables."""
    cells = re.findall(r"^\| (`.+?) \|", section(title), re.MULTILINE)
    return {word for cell in cells for word in re.findall("`([^`]+)`", cell)}


def test_every_attribute_is_listed() -> None:
    read = set(re.findall(r'(?:getAttribute|hasAttribute)\("([a-z-]+)"', SOURCE))
    read -= {"step", "aria-disabled"}
    # By which name a request's address is looked up, and the nearest language.
    read |= set(re.findall(r'#post\("([a-z-]+)"', SOURCE)) | {"lang"}
    listed = {
        word for word in first_column("Attributes, properties, methods") if re.fullmatch("[a-z-]+", word)
    }
    assert listed == read


@pytest.mark.parametrize(
    ("title", "pattern", "listed"),
    [
        ("Events", r'#emit\("([a-z-]+)"', r"`(otp-[a-z]+)`"),
        ("Looks", r"var\((--otp-[a-z-]+)", r"`(--otp-[a-z-]+)`"),
    ],
)
def test_every_event_and_custom_property_is_listed(title: str, pattern: str, listed: str) -> None:
    assert set(re.findall(listed, section(title))) == set(re.findall(pattern, SOURCE))


def test_every_part_and_slot_is_listed() -> None:
    parts = {name for names in re.findall(r'part: "([a-z -]+)"', SOURCE) for name in names.split()}
    slots = set(re.findall(r'"slot", \{ name: "([a-z]+)"', SOURCE))
    named = set(re.findall("`([a-z-]+)`", section("Looks").split("Parts for")[1]))
    assert named == parts | slots


def test_every_text_is_used_and_every_text_that_is_used_exists() -> None:
    named = set(re.findall(TEXT_NAME, (FORM / "texts.js").read_text(), re.MULTILINE))
    used = set(re.findall(r'say\(\s*"([a-z-]+)"', SOURCE))
    # Chosen by a condition, a channel or an errorCode.
    chosen = set(re.findall(r'\? "([a-z-]+)" : "([a-z-]+)"', SOURCE))
    used |= {name for pair in chosen for name in pair}
    assert used <= named
    unused = {name for name in named - used if not name.startswith(("error-", "sent-", "attempts-left-"))}
    assert unused == set()


def test_no_module_is_longer_than_a_screenful_of_screens() -> None:
    for path in (*FORM.glob("*.js"), *(ROOT / "local/sandbox/www").glob("*.js")):
        assert len(path.read_text().splitlines()) < 400, path
