"""Dotted names, and the tables that they name."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from agentctl.profile.dotted import drop, join, leaves, nest, put, split

NAMES = st.lists(st.text(), min_size=1, max_size=4)
TABLES = st.recursive(
    st.integers() | st.text() | st.lists(st.integers(), max_size=2),
    lambda inner: st.dictionaries(st.text(max_size=3), inner, max_size=3),
)


@hypothesis_settings(deadline=None)
@given(NAMES)
def test_a_joined_name_splits_into_its_parts(parts: list[str]) -> None:
    assert split(join(parts)) == tuple(parts)


@pytest.mark.parametrize("name", ["", ".", "a.", ".a", "a..b", 'a"b', '"a', '"a"b', '"\\z"', 'a."b'])
def test_what_is_no_dotted_name_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="is not a dotted name"):
        split(name)


def test_a_quoted_part_may_hold_dots() -> None:
    assert split('settings.metadata."a.b"') == ("settings", "metadata", "a.b")
    assert join(("settings", "metadata", "a.b")) == 'settings.metadata."a.b"'


@hypothesis_settings(deadline=None)
@given(st.dictionaries(st.text(max_size=3), TABLES, max_size=3))
def test_leaves_nest_into_the_table_they_came_from(table: dict[str, Any]) -> None:
    assert nest(leaves(table)) == table


def test_a_value_replaces_what_is_no_table_on_its_way() -> None:
    table: dict[str, Any] = {"a": 1}
    put(table, ("a", "b"), 2)
    assert table == {"a": {"b": 2}}


def test_dropping_removes_tables_that_become_empty() -> None:
    table: dict[str, Any] = {"a": {"b": {"c": 1}}, "d": 2}
    assert drop(table, ("a", "b", "c"))
    assert table == {"d": 2}
    assert not drop(table, ("d", "e"))
    assert not drop(table, ("x",))
