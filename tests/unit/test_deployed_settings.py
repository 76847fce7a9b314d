"""Settings that a deployment is refused for, each by name, and the digest that publishes versions."""

import pytest

from local.template import environment
from sms_otp.domain.errors import DeploymentRefused
from sms_otp.setup import deployed_settings

AWS = {"ProviderOrder": "aws", "AwsSmsIdentityArn": "arn:aws:sms-voice:eu-west-1:123456789012:pool/p"}
NAME = {"POWERTOOLS_SERVICE_NAME": "sms-otp"}


def properties(**parameters: str) -> dict[str, object]:
    """The properties that CloudFormation sends for these parameters."""
    return {
        "ServiceToken": "an-arn",
        "Environment": environment(**parameters) | NAME,
        "AwsSmsIdentityArn": parameters.get("AwsSmsIdentityArn", ""),
    }


@pytest.mark.parametrize(
    ("parameters", "words"),
    [
        ({"AllowedCountries": "GB,UK"}, ["AllowedCountries has UK", "write GB"]),
        ({"AllowedCountries": "XX"}, ["AllowedCountries has XX"]),
        ({"ProviderRoutes": "UK=sinch"}, ["ProviderRoutes has UK", "write GB"]),
        ({"SmsPrices": "UK=0.04,*=0.05"}, ["SmsPrices has UK"]),
        ({"InfobipSenderIds": "*=Acme,UK=Acme"}, ["InfobipSenderIds has UK"]),
        ({"ProviderRoutes": "CA=aws"}, ["AwsSmsIdentityArn"]),
        ({"ResendGapSeconds": "240", "CodeLifeSeconds": "240"}, ["ResendGapSeconds", "CodeLifeSeconds"]),
        ({"ResendGapSeconds": "31", "CodeLifeSeconds": "60"}, ["ResendGapSeconds", "30 seconds below"]),
        ({"ResendGapSeconds": "241", "CodeLifeSeconds": "600"}, ["ResendGapSeconds", "240"]),
        ({"FailureWaitSeconds": "3601"}, ["first wait"]),
        (
            {"TestNumbers": "+14155550100=123456", "TestNumbersEnd": "2099-01-01", "CodeLength": "7"},
            ["TestNumbers", "CodeLength"],
        ),
        ({"SmsPrices": "DE=0.81", "DailySpendCap": "1"}, ["SmsPrices", "DE", "DailySpendCap", "0.8 USD"]),
        ({"VoiceCountries": "*=41"}, ["VoiceCountries", "*", "DailySpendCap", "40 USD"]),
        ({"VoiceCountries": "UK"}, ["VoiceCountries has UK", "write GB"]),
        ({"VoiceCountries": "GB", "AllowedCountries": "US"}, ["VoiceCountries has GB", "AllowedCountries"]),
        ({"VoiceCountries": "GB"} | AWS, ["VoiceCountries has GB", "infobip or sinch"]),
        ({"WhatsappCountries": "BR"}, ["WhatsappCountries has BR", "sinch", "ProviderOrder"]),
        ({"WhatsappCountries": "*"}, ["WhatsappCountries has *", "sinch"]),
        (
            {"WhatsappCountries": "BR,IN", "ProviderOrder": "sinch", "ProviderRoutes": "IN=infobip"},
            ["WhatsappCountries has IN", "sinch"],
        ),
        ({"CodeLength": "6.5"}, ["CODE_LENGTH"]),
        ({"CodeLifeSeconds": "300.5"}, ["CODE_LIFE_SECONDS"]),
        ({"DailySpendCap": "nan"}, ["DAILY_SPEND_CAP"]),
    ],
)
def test_settings_that_no_function_could_work_with_are_refused_by_name(
    parameters: dict[str, str], words: list[str]
) -> None:
    with pytest.raises(DeploymentRefused) as refused:
        deployed_settings.accept(properties(**parameters))
    assert [word for word in words if word not in str(refused.value)] == []


@pytest.mark.parametrize(
    "parameters",
    [
        {},
        {"AllowedCountries": "GB,EU,GG"},
        {"ProviderRoutes": "EU=sinch;CA=infobip"},
        {"ProviderRoutes": "CA=aws", "AwsSmsIdentityArn": "arn:aws:sms-voice:eu-west-1:123456789012:pool/p"},
        {"InfobipSenderIds": "*=Acme"},
        {"VoiceCountries": "GB,EU=0.1", "AllowedCountries": "GB,EU"},
        {"WhatsappCountries": "BR=0.03", "ProviderRoutes": "BR=infobip,sinch"},
        {"WhatsappCountries": "*", "ProviderOrder": "infobip,sinch"},
        # CloudFormation's Number takes these, and they are whole.
        {"CodeLength": "6.0", "DailySpendCap": "1e4"},
    ],
)
def test_consistent_settings_are_accepted(parameters: dict[str, str]) -> None:
    assert deployed_settings.accept(properties(**parameters))["Digest"]


def test_every_fault_is_named_at_once() -> None:
    faults = list(
        deployed_settings.faults_of(environment(AllowedCountries="UK,XX", ProviderRoutes="CA=aws") | NAME, "")
    )
    assert len(faults) == 3


def test_a_stack_whose_role_names_would_be_truncated_is_refused() -> None:
    for letters, faults in ((37, 0), (38, 1)):
        named = environment() | {"POWERTOOLS_SERVICE_NAME": "s" * letters}
        assert len(list(deployed_settings.faults_of(named, ""))) == faults


def test_the_digest_changes_with_a_setting() -> None:
    digests = {
        deployed_settings.digest(properties(**parameters))
        for parameters in ({}, {"MaxAttempts": "4"}, {"SmsPrices": "*=0.07"}, {"TestNumbers": ""})
    }
    # The last of them is the default.
    assert len(digests) == 3
    assert all(len(digest) == deployed_settings.DIGEST_LENGTH for digest in digests)


def test_the_digest_ignores_the_order_of_the_properties() -> None:
    given = properties()
    backwards = dict(reversed(given.items()))
    assert list(given) != list(backwards)
    assert deployed_settings.digest(given) == deployed_settings.digest(backwards)


def test_the_digest_ignores_the_function_that_checks_the_settings() -> None:
    other = properties() | {"ServiceToken": "another-arn", "ServiceTimeout": "60"}
    assert deployed_settings.digest(other) == deployed_settings.digest(properties())
