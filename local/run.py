"""`make run`: run the local stack until Ctrl-C and print a first request to paste."""

import argparse
import shlex
import signal
import sys
import time
from pathlib import Path
from typing import Any
from urllib.parse import quote

from local.containers import docker_host
from local.sandbox.page import PHONE_LIBRARY
from local.stack import LocalStack
from local.stack_file import LOCAL, ROOT, LocalStackError, StackFile

NUMBER = "+14155550123"
"""A North American number reserved for fiction (555-0100 to 555-0199)."""
WATCH_SECONDS = 0.5
LOOPBACK = "127.0.0.1"

GUIDE = """
The page {sandbox}/ shows a sign-up form, and the phone that receives its codes{plainer}.

For another terminal, unchanged from run to run:

export API={api}
export KEY={key}

Request a code:

  answer=$(curl -sS "$API/request-otp" -H "x-api-key: $KEY" -H 'content-type: application/json' -d '{request}'); echo "$answer"

Read it on the phone:

  code=$(curl -sS '{sandbox}/inbox?to={to}' | grep -o '"code": *"[0-9]*"' | head -n 1 | tr -dc 0-9); echo "$code"

Verify it:

  id=$(echo "$answer" | grep -o '"verificationId": *"[^"]*"' | cut -d '"' -f 4)
  curl -sS "$API/verify-otp" -H "x-api-key: $KEY" -H 'content-type: application/json' -d "{{\\"verificationId\\":\\"$id\\",\\"otp\\":\\"$code\\"}}"

{twilio}The key of a second tenant is {second_key}. Ctrl-C stops everything.
"""  # noqa: E501 - each command is one line to paste

PLAINER = ", without its list of countries and its font: the npm packages are not installed"


TWILIO = """For a client of Twilio Verify, account {account}, service {service}:

  export TWILIO_ACCOUNT_SID={account} TWILIO_AUTH_TOKEN={key}
  client.verify.base_url = "{sandbox}"   # Node: client.verify.baseUrl

"""
ACCOUNT, SERVICE = "AC" + "0" * 32, "VA" + "0" * 32
"""Any ids of this form work: the token alone identifies the tenant."""


def main() -> None:
    """Run the stack. Exits with 0 on a signal, with 1 and a message if it cannot start or ends by itself."""
    for ending in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(ending, _stop_once)
    arguments = _arguments()
    started = time.monotonic()

    def say(step: str) -> None:
        print(f"[{time.monotonic() - started:5.1f} s] {step}", flush=True)

    written = LOCAL / "stack.json"
    say("starting; logs are in .local/logs")
    try:
        with LocalStack(
            host=docker_host() if arguments.host == "docker" else arguments.host,
            port=arguments.port,
            sandbox_port=arguments.sandbox_port,
            parameters=arguments.parameters,
            say=say,
        ) as stack:
            if arguments.host == LOOPBACK:
                stack.take_callbacks()
                say("the provider sandbox reports deliveries")
            stack.file.write(written)
            say(f"wrote {written.relative_to(ROOT)}")
            print(guide(stack.file), flush=True)
            _watch(stack, written)
    except LocalStackError as error:
        sys.exit(f"make run: {error}")
    except _Stop:
        print("stopped", flush=True)


def guide(stack: StackFile) -> str:
    """The commands to paste first, as text."""
    twilio = TWILIO.format(account=ACCOUNT, service=SERVICE, key=stack.apiKey, sandbox=stack.sandboxUrl)
    return GUIDE.format(
        twilio=twilio if stack.twilioApiUrl else "",
        key=stack.apiKey,
        second_key=stack.secondApiKey,
        api=stack.baseUrl,
        sandbox=stack.sandboxUrl,
        plainer="" if PHONE_LIBRARY.exists() else PLAINER,
        request=f'{{"phoneNumber":"{NUMBER}"}}',
        to=quote(NUMBER, safe=""),
    )


def _watch(stack: LocalStack, written: Path) -> None:
    try:
        while True:
            time.sleep(WATCH_SECONDS)
            stack.check()
    finally:
        written.unlink(missing_ok=True)


class _Stop(BaseException):
    """A signal to stop. Not an `Exception`, so that no handler swallows it."""


def _stop_once(_signal: int, _frame: Any) -> None:
    # Once: a second Ctrl-C would interrupt the clean-up and leave processes running.
    for ending in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(ending, signal.SIG_IGN)
    raise _Stop


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m local.run", description=__doc__)
    parser.add_argument("--host", default=LOOPBACK, help="address to listen on; `docker`: its bridge")
    parser.add_argument("--port", default=4566, type=int, help="MiniStack's port (default: %(default)s)")
    parser.add_argument("--sandbox-port", default=4600, type=int, help="(default: %(default)s)")
    parser.add_argument("--providers", default="", help="ProviderOrder, such as sinch,infobip")
    parser.add_argument("--parameters", default="", help="template parameters: Name=Value …")
    arguments = parser.parse_args()
    try:
        arguments.parameters = dict(pair.split("=", 1) for pair in shlex.split(arguments.parameters))
    except ValueError:
        parser.error(f"parameters must be Name=Value, separated by spaces: {arguments.parameters}")
    if arguments.providers:
        arguments.parameters["ProviderOrder"] = arguments.providers
    return arguments


if __name__ == "__main__":
    main()
