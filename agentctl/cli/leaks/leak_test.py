"""The leak test: trials, each searched for its canaries."""

from __future__ import annotations

import os
import tempfile
import threading
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec
from pathlib import Path
from typing import Literal, TypeAlias

from agentctl._dataclass import dataclass
from agentctl.net.loopback import LoopbackService, ServedRequest, ServedResponse

from .canary import Canary
from .sandbox import CommandFailed, TrialOutput, run_trial
from .service import respond
from .sinks import SINKS, sink_of
from .trial import Trial
from .trials import make_trials

MakeTrials: TypeAlias = "Callable[[int], Iterable[Trial]]"
"""Returns the trials over the service on a port."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A row of the result: a place of a canary, or a sink."""

    kind: Literal["place", "sink"]
    name: str
    state: Literal["ok", "leak", "failed", "skipped"]
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LeakTestResult:
    """The result of the test."""

    rows: Sequence[Row]
    leaks: Sequence[str]
    """Each canary that was found, and where."""
    problems: Sequence[str]
    """The reasons why the test does not show what it should."""

    @property
    def is_ok(self) -> bool:
        """True if there is no leak, and the test was complete."""
        return not self.leaks and not self.problems


def find_leaks(environ: Mapping[str, str], trials: MakeTrials = make_trials) -> LeakTestResult:
    """Run trials in temporary folders, as many at once as there are processors, and search what they wrote."""
    requests: dict[str, list[ServedRequest]] = defaultdict(list)
    lock = threading.Lock()

    def record(request: ServedRequest) -> ServedResponse:
        with lock:
            requests[_trial_name(request)].append(request)
        return respond(request)

    with (
        tempfile.TemporaryDirectory(prefix="agentctl-leak-test-") as folder,
        LoopbackService(record) as service,
        ThreadPoolExecutor(os.cpu_count()) as pool,
    ):
        examinations = [_Examination(trial, Path(folder).resolve() / trial.name) for trial in trials(service.port)]
        list(pool.map(lambda examination: examination.run(environ, requests), examinations))
    return _summarize(examinations)


class _Examination:
    """A trial, and what was found in what it wrote."""

    def __init__(self, trial: Trial, folder: Path) -> None:
        self.trial = trial
        self._folder = folder
        self.is_skipped = trial.needs is not None and not _is_installed(trial.needs)
        self.leaks: dict[str, list[str]] = defaultdict(list)
        """The leaks into each sink."""
        self.problems: list[str] = []
        self.sizes: dict[str, list[int]] = defaultdict(list)
        """The sizes of the outputs that went to each sink."""
        self.leaked: set[str] = set()
        """The places of the canaries that were found in a sink."""
        self.sent: set[str] = set()
        """The places of the canaries that requests had."""

    def run(self, environ: Mapping[str, str], requests: Mapping[str, Sequence[ServedRequest]]) -> None:
        """Run the trial, and search all that it wrote and sent, also if a command failed."""
        if self.is_skipped:
            return
        try:
            for output in run_trial(self.trial, self._folder, environ):
                self._search(output)
        except CommandFailed as failure:
            self.problems.append(str(failure))
        for request in requests.get(self.trial.name, ()):
            self._search_request(request)
        missing = [each.place for each in self.trial.canaries if each.is_sent and each.place not in self.sent]
        self.problems += [f"no request had the secret from {place}" for place in missing]

    def _search(self, output: TrialOutput) -> None:
        sink = output.sink
        if sink is None:
            found = sink_of(output.source)
            if found is None:
                if output.source not in {*self.trial.files, *self.trial.planted}:
                    self.problems.append(
                        f"no sink claims {output.source}, which a command wrote; add it to the registry"
                    )
                return
            sink = found.name
        planted = self.trial.planted.get(output.source, ())
        self._note(sink, output.source, output.data, [each for each in self.trial.canaries if each not in planted])

    def _search_request(self, request: ServedRequest) -> None:
        headers = repr(dict(request.headers)).encode()
        everything = headers + request.target.encode() + request.body
        self.sent |= {each.place for each in self.trial.canaries if each.is_in(everything)}
        if not self.trial.tells:
            self._note("requests", "the body of a request", request.body, self.trial.canaries)
        target = request.target.encode()
        self._note("requests", "the target of a request", target, self.trial.canaries)
        unsent = [each for each in self.trial.canaries if not each.is_sent]
        self._note("requests", "the headers of a request", headers, unsent)

    def _note(self, sink: str, source: str, data: bytes, canaries: Iterable[Canary]) -> None:
        self.sizes[sink].append(len(data))
        found = [each.place for each in canaries if each.is_in(data)]
        self.leaked |= set(found)
        self.leaks[sink] += [f"the secret from {place} is in {source} (trial {self.trial.name})" for place in found]


def _summarize(examinations: Sequence[_Examination]) -> LeakTestResult:
    problems = [problem for each in examinations for problem in each.problems]
    rows = [*_place_rows(examinations)]
    for sink in SINKS:
        sizes = [size for each in examinations for size in each.sizes[sink.name]]
        leaks = [leak for each in examinations for leak in each.leaks[sink.name]]
        if not sizes and not sink.is_optional:
            problems.append(f"nothing was written to {sink.name}, so it was not searched")
        state: Literal["ok", "leak", "skipped"] = "leak" if leaks else "ok" if sizes else "skipped"
        rows.append(Row(kind="sink", name=sink.name, state=state, detail=_describe_sizes(sizes, len(leaks))))
    leaks = [leak for each in examinations for sink in each.leaks.values() for leak in sink]
    return LeakTestResult(rows=rows, leaks=leaks, problems=problems)


def _place_rows(examinations: Sequence[_Examination]) -> Iterator[Row]:
    for each in examinations:
        for canary in each.trial.canaries:
            state: Literal["ok", "leak", "failed", "skipped"] = "failed" if each.problems else "ok"
            detail = "only sent to the service" if canary.is_sent else "not sent"
            if each.is_skipped:
                state, detail = "skipped", f"{each.trial.needs} is not installed"
            elif canary.place in each.leaked:
                state, detail = "leak", "found in a sink"
            elif each.problems:
                detail = "not shown: the trial failed"
            yield Row(kind="place", name=canary.place, state=state, detail=detail)


def _describe_sizes(sizes: Sequence[int], leaks: int) -> str:
    if not sizes:
        return "nothing written"
    size = sum(sizes)
    searched = f"{len(sizes):,} searched, {f'{size} B' if size < 1000 else f'{size / 1000:,.1f} kB'}"
    return f"{searched}, {leaks} with a secret" if leaks else searched


def _trial_name(request: ServedRequest) -> str:
    """Return the name of the trial that a request is from: the first part of its path."""
    path = request.target.partition("://")[2].partition("/")[2] if "://" in request.target else request.target[1:]
    return path.partition("/")[0]


def _is_installed(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:
        return False
