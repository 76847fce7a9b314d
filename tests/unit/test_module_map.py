"""The module map of docs/architecture.md is the one of the code, and its arrows point one way."""

import ast
import re
from pathlib import Path

from tests.template import ROOT

CORE = ROOT / "layers/core/sms_otp"
PACKAGES = ("sms_otp", "providers")
Graph = dict[str, set[str]]


def module_name(path: Path) -> str:
    return path.parent.name if path.name == "__init__.py" else path.stem


def imported(path: Path, modules: set[str]) -> set[str]:
    """The modules of `sms_otp` that a file imports, wherever in it."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "sms_otp":
            package = (node.module or "").rpartition(".")[2]
            within = {alias.name for alias in node.names} & modules if package in PACKAGES else set()
            found |= within or {package}
    return found


def imports() -> Graph:
    """Of each module, and of all handlers together, the modules that it imports."""
    files = [path for path in CORE.rglob("*.py") if path != CORE / "__init__.py"]
    modules = {module_name(path) for path in files}
    graph = {module_name(path): imported(path, modules) for path in files}
    handlers = [imported(path, modules) for path in (ROOT / "functions").rglob("*.py")]
    return {**graph, "handlers": set().union(*handlers)}


def drawn() -> Graph:
    """The arrows of the module map."""
    graph: Graph = {}
    text = (ROOT / "docs/architecture.md").read_text()
    (picture,) = re.findall(r"```mermaid\n(flowchart TD\n.*?)^```$", text, re.MULTILINE | re.DOTALL)
    for line in picture.splitlines()[1:]:
        source, _, targets = line.partition("-->")
        graph.setdefault(source.strip(), set()).update(target.strip() for target in targets.split("&"))
    return graph


def reachable(graph: Graph, start: str) -> set[str]:
    seen: set[str] = set()
    waiting = [start]
    while waiting:
        new = graph.get(waiting.pop(), set()) - seen
        seen |= new
        waiting.extend(new)
    return seen


def test_every_arrow_of_the_module_map_is_an_import() -> None:
    actual = imports()
    for module, targets in drawn().items():
        assert targets <= actual[module], module


def test_every_import_follows_the_arrows_of_the_module_map() -> None:
    for module, targets in imports().items():
        assert targets <= reachable(drawn(), module), module


def test_the_arrows_of_the_module_map_never_lead_back() -> None:
    for module in drawn():
        assert module not in reachable(drawn(), module)


def test_every_function_stands_among_the_components() -> None:
    text = (ROOT / "docs/architecture.md").read_text().partition("\n## A code is requested\n")[0]
    functions = {path.parent.name for path in (ROOT / "functions").glob("*/app.py")}
    assert functions <= set(re.findall(r"[a-z_]+", text))
