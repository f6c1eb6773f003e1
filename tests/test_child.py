"""Child processes: their environment, and that none is left behind, however this process ends."""

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from agentctl.child import ChildProtocol, child_environment, kill_child, signal_group, start_child


@pytest.fixture
def lifeline(tmp_path: Path) -> Path:
    """A named pipe: its reader sees end of file once no writer is alive."""
    path = tmp_path / "lifeline"
    os.mkfifo(path)
    return path


def test_a_child_gets_what_finds_programs_the_language_and_what_is_named() -> None:
    environ = {
        "PATH": "p",
        "Path": "w",
        "HOME": "h",
        "LANG": "l",
        "LC_ALL": "c",
        "XDG_A": "x",
        "OPENAI_API_KEY": "k",
        "A": "a",
    }
    assert child_environment(environ) == {"PATH": "p", "Path": "w", "HOME": "h", "LANG": "l", "LC_ALL": "c"}
    named = child_environment(environ, names=["A"], prefixes=("XDG_",))
    assert named.keys() - child_environment(environ).keys() == {"A", "XDG_A"}


def test_a_child_has_a_group_of_its_own_and_ends_with_it(lifeline: Path) -> None:
    async def scenario() -> None:
        script = f"(exec sleep 600) 3> {lifeline} & exec sleep 600 3> {lifeline}"
        transport, child = await start_child(
            ChildProtocol, ["sh", "-c", script], environ=child_environment(os.environ), folder="/"
        )
        with await asyncio.to_thread(lifeline.open, "rb") as reader:
            assert os.getpgid(transport.get_pid()) == transport.get_pid() != os.getpgid(0)
            await kill_child(transport, child)
            assert await asyncio.to_thread(reader.read) == b""
        assert transport.get_returncode() == -signal.SIGKILL
        signal_group(transport, signal.SIGKILL)

    asyncio.run(scenario())


def test_a_program_that_is_not_there_is_an_error() -> None:
    async def scenario() -> None:
        with pytest.raises(FileNotFoundError):
            await start_child(ChildProtocol, ["no-such-program-anywhere"], environ={}, folder="/")

    asyncio.run(scenario())


def test_who_is_cancelled_while_it_starts_leaves_none_behind(lifeline: Path) -> None:
    async def scenario() -> None:
        command = ["sh", "-c", f"exec sleep 600 3> {lifeline}"]
        starting = asyncio.create_task(
            start_child(ChildProtocol, command, environ=child_environment(os.environ), folder="/")
        )
        await asyncio.sleep(0)
        starting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await starting

    with open(os.open(lifeline, os.O_RDONLY | os.O_NONBLOCK), "rb") as reader:
        asyncio.run(scenario())
        os.set_blocking(reader.fileno(), True)
        assert reader.read() == b""


HOLDER = """
import asyncio, os, signal, sys
from agentctl.child import ChildProtocol, child_environment, start_child
from agentctl.cli.signals import exit_now, handle_signals

async def main():
    handle_signals(exit_now)
    script = "trap '' TERM; " + sys.argv[1]
    await start_child(ChildProtocol, ["sh", "-c", script], environ=child_environment(os.environ), folder="/")
    print("started", flush=True)
    await asyncio.sleep(600)

asyncio.run(main())
"""


def test_a_process_that_leaves_at_once_takes_its_children_along(lifeline: Path) -> None:
    script = f"exec 3> {lifeline}; while :; do sleep 0.05; done"
    process = subprocess.Popen([sys.executable, "-c", HOLDER, script], stdout=subprocess.PIPE)
    with process, lifeline.open("rb") as reader:
        assert process.stdout is not None
        assert process.stdout.readline() == b"started\n"
        process.send_signal(signal.SIGTERM)
        assert process.wait() == 143
        assert reader.read() == b""


def test_after_a_kill_of_ours_a_child_finds_stdin_closed_and_its_output_going_nowhere(lifeline: Path) -> None:
    script = f"exec 3> {lifeline}; cat; while echo more; do sleep 0.05; done"
    process = subprocess.Popen([sys.executable, "-c", HOLDER, script])
    with lifeline.open("rb") as reader:
        process.kill()
        process.wait()
        assert reader.read() == b""
