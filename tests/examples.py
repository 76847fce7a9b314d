"""The examples' backends, run as their READMEs say."""

import contextlib
import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import requests

from local.processes import Child, free_port
from local.template import ROOT

BIN = Path(sys.prefix) / "bin"
EXAMPLES = ROOT / "examples"
START_SECONDS = 60


@contextlib.contextmanager
def running_example(name: str, api_url: str, api_key: str, log: Path, **settings: str) -> Iterator[str]:
    """The URL of an example in front of that API, once it answers. Its output goes to `log`."""
    port = free_port("127.0.0.1")
    environment = {
        "PATH": os.environ["PATH"],
        "PYTHONDONTWRITEBYTECODE": "1",
        "OTP_API_URL": api_url,
        "OTP_API_KEY": api_key,
        "INSECURE_COOKIE": "true",
        "PORT": str(port),
        **settings,
    }
    with Child(name, command(name, port), environment, log, EXAMPLES / name) as child:
        url = f"http://127.0.0.1:{port}"
        wait_for(child, url)
        yield url


def command(name: str, port: int) -> list[str]:
    """The last line of what its README says to type, with the tools of this environment."""
    readme = (EXAMPLES / name / "README.md").read_text()
    (typed,) = re.findall(r"^INSECURE_COOKIE=true PORT=8000 (.+)$", readme, re.MULTILINE)
    tool, *arguments = typed.replace("8000", str(port)).split()
    return [str(BIN / tool), *arguments]


def wait_for(child: Child, url: str) -> None:
    """Until it answers there, with any status. Raises `LocalStackError`."""

    def answered() -> bool:
        with contextlib.suppress(requests.ConnectionError):
            requests.get(url, timeout=1)
            return True
        return False

    child.wait_until(answered, START_SECONDS)
