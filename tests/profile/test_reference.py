"""How an agent is named."""

import pytest

from agentctl.profile.reference import FileReference, ModuleReference, NameReference, Reference, parse_reference


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("agents/a.py:agent", FileReference(path="agents/a.py", attribute="agent")),
        ("C:\\agents\\a.py:agent", FileReference(path="C:\\agents\\a.py", attribute="agent")),
        ("a b.py:team.agent", FileReference(path="a b.py", attribute="team.agent")),
        ("package.module:agent", ModuleReference(module="package.module", attribute="agent")),
        ("agents/a.py", FileReference(path="agents/a.py", attribute=None)),
        ("a.py:", FileReference(path="a.py", attribute=None)),
        ("package.module", ModuleReference(module="package.module", attribute=None)),
        ("code-reviewer_2", NameReference(name="code-reviewer_2")),
    ],
)
def test_a_reference_is_a_file_a_module_or_a_name(text: str, expected: Reference) -> None:
    assert parse_reference(text) == expected


@pytest.mark.parametrize("text", ["", ":", ":agent", "b/a.txt:agent", "a b", "-x", "a.py:b-c", "a/b"])
def test_anything_else_is_refused_with_what_to_write(text: str) -> None:
    with pytest.raises(ValueError, match=r"write|for example"):
        parse_reference(text)
