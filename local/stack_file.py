"""`.local/stack.json`: URLs and keys of the running local stack. Imports neither SAM CLI nor the sandbox."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import boto3

ROOT = Path(__file__).parent.parent
LOCAL = ROOT / ".local"
REGION = "us-east-1"


class LocalStackError(Exception):
    """The local stack cannot start or has ended. The message is for the person at the terminal."""


@dataclass(frozen=True)
class StackFile:
    """The content of `.local/stack.json`; fields are named as in its JSON."""

    baseUrl: str  # noqa: N815 - the file's contract
    apiKey: str  # noqa: N815
    sandboxUrl: str  # noqa: N815
    awsEndpointUrl: str  # noqa: N815
    region: str
    stackName: str  # noqa: N815
    secondApiKey: str  # noqa: N815
    twilioApiUrl: str = ""  # noqa: N815
    """MiniStack's URL behind the sandbox's `/v2`; empty if TwilioApi is false."""

    def write(self, path: Path) -> None:
        """Write JSON atomically, so that no reader sees half of it."""
        draft = path.with_suffix(".tmp")
        draft.write_text(json.dumps(asdict(self), indent=2) + "\n")
        draft.replace(path)

    @classmethod
    def read(cls, path: Path) -> "StackFile":
        """Read the file. Raises `LocalStackError` if no stack runs."""
        try:
            return cls(**json.loads(path.read_text()))
        except FileNotFoundError:
            raise LocalStackError("no local stack runs: `make run` in another terminal starts one") from None


def local_client(service: str, endpoint_url: str) -> Any:
    """A boto3 client for the emulated AWS at `endpoint_url`; ignores this shell's AWS profile."""
    session = boto3.Session(aws_access_key_id="test", aws_secret_access_key="test", region_name=REGION)  # noqa: S106 - no secret
    return session.client(service, endpoint_url=endpoint_url)  # type: ignore[call-overload] # any service
