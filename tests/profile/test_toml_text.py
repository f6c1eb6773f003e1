"""Changes of a file of settings that keep a person's comments."""

import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentctl.profile.dotted import put, split
from agentctl.profile.store import set_values, unset_value
from agentctl.profile.toml_text import edit_text, has_comments

FILE = """\
# why: the big one is slow
profile = "work"

[profiles.default]
model = "m"  # keep
settings.temperature = 0.5 # "warm"

[profiles.work] # at the office
"max_turns" = 3

[profiles.work.client]
base_url = "https://x.example/#a"  # a '#' in a text
# the end
"""


def edited(text: str, **changes: Any) -> str | None:
    """Return the text with values set by dotted key; None removes one."""
    before, after = tomllib.loads(text), tomllib.loads(text)
    for name, value in changes.items():
        parts = ("profiles", *split(name))
        table = after
        for part in parts[:-1]:
            table = table.setdefault(part, {})
        if value is None:
            del table[parts[-1]]
        else:
            table[parts[-1]] = value
    return edit_text(text, before, after)


@pytest.mark.parametrize(
    ("changes", "old", "new"),
    [
        ({"default.model": "n"}, 'model = "m"  # keep', 'model = "n"  # keep'),
        ({"default.settings.temperature": 1}, 'temperature = 0.5 # "warm"', 'temperature = 1 # "warm"'),
        ({"default.max_turns": 4}, '# "warm"\n', '# "warm"\nmax_turns = 4\n'),
        ({"work.max_turns": None}, '"max_turns" = 3\n', ""),
        ({"work.client.base_url": "https://y"}, '"https://x.example/#a"  #', '"https://y"  #'),
        ({"work.client.retries": 1}, "in a text\n", "in a text\nretries = 1\n"),
        ({"default.client.retries": 1}, '# "warm"\n', '# "warm"\nclient.retries = 1\n'),
        ({"work.model": "a\nb"}, '"max_turns" = 3\n', '"max_turns" = 3\nmodel = "a\\nb"\n'),
        ({"new.model": "m"}, "# the end\n", '# the end\n\n[profiles.new]\nmodel = "m"\n'),
    ],
)
def test_only_the_lines_of_what_changes_change(changes: dict[str, Any], old: str, new: str) -> None:
    assert edited(FILE, **changes) == FILE.replace(old, new)


@pytest.mark.parametrize(
    "text",
    [
        "[profiles]\ndefault = { max_turns = 1 } # inline\n",
        "[profiles.default]\nmax_turns = 1\nsettings.response_include = [ # one\n  'a', # two\n]\n",
    ],
)
def test_what_takes_more_than_whole_lines_is_left_to_the_caller(text: str) -> None:
    assert edited(text, **{"default.settings": {"response_include": ["b"]}, "default.max_turns": 2}) is None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a = 1", False),
        ("# x", True),
        ("a = 1 # x", True),
        ('a = "#"', False),
        ("a = '#'", False),
        ('a = "\\"#"', False),
    ],
)
def test_a_comment_is_told_from_a_text(text: str, expected: bool) -> None:
    assert has_comments(text) is expected


def test_a_change_that_would_lose_comments_leaves_a_copy(tmp_path: Path) -> None:
    path, copies = tmp_path / "config.toml", []
    original = "[profiles]\ndefault = { max_turns = 1 } # inline\n"
    path.write_text(original)
    set_values(path, {"max_turns": 2}, on_copy=copies.append)
    assert tomllib.loads(path.read_text()) == {"profiles": {"default": {"max_turns": 2}}}
    assert [copy.read_text() for copy in copies] == [original]
    path.write_text(original)
    unset_value(path, "max_turns", on_copy=copies.append)
    assert sorted(each.name for each in tmp_path.glob("config.toml.bak*")) == ["config.toml.bak", "config.toml.bak1"]


VALUES = st.integers(-5, 5) | st.booleans() | st.text(max_size=8) | st.lists(st.integers(0, 3), max_size=2)
NAMES = st.sampled_from(["max_turns", "model", "client.retries", "settings.x", 'settings."a b"', "settings.y.z"])


@given(st.dictionaries(NAMES, VALUES), st.dictionaries(NAMES, VALUES), st.sampled_from(["", "# c\n", "\n\n# d\n"]))
def test_an_edited_text_says_what_it_should_or_is_refused(
    first: dict[str, Any], second: dict[str, Any], comment: str
) -> None:
    text = f'{comment}[profiles.default]  # x\nmodel = "m"\n'
    for changes in (first, second):
        before, after = tomllib.loads(text), tomllib.loads(text)
        for name, value in changes.items():
            put(after, ("profiles", "default", *split(name)), value)
        changed = edit_text(text, before, after)
        if changed is None:
            return
        assert tomllib.loads(changed) == after
        assert comment.strip() in changed
        assert "# x" in changed
        text = changed
