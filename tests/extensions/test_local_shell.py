"""The shell executor, with real commands."""

import asyncio
import os
import sys
from pathlib import Path
from typing import Any

import pytest
from openai.types.responses.response_output_item import LocalShellCall

from agentctl import (
    LocalShellCommandRequest,
    RunContextWrapper,
    ShellActionRequest,
    ShellCallData,
    ShellCommandOutput,
    ShellCommandRequest,
    ShellResult,
    UserError,
)
from agentctl.extensions.local_shell import LocalShell, shorten
from agentctl.extensions.program import OutputTail
from agentctl.redaction import register_secret


def request(*commands: str, **action: Any) -> ShellCommandRequest:
    data = ShellCallData("call_1", ShellActionRequest(list(commands), **action))
    return ShellCommandRequest(RunContextWrapper(None), data)


def results(shell: LocalShell, *commands: str, **action: Any) -> list[ShellCommandOutput]:
    async def scenario() -> ShellResult:
        result = await shell(request(*commands, **action))
        assert asyncio.all_tasks() == {asyncio.current_task()}
        return result

    return asyncio.run(scenario()).output


def result(shell: LocalShell, command: str, **action: Any) -> ShellCommandOutput:
    (output,) = results(shell, command, **action)
    return output


@pytest.fixture
def lifeline(tmp_path: Path) -> Path:
    """A named pipe: its reader sees the end once nobody who opened it to write is alive."""
    path = tmp_path / "lifeline"
    os.mkfifo(path)
    return path


def test_commands_run_in_the_folder_one_after_the_other_each_in_a_new_shell(tmp_path: Path) -> None:
    first, second, third = results(
        LocalShell(tmp_path), "echo x > made; A=1; cd /", "pwd; cat made", "echo $A >&2; exit 3"
    )
    assert (first.stdout, first.exit_code, first.command) == ("", 0, "echo x > made; A=1; cd /")
    assert second.stdout == f"{os.path.realpath(tmp_path)}\nx\n"
    assert (third.stdout, third.stderr, third.exit_code, third.status) == ("", "\n", 3, "completed")


def test_a_command_that_a_signal_ends_says_so_as_a_shell_would(tmp_path: Path) -> None:
    assert result(LocalShell(tmp_path), "kill -KILL $$").exit_code == 137


def test_there_is_no_stdin_and_no_terminal(tmp_path: Path) -> None:
    assert result(LocalShell(tmp_path), "cat; test -t 1 || (: < /dev/tty) 2>/dev/null || echo none").stdout == "none\n"


def test_commands_get_what_finds_programs_and_what_is_named_and_no_key_of_ours(tmp_path: Path) -> None:
    register_secret("sk-in-another-variable")
    environ = {
        "PATH": os.environ["PATH"],
        "HOME": "/home/x",
        "LANG": "C",
        "LC_ALL": "C",
        "OPENAI_API_KEY": "sk-1",
        "AGENTCTL_API_KEY": "sk-2",
        "NAMED": "yes",
        "MY_KEY": "sk-in-another-variable",
        "OTHER": "no",
    }
    shell = LocalShell(tmp_path, variables=["NAMED", "MY_KEY"], environ=environ)
    said = result(shell, "env").stdout.splitlines()
    assert {line.partition("=")[0] for line in said} - {"PWD", "SHLVL", "_", "OLDPWD", "_COMMAND_OF_AN_AGENT"} == {
        "PATH",
        "HOME",
        "LANG",
        "LC_ALL",
        "NAMED",
    }


@pytest.mark.parametrize("name", ["OPENAI_API_KEY", "AGENTCTL_API_KEY", "openai_api_key"])
def test_a_key_of_ours_cannot_be_named(tmp_path: Path, name: str) -> None:
    with pytest.raises(UserError, match=name):
        LocalShell(tmp_path, variables=[name])


def test_what_is_no_folder_or_no_limit_is_an_error(tmp_path: Path) -> None:
    for wrong in (tmp_path / "none", __file__):
        with pytest.raises(UserError, match="no such folder"):
            LocalShell(wrong)
    for limits in ({"timeout": 0}, {"timeout": float("inf")}, {"max_output": 0}):
        with pytest.raises(UserError, match="above 0"):
            LocalShell(tmp_path, **limits)


def test_the_output_is_bounded_however_much_is_said_and_its_ends_are_kept(tmp_path: Path) -> None:
    shell = LocalShell(tmp_path, max_output=1000)
    said = result(shell, "echo first; yes 0123456789 | head -c 50000000; echo last; yes E | head -c 5000000 >&2")
    assert len(said.stdout) + len(said.stderr) <= 1000
    assert said.stdout.startswith("first\n")
    assert said.stdout.endswith("last\n")
    assert "omitted]" in said.stdout
    assert "omitted]" in said.stderr
    assert said.exit_code == 0


def test_the_model_may_want_less_and_gets_no_more_than_the_limit(tmp_path: Path) -> None:
    shell = LocalShell(tmp_path, max_output=100)
    for wanted, most in ((10, 10), (0, 0), (1000, 100)):
        outputs = results(shell, "yes | head -c 1000", "yes | head -c 1000 >&2", max_output_length=wanted)
        assert sum(len(output.stdout) + len(output.stderr) for output in outputs) == most


def test_bytes_that_are_no_text_do_no_harm(tmp_path: Path) -> None:
    assert result(LocalShell(tmp_path), "printf 'a\\377\\0b'").stdout == "a\ufffd\0b"


def test_the_time_of_a_call_is_limited_and_what_is_left_is_not_run(tmp_path: Path, lifeline: Path) -> None:
    # Without waiting for a writer: on a slow machine the time is over before there is one.
    with open(os.open(lifeline, os.O_RDONLY | os.O_NONBLOCK), "rb") as reader:
        slow = f"echo begun; (exec sleep 600) 3> {lifeline} & exec sleep 600"
        first, second, third = results(LocalShell(tmp_path), "true", slow, "touch ran", timeout_ms=500)
        os.set_blocking(reader.fileno(), True)
        assert reader.read() == b""
    assert (first.status, second.status, third.status) == ("completed", "timeout", "timeout")
    assert third.stderr == "not run: the time limit was exceeded"
    assert not (tmp_path / "ran").exists()


def test_the_model_cannot_lift_the_limit_of_time(tmp_path: Path) -> None:
    assert result(LocalShell(tmp_path, timeout=0.3), "sleep 600", timeout_ms=10_000_000).status == "timeout"


def test_one_that_does_not_end_when_asked_is_ended(tmp_path: Path) -> None:
    output = result(LocalShell(tmp_path, timeout=1.0), "trap 'echo asked' TERM; while :; do sleep 0.05; done")
    assert (output.stdout, output.status) == ("asked\n", "timeout")


def test_one_that_is_asked_may_tidy_up(tmp_path: Path) -> None:
    output = result(LocalShell(tmp_path, timeout=1.0), "trap 'echo tidy; exit' TERM; sleep 600 & wait")
    assert (output.stdout, output.status) == ("tidy\n", "timeout")


def test_what_a_command_leaves_behind_ends_with_it(tmp_path: Path, lifeline: Path) -> None:
    with open(os.open(lifeline, os.O_RDONLY | os.O_NONBLOCK), "rb") as reader:
        leave = f"sleep 600 3> {lifeline} & while ! test -e {tmp_path}/go; do touch {tmp_path}/go; done; echo left"
        assert result(LocalShell(tmp_path), leave).stdout == "left\n"
        os.set_blocking(reader.fileno(), True)
        assert reader.read() == b""


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere nothing tells whose process it was")
def test_a_daemon_ends_with_the_command_that_started_it(tmp_path: Path, lifeline: Path) -> None:
    daemon = (
        "import os, time\n"
        f"os.fork() and os._exit(0); os.setsid(); os.fork() and os._exit(0); os.open('{lifeline}', os.O_WRONLY)\n"
        f"open('{tmp_path}/there', 'w'); os.closerange(0, 3); time.sleep(600)"
    )
    (tmp_path / "daemon.py").write_text(daemon)
    with open(os.open(lifeline, os.O_RDONLY | os.O_NONBLOCK), "rb") as reader:
        command = f"{sys.executable} daemon.py; while ! test -e there; do sleep 0.01; done; echo started"
        assert result(LocalShell(tmp_path), command).stdout == "started\n"
        os.set_blocking(reader.fileno(), True)
        assert reader.read() == b""


def test_a_call_that_is_cancelled_leaves_nothing_running(tmp_path: Path, lifeline: Path) -> None:
    async def scenario() -> None:
        command = f"trap '' TERM; (exec sleep 600) 3> {lifeline} & exec sleep 600 3> {lifeline}"
        asking = asyncio.create_task(LocalShell(tmp_path)(request(command)))
        with await asyncio.to_thread(lifeline.open, "rb") as reader:
            asking.cancel()
            with pytest.raises(asyncio.CancelledError):
                await asking
            assert await asyncio.to_thread(reader.read) == b""

    asyncio.run(scenario())


def test_one_cancelled_twice_leaves_nothing_running(tmp_path: Path, lifeline: Path) -> None:
    async def scenario() -> None:
        command = f"trap '' TERM; exec 3> {lifeline}; while :; do sleep 0.05; done"
        asking = asyncio.create_task(LocalShell(tmp_path)(request(command)))
        with await asyncio.to_thread(lifeline.open, "rb") as reader:
            asking.cancel()
            await asyncio.sleep(0.05)
            asking.cancel()
            with pytest.raises(asyncio.CancelledError):
                await asking
            assert await asyncio.to_thread(reader.read) == b""

    asyncio.run(scenario())


def test_several_calls_run_at_the_same_time(tmp_path: Path) -> None:
    async def scenario() -> list[str]:
        os.mkfifo(tmp_path / "meet")
        shell = LocalShell(tmp_path)
        both = await asyncio.gather(shell(request("echo hello > meet")), shell(request("cat meet")))
        return [output.stdout for result in both for output in result.output]

    assert asyncio.run(scenario()) == ["", "hello\n"]


def local_request(**action: Any) -> LocalShellCommandRequest:
    call = {"type": "local_shell_call", "id": "l", "call_id": "c", "status": "completed"}
    item = LocalShellCall.model_validate({**call, "action": {"type": "exec", "env": {}, **action}})
    return LocalShellCommandRequest(RunContextWrapper(None), item)


def run_command(shell: LocalShell, **action: Any) -> str:
    return asyncio.run(shell.run_command(local_request(**action)))


def test_the_older_tool_gets_one_command_as_it_is_and_a_text(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    script = "import os, sys; print(os.environ['A'], os.getcwd()); sys.exit('bad')"
    said = run_command(
        LocalShell(tmp_path), command=[sys.executable, "-c", script], env={"A": "1"}, working_directory="sub"
    )
    assert said == f"1 {os.path.realpath(tmp_path)}/sub\n\nstderr:\nbad\nexit code: 1"
    assert run_command(LocalShell(tmp_path), command=["sleep", "600"], timeout_ms=100) == "status: timeout"


def test_the_older_tool_cannot_be_another_user(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="they cannot run as 'root'"):
        run_command(LocalShell(tmp_path), command=["true"], user="root")


def test_of_an_output_the_beginning_and_the_end_are_kept() -> None:
    heard = OutputTail(4, bytearray(), bytearray())
    for part in (b"ab", b"cdef", b"gh"):
        heard.add(part)
    assert heard.text() == "abcdefgh"
    heard.add(b"ij")
    assert heard.text() == "abcd\n[2 bytes omitted]\nghij"


def test_a_text_that_is_too_long_loses_its_middle() -> None:
    assert shorten("x" * 50, 50) == "x" * 50
    short = shorten("a" * 50 + "b" * 50, 60)
    assert len(short) <= 60
    assert short.startswith("a")
    assert short.endswith("b")
    assert "40 characters omitted" in short
    assert shorten("abc", 2) == "ab"
