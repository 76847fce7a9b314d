"""Custom resources of CloudFormation: takes an event, PUTs the answer to the URL that the event names.

Every event is answered: without an answer the deployment waits for the resource's `ServiceTimeout`.
"""

import json
from collections.abc import Callable, Mapping
from typing import Any, TypedDict
from urllib.parse import urlsplit

from sms_otp.adapters.providers.transport import Transport
from sms_otp.domain.clock import Deadline
from sms_otp.domain.errors import DeploymentRefused, ServiceMisconfigured
from sms_otp.domain.provider import Misconfigured
from sms_otp.setup.desired_state import ProvisioningFailed

ANSWER_SECONDS = 6.0


class Event(TypedDict, total=False):
    """CloudFormation's event. `ResourceProperties` has strings, `ServiceToken` among them."""

    RequestType: str
    RequestId: str
    StackId: str
    LogicalResourceId: str
    PhysicalResourceId: str
    ResponseURL: str
    ResourceProperties: Mapping[str, Any]


Act = Callable[[Mapping[str, Any]], Mapping[str, str]]
"""Creates or updates the resource from its properties; returns its attributes, for `!GetAtt`."""


def answer(event: Event, act: Act, stage: str) -> None:
    """Call `act`, unless the resource is being deleted, and answer CloudFormation.

    Raises `TransportError` if the answer does not arrive; Lambda then runs the function again.
    """
    outcome = {"Status": "SUCCESS"} if event["RequestType"] == "Delete" else _outcome(event, act)
    answer_body = {
        **outcome,
        # Constant: a new id would make CloudFormation delete the old resource.
        "PhysicalResourceId": event["LogicalResourceId"],
        **{name: event[name] for name in ("StackId", "RequestId", "LogicalResourceId")},
    }
    _put(event["ResponseURL"], json.dumps(answer_body).encode(), stage)


def _outcome(event: Event, act: Act) -> dict[str, Any]:
    try:
        return {"Status": "SUCCESS", "Data": act(event["ResourceProperties"])}
    except (ProvisioningFailed, DeploymentRefused) as failed:
        reason = str(failed)
    except (ServiceMisconfigured, Misconfigured) as wrong:
        reason = f"The provider secret must be put before ProvisionInfobip is true: {wrong.reason}"
    except Exception as error:
        # Its text can hold data from a provider.
        reason = f"{type(error).__name__} while the custom resource was made"
    return {"Status": "FAILED", "Reason": reason}


def _put(url: str, body: bytes, stage: str) -> None:
    """PUT without a media type, as the URL is signed. Raises `TransportError`, RuntimeError or ValueError."""
    _require_https(url, stage)
    deadline = Deadline(ANSWER_SECONDS)
    response = Transport().exchange("PUT", url, headers={"Content-Type": ""}, body=body, deadline=deadline)
    if not response.ok:
        raise RuntimeError(f"CloudFormation's URL answered {response.status}")


def _require_https(url: str, stage: str) -> None:
    """Raise ValueError for plain HTTP, which only a local stack's emulated CloudFormation uses."""
    scheme = urlsplit(url).scheme
    if scheme != "https" and not (scheme == "http" and stage == "local"):
        raise ValueError("CloudFormation's URL is not https")
