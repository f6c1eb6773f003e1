"""The rules of language that can be counted: names of functions, openings of docstrings, names of classes, words."""

import ast
import re
from collections import defaultdict
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

import agentctl

PACKAGE = Path(agentctl.__file__).parent
PROJECT = PACKAGE.parent
ROOMS = sorted({path.relative_to(PACKAGE).parts[0] for path in PACKAGE.rglob("*.py")})

IRREGULAR = frozenset({
    "begun", "bound", "built", "cut", "done", "drawn", "found", "given", "gone", "heard", "held", "kept", "known",
    "laid", "left", "lost", "made", "meant", "met", "paid", "put", "said", "seen", "sent", "shown", "shut", "spent",
    "taken", "thought", "told", "tried", "undone", "worn", "written",
})  # fmt: skip
"""Participles that do not end in `-ed`."""
NOT_PARTICIPLES = frozenset({"cut", "embed", "feed", "laid", "need", "put", "seed", "shut", "speed"})
"""Verbs and nouns that look like participles; `put`, `cut` and `shut` are imperatives too."""
PARTICLES = frozenset({"away", "back", "down", "in", "off", "on", "out", "over", "up"})
OPENING = re.compile(r"(What|Who|How|Where|Whether)\b")
WORDS = re.compile(r"\b(no|some|any)body(?:'s)?\b", re.IGNORECASE)


def is_participle(name: str) -> bool:
    """Return whether a name is a participle and nothing else: `told`, `_checked`, `taken_up`."""
    first, *rest = name.strip("_").split("_")
    if rest and not (len(rest) == 1 and rest[0] in PARTICLES):
        return False
    return first not in NOT_PARTICIPLES and (first.endswith("ed") or first in IRREGULAR)


@cache
def nodes_of(room: str) -> list[tuple[str, ast.AST]]:
    paths = [PACKAGE / room] if room.endswith(".py") else sorted((PACKAGE / room).rglob("*.py"))
    return [
        (str(path.relative_to(PACKAGE)), node)
        for path in paths
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
    ]


@pytest.mark.parametrize("room", ROOMS)
def test_no_function_is_named_by_a_bare_participle(room: str) -> None:
    assert [
        f"{path}: {node.name}"
        for path, node in nodes_of(room)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and is_participle(node.name)
    ] == []


@pytest.mark.parametrize("room", ROOMS)
def test_no_docstring_opens_with_a_question_word(room: str) -> None:
    kinds = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef
    docstrings = ((path, ast.get_docstring(node)) for path, node in nodes_of(room) if isinstance(node, kinds))
    assert [f"{path}: {text}" for path, text in docstrings if text and OPENING.match(text)] == []


def grammar_of(node: ast.AST) -> Iterator[str]:
    """Yield the places of an f-string where an article or a plural was written for a value that is not known."""
    if not isinstance(node, ast.JoinedStr):
        return
    for before, value in zip(["", *node.values], node.values, strict=False):
        names_type = isinstance(value, ast.FormattedValue) and "__name__" in ast.unparse(value.value)
        if names_type and isinstance(before, ast.Constant) and re.search(r"\ban? $", str(before.value)):
            yield ast.unparse(node)
    for value, after in zip(node.values, node.values[1:], strict=False):
        if isinstance(value, ast.FormattedValue) and isinstance(after, ast.Constant):
            is_number = value.format_spec is None and "len(" in ast.unparse(value.value)
            if is_number and re.match(r" (?:[a-z]+ )?(?!is\b|has\b|chars\b)[a-z]+s\b", str(after.value)):
                yield ast.unparse(node)


@pytest.mark.parametrize("room", ROOMS)
def test_articles_and_plurals_follow_their_values(room: str) -> None:
    assert [f"{path}: {text}" for path, node in nodes_of(room) for text in grammar_of(node)] == []


def test_each_class_name_occurs_once() -> None:
    places: dict[str, set[str]] = defaultdict(set)
    for room in ROOMS:
        for path, node in nodes_of(room):
            if isinstance(node, ast.ClassDef):
                places[node.name].add(path)
    assert {name: sorted(paths) for name, paths in places.items() if len(paths) > 1} == {}


def test_texts_name_a_role_and_not_somebody() -> None:
    texts = [*PACKAGE.rglob("*.py"), *PROJECT.glob("*.md"), *(PROJECT / "docs").glob("*.md")]
    found = []
    for path in sorted(texts):
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            if WORDS.search(line):
                found.append(f"{path.relative_to(PROJECT)}:{number}: {line.strip()}")
    assert found == []
