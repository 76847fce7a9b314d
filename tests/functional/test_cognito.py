"""The Cognito triggers of `examples/cognito` with documented events, in front of the service."""

import io
import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Literal

import boto3
import pytest
from samcli.yamlhelper import yaml_parse

from examples.cognito.functions import triggers
from examples.cognito.functions.triggers import SignInRefused
from generators import events
from local.template import ROOT
from sms_otp.domain.provider import NotSent
from tests.functional.canaries import LAST_DIGITS, Watch
from tests.functional.conftest import REGION
from tests.functional.deployment import Deployment
from tests.functional.served import served

NUMBER = "+14155550177"
RIGHT, WRONG = "123456", "654321"
SECRET = "otp-api-key"
USER = {
    "sub": "7f1c9a52-2c8e-4d6d-9a39-0d1b4c1f6a10",
    "cognito:user_status": "CONFIRMED",
    "phone_number": NUMBER,
    "phone_number_verified": "true",
}
TEMPLATE = yaml_parse((ROOT / "examples/cognito/template.yaml").read_text())

Step = dict[str, Any]


@dataclass
class SignIn:
    """One sign-in, run as the user pool runs it, with the challenge that the app sees."""

    attributes: dict[str, str] = field(default_factory=lambda: dict(USER))
    user_not_found: bool = False
    session: list[Step] = field(default_factory=list)
    private: dict[str, str] = field(default_factory=dict)
    metadata: str = ""
    shown: dict[str, str] = field(default_factory=dict)
    """The public parameters of the challenge, which the app gets."""
    kept: list[Any] = field(default_factory=list)
    """All answers of the triggers."""

    def begin(self, *passed: str) -> str:
        """InitiateAuth; `passed` are the rounds of a password before the code, as Cognito reports them."""
        self.session = [{"challengeName": name, "challengeResult": True} for name in passed]
        return self._go_on({})

    def answer(self, answer: str, **metadata: str) -> str:
        """RespondToAuthChallenge with the user's answer and the app's ClientMetadata."""
        verified = self._trigger(
            triggers.verify,
            "VerifyAuthChallengeResponse_Authentication",
            {
                "privateChallengeParameters": self.private,
                "challengeAnswer": answer,
                "clientMetadata": metadata,
            },
            {"answerCorrect": False},
        )
        self.session = [
            *self.session,
            {
                "challengeName": "CUSTOM_CHALLENGE",
                "challengeResult": verified["answerCorrect"],
                "challengeMetadata": self.metadata,
            },
        ]
        return self._go_on(metadata)

    def _go_on(self, metadata: dict[str, str]) -> str:
        """`tokens`, `failed`, or the name of the next challenge."""
        following = {"session": self.session, "clientMetadata": metadata}
        defined = self._trigger(
            triggers.define,
            "DefineAuthChallenge_Authentication",
            following,
            {"challengeName": None, "issueTokens": None, "failAuthentication": None},
        )
        assert (bool(defined["issueTokens"]) + bool(defined["failAuthentication"])) <= 1
        if defined["issueTokens"]:
            return "tokens"
        if defined["failAuthentication"]:
            return "failed"
        name = str(defined["challengeName"])
        if name == "CUSTOM_CHALLENGE":
            created = self._trigger(
                triggers.create,
                "CreateAuthChallenge_Authentication",
                {"challengeName": name, **following},
                {
                    "publicChallengeParameters": {},
                    "privateChallengeParameters": {},
                    "challengeMetadata": None,
                },
            )
            self.shown, self.private = (
                created["publicChallengeParameters"],
                created["privateChallengeParameters"],
            )
            self.metadata = created["challengeMetadata"]
            for parameters in (self.shown, self.private):
                assert all(isinstance(value, str) for value in parameters.values())
        return name

    def _trigger(self, handler: Any, source: str, request: Step, response: Step) -> Step:
        """One invocation with the event of AWS's Developer Guide. Its answer is JSON, as Lambda's is."""
        event = {
            "version": "1",
            "region": REGION,
            "userPoolId": f"{REGION}_example",
            "userName": self.attributes["sub"] if not self.user_not_found else "nobody",
            "callerContext": {"awsSdkVersion": "aws-sdk-unknown-unknown", "clientId": "exampleclient"},
            "triggerSource": source,
            "request": {
                "userAttributes": {} if self.user_not_found else self.attributes,
                "userNotFound": self.user_not_found,
                **request,
            },
            "response": response,
        }
        answered = json.loads(json.dumps(handler(json.loads(json.dumps(event)), None)))
        assert answered.keys() == event.keys()
        self.kept.append(answered["response"])
        found: Step = answered["response"]
        return found


@pytest.fixture
def mode() -> Literal["passwordless", "mfa"]:
    return "passwordless"


@pytest.fixture
def pool(
    deployed: Deployment, mode: str, watch: Watch, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Deployment]:
    """The triggers' environment from their template, in front of the deployed service."""
    watch.look_for("number", NUMBER[-LAST_DIGITS:])
    for code in (RIGHT, WRONG):
        watch.look_for("code", code)
    manager = boto3.client("secretsmanager", region_name=REGION)
    arn = manager.create_secret(Name=SECRET, SecretString=events.API_KEY)["ARN"]
    with served(lambda: deployed) as url:
        for name, value in (("SERVICE_URL", f"{url}/"), ("API_KEY_SECRET_ARN", arn), ("SIGN_IN", mode)):
            monkeypatch.setenv(name, value)
        monkeypatch.setattr("examples.cognito.functions.triggers.time.time", deployed.clock)
        triggers._read_api_key.cache_clear()
        yield deployed
    manager.delete_secret(SecretId=arn, ForceDeleteWithoutRecovery=True)


@pytest.fixture
def log(watch: Watch) -> Iterator[io.StringIO]:
    """The triggers' log, which is searched for canaries."""
    written = io.StringIO()
    handler = logging.StreamHandler(written)
    triggers.LOG.addHandler(handler)
    watch.record_from("the triggers' log", written.getvalue)
    yield written
    triggers.LOG.removeHandler(handler)


@contextmanager
def refused(code: str) -> Iterator[None]:
    """A trigger raises: Cognito gives the app this errorCode, and nobody is signed in."""
    with pytest.raises(SignInRefused) as caught:
        yield
    assert str(caught.value) == code


def test_the_right_code_signs_in(pool: Deployment) -> None:
    sign_in = SignIn()
    assert sign_in.begin() == "CUSTOM_CHALLENGE"
    assert [number for number, _ in pool.provider.sent] == [NUMBER]
    assert sign_in.shown.keys() == {"channel", "expiresAt", "resendAfter"}
    assert sign_in.answer(RIGHT) == "tokens"


def test_a_wrong_code_signs_nobody_in_and_sends_no_new_code(pool: Deployment) -> None:
    sign_in = SignIn()
    sign_in.begin()
    shown = sign_in.shown
    assert [sign_in.answer(answer) for answer in (WRONG, "12 34", "")] == ["CUSTOM_CHALLENGE"] * 3
    assert sign_in.shown == shown
    assert len(pool.provider.sent) == 1
    assert sign_in.answer(RIGHT) == "tokens"


def test_nothing_that_cognito_keeps_holds_a_code(pool: Deployment) -> None:
    sign_in = SignIn()
    sign_in.begin()
    sign_in.answer(WRONG)
    pool.clock.step(30)
    sign_in.answer("anything", resend="true")
    sign_in.answer(RIGHT)
    kept = json.dumps(sign_in.kept)
    assert RIGHT not in kept
    assert WRONG not in kept
    assert all(
        answer.get("privateChallengeParameters", {}).keys() <= {"verificationId"} for answer in sign_in.kept
    )


@pytest.mark.usefixtures("pool")
def test_the_app_is_not_given_the_verification_id() -> None:
    sign_in = SignIn()
    sign_in.begin()
    assert sign_in.private["verificationId"]
    assert sign_in.private["verificationId"] not in json.dumps(sign_in.shown)


def test_a_resend_is_no_guess_and_its_code_signs_in(pool: Deployment) -> None:
    sign_in = SignIn()
    sign_in.begin()
    pool.clock.step(30)
    assert sign_in.answer(RIGHT, resend="true") == "CUSTOM_CHALLENGE"
    assert not pool.provider.checked
    assert len(pool.provider.sent) == 2
    assert sign_in.answer(RIGHT) == "tokens"


def test_a_resend_takes_another_channel(pool: Deployment) -> None:
    sign_in = SignIn()
    sign_in.begin()
    pool.clock.step(30)
    sign_in.answer("-", resend="true", channel="voice")
    assert sign_in.shown["channel"] == "voice"


def test_a_resend_that_comes_too_soon_leaves_the_first_code_right(pool: Deployment) -> None:
    sign_in = SignIn()
    sign_in.begin()
    assert sign_in.answer("-", resend="true") == "CUSTOM_CHALLENGE"
    assert (sign_in.shown["errorCode"], sign_in.shown["retryAfter"]) == ("RATE_LIMITED", "30")
    assert len(pool.provider.sent) == 1
    assert sign_in.answer(RIGHT) == "tokens"


def test_spent_guesses_end_the_sign_in_even_for_the_right_code(pool: Deployment) -> None:
    sign_in = SignIn()
    sign_in.begin()
    for _ in range(5):
        sign_in.answer(WRONG)
    with refused("TOO_MANY_ATTEMPTS"):
        sign_in.answer(RIGHT)
    again = SignIn()
    again.begin()
    with refused("TOO_MANY_ATTEMPTS"):
        again.answer(RIGHT)
    assert len(pool.provider.checked) == 5


def test_an_expired_code_ends_the_sign_in(pool: Deployment) -> None:
    sign_in = SignIn()
    sign_in.begin()
    pool.clock.step(300)
    with refused("OTP_EXPIRED"):
        sign_in.answer(RIGHT)


def test_a_sign_in_ends_after_ten_rounds(pool: Deployment) -> None:
    sign_in = SignIn()
    sign_in.begin()
    ended = [sign_in.answer("-", resend="true") for _ in range(10)]
    assert ended == ["CUSTOM_CHALLENGE"] * 9 + ["failed"]
    assert len(pool.provider.sent) == 1


def test_a_sign_in_begun_twice_within_the_gap_shares_the_code_on_its_way(pool: Deployment) -> None:
    """Cognito retries a trigger that did not answer, and impatient users start again."""
    first, second = SignIn(), SignIn()
    first.begin()
    assert second.begin() == "CUSTOM_CHALLENGE"
    assert len(pool.provider.sent) == 1
    assert second.answer(RIGHT) == "tokens"
    pool.clock.step(60)
    assert SignIn().begin() == "CUSTOM_CHALLENGE"
    assert len(pool.provider.sent) == 2


@pytest.mark.usefixtures("pool")
def test_another_users_sign_in_cannot_use_the_verification() -> None:
    """Not even if a bug mixed two sign-ins up: the verification is bound to the user."""
    sign_in = SignIn()
    sign_in.begin()
    sign_in.attributes = USER | {"sub": "another-user"}
    with refused("VERIFICATION_NOT_FOUND"):
        sign_in.answer(RIGHT)


@pytest.mark.usefixtures("pool")
def test_a_number_that_changed_meanwhile_is_not_the_one_that_was_verified() -> None:
    sign_in = SignIn()
    sign_in.begin()
    sign_in.attributes = USER | {"phone_number": "+14155550178"}
    assert sign_in.answer(RIGHT) == "CUSTOM_CHALLENGE"


def test_nobody_signs_in_while_no_provider_sends(pool: Deployment, log: io.StringIO) -> None:
    pool.provider.fails_with = lambda: NotSent("fake", "500")
    with refused("PROVIDER_UNAVAILABLE"):
        SignIn().begin()
    assert "/request-otp: 503 PROVIDER_UNAVAILABLE" in log.getvalue()


def test_nobody_signs_in_while_no_provider_checks(pool: Deployment) -> None:
    sign_in = SignIn()
    sign_in.begin()
    pool.provider.fails_with = lambda: NotSent("fake", "500")
    with refused("PROVIDER_UNAVAILABLE"):
        sign_in.answer(RIGHT)
    pool.provider.fails_with = None
    assert sign_in.answer(RIGHT) == "tokens"


@pytest.mark.usefixtures("pool")
@pytest.mark.parametrize("url", ["http://127.0.0.1:1", "https://127.0.0.1:1"])
def test_nobody_signs_in_while_the_service_is_down(
    monkeypatch: pytest.MonkeyPatch, log: io.StringIO, url: str
) -> None:
    sign_in = SignIn()
    sign_in.begin()
    monkeypatch.setenv("SERVICE_URL", url)
    with refused("SERVICE_UNAVAILABLE"):
        sign_in.answer(RIGHT)
    with refused("SERVICE_UNAVAILABLE"):
        SignIn().begin()
    assert "/verify-otp: ConnectionRefusedError" in log.getvalue()


def test_a_wrong_api_key_signs_nobody_in(pool: Deployment, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(triggers, "_api_key", lambda: "another-key")
    with refused("FORBIDDEN"):
        SignIn().begin()
    assert pool.untouched()


def test_a_user_without_a_number_gets_no_code(pool: Deployment) -> None:
    sign_in = SignIn({name: value for name, value in USER.items() if not name.startswith("phone")})
    with refused("NO_PHONE_NUMBER"):
        sign_in.begin()
    assert pool.untouched()


def test_an_unknown_user_gets_no_code_and_the_app_sees_no_difference(
    pool: Deployment,
) -> None:
    nobody, somebody = SignIn(user_not_found=True), SignIn()
    assert nobody.begin() == somebody.begin() == "CUSTOM_CHALLENGE"
    assert len(pool.provider.sent) == 1
    assert nobody.shown.keys() == somebody.shown.keys()
    assert [len(value) for value in nobody.shown.values()] == [
        len(value) for value in somebody.shown.values()
    ]
    assert nobody.answer(RIGHT) == "CUSTOM_CHALLENGE"
    assert nobody.answer("-", resend="true") == "CUSTOM_CHALLENGE"
    assert nobody.answer("") == "CUSTOM_CHALLENGE"
    assert len(pool.provider.sent) == 1
    assert not pool.provider.checked


def test_no_other_challenge_replaces_the_code(pool: Deployment) -> None:
    for passed in (["SRP_A"], ["SRP_A", "PASSWORD_VERIFIER"], ["SMS_MFA"], ["DEVICE_SRP_AUTH"]):
        assert SignIn().begin(*passed) == "failed"
    assert pool.untouched()


@pytest.mark.parametrize("mode", ["mfa"])
def test_a_second_factor_needs_the_password_and_then_the_code(pool: Deployment) -> None:
    sign_in = SignIn()
    assert sign_in.begin("SRP_A") == "PASSWORD_VERIFIER"
    assert pool.untouched()
    assert sign_in.begin("SRP_A", "PASSWORD_VERIFIER") == "CUSTOM_CHALLENGE"
    assert sign_in.answer(WRONG) == "CUSTOM_CHALLENGE"
    assert sign_in.answer(RIGHT) == "tokens"


@pytest.mark.parametrize("mode", ["mfa"])
def test_a_second_factor_alone_signs_nobody_in(pool: Deployment) -> None:
    assert SignIn().begin() == "failed"
    for session in (
        [("SRP_A", True), ("PASSWORD_VERIFIER", False)],
        [("PASSWORD_VERIFIER", True)],
        [("CUSTOM_CHALLENGE", True)],
        [("SRP_A", True), ("PASSWORD_VERIFIER", False), ("CUSTOM_CHALLENGE", True)],
        [("SRP_A", True), ("PASSWORD_VERIFIER", True), ("SMS_MFA", True)],
    ):
        steps = [{"challengeName": name, "challengeResult": passed} for name, passed in session]
        assert SignIn(session=steps)._go_on({}) == "failed"
    assert pool.untouched()


def test_the_template_wires_each_trigger_and_lets_no_other_flow_sign_in() -> None:
    resources = TEMPLATE["Resources"]
    of_triggers = [name for name, made in resources.items() if made["Type"] == "AWS::Serverless::Function"]
    for name in of_triggers:
        function = resources[name]["Properties"]
        (event,) = function["Events"].values()
        assert event["Properties"]["Trigger"] == name
        assert callable(getattr(triggers, function["Handler"].removeprefix("triggers.")))
    assert len(of_triggers) == 3
    assert TEMPLATE["Globals"]["Function"]["Timeout"] == 5 > triggers.TIMEOUT_SECONDS
    client = resources["UserPoolClient"]["Properties"]
    assert client["ExplicitAuthFlows"] == ["ALLOW_CUSTOM_AUTH", "ALLOW_REFRESH_TOKEN_AUTH"]


def test_only_triggers_that_call_the_service_read_its_key() -> None:
    resources = TEMPLATE["Resources"]
    assert "Policies" not in resources["DefineAuthChallenge"]["Properties"]
    for name in ("CreateAuthChallenge", "VerifyAuthChallengeResponse"):
        properties = resources[name]["Properties"]
        (policy,) = properties["Policies"]
        assert policy == {"AWSSecretsManagerGetSecretValuePolicy": {"SecretArn": {"Ref": "ApiKeySecretArn"}}}
        assert properties["Environment"]["Variables"].keys() == {"SERVICE_URL", "API_KEY_SECRET_ARN"}
