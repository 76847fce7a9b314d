"""The version of a release."""

import re

from sms_otp import __version__


def test_the_version_is_a_semantic_one() -> None:
    assert re.fullmatch(r"\d+\.\d+\.\d+(-rc\.\d+)?", __version__)
