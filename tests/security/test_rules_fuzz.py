"""Rules compared with what a shell really runs: every program in its PATH is a stub that records its arguments."""

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, seed, settings
from hypothesis import strategies as st

from agentctl.tickets.commands import literal_parts, may_run
from agentctl.tickets.rules import Rules
from tests.tickets.test_rules import shell

STUBS = ("git", "ls", "rm", "cat", "time", "export", "it's", "é")
SHELLS = [name for name in ("/bin/sh", "bash", "dash") if shutil.which(name)]

MEANINGFUL = r"""
git ls rm cat é status log -s -- x 2 1 ; ;; && || | |& & > >> < << <<< >& <( 2> # ! = A= A+= * ? [a] ~ : , % ^
' " \ $ $( ${A} $A $' ` ( ) { } {rm,x} @(a) fi done esac f() $(rm·x) 'rm'·x "r"m·x · · · · · ·
if· then· for·i·in·rm;·do· case·x·in·x)· [[· ·]] time· eval· exec· command· sh·-c· trap· rm·-rf·/
"""
"""Words that mean something to a shell; `·` is a space."""

FRAGMENTS = (*(word.replace("·", " ") for word in MEANINGFUL.split()), *"\t\n\r\x0b\x1b\u00a0\u2028", "\\\n")

LINES = st.lists(st.sampled_from(FRAGMENTS), min_size=1, max_size=9).map("".join)
"""Any sequence of what means something to a shell."""

WORDS = st.sampled_from(
    ["git", "ls", "status", "log", "-s", "x", "'a b'", '"c d"', "e'f'\"g\"", "''", "é", "1", "a:b,c@%^=", "\t"]
)
JOINS = st.sampled_from([" ", " ", " ", "  ", "\t", ";", " && ", "|", "||", " > ", " >>", "2>"])
LITERAL_LINES = st.lists(st.tuples(WORDS, JOINS), min_size=1, max_size=8).map(
    lambda found: "".join(map("".join, found))
)
"""Lines that are mostly literal."""


class Recorder:
    """A folder of stubs, and the shell that runs lines with them."""

    def __init__(self, folder: Path, shell: str) -> None:
        self._shell = shutil.which(shell) or shell
        self._bin, self._log, self._cwd = folder / "bin", folder / "log", folder / "cwd"
        self._bin.mkdir()
        for name in (*STUBS, "sh"):
            stub = self._bin / name
            body = f'exec {self._shell} "$@"\n' if name == "sh" else ""
            stub.write_text(f"#!{shutil.which('sh')}\n{body}printf '%s\\0' \"${{0##*/}}\" \"$@\" '\n' >> {self._log}\n")
            stub.chmod(0o700)

    def run(self, line: str) -> list[tuple[str, ...]]:
        """Run a line, and return the programs that it ran, with their arguments."""
        shutil.rmtree(self._cwd, ignore_errors=True)
        self._cwd.mkdir()
        self._log.write_bytes(b"")
        subprocess.run(
            [self._shell, "-c", line],
            cwd=self._cwd,
            env={"PATH": str(self._bin), "LANG": "C.UTF-8"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            timeout=20,
        )
        calls = os.fsdecode(self._log.read_bytes()).split("\n\0")
        return [tuple(call.removesuffix("\0").split("\0")) for call in calls if call]

    def files(self) -> set[str]:
        """Return the files that the last line wrote."""
        return set(os.listdir(self._cwd))


@pytest.mark.slow
@pytest.mark.parametrize("name", SHELLS)
def test_a_shell_runs_the_words_that_rules_compare_and_nothing_else(
    tmp_path: Path, name: str, share: Callable[[int], int]
) -> None:
    recorder = Recorder(tmp_path, name)

    @seed(11)
    @settings(max_examples=share(3000))
    @given(st.one_of(LINES, LITERAL_LINES))
    def check(line: str) -> None:
        parts = literal_parts(line)
        if parts is None:
            return
        known = {part.words for part in parts}
        targets = {word for part in parts if part.operator in (">", ">>") for word in part.words}
        ran = recorder.run(line)
        joined = [_with_later_words(parts, place) for place in range(len(parts))]
        assert set(ran) <= known | set(joined), (line, parts)
        assert recorder.files() <= targets, (line, parts)

    check()


@pytest.mark.slow
@pytest.mark.parametrize("name", SHELLS)
def test_a_line_that_runs_a_denied_program_is_denied(tmp_path: Path, name: str, share: Callable[[int], int]) -> None:
    recorder = Recorder(tmp_path, name)

    @seed(11)
    @settings(max_examples=share(3000))
    @given(LINES)
    def check(line: str) -> None:
        if "rm" in line and not may_run("rm *", line) and not may_run("rm", line):
            assert not [call for call in recorder.run(line) if call[0] == "rm"], line

    check()


@pytest.mark.slow
@pytest.mark.parametrize("name", SHELLS)
def test_an_allowed_line_runs_nothing_but_what_the_pattern_spells(
    tmp_path: Path, name: str, share: Callable[[int], int]
) -> None:
    recorder = Recorder(tmp_path, name)
    rules = Rules.of(allow=["shell:git status *", "shell:git log x* && ls", "shell:git log > x*"], deny=())

    @seed(11)
    @settings(max_examples=share(3000))
    @given(st.tuples(st.sampled_from(["git status", "git log x", "git log", "git log > "]), LINES).map("".join))
    def check(line: str) -> None:
        if rules.verdict(shell(line)):
            for call in recorder.run(line):
                assert call[:2] == ("git", "status") or call[:2] == ("git", "log") or call == ("ls",), line
            assert all(file.startswith("x") for file in recorder.files()), line

    check()


def _with_later_words(parts: list, place: int) -> tuple[str, ...]:  # type: ignore[type-arg]
    """Return the words of a command whose redirect is followed by more of its arguments."""
    words = list(parts[place].words)
    for part in parts[place + 1 :]:
        if part.operator not in (">", ">>", "<"):
            break
        words += part.words[1:]
    return tuple(words)
