"""Whole screens at 40, 80 and 200 columns, compared with the files in `screens`, which a person has looked at.

`UPDATE_SCREENS=1` writes them anew: look at each before it is committed.
"""

import os
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from agentctl.render.escape import columns
from tests.cli.terminal import Terminal
from tests.cli.test_screen import AGENTS, ANSWER, Tmux
from tests.service.client import Service
from tests.service.steps import text, tool_calls

SCREENS = Path(__file__).parent / "screens"
NOTE = '''
@function_tool(needs_approval=True)
def note(word: str, importance: int = 1) -> str:
    """Notes a word."""
    return "noted"

scribe = Agent("scribe", tools=[note])
'''
DIFF = "\n```diff\n@@ -1 +1 @@\n-old line\n+new line\n```\n"
_VARYING = (
    (re.compile(r"\d+\.\d s\b"), "N s"),
    (re.compile(r"\btk_[0-9a-f]{16}\b"), "tk_0123456789abcdef"),
    (re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d"), "2026-01-02 03:04"),
    (re.compile(r"127\.0\.0\.1:\d+"), "127.0.0.1:12345"),
)

Env = dict[str, str]


@pytest.fixture
def env(service: Service, home: Path, monkeypatch: pytest.MonkeyPatch) -> Env:
    """The variables of a process that uses the fake service, in a folder with agents."""
    (home / "rivers.py").write_text(AGENTS + NOTE)
    monkeypatch.chdir(home)
    return {"OPENAI_API_KEY": "sk-canary-screen-1234", "OPENAI_BASE_URL": service.base_url, "AGENTCTL_MODEL": "gpt-x"}


def show(*arguments: str, env: Env, width: int, answers: tuple[tuple[str, str], ...] = ()) -> str:
    """Return what a command shows, given the answers to what it asks."""
    with Terminal(*arguments, env=env, columns=width) as terminal:
        for question, keys in answers:
            terminal.read_until(question)
            terminal.type(keys)
        terminal.end()
        return terminal.text


def stream(service: Service, env: Env, width: int, _: Path) -> str:
    service.script(
        tool_calls(("look_up", {"river": "Danube"}), ("fail", {})),
        tool_calls(("transfer_to_poet", {})),
        text(ANSWER + DIFF, deltas=200),
    )
    return show("stream", "-a", "rivers.py:guide", "hi", env=env, width=width)


def run(service: Service, env: Env, width: int, _: Path) -> str:
    service.script(text(ANSWER))
    return show("run", "-a", "rivers.py:poet", "hi", env=env, width=width)


def approvals(service: Service, env: Env, width: int, _: Path) -> str:
    one, two = tool_calls(("note", {"word": "one", "importance": 2}, "c1")), tool_calls(("note", {"word": "two"}, "c2"))
    service.script(one, two, text("All noted."), two)
    answers = (
        ("[r]eason: ", "a"),
        ("word: two\nAllow? [y]es, [n]o, [a]lways, [r]eason: ", "r"),
        ("Reason: ", "Not today.\n"),
    )
    asked = show("run", "-a", "rivers.py:scribe", "hi", env=env, width=width, answers=answers)
    suspended = show("run", "--on-approval", "suspend", "-a", "rivers.py:scribe", "hi", env=env, width=width)
    return f"{asked}\n{suspended}\n{show('approvals', 'list', env=env, width=width)}"


def lists(service: Service, env: Env, width: int, _: Path) -> str:
    service.script(text("It is long."))
    show("run", "--session", "trip", "How long is the Danube, which rises in the Black Forest?", env=env, width=200)
    commands = (
        ["sessions", "list"],
        ["config", "client"],
        ["models", "list", "--local"],
        ["agents", "list", "rivers.py"],
    )
    return "\n".join(show(*command, env=env, width=width) for command in commands)


def errors(service: Service, env: Env, width: int, _: Path) -> str:
    commands = (
        ["run", "what", "is", "this"],
        ["config", "set", "max_turn", "5"],
        ["--profile", "nope", "run", "hi"],
    )
    shown = [show(*command, env=env, width=width) for command in commands]
    return "\n".join([*shown, show("run", "hi", env={**env, "OPENAI_API_KEY": ""}, width=width)])


def chat(service: Service, env: Env, width: int, folder: Path) -> str:
    service.script(text("First answer, with **bold** words and more words that have to be wrapped somewhere."))
    variables = {**env, "AGENTCTL_HOME": os.environ["AGENTCTL_HOME"], "HOME": os.environ["HOME"]}
    options = ("-a", "rivers.py:poet", "--session", "trip")
    with Tmux("chat", *options, env=variables, socket=folder / "tmux", width=width) as terminal:
        terminal.wait_for("session trip, new\n\n>\n")
        terminal.type("hello there", "Enter")
        terminal.wait_for("N s\n\n>\n")
        terminal.type("/modle", "Enter")
        terminal.wait_for("model?\n\n>\n")
        terminal.type("C-d")
        return terminal.screen()


SCENES: tuple[Callable[[Service, Env, int, Path], str], ...] = (run, stream, chat, approvals, errors, lists)


@pytest.mark.parametrize("width", [40, 80, 200])
@pytest.mark.parametrize("scene", SCENES, ids=lambda scene: scene.__name__)
def test_a_screen_is_as_it_was_looked_at(
    scene: Callable[[Service, Env, int, Path], str], width: int, service: Service, env: Env, tmp_path: Path
) -> None:
    if scene is chat and shutil.which("tmux") is None:
        pytest.skip("tmux is not installed")
    shown = scene(service, env, width, tmp_path)
    for pattern, constant in _VARYING:
        shown = pattern.sub(constant, shown)
    path = SCREENS / f"{scene.__name__}-{width}.txt"
    if os.environ.get("UPDATE_SCREENS"):
        path.write_text(shown, encoding="utf-8")
    assert shown == path.read_text(encoding="utf-8")
    # The question takes all of 40 columns, and the terminal puts the answer below it.
    assert max(columns(line) for line in shown.splitlines() if not line.startswith("Allow? ")) <= width


@pytest.mark.parametrize("width", [40, 80, 200])
def test_the_lines_of_a_check_up_fit_the_screen(width: int, env: Env) -> None:
    lines = show("doctor", env={**env, "OPENAI_BASE_URL": "http://127.0.0.1:9/v1"}, width=width).splitlines()
    too_long = [line for line in lines if columns(line) > width and max(map(len, line.split("/"))) < width]
    assert too_long == []
