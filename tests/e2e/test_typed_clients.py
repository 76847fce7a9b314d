"""Typed clients that three generators make from `openapi.yaml` are complete, pass strict checks and work.

A program for each is in `tests/clients`. mypy and tsc check it, and it calls the deployed template.
"""

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from generators.api_doc import SOURCE, Document
from local.template import ROOT
from tests.e2e.conftest import Backend, fresh_number

PROGRAMS = ROOT / "tests/clients"
PACKAGES = ROOT / ".venv/clients"
BIN = Path(sys.prefix) / "bin"
SECONDS = 120

pytestmark = [
    pytest.mark.long,
    pytest.mark.e2e,
    pytest.mark.skipif(not PACKAGES.exists(), reason="the generators are not installed: make .venv/.clients"),
]

DOCUMENT = Document(SOURCE.read_text())
CODES: list[str] = DOCUMENT.root["components"]["schemas"]["Problem"]["properties"]["errorCode"]["enum"]
OPERATIONS = [
    (tag["name"], operation["operationId"])
    for tag in DOCUMENT.root["tags"]
    for _, _, operation in DOCUMENT.operations(tag["name"])
]
BODIES = {
    content["schema"]["$ref"].rpartition("/")[2]
    for methods in DOCUMENT.root["paths"].values()
    for operation in methods.values()
    for content in operation.get("requestBody", {}).get("content", {}).values()
}

ANSWERS: list[list[str | bool]] = [
    ["a code", "sms"],
    ["another at once", "429 RATE_LIMITED"],
    ["it says when", True],
    ["a wrong code", "400 OTP_INCORRECT 4"],
    ["no verification named", "400 INVALID_REQUEST /verificationId"],
    ["one that is unknown", "404 VERIFICATION_NOT_FOUND"],
    ["the right code", "NUMBER"],
    ["its status", "verified"],
    ["a wrong key", "403 FORBIDDEN"],
    ["a plan that is spent", "429 RATE_LIMITED"],
    ["it says when too", True],
]
"""What each program prints."""


def done(command: Sequence[str | Path], folder: Path) -> str:
    """Run a command. Returns its standard output; fails the test with all its output if the command fails."""
    ended = subprocess.run(  # noqa: S603 - commands of our own
        command, cwd=folder, capture_output=True, text=True, timeout=SECONDS, check=False
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout


def node(*command: str | Path) -> list[str | Path]:
    return [BIN / "node", *command]


def snake(name: str) -> str:
    return re.sub("(?<!^)(?=[A-Z])", "_", name).lower()


def whole_in_python() -> str:
    """A module that imports every operation and matches every errorCode."""
    return "\n".join(
        [
            "from typing import assert_never",
            "from sms_otp_client.models.problem_error_code import ProblemErrorCode",
            *(f"from sms_otp_client.api.{tag.lower()} import {snake(name)}" for tag, name in OPERATIONS),
            f"OPERATIONS = [{', '.join(f'{snake(name)}.sync_detailed' for _, name in OPERATIONS)}]",
            "def sentence(code: ProblemErrorCode) -> str:",
            "    match code:",
            *(f"        case ProblemErrorCode.{code}:\n            return '{code}'" for code in CODES),
            "    assert_never(code)",
        ]
    )


def whole_in_typescript() -> str:
    """The same module for both TypeScript clients."""
    names = [name for _, name in OPERATIONS]
    sentences = "; ".join(f"{code}: string" for code in CODES)
    return "\n".join(
        [
            'import type { Problem } from "./hey";',
            'import type { components, operations } from "./schema";',
            f'import {{ {", ".join(names)} }} from "./hey";',
            f"export const sdk = [{', '.join(names)}];",
            f"export const named: (keyof operations)[] = {json.dumps(names)};",
            "type Same<A, B> = [A] extends [B] ? ([B] extends [A] ? true : false) : false;",
            f"type Codes = keyof {{ {sentences} }};",
            "export const fetch: Same<components['schemas']['Problem']['errorCode'], Codes> = true;",
            "export const hey: Same<Problem['errorCode'], Codes> = true;",
        ]
    )


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the client that openapi-python-client makes, and its program."""
    folder = tmp_path_factory.mktemp("python")
    options: list[str | Path] = [
        *("--config", PROGRAMS / "openapi-python-client.yaml"),
        *("--meta", "none"),
        *("--output-path", "sms_otp_client"),
    ]
    generate: list[str | Path] = [PACKAGES / "bin/openapi-python-client", "generate", "--path", SOURCE]
    done([*generate, *options, "--fail-on-warning"], folder)
    shutil.copy(PROGRAMS / "program.py", folder)
    (folder / "whole.py").write_text(whole_in_python())
    return folder


@pytest.fixture(scope="module")
def typescript(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with what openapi-typescript and @hey-api/openapi-ts make, and their programs."""
    folder = tmp_path_factory.mktemp("typescript")
    modules = PACKAGES / "node_modules"
    done(node(modules / "openapi-typescript/bin/cli.js", SOURCE, "-o", "schema.ts"), folder)
    done(node(modules / "@hey-api/openapi-ts/bin/run.js", "-i", SOURCE, "-o", "hey"), folder)
    for program in PROGRAMS.glob("*.ts"):
        shutil.copy(program, folder)
    (folder / "whole.ts").write_text(whole_in_typescript())
    (folder / "node_modules").symlink_to(modules)
    return folder


@pytest.fixture(scope="module")
def compiled(typescript: Path) -> Path:
    """A folder with the programs in JavaScript, which tsc writes only if it finds no error."""
    sources = [each.name for each in typescript.glob("*.ts")]
    strictly = ["--strict", "--module", "nodenext", "--target", "es2023", "--noEmitOnError", "--skipLibCheck"]
    done(
        node(typescript / "node_modules/typescript/bin/tsc", *strictly, "--outDir", "out", *sources),
        typescript,
    )
    return typescript / "out"


def test_openapi_python_client_makes_a_client_that_mypy_checks_strictly(python: Path) -> None:
    options: list[str | Path] = [
        *("--config-file", PROGRAMS / "mypy.ini"),
        *("--python-executable", PACKAGES / "bin/python"),
        *("--cache-dir", ROOT / ".mypy_cache/clients"),
    ]
    done([BIN / "mypy", *options, "program.py", "whole.py"], python)


def test_no_body_is_untyped_in_python(python: Path) -> None:
    taken = {
        match
        for module in (python / "sms_otp_client/api").rglob("*.py")
        for match in re.findall(r"^    body: (.+),$", module.read_text(), re.MULTILINE)
    }
    assert taken == BODIES


def test_tsc_checks_both_typescript_clients_strictly(compiled: Path) -> None:
    assert {"openapi_fetch.js", "hey_api.js", "whole.js"} <= {each.name for each in compiled.iterdir()}


@pytest.fixture
def arguments(backend: Backend) -> Iterator[list[str]]:
    """A program's arguments: API, API key, the key of a plan that allows nothing, sandbox, number."""
    stack = backend.stack
    client = stack.client("apigateway")
    stage = {"apiId": stack.outputs["ApiId"], "stage": stack.base_url.split("/")[-2]}
    plan = client.create_usage_plan(
        name="spent", apiStages=[stage], throttle={"rateLimit": 0, "burstLimit": 0}
    )
    key = client.create_api_key(name="spent", enabled=True)
    client.create_usage_plan_key(usagePlanId=plan["id"], keyId=key["id"], keyType="API_KEY")
    yield [stack.base_url, backend.api_key, key["value"], stack.sandbox_url, fresh_number()]
    client.delete_usage_plan_key(usagePlanId=plan["id"], keyId=key["id"])
    client.delete_api_key(apiKey=key["id"])
    client.delete_usage_plan(usagePlanId=plan["id"])


def check(printed: str, arguments: list[str]) -> None:
    number = arguments[-1]
    expected = [[step, number if answer == "NUMBER" else answer] for step, answer in ANSWERS]
    assert json.loads(printed) == expected


def test_the_client_in_python_works(python: Path, arguments: list[str]) -> None:
    check(done([PACKAGES / "bin/python", "program.py", *arguments], python), arguments)


@pytest.mark.parametrize("program", ["openapi_fetch.js", "hey_api.js"])
def test_the_clients_in_typescript_work(compiled: Path, arguments: list[str], program: str) -> None:
    check(done(node(compiled / program, *arguments), compiled), arguments)
