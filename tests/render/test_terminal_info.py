"""What streams are: colour by option, environment and stream; width by environment and terminal."""

import fcntl
import os
import pty
import struct
import termios
from collections.abc import Iterator

import pytest

from agentctl.render.terminal_info import ColorChoice, detect_terminal, is_color_wanted


@pytest.fixture
def terminal() -> Iterator[int]:
    leader, follower = pty.openpty()
    yield follower
    os.close(leader)
    os.close(follower)


def resize(terminal: int, columns: int) -> None:
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))


@pytest.mark.parametrize(
    ("choice", "environ", "on_terminal", "in_pipe"),
    [
        ("auto", {}, True, False),
        ("auto", {"NO_COLOR": "1"}, False, False),
        ("auto", {"NO_COLOR": ""}, True, False),
        ("auto", {"FORCE_COLOR": "1"}, True, True),
        ("auto", {"FORCE_COLOR": "0"}, False, False),
        ("auto", {"CLICOLOR_FORCE": "1"}, True, True),
        ("auto", {"CLICOLOR_FORCE": "0"}, True, False),
        ("auto", {"FORCE_COLOR": ""}, True, False),
        ("auto", {"FORCE_COLOR": "1", "NO_COLOR": "1"}, False, False),
        ("auto", {"TERM": "dumb"}, False, False),
        ("auto", {"TERM": "dumb", "FORCE_COLOR": "1"}, True, True),
        ("always", {"NO_COLOR": "1", "TERM": "dumb"}, True, True),
        ("never", {"FORCE_COLOR": "1"}, False, False),
    ],
)
def test_colour_follows_option_then_environment_then_stream(
    choice: ColorChoice, environ: dict[str, str], on_terminal: bool, in_pipe: bool
) -> None:
    assert is_color_wanted(choice, environ, is_terminal=True) is on_terminal
    assert is_color_wanted(choice, environ, is_terminal=False) is in_pipe


def test_each_stream_is_asked_for_itself(terminal: int) -> None:
    read, write = os.pipe()
    facts = detect_terminal("auto", {"TERM": "xterm"}, stdout=write, stderr=terminal)
    assert (facts.stdout_is_terminal, facts.stderr_is_terminal) == (False, True)
    assert (facts.color_stdout, facts.color_stderr) == (False, True)
    assert facts.live
    os.close(read)
    os.close(write)


def test_a_dumb_terminal_has_no_live_line(terminal: int) -> None:
    assert not detect_terminal("always", {"TERM": "dumb"}, stdout=terminal, stderr=terminal).live


def test_the_width_is_asked_again_each_time(terminal: int) -> None:
    width = detect_terminal("auto", {}, stdout=terminal, stderr=terminal).width
    resize(terminal, 40)
    assert width() == 40
    resize(terminal, 132)
    assert width() == 132


@pytest.mark.parametrize(("columns", "wanted"), [("50", 50), ("0", 80), ("wide", 80), ("3", 20), ("²", 80)])
def test_columns_of_the_environment_come_first(terminal: int, columns: str, wanted: int) -> None:
    resize(terminal, 0)
    assert detect_terminal("auto", {"COLUMNS": columns}, stdout=terminal, stderr=terminal).width() == wanted


def test_streams_that_are_closed_are_no_terminals() -> None:
    facts = detect_terminal("auto", {}, stdout=999, stderr=999)
    assert (facts.stdout_is_terminal, facts.stderr_is_terminal, facts.width()) == (False, False, 80)
