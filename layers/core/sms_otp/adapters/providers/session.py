"""The HTTP session for providers: no redirects, cookies or retries, nothing from the environment.

Imported when the first provider is called: see `transport`.
"""

import ssl
from functools import cache
from http.cookiejar import DefaultCookiePolicy
from typing import Any

import certifi
import requests
from requests.adapters import HTTPAdapter
from urllib3.util.ssl_ import create_urllib3_context


def new_session() -> requests.Session:
    """A session with connections of its own."""
    session = _Session()
    session.trust_env = False
    session.headers.clear()
    session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
    for scheme in ("https://", "http://"):
        session.mount(scheme, _Adapter())
    return session


class _Session(requests.Session):
    def get_redirect_target(self, resp: requests.Response) -> None:  # noqa: ARG002 - requests' signature
        """Never follow. requests would read a redirect's whole body to prepare the next request."""
        return


class _Adapter(HTTPAdapter):
    """All connections share one TLS context: reading the root certificates takes longer than a handshake."""

    def init_poolmanager(self, *arguments: Any, **options: Any) -> None:
        """See `HTTPAdapter`."""
        super().init_poolmanager(*arguments, ssl_context=_tls(), **options)

    def cert_verify(self, conn: Any, url: Any, verify: Any, cert: Any) -> None:  # noqa: ARG002 - requests' signature
        """Verify always. requests would read the roots into the context again for each connection."""
        conn.cert_reqs = "CERT_REQUIRED"


@cache
def _tls() -> ssl.SSLContext:
    context = create_urllib3_context()
    context.load_verify_locations(certifi.where())
    return context
