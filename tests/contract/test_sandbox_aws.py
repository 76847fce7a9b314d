"""The fake AWS answers by botocore's model of End User Messaging."""

from typing import Any

import boto3
import pytest
import requests
from botocore.config import Config
from botocore.exceptions import ClientError

from local.sandbox.credentials import AWS_ORIGINATION_IDENTITY

NUMBER = "+14155550123"
TARGET = "PinpointSMSVoiceV2.SendTextMessage"
SIGNATURE = (
    "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20240606/eu-west-1/sms-voice/aws4_request, "
    f"SignedHeaders=content-type;host;x-amz-date, Signature={'0' * 64}"
)
HEADERS = {
    "Authorization": SIGNATURE,
    "Content-Type": "application/x-amz-json-1.0",
    "X-Amz-Date": "20240606T090841Z",
    "X-Amz-Target": TARGET,
}
MESSAGE = {
    "DestinationPhoneNumber": NUMBER,
    "OriginationIdentity": AWS_ORIGINATION_IDENTITY,
    "MessageBody": "Your code is 012345.\n@example.com #012345",
}


def post(sandbox: str, body: Any = MESSAGE, **headers: str | None) -> requests.Response:
    changed = {name.replace("_", "-"): value for name, value in headers.items()}
    return requests.post(f"{sandbox}/aws", json=body, headers={**HEADERS, **changed}, timeout=5)


def inbox(sandbox: str) -> list[dict[str, str]]:
    messages: list[dict[str, str]] = requests.get(f"{sandbox}/inbox", timeout=5).json()
    return messages


def test_a_message_is_delivered_and_the_code_in_it_found(sandbox: str) -> None:
    answer = post(sandbox)
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, "application/x-amz-json-1.0")
    assert set(answer.json()) == {"MessageId"}
    (message,) = inbox(sandbox)
    assert (message["to"], message["text"]) == (NUMBER, MESSAGE["MessageBody"])
    assert (message["code"], message["provider"], message["channel"]) == ("012345", "aws", "sms")


def test_a_text_without_a_code_is_delivered_all_the_same(sandbox: str) -> None:
    assert post(sandbox, MESSAGE | {"MessageBody": "Call 4155550123456, or 911."}).status_code == 200
    assert inbox(sandbox)[0]["code"] == ""


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({"Authorization": None}, "MissingAuthenticationTokenException"),
        ({"Authorization": "Bearer x"}, "IncompleteSignatureException"),
        ({"Authorization": SIGNATURE.replace("sms-voice", "sns")}, "IncompleteSignatureException"),
        ({"Authorization": SIGNATURE.replace("host;", "")}, "IncompleteSignatureException"),
        ({"X_Amz_Date": None}, "IncompleteSignatureException"),
        ({"X_Amz_Target": TARGET.replace("Text", "Voice")}, "UnknownOperationException"),
        ({"Content_Type": "application/x-amz-json-1.1"}, "SerializationException"),
    ],
)
def test_a_request_with_a_wrong_or_missing_header_is_refused(
    sandbox: str, changed: dict[str, str], code: str
) -> None:
    answer = post(sandbox, **changed)
    assert (answer.status_code, answer.json()["__type"]) == (400, code)
    assert inbox(sandbox) == []


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"DestinationPhoneNumber": "0155550123"}, "DestinationPhoneNumber"),
        ({"DestinationPhoneNumber": 14155550123}, "DestinationPhoneNumber"),
        ({"OriginationIdentity": "a b"}, "OriginationIdentity"),
        ({"MessageBody": " "}, "MessageBody"),
        ({"MessageBody": "x" * 1601}, "MessageBody"),
        ({"MessageType": "OTP"}, "MessageType"),
        ({"MaxPrice": "1"}, "MaxPrice"),
        ({"ConfigurationSetName": "a b"}, "ConfigurationSetName"),
        ({"TimeToLive": 4}, "TimeToLive"),
        ({"TimeToLive": 259_201}, "TimeToLive"),
        ({"TimeToLive": "300"}, "TimeToLive"),
        ({"DestinationCountryParameters": {"US_ID": "1"}}, "DestinationCountryParameters"),
    ],
)
def test_a_field_that_the_model_does_not_allow_is_named(
    sandbox: str, changed: dict[str, Any], field: str
) -> None:
    body = post(sandbox, MESSAGE | changed).json()
    assert (body["__type"], body["Reason"]) == ("ValidationException", "FIELD_VALIDATION_FAILED")
    assert [named["Name"] for named in body["Fields"]] == [field]
    assert inbox(sandbox) == []


@pytest.mark.parametrize("field", ["DestinationPhoneNumber", "MessageBody"])
def test_a_required_field_that_is_missing_is_named(sandbox: str, field: str) -> None:
    body = post(sandbox, {name: value for name, value in MESSAGE.items() if name != field}).json()
    assert (body["Reason"], body["Fields"][0]["Name"]) == ("MISSING_PARAMETER", field)


def test_a_body_that_is_no_json_object_is_refused(sandbox: str) -> None:
    assert post(sandbox, [MESSAGE]).json()["__type"] == "SerializationException"


def test_boto3_can_send_and_reads_the_errors(sandbox: str) -> None:
    client = boto3.client(
        "pinpoint-sms-voice-v2",
        endpoint_url=f"{sandbox}/aws",
        config=Config(retries={"total_max_attempts": 1}),
    )
    sent = client.send_text_message(**MESSAGE, TimeToLive=300, MessageType="TRANSACTIONAL")
    assert sent["MessageId"]
    with pytest.raises(ClientError) as caught:
        client.send_text_message(**{**MESSAGE, "OriginationIdentity": "NOBODYS"})
    response: Any = caught.value.response
    assert response["Error"]["Code"] == "ResourceNotFoundException"
    assert response["ResourceType"] == "phone-number"
    fault = {"provider": "aws", "operation": "resend", "fault": "refused"}
    requests.post(f"{sandbox}/faults", json=fault, timeout=5).raise_for_status()
    with pytest.raises(ClientError) as caught:
        client.send_text_message(**MESSAGE)
    response = caught.value.response
    assert response["Error"]["Code"] == "ConflictException"
    assert response["Reason"] == "DESTINATION_PHONE_NUMBER_OPTED_OUT"
    client.close()


def test_a_resend_fault_hits_a_message_sent_while_another_is_valid(sandbox: str) -> None:
    body = MESSAGE | {"DestinationPhoneNumber": "+14155550145", "TimeToLive": 300}
    fault = {"provider": "aws", "operation": "resend", "fault": "500"}
    requests.post(f"{sandbox}/faults", json=fault, timeout=5).raise_for_status()
    assert [post(sandbox, body).status_code for _ in range(3)] == [200, 500, 200]
    assert [message["to"] for message in inbox(sandbox)] == ["+14155550145"] * 2


def test_a_message_without_an_origination_identity_is_sent(sandbox: str) -> None:
    anonymous = {name: value for name, value in MESSAGE.items() if name != "OriginationIdentity"}
    assert post(sandbox, anonymous).status_code == 200
    assert len(inbox(sandbox)) == 1


def test_a_dry_run_is_checked_and_sends_nothing(sandbox: str) -> None:
    assert set(post(sandbox, MESSAGE | {"DryRun": True}).json()) == {"MessageId"}
    assert post(sandbox, MESSAGE | {"DryRun": True, "MaxPrice": "1"}).status_code == 400
    assert inbox(sandbox) == []


def feedback(sandbox: str, message_id: str, status: str = "RECEIVED") -> requests.Response:
    body = {"MessageId": message_id, "MessageFeedbackStatus": status}
    return post(sandbox, body, X_Amz_Target="PinpointSMSVoiceV2.PutMessageFeedback")


def test_feedback_is_accepted_for_a_message_sent_with_feedback_enabled(sandbox: str) -> None:
    message_id = post(sandbox, MESSAGE | {"MessageFeedbackEnabled": True}).json()["MessageId"]
    answer = feedback(sandbox, message_id)
    assert answer.json() == {"MessageId": message_id, "MessageFeedbackStatus": "RECEIVED"}
    (_, call) = requests.get(f"{sandbox}/calls", timeout=5).json()
    assert (call["operation"], call["to"]) == ("feedback", NUMBER)


def test_feedback_that_is_not_enabled_or_malformed_is_refused(sandbox: str) -> None:
    message_id = post(sandbox).json()["MessageId"]
    assert feedback(sandbox, message_id).json()["__type"] == "ResourceNotFoundException"
    assert feedback(sandbox, message_id, "MAYBE").json()["Reason"] == "FIELD_VALIDATION_FAILED"
