"""The sandbox, driven by the vendors' own clients: client, operation, result.

The vendors wrote the clients, so they keep the sandbox true to the vendors. Where a client contradicts the
specification of its own vendor, a comment at the call says so.
"""

import json
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import boto3
import infobip_api_client as infobip_client
import pytest
import requests
import sinch
from botocore.config import Config
from infobip_api_client.api.tfa_api import TfaApi
from infobip_api_client.exceptions import ApiException
from sinch.core.signature import Signature
from sinch.domains.verification.exceptions import VerificationException
from sinch.domains.verification.models import VerificationIdentity

from local.sandbox.app import create_app, create_wide_app
from local.sandbox.credentials import (
    AWS_ORIGINATION_IDENTITY,
    INFOBIP_API_KEY,
    INFOBIP_APPLICATION_ID,
    INFOBIP_MESSAGE_ID,
    INFOBIP_PASSWORD,
    INFOBIP_USERNAME,
    SINCH_APPLICATION_KEY,
    SINCH_APPLICATION_SECRET,
)
from local.sandbox.server import running_sandbox
from local.template import ROOT
from sms_otp.adapters.providers.sinch_callbacks import SinchCallbacks
from sms_otp.domain.commands import Callback
from tests.contract.receiver import receiving

NUMBER = "+14155550123"
NODE = Path(sys.prefix) / "bin/node"
PACKAGES = ROOT / ".venv/vendors/package.json"
SECONDS = 60
# Their types know the fields only by the names in JSON.
MODELS: Any = infobip_client.models

Row = tuple[str, str]
Record = Callable[[str, object], None]


class PacedClock:
    """The real time, which signatures need, plus the sum of the waits."""

    def __init__(self) -> None:
        self._waited = 0.0

    def __call__(self) -> float:
        return time.time() + self._waited

    def wait(self, seconds: float) -> None:
        self._waited += seconds


class Sandbox:
    """A sandbox with the vendors' defaults, for one client."""

    def __init__(self, url: str, clock: PacedClock) -> None:
        self.url = url
        self.wait = clock.wait

    def code(self) -> str:
        messages = requests.get(f"{self.url}/inbox", params={"to": NUMBER}, timeout=5).json()
        return str(messages[0]["code"])


def another(code: str) -> str:
    return f"{(int(code) + 1) % 10 ** len(code):0{len(code)}d}"


def infobip_python(sandbox: Sandbox, record: Record) -> None:
    host = f"{sandbox.url}/infobip"
    configuration = infobip_client.Configuration(host=host, api_key=INFOBIP_API_KEY)
    api: Any = TfaApi(infobip_client.ApiClient(configuration))

    def status_of(act: Callable[[], object]) -> object:
        try:
            act()
        except ApiException as error:
            return error.status
        return 200

    def send(application_id: str, message_id: str, **more: Any) -> Any:
        return MODELS.TfaStartAuthenticationRequest(
            application_id=application_id, message_id=message_id, to=NUMBER[1:], **more
        )

    def verify(pin_id: str, pin: str) -> Any:
        return api.verify_tfa_phone_number(pin_id, MODELS.TfaVerifyPinRequest(pin=pin))

    default = send(INFOBIP_APPLICATION_ID, INFOBIP_MESSAGE_ID)
    pin_id = str(api.send_tfa_pin_code_over_sms(default).pin_id)
    code = sandbox.code()
    record("wrong PIN", verify(pin_id, another(code)).pin_error)
    record("right PIN, a second later", status_of(lambda: verify(pin_id, code)))
    sandbox.wait(3)
    record("right PIN, three seconds later", verify(pin_id, code).verified)
    record(
        "status",
        api.get_tfa_verification_status(NUMBER[1:], INFOBIP_APPLICATION_ID).verifications[0].verified,
    )
    again = MODELS.TfaResendPinRequest()
    record("resend", api.resend_tfa_pin_code_over_sms(pin_id, again).pin_id == pin_id)
    record("resend by voice", api.resend_tfa_pin_code_over_voice(pin_id, again).call_status)
    record("a fourth send in a day", status_of(lambda: api.send_tfa_pin_code_over_sms(default)))
    sandbox.wait(240)
    made = api.create_tfa_application_with_http_info(
        MODELS.TfaApplicationRequest(
            name="by Python",
            configuration=MODELS.TfaApplicationConfiguration(pin_attempts=1, verify_pin_limit="9/3s"),
        )
    )
    # Infobip's OpenAPI document answers 201; the client made from it knows 200 alone, and reads nothing.
    record("create application", f"{made.status_code} {made.data}")
    application_id = json.loads(made.raw_data)["applicationId"]
    record("list applications", [each.name for each in api.get_tfa_applications()][1:])
    found = api.get_tfa_application(application_id).configuration
    record("defaults", f"{found.send_pin_per_phone_number_limit} {found.pin_time_to_live}")
    request = MODELS.TfaCreateMessageRequest(
        message_text="Your code is {{pin}}", pin_type=MODELS.TfaPinType.NUMERIC, pin_length=8
    )
    message_id = str(api.create_tfa_message_template(application_id, request).message_id)
    record("create template", api.get_tfa_message_template(application_id, message_id).pin_placeholder)
    spent = api.send_tfa_pin_code_over_voice(send(application_id, message_id))
    record("voice", spent.call_status)
    record("length of the code", len(sandbox.code()))
    verify(str(spent.pin_id), another(sandbox.code()))
    record("exhausted PIN", verify(str(spent.pin_id), sandbox.code()).pin_error)
    tracked = api.send_tfa_pin_code_over_sms(send(application_id, message_id, track_delivery=True))
    record("tracked", bool(tracked.external_message_id))
    # Infobip's document has Basic as well; the client takes a user and a password, and sends neither.
    basic = infobip_client.Configuration(host=host, username=INFOBIP_USERNAME, password=INFOBIP_PASSWORD)
    by_password = TfaApi(infobip_client.ApiClient(basic))
    record("by user and password", status_of(by_password.get_tfa_applications))


def infobip_report(sandbox: Sandbox, record: Record) -> None:
    """A delivery report, read by the client's own model of it."""
    with receiving() as receiver:
        requests.put(f"{sandbox.url}/callbacks", json={"infobip": receiver.url}, timeout=5)
        requests.post(
            f"{sandbox.url}/infobip/2fa/2/pin",
            json={
                "applicationId": INFOBIP_APPLICATION_ID,
                "messageId": INFOBIP_MESSAGE_ID,
                "to": NUMBER[1:],
                "trackDelivery": True,
            },
            headers={"Authorization": f"App {INFOBIP_API_KEY}"},
            timeout=5,
        )
        result = MODELS.SmsDeliveryResult.from_json(receiver.next().body.decode())
    (report,) = result.results
    record("delivery report", f"{report.status.id} {report.status.name}")


def sinch_python(sandbox: Sandbox, record: Record) -> None:
    client = sinch.SinchClient(
        application_key=SINCH_APPLICATION_KEY, application_secret=SINCH_APPLICATION_SECRET
    )
    client.configuration.disable_https = True
    client.configuration.verification_origin = sandbox.url.removeprefix("http://") + "/sinch"
    starts, states = client.verification.verifications, client.verification.verification_status
    identity = VerificationIdentity(type="number", endpoint=NUMBER)

    def code_of(act: Callable[[], object]) -> object:
        try:
            act()
        except VerificationException as error:
            return error.http_response.body["errorCode"]
        return "none"

    sms = starts.start_sms(identity=identity, reference="by-python")
    record("start by SMS", f"{sms.method} {sms.sms.interception_timeout}")
    record("start again at once", code_of(lambda: starts.start_sms(identity=identity)))
    record("status by reference", states.get_by_reference("by-python").status)
    record("status by identity", states.get_by_identity(NUMBER, "sms").status)
    right = sandbox.code()
    record("wrong code", code_of(lambda: starts.report_sms_by_id(sms.id, another(right))))
    record("right code by id", starts.report_sms_by_id(sms.id, right).status)
    record("status by id", states.get_by_id(sms.id).status)
    # The client looks for country_id, where Sinch's document and answers have countryId.
    record("country", states.get_by_id(sms.id).country_id)
    sandbox.wait(10)
    starts.start_phone_call(identity=identity)
    called = starts.report_phone_call_by_identity(NUMBER, sandbox.code())
    record("start by callout, right code by identity", called.status)
    sandbox.wait(10)
    # The client's word is flashCall, Sinch's document's is flashcall; and this version has no WhatsApp.
    record("flash call", code_of(lambda: starts.start_flash_call(identity=identity)))
    sandbox.wait(10)
    record("data", code_of(lambda: starts.start_data(identity=identity)))


def sinch_callbacks(sandbox: Sandbox, record: Record) -> None:
    """A callback signed by the client as Sinch signs, and checked by the service."""
    del sandbox
    account = {"applicationKey": SINCH_APPLICATION_KEY, "applicationSecret": SINCH_APPLICATION_SECRET}
    client = sinch.SinchClient(
        application_key=SINCH_APPLICATION_KEY, application_secret=SINCH_APPLICATION_SECRET
    )
    body = '{"event":"VerificationResultEvent","status":"SUCCESSFUL"}'
    # Sinch's own callbacks end in Z; the client would write +00:00.
    timestamp = datetime.now(UTC).isoformat().replace("+00:00", "Z")
    path = "/v1/webhooks/sinch"
    made = Signature(client, "POST", body, path, signature_timestamp=timestamp)
    signed = made.get_http_headers_with_signature()
    headers = {name.lower(): value for name, value in signed.items()}
    callback = Callback(path, headers, body.encode())
    record("callback that the client signs", SinchCallbacks().refusal(callback, account, time.time()))
    forged = Callback(path, headers, body.encode() + b" ")
    record("the same with a byte more", SinchCallbacks().refusal(forged, account, time.time()))


def by_node(script: str, *arguments: str) -> list[Row]:
    command = [str(NODE), str(ROOT / "tests/vendors" / script), str(PACKAGES), *arguments]
    done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=SECONDS)  # noqa: S603 # our own command
    return [(operation, result) for operation, result in json.loads(done.stdout.splitlines()[-1])]


def infobip_node(sandbox: Sandbox, record: Record) -> None:
    user = (INFOBIP_USERNAME, INFOBIP_PASSWORD)
    for row in by_node("infobip.mjs", sandbox.url, INFOBIP_API_KEY, NUMBER[1:], *user):
        record(*row)


def sinch_node(sandbox: Sandbox, record: Record) -> None:
    account = (SINCH_APPLICATION_KEY, SINCH_APPLICATION_SECRET)
    with receiving() as receiver:
        url = f"{receiver.url}/v1/webhooks/sinch"
        requests.put(f"{sandbox.url}/callbacks", json={"sinch": url}, timeout=5)
        body = {"identity": {"type": "number", "endpoint": "+447400123456"}, "method": "sms"}
        starting = f"{sandbox.url}/sinch/verification/v1/verifications"
        requests.post(starting, json=body, auth=account, timeout=5)
        received = [receiver.next(), receiver.next()]
        requests.put(f"{sandbox.url}/callbacks", json={}, timeout=5)
    callbacks = [
        {"headers": each.headers, "body": each.body.decode(), "path": each.path} for each in received
    ]
    for row in by_node("sinch.mjs", sandbox.url, *account, NUMBER, json.dumps(callbacks)):
        record(*row)


def aws_boto3(sandbox: Sandbox, record: Record) -> None:
    client: Any = boto3.client(
        "pinpoint-sms-voice-v2",
        endpoint_url=f"{sandbox.url}/aws",
        region_name="eu-west-1",
        config=Config(retries={"total_max_attempts": 1}),
    )
    message = {"DestinationPhoneNumber": NUMBER, "MessageBody": "Your code is 012345."}

    def reason_of(act: Callable[[], object]) -> object:
        try:
            act()
        except client.exceptions.ValidationException as error:
            return error.response["Reason"]
        except client.exceptions.ResourceNotFoundException as error:
            return error.response["ResourceType"]
        return "none"

    sent = client.send_text_message(
        **message, OriginationIdentity=AWS_ORIGINATION_IDENTITY, MessageFeedbackEnabled=True
    )
    record("send", sandbox.code())
    feedback = {"MessageId": sent["MessageId"], "MessageFeedbackStatus": "RECEIVED"}
    record("feedback", client.put_message_feedback(**feedback)["MessageFeedbackStatus"])
    untracked = client.send_text_message(**message)["MessageId"]
    record("without an identity", bool(untracked))
    record(
        "feedback that is not enabled",
        reason_of(lambda: client.put_message_feedback(**{**feedback, "MessageId": untracked})),
    )
    record("dry run", bool(client.send_text_message(**message, DryRun=True)["MessageId"]))
    other = {"OriginationIdentity": "SOMEBODY"}
    record("another identity", reason_of(lambda: client.send_text_message(**message, **other)))
    record("account", client.describe_account_attributes()["AccountAttributes"][0]["Name"])
    record("messages", len(requests.get(f"{sandbox.url}/inbox", timeout=5).json()))


CLIENTS: dict[str, Callable[[Sandbox, Record], None]] = {
    "infobip-api-python-client": infobip_python,
    "SmsDeliveryResult": infobip_report,
    "@infobip-api/sdk": infobip_node,
    "sinch": sinch_python,
    "sinch.core.signature": sinch_callbacks,
    "@sinch/verification": sinch_node,
    "boto3": aws_boto3,
}

TABLE: dict[str, list[Row]] = {
    "infobip-api-python-client": [
        ("wrong PIN", "WRONG_PIN"),
        ("right PIN, a second later", "429"),
        ("right PIN, three seconds later", "True"),
        ("status", "True"),
        ("resend", "True"),
        ("resend by voice", "PENDING_ACCEPTED"),
        ("a fourth send in a day", "429"),
        ("create application", "201 None"),
        ("list applications", "['by Python']"),
        ("defaults", "3/1d 15m"),
        ("create template", "{{pin}}"),
        ("voice", "PENDING_ACCEPTED"),
        ("length of the code", "8"),
        ("exhausted PIN", "NO_MORE_PIN_ATTEMPTS"),
        ("tracked", "True"),
        ("by user and password", "401"),
    ],
    "SmsDeliveryResult": [("delivery report", "5 DELIVERED_TO_HANDSET")],
    "@infobip-api/sdk": [
        ("create application", "201"),
        ("create template", "{{pin}}"),
        ("list applications", "2"),
        ("list templates", "1"),
        ("update template", "Code {{pin}}"),
        ("send", "MESSAGE_SENT"),
        ("length of the code", "8"),
        ("resend", "true"),
        ("resend by voice", "PENDING_ACCEPTED"),
        ("wrong PIN", "WRONG_PIN"),
        ("right PIN", "true"),
        ("status", "true"),
        ("voice", "PENDING_ACCEPTED"),
        ("exhausted PIN", "NO_MORE_PIN_ATTEMPTS"),
        ("by user and password", "2"),
    ],
    "sinch": [
        ("start by SMS", "sms 600"),
        ("start again at once", "42901"),
        ("status by reference", "PENDING"),
        ("status by identity", "PENDING"),
        ("wrong code", "40003"),
        ("right code by id", "SUCCESSFUL"),
        ("status by id", "SUCCESSFUL"),
        ("country", "None"),
        ("start by callout, right code by identity", "SUCCESSFUL"),
        ("flash call", "40001"),
        ("data", "40300"),
    ],
    "sinch.core.signature": [
        ("callback that the client signs", "None"),
        ("the same with a byte more", "signature"),
    ],
    "@sinch/verification": [
        ("start by SMS", "Numeric"),
        ("status by reference", "PENDING"),
        ("status by identity", "PENDING"),
        ("wrong code", "40003"),
        ("right code by id", "SUCCESSFUL"),
        ("status by id", "SUCCESSFUL manual US"),
        ("start by callout, right code by identity", "SUCCESSFUL"),
        ("start by WhatsApp", "Numeric"),
        ("right code by WhatsApp", "SUCCESSFUL"),
        ("flash call", "SUCCESSFUL"),
        ("exhausted code", "FAIL Invalid code"),
        ("callbacks", '[[true,"VerificationRequestEvent"],[true,"VerificationSmsDeliveredEvent"]]'),
    ],
    "boto3": [
        ("send", "012345"),
        ("feedback", "RECEIVED"),
        ("without an identity", "True"),
        ("feedback that is not enabled", "message"),
        ("dry run", "True"),
        ("another identity", "phone-number"),
        ("account", "ACCOUNT_TIER"),
        ("messages", "2"),
    ],
}


@pytest.fixture(scope="module")
def drive() -> Callable[[str], list[Row]]:
    """The rows of each client, in order; each client is driven once."""
    driven: dict[str, list[Row]] = {}

    def drive(name: str) -> list[Row]:
        if name not in driven:
            rows: list[Row] = []
            clock = PacedClock()
            # A client in another process cannot wait on the clock of this one.
            create = create_wide_app if name.startswith("@") else create_app
            with running_sandbox(app=create(clock=clock, delivery_seconds=0)) as url:
                CLIENTS[name](
                    Sandbox(url, clock), lambda operation, result: rows.append((operation, str(result)))
                )
            driven[name] = rows
        return driven[name]

    return drive


@pytest.mark.parametrize(
    ("client", "operation", "result"),
    [(client, *row) for client, rows in TABLE.items() for row in rows],
)
def test_the_vendors_client_is_answered_as_the_vendor_answers(
    drive: Callable[[str], list[Row]], client: str, operation: str, result: str
) -> None:
    assert (operation, result) in drive(client)


@pytest.mark.parametrize("client", TABLE)
def test_the_table_has_every_row_of_each_client(drive: Callable[[str], list[Row]], client: str) -> None:
    assert [operation for operation, _ in drive(client)] == [operation for operation, _ in TABLE[client]]
