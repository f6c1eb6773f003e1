"""`agentctl config`: shows and stores settings, keys and profiles.

Annotations are not strings here: Typer would evaluate those of all commands whenever one runs, which takes 3 ms.
"""

import json
import re
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Annotated, Any, assert_never

import typer
from typer.core import TyperCommand

from agentctl.agent.default_model import DEFAULT_MODEL
from agentctl.agent.wire import JSONValue
from agentctl.cli import completion_values, profile_commands, stored_key
from agentctl.cli.columns import align, terminal_width
from agentctl.cli.invocation import Invocation, note_copy
from agentctl.cli.report import UsageError
from agentctl.errors import ConfigurationError
from agentctl.origin import origin_of
from agentctl.profile.credentials import TRACING, Credential, Key, KeyFromCommand, KeyFromKeyring, load_credentials
from agentctl.profile.document import MAX_BYTES
from agentctl.profile.dotted import join, nest, split
from agentctl.profile.keys import (
    KEYS,
    UnknownKeyError,
    find_setting,
    keys_table,
    parse_name,
    parse_value,
    suggestion,
)
from agentctl.profile.kinds import Plain
from agentctl.profile.load import NO_HOME, Loaded, Paths, find_key, find_paths, load_settings, search_project
from agentctl.profile.reference import (
    FileReference,
    ModuleReference,
    NameReference,
    TableReference,
    parse_reference,
    reference_at,
)
from agentctl.profile.resolve import BUILT_IN, Value
from agentctl.profile.store import load_profiles, set_values, unset_value

HELP = """Example: agentctl config show

Manage settings, keys and profiles.
"""

app = typer.Typer(no_args_is_help=True, help=HELP)
app.add_typer(profile_commands.app, name="profiles", short_help="List, select or delete profiles.")

_NEW_PROFILES = "# Settings of agentctl; `agentctl config set --help` lists the keys.\n\n[profiles.default]\n"
"""The text that is edited if there is no file of profiles."""

_NEGATIVE = re.compile(r"-\.?\d.*")

_HEADERS = "settings.extra_headers"
"""The settings whose values are secrets."""

AsJson = Annotated[bool, typer.Option("--json", help="Print a JSON document.")]


@app.command(
    "set-key",
    short_help="Store the key of the endpoint or of tracing.",
    context_settings={"allow_extra_args": True},
)
def set_key(
    ctx: typer.Context,
    tracing: Annotated[
        bool | None,
        typer.Option(
            "--tracing/--no-tracing",
            help="Store the key for tracing; or an endpoint key that is not used for tracing.",
            show_default=False,
        ),
    ] = None,
    keyring: Annotated[
        bool, typer.Option("--keyring", help="Store it in the system keyring (extra `keyring`) instead of a file.")
    ] = False,
    no_input: Annotated[bool, typer.Option("--no-input", help="Never prompt; read the key from stdin.")] = False,
) -> None:
    """Example: agentctl config set-key < key.txt

    Store the key for the current endpoint: prompted for on a terminal, otherwise the first line of stdin. It is stored
    in the current profile and sent only to the origin of that endpoint; if that is OpenAI's, it is also used to export
    traces.
    """
    if ctx.args:
        raise typer.BadParameter(
            "a key on the command line is visible to every user of this machine; pipe it in, or run "
            "`agentctl config set-key` and paste it"
        )
    options = stored_key.KeyOptions(
        is_for_tracing=tracing is True, use_for_tracing=tracing is not False, to_keyring=keyring, no_input=no_input
    )
    stored_key.set_key(options, _invocation(ctx))


@app.command("unset-key", short_help="Delete the key of the endpoint or of tracing.")
def unset_key(
    ctx: typer.Context,
    tracing: Annotated[bool, typer.Option("--tracing", help="Delete the key for tracing.")] = False,
) -> None:
    """Example: agentctl config unset-key

    Delete the stored key of the current endpoint, or of tracing.
    """
    stored_key.unset_key(_invocation(ctx), is_for_tracing=tracing)


@app.command("model", short_help="Show or store the model.")
def model(
    ctx: typer.Context,
    name: Annotated[
        str | None,
        typer.Argument(metavar="[NAME]", help="The model to store.", autocompletion=completion_values.models),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Example: agentctl config model gpt-5-mini

    Store the default model; without a name, show the current one.
    """
    _show_or_store(ctx, "model", name, as_json=as_json)


@app.command("transport", short_help="Show or store the transport.")
def transport(
    ctx: typer.Context,
    name: Annotated[
        str | None,
        typer.Argument(
            metavar="[http|websocket|auto]",
            help="The value to store.",
            autocompletion=completion_values.values_of("transport"),
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Example: agentctl config transport websocket

    Store the transport: auto uses a WebSocket for runs of several turns if the service supports it, otherwise HTTP.
    Without a name, show the current one.
    """
    _show_or_store(ctx, "transport", name, as_json=as_json)


@app.command("api", short_help="Show or store the API of the service.")
def api(
    ctx: typer.Context,
    name: Annotated[
        str | None,
        typer.Argument(
            metavar="[responses|chat_completions]",
            help="The value to store.",
            autocompletion=completion_values.values_of("api"),
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Example: agentctl config api chat_completions

    Store the API of the service; without a name, show the current one.
    """
    _show_or_store(ctx, "api", name, as_json=as_json)


@app.command("client", short_help="Show or store the connection to the service.")
def client(
    ctx: typer.Context,
    base_url: Annotated[str | None, typer.Option(metavar="URL", help="Base URL of the service.")] = None,
    websocket_base_url: Annotated[
        str | None, typer.Option(metavar="URL", help="Base URL for WebSockets, if different.")
    ] = None,
    organization: Annotated[str | None, typer.Option(metavar="ID", help="Organization to bill.")] = None,
    project: Annotated[str | None, typer.Option(metavar="ID", help="Project to bill.")] = None,
    request_timeout: Annotated[
        str | None, typer.Option(metavar="TIME", help="How long to wait without data: 90, 90s, 5m.")
    ] = None,
    ping_timeout: Annotated[
        str | None, typer.Option(metavar="TIME", help="How long to wait for data after a ping over WebSocket.")
    ] = None,
    max_event_size: Annotated[str | None, typer.Option(metavar="N", help="Size limit of an event, in MiB.")] = None,
    retries: Annotated[str | None, typer.Option(metavar="N", help="How often to retry a failed request.")] = None,
    ca_file: Annotated[str | None, typer.Option(metavar="PATH", help="Additional certificates to trust.")] = None,
    key: Annotated[
        str | None,
        typer.Option(
            metavar="none",
            help="`none` if the endpoint needs no key.",
            autocompletion=completion_values.values_of("client.key"),
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Example: agentctl config client --base-url http://localhost:8080/v1

    Store the connection to the service; without an option, show the current values.
    """
    options = {
        "client.base_url": base_url,
        "client.websocket_base_url": websocket_base_url,
        "client.organization": organization,
        "client.project": project,
        "client.request_timeout": request_timeout,
        "client.ping_timeout": ping_timeout,
        "client.max_event_size": max_event_size,
        "client.retries": retries,
        "client.ca_file": ca_file,
        "client.key": key,
    }
    invocation = _invocation(ctx)
    given = {name: text for name, text in options.items() if text is not None}
    if given:
        _store(invocation, given)
        return
    shown = {name: value for name, value in effective_values(_load(invocation)).items() if name in options}
    if as_json:
        invocation.print_json({"values": values_json(shown)})
    else:
        print_table(invocation, shown, with_origin=False)


@app.command("get", short_help="Print one current value.")
def get(
    ctx: typer.Context,
    key: Annotated[
        str,
        typer.Argument(
            metavar="KEY", help="A dotted key, such as client.base_url.", autocompletion=completion_values.keys
        ),
    ],
    as_json: AsJson = False,
) -> None:
    """Example: agentctl config get max_turns

    Print the current value of a key. If it is not set, print nothing and exit with 1.
    """
    with _as_usage_error("KEY"):
        parts = parse_name(key)
    invocation = _invocation(ctx)
    value = lookup_value(effective_values(_load(invocation)), key)
    show_value(invocation, join(parts), value, as_json=as_json)
    if value is None:
        raise typer.Exit(1)


class SetCommand(TyperCommand):
    """The command `config set`: negative numbers are values, and its help ends with the table of keys."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parse the arguments; a negative number, which looks like an option, is taken as the value."""
        number = next((arg for arg in args if _NEGATIVE.fullmatch(arg)), None)
        if number is not None and "--" not in args:
            args = [*(arg for arg in args if arg is not number), "--", number]
        return super().parse_args(ctx, args)

    def format_epilog(self, ctx: Any, formatter: Any) -> None:
        """Write the table of keys with their descriptions and defaults."""
        with formatter.section("Keys"):
            formatter.write_dl(
                [
                    (row.name, f"{row.meaning}{f'  [default: {row.default}]' if row.default else ''}")
                    for row in keys_table()
                ]
            )
        formatter.write_paragraph()
        formatter.write_text(
            "The environment variable of a key is AGENTCTL_ and the key in capitals, with `_` for the dot."
        )


@app.command("set", cls=SetCommand, short_help="Store a value in the profile.")
def set_(
    ctx: typer.Context,
    key: Annotated[
        str,
        typer.Argument(
            metavar="KEY", help="A dotted key, such as settings.temperature.", autocompletion=completion_values.keys
        ),
    ],
    value: Annotated[
        str,
        typer.Argument(
            metavar="VALUE",
            help="Text, a number, true or false, or JSON; - reads it from stdin.",
            autocompletion=completion_values.values,
        ),
    ],
) -> None:
    """Example: agentctl config set settings.reasoning.effort low

    Store a value in the profile.
    """
    invocation = _invocation(ctx)
    if value == "-":
        value = _read_stdin()
    elif key == _HEADERS or key.startswith(f"{_HEADERS}."):
        invocation.note(
            f"note: a header on the command line is visible to every user of this machine; pipe the value in instead: "
            f"agentctl config set {_HEADERS} - < FILE"
        )
    _store(invocation, {key: value})


@app.command("unset", short_help="Remove a value from the profile.")
def unset(
    ctx: typer.Context,
    key: Annotated[
        str,
        typer.Argument(
            metavar="KEY", help="A dotted key, or a table such as client.", autocompletion=completion_values.keys
        ),
    ],
) -> None:
    """Example: agentctl config unset client.base_url

    Remove a value from the profile.
    """
    with _as_usage_error("KEY"):
        name = join(split(key))
    invocation = _invocation(ctx)
    paths = _paths(invocation)
    if not unset_value(paths.profile, name, paths.named, on_copy=note_copy(invocation)):
        with _as_usage_error("KEY"):
            parse_name(key)
        invocation.note(f"note: {name} was not set in {paths.profile}")


@app.command("show", short_help="Show the effective settings.")
def show(
    ctx: typer.Context,
    key: Annotated[
        str | None,
        typer.Argument(
            metavar="[KEY]", help="Show only this key, or those below it.", autocompletion=completion_values.keys
        ),
    ] = None,
    origin: Annotated[bool, typer.Option("--origin", help="Show the source of each value.")] = False,
    as_json: AsJson = False,
) -> None:
    """Example: agentctl config show --origin

    Show the effective settings. Keys are never shown, only whether there is one. An invalid variable or project file is
    reported and ignored.
    """
    invocation = _invocation(ctx)
    if key is not None:
        _show_key(invocation, key, with_origin=origin, as_json=as_json)
        return
    problems: list[ConfigurationError] = []
    loaded = _load(invocation, problems)
    found = find_key(loaded, invocation.environ)
    _write_notes(invocation, found.notes)
    stored = load_credentials(loaded.paths.credentials, loaded.profile.name)
    if as_json:
        shown = effective_json(loaded, found.credential, stored.find(TRACING))
        invocation.print_json({**shown, "problems": [str(problem) for problem in problems]})
    else:
        print_table(invocation, effective_table(loaded, found.credential, stored.find(TRACING)), with_origin=origin)
    for problem in problems:
        invocation.note(f"warning: {problem}; it is ignored here, and fails a run")


def _show_key(invocation: Invocation, key: str, *, with_origin: bool, as_json: bool) -> None:
    with _as_usage_error("KEY"):
        name = join(parse_name(key))
    values = effective_values(_load(invocation))
    shown = {each: value for each, value in values.items() if each == name or each.startswith(f"{name}.")}
    if as_json:
        invocation.print_json({"values": values_json(shown or {name: None})})
    else:
        print_table(invocation, shown or {name: None}, with_origin=with_origin)


@app.command("edit", short_help="Edit the profiles in a text editor.")
def edit(ctx: typer.Context) -> None:
    """Example: agentctl config edit

    Edit the file of profiles in the editor that VISUAL or EDITOR names. The file changes only if the result is valid.
    """
    from agentctl.cli.text_editor import edit_text
    from agentctl.profile.store import replace_profiles

    invocation = _invocation(ctx)
    path = _paths(invocation).profile
    if path is None:
        raise ConfigurationError(NO_HOME)
    before = path.read_text(encoding="utf-8") if path.exists() else _NEW_PROFILES
    after = edit_text(before, suffix=".toml", environ=invocation.environ)
    if after == before:
        invocation.note(f"{path} was not changed")
        return
    replace_profiles(path, before if path.exists() else None, after)
    invocation.note(f"changed {path}")


@app.command("path", short_help="Print the path of the profiles.")
def path(ctx: typer.Context, as_json: AsJson = False) -> None:
    """Example: agentctl config path

    Print the path of the file of profiles; with --json, also the other files and folders, and the current profile.
    """
    invocation = _invocation(ctx)
    paths = _paths(invocation)
    if as_json:
        invocation.print_json(
            {
                "profile": _current_profile(paths),
                "config": as_text(paths.profile),
                "credentials": as_text(paths.credentials),
                "trust": as_text(paths.trust),
                "data": None if paths.folders is None else str(paths.folders.data),
                "state": None if paths.folders is None else str(paths.folders.state),
            }
        )
    elif paths.profile is None:
        raise ConfigurationError(NO_HOME)
    else:
        invocation.print(str(paths.profile))


def _invocation(ctx: typer.Context) -> Invocation:
    return ctx.ensure_object(Invocation)


def _paths(invocation: Invocation) -> Paths:
    return find_paths(invocation.environ, invocation.config, invocation.profile)


def _current_profile(paths: Paths) -> str | None:
    """Return the name of the current profile, None if the file cannot be read."""
    with suppress(ConfigurationError):
        return load_profiles(paths.profile, paths.named).current.name
    return None


def _load(invocation: Invocation, problems: list[ConfigurationError] | None = None) -> Loaded:
    loaded = load_settings(
        {}, environ=invocation.environ, config=invocation.config, profile=invocation.profile, problems=problems
    )
    _write_notes(invocation, loaded.notes)
    return loaded


def _write_notes(invocation: Invocation, notes: tuple[str, ...]) -> None:
    for note in notes:
        invocation.note(f"note: {note}")


@contextmanager
def _as_usage_error(hint: str) -> Iterator[None]:
    """Convert a `ValueError` into a usage error."""
    try:
        yield
    except UnknownKeyError as error:
        raise UsageError(str(error)) from error
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint=hint) from error


def _read_stdin() -> str:
    """Return the value on stdin, without the line break at its end.

    Raises:
        typer.BadParameter: stdin is a terminal, or the value is too long or not UTF-8.
    """
    if sys.stdin.isatty():
        raise typer.BadParameter("- reads the value from stdin, which is a terminal: pipe it in", param_hint="VALUE")
    data = sys.stdin.buffer.read(MAX_BYTES + 1)
    if len(data) > MAX_BYTES:
        raise typer.BadParameter(f"the value on stdin is larger than {MAX_BYTES >> 20} MiB", param_hint="VALUE")
    try:
        return data.decode("utf-8-sig").removesuffix("\n").removesuffix("\r")
    except UnicodeDecodeError as error:
        raise typer.BadParameter("the value on stdin is not UTF-8", param_hint="VALUE") from error


def _store(invocation: Invocation, texts: Mapping[str, str]) -> None:
    """Store values given as text by dotted key, with a note if another source takes precedence over the profile."""
    changes: dict[str, JSONValue] = {}
    for name, text in texts.items():
        with _as_usage_error(name):
            parts = parse_name(name)
            value = parse_value(name, text)
        if isinstance(value, str) and find_setting(parts).kind is Plain.PATH:
            value = str(Path(value).expanduser().absolute())
        if name == "agent":
            with _as_usage_error(name):
                value = _agent_reference(text)
        changes[join(parts)] = value
    paths = _paths(invocation)
    created = set_values(paths.profile, changes, paths.named, on_copy=note_copy(invocation))
    if created is not None:
        invocation.note(f"created the profile {created}")
    # The rest is advice, and must not fail: the values are stored.
    with suppress(ConfigurationError):
        settings = load_settings(
            {}, environ=invocation.environ, config=invocation.config, profile=invocation.profile
        ).settings
        for name in changes:
            effective = settings.values.get(name)
            if effective is not None and effective.origin != str(paths.profile):
                invocation.note(f"note: {name} is stored, but {effective.origin} takes precedence over it")


def _agent_reference(text: str) -> str:
    """Return a reference that is valid in every folder, if it names something.

    Raises:
        ValueError: it is no reference, or there is no such file or agent.
    """
    match parse_reference(text):
        case (FileReference() | TableReference()) as reference:
            path = Path(reference.path).expanduser().absolute()
            if not path.is_file():
                raise ValueError(f"{path}: there is no such file")
            return reference_at(reference, path)
        case ModuleReference():
            return text
        case NameReference(name=name):
            project = search_project().project
            if project is None:
                raise ValueError(f"there is no agent {name!r}: no agentctl.toml was found; write path/to/file.py:attr")
            if name not in project.agents:
                raise ValueError(f"there is no agent {name!r} in {project.path}{suggestion(name, project.agents)}")
            return name


def _show_or_store(ctx: typer.Context, name: str, text: str | None, *, as_json: bool) -> None:
    """Store the text for a key; without a text, show the current value."""
    invocation = _invocation(ctx)
    if text is not None:
        _store(invocation, {name: text})
    else:
        show_value(invocation, name, effective_values(_load(invocation))[name], as_json=as_json)


UNSET = "-"


def effective_values(loaded: Loaded) -> dict[str, Value | None]:
    """Return the values of all keys, and of the model settings that are set; None for a key that is not set."""
    values: dict[str, Value | None] = {key.name: None for key in KEYS if key.parts[0] != "settings"}
    values["model"] = Value(value=DEFAULT_MODEL, origin=BUILT_IN)
    return {**values, **loaded.settings.values}


def lookup_value(values: Mapping[str, Value | None], name: str) -> Value | None:
    """Return the value of a key, or the values of a table as one."""
    parts = split(name)
    present = [(split(key), value) for key, value in values.items() if value is not None]
    exact = next((value for key, value in present if key == parts), None)
    inside = [(key[len(parts) :], value) for key, value in present if key[: len(parts)] == parts]
    if exact is not None or not inside:
        return exact
    origins = dict.fromkeys(value.origin for _, value in inside)
    return Value(value=nest((key, value.value) for key, value in inside), origin=", ".join(origins))


def effective_table(loaded: Loaded, key: Key | None, tracing_key: Key | None) -> dict[str, Value | None]:
    """Return the profile, the effective values, and a summary of the keys."""
    return {
        "profile": Value(value=loaded.profile.name, origin=loaded.profile.origin or BUILT_IN),
        **effective_values(loaded),
        "api_key": _key_row(key, f", for {_endpoint(loaded)}"),
        "tracing_key": _key_row(tracing_key, ""),
    }


def effective_json(loaded: Loaded, key: Key | None, tracing_key: Key | None) -> dict[str, JSONValue]:
    """Return the profile, the effective values, and a summary of the keys as JSON."""
    return {
        "profile": loaded.profile.name,
        "profile_origin": loaded.profile.origin or BUILT_IN,
        "path": as_text(loaded.paths.profile),
        "project": None if loaded.project is None else str(loaded.project.path),
        "values": values_json(effective_values(loaded)),
        "api_key": {
            "present": key is not None,
            "endpoint": _endpoint(loaded),
            "origin": None if key is None else key.source,
            "use_for_tracing": _is_used_for_tracing(key),
        },
        "tracing_key": {
            "present": tracing_key is not None,
            "origin": None if tracing_key is None else tracing_key.source,
        },
    }


def show_value(invocation: Invocation, name: str, value: Value | None, *, as_json: bool) -> None:
    """Print one value, or nothing if it is not set."""
    if as_json:
        shown = None if value is None else value.value
        invocation.print_json({"key": name, "value": shown, "origin": None if value is None else value.origin})
    elif value is not None:
        invocation.print(as_text(value.value) or "")


def print_table(invocation: Invocation, values: Mapping[str, Value | None], *, with_origin: bool) -> None:
    """Print values in columns, one per line."""
    rows = [
        (name, UNSET, "") if value is None else (name, as_text(value.value) or "", value.origin)
        for name, value in values.items()
    ]
    count = 3 if with_origin else 2
    heading = ("KEY", "VALUE", "ORIGIN")[:count]
    for line in align([row[:count] for row in rows], terminal_width(), heading=heading):
        invocation.print(line)


def values_json(values: Mapping[str, Value | None]) -> dict[str, JSONValue]:
    """Return values and their sources as JSON."""
    return {
        name: {"value": None, "origin": None} if value is None else {"value": value.value, "origin": value.origin}
        for name, value in values.items()
    }


def as_text(value: "JSONValue | Path") -> str | None:
    """Return a value in the syntax of the command line; None stays None."""
    if value is None:
        return None
    return str(value) if isinstance(value, str | Path) else json.dumps(value, ensure_ascii=False)


def _endpoint(loaded: Loaded) -> str:
    return origin_of(loaded.settings.client.base_url)


def _key_row(key: Key | None, place: str) -> Value | None:
    """Return a summary of a key instead of its value."""
    match key:
        case None:
            return None
        case Credential():
            state = "present"
        case KeyFromKeyring():
            state = "in the keyring"
        case KeyFromCommand():
            state = "printed by key_command"
        case _:
            assert_never(key)
    suffix = "" if _is_used_for_tracing(key) else ", not for tracing"
    return Value(value=f"{state}{place}{suffix}", origin=key.source)


def _is_used_for_tracing(key: Key | None) -> bool:
    return not isinstance(key, Credential | KeyFromKeyring) or key.use_for_tracing
