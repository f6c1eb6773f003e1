"""Which of the SDK's tests use public names only: the files, and in them the tests to leave out.

Also left out are tests of modules that are internal though no underscore says so, and those that read the SDK's own
JSON of a `RunState`: the format of ours is another, as the documentation says.
"""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.sdk.surface import imported_by_examples

OUT_OF_SCOPE = (
    "realtime", "voice", "sandbox", "computer", "programmatic", "litellm", "any_llm", "visualization",
    "extensions.memory", "extensions.experimental", "hosted_multi_agent",
)  # fmt: skip
INTERNAL = (
    "agents.models.chatcmpl_converter", "agents.models.chatcmpl_helpers", "agents.models.chatcmpl_stream_handler",
    "agents.models.openai_responses.Converter", "agents.tracing.scope", "agents.tracing.spans.SpanImpl",
    "agents.tracing.spans.NoOpSpan", "agents.tracing.traces.TraceImpl", "agents.tracing.traces.NoOpTrace",
    "agents.tracing.traces.ReattachedTrace", "agents.tracing.traces.TraceState", "agents.agent_tool_state",
    "agents.run_state.CURRENT_SCHEMA_VERSION",
)  # fmt: skip
"""Names of modules and in modules that the SDK's documentation and examples do not use."""

_STATE_FOLDER = "tests/deferred_session_writes/"
_STATE_KEYS = frozenset({"$schemaVersion", "current_step", "generated_items", "pending_session_write"})
"""Keys of the SDK's JSON of a run."""

_HOOKS = frozenset({"_supports_default_prompt_cache_key"})
"""Private methods of the SDK that tests override."""

_PROBES = ("setattr", "delattr", "getattr", "hasattr", "patch", "object")


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """The test files to run, and the tests among theirs that touch private names."""

    files: list[str]
    left_out: list[str]


def select(root: Path) -> Selection:
    """Return what is to be run of the tests below `root`."""
    tests = sorted((root / "tests").rglob("test_*.py"))
    files, left_out = [], []
    for test in tests:
        if not _is_in_scope(root, test, set()):
            continue
        where = test.relative_to(root).as_posix()
        private = [(name, *_owner(test, line)) for name, line in _private_uses(test)]
        if any(owner is None for _, owner, _ in private):
            continue
        files.append(where)
        left_out += sorted({f"{where}::{owner}" for _, owner, _ in private})
    return Selection(files=files, left_out=left_out)


def _is_in_scope(root: Path, test: Path, seen: set[Path]) -> bool:
    """Whether a test imports the SDK, and neither itself nor by its helpers anything private or out of scope."""
    modules = imported_by_examples([test])
    path = test.relative_to(root).as_posix()
    if any(word in name for word in OUT_OF_SCOPE for name in (path, *modules)) or path.startswith(_STATE_FOLDER):
        return False
    seen.add(test)
    helpers = [one for one in _helpers(root, test) if one not in seen]
    if any(_is_private_helper(one) or not _is_in_scope(root, one, seen) for one in helpers):
        return False
    return bool(modules) or bool(helpers) or not test.name.startswith("test_")


def _is_private_helper(helper: Path) -> bool:
    return any(_owner(helper, line)[0] is None for _, line in _private_uses(helper))


def _helpers(root: Path, test: Path) -> Iterator[Path]:
    for node in ast.walk(ast.parse(test.read_bytes())):
        if not isinstance(node, ast.ImportFrom):
            continue
        if node.level:
            base = test.parents[node.level - 1]
        elif node.module is not None and node.module.split(".")[0] == "tests":
            base = root
        else:
            continue
        module = base.joinpath(*(node.module or "").split("."))
        for path in (module.with_suffix(".py"), *(module / f"{alias.name}.py" for alias in node.names)):
            if path.is_file():
                yield path


def _private_uses(test: Path) -> Iterator[tuple[str, int]]:
    """Yield each private name of somebody else that a file uses, and the line."""
    tree = ast.parse(test.read_bytes())
    own = _own_names(tree)
    for node in ast.walk(tree):
        for name in _names(node):
            if _is_private(name) and name not in own:
                yield name, getattr(node, "lineno", 0)


def _names(node: ast.AST) -> Iterator[str]:
    match node:
        case ast.Attribute(value=ast.Name(id="self" | "cls")):
            return
        case ast.Attribute(attr=name) | ast.keyword(arg=str(name)):
            yield name
        case ast.FunctionDef(name=name) if name in _HOOKS:
            yield name
        case ast.ImportFrom(level=0, module=str(module)) if module.split(".")[0] == "agents":
            yield from (f"{module}.{alias.name}" for alias in node.names)
        case ast.Import():
            yield from (alias.name for alias in node.names if alias.name.split(".")[0] == "agents")
        case ast.Constant(value=str(key)) if key in _STATE_KEYS:
            yield key
        case ast.Call(func=ast.Name(id=called) | ast.Attribute(attr=called)) if called in _PROBES:
            yield from (one.value for one in node.args[:2] if _is_name(one))


def _is_name(argument: ast.expr) -> bool:
    return isinstance(argument, ast.Constant) and isinstance(argument.value, str)


def _is_private(name: str) -> bool:
    parts = name.split(".")
    if name in _STATE_KEYS or any(name == one or name.startswith(f"{one}.") for one in INTERNAL):
        return True
    return "run_internal" in parts or any(part.startswith("_") and not part.endswith("__") for part in parts)


def _own_names(tree: ast.Module) -> set[str]:
    """Return the private names that a file itself makes."""
    own = set()
    for node in ast.walk(tree):
        match node:
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                own.add(name)
            case (
                ast.Attribute(value=ast.Name(id="self"), attr=name, ctx=ast.Store())
                | ast.Name(id=name, ctx=ast.Store())
            ):
                own.add(name)
    return own - _HOOKS


def _owner(test: Path, line: int) -> tuple[str | None, int]:
    """Return the test around a line, as the end of its node id; None where other code is there."""
    for node in ast.parse(test.read_bytes()).body:
        inner = node.body if isinstance(node, ast.ClassDef) and node.name.startswith("Test") else [node]
        for one in inner:
            is_test = isinstance(one, ast.FunctionDef | ast.AsyncFunctionDef) and one.name.startswith("test_")
            if is_test and one.lineno <= line <= (one.end_lineno or line):
                return (one.name if one is node else f"{node.name}::{one.name}"), line
    return None, line
