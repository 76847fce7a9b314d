"""`make provision-check` explains the words that it prints."""

import re
from types import SimpleNamespace

import pytest

from ops import provision_check
from sms_otp.setup.provisioning import Found


def test_the_table_is_followed_by_an_explanation_of_its_words(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["provision_check"])
    monkeypatch.setattr(provision_check, "find", lambda _name: SimpleNamespace())
    monkeypatch.setattr(provision_check, "look", lambda _stack: [Found("application", {}, None)])
    with pytest.raises(SystemExit) as ended:
        provision_check.main()
    assert ended.value.code == 1
    printed, _, explained = capsys.readouterr().out.partition("\n\n")
    assert printed.splitlines()[-1].split() == ["application", "missing"]
    for word in ("desired", "weaker", "differs", "missing", "longer than one SMS"):
        assert re.search(rf"\b{word}: ", explained)
