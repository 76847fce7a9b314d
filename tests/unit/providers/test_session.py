"""The HTTP session to providers ignores the environment and repeats no request."""

import pytest
from requests.adapters import HTTPAdapter

from sms_otp.adapters.providers import session


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_no_call_is_repeated_and_all_share_one_tls_context(scheme: str) -> None:
    contexts = set()
    for _ in range(2):
        adapter = session.new_session().get_adapter(f"{scheme}://provider.example")
        assert isinstance(adapter, HTTPAdapter)
        assert adapter.max_retries.total == 0
        contexts.add(adapter.poolmanager.connection_pool_kw["ssl_context"])
    assert len(contexts) == 1


def test_the_session_adds_no_headers_of_its_own() -> None:
    made = session.new_session()
    assert (dict(made.headers), made.trust_env) == ({}, False)
