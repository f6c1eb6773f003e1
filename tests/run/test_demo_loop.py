"""The demo loop as a process: over pipes, and on a real terminal."""

import signal
import subprocess
import sys

import pytest

from tests.cli.terminal import Terminal

PROGRAM = """
import asyncio, logging, sys
from agentctl import Agent, function_tool, run_demo_loop, set_tracing_disabled
from agentctl.testing import ScriptedModel, function_call

logging.getLogger("asyncio").setLevel(logging.ERROR)  # It warns of every step that takes a busy machine 0.1 s.
set_tracing_disabled(True)

@function_tool
def double(number: int) -> int:
    return number * 2

@function_tool(needs_approval=True)
def delete(name: str) -> str:
    return f"{name} is gone"

class Endless(ScriptedModel):
    async def stream(self, request):
        try:
            yield {"type": "response.created", "response": {}}
            yield {"type": "response.output_text.delta", "delta": "so far"}
            await asyncio.Event().wait()
        finally:
            print("\\nthe call ended", flush=True)

bee = Agent(name="Bee", model=ScriptedModel(["I am Bee.", "still Bee"]))
script = [
    "Hello there",
    [function_call("double", {"number": 4}, call_id="c1")],
    "It is 8.",
    [function_call("transfer_to_bee", {}, call_id="c2")],
]
if "approvals" in sys.argv:
    script = [[function_call("delete", {"name": name}, call_id=name) for name in ("this", "that")], "Done."]
model = Endless() if "endless" in sys.argv else ScriptedModel(script)
ay = Agent(name="Ay", tools=[double, delete], handoffs=[bee], model=model)
asyncio.run(run_demo_loop(ay, stream="whole" not in sys.argv))
print([[item.get("content", item.get("type")) for item in call.input] for call in bee.model.calls])
"""


def loop(lines: str, *options: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-X", "dev", "-c", PROGRAM, *options]
    return subprocess.run(command, input=lines, capture_output=True, text=True, timeout=60, check=False)


def test_answers_come_with_their_tools_and_agents() -> None:
    ended = loop("hi\n\n  \ndouble it\nask the bee\nand you?\nquit\nnever read\n")
    assert ended.stderr == ""
    assert ended.stdout.splitlines()[:-1] == [
        " > Hello there",
        ' >  >  > [tool: double {"number": 4}]',
        "[output: 8]",
        "It is 8.",
        " > [agent: Bee]",
        "I am Bee.",
        " > still Bee",
    ]
    assert ended.returncode == 0


def test_the_conversation_goes_on_with_the_agent_that_had_the_last_word() -> None:
    ended = loop("hi\ndouble it\nask the bee\nand you?\n Exit \n", "whole")
    calls = ended.stdout.splitlines()[-1].removeprefix(" > ")
    assert ended.stdout.splitlines()[:-1] == [" > Hello there", " > It is 8.", " > I am Bee.", " > still Bee"]
    assert calls.count("'hi'") == 2
    assert calls.count("'and you?'") == 1


@pytest.mark.parametrize("options", [("approvals",), ("approvals", "whole")])
def test_tool_calls_that_need_a_yes_are_asked_about(options: tuple[str, ...]) -> None:
    ended = loop("delete both\nYES\nno\nquit\n", *options)
    assert ended.stderr == ""
    questions = '[allow delete {"name": "this"}? y/n] [allow delete {"name": "that"}? y/n] '
    assert questions in ended.stdout
    assert "Done.\n" in ended.stdout
    if "whole" not in options:
        assert "[output: this is gone]" in ended.stdout
        assert "that is gone" not in ended.stdout


@pytest.mark.parametrize("lines", ["", "hi", "hi\n"])
def test_the_end_of_the_input_ends_it_quietly(lines: str) -> None:
    ended = loop(lines)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert ended.stdout.endswith(" > \n[]\n")


def test_what_a_run_raises_comes_out() -> None:
    ended = loop("hi\ndouble it\nask the bee\nand you?\nonce more\n")
    assert "UnexpectedModelCall" in ended.stderr
    assert ended.returncode == 1


def interrupted(process: "subprocess.Popen[str]", after: str) -> tuple[str, str]:
    """Send Ctrl-C once the output has that much, while stdin stays open, and return the rest."""
    assert process.stdout is not None
    seen = ""
    while not seen.endswith(after):
        character = process.stdout.read(1)
        assert character, f"the output ended: {seen!r}"
        seen += character
    process.send_signal(signal.SIGINT)
    assert process.wait(30) == 0
    assert process.stderr is not None
    return process.stdout.read(), process.stderr.read()


@pytest.mark.parametrize(
    ("lines", "after", "rest"), [("", " > ", "\n[]\n"), ("hi\n", "so far", "\nthe call ended\n\n\n[]\n")]
)
def test_ctrl_c_ends_it_quietly_and_the_model_call_with_it(lines: str, after: str, rest: str) -> None:
    command = [sys.executable, "-c", PROGRAM, "endless"]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(command, text=True, **pipes) as process:  # type: ignore[call-overload]
        try:
            process.stdin.write(lines)
            process.stdin.flush()
            assert interrupted(process, after) == (rest, "")
        finally:
            process.kill()


def test_on_a_terminal_ctrl_c_ends_it_quietly_too() -> None:
    with Terminal(env={}, program=(sys.executable, "-c", PROGRAM)) as terminal:
        terminal.read_until(" > ")
        terminal.type("hi\r")
        terminal.read_until("Hello there\n > ")
        terminal.type("\x03")
        assert terminal.end() == 0
        assert terminal.text.endswith("\n[]\n")
        assert "Traceback" not in terminal.text
