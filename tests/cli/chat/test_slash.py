"""How a slash command is told from a message."""

import pytest

from agentctl.cli.chat.slash import COMMANDS, SlashCommand, help_text, parse, unknown_command


@pytest.mark.parametrize(
    ("text", "meaning"),
    [
        ("/help", SlashCommand("help", "")),
        ("  /QUIT \n", SlashCommand("quit", "")),
        ("/model  gpt-y ", SlashCommand("model", "gpt-y")),
        ("/agent some file.py:a", SlashCommand("agent", "some file.py:a")),
        ("/", SlashCommand("", "")),
        ("/etc/hosts is what?", "/etc/hosts is what?"),
        ("//help", "/help"),
        ("what is /help", "what is /help"),
        ("1/2", "1/2"),
    ],
)
def test_a_line_is_a_command_or_a_message(text: str, meaning: SlashCommand | str) -> None:
    assert parse(text) == meaning


def test_the_help_names_every_command_and_the_keys_where_there_are_some() -> None:
    assert all(f"/{row.name}" in help_text(with_keys=False) for row in COMMANDS)
    assert "Alt+Enter" in help_text(with_keys=True)
    assert "Alt+Enter" not in help_text(with_keys=False)


def test_an_unknown_command_is_told_with_the_nearest() -> None:
    assert unknown_command("quti") == "unknown command /quti; did you mean /quit?"
    assert unknown_command("xyzzy") == "unknown command /xyzzy; /help lists the commands"


def test_the_help_stays_within_its_columns() -> None:
    lines = help_text(with_keys=True, max_width=40).splitlines()
    assert max(map(len, lines)) <= 40
    assert lines[:2] == ["/agent [REF]       show or change the", "                   agent"]
