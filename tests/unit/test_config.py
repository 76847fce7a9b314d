"""Settings: each variable is parsed, and a malformed one is refused by name."""

import dataclasses
from typing import Any

import pytest

from local.template import environment
from sms_otp.adapters import config
from sms_otp.adapters.config import EU, Settings
from sms_otp.domain.errors import ServiceMisconfigured

PARTS = environment()


def chosen(**variables: str) -> Settings:
    return Settings.from_environment(PARTS | variables)


def refused(**variables: str) -> str | None:
    with pytest.raises(ServiceMisconfigured) as raised:
        chosen(**variables)
    return raised.value.reason


@pytest.mark.parametrize("variable", sorted(field.name.upper() for field in dataclasses.fields(Settings)))
def test_a_missing_variable_is_named(variable: str) -> None:
    without = {name: value for name, value in PARTS.items() if name != variable}
    with pytest.raises(ServiceMisconfigured) as raised:
        Settings.from_environment(without)
    assert raised.value.reason == f"environment variable {variable}"


NUMBERS = [field.name for field in dataclasses.fields(Settings) if field.type in (int, "int")]
FLAGS = [field.name for field in dataclasses.fields(Settings) if field.type in (bool, "bool")]


@pytest.mark.parametrize("name", sorted({*NUMBERS} - {"test_numbers_end"}))
@pytest.mark.parametrize("text", ["", "six", "6.5", "0x6"])
def test_a_number_that_is_not_whole_is_refused(name: str, text: str) -> None:
    assert refused(**{name.upper(): text}) == f"environment variable {name.upper()}"


@pytest.mark.parametrize("name", sorted({*NUMBERS} - {"test_numbers_end"}))
def test_a_whole_number_is_taken_however_cloudformation_spells_it(name: str) -> None:
    number = int(PARTS[name.upper()])
    for text in (f"{number}", f"{number}.0", f"{number}e0"):
        assert getattr(chosen(**{name.upper(): text}), name) == number


@pytest.mark.parametrize("name", FLAGS)
def test_a_flag_is_true_or_false_and_nothing_else(name: str) -> None:
    assert getattr(chosen(**{name.upper(): "true"}), name) is True
    assert getattr(chosen(**{name.upper(): "false"}), name) is False
    for text in ("", "True", "FALSE", "yes", "no", "1", "0", " true"):
        assert refused(**{name.upper(): text}) == f"environment variable {name.upper()}"


def test_there_are_flags_and_numbers_to_try() -> None:
    assert {"trust_client_ip", "require_verification_id", "infobip_number_lookup"} <= {*FLAGS}
    assert {"code_length", "max_attempts", "daily_spend_cap"} <= {*NUMBERS}


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("provider_order", " sinch , infobip,,sinch ", ("sinch", "infobip")),
        ("allowed_countries", "US, GB,", ("US", "GB")),
        ("token_keys", "arn:1,arn:2", ("arn:1", "arn:2")),
        ("token_keys", "", ()),
        ("sms_prices", "US=0.008, *=0.065", {"US": 0.008, "*": 0.065}),
        ("sms_prices", "", {}),
        ("infobip_message_ids", "de=ID1,pt_br=ID=2", {"de": "ID1", "pt_br": "ID=2"}),
        ("infobip_sender_ids", "GB=An Acme", {"GB": "An Acme"}),
        ("infobip_india_message_ids", "en=ID", {"en": "ID"}),
        ("provider_routes", "", {}),
        ("provider_routes", " IN=infobip , aws; ", {"IN": ("infobip", "aws")}),
        ("test_numbers_end", "", 0),
        ("test_numbers_end", "2027-01-15", 1_799_971_200),
        ("test_numbers_end", "1970-01-02", 86_400),
    ],
)
def test_a_list_a_table_or_a_date_is_read_as_it_is_documented(name: str, text: str, value: Any) -> None:
    assert getattr(chosen(**{name.upper(): text}), name) == value


@pytest.mark.parametrize(
    ("variable", "text"),
    [
        ("SMS_PRICES", "US"),
        ("SMS_PRICES", "US=cheap"),
        ("SMS_PRICES", "US=1=2"),
        ("INFOBIP_MESSAGE_IDS", "de"),
        ("INFOBIP_MESSAGE_IDS", "de="),
        ("INFOBIP_INDIA_MESSAGE_IDS", "en="),
        ("INFOBIP_SENDER_IDS", "GB"),
        ("INFOBIP_SENDER_IDS", "GB="),
        ("PROVIDER_ROUTES", "IN"),
        ("PROVIDER_ROUTES", "IN="),
        ("PROVIDER_ROUTES", "IN=,"),
        ("PROVIDER_ROUTES", "IN=infobip;FR"),
        ("TEST_NUMBERS_END", "2027-02-30"),
        ("TEST_NUMBERS_END", "tomorrow"),
        ("TEST_NUMBERS", "+14155550100"),
        ("TEST_NUMBERS", "+14155550100="),
        ("TEST_NUMBERS", "+14155550100=12345a"),
        ("TEST_NUMBERS", "+14155550100=123456=7"),
    ],
)
def test_a_malformed_table_is_refused(variable: str, text: str) -> None:
    assert (
        refused(**{"TEST_NUMBERS_END": "2027-12-31"} | {variable: text}) == f"environment variable {variable}"
    )


def test_a_country_route_wins_over_the_eu_route_which_covers_every_member() -> None:
    routes = chosen(PROVIDER_ROUTES="FR=aws;EU=sinch,infobip;IN=infobip").provider_routes
    assert routes["FR"] == ("aws",)
    assert routes["DE"] == ("sinch", "infobip")
    assert routes["IN"] == ("infobip",)
    assert routes.keys() == {*EU, "IN"}
    assert len(EU) == 27
    assert chosen(PROVIDER_ROUTES="IN=infobip").provider_routes.keys() == {"IN"}


NUMBERS_AND_END = {
    "TEST_NUMBERS": "+14155550100=246810,+14155550101=135790",
    "TEST_NUMBERS_END": "2027-12-31",
}


@pytest.mark.parametrize(
    ("variables", "is_refused"),
    [
        ({"STAGE": "dev"}, False),
        ({"STAGE": "local"}, False),
        ({"STAGE": "prod"}, True),
        ({"STAGE": "dev", "TEST_NUMBERS_END": ""}, True),
        ({"STAGE": "prod", "TEST_NUMBERS": ""}, False),
        ({"STAGE": "dev", "TEST_NUMBERS": "", "TEST_NUMBERS_END": ""}, False),
    ],
)
def test_test_numbers_need_an_end_date_and_are_refused_in_production(
    variables: dict[str, str], is_refused: bool
) -> None:
    if is_refused:
        assert "TestNumbers" in str(refused(**NUMBERS_AND_END | variables))
    else:
        chosen(**NUMBERS_AND_END | variables)


def test_the_codes_of_test_numbers_are_read_and_hidden_in_the_repr_of_settings() -> None:
    settings = chosen(**NUMBERS_AND_END)
    assert settings.test_numbers == {"+14155550100": "246810", "+14155550101": "135790"}
    assert "246810" not in repr(settings)
    assert "4155550100" not in repr(settings)


@pytest.mark.parametrize(
    ("kind", "expected"),
    [("on-demand", True), ("provisioned-concurrency", True), ("snap-start", False), (None, False)],
)
def test_starts_on_demand_is_false_for_snapstart_and_outside_lambda(
    monkeypatch: pytest.MonkeyPatch, kind: str | None, expected: bool
) -> None:
    monkeypatch.delenv("AWS_LAMBDA_INITIALIZATION_TYPE", raising=False)
    if kind is not None:
        monkeypatch.setenv("AWS_LAMBDA_INITIALIZATION_TYPE", kind)
    assert config.starts_on_demand() is expected


def test_settings_are_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    config.settings.cache_clear()
    for name, value in PARTS.items():
        monkeypatch.setenv(name, value)
    try:
        assert config.settings() == chosen()
        monkeypatch.setenv("CODE_LENGTH", "not a number")
        assert config.settings() is config.settings()
    finally:
        config.settings.cache_clear()
