"""`sam local` refuses a stack that its containers cannot reach."""

from dataclasses import replace

import pytest

from local.containers import require_reachable
from local.stack_file import LocalStackError, StackFile

STACK = StackFile("", "", "", "http://172.17.0.1:4566", "us-east-1", "a-stack", "")


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_a_stack_that_containers_cannot_reach_is_refused_with_the_remedy(host: str) -> None:
    with pytest.raises(LocalStackError, match="make run HOST=docker"):
        require_reachable(replace(STACK, awsEndpointUrl=f"http://{host}:4566"))


def test_a_stack_on_dockers_bridge_is_reachable() -> None:
    require_reachable(STACK)
