"""Initialization before the first request (docs/decisions/0034).

    on demand    the environment starts ── load, make ── requests
    SnapStart    a version is published ── load ── snapshot ── many environments: make ── requests

During initialization an environment has a whole processor; a request has the share that its memory buys.
`load` loads code and data, which a snapshot holds. `make` makes clients and the service, once for each
environment. Secrets and connections come with the first request that needs them.
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
from sms_otp.entry_points import schemas

Action = Callable[[], object]


def prepare(
    make: Action,
    clients_of: tuple[str, ...],
    *,
    schema: str | None = None,
    providers: bool = False,
    numbers: bool = False,
) -> None:
    """Load code and data, then call `make`. No-op outside Lambda, so that tests can import handlers.

    `clients_of`: the AWS services that `make` makes clients of. `schema`: the title of the body's schema.
    `providers`, `numbers`: whether the function calls providers, and whether it parses phone numbers.
    """

    def load() -> None:
        if schema is not None:
            schemas.validator(schema)
        events.load()
        if numbers:
            phone.load(config.settings().allowed_countries)
        if providers:
            registry.load(config.settings().provider_order)

    if config.starts_on_demand():
        # A wrong setting is answered and logged by each request. A failed start would do neither.
        with contextlib.suppress(OtpError), _frozen():
            load()
            make()
        return
    try:
        from snapshot_restore_py import register_after_restore, register_before_snapshot
    except ImportError:
        return

    def before() -> None:
        with _frozen():
            load()
            clients.read_models(clients_of)

    def after() -> None:
        # botocore's waits between retries use `random`. Secrets use the system's randomness.
        random.seed()
        with contextlib.suppress(OtpError), _frozen():
            make()

    register_before_snapshot(before)
    register_after_restore(after)


@contextlib.contextmanager
def _frozen() -> Iterator[None]:
    """Exempt objects made in this block from garbage collection: they live as long as the environment."""
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()
