"""A token signed by the emulated KMS, checked with the code that `docs/tokens.md` gives to other services."""

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jwt
import pytest
import requests

from local.stack import LocalStack
from local.template import ROOT
from tests.e2e.conftest import Backend, fresh_number
from tests.e2e.test_iam_enforced import without

pytestmark = pytest.mark.e2e

PAGE = (ROOT / "docs/tokens.md").read_text()
BIN = Path(sys.prefix) / "bin"
PACKAGES = ROOT / ".venv/tokens/node_modules"

CHECK_IN_NODE = """
import { claimsOf } from "./claims.mjs";
try { console.log(JSON.stringify(await claimsOf(process.env.TOKEN))); }
catch (error) { console.log(JSON.stringify({ refused: error.code })); }
"""

Checked = dict[str, Any]
Check = Callable[[str, dict[str, str]], Checked]


def block(language: str) -> str:
    """The one block of the page in this language."""
    (found,) = re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)
    return str(found)


def by_python(token: str, expected: dict[str, str]) -> Checked:
    names: dict[str, Any] = dict(expected)
    exec(block("python"), names)  # noqa: S102 # our own page
    try:
        return dict(names["claims_of"](token))
    except jwt.PyJWTError as error:
        return {"refused": type(error).__name__}


def by_node(token: str, expected: dict[str, str], folder: Path) -> Checked:
    (folder / "node_modules").symlink_to(PACKAGES)
    (folder / "claims.mjs").write_text(block("js"))
    (folder / "check.mjs").write_text(CHECK_IN_NODE)
    variables = {"PATH": os.environ["PATH"], "TOKEN": token, **expected}
    command = [str(BIN / "node"), "check.mjs"]
    done = subprocess.run(command, cwd=folder, env=variables, check=True, capture_output=True, timeout=60)  # noqa: S603 # a program of our own page
    return dict(json.loads(done.stdout))


@pytest.fixture(params=["python", "node"])
def check(request: pytest.FixtureRequest, tmp_path: Path) -> Check:
    """The page's check in one language."""
    if request.param == "python":
        return by_python
    return lambda token, expected: by_node(token, expected, tmp_path)


@pytest.fixture
def backend(with_tokens: LocalStack) -> Backend:
    return Backend(with_tokens, with_tokens.api_key)


def verified(backend: Backend, **fields: Any) -> dict[str, Any]:
    """The answer to a right code."""
    number = fresh_number()
    verification_id = backend.requested(number, **fields)
    answer = backend.verify(verification_id, backend.code(number))
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def tenant_of(token: str) -> str:
    """The tenant in the token: the emulated API Gateway does not say which key was used."""
    return str(jwt.decode(token, options={"verify_signature": False})["aud"])


def test_a_right_code_is_answered_with_a_token_that_others_can_check(backend: Backend, check: Check) -> None:
    answer = verified(backend, purpose="login")
    token = answer["verificationToken"]
    expected = {
        "JWKS_URL": f"{backend.stack.base_url}/.well-known/jwks.json",
        "ISSUER": "https://verify.example.com",
        "TENANT": tenant_of(token),
    }
    claims = check(token, expected)
    assert (claims["purpose"], claims["exp"] - claims["iat"]) == ("login", 300)
    assert abs(claims["iat"] - time.time()) < 60
    assert answer["phoneNumber"].removeprefix("+") not in json.dumps(claims)


@pytest.mark.parametrize(
    ("given", "python", "node"),
    [
        ("ISSUER", "InvalidIssuerError", "ERR_JWT_CLAIM_VALIDATION_FAILED"),
        ("TENANT", "InvalidAudienceError", "ERR_JWT_CLAIM_VALIDATION_FAILED"),
    ],
)
def test_a_token_of_another_issuer_or_audience_is_refused(
    backend: Backend, check: Check, given: str, python: str, node: str
) -> None:
    token = verified(backend)["verificationToken"]
    expected = {
        "JWKS_URL": f"{backend.stack.base_url}/.well-known/jwks.json",
        "ISSUER": "https://verify.example.com",
        "TENANT": tenant_of(token),
    }
    assert check(token, expected | {given: "another"}) in ({"refused": python}, {"refused": node})


def test_the_public_keys_need_no_api_key_and_may_be_cached(
    with_tokens: LocalStack, stack: LocalStack
) -> None:
    answer = requests.get(f"{with_tokens.base_url}/.well-known/jwks.json", timeout=30)
    assert (answer.status_code, answer.headers["Cache-Control"]) == (200, "public, max-age=300")
    (key,) = answer.json()["keys"]
    assert (key["kty"], key["crv"], key["alg"]) == ("OKP", "Ed25519", "EdDSA")
    without_tokens = requests.get(f"{stack.base_url}/.well-known/jwks.json", timeout=30)
    assert (without_tokens.status_code, without_tokens.json()) == (200, {"keys": []})


def test_a_user_is_verified_without_a_token_if_the_key_may_not_sign(backend: Backend) -> None:
    with without(backend.stack, "VerifyOtpRole", "kms:Sign"):
        answer = verified(backend)
    assert "verificationToken" not in answer
    assert answer["message"] == "The code is right. A verificationToken could not be made."
    assert "verificationToken" in verified(backend)
