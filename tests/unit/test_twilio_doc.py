"""`docs/twilio.md` maps our error codes to Twilio's, and lists the ignored parameters."""

import re

from local.template import ROOT
from sms_otp.entry_points import twilio
from tests.unit.test_security_doc import quoted, table

PAGE = ROOT / "docs/twilio.md"


def test_the_table_of_errors_matches_the_code() -> None:
    *rows, other = table(PAGE, "## Errors")
    ours, status, code = rows[0]
    documented = {
        quoted(row[ours])[0]: (int(row[status]), int(re.findall("[0-9]{5}", row[code])[0])) for row in rows
    }
    assert documented == {name: words[:2] for name, words in twilio.WORDS.items()}
    (kind,) = [row for row in rows if row[ours] == "`DESTINATION_NOT_ALLOWED`"]
    assert {str(code_of) for _, code_of, _ in twilio.BY_REASON.values()} <= set(
        re.findall("[0-9]{5}", kind[code])
    )
    assert (int(other[status]), int(other[code])) == twilio.OTHERWISE[:2]


def test_the_ignored_parameters_are_documented() -> None:
    (row,) = re.findall(r"^\| (.*) \| taken, without effect \|$", PAGE.read_text(), re.MULTILINE)
    assert set(row.split(", ")) == twilio.IGNORED
