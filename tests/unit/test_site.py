"""The site's sources: every page is there once, with the files that it links to."""

from pathlib import Path
from typing import Any

import yaml

from local.template import ROOT
from release import site


class Loader(yaml.SafeLoader):
    """Reads mkdocs.yml, whose Python names are the generator's."""


Loader.add_multi_constructor("tag:yaml.org,2002:python/", lambda *_: None)

CONFIG: dict[str, Any] = yaml.load((ROOT / "mkdocs.yml").read_text(), Loader)  # noqa: S506 # makes no object


def pages(nav: list[Any]) -> list[str]:
    """The navigation's pages, section by section."""
    found: list[str] = []
    for entry in nav:
        if isinstance(entry, str):
            found.append(entry)
        else:
            (content,) = entry.values()
            found += [content] if isinstance(content, str) else pages(content)
    return found


def test_every_page_but_a_single_decision_is_in_the_navigation_once() -> None:
    shown = pages(CONFIG["nav"])
    assert len(shown) == len(set(shown))
    decisions = ROOT / "docs/decisions"
    expected = {
        str(page.relative_to(ROOT))
        for page in site.documents()
        if page.parent != decisions or page.name == "README.md"
    }
    assert set(shown) == expected


def test_the_navigation_is_by_the_readers_question() -> None:
    sections = [next(iter(entry)) for entry in CONFIG["nav"] if not isinstance(entry, str)]
    assert sections[:4] == ["Learn it", "Do it", "Look it up", "Understand it"]


def test_the_site_is_built_from_the_collected_sources() -> None:
    assert ROOT / CONFIG["docs_dir"] == site.SOURCE


def test_each_page_and_each_linked_file_keeps_its_path(tmp_path: Path) -> None:
    site.put_together(tmp_path)
    for page in site.documents():
        assert (tmp_path / page.relative_to(ROOT)).read_text() == page.read_text()
    for needed in ("openapi.yaml", "LICENSE", "docs/images/dashboard.png"):
        assert (tmp_path / needed).exists()


def test_a_removed_page_is_not_kept_from_an_earlier_build(tmp_path: Path) -> None:
    left = tmp_path / "docs/removed.md"
    left.parent.mkdir()
    left.write_text("# Removed")
    site.put_together(tmp_path)
    assert not left.exists()
