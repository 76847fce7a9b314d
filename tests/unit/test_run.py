"""`make run`: its guide, the values that it refuses before it starts, and its end."""

import re
import shlex
import sys
from pathlib import Path

import pytest

from local import run, stack
from local.processes import Child
from local.stack import LocalStack
from local.stack_file import LocalStackError, StackFile
from tests.make import make

API = "http://127.0.0.1:4566/restapis/0a1b2c3d/v1/_user_request_"
KEY = "the-key-of-the-first-tenant"
IGNORES_SIGTERM = """
import signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("ready", flush=True)
time.sleep(60)
"""


@pytest.fixture
def printed() -> str:
    """The guide of one stack."""
    return run.guide(
        StackFile(
            API, KEY, "http://127.0.0.1:4600", "http://127.0.0.1:4566", "us-east-1", "a-stack", "second"
        )
    )


def test_two_export_lines_set_the_variables_of_every_command(printed: str) -> None:
    exports = [shlex.split(line) for line in printed.splitlines() if line.startswith("export ")]
    assert exports == [["export", f"API={API}"], ["export", f"KEY={KEY}"]]
    assert (printed.count(API), printed.count(KEY)) == (1, 1)
    requests = re.findall(r'curl -sS "\$API/(\S+)" -H "x-api-key: \$KEY"', printed)
    assert requests == ["request-otp", "verify-otp"]


def test_the_guide_mentions_missing_npm_packages(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    stack_file = StackFile(API, KEY, "http://127.0.0.1:4600", "", "", "", "")
    monkeypatch.setattr(run, "PHONE_LIBRARY", tmp_path / "missing")
    assert "npm" in run.guide(stack_file)
    monkeypatch.setattr(run, "PHONE_LIBRARY", tmp_path)
    assert "npm" not in run.guide(stack_file)


def test_without_npms_registry_the_stack_starts_and_says_what_is_missing(tmp_path: Path) -> None:
    printed = make(tmp_path, "run", "NPM=false", "PROVIDERS=sinch")
    assert "the npm packages cannot be installed" in printed
    assert "started: -m local.run" in printed
    assert "--providers sinch" in printed
    assert not (tmp_path / ".venv/.web").exists()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ProviderOrder", "infobip,twilio"),
        ("ProviderOrder", "Infobip"),
        ("ProviderOrder", "infobip sinch"),
        ("SinchAuth", "token"),
        ("CodeLength", "99"),
        ("MaxAttempts", "many"),
        ("NoSuchParameter", "1"),
    ],
)
def test_a_value_that_the_template_does_not_allow_is_refused_before_anything_starts(
    name: str, value: str
) -> None:
    with pytest.raises(LocalStackError, match=name):
        LocalStack(port=1, sandbox_port=2, parameters={name: value}).__enter__()


def test_every_parameter_of_the_local_stack_is_allowed() -> None:
    stack._require_allowed({**stack.PARAMETERS, "ProviderOrder": "sinch,infobip"})


def test_the_keys_are_the_same_from_run_to_run(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(stack, "LOCAL", tmp_path)
    first, second = stack._kept_api_keys()
    assert (first, second) == stack._kept_api_keys()
    assert first != second
    assert len(first) >= 20


def test_children_that_ignore_sigterm_are_waited_for_together(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("local.processes.STOP_SECONDS", 0.2)
    waits: list[float] = []
    children = [
        Child(name, [sys.executable, "-c", IGNORES_SIGTERM], {}, tmp_path / name) for name in ("one", "two")
    ]
    for child in children:
        while "ready" not in child.log.read_text():
            child.check()
        waits.append(child.begin_to_stop())
    for child in children:
        child.stop()
        with pytest.raises(LocalStackError):
            child.check()
    # The wait for the end did not start again.
    assert [child.begin_to_stop() for child in children] == waits
