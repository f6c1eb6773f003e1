"""`run` and `stream` on a real terminal: what is drawn, typed and interrupted."""

import signal
from pathlib import Path

import pytest

from tests.cli.terminal import Terminal
from tests.service.client import Service
from tests.service.steps import hang, http_error, text, tool_calls

MARKDOWN = "# Rivers\n\nThe **Rhine** is long.\n\n- one\n- two\n"


@pytest.fixture
def env(service: Service, home: Path) -> dict[str, str]:
    return {"OPENAI_API_KEY": "sk-terminal", "OPENAI_BASE_URL": service.base_url}


@pytest.mark.parametrize("command", ["run", "stream"])
def test_markdown_is_rendered_on_a_terminal(command: str, service: Service, env: dict[str, str]) -> None:
    service.script(text(MARKDOWN, deltas=9))
    with Terminal(command, "-m", "gpt-x", "rivers?", env=env) as terminal:
        assert terminal.end() == 0
        assert "Rivers\n\nThe Rhine is long.\n\n• one\n• two\n" in terminal.text
        assert "\x1b[1m" in terminal.raw
        assert "gpt-x · " in terminal.text.splitlines()[-1]


def test_no_colour_means_none(service: Service, env: dict[str, str]) -> None:
    service.script(text(MARKDOWN))
    with Terminal("stream", "rivers?", env={**env, "NO_COLOR": "1"}) as terminal:
        assert terminal.end() == 0
        assert "\x1b[1m" not in terminal.raw
        assert "Rhine" in terminal.text


def test_a_dumb_terminal_gets_no_control_sequences(service: Service, env: dict[str, str]) -> None:
    service.script(text(MARKDOWN))
    with Terminal("stream", "rivers?", env={**env, "TERM": "dumb"}) as terminal:
        assert terminal.end() == 0
        assert "\x1b" not in terminal.raw


def test_control_characters_of_the_model_are_shown_escaped(service: Service, env: dict[str, str]) -> None:
    service.script(text("title \x1b]0;pwned\x07 and \x1b[2J and \u202egnp", deltas=5))
    with Terminal("stream", "-q", "hi", env=env) as terminal:
        assert terminal.end() == 0
        assert "\x1b]0" not in terminal.raw
        assert "\x1b[2J" not in terminal.raw
        assert "\u202e" not in terminal.raw
        assert "pwned" in terminal.text


def test_a_spinner_turns_until_there_is_something_to_show(service: Service, env: dict[str, str]) -> None:
    service.script(hang())
    with Terminal("stream", "-m", "gpt-x", "hi", env=env) as terminal:
        terminal.read_raw_until("waiting for gpt-x")
        terminal.type("\x03")
        assert terminal.end() == 130
        assert terminal.text.strip().splitlines()[-1] == "cancelled"


def test_ctrl_c_keeps_what_was_shown_and_says_so_on_its_own_line(service: Service, env: dict[str, str]) -> None:
    service.script(
        hang(after=6, of=text("The first line.\n\nThe second", deltas=["The first line.\n\n", "The second"]))
    )
    with Terminal("stream", "hi", env=env) as terminal:
        terminal.read_until("The first line.")
        terminal.type("\x03")
        assert terminal.end() == 130
        assert "The first line." in terminal.text
        assert "\ncancelled\n" in terminal.text


def test_a_resized_window_does_no_harm(service: Service, env: dict[str, str]) -> None:
    words = " ".join(f"word{number}" for number in range(40))
    service.script(text(f"{words}\n\n{words}", deltas=40, delay=0.01))
    with Terminal("stream", "-q", "hi", env=env, columns=100) as terminal:
        terminal.read_until("word5")
        terminal.resize(40)
        terminal.process.send_signal(signal.SIGWINCH)
        assert terminal.end() == 0
        assert terminal.text.split() == [*words.split(), *words.split()]


def test_tools_and_retries_are_compact_lines(service: Service, env: dict[str, str], home: Path) -> None:
    (home / "double.py").write_text(
        "from agentctl import Agent, function_tool\n\n"
        "@function_tool\ndef double(number: int) -> int:\n    return number * 2\n\n"
        "agent = Agent(name='a', tools=[double])\n"
    )
    service.script(
        http_error(503, "busy", {"Retry-After": "0"}), tool_calls(("double", {"number": 21})), text("It is 42.")
    )
    with Terminal("stream", "-a", f"{home}/double.py:agent", "21 twice?", env=env) as terminal:
        assert terminal.end() == 0
        lines = terminal.text.splitlines()
    assert any(line.startswith("note: ") for line in lines)
    assert '→ double {"number": 21}' in lines
    assert "← double 42" in lines
    assert "It is 42." in lines


def test_without_a_prompt_a_terminal_is_shown_the_usage(env: dict[str, str]) -> None:
    with Terminal("run", env=env) as terminal:
        assert terminal.end() == 2
        assert terminal.text.startswith("Usage: agentctl run")


def test_a_key_is_asked_for_without_showing_it(env: dict[str, str], home: Path) -> None:
    with Terminal("config", "set-key", env={}) as terminal:
        terminal.read_until(":")
        terminal.type("sk-typed-123456\n")
        assert terminal.end() == 0
        assert "sk-typed" not in terminal.raw
    assert "sk-typed-123456" in (home / ".agentctl" / "credentials.toml").read_text()
