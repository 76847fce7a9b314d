"""Fake Infobip endpoints for 2FA applications and message templates. As at Infobip, there is no DELETE.

Their names in the call log are `provision-read`, `provision-create` and `provision-update`.
"""

import json
import re
import secrets
from collections.abc import Callable, Iterator, Mapping, MutableMapping, Sequence
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from local.sandbox.codes import ALPHABETS
from local.sandbox.credentials import INFOBIP_PATH
from local.sandbox.gateway import Operation, Refusal
from local.sandbox.infobip_application import (
    UNSAID_PIN_LENGTH,
    Application,
    LiveApplication,
    Template,
)
from local.sandbox.infobip_errors import error, forbidden, invalid
from local.sandbox.json_body import json_object
from local.sandbox.times import Clock, infobip_duration

_APPLICATIONS = f"{INFOBIP_PATH}/2fa/2/applications"
_APPLICATION = f"{_APPLICATIONS}/{{application_id}}"
_MESSAGES = f"{_APPLICATION}/messages"
_MESSAGE = f"{_MESSAGES}/{{message_id}}"

DEFAULTS: dict[str, Any] = {
    "pinAttempts": 10,
    "allowMultiplePinVerifications": True,
    "pinTimeToLive": "15m",
    "verifyPinLimit": "1/3s",
    "sendPinPerApplicationLimit": "10000/1d",
    "sendPinPerPhoneNumberLimit": "3/1d",
}
"""Infobip's defaults for fields that a request omits."""

_LIMIT = re.compile(r"[0-9]+/(.*)")
DAY, YEAR = infobip_duration("1d"), infobip_duration("365d")


def _is_time(value: object, longest: float) -> bool:
    try:
        return isinstance(value, str) and 0 < infobip_duration(value) <= longest
    except ValueError:
        return False


def _is_limit(value: object, longest: float) -> bool:
    match = _LIMIT.fullmatch(value) if isinstance(value, str) else None
    return match is not None and _is_time(match[1], longest)


_KINDS: dict[str, Callable[[Any], bool]] = {
    "pinAttempts": lambda value: type(value) is int and value > 0,
    "allowMultiplePinVerifications": lambda value: isinstance(value, bool),
    "pinTimeToLive": lambda value: _is_time(value, YEAR),
    "verifyPinLimit": lambda value: _is_limit(value, DAY),
    "sendPinPerApplicationLimit": lambda value: _is_limit(value, YEAR),
    "sendPinPerPhoneNumberLimit": lambda value: _is_limit(value, YEAR),
}


LONGEST_PIN = 10
"""Unspecified at Infobip."""
LANGUAGES = ("en es ca da nl fr de it ja ko no pl ru sv fi hr sl ro pt_pt pt_br zh_cn zh_tw").split()  # noqa: SIM905 # as Infobip lists them

_Act = Callable[[Request, bytes], Response]


class Provisioning:
    """The applications as written by requests; each is also put into `live`, which sends with it.

    Applications that are in `live` at the start are listed too.
    """

    def __init__(
        self,
        live: MutableMapping[str, LiveApplication],
        clock: Clock,
        authorize: Callable[[Request], None],
    ) -> None:
        self._live = live
        self._clock = clock
        self._authorize = authorize
        self._written = {known: _described(known, each.application) for known, each in live.items()}
        self._messages = {known: dict(_templates(known, each.application)) for known, each in live.items()}

    def operations(self) -> Sequence[Operation]:
        """All endpoints except the statistics, which do not configure an application."""
        return (
            self._operation("GET", _APPLICATIONS, "read", self._list_applications),
            self._operation("POST", _APPLICATIONS, "create", self._create_application),
            self._operation("GET", _APPLICATION, "read", self._read_application),
            self._operation("PUT", _APPLICATION, "update", self._update_application),
            self._operation("GET", _MESSAGES, "read", self._list_messages),
            self._operation("POST", _MESSAGES, "create", self._create_message),
            self._operation("GET", _MESSAGE, "read", self._read_message),
            self._operation("PUT", _MESSAGE, "update", self._update_message),
        )

    def _operation(self, method: str, path: str, kind: str, act: _Act) -> Operation:
        def authorized(request: Request, body: bytes) -> Response:
            self._authorize(request)
            return act(request, body)

        return Operation(method, path, f"provision-{kind}", authorized, _no_number, forbidden)

    def _list_applications(self, _request: Request, _body: bytes) -> Response:
        return JSONResponse(list(self._written.values()))

    def _create_application(self, _request: Request, body: bytes) -> Response:
        application_id = secrets.token_hex(16).upper()
        self._messages[application_id] = {}
        self._write_application(application_id, _checked_application(body, {"configuration": DEFAULTS}))
        return JSONResponse(self._written[application_id], status_code=201)

    def _read_application(self, request: Request, _body: bytes) -> Response:
        return JSONResponse(self._application(request))

    def _update_application(self, request: Request, body: bytes) -> Response:
        known = self._application(request)
        self._write_application(known["applicationId"], _checked_application(body, known))
        return JSONResponse(self._written[known["applicationId"]])

    def _write_application(self, application_id: str, content: dict[str, Any]) -> None:
        self._written[application_id] = {"applicationId": application_id, **content}
        self._go_live(application_id)

    def _list_messages(self, request: Request, _body: bytes) -> Response:
        return JSONResponse(list(self._messages[self._application(request)["applicationId"]].values()))

    def _create_message(self, request: Request, body: bytes) -> Response:
        """Answers 200, not 201, as documented."""
        application_id = self._application(request)["applicationId"]
        message_id = secrets.token_hex(16).upper()
        return self._write_message(application_id, message_id, _checked_message(body, {}))

    def _read_message(self, request: Request, _body: bytes) -> Response:
        return JSONResponse(self._message(request))

    def _update_message(self, request: Request, body: bytes) -> Response:
        known = self._message(request)
        content = _checked_message(body, known)
        return self._write_message(known["applicationId"], known["messageId"], content)

    def _write_message(self, application_id: str, message_id: str, content: dict[str, Any]) -> Response:
        ids = {"messageId": message_id, "applicationId": application_id, "pinPlaceholder": "{{pin}}"}
        self._messages[application_id][message_id] = {**content, **ids}
        self._go_live(application_id)
        return JSONResponse(self._messages[application_id][message_id])

    def _go_live(self, application_id: str) -> None:
        chosen = self._written[application_id]["configuration"]
        application = Application(
            templates={known: _template(held) for known, held in self._messages[application_id].items()},
            enabled=self._written[application_id]["enabled"],
            pin_attempts=chosen["pinAttempts"],
            pin_time_to_live=chosen["pinTimeToLive"],
            allow_multiple_pin_verifications=chosen["allowMultiplePinVerifications"],
            verify_pin_limit=chosen["verifyPinLimit"],
            send_pin_per_application_limit=chosen["sendPinPerApplicationLimit"],
            send_pin_per_phone_number_limit=chosen["sendPinPerPhoneNumberLimit"],
        )
        self._live[application_id] = LiveApplication(application, self._clock)

    def _application(self, request: Request) -> dict[str, Any]:
        return _known(self._written, request.path_params["application_id"])

    def _message(self, request: Request) -> dict[str, Any]:
        held = self._messages[self._application(request)["applicationId"]]
        return _known(held, request.path_params["message_id"])


def _known(held: dict[str, dict[str, Any]], key: str) -> dict[str, Any]:
    if key not in held:
        raise Refusal(error(404))
    return held[key]


def _checked_application(body: bytes, before: dict[str, Any]) -> dict[str, Any]:
    sent = _object(body)
    if not isinstance(sent.get("name"), str) or not sent["name"]:
        raise invalid("name", "must not be blank")
    configuration = sent.get("configuration", {})
    if not isinstance(configuration, dict):
        raise invalid("configuration", "must be an object")
    for name, value in configuration.items():
        if name in _KINDS and not _KINDS[name](value):
            raise invalid(f"configuration.{name}", f"{json.dumps(value)} is not allowed")
    return {
        "name": sent["name"],
        "enabled": _flag(sent.get("enabled", True)),
        "configuration": {**before["configuration"], **configuration},
    }


def _checked_message(body: bytes, before: dict[str, Any]) -> dict[str, Any]:
    message = {**before, **_object(body)}
    if message.get("pinType") not in ALPHABETS:
        raise invalid("pinType", f"must be one of {', '.join(ALPHABETS)}")
    text = message.get("messageText")
    if not isinstance(text, str) or "{{pin}}" not in text:
        raise invalid("messageText", "must contain {{pin}}")
    length = message.get("pinLength", UNSAID_PIN_LENGTH)
    if type(length) is not int or not 1 <= length <= LONGEST_PIN:
        raise invalid("pinLength", f"must be a number from 1 to {LONGEST_PIN}")
    if "language" in message and message["language"] not in LANGUAGES:
        raise invalid("language", f"must be one of {', '.join(LANGUAGES)}")
    rate = message.get("speechRate", 1.0)
    if not isinstance(rate, int | float) or not 0.5 <= rate <= 2:
        raise invalid("speechRate", "must be a number from 0.5 to 2")
    # An empty string clears a field (unspecified).
    return {name: value for name, value in message.items() if value != ""}


def _flag(value: object) -> bool:
    if not isinstance(value, bool):
        raise invalid("enabled", "must be true or false")
    return value


def _object(body: bytes) -> dict[str, Any]:
    parsed = json_object(body)
    if parsed is None:
        raise Refusal(error(400))
    return parsed


def _described(application_id: str, application: Application) -> dict[str, Any]:
    return {
        "applicationId": application_id,
        "name": application_id,
        "enabled": True,
        "configuration": {
            "pinAttempts": application.pin_attempts,
            "allowMultiplePinVerifications": application.allow_multiple_pin_verifications,
            "pinTimeToLive": application.pin_time_to_live,
            "verifyPinLimit": application.verify_pin_limit,
            "sendPinPerApplicationLimit": application.send_pin_per_application_limit,
            "sendPinPerPhoneNumberLimit": application.send_pin_per_phone_number_limit,
        },
    }


def _templates(application_id: str, application: Application) -> Iterator[tuple[str, dict[str, Any]]]:
    for message_id, template in application.templates.items():
        yield (
            message_id,
            {
                "messageId": message_id,
                "applicationId": application_id,
                "pinPlaceholder": "{{pin}}",
                "messageText": template.text,
                "pinType": template.pin_type,
                "pinLength": template.pin_length,
                "language": "en",
            },
        )


def _template(message: Mapping[str, Any]) -> Template:
    return Template(message["messageText"], message["pinType"], message.get("pinLength", UNSAID_PIN_LENGTH))


def _no_number(_request: Request, _body: bytes) -> None:
    """Provisioning calls have no phone number."""
