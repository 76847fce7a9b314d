"""The modules that a function imports before its first request. By name: a time differs between machines."""

import ast
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from local.template import ROOT, environment

BOTO = {"boto3", "botocore", "certifi", "dateutil", "jmespath", "s3transfer", "six", "urllib3"}
POWERTOOLS = {"aws_lambda_powertools", "jmespath", "typing_extensions"}
LOGS = POWERTOOLS | BOTO | {"fastjsonschema"}
"""Packages of every function that reads a body and emits events."""
PROVIDERS = {"certifi", "charset_normalizer", "idna", "requests", "urllib3"}

ALLOWED = {
    "request_otp": LOGS | PROVIDERS | {"phonenumbers"},
    "resend_otp": LOGS | PROVIDERS | {"phonenumbers"},
    "verify_otp": LOGS | PROVIDERS,
    "cancel_otp": LOGS,
    "otp_status": LOGS,
    "webhooks": LOGS,
    "jwks": LOGS,
    "admin": LOGS | PROVIDERS | {"phonenumbers"},
    "aws_events": LOGS,
    "twilio_authorizer": set[str](),
    "publish_events": LOGS,
    "health": set[str](),
    "deep_health": LOGS | PROVIDERS,
    "provision_infobip": LOGS | PROVIDERS,
    "check_settings": LOGS | PROVIDERS | {"phonenumbers"},
}
"""Packages from outside the standard library, by function."""

ONLY_HERE = {"OpenSSL", "cryptography", "cython_runtime"}
"""Packages that botocore imports where they are installed: in the tests, not on Lambda."""

NEVER = {
    "aws_lambda_powertools.event_handler",
    "aws_lambda_powertools.utilities.circuit_breaker",
    "aws_lambda_powertools.utilities.validation",
    "aws_xray_sdk",
    "jsonschema",
    "phonenumbers.carrier",
    "phonenumbers.geocoder",
    "phonenumbers.timezone",
    "pydantic",
}
"""Modules that would each cost tens of milliseconds, and that no function needs to start."""

OF_THE_RUNTIME = {"boto3", "botocore", "snapshot_restore_py"}
"""Packages that Lambda's own Python has."""

ONLY_WHEN_SENDING = {
    "sms_otp.adapters.providers.aws",
    "sms_otp.adapters.providers.infobip",
    "sms_otp.adapters.providers.sinch",
}


@cache
def imported(function: str) -> frozenset[str]:
    """The modules that a new interpreter has imported when the function is ready, as Lambda starts it."""
    return frozenset(started(function, "import sys; print(*sys.modules)").split())


def started(function: str, program: str) -> str:
    """The output of a program in a new interpreter where the function is ready, as Lambda starts it."""
    variables = {
        **environment(),
        "AWS_DEFAULT_REGION": "eu-west-1",
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
        "PATH": os.defpath,
        "PYTHONPATH": os.pathsep.join((str(ROOT / "functions"), str(ROOT / "layers/core"))),
    }
    command = [sys.executable, "-c", f"import {function}.app; {program}"]
    done = subprocess.run(command, env=variables, capture_output=True, text=True, timeout=60, check=True)  # noqa: S603 - a command of our own, no shell
    return done.stdout


def packages(modules: frozenset[str]) -> set[str]:
    """The packages from outside the standard library and our own code."""
    found = {name.partition(".")[0] for name in modules} - sys.stdlib_module_names
    known = {"sms_otp", "snapshot_restore_py", *ALLOWED, *ONLY_HERE}
    return {name for name in found - known if not name.startswith("_")}


def test_every_function_has_its_packages_named() -> None:
    assert {path.parent.name for path in (ROOT / "functions").glob("*/app.py")} == ALLOWED.keys()


@pytest.mark.parametrize("function", ALLOWED)
def test_a_function_imports_no_package_that_is_not_named(function: str) -> None:
    assert packages(imported(function)) - ALLOWED[function] == set()


@pytest.mark.parametrize("function", ALLOWED)
def test_a_function_imports_no_slow_module_that_it_does_not_need(function: str) -> None:
    assert imported(function) & NEVER == set()


def test_a_function_that_calls_no_provider_imports_no_adapter() -> None:
    for function in ("cancel_otp", "otp_status", "health"):
        assert imported(function) & ONLY_WHEN_SENDING == set(), function


def test_verify_imports_no_module_of_sending() -> None:
    sending = {f"sms_otp.use_cases.{name}" for name in ("request", "resend", "sending", "delivery")}
    assert imported("verify_otp") & sending == set()


def test_health_imports_no_other_module_of_ours() -> None:
    assert {name for name in imported("health") if name.startswith("sms_otp")} == set()


def imported_anywhere(tree: ast.AST) -> Iterator[str]:
    """The modules that a file imports anywhere in it, except those for a type checker only."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        if isinstance(node, ast.ImportFrom):
            yield node.module or ""
        yield from imported_anywhere(node)


def in_the_layer() -> set[str]:
    """The packages that the lock of the layer names."""
    lock = (ROOT / "layers/dependencies/requirements.txt").read_text()
    return {name.replace("-", "_") for name in re.findall(r"^([a-z0-9-]+)==", lock, re.MULTILINE)}


def deployed() -> list[Path]:
    return [*(ROOT / "layers/core").rglob("*.py"), *(ROOT / "functions").rglob("*.py")]


@pytest.mark.parametrize("path", deployed(), ids=lambda path: str(path.relative_to(ROOT)))
def test_every_imported_package_exists_on_lambda(path: Path) -> None:
    """More packages are installed here, so one that left the layer would be missing only on Lambda."""
    found = {name.partition(".")[0] for name in imported_anywhere(ast.parse(path.read_text()))}
    there = sys.stdlib_module_names | in_the_layer() | OF_THE_RUNTIME | {"sms_otp"} | ALLOWED.keys()
    assert found <= there


def test_a_ready_function_collects_garbage_except_its_startup_objects() -> None:
    printed = started("otp_status", "import gc; print(gc.isenabled(), gc.get_freeze_count() > 10_000)")
    assert printed.split() == ["True", "True"]
