"""What a function has ready before its first request (docs/decisions/0034).

    on demand    the environment starts ── load, make ── requests
    SnapStart    a version is published ── load ── snapshot ── many environments: make ── requests

While an environment starts Lambda lends it a whole processor, whatever its memory; a request gets the part
that its memory buys. What is loaded is code and data alone, the same for everybody. What is made is an
environment's own. Secrets and connections come with the first request that needs them.
"""

import contextlib
import gc
import random
from collections.abc import Callable, Iterator

from sms_otp.adapters import config
from sms_otp.adapters.aws import clients
from sms_otp.adapters.providers import registry
from sms_otp.adapters.telemetry import events
from sms_otp.domain import phone
from sms_otp.domain.errors import OtpError
from sms_otp.entry_points import bootstrap, schemas

Action = Callable[[], object]


def sender(schema: str) -> None:
    """Of a function that sends codes. `schema` is the title of its body's."""

    def load() -> None:
        _load(schema)
        settings = config.settings()
        phone.load(settings.allowed_countries)
        registry.load(settings.provider_order)

    _start(load, bootstrap.service, ("dynamodb", "secretsmanager"))


def checker(schema: str) -> None:
    """Of a function that checks codes."""

    def load() -> None:
        _load(schema)
        registry.load(config.settings().provider_order)

    _start(load, bootstrap.service, ("dynamodb", "secretsmanager"))


def keeper(schema: str) -> None:
    """Of a function that needs no provider."""
    _start(lambda: _load(schema), bootstrap.lifecycle, ("dynamodb",))


def listener() -> None:
    """Of a function that takes callbacks."""
    _start(events.load, bootstrap.webhooks, ("dynamodb", "secretsmanager"))


def administrator() -> None:
    """Of the function for administrators."""
    _start(lambda: _load("AdminNumber"), bootstrap.administration, ("dynamodb", "secretsmanager"))


def watcher() -> None:
    """Of the function that looks after everything that the service leans on."""
    _start(events.load, bootstrap.health_check, ("dynamodb", "secretsmanager"))


def publisher() -> None:
    """Of the function that hands out public keys."""
    _start(events.load, bootstrap.kms_client, ("kms",))


def _load(schema: str) -> None:
    schemas.validator(schema)
    events.load()


def _start(load: Action, make: Action, services: tuple[str, ...]) -> None:
    """Nothing, outside of Lambda and of what stands in for it: tests import handlers too."""
    if config.starts_on_demand():
        # A setting that is wrong is answered, and told, as often as somebody asks; a start that fails is not.
        with contextlib.suppress(OtpError), _kept():
            load()
            make()
        return
    try:
        from snapshot_restore_py import register_after_restore, register_before_snapshot
    except ImportError:
        return

    def before() -> None:
        with _kept():
            load()
            clients.read_models(services)

    def after() -> None:
        # botocore's waits between tries are drawn from it; what must not be guessed is drawn from the system.
        random.seed()
        with contextlib.suppress(OtpError), _kept():
            make()

    register_before_snapshot(before)
    register_after_restore(after)


@contextlib.contextmanager
def _kept() -> Iterator[None]:
    """What is loaded and made here stays for as long as the environment does.

    So nobody looks for garbage in it, neither while it grows nor at any request.
    """
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()
