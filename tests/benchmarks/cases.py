"""What is measured: our command, its floor, and the ratio that we want."""

import json
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import Literal

from tests.service import steps

EVENTS = 50
DELTAS = 20_000
_FRAME_EVENTS = 8  # created, in_progress, and an item and its part, each added and done; the text done, completed


class Clock(StrEnum):
    """Which time of a process is taken."""

    WHOLE = "from its start to its end"
    OUTPUT = "from the first byte of its output to the last"
    OWN = "what it prints as `seconds`"


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """One side of a comparison: a command, what the service answers it, and whether its output is right."""

    command: tuple[str, ...]
    answers: tuple[steps.Step, ...] = ()
    is_right: Callable[[str], bool]
    clock: Clock = Clock.WHOLE


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A comparison: by `time` ours should take at most `wanted` times the floor's, by `speed` reach at least that."""

    name: str
    ours: Side
    floor: Side
    by: Literal["time", "speed"]
    wanted: float


def _agentctl(*arguments: str) -> tuple[str, ...]:
    return str(Path(sys.executable).with_name("agentctl")), *arguments


def _script(name: str, *arguments: str) -> tuple[str, ...]:
    return sys.executable, str(Path(__file__).parent / name), *arguments


def _contains(text: str) -> Callable[[str], bool]:
    return lambda output: text in output


def _is(text: str) -> Callable[[str], bool]:
    return lambda output: output.strip() == text.strip()


def _counted_all(output: str) -> bool:
    return bool(json.loads(output)["deltas"] == DELTAS)


_PIECES = [f"word{number} " for number in range(EVENTS - _FRAME_EVENTS)]
_ANSWER = (steps.text("", deltas=_PIECES),)
_ANSWERED = _is("".join(_PIECES))
_LONG = (steps.big_text(DELTAS, delta="word "),)
_LONG_ANSWERED = _is("word " * DELTAS)

_TYPER = Side(
    command=_script("floors/typer_app.py", "config", "show", "--name", "a value"), is_right=_contains("a value")
)
_TYPER_HELP = Side(command=_script("floors/typer_app.py", "--help"), is_right=_contains("Usage"))
_RUN = Side(command=_agentctl("run", "Hi"), answers=_ANSWER, is_right=_ANSWERED)
_HTTPX2 = Side(command=_script("floors/httpx2_stream.py"), answers=_ANSWER, is_right=_ANSWERED)
_OPENAI = Side(command=_script("floors/openai_stream.py"), answers=_ANSWER, is_right=_ANSWERED)
_LOOP = Side(command=_script("floors/httpx2_deltas.py"), answers=_LONG * 2, is_right=_counted_all, clock=Clock.OWN)
_RUN_STREAMED = Side(
    command=_script("run_streamed_deltas.py"), answers=_LONG * 2, is_right=_counted_all, clock=Clock.OWN
)
_STREAM = Side(command=_agentctl("stream", "Hi"), answers=_LONG, is_right=_LONG_ANSWERED, clock=Clock.OUTPUT)

CASES = (
    Case(
        name="version",
        ours=Side(command=_agentctl("--version"), is_right=_contains("agentctl ")),
        floor=_TYPER,
        by="time",
        wanted=1.4,
    ),
    Case(
        name="config-show",
        ours=Side(command=_agentctl("config", "show"), is_right=_contains("model")),
        floor=_TYPER,
        by="time",
        wanted=1.4,
    ),
    Case(
        name="help",
        ours=Side(command=_agentctl("--help"), is_right=_contains("Usage")),
        floor=_TYPER_HELP,
        by="time",
        wanted=1.2,
    ),
    Case(name="run-httpx2", ours=_RUN, floor=_HTTPX2, by="time", wanted=2.0),
    Case(name="run-openai", ours=_RUN, floor=_OPENAI, by="time", wanted=0.5),
    Case(name="run-streamed-deltas", ours=_RUN_STREAMED, floor=_LOOP, by="speed", wanted=1 / 2),
    Case(name="stream-deltas", ours=_STREAM, floor=_LOOP, by="speed", wanted=1 / 3),
    Case(
        name="stream-deltas-whole",
        ours=replace(_STREAM, clock=Clock.WHOLE),
        floor=replace(_HTTPX2, answers=_LONG, is_right=_LONG_ANSWERED),
        by="speed",
        wanted=1 / 3,
    ),
)
