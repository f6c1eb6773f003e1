"""The lines of keys in TOML texts."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from typing import Any

import tomli_w
from hypothesis import given, settings
from hypothesis import strategies as st

from agentctl.profile.toml_lines import KeyPath, lines_of

TEXT = '''# a comment with [brackets] and = signs
model = "m" # and another
[agents.reviewer]
instructions = """
[not.a.header]
key = 5 # no comment ""
"""
settings.reasoning.effort = "low"
tools = [
  "a", # one
  # two
  "b",
  { type = "web_search", filters = { allowed_domains = ["x.y",
    "z"] } },
  [ [1], [] ],
]

["tools"."a.b"] # quoted
command = ["git", "#"]
'it is' = 5

[[people]]
name = 1979-05-27 07:32:00
[[people]]
name = 'x'
  [[people.pets]]
  kind = "cat"
  [people.pets.food]
  amount = 1.5e3
'''


def paths_of(value: Any, path: KeyPath = ()) -> Iterator[KeyPath]:
    if path:
        yield path
    if isinstance(value, dict):
        for name, item in value.items():
            yield from paths_of(item, (*path, name))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from paths_of(item, (*path, index))


def test_every_key_has_the_line_that_it_is_on() -> None:
    lines = lines_of(TEXT.encode())
    assert set(lines) == set(paths_of(tomllib.loads(TEXT)))
    numbered = TEXT.split("\n")
    for path, line in lines.items():
        if isinstance(path[-1], str):
            assert path[-1] in numbered[line - 1], path
    assert lines["model",] == 2
    assert lines["agents",] == lines["agents", "reviewer"] == 3
    assert lines["agents", "reviewer", "settings", "reasoning", "effort"] == 8
    assert [lines["agents", "reviewer", "tools", index] for index in range(4)] == [10, 12, 13, 15]
    assert lines["agents", "reviewer", "tools", 2, "filters", "allowed_domains", 1] == 14
    assert lines["people", 1, "name"] == 25
    assert lines["people", 1, "pets", 0, "food"] == 28


NAMES = st.text(st.sampled_from("ab.-\"'\\#[]= é\n"), min_size=1, max_size=5)
VALUES = st.recursive(
    st.text(st.sampled_from("ab\"'\\#[]{}=,\n\t"), max_size=12) | st.integers() | st.booleans() | st.dates(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=12,
)


@settings(max_examples=150, deadline=None)
@given(st.dictionaries(NAMES, VALUES, max_size=4), st.booleans())
def test_every_key_of_any_document_is_found(document: dict[str, Any], multiline: bool) -> None:
    text = tomli_w.dumps(document, multiline_strings=multiline)
    assert set(lines_of(text.encode())) == set(paths_of(tomllib.loads(text)))
