"""CAMARA's own test definitions of one-time-password-sms 1.1.1, with the expected answers.

The facts are those of the Gherkin features of camaraproject/OTPValidation at release r3.2 (Apache-2.0),
`code/Test_definitions/one-time-password-sms-{sendCode,validateCode}.feature`; tags are without their
`OTPvalidationAPI_`. `docs/camara.md` has the same table.
"""

from dataclasses import dataclass
from enum import StrEnum


class Result(StrEnum):
    """The result of a scenario here."""

    PASSED = "passed"
    FAILED = "failed"
    NOT_APPLICABLE = "not applicable"


@dataclass(frozen=True)
class Scenario:
    """One definition: the status and the code that it expects, its result here, and why."""

    tag: str
    status: int
    code: str | None = None
    result: Result = Result.PASSED
    why: str = ""


MALFORMED = (400, "INVALID_ARGUMENT")
UNAUTHENTICATED = (401, "UNAUTHENTICATED")
OF_CAMARA = "ONE_TIME_PASSWORD_SMS."

_KEY = "a missing or wrong `x-api-key` is API Gateway's 403, a problem (RFC 9457)"
_NO_TOKEN = "the caller has an API key and no access token, and a key does not expire"
_NO_OPERATOR = "the service sends to every operator's numbers"
_STAYS_RIGHT = "a code that was sent stays right until it expires, so the answer is 204"


def _passed(tag: str, status: int, code: str | None = None) -> Scenario:
    return Scenario(tag, status, code)


def _failed(tag: str, status: int, code: str, why: str) -> Scenario:
    return Scenario(tag, status, code, Result.FAILED, why)


def _not_applicable(tag: str, status: int, code: str, why: str) -> Scenario:
    return Scenario(tag, status, code, Result.NOT_APPLICABLE, why)


SEND_CODE = (
    _passed("01_send_code_success_scenario", 200),
    _passed("02_send_code_success_scenario_without_x-correlator", 200),
    _passed("400.1_send_code_no_request_body", *MALFORMED),
    _passed("400.2_send_code_empty_request_body", *MALFORMED),
    _passed("400.4_send_code_incorrect_phone_number_request_body", *MALFORMED),
    _passed("400.5_send_code_missing_message", *MALFORMED),
    _passed("400.6_send_code_missing_code_request_body", *MALFORMED),
    _passed("400.7_send_code_message_too_long", *MALFORMED),
    _failed("401.1_send_code_no_authorization_header", *UNAUTHENTICATED, _KEY),
    _not_applicable("401.2_send_code_expired_access_token", *UNAUTHENTICATED, _NO_TOKEN),
    _failed("401.3_send_code_invalid_access_token", *UNAUTHENTICATED, _KEY),
    _passed("03_send_code_max_otp_code", 403, f"{OF_CAMARA}MAX_OTP_CODES_EXCEEDED"),
    _passed("04_send_code_phone_number_not_allowed", 403, f"{OF_CAMARA}PHONE_NUMBER_NOT_ALLOWED"),
    _passed("05_send_code_phone_number_not_allowed_3", 403, f"{OF_CAMARA}PHONE_NUMBER_NOT_ALLOWED"),
    _passed("06_send_code_phone_number_blocked", 403, f"{OF_CAMARA}PHONE_NUMBER_BLOCKED"),
    _not_applicable("404.1_send_code_phone_number_not_belong_to_operator", 404, "NOT_FOUND", _NO_OPERATOR),
)

VALIDATE_CODE = (
    _passed("01_validate_code_sucess_scenario", 204),
    _passed("02_validate_code_sucess_scenario_without_x-correlator", 204),
    _passed("400.1_validate_code_no_request_body", *MALFORMED),
    _passed("400.2_validate_code_empty_request_body", *MALFORMED),
    _passed("400.3_validate_code_missing_authenticationId", *MALFORMED),
    _passed("400.3_validate_code_missing_code", *MALFORMED),
    _passed("400.4_validate_code_exceed_code_max_length", *MALFORMED),
    _passed("400.5_validate_code_invalid_otp_scenario", 400, f"{OF_CAMARA}INVALID_OTP"),
    _passed("400.6_validate_code_verification_expired_scenario_1", 400, f"{OF_CAMARA}VERIFICATION_EXPIRED"),
    _failed(
        "400.7_validate_code_verification_expired_scenario_2",
        400,
        f"{OF_CAMARA}VERIFICATION_EXPIRED",
        _STAYS_RIGHT,
    ),
    _passed("400.8_validate_code_verification_expired_scenario_3", 400, f"{OF_CAMARA}VERIFICATION_EXPIRED"),
    _passed("400.9_validate_code_verification_failed_scenario", 400, f"{OF_CAMARA}VERIFICATION_FAILED"),
    _failed("401.1_validate_code_no_authorization_header", *UNAUTHENTICATED, _KEY),
    _not_applicable("401.2_validate_code_expired_access_token", *UNAUTHENTICATED, _NO_TOKEN),
    _failed("401.3_validate_code_invalid_access_token", *UNAUTHENTICATED, _KEY),
    _passed("404_validate_code_resource_not_found", 404, "NOT_FOUND"),
)

SCENARIOS = {scenario.tag: scenario for scenario in (*SEND_CODE, *VALIDATE_CODE)}
AT_API_GATEWAY = tuple(
    scenario for scenario in SCENARIOS.values() if scenario.status == 401 and scenario.result is Result.FAILED
)
"""The scenarios that API Gateway answers before any function runs."""
