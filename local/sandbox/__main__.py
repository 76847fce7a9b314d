"""`python -m local.sandbox --host 127.0.0.1 --port 4600`: run the sandbox until Ctrl-C."""

import argparse
import contextlib
import sys
from pathlib import Path

from local.sandbox.app import create_app, create_wide_app
from local.sandbox.server import bind, build_server, url_of


def main() -> None:
    """Run the sandbox; exits with a message if it cannot listen."""
    parser = argparse.ArgumentParser(
        prog="python -m local.sandbox", description="Fake Infobip, Sinch and AWS."
    )
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    parser.add_argument("--port", default=4600, type=int, help="port to listen on (default: %(default)s)")
    parser.add_argument("--stack-file", type=Path, help="stack.json of the service that the page calls")
    parser.add_argument(
        "--wide-limits",
        action="store_true",
        help="lift the vendors' limits per number, and use codes of --code-length",
    )
    parser.add_argument(
        "--code-length", default=6, type=int, help="with --wide-limits (default: %(default)s)"
    )
    arguments = parser.parse_args()
    try:
        listener = bind(arguments.host, arguments.port)
    except (OSError, OverflowError) as error:
        sys.exit(f"sandbox: cannot listen on {arguments.host}:{arguments.port}: {error}")
    with listener, contextlib.suppress(KeyboardInterrupt):
        print(f"sandbox: {url_of(listener)}", flush=True)
        if arguments.wide_limits:
            app = create_wide_app(code_length=arguments.code_length, stack_file=arguments.stack_file)
        else:
            app = create_app(stack_file=arguments.stack_file)
        build_server(app).run(sockets=[listener])


if __name__ == "__main__":
    main()
