"""Custom resources of CloudFormation: an event in, an answer PUT to the URL that the event names.

Every event is answered: one that is not holds up the deployment until the resource's `ServiceTimeout`.
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
    """CloudFormation's event. `ResourceProperties` are strings; `ServiceToken` is one of them."""

    RequestType: str
    RequestId: str
    StackId: str
    LogicalResourceId: str
    PhysicalResourceId: str
    ResponseURL: str
    ResourceProperties: Mapping[str, Any]


Act = Callable[[Mapping[str, Any]], Mapping[str, str]]
"""Makes the resource what its properties say; answers its attributes, for `!GetAtt`."""


def answer(event: Event, act: Act, stage: str) -> None:
    """Act, unless the resource is being deleted, and answer CloudFormation.

    Raises `TransportError` where the answer does not arrive; Lambda then runs the function again.
    """
    outcome = {"Status": "SUCCESS"} if event["RequestType"] == "Delete" else _outcome(event, act)
    answer_body = {
        **outcome,
        # One for ever: another would make CloudFormation delete "the old one".
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
        # Its text can hold what a provider sent.
        reason = f"{type(error).__name__} while the custom resource was made"
    return {"Status": "FAILED", "Reason": reason}


def _put(url: str, body: bytes, stage: str) -> None:
    """To a URL that is signed for a body without a media type."""
    _require_https(url, stage)
    deadline = Deadline(ANSWER_SECONDS)
    given = Transport().exchange("PUT", url, headers={"Content-Type": ""}, body=body, deadline=deadline)
    if not given.ok:
        raise RuntimeError(f"CloudFormation's URL answered {given.status}")


def _require_https(url: str, stage: str) -> None:
    """The emulated CloudFormation of a local stack alone has none."""
    scheme = urlsplit(url).scheme
    if scheme != "https" and not (scheme == "http" and stage == "local"):
        raise ValueError("CloudFormation's URL is not https")
