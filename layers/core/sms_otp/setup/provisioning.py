"""Provisions a deployment's 2FA application and templates at Infobip, as `desired_state` says.

look(account, desired)       compares what exists with what is desired
provision(account, desired)  finds or creates, and updates differences; never deletes
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sms_otp.adapters.config import Settings
from sms_otp.adapters.providers import hosts, registry
from sms_otp.adapters.providers.transport import HttpResponse, Transport, TransportError
from sms_otp.domain.clock import Deadline
from sms_otp.setup import desired_state
from sms_otp.setup.desired_state import Body, DesiredState, ProvisioningFailed, Setting, at, cleared, settings

SECONDS = 60.0
"""For all calls together."""

_CREDENTIALS = ("apiKey", "baseUrl")
_ID = re.compile(r"[A-Za-z0-9-]{1,64}")
_LONGEST_REASON = 800


@dataclass(frozen=True, slots=True)
class Found:
    """A resource at Infobip beside its desired body; `body` is None where it does not exist."""

    name: str
    desired: Body
    body: Body | None

    @property
    def settings(self) -> tuple[Setting, ...]:
        """Each field, desired and found; empty where the resource does not exist."""
        return settings(self.desired, self.body) if self.body is not None else ()

    @property
    def differences(self) -> tuple[Setting, ...]:
        """The fields that differ from the desired ones."""
        return tuple(setting for setting in self.settings if not setting.same)


@dataclass(frozen=True, slots=True)
class Provisioned:
    """The ids of the provisioned resources; the templates' ids by name, the default's first."""

    application_id: str
    message_ids: Mapping[str, str]
    india_message_ids: Mapping[str, str]
    """The templates for numbers in India: those registered there, or all if none is."""
    message_parts: Mapping[str, int]
    """By message id, the number of messages that its text is billed as, if more than one."""

    @property
    def attributes(self) -> Mapping[str, str]:
        """The attributes for `!GetAtt`, which become Infobip's settings in `config`."""
        default, *_ = self.message_ids.values()
        return {
            "ApplicationId": self.application_id,
            "MessageId": default,
            "MessageIds": _listed(self.message_ids),
            "IndiaMessageIds": _listed(self.india_message_ids),
            "MessageParts": _listed(self.message_parts),
        }


def _listed(values: Mapping[str, object]) -> str:
    return ",".join(f"{name}={value}" for name, value in values.items())


class Account:
    """An Infobip account's 2FA applications, over its API. Every method raises `ProvisioningFailed`."""

    def __init__(self, base_url: str, api_key: str, transport: Transport, deadline: Deadline) -> None:
        self._url = f"{base_url}/2fa/2/applications"
        self._api_key = api_key
        self._transport = transport
        self._deadline = deadline

    def applications(self) -> Sequence[Body]:
        """All applications."""
        return _objects(self._ask("GET", ""))

    def templates(self, application_id: str) -> Sequence[Body]:
        """An application's message templates, those for e-mail included."""
        return _objects(self._ask("GET", f"/{application_id}/messages"))

    def create_application(self, body: Body) -> str:
        """Create an application; returns its id."""
        return id_of(self._ask("POST", "", body), "applicationId")

    def update_application(self, application_id: str, body: Body) -> None:
        """Replace an application."""
        self._ask("PUT", f"/{application_id}", body)

    def create_template(self, application_id: str, body: Body) -> str:
        """Create a template; returns its id."""
        return id_of(self._ask("POST", f"/{application_id}/messages", body), "messageId")

    def update_template(self, application_id: str, message_id: str, body: Body) -> Body:
        """Set these fields and leave the others unchanged. Returns the updated template."""
        updated = self._ask("PUT", f"/{application_id}/messages/{message_id}", body)
        return updated if isinstance(updated, Mapping) else {}

    def _ask(self, method: str, path: str, body: Body | None = None) -> object:
        headers = {"Authorization": f"App {self._api_key}", "Content-Type": "application/json"}
        sent = json.dumps(body).encode() if body is not None else b""
        request = f"{method} /2fa/2/applications{path}"
        try:
            answer = self._transport.exchange(
                method, self._url + path, headers=headers, body=sent, deadline=self._deadline
            )
        except TransportError as error:
            raise ProvisioningFailed(f"Infobip gave no answer to {request}: {error.reason}") from None
        if not answer.ok:
            reason = _error_text(answer).replace(self._api_key, "(the API key)")
            raise ProvisioningFailed(f"Infobip answered {request} with {answer.status} {reason}".strip())
        parsed = _parsed(answer)
        if parsed is None:
            raise ProvisioningFailed(f"Infobip's answer to {request} is not JSON")
        return parsed


def open_account(credentials: Mapping[str, object], settings: Settings) -> Account:
    """Open the account in Infobip's part of the provider secret; its key needs the scope `2fa:manage`.

    Raises `ServiceMisconfigured` or `Misconfigured`, naming the field at fault.
    """
    fields = registry.fields("infobip", credentials, _CREDENTIALS)
    base_url = hosts.infobip_url(fields["baseUrl"], settings)
    return Account(base_url, fields["apiKey"], Transport(), Deadline(SECONDS))


def id_of(body: object, field: str) -> str:
    """The id in this field. Raises `ProvisioningFailed` unless it fits into a path and a list of ids."""
    value = body.get(field) if isinstance(body, Mapping) else None
    if not isinstance(value, str) or not _ID.fullmatch(value):
        raise ProvisioningFailed(f"Infobip's answer has no {field}")
    return value


def find_application(applications: Sequence[Body], name: str, application_id: str = "") -> Body | None:
    """Find by id if one is given, else by name. Raises `ProvisioningFailed` if several have that name."""
    if application_id:
        return next((each for each in applications if each.get("applicationId") == application_id), None)
    named = [application for application in applications if application.get("name") == name]
    if len(named) > 1:
        raise ProvisioningFailed(
            f"Infobip has {len(named)} 2FA applications named {name}; rename all but one"
        )
    return named[0] if named else None


def find_templates(templates: Sequence[Body], desired: Mapping[str, Body]) -> Mapping[str, Body]:
    """Match existing templates to desired ones, by the desired name; missing ones are left out.

    Templates have no names at Infobip and cannot be deleted. A template with an equal text is matched first,
    then any other of the language, so that a changed text is updated and no needless template is created.
    """
    free = [template for template in templates if "messageText" in template]
    found: dict[str, Body] = {}
    for is_same in (_is_same_text, _is_same_language):
        for name, body in desired.items():
            match = next((each for each in free if name not in found and is_same(each, body)), None)
            if match is not None:
                found[name] = match
                free.remove(match)
    return found


def _is_same_text(template: Body, body: Body) -> bool:
    is_same_text = template["messageText"] == body["messageText"]
    return is_same_text and template.get("language") in (None, "", body["language"])


def _is_same_language(template: Body, body: Body) -> bool:
    return bool(template.get("language") == body["language"])


def look(account: Account, desired: DesiredState, application_id: str = "") -> tuple[Found, ...]:
    """The resources at Infobip: the application, then each template. Changes nothing.

    Finds the application by its id if one is given, else by its name.
    """
    name = desired.application["name"]
    application = find_application(account.applications(), name, application_id)
    templates = account.templates(id_of(application, "applicationId")) if application else ()
    found = find_templates(templates, desired.templates)
    return (
        Found(f"application {name}", desired.application, application),
        *(Found(f"template {key}", body, found.get(key)) for key, body in desired.templates.items()),
    )


def provision(account: Account, desired: DesiredState) -> Provisioned:
    """Create what is missing, replace what differs, leave the rest. Raises `ProvisioningFailed`.

    The next deployment finds what a call without an answer created, so nothing is created twice.
    """
    application, *templates = look(account, desired)
    if application.body is None:
        application_id = account.create_application(application.desired)
    else:
        application_id = id_of(application.body, "applicationId")
        if application.differences:
            account.update_application(application_id, application.desired)
    made = {
        name: _provision_template(account, application_id, each)
        for name, each in zip(desired.templates, templates, strict=True)
    }
    registered = {name for name, body in desired.templates.items() if "regional" in body}
    in_india = {name: held for name, held in made.items() if name in registered}
    parts = {made[name]: desired_state.parts_of(body) for name, body in desired.templates.items()}
    several = {message_id: count for message_id, count in parts.items() if count > 1}
    return Provisioned(application_id, made, in_india or made, several)


def _provision_template(account: Account, application_id: str, template: Found) -> str:
    if template.body is None:
        return account.create_template(application_id, template.desired)
    message_id = id_of(template.body, "messageId")
    if template.differences:
        clearing = cleared(template.desired, template.body)
        updated = account.update_template(application_id, message_id, {**template.desired, **clearing})
        if uncleared := sorted(cleared(template.desired, updated)):
            # Whether an empty value clears a field is up to Infobip, and a wrong sender must not stay.
            raise ProvisioningFailed(
                f"Infobip keeps {uncleared[0]} of {template.name}; clear it in Infobip's portal"
            )
    return message_id


def _objects(answered: object) -> Sequence[Body]:
    if not isinstance(answered, list):
        raise ProvisioningFailed("Infobip's answer is not a list")
    return [each for each in answered if isinstance(each, Mapping)]


def _parsed(answer: HttpResponse) -> object:
    """None where the body is not JSON."""
    try:
        return json.loads(answer.body)
    except (ValueError, RecursionError):
        return None


def _error_text(answer: HttpResponse) -> str:
    """Infobip's error text, from either of its two error formats; empty for a gateway's page."""
    content = _parsed(answer)
    if not isinstance(content, Mapping):
        return ""
    error = at(content, "requestError.serviceException")
    fields = error if isinstance(error, Mapping) else content
    details = {name: fields[name] for name in _ERROR_FIELDS if fields.get(name)}
    text = " ".join(value if isinstance(value, str) else json.dumps(value) for value in details.values())
    return "".join(letter if letter.isprintable() else " " for letter in text)[:_LONGEST_REASON]


_ERROR_FIELDS = ("messageId", "text", "validationErrors", "errorCode", "description", "action", "violations")
