"""Puts the sources of the site together in .local/site-source: `python -m release.site`.

The documents lie in several folders and link to files of the repository. The site's generator takes one
folder, so each document and each file that one links to is copied to its own place in it.
"""

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

from release import ROOT

SOURCE = ROOT / ".local/site-source"
FOLDERS = ("docs", "examples", "web/otp-form")
LINK = re.compile(r"\]\(([^)\s#]+)[^)]*\)")


def documents() -> Iterator[Path]:
    """Every page."""
    yield from ROOT.glob("*.md")
    for folder in FOLDERS:
        yield from (path for path in (ROOT / folder).rglob("*.md") if "node_modules" not in path.parts)


def linked(document: Path) -> Iterator[Path]:
    """The repository's files that a page links to or shows. The generator reports those that are missing."""
    for target in LINK.findall(document.read_text()):
        path = (document.parent / target).resolve()
        if ":" not in target and path.is_file() and path.is_relative_to(ROOT):
            yield path


def put_together(into: Path = SOURCE) -> None:
    """Anew, so that what was removed is missing here too."""
    shutil.rmtree(into, ignore_errors=True)
    pages = {*documents()}
    for path in sorted(pages | {found for page in pages for found in linked(page)}):
        target = into / path.relative_to(ROOT)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, target)


if __name__ == "__main__":
    put_together()
