"""What README.md and docs/camara.md have one paste is pasted, and answered as they show."""

import json
import os
import re
import subprocess
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
        """Only what is called with curl; and each JSON that is shown."""
        blocks = BLOCK.findall(path.read_text().partition(f"\n{until}\n")[0])
        commands = [text for kind, text in blocks if not kind and text.startswith("curl")]
        return cls(commands, [json.loads(text) for kind, text in blocks if kind == "json"])


def paste(backend: Backend, command: str, instead: Mapping[str, str]) -> str:
    """What a shell prints for it, once what is only an example in it was replaced."""
    for example, own in instead.items():
        command = command.replace(example, own)
    variables = {"PATH": os.environ["PATH"], "API": backend.stack.base_url, "KEY": backend.api_key}
    done = subprocess.run(  # noqa: S603 - commands of our own pages
        ["/bin/bash", "-c", command], env=variables, capture_output=True, text=True, timeout=60, check=True
    )
    return done.stdout


def test_the_readmes_first_request_and_verification_work_as_they_stand(backend: Backend) -> None:
    page = Page.read(ROOT / "README.md", "## What it does")
    ask, verify = page.commands
    asked, verified, wrong = page.answers
    number = fresh_number()
    got = json.loads(paste(backend, ask, {NUMBER: number}))
    assert got == asked | {name: got[name] for name in ("verificationId", "expiresAt")}
    given = {str(asked["verificationId"]): got["verificationId"]}
    code = backend.code(number)
    refused = json.loads(paste(backend, verify, given | {OTP: "111111" if code != "111111" else "222222"}))
    assert refused == wrong | {"instance": refused["instance"]}
    right = json.loads(paste(backend, verify, given | {OTP: code}))
    assert right.keys() == verified.keys()
    assert (right["message"], right["phoneNumber"]) == (verified["message"], number)


def test_the_requests_in_camaras_words_work_as_they_stand(backend: Backend) -> None:
    page = Page.read(ROOT / "docs/camara.md", "## Errors")
    send, validate = page.commands
    (sent,) = page.answers
    number = fresh_number()
    got = json.loads(paste(backend, send, {NUMBER: number}))
    assert got.keys() == sent.keys()
    given = {str(sent["authenticationId"]): got["authenticationId"], OTP: backend.code(number)}
    assert paste(backend, validate, given).startswith("HTTP/1.1 204")
