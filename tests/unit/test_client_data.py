"""What botocore reads of AWS's data files is the same, read our way."""

import json

import pytest
from botocore.exceptions import UnknownServiceError
from botocore.loaders import create_loader

from sms_otp.adapters.aws import client_data, clients

KINDS = ("service-2", "endpoint-rule-set-1")


@pytest.fixture(scope="module")
def ours() -> client_data.KnownServices:
    return client_data.KnownServices(file_loader=client_data.JsonFiles())


@pytest.mark.parametrize("service", client_data.SERVICES)
def test_a_services_model_is_what_botocore_reads_in_the_same_order(
    ours: client_data.KnownServices, service: str
) -> None:
    theirs = create_loader()
    for kind in KINDS:
        read = ours.load_service_model(service, kind)
        assert json.dumps(read) == json.dumps(theirs.load_service_model(service, kind))


@pytest.mark.parametrize("name", ["endpoints", "partitions", "_retry", "sdk-default-configuration"])
def test_what_is_common_to_all_services_is_what_botocore_reads(
    ours: client_data.KnownServices, name: str
) -> None:
    assert json.dumps(ours.load_data(name)) == json.dumps(create_loader().load_data(name))


def test_a_service_that_is_not_ours_is_refused_by_name(ours: client_data.KnownServices) -> None:
    with pytest.raises(UnknownServiceError, match="dynamodb, events, kms"):
        ours.load_service_model("s3", "service-2")


def test_every_client_is_made_from_what_is_read_our_way() -> None:
    """botocore's own way works too, and takes an eighth of a function's start."""
    clients.session.cache_clear()
    try:
        loader = clients.session()._session.get_component("data_loader")
    finally:
        clients.session.cache_clear()
    assert isinstance(loader, client_data.KnownServices)
    assert isinstance(loader.file_loader, client_data.JsonFiles)


def test_the_services_that_clients_are_made_for_are_those_that_the_functions_call() -> None:
    assert {*client_data.SERVICES} == {"dynamodb", "events", "kms", "pinpoint-sms-voice-v2", "secretsmanager"}
