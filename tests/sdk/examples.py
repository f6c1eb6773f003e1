"""Runs the SDK's examples in scope on both sides: imports each, then runs it against the fake service."""

import ast
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.sdk.selection import OUT_OF_SCOPE
from tests.sdk.sides import Ended, run
from tests.sdk.surface import imported_by_examples
from tests.service.client import Service

_IMPORT = "import importlib, sys; importlib.import_module(sys.argv[1])"
_TIMEOUT = 20.0
_OTHER_STORES = ("redis", "dapr", "mongodb", "sqlalchemy", "encrypted_session", "advanced_sqlite")
_NOT_OURS = (*OUT_OF_SCOPE, *_OTHER_STORES, "codex", "hosted_multi_agent")


def in_scope(root: Path) -> list[Path]:
    """Return the example files that use what is in scope."""
    found = [path for path in sorted((root / "examples").rglob("*.py")) if imported_by_examples([path])]
    return [path for path in found if not _is_out_of_scope(path.relative_to(root), path)]


def compare(python: str, root: Path, service: Service, workers: int) -> Iterator[tuple[str, str, Ended, Ended]]:
    """Yield of each example and way (`import`, `run`) how it ended with the SDK and with ours."""
    jobs = [(path, way) for path in in_scope(root) for way in ("import", "run")]
    jobs = [(path, way) for path, way in jobs if way == "import" or _is_program(path)]

    def pair(job: tuple[Path, str]) -> tuple[str, str, Ended, Ended]:
        path, way = job
        name = ".".join(path.relative_to(root).with_suffix("").parts)
        command = [python, "-c", _IMPORT, name] if way == "import" else [python, "-m", name]
        theirs, ours = (_ended(command, side, root, service) for side in ("sdk", "ours"))
        return name, way, theirs, ours

    with ThreadPoolExecutor(max(1, workers)) as pool:
        yield from pool.map(pair, jobs)


def _ended(command: list[str], side: str, root: Path, service: Service) -> Ended:
    extra = {
        "OPENAI_API_KEY": "sk-examples",
        "OPENAI_BASE_URL": service.base_url,
        "OPENAI_WEBSOCKET_BASE_URL": service.websocket_base_url,
        "OPENAI_AGENTS_DISABLE_TRACING": "1",
        "EXAMPLES_INTERACTIVE_MODE": "auto",
        "EXAMPLE_BASE_URL": service.base_url,
        "EXAMPLE_API_KEY": "sk-examples",
        "EXAMPLE_MODEL_NAME": "gpt-5",
    }
    return run(command, side=side, folder=root, timeout=_TIMEOUT, extra=extra)


def _is_program(path: Path) -> bool:
    tree = ast.parse(path.read_bytes())
    return any(isinstance(node, ast.If) and "__main__" in ast.dump(node.test) for node in tree.body)


def _is_out_of_scope(where: Path, path: Path) -> bool:
    names = (where.as_posix(), *imported_by_examples([path]))
    if any(word in name for word in _NOT_OURS for name in names):
        return True
    named = {alias.name for node in ast.walk(ast.parse(path.read_bytes())) if isinstance(node, ast.ImportFrom)
             for alias in node.names}  # fmt: skip
    return any(name.startswith(("Computer", "ProgrammaticTool", "Litellm", "LitellmModel")) for name in named)
