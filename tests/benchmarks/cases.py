"""What is measured: our command, its floor, and the ratio that we want.

`AGENTS_PYTHON`, an interpreter that has `openai-agents`, adds the import of that library.
"""

import json
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path

from tests.service import steps

from .quick_client import TEXT

EVENTS = 50
DELTAS = 20_000
CALLS = 100
RUNS = 200
TRACES = 10_000
_FRAME_EVENTS = 8  # created, in_progress, and an item and its part, each added and done; the text done, completed


class Clock(StrEnum):
    """Which time of a process is taken."""

    WHOLE = "from its start to its end"
    OUTPUT = "from the first byte of its output to the last"
    OWN = "what it prints as `seconds`"


class Figure(StrEnum):
    """What is compared; of all but speed, less is better."""

    TIME = "time"
    SPEED = "speed"
    TURN = "time, for each of what it prints as `calls`"
    ITEM = "time, for each of what it prints as `items`"
    MEMORY = "peak memory"
    BYTES = "what it prints as `bytes`"


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """One side of a comparison: a command, what the service answers it, and whether its output is right."""

    command: tuple[str, ...]
    answers: tuple[steps.Step, ...] = ()
    is_right: Callable[[str], bool]
    clock: Clock = Clock.WHOLE
    is_quick: bool = False
    """Whether the quick service answers, in place of the fake one with `answers`."""
    round_trip: int = 0
    """Milliseconds after which the quick service answers."""
    is_turns: bool = False
    """Whether it prints the processor time of what it times as `cpu`."""
    traces: int = 0
    """How many traces are kept in its home; with any, it has a home of its own."""
    upgrades: tuple[steps.Step, ...] = ()
    """What the fake service answers to upgrades; without them, the run knows of no WebSocket."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A comparison: ours should take at most `wanted` times the floor's, or reach at least that of its speed."""

    name: str
    what: str
    ours: Side
    floor: Side
    by: Figure
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


def _called_all(calls: int) -> Callable[[str], bool]:
    return lambda output: bool(json.loads(output)["calls"] == calls)


def _heard_all(output: str) -> bool:
    return bool(json.loads(output)["characters"] == RUNS * len(TEXT))


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

_SCHEMA = '{"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}'
_JSON_RUN = replace(_RUN, answers=(steps.text('{"city": "Oslo"}', delay=0.3),), is_right=_contains('{"city": "Oslo"}'))

_RUN_WEBSOCKET = replace(_RUN, command=_agentctl("run", "--transport", "websocket", "Hi"))
_WEBSOCKETS = replace(_HTTPX2, command=_script("floors/websockets_stream.py"))


def _tool_loop(script: str, *arguments: str, calls: int = CALLS, tracing: str = "") -> Side:
    command = _script(script, *arguments, str(calls), *([tracing] if tracing else []))
    return Side(command=command, is_right=_called_all(calls), clock=Clock.OWN, is_quick=True)


_CALLS = _tool_loop("tool_loop.py", "websocket", "async")
_CALLS_FLOOR = _tool_loop("floors/websockets_tool_loop.py", "async")
_BLOCKING_CALLS_FLOOR = _tool_loop("floors/websockets_tool_loop.py", "blocking")


def _turns(kind: str, around: int, reach: int = 10) -> Side:
    command = sys.executable, "-m", "tests.benchmarks.turns", kind, str(around - reach), str(around + reach)
    is_right, is_quick = _called_all(2 * reach), kind == "websocket"
    return Side(command=command, is_right=is_right, clock=Clock.OWN, is_quick=is_quick, is_turns=True)


def _behind_a_hanging_upgrade(transport: str) -> Side:
    agent = f"{Path(__file__).parent / 'tool_agent.py'}:agent"
    command = _agentctl("run", "--transport", transport, "-a", agent, "Hi")
    upgrades = (steps.hang(),) * 2
    return Side(command=command, answers=_ANSWER, is_right=_ANSWERED, upgrades=upgrades)


def _many_at_once(script: str, *, round_trip: int = 0) -> Side:
    return Side(
        command=_script(script, str(RUNS)),
        is_right=_heard_all,
        clock=Clock.OWN,
        is_quick=True,
        round_trip=round_trip,
    )


def _cassette(kind: str, count: int = CALLS, *, round_trip: int = 0) -> Side:
    command = sys.executable, "-m", "tests.benchmarks.cassettes", kind, str(count)
    is_quick = kind in ("recorded", "live")
    is_right = _called_all(count)
    return Side(command=command, is_right=is_right, clock=Clock.OWN, is_quick=is_quick, round_trip=round_trip)


_USER_ANSWER = replace(_HTTPX2, command=_script("user_code/answer.py"))
_POOL_FLOOR = "floors/websockets_pool.py"


def _writes(script: str) -> Side:
    return Side(command=_script(script, str(RUNS)), is_right=_called_all(RUNS), clock=Clock.OWN, is_quick=True)


CASES = (
    Case(
        name="version",
        what="`agentctl --version`, against a Typer app",
        ours=Side(command=_agentctl("--version"), is_right=_contains("agentctl ")),
        floor=_TYPER,
        by=Figure.TIME,
        wanted=1.4,
    ),
    Case(
        name="config-show",
        what="`agentctl config show`, against a Typer app",
        ours=Side(command=_agentctl("config", "show"), is_right=_contains("model")),
        floor=_TYPER,
        by=Figure.TIME,
        wanted=1.4,
    ),
    Case(
        name="help",
        what="`agentctl --help`, against a Typer app",
        ours=Side(command=_agentctl("--help"), is_right=_contains("Usage")),
        floor=_TYPER_HELP,
        by=Figure.TIME,
        wanted=1.2,
    ),
    Case(
        name="run-httpx2",
        what="`agentctl run`, one answer over HTTP, whole process, against an `httpx2` script",
        ours=_RUN,
        floor=_HTTPX2,
        by=Figure.TIME,
        wanted=1.4,
    ),
    Case(
        name="run-openai",
        what="the same against a script with the `openai` client",
        ours=_RUN,
        floor=_OPENAI,
        by=Figure.TIME,
        wanted=0.5,
    ),
    Case(
        name="run-streamed-deltas",
        what="20,000 deltas read as `event.wire`, HTTP, against `httpx2` and `json.loads`",
        ours=_RUN_STREAMED,
        floor=_LOOP,
        by=Figure.SPEED,
        wanted=1 / 2,
    ),
    Case(
        name="stream-deltas",
        what="20,000 deltas printed by `agentctl stream`, first byte to last",
        ours=_STREAM,
        floor=_LOOP,
        by=Figure.SPEED,
        wanted=1 / 3,
    ),
    Case(
        name="stream-deltas-whole",
        what="the same, whole process",
        ours=replace(_STREAM, clock=Clock.WHOLE),
        floor=replace(_HTTPX2, answers=_LONG, is_right=_LONG_ANSWERED),
        by=Figure.SPEED,
        wanted=1 / 3,
    ),
    Case(
        name="run-websockets",
        what="`agentctl run`, one answer over WebSocket, whole process, against a `websockets` script",
        ours=_RUN_WEBSOCKET,
        floor=_WEBSOCKETS,
        by=Figure.TIME,
        wanted=1.5,
    ),
    Case(
        name="run-websockets-memory",
        what="peak memory of it",
        ours=_RUN_WEBSOCKET,
        floor=_WEBSOCKETS,
        by=Figure.MEMORY,
        wanted=1.6,
    ),
    Case(
        name="websocket-deltas",
        what="20,000 deltas read as `event.wire`, WebSocket, against `websockets` and `json.loads`",
        ours=replace(_RUN_STREAMED, command=_script("run_streamed_deltas.py", "websocket")),
        floor=replace(_LOOP, command=_script("floors/websockets_deltas.py")),
        by=Figure.SPEED,
        wanted=1 / 2,
    ),
    Case(
        name="tool-calls",
        what="100 calls of an async tool, `Runner.run`, WebSocket, against a hand-written loop",
        ours=_CALLS,
        floor=_CALLS_FLOOR,
        by=Figure.TIME,
        wanted=2.0,
    ),
    Case(
        name="tool-calls-bytes", what="bytes sent by it", ours=_CALLS, floor=_CALLS_FLOOR, by=Figure.BYTES, wanted=1.15
    ),
    Case(
        name="tool-calls-blocking",
        what="100 calls of a sync tool, `Runner.run`, WebSocket, against `asyncio.to_thread`",
        ours=_tool_loop("tool_loop.py", "websocket", "blocking"),
        floor=_BLOCKING_CALLS_FLOOR,
        by=Figure.TIME,
        wanted=2.0,
    ),
    Case(
        name="tool-calls-http",
        what="100 calls of an async tool, `Runner.run`, HTTP, against a loop with `httpx2`",
        ours=_tool_loop("tool_loop.py", "http", "async"),
        floor=_tool_loop("floors/httpx2_tool_loop.py"),
        by=Figure.TIME,
        wanted=2.0,
    ),
    Case(
        name="tool-calls-400",
        what="400 calls, against ours of 100",
        ours=_tool_loop("tool_loop.py", "websocket", "async", calls=4 * CALLS),
        floor=_CALLS,
        by=Figure.TIME,
        wanted=5.0,
    ),
    Case(
        name="turn-100",
        what="the engine's time for the 100th turn, against a whole turn of the hand-written loop",
        ours=_turns("memory", 100),
        floor=_CALLS_FLOOR,
        by=Figure.TURN,
        wanted=1.0,
    ),
    Case(
        name="turn-400",
        what="the engine's time for the 400th turn, against its 40th",
        ours=_turns("memory", 400),
        floor=_turns("memory", 40),
        by=Figure.TURN,
        wanted=1.2,
    ),
    Case(
        name="turn-400-encoded",
        what="the same with the request encoded, for each item",
        ours=_turns("encoded", 400),
        floor=_turns("encoded", 40),
        by=Figure.ITEM,
        wanted=1.2,
    ),
    Case(
        name="turn-400-websocket",
        what="the 400th turn over WebSocket, against the 40th",
        ours=_turns("websocket", 400),
        floor=_turns("websocket", 40),
        by=Figure.TURN,
        wanted=1.2,
    ),
    Case(
        name="turn-5000-websocket",
        what="the 5,000th turn over WebSocket, against the 100th",
        ours=_turns("websocket", 5000, reach=50),
        floor=_turns("websocket", 100, reach=50),
        by=Figure.TURN,
        wanted=1.3,
    ),
    Case(
        # The process that warms it remembers that the upgrade hangs.
        name="upgrade-hangs",
        what="`agentctl run` where the upgrade to a WebSocket hangs, as it remembers, against the same over HTTP",
        ours=_behind_a_hanging_upgrade("auto"),
        floor=_behind_a_hanging_upgrade("http"),
        by=Figure.TIME,
        wanted=1.1,
    ),
    Case(
        name="tracing-hangs",
        what="100 calls traced to an exporter that hangs, against the same without",
        ours=_tool_loop("tool_loop.py", "http", "async", tracing="traced"),
        floor=_tool_loop("tool_loop.py", "http", "async"),
        by=Figure.TIME,
        wanted=1.05,
    ),
    Case(
        name="kept-trace",
        what="`agentctl run` with its trace kept on this machine, against the same with `--no-trace`",
        ours=_RUN,
        floor=replace(_RUN, command=_agentctl("run", "--no-trace", "Hi")),
        by=Figure.TIME,
        wanted=1.03,
    ),
    Case(
        name="output-schema",
        what="`agentctl run --output-schema`, against the same without, where the answer comes after 300 ms",
        ours=replace(_JSON_RUN, command=_agentctl("run", "--output-schema", _SCHEMA, "Hi")),
        floor=_JSON_RUN,
        by=Figure.TIME,
        wanted=1.1,
    ),
    Case(
        name="kept-trace-tool-calls",
        what="100 calls with their trace kept, against the same without",
        ours=_tool_loop("tool_loop.py", "http", "async", tracing="kept"),
        floor=_tool_loop("tool_loop.py", "http", "async"),
        by=Figure.TIME,
        wanted=1.05,
    ),
    Case(
        name="trace-list",
        what="`trace list` over 10,000 traces, against `--version`",
        ours=Side(command=_agentctl("trace", "list"), is_right=_contains("trace_"), traces=TRACES),
        floor=Side(command=_agentctl("--version"), is_right=_contains("agentctl ")),
        by=Figure.TIME,
        wanted=4.0,
    ),
    Case(
        name="concurrent-runs",
        what="200 runs at once, `Runner.run`, WebSocket, against a pool of as many sockets",
        ours=_many_at_once("concurrent_runs.py"),
        floor=_many_at_once(_POOL_FLOOR),
        by=Figure.TIME,
        wanted=2.0,
    ),
    Case(
        name="budget",
        what="a call reserved, marked as sent (synced) and settled under a budget, against a bare SQLite file",
        ours=_writes("reservations.py"),
        floor=_writes("floors/sqlite_writes.py"),
        by=Figure.TURN,
        wanted=2.0,
    ),
    Case(
        name="user-deltas",
        what="20,000 deltas, reading `event.type`, `event.data.type` and `event.data.delta`, HTTP",
        ours=replace(_LOOP, command=_script("user_code/deltas.py", "http")),
        floor=_LOOP,
        by=Figure.SPEED,
        wanted=1 / 2,
    ),
    Case(
        name="user-deltas-websocket",
        what="the same over WebSocket",
        ours=replace(_LOOP, command=_script("user_code/deltas.py", "websocket")),
        floor=replace(_LOOP, command=_script("floors/websockets_deltas.py")),
        by=Figure.SPEED,
        wanted=1 / 2,
    ),
    Case(
        name="user-answer",
        what="one streamed answer, reading `event.data.delta`, HTTP, whole process, against an `httpx2` script",
        ours=_USER_ANSWER,
        floor=_HTTPX2,
        by=Figure.TIME,
        wanted=1.8,
    ),
    Case(
        name="user-answer-memory",
        what="peak memory of it",
        ours=_USER_ANSWER,
        floor=_HTTPX2,
        by=Figure.MEMORY,
        wanted=1.35,
    ),
    Case(
        name="replay-100",
        what="a replayed run of 100 tool calls, with the reading of its cassette, against the scripted model",
        ours=_cassette("replay"),
        floor=_cassette("scripted"),
        by=Figure.TIME,
        wanted=2.0,
    ),
    Case(
        name="record-100",
        what="a recorded run of 100 tool calls, 20 ms round trip, WebSocket, against the same without a cassette",
        ours=_cassette("recorded", round_trip=20),
        floor=_cassette("live", round_trip=20),
        by=Figure.TIME,
        wanted=1.03,
    ),
    Case(
        name="cases-200",
        what="`agentctl test` of 200 cases, whole process, against a process that makes 200 scripted runs",
        ours=_cassette("cases", 2 * CALLS),
        floor=_cassette("script", 2 * CALLS),
        by=Figure.TIME,
        wanted=3.0,
    ),
    Case(
        name="user-runs",
        what="200 runs at once, 50 ms round trip, reading `event.data`, WebSocket, against a pool of as many sockets",
        ours=_many_at_once("user_code/concurrent_runs.py", round_trip=50),
        floor=_many_at_once(_POOL_FLOOR, round_trip=50),
        by=Figure.TIME,
        wanted=2.0,
    ),
    Case(
        name="user-tools",
        what="100 calls of a sync tool, `run_streamed` read to its end, HTTP, against an `http.client` loop",
        ours=_tool_loop("user_code/tool_loop.py", "http"),
        floor=_tool_loop("floors/http_client_tool_loop.py"),
        by=Figure.TIME,
        wanted=2.0,
    ),
    Case(
        name="user-tools-websocket",
        what="the same over WebSocket, against a loop that calls the tool through `asyncio.to_thread`",
        ours=_tool_loop("user_code/tool_loop.py", "websocket"),
        floor=_BLOCKING_CALLS_FLOOR,
        by=Figure.TIME,
        wanted=1.5,
    ),
)

if agents_python := os.environ.get("AGENTS_PYTHON"):
    _IMPORT = "from {} import Agent, Runner, function_tool; print(Agent.__name__)"
    CASES += (
        Case(
            name="import",
            what="import of `Agent`, `Runner` and `function_tool`, against `openai-agents`",
            ours=Side(command=(sys.executable, "-c", _IMPORT.format("agentctl")), is_right=_is("Agent")),
            floor=Side(command=(agents_python, "-c", _IMPORT.format("agents")), is_right=_is("Agent")),
            by=Figure.TIME,
            wanted=0.05,
        ),
    )
