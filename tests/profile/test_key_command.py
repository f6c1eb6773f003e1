"""The program that prints the key, run for real."""

import asyncio
import os
import sys
from pathlib import Path

import pytest

from agentctl.errors import ConfigurationError
from agentctl.profile.key_command import KeyCommand
from agentctl.redaction import redact


def shell(script: str, *, timeout: float = 20, environ: dict[str, str] | None = None) -> KeyCommand:
    return KeyCommand(["sh", "-c", script], {**os.environ, **(environ or {})}, timeout=timeout)


def key_of(command: KeyCommand) -> str:
    return asyncio.run(command.key())


def failure_of(command: KeyCommand) -> str:
    with pytest.raises(ConfigurationError) as caught:
        key_of(command)
    return str(caught.value)


@pytest.fixture
def lifeline(tmp_path: Path) -> Path:
    """A named pipe: its reader sees the end once nobody who opened it to write is alive."""
    path = tmp_path / "lifeline"
    os.mkfifo(path)
    return path


def test_the_line_that_it_prints_is_the_key_and_a_secret() -> None:
    assert key_of(shell("echo sk-printed-1")) == "sk-printed-1"
    assert "sk-printed-1" not in redact("sk-printed-1")


def test_it_is_run_at_most_once_and_once_more_for_a_refused_key(tmp_path: Path) -> None:
    runs = tmp_path / "runs"
    command = shell(f"echo run >> {runs}; echo sk-of-run-$(wc -l < {runs} | tr -d ' ')")

    async def scenario() -> None:
        assert await asyncio.gather(*(command.key() for _ in range(5))) == ["sk-of-run-1"] * 5
        assert await asyncio.gather(*(command.refresh("sk-of-run-1") for _ in range(5))) == ["sk-of-run-2"] * 5
        assert await command.key() == "sk-of-run-2"
        assert await command.refresh("sk-of-run-2") is None

    asyncio.run(scenario())
    assert runs.read_text() == "run\n" * 2


def test_the_same_key_again_is_no_other_key() -> None:
    command = shell("echo sk-same")

    async def scenario() -> None:
        assert await command.refresh(await command.key()) is None

    asyncio.run(scenario())


def test_a_failure_is_not_tried_again(tmp_path: Path) -> None:
    runs = tmp_path / "runs"
    command = shell(f"echo run >> {runs}; exit 3")
    assert failure_of(command) == failure_of(command)
    assert runs.read_text() == "run\n"


def test_it_sees_what_it_needs_and_none_of_our_keys() -> None:
    environ = {
        "AGENTCTL_API_KEY": "sk-ours",
        "OPENAI_API_KEY": "sk-openais",
        "AWS_SECRET_ACCESS_KEY": "other",
        "LC_ALL": "C",
        "XDG_RUNTIME_DIR": "/run/user/1",
    }
    script = 'echo "$AGENTCTL_API_KEY-$OPENAI_API_KEY-$AWS_SECRET_ACCESS_KEY-$LC_ALL-$XDG_RUNTIME_DIR-${HOME:+home}"'
    assert key_of(shell(script, environ=environ)) == "---C-/run/user/1-home"


def test_there_is_no_shell_no_stdin_no_terminal_and_no_current_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert key_of(KeyCommand(["printf", "%s", "$HOME;`id`"], os.environ)) == "$HOME;`id`"
    monkeypatch.chdir(tmp_path)
    assert key_of(shell("read line || echo stdin-is-empty-$PWD")) == "stdin-is-empty-/"
    assert key_of(shell("(: < /dev/tty) 2> /dev/null || echo no-terminal")) == "no-terminal"


def test_a_program_may_be_named_from_the_home_folder(home: Path) -> None:
    program = home / "print-key"
    program.write_text("#!/bin/sh\necho sk-from-home\n")
    program.chmod(0o700)
    assert key_of(KeyCommand(["~/print-key"], os.environ)) == "sk-from-home"


@pytest.mark.parametrize(
    ("script", "message"),
    [
        (
            "echo sk-on-stdout; echo first >&2; echo 'not signed in' >&2; exit 3",
            "failed with exit status 3: not signed",
        ),
        ("exit 7", "failed with exit status 7: stderr was empty"),
        ("kill -KILL $$", "was killed by SIGKILL"),
        ("true", "printed nothing"),
        ("echo ' '", "printed nothing"),
        ("echo two; echo lines", "printed text that is not a key"),
        ("echo two words", "printed text that is not a key"),
        ("printf 'k\\303\\251y'", "printed text that is not a key"),
        ("printf '\\377\\376'", "printed text that is not a key"),
        ("yes sk-endless", "printed more than 8192 bytes"),
    ],
)
def test_a_failure_names_the_program_and_the_reason_and_never_what_it_printed(script: str, message: str) -> None:
    said = failure_of(shell(script))
    assert said.startswith(f"key_command: 'sh' {message}")
    assert not any(word in said for word in ("sk-", "two", "lines", "words", "echo", "first"))


def test_a_key_on_stderr_is_not_shown() -> None:
    said = failure_of(shell("echo sk-said-twice; echo refused sk-said-twice >&2; exit 1"))
    assert "exit status 1: refused [redacted];" in said


def test_control_characters_of_stderr_do_no_harm() -> None:
    said = failure_of(shell("printf 'a\\033]0;title\\007b\\n' >&2; exit 1"))
    assert "exit status 1: a ]0;title b;" in said


def test_of_a_long_complaint_the_end_is_kept() -> None:
    said = failure_of(shell("yes complaint | head -n 100000 >&2; echo last >&2; exit 1"))
    assert "exit status 1: last;" in said


@pytest.mark.parametrize("program", ["no-such-program-anywhere", "/etc/passwd", "/"])
def test_a_program_that_cannot_be_started_is_named(program: str) -> None:
    assert failure_of(KeyCommand([program], os.environ)).startswith(f"key_command: '{program}' cannot be started: ")


def test_one_that_takes_too_long_is_ended_with_its_children(lifeline: Path) -> None:
    # Without waiting for a writer: on a slow machine the time is over before there is one.
    with open(os.open(lifeline, os.O_RDONLY | os.O_NONBLOCK), "rb") as reader:
        script = f"(exec sleep 600) 3> {lifeline} & exec sleep 600"
        assert "took longer than 0.5 s" in failure_of(shell(script, timeout=0.5))
        os.set_blocking(reader.fileno(), True)
        assert reader.read() == b""


def test_one_that_is_not_waited_for_any_more_is_ended(lifeline: Path) -> None:
    async def scenario() -> None:
        asking = asyncio.create_task(shell(f"exec sleep 600 3> {lifeline}").key())
        with await asyncio.to_thread(lifeline.open, "rb") as reader:
            asking.cancel()
            with pytest.raises(asyncio.CancelledError):
                await asking
            assert await asyncio.to_thread(reader.read) == b""

    asyncio.run(scenario())


def test_a_process_that_it_leaves_behind_does_not_hold_up_the_key() -> None:
    leave = f"{sys.executable} -c 'import os, time; os.setsid(); time.sleep(3)' &"
    assert key_of(shell(f"{leave} echo sk-of-the-parent", timeout=20)) == "sk-of-the-parent"
