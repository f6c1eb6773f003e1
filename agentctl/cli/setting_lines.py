"""Settings as `config` shows them: a value, a table aligned, or JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import assert_never

from agentctl.agent.wire import JSONValue
from agentctl.models.default_model import DEFAULT_MODEL
from agentctl.net.endpoint import origin_of
from agentctl.profile.credentials import Credential, Key, KeyFromCommand, KeyFromKeyring
from agentctl.profile.dotted import nested, split
from agentctl.profile.keys import KEYS
from agentctl.profile.load import Loaded
from agentctl.profile.resolve import BUILT_IN, Value

from .columns import aligned, room
from .invocation import Invocation

UNSET = "-"


def values_in_force(loaded: Loaded) -> dict[str, Value | None]:
    """Return every key and the model settings that are set, None for what is not."""
    values: dict[str, Value | None] = {key.name: None for key in KEYS if key.parts[0] != "settings"}
    values["model"] = Value(value=DEFAULT_MODEL, origin=BUILT_IN)
    return {**values, **loaded.settings.values}


def value_below(values: Mapping[str, Value | None], name: str) -> Value | None:
    """Return the value of a key, or the values below a table as one."""
    parts = split(name)
    named = [(split(key), value) for key, value in values.items() if value is not None]
    exact = next((value for key, value in named if key == parts), None)
    inside = [(key[len(parts) :], value) for key, value in named if key[: len(parts)] == parts]
    if exact is not None or not inside:
        return exact
    origins = dict.fromkeys(value.origin for _, value in inside)
    return Value(value=nested((key, value.value) for key, value in inside), origin=", ".join(origins))


def everything(loaded: Loaded, key: Key | None, tracing_key: Key | None) -> dict[str, Value | None]:
    """Return all that is in force: the profile, the values, and what is said of the keys."""
    return {
        "profile": Value(value=loaded.profile.name, origin=loaded.profile.origin or BUILT_IN),
        **values_in_force(loaded),
        "api_key": _key_row(key, f", for {_endpoint(loaded)}"),
        "tracing_key": _key_row(tracing_key, ""),
    }


def everything_json(loaded: Loaded, key: Key | None, tracing_key: Key | None) -> dict[str, JSONValue]:
    """Return all that is in force as JSON."""
    return {
        "profile": loaded.profile.name,
        "profile_origin": loaded.profile.origin or BUILT_IN,
        "path": as_text(loaded.paths.profile),
        "project": None if loaded.project is None else str(loaded.project.path),
        "values": values_json(values_in_force(loaded)),
        "api_key": {
            "present": key is not None,
            "for": _endpoint(loaded),
            "origin": None if key is None else key.source,
            "use_for_tracing": _is_for_traces(key),
        },
        "tracing_key": {
            "present": tracing_key is not None,
            "origin": None if tracing_key is None else tracing_key.source,
        },
    }


def show_value(invocation: Invocation, name: str, value: Value | None, *, as_json: bool) -> None:
    """Print one value, or nothing where it is not set."""
    if as_json:
        shown = None if value is None else value.value
        invocation.print_json({"key": name, "value": shown, "origin": None if value is None else value.origin})
    elif value is not None:
        invocation.print(as_text(value.value) or "")


def print_table(invocation: Invocation, values: Mapping[str, Value | None], *, with_origin: bool) -> None:
    """Print values in columns, a line each."""
    rows = [
        (name, UNSET, "") if value is None else (name, as_text(value.value) or "", value.origin)
        for name, value in values.items()
    ]
    for line in aligned(rows if with_origin else [row[:2] for row in rows], room()):
        invocation.print(line)


def values_json(values: Mapping[str, Value | None]) -> dict[str, JSONValue]:
    """Return values with where they come from as JSON."""
    return {
        name: {"value": None, "origin": None} if value is None else {"value": value.value, "origin": value.origin}
        for name, value in values.items()
    }


def as_text(value: JSONValue | Path | None) -> str | None:
    """Return a value as the command line takes it; None stays None."""
    if value is None:
        return None
    return str(value) if isinstance(value, str | Path) else json.dumps(value, ensure_ascii=False)


def _endpoint(loaded: Loaded) -> str:
    return origin_of(loaded.settings.client.base_url)


def _key_row(key: Key | None, place: str) -> Value | None:
    """Return what is said of a key in place of its value."""
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
    aside = "" if _is_for_traces(key) else ", not for traces"
    return Value(value=f"{state}{place}{aside}", origin=key.source)


def _is_for_traces(key: Key | None) -> bool:
    return not isinstance(key, Credential | KeyFromKeyring) or key.use_for_tracing
