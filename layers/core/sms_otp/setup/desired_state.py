"""The desired state of a deployment at Infobip, and how it differs from what exists.

Infobip's own defaults allow ten guesses at a PIN within 15 minutes and let one PIN verify twice. Its limit of
three sends a day would refuse before this service does (Infobip 2FA API, `/2fa/2/applications`).
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from sms_otp.adapters.providers.infobip import WITH_APP_HASH
from sms_otp.domain import sms_text

Body = Mapping[str, Any]
"""A JSON object in Infobip's format."""

# Values of a message template's field `language`, which Infobip has for texts that are read out.
LANGUAGES = ("en es ca da nl fr de it ja ko no pl ru sv fi hr sl ro pt_pt pt_br zh_cn zh_tw").split()  # noqa: SIM905 # as in config

APP_HASH, APP_HASH_LENGTH = "{{appHash}}", 11
"""Placeholder at the end of a text for the hash of an Android app (SMS Retriever API), and its length."""

SENDS_PER_NUMBER, SENDS_PER_APPLICATION = 200, 1_000_000
"""A day's sends: twice what any deployment allows a number, and more than any deployment sends, so that only
our limits refuse. Constants: an operator must be able to lower a limit while Infobip is down."""


class ProvisioningFailed(Exception):
    """The text says what failed, with Infobip's error text if it answered. It contains no secret."""


@dataclass(frozen=True, slots=True)
class DesiredState:
    """The desired resources. The first template is used for every language without its own."""

    application: Body
    templates: Mapping[str, Body]
    """By the name that the adapter looks up: `en`, `en/login`, `en/login+appHash`."""


@dataclass(frozen=True, slots=True)
class Setting:
    """A field that we set. `weaker`: the value found allows more than the desired one."""

    field: str
    desired: object
    found: object
    same: bool
    weaker: bool


def desired_state_from(parameters: Mapping[str, str]) -> DesiredState:
    """The desired state from the stack's parameters and `InfobipApplicationName`, the stack's name.

    Raises `ProvisioningFailed`, naming the parameter at fault.
    """
    texts = list(_by_language(parameters["InfobipTexts"], "InfobipTexts", ";"))
    names = [name for name, _ in texts]
    if not texts or len(set(names)) < len(names):
        raise ProvisioningFailed("InfobipTexts must have a text, and each language and purpose once")
    if "/" in names[0]:
        raise ProvisioningFailed(f"the first of InfobipTexts, {names[0]}, must be for every purpose")
    registered = _registered(parameters, names)
    voices = _voices(parameters, [_language(name) for name in names])
    return DesiredState(
        _application(parameters),
        {
            variant: _template(parameters, _language(name), written, registered.get(variant, ""), voices)
            for name, text in texts
            for variant, written in _variants(name, text)
        },
    )


def _language(name: str) -> str:
    """The language of a text's name: `en` of `en/login`."""
    return name.partition("/")[0]


def _variants(name: str, text: str) -> Iterator[tuple[str, str]]:
    """A text's templates: without an app hash, for requests without one; with it, if it ends with one."""
    written = text.replace("\\n", "\n")
    plain = written.removesuffix(APP_HASH)
    if APP_HASH in plain:
        raise ProvisioningFailed(f"the message text of {name} must end with {APP_HASH}, and have it once")
    yield name, plain.rstrip()
    if plain != written:
        yield name + WITH_APP_HASH, written


def _application(parameters: Mapping[str, str]) -> Body:
    guesses = int(parameters["MaxAttempts"])
    return {
        "name": parameters["InfobipApplicationName"],
        "enabled": True,
        "configuration": {
            "pinAttempts": guesses,
            "allowMultiplePinVerifications": False,
            "pinTimeToLive": f"{int(parameters['CodeLifeSeconds'])}s",
            "verifyPinLimit": f"{guesses}/3s",
            "sendPinPerPhoneNumberLimit": f"{SENDS_PER_NUMBER}/1d",
            "sendPinPerApplicationLimit": f"{SENDS_PER_APPLICATION}/1d",
        },
    }


def _template(
    parameters: Mapping[str, str], language: str, text: str, registered: str, voices: Mapping[str, str]
) -> Body:
    if language not in LANGUAGES:
        raise ProvisioningFailed(f"{language} is none of Infobip's languages, {' '.join(LANGUAGES)}")
    if "{{pin}}" not in text:
        raise ProvisioningFailed(f"the message text of {language} does not hold {{{{pin}}}}")
    sender = dict(_by_language(parameters["InfobipSenderIds"], "InfobipSenderIds", ",")).get("*")
    voice = voices.get(language)
    entity = parameters["IndiaDlt"].partition(";")[0]
    return {
        "pinType": "NUMERIC",
        "pinLength": int(parameters["CodeLength"]),
        "messageText": text,
        "language": language,
        **({"senderId": sender} if sender else {}),
        **({"voiceName": voice} if voice else {}),
        **({"repeatDTMF": voices["repeat"]} if "repeat" in voices else {}),
        **({"speechRate": float(voices["rate"])} if "rate" in voices else {}),
        **(_india(entity, registered) if registered else {}),
    }


def parts_of(template: Body) -> int:
    """The number of messages that a template's text is sent and billed as."""
    text = str(template["messageText"]).replace("{{pin}}", "0" * int(template["pinLength"]))
    return sms_text.parts(text.replace(APP_HASH, "0" * APP_HASH_LENGTH))


def long_texts(parameters: Mapping[str, str]) -> Iterator[str]:
    """The texts that are billed as several messages, one sentence each. Raises `ProvisioningFailed`."""
    for name, template in desired_state_from(parameters).templates.items():
        if (parts := parts_of(template)) > 1:
            alphabet = "GSM-7" if sms_text.is_gsm7(str(template["messageText"])) else "UCS-2"
            yield f"InfobipTexts: {name} is sent, and billed, as {parts} messages ({alphabet})."


def _voices(parameters: Mapping[str, str], languages: list[str]) -> Mapping[str, str]:
    """The voice of each language; Infobip's standard voice reads the others.

    `rate` is the speed (1 is normal), `repeat` the keys that a listener presses to hear the text again.
    """
    voices = dict(_by_language(parameters["InfobipVoices"], "InfobipVoices", ","))
    if unknown := sorted(set(voices) - {*languages, "rate", "repeat"}):
        raise ProvisioningFailed(f"InfobipVoices has {unknown[0]}, which has no text in InfobipTexts")
    if not _RATE.fullmatch(voices.get("rate", "1")):
        raise ProvisioningFailed("the rate in InfobipVoices must be a number from 0.5 to 2")
    return voices


_RATE = re.compile(r"0\.[5-9][0-9]?|1(\.[0-9]{1,2})?|2(\.0)?")


def _registered(parameters: Mapping[str, str], names: list[str]) -> Mapping[str, str]:
    """The id of each text's content template in India's DLT register, by the text's name."""
    if not parameters["IndiaDlt"]:
        return {}
    entity, template, pairs, *_ = [*parameters["IndiaDlt"].split(";", 2), "", ""]
    if not entity or not template:
        raise ProvisioningFailed("IndiaDlt must be entity;template")
    further = dict(_by_language(pairs, "IndiaDlt", ","))
    default, *others = names
    if unknown := sorted(set(further) - set(others)):
        raise ProvisioningFailed(f"IndiaDlt has {unknown[0]}, which is not a further text of InfobipTexts")
    return {default: template, **further}


def _india(entity: str, template: str) -> Body:
    return {"regional": {"indiaDlt": {"principalEntityId": entity, "contentTemplateId": template}}}


def _by_language(pairs: str, name: str, separator: str) -> Iterator[tuple[str, str]]:
    """Parse pairs such as `de=Ihr Code ist {{pin}}.;fr=…`."""
    for part in filter(None, (part.strip() for part in pairs.split(separator))):
        language, equals, value = part.partition("=")
        if not equals:
            raise ProvisioningFailed(f"{name} must be pairs of name=value, separated by {separator}")
        yield language.strip(), value.strip()


def settings(desired_body: Body, found: Body) -> tuple[Setting, ...]:
    """Compare field by field: those that we set, and values found that must be cleared."""
    return tuple(
        Setting(name, want, have, _same(want, have), weaker=judge(want, have))
        for name, judge in _JUDGES.items()
        for want, have in ((at(desired_body, name), at(found, name)),)
        if name.split(".")[0] in {*desired_body, *_CLEARED}
        if want is not None or have not in (None, _CLEARED.get(name))
    )


def differences(desired_body: Body, found: Body) -> tuple[Setting, ...]:
    """The settings that differ from what is desired."""
    return tuple(setting for setting in settings(desired_body, found) if not setting.same)


# Fields that a template has only if a parameter is set, each with the value that clears it. An update must
# clear a field that is no longer desired: a field that the update leaves out keeps its value.
_CLEARED: Mapping[str, object] = {
    "senderId": "",
    "voiceName": "",
    "repeatDTMF": "",
    "speechRate": 1.0,
    "regional": {},
}


def cleared(desired_body: Body, found: Body) -> Body:
    """The fields that an update must set to clear values that exist and are not desired."""
    return {
        name: value
        for name, value in _CLEARED.items()
        if name not in desired_body and at(found, name) not in (None, value)
    }


def at(body: Body, path: str) -> object:
    """The value at a dotted path; None if it is missing or an empty string."""
    value: object = body
    for name in path.split("."):
        value = value.get(name) if isinstance(value, Mapping) else None
    return None if value == "" else value


def _same(want: object, have: object) -> bool:
    """Whether two values are equal: `300s` and `5m` are; `True` and `1` are not."""
    return _measured(want) == _measured(have) and type(want) is type(have)


_MILLISECONDS = {"ms": 1, "s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}
_MEASURE = re.compile(r"(?:([0-9]{1,9})/)?([0-9]{0,9})(ms|s|m|h|d)")


def _measured(value: object) -> object:
    """Infobip's `5/3s` or `15m` as (count, milliseconds); any other value unchanged."""
    match = _MEASURE.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        return value
    return int(match[1] or 1), int(match[2] or 1) * _MILLISECONDS[match[3]]


def _is_less(want: object, have: object) -> bool:
    return not (isinstance(want, int) and isinstance(have, int) and have >= want)


def _is_more(want: object, have: object) -> bool:
    return not (isinstance(want, int) and isinstance(have, int) and have <= want)


def _is_longer(want: object, have: object) -> bool:
    match _measured(want), _measured(have):
        case (_, int(desired_time)), (_, int(found_time)):
            return found_time > desired_time
    return True


def _is_oftener(want: object, have: object) -> bool:
    match _measured(want), _measured(have):
        case (int(desired_count), int(desired_time)), (int(count), int(time)) if desired_time and time:
            return Fraction(count, time) > Fraction(desired_count, desired_time)
    return True


def _is_true(_want: object, have: object) -> bool:
    return have is not False


def _never(_want: object, _have: object) -> bool:
    return False


# Every field that we set, and whether a found value is weaker than ours. For a missing field Infobip's
# default applies, which is always weaker.
_JUDGES: Mapping[str, Callable[[object, object], bool]] = {
    "name": _never,
    "enabled": _never,
    "configuration.pinAttempts": _is_more,
    "configuration.allowMultiplePinVerifications": _is_true,
    "configuration.pinTimeToLive": _is_longer,
    "configuration.verifyPinLimit": _is_oftener,
    "configuration.sendPinPerPhoneNumberLimit": _is_oftener,
    "configuration.sendPinPerApplicationLimit": _is_oftener,
    "pinType": _never,
    "pinLength": _is_less,
    "messageText": _never,
    "language": _never,
    "senderId": _never,
    "voiceName": _never,
    "repeatDTMF": _never,
    "speechRate": _never,
    "regional.indiaDlt.principalEntityId": _never,
    "regional.indiaDlt.contentTemplateId": _never,
}
