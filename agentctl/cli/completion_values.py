"""The values that a shell offers for the Tab key; they are read from files, nothing is run and nobody is asked.

Each function returns pairs of a value and its meaning. The modules that read files are imported by the question alone.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import TypeAlias

import typer

from agentctl.errors import ConfigurationError
from agentctl.profile.keys import KEYS, SettingKey, find_setting, parse_name
from agentctl.profile.kinds import Choice, Plain

from .invocation import Invocation

Candidates: TypeAlias = list[tuple[str, str]]


def agents() -> Candidates:
    """Return the agents that the project file of this folder names, each with its reference."""
    from agentctl.profile.load import search_project

    project = search_project().project
    return [] if project is None else list(project.agents.items())


def models(ctx: typer.Context) -> Candidates:
    """Return the local models, the model in force, and the one that is built in."""
    from agentctl.models.default_model import DEFAULT_MODEL

    found = {f"local/{name}": meaning for name, meaning in local_models()}
    found[DEFAULT_MODEL] = "Built in."
    with suppress(ConfigurationError):
        found.update(_model_in_force(ctx))
    return list(found.items())


def local_models() -> Candidates:
    """Return the local models that have a name, without the prefix `local/`."""
    from agentctl.models.local.weights import KNOWN

    return [(weights.name, f"A local model of {weights.size / 1e6:.0f} MB.") for weights in KNOWN]


def profiles(ctx: typer.Context) -> Candidates:
    """Return the names of the profiles."""
    from agentctl.profile.load import find_paths
    from agentctl.profile.store import load_profiles

    invocation = _invocation(ctx)
    found = load_profiles(find_paths(invocation.environ, invocation.config).profile)
    return [(name, "In use." if name == found.current.name else "") for name in found.names]


def sessions(ctx: typer.Context) -> Candidates:
    """Return the sessions, each with how it begins."""
    from agentctl.render.escape import one_line, shorten

    from .session_options import store_of

    found = store_of(_invocation(ctx)).conversations()
    return [(each.session_id, shorten(one_line(each.begin), 60)) for each in found]


def tickets(ctx: typer.Context) -> Candidates:
    """Return the tickets that a run can go on from, each with the tools that wait."""
    from .approvals.ticket_store import ticket_store

    found = ticket_store(_invocation(ctx)).tickets("open")
    return [(ticket.id, ", ".join(dict.fromkeys(call.tool for call in ticket.calls))) for ticket in found]


def keys() -> Candidates:
    """Return the setting keys."""
    return [(key.name, key.meaning) for key in KEYS]


def values(ctx: typer.Context) -> Candidates:
    """Return the values of the setting key that stands before, where they can be told."""
    return _values_of(find_setting(parse_name(ctx.params["key"])), ctx)


def values_of(name: str) -> Callable[[], Candidates]:
    """Return a function that returns the words of a setting key."""
    return lambda: _words_of(find_setting(parse_name(name)))


def assignments(ctx: typer.Context, incomplete: str) -> Candidates:
    """Return the names of model settings as `NAME=`, and once there is one, its values."""
    name, equals, _ = incomplete.partition("=")
    if equals:
        return [
            (f"{name}={value}", meaning) for value, meaning in _words_of(find_setting(parse_name(f"settings.{name}")))
        ]
    return [(f"{key.parts[1]}=", key.meaning) for key in KEYS if key.parts[0] == "settings"]


def _model_in_force(ctx: typer.Context) -> Candidates:
    from agentctl.profile.load import load_settings

    asked = _invocation(ctx)
    loaded = load_settings({}, environ=asked.environ, config=asked.config, profile=asked.profile)
    value = loaded.settings.values.get("model")
    return [] if value is None else [(str(value.value), f"From {value.origin}.")]


def _invocation(ctx: typer.Context) -> Invocation:
    """Return the invocation with the global options that stand before the command, where none stand behind it."""
    root = ctx.find_root()
    invocation = root.ensure_object(Invocation)
    invocation.config = invocation.config or root.params.get("config")
    invocation.profile = invocation.profile or root.params.get("profile")
    return invocation


def _values_of(key: SettingKey, ctx: typer.Context) -> Candidates:
    match key.name:
        case "agent":
            return agents()
        case "model":
            return models(ctx)
        case _:
            return _words_of(key)


def _words_of(key: SettingKey) -> Candidates:
    match key.kind:
        case Choice(words):
            return [(word, "") for word in words]
        case Plain.BOOLEAN:
            return [("true", ""), ("false", "")]
        case _:
            return []
