"""Names for the tools of MCP servers: legal, no longer than they may be, each one's own."""

from hypothesis import given
from hypothesis import strategies as st

from agentctl.agent.mcp.tools import MAX_NAME_LENGTH, prefixed_names


def test_names_tell_the_server() -> None:
    assert prefixed_names([("git", "log"), ("my server!", "-do it-"), ("!", "?")], set()) == [
        "mcp_git__log",
        "mcp_my_server__do_it",
        "mcp_server__tool",
    ]


def test_a_name_that_is_too_long_or_taken_ends_with_a_digest_of_its_own() -> None:
    long, taken, one, two = prefixed_names(
        [("s", "t" * 100), ("s", "taken"), ("a b", "t"), ("a/b", "t")], {"mcp_s__taken"}
    )
    assert len(long) == MAX_NAME_LENGTH
    assert taken.startswith("mcp_s__taken_")
    assert one.startswith("mcp_a_b__t_")
    assert one != two
    assert prefixed_names([("a/b", "t"), ("a b", "t")], set()) == [two, one]


NAMES = st.text(alphabet="ab-_ ä", max_size=3)


@given(st.lists(st.tuples(NAMES, NAMES), max_size=8), st.sets(st.sampled_from(["mcp_a__b", "mcp_server__tool"])))
def test_no_two_names_are_the_same(tools: list[tuple[str, str]], reserved: set[str]) -> None:
    names = prefixed_names(tools, reserved)
    assert len({*names, *reserved}) == len(names) + len(reserved)
    assert all(name.isascii() and len(name) <= MAX_NAME_LENGTH for name in names)
