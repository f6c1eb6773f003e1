"""The installed program in the rough: pipes, scripts, locales, homes, disks, many at once, and killed at any moment."""

import contextlib
import json
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import sysconfig
import threading
import time
import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path
from subprocess import PIPE
from typing import Any

import pytest

from tests.cli.process import started
from tests.cli.terminal import Terminal
from tests.service.client import Service
from tests.service.steps import hang, text

AGENTS = """
from agentctl import Agent, ShellTool, function_tool
from agentctl.extensions.local_shell import LocalShell
from agentctl.testing import ScriptedModel, function_call

LINE = "0123456789abcdef" * 64 + "\\n"

@function_tool
def shout(word: str) -> str:
    return word.upper()

def said(*steps):
    return ScriptedModel(list(steps))

def big():
    return Agent("big", model=said(" ".join([LINE] * (100_000_000 // len(LINE)))))

def some():
    return Agent("some", model=said(" ".join([LINE] * 4_000)))

plain = Agent("plain", model=said("Zürich 東京 🏔"))
loud = Agent("loud", tools=[shout], model=said([function_call("shout", {"word": "straße 東"}, call_id="c")], "ok"))

def commands(*lines):
    action = {"commands": list(lines)}
    call = {"type": "shell_call", "id": "sh_1", "call_id": "s1", "status": "completed", "action": action}
    return Agent("commands", tools=[ShellTool(LocalShell("."))], model=said([call], "done"))

stubborn = commands("trap '' TERM; exec 3> lifeline; while :; do sleep 0.05; done")
talker = commands("exec 3> lifeline; while :; do echo still here; sleep 0.05; done")
"""
ASCII = {"LC_ALL": "C", "LANG": "C"}
ASCII_AT_ALL_COSTS = {**ASCII, "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
LINUX = sys.platform == "linux"
SIZE = 100_000_000 // 1025 * 1026 - 1
"""Bytes of what the agent `big` says: lines, with a space before each but the first."""
SEED = random.randrange(1 << 32)


@pytest.fixture(scope="module")
def program() -> tuple[str]:
    """The program as it was installed."""
    found = shutil.which("agentctl", path=sysconfig.get_path("scripts"))
    assert found is not None, "agentctl is not installed"
    return (found,)


@pytest.fixture
def agents(home: Path) -> Path:
    """A file of agents that need no service, in the home folder."""
    path = home / "crew.py"
    path.write_text(AGENTS)
    return path


@pytest.fixture
def run(program: tuple[str], home: Path) -> Callable[..., "subprocess.CompletedProcess[bytes]"]:
    """Run the program in the home folder, and return how it ended."""

    def run(
        *arguments: str, env: Mapping[str, str] | None = None, **options: Any
    ) -> "subprocess.CompletedProcess[bytes]":
        if "input" not in options:
            options.setdefault("stdin", subprocess.DEVNULL)
        environment = {**os.environ, **(env or {})}
        return subprocess.run(
            [*program, *arguments], env=environment, cwd=home, capture_output=True, timeout=60, **options
        )

    return run


Run = Callable[..., "subprocess.CompletedProcess[bytes]"]


def as_a_shell_sees(code: int) -> int:
    """Return an exit code as a shell has it: 143 also where the signal came before anybody could take it."""
    return 128 - code if code < 0 else code


def whole_lines(output: bytes) -> list[dict[str, Any]]:
    """Return the events that were written to their end."""
    return [json.loads(line) for line in output.split(b"\n")[:-1]]


# Pipes


def test_a_hundred_megabytes_go_through_a_pipe(run: Run, agents: Path) -> None:
    done = run("stream", "-a", "crew.py:big", "hi")
    assert (done.returncode, done.stderr, len(done.stdout)) == (0, b"", SIZE)
    assert done.stdout.count(b"0123456789abcdef" * 64 + b"\n") == 100_000_000 // 1025


def test_a_hundred_megabytes_go_to_a_file(run: Run, agents: Path, home: Path) -> None:
    done = run("run", "-a", "crew.py:big", "-o", "answer.txt", "hi")
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
    assert (home / "answer.txt").stat().st_size == SIZE


def test_a_slow_reader_gets_all_of_it(program: tuple[str], agents: Path, home: Path) -> None:
    with started("stream", "-a", "crew.py:some", "hi", env={}, program=program, cwd=home) as process:
        assert process.stdout is not None
        size = 0
        while piece := os.read(process.stdout.fileno(), 32_768):
            size += len(piece)
            time.sleep(0.005)
        assert (process.wait(timeout=20), size) == (0, 4_000 * 1026 - 1)


def test_a_hundred_megabytes_of_stdin_are_refused_before_they_are_all_read(program: tuple[str], home: Path) -> None:
    with started("run", "-", env={}, program=program, stdin=PIPE, bufsize=0) as process:
        assert process.stdin is not None
        written = 0
        with contextlib.suppress(BrokenPipeError):
            while written < 100_000_000:
                written += process.stdin.write(bytes(1_000_000))
        assert process.wait(timeout=20) == 2
        assert process.stderr is not None
        assert b"larger than 16 MiB" in process.stderr.read()
        assert written < 100_000_000


def test_a_prompt_of_fifteen_megabytes_arrives_whole(service: Service, run: Run, env: dict[str, str]) -> None:
    service.script(text("Read."))
    done = run("run", "-", env=env, input=b"word " * 3_000_000)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"Read.\n", b"")
    assert len(json.dumps(service.requests()[0]["body"]["input"])) > 15_000_000


@pytest.mark.parametrize("command", ["run", "stream"])
def test_a_writer_that_never_writes_holds_no_prompt_of_the_command_line_up(
    command: str, program: tuple[str], agents: Path, home: Path
) -> None:
    with started(command, "-a", "crew.py:plain", "hi", env={}, program=program, cwd=home, stdin=PIPE) as process:
        assert process.wait(timeout=30) == 0


@pytest.mark.parametrize(
    "arguments", [("run", "-a", "crew.py:big", "hi"), ("stream", "-a", "crew.py:big", "--format", "jsonl", "hi")]
)
def test_a_reader_that_closes_early_is_quiet(
    arguments: tuple[str, ...], program: tuple[str], agents: Path, home: Path
) -> None:
    with started(*arguments, env={}, program=program, cwd=home) as process:
        assert process.stdout is not None
        assert os.read(process.stdout.fileno(), 10)
        process.stdout.close()
        assert process.wait(timeout=30) == 141
        assert process.stderr is not None
        assert process.stderr.read() == b""


@pytest.mark.parametrize("arguments", [("events", "schema"), ("config", "show"), ("completions", "bash"), ("--help",)])
def test_any_command_is_quiet_where_nobody_reads(arguments: tuple[str, ...], program: tuple[str], home: Path) -> None:
    closed, pipe = os.pipe()
    os.close(closed)
    with os.fdopen(pipe, "wb") as full, started(*arguments, env={}, program=program, stdout=full) as process:
        assert process.wait(timeout=20) == 141
        assert process.stderr is not None
        assert process.stderr.read() == b""


# Scripts

SCRIPT = """
set -euo pipefail
answer=$(agentctl run -a crew.py:plain "where?")
[[ $answer == "Zürich 東京 🏔" ]]
agentctl stream -a crew.py:plain "where?" | tr a-z A-Z
printf 'where?\\n' | agentctl run -a crew.py:plain - > answer.txt
agentctl run -a crew.py:plain --format json "where?" | grep -o '"outcome": "[a-z]*"'
agentctl run "no key" || echo "code $?"
if agentctl config get agent; then echo set; else echo "not set, $?"; fi
while read -r name _; do [[ $name == model ]] && break; done < <(agentctl config show)
{ agentctl run -a crew.py:some "much" || echo "code $?" >&2; } | head -c 10
echo
agentctl run -a crew.py:nobody "hi"
echo "not reached"
"""


def test_a_script_that_stops_at_the_first_failure(program: tuple[str], agents: Path, home: Path) -> None:
    environment = {**os.environ, "PATH": f"{Path(program[0]).parent}:{os.environ['PATH']}"}
    done = subprocess.run(
        ["bash", "-c", SCRIPT], env=environment, cwd=home, capture_output=True, text=True, timeout=60, encoding="utf-8"
    )
    assert done.stdout == 'ZüRICH 東京 🏔\n"outcome": "completed"\ncode 77\nnot set, 1\n0123456789\n'
    assert done.returncode == 78
    said = [line for line in done.stderr.splitlines() if "nobody" in line or line.startswith("code")]
    missing = f"agentctl: {home}/crew.py has no attribute 'nobody'; its agents: loud, plain, stubborn, talker; "
    assert said == ["code 141", f"{missing}`agent` comes from the command line"]
    assert (home / "answer.txt").read_text() == "Zürich 東京 🏔\n"


# Locales


@pytest.mark.parametrize("command", ["run", "stream"])
def test_an_answer_and_what_is_told_beside_it_are_utf_8_in_an_ascii_locale(
    command: str, run: Run, agents: Path
) -> None:
    done = run(command, "-a", "crew.py:plain", "où?", env=ASCII_AT_ALL_COSTS)
    assert (done.returncode, done.stdout.decode(), done.stderr) == (0, "Zürich 東京 🏔\n", b"")
    told = run("stream", "-a", "crew.py:loud", "hi", env=ASCII_AT_ALL_COSTS).stderr.decode()
    assert told == '→ shout {"word": "stra\\u00dfe \\u6771"}\n← shout STRASSE 東\n'


def test_names_and_values_are_utf_8_in_an_ascii_locale(run: Run, home: Path) -> None:
    folder = home / "Grüße"
    folder.mkdir()
    (folder / "größe.py").write_text("from agentctl import Agent\nmaß = Agent('Maß', model='gpt-ü')\n", "utf-8")
    assert run("config", "set", "agent", "Grüße/größe.py:maß", env=ASCII).returncode == 0
    assert run("config", "get", "agent", env=ASCII).stdout.decode().endswith("/Grüße/größe.py:maß\n")
    shown = run("agents", "show", "Grüße/größe.py:maß", env=ASCII)
    assert (shown.returncode, "Maß" in shown.stdout.decode(), "gpt-ü" in shown.stdout.decode()) == (0, True, True)
    missing = run("run", "-a", "Grüße/größe.py:weg", "hi", env=ASCII)
    assert (missing.returncode, "größe.py has no attribute 'weg'" in missing.stderr.decode()) == (78, True)


# Homes

WRITERS: list[tuple[str, ...]] = [
    ("config", "set", "model", "gpt-new"),
    ("config", "model", "gpt-new"),
    ("config", "set-key"),
    ("trace", "disable"),
    ("config", "profiles", "use", "work"),
    ("trust", "agentctl.toml"),
]
PROJECT = '[agents]\nown = "crew.py:plain"\n'


def test_a_home_that_cannot_be_written_is_named(run: Run, home: Path) -> None:
    (home / "agentctl.toml").write_text(PROJECT)
    (home / "crew.py").touch()
    (home / "file").write_text("in the way")
    for arguments in WRITERS:
        done = run(*arguments, input=b"sk-new-1234567890\n", env={"AGENTCTL_HOME": f"{home}/file/agentctl"})
        assert done.returncode == 78, (arguments, done.stderr)
        assert f"{home}/file".encode() in done.stderr
        assert b"Traceback" not in done.stderr
        assert b"sk-new" not in done.stdout + done.stderr


@pytest.mark.parametrize(
    "read_only", ["made so", pytest.param("/proc", marks=pytest.mark.skipif(not LINUX, reason="Linux has it"))]
)
def test_a_run_in_a_read_only_home_answers(read_only: str, service: Service, run: Run, env: dict[str, str]) -> None:
    home = Path(os.environ["HOME"])
    if read_only == "made so":
        home.chmod(0o500)
        read_only = str(home)
    service.script(text("ok"))
    try:
        done = run("run", "hi", env={**env, "HOME": read_only, "AGENTCTL_HOME": ""})
    finally:
        home.chmod(0o700)
    assert (done.returncode, done.stdout) == (0, b"ok\n")
    assert b"Traceback" not in done.stderr
    assert len(done.stderr.splitlines()) <= 1


def test_without_the_variable_home_the_folders_of_the_platform_serve(
    service: Service, program: tuple[str], env: dict[str, str], tmp_path: Path
) -> None:
    environment = {name: value for name, value in os.environ.items() if name not in ("HOME", "AGENTCTL_HOME")}
    environment |= env | {f"XDG_{kind}_HOME": str(tmp_path / kind) for kind in ("CONFIG", "DATA", "STATE", "CACHE")}
    for arguments, output in ((("config", "set", "model", "gpt-x"), b""), (("run", "hi"), b"ok\n")):
        done = subprocess.run(
            [*program, *arguments], env=environment, stdin=subprocess.DEVNULL, capture_output=True, timeout=30
        )
        assert (done.returncode, done.stdout, done.stderr) == (0, output, b"")
    assert (tmp_path / "CONFIG" / "agentctl" / "config.toml").exists()
    assert service.requests()[0]["body"]["model"] == "gpt-x"


# Disks


def no_room() -> None:
    """Let this process write to no file any more."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY))


def contents(folder: Path) -> dict[str, bytes]:
    """Return all files below a folder but locks, which are empty."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and path.suffix != ".lock"
    }


def test_a_full_disk_leaves_the_old_files_as_they_are(run: Run, home: Path) -> None:
    (home / "agentctl.toml").write_text(PROJECT)
    (home / "crew.py").touch()
    assert run("config", "set", "model", "gpt-old", "--profile", "work").returncode == 0
    assert run("config", "set-key", input=b"sk-old-1234567890\n").returncode == 0
    before = contents(home)
    for arguments in WRITERS:
        done = run(*arguments, input=b"sk-new-1234567890\n", preexec_fn=no_room)
        assert (done.returncode, contents(home)) == (78, before), (arguments, done.stderr)
        assert done.stderr.splitlines()[-1].startswith(f"agentctl: {home}/.agentctl/".encode())
        assert b": cannot be written: File too large; " in done.stderr
    assert [run(*arguments, input=b"sk-new-1234567890\n").returncode for arguments in WRITERS] == [0] * len(WRITERS)


@pytest.mark.parametrize("form", ["text", "json", "jsonl"])
def test_a_full_disk_leaves_the_old_answer_and_names_the_file(form: str, run: Run, agents: Path, home: Path) -> None:
    (home / "answer.txt").write_text("the old answer")
    done = run("run", "-a", "crew.py:plain", "--format", form, "-o", "answer.txt", "hi", preexec_fn=no_room)
    assert (done.returncode, done.stdout) == (1, b"")
    kept = b"" if form == "jsonl" else b"note: answer.txt was not changed; it has the output of an earlier run\n"
    # The trace may fail before the answer does.
    lines = [line for line in done.stderr.splitlines(keepends=True) if not line.startswith(b"note: the trace")]
    assert b"".join(lines) == b"agentctl: answer.txt: File too large\n" + kept
    if form != "jsonl":  # Which is live.
        assert (home / "answer.txt").read_text() == "the old answer"


def test_a_run_on_a_full_disk_answers(service: Service, run: Run, env: dict[str, str]) -> None:
    service.script(text("ok"))
    done = run("run", "hi", env=env, preexec_fn=no_room)
    assert (done.returncode, done.stdout) == (0, b"ok\n")
    assert b"Traceback" not in done.stderr


# Many, and killed


def test_twenty_processes_on_one_profile_lose_nothing_and_see_whole_files(program: tuple[str], home: Path) -> None:
    settings = {f"settings.metadata.k{number}": str(number) for number in range(9)}
    changes: list[tuple[str, ...]] = [("config", "set", name, value) for name, value in settings.items()]
    changes += [("config", "set-key"), ("trace", "disable")]
    looks = [("config", "show", "--json"), ("trace", "status", "--json"), ("config", "profiles", "list", "--json")] * 3
    processes = [
        (command, subprocess.Popen([*program, *command], stdin=PIPE, stdout=PIPE, stderr=PIPE))
        for command in (*changes, *looks)
    ]
    for command, process in processes:
        output, errors = process.communicate(b"sk-one-of-twenty-123\n", timeout=60)
        assert (process.returncode, b"Traceback" in errors) == (0, False), (command, errors)
        assert command in changes or json.loads(output)["schema_version"]
    profile = tomllib.loads((home / ".agentctl" / "config.toml").read_text())["profiles"]["default"]
    assert profile["settings"]["metadata"] == {name.rpartition(".")[2]: value for name, value in settings.items()}
    assert profile["trace"] == {"enabled": False}
    assert "sk-one-of-twenty-123" in (home / ".agentctl" / "credentials.toml").read_text()


def test_writers_that_end_at_any_moment_leave_files_that_can_be_read_and_written(
    program: tuple[str], home: Path
) -> None:
    (home / "agentctl.toml").write_text(PROJECT)
    (home / "crew.py").touch()
    changes = [("trust", "agentctl.toml"), ("config", "set-key"), ("trace", "disable"), ("config", "model", "gpt-x")]
    moments = random.Random(SEED)
    for number in (signal.SIGTERM, signal.SIGKILL) * 2:
        writers = [
            subprocess.Popen([*program, *change], cwd=home, stdin=PIPE, stdout=subprocess.DEVNULL, stderr=PIPE)
            for change in changes
        ]
        timers = [threading.Timer(moments.uniform(0.02, 0.6), writer.send_signal, (number,)) for writer in writers]
        for timer in timers:
            timer.start()
        for writer in writers:
            _, errors = writer.communicate(b"sk-killed-1234567890\n", timeout=30)
            assert as_a_shell_sees(writer.returncode) in (0, 128 + number), (SEED, writer.args, errors)
            assert b"Traceback" not in errors, (SEED, writer.args)
        for timer in timers:
            timer.cancel()
            timer.join()
        for file in (home / ".agentctl").glob("*.toml"):
            tomllib.loads(file.read_text())
    for change in changes:
        done = subprocess.run([*program, *change], cwd=home, input=b"sk-last-1234567890\n", capture_output=True)
        assert done.returncode == 0, (SEED, change, done.stderr)


@pytest.mark.parametrize(
    ("number", "agent"), [(signal.SIGTERM, "stubborn"), (signal.SIGTERM, "talker"), (signal.SIGKILL, "stubborn")]
)
def test_a_run_that_ends_at_any_moment_leaves_no_command_running_and_whole_lines(
    number: signal.Signals, agent: str, program: tuple[str], agents: Path, home: Path
) -> None:
    moments = random.Random(SEED)
    lifeline = home / "lifeline"
    os.mkfifo(lifeline)
    # Without waiting for a command to open it, which may never come.
    reader = os.open(lifeline, os.O_RDONLY | os.O_NONBLOCK)
    for _ in range(3):
        with started(
            "run", "-a", f"crew.py:{agent}", "--format", "jsonl", "go", env={}, program=program, cwd=home
        ) as process:
            time.sleep(moments.uniform(0.1, 1.2))
            process.send_signal(number)
            output, errors = process.communicate(timeout=30)
            assert as_a_shell_sees(process.returncode) == 128 + number, (SEED, errors)
        assert b"Traceback" not in errors, SEED
        events = whole_lines(output)
        if number == signal.SIGTERM and process.returncode > 0 and events:
            assert (events[-1]["type"], events[-1]["exit_code"]) == ("run.finished", 143), SEED
        assert ends(reader), SEED
    os.close(reader)


def ends(reader: int, seconds: float = 10) -> bool:
    """Return whether everybody who had the other end of a pipe is gone, in time."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            if os.read(reader, 4096) == b"":
                return True
        except BlockingIOError:
            pass
        time.sleep(0.05)
    return False


# A terminal


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_on_a_terminal_a_signal_leaves_the_screen_in_order(
    number: signal.Signals, service: Service, program: tuple[str], env: dict[str, str]
) -> None:
    service.script(hang(after=6, of=text("One.\n\nTwo", deltas=["One.\n\n", "Two"])))
    with Terminal("stream", "hi", env=env, program=program) as terminal:
        terminal.read_until("One.")
        terminal.process.send_signal(number)
        assert terminal.end() == 128 + number
        end = "cancelled" if number == signal.SIGINT else "stopped by SIGTERM"
        assert terminal.text == f"One.\n\nTwo\n{end}\n"
        assert "\x1b[?25l" not in terminal.raw


@pytest.fixture
def env(service: Service, home: Path) -> dict[str, str]:
    """The variables that point a process at the fake service."""
    return {"OPENAI_API_KEY": "sk-canary-proof-1234", "OPENAI_BASE_URL": service.base_url}
