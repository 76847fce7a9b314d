"""`make docs` generates `docs/api.md` from `openapi.yaml`, and leaves nothing out."""

import re
import shlex

from generators import api_doc

PAGE = api_doc.PAGE.read_text()
DOCUMENT = api_doc.Document(api_doc.SOURCE.read_text())
CALLS = [
    (method.upper(), path, operation)
    for path, methods in DOCUMENT.root["paths"].items()
    for method, operation in methods.items()
]


def section(method: str, path: str) -> str:
    """The section of the page on one operation."""
    after = PAGE.partition(f"\n### {method} {path}\n")[2]
    return re.split(r"^#{2,3} ", after, maxsplit=1, flags=re.MULTILINE)[0]


def test_the_page_is_up_to_date_with_the_document() -> None:
    assert api_doc.page(api_doc.SOURCE.read_text()) == PAGE


def test_every_operation_has_a_section_with_all_its_statuses_and_fields() -> None:
    for method, path, operation in CALLS:
        text = section(method, path)
        for status, response in operation["responses"].items():
            assert f"**{status}**" in text or f"| {status} |" in text, path
            assert " ".join(DOCUMENT.resolved(response)["description"].split()).replace("|", "\\|") in text
        for media in operation.get("requestBody", {}).get("content", {}).values():
            for name in DOCUMENT.resolved(media["schema"])["properties"]:
                assert f"`{name}`" in text, path


def test_every_example_of_a_body_can_be_pasted_into_a_shell() -> None:
    for method, path, operation in CALLS:
        calls = re.findall(r"```\n(curl .*?)\n```", section(method, path), re.DOTALL)
        bodies = operation.get("requestBody", {}).get("content", {}).get("application/json", {})
        assert len(calls) == max(len(bodies.get("examples", {})), method == "GET"), path
        for call in calls:
            assert shlex.split(call)[:3] == ["curl", "-sS", f"$API{path}"]
