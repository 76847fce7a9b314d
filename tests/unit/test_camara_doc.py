"""`docs/camara.md` maps each error code to the code of the standard."""

from local.template import ROOT
from sms_otp.entry_points import camara, http
from tests.unit.test_security_doc import quoted, table

NEVER = {"FORBIDDEN", "REQUEST_IN_PROGRESS", "IDEMPOTENCY_KEY_REUSED"}
"""Codes of callbacks and of requests with an Idempotency-Key, which the standard does not have."""
FAULTS = {"SERVICE_MISCONFIGURED", "INTERNAL_ERROR"}


def test_the_table_of_errors_is_the_codes() -> None:
    *rows, other = table(ROOT / "docs/camara.md", "## Errors")
    code, status, theirs = rows[0]
    documented = {quoted(row[code])[0]: (int(row[status]), quoted(row[theirs])[0]) for row in rows}
    assert documented == {ours: words[:2] for ours, words in camara.WORDS.items()}
    assert (int(other[status]), quoted(other[theirs])[0]) == camara.OTHERWISE[:2]


def test_every_error_code_has_words_or_is_a_fault_or_cannot_happen() -> None:
    assert camara.WORDS.keys() == http.PROBLEMS.keys() - NEVER - FAULTS
