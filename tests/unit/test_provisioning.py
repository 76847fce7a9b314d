"""The application and templates desired at Infobip, and the writes where the account differs."""

import copy
from collections.abc import Mapping
from typing import Any

import pytest

from local.template import template
from sms_otp.adapters.providers.transport import HttpResponse, NoAnswer, TransportError
from sms_otp.domain.clock import Deadline
from sms_otp.setup.desired_state import (
    Body,
    ProvisioningFailed,
    Setting,
    desired_state_from,
    differences,
    long_texts,
)
from sms_otp.setup.provisioning import Account, find_application, find_templates, provision
from tests.unit.providers.scripted import ScriptedTransport, answer

SET_UP = template()["Resources"]["InfobipSetup"]["Properties"]
PARAMETERS = {
    name: str(template()["Parameters"][name]["Default"])
    for name in SET_UP
    if name in template()["Parameters"]
} | {"InfobipApplicationName": "sms-otp"}
INDIA = {"IndiaDlt": "1101;1107"}
VOICE = {"InfobipVoices": "en=Joanna,rate=0.9,repeat=1#"}
DESIRED = desired_state_from({**PARAMETERS, **INDIA, **VOICE, "InfobipSenderIds": "*=Acme,GB=Other"})
(TEMPLATE,) = DESIRED.templates.values()

# Each field that we set: another value, and whether that lets through more.
OTHER: list[tuple[str, object, bool]] = [
    ("name", "another", False),
    ("enabled", False, False),
    ("configuration.pinAttempts", 10, True),
    ("configuration.pinAttempts", 3, False),
    ("configuration.pinAttempts", None, True),
    ("configuration.allowMultiplePinVerifications", True, True),
    ("configuration.allowMultiplePinVerifications", None, True),
    ("configuration.pinTimeToLive", "15m", True),
    ("configuration.pinTimeToLive", "299s", False),
    ("configuration.pinTimeToLive", "for ever", True),
    ("configuration.verifyPinLimit", "6/3s", True),
    ("configuration.verifyPinLimit", "1/3s", False),
    ("configuration.sendPinPerPhoneNumberLimit", "200/12h", True),
    ("configuration.sendPinPerPhoneNumberLimit", "3/1d", False),
    ("configuration.sendPinPerApplicationLimit", None, True),
    ("configuration.sendPinPerApplicationLimit", "10000/1d", False),
    ("pinType", "ALPHANUMERIC", False),
    ("pinLength", 4, True),
    ("pinLength", 8, False),
    ("messageText", "Another {{pin}}", False),
    ("language", "de", False),
    ("senderId", "Somebody", False),
    ("senderId", None, False),
    ("voiceName", "Matthew", False),
    ("repeatDTMF", None, False),
    ("speechRate", 1.0, False),
    ("regional.indiaDlt.principalEntityId", "7", False),
    ("regional.indiaDlt.contentTemplateId", None, False),
]


def body_with(field: str) -> Body:
    return DESIRED.application if field.split(".")[0] in DESIRED.application else TEMPLATE


def changed(body: Body, field: str, value: object) -> dict[str, Any]:
    """`body` with another value of a field, or without it."""
    copied: dict[str, Any] = copy.deepcopy(dict(body))
    *path, last = field.split(".")
    holder = copied
    for name in path:
        holder = holder[name]
    holder[last] = value
    if value is None:
        del holder[last]
    return copied


def leaves(body: Body, prefix: str = "") -> set[str]:
    found: set[str] = set()
    for name, value in body.items():
        found |= leaves(value, f"{prefix}{name}.") if isinstance(value, Mapping) else {prefix + name}
    return found


class ScriptedInfobip(ScriptedTransport):
    """An account with these applications and templates, as listed; each write is answered with an id."""

    def __init__(self, applications: list[Body], templates: list[Body]) -> None:
        super().__init__()
        self._lists = {"applications": applications, "messages": templates}

    def exchange(
        self, method: str, url: str, *, headers: Any, body: bytes, deadline: Deadline
    ) -> HttpResponse:
        kind = "messages" if "/messages" in url else "applications"
        ids = {"applicationId": "NEW-APPLICATION", "messageId": "NEW-MESSAGE"}
        self._outcomes = (answer(200, self._lists[kind] if method == "GET" else ids),)
        return super().exchange(method, url, headers=headers, body=body, deadline=deadline)

    @property
    def written(self) -> list[tuple[str, str]]:
        """The calls that were no reads."""
        return [(each.method, each.url) for each in self.calls if each.method != "GET"]


APPLICATION = {**DESIRED.application, "applicationId": "APP"}
MESSAGE = {**TEMPLATE, "messageId": "MSG", "applicationId": "APP", "pinPlaceholder": "{{pin}}"}


def account(transport: ScriptedTransport) -> Account:
    return Account("https://api.infobip.com", "the-key", transport, Deadline(10))


def written(applications: list[Body], templates: list[Body]) -> list[tuple[str, str]]:
    transport = ScriptedInfobip(applications, templates)
    provision(account(transport), DESIRED)
    return [(method, url.removeprefix("https://api.infobip.com/2fa/2")) for method, url in transport.written]


def test_the_parameters_become_the_application_and_its_template() -> None:
    desired = desired_state_from(PARAMETERS)
    assert desired.application == {
        "name": "sms-otp",
        "enabled": True,
        "configuration": {
            "pinAttempts": 5,
            "allowMultiplePinVerifications": False,
            "pinTimeToLive": "300s",
            "verifyPinLimit": "5/3s",
            "sendPinPerPhoneNumberLimit": "200/1d",
            "sendPinPerApplicationLimit": "1000000/1d",
        },
    }
    assert list(desired.templates.values()) == [
        {"pinType": "NUMERIC", "pinLength": 6, "messageText": "Your code is {{pin}}.", "language": "en"},
    ]


def test_a_further_locale_is_a_further_template() -> None:
    texts = "en={{pin}};de=Ihr Code ist {{pin}}.; pt_br=Seu código é {{pin}}."
    default, german, brazilian = desired_state_from({**PARAMETERS, "InfobipTexts": texts}).templates.values()
    assert (german["language"], german["messageText"]) == ("de", "Ihr Code ist {{pin}}.")
    assert (brazilian["language"], brazilian["messageText"]) == ("pt_br", "Seu código é {{pin}}.")
    assert "regional" not in {**default, **german, **brazilian}


def test_a_text_for_a_purpose_and_one_with_an_apps_hash_are_templates_of_their_own() -> None:
    texts = "en={{pin}};en/login={{pin}} logs you in.\\n@example.com #{{pin}} {{appHash}}"
    templates = desired_state_from({**PARAMETERS, "InfobipTexts": texts}).templates
    login = "{{pin}} logs you in.\n@example.com #{{pin}}"
    assert {name: (body["language"], body["messageText"]) for name, body in templates.items()} == {
        "en": ("en", "{{pin}}"),
        "en/login": ("en", login),
        "en/login+appHash": ("en", login + " {{appHash}}"),
    }


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{{pin}}" + "x" * 154, []),
        ("{{pin}}" + "x" * 155, ["InfobipTexts: en is sent, and billed, as 2 messages (GSM-7)."]),
        ("{{pin}}ç" + "x" * 64, ["InfobipTexts: en is sent, and billed, as 2 messages (UCS-2)."]),
        ("{{pin}}" + "x" * 143 + "{{appHash}}", []),
        (
            "{{pin}}" + "x" * 144 + "{{appHash}}",
            ["InfobipTexts: en+appHash is sent, and billed, as 2 messages (GSM-7)."],
        ),
    ],
)
def test_a_text_that_is_billed_as_several_messages_is_named(text: str, expected: list[str]) -> None:
    assert list(long_texts({**PARAMETERS, "InfobipTexts": f"en={text}"})) == expected


LOGIN = {**TEMPLATE, "messageText": "{{pin}} logs you in."}


@pytest.mark.parametrize(
    ("held", "found"),
    [
        (["{{pin}} logs you in.", "Your code is {{pin}}."], {"en": 1, "en/login": 0}),
        # A text that changed is the other one of its language.
        (["{{pin}} logs you in.", "Old {{pin}}."], {"en": 1, "en/login": 0}),
        (["Your code is {{pin}}.", "Old {{pin}}."], {"en": 0, "en/login": 1}),
        (["Old {{pin}}."], {"en": 0}),
        (["Old {{pin}}.", "Older {{pin}}."], {"en": 0, "en/login": 1}),
    ],
)
def test_templates_of_one_language_are_distinguished_by_their_texts(
    held: list[str], found: dict[str, int]
) -> None:
    templates = [{**MESSAGE, "messageText": text, "messageId": str(at)} for at, text in enumerate(held)]
    matched = find_templates(templates, {"en": TEMPLATE, "en/login": LOGIN})
    assert {name: int(str(body["messageId"])) for name, body in matched.items()} == found


def test_each_text_has_the_id_under_which_it_is_registered_in_india() -> None:
    registered = {"InfobipTexts": "en={{pin}};de=: {{pin}};fr={{pin}}", "IndiaDlt": "1101;1107;fr=1109"}
    default, german, french = desired_state_from({**PARAMETERS, **registered}).templates.values()
    assert default["regional"] == {"indiaDlt": {"principalEntityId": "1101", "contentTemplateId": "1107"}}
    assert french["regional"] == {"indiaDlt": {"principalEntityId": "1101", "contentTemplateId": "1109"}}
    assert "regional" not in german


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"InfobipTexts": "en=Hello"}, "{{pin}}"),
        ({"InfobipTexts": "xx={{pin}}"}, "xx is none of Infobip's languages"),
        ({"InfobipTexts": "en={{pin}};de=Hallo"}, "{{pin}}"),
        ({"InfobipTexts": "Hallo {{pin}}"}, "InfobipTexts"),
        ({"InfobipTexts": ""}, "InfobipTexts"),
        ({"InfobipTexts": "en={{pin}};en=: {{pin}}"}, "InfobipTexts"),
        ({"InfobipTexts": "en/login={{pin}}"}, "en/login, must be for every purpose"),
        ({"InfobipTexts": "en={{appHash}} {{pin}}"}, "must end with {{appHash}}"),
        ({"InfobipTexts": "en={{pin}} {{appHash}} {{appHash}}"}, "must end with {{appHash}}"),
        ({"IndiaDlt": "1"}, "entity;template"),
        ({"IndiaDlt": ";;fr=1"}, "entity;template"),
        ({"IndiaDlt": "1101;1107;fr=1"}, "IndiaDlt has fr"),
        ({"IndiaDlt": "1101;1107;en=1"}, "IndiaDlt has en"),
        ({"InfobipVoices": "de=Vicki"}, "InfobipVoices has de"),
        ({"InfobipVoices": "rate=3"}, "rate in InfobipVoices"),
    ],
)
def test_parameters_that_make_no_application_are_named(wrong: dict[str, str], message: str) -> None:
    with pytest.raises(ProvisioningFailed, match=message.replace("{", r"\{")):
        desired_state_from({**PARAMETERS, **wrong})


def test_the_table_of_other_values_has_every_field_that_is_set() -> None:
    assert {field for field, _, _ in OTHER} == leaves(DESIRED.application) | leaves(TEMPLATE)


@pytest.mark.parametrize(("field", "value", "weaker"), OTHER)
def test_a_field_with_another_value_is_one_difference(field: str, value: object, weaker: bool) -> None:
    body = body_with(field)
    (difference,) = differences(body, changed(body, field, value))
    assert (difference.field, difference.found, difference.weaker) == (field, value, weaker)


@pytest.mark.parametrize(("field", "value"), [(field, value) for field, value, _ in OTHER if field != "name"])
def test_a_field_with_another_value_is_one_update(field: str, value: object) -> None:
    if field.split(".")[0] in DESIRED.application:
        assert written([changed(APPLICATION, field, value)], [MESSAGE]) == [("PUT", "/applications/APP")]
    elif field != "language":
        held = changed(MESSAGE, field, value)
        assert written([APPLICATION], [held]) == [("PUT", "/applications/APP/messages/MSG")]


def test_an_update_clears_fields_that_are_no_longer_desired() -> None:
    transport = ScriptedInfobip([APPLICATION], [MESSAGE])
    plain = desired_state_from(PARAMETERS)
    provision(account(transport), plain)
    (update,) = [call for call in transport.calls if call.method == "PUT"]
    nothing = {"senderId": "", "voiceName": "", "repeatDTMF": "", "speechRate": 1.0, "regional": {}}
    assert update.json == {**plain.templates["en"], **nothing}


def test_an_account_without_differences_is_not_written_to() -> None:
    assert written([APPLICATION], [MESSAGE]) == []


@pytest.mark.parametrize(
    ("field", "spelt"),
    [
        ("configuration.pinTimeToLive", "5m"),
        ("configuration.pinTimeToLive", "300000ms"),
        ("configuration.verifyPinLimit", "5/3000ms"),
        ("configuration.sendPinPerPhoneNumberLimit", "200/d"),
        ("configuration.sendPinPerApplicationLimit", "1000000/24h"),
    ],
)
def test_an_equal_duration_in_another_spelling_is_no_difference(field: str, spelt: str) -> None:
    assert written([changed(APPLICATION, field, spelt)], [MESSAGE]) == []


def test_an_undesired_sender_voice_or_registration_is_a_difference() -> None:
    (plain,) = desired_state_from(PARAMETERS).templates.values()
    assert {difference.field for difference in differences(plain, TEMPLATE)} == {
        "senderId",
        "voiceName",
        "repeatDTMF",
        "speechRate",
        "regional.indiaDlt.principalEntityId",
        "regional.indiaDlt.contentTemplateId",
    }


def test_infobips_own_speech_rate_is_no_difference() -> None:
    (plain,) = desired_state_from(PARAMETERS).templates.values()
    assert differences(plain, {**plain, "speechRate": 1.0, "senderId": "", "regional": {}}) == ()


def test_fields_that_we_do_not_set_are_ignored() -> None:
    assert differences(TEMPLATE, {**TEMPLATE, "createdAt": "2027-01-15", "landingPageId": 1}) == ()


def test_a_number_in_place_of_a_boolean_is_a_difference() -> None:
    field = "configuration.allowMultiplePinVerifications"
    (difference,) = differences(DESIRED.application, changed(DESIRED.application, field, 0))
    assert difference == Setting(field, desired=False, found=0, same=False, weaker=True)


def test_in_an_empty_account_application_and_template_are_created() -> None:
    transport = ScriptedInfobip([], [])
    made = provision(account(transport), DESIRED)
    assert [method for method, _ in transport.written] == ["POST", "POST"]
    assert (made.application_id, made.message_ids) == ("NEW-APPLICATION", {"en": "NEW-MESSAGE"})


def test_texts_that_are_billed_as_several_messages_become_an_attribute() -> None:
    transport = ScriptedInfobip([], [])
    long = desired_state_from({**PARAMETERS, "InfobipTexts": "en={{pin}}" + "x" * 155})
    assert provision(account(transport), long).attributes["MessageParts"] == "NEW-MESSAGE=2"
    assert provision(account(transport), DESIRED).attributes["MessageParts"] == ""


def test_an_application_of_another_name_is_not_ours() -> None:
    assert find_application([{"name": "other"}, APPLICATION], "sms-otp") == APPLICATION
    assert find_application([{"name": "other"}], "sms-otp") is None


def test_two_applications_of_our_name_are_refused() -> None:
    with pytest.raises(ProvisioningFailed, match="2 2FA applications named sms-otp"):
        find_application([APPLICATION, APPLICATION], "sms-otp")


@pytest.mark.parametrize(
    ("held", "found"),
    [
        ({"language": "en", "messageText": "Old {{pin}}"}, True),
        ({"language": "de", "messageText": "Your code is {{pin}}."}, False),
        ({"messageText": "Your code is {{pin}}."}, True),
        ({"messageText": "Old {{pin}}"}, False),
        ({"language": "en", "emailTemplateId": 7}, False),
    ],
)
def test_a_template_is_found_by_its_language_or_without_one_by_its_text(held: Body, found: bool) -> None:
    assert bool(find_templates([held], {"en": TEMPLATE})) is found


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (
            answer(403, {"requestError": {"serviceException": {"messageId": "FORBIDDEN", "text": "No."}}}),
            "Infobip answered GET /2fa/2/applications with 403 FORBIDDEN No.",
        ),
        (
            answer(400, {"errorCode": "E400", "description": "Bad", "violations": [{"property": "name"}]}),
            'Infobip answered GET /2fa/2/applications with 400 E400 Bad [{"property": "name"}]',
        ),
        (answer(502, b"<html>"), "Infobip answered GET /2fa/2/applications with 502"),
        (answer(401, {"text": "App the-key\nis bad"}), "401 App (the API key) is bad"),
        (answer(200, b"<html>"), "Infobip's answer to GET /2fa/2/applications is not JSON"),
        (answer(200, {}), "Infobip's answer is not a list"),
        (NoAnswer("read_timeout"), "Infobip gave no answer to GET /2fa/2/applications: read_timeout"),
    ],
)
def test_a_failed_call_is_reported_in_infobips_words_without_the_key(
    given: HttpResponse | TransportError, message: str
) -> None:
    with pytest.raises(ProvisioningFailed) as caught:
        provision(account(ScriptedTransport(given)), DESIRED)
    assert str(caught.value).endswith(message)
    assert "the-key" not in str(caught.value)


def test_a_malformed_application_id_is_refused() -> None:
    with pytest.raises(ProvisioningFailed, match="no applicationId"):
        written([{**APPLICATION, "applicationId": "../x,y=z"}], [MESSAGE])
