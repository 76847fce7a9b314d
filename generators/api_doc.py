"""`python -m generators.api_doc`: write `docs/api.md`, the API reference, from `openapi.yaml`.

Supports only the OpenAPI features that this document uses.
"""

import json
import shlex
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parent.parent
SOURCE = ROOT / "openapi.yaml"
PAGE = ROOT / "docs/api.md"

PROBLEM = "application/problem+json"
JSON = "application/json"
SIGNED: list[dict[str, list[str]]] = [{"sigv4": []}]
SIGNING = [
    '--aws-sigv4 "aws:amz:$AWS_REGION:execute-api"',
    '--user "$AWS_ACCESS_KEY_ID:$AWS_SECRET_ACCESS_KEY"',
    '-H "x-amz-security-token: $AWS_SESSION_TOKEN"',
]
"""curl options that sign with the environment's credentials."""
COMMON_HEADERS = {"Cache-Control": "CacheControl", "X-Content-Type-Options": "ContentTypeOptions"}
"""Headers of nearly every answer, documented once: name -> component."""

Node = dict[str, Any]


class Document:
    """`openapi.yaml`, with references resolved on access."""

    def __init__(self, text: str) -> None:
        self.root: Node = yaml.safe_load(text)

    def resolved(self, node: Node) -> Node:
        """The node, or the target of its `$ref`."""
        while "$ref" in node:
            found: Any = self.root
            for step in node["$ref"].removeprefix("#/").split("/"):
                found = found[step]
            node = found
        return node

    def operations(self, tag: str) -> Iterator[tuple[str, str, Node]]:
        """Yield (method, path, operation) of each operation with this tag."""
        for path, methods in self.root["paths"].items():
            for method, operation in methods.items():
                if tag in operation["tags"]:
                    yield method.upper(), path, operation

    def examples(self, media: Node) -> dict[str, Node]:
        """The examples by name; each has a `value`, some a `summary`."""
        return {name: self.resolved(example) for name, example in media["examples"].items()}


def page(text: str) -> str:
    """The text of `docs/api.md`, from the text of `openapi.yaml`."""
    document = Document(text)
    blocks = [
        "# API",
        "Made from [openapi.yaml](../openapi.yaml) by `make docs`.",
        document.root["info"]["description"],
        *_conventions(document),
        *_contents(document),
    ]
    for tag in document.root["tags"]:
        blocks += [f"## {_title(tag)}", tag["description"]]
        for method, path, operation in document.operations(tag["name"]):
            blocks += _operation(document, method, path, operation)
    blocks += _errors(document)
    return "\n\n".join(block.strip() for block in blocks) + "\n"


def _conventions(document: Document) -> list[str]:
    (server,) = document.root["servers"]
    key = document.root["components"]["securitySchemes"]["apiKey"]
    headers = document.root["components"]["headers"]
    common = [
        f"- Every answer that names no other has `{name}: {headers[component]['schema']['const']}`."
        for name, component in COMMON_HEADERS.items()
    ]
    return [
        "\n".join(
            [
                f"- `$API` is `{server['url']}`, the stack's output `ApiUrl`.",
                f"- The header `{key['name']}`, here `$KEY`: {_line(key['description'])}",
                *common,
                f"- `Retry-After`, on some errors: {_line(headers['RetryAfter']['description'])}",
            ]
        )
    ]


def _contents(document: Document) -> list[str]:
    rows = [
        (f"[{method} {path}](#{_anchor(f'{method} {path}')})", operation["summary"])
        for tag in document.root["tags"]
        for method, path, operation in document.operations(tag["name"])
    ]
    return [_table(("call", "for"), rows)]


def _operation(document: Document, method: str, path: str, operation: Node) -> list[str]:
    blocks = [f"### {method} {path}", f"{operation['summary']}.", operation["description"]]
    if operation.get("security") == []:
        blocks.append("No API key is needed.")
    if operation.get("security") == SIGNED:
        blocks.append("No API key is needed, but a signature: " + _signature(document))
    parameters = [document.resolved(parameter) for parameter in operation.get("parameters", ())]
    if parameters:
        rows = [
            (f"`{each['name']}`", _form(each["schema"]), _line(each["description"])) for each in parameters
        ]
        blocks.append(_table(("header", "form", ""), rows))
    media = operation.get("requestBody", {}).get("content", {}).get(JSON)
    if media is not None:
        blocks.append(_table(("body", "form", ""), _fields(document, media["schema"])))
    blocks += _calls(document, method, path, operation, media)
    return blocks + _answers(document, operation)


def _signature(document: Document) -> str:
    return _line(document.root["components"]["securitySchemes"]["sigv4"]["description"])


def _calls(document: Document, method: str, path: str, operation: Node, media: Node | None) -> list[str]:
    """A curl command for each example of a body."""
    keyed = operation.get("security", document.root["security"]) == document.root["security"]
    line = [f'curl -sS "$API{path}"', *(['-H "x-api-key: $KEY"'] if keyed else [])]
    line += SIGNING if operation.get("security") == SIGNED else []
    if media is None:
        return [_code("", " ".join(line))] if method == "GET" else []
    blocks = []
    for example in document.examples(media).values():
        body = shlex.quote(json.dumps(example["value"], ensure_ascii=False))
        call = " ".join([*line, "-H 'content-type: application/json'"]) + f" \\\n  -d {body}"
        blocks += [f"{example['summary']}:", _code("", call)]
    return blocks


def _answers(document: Document, operation: Node) -> list[str]:
    blocks: list[str] = []
    rows: list[tuple[str, ...]] = []
    for status, reference in operation["responses"].items():
        response = document.resolved(reference)
        if status.startswith("2"):
            blocks += _success(document, status, response)
        else:
            rows += _refusals(document, status, response)
    return [*blocks, _table(("status", "error", "when"), rows)]


def _success(document: Document, status: str, response: Node) -> list[str]:
    blocks = [f"**{status}**: {_line(response['description'])}"]
    own = [
        (f"`{name}`", _form(header["schema"]), _line(header["description"]))
        for name, reference in response["headers"].items()
        if not _is_common(name, reference)
        for header in [document.resolved(reference)]
    ]
    if own:
        blocks.append(_table(("header of the answer", "form", ""), own))
    for media in response.get("content", {}).values():
        rows = _fields(document, media["schema"])
        if rows:
            blocks.append(_table(("answer", "form", ""), rows))
        values = [example["value"] for example in document.examples(media).values()]
        blocks += [_code("json", json.dumps(value, indent=2, ensure_ascii=False)) for value in values]
    return blocks


def _is_common(name: str, reference: Node) -> bool:
    return bool(reference.get("$ref") == f"#/components/headers/{COMMON_HEADERS.get(name)}")


def _refusals(document: Document, status: str, response: Node) -> Iterator[tuple[str, ...]]:
    """A row with the status's meaning, then one for each error; a single row for a single error."""
    answers = [
        (f"`{_word(example['value'])}`", example["summary"])
        for media in response["content"].values()
        for example in document.examples(media).values()
    ]
    meaning = _line(response["description"])
    if len(answers) == 1:
        yield status, answers[0][0], meaning
        return
    yield status, "", meaning
    for code, summary in answers:
        yield "", code, summary


def _word(body: Node) -> str:
    """The value that callers branch on: errorCode, CAMARA's code, or a health report's status."""
    return next(str(body[name]) for name in ("errorCode", "code", "status") if name in body)


def _errors(document: Document) -> list[str]:
    example = document.root["components"]["examples"]["OTP_INCORRECT"]["value"]
    return [
        "## Errors",
        f"Every error is a problem, `{PROBLEM}`, but for those [in CAMARA's words](camara.md).",
        _table(("member", "form", ""), _fields(document, {"$ref": "#/components/schemas/Problem"})),
        _code("json", json.dumps(example, indent=2)),
    ]


def _fields(document: Document, schema: Node, prefix: str = "") -> list[tuple[str, ...]]:
    """A row for each property, nested ones by dotted names; required ones are bold."""
    schema = document.resolved(schema)
    rows: list[tuple[str, ...]] = []
    for name, reference in schema.get("properties", {}).items():
        field = document.resolved(reference)
        shown = f"`{prefix}{name}`"
        required = name in schema.get("required", ())
        rows.append(
            (f"**{shown}**" if required else shown, _form(field), _line(field.get("description", "")))
        )
        inner = document.resolved(field.get("items", field))
        rows += _fields(document, inner, f"{prefix}{name}{'[]' if 'items' in field else ''}.")
    return rows


def _form(schema: Node) -> str:
    if "const" in schema:
        return f"`{json.dumps(schema['const'])}`"
    if "enum" in schema:
        return ", ".join(f"`{value}`" for value in schema["enum"])
    words = [str(schema.get("type", "any"))]
    if "format" in schema:
        words = [schema["format"]]
    least, most = schema.get("minLength"), schema.get("maxLength")
    if most is not None:
        words.append(f"up to {most} characters" if not least else f"of {least} to {most} characters")
    if "minimum" in schema:
        words.append(f"from {schema['minimum']}")
    if "pattern" in schema:
        words.append(f"`{schema['pattern']}`")
    return " ".join(words)


def _title(tag: Node) -> str:
    name: str = tag["name"]
    return name[0].upper() + name[1:]


def _anchor(heading: str) -> str:
    """The anchor of a heading on GitHub."""
    kept = "".join(character for character in heading.lower() if character.isalnum() or character in " -_")
    return kept.replace(" ", "-")


def _line(text: str) -> str:
    return " ".join(text.split())


def _code(language: str, text: str) -> str:
    return f"```{language}\n{text}\n```"


def _table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    lines = [head, ("---",) * len(head), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)


if __name__ == "__main__":
    PAGE.write_text(page(SOURCE.read_text()))
