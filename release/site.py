"""Collect the site's sources in .local/site-source: `python -m release.site`.

Documents are in several folders and link to files of the repository, but the site generator reads one
folder. So each document and each linked file is copied there, to its path in the repository.
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
    """Yield every page."""
    yield from ROOT.glob("*.md")
    for folder in FOLDERS:
        yield from (path for path in (ROOT / folder).rglob("*.md") if "node_modules" not in path.parts)


def linked(document: Path) -> Iterator[Path]:
    """Yield the repository files that a page links to or embeds. The generator reports missing ones."""
    for target in LINK.findall(document.read_text()):
        path = (document.parent / target).resolve()
        if ":" not in target and path.is_file() and path.is_relative_to(ROOT):
            yield path


def put_together(into: Path = SOURCE) -> None:
    """Copy the sources into an emptied folder, so that removed files disappear."""
    shutil.rmtree(into, ignore_errors=True)
    pages = {*documents()}
    for path in sorted(pages | {found for page in pages for found in linked(page)}):
        target = into / path.relative_to(ROOT)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, target)


if __name__ == "__main__":
    put_together()
