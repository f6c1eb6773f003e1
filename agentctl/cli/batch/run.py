"""The work of `batch run` and `batch worker`: open the store, check the agent, and run rows until nothing is left."""

from __future__ import annotations

import contextlib
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from agentctl._dataclass import dataclass
from agentctl.agent.json_schema import JSONSchemaOutput
from agentctl.batch.address import StoreAddress
from agentctl.batch.identity import check_agent, check_same, default_name, version_of, with_digest
from agentctl.batch.open_store import open_store
from agentctl.batch.row import BatchRecord, BatchSpec, RowInput
from agentctl.batch.table import RowTable, Selection, Survey, TableFormat
from agentctl.batch.template import columns_of
from agentctl.cli.cancellable import run_cancellable
from agentctl.cli.invocation import Invocation
from agentctl.cli.report import UsageError
from agentctl.errors import EXITS, ConfigurationError, Outcome
from agentctl.grammar import count
from agentctl.launch.job import noting_causes, shared_budgets
from agentctl.launch.perform import close

from .job import BatchJob, JobOptions, prepare_job, read_schema, row_runner, with_fingerprint
from .output import ResultOutput
from .progress_view import ProgressView, summarize

if TYPE_CHECKING:
    from agentctl.batch.progress import Progress
    from agentctl.batch.store import BatchStore
    from agentctl.batch.worker import WorkerOptions


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchOptions:
    """The options of `batch run`."""

    source: str
    """A path, or `-`."""
    format: TableFormat | None
    """The format of stdin."""
    name: str | None
    prompt: str | None
    file_columns: tuple[str, ...]
    output_schema: str | None
    selection: Selection
    output: ResultOutput
    detach: bool
    arguments: tuple[str, ...]
    """The command line, to go on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitOptions:
    """The limits of `batch run` and `batch worker`."""

    concurrency: int
    rate: tuple[int, float] | None
    tokens_rate: tuple[int, float] | None
    max_failures: str | None
    """A number of rows, or a percentage."""


def run_batch_command(
    options: BatchOptions, job: JobOptions, limits: LimitOptions, address: StoreAddress, invocation: Invocation
) -> int:
    """Run a batch, or go on with it, and return the exit code."""
    options.output.check()
    with _table(options) as table:
        survey = table.survey(options.selection, columns_of(options.prompt))
        for problem in survey.problems:
            invocation.note(f"skipped: {problem}")
        if not survey.total:
            raise UsageError(f"{table.name} has no rows to run")
        _check_columns(options, survey)
        schema, notes = read_schema(options.output_schema, invocation)
        spec = BatchSpec(
            prompt=options.prompt,
            file_columns=options.file_columns,
            output_schema=None if schema is None else schema.schema,
        )
        prepared = prepare_job(job, schema, invocation)
        _note(invocation, options.output.quiet, (*address.notes, *prepared.job.notes, *notes))

        async def run() -> int:
            try:
                found = await with_fingerprint(prepared)
                batch = _record(options, found, spec, survey, table)
                with open_store(address) as store:
                    return await _run(options, job, limits, found, batch, table.rows(options.selection, survey), store)
            finally:
                await close(prepared.job)

        async def _run(
            options: BatchOptions,
            job: JobOptions,
            limits: LimitOptions,
            found: BatchJob,
            batch: BatchRecord,
            rows: Iterator[RowInput],
            store: BatchStore,
        ) -> int:
            store.prepare()
            known = store.add(replace(batch, created=time.time()))
            check_same(known, batch)
            if options.detach:
                return _detach(options, known, store, invocation)
            return await work_on(known, rows, found, job, limits, store, options.output, invocation, options.arguments)

        return run_cancellable(run())


def work_command(
    name: str,
    job: JobOptions,
    limits: LimitOptions,
    address: StoreAddress,
    output: ResultOutput,
    invocation: Invocation,
) -> int:
    """Work on a batch of a store, beside other processes, and return the exit code."""
    with open_store(address) as store:
        known = find_batch(store, name)
        schema = None if known.spec.output_schema is None else JSONSchemaOutput(known.spec.output_schema)
        prepared = prepare_job(job, schema, invocation)
        _note(invocation, output.quiet, (*address.notes, *prepared.job.notes))

        async def run() -> int:
            try:
                found = await with_fingerprint(prepared)
                check_agent(known, found.fingerprint)
                return await work_on(known, None, found, job, limits, store, output, invocation, ())
            finally:
                await close(prepared.job)

        return run_cancellable(run())


def find_batch(store: BatchStore, name: str) -> BatchRecord:
    """Return a batch, by its name or the beginning of it.

    Raises:
        ConfigurationError: there is none, or several begin like this.
    """
    batches = store.batches() if store.is_prepared() else []
    found = [batch for batch in batches if batch.name == name] or [
        batch for batch in batches if batch.name.startswith(name)
    ]
    if len(found) > 1:
        raise ConfigurationError(f"several batches begin with {name!r}: {', '.join(batch.name for batch in found)}")
    if not found:
        raise ConfigurationError(
            f"no batch {name!r} in {store.address.url}; list the batches with `agentctl batch list`"
        )
    return found[0]


async def work_on(
    batch: BatchRecord,
    rows: Iterable[RowInput] | None,
    prepared: BatchJob,
    job: JobOptions,
    limits: LimitOptions,
    store: BatchStore,
    output: ResultOutput,
    invocation: Invocation,
    arguments: tuple[str, ...],
) -> int:
    """Run the rows of a batch with other processes until nothing is left, and return the exit code."""
    from agentctl.batch.engine import Engine
    from agentctl.batch.spending import limiter_of
    from agentctl.batch.worker import BatchWorker

    runner, approvals = row_runner(prepared, batch.spec, job, store, invocation)
    engine = Engine(store, version=version_of(batch.fingerprint, batch.spec), run_row=runner)
    settings = prepared.loaded.settings
    worker = BatchWorker(
        store=store,
        engine=engine,
        batch=batch,
        options=_worker_options(limits, batch),
        approvals=approvals,
        limiter=limiter_of(
            store,
            batch.name,
            prepared.job.prices,
            max_cost=settings.max_cost,
            budgets=shared_budgets(prepared.loaded),
            wait=settings.budget_wait,
        ),
    )
    view = ProgressView(invocation, quiet=output.quiet)
    output.begin(batch)
    is_whole = False
    try:
        with noting_causes(prepared.loaded):
            async with contextlib.aclosing(worker.run(rows)) as steps:
                async for ended in steps:
                    output.write(ended, worker.progress)
                    view.show(worker.progress)
        is_whole = True
    finally:
        view.close()
        _report(worker.progress, is_whole=is_whole, output=output, arguments=arguments, invocation=invocation)
    code = exit_code(worker.progress)
    number = output.finish(store, worker.progress, code)
    if number is not None and not output.quiet:
        invocation.note(f"wrote {count(number, 'result')} to {output.path}")
    return code


def exit_code(progress: Progress) -> int:
    """Return the exit code of a batch: that of its worst row, in the order of the documentation."""
    codes = {row.outcome: row.code for row in EXITS}
    if progress.outcomes["budget"]:
        return codes[Outcome.BUDGET]
    if progress.failure_count or progress.states["cancelled"] or progress.remainder:
        return codes[Outcome.FAILED]
    return codes[Outcome.SUSPENDED] if progress.states["waiting"] else 0


def _report(
    progress: Progress, *, is_whole: bool, output: ResultOutput, arguments: tuple[str, ...], invocation: Invocation
) -> None:
    if output.quiet:
        return
    invocation.note(summarize(progress))
    name = progress.batch.name
    if not is_whole and arguments:
        # Not as a note, which would be wrapped: it is to be copied.
        invocation.write_error(invocation.make_safe(f"go on with: {shlex.join(('agentctl', *arguments))}") + "\n")
    elif progress.states["waiting"]:
        invocation.note(f"see `agentctl batch show {name} --waiting`; approve or deny, then run the same command again")
    elif progress.failure_count:
        invocation.note(
            f"see `agentctl batch show {name} --failed`; `agentctl batch retry {name} --failed` tries again"
        )


def _worker_options(limits: LimitOptions, batch: BatchRecord) -> WorkerOptions:
    from agentctl.batch.worker import WorkerOptions

    most = limits.max_failures
    number = None
    if most is not None:
        number = int(float(most[:-1]) * batch.total / 100) if most.endswith("%") else int(most)
    return WorkerOptions(
        concurrency=limits.concurrency, rate=limits.rate, max_failures=number, tokens_rate=limits.tokens_rate
    )


def _record(options: BatchOptions, prepared: BatchJob, spec: BatchSpec, survey: Survey, table: RowTable) -> BatchRecord:
    batch = with_digest(
        BatchRecord(
            name="",
            agent=prepared.reference,
            fingerprint=prepared.fingerprint,
            spec=spec,
            digest="",
            source=table.name,
            total=survey.total,
        ),
        options.selection.text,
        survey.digest,
    )
    name = options.name or default_name(table.name, [batch.digest, prepared.reference, spec.output_schema])
    return replace(batch, name=name)


@contextlib.contextmanager
def _table(options: BatchOptions) -> Iterator[RowTable]:
    if options.source != "-":
        path = Path(options.source).expanduser()
        yield RowTable.of_file(path, options.format)
        return
    if options.detach:
        raise UsageError("--detach needs a file; stdin ends with this command")
    kind = options.format or "jsonl"
    with tempfile.TemporaryDirectory(prefix="agentctl-") as folder:
        copy = Path(folder) / f"stdin.{kind}"
        with copy.open("wb") as file:
            shutil.copyfileobj(sys.stdin.buffer, file)
        yield RowTable.of_file(copy, kind, "stdin")


def _check_columns(options: BatchOptions, survey: Survey) -> None:
    missing = [column for column in options.file_columns if column not in survey.columns]
    if missing:
        raise UsageError(f"there is no column {missing[0]!r} for -f; there are {', '.join(sorted(survey.columns))}")


def _detach(options: BatchOptions, batch: BatchRecord, store: BatchStore, invocation: Invocation) -> int:
    """Start the same command in the background."""
    arguments = [argument for argument in options.arguments if argument != "--detach"]
    folder = (store.address.path or Path(tempfile.gettempdir()) / "batches").parent
    log = folder / f"{batch.name}.log"
    with log.open("ab") as file:
        process = subprocess.Popen(  # noqa: S603  # our own command line
            [sys.executable, "-m", "agentctl", *arguments],
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=file,
            start_new_session=True,
        )
    invocation.note(f"batch {batch.name} runs in the background as process {process.pid}; its log is {log}")
    invocation.note(f"watch it with `agentctl batch watch {batch.name}`")
    return 0


def _note(invocation: Invocation, quiet: bool, notes: Iterable[str]) -> None:
    for note in () if quiet else notes:
        invocation.note(f"note: {note}")
