"""API Gateway validates by the same schemas as the functions."""

import re
from collections.abc import Iterator
from typing import Any

import fastjsonschema
import pytest

from local.template import resource, template
from sms_otp.domain.commands import language_tag
from sms_otp.entry_points import schemas

TITLED = {schema["title"]: schema for schema in schemas.ALL}


def without_names(schema: dict[str, Any]) -> dict[str, Any]:
    """A schema without its dialect and title, which a model of API Gateway gets from elsewhere."""
    return {word: value for word, value in schema.items() if word not in ("$schema", "title")}


def model_of(path: str) -> dict[str, Any]:
    """The request model by which the template checks a path's body."""
    for described in template()["Resources"].values():
        for event in described["Properties"].get("Events", {}).values():
            if event["Properties"].get("Path") == path:
                model: dict[str, Any] = event["Properties"]["RequestModel"]
                return model
    raise AssertionError(path)


def test_the_template_has_a_model_for_each_schema_and_no_other() -> None:
    assert set(resource("Api")["Models"]) == set(TITLED)


@pytest.mark.parametrize("title", TITLED)
def test_a_model_of_the_template_is_the_functions_schema(title: str) -> None:
    assert resource("Api")["Models"][title] == without_names(TITLED[title])


@pytest.mark.parametrize("title", TITLED)
def test_a_schema_has_the_dialect_of_api_gateway(title: str) -> None:
    assert TITLED[title]["$schema"] == "http://json-schema.org/draft-04/schema#"


@pytest.mark.parametrize(
    ("path", "title"),
    [
        ("/request-otp", "RequestOtp"),
        ("/resend-otp", "ResendOtp"),
        ("/verify-otp", "VerifyOtp"),
        ("/cancel-otp", "CancelOtp"),
        ("/otp-status", "OtpStatus"),
        ("/admin/erase-number", "AdminNumber"),
    ],
)
def test_a_body_that_the_model_refuses_never_reaches_the_function(path: str, title: str) -> None:
    assert model_of(path) == {"Model": title, "Required": True, "ValidateBody": True}


@pytest.mark.parametrize("title", TITLED)
def test_a_field_that_the_schema_does_not_name_is_refused(title: str) -> None:
    assert TITLED[title]["additionalProperties"] is False


@pytest.mark.parametrize("title", TITLED)
def test_a_schema_has_no_alternatives_which_typed_clients_cannot_name(title: str) -> None:
    assert not {"anyOf", "oneOf", "allOf", "not"} & TITLED[title].keys()


def fields(schema: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every field that holds a value, by name, those of an object in the body too."""
    for name, field in schema["properties"].items():
        if field["type"] == "object":
            assert field["additionalProperties"] is False, name
            yield from fields(field)
        else:
            yield name, field


@pytest.mark.parametrize(
    ("written", "tag"),
    [
        ("en", "en"),
        ("en_US", "en-US"),
        ("en-US-u-ca-gregory", "en-US"),
        ("zh-Hant-TW", "zh-Hant-TW"),
        ("sr_Latn_RS", "sr-Latn-RS"),
        ("de-x-phonebk", "de"),
    ],
)
def test_a_locale_is_accepted_as_devices_write_it(written: str, tag: str) -> None:
    schemas.validator("RequestOtp")({"phoneNumber": "+14155550123", "locale": written})
    assert language_tag(written) == tag


@pytest.mark.parametrize("title", TITLED)
def test_every_field_is_bounded(title: str) -> None:
    for name, field in fields(TITLED[title]):
        if field["type"] == "array":
            assert field["maxItems"] <= 100, name
        text = field.get("items", field)
        if text["type"] == "integer":
            assert "maximum" in text, name
        elif text["type"] != "boolean":
            assert text["type"] == "string", name
            is_short = re.search(r"\{(1,64|2|11)\}\$$", text.get("pattern", ""))
            assert "maxLength" in text or "enum" in text or is_short, name


@pytest.mark.parametrize("title", ["StopSending", "ResumeSending"])
@pytest.mark.parametrize(
    "body",
    [
        {"all": False},
        {"countries": []},
        {"countries": ["gb"]},
        {"countries": "GB"},
        {"channels": ["fax"]},
        {"providers": ["Infobip"]},
    ],
)
def test_an_unknown_stop_is_refused(title: str, body: dict[str, Any]) -> None:
    with pytest.raises(fastjsonschema.JsonSchemaValueException):
        schemas.validator(title)(body)


@pytest.mark.parametrize("seconds", [59, 30 * 24 * 3600 + 1, 90.5, "3600", True])
def test_a_stop_lasts_from_a_minute_to_thirty_days(seconds: object) -> None:
    for allowed in (60, 30 * 24 * 3600):
        schemas.validator("StopSending")({"all": True, "seconds": allowed})
    with pytest.raises(fastjsonschema.JsonSchemaValueException):
        schemas.validator("StopSending")({"all": True, "seconds": seconds})
