"""`docs/deployer-policy.json` allows the actions that the template's resources need, and no more."""

import json
from typing import Any

import pytest

from local.template import ROOT
from tests.unit.test_template import translated

POLICY: dict[str, Any] = json.loads((ROOT / "docs/deployer-policy.json").read_text())


def actions(service: str, *names: str) -> set[str]:
    return {f"{service}:{name}" for name in names}


TAGS = ("TagResource", "UntagResource")

# The actions that CloudFormation calls to create, read, update and delete a resource of each type: the
# permissions that its registry lists for the type.
NEEDED: dict[str, set[str]] = {
    "AWS::ApiGateway::Account": actions("apigateway", "GET", "PATCH") | {"iam:PassRole"},
    "AWS::ApiGateway::ApiKey": actions("apigateway", "GET", "POST", "PATCH", "DELETE"),
    "AWS::ApiGateway::Deployment": actions("apigateway", "GET", "POST", "PATCH", "DELETE"),
    "AWS::ApiGateway::RestApi": actions("apigateway", "GET", "POST", "PUT", "PATCH", "DELETE"),
    "AWS::ApiGateway::Stage": actions("apigateway", "GET", "POST", "PUT", "PATCH", "DELETE"),
    "AWS::ApiGateway::UsagePlan": actions("apigateway", "GET", "POST", "PATCH", "DELETE"),
    "AWS::ApiGateway::UsagePlanKey": actions("apigateway", "GET", "POST", "DELETE"),
    "AWS::CloudWatch::Alarm": actions(
        "cloudwatch", "PutMetricAlarm", "DescribeAlarms", "DeleteAlarms", "ListTagsForResource", *TAGS
    ),
    "AWS::CloudWatch::Dashboard": actions("cloudwatch", "PutDashboard", "GetDashboard", "DeleteDashboards"),
    "AWS::DynamoDB::Table": actions(
        "dynamodb",
        *("CreateTable", "DeleteTable", "DescribeTable", "UpdateTable"),
        *("DescribeTimeToLive", "UpdateTimeToLive", "DescribeContinuousBackups", "UpdateContinuousBackups"),
        *("DescribeContributorInsights", "DescribeKinesisStreamingDestination", "GetResourcePolicy"),
        *("ListTagsOfResource", *TAGS),
    ),
    "AWS::IAM::Role": actions(
        "iam",
        *("CreateRole", "DeleteRole", "GetRole", "UpdateRole", "UpdateAssumeRolePolicy"),
        *("PutRolePolicy", "GetRolePolicy", "DeleteRolePolicy", "ListRolePolicies"),
        *("AttachRolePolicy", "DetachRolePolicy", "ListAttachedRolePolicies", "TagRole", "UntagRole"),
    ),
    "AWS::KMS::Key": actions(
        "kms",
        *("CreateKey", "DescribeKey", "GetKeyPolicy", "PutKeyPolicy", "GetKeyRotationStatus"),
        *("ScheduleKeyDeletion", "UpdateKeyDescription", "ListResourceTags", *TAGS),
    ),
    "AWS::Lambda::Alias": actions("lambda", "CreateAlias", "GetAlias", "UpdateAlias", "DeleteAlias")
    | {"lambda:GetProvisionedConcurrencyConfig"},
    "AWS::Lambda::Function": actions(
        "lambda",
        *("CreateFunction", "GetFunction", "UpdateFunctionCode", "UpdateFunctionConfiguration"),
        *(
            "DeleteFunction",
            "GetFunctionConfiguration",
            "PutFunctionConcurrency",
            "DeleteFunctionConcurrency",
        ),
        *("GetFunctionCodeSigningConfig", "GetFunctionRecursionConfig", "GetRuntimeManagementConfig"),
        *("ListTags", *TAGS),
    )
    | {"iam:PassRole", "s3:GetObject"},
    "AWS::Lambda::LayerVersion": actions(
        "lambda", "PublishLayerVersion", "GetLayerVersion", "DeleteLayerVersion"
    ),
    "AWS::Lambda::Permission": actions("lambda", "AddPermission", "RemovePermission", "GetPolicy"),
    "AWS::Lambda::Version": actions("lambda", "PublishVersion", "ListVersionsByFunction", "DeleteFunction"),
    "AWS::Logs::LogGroup": actions(
        "logs",
        *("CreateLogGroup", "DeleteLogGroup", "DescribeLogGroups", "PutRetentionPolicy"),
        *("DeleteRetentionPolicy", "ListTagsForResource", *TAGS),
    ),
    "AWS::Logs::QueryDefinition": actions(
        "logs", "PutQueryDefinition", "DeleteQueryDefinition", "DescribeQueryDefinitions"
    ),
    "AWS::Logs::SubscriptionFilter": actions(
        "logs", "PutSubscriptionFilter", "DeleteSubscriptionFilter", "DescribeSubscriptionFilters"
    ),
    "AWS::SecretsManager::Secret": actions(
        "secretsmanager",
        "CreateSecret",
        "DescribeSecret",
        "UpdateSecret",
        "DeleteSecret",
        "GetRandomPassword",
        *TAGS,
    ),
    "AWS::SNS::Subscription": actions(
        "sns", "Subscribe", "Unsubscribe", "GetSubscriptionAttributes", "ListSubscriptionsByTopic"
    ),
    "AWS::SNS::Topic": actions(
        "sns",
        *(
            "CreateTopic",
            "DeleteTopic",
            "GetTopicAttributes",
            "SetTopicAttributes",
            "Subscribe",
            "Unsubscribe",
        ),
        *("ListSubscriptionsByTopic", "GetDataProtectionPolicy", "ListTagsForResource", *TAGS),
    ),
    "AWS::SNS::TopicPolicy": actions("sns", "SetTopicAttributes"),
    "Custom::DeployedSettings": {"lambda:InvokeFunction"},
    "Custom::InfobipSetup": {"lambda:InvokeFunction"},
}
OF_SAM = ("Stack", "Artifacts")
"""The statements that SAM CLI itself needs: change sets, and the bucket that it uploads to."""


def allowed(*without: str) -> set[str]:
    return {
        action
        for statement in POLICY["Statement"]
        if statement["Sid"] not in without
        for action in (
            statement["Action"] if isinstance(statement["Action"], list) else [statement["Action"]]
        )
    }


@pytest.mark.parametrize("kind", sorted({made["Type"] for made in translated().values()}))
def test_a_deployer_may_do_everything_that_each_resource_needs(kind: str) -> None:
    assert NEEDED[kind] - allowed() == set()


def test_a_deployer_may_do_nothing_that_no_resource_needs() -> None:
    kinds = {made["Type"] for made in translated().values()}
    needed = set[str]().union(*(needed for kind, needed in NEEDED.items() if kind in kinds))
    assert allowed(*OF_SAM) - needed == set()


def test_a_deployer_passes_only_stack_roles_and_only_to_services_that_assume_them() -> None:
    (statement,) = [each for each in POLICY["Statement"] if each["Action"] == "iam:PassRole"]
    assert statement["Resource"] == "arn:aws:iam::*:role/sms-otp*"
    services = statement["Condition"]["StringEquals"]["iam:PassedToService"]
    trusted = {
        each["Principal"]["Service"]
        for made in translated().values()
        if made["Type"] == "AWS::IAM::Role"
        for each in made["Properties"]["AssumeRolePolicyDocument"]["Statement"]
    }
    assert set(services) == trusted


def test_no_action_is_a_pattern() -> None:
    assert not [action for action in allowed() if "*" in action]


def test_the_policy_fits_into_a_managed_policy() -> None:
    assert len(json.dumps(POLICY, separators=(",", ":"))) <= 6144
