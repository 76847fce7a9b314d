"""The vendors' code tables: whole, without contradictions, and as `docs/providers.md` prints them."""

import boto3
import pytest

from generators.codes_doc import PAGE, VENDORS, with_registry
from sms_otp.adapters.providers import aws_codes, infobip_codes, sinch_codes
from sms_otp.adapters.providers.codes import Code
from sms_otp.domain.provider import Delivery

ALL = [
    pytest.param(code, id=f"{vendor}-{code.name or code.group}")
    for vendor in VENDORS
    for code in VENDORS[vendor]
]
SENT = {Delivery.ACCEPTED, Delivery.DELIVERED}

# AWS's reasons that only other operations have: about registrations, pools, keywords, opt-out lists, quotas
# of resources, and other channels.
NOT_OF_A_SEND = 80


def reasons_of_aws() -> set[tuple[str, str]]:
    model = boto3.client("pinpoint-sms-voice-v2", region_name="us-east-1").meta.service_model
    operation = model.operation_model("SendTextMessage")
    return {
        (shape.name, reason)
        for shape in operation.error_shapes
        if "Reason" in shape.members
        for reason in shape.members["Reason"].enum
    }


def test_the_page_prints_the_tables() -> None:
    page = PAGE.read_text()

    assert with_registry(page) == page


@pytest.mark.parametrize("code", ALL)
def test_a_code_that_says_sent_is_no_failure(code: Code) -> None:
    assert not (code.delivery in SENT and code.kind)


@pytest.mark.parametrize("vendor", VENDORS)
def test_no_code_has_two_rows(vendor: str) -> None:
    rows = [(code.group, code.id, code.name) for code in VENDORS[vendor]]

    assert len(rows) == len(set(rows))


def test_each_infobip_status_without_success_has_a_kind_of_failure() -> None:
    without = [code.name for code in infobip_codes.STATUSES if code.delivery not in SENT and not code.kind]

    assert without == []


def test_the_operators_acceptance_is_no_delivery() -> None:
    by_name = {code.name: code.delivery for codes in VENDORS.values() for code in codes}

    assert by_name["DELIVERED_TO_OPERATOR"] is by_name["TEXT_SUCCESSFUL"] is Delivery.ACCEPTED
    assert by_name["DELIVERED_TO_HANDSET"] is by_name["TEXT_DELIVERED"] is Delivery.DELIVERED


def test_a_missing_report_is_unknown() -> None:
    by_name = {code.name: code.delivery for codes in VENDORS.values() for code in codes}

    assert by_name["EXPIRED_DLR_UNKNOWN"] is by_name["TEXT_UNKNOWN"] is Delivery.UNKNOWN


def test_a_sinch_code_begins_with_its_status() -> None:
    assert all(code.id.startswith(code.group) for code in sinch_codes.ERRORS)


def test_each_reason_of_aws_is_documented_by_aws() -> None:
    ours = {(code.group, code.name) for code in aws_codes.REASONS}

    assert ours <= reasons_of_aws()
    assert len(reasons_of_aws() - ours) == NOT_OF_A_SEND


def test_each_event_type_of_a_text_has_a_row() -> None:
    model = boto3.client("pinpoint-sms-voice-v2", region_name="us-east-1").meta.service_model
    texts = {event for event in model.shape_for("EventType").enum if event.startswith("TEXT_")}

    assert {code.name for code in aws_codes.EVENTS} == texts - {"TEXT_ALL"}
