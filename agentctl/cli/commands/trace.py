"""`agentctl trace`: shows and changes the tracing of runs.

Annotations are not strings here: Typer would evaluate those of all commands whenever one runs.
"""

from collections.abc import Callable
from contextlib import suppress
from typing import Annotated

import typer

from agentctl.agent.wire import JSONValue
from agentctl.cli import stored_key
from agentctl.cli.invocation import Invocation, note_copy
from agentctl.errors import ConfigurationError
from agentctl.profile.keys import parse_value
from agentctl.profile.load import Loaded, find_paths, load_settings
from agentctl.profile.resolve import BUILT_IN
from agentctl.profile.store import change_list, set_values
from agentctl.profile.traces import Traces, effective_traces
from agentctl.tracing.environment import ENDPOINT

HELP = """Example: agentctl trace status

Show or change the tracing of runs.
"""
PROCESSORS_HELP = """Example: agentctl trace processors list

Manage your own trace processors.
"""

app = typer.Typer(no_args_is_help=True, help=HELP)
processors = typer.Typer(no_args_is_help=True, help=PROCESSORS_HELP)
app.add_typer(processors, name="processors", short_help="Manage your own trace processors.")

AsJson = Annotated[bool, typer.Option("--json", help="Print a JSON document.")]
Name = Annotated[str, typer.Argument(metavar="NAME", help="package.module:function, in an installed package.")]

ENABLED = "trace.enabled"
PROCESSORS = "trace.processors"


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
    if as_json:
        invocation.print_json(_document(traces))
        return
    for name, text in _rows(traces):
        invocation.print(f"{name:<10}  {text}")


@app.command("enable", short_help="Enable tracing.")
def enable(ctx: typer.Context) -> None:
    """Example: agentctl trace enable

    Enable tracing, overriding OPENAI_AGENTS_DISABLE_TRACING. `--no-trace` disables it for one run.
    """
    _store(ctx, is_enabled=True)


@app.command("disable", short_help="Disable tracing.")
def disable(ctx: typer.Context) -> None:
    """Example: agentctl trace disable

    Disable tracing: nothing is sent to OpenAI or to processors. `--trace` enables it for one run.
    """
    _store(ctx, is_enabled=False)


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


def _store(ctx: typer.Context, *, is_enabled: bool) -> None:
    invocation = ctx.ensure_object(Invocation)
    paths = find_paths(invocation.environ, invocation.config, invocation.profile)
    created = set_values(paths.profile, {ENABLED: is_enabled}, paths.named, on_copy=note_copy(invocation))
    if created is not None:
        invocation.note(f"created the profile {created}")
    _note_precedence(ENABLED, invocation)


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


def _rows(traces: Traces) -> list[tuple[str, str]]:
    """Return the status as rows of a name and a text."""
    rows = [("tracing", f"{'on' if traces.is_enabled else 'off'} ({traces.decided_by})")]
    if traces.key is not None:
        rows.append(("to OpenAI", f"yes, with the key from {traces.key.source}"))
    else:
        rows.append(("to OpenAI", f"no: {traces.no_export_reason}"))
    active = traces.processors if traces.is_enabled else ()
    rows += [("processor", f"{name} ({traces.processors_origin})") for name in active]
    return rows


def _document(traces: Traces) -> dict[str, JSONValue]:
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
        "processors": list(traces.processors),
    }
