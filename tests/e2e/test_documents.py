"""The commands of README.md, docs/tutorial.md and docs/camara.md do what the pages say."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from local.template import ROOT
from tests.e2e.conftest import Backend, fresh_number

pytestmark = pytest.mark.e2e

BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
NUMBER = "+14155550123"
OTP = "702123"


@dataclass(frozen=True)
class Page:
    """A page's blocks up to a heading, in their order."""

    commands: list[str]
    answers: list[dict[str, object]]

    @classmethod
    def read(cls, path: Path, until: str) -> "Page":
        """Only the curl commands, and every block of JSON."""
        blocks = BLOCK.findall(path.read_text().partition(f"\n{until}\n")[0])
        commands = [text for kind, text in blocks if not kind and text.startswith("curl")]
        return cls(commands, [json.loads(text) for kind, text in blocks if kind == "json"])


def paste(backend: Backend, command: str, instead: Mapping[str, str]) -> str:
    """Run a command in a shell after replacing its example values. Returns what it prints."""
    for example, own in instead.items():
        command = command.replace(example, own)
    variables = {
        "PATH": os.environ["PATH"],
        "API": backend.stack.base_url,
        "KEY": backend.api_key,
        "SANDBOX": backend.stack.sandbox_url,
    }
    done = subprocess.run(  # noqa: S603 - commands of our own pages
        ["/bin/bash", "-c", command], env=variables, capture_output=True, text=True, timeout=60, check=True
    )
    return done.stdout


def test_the_readmes_first_request_and_verification_work_as_written(backend: Backend) -> None:
    page = Page.read(ROOT / "README.md", "## Deploy it")
    request, verify = page.commands
    requested, verified = page.answers
    number = fresh_number()
    got = json.loads(paste(backend, request, {NUMBER: number}))
    assert got == requested | {name: got[name] for name in ("verificationId", "expiresAt")}
    given = {str(requested["verificationId"]): got["verificationId"]}
    code = backend.code(number)
    refused = json.loads(paste(backend, verify, given | {OTP: "111111" if code != "111111" else "222222"}))
    assert refused["errorCode"] == "OTP_INCORRECT"
    right = json.loads(paste(backend, verify, given | {OTP: code}))
    assert right.keys() == verified.keys()
    assert (right["message"], right["phoneNumber"]) == (verified["message"], number)


@pytest.mark.parametrize(
    ("language", "program"), [("python", ["python", "-"]), ("js", ["node", "--input-type=module", "-"])]
)
def test_the_readmes_request_from_a_program_works_as_written(
    backend: Backend, language: str, program: list[str]
) -> None:
    (source,) = (text for kind, text in BLOCK.findall((ROOT / "README.md").read_text()) if kind == language)
    (example,) = re.findall(r"\+1415555\d{4}", source)
    number = fresh_number()
    done = subprocess.run(  # noqa: S603 - a program of our own page
        [Path(sys.executable).parent / program[0], *program[1:]],
        input=source.replace(example, number),
        env={"API": backend.stack.base_url, "KEY": backend.api_key},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert "verificationId" in done.stdout
    assert backend.code(number)


def test_the_tutorials_faults_do_what_it_says(backend: Backend) -> None:
    blocks = BLOCK.findall((ROOT / "docs/tutorial.md").read_text())
    fails, loses = [text for kind, text in blocks if not kind and "/faults" in text]
    number = fresh_number()
    paste(backend, fails, {})
    backend.requested(number)
    assert backend.inbox(number)[0]["provider"] == "sinch"
    number = fresh_number()
    paste(backend, loses, {})
    answer = backend.request(number)
    assert (answer.status_code, answer.json()["errorCode"]) == (503, "PROVIDER_UNAVAILABLE")
    assert {call["provider"] for call in backend.calls("send", number)} == {"infobip"}


def test_the_requests_of_the_camara_page_work_as_written(backend: Backend) -> None:
    page = Page.read(ROOT / "docs/camara.md", "## Errors")
    send, validate = page.commands
    (sent,) = page.answers
    number = fresh_number()
    got = json.loads(paste(backend, send, {NUMBER: number}))
    assert got.keys() == sent.keys()
    given = {str(sent["authenticationId"]): got["authenticationId"], OTP: backend.code(number)}
    assert paste(backend, validate, given).startswith("HTTP/1.1 204")
