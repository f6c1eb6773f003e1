"""Times pairs of processes, ours and the floor's in turn, and compares them."""

import json
import os
import resource
import subprocess
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import assert_never

from agentctl.tracing.trace_files import file_name, list_files
from tests.service.client import Service
from tests.traces.sample import write_sample

from .cases import Case, Clock, Figure, Side

_PATIENCE = 120
"""Seconds until a process that hangs is killed."""


class Breakage(Exception):
    """A command failed or printed the wrong thing: there is nothing to compare."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """What one process took; not what it printed, since this process must stay a small one."""

    figure: float
    """What is compared."""
    cpu: float
    """Seconds: what it prints as `cpu`, else all of the process."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """The medians of a case: the figure of each side, and ratios over the pairs."""

    case: Case
    ours: float
    """Seconds, units of `ru_maxrss`, or bytes; seconds a turn or an item where these are compared."""
    floor: float
    ratio: float
    cpu_ratio: float | None
    """By processor time, which other work on the machine disturbs less; only where that is of what is timed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What every process finds: the services, and a home."""

    fake: Service
    quick: str
    """The base URL of the quick service."""
    home: str

    def prepare(self, side: Side) -> dict[str, str]:
        """Script the answers, and return an environment in which nothing but its service decides anything."""
        self.fake.reset()
        self.fake.script(*side.answers)
        self.fake.script_upgrades(*side.upgrades)
        kept = {name: os.environ[name] for name in ("PATH", "LANG", "LC_ALL", "SYSTEMROOT") if name in os.environ}
        base_url = self.quick if side.is_quick else self.fake.base_url
        if side.round_trip:
            base_url = base_url.replace("/v1", f"/{side.round_trip}ms/v1")
        sockets = {"OPENAI_WEBSOCKET_BASE_URL": self.fake.websocket_base_url} if side.upgrades else {}
        home = {"AGENTCTL_HOME": _home_with_traces(self.home, side.traces)} if side.traces else {}
        return {
            **kept,
            **sockets,
            **home,
            "HOME": self.home,
            "OPENAI_API_KEY": "sk-benchmark",
            "OPENAI_BASE_URL": base_url,
        }


def _home_with_traces(home: str, count: int) -> str:
    """Return a home with this many traces, made once."""
    folder = Path(home) / f"traces-{count}"
    if not folder.exists():
        write_sample(folder / "traces")
        (sample,) = list_files(folder / "traces")
        data = Path(sample.path).read_bytes()
        for number in range(1, count):
            name = f"trace_{number:032x}"
            copy = data.replace(sample.key.encode(), name.encode())
            (folder / "traces" / file_name(name, sample.started_ms / 1000 - number)).write_bytes(copy)
    return str(folder)


def compare(case: Case, surroundings: Surroundings, *, pairs: int) -> Result:
    """Run both sides once to warm them, then in turn, and return the medians."""
    for side in (case.ours, case.floor):
        _sample(case.by, side, surroundings)
    samples = [
        (_sample(case.by, case.ours, surroundings), _sample(case.by, case.floor, surroundings)) for _ in range(pairs)
    ]
    ratio = median(ours.figure / floor.figure for ours, floor in samples)
    is_whole = case.by in (Figure.TIME, Figure.SPEED) and case.ours.clock is case.floor.clock is Clock.WHOLE
    is_same = is_whole or (case.by is Figure.TURN and case.ours.is_turns and case.floor.is_turns)
    return Result(
        case=case,
        ours=median(ours.figure for ours, _ in samples),
        floor=median(floor.figure for _, floor in samples),
        ratio=1 / ratio if case.by is Figure.SPEED else ratio,
        cpu_ratio=median(ours.cpu / floor.cpu for ours, floor in samples) if is_same else None,
    )


def _figure(by: Figure, wall: float, memory: int, output: str) -> float:
    match by:
        case Figure.TIME | Figure.SPEED:
            return wall
        case Figure.TURN:
            return wall / int(json.loads(output)["calls"])
        case Figure.ITEM:
            return wall / int(json.loads(output)["items"])
        case Figure.MEMORY:
            # A process begins with what its parent has.
            if memory <= resource.getrusage(resource.RUSAGE_SELF).ru_maxrss:
                raise Breakage("it needs no more memory than this process, so that nobody can tell how much")
            return memory
        case Figure.BYTES:
            return float(json.loads(output)["bytes"])
        case _:
            assert_never(by)


def _sample(by: Figure, side: Side, surroundings: Surroundings) -> Sample:
    environ = surroundings.prepare(side)
    with tempfile.TemporaryFile() as errors:
        start = time.perf_counter()
        process = subprocess.Popen(
            side.command, env=environ, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=errors
        )
        assert process.stdout is not None
        watchdog = threading.Timer(_PATIENCE, process.kill)
        watchdog.start()
        output, first, last = _read(process.stdout.fileno())
        _, status, used = os.wait4(process.pid, 0)
        end = time.perf_counter()
        watchdog.cancel()
        process.stdout.close()
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode != 0 or not side.is_right(output):
            errors.seek(0)
            raise Breakage(_account(side, process.returncode, output, errors.read().decode("utf-8", "replace")))
    wall = _wall(side.clock, output, end - start, last - first)
    cpu = json.loads(output)["cpu"] if side.is_turns else used.ru_utime + used.ru_stime
    return Sample(figure=_figure(by, wall, used.ru_maxrss, output), cpu=cpu)


def _read(descriptor: int) -> tuple[str, float, float]:
    """Return all that comes, and when the first and the last of it came."""
    # One buffer for all: thousands of small pieces would make this process a large one.
    buffer, output = bytearray(1 << 16), bytearray()
    first = last = 0.0
    while size := os.readv(descriptor, [buffer]):
        last = time.perf_counter()
        first = first or last
        output += memoryview(buffer)[:size]
    return output.decode(), first, last


def _wall(clock: Clock, output: str, whole: float, writing: float) -> float:
    match clock:
        case Clock.WHOLE:
            return whole
        case Clock.OUTPUT:
            return writing
        case Clock.OWN:
            return float(json.loads(output)["seconds"])
        case _:
            assert_never(clock)


def _account(side: Side, code: int, output: str, errors: str) -> str:
    command = " ".join(Path(part).name for part in side.command)
    return f"`{command}` ended with {code}, {len(output)} characters on stdout\n{output[:300]}\n{errors[-2000:]}"
