"""Resolution of settings: sources merged by precedence, each value with its origin."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal, TypeAlias

from agentctl._dataclass import dataclass
from agentctl.agent.wire import JSONValue
from agentctl.errors import ConfigurationError
from agentctl.redaction import redact_keys

from .dotted import Parts, drop, join, leaves, nest, split
from .keys import KEYS, check_entry, find_setting, nearest, parse_value
from .kinds import Plain, Table, seconds
from .project import ProjectFile
from .store import Profile

FLAG = "flag"
BUILT_IN = "built-in"

Tree: TypeAlias = dict[str, Any]
"""Nested tables whose leaves are `Value`s."""

_ENV = "AGENTCTL_"
_OTHER_VARIABLES = ("AGENTCTL_HOME", "AGENTCTL_CONFIG", "AGENTCTL_PROFILE", "AGENTCTL_API_KEY")
_BY_ENV = {key.env: key.parts for key in KEYS}


@dataclass(frozen=True, slots=True, kw_only=True)
class Value:
    """A value and its origin."""

    value: JSONValue
    origin: str
    """`flag`, a variable, the path of a file, or `built-in`."""


_Entry: TypeAlias = tuple[Parts, Value]


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientSettings:
    """The endpoint and the HTTP options."""

    base_url: str
    websocket_base_url: str | None
    """The base URL for WebSockets if set separately: a ws, wss, http or https URL."""
    organization: str | None
    project: str | None
    request_timeout: float
    """Seconds."""
    ping_timeout: float
    """Seconds."""
    max_event_size: int
    """MiB."""
    retries: int
    ca_file: Path | None
    key: str | None
    """`none` if the endpoint needs no key."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TraceSettings:
    """Trace settings: on or off, and the processors besides the export to OpenAI."""

    is_enabled: bool
    keep_days: int
    keep_size: int
    """MB."""
    otel: bool
    include_data: bool | None
    """None leaves it to the environment."""
    processors: tuple[str, ...]
    """Functions that return the processors, as `package.module:function`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The effective settings."""

    values: Mapping[str, Value]
    """Dotted key -> value, in the order of the table of keys; unset keys are absent."""
    model: str | None
    """The chosen model, if any; an alias is resolved."""
    aliases: Mapping[str, str]
    """The user's own names of models."""
    agent: str | None
    """The reference of the agent to run."""
    agent_origin: str | None
    """The origin of `agent`, as in `Value.origin`."""
    max_turns: int
    max_tokens_total: int | None
    max_cost: float | None
    """USD."""
    budget: str | None
    """The name of a shared budget."""
    budget_wait: float
    """Seconds."""
    max_tool_calls: int
    max_file_size: int
    """Megabytes."""
    timeout: float | None
    """Seconds."""
    on_approval: Literal["allow", "deny", "fail", "suspend", "read-only"]
    ticket_lifetime: float
    """Seconds."""
    model_settings: Mapping[str, Any]
    """Model settings by name; durations in seconds."""
    transport: Literal["auto", "http", "websocket"]
    api: Literal["responses", "chat_completions"]
    output_mode: Literal["auto", "native", "tool"]
    key_command: tuple[str, ...] | None
    """A program that prints the key, and its arguments."""
    client: ClientSettings
    trace: TraceSettings
    prices: Mapping[str, Mapping[str, float]]
    """The user's own prices in USD per million tokens, by model and part."""

    def resolve_model(self, name: str) -> str:
        """Return the name of the model that an alias stands for; any other name is returned as it is."""
        return self.aliases.get(name, name)

    def is_chosen(self, key: str) -> bool:
        """Return whether the user set a value in any source."""
        return self.values[key].origin != BUILT_IN

    def is_explicit(self, key: str) -> bool:
        """Return whether a flag or an `AGENTCTL_*` variable set a value for this run."""
        value = self.values.get(key)
        return value is not None and (value.origin == FLAG or value.origin.startswith(_ENV))


def resolve(
    flags: Mapping[str, JSONValue],
    environ: Mapping[str, str],
    project: ProjectFile | None,
    profile: Profile,
    problems: list[ConfigurationError] | None = None,
) -> Settings:
    """Merge the sources; precedence: flags, `AGENTCTL_*`, project file, profile, `OPENAI_*`, built-in defaults.

    A flag of None is unset. Tables are merged value by value. A base URL replaces the whole endpoint: a WebSocket URL
    of lower precedence belongs to another one. With `problems`, an invalid variable is added to them and ignored.

    Raises:
        ConfigurationError: a variable or flag, which the error names, has an invalid value.
    """
    merged: Tree = {}
    for layer in (
        _defaults(),
        _openai(environ, problems),
        _file(profile.values, profile.path),
        _file(project.values, project.path) if project is not None else (),
        _environment(environ, problems),
        _flags(flags),
    ):
        upper = nest(layer)
        if "base_url" in upper.get("client", {}):
            drop(merged, ("client", "websocket_base_url"))
        merged = _merge(merged, upper)
    found = sorted(leaves(merged), key=lambda leaf: (_position(leaf[0]), leaf[0]))
    return _settings({join(parts): value for parts, value in found})


def unknown_variables(environ: Mapping[str, str]) -> tuple[str, ...]:
    """Return a note for each unknown `AGENTCTL_*` variable that resembles a known one."""
    known = [*_OTHER_VARIABLES, *_BY_ENV]
    unknown = sorted(
        name
        for name, text in environ.items()
        if name.startswith(_ENV) and text and name not in known and _open_table_setting(name) is None
    )
    names = [name.removeprefix(_ENV) for name in known]
    guesses = ((name, nearest(name.removeprefix(_ENV), names)) for name in unknown)
    return tuple(
        f"unknown environment variable {name}; did you mean {_ENV}{found}?" for name, found in guesses if found
    )


def _setting_variables(environ: Mapping[str, str]) -> Iterator[tuple[str, Parts]]:
    """Yield each `AGENTCTL_*` setting variable with its key; a table comes before its values."""
    for name in sorted(environ):
        if name.startswith(_ENV) and environ[name].strip():
            parts = _BY_ENV.get(name) or _open_table_setting(name)
            if parts is not None:
                yield name, parts


def _defaults() -> Iterator[_Entry]:
    for key in KEYS:
        if key.default is not None:
            yield key.parts, Value(value=key.default, origin=BUILT_IN)


def _openai(environ: Mapping[str, str], problems: list[ConfigurationError] | None) -> Iterator[_Entry]:
    for key in KEYS:
        if key.openai_env is not None and environ.get(key.openai_env, "").strip():
            yield from _from_variable(key.openai_env, key.parts, environ, problems)


def _file(values: Mapping[str, JSONValue], path: Path | None) -> Iterator[_Entry]:
    for name, value in values.items():
        parts = split(name)
        if path is not None and isinstance(value, str) and find_setting(parts).kind is Plain.PATH:
            value = str(path.parent / os.path.expanduser(value))
        yield parts, Value(value=value, origin=str(path))


def _environment(environ: Mapping[str, str], problems: list[ConfigurationError] | None) -> Iterator[_Entry]:
    for name, parts in _setting_variables(environ):
        yield from _from_variable(name, parts, environ, problems)


def _from_variable(
    variable: str, parts: Parts, environ: Mapping[str, str], problems: list[ConfigurationError] | None
) -> Iterator[_Entry]:
    try:
        value = parse_value(join(parts), environ[variable])
    except ValueError as error:
        problem = ConfigurationError(redact_keys(str(error)), key=variable)
        if problems is None:
            raise problem from error
        problems.append(problem)
        return
    yield from _entries(parts, value, variable)


def _flags(flags: Mapping[str, JSONValue]) -> Iterator[_Entry]:
    for name, value in flags.items():
        if value is None:
            continue
        parts = split(name)
        try:
            check_entry(parts, value)
        except ValueError as error:
            raise ConfigurationError(redact_keys(str(error)), key=name) from error
        yield from _entries(parts, value, FLAG)


def _entries(parts: Parts, value: JSONValue, origin: str) -> Iterator[_Entry]:
    """Yield a value split into its leaves, so that tables merge."""
    if isinstance(value, str) and find_setting(parts).kind is Plain.PATH:
        value = os.path.expanduser(value)
    for inner, leaf in leaves(nest([(parts, value)])):
        yield inner, Value(value=leaf, origin=origin)


def _open_table_setting(variable: str) -> Parts | None:
    """Return the key inside an open table that a variable such as AGENTCTL_SETTINGS_REASONING_EFFORT names."""
    for key in KEYS:
        if isinstance(key.kind, Table) and variable.startswith(f"{key.env}_"):
            return (*key.parts, variable.removeprefix(f"{key.env}_").lower())
    return None


def _merge(low: Tree, high: Tree) -> Tree:
    merged = dict(low)
    for name, value in high.items():
        below = merged.get(name)
        merged[name] = _merge(below, value) if isinstance(below, dict) and isinstance(value, dict) else value
    return merged


def _position(parts: Parts) -> int:
    return KEYS.index(find_setting(parts))


def _settings(values: Mapping[str, Value]) -> Settings:
    def get(name: str) -> Any:  # Its kind was checked when its source was read.
        return values[name].value if name in values else None

    def duration(name: str) -> float | None:
        return seconds(get(name)) if name in values else None

    named = ((split(name), value.value) for name, value in values.items())
    tables = nest(named)
    model_settings, aliases = tables.get("settings", {}), tables.get("aliases", {})
    if "timeout" in model_settings:
        model_settings["timeout"] = duration("settings.timeout")
    ca_file = get("client.ca_file")
    key_command = get("key_command")
    return Settings(
        values=values,
        model=aliases.get(get("model"), get("model")),
        aliases=aliases,
        agent=get("agent"),
        agent_origin=values["agent"].origin if "agent" in values else None,
        max_turns=get("max_turns"),
        max_tokens_total=get("max_tokens_total"),
        max_cost=get("max_cost"),
        budget=get("budget"),
        budget_wait=seconds(get("budget_wait")),
        max_tool_calls=get("max_tool_calls"),
        max_file_size=get("max_file_size"),
        timeout=duration("timeout"),
        on_approval=get("on_approval"),
        ticket_lifetime=seconds(get("ticket_lifetime")),
        model_settings=model_settings,
        transport=get("transport"),
        api=get("api"),
        output_mode=get("output_mode"),
        key_command=None if key_command is None else tuple(key_command),
        client=ClientSettings(
            base_url=get("client.base_url"),
            websocket_base_url=get("client.websocket_base_url"),
            organization=get("client.organization"),
            project=get("client.project"),
            request_timeout=seconds(get("client.request_timeout")),
            ping_timeout=seconds(get("client.ping_timeout")),
            max_event_size=get("client.max_event_size"),
            retries=get("client.retries"),
            ca_file=None if ca_file is None else Path(ca_file),
            key=get("client.key"),
        ),
        trace=TraceSettings(
            is_enabled=get("trace.enabled"),
            keep_days=get("trace.keep_days"),
            keep_size=get("trace.keep_size"),
            otel=get("trace.otel"),
            include_data=get("trace.include_data"),
            processors=tuple(get("trace.processors") or ()),
        ),
        prices=tables.get("prices", {}),
    )
