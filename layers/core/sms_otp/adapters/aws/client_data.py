"""A faster loader of botocore's data files: it saves an eighth of a function's start.

It reads the runtime's own files, with the same result: see `tests/unit/test_client_data.py`.
"""

import gzip
import json
from contextlib import suppress
from typing import Any

from botocore.loaders import JSONFileLoader, Loader

SERVICES = ("dynamodb", "events", "kms", "pinpoint-sms-voice-v2", "secretsmanager")
"""The services that a client can be made for."""


class JsonFiles(JSONFileLoader):
    """Parses objects to dictionaries: botocore's OrderedDicts take more than twice the time."""

    def load_file(self, file_path: str) -> Any:
        """The content of a file, or None if it does not exist. `file_path` has no suffix."""
        for suffix, opened in ((".json", open), (".json.gz", gzip.open)):
            with suppress(FileNotFoundError), opened(file_path + suffix, "rb") as file:
                return json.loads(file.read())
        return None


class KnownServices(Loader):
    """Lists only our services: botocore would search 400 directories to reject a wrong name."""

    def list_available_services(self, type_name: str) -> list[str]:  # noqa: ARG002 - botocore's signature
        """`SERVICES`, for every kind of data."""
        return [*SERVICES]
