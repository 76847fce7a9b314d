"""The sandbox's one account at each provider. None of this is secret."""

from typing import TypedDict

INFOBIP_PATH = "/infobip"
SINCH_PATH = "/sinch"
AWS_PATH = "/aws"

INFOBIP_API_KEY = "sandbox-infobip-key"
INFOBIP_USERNAME = "sandbox"
INFOBIP_PASSWORD = "sandbox-infobip-password"  # noqa: S105 - the sandbox's own
INFOBIP_APPLICATION_ID = "sandbox-application"
INFOBIP_MESSAGE_ID = "sandbox-message"
INFOBIP_WEBHOOK_USER = "sandbox-webhook-user"
INFOBIP_WEBHOOK_PASSWORD = "sandbox-webhook-password"  # noqa: S105 - the sandbox's own

SINCH_APPLICATION_KEY = "00000000-5a9d-4b0c-8000-000000000000"
SINCH_APPLICATION_SECRET = "bm90LWEtc2VjcmV0LXNhbmRib3gh"  # noqa: S105 - the sandbox's own, base64 of "not-a-secret-sandbox!"

AWS_CODE_KEY = "sandbox-code-key-which-is-not-secret"
AWS_ORIGINATION_IDENTITY = "SANDBOX"


class InfobipCredentials(TypedDict):
    """The provider secret's part for Infobip."""

    apiKey: str
    baseUrl: str
    applicationId: str
    messageId: str
    webhookUser: str
    webhookPassword: str


class SinchCredentials(TypedDict):
    """The provider secret's part for Sinch. `applicationSecret` is base64."""

    applicationKey: str
    applicationSecret: str


class AwsCredentials(TypedDict):
    """The provider secret's part for AWS End User Messaging."""

    codeKey: str
    originationIdentity: str


class Credentials(TypedDict):
    """The service's provider secret."""

    infobip: InfobipCredentials
    sinch: SinchCredentials
    aws: AwsCredentials


def credentials(sandbox_url: str) -> Credentials:
    """The provider secret with which the service calls the sandbox at `sandbox_url`."""
    return {
        "infobip": {
            "apiKey": INFOBIP_API_KEY,
            "baseUrl": sandbox_url.rstrip("/") + INFOBIP_PATH,
            "applicationId": INFOBIP_APPLICATION_ID,
            "messageId": INFOBIP_MESSAGE_ID,
            "webhookUser": INFOBIP_WEBHOOK_USER,
            "webhookPassword": INFOBIP_WEBHOOK_PASSWORD,
        },
        "sinch": {
            "applicationKey": SINCH_APPLICATION_KEY,
            "applicationSecret": SINCH_APPLICATION_SECRET,
        },
        "aws": {"codeKey": AWS_CODE_KEY, "originationIdentity": AWS_ORIGINATION_IDENTITY},
    }
