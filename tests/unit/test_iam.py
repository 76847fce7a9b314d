"""The IAM actions of each function, as a table: one action more or less fails."""

from typing import Any

import pytest

from local.template import template

XRAY = {("xray:PutTraceSegments", "*"), ("xray:PutTelemetryRecords", "*")}
SECRETS = {
    ("secretsmanager:GetSecretValue", "ProviderSecret"),
    ("secretsmanager:GetSecretValue", "PepperSecret"),
}
SMS_BY_AWS = ("sms-voice:SendTextMessage", "AwsSmsIdentityArn")
"""Only where the parameter names a sender."""
FEEDBACK_TO_AWS = (
    "sms-voice:PutMessageFeedback",
    "arn:${AWS::Partition}:sms-voice:${AWS::Region}:${AWS::AccountId}:message/*",
)
"""As above; a message's ARN is known once it is sent."""
RECORDING_OF_USERS = ("dynamodb:UpdateItem", "UsersTable")
"""Only where users are kept."""
SIGNING_OF_TOKENS = ("kms:Sign", "TokenKey")
PUBLIC_KEYS_OF_TOKENS = ("kms:GetPublicKey", "TokenKey")
"""Only where tokens are issued; keys that a parameter names may take the place of the stack's own."""
ACCOUNT_OF_AWS = ("sms-voice:DescribeAccountAttributes", "*")
"""As above."""


def on_table(*operations: str) -> set[tuple[str, str]]:
    return {(f"dynamodb:{operation}", "Table") for operation in operations}


def own_log(group: str) -> set[tuple[str, str]]:
    return {("logs:CreateLogStream", group), ("logs:PutLogEvents", group)}


EVENT_BUS = "arn:${AWS::Partition}:events:${AWS::Region}:${AWS::AccountId}:event-bus/${EventBusName}"
FINDING_BY_NUMBER = {
    ("dynamodb:BatchGetItem", "Table"),
    ("secretsmanager:GetSecretValue", "PepperSecret"),
}
"""Only where the deployment speaks to Twilio's clients, who name a verification by its number."""

# (action, resource of the template) by function. A transaction is allowed by the actions that it is made of.
ALLOWED: dict[str, set[tuple[str, str]]] = {
    "RequestOtpFunction": {
        *on_table("BatchGetItem", "PutItem", "UpdateItem", "DeleteItem"),
        *SECRETS,
        RECORDING_OF_USERS,
        *own_log("RequestOtpLogGroup"),
        SMS_BY_AWS,
        *XRAY,
    },
    "VerifyOtpFunction": {
        *on_table("BatchGetItem", "PutItem", "UpdateItem", "DeleteItem"),
        *SECRETS,
        SIGNING_OF_TOKENS,
        RECORDING_OF_USERS,
        FEEDBACK_TO_AWS,
        *own_log("VerifyOtpLogGroup"),
        *XRAY,
    },
    "ResendOtpFunction": {
        *on_table("BatchGetItem", "PutItem", "UpdateItem", "DeleteItem"),
        *SECRETS,
        *own_log("ResendOtpLogGroup"),
        SMS_BY_AWS,
        *XRAY,
    },
    "CancelOtpFunction": {
        *on_table("UpdateItem"),
        *FINDING_BY_NUMBER,
        *own_log("CancelOtpLogGroup"),
        *XRAY,
    },
    "OtpStatusFunction": {
        *on_table("BatchGetItem"),
        *FINDING_BY_NUMBER,
        *own_log("OtpStatusLogGroup"),
        *XRAY,
    },
    "PublishEventsFunction": {
        ("events:PutEvents", EVENT_BUS),
        *own_log("PublishEventsLogGroup"),
        *XRAY,
    },
    "TwilioAuthorizerFunction": {*own_log("TwilioAuthorizerLogGroup"), *XRAY},
    "WebhooksFunction": {
        *on_table("BatchGetItem", "UpdateItem"),
        ("secretsmanager:GetSecretValue", "ProviderSecret"),
        ("secretsmanager:GetSecretValue", "PepperSecret"),
        *own_log("WebhooksLogGroup"),
        *XRAY,
    },
    "AwsEventsFunction": {*on_table("BatchGetItem", "UpdateItem"), *own_log("AwsEventsLogGroup"), *XRAY},
    "ProvisionInfobipFunction": {
        ("secretsmanager:GetSecretValue", "ProviderSecret"),
        *own_log("ProvisionInfobipLogGroup"),
        *XRAY,
    },
    "CheckSettingsFunction": {*own_log("CheckSettingsLogGroup"), *XRAY},
    "AdminFunction": {
        *on_table("BatchGetItem", "PutItem", "UpdateItem", "DeleteItem"),
        ("dynamodb:Query", "UsersTable"),
        ("dynamodb:DeleteItem", "UsersTable"),
        ("secretsmanager:GetSecretValue", "PepperSecret"),
        *own_log("AdminLogGroup"),
        *XRAY,
    },
    "JwksFunction": {PUBLIC_KEYS_OF_TOKENS, *own_log("JwksLogGroup"), *XRAY},
    "DeepHealthFunction": {
        *on_table("BatchGetItem"),
        *SECRETS,
        PUBLIC_KEYS_OF_TOKENS,
        ACCOUNT_OF_AWS,
        *own_log("DeepHealthLogGroup"),
        *XRAY,
    },
    "HealthFunction": {*own_log("HealthLogGroup"), *XRAY},
}
WITHOUT_RESOURCES = {action for action, _ in (*XRAY, ACCOUNT_OF_AWS)}
"""Actions of services that have no resources to name."""


def of_type(kind: str) -> dict[str, dict[str, Any]]:
    """The properties of every resource of one type, by name."""
    return {
        name: declared["Properties"]
        for name, declared in template()["Resources"].items()
        if declared["Type"] == kind
    }


FUNCTIONS = of_type("AWS::Serverless::Function")


def role_of(function: str) -> str:
    role, attribute = FUNCTIONS[function]["Role"]["Fn::GetAtt"]
    assert attribute == "Arn"
    return str(role)


def statements(role: str) -> list[dict[str, Any]]:
    """The statements of a role, with those that a parameter adds."""
    return [
        statement["Fn::If"][1] if "Fn::If" in statement else statement
        for policy in of_type("AWS::IAM::Role")[role]["Policies"]
        for statement in policy["PolicyDocument"]["Statement"]
    ]


def listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def named(resource: Any) -> str:
    """The name of a resource that is this template's own; any other as it is written."""
    if isinstance(resource, dict) and resource.keys() == {"Fn::GetAtt"}:
        name, attribute = resource["Fn::GetAtt"]
        if attribute in ("Arn", "Id"):
            return str(name)
    if isinstance(resource, dict) and resource.keys() == {"Fn::If"}:
        # A parameter may name others of the same kind.
        return named(resource["Fn::If"][1])
    if isinstance(resource, dict) and resource.keys() == {"Fn::Sub"}:
        return str(resource["Fn::Sub"])
    if isinstance(resource, dict) and resource.keys() == {"Ref"}:
        return str(resource["Ref"])
    return str(resource)


def allowed(role: str) -> set[tuple[str, str]]:
    return {
        (action, named(resource))
        for statement in statements(role)
        for action in listed(statement["Action"])
        for resource in listed(statement["Resource"])
    }


def test_the_table_has_every_function() -> None:
    assert FUNCTIONS.keys() == ALLOWED.keys()


@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_function_has_exactly_the_actions_of_the_table(function: str) -> None:
    assert allowed(role_of(function)) == ALLOWED[function]


@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_function_has_its_own_role_and_no_other_policy(function: str) -> None:
    assert [other for other in FUNCTIONS if role_of(other) == role_of(function)] == [function]
    assert "Policies" not in FUNCTIONS[function]
    role = of_type("AWS::IAM::Role")[role_of(function)]
    # No managed policy: AWS could add actions to it.
    assert role.keys() == {"AssumeRolePolicyDocument", "Policies"}


@pytest.mark.parametrize("function", FUNCTIONS)
def test_only_lambda_may_take_a_functions_role(function: str) -> None:
    trust = of_type("AWS::IAM::Role")[role_of(function)]["AssumeRolePolicyDocument"]
    assert trust["Statement"] == [
        {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
    ]


@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_statement_names_its_actions_and_resources(function: str) -> None:
    """No NotAction, NotResource or wildcard: the table could not show what they allow."""
    for statement in statements(role_of(function)):
        assert statement.keys() == {"Effect", "Action", "Resource"}
        assert statement["Effect"] == "Allow"
        for action in listed(statement["Action"]):
            assert "*" not in action
            for resource in listed(statement["Resource"]):
                known = template()["Resources"].keys() | {"AwsSmsIdentityArn", FEEDBACK_TO_AWS[1], EVENT_BUS}
                assert action in WITHOUT_RESOURCES or named(resource) in known


def test_no_role_or_policy_is_left_over() -> None:
    roles = of_type("AWS::IAM::Role").keys()
    assert roles == {role_of(function) for function in FUNCTIONS} | {"ApiGatewayRole"}
    kinds = {declared["Type"] for declared in template()["Resources"].values()}
    assert {kind for kind in kinds if kind.startswith("AWS::IAM::")} == {"AWS::IAM::Role"}


def test_no_function_scans_a_table_and_only_admin_queries_users() -> None:
    queried = {
        (name, on)
        for name in FUNCTIONS
        for action, on in allowed(role_of(name))
        if action == "dynamodb:Query"
    }
    assert queried == {("AdminFunction", "UsersTable")}
    actions = {action for function in FUNCTIONS for action, _ in allowed(role_of(function))}
    assert not actions & {"dynamodb:Scan", "dynamodb:PartiQLSelect"}
