"""An error has a detail for the caller, and a reason for the log only."""

import pytest

from sms_otp.domain import errors
from sms_otp.domain.clock import Seconds

KINDS = [
    kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, errors.OtpError)
]


def test_a_given_detail_replaces_the_default_of_its_class() -> None:
    assert (
        str(errors.InvalidRequest("The body cannot be read: not JSON."))
        == "The body cannot be read: not JSON."
    )
    assert str(errors.InvalidRequest()) == errors.InvalidRequest.detail


def test_an_error_has_no_value_that_was_not_given() -> None:
    bare = errors.RateLimited()
    assert (bare.reason, bare.retry_after, bare.attempts_remaining) == (None, None, None)
    assert (bare.errors, bare.context) == ((), {})


def test_the_reason_is_not_in_the_text_for_the_caller() -> None:
    assert "canary" not in str(errors.ServiceMisconfigured(reason="canary"))


@pytest.mark.parametrize("kind", KINDS)
def test_context_for_the_log_changes_nothing_else_of_an_error(kind: type[errors.OtpError]) -> None:
    error = kind(
        "a detail",
        reason="a reason",
        retry_after=Seconds(7),
        attempts_remaining=3,
        errors=[{"pointer": "/otp", "detail": "six digits"}],
        context={"lane": "stranger", "provider": "sinch"},
    )
    copy = error.with_context(provider="aws", channel="sms")
    assert (type(copy), str(copy)) == (kind, "a detail")
    assert vars(copy) == {**vars(error), "context": {"lane": "stranger", "provider": "aws", "channel": "sms"}}
    assert error.context == {"lane": "stranger", "provider": "sinch"}
