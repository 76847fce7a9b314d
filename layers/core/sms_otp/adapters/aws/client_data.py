"""How botocore reads AWS's data files, without two detours that took an eighth of a function's start.

The files are the runtime's own; what is read of them is the same (docs/decisions/0033).
"""

import gzip
import json
from contextlib import suppress
from typing import Any

from botocore.loaders import JSONFileLoader, Loader

SERVICES = ("dynamodb", "events", "kms", "pinpoint-sms-voice-v2", "secretsmanager")
"""Those that a client can be made for."""


class JsonFiles(JSONFileLoader):
    """Objects become dictionaries.

    botocore makes OrderedDicts, from when dictionaries had no order, which takes more than twice the time.
    """

    def load_file(self, file_path: str) -> Any:
        """What it holds; None if there is no such file. `file_path` is without its suffix."""
        for suffix, opened in ((".json", open), (".json.gz", gzip.open)):
            with suppress(FileNotFoundError), opened(file_path + suffix, "rb") as file:
                return json.loads(file.read())
        return None


class KnownServices(Loader):
    """To know a wrong name, botocore looks through the directories of four hundred services."""

    def list_available_services(self, type_name: str) -> list[str]:  # noqa: ARG002 - botocore's signature
        """Ours, whatever of them is asked for."""
        return [*SERVICES]
