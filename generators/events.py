"""Sample events of the functions: `python -m generators.events` writes `events/*.json`.

`CASES` are events of API Gateway (REST API, Lambda proxy integration, API key), `PUBLISHED` those of SNS and
CloudWatch Logs. Every value is made up: addresses are from RFC 5737, account and key ids are examples.
"""

import base64
import gzip
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

Event = dict[str, Any]

DIRECTORY = Path(__file__).parent.parent / "events"
STAGE = "v1"
API_ID = "exampleapi"
DOMAIN = f"{API_ID}.execute-api.eu-west-1.amazonaws.com"
REQUEST_ID = "c6af9ac6-7b61-11e6-9a41-93e8deadbeef"
SOURCE_IP = "203.0.113.7"
USER_AGENT = "example-backend/1.0"
API_KEY = "example-api-key-not-a-secret"
API_KEY_ID = "examplekey"
ADMINISTRATOR = "arn:aws:sts::123456789012:assumed-role/Support/example"
JSON_TYPE = {"Content-Type": "application/json"}


def build(
    path: str,
    method: str = "POST",
    body: bytes | str | None = None,
    *,
    headers: Mapping[str, str] = JSON_TYPE,
    as_base64: bool = False,
    with_key: bool = True,
    caller: str | None = None,
) -> Event:
    """The event of one request. Bytes that are not UTF-8 require `as_base64`.

    `headers` are added to the common ones. `with_key=False` is for paths without an API key; `caller` is
    the ARN of the IAM principal that signed the request.
    """
    sent = {
        "Accept": "application/json",
        "Host": DOMAIN,
        "User-Agent": USER_AGENT,
        "X-Amzn-Trace-Id": "Root=1-5759e988-bd862e3fe1be46a994272793",
        "X-Forwarded-For": SOURCE_IP,
        "X-Forwarded-Port": "443",
        "X-Forwarded-Proto": "https",
        **({"x-api-key": API_KEY} if with_key else {}),
        **headers,
    }
    return {
        "resource": path,
        "path": path,
        "httpMethod": method,
        "headers": sent,
        "multiValueHeaders": {name: [value] for name, value in sent.items()},
        "queryStringParameters": None,
        "multiValueQueryStringParameters": None,
        "pathParameters": None,
        "stageVariables": None,
        "requestContext": _request_context(path, method, with_key, caller),
        "body": _body(body, as_base64),
        "isBase64Encoded": as_base64,
    }


def _body(body: bytes | str | None, as_base64: bool) -> str | None:
    if body is None:
        return None
    raw = body.encode() if isinstance(body, str) else body
    return base64.b64encode(raw).decode() if as_base64 else raw.decode()


def _request_context(path: str, method: str, with_key: bool, caller: str | None) -> Event:
    return {
        "resourceId": "abc123",
        "resourcePath": path,
        "httpMethod": method,
        "extendedRequestId": "JJbxmFZKDoEEaTw=",
        "requestTime": "15/Jan/2027:08:00:00 +0000",
        "path": f"/{STAGE}{path}",
        "accountId": "123456789012",
        "protocol": "HTTP/1.1",
        "stage": STAGE,
        "domainPrefix": API_ID,
        "requestTimeEpoch": 1800000000000,
        "requestId": REQUEST_ID,
        "identity": {
            "cognitoIdentityPoolId": None,
            "accountId": None,
            "cognitoIdentityId": None,
            "caller": None,
            "sourceIp": SOURCE_IP,
            "principalOrgId": None,
            "accessKey": None,
            "cognitoAuthenticationType": None,
            "cognitoAuthenticationProvider": None,
            "userArn": caller,
            "userAgent": USER_AGENT,
            "user": None,
            **({"apiKey": API_KEY, "apiKeyId": API_KEY_ID} if with_key else {}),
        },
        "domainName": DOMAIN,
        "deploymentId": "abc1de",
        "apiId": API_ID,
    }


def published(message: str) -> Event:
    """The SNS event of one message to the topic."""
    return {
        "Records": [
            {
                "EventSource": "aws:sns",
                "EventVersion": "1.0",
                "EventSubscriptionArn": "arn:aws:sns:eu-west-1:123456789012:events:example",
                "Sns": {
                    "Type": "Notification",
                    "MessageId": REQUEST_ID,
                    "TopicArn": "arn:aws:sns:eu-west-1:123456789012:events",
                    "Subject": None,
                    "Message": message,
                    "Timestamp": "2027-01-15T08:00:00.000Z",
                    "MessageAttributes": {},
                },
            }
        ]
    }


def logged(*messages: str) -> Event:
    """The event of a CloudWatch Logs subscription for these log lines of one function."""
    body = {
        "messageType": "DATA_MESSAGE",
        "owner": "123456789012",
        "logGroup": "example",
        "logStream": "2027/01/15/[1]example",
        "subscriptionFilters": ["example"],
        "logEvents": [
            {"id": f"{number:056}", "timestamp": 1800000000000, "message": message}
            for number, message in enumerate(messages)
        ],
    }
    packed = gzip.compress(json.dumps(body).encode(), compresslevel=0, mtime=0)
    return {"awslogs": {"data": base64.b64encode(packed).decode()}}


NUMBER = "+14155550177"
VERIFICATION_ID = "ExampleVerificationIdAAAAAAAAAAA"
UNKNOWN_ID = "UnknownVerificationIdBBBBBBBBBBB"


def _json(**members: Any) -> str:
    return json.dumps(members)


CASES: dict[str, Event] = {
    "request_otp-sms": build("/request-otp", body=_json(phoneNumber=NUMBER)),
    "request_otp-voice": build(
        "/request-otp", body=_json(phoneNumber=NUMBER, channel="voice", locale="en-US", purpose="login")
    ),
    "request_otp-with_session": build(
        "/request-otp", body=_json(phoneNumber=NUMBER, sessionId="session-of-one-browser")
    ),
    "request_otp-invalid_number": build("/request-otp", body=_json(phoneNumber="415 555 0177")),
    "request_otp-malformed_json": build("/request-otp", body='{"phoneNumber": "+1415555'),
    "request_otp-base64": build("/request-otp", body=_json(phoneNumber=NUMBER), as_base64=True),
    # To try this one, put the verificationId of an answer and the code of its message into the body.
    "verify_otp-code": build("/verify-otp", body=_json(verificationId=VERIFICATION_ID, otp="123456")),
    "verify_otp-wrong_form": build("/verify-otp", body=_json(verificationId=VERIFICATION_ID, otp="12 34")),
    "verify_otp-unknown_id": build("/verify-otp", body=_json(verificationId=UNKNOWN_ID, otp="123456")),
    "resend_otp-voice": build("/resend-otp", body=_json(verificationId=VERIFICATION_ID, channel="voice")),
    "resend_otp-unknown_id": build("/resend-otp", body=_json(verificationId=UNKNOWN_ID)),
    "cancel_otp-unknown_id": build("/cancel-otp", body=_json(verificationId=UNKNOWN_ID)),
    "otp_status-unknown_id": build("/otp-status", body=_json(verificationId=UNKNOWN_ID)),
    "request_otp-camara": build(
        "/one-time-password-sms/v1/send-code",
        body=_json(phoneNumber=NUMBER, message="{{code}} is your code"),
        headers=JSON_TYPE | {"x-correlator": "b4333c46-49c0-4f62-80d7-f0ef930f1c46"},
    ),
    "verify_otp-camara_unknown_id": build(
        "/one-time-password-sms/v1/validate-code", body=_json(authenticationId=UNKNOWN_ID, code="123456")
    ),
    # Refused, because they are unsigned: a committed signature would be too old.
    "webhooks-sinch": build(
        "/webhooks/sinch",
        body=_json(event="VerificationSmsDeliveredEvent", id="example", smsResult="Successful"),
        with_key=False,
    ),
    "webhooks-infobip": build("/webhooks/infobip", body='{"results": []}', with_key=False),
    "admin-number_status": build(
        "/admin/number-status", body=_json(phoneNumber=NUMBER), with_key=False, caller=ADMINISTRATOR
    ),
    "admin-unlock_number": build(
        "/admin/unlock-number", body=_json(phoneNumber=NUMBER), with_key=False, caller=ADMINISTRATOR
    ),
    "admin-erase_number": build(
        "/admin/erase-number", body=_json(phoneNumber=NUMBER), with_key=False, caller=ADMINISTRATOR
    ),
    "admin-stop_sending": build(
        "/admin/stop-sending",
        body=_json(countries=["SE"], seconds=3600),
        with_key=False,
        caller=ADMINISTRATOR,
    ),
    "admin-resume_sending": build(
        "/admin/resume-sending", body=_json(countries=["SE"]), with_key=False, caller=ADMINISTRATOR
    ),
    "jwks-keys": build("/.well-known/jwks.json", "GET", headers={}, with_key=False),
    "deep_health-up": build("/health/deep", "GET", headers={}),
    "health-up": build("/health", "GET", headers={}, with_key=False),
}
"""Events by file name: the function's package, a hyphen, the case."""


PUBLISHED: dict[str, Event] = {
    "aws_events-delivered": published(
        json.dumps(
            {
                "eventType": "TEXT_DELIVERED",
                "eventVersion": "1.0",
                "eventTimestamp": 1800000000000,
                "isFinal": True,
                "destinationPhoneNumber": NUMBER,
                "messageId": "862a8790-60c0-4430-9b2b-658bdexample",
                "messageStatus": "DELIVERED",
                "context": {"reference": "0123456789abcdef" * 4},
            }
        )
    ),
    "publish_events-verified": logged(
        json.dumps(
            {"level": "INFO", "message": "otp_verified", "verification": "0123456789abcdef", "seconds": 21}
        )
    ),
}


def text(event: Event) -> str:
    """The content of an event's file."""
    return json.dumps(event, indent=2) + "\n"


def write(directory: Path) -> None:
    """Write every event's file; creates the directory."""
    directory.mkdir(exist_ok=True)
    for name, event in (CASES | PUBLISHED).items():
        (directory / f"{name}.json").write_text(text(event))


if __name__ == "__main__":
    write(DIRECTORY)
