"""From API Gateway's event to the use case and back: deadline, caller, answer, and the line in the log."""

import itertools
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pytest

import admin.app
import aws_events.app
import cancel_otp.app
import deep_health.app
import jwks.app
import otp_status.app
import request_otp.app
import resend_otp.app
import verify_otp.app
import webhooks.app
from fakes.memory import START, a_verification
from generators import events
from local.template import environment
from sms_otp.adapters import config
from sms_otp.adapters.telemetry import events as telemetry
from sms_otp.domain import errors
from sms_otp.domain.clock import Deadline, Milliseconds, Seconds, to_milliseconds
from sms_otp.domain.commands import Caller, Requested, RequestOtp, ResendOtp, Verified, VerifyOtp
from sms_otp.domain.guard import BudgetLane
from sms_otp.domain.number import Lane, Number, Send
from sms_otp.domain.ports import Erased, NumberRecord, StoreError, TokenError
from sms_otp.domain.provider import Channel
from sms_otp.domain.stops import EVERYTHING, Scope, Stop
from sms_otp.domain.users import Consent, ConsentRecord, User
from sms_otp.entry_points import bootstrap, http
from sms_otp.use_cases.administration import Administrator, Lock, NumberStatus
from sms_otp.use_cases.health import ProviderReport, Report
from sms_otp.use_cases.next_send import NextSend
from sms_otp.use_cases.status import Status

NOW = Seconds(int(START))
VERIFICATION_ID = events.VERIFICATION_ID
NUMBER = "+14155550177"

Handler = Callable[[dict[str, Any], Any], dict[str, Any]]
loggers = itertools.count()


class Context:
    """The Lambda context of an invocation that has used 3 of its 20 seconds."""

    aws_request_id = "a-function-request"

    @staticmethod
    def get_remaining_time_in_millis() -> int:
        return 17_000


@dataclass
class UseCases:
    """Stands in for the service, lifecycle, controls and health check; records its calls."""

    calls: list[tuple[Any, ...]] = field(default_factory=list)
    left: list[float] = field(default_factory=list)
    """Seconds that were left when each was called."""
    answers: dict[str, Any] = field(default_factory=dict)
    fails: Exception | None = None

    def _take(self, name: str, argument: object, who: Caller | Administrator) -> Any:
        self.left.append(who.deadline.remaining())
        self.calls.append((name, argument, who))
        if self.fails is not None:
            raise self.fails
        return self.answers[name]

    def request(self, command: RequestOtp, caller: Caller) -> Any:
        return self._take("request", command, caller)

    def resend(self, command: ResendOtp, caller: Caller) -> Any:
        return self._take("resend", command, caller)

    def verify(self, command: VerifyOtp, caller: Caller) -> Any:
        return self._take("verify", command, caller)

    def cancel(self, verification_id: str, caller: Caller) -> None:
        self._take("cancel", verification_id, caller)

    def status(self, subject: str, who: Caller | Administrator) -> Any:
        return self._take("status", subject, who)

    def unlock(self, number: str, who: Administrator) -> Any:
        return self._take("unlock", number, who)

    def erase(self, number: str, who: Administrator) -> Any:
        return self._take("erase", number, who)

    def stop(self, stops: tuple[Stop, ...], length: Seconds, who: Administrator) -> Any:
        return self._take("stop", (stops, length), who)

    def resume(self, stops: tuple[Stop, ...], who: Administrator) -> Any:
        return self._take("resume", stops, who)

    def next_sends(self, *_: Any) -> Any:
        return self.answers["next"]

    def run(self, deadline: Deadline) -> Any:
        self.left.append(deadline.remaining())
        return self.answers["run"]


REQUESTED = Requested(VERIFICATION_ID, Channel.VOICE, NOW + Seconds(300), Seconds(30))
VERIFIED = Verified(VERIFICATION_ID, NUMBER, "login", Seconds(NOW + 12), "a-token")
STATUS = Status("pending", "sms", "delivered", 4, NOW + Seconds(300), Seconds(17))
NUMBER_STATUS = NumberStatus("0123456789abcdef", (), (), (), Seconds(0))


@pytest.fixture
def cases(monkeypatch: pytest.MonkeyPatch) -> Iterator[UseCases]:
    for name, value in environment().items():
        monkeypatch.setenv(name, value)
    # Python keeps a logger, and the stream it was made with, under its name: each test takes a new name.
    monkeypatch.setenv("POWERTOOLS_SERVICE_NAME", f"http-{next(loggers)}")
    config.settings.cache_clear()
    telemetry._logger.cache_clear()
    made = UseCases(
        answers={
            "request": REQUESTED,
            "resend": REQUESTED,
            "verify": VERIFIED,
            "cancel": None,
            "status": STATUS,
            "unlock": 2,
            "erase": Erased({"verifications": 2, "failures": 1}),
            "stop": {EVERYTHING: NOW},
            "resume": {},
            "next": (),
        }
    )
    for seam in ("service", "lifecycle", "administration", "sending_control", "health_check"):
        monkeypatch.setattr(bootstrap, seam, lambda: made)
    # The handlers call these four use cases with the service.
    monkeypatch.setattr(request_otp.app, "request_code", UseCases.request)
    monkeypatch.setattr(resend_otp.app, "resend_code", UseCases.resend)
    monkeypatch.setattr(verify_otp.app, "verify_code", UseCases.verify)
    monkeypatch.setattr(admin.app, "next_sends", UseCases.next_sends)
    yield made
    config.settings.cache_clear()
    telemetry._logger.cache_clear()


BY_TENANT: dict[str, tuple[Handler, dict[str, Any]]] = {
    "/request-otp": (request_otp.app.lambda_handler, {"phoneNumber": NUMBER}),
    "/resend-otp": (resend_otp.app.lambda_handler, {"verificationId": VERIFICATION_ID}),
    "/verify-otp": (verify_otp.app.lambda_handler, {"verificationId": VERIFICATION_ID, "otp": "123456"}),
    "/cancel-otp": (cancel_otp.app.lambda_handler, {"verificationId": VERIFICATION_ID}),
    "/otp-status": (otp_status.app.lambda_handler, {"verificationId": VERIFICATION_ID}),
}
BY_ADMINISTRATOR: dict[str, dict[str, Any]] = {
    "/admin/number-status": {"phoneNumber": NUMBER},
    "/admin/unlock-number": {"phoneNumber": NUMBER},
    "/admin/erase-number": {"phoneNumber": NUMBER},
    "/admin/stop-sending": {"all": True},
    "/admin/resume-sending": {"all": True},
}


def post(path: str, **members: Any) -> dict[str, Any]:
    handler, body = BY_TENANT[path]
    return handler(events.build(path, body=json.dumps(body | members)), Context())


def administer(path: str, caller: str | None = events.ADMINISTRATOR, **members: Any) -> dict[str, Any]:
    body = json.dumps(members or BY_ADMINISTRATOR[path])
    event = events.build(path, body=body, with_key=False, caller=caller)
    return admin.app.lambda_handler(event, Context())


def body_of(answer: dict[str, Any]) -> dict[str, Any]:
    body = json.loads(answer["body"])
    assert isinstance(body, dict)
    return body


def lines(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    printed = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    return [line for line in printed if "_aws" not in line]


def test_a_request_keeps_time_back_to_answer_before_lambda_ends_it(cases: UseCases) -> None:
    """Of 17 seconds that Lambda leaves, 12.5 are kept back."""
    cases.answers["status"] = STATUS
    for path in BY_TENANT:
        post(path)
    assert len(cases.left) == len(BY_TENANT)
    assert all(4.0 < left <= 4.5 for left in cases.left)


def test_an_admin_call_keeps_time_back_to_answer_before_lambda_ends_it(cases: UseCases) -> None:
    """An erasure goes on until its deadline, and would otherwise be cut off without an answer."""
    cases.answers["status"] = NUMBER_STATUS
    for path in BY_ADMINISTRATOR:
        administer(path)
    assert len(cases.left) == len(BY_ADMINISTRATOR)
    assert all(4.0 < left <= 4.5 for left in cases.left)


@pytest.mark.parametrize("path", BY_TENANT)
def test_a_caller_is_known_by_its_key_its_address_and_the_url_that_it_called(
    cases: UseCases, path: str
) -> None:
    post(path)
    ((_, _, caller),) = cases.calls
    assert (caller.tenant, caller.request_id, caller.source_ip, caller.api_url) == (
        events.API_KEY_ID,
        events.REQUEST_ID,
        events.SOURCE_IP,
        f"https://{events.DOMAIN}/v1",
    )


@pytest.mark.parametrize("path", BY_ADMINISTRATOR)
def test_an_administrator_is_known_by_the_arn_that_signed(cases: UseCases, path: str) -> None:
    cases.answers["status"] = NUMBER_STATUS
    assert administer(path)["statusCode"] == 200
    ((_, argument, who),) = cases.calls
    assert who.arn == events.ADMINISTRATOR
    assert argument == NUMBER or "number" not in path


@pytest.mark.parametrize("path", BY_ADMINISTRATOR)
def test_an_admin_request_without_a_principal_does_nothing(
    cases: UseCases, path: str, capsys: pytest.CaptureFixture[str]
) -> None:
    answer = administer(path, caller=None)
    assert (answer["statusCode"], body_of(answer)["errorCode"]) == (500, "INTERNAL_ERROR")
    assert cases.calls == []
    (line,) = lines(capsys)
    assert (line["message"], line["error_code"], line["reason"]) == (
        "service_failed",
        "SERVICE_MISCONFIGURED",
        "no IAM principal in the request",
    )


def test_every_member_of_a_request_reaches_the_use_case(cases: UseCases) -> None:
    event = events.build(
        "/request-otp",
        body=json.dumps(
            {
                "phoneNumber": NUMBER,
                "channel": "voice",
                "locale": "pt-BR",
                "purpose": "login",
                "sessionId": "a-session-of-one-browser",
                "clientIp": "192.0.2.7",
                "consent": {"textVersion": "terms-2026-11", "source": "sign-up-form"},
                "deviceToken": "a-device-token",
                "challenged": True,
                "appHash": "FA+9qCX9VSu",
            }
        ),
        headers={**events.JSON_TYPE, "Idempotency-Key": "a-key"},
    )
    request_otp.app.lambda_handler(event, Context())
    ((_, command, _),) = cases.calls
    assert command == RequestOtp(
        NUMBER,
        Channel.VOICE,
        "pt-BR",
        "login",
        "a-session-of-one-browser",
        "192.0.2.7",
        Consent("terms-2026-11", "sign-up-form"),
        "a-key",
        "a-device-token",
        is_challenged=True,
        app_hash="FA+9qCX9VSu",
    )
    cases.calls.clear()
    post("/request-otp")
    assert cases.calls[0][1] == RequestOtp(NUMBER)


def test_every_member_of_a_resend_and_of_a_verification_reaches_the_use_case(cases: UseCases) -> None:
    session, token = "a-session-of-one-browser", "a-device-token"
    post("/resend-otp", channel="voice", sessionId=session, deviceToken=token, challenged=True)
    post("/resend-otp")
    post("/verify-otp", phoneNumber=NUMBER, sessionId=session, deviceToken=token)
    handler, _ = BY_TENANT["/verify-otp"]
    handler(events.build("/verify-otp", body=json.dumps({"phoneNumber": NUMBER, "otp": "123456"})), Context())
    assert [command for _, command, _ in cases.calls] == [
        ResendOtp(VERIFICATION_ID, Channel.VOICE, session, None, token, is_challenged=True),
        ResendOtp(VERIFICATION_ID),
        VerifyOtp(VERIFICATION_ID, "123456", NUMBER, session, None, token),
        VerifyOtp(None, "123456", NUMBER),
    ]


@pytest.mark.usefixtures("cases")
@pytest.mark.parametrize("path", ["/request-otp", "/resend-otp"])
def test_a_send_is_answered_with_the_values_of_the_use_case(path: str) -> None:
    body = body_of(post(path))
    body.pop("message")
    assert body == {
        "success": True,
        "verificationId": VERIFICATION_ID,
        "channel": "voice",
        "expiresAt": "2027-01-15T08:05:00Z",
        "resendAfter": 30,
    }


def test_a_verification_is_answered_with_the_values_of_the_use_case(cases: UseCases) -> None:
    body = body_of(post("/verify-otp"))
    message = body.pop("message")
    assert body == {
        "success": True,
        "verificationId": VERIFICATION_ID,
        "phoneNumber": NUMBER,
        "purpose": "login",
        "verifiedAt": "2027-01-15T08:00:12Z",
        "verificationToken": "a-token",
    }
    assert "verificationToken" not in message
    assert message.endswith(".")
    cases.answers["verify"] = Verified(None, NUMBER, None, NOW, None, token_failed=True)
    body = body_of(post("/verify-otp"))
    assert "verificationToken" in body.pop("message")
    assert body == {"success": True, "phoneNumber": NUMBER, "verifiedAt": "2027-01-15T08:00:00Z"}


@pytest.mark.usefixtures("cases")
def test_a_status_is_answered_with_the_values_of_the_use_case() -> None:
    body = body_of(post("/otp-status"))
    assert "pending" in body.pop("message")
    assert body == {
        "success": True,
        "status": "pending",
        "channel": "sms",
        "delivery": "delivered",
        "attemptsRemaining": 4,
        "expiresAt": "2027-01-15T08:05:00Z",
        "resendAfter": 17,
    }
    assert body_of(post("/cancel-otp"))["success"] is True


def test_a_number_status_has_everything_that_is_known_of_the_number(cases: UseCases) -> None:
    given = ConsentRecord(Consent("terms-2026-11", "sign-up-form"), NOW)
    users = (
        User(
            "tenant-a",
            "US",
            NOW,
            Seconds(NOW + 1),
            Seconds(NOW + 2),
            ("login",),
            given,
            None,
            Seconds(NOW + 3),
        ),
        User("tenant-b", "US", NOW, Seconds(NOW + 1), requested_consent=given),
    )
    record_of = NumberRecord(
        Number(
            sends=(Send(to_milliseconds(NOW)), Send(to_milliseconds(NOW + Seconds(5)) + Milliseconds(999)))
        ),
        users=users,
    )
    found = a_verification(purpose="login", delivery="delivered")
    cases.answers["status"] = NumberStatus(
        "0123456789abcdef",
        (record_of,),
        (Lock("tenant-a", Lane.TOKEN, 6, disabled=False, retry_after=Seconds(30)),),
        ((found, "pending"), (a_verification(), "locked")),
        Seconds(17),
    )
    stopped = errors.SendingStopped(reason="country", retry_after=Seconds(60))
    cases.answers["next"] = (
        NextSend(Lane.STRANGER, "tenant-a", budget=BudgetLane.FRESH),
        NextSend(Lane.TOKEN, "tenant-a", Lane.STRANGER, error=errors.ChallengeRequired(reason="number")),
        NextSend(Lane.STRANGER, error=stopped),
    )
    body = body_of(administer("/admin/number-status"))
    body.pop("message")
    first = {
        "tenant": "tenant-a",
        "status": "pending",
        "channel": "sms",
        "delivery": "delivered",
        "createdAt": "2027-01-15T08:00:00Z",
        "expiresAt": "2027-01-15T08:05:00Z",
        "purpose": "login",
    }
    second = {**first, "status": "locked", "delivery": "unknown"}
    del second["purpose"]
    consent = {"textVersion": "terms-2026-11", "source": "sign-up-form", "at": "2027-01-15T08:00:00Z"}
    assert body == {
        "success": True,
        "numberKey": "01234567",
        "sends": ["2027-01-15T08:00:00Z", "2027-01-15T08:00:05Z"],
        "resendAfter": 17,
        "locks": [
            {"tenant": "tenant-a", "lane": "token", "failures": 6, "disabled": False, "retryAfter": 30}
        ],
        "nextRequest": [
            {
                "tenant": "tenant-a",
                "comesAs": "stranger",
                "lane": "stranger",
                "admitted": True,
                "budget": "fresh",
            },
            {
                "tenant": "tenant-a",
                "comesAs": "token",
                "lane": "stranger",
                "admitted": False,
                "errorCode": "CHALLENGE_REQUIRED",
                "reason": "number",
            },
            {
                "comesAs": "stranger",
                "lane": "stranger",
                "admitted": False,
                "errorCode": "SENDING_STOPPED",
                "reason": "country",
                "retryAfter": 60,
            },
        ],
        "verifications": [first, second],
        "users": [
            {
                "tenant": "tenant-a",
                "status": "verified",
                "country": "US",
                "firstRequestedAt": "2027-01-15T08:00:00Z",
                "lastRequestedAt": "2027-01-15T08:00:01Z",
                "verifiedAt": "2027-01-15T08:00:02Z",
                "purposes": ["login"],
                "consent": consent,
                "keptUntil": "2027-01-15T08:00:03Z",
            },
            {
                "tenant": "tenant-b",
                "status": "unverified",
                "country": "US",
                "firstRequestedAt": "2027-01-15T08:00:00Z",
                "lastRequestedAt": "2027-01-15T08:00:01Z",
                "purposes": [],
                "requestedConsent": consent,
            },
        ],
    }


def test_an_unlock_and_an_erasure_are_answered_with_their_counts(cases: UseCases) -> None:
    unlocked = body_of(administer("/admin/unlock-number"))
    assert (unlocked["success"], unlocked["tenants"]) == (True, 2)
    erased = body_of(administer("/admin/erase-number"))
    erased.pop("message")
    counts = {"verifications": 2, "failures": 1}
    assert erased == {"success": True, "complete": True, "erased": counts}
    cases.answers["erase"] = Erased(counts, retry_after=Seconds(30))
    erased = body_of(administer("/admin/erase-number"))
    erased.pop("message")
    assert erased == {"success": True, "complete": False, "repeatAfter": 30, "erased": counts}


@pytest.mark.parametrize(
    ("body", "stops"),
    [
        ({"all": True}, [Stop(Scope.ALL)]),
        ({"countries": ["GB", "SE", "GB"]}, [Stop(Scope.COUNTRY, "GB"), Stop(Scope.COUNTRY, "SE")]),
        ({"channels": ["voice"]}, [Stop(Scope.CHANNEL, "voice")]),
        ({"providers": ["sinch"]}, [Stop(Scope.PROVIDER, "sinch")]),
    ],
)
def test_every_kind_of_stop_reaches_the_use_case_and_lasts_a_day_by_default(
    cases: UseCases, body: dict[str, Any], stops: list[Stop]
) -> None:
    assert administer("/admin/stop-sending", **body)["statusCode"] == 200
    assert administer("/admin/stop-sending", **body, seconds=60)["statusCode"] == 200
    assert administer("/admin/resume-sending", **body)["statusCode"] == 200
    assert [argument for _, argument, _ in cases.calls] == [
        (tuple(stops), 24 * 3600),
        (tuple(stops), 60),
        tuple(stops),
    ]


def test_the_active_stops_are_answered(cases: UseCases) -> None:
    active = {EVERYTHING: NOW, Stop(Scope.COUNTRY, "GB"): Seconds(NOW + 60)}
    written = [
        {"scope": "all", "until": "2027-01-15T08:00:00Z"},
        {"scope": "country", "name": "GB", "until": "2027-01-15T08:01:00Z"},
    ]
    cases.answers |= {"stop": active, "resume": active}
    stopped = body_of(administer("/admin/stop-sending"))
    resumed = body_of(administer("/admin/resume-sending"))
    assert stopped["stops"] == resumed["stops"] == written
    cases.answers["resume"] = {}
    nothing = body_of(administer("/admin/resume-sending"))
    assert nothing["stops"] == []
    assert (nothing["message"], resumed["message"]) == ("Nothing is stopped.", "These stops are left.")


@pytest.mark.parametrize("path", ["/admin/stop-sending", "/admin/resume-sending"])
def test_an_unknown_country_is_named_and_stops_nothing(cases: UseCases, path: str) -> None:
    answer = administer(path, countries=["GB", "UK", "XX"])
    assert answer["statusCode"] == 400
    faults = body_of(answer)["errors"]
    assert [fault["pointer"] for fault in faults] == ["/countries/1", "/countries/2"]
    assert faults[0]["detail"].endswith("write GB")
    assert not cases.calls


@pytest.mark.parametrize("path", ["/admin/stop-sending", "/admin/resume-sending"])
def test_an_unknown_provider_is_named_and_stops_nothing(cases: UseCases, path: str) -> None:
    answer = administer(path, providers=["sinch", "twilio"])
    assert answer["statusCode"] == 400
    assert body_of(answer)["errors"] == [{"pointer": "/providers/1", "detail": "one of aws, infobip, sinch"}]
    assert not cases.calls


@pytest.mark.usefixtures("cases")
@pytest.mark.parametrize(
    ("members", "expected"),
    [({"seconds": 60}, "countries"), ({"all": False}, "true"), ({"countries": ["uk"]}, "[A-Z]")],
)
def test_a_malformed_stop_is_answered_with_the_accepted_form(members: dict[str, Any], expected: str) -> None:
    answer = administer("/admin/stop-sending", **members)
    assert answer["statusCode"] == 400
    assert expected in body_of(answer)["errors"][0]["detail"]


@pytest.mark.parametrize("path", ["/admin/stop-sending", "/admin/resume-sending"])
@pytest.mark.parametrize(
    "members", [{"all": True, "countries": ["GB"]}, {"channels": ["sms"], "providers": ["sinch"]}]
)
def test_a_stop_has_exactly_one_kind_of_scope(cases: UseCases, path: str, members: dict[str, Any]) -> None:
    answer = administer(path, **members)
    assert answer["statusCode"] == 400
    detail = "exactly one of all, countries, channels, providers"
    assert body_of(answer)["errors"] == [{"pointer": "", "detail": detail}]
    assert not cases.calls


PROBLEM = {"type", "title", "status", "detail", "instance", "success", "errorCode"}


@pytest.mark.parametrize(
    ("error", "status", "more"),
    [
        (errors.OtpIncorrect(attempts_remaining=0), 400, {"attemptsRemaining": 0}),
        (errors.OtpIncorrect(attempts_remaining=4), 400, {"attemptsRemaining": 4}),
        (
            errors.TooManyAttempts(attempts_remaining=0, retry_after=Seconds(17)),
            429,
            {"attemptsRemaining": 0, "retryAfter": 17},
        ),
        (errors.NumberLocked(retry_after=Seconds(30)), 429, {"retryAfter": 30}),
        (errors.RateLimited(retry_after=Seconds(30)), 429, {"retryAfter": 30}),
        (errors.RateLimited(), 429, {"retryAfter": 1}),
        (errors.ProviderUnavailable(retry_after=Seconds(5)), 503, {"retryAfter": 5}),
        (errors.SendingStopped(retry_after=Seconds(86_400)), 503, {"retryAfter": 86_400}),
        (errors.ProviderRejected(retry_after=Seconds(5)), 422, {}),
        (errors.RequestInProgress(retry_after=Seconds(1)), 409, {}),
        (errors.VerificationNotFound(), 404, {}),
        (errors.DestinationNotAllowed(), 403, {}),
        (errors.OtpExpired(), 410, {}),
        (errors.VerificationCancelled(), 410, {}),
        (errors.AlreadyVerified(), 409, {}),
        (errors.IdempotencyKeyReused(), 422, {}),
        (
            errors.InvalidRequest(errors=[{"pointer": "/clientIp", "detail": "an address"}]),
            400,
            {"errors": [{"pointer": "/clientIp", "detail": "an address"}]},
        ),
        (errors.InternalError(), 500, {}),
    ],
    ids=lambda value: value.code if isinstance(value, errors.OtpError) else "",
)
@pytest.mark.parametrize("path", ["/request-otp", "/resend-otp", "/verify-otp"])
def test_a_refusal_is_a_problem_with_the_values_that_belong_to_its_error_code(
    cases: UseCases, path: str, error: errors.OtpError, status: int, more: dict[str, Any]
) -> None:
    cases.fails = error
    answer = post(path)
    body = body_of(answer)
    assert {name: value for name, value in body.items() if name not in PROBLEM} == more
    assert body.keys() >= PROBLEM
    assert (answer["statusCode"], body["status"], body["errorCode"]) == (status, status, error.code)
    assert (body["success"], body["instance"], body["detail"]) == (False, events.REQUEST_ID, error.detail)
    assert body["type"] == f"urn:sms-otp:problem:{error.code.lower().replace('_', '-')}"
    wait = {"Retry-After": str(more["retryAfter"])} if "retryAfter" in more else {}
    assert answer["headers"] == {
        "Content-Type": "application/problem+json; charset=utf-8",
        "Cache-Control": "no-store",
        "X-Content-Type-Options": "nosniff",
        **wait,
    }


@pytest.mark.parametrize(
    ("error", "event", "code", "reason"),
    [
        (errors.RateLimited(reason="number"), "request_refused", "RATE_LIMITED", "number"),
        (errors.ProviderUnavailable(reason="deadline"), "service_failed", "PROVIDER_UNAVAILABLE", "deadline"),
        (errors.ServiceMisconfigured(reason="secret"), "service_failed", "SERVICE_MISCONFIGURED", "secret"),
        (
            errors.InvalidRequest(
                errors=[{"pointer": "/a", "detail": "b"}, {"pointer": "", "detail": "required: c"}]
            ),
            "request_refused",
            "INVALID_REQUEST",
            "/a b, required: c",
        ),
    ],
)
@pytest.mark.parametrize("path", ["/request-otp", "/admin/unlock-number"])
def test_a_refusal_is_logged_with_its_path_its_code_and_its_context(
    cases: UseCases,
    capsys: pytest.CaptureFixture[str],
    path: str,
    error: errors.OtpError,
    event: str,
    code: str,
    reason: str,
) -> None:
    error.context = {"verification": "0123456789abcdef0123"}
    cases.fails = error
    post(path) if path in BY_TENANT else administer(path)
    (line,) = lines(capsys)
    assert (line["message"], line["path"], line["error_code"], line["reason"]) == (event, path, code, reason)
    assert line["verification"] == "0123456789abcdef"
    tenant = events.API_KEY_ID if path in BY_TENANT else "-"
    assert (line["request_id"], line["function_request_id"], line["tenant"]) == (
        events.REQUEST_ID,
        Context.aws_request_id,
        tenant,
    )


@pytest.mark.parametrize(
    ("fault", "event", "reason"),
    [
        (StoreError("UpdateItem: ThrottlingException"), "store_failed", "UpdateItem: ThrottlingException"),
        (TokenError("Sign: timeout"), "keys_failed", "Sign: timeout"),
        (RuntimeError("canary"), "unforeseen", None),
    ],
)
@pytest.mark.parametrize("path", ["/verify-otp", "/admin/unlock-number"])
def test_a_fault_is_an_internal_error_to_the_caller_and_named_in_the_log(
    cases: UseCases,
    capsys: pytest.CaptureFixture[str],
    path: str,
    fault: Exception,
    event: str,
    reason: str | None,
) -> None:
    cases.fails = fault
    answer = post(path) if path in BY_TENANT else administer(path)
    assert (answer["statusCode"], body_of(answer)["errorCode"]) == (500, "INTERNAL_ERROR")
    assert "canary" not in answer["body"]
    (line,) = lines(capsys)
    assert (line["message"], line.get("reason")) == (event, reason)


def test_a_misconfiguration_looks_like_any_internal_error_to_the_caller(cases: UseCases) -> None:
    cases.fails = errors.ServiceMisconfigured(reason="secret field infobip")
    answers = [post("/request-otp")]
    cases.fails = errors.InternalError()
    answers.append(post("/request-otp"))
    assert answers[0] == answers[1]
    assert "infobip" not in answers[0]["body"]


REPORT = Report(
    "up", "up", "up", {"infobip": ProviderReport("up", "closed"), "sinch": ProviderReport("down", "open")}
)
DOWN = Report(
    "down", "up", "up", {"infobip": ProviderReport("unknown", "unknown")}, "down", {"table": "a_code"}
)


@pytest.mark.parametrize(
    ("report", "status", "word", "more"),
    [
        (REPORT, 200, "degraded", {}),
        (DOWN, 503, "unhealthy", {"tokens": "down", "reasons": {"table": "a_code"}, "retryAfter": 1}),
    ],
)
def test_health_is_a_503_with_a_retry_after_when_the_service_is_unhealthy(
    cases: UseCases, report: Report, status: int, word: str, more: dict[str, object]
) -> None:
    cases.answers["run"] = report
    answer = deep_health.app.lambda_handler(events.build("/health/deep", "GET"), Context())
    assert answer["statusCode"] == status
    assert answer["headers"].get("Retry-After") == ("1" if more else None)
    body = body_of(answer)
    assert datetime.fromisoformat(body.pop("timestamp")).tzinfo is UTC
    assert body == {
        "success": status == 200,
        "status": word,
        "table": report.table,
        "secret": "up",
        "pepper": "up",
        "providers": {
            name: {"status": found.status, "breaker": found.breaker}
            for name, found in report.providers.items()
        },
        **more,
    }
    (left,) = cases.left
    assert 1.0 < left <= 1.2


@pytest.mark.parametrize(
    ("key", "is_taken"),
    [("a", True), ("!~", True), ("a" * 255, True), ("a" * 256, False), ("a b", False), ("ä", False)],
)
@pytest.mark.usefixtures("cases")
def test_an_idempotency_key_is_1_to_255_visible_characters_of_ascii(key: str, is_taken: bool) -> None:
    body = json.dumps({"phoneNumber": NUMBER})
    headers = {**events.JSON_TYPE, "idempotency-KEY": key}
    answer = request_otp.app.lambda_handler(
        events.build("/request-otp", body=body, headers=headers), Context()
    )
    assert (answer["statusCode"] == 200) is is_taken
    if not is_taken:
        assert [error["pointer"] for error in body_of(answer)["errors"]] == ["Idempotency-Key"]


def test_only_the_local_stage_accepts_a_request_without_an_api_key_id(
    cases: UseCases, monkeypatch: pytest.MonkeyPatch
) -> None:
    event = events.build("/cancel-otp", body=json.dumps({"verificationId": VERIFICATION_ID}))
    del event["requestContext"]["identity"]["apiKeyId"]
    assert cancel_otp.app.lambda_handler(event, Context())["statusCode"] == 500
    assert cases.calls == []
    monkeypatch.setenv("STAGE", "local")
    config.settings.cache_clear()
    assert cancel_otp.app.lambda_handler(event, Context())["statusCode"] == 200
    ((_, _, caller),) = cases.calls
    assert caller.tenant == "local-4a57ecac13a767f1", "two keys are two tenants at that stage too"


@pytest.mark.usefixtures("cases")
def test_a_callback_with_a_wrong_signature_is_refused_and_logged(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    received = []

    class Refusing:
        def receive(self, callback: Any) -> dict[str, Any]:
            received.append(callback)
            raise errors.Forbidden(reason="signature", context={"provider": "sinch"})

    monkeypatch.setattr(bootstrap, "webhooks", Refusing)
    event = events.build("/webhooks/sinch", body="{}", headers={"X-Timestamp": "now"}, with_key=False)
    answer = webhooks.app.lambda_handler(event, Context())
    assert (answer["statusCode"], body_of(answer)["errorCode"]) == (401, "FORBIDDEN")
    (line,) = lines(capsys)
    assert (line["message"], line["provider"], line["reason"]) == ("webhook_refused", "sinch", "signature")
    (callback,) = received
    assert (callback.path, callback.body, callback.headers["x-timestamp"]) == (
        "/v1/webhooks/sinch",
        b"{}",
        "now",
    )


def test_a_time_is_rfc_3339_in_utc_to_the_second() -> None:
    assert http.iso(NOW) == "2027-01-15T08:00:00Z"


def test_public_keys_are_public_and_may_be_cached_for_five_minutes(
    cases: UseCases, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Key:
        key_id = "a-key"

        def public_key(self) -> bytes:
            if cases.fails is not None:
                raise cases.fails
            return bytes.fromhex("302a300506032b6570032100") + bytes(32)

    monkeypatch.setattr(bootstrap, "token_keys", lambda: (Key(),))
    event = events.build("/.well-known/jwks.json", "GET", with_key=False)
    answer = jwks.app.lambda_handler(event, Context())
    assert (answer["statusCode"], answer["headers"]["Content-Type"]) == (200, "application/jwk-set+json")
    assert answer["headers"]["Cache-Control"] == "public, max-age=300"
    assert [key["kid"] for key in body_of(answer)["keys"]] == ["a-key"]
    cases.fails = TokenError("GetPublicKey: timeout")
    answer = jwks.app.lambda_handler(event, Context())
    assert (answer["statusCode"], answer["headers"]["Cache-Control"]) == (500, "no-store")
    assert body_of(answer)["instance"] == events.REQUEST_ID


@pytest.mark.usefixtures("cases")
def test_an_aws_event_is_logged_under_the_invocation_that_received_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    received = list[str]()

    class Noting:
        def receive_from_aws(self, message: str) -> None:
            received.append(message)
            telemetry.emit("webhook_ignored", provider="aws", reason="unreadable")

    monkeypatch.setattr(bootstrap, "webhooks", Noting)
    aws_events.app.lambda_handler(events.published("a message"), Context())
    assert received == ["a message"]
    (line,) = lines(capsys)
    function_request = Context.aws_request_id
    assert (line["request_id"], line["function_request_id"], line["tenant"]) == (
        function_request,
        function_request,
        "-",
    )
