"""What a person sees: every command on a real terminal, narrow and wide, compared whole."""

import os
import re
import shlex
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, Self

import pytest
import typer

from agentctl.cli.app import COMMANDS, command, load_command
from agentctl.cli.invocation import Invocation
from agentctl.render.escape import columns
from tests.cli.terminal import AGENTCTL, Terminal
from tests.service.client import Service
from tests.service.steps import hang, text, tool_calls

AGENTS = '''
from typing import Literal
from agentctl import Agent, GuardrailFunctionOutput, function_tool, input_guardrail

@function_tool
def look_up(river: str, unit: Literal["km", "mi"] = "km") -> str:
    """Looks up how long a river is.

    Args:
        river: Its name in English, as a map of the world has it.
    """
    return "2,850 km"

@function_tool
def fail() -> str:
    """Fails."""
    raise ValueError("no such river")

@input_guardrail
def polite(context, agent, input):
    return GuardrailFunctionOutput(None, tripwire_triggered="rude" in str(input))

poet = Agent("Poet", instructions="Answer in verse.", handoff_description="Knows every river by heart.")
guide = Agent(
    "Guide",
    instructions="Be brief.\\nName your sources, and hand over to the poet what cannot be looked up anywhere.",
    model="gpt-guide",
    tools=[look_up, fail],
    handoffs=[poet],
    input_guardrails=[polite],
)
'''
ANSWER = """\
# Rivers of Europe

The **Danube** (*Donau*) is `2,850 km` long, see [the map](https://example.org/danube) or <https://example.org>.

| River | Length | 源流 |
|:------|-------:|:-----|
| Danube | 2,850 | 黒い森 |
| Rhine | 1,233 | アルプス |

1. First, measure:
   - the *source*
   - the **mouth**
2. Then divide.

> 水は低きに流れる。Water flows downhill, as everybody knows.

```python
def length(name: str) -> int:
    # kilometres
    return {"Danube": 2850}[name]
```

日本語の文章は単語の間に空白がないので、どこでも折り返すことができます。👍 Done.
"""


@pytest.fixture
def env(service: Service, home: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """The variables that point a process at the fake service; the folder is a project with agents."""
    (home / "rivers.py").write_text(AGENTS)
    (home / "agentctl.toml").write_text(
        'agent = "guide"\n[agents]\nguide = "rivers.py:guide"\npoet = "rivers.py:poet"\n'
    )
    monkeypatch.chdir(home)
    return {"OPENAI_API_KEY": "sk-canary-screen-1234", "OPENAI_BASE_URL": service.base_url, "AGENTCTL_MODEL": "gpt-x"}


def seen(*arguments: str, env: dict[str, str], width: int, code: int = 0) -> str:
    """Return what a command shows on a terminal, with `HOME` for the folder and `N s` for a time."""
    with Terminal(*arguments, env=env, columns=width) as terminal:
        assert terminal.end() == code, terminal.text
        shown = terminal.text.replace(str(Path.cwd()), "HOME").replace(env["OPENAI_BASE_URL"], "http://service/v1")
    return re.sub(r"\d+\.\d s\b", "N s", shown)


# Lists and tables


def test_the_agents_of_a_project(env: dict[str, str]) -> None:
    assert seen("agents", "list", env=env, width=200) == (
        "NAME   REFERENCE\n"
        "guide  rivers.py:guide  default\n"
        "poet   rivers.py:poet\n"
        "HOME/agentctl.toml is not trusted to run code; review it and the files that it names, then run "
        "`agentctl trust`\n"
    )
    assert seen("trust", "--yes", env=env, width=200) == (
        "HOME/agentctl.toml\n"
        "  agent guide: rivers.py:guide\n"
        "  agent poet: rivers.py:poet\n"
        "  file HOME/rivers.py\n"
        "trusted until one of these files changes\n"
    )
    assert seen("agents", "check", env=env, width=80) == (
        "ok       guide  loads as 'Guide', its tools: look_up, fail\n"
        "warning  guide  tool 'look_up' does not describe unit; document arguments in the\n"
        "                docstring, below `Args:`, in TOML with `description`\n"
        "ok       poet   loads as 'Poet', its tools: none\n"
    )


def test_an_agent_and_what_it_is_made_of(env: dict[str, str]) -> None:
    assert (
        seen("agents", "show", "rivers.py:guide", env=env, width=40)
        == """\
name          Guide
model         gpt-guide
settings      -
output        text
guardrails    polite (input)
instructions  Be brief.
              Name your sources, and
              hand over to the poet what
              cannot be looked up
              anywhere.

tool look_up(river: string, unit: 'km' | 'mi')
  Looks up how long a river is.
  river  Its name in English, as a map
         of the world has it.

tool fail()
  Fails.

handoff to Poet, transfer_to_poet()
  Hand the conversation off to the agent
  Poet, which answers from then on.
  Knows every river by heart.
"""
    )


def test_settings_and_where_they_come_from(env: dict[str, str]) -> None:
    assert (
        seen("config", "client", env=env, width=80)
        == """\
KEY                        VALUE
client.base_url            http://service/v1
client.websocket_base_url  -
client.organization        -
client.project             -
client.request_timeout     600
client.ping_timeout        60
client.max_event_size      64
client.retries             2
client.ca_file             -
client.key                 -
"""
    )
    _, *lines = seen("config", "show", "--origin", env=env, width=120).splitlines()
    value = {line.split()[0]: line.find(line.split()[1]) for line in lines}
    origin = {line.rindex("  ") + 2 for line in lines if line.endswith(("built-in", "AGENTCTL_MODEL"))}
    assert (set(value.values()), len(origin)) == ({27}, 1)


def test_a_table_on_a_narrow_terminal(env: dict[str, str]) -> None:
    assert seen("explain-exit", env=env, width=60).splitlines()[3:9] == [
        "  65  invalid_output  The response violates the protocol, or",
        "                      does not match the output type of the",
        "                      run; or `events check` found a line",
        "                      that breaks the schema.",
        "  69  rejected        The service rejected the request, and",
        "                      would reject it again: unknown model,",
    ]
    assert seen("explain-exit", "75", env=env, width=40) == (
        "75 unavailable\n"
        "Rate limit, overload, network or server\n"
        "error, or a broken stream, after all\n"
        "retries; or the session is in use.\n"
        "Try again later; `--retries` sets the\n"
        "number of retries.\n"
    )
    assert seen("models", "list", "--local", env=env, width=40) == (
        "local/smollm2  98 MB  missing\n    agentctl models pull smollm2\n"
    )


def test_what_fails_in_a_check_up_stands_out_in_aligned_columns(env: dict[str, str]) -> None:
    with Terminal("doctor", env={**env, "OPENAI_BASE_URL": "http://127.0.0.1:9/v1"}) as terminal:
        assert terminal.end() == 75
        lines = terminal.text.splitlines()
        colors = set(re.findall("\x1b\\[([\\d;]+)m(.*?)\x1b\\[0m", terminal.raw))
    assert colors == {("32", "ok"), ("33", "warning"), ("1;31", "failure")}
    assert {line[:9].strip() for line in lines} == {"ok", "warning", "failure", ""}
    assert "failure  endpoint      cannot connect to 127.0.0.1:9: connection refused; check" in lines
    assert all(line[21:23] == "  " and line[23] != " " for line in lines), lines


# Help


def commands() -> Iterator[tuple[str, ...]]:
    """Yield every command and group by its words."""
    yield ()
    pending: list[tuple[tuple[str, ...], Any]] = [((name,), load_command(name)) for name in COMMANDS]
    while pending:
        words, found = pending.pop()
        yield words
        pending += [((*words, name), below) for name, below in getattr(found, "commands", {}).items()]


@pytest.mark.parametrize("width", [40, 80, 120])
def test_every_help_fits_the_terminal_and_begins_with_an_example(
    width: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    for words in commands():
        root = command()
        with suppress(typer.Exit), root.make_context("agentctl", [*words, "--help"], obj=Invocation()) as context:
            root.invoke(context)
        lines = capsys.readouterr().out.splitlines()
        if words != ("completions",) or width >= 80:  # It names files, which stay whole.
            assert max(map(columns, lines)) <= min(width, 80), words
        example = next(line for line in lines if line.startswith("  Example: "))
        assert example.startswith(f"  Example: {' '.join(('agentctl', *words))}"[: width - 12]), words
        if width >= 80:
            assert lines[lines.index(example) + 1] == "", f"{words}: an example in one line can be copied"


# Runs

TOLD = """\
→ look_up {"river": "Danube"}
→ fail {}
← look_up 2,850 km
✗ fail Error: ValueError: no such river
⇒ Poet takes over

"""
NARROW = """\
Rivers of Europe

The Danube (Donau) is 2,850 km long, see
the map (https://example.org/danube) or
https://example.org.

River    Length   源流
──────────────────────────
Danube    2,850   黒い森
Rhine     1,233   アルプス

1. First, measure:
   • the source
   • the mouth
2. Then divide.

│ 水は低きに流れる。Water flows
│ downhill, as everybody knows.

  def length(name: str) -> int:
      # kilometres
      return {"Danube": 2850}[name]

日本語の文章は単語の間に空白がないので、
どこでも折り返すことができます。👍 Done.
"""
WIDE = (
    NARROW.replace("see\nthe", "see the").replace("flows\n│ downhill", "flows downhill").replace("ので、\n", "ので、")
)


@pytest.mark.parametrize(("width", "answer"), [(40, NARROW), (80, WIDE)])
@pytest.mark.parametrize("command", ["run", "stream"])
def test_an_answer_with_everything_in_it(
    command: str, width: int, answer: str, service: Service, env: dict[str, str]
) -> None:
    service.script(
        tool_calls(("look_up", {"river": "Danube"}), ("fail", {})),
        tool_calls(("transfer_to_poet", {})),
        text(ANSWER, deltas=200),
    )
    shown = seen(command, "-a", "rivers.py:guide", "hi", env=env, width=width)
    failed = "note: a tool call failed: fail Error: ValueError: no such river\n"
    failed = failed if width == 80 else failed.replace("fail Error: ", "fail Error:\n")
    assert shown == f"{TOLD if command == 'stream' else failed}{answer}\ngpt-x · 94 in, 137 out · N s\n"


def test_an_answer_has_one_accent_and_no_backgrounds_so_that_light_and_dark_terminals_do(
    service: Service, env: dict[str, str]
) -> None:
    service.script(tool_calls(("look_up", {"river": "Danube"})), text(ANSWER, deltas=200))
    with Terminal("stream", "-a", "rivers.py:guide", "hi", env=env) as terminal:
        assert terminal.end() == 0
        codes = {code for found in re.findall(r"\x1b\[([\d;]*)m", terminal.raw) for code in found.split(";")}
    bold, dim, italic, underlined, struck, accent = "1", "2", "3", "4", "9", "36"
    assert codes <= {"0", bold, dim, italic, underlined, struck, accent}
    assert {bold, dim, accent} <= codes


def test_nothing_that_was_shown_is_drawn_again(service: Service, env: dict[str, str]) -> None:
    service.script(text(ANSWER, deltas=200, delay=0.005))
    with Terminal("stream", "-a", "rivers.py:poet", "hi", env=env) as terminal:
        assert terminal.end() == 0
        live, _, answer = terminal.raw.rpartition("\r\x1b[K")
    assert set(re.findall(r"\x1b\[[\d;]*([A-Za-z])", answer)) == {"m"}
    assert "\r" not in answer.replace("\r\n", "")
    assert re.fullmatch("(\r\x1b\\[2m. waiting for gpt-x\x1b\\[0m\x1b\\[K)*", live)


def test_who_stopped_a_run_is_one_line(service: Service, env: dict[str, str]) -> None:
    service.script(text("Well, well."))
    assert seen("run", "-a", "rivers.py:guide", "rude", env=env, width=120, code=80) == (
        "error: input guardrail 'polite' stopped the run\nhint: change the input, or what the guardrail allows\n"
    )


def test_a_window_that_gets_narrower_in_the_middle_of_an_answer(service: Service, env: dict[str, str]) -> None:
    first = "The first paragraph is laid out for the eighty columns that the window had when it came."
    pieces = [f"{first}\n\n", *ANSWER.splitlines(keepends=True)]
    service.script(text("".join(pieces), deltas=pieces, delay=0.15))
    with Terminal("stream", "-a", "rivers.py:poet", "hi", env=env) as terminal:
        terminal.read_until("window had")
        terminal.resize(40)
        terminal.process.send_signal(signal.SIGWINCH)
        assert terminal.end() == 0
        shown = terminal.text
    begun, _, answer = shown.partition("Rivers of Europe\n")
    assert begun == f"{first[:-9]}\n{first[-8:]}\n\n"
    assert f"Rivers of Europe\n{answer}" == f"{NARROW}\n{shown.splitlines()[-1]}\n"


# A conversation


class Tmux:
    """A terminal that keeps its screen, as one at a desk does."""

    def __init__(self, *arguments: str, env: dict[str, str], socket: Path, width: int = 60, height: int = 40) -> None:
        self._command = ["tmux", "-S", str(socket), "-f", os.devnull]
        variables = [part for name, value in env.items() for part in ("-e", f"{name}={value}")]
        size = ("-x", str(width), "-y", str(height))
        self._tell("new-session", "-d", *size, *variables, shlex.join([*AGENTCTL, *arguments]))
        self._tell("set-option", "-g", "remain-on-exit", "on")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._tell("kill-server")

    def type(self, *keys: str) -> None:
        """Press keys, by their names where they have one."""
        self._tell("send-keys", *keys)

    def resize(self, width: int, height: int = 40) -> None:
        """Change the size of the window."""
        self._tell("resize-window", "-x", str(width), "-y", str(height))

    def screen(self) -> str:
        """Return what stands on the screen."""
        shown = self._tell("capture-pane", "-p", "-S", "-")
        return re.sub(r"\d+\.\d s\b", "N s", shown.rstrip("\n") + "\n")

    def wait_for(self, wanted: str, seconds: float = 20) -> str:
        """Return the screen once it ends with a text."""
        deadline = time.monotonic() + seconds
        while not (shown := self.screen()).endswith(wanted):
            assert time.monotonic() < deadline, shown
            time.sleep(0.05)
        return shown

    def _tell(self, *arguments: str) -> str:
        # Without `env` it would get COLUMNS from the readline of pytest's debugger, which `os.environ` does not have.
        done = subprocess.run(
            [*self._command, *arguments], env=os.environ, capture_output=True, check=True, encoding="utf-8"
        )
        return done.stdout


@pytest.mark.skipif(shutil.which("tmux") is None, reason="tmux keeps the screen")
def test_a_conversation_that_is_typed_resized_and_interrupted(
    service: Service, env: dict[str, str], tmp_path: Path
) -> None:
    service.script(
        text("Hello, **Ada**.\n\n- 東京 is a city.\n"),
        tool_calls(("look_up", {"river": "Danube"})),
        hang(after=9, of=text("First.\n\nSecond", deltas=["First.\n\n", "Second"])),
        text("Good."),
    )
    with Tmux("chat", "-a", "rivers.py:guide", env=env, socket=tmp_path / "tmux") as tmux:
        tmux.wait_for("leaves\n\n>\n")
        tmux.type("I am Ada", "Enter")
        tmux.wait_for("N s\n\n>\n")
        tmux.type("/model", "Enter")
        tmux.wait_for("gpt-x\n\n>\n")
        tmux.type("How long is the Danube?", "Enter")
        tmux.wait_for("First.\n")
        tmux.resize(40)
        tmux.type("C-c")
        tmux.wait_for("cancelled\n\n>\n")
        tmux.type("Well then", "Enter")
        shown = tmux.wait_for("N s\n\n>\n")
    assert (
        shown
        == """\
Guide · gpt-x · /help lists the commands
, Ctrl-D leaves

> I am Ada

Hello, Ada.

• 東京 is a city.

gpt-x · 24 in, 8 out · N s

> /model
model: gpt-x

> How long is the Danube?

→ look_up {"river": "Danube"}
← look_up 2,850 km

First.

Second
cancelled

> Well then

Good.

gpt-x · 52 in, 1 out · N s

>
"""
    )
