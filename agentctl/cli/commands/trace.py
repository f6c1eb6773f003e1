"""`agentctl trace`: shows the traces on this machine, and shows and changes the tracing of runs.

Annotations are not strings here: Typer would evaluate those of all commands whenever one runs.
"""

import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from agentctl.agent.wire import JSONValue
from agentctl.cli import completion_values, stored_key
from agentctl.cli.invocation import Invocation, note_copy
from agentctl.errors import ConfigurationError
from agentctl.profile.keys import parse_value
from agentctl.profile.load import Loaded, find_paths, load_settings
from agentctl.profile.resolve import BUILT_IN
from agentctl.profile.store import change_list, set_values
from agentctl.profile.traces import Traces, effective_traces
from agentctl.redaction import redact_text
from agentctl.tracing.environment import ENDPOINT

if TYPE_CHECKING:
    from agentctl.traces.store import LocalTraces

HELP = """Example: agentctl trace show --last

Show the traces of runs, and change how runs are traced.
"""
PROCESSORS_HELP = """Example: agentctl trace processors list

Manage your own trace processors.
"""

OTEL_HELP = """Example: agentctl trace otel enable

Export traces to OpenTelemetry by OTLP over HTTP.
"""

app = typer.Typer(no_args_is_help=True, help=HELP)
processors = typer.Typer(no_args_is_help=True, help=PROCESSORS_HELP)
otel = typer.Typer(no_args_is_help=True, help=OTEL_HELP)
app.add_typer(otel, name="otel", short_help="Export traces by OTLP.")
app.add_typer(processors, name="processors", short_help="Manage your own trace processors.")

AsJson = Annotated[bool, typer.Option("--json", help="Print a JSON document.")]
Name = Annotated[str, typer.Argument(metavar="NAME", help="package.module:function, in an installed package.")]

TraceId = Annotated[
    str | None,
    typer.Argument(
        metavar="[ID]", help="The trace: its id, or the beginning of it.", autocompletion=completion_values.traces
    ),
]
TraceIds = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[ID]...", help="Traces: their ids, or the beginnings.", autocompletion=completion_values.traces
    ),
]
Last = Annotated[bool, typer.Option("--last", help="Take the newest trace.")]


def _parse_age(text: str) -> float:
    # 10 ms that `--help` avoids.
    from agentctl.cli.trace_options import parse_age

    try:
        return parse_age(text)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error


class ExportFormat(StrEnum):
    """The format of an export: one page, OTLP in JSON, or a line of JSON for each span."""

    HTML = "html"
    OTLP = "otlp"
    JSONL = "jsonl"


ENABLED = "trace.enabled"
OTEL = "trace.otel"
PROCESSORS = "trace.processors"


@app.command("list", short_help="List the traces on this machine.")
def list_traces(
    ctx: typer.Context,
    limit: Annotated[int, typer.Option("--limit", metavar="N", min=1, help="Maximum number of traces.")] = 20,
    since: Annotated[
        Any, typer.Option("--since", metavar="AGE", parser=_parse_age, help="Only traces younger than 30m, 12h or 7d.")
    ] = None,
    agent: Annotated[str | None, typer.Option("--agent", metavar="NAME", help="Only traces of this agent.")] = None,
    outcome: Annotated[
        str | None, typer.Option("--outcome", metavar="NAME", help="Only traces that ended so: completed, failed, cut.")
    ] = None,
    session: Annotated[str | None, typer.Option("--session", metavar="ID", help="Only traces of this session.")] = None,
    as_json: AsJson = False,
) -> None:
    """Example: agentctl trace list --since 1d --outcome failed

    List the traces that are kept on this machine, newest first: id, time (UTC), agent, outcome, tokens and duration.
    """
    # 20 ms that `--help` avoids; the same below.
    from agentctl.cli.trace_list import trace_rows, trace_table
    from agentctl.cli.trace_options import traces_of

    invocation: Invocation = ctx.obj
    damaged: list[str] = []
    rows = trace_rows(
        traces_of(invocation).summaries(on_damage=damaged.append),
        limit=limit,
        since=since,
        agent=agent,
        outcome=outcome,
        session=session,
    )
    if as_json:
        invocation.print_json({"traces": [row.to_json() for row in rows]}, mask=redact_text)
    else:
        for line in trace_table(rows):
            invocation.print(line, mask=redact_text)
        if not rows:
            invocation.note("no traces" if not damaged else "no readable traces")
    for text in damaged:
        invocation.note(f"note: {text}")


@app.command("show", short_help="Show a trace as a timeline.")
def show_trace(
    ctx: typer.Context,
    trace_id: TraceId = None,
    last: Last = False,
    full: Annotated[bool, typer.Option("--full", help="Show inputs and outputs too.")] = False,
    as_json: AsJson = False,
) -> None:
    """Example: agentctl trace show --last

    Show a trace as a timeline: its spans as a tree, with bars to scale, durations, tokens, costs and errors.
    """
    from agentctl.cli.trace_options import prices_of, traces_of

    invocation: Invocation = ctx.obj
    traces = traces_of(invocation)
    trace = traces.read(_key(traces, trace_id, last=last))
    prices = prices_of(invocation)
    if as_json:
        invocation.print_json(trace.to_json(prices), mask=redact_text)
        return
    from agentctl.cli.columns import terminal_width
    from agentctl.traces.timeline import timeline

    for line in timeline(trace, prices, width=terminal_width() or 100, full=full):
        invocation.print(line, mask=redact_text)


@app.command("export", short_help="Write traces as a page, OTLP or JSON Lines.")
def export(
    ctx: typer.Context,
    trace_ids: TraceIds = None,
    last: Last = False,
    format: Annotated[
        ExportFormat,
        typer.Option("--format", help="html, otlp (for OpenTelemetry), or jsonl."),
    ] = (ExportFormat.HTML),
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="FILE", help="Write to this file instead of stdout (`-`).")
    ] = None,
) -> None:
    """Example: agentctl trace export --last -o trace.html

    Write traces as one HTML page, which needs no network, as OTLP in JSON, which OpenTelemetry collectors read from
    files (extra `otel`), or as JSON Lines, a line for each span.
    """
    from agentctl.cli.sink import check_output
    from agentctl.cli.trace_options import prices_of, traces_of
    from agentctl.storage import write_atomic

    invocation: Invocation = ctx.obj
    output = None if output == Path("-") else output
    if output is not None:
        check_output(output)
    traces = traces_of(invocation)
    keys = [traces.find(each) for each in trace_ids or ()] if not last else [_key(traces, None, last=True)]
    if last and trace_ids:
        raise typer.BadParameter("give ids or --last, not both", param_hint="--last")
    if not keys:
        raise typer.BadParameter("name a trace, or use --last", param_hint="ID")
    found, prices = [traces.read(key) for key in dict.fromkeys(keys)], prices_of(invocation)
    match format:
        case ExportFormat.JSONL:
            from agentctl.traces.lines import trace_lines

            text = "".join(f"{line}\n" for trace in found for line in trace_lines(trace, prices))
        case ExportFormat.OTLP:
            from agentctl.telemetry.document import otlp_document
            from agentctl.traces.otlp import trace_facts
            from agentctl.tracing.ingest import as_json

            text = f"{as_json(otlp_document([facts for trace in found for facts in trace_facts(trace)]))}\n"
        case ExportFormat.HTML:
            from agentctl.traces.page import trace_page

            text = trace_page(found, prices)
    if output is None:
        invocation.print(text.removesuffix("\n"), mask=str)
    else:
        write_atomic(output, text.encode("utf-8", "replace"))


@app.command("open", short_help="Open a trace in the browser.")
def open_trace(ctx: typer.Context, trace_id: TraceId = None) -> None:
    """Example: agentctl trace open

    Write a trace, by default the newest, as an HTML page beside the stored traces, and open it in the browser.
    """
    from agentctl.cli.trace_options import open_page, prices_of, traces_of
    from agentctl.traces.page import trace_page

    invocation: Invocation = ctx.obj
    traces = traces_of(invocation)
    trace = traces.read(_key(traces, trace_id, last=trace_id is None))
    path = open_page(trace_page([trace], prices_of(invocation)), trace.id, invocation)
    invocation.print(str(path))


@app.command("clear", short_help="Remove traces.")
def clear(
    ctx: typer.Context,
    trace_ids: TraceIds = None,
    older_than: Annotated[
        Any,
        typer.Option("--older-than", metavar="AGE", parser=_parse_age, help="Only traces older than 30m, 12h or 7d."),
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask before all traces are removed.")] = False,
) -> None:
    """Example: agentctl trace clear --older-than 7d

    Remove the named traces, those older than an age, or, without either, all. A trace that is still written stays.
    """
    from agentctl.cli.trace_options import traces_of

    invocation: Invocation = ctx.obj
    traces = traces_of(invocation)
    if trace_ids and older_than is not None:
        raise typer.BadParameter("give ids or --older-than, not both", param_hint="--older-than")
    if trace_ids:
        count = traces.remove({traces.find(each) for each in trace_ids})
    else:
        if older_than is None and not yes and not _is_confirmed("Remove all traces?"):
            invocation.note("no trace was removed")
            raise typer.Exit(1)
        count = traces.remove_older(older_than)
    invocation.note(f"removed {count:,} trace{'' if count == 1 else 's'}")


def _is_confirmed(question: str) -> bool:
    """Ask on the terminal and return whether the answer is yes."""
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise typer.BadParameter("cannot ask for confirmation here; pass --yes", param_hint="--yes")
    sys.stderr.write(f"{question} [y/N] ")
    sys.stderr.flush()
    return sys.stdin.readline().strip().lower() in ("y", "yes")


def _key(traces: "LocalTraces", trace_id: str | None, *, last: bool) -> str:
    if trace_id is not None:
        if last:
            raise typer.BadParameter("give an id or --last, not both", param_hint="--last")
        return traces.find(trace_id)
    if not last:
        raise typer.BadParameter("name a trace, or use --last", param_hint="ID")
    return traces.last()


@app.command("status", short_help="Show the state of tracing.")
def status(ctx: typer.Context, as_json: AsJson = False) -> None:
    """Example: agentctl trace status

    Show whether runs are traced, and where traces are sent. Keys are never shown, only their sources.
    """
    invocation = ctx.ensure_object(Invocation)
    loaded = _load(invocation)
    for note in loaded.notes:
        invocation.note(f"note: {note}")
    traces = effective_traces(loaded, invocation.environ)
    found = loaded.paths.folders
    folder = None if found is None else found.state / "traces"
    if as_json:
        invocation.print_json(_document(traces, folder, invocation.environ))
        return
    for name, text in _rows(traces, folder, invocation.environ):
        invocation.print(f"{name:<10}  {text}")


@app.command("enable", short_help="Enable tracing.")
def enable(ctx: typer.Context) -> None:
    """Example: agentctl trace enable

    Enable tracing, overriding OPENAI_AGENTS_DISABLE_TRACING. `--no-trace` disables it for one run.
    """
    _store(ctx, ENABLED, value=True)


@app.command("disable", short_help="Disable tracing.")
def disable(ctx: typer.Context) -> None:
    """Example: agentctl trace disable

    Disable tracing: nothing is sent to OpenAI or to processors. `--trace` enables it for one run.
    """
    _store(ctx, ENABLED, value=False)


@app.command("set-key", short_help="Store the key for tracing.", context_settings={"allow_extra_args": True})
def set_key(
    ctx: typer.Context,
    keyring: Annotated[
        bool, typer.Option("--keyring", help="Store it in the system keyring (extra `keyring`) instead of a file.")
    ] = False,
    no_input: Annotated[bool, typer.Option("--no-input", help="Never prompt; read the key from stdin.")] = False,
) -> None:
    """Example: agentctl trace set-key < key.txt

    Store the key for exporting traces to OpenAI, used instead of the key of the endpoint: prompted for on a terminal,
    otherwise the first line of stdin. `agentctl config set-key --tracing` is the same.
    """
    if ctx.args:
        raise typer.BadParameter(
            "a key on the command line is visible to every user of this machine; pipe it in, or run "
            "`agentctl trace set-key` and paste it"
        )
    options = stored_key.KeyOptions(is_for_tracing=True, to_keyring=keyring, no_input=no_input)
    stored_key.set_key(options, ctx.ensure_object(Invocation))


@otel.command("enable", short_help="Export traces by OTLP.")
def enable_otel(ctx: typer.Context) -> None:
    """Example: agentctl trace otel enable

    Export the traces of runs by OTLP over HTTP, to where the OTEL_EXPORTER_OTLP_* variables say; nothing is exported
    because such a variable is set. It needs the extra `otel`.
    """
    from agentctl.telemetry.export import check_installed

    check_installed()
    _store(ctx, OTEL, value=True)


@otel.command("disable", short_help="Do not export traces by OTLP.")
def disable_otel(ctx: typer.Context) -> None:
    """Example: agentctl trace otel disable

    Do not export traces by OTLP.
    """
    _store(ctx, OTEL, value=False)


@processors.command("list", short_help="List the processors.")
def list_processors(ctx: typer.Context, as_json: AsJson = False) -> None:
    """Example: agentctl trace processors list

    List the functions that create processors. They are called when a traced run starts, not by this command.
    """
    invocation = ctx.ensure_object(Invocation)
    traces = effective_traces(_load(invocation), invocation.environ)
    if as_json:
        invocation.print_json({"processors": list(traces.processors), "origin": traces.processors_origin})
        return
    for name in traces.processors:
        invocation.print(name)


@processors.command("add", short_help="Add a processor.")
def add_processor(ctx: typer.Context, name: Name) -> None:
    """Example: agentctl trace processors add my_package.traces:make_processor

    Register a function without arguments that returns a TracingProcessor. It is called for every traced run, not by
    this command, which only imports its module; that must be installed or on PYTHONPATH.
    """
    # 60 ms that the other commands avoid.
    from agentctl.definitions.trace_processors import find_function

    _check_name(name)
    find_function(name)

    def add(names: list[JSONValue]) -> list[JSONValue]:
        return names if name in names else [*names, name]

    _change(ctx, add)


@processors.command("remove", short_help="Remove a processor.")
def remove_processor(ctx: typer.Context, name: Name) -> None:
    """Example: agentctl trace processors remove my_package.traces:make_processor

    Remove a processor from the profile.
    """
    is_registered = False

    def remove(names: list[JSONValue]) -> list[JSONValue]:
        nonlocal is_registered
        is_registered = name in names
        return [other for other in names if other != name]

    _change(ctx, remove)
    if not is_registered:
        ctx.ensure_object(Invocation).note(f"note: {name} is not a processor in the profile")


def _load(invocation: Invocation) -> Loaded:
    return load_settings({}, environ=invocation.environ, config=invocation.config, profile=invocation.profile)


def _store(ctx: typer.Context, name: str, *, value: bool) -> None:
    invocation = ctx.ensure_object(Invocation)
    paths = find_paths(invocation.environ, invocation.config, invocation.profile)
    created = set_values(paths.profile, {name: value}, paths.named, on_copy=note_copy(invocation))
    if created is not None:
        invocation.note(f"created the profile {created}")
    _note_precedence(name, invocation)


def _change(ctx: typer.Context, change: Callable[[list[JSONValue]], list[JSONValue]]) -> None:
    invocation = ctx.ensure_object(Invocation)
    paths = find_paths(invocation.environ, invocation.config, invocation.profile)
    change_list(paths.profile, PROCESSORS, change, paths.named, on_copy=note_copy(invocation))
    _note_precedence(PROCESSORS, invocation)


def _note_precedence(name: str, invocation: Invocation) -> None:
    # Advice, which must not fail: the change is stored.
    with suppress(ConfigurationError):
        loaded = _load(invocation)
        value = loaded.settings.values.get(name)
        if value is not None and value.origin not in (str(loaded.paths.profile), BUILT_IN):
            invocation.note(f"note: the profile is changed, but {value.origin} takes precedence over it")


def _check_name(name: str) -> None:
    try:
        parse_value(PROCESSORS, f'["{name}"]')
    except ValueError as error:
        raise typer.BadParameter(f"{name!r} is not package.module:function", param_hint="NAME") from error


def otlp_target(environ: Mapping[str, str]) -> str:
    """Return where the variables of OpenTelemetry send traces."""
    own, base = (environ.get(f"OTEL_EXPORTER_OTLP_{name}ENDPOINT") for name in ("TRACES_", ""))
    return own or f"{(base or 'http://localhost:4318').rstrip('/')}/v1/traces"


def _kept_text(traces: Traces, folder: Path | None) -> str:
    if not traces.is_enabled:
        return "no: tracing is disabled"
    return "no: there is no home folder" if folder is None else f"in {folder}"


def _rows(traces: Traces, folder: Path | None, environ: Mapping[str, str]) -> list[tuple[str, str]]:
    """Return the status as rows of a name and a text."""
    rows = [("tracing", f"{'on' if traces.is_enabled else 'off'} ({traces.decided_by})")]
    if traces.key is not None:
        rows.append(("to OpenAI", f"yes, with the key from {traces.key.source}"))
    else:
        rows.append(("to OpenAI", f"no: {traces.no_export_reason}"))
    rows.append(("kept", _kept_text(traces, folder)))
    if traces.otel:
        rows.append(("OTLP", f"yes, to {otlp_target(environ)}"))
    active = traces.processors if traces.is_enabled else ()
    rows += [("processor", f"{name} ({traces.processors_origin})") for name in active]
    return rows


def _document(traces: Traces, folder: Path | None, environ: Mapping[str, str]) -> dict[str, JSONValue]:
    """Return the status as JSON."""
    is_exported = traces.key is not None
    return {
        "enabled": traces.is_enabled,
        "decided_by": traces.decided_by,
        "export": {
            "to": ENDPOINT if is_exported else None,
            "key_from": None if traces.key is None else traces.key.source,
            "why_not": traces.no_export_reason,
        },
        "otlp_to": otlp_target(environ) if traces.otel else None,
        "kept_in": None if folder is None or not traces.is_enabled else str(folder),
        "processors": list(traces.processors),
    }
