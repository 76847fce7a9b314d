"""Clients of AWS's services, all of one session.

They are botocore's, which boto3's are too: `import boto3` would also read its resources, their documentation
and its transfer manager for S3, and nothing here has a use for those (docs/decisions/0033).
"""

from collections.abc import Iterable
from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from botocore.loaders import Loader
    from botocore.session import Session

LEAN: dict[str, Any] = {"parameter_validation": False, "user_agent": "sms-otp"}
"""What botocore need not do again at each call, a tenth of a verification's processor time: check parameters
that are always of one making, as AWS does too, and put together who calls.
"""


@cache
def session() -> "Session":
    """One per execution environment."""
    return _session()


def client(service: str, *, endpoint_url: str | None = None, **config: Any) -> Any:
    """A client that takes its credentials from the function's role. `config` as `botocore.config.Config`."""
    from botocore.config import Config

    return session().create_client(service, endpoint_url=endpoint_url, config=Config(**LEAN, **config))


def read_models(services: Iterable[str]) -> None:
    """Have everything read that clients of these are made from, and keep no client.

    For a snapshot, which many environments will start from: it is to hold no credentials, so those that the
    clients are made with are none.
    """
    without = _session()
    without.set_credentials("none", "none")
    for service in services:
        without.create_client(service)


def _session() -> "Session":
    from botocore.session import Session

    made = Session()
    made.register_component("data_loader", _loader())
    return made


@cache
def _loader() -> "Loader":
    """What has read AWS's data files, much of the time that a client takes to make; it keeps what it read."""
    from sms_otp.adapters.aws import client_data

    return client_data.KnownServices(file_loader=client_data.JsonFiles())
