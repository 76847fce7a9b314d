"""`python -m generators.codes_doc`: write the registry of the vendors' codes into `docs/providers.md`."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from sms_otp.adapters.providers import aws_codes, infobip_codes, sinch_codes
from sms_otp.adapters.providers.codes import Code

PAGE = Path(__file__).parent.parent / "docs/providers.md"
BEGIN, END = "<!-- codes: made by `make docs` -->\n", "<!-- end of codes -->\n"

VENDORS: Mapping[str, Sequence[Code]] = {
    "Infobip": (*infobip_codes.STATUSES, *infobip_codes.ANSWERS, *infobip_codes.ERRORS),
    "Sinch": (*sinch_codes.ERRORS, *sinch_codes.STATUSES, *sinch_codes.REASONS, *sinch_codes.EVENTS),
    "AWS": (*aws_codes.EXCEPTIONS, *aws_codes.REASONS, *aws_codes.EVENTS),
}


def registry() -> str:
    """A heading and a table for each vendor, in Markdown."""
    return "\n".join(line for vendor, codes in VENDORS.items() for line in _section(vendor, codes))


def with_registry(page: str) -> str:
    """The page with the registry between its markers. Raises `ValueError` if a marker is missing."""
    before, rest = _parted(page, BEGIN)
    _, after = _parted(rest, END)
    return f"{before}{BEGIN}\n{registry()}\n{END}{after}"


def _section(vendor: str, codes: Sequence[Code]) -> Iterator[str]:
    yield f"### {vendor}"
    yield ""
    yield "| where | id | code | means | delivery | outcome |"
    yield "| --- | --- | --- | --- | --- | --- |"
    for code in codes:
        cells = (code.group, code.id, code.name, code.meaning, code.delivery, code.kind or "")
        yield f"| {' | '.join(cells)} |".replace("|  |", "| |").replace("|  |", "| |")
    yield ""


def _parted(text: str, mark: str) -> tuple[str, str]:
    before, found, after = text.partition(mark)
    if not found:
        raise ValueError(f"{PAGE.name} lacks the line {mark.strip()}")
    return before, after


if __name__ == "__main__":
    PAGE.write_text(with_registry(PAGE.read_text()))
