"""The layers of the package, and its imports as they really are: in functions too, and by name."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import agentctl

PACKAGE = Path(agentctl.__file__).parent
PROJECT = PACKAGE.parent

NAMED_BY_TEXT = {
    "agentctl.agent.agent_tool": {"agentctl.run.runner"},  # Its tool may be called outside of any run.
    "agentctl.agent.run_config": {"agentctl.models.multi_provider"},
    "agentctl.cli.main": {"agentctl.tracing.process"},  # Looked up in sys.modules.
    "agentctl.compat": None,
}
"""Modules that name modules of ours in texts, and which; None is any: the table of the alias."""


def modules() -> dict[str, Path]:
    found = {}
    for path in PACKAGE.rglob("*.py"):
        parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


MODULES = modules()


def is_type_checking(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"


def runtime_nodes(node: ast.AST) -> Iterator[ast.AST]:
    """Yield all nodes that may run, function bodies included; not the blocks of type checkers."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.If) and is_type_checking(child):
            for alternative in child.orelse:
                yield alternative
                yield from runtime_nodes(alternative)
            continue
        yield child
        yield from runtime_nodes(child)


def imports_of(module: str) -> set[str]:
    path = MODULES[module]
    package = module if path.name == "__init__.py" else module.rpartition(".")[0]
    found: set[str] = set()
    for node in runtime_nodes(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
            name = ".".join([*base, *((node.module,) if node.module else ())])
            found |= {full if (full := f"{name}.{alias.name}") in MODULES else name for alias in node.names}
    return found & MODULES.keys() - {module}


def cycle_in(graph: dict[str, set[str]]) -> list[str]:
    """Return the nodes of a cycle, in order; empty where there is none."""
    done: set[str] = set()

    def visit(node: str, way: list[str]) -> list[str]:
        if node in way:
            return [*way[way.index(node) :], node]
        if node in done:
            return []
        for other in sorted(graph.get(node, ())):
            if cycle := visit(other, [*way, node]):
                return cycle
        done.add(node)
        return []

    return next((cycle for node in sorted(graph) if (cycle := visit(node, []))), [])


def below(folder: str, module: str) -> str | None:
    """Return the child of a folder that a module is or is in; None where it is elsewhere, or the folder itself."""
    return module[len(folder) + 1 :].partition(".")[0] if module.startswith(f"{folder}.") else None


def test_imports_only_go_down_the_layers() -> None:
    linter = Path(sys.executable).with_name("lint-imports")
    ended = subprocess.run(
        [linter, "--no-cache", "--no-logo"], cwd=PROJECT, capture_output=True, text=True, timeout=120
    )
    assert ended.returncode == 0, ended.stdout


def test_no_cycle_at_any_depth_with_imports_in_functions_counted() -> None:
    graph = {module: imports_of(module) for module in MODULES}
    assert cycle_in(graph) == []
    for folder in (module for module, path in MODULES.items() if path.name == "__init__.py"):
        siblings: dict[str, set[str]] = {}
        for module, imported in graph.items():
            if (child := below(folder, module)) is not None:
                others = {other for name in imported if (other := below(folder, name)) is not None}
                siblings.setdefault(child, set()).update(others - {child})
        assert cycle_in(siblings) == [], folder


def test_no_module_of_ours_is_imported_by_its_name_in_a_text() -> None:
    for module, path in MODULES.items():
        allowed = NAMED_BY_TEXT.get(module, set())
        texts = {
            node.value
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
            if isinstance(node, ast.Constant) and isinstance(node.value, str)
        }
        named = {text for text in texts & MODULES.keys() if text != "agentctl"}
        assert allowed is None or named <= allowed, module
