"""The public names: what checkers see, what is looked up, and what is there are one list."""

import ast
import importlib
from pathlib import Path

import pytest

import agentctl

PACKAGE = Path(agentctl.__file__).parent
FACADES = ("agentctl", "agentctl.models", "agentctl.testing", "agentctl.tickets", "agentctl.tracing")


def seen_by_checkers(name: str) -> set[str]:
    source = PACKAGE.joinpath(*name.split(".")[1:], "__init__.py").read_text(encoding="utf-8")
    block = next(
        node for node in ast.parse(source).body if isinstance(node, ast.If) and isinstance(node.test, ast.Name)
    )
    imports = [alias for node in block.body if isinstance(node, ast.ImportFrom) for alias in node.names]
    assert all(alias.asname == alias.name for alias in imports)
    return {alias.name for alias in imports}


@pytest.mark.parametrize("name", FACADES)
def test_every_public_name_resolves_and_checkers_see_it(name: str) -> None:
    module = importlib.import_module(name)
    assert seen_by_checkers(name) == set(module.__all__) == set(dir(module))
    for public in module.__all__:
        assert getattr(module, public) is not None


def test_a_name_that_is_not_there_says_so() -> None:
    with pytest.raises(AttributeError, match="module 'agentctl' has no attribute 'Agnet'"):
        _ = agentctl.Agnet  # type: ignore[attr-defined]
