"""The template as written, and as SAM translates it."""

import copy
import itertools
import json
import re
from collections.abc import Iterator
from dataclasses import fields
from functools import cache
from typing import Any

import pytest
import yaml
from samtranslator.translator.transform import transform

from local.template import ROOT, environment, resource, template
from sms_otp.adapters.config import Settings
from sms_otp.domain.errors import ServiceMisconfigured
from sms_otp.domain.service_day import KEPT_FOR_KNOWN

PARAMETERS = template()["Parameters"]
RESOURCES = template()["Resources"]

PROBLEM = {"type", "title", "status", "detail", "instance", "success", "errorCode"}
MUST_WAIT = ("429", "503", "504")
HEADER = "gatewayresponse.header."

# Fields of a request that may be logged. Not `path`, which a caller can write a number into; not
# `identity.sourceIp`, `userAgent` or `user`, which are a person's; not `identity.apiKey`, which is a secret.
LOGGED = {
    "requestId",
    "requestTimeEpoch",
    "identity.apiKeyId",
    "httpMethod",
    "resourcePath",
    "status",
    "error.responseType",
    "wafResponseCode",
    "integration.integrationStatus",
    "integration.latency",
    "integration.status",
    "responseLatency",
    "responseLength",
    "tlsVersion",
    "cipherSuite",
    "xrayTraceId",
}


ADMIN = (
    *("/admin/number-status", "/admin/unlock-number", "/admin/erase-number"),
    *("/admin/stop-sending", "/admin/resume-sending"),
)
"""Paths whose callers are IAM principals: each signs its request, and needs no key."""
SIGNED = ("/webhooks/sinch", "/webhooks/infobip")
"""Paths whose callers are known by a signature over the body's bytes: no key, and no model either."""
CAMARA = ("/one-time-password-sms/v1/send-code", "/one-time-password-sms/v1/validate-code")
"""Paths whose refusals are of another shape than API Gateway's, so that the functions alone check bodies."""


FOR_CLOUDFORMATION = ("CheckSettingsFunction", "ProvisionInfobipFunction")
"""Functions of custom resources, which are called as they are and not by a version."""


class NoManagedPolicies:
    """SAM loads managed policies from AWS; the functions have none."""

    def load(self) -> dict[str, str]:
        return {}


@cache
def translated() -> dict[str, Any]:
    """The resources that CloudFormation gets, by name."""
    return translate(template())


def translate(source: dict[str, Any]) -> dict[str, Any]:
    source = copy.deepcopy(source)
    for declared in source["Resources"].values():
        for code in declared["Properties"].keys() & {"CodeUri", "ContentUri"}:
            # As `sam deploy` uploads them.
            if not declared["Properties"][code].startswith("s3:"):
                declared["Properties"][code] = "s3://a-bucket/a-key"
    values = {name: str(known.get("Default", "*")) for name, known in PARAMETERS.items()}
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
        resources: dict[str, Any] = transform(source, values, NoManagedPolicies())["Resources"]
    return resources


def of_type(kind: str) -> dict[str, Any]:
    """The properties of every translated resource of one type, by name."""
    return {name: made["Properties"] for name, made in translated().items() if made["Type"] == kind}


def always(kind: str) -> dict[str, Any]:
    """The properties of every resource of one type that has no condition, by name."""
    return {name: made for name, made in of_type(kind).items() if "Condition" not in translated()[name]}


def only(kind: str) -> dict[str, Any]:
    (properties,) = always(kind).values()
    return dict(properties)


def open_api() -> dict[str, Any]:
    return dict(only("AWS::ApiGateway::RestApi")["Body"])


def gateway_responses() -> dict[str, Any]:
    return dict(open_api()["x-amazon-apigateway-gateway-responses"])


def operations() -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, methods in open_api()["paths"].items():
        for method, operation in methods.items():
            yield path, method, operation


def gateway_response_names() -> list[str]:
    return list(resource("Api")["GatewayResponses"])


def lines_above(name: str) -> list[str]:
    """The lines above a resource, from the start of the resources."""
    lines = (ROOT / "template.yaml").read_text().splitlines()
    start = lines.index("Resources:")
    (own,) = (at for at, line in enumerate(lines) if at > start and line.startswith(f"  {name}:"))
    return lines[start:own]


def uncommented() -> Iterator[tuple[str, str]]:
    """(name, the resource before it) of each resource without a comment of its own."""
    names = list(RESOURCES)
    for before, name in itertools.pairwise(names):
        if not re.match("  # ", lines_above(name)[-1]):
            yield name, before


def test_every_resource_has_a_comment_or_follows_one_of_its_type() -> None:
    assert re.match("  # ", lines_above(next(iter(RESOURCES)))[-1])
    for name, before in uncommented():
        assert RESOURCES[name]["Type"] == RESOURCES[before]["Type"], name


def test_the_template_has_at_most_2500_lines() -> None:
    assert len((ROOT / "template.yaml").read_text().splitlines()) <= 2500


@pytest.mark.parametrize("name", PARAMETERS)
def test_every_parameter_is_described_and_bounded(name: str) -> None:
    known = PARAMETERS[name]
    assert known["Description"].endswith((".", ")"))
    if "AllowedValues" in known:
        return
    if known["Type"] == "Number":
        assert known["MinValue"] <= known["MaxValue"]
    else:
        assert re.fullmatch(r"\^.*\$", known["AllowedPattern"])
        assert known["ConstraintDescription"]


@pytest.mark.parametrize("name", [name for name in PARAMETERS if "Default" in PARAMETERS[name]])
def test_every_default_is_a_value_that_the_parameter_allows(name: str) -> None:
    known = PARAMETERS[name]
    default = known["Default"]
    if "AllowedValues" in known:
        assert default in known["AllowedValues"]
    elif known["Type"] == "Number":
        assert known["MinValue"] <= default <= known["MaxValue"]
    else:
        assert re.fullmatch(known["AllowedPattern"], default)


@pytest.mark.parametrize(
    ("name", "value", "is_allowed"),
    [
        ("TestNumbersEnd", "2027-12-31", True),
        ("TestNumbersEnd", "2027-06-31", False),
        ("TestNumbersEnd", "2027-02-29", False),
        ("TestNumbersEnd", "2028-02-29", True),
        ("InfobipSenderIds", "GB=An Acme,US=14155550100", True),
        ("InfobipSenderIds", "GB= ", False),
    ],
)
def test_a_parameter_allows_only_values_that_the_functions_can_read(
    name: str, value: str, is_allowed: bool
) -> None:
    """Else a deployment would succeed and every answer after it would be a 500."""
    assert bool(re.fullmatch(PARAMETERS[name]["AllowedPattern"], value)) is is_allowed
    try:
        Settings.from_environment(environment(**{name: value}))
    except ServiceMisconfigured:
        assert not is_allowed
    else:
        assert is_allowed


def test_every_parameter_is_used_and_shown_in_a_group() -> None:
    groups = template()["Metadata"]["AWS::CloudFormation::Interface"]["ParameterGroups"]
    shown = [name for group in groups for name in group["Parameters"]]
    assert sorted(shown) == sorted(PARAMETERS)
    source = json.dumps({part: content for part, content in template().items() if part != "Metadata"})
    assert [name for name in PARAMETERS if f'{{"Ref": "{name}"}}' not in source] == []


@pytest.mark.parametrize(
    ("name", "bound", "nist"),
    [
        ("CodeLength", "MinValue", 6),  # SP 800-63B-4 3.1.3.2
        ("CodeLifeSeconds", "MaxValue", 600),  # SP 800-63B-4 3.1.3.2
    ],
)
def test_no_parameter_can_exceed_the_bounds_of_nist(name: str, bound: str, nist: int) -> None:
    assert PARAMETERS[name][bound] == nist


def test_the_functions_environment_has_every_setting_and_no_other() -> None:
    expected = {field.name.upper() for field in fields(Settings)}
    functions = of_type("AWS::Lambda::Function")
    assert functions
    for name, function in functions.items():
        given = {
            variable
            for variable in function["Environment"]["Variables"]
            if not variable.startswith("POWERTOOLS_")
        }
        assert given == expected, name


@pytest.mark.parametrize("kind", ["AWS::DynamoDB::Table", "AWS::SecretsManager::Secret"])
def test_tables_and_secrets_outlive_the_stack(kind: str) -> None:
    kept = [made for made in translated().values() if made["Type"] == kind]
    assert kept
    for made in kept:
        assert (made["DeletionPolicy"], made["UpdateReplacePolicy"]) == ("RetainExceptOnCreate", "Retain")


def test_only_one_function_signs_tokens_with_a_key_in_kms() -> None:
    made = template()["Resources"]["TokenKey"]
    assert (made["DeletionPolicy"], made["UpdateReplacePolicy"]) == ("RetainExceptOnCreate", "Retain")
    key = made["Properties"]
    assert (key["KeySpec"], key["KeyUsage"]) == ("ECC_NIST_EDWARDS25519", "SIGN_VERIFY")
    administer, sign = key["KeyPolicy"]["Statement"]
    assert "kms:Sign" not in administer["Action"]
    assert sign["Action"] == "kms:Sign"
    (signers,) = sign["Condition"]["ArnLike"].values()
    for signer in signers:
        assert signer["Fn::Sub"].endswith("role/${AWS::StackName}-VerifyOtpRole-*")


def test_the_table_expires_items_by_ttl_and_can_be_restored() -> None:
    table = of_type("AWS::DynamoDB::Table")["Table"]
    assert table["TimeToLiveSpecification"] == {"AttributeName": "ttl", "Enabled": True}
    assert table["PointInTimeRecoverySpecification"] == {"PointInTimeRecoveryEnabled": True}
    assert table["SSESpecification"] == {"SSEEnabled": True, "SSEType": "KMS"}
    assert table["BillingMode"] == "PAY_PER_REQUEST"
    assert template()["Conditions"]["IsProduction"] == {"Fn::Equals": [{"Ref": "Stage"}, "prod"]}
    assert table["DeletionProtectionEnabled"] == {"Fn::If": ["IsProduction", True, False]}


def test_users_have_their_own_protected_table_only_if_enabled() -> None:
    users = template()["Resources"]["UsersTable"]
    assert users["Condition"] == "KeepsUsers"
    assert PARAMETERS["KeepUsers"]["Default"] == "false"
    table, properties = resource("Table"), users["Properties"]
    shared = (
        "BillingMode",
        "TimeToLiveSpecification",
        "PointInTimeRecoverySpecification",
        "SSESpecification",
    )
    assert {word: properties[word] for word in shared} == {word: table[word] for word in shared}
    assert properties["DeletionProtectionEnabled"] is True


def test_admin_paths_and_no_others_are_authorized_by_iam() -> None:
    signed = {path for path, _, operation in operations() if operation.get("security") == [{"AWS_IAM": []}]}
    assert signed == set(ADMIN)
    declared = open_api()["components"]["securitySchemes"]["AWS_IAM"]
    assert declared["x-amazon-apigateway-authtype"] == "awsSigv4"


def test_each_path_that_sends_has_its_own_throttle() -> None:
    settings = only("AWS::ApiGateway::Stage")["MethodSettings"]
    limits = {
        (each["HttpMethod"], each["ResourcePath"]): (
            each["ThrottlingRateLimit"],
            each["ThrottlingBurstLimit"],
        )
        for each in settings
    }
    # CloudFormation expects every slash but the first as ~1.
    for path in ("/~1request-otp", "/~1one-time-password-sms~1v1~1send-code"):
        assert limits["POST", path] == ({"Ref": "RequestOtpRateLimit"}, {"Ref": "RequestOtpRateLimit"})
    assert limits["*", "/*"] == ({"Ref": "StageRateLimit"}, {"Ref": "StageRateLimit"})


def test_each_throttle_is_of_an_existing_path() -> None:
    known = {(method.upper(), path.replace("/", "~1")) for path, method, _ in operations()}
    for each in only("AWS::ApiGateway::Stage")["MethodSettings"]:
        if each["ResourcePath"] != "/*":
            assert (each["HttpMethod"], each["ResourcePath"].removeprefix("/")) in known


def test_no_method_logs_bodies_or_caches_answers() -> None:
    stage = only("AWS::ApiGateway::Stage")
    assert not stage.keys() & {"CacheClusterEnabled", "CacheClusterSize"}
    for each in stage["MethodSettings"]:
        assert each["DataTraceEnabled"] is False
        assert each["LoggingLevel"] == "OFF"
        assert "CachingEnabled" not in each


def test_the_access_log_has_no_personal_data_and_no_secret() -> None:
    lines = only("AWS::ApiGateway::Stage")["AccessLogSetting"]["Format"]
    logged = json.loads(lines)
    assert all(value.startswith("$context.") for value in logged.values())
    assert {value.removeprefix("$context.") for value in logged.values()} <= LOGGED
    assert "\n" not in lines


def test_every_path_but_public_signed_and_admin_ones_requires_an_api_key() -> None:
    without = {path for path, _, operation in operations() if operation.get("security") != [{"api_key": []}]}
    assert without == {"/health", "/.well-known/jwks.json", *ADMIN, *SIGNED}


def test_every_body_is_checked_before_a_function_starts() -> None:
    validators = open_api()["x-amazon-apigateway-request-validators"]
    for path, method, operation in operations():
        if method == "post" and path not in (*SIGNED, *CAMARA):
            assert operation["requestBody"]["required"] is True, path
            assert (
                validators[operation["x-amazon-apigateway-request-validator"]]["validateRequestBody"] is True
            )


def test_a_function_can_be_called_only_by_its_own_method() -> None:
    declared = of_type("AWS::Lambda::Permission").items()
    others = ("Twilio", "PublishEvents", "AwsEventsSubscription")
    permissions = {name: each for name, each in declared if not name.startswith(others)}
    by_api = [each for each in permissions.values() if each["Principal"] == "apigateway.amazonaws.com"]
    assert len(by_api) == len(list(operations()))
    (by_topic,) = [each for each in permissions.values() if each not in by_api]
    assert (by_topic["Principal"], by_topic["SourceArn"]) == ("sns.amazonaws.com", {"Ref": "AwsEventsTopic"})
    for permission in by_api:
        source, variables = permission["SourceArn"]["Fn::Sub"]
        assert variables["__ApiId__"] == {"Ref": "Api"}
        method, _, path = source.rpartition("${__Stage__}/")[2].partition("/")
        assert (f"/{path}", method.lower()) in {(path, method) for path, method, _ in operations()}


def test_a_stack_without_an_event_bus_has_no_resources_for_it() -> None:
    assert PARAMETERS["EventBusName"]["Default"] == ""
    for name, made in translated().items():
        is_for_events = name.startswith(("PublishEvents", "AwsEventsSubscription"))
        assert is_for_events is (made.get("Condition", "").startswith("Publishes")), name


def test_events_come_from_the_log_of_every_function_of_a_verification() -> None:
    filters = of_type("AWS::Logs::SubscriptionFilter").values()
    groups = {each["LogGroupName"]["Ref"].removesuffix("LogGroup") for each in filters}
    assert groups == {"RequestOtp", "ResendOtp", "VerifyOtp", "Webhooks", "AwsEvents"}
    assert {each["FilterPattern"] for each in filters} == {"verification"}


OF_TWILIO = {
    ("POST", "/v2/Services/{ServiceSid}/Verifications"): "RequestOtpFunction",
    ("POST", "/v2/Services/{ServiceSid}/VerificationCheck"): "VerifyOtpFunction",
    ("GET", "/v2/Services/{ServiceSid}/Verifications/{Sid}"): "OtpStatusFunction",
    ("POST", "/v2/Services/{ServiceSid}/Verifications/{Sid}"): "CancelOtpFunction",
}


def twilio_stage() -> dict[str, Any]:
    return dict(of_type("AWS::ApiGateway::Stage")["TwilioVerifyApiv1Stage"])


def test_a_stack_without_the_twilio_api_has_no_resources_for_it() -> None:
    assert PARAMETERS["TwilioApi"]["Default"] == "false"
    for name, made in translated().items():
        assert ("Twilio" in name) is (made.get("Condition") == "SpeaksTwilio"), name
    source = json.dumps(template()["Resources"]["UsagePlan"])
    assert '{"Fn::If": ["SpeaksTwilio", ' in source


def test_twilios_paths_call_the_functions_of_our_api() -> None:
    body = of_type("AWS::ApiGateway::RestApi")["TwilioVerifyApi"]["Body"]
    called = {}
    for path, methods in body["paths"].items():
        for method, operation in methods.items():
            _, variables = operation["x-amazon-apigateway-integration"]["uri"]["Fn::Sub"]
            called[method.upper(), path] = variables["Alias"]["Ref"].removesuffix("Aliaslive")
            assert operation["security"] == [{"basic": [], "key": []}]
    assert called == OF_TWILIO
    allowed = {
        (each["FunctionName"]["Ref"], each["SourceArn"]["Fn::Sub"].partition("${TwilioVerifyApi}/")[2])
        for name, each in of_type("AWS::Lambda::Permission").items()
        if name.startswith("Twilio")
    }
    assert allowed == {("TwilioAuthorizerFunctionAliaslive", "authorizers/*")} | {
        (f"{function}Aliaslive", f"v1/{method}{re.sub('{[A-Za-z]+}', '*', path)}")
        for (method, path), function in OF_TWILIO.items()
    }


def test_an_authorizer_turns_twilios_credentials_into_the_api_key() -> None:
    body = of_type("AWS::ApiGateway::RestApi")["TwilioVerifyApi"]["Body"]
    assert body["x-amazon-apigateway-api-key-source"] == "AUTHORIZER"
    basic = body["components"]["securitySchemes"]["basic"]
    assert (basic["name"], basic["in"], basic["x-amazon-apigateway-authtype"]) == (
        "Authorization",
        "header",
        "custom",
    )
    assert basic["x-amazon-apigateway-authorizer"]["type"] == "token"


def test_no_log_or_trace_has_a_twilio_path_which_can_hold_a_number() -> None:
    stage = twilio_stage()
    assert stage["TracingEnabled"] is False
    for each in stage["MethodSettings"]:
        assert (each["DataTraceEnabled"], each["LoggingLevel"]) == (False, "OFF")
        assert "CachingEnabled" not in each
    logged = json.loads(stage["AccessLogSetting"]["Format"])
    assert {value.removeprefix("$context.") for value in logged.values()} <= LOGGED


def test_twilios_start_has_the_throttle_of_request_otp() -> None:
    limits = {
        (each["HttpMethod"], each["ResourcePath"].replace("~1", "/")): each["ThrottlingRateLimit"]["Ref"]
        for each in twilio_stage()["MethodSettings"]
    }
    assert limits == {
        ("*", "/*"): "StageRateLimit",
        ("POST", "//v2/Services/{ServiceSid}/Verifications"): "RequestOtpRateLimit",
    }


def test_api_gateway_refuses_twilios_calls_with_twilios_errors() -> None:
    worded = resource("TwilioVerifyApi")["GatewayResponses"]
    codes = {}
    for name, each in worded.items():
        body = json.loads(each["ResponseTemplates"]["application/json"])
        assert body.keys() == {"code", "message", "more_info", "status"}
        assert body["status"] == each["StatusCode"]
        assert body["more_info"].endswith(f"/{body['code']}")
        headers = each["ResponseParameters"]["Headers"]
        assert headers["Cache-Control"] == "'no-store'"
        assert ("Retry-After" in headers) is (body["status"] == 429)
        codes[name] = body["code"]
    assert codes["UNAUTHORIZED"] == codes["INVALID_API_KEY"] == 20003
    assert codes["THROTTLED"] == codes["QUOTA_EXCEEDED"] == 20429


def versions(source: dict[str, Any]) -> set[str]:
    made = translate(source).items()
    return {name for name, resource in made if resource["Type"] == "AWS::Lambda::Version"}


def test_the_api_calls_every_function_by_the_alias_of_its_newest_version() -> None:
    aliases = of_type("AWS::Lambda::Alias")
    assert {alias["FunctionName"]["Ref"] for alias in aliases.values()} == set(
        of_type("AWS::Lambda::Function")
    )
    assert {alias["Name"] for alias in aliases.values()} == {"live"}
    for alias in aliases.values():
        version, attribute = alias["FunctionVersion"]["Fn::GetAtt"]
        assert (translated()[version]["Type"], attribute) == ("AWS::Lambda::Version", "Version")


@pytest.mark.parametrize("layer", ["CoreLayer", "DependenciesLayer"])
def test_another_layer_publishes_a_version_of_every_function(layer: str) -> None:
    changed = copy.deepcopy(template())
    changed["Resources"][layer]["Properties"]["ContentUri"] = "s3://a-bucket/another-key"
    unchanged = versions(template())
    # CloudFormation calls its functions directly, not by a version.
    for_deployment = {name for name in unchanged if name.startswith(FOR_CLOUDFORMATION)}
    assert versions(changed) & unchanged <= for_deployment


def test_another_setting_publishes_a_version_of_every_function() -> None:
    """CloudFormation replaces a version whose description changes, and each holds the settings' digest."""
    for name, function in RESOURCES.items():
        if function["Type"] != "AWS::Serverless::Function" or name.startswith(FOR_CLOUDFORMATION):
            continue
        described = function["Properties"]["VersionDescription"]
        assert described == {"Fn::GetAtt": ["DeployedSettings", "Digest"]} or (
            "${DeployedSettings.Digest}" in described["Fn::Sub"]
        ), name


def test_the_digest_covers_the_functions_whole_configuration() -> None:
    properties = resource("DeployedSettings")
    function = template()["Globals"]["Function"]
    assert properties["Environment"] == function["Environment"]["Variables"]
    of_functions = json.dumps({name: value for name, value in function.items() if name != "Environment"})
    for parameter in re.findall(r'{"Ref": "(\w+)"}', of_functions):
        assert properties.get(parameter) == {"Ref": parameter} or parameter in RESOURCES, parameter


def test_a_version_says_whether_it_starts_from_a_snapshot_only_where_it_can() -> None:
    """Another description publishes a version, which Lambda refuses where nothing else changed."""
    for name, function in RESOURCES.items():
        if function["Type"] == "AWS::Serverless::Function":
            properties = function["Properties"]
            described = json.dumps(properties.get("VersionDescription", ""))
            assert ("SnapStart=${SnapStart}" in described) is ("SnapStart" in properties), name


def conditional() -> set[str]:
    return {name for name, made in translated().items() if "Condition" in made}


def test_no_resource_depends_on_a_conditional_one() -> None:
    """CloudFormation refuses the whole template, even if neither resource is created."""
    for name, made in translated().items():
        depends = made.get("DependsOn", [])
        for on in [depends] if isinstance(depends, str) else depends:
            assert on not in conditional() or made.get("Condition") == translated()[on]["Condition"], name


def test_access_logs_are_set_up_after_the_role_that_writes_them() -> None:
    assert RESOURCES["Api"]["Metadata"]["After"] == {
        "Fn::If": ["CreatesApiGatewayLogRole", {"Ref": "ApiGatewayAccount"}, "existing"]
    }


def test_there_are_few_parameters_and_six_come_first() -> None:
    other_apis = {"TwilioApi", "EventBusName"}
    assert len(PARAMETERS.keys() - other_apis) <= 45
    first = [
        "AllowedCountries",
        "ProviderOrder",
        "DailySpendCap",
        "TrustClientIp",
        "AlarmEmail",
        "ProvisionInfobip",
    ]
    assert list(PARAMETERS)[:6] == first
    groups = template()["Metadata"]["AWS::CloudFormation::Interface"]["ParameterGroups"]
    assert groups[0]["Parameters"] == first
    assert [name for name in PARAMETERS if "Default" not in PARAMETERS[name]] == ["AllowedCountries"]


def test_the_generation_of_the_pepper_is_stable() -> None:
    """If it changes, CloudFormation makes a new pepper and every number's history is lost."""
    assert resource("PepperSecret")["GenerateSecretString"] == {
        "SecretStringTemplate": "{}",
        "GenerateStringKey": "pepper",
        "PasswordLength": 64,
        "ExcludePunctuation": True,
    }


def test_parameters_of_an_emergency_trigger_no_call_to_a_provider() -> None:
    """A provider that is down would fail the deployment, and its rollback too."""
    given = json.dumps(resource("InfobipSetup"))
    for parameter in ("DailySpendCap", "SendsPerDay", "AllowedCountries", "ProviderOrder", "PumpingGuard"):
        assert parameter not in given


def test_only_sending_functions_reserve_concurrency() -> None:
    reserving = [
        name for name in RESOURCES if "ReservedConcurrentExecutions" in RESOURCES[name]["Properties"]
    ]
    assert reserving == ["RequestOtpFunction", "ResendOtpFunction"]


def test_names_beyond_the_stack_contain_the_stacks_name() -> None:
    assert resource("Dashboard")["DashboardName"] == {"Fn::Sub": "${AWS::StackName}-${AWS::Region}"}
    for layer in of_type("AWS::Lambda::LayerVersion").values():
        assert layer["LayerName"]["Fn::Sub"].startswith("${AWS::StackName}-")


def test_the_unused_detailed_metrics_of_api_gateway_are_off() -> None:
    for stage in of_type("AWS::ApiGateway::Stage").values():
        for each in stage["MethodSettings"]:
            assert each["MetricsEnabled"] is False


def test_every_layer_and_function_runs_on_the_declared_python() -> None:
    runtimes = {function["Runtime"] for function in of_type("AWS::Lambda::Function").values()}
    assert runtimes == {"python3.13"}
    for layer in of_type("AWS::Lambda::LayerVersion").values():
        assert layer["CompatibleRuntimes"] == ["python3.13"]


@pytest.mark.parametrize(
    "name", ["DEFAULT_4XX", "DEFAULT_5XX", "THROTTLED", "QUOTA_EXCEEDED", "INVALID_API_KEY"]
)
def test_each_refusal_by_api_gateway_has_our_response(name: str) -> None:
    assert name in gateway_responses()


@pytest.mark.parametrize("name", gateway_response_names())
def test_a_gateway_response_is_a_problem_of_our_shape(name: str) -> None:
    declared = gateway_responses()[name]
    assert declared["responseTemplates"].keys() == {"application/json"}
    body = json.loads(declared["responseTemplates"]["application/json"])
    waits = declared["statusCode"] in MUST_WAIT
    assert body.keys() == PROBLEM | ({"retryAfter"} if waits else set())
    assert str(body["status"]) == declared["statusCode"]
    assert body["success"] is False
    assert re.fullmatch("urn:sms-otp:problem:[a-z-]+", body["type"])
    # The one value that is not fixed: API Gateway's own texts quote the request.
    assert re.findall(r"\$[\w.]+", declared["responseTemplates"]["application/json"]) == [
        "$context.requestId"
    ]


@pytest.mark.parametrize("name", gateway_response_names())
def test_a_gateway_response_has_the_headers_of_every_answer(name: str) -> None:
    declared = gateway_responses()[name]
    headers = {key.removeprefix(HEADER): value for key, value in declared["responseParameters"].items()}
    body = json.loads(declared["responseTemplates"]["application/json"])
    expected = {
        "Content-Type": "'application/problem+json'",
        "Cache-Control": "'no-store'",
        "X-Content-Type-Options": "'nosniff'",
    }
    if "retryAfter" in body:
        expected["Retry-After"] = f"'{body['retryAfter']}'"
    assert headers == expected


@pytest.mark.parametrize(
    ("stage", "parameter", "refused"),
    [("dev", "ProviderSandboxUrl", True), ("prod", "TestNumbers", True)],
)
def test_a_stage_with_real_users_allows_no_sandbox_and_no_test_numbers(
    stage: str, parameter: str, refused: bool
) -> None:
    """A rule that applies to the stage asserts that the parameter is empty."""
    empty = {"Fn::Equals": [{"Ref": parameter}, ""]}
    rules = [
        rule
        for rule in template()["Rules"].values()
        if empty in (each["Assert"] for each in rule["Assertions"])
    ]
    assert any(applies(rule["RuleCondition"], stage) for rule in rules) is refused


def applies(condition: dict[str, Any], stage: str) -> bool:
    """A rule's condition on the stage alone."""
    ((operation, values),) = condition.items()
    if operation == "Fn::Not":
        return not applies(values[0], stage)
    assert (operation, values[0]) == ("Fn::Equals", {"Ref": "Stage"})
    return bool(values[1] == stage)


def checkov_settings() -> dict[str, Any]:
    parsed: dict[str, Any] = yaml.safe_load((ROOT / ".checkov.yaml").read_text())
    return parsed


def test_every_skipped_checkov_check_has_its_reason_above_it() -> None:
    lines = (ROOT / ".checkov.yaml").read_text().splitlines()
    skipped = [at for at, line in enumerate(lines) if re.fullmatch("  - CKV_AWS_[0-9]+", line)]
    assert len(skipped) == len(checkov_settings()["skip-check"])
    for at in skipped:
        assert re.fullmatch("  # .*[.]", lines[at - 1])


def test_no_resource_skips_a_check_by_itself() -> None:
    assert not [name for name, declared in RESOURCES.items() if "checkov" in declared.get("Metadata", {})]


def test_the_caps_alarm_comes_before_strangers_are_refused() -> None:
    share_of_strangers = 100 - 100 / KEPT_FOR_KNOWN
    assert resource("DailyCapAlarm")["Threshold"] <= 0.8 * share_of_strangers
