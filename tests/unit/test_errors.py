"""An error has a detail for the caller, and a reason for the log only."""

from sms_otp.domain import errors


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
