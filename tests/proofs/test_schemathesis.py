"""`openapi.yaml` against a deployed stack: valid and nearly valid requests are answered as documented.

Every check of Schemathesis is made, but for four things that it cannot know:

- *positive data*: whether a number exists, a verification is pending or a key was used is decided by
  more than a body's form, so a well-formed body may be refused. It may not be called malformed.
- *unsupported methods*: API Gateway answers them by itself, with 403 and never with 405.
- *missing header*: it wants 401 where nothing is signed, and AWS's IAM says 403.
- *server errors*: the deep health check answers 503 when something does not answer it within 1.2 seconds,
  and on a machine that is busy with others that happens.
"""

from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis.checks import not_a_server_error
from schemathesis.generation import GenerationMode
from schemathesis.specs.openapi.checks import (
    missing_required_header,
    positive_data_acceptance,
    unsupported_method,
)

from local.stack import LocalStack
from local.template import ROOT
from tests.proofs.scale import PROVE

pytestmark = pytest.mark.skipif(not PROVE, reason="deploys a stack of its own; see make prove")

schema = schemathesis.openapi.from_path(ROOT / "openapi.yaml")

EXAMPLES = 100
"""For each operation, beside those of the document and those at the borders of each keyword."""
SECONDS = 10
"""For one answer: as long as the slowest may take on a machine that is busy with others."""
NOT_OF_THE_FORM_ALONE = ("/verificationId", "/clientIp", "/consent")
"""Required by a parameter of the template; an address, which no pattern describes; refused by a deployment
that keeps no users."""


@pytest.fixture(scope="module")
def stack() -> Iterator[LocalStack]:
    with LocalStack() as running:
        yield running


@schema.parametrize()
@settings(max_examples=EXAMPLES, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
def test_every_answer_conforms_to_the_document(case: schemathesis.Case[Any], stack: LocalStack) -> None:
    key = {"x-api-key": stack.api_key}
    answer = case.call(base_url=stack.base_url, headers=key, timeout=SECONDS)
    cannot_know = [positive_data_acceptance, unsupported_method]
    if case.path == "/health/deep":
        cannot_know.append(not_a_server_error)
    is_unsigned = case.path.startswith("/admin/")
    if is_unsigned:
        # 400 for a malformed signature.
        assert answer.status_code in (400, 403)
        cannot_know.append(missing_required_header)
    # For the checks that send it once more without the key.
    sent = {"base_url": stack.base_url, "headers": key, "timeout": SECONDS}
    case.validate_response(answer, excluded_checks=cannot_know, headers=key, transport_kwargs=sent)
    is_well_formed = case.meta is not None and case.meta.generation.mode is GenerationMode.POSITIVE
    if is_well_formed and not is_unsigned:
        check_not_called_malformed(answer)


def check_not_called_malformed(answer: schemathesis.Response) -> None:
    body = answer.json() if answer.content else {}
    if body.get("errorCode") == "INVALID_REQUEST":
        assert {error["pointer"] for error in body["errors"]} <= set(NOT_OF_THE_FORM_ALONE), body
