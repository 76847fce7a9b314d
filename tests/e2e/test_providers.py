"""The providers beside the first one, and what a failure of the first means for the phone."""

import pytest

from tests.e2e.conftest import Backend, fresh_number
from tests.eventually import eventually

pytestmark = pytest.mark.e2e


def test_aws_sends_the_code_and_is_never_called_to_check_it(backend: Backend) -> None:
    number = fresh_number("416")
    verification_id = backend.requested(number)
    (message,) = backend.inbox(number)
    assert message["provider"] == "aws"
    wrong = "111111" if message["code"] != "111111" else "222222"
    assert backend.verify(verification_id, wrong).json()["errorCode"] == "OTP_INCORRECT"
    assert backend.verify(verification_id, message["code"]).status_code == 200
    # The feedback on the message is sent after the answer.
    eventually(lambda: backend.calls("feedback", number))
    assert [call["operation"] for call in backend.every_call(number)] == ["send", "feedback"]


@pytest.mark.parametrize(
    ("fault", "outcome"),
    [("500", "PROVIDER_UNAVAILABLE"), ("429", "PROVIDER_UNAVAILABLE"), ("refused", "PROVIDER_REJECTED")],
)
def test_a_send_that_aws_refuses_has_no_failover_if_the_route_names_only_aws(
    backend: Backend, fault: str, outcome: str
) -> None:
    number = fresh_number("416")
    backend.spoil("aws", "send", fault)
    assert backend.request(number).json()["errorCode"] == outcome
    assert backend.inbox(number) == []
    assert [call["provider"] for call in backend.every_call(number)] == ["aws"]


def test_a_send_that_times_out_is_not_repeated_by_another_provider(backend: Backend) -> None:
    """It may have sent; a second provider would make it two messages."""
    number = fresh_number()
    backend.spoil("infobip", "send", "timeout")
    refused = backend.request(number)
    assert (refused.status_code, refused.json()["errorCode"]) == (503, "PROVIDER_UNAVAILABLE")
    assert 1 <= int(refused.headers["Retry-After"]) <= 30
    assert backend.inbox(number) == []
    assert [(call["provider"], call["operation"]) for call in backend.every_call(number)] == [
        ("infobip", "send")
    ]


def test_a_sinch_send_with_a_lost_answer_is_found_again_and_its_code_verifies(
    backend: Backend,
) -> None:
    number = fresh_number("787")
    backend.spoil("sinch", "send", "lost")
    verification_id = backend.requested(number)
    (message,) = backend.inbox(number)
    assert [call["operation"] for call in backend.every_call(number)] == ["send", "status"]
    assert backend.verify(verification_id, message["code"]).status_code == 200
