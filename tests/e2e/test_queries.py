"""Why did this user get no code? The three saved queries, run over the logs of the deployed functions.

MiniStack runs the part of Logs Insights that these queries use, but finds no fields in JSON lines: the test
reads them from the lines that a query found. MiniStack keeps no access log either;
`tests/unit/test_monitoring.py` holds that its format has the id of the request.
"""

import json
import re
import time

import pytest
import requests

from local.template import resource
from ops.measured import lines
from sms_otp.domain.keys import verification_key
from sms_otp.domain.phone import mask
from tests.e2e.conftest import Backend, fresh_number

pytestmark = [pytest.mark.e2e, pytest.mark.long]

GROUPS = ("RequestOtpLogGroup", "VerifyOtpLogGroup", "ResendOtpLogGroup")
Row = dict[str, str]
"""One line of the log."""


@pytest.fixture(scope="module")
def user() -> str:
    return fresh_number()


@pytest.fixture(scope="module")
def verification(stack: object, user: str) -> tuple[str, requests.Response]:
    """A user requests a code, is refused another, guesses wrong and then right."""
    backend = Backend(stack, stack.api_key)  # type: ignore[attr-defined, arg-type] # the session's stack
    verification_id = backend.requested(user)
    refused = backend.request(user)
    backend.verify(verification_id, "000000" if backend.code(user) != "000000" else "111111")
    assert backend.verify(verification_id, backend.code(user)).status_code == 200
    return verification_id, refused


def query_rows(backend: Backend, name: str, placeholder: str, value: str) -> list[Row]:
    """The rows of a saved query, with `value` in place of its example."""
    saved = resource(name)["QueryString"]
    assert saved.count(placeholder) == 1, saved
    client = backend.stack.client("logs")
    started = client.start_query(
        logGroupNames=[backend.stack.physical_id(group) for group in GROUPS],
        startTime=int(time.time()) - 600,
        endTime=int(time.time()) + 60,
        queryString=saved.replace(placeholder, value).replace("fields ", "fields @message, ", 1),
    )
    found = client.get_query_results(queryId=started["queryId"])
    assert found["status"] == "Complete"
    cells = ({cell["field"]: cell["value"] for cell in row} for row in found["results"])
    return [json.loads(row["@message"]) for row in cells]


def test_the_masked_number_finds_the_outcome_of_each_request(
    backend: Backend, user: str, verification: tuple[str, requests.Response]
) -> None:
    rows = query_rows(backend, "NumberQuery", r"\+1415\*\*\*\*\*23", re.escape(mask(user)))
    events = {row["message"] for row in rows}
    assert {"otp_requested", "request_refused", "otp_incorrect", "otp_verified"} <= events
    refused = [row for row in rows if row["request_id"] == verification[1].json()["instance"]]
    assert [(row["error_code"], row["reason"]) for row in refused] == [("RATE_LIMITED", "number")]


def test_the_instance_of_a_problem_finds_its_request(
    backend: Backend, verification: tuple[str, requests.Response]
) -> None:
    instance = verification[1].json()["instance"]
    rows = query_rows(backend, "RequestQuery", "00000000-0000-0000-0000-000000000000", instance)
    assert [row["message"] for row in rows] == ["request_refused"]


def test_a_verification_finds_the_lines_of_both_functions_and_the_provider_ref(
    backend: Backend, verification: tuple[str, requests.Response]
) -> None:
    key = verification_key(verification[0])[:16]
    rows = query_rows(backend, "VerificationQuery", "0" * 16, key)
    by_event = {row["message"]: row for row in rows}
    sent, verified = by_event["otp_requested"], by_event["otp_verified"]
    assert sent["provider_ref"]
    assert sent["provider"] == verified["provider"] == "infobip"
    assert len({sent["request_id"], verified["request_id"]}) == 2
    assert by_event["otp_incorrect"]["check"] == "wrong"


@pytest.mark.usefixtures("verification")
@pytest.mark.parametrize("name", ["NumberQuery", "RequestQuery", "VerificationQuery"])
def test_every_field_of_a_query_exists_in_the_log_lines(backend: Backend, name: str) -> None:
    (listed,) = re.findall(r"^fields (.+)$", resource(name)["QueryString"], re.MULTILINE)
    fields = {field for field in listed.split(", ") if not field.startswith("@")}
    access_log = json.loads(resource("Api")["AccessLogSetting"]["Format"])
    logged = {field for line in lines(backend.stack, *GROUPS) for field in line} | access_log.keys()
    # Only a webhook logs it, and no delivery report arrives within this test.
    assert fields - {"delivery"} <= logged
