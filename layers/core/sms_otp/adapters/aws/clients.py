"""boto3 clients of AWS services, all of one session."""

from collections.abc import Iterable
from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import boto3
    from botocore.loaders import Loader
    from botocore.session import Session

LEAN: dict[str, Any] = {"parameter_validation": False, "user_agent": "sms-otp"}
"""Skips two steps of each call, a tenth of a verification's processor time: building the user agent, and
validating parameters, which AWS does too."""


@cache
def session() -> "boto3.Session":
    """One per execution environment."""
    return _session(_botocore_session())


def client(service: str, *, endpoint_url: str | None = None, **config: Any) -> Any:
    """A client with the credentials of the function's role. `config` as in `botocore.config.Config`."""
    from botocore.config import Config

    made = session().client(service, endpoint_url=endpoint_url, config=Config(**LEAN, **config))  # type: ignore[call-overload] # any service
    _resolve_endpoints_once(made)
    return made


def _resolve_endpoints_once(made: Any) -> None:
    """Keep the endpoint of each operation: our arguments do not change it; boto3 resolves it at each call.

    That takes 6 % of a call to DynamoDB. A boto3 without this private resolver works as before.
    """
    resolver = getattr(made, "_ruleset_resolver", None)
    if resolver is None:
        return
    resolve, endpoints = resolver.construct_endpoint, dict[str, Any]()

    def construct_endpoint(operation_model: Any, **context: Any) -> Any:
        name = operation_model.name
        if name not in endpoints:
            endpoints[name] = resolve(operation_model=operation_model, **context)
        return endpoints[name]

    resolver.construct_endpoint = construct_endpoint


def read_models(services: Iterable[str]) -> None:
    """Load the data files that these services' clients are made from, and keep no client.

    For a snapshot, which many environments start from: it must hold no credentials, so these are dummies.
    """
    botocore_session = _botocore_session()
    botocore_session.set_credentials("none", "none")
    for service in services:
        _session(botocore_session).client(service)  # type: ignore[call-overload] # any service


def _session(botocore_session: "Session") -> "boto3.Session":
    import boto3

    return boto3.Session(botocore_session=botocore_session)


def _botocore_session() -> "Session":
    from botocore.session import Session

    made = Session()
    made.register_component("data_loader", _loader())
    return made


@cache
def _loader() -> "Loader":
    """A caching loader of the AWS data files: reading them is much of the time that a client takes."""
    from sms_otp.adapters.aws import client_data

    return client_data.KnownServices(file_loader=client_data.JsonFiles())
