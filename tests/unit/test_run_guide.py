"""The guide of `make run` for a client of Twilio Verify."""

from dataclasses import replace

from local.run import ACCOUNT, guide
from local.stack_file import StackFile

STACK = StackFile(
    "http://127.0.0.1:4566/api",
    "the-key",
    "http://127.0.0.1:4600",
    "http://127.0.0.1:4566",
    "us-east-1",
    "a-stack",
    "another",
)


def test_a_stack_with_the_twilio_api_shows_how_to_use_it() -> None:
    printed = guide(replace(STACK, twilioApiUrl="http://127.0.0.1:4566/twilio"))
    assert f"export TWILIO_ACCOUNT_SID={ACCOUNT} TWILIO_AUTH_TOKEN=the-key" in printed
    assert 'client.verify.base_url = "http://127.0.0.1:4600"' in printed


def test_a_stack_without_the_twilio_api_does_not_mention_it() -> None:
    assert "TWILIO" not in guide(STACK)
