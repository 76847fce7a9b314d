"""Fake AWS End User Messaging SMS, after botocore's model of `pinpoint-sms-voice-v2`.

AWS sends the caller's text; the code is the last number in it. A signature for this service must be present;
it is not verified, because the sandbox knows no secret key.
"""

import re
import uuid
from collections.abc import Sequence
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from local.sandbox.credentials import AWS_ORIGINATION_IDENTITY, AWS_PATH
from local.sandbox.gateway import Operation, Refusal
from local.sandbox.inbox import Inbox, number_or_none
from local.sandbox.json_body import json_object
from local.sandbox.memory import Newest
from local.sandbox.times import Clock

DEFAULT_LIFE_SECONDS = 259_200
MOST_CONTEXT = 5

_SEND = "PinpointSMSVoiceV2.SendTextMessage"
_FEEDBACK = "PinpointSMSVoiceV2.PutMessageFeedback"
_ACCOUNT = "PinpointSMSVoiceV2.DescribeAccountAttributes"
_OPERATIONS = {_SEND: "send", _FEEDBACK: "feedback", _ACCOUNT: "status"}
_CONTENT_TYPE = "application/x-amz-json-1.0"
_SIGNATURE = re.compile(
    r"AWS4-HMAC-SHA256 Credential=[^/, ]+/[0-9]{8}/[a-z0-9-]+/sms-voice/aws4_request, "
    r"SignedHeaders=[a-z0-9;-]*host[a-z0-9;-]*, Signature=[0-9a-f]{64}"
)
_CODE = re.compile(r"(?<![0-9])[0-9]{4,10}(?![0-9])")
_TEXTS = {
    "DestinationPhoneNumber": re.compile(r"\+?[1-9][0-9]{1,18}"),
    "OriginationIdentity": re.compile(r"[A-Za-z0-9_:/+-]{1,256}"),
    "MessageBody": re.compile(r"(?!\s*$)[\s\S]{1,1600}"),
    "MessageType": re.compile("TRANSACTIONAL|PROMOTIONAL"),
    "ConfigurationSetName": re.compile(r"[A-Za-z0-9_:/-]{1,256}"),
    "MaxPrice": re.compile(r"[0-9]{0,2}\.[0-9]{1,5}"),
}
_FAILURES = {
    "401": (400, "UnrecognizedClientException", "The security token included in the request is invalid."),
    "429": (400, "ThrottlingException", "Rate exceeded"),
    "500": (500, "InternalServerException", "Internal server error"),
    "503": (503, "ServiceUnavailableException", "Service unavailable"),
}


class Aws:
    """The fake: one account with one origination identity."""

    name = "aws"

    def __init__(self, inbox: Inbox, clock: Clock) -> None:
        self._inbox = inbox
        self._clock = clock
        self._lives_until: Newest[str, float] = Newest()
        self._feedback: Newest[str, str] = Newest()

    def operations(self) -> Sequence[Operation]:
        """The one endpoint; the header `x-amz-target` names the operation."""
        return (Operation("POST", AWS_PATH, "send", self._act, self._number, _opted_out, _name),)

    def fault_names(self, operation: str, number: str | None) -> Sequence[str]:
        """A message to a number whose earlier message is still valid also counts as `resend`."""
        if self._lives_until.get(number or "", 0.0) > self._clock():
            return ("resend", operation)
        return (operation,)

    def failure(self, fault: str) -> Response:
        """The AWS error for `fault`. AWS limits no numbers: `number-limit` is a price over the threshold."""
        if fault == "number-limit":
            details = {"Reason": "PRICE_OVER_THRESHOLD", "Fields": []}
            return _error(400, "ValidationException", "The price is over the threshold.", **details)
        return _error(*_FAILURES[fault])

    def _act(self, request: Request, body: bytes) -> Response:
        _authorize(request)
        match _name(request):
            case "status":
                return _account()
            case "feedback":
                return self._feedback_on(_object(body))
            case _:
                return self._send(_object(body))

    def _send(self, sent: dict[str, Any]) -> Response:
        _check(sent)
        # Without an identity, AWS chooses one of the account.
        if sent.get("OriginationIdentity", AWS_ORIGINATION_IDENTITY) != AWS_ORIGINATION_IDENTITY:
            details = {"ResourceType": "phone-number", "ResourceId": sent.get("OriginationIdentity")}
            raise Refusal(
                _error(400, "ResourceNotFoundException", "No such origination identity.", **details)
            )
        message_id = str(uuid.uuid4())
        if sent.get("DryRun") is not True:
            self._deliver(sent)
            if sent.get("MessageFeedbackEnabled") is True:
                self._feedback[message_id] = str(number_or_none(sent["DestinationPhoneNumber"]))
        return JSONResponse({"MessageId": message_id}, media_type=_CONTENT_TYPE)

    def _deliver(self, sent: dict[str, Any]) -> None:
        to, text = sent["DestinationPhoneNumber"], sent["MessageBody"]
        codes = _CODE.findall(text)
        self._inbox.deliver(to, text, codes[-1] if codes else "", provider=self.name, channel="sms")
        ttl_seconds = sent.get("TimeToLive", DEFAULT_LIFE_SECONDS)
        self._lives_until[str(number_or_none(to))] = self._clock() + ttl_seconds

    def _feedback_on(self, feedback: dict[str, Any]) -> Response:
        """Only for messages sent with MessageFeedbackEnabled; AWS documents no answer for others."""
        for name in ("MessageId", "MessageFeedbackStatus"):
            if name not in feedback:
                raise _invalid(name, "MISSING_PARAMETER")
        if feedback["MessageFeedbackStatus"] not in ("RECEIVED", "FAILED"):
            raise _invalid("MessageFeedbackStatus", "FIELD_VALIDATION_FAILED")
        if feedback["MessageId"] not in self._feedback:
            details = {"ResourceType": "message", "ResourceId": feedback["MessageId"]}
            raise Refusal(_error(400, "ResourceNotFoundException", "No such message.", **details))
        return JSONResponse(feedback, media_type=_CONTENT_TYPE)

    def _number(self, request: Request, body: bytes) -> str | None:
        named = json_object(body) or {}
        if _name(request) == "feedback":
            return self._feedback.get(str(named.get("MessageId")))
        return number_or_none(named.get("DestinationPhoneNumber"))


def _authorize(request: Request) -> None:
    if request.headers.get("content-type") != _CONTENT_TYPE:
        raise Refusal(_error(400, "SerializationException", f"Content-Type must be {_CONTENT_TYPE}."))
    if request.headers.get("x-amz-target") not in _OPERATIONS:
        raise Refusal(_error(400, "UnknownOperationException", "No such operation."))
    authorization = request.headers.get("authorization", "")
    if not authorization:
        raise Refusal(_error(400, "MissingAuthenticationTokenException", "Missing Authentication Token"))
    if not _SIGNATURE.fullmatch(authorization) or "x-amz-date" not in request.headers:
        raise Refusal(_error(400, "IncompleteSignatureException", "The signature is not one of Version 4."))


def _object(body: bytes) -> dict[str, Any]:
    parsed = json_object(body)
    if parsed is None:
        raise Refusal(_error(400, "SerializationException", "The body must be a JSON object."))
    return parsed


def _check(sent: dict[str, Any]) -> None:
    for required in ("DestinationPhoneNumber", "MessageBody"):
        if required not in sent:
            raise _invalid(required, "MISSING_PARAMETER")
    for name, pattern in _TEXTS.items():
        value = sent.get(name)
        if name in sent and not (isinstance(value, str) and pattern.fullmatch(value)):
            raise _invalid(name, "FIELD_VALIDATION_FAILED")
    ttl_seconds = sent.get("TimeToLive", DEFAULT_LIFE_SECONDS)
    if type(ttl_seconds) is not int or not 5 <= ttl_seconds <= DEFAULT_LIFE_SECONDS:
        raise _invalid("TimeToLive", "FIELD_VALIDATION_FAILED")
    context = sent.get("Context", {})
    if not isinstance(context, dict) or len(context) > MOST_CONTEXT:
        raise _invalid("Context", "FIELD_VALIDATION_FAILED")
    countries = sent.get("DestinationCountryParameters", {})
    if not isinstance(countries, dict) or not set(countries) <= {"IN_ENTITY_ID", "IN_TEMPLATE_ID"}:
        raise _invalid("DestinationCountryParameters", "FIELD_VALIDATION_FAILED")


def _invalid(field: str, reason: str) -> Refusal:
    fields = [{"Name": field, "Message": "invalid"}]
    return Refusal(_error(400, "ValidationException", "Invalid request.", Reason=reason, Fields=fields))


def _opted_out(number: str | None) -> Response:
    details = {"Reason": "DESTINATION_PHONE_NUMBER_OPTED_OUT", "ResourceType": "opted-out-number"}
    return _error(400, "ConflictException", "The number has opted out.", **details, ResourceId=number or "")


def _error(status: int, code: str, message: str, **details: Any) -> Response:
    return JSONResponse(
        {"__type": code, "Message": message, **details},
        status_code=status,
        media_type=_CONTENT_TYPE,
        headers={"x-amzn-RequestId": str(uuid.uuid4())},
    )


def _name(request: Request) -> str:
    return _OPERATIONS.get(request.headers.get("x-amz-target", ""), "send")


def _account() -> Response:
    attributes = [{"Name": "ACCOUNT_TIER", "Value": "PRODUCTION"}]
    return JSONResponse({"AccountAttributes": attributes}, media_type=_CONTENT_TYPE)
