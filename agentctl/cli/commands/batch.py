"""`agentctl batch`: runs an agent for every row of a file.

Annotations are not strings here: Typer would evaluate those of all commands whenever one runs.
"""

import re
import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from agentctl.cli.confirmation import NoInput, Yes, is_confirmed
from agentctl.cli.invocation import Invocation
from agentctl.cli.report import UsageError
from agentctl.cli.run_options import (
    AgentRef,
    Allow,
    Api,
    BudgetName,
    BudgetWait,
    Deny,
    Instructions,
    MaxTokensTotal,
    MaxTurns,
    Model,
    OnApproval,
    OutputSchema,
    PromptCommand,
    Quiet,
    Retries,
    Set,
    Timeout,
    Transport,
    Var,
    Verbose,
    explicit_settings,
    setting_parser,
)
from agentctl.grammar import count
from agentctl.redaction import redact_text

if TYPE_CHECKING:
    # 10 ms that `--help` avoids.
    from agentctl.batch.address import StoreAddress
    from agentctl.cli.batch.job import JobOptions

HELP = """Example: agentctl batch run tickets.csv -a triage.py:agent

Run an agent for every row of a file. A batch goes on after a crash, and no finished call is made twice.
"""

app = typer.Typer(no_args_is_help=True, help=HELP)

_RATE = re.compile(r"(\d+)([kKmM]?)(?:/(s|sec|min|h|hour|day))?")
_THOUSANDS = {"": 1, "k": 1000, "m": 1_000_000}
_PERIODS = {None: 60.0, "s": 1.0, "sec": 1.0, "min": 60.0, "h": 3600.0, "hour": 3600.0, "day": 86_400.0}
_SHARE = re.compile(r"\d+|\d+(?:\.\d+)?%")


class EventFormat(StrEnum):
    """The output of a batch under way: notes on stderr, or one JSON event per line on stdout."""

    TEXT = "text"
    JSONL = "jsonl"


class InputFormat(StrEnum):
    """The format of the input."""

    JSONL = "jsonl"
    CSV = "csv"
    TSV = "tsv"
    PARQUET = "parquet"


def _parse_rate(text: str) -> tuple[int, float]:
    match = _RATE.fullmatch(text)
    if match is None or not int(match[1]):
        raise typer.BadParameter(f"{text!r} is not a rate such as 500/min, 10/s or 20000/h")
    return int(match[1]) * _THOUSANDS[match[2].lower()], _PERIODS[match[3]]


def _parse_share(text: str) -> str:
    if not _SHARE.fullmatch(text):
        raise typer.BadParameter(f"{text!r} is not a number of rows or a percentage, such as 20 or 5%")
    return text


def _parse_condition(text: str) -> Any:
    from agentctl.batch.table import Condition

    try:
        return Condition.of(text)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error


def _parse_name(text: str) -> str:
    from agentctl.batch.identity import check_batch_name

    try:
        return check_batch_name(text)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error


Store = Annotated[
    str | None,
    typer.Option(
        "--store",
        metavar="URL",
        help="sqlite:///PATH or postgresql://USER@HOST/DATABASE; by default AGENTCTL_STORE, or a file of yours.",
    ),
]
BatchName = Annotated[str, typer.Argument(metavar="NAME", help="The batch: its name, or the beginning of it.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print a JSON document.")]
Concurrency = Annotated[
    int, typer.Option("--concurrency", metavar="N", min=1, max=1000, help="Rows that each process runs at once.")
]
Rate = Annotated[
    Any, typer.Option("--rate", metavar="N/min", parser=_parse_rate, help="Rows that all processes begin: 500/min.")
]
TokensRate = Annotated[
    Any,
    typer.Option("--tokens-rate", metavar="N/min", parser=_parse_rate, help="Tokens that all processes use: 200k/min."),
]
BatchCost = Annotated[
    Any,
    typer.Option("--max-cost", metavar="USD", parser=setting_parser("max_cost"), help="Maximum cost of the batch."),
]
MaxFailures = Annotated[
    Any,
    typer.Option("--max-failures", metavar="N|N%", parser=_parse_share, help="Stop once more rows than this failed."),
]
FilesFrom = Annotated[
    Path | None, typer.Option("--files-from", metavar="DIR", help="The folder that has the files of -f columns.")
]
TraceAll = Annotated[bool, typer.Option("--trace", help="Keep the traces of all rows, not only of those that fail.")]
Events = Annotated[EventFormat, typer.Option("--format", help="Notes on stderr, or one JSON event per line on stdout.")]


@app.command("run", short_help="Run an agent for every row, or go on.", cls=PromptCommand)
def run(
    ctx: typer.Context,
    source: Annotated[
        str, typer.Argument(metavar="INPUT", help="A .jsonl, .csv, .tsv or .parquet file; `-` is stdin.")
    ],
    agent: AgentRef = None,
    model: Model = None,
    instructions: Instructions = None,
    prompt: Annotated[
        str | None, typer.Option("--prompt", metavar="TEXT", help="The prompt, with {{column}}; by default the row.")
    ] = None,
    id_field: Annotated[str | None, typer.Option("--id-field", metavar="COLUMN", help="The column with ids.")] = None,
    output_schema: OutputSchema = None,
    file: Annotated[
        list[str] | None, typer.Option("--file", "-f", metavar="COLUMN", help="Attach the files that a column names.")
    ] = None,
    files_from: FilesFrom = None,
    var: Var = None,
    where: Annotated[
        list[Any] | None,
        typer.Option(
            "--where",
            metavar="COLUMN=VALUE",
            parser=_parse_condition,
            help="Only rows with this value, or COLUMN~REGEX.",
        ),
    ] = None,
    limit: Annotated[int | None, typer.Option("--limit", metavar="N", min=1, help="At most this many rows.")] = None,
    offset: Annotated[int, typer.Option("--offset", metavar="N", min=0, help="Skip this many rows.")] = 0,
    sample: Annotated[int | None, typer.Option("--sample", metavar="N", min=1, help="Rows by chance.")] = None,
    skip_invalid: Annotated[bool, typer.Option("--skip-invalid", help="Skip invalid rows.")] = False,
    input_format: Annotated[
        InputFormat | None, typer.Option("--input-format", help="The format of INPUT; stdin is jsonl by default.")
    ] = None,
    name: Annotated[
        Any,
        typer.Option("--name", metavar="NAME", parser=_parse_name, help="The batch to begin, or to go on with."),
    ] = None,
    store: Store = None,
    concurrency: Concurrency = 64,
    rate: Rate = None,
    tokens_rate: TokensRate = None,
    max_cost: BatchCost = None,
    max_failures: MaxFailures = None,
    budget: BudgetName = None,
    budget_wait: BudgetWait = None,
    max_turns: MaxTurns = None,
    max_tokens_total: MaxTokensTotal = None,
    timeout: Timeout = None,
    retries: Retries = None,
    set_: Set = None,
    on_approval: OnApproval = None,
    allow: Allow = None,
    deny: Deny = None,
    transport: Transport = None,
    api: Api = None,
    trace: TraceAll = False,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="FILE", help="Write results to a .jsonl, .csv, .tsv or .parquet file."),
    ] = None,
    as_completed: Annotated[
        bool, typer.Option("--as-completed", help="Write results as rows end, not in the order of the input.")
    ] = False,
    format: Events = EventFormat.TEXT,
    detach: Annotated[bool, typer.Option("--detach", help="Run in the background.")] = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Example: agentctl batch run tickets.csv -a triage.py:agent -o results.jsonl

    Run an agent for every row. The same command goes on with a batch that was interrupted.
    """
    _require_extra()
    # 200 ms that `--help` avoids; the same below.
    from agentctl.batch.table import Selection
    from agentctl.cli.batch.output import ResultOutput
    from agentctl.cli.batch.run import BatchOptions, LimitOptions, run_batch_command

    invocation: Invocation = ctx.obj
    invocation.verbose = verbose
    settings = {
        "agent": agent,
        "model": model,
        "max_turns": max_turns,
        "max_tokens_total": max_tokens_total,
        "max_cost": max_cost,
        "budget": budget,
        "budget_wait": budget_wait,
        "timeout": timeout,
        "client.retries": retries,
        "on_approval": on_approval,
        "transport": transport,
        "api": api,
    }
    address = _address(store, invocation)
    options = BatchOptions(
        source=source,
        format=None if input_format is None else input_format.value,
        name=name,
        prompt=prompt,
        file_columns=tuple(file or ()),
        output_schema=output_schema,
        selection=Selection(
            where=tuple(where or ()),
            offset=offset,
            limit=limit,
            sample=sample,
            id_field=id_field,
            skip_invalid=skip_invalid,
        ),
        output=ResultOutput(output, as_completed, format is EventFormat.JSONL, quiet),
        detach=detach,
        arguments=_arguments(store, address),
    )
    job = _job(explicit_settings(settings, set_), instructions, dict(var or ()), files_from, allow, deny, trace)
    limits = LimitOptions(concurrency=concurrency, rate=rate, tokens_rate=tokens_rate, max_failures=max_failures)
    raise typer.Exit(run_batch_command(options, job, limits, address, invocation))


@app.command("worker", short_help="Join a batch, also from another machine.")
def worker(
    ctx: typer.Context,
    name: BatchName,
    agent: AgentRef = None,
    model: Model = None,
    instructions: Instructions = None,
    files_from: FilesFrom = None,
    var: Var = None,
    store: Store = None,
    concurrency: Concurrency = 64,
    rate: Rate = None,
    tokens_rate: TokensRate = None,
    max_cost: BatchCost = None,
    max_failures: MaxFailures = None,
    budget: BudgetName = None,
    budget_wait: BudgetWait = None,
    max_turns: MaxTurns = None,
    max_tokens_total: MaxTokensTotal = None,
    timeout: Timeout = None,
    retries: Retries = None,
    set_: Set = None,
    on_approval: OnApproval = None,
    allow: Allow = None,
    deny: Deny = None,
    transport: Transport = None,
    api: Api = None,
    trace: TraceAll = False,
    format: Events = EventFormat.TEXT,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Example: agentctl batch worker tickets -a triage.py:agent

    Run rows of a batch beside other processes. The agent is that of this command, and must be that of the batch.
    """
    _require_extra()
    from agentctl.cli.batch.output import ResultOutput
    from agentctl.cli.batch.run import LimitOptions, work_command

    invocation: Invocation = ctx.obj
    invocation.verbose = verbose
    settings = {
        "agent": agent,
        "model": model,
        "max_turns": max_turns,
        "max_tokens_total": max_tokens_total,
        "max_cost": max_cost,
        "budget": budget,
        "budget_wait": budget_wait,
        "timeout": timeout,
        "client.retries": retries,
        "on_approval": on_approval,
        "transport": transport,
        "api": api,
    }
    job = _job(explicit_settings(settings, set_), instructions, dict(var or ()), files_from, allow, deny, trace)
    limits = LimitOptions(concurrency=concurrency, rate=rate, tokens_rate=tokens_rate, max_failures=max_failures)
    output = ResultOutput(events=format is EventFormat.JSONL, quiet=quiet)
    raise typer.Exit(work_command(name, job, limits, _address(store, invocation), output, invocation))


@app.command("list", short_help="List the batches.")
def list_batches(ctx: typer.Context, store: Store = None, as_json: AsJson = False) -> None:
    """Example: agentctl batch list --json

    List the batches of a store, oldest first: name, rows, those that are done, failed or waiting, and the input.
    """
    _require_extra()
    from agentctl.cli.batch.views import list_lines, progress_of, record_json

    invocation: Invocation = ctx.obj
    with _open(store, invocation) as opened:
        found = [progress_of(opened, batch) for batch in (opened.batches() if opened.is_prepared() else [])]
    if as_json:
        invocation.print_json({"batches": [record_json(each) for each in found]}, mask=redact_text)
        return
    for line in list_lines(found):
        invocation.print(line, mask=redact_text)
    if not found:
        invocation.note("no batches")


@app.command("show", short_help="Show a batch, its failed or waiting rows.")
def show(
    ctx: typer.Context,
    name: BatchName,
    failed: Annotated[bool, typer.Option("--failed", help="List the rows that failed.")] = False,
    waiting: Annotated[bool, typer.Option("--waiting", help="List the rows that wait, with their tickets.")] = False,
    store: Store = None,
    as_json: AsJson = False,
) -> None:
    """Example: agentctl batch show tickets --failed

    Show the progress of a batch, and the rows that failed, or that wait for approval.
    """
    _require_extra()
    from agentctl.cli.batch.views import show_batch

    with _open(store, ctx.obj) as opened:
        show_batch(opened, name, ctx.obj, failed=failed, waiting=waiting, as_json=as_json)


@app.command("watch", short_help="Follow a batch that runs.")
def watch(ctx: typer.Context, name: BatchName, store: Store = None, format: Events = EventFormat.TEXT) -> None:
    """Example: agentctl batch watch tickets

    Follow a batch that other processes run, until nothing is left to do.
    """
    _require_extra()
    from agentctl.cli.batch.views import watch_batch

    with _open(store, ctx.obj) as opened:
        raise typer.Exit(watch_batch(opened, name, ctx.obj, events=format is EventFormat.JSONL))


@app.command("results", short_help="Print or save the results.")
def results(
    ctx: typer.Context,
    name: BatchName,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="FILE", help="Write to a .jsonl, .csv, .tsv or .parquet file."),
    ] = None,
    store: Store = None,
) -> None:
    """Example: agentctl batch results tickets -o results.csv

    Print the results of a batch so far as JSON lines, in the order of the input, or write them to a file.
    """
    _require_extra()
    from agentctl.batch.export import export, result_line
    from agentctl.cli.batch.output import results as results_of
    from agentctl.cli.batch.run import find_batch
    from agentctl.cli.sink import check_output

    invocation: Invocation = ctx.obj
    with _open(store, invocation) as opened:
        batch = find_batch(opened, name)
        if output is None or output == Path("-"):
            for document in results_of(opened, batch):
                sys.stdout.write(result_line(document))
            return
        check_output(output)
        number = export(results_of(opened, batch), output)
    invocation.note(f"wrote {count(number, 'result')} to {output}")


@app.command("retry", short_help="Run rows again that failed.")
def retry(
    ctx: typer.Context,
    name: BatchName,
    failed: Annotated[bool, typer.Option("--failed", help="The rows that failed.")] = False,
    outcome: Annotated[
        list[str] | None,
        typer.Option("--outcome", metavar="CODE|NAME", help="Only those with this exit code or outcome."),
    ] = None,
    store: Store = None,
) -> None:
    """Example: agentctl batch retry tickets --failed --outcome 75

    Put rows that failed or were cancelled back into the queue; a worker, or the command of the batch, runs them.
    """
    _require_extra()
    from agentctl.cli.batch.views import retry_rows

    if not failed and not outcome:
        raise UsageError("name the rows: --failed, or --outcome CODE")
    with _open(store, ctx.obj) as opened:
        retry_rows(opened, name, outcome or [], ctx.obj)


@app.command("cancel", short_help="Stop a batch.")
def cancel(ctx: typer.Context, name: BatchName, store: Store = None) -> None:
    """Example: agentctl batch cancel tickets

    Stop a batch in all processes. Finished rows keep their results; `batch retry` puts the others back.
    """
    _require_extra()
    from agentctl.cli.batch.views import cancel_batch

    with _open(store, ctx.obj) as opened:
        cancel_batch(opened, name, ctx.obj)


@app.command("delete", short_help="Delete a batch and its results.")
def delete(
    ctx: typer.Context, name: BatchName, store: Store = None, yes: Yes = False, no_input: NoInput = False
) -> None:
    """Example: agentctl batch delete tickets --yes

    Permanently delete a batch with all its results. One that runs must be cancelled first.
    """
    _require_extra()
    from agentctl.cli.batch.run import find_batch
    from agentctl.cli.batch.views import delete_batch

    invocation: Invocation = ctx.obj
    with _open(store, invocation) as opened:
        batch = find_batch(opened, name)
        if not yes and not is_confirmed(f"Delete {batch.name} with its results?", no_input=no_input):
            invocation.note("nothing was deleted")
            raise typer.Exit(1)
        delete_batch(opened, batch)
    invocation.note(f"deleted the batch {batch.name}")


def _require_extra() -> None:
    # 2 ms, needed only to run a command.
    from agentctl.batch.open_store import require_extra

    require_extra()


def _address(store: str | None, invocation: Invocation) -> "StoreAddress":
    from agentctl.batch.address import StoreAddress
    from agentctl.profile.load import find_paths

    folders = find_paths(invocation.environ, invocation.config, invocation.profile).folders
    return StoreAddress.choose(store, invocation.environ, folders)


def _open(store: str | None, invocation: Invocation) -> Any:
    from agentctl.batch.open_store import open_store

    address = _address(store, invocation)
    for note in address.notes:
        invocation.note(f"note: {note}")
    return open_store(address)


def _arguments(store: str | None, address: "StoreAddress") -> tuple[str, ...]:
    """Return the command line without the password of the store."""
    given = [argument.replace(store, address.url) if store else argument for argument in sys.argv[1:]]
    return tuple(given)


def _job(
    flags: dict[str, Any],
    instructions: str | None,
    variables: dict[str, str],
    files_from: Path | None,
    allow: list[Any] | None,
    deny: list[Any] | None,
    traces_all: bool,
) -> "JobOptions":
    from agentctl.cli.batch.job import JobOptions
    from agentctl.cli.prompt import read_instructions

    return JobOptions(
        flags=flags,
        instructions=read_instructions(instructions, variables),
        variables=variables,
        files_from=files_from,
        allow=tuple(allow or ()),
        deny=tuple(deny or ()),
        traces_all=traces_all,
    )
