"""The guard process, which kills our process groups after us."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

GUARDING = """
import os, subprocess, sys, time
from agentctl.child_guard import guard_group, release_group

def group(lifeline):
    pipe = open(lifeline, "wb")
    process = subprocess.Popen(["sleep", "600"], start_new_session=True, pass_fds=[pipe.fileno()])
    guard_group(process.pid)
    return process.pid

"""


@pytest.fixture
def lifelines(tmp_path: Path) -> list[Path]:
    """Named pipes: the reader of each sees end of file once no writer is alive."""
    paths = [tmp_path / "1", tmp_path / "2"]
    for path in paths:
        os.mkfifo(path)
    return paths


def test_groups_end_when_we_were_killed_and_those_that_were_released_do_not(lifelines: list[Path]) -> None:
    script = (
        GUARDING + "group(sys.argv[1]); other = group(sys.argv[2]); release_group(other); print(other, flush=True)\n"
    )
    command = [sys.executable, "-c", f"{script}time.sleep(600)", *map(str, lifelines)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as ours:
        assert ours.stdout is not None
        with lifelines[0].open("rb") as first, lifelines[1].open("rb") as second:
            other = int(ours.stdout.readline())
            ours.send_signal(signal.SIGKILL)
            assert first.read() == b""
            os.killpg(other, signal.SIGKILL)
            assert second.read() == b""


def test_it_ends_with_the_last_group_and_can_begin_anew_and_be_ended_by_others(lifelines: list[Path]) -> None:
    script = GUARDING + (
        "from agentctl.child_guard import _guard\n"
        "for lifeline in sys.argv[1:]:\n"
        "    number = group(lifeline)\n"
        "    shell = _guard.process\n"
        "    if lifeline == sys.argv[2]:\n"
        "        os.kill(shell, 9)\n"
        "        guard_group(12345678)\n"
        "        release_group(12345678)\n"
        "    os.killpg(number, 9)\n"
        "    release_group(number)\n"
        "    try:\n"
        "        os.kill(shell, 0)\n"
        "    except ProcessLookupError:\n"
        "        print('gone')\n"
    )
    command = [sys.executable, "-c", script, *map(str, lifelines)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as ours:
        for lifeline in lifelines:
            lifeline.open("rb").close()
        assert ours.communicate()[0] == b"gone\ngone\n"
        assert ours.returncode == 0


@pytest.mark.parametrize(
    "obstacle",
    [
        "import signal; signal.signal(signal.SIGCHLD, signal.SIG_IGN)",
        "import resource; resource.setrlimit(resource.RLIMIT_NOFILE, (3, 3))",
    ],
)
def test_where_it_cannot_be_all_goes_on_without_it(obstacle: str) -> None:
    script = f"{GUARDING}{obstacle}; guard_group(12345678); release_group(12345678); print('went on')"
    assert subprocess.run([sys.executable, "-c", script], stdout=subprocess.PIPE).stdout == b"went on\n"
