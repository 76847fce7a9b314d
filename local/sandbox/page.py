"""The page at `/`: a phone beside an app's sign-up form; its files and headers."""

import sys
from collections.abc import MutableMapping
from pathlib import Path
from typing import Any

from starlette.responses import FileResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles

WWW = Path(__file__).parent / "www"
OTP_FORM = Path(__file__).parents[2] / "web/otp-form"
PACKAGES = Path(sys.prefix) / "web/node_modules"
"""npm packages of `web/package.json`, installed by the Makefile. Without them the page is plainer."""

PHONE_LIBRARY = PACKAGES / "libphonenumber-js/bundle"
ALTCHA = PACKAGES / "altcha/dist"
FONT = PACKAGES / "@fontsource-variable/inter/files"

HEADERS = {
    # No inline code, no other origins, and no text parsed as markup.
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; font-src 'self'; "
        "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
        # The form's policy, for a worker's URL, and Svelte's, which ALTCHA's widget is built with.
        "require-trusted-types-for 'script'; trusted-types otp-form svelte-trusted-html"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}


def routes() -> list[BaseRoute]:
    """The page and its files; a file that is not installed is a 404."""
    folders = {
        "/page": WWW,
        "/otp-form": OTP_FORM,
        "/phone-library": PHONE_LIBRARY,
        "/altcha": ALTCHA,
        "/font": FONT,
    }
    return [
        Route("/", lambda _: FileResponse(WWW / "index.html", headers=HEADERS)),
        *(Mount(path, _Files(directory=folder, check_dir=False)) for path, folder in folders.items()),
    ]


class _Files(StaticFiles):
    async def get_response(self, path: str, scope: MutableMapping[str, Any]) -> Response:
        response = await super().get_response(path, scope)
        response.headers.update(HEADERS)
        return response
