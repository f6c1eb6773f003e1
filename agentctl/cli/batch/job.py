"""The job of a batch: its agent and settings from the command line, and the runner of its rows."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from agentctl._dataclass import dataclass
from agentctl.agent.json_schema import JSONSchemaOutput
from agentctl.agent.wire import JSONValue, WireItem
from agentctl.batch.approvals import RowApprovals
from agentctl.batch.row import BatchSpec
from agentctl.batch.row_run import RowRunner
from agentctl.batch.template import fill_row
from agentctl.cli.approvals.options import ApprovalContext, ApprovalOptions
from agentctl.cli.approvals.policy import approver_of, explicit_policy
from agentctl.cli.approvals.ticket_store import ticket_store
from agentctl.cli.invocation import Invocation
from agentctl.cli.output_schema import read_output_schema
from agentctl.definitions.fingerprint import Fingerprint, fingerprint_of, source_digest
from agentctl.definitions.reference import absolute_reference, source_of
from agentctl.errors import ConfigurationError, OptionError
from agentctl.launch.job import Job, noting_causes, prepare
from agentctl.launch.output_check import schema_of
from agentctl.profile.load import Loaded, load_settings
from agentctl.tickets.rules import Rules
from agentctl.tracing.process import set_trace_processors

if TYPE_CHECKING:
    from agentctl.batch.store import BatchStore


@dataclass(frozen=True, slots=True, kw_only=True)
class JobOptions:
    """The options of `batch run` and `batch worker` that are about the agent."""

    flags: dict[str, JSONValue]
    """Settings by dotted key."""
    instructions: str | None
    variables: dict[str, str]
    files_from: Path | None
    """The folder that file columns may name files in."""
    allow: tuple[str, ...]
    deny: tuple[str, ...]
    traces_all: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchJob:
    """The agent of a batch, ready to run rows."""

    job: Job
    loaded: Loaded
    fingerprint: Fingerprint

    @property
    def reference(self) -> str | None:
        """The reference of the agent."""
        named = self.loaded.settings.agent
        return None if named is None else absolute_reference(named, self.loaded)


def prepare_job(options: JobOptions, output_schema: JSONSchemaOutput | None, invocation: Invocation) -> BatchJob:
    """Return the job of a batch; imports the agent's code.

    Raises:
        ConfigurationError: the agent does not load, or a setting is invalid.
    """
    loaded = load_settings(
        options.flags, environ=invocation.environ, config=invocation.config, profile=invocation.profile
    )
    with noting_causes(loaded):
        job = prepare(
            "",
            loaded,
            instructions=options.instructions,
            environ=invocation.environ,
            is_interactive=False,
            variables=options.variables,
            output_schema=output_schema,
        )
    return BatchJob(job=job, loaded=loaded, fingerprint=Fingerprint(source="", agents={}))


async def with_fingerprint(prepared: BatchJob) -> BatchJob:
    """Return the job with its fingerprint; connects its MCP servers."""
    job, loaded = prepared.job, prepared.loaded
    await job.servers.attach(job.agent)
    reference = loaded.settings.agent
    source = source_digest(None if reference is None else source_of(reference, loaded))
    model = job.config.model if isinstance(job.config.model, str) else None
    found = await fingerprint_of(job.agent, model=model, source=source)
    return BatchJob(job=job, loaded=loaded, fingerprint=found)


def read_schema(value: str | None, invocation: Invocation) -> tuple[JSONSchemaOutput | None, list[str]]:
    """Return the output schema of `--output-schema` as a JSON Schema, the same for all workers, with notes."""
    if value is None:
        return None, []
    loaded = load_settings({}, environ=invocation.environ, config=invocation.config, profile=invocation.profile)
    schema, notes = read_output_schema(value, loaded)
    output = JSONSchemaOutput(schema_of(schema))
    output.check()
    return output, notes


def row_runner(
    prepared: BatchJob, spec: BatchSpec, options: JobOptions, store: BatchStore, invocation: Invocation
) -> tuple[RowRunner, RowApprovals]:
    """Return the runner of rows, and what decides about their approvals."""
    job, loaded = prepared.job, prepared.loaded
    approvals = _approvals(prepared, options, store, invocation)
    traces = None
    if job.traces.is_enabled and job.trace_store.folder is not None:
        # 5 ms, only for traced rows.
        from agentctl.batch.row_traces import RowTraces

        settings = loaded.settings.trace
        traces = RowTraces(
            job.trace_store.folder,
            keep_days=settings.keep_days,
            keep_size=settings.keep_size,
            keeps_all=options.traces_all,
        )
        set_trace_processors([traces])
    return RowRunner(
        agent=job.agent,
        config=job.config,
        make_input=_input_maker(spec, options.files_from, loaded),
        prices=job.prices,
        max_turns=job.max_turns,
        timeout=job.timeout,
        output_schema=job.output_schema,
        decide=approvals,
        traces=traces,
    ), approvals


def _approvals(prepared: BatchJob, options: JobOptions, store: BatchStore, invocation: Invocation) -> RowApprovals:
    context = ApprovalContext(
        options=ApprovalOptions(allow=options.allow, deny=options.deny, may_ask=False),
        loaded=prepared.loaded,
        job=prepared.job,
        invocation=invocation,
        instructions=options.instructions,
        session=None,
        show=None,
    )
    return RowApprovals(
        store=store,
        tickets=ticket_store(invocation),
        rules=Rules.of(allow=options.allow, deny=options.deny),
        policy=explicit_policy(prepared.loaded) or "suspend",
        suspend=approver_of(context).suspend,
    )


def _input_maker(
    spec: BatchSpec, folder: Path | None, loaded: Loaded
) -> Callable[[dict[str, JSONValue]], str | list[WireItem]]:
    """Return the function that makes the input of a run from a row.

    Raises:
        ConfigurationError: the batch has file columns, and no folder is given for them.
    """
    if not spec.file_columns:
        return lambda row: fill_row(spec.prompt, row)
    if folder is None:
        raise ConfigurationError("the batch has columns with files; pass --files-from DIR, the folder that has them")
    root, limit = folder.resolve(strict=False), loaded.settings.max_file_size
    # 5 ms, only for files.
    from agentctl.cli.attachments import MB, read_attachment, user_input

    def make_input(row: dict[str, JSONValue]) -> str | list[WireItem]:
        files = [
            read_attachment(str(path), limit=limit * MB)
            for column in spec.file_columns
            for path in _paths(row, column, root)
        ]
        return user_input(fill_row(spec.prompt, row), files)

    return make_input


def _paths(row: dict[str, JSONValue], column: str, root: Path) -> list[Path]:
    """Return the files that a column names, links resolved; an empty cell names none.

    Raises:
        OptionError: one is not inside the folder.
    """
    value = row.get(column)
    names = value if isinstance(value, list) else [] if value in (None, "") else [value]
    found = list[Path]()
    for name in names:
        path = (root / str(name)).resolve(strict=False)
        if not path.is_relative_to(root):
            raise OptionError(f"{name!r} in column {column!r} is not inside {root}")
        found.append(path)
    return found
