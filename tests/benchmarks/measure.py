"""Times pairs of processes, ours and the floor's in turn, and compares them."""

import json
import os
import subprocess
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import assert_never

from tests.service.client import Service

from .cases import Case, Clock, Side

_PATIENCE = 120
"""Seconds until a process that hangs is killed."""


class Breakage(Exception):
    """A command failed or printed the wrong thing: there is nothing to compare."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """What one process took, in seconds."""

    wall: float
    cpu: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """The medians of a case: seconds of each side, and ratios over the pairs."""

    case: Case
    ours: float
    floor: float
    ratio: float
    cpu_ratio: float | None
    """By processor time, which other work on the machine disturbs less; only where whole processes are timed."""


def compare(case: Case, service: Service, home: str, *, pairs: int) -> Result:
    """Run both sides once to warm them, then in turn, and return the medians."""
    environ = _environment(service, home)
    for side in (case.ours, case.floor):
        _sample(side, service, environ)
    samples = [(_sample(case.ours, service, environ), _sample(case.floor, service, environ)) for _ in range(pairs)]
    ratio = median(ours.wall / floor.wall for ours, floor in samples)
    whole = case.ours.clock is case.floor.clock is Clock.WHOLE
    return Result(
        case=case,
        ours=median(ours.wall for ours, _ in samples),
        floor=median(floor.wall for _, floor in samples),
        ratio=ratio if case.by == "time" else 1 / ratio,
        cpu_ratio=median(ours.cpu / floor.cpu for ours, floor in samples) if whole else None,
    )


def _environment(service: Service, home: str) -> dict[str, str]:
    """Return an environment in which nothing but the fake service decides anything."""
    kept = {name: os.environ[name] for name in ("PATH", "LANG", "LC_ALL", "SYSTEMROOT") if name in os.environ}
    return {**kept, "HOME": home, "OPENAI_API_KEY": "sk-benchmark", "OPENAI_BASE_URL": service.base_url}


def _sample(side: Side, service: Service, environ: dict[str, str]) -> Sample:
    service.reset()
    service.script(*side.answers)
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
    return Sample(wall=_wall(side.clock, output, end - start, last - first), cpu=used.ru_utime + used.ru_stime)


def _read(descriptor: int) -> tuple[str, float, float]:
    """Return all that comes, and when the first and the last of it came."""
    chunks: list[bytes] = []
    first = last = 0.0
    while chunk := os.read(descriptor, 1 << 20):
        last = time.perf_counter()
        first = first or last
        chunks.append(chunk)
    return b"".join(chunks).decode(), first, last


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
