"""Our loader reads the same data from the AWS data files as the loader of botocore."""

import io
import json
from typing import Any

import pytest
from botocore.awsrequest import AWSResponse
from botocore.compat import HTTPHeaders
from botocore.exceptions import ClientError, UnknownServiceError
from botocore.loaders import create_loader
from urllib3 import HTTPResponse

from sms_otp.adapters.aws import client_data, clients

KINDS = ("service-2", "endpoint-rule-set-1")


@pytest.fixture(scope="module")
def ours() -> client_data.KnownServices:
    return client_data.KnownServices(file_loader=client_data.JsonFiles())


@pytest.mark.parametrize("service", client_data.SERVICES)
def test_a_service_model_equals_botocores_in_the_same_order(
    ours: client_data.KnownServices, service: str
) -> None:
    theirs = create_loader()
    for kind in KINDS:
        read = ours.load_service_model(service, kind)
        assert json.dumps(read) == json.dumps(theirs.load_service_model(service, kind))


@pytest.mark.parametrize("name", ["endpoints", "partitions", "_retry", "sdk-default-configuration"])
def test_the_data_common_to_all_services_equals_botocores(ours: client_data.KnownServices, name: str) -> None:
    assert json.dumps(ours.load_data(name)) == json.dumps(create_loader().load_data(name))


def test_a_service_that_is_not_ours_is_refused_by_name(ours: client_data.KnownServices) -> None:
    with pytest.raises(UnknownServiceError, match="dynamodb, events, kms"):
        ours.load_service_model("s3", "service-2")


def test_every_client_is_made_with_our_loader() -> None:
    """The loader of botocore works too, and takes an eighth of a function's start."""
    clients.session.cache_clear()
    try:
        loader = clients.session()._session.get_component("data_loader")
    finally:
        clients.session.cache_clear()
    assert isinstance(loader, client_data.KnownServices)
    assert isinstance(loader.file_loader, client_data.JsonFiles)


def test_clients_are_made_for_exactly_the_services_that_the_functions_call() -> None:
    assert {*client_data.SERVICES} == {"dynamodb", "events", "kms", "pinpoint-sms-voice-v2", "secretsmanager"}


def test_a_client_neither_validates_parameters_nor_builds_a_user_agent(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    sent: list[Any] = []

    def answer(request: Any, **_: Any) -> AWSResponse:
        sent.append(request)
        return AWSResponse(
            request.url, 500, HTTPHeaders(), HTTPResponse(io.BytesIO(b"{}"), preload_content=False)
        )

    client = clients.client("dynamodb", region_name="eu-west-1", retries={"total_max_attempts": 1})
    client.meta.events.register("before-send", answer)
    with pytest.raises(ClientError):
        client.get_item(TableName="a-table")
    (request,) = sent
    assert request.headers["User-Agent"].startswith(b"sms-otp ")


def test_models_that_a_snapshot_holds_are_not_read_again(monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[str] = []
    load_file = client_data.JsonFiles.load_file

    def noting(self: client_data.JsonFiles, path: str) -> Any:
        read.append(path)
        return load_file(self, path)

    monkeypatch.setattr(client_data.JsonFiles, "load_file", noting)
    for cached in (clients._loader, clients.session):
        cached.cache_clear()
    try:
        clients.read_models(("kms",))
        assert [path for path in read if "/kms/" in path]
        read.clear()
        clients.client("kms", region_name="eu-west-1")
    finally:
        for cached in (clients._loader, clients.session):
            cached.cache_clear()
    assert [path for path in read if "/kms/" in path] == []
