"""The claims and the signature of a token, checked by PyJWT, and the cases without a token."""

import base64
import json
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import jwt
import pytest
from botocore.exceptions import ClientError, ReadTimeoutError

from fakes.memory import START, Ed25519Kms, StepClock, a_verification
from generators import events
from local.template import ROOT, environment
from sms_otp.adapters.aws import kms
from sms_otp.domain import keys
from sms_otp.domain.clock import Seconds
from sms_otp.domain.commands import Policy, VerifyOtp
from sms_otp.domain.errors import OtpIncorrect
from sms_otp.domain.ports import StoreError, TokenError
from sms_otp.domain.verification import State
from sms_otp.entry_points import http
from sms_otp.use_cases import tokens
from sms_otp.use_cases.verify import verify_code
from tests.unit.world import NUMBER, World

ARN = "arn:aws:kms:eu-west-1:123456789012:key/0d8e1c5e-made-up"
API_URL = "https://abcde12345.execute-api.eu-west-1.amazonaws.com/v1"
NOW = Seconds(int(START))
CLAIMS = {"iss", "aud", "sub", "jti", "iat", "exp"}


@pytest.fixture
def aws() -> Ed25519Kms:
    return Ed25519Kms()


@pytest.fixture
def key(aws: Ed25519Kms) -> kms.KmsKey:
    return kms.KmsKey(lambda: aws, ARN)


def checked(token: str, key_set: dict[str, Any], **expected: str) -> dict[str, Any]:
    """The claims, by PyJWT. The token's age is not checked: it is of the tests' own time."""
    published = jwt.PyJWKSet.from_dict(key_set)[jwt.get_unverified_header(token)["kid"]]
    options: Any = {"verify_exp": False, "verify_iat": False, "require": sorted(CLAIMS)}
    return jwt.decode(token, published.key, algorithms=["EdDSA"], options=options, **expected)  # type: ignore[arg-type] # issuer and audience


def test_a_token_has_issuer_audience_subject_purpose_and_expiry(key: kms.KmsKey) -> None:
    verification = a_verification(purpose="login")
    token = tokens.TokenIssuer(key, "")(verification, API_URL, NOW)
    claims = checked(token, tokens.key_set([key]), issuer=API_URL, audience="tenant-a")
    assert claims == {
        "iss": API_URL,
        "aud": "tenant-a",
        "sub": keys.subject(verification.number_key, "tenant-a"),
        "purpose": "login",
        "jti": keys.verification_key("an-id"),
        "iat": NOW,
        "exp": NOW + 300,
    }
    assert jwt.get_unverified_header(token) == {"alg": "EdDSA", "kid": "0d8e1c5e-made-up", "typ": "JWT"}


def test_a_token_has_a_purpose_only_where_the_request_had_one(key: kms.KmsKey) -> None:
    token = tokens.TokenIssuer(key, "")(a_verification(), API_URL, NOW)
    assert checked(token, tokens.key_set([key]), audience="tenant-a").keys() == CLAIMS


def test_a_configured_issuer_takes_precedence_over_the_apis_url(key: kms.KmsKey) -> None:
    token = tokens.TokenIssuer(key, "https://verify.example.com")(a_verification(), API_URL, NOW)
    checked(token, tokens.key_set([key]), issuer="https://verify.example.com", audience="tenant-a")


def test_no_token_holds_a_phone_number_or_its_table_key(key: kms.KmsKey) -> None:
    verification = a_verification()
    token = tokens.TokenIssuer(key, "")(verification, API_URL, NOW)
    claims = json.dumps(checked(token, tokens.key_set([key]), audience="tenant-a"))
    for secret in (verification.phone.removeprefix("+"), verification.number_key[:8]):
        assert secret not in claims


def test_a_subject_differs_by_tenant_and_number() -> None:
    made = {keys.subject(number, tenant) for number in ("one", "two") for tenant in ("a", "b")}
    assert len(made) == 4


@pytest.mark.parametrize("part", [0, 1, 2])
def test_a_token_that_was_changed_anywhere_is_refused(key: kms.KmsKey, part: int) -> None:
    token = tokens.TokenIssuer(key, "")(a_verification(), API_URL, NOW)
    parts = token.split(".")
    other = "A" if parts[part][10] != "A" else "B"
    parts[part] = parts[part][:10] + other + parts[part][11:]
    with pytest.raises((jwt.PyJWTError, KeyError)):
        checked(".".join(parts), tokens.key_set([key]), audience="tenant-a")


def test_a_token_of_an_unpublished_key_is_refused(key: kms.KmsKey) -> None:
    other = kms.KmsKey(Ed25519Kms, ARN)
    token = tokens.TokenIssuer(key, "")(a_verification(), API_URL, NOW)
    with pytest.raises(jwt.InvalidSignatureError):
        checked(token, tokens.key_set([other]), audience="tenant-a")


def test_tokens_of_both_keys_are_good_while_both_are_published(key: kms.KmsKey) -> None:
    aws = Ed25519Kms()
    newer = kms.KmsKey(lambda: aws, ARN + "-2")
    published = tokens.key_set([newer, key])
    for signer in (key, newer):
        checked(
            tokens.TokenIssuer(signer, "")(a_verification(), API_URL, NOW), published, audience="tenant-a"
        )


def test_a_public_key_is_fetched_once(aws: Ed25519Kms, key: kms.KmsKey) -> None:
    assert tokens.key_set([key]) == tokens.key_set([key])
    assert aws.calls == ["GetPublicKey"]


def test_a_key_that_is_not_of_ed25519_is_not_published() -> None:
    class Rsa(Ed25519Kms):
        def get_public_key(self, **_: Any) -> dict[str, Any]:
            return {"PublicKey": b"\x30\x82" + bytes(292)}

    with pytest.raises(TokenError):
        tokens.key_set([kms.KmsKey(Rsa, ARN)])


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (ClientError({"Error": {"Code": "DisabledException", "Message": ARN}}, "Sign"), "DisabledException"),
        (ReadTimeoutError(endpoint_url="https://kms.invalid"), "ReadTimeoutError"),
    ],
)
def test_a_failure_of_kms_is_named_by_its_code_only(error: Exception, reason: str) -> None:
    def failing() -> kms.Client:
        raise error

    with pytest.raises(TokenError) as failed:
        kms.KmsKey(failing, ARN).sign(b"a message")
    assert str(failed.value) == f"Sign: {reason}"


class Failing:
    """A key that is out of reach."""

    key_id = "a-key"

    def sign(self, message: bytes) -> bytes:
        del message
        raise TokenError("Sign: ThrottlingException")


@pytest.fixture
def issuing(policy: Policy, clock: StepClock, key: kms.KmsKey) -> Callable[[tokens.Signer], World]:
    def make(signer: tokens.Signer = key) -> World:
        return World(policy, clock, issue_token=tokens.TokenIssuer(signer, "https://verify.example.com"))

    return make


def test_a_right_code_is_answered_with_a_token(issuing: Callable[[], World], key: kms.KmsKey) -> None:
    world = issuing()
    verified = verify_code(world.service, VerifyOtp(world.request(purpose="login"), "123456"), world.caller())
    assert verified.token is not None
    claims = checked(verified.token, tokens.key_set([key]), audience="tenant-a")
    assert (claims["purpose"], claims["iat"]) == ("login", verified.verified_at)


def test_if_signing_fails_the_verification_still_succeeds(
    issuing: Callable[[tokens.Signer], World],
) -> None:
    world = issuing(Failing())
    verification_id = world.request()
    verified = verify_code(world.service, VerifyOtp(verification_id, "123456"), world.caller())
    assert (verified.token, verified.token_failed, verified.phone_number) == (None, True, NUMBER)
    assert [state.state for state in world.store.verifications.values()] == [State.VERIFIED]
    assert [event for event, _ in world.emitted][-2:] == ["otp_verified", "token_failed"]
    assert world.verify(verification_id) == "ALREADY_VERIFIED"


@pytest.mark.parametrize("otp", ["000000", "123456"])
def test_nothing_is_signed_without_a_verification(
    issuing: Callable[[], World], aws: Ed25519Kms, otp: str
) -> None:
    world = issuing()
    verification_id = world.request()

    def fail(*_: object) -> None:
        raise StoreError("TransactWriteItems: InternalServerError")

    world.store.consume = fail  # type: ignore[method-assign, assignment] # one fault
    with pytest.raises((StoreError, OtpIncorrect)):
        verify_code(world.service, VerifyOtp(verification_id, otp), world.caller())
    assert aws.calls == []


def test_no_token_is_signed_for_an_answer_without_one(issuing: Callable[[], World], aws: Ed25519Kms) -> None:
    world = issuing()
    command = VerifyOtp(world.request(), "123456", with_token=False)
    verified = verify_code(world.service, command, world.caller())
    assert (verified.token, verified.token_failed, aws.calls) == (None, False, [])


def test_without_token_keys_a_missing_token_is_no_failure(policy: Policy, clock: StepClock) -> None:
    world = World(policy, clock)
    verified = verify_code(world.service, VerifyOtp(world.request(), "123456"), world.caller())
    assert (verified.token, verified.token_failed) == (None, False)


PROGRAM = """
import sys, verify_otp.app
verify_otp.app.bootstrap.service()
print(*sorted({"sms_otp.use_cases.tokens", "sms_otp.adapters.aws.kms"} & sys.modules.keys()))
"""


@pytest.mark.parametrize(
    ("token_keys", "imported"), [("", ""), (ARN, "sms_otp.adapters.aws.kms sms_otp.use_cases.tokens")]
)
def test_the_token_modules_are_imported_only_if_tokens_are_issued(token_keys: str, imported: str) -> None:
    variables = environment() | {
        "TOKEN_KEYS": token_keys,
        "PYTHONPATH": f"{ROOT / 'functions'}:{ROOT / 'layers/core'}",
        "AWS_DEFAULT_REGION": "eu-west-1",
    }
    command = [sys.executable, "-c", PROGRAM]
    done = subprocess.run(command, env=variables, check=True, capture_output=True, text=True)  # noqa: S603 # our own words
    assert done.stdout.strip() == imported


@pytest.mark.parametrize("path", ["/verify-otp", "/.well-known/jwks.json"])
def test_the_apis_url_is_the_called_url_without_the_operations_path(path: str) -> None:
    assert http._api_url(events.build(path)) == f"https://{events.DOMAIN}/{events.STAGE}"


def test_the_format_of_a_token_is_stable(key: kms.KmsKey) -> None:
    """To the byte: the order of members, and no space between them."""
    token = tokens.TokenIssuer(key, "")(a_verification(purpose="login"), API_URL, NOW)
    header, claims, _ = (base64.urlsafe_b64decode(part + "==") for part in token.split("."))
    assert header == b'{"alg":"EdDSA","kid":"0d8e1c5e-made-up","typ":"JWT"}'
    assert claims.decode() == (
        '{"iss":"https://abcde12345.execute-api.eu-west-1.amazonaws.com/v1","aud":"tenant-a",'
        '"sub":"bc98e3ae8e16f9e356234b177c7f9aac98d0ce9010f963ac4a2b02078e6c89b7","purpose":"login",'
        '"jti":"13a48784935b810f9b66cfb8ba888d160fe1ce869665caa287051a7b2fe43397",'
        '"iat":1800000000,"exp":1800000300}'
    )
