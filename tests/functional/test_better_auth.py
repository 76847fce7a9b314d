"""The better-auth example, run as its README says, in front of the service."""

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import requests

from generators import events
from sms_otp.domain.provider import NotSent
from tests.examples import running_example
from tests.functional.canaries import LAST_DIGITS, Watch
from tests.functional.deployment import Deployment
from tests.functional.served import served

NUMBER = "+14155550177"
RIGHT, WRONG = "123456", "654321"


@dataclass
class Site:
    """The running example, and the deployment behind it."""

    url: str
    log: Path
    behind: list[Deployment]


@dataclass
class Browser:
    """A browser at the example. It keeps cookies and sends an Origin."""

    url: str
    cookies: requests.Session = field(default_factory=requests.Session)

    def post(self, path: str, **members: object) -> requests.Response:
        return self.cookies.post(
            f"{self.url}/api/auth{path}", json=members, headers={"Origin": self.url}, timeout=30
        )

    def send(self, number: str = NUMBER) -> requests.Response:
        return self.post("/phone-number/send-otp", phoneNumber=number)

    def verify(self, code: str, number: str = NUMBER) -> requests.Response:
        return self.post("/phone-number/verify", phoneNumber=number, code=code)

    def user(self) -> str | None:
        """The number of the user who is signed in."""
        found = self.cookies.get(f"{self.url}/api/auth/get-session", timeout=30).json()
        return found and str(found["user"]["phoneNumber"])


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    behind: list[Deployment] = []
    log = tmp_path_factory.mktemp("better-auth") / "log"
    with (
        served(lambda: behind[-1]) as api,
        running_example("better-auth", api, events.API_KEY, log) as url,
    ):
        yield Site(url, log, behind)


@pytest.fixture
def service(site: Site, deployed: Deployment, watch: Watch) -> Deployment:
    """The deployment behind the example, with its clock set to the example's time."""
    watch.look_for("number", NUMBER[-LAST_DIGITS:])
    for code in (RIGHT, WRONG):
        watch.look_for("code", code)
    before = len(site.log.read_text())
    watch.record_from("the example's log", lambda: site.log.read_text()[before:])
    deployed.clock.now = time.time()
    site.behind.append(deployed)
    return deployed


@pytest.fixture
def browser(site: Site) -> Browser:
    return Browser(site.url)


def refused(answer: requests.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["code"]


def test_the_right_code_signs_up_and_in(service: Deployment, browser: Browser) -> None:
    assert browser.send().status_code == 200
    assert [number for number, _ in service.provider.sent] == [NUMBER]
    assert browser.user() is None
    assert browser.verify(RIGHT).status_code == 200
    assert browser.user() == NUMBER
    assert service.provider.checked == [("ref-1", RIGHT)]


def test_a_wrong_code_signs_nobody_in_and_the_service_counts_it(
    service: Deployment, browser: Browser
) -> None:
    browser.send()
    for _ in range(5):
        assert refused(browser.verify(WRONG)) == (400, "INVALID_OTP")
    assert refused(browser.verify(RIGHT)) == (429, "TOO_MANY_ATTEMPTS")
    assert len(service.provider.checked) == 5
    assert browser.user() is None


@pytest.mark.usefixtures("service")
def test_the_limit_of_guesses_is_the_services_and_not_the_plugins(browser: Browser) -> None:
    """The plugin's own limit is three."""
    browser.send()
    for _ in range(3):
        browser.verify(WRONG)
    assert browser.verify(RIGHT).status_code == 200


def test_another_browser_cannot_verify_even_with_the_right_code(
    service: Deployment, browser: Browser
) -> None:
    other = Browser(browser.url)
    browser.send()
    assert refused(other.verify(RIGHT)) == (400, "INVALID_OTP")
    other.send("+14155550178")
    assert refused(other.verify(RIGHT)) == (400, "INVALID_OTP")
    assert not service.provider.checked
    assert browser.verify(RIGHT).status_code == 200
    assert other.user() is None


def test_a_code_for_one_number_does_not_verify_another(service: Deployment, browser: Browser) -> None:
    browser.send()
    assert refused(browser.verify(RIGHT, "+14155550178")) == (400, "INVALID_OTP")
    assert not service.provider.checked


def test_the_cookie_is_out_of_reach_of_scripts_and_other_sites(service: Deployment, browser: Browser) -> None:
    cookies = browser.send().headers["Set-Cookie"]
    assert {"httponly", "samesite=strict"} <= set(cookies.lower().split("; "))
    assert len(service.provider.sent) == 1


def test_a_second_request_is_a_resend_and_one_that_comes_too_soon_must_wait(
    service: Deployment, browser: Browser
) -> None:
    browser.send()
    soon = browser.send()
    assert refused(soon) == (429, "RATE_LIMITED")
    assert 1 <= soon.json()["retryAfter"] <= 30
    service.clock.step(30)
    assert browser.send().status_code == 200
    assert len(service.provider.sent) == 2
    assert sum(item["pk"]["S"].startswith("V#") for item in service.items()) == 1
    assert browser.verify(RIGHT).status_code == 200


def test_a_verification_that_is_over_is_followed_by_a_new_one(service: Deployment, browser: Browser) -> None:
    browser.send()
    service.clock.step(300)
    assert refused(browser.verify(RIGHT)) == (410, "OTP_EXPIRED")
    assert browser.send().status_code == 200
    assert browser.verify(RIGHT).status_code == 200
    assert sum(item["pk"]["S"].startswith("V#") for item in service.items()) == 2


def test_a_new_password_has_a_code_of_its_own(service: Deployment, browser: Browser) -> None:
    browser.send()
    browser.verify(RIGHT)
    service.clock.step(60)
    visitor = Browser(browser.url)
    assert visitor.post("/phone-number/request-password-reset", phoneNumber=NUMBER).status_code == 200
    assert len(service.provider.sent) == 2
    assert refused(visitor.verify(RIGHT)) == (400, "INVALID_OTP")
    changed = {"phoneNumber": NUMBER, "newPassword": "a-new-password"}
    wrong = visitor.post("/phone-number/reset-password", otp=WRONG, **changed)
    assert refused(wrong) == (400, "INVALID_OTP")
    assert visitor.post("/phone-number/reset-password", otp=RIGHT, **changed).status_code == 200
    signed_in = visitor.post("/sign-in/phone-number", phoneNumber=NUMBER, password="a-new-password")
    assert signed_in.status_code == 200


def test_another_spelling_of_a_number_is_refused(service: Deployment, browser: Browser) -> None:
    for spelled in ("14155550177", "+1 415 555 0177", "+1(415)5550177"):
        assert refused(browser.send(spelled)) == (400, "INVALID_PHONE_NUMBER")
    assert service.untouched()


def test_a_number_that_is_not_sent_to_is_refused_with_a_message(
    service: Deployment, browser: Browser
) -> None:
    answer = browser.send("+442079460123")
    assert refused(answer) == (403, "DESTINATION_NOT_ALLOWED")
    assert answer.json()["message"].endswith(".")
    assert service.untouched()


def test_nobody_signs_in_while_no_provider_checks(service: Deployment, browser: Browser, site: Site) -> None:
    browser.send()
    service.provider.fails_with = lambda: NotSent("fake", "500")
    assert refused(browser.verify(RIGHT)) == (503, "SERVICE_UNAVAILABLE")
    assert browser.user() is None
    assert "/verify-otp: 503 PROVIDER_UNAVAILABLE" in site.log.read_text()


def test_nobody_signs_in_where_the_service_is_down(tmp_path: Path) -> None:
    log = tmp_path / "log"
    with running_example("better-auth", "http://127.0.0.1:1", "a-key", log) as url:
        browser = Browser(url)
        assert refused(browser.send()) == (503, "SERVICE_UNAVAILABLE")
        assert refused(browser.verify(RIGHT)) == (400, "INVALID_OTP")
        assert browser.user() is None
    assert "/request-otp: no answer" in log.read_text()
    assert NUMBER not in log.read_text()


def test_the_users_address_reaches_the_service(service: Deployment, browser: Browser) -> None:
    """An address that the user claims is ignored."""
    browser.cookies.headers["X-Client-Ip"] = "192.0.2.99"
    sent = [browser.send(f"+1415555{last:04}").status_code for last in range(100, 111)]
    assert sent == [200] * 10 + [429]
    browser.cookies.headers["X-Client-Ip"] = "192.0.2.100"
    assert browser.send("+14155550120").status_code == 429
    assert len(service.provider.sent) == 10
