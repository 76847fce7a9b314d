"""What each function imports before its first request: by name, for a time differs between machines."""

import os
import subprocess
import sys
from functools import cache

import pytest

from tests.template import ROOT, environment

BOTO = {"botocore", "certifi", "dateutil", "jmespath", "six", "urllib3"}
POWERTOOLS = {"aws_lambda_powertools", "jmespath", "typing_extensions"}
LOGS = POWERTOOLS | BOTO | {"fastjsonschema"}
"""Of every function that reads a body and tells what it decides."""
PROVIDERS = {"certifi", "urllib3"}

ALLOWED = {
    "request_otp": LOGS | PROVIDERS | {"phonenumbers"},
    "resend_otp": LOGS | PROVIDERS | {"phonenumbers"},
    "camara_send_code": LOGS | PROVIDERS | {"phonenumbers"},
    "verify_otp": LOGS | PROVIDERS,
    "camara_validate_code": LOGS | PROVIDERS,
    "cancel_otp": LOGS,
    "otp_status": LOGS,
    "webhooks": LOGS,
    "jwks": LOGS,
    "admin": LOGS | PROVIDERS | {"phonenumbers"},
    "aws_events": LOGS,
    "health": set[str](),
    "deep_health": LOGS | PROVIDERS,
    "provision_infobip": LOGS | PROVIDERS,
}
"""Packages from outside the standard library, by function."""

ONLY_HERE = {"OpenSSL", "cryptography", "cython_runtime"}
"""What botocore imports where it is installed, as it is for the tests and is not on Lambda."""

NEVER = {
    "aws_lambda_powertools.event_handler",
    "aws_lambda_powertools.utilities.circuit_breaker",
    "aws_lambda_powertools.utilities.validation",
    "aws_xray_sdk",
    "boto3",
    "jsonschema",
    "phonenumbers.carrier",
    "phonenumbers.geocoder",
    "phonenumbers.timezone",
    "pydantic",
    "requests",
    "s3transfer",
}
"""Modules that would each cost tens of milliseconds, and that no function needs to start."""

ONLY_WHEN_SENDING = {"sms_otp.providers.aws", "sms_otp.providers.infobip", "sms_otp.providers.sinch"}


@cache
def imported(function: str) -> frozenset[str]:
    """What a new interpreter has imported when the function is ready, as Lambda starts it."""
    program = f"import {function}.app, sys; print(*sys.modules)"
    variables = {
        **environment(),
        "AWS_DEFAULT_REGION": "eu-west-1",
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
        "PATH": os.defpath,
        "PYTHONPATH": os.pathsep.join((str(ROOT / "functions"), str(ROOT / "layers/core"))),
    }
    done = subprocess.run(  # noqa: S603 - a command of our own, no shell
        [sys.executable, "-c", program], env=variables, capture_output=True, text=True, timeout=60, check=True
    )
    return frozenset(done.stdout.split())


def packages(modules: frozenset[str]) -> set[str]:
    """Those from outside the standard library and our own code."""
    found = {name.partition(".")[0] for name in modules} - sys.stdlib_module_names
    known = {"sms_otp", "snapshot_restore_py", *ALLOWED, *ONLY_HERE}
    return {name for name in found - known if not name.startswith("_")}


def test_every_function_has_its_packages_named() -> None:
    assert {path.parent.name for path in (ROOT / "functions").glob("*/app.py")} == ALLOWED.keys()


@pytest.mark.parametrize("function", ALLOWED)
def test_a_function_imports_no_package_that_is_not_named(function: str) -> None:
    assert packages(imported(function)) - ALLOWED[function] == set()


@pytest.mark.parametrize("function", ALLOWED)
def test_a_function_starts_without_what_is_slow_and_not_needed(function: str) -> None:
    assert imported(function) & NEVER == set()


def test_a_function_that_asks_no_provider_imports_no_adapter() -> None:
    for function in ("cancel_otp", "otp_status", "health"):
        assert imported(function) & ONLY_WHEN_SENDING == set(), function


def test_health_imports_nothing_of_ours_but_itself() -> None:
    assert {name for name in imported("health") if name.startswith("sms_otp")} == set()
