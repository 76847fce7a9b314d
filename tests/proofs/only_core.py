"""A pytest plugin: ends a run with a status of its own if `sms_otp` is not the copy that ONLY_CORE names."""

import os
import sys
from pathlib import Path

import pytest

OTHER_CORE = 64
"""Not one of pytest's own exit statuses."""


def pytest_sessionfinish(session: pytest.Session) -> None:
    """A module that was imported from elsewhere was tested instead of the copy."""
    only = Path(os.environ["ONLY_CORE"])
    loaded = [module for name, module in sys.modules.items() if name.partition(".")[0] == "sms_otp"]
    if not loaded or not all(Path(str(module.__file__)).is_relative_to(only) for module in loaded):
        session.exitstatus = OTHER_CORE
