"""Infobip's side of a deployment: a 2FA application and its message templates, made what the parameters say.

Infobip's own defaults allow ten guesses at a PIN, for a quarter of an hour, and let one PIN verify twice, and
its three sends a day would refuse before this service does (Infobip 2FA API, `/2fa/2/applications`).

    wanted_from(parameters)  what should stand there
    differences(body, found) what stands there instead
    provision(account, …)    find or create, update what differs; nothing is ever deleted
"""

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from sms_otp import providers
from sms_otp.clock import Deadline
from sms_otp.config import Settings
from sms_otp.providers import hosts
from sms_otp.providers.transport import Answer, Transport, TransportError

Body = Mapping[str, Any]
"""A JSON object as Infobip takes and gives it."""

SECONDS = 60.0
"""For everything together."""

# Of the message template's field `language`, which Infobip has for texts that are read out.
LANGUAGES = ("en es ca da nl fr de it ja ko no pl ru sv fi hr sl ro pt_pt pt_br zh_cn zh_tw").split()  # noqa: SIM905 # as in config

_CREDENTIALS = ("apiKey", "baseUrl")
_ID = re.compile(r"[A-Za-z0-9-]{1,64}")
_LONGEST_REASON = 800


class ProvisioningFailed(Exception):
    """The text says what failed, in Infobip's own words where it answered; no secret is part of it."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What should stand at Infobip. The first template is the one for every other language."""

    application: Body
    templates: tuple[Body, ...]


@dataclass(frozen=True, slots=True)
class Difference:
    """A field that is not as wanted. `weaker`: it lets through more than the parameters do."""

    field: str
    wanted: object
    found: object
    weaker: bool


@dataclass(frozen=True, slots=True)
class Found:
    """What stands at Infobip for one wanted body; `body` is none where nothing does."""

    name: str
    wanted: Body
    body: Body | None

    @property
    def differences(self) -> tuple[Difference, ...]:
        """None where it is missing."""
        return differences(self.wanted, self.body) if self.body is not None else ()


@dataclass(frozen=True, slots=True)
class Provisioned:
    """The ids of what now stands there; of the templates by language, the default's first."""

    application_id: str
    message_ids: Mapping[str, str]

    @property
    def attributes(self) -> Mapping[str, str]:
        """For `!GetAtt`, and so for the settings that `config` has of Infobip."""
        default, *_ = self.message_ids.values()
        return {
            "ApplicationId": self.application_id,
            "MessageId": default,
            "MessageIds": ",".join(f"{language}={held}" for language, held in self.message_ids.items()),
        }


# ---------------------------------------------------------------- what is wanted


def wanted_from(parameters: Mapping[str, str]) -> Wanted:
    """From the stack's parameters, by their names. Raises `ProvisioningFailed`, naming the one at fault."""
    default = _template(parameters, parameters["InfobipLanguage"], parameters["InfobipMessageText"])
    locales = [_template(parameters, *pair) for pair in _locale_texts(parameters["InfobipLocaleTexts"])]
    languages = [template["language"] for template in (default, *locales)]
    if len(set(languages)) < len(languages):
        raise ProvisioningFailed("InfobipLocaleTexts has a language twice, or InfobipLanguage again")
    return Wanted(_application(parameters), ({**default, **_india(parameters)}, *locales))


def _application(parameters: Mapping[str, str]) -> Body:
    guesses = int(parameters["MaxAttempts"])
    return {
        "name": parameters["InfobipApplicationName"],
        "enabled": True,
        "configuration": {
            "pinAttempts": guesses,
            "allowMultiplePinVerifications": False,
            "pinTimeToLive": f"{int(parameters['CodeLifeSeconds'])}s",
            # Ours are the limits that refuse. Infobip's days begin when they like, so that any of them may
            # hold parts of two of ours, and a send that we took back may still be counted there.
            "verifyPinLimit": f"{guesses}/3s",
            "sendPinPerPhoneNumberLimit": f"{2 * int(parameters['SendsPerDay'])}/1d",
            "sendPinPerApplicationLimit": f"{2 * int(parameters['DailySendCap'])}/1d",
        },
    }


def _template(parameters: Mapping[str, str], language: str, text: str) -> Body:
    if language not in LANGUAGES:
        raise ProvisioningFailed(f"{language} is none of Infobip's languages, {' '.join(LANGUAGES)}")
    if "{{pin}}" not in text:
        raise ProvisioningFailed(f"the message text of {language} does not hold {{{{pin}}}}")
    sender = parameters["InfobipSenderId"]
    return {
        "pinType": "NUMERIC",
        "pinLength": int(parameters["CodeLength"]),
        "messageText": text,
        "language": language,
        **({"senderId": sender} if sender else {}),
    }


def _india(parameters: Mapping[str, str]) -> Body:
    """Of the default text alone: each text that is sent to India is registered by itself."""
    entity, template = parameters["IndiaDltEntityId"], parameters["IndiaDltTemplateId"]
    if not entity and not template:
        return {}
    if not entity or not template:
        raise ProvisioningFailed("IndiaDltEntityId and IndiaDltTemplateId go together")
    return {"regional": {"indiaDlt": {"principalEntityId": entity, "contentTemplateId": template}}}


def _locale_texts(texts: str) -> Iterator[tuple[str, str]]:
    """`de=Ihr Code ist {{pin}}.;fr=…`"""
    for text in filter(None, (part.strip() for part in texts.split(";"))):
        language, separator, words = text.partition("=")
        if not separator:
            raise ProvisioningFailed("InfobipLocaleTexts must be language=text, separated by semicolons")
        yield language.strip(), words.strip()


# ---------------------------------------------------------------- what differs


def differences(wanted_body: Body, found: Body) -> tuple[Difference, ...]:
    """Field by field; what we do not set is left alone, but a text that should not be there is one."""
    compared = []
    for name, judge in _JUDGES.items():
        want, have = _at(wanted_body, name), _at(found, name)
        if name.split(".")[0] not in {*wanted_body, *_OPTIONAL} or _same(want, have):
            continue
        compared.append(Difference(name, want, have, weaker=judge(want, have)))
    return tuple(compared)


# Fields that a template has only where a parameter is set, so that one that is there may be one too many.
_OPTIONAL = ("senderId", "regional")


def _at(body: Body, path: str) -> object:
    value: object = body
    for name in path.split("."):
        value = value.get(name) if isinstance(value, Mapping) else None
    return None if value == "" else value


def _same(want: object, have: object) -> bool:
    """`300s` and `5m` are the same; `True` and `1` are not."""
    return _measured(want) == _measured(have) and type(want) is type(have)


_MILLISECONDS = {"ms": 1, "s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}
_MEASURE = re.compile(r"(?:([0-9]{1,9})/)?([0-9]{0,9})(ms|s|m|h|d)")


def _measured(value: object) -> object:
    """Of Infobip's `5/3s` and `15m` how many, and in how many milliseconds; else the value as it is."""
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
        case (_, int(wanted_time)), (_, int(found_time)):
            return found_time > wanted_time
    return True


def _is_oftener(want: object, have: object) -> bool:
    match _measured(want), _measured(have):
        case (int(wanted_count), int(wanted_time)), (int(count), int(time)) if wanted_time and time:
            return Fraction(count, time) > Fraction(wanted_count, wanted_time)
    return True


def _is_true(_want: object, have: object) -> bool:
    return have is not False


def _never(_want: object, _have: object) -> bool:
    return False


# Every field that we set, and when another value than ours is the weaker one. Where a field is missing
# Infobip's default counts, which is weaker in each.
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
    "regional.indiaDlt.principalEntityId": _never,
    "regional.indiaDlt.contentTemplateId": _never,
}


# ---------------------------------------------------------------- what stands there


class Account:
    """An Infobip account's 2FA applications, over its API. Every method raises `ProvisioningFailed`."""

    def __init__(self, base_url: str, api_key: str, transport: Transport, deadline: Deadline) -> None:
        self._url = f"{base_url}/2fa/2/applications"
        self._api_key = api_key
        self._transport = transport
        self._deadline = deadline

    def applications(self) -> Sequence[Body]:
        """All of them."""
        return _objects(self._ask("GET", ""))

    def templates(self, application_id: str) -> Sequence[Body]:
        """An application's message templates; e-mail's are among them."""
        return _objects(self._ask("GET", f"/{application_id}/messages"))

    def create_application(self, body: Body) -> str:
        """Answers its id."""
        return id_of(self._ask("POST", "", body), "applicationId")

    def update_application(self, application_id: str, body: Body) -> None:
        """Replaces it."""
        self._ask("PUT", f"/{application_id}", body)

    def create_template(self, application_id: str, body: Body) -> str:
        """Answers its id."""
        return id_of(self._ask("POST", f"/{application_id}/messages", body), "messageId")

    def update_template(self, application_id: str, message_id: str, body: Body) -> None:
        """Replaces it."""
        self._ask("PUT", f"/{application_id}/messages/{message_id}", body)

    def _ask(self, method: str, path: str, body: Body | None = None) -> object:
        headers = {"Authorization": f"App {self._api_key}", "Content-Type": "application/json"}
        sent = json.dumps(body).encode() if body is not None else b""
        asked = f"{method} /2fa/2/applications{path}"
        try:
            answer = self._transport.exchange(
                method, self._url + path, headers=headers, body=sent, deadline=self._deadline
            )
        except TransportError as error:
            raise ProvisioningFailed(f"Infobip gave no answer to {asked}: {error.reason}") from None
        if not answer.ok:
            words = _words_of(answer).replace(self._api_key, "(the API key)")
            raise ProvisioningFailed(f"Infobip answered {asked} with {answer.status} {words}".strip())
        parsed = _parsed(answer)
        if parsed is None:
            raise ProvisioningFailed(f"Infobip's answer to {asked} is not JSON")
        return parsed


def open_account(credentials: Mapping[str, object], settings: Settings) -> Account:
    """From Infobip's object in the provider secret; its key needs the scope `2fa:manage`.

    Raises `ServiceMisconfigured` or `Misconfigured`, naming the field at fault.
    """
    fields = providers.fields("infobip", credentials, _CREDENTIALS)
    base_url = hosts.infobip_url(fields["baseUrl"], settings)
    return Account(base_url, fields["apiKey"], Transport(), Deadline(SECONDS))


def id_of(body: object, field: str) -> str:
    """Raises `ProvisioningFailed` where it is none that a path and a list of ids can hold."""
    value = body.get(field) if isinstance(body, Mapping) else None
    if not isinstance(value, str) or not _ID.fullmatch(value):
        raise ProvisioningFailed(f"Infobip's answer has no {field}")
    return value


def find_application(applications: Sequence[Body], name: str) -> Body | None:
    """By its name. Raises `ProvisioningFailed` where there are several."""
    named = [application for application in applications if application.get("name") == name]
    if len(named) > 1:
        raise ProvisioningFailed(
            f"Infobip has {len(named)} 2FA applications named {name}; rename all but one"
        )
    return named[0] if named else None


def find_template(templates: Sequence[Body], body: Body) -> Body | None:
    """By its language, which is as good as a name in an application of our own; by its text without one."""
    for template in templates:
        key = "language" if template.get("language") else "messageText"
        if "messageText" in template and template.get(key) == body[key]:
            return template
    return None


def look(account: Account, wanted: Wanted) -> tuple[Found, ...]:
    """What stands at Infobip: the application, then each template. Changes nothing."""
    name = wanted.application["name"]
    application = find_application(account.applications(), name)
    templates = account.templates(id_of(application, "applicationId")) if application else ()
    return (
        Found(f"application {name}", wanted.application, application),
        *(
            Found(f"template {body['language']}", body, find_template(templates, body))
            for body in wanted.templates
        ),
    )


def provision(account: Account, wanted: Wanted) -> Provisioned:
    """Create what is missing, replace what differs, leave the rest. Raises `ProvisioningFailed`.

    What an unanswered call did is found by the next deployment, so nothing is made twice.
    """
    application, *templates = look(account, wanted)
    if application.body is None:
        application_id = account.create_application(application.wanted)
    else:
        application_id = id_of(application.body, "applicationId")
        if application.differences:
            account.update_application(application_id, application.wanted)
    return Provisioned(
        application_id,
        {each.wanted["language"]: _provision_template(account, application_id, each) for each in templates},
    )


def _provision_template(account: Account, application_id: str, template: Found) -> str:
    if template.body is None:
        return account.create_template(application_id, template.wanted)
    message_id = id_of(template.body, "messageId")
    if template.differences:
        account.update_template(application_id, message_id, template.wanted)
    return message_id


def _objects(answered: object) -> Sequence[Body]:
    if not isinstance(answered, list):
        raise ProvisioningFailed("Infobip's answer is not a list")
    return [each for each in answered if isinstance(each, Mapping)]


def _parsed(answer: Answer) -> object:
    """None where the body is not JSON."""
    try:
        return json.loads(answer.body)
    except (ValueError, RecursionError):
        return None


def _words_of(answer: Answer) -> str:
    """Infobip's own, in either of its two shapes of error; a gateway's page has none."""
    content = _parsed(answer)
    if not isinstance(content, Mapping):
        return ""
    told = _at(content, "requestError.serviceException")
    words = told if isinstance(told, Mapping) else content
    kept = {name: words[name] for name in _TOLD if words.get(name)}
    said = " ".join(value if isinstance(value, str) else json.dumps(value) for value in kept.values())
    return "".join(letter if letter.isprintable() else " " for letter in said)[:_LONGEST_REASON]


_TOLD = ("messageId", "text", "validationErrors", "errorCode", "description", "action", "violations")
