"""The paths of Twilio in the sandbox while no API for Twilio's clients answers behind them."""

import base64
import json
from pathlib import Path

import pytest
import requests

from local.sandbox.app import create_app
from local.sandbox.server import running_sandbox

PATH = "/v2/Services/VA00000000000000000000000000000000/Verifications"


def test_the_paths_of_twilio_are_not_found_without_a_deployed_api(sandbox: str) -> None:
    answer = requests.post(f"{sandbox}{PATH}", data={"To": "+14155550123"}, timeout=5)
    assert (answer.status_code, answer.json()["code"]) == (404, 20404)


@pytest.mark.parametrize("header", ["", "Basic", "Basic !", f"Basic {base64.b64encode(b'AC').decode()}"])
def test_an_api_that_does_not_answer_is_a_500_with_any_credentials(tmp_path: Path, header: str) -> None:
    stack = {"baseUrl": "", "apiKey": "", "twilioApiUrl": "http://127.0.0.1:1"}
    (tmp_path / "stack.json").write_text(json.dumps(stack))
    with running_sandbox(app=create_app(stack_file=tmp_path / "stack.json")) as url:
        answer = requests.get(f"{url}{PATH}/VE0", headers={"Authorization": header}, timeout=5)
    assert (answer.status_code, answer.json()["code"]) == (500, 20500)
