"""The hosts that credentials may be sent to: each base URL with its outcome."""

from dataclasses import replace

import pytest

from sms_otp.adapters.config import Settings
from sms_otp.adapters.providers import hosts
from sms_otp.domain.provider import Misconfigured

INFOBIP_URLS = [
    ("https://api.infobip.com", True),
    ("https://abc123.api.infobip.com", True),
    ("https://a-b.api.infobip.com", True),
    ("https://abc123.api-us.infobip.com", True),
    ("https://abc123.api-in.infobip.com", True),
    ("https://abc123.api-id.infobip.com", True),
    ("https://api-us2.infobip.com", False),
    ("https://abc123.api-.infobip.com", False),
    ("https://abc123.api-europe.infobip.com", False),
    ("https://abc123.api-us.evil.infobip.com", False),
    ("https://abc123.apius.infobip.com", False),
    ("abc123.api.infobip.com", True),
    ("abc123.api-us.infobip.com", True),
    ("api.infobip.com", True),
    ("https://" + "a" * 63 + ".api.infobip.com", True),
    ("https://" + "a" * 64 + ".api.infobip.com", False),
    ("https://a.b.api.infobip.com", False),
    ("https://.api.infobip.com", False),
    ("https://a_b.api.infobip.com", False),
    ("http://api.infobip.com", False),
    ("ftp://api.infobip.com", False),
    ("HTTPS://api.infobip.com", True),
    ("https:api.infobip.com", False),
    ("https:///api.infobip.com", False),
    ("//api.infobip.com", False),
    ("https://API.INFOBIP.COM", True),
    ("https://api.infobip.com.", False),
    ("https://api.infobip.com/", True),
    ("https://api.infobip.com//", False),
    ("https://api.infobip.com/2fa", False),
    ("https://api.infobip.com?x=1", False),
    ("https://api.infobip.com#x", False),
    ("https://api.infobip.com:443", False),
    ("https://api.infobip.com:8443", False),
    ("https://api.infobip.com:", False),
    ("https://user@api.infobip.com", False),
    ("https://user:password@api.infobip.com", False),
    ("https://api.infobip.com@evil.example", False),
    ("https://api.infobip.com%40evil.example", False),
    ("https://api.infobip.com.evil.example", False),
    ("https://apixinfobip.com", False),
    ("https://evilapi.infobip.com", False),
    ("https://infobip.com", False),
    ("https://evil.example/api.infobip.com", False),
    ("https://evil.example#.api.infobip.com", False),
    ("https://evil.example?.api.infobip.com", False),
    ("https://evil.example\\.api.infobip.com", False),
    ("https://evil.example", False),
    ("https://abc\n.api.infobip.com", False),
    ("https://api.infobip.com\n", False),
    (" https://api.infobip.com", False),
    ("https://api.infobip.com ", False),
    ("https://api.infobip.com\x00", False),
    ("https://аpi.infobip.com", False),
    ("https://é.api.infobip.com", False),
    ("https://api。infobip。com", False),
    ("http://169.254.169.254", False),
    ("https://169.254.169.254", False),
    ("http://169.254.169.254/latest/meta-data/", False),
    ("https://[::1]", False),
    ("https://[::ffff:169.254.169.254]", False),
    ("https://127.0.0.1", False),
    ("http://localhost:4600/infobip", False),
    ("https://verification.api.sinch.com", False),
    ("file:///etc/passwd", False),
    ("https://", False),
    ("", False),
]

SANDBOX_URLS = [
    ("http://127.0.0.1:4600", True),
    ("http://127.0.0.1", True),
    ("http://127.9.9.9:4600", True),
    ("http://[::1]:4600", True),
    ("http://localhost:4600", True),
    ("http://host.docker.internal:4600", True),
    ("http://172.16.0.1:4600", True),
    ("http://172.31.255.255:4600", True),
    ("http://172.15.255.255:4600", False),
    ("http://172.32.0.0:4600", False),
    ("http://10.0.0.1:4600", False),
    ("http://192.168.0.1:4600", False),
    ("http://169.254.169.254", False),
    ("http://0.0.0.0:4600", False),
    ("http://[::]:4600", False),
    ("http://[::ffff:169.254.169.254]:4600", False),
    ("http://2130706433:4600", False),
    ("http://0177.0.0.1:4600", False),
    ("http://127.1:4600", False),
    ("http://127.0.0.1.evil.example:4600", False),
    ("http://localhost.evil.example:4600", False),
    ("http://evil.example:4600", False),
    ("http://api.infobip.com", False),
    ("http://user@127.0.0.1:4600", False),
    ("http://127.0.0.1:4600@evil.example", False),
    ("http://127.0.0.1:4600/", False),
    ("http://127.0.0.1:4600/path", False),
    ("http://127.0.0.1:4600?x", False),
    ("http://127.0.0.1:4600#x", False),
    ("http://127.0.0.1:4600\n", False),
    ("http://127.0.0.1:", False),
    ("http://LOCALHOST:4600", False),
    ("https://127.0.0.1:4600", False),
    ("127.0.0.1:4600", False),
]


@pytest.fixture
def production(settings: Settings) -> Settings:
    return replace(settings, stage="prod", provider_sandbox_url="")


def local(settings: Settings, sandbox_url: str) -> Settings:
    return replace(settings, stage="local", provider_sandbox_url=sandbox_url)


@pytest.mark.parametrize(("url", "allowed"), INFOBIP_URLS)
def test_infobips_credentials_go_only_to_infobips_hosts(
    url: str, allowed: bool, production: Settings
) -> None:
    if allowed:
        host = url.lower().removeprefix("https://").removesuffix("/")
        assert hosts.infobip_url(url, production) == f"https://{host}"
        return
    with pytest.raises(Misconfigured) as caught:
        hosts.infobip_url(url, production)
    assert str(caught.value) == "infobip: secret field infobip.baseUrl"


@pytest.mark.parametrize(("url", "allowed"), SANDBOX_URLS)
def test_a_sandbox_is_on_this_machine(url: str, allowed: bool, settings: Settings) -> None:
    chosen = local(settings, url)
    if allowed:
        assert hosts.infobip_url("https://api.infobip.com", chosen) == f"{url}/infobip"
        assert hosts.sinch_url(chosen) == f"{url}/sinch"
        assert hosts.aws_url(chosen) == f"{url}/aws"
        return
    with pytest.raises(Misconfigured, match=r"^infobip: environment variable PROVIDER_SANDBOX_URL$"):
        hosts.infobip_url("https://api.infobip.com", chosen)
    with pytest.raises(Misconfigured, match=r"^sinch: environment variable PROVIDER_SANDBOX_URL$"):
        hosts.sinch_url(chosen)
    with pytest.raises(Misconfigured, match=r"^aws: environment variable PROVIDER_SANDBOX_URL$"):
        hosts.aws_url(chosen)


@pytest.mark.parametrize("stage", ["prod", "dev", "Local", "local ", ""])
def test_only_a_local_stack_accepts_a_sandbox(stage: str, settings: Settings) -> None:
    chosen = replace(local(settings, "http://127.0.0.1:4600"), stage=stage)
    with pytest.raises(Misconfigured, match="PROVIDER_SANDBOX_URL"):
        hosts.sinch_url(chosen)
    with pytest.raises(Misconfigured, match="PROVIDER_SANDBOX_URL"):
        hosts.infobip_url("https://api.infobip.com", chosen)


def test_a_local_stack_without_a_sandbox_uses_the_real_providers(settings: Settings) -> None:
    chosen = local(settings, "")
    assert hosts.sinch_url(chosen) == "https://verification.api.sinch.com"
    assert hosts.aws_url(chosen) is None
    assert hosts.infobip_url("https://api.infobip.com", chosen) == "https://api.infobip.com"
    with pytest.raises(Misconfigured):
        hosts.infobip_url("http://127.0.0.1:4600/infobip", chosen)
