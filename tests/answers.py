"""Bodies of answers against `openapi.yaml`, with nothing extra allowed."""

from collections.abc import Iterator
from typing import Any

from generators.api_doc import SOURCE, Document

DOCUMENT = Document(SOURCE.read_text())


def documented(path: str, status: int) -> dict[str, Any]:
    """The schema of a path's answer of this status. Each path has one method."""
    (operation,) = DOCUMENT.root["paths"][path].values()
    (media,) = DOCUMENT.resolved(operation["responses"][str(status)])["content"].values()
    return DOCUMENT.resolved(media["schema"])


def undocumented(path: str, status: int, body: Any) -> list[str]:
    """Where the body has properties that the document does not: `/verify-otp 200: /surprise`."""
    return [f"{path} {status}: {each}" for each in _unknown(documented(path, status), body, "")]


def properties(path: str, status: int) -> set[str]:
    """The pointers of all properties that the document has; `*` for each element of an array."""
    return {*_declared(documented(path, status), "")}


def produced(body: Any, at: str = "") -> set[str]:
    """The pointers of all properties that a body has, as in `properties`."""
    if isinstance(body, dict):
        return {
            each
            for name, value in body.items()
            for each in (f"{at}/{name}", *produced(value, f"{at}/{name}"))
        }
    if isinstance(body, list):
        return {each for value in body for each in produced(value, f"{at}/*")}
    return set()


def _unknown(schema: dict[str, Any], body: Any, at: str) -> Iterator[str]:
    schema = DOCUMENT.resolved(schema)
    if isinstance(body, list):
        for index, value in enumerate(body):
            yield from _unknown(schema.get("items", {}), value, f"{at}/{index}")
    if not isinstance(body, dict):
        return
    others = schema.get("additionalProperties")
    for name, value in body.items():
        inner = schema.get("properties", {}).get(name, others)
        if not isinstance(inner, dict):
            yield f"{at}/{name}"
        else:
            yield from _unknown(inner, value, f"{at}/{name}")


def _declared(schema: dict[str, Any], at: str) -> Iterator[str]:
    schema = DOCUMENT.resolved(schema)
    for name, inner in schema.get("properties", {}).items():
        yield f"{at}/{name}"
        yield from _declared(inner, f"{at}/{name}")
    if "items" in schema:
        yield from _declared(schema["items"], f"{at}/*")
