"""The examples' backends before a service that is down, misconfigured or slow; without a deployment."""

import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import requests
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from local.sandbox.server import running_sandbox
from tests.examples import EXAMPLES, START_SECONDS, command, running_example

API_KEY = "the-key-that-stays-in-the-backend"
NUMBER = "+14155550123"
DOWN = {"success": False, "errorCode": "PROVIDER_UNAVAILABLE", "status": 503, "retryAfter": 5}


@dataclass
class Service:
    """Stands in for the API: gives one answer, and keeps the keys of what it was asked."""

    status: int = 503
    body: Any = None
    keys: list[str] = field(default_factory=list)

    async def answer(self, request: Request) -> Response:
        self.keys.append(request.headers["idempotency-key"])
        return JSONResponse(self.body, self.status)


@dataclass
class Example:
    """One of the backends, what is behind it, and what it wrote."""

    url: str
    service: Service
    log: Path


@pytest.fixture(scope="module", params=["fastapi", "express"])
def example(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Example]:
    service = Service()
    stand_in = Starlette(routes=[Route("/{path:path}", service.answer, methods=["POST"])])
    log = tmp_path_factory.mktemp(request.param) / "log"
    with (
        running_sandbox(app=stand_in) as api,
        running_example(request.param, api, API_KEY, log) as url,
    ):
        yield Example(url, service, log)


def test_a_click_that_failed_and_is_sent_again_is_the_same_click(example: Example) -> None:
    example.service.status, example.service.body = 503, DOWN
    browser = requests.Session()
    for _ in range(2):
        body, click = {"phoneNumber": NUMBER}, {"Idempotency-Key": "one-click"}
        answer = browser.post(f"{example.url}/request-code", json=body, headers=click, timeout=10)
        assert (answer.status_code, answer.json()["errorCode"]) == (503, "PROVIDER_UNAVAILABLE")
    first, again = example.service.keys[-2:]
    assert first == again


@pytest.mark.parametrize(
    ("status", "body"),
    [(403, {"errorCode": "FORBIDDEN"}), (403, {"message": "Forbidden"}), (500, None), (500, [])],
)
def test_what_is_no_users_to_mend_is_one_sentence_and_a_line_of_the_log(
    example: Example, status: int, body: Any
) -> None:
    example.service.status, example.service.body = status, body
    before = len(example.log.read_text())
    answer = requests.post(f"{example.url}/request-code", json={"phoneNumber": NUMBER}, timeout=10)
    assert (answer.status_code, answer.json()["errorCode"]) == (503, "SERVICE_UNAVAILABLE")
    told = example.log.read_text()[before:]
    assert f"/request-otp: {status}" in told
    assert NUMBER not in told
    assert API_KEY not in told


def test_a_body_that_is_too_large_is_no_fault_of_the_backends(example: Example) -> None:
    answer = requests.post(f"{example.url}/request-code", json={"padding": "x" * 200_000}, timeout=10)
    assert (answer.status_code, answer.json()["errorCode"]) == (400, "INVALID_REQUEST")


@pytest.mark.parametrize("name", ["fastapi", "express"])
def test_a_backend_that_lacks_its_key_does_not_start(name: str) -> None:
    ended = subprocess.run(  # noqa: S603 - what the example's README says to type
        command(name, 0),
        cwd=EXAMPLES / name,
        env={"PATH": os.environ["PATH"], "OTP_API_URL": "http://127.0.0.1:1", "PORT": "0"},
        capture_output=True,
        text=True,
        timeout=START_SECONDS,
        check=False,
    )
    assert ended.returncode != 0
    assert "OTP_API_KEY" in ended.stderr
