"""What an error holds for the caller, and what for the log alone."""

from sms_otp.domain import errors


def test_a_detail_of_its_own_goes_before_the_one_of_its_kind() -> None:
    assert (
        str(errors.InvalidRequest("The body cannot be read: not JSON."))
        == "The body cannot be read: not JSON."
    )
    assert str(errors.InvalidRequest()) == errors.InvalidRequest.detail


def test_nothing_is_said_that_was_not_given() -> None:
    bare = errors.RateLimited()
    assert (bare.reason, bare.retry_after, bare.attempts_remaining) == (None, None, None)
    assert (bare.errors, bare.context) == ((), {})


def test_the_reason_is_for_the_log_and_in_no_text_for_the_caller() -> None:
    assert "canary" not in str(errors.ServiceMisconfigured(reason="canary"))
