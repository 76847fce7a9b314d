"""The page at `/`: every phone's newest messages, for a person who tries the service out."""

from collections.abc import Sequence
from html import escape
from importlib.resources import files

MESSAGES_SHOWN = 50

HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}

_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta http-equiv="refresh" content="3">
<title>Phone inbox</title>
<link rel="stylesheet" href="/page.css">
</head>
<body>
<main>
<h1>Phone inbox</h1>
<p>Messages that the providers' stand-in delivered, newest first. Nothing here leaves this machine.</p>
{messages}
</main>
</body>
</html>
"""

_MESSAGE = """<li>
<p><strong>{to}</strong> <small>{provider} {channel} <time datetime="{sentAt}">{sentAt}</time></small></p>
<p>{text}</p>
</li>"""


def render(newest_first: Sequence[dict[str, str]]) -> str:
    """The page with these messages, in their order."""
    shown = [
        _MESSAGE.format_map({name: escape(value) for name, value in message.items()})
        for message in newest_first
    ]
    return _PAGE.format(messages=f"<ol>{''.join(shown)}</ol>" if shown else "<p>No messages yet.</p>")


def stylesheet() -> str:
    """The page's CSS."""
    return files(__package__).joinpath("page.css").read_text("utf-8")
