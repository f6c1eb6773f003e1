"""The values that completion offers. They are read from files: no code is run and no request is sent.

Each function returns pairs of a value and its description, and imports the modules that read files only when called.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import TypeAlias

import typer

from agentctl.errors import ConfigurationError
from agentctl.profile.keys import KEYS, NO_BUDGET, SettingKey, find_setting, parse_name
from agentctl.profile.kinds import Choice, Plain

from .invocation import Invocation

Candidates: TypeAlias = list[tuple[str, str]]


def agents(incomplete: str) -> Candidates:
    """Return the agents named in the project file, each with its reference, or those of the file that is named."""
    from agentctl.profile.load import search_project

    for suffix, names in ((".py", _agents_in), (".toml", _agents_in_toml)):
        place = incomplete.partition(f"{suffix}:")[0].removesuffix(suffix)
        if incomplete.startswith(f"{place}{suffix}"):
            return [(f"{place}{suffix}:{name}", "") for name in names(f"{place}{suffix}")]
    project = search_project().project
    return [] if project is None else list(project.agents.items())


def _agents_in(file: str) -> list[str]:
    """Return the names that a Python file assigns agents to, read without running it; `""` if none is found."""
    import ast
    from pathlib import Path

    from agentctl.profile.project_code import read_code

    content = read_code(Path(file).expanduser())
    if content is None:
        return []
    with suppress(SyntaxError, ValueError, RecursionError, MemoryError):
        found = [
            target.id
            for node in ast.parse(content).body
            if isinstance(node, ast.Assign) and isinstance(node.value, ast.Call)
            for target in node.targets
            if isinstance(target, ast.Name) and "Agent" in ast.unparse(node.value.func)
        ]
        if found:
            return found
    return [""]


def _agents_in_toml(file: str) -> list[str]:
    """Return the names of the agents of a TOML file, as far as it can be read."""
    from pathlib import Path

    from agentctl.profile.document import read_document
    from agentctl.profile.project import AGENTS

    with suppress(ConfigurationError):
        table = (read_document(Path(file).expanduser()) or {}).get(AGENTS)
        return list(table) if isinstance(table, dict) else []
    return []


def models(ctx: typer.Context) -> Candidates:
    """Return the aliases, the local models, the current model, and the built-in default."""
    from agentctl.agent.default_model import DEFAULT_MODEL

    found = {f"local/{name}": meaning for name, meaning in local_models()}
    found[DEFAULT_MODEL] = "The built-in default."
    with suppress(ConfigurationError):
        found.update(_users_models(ctx))
    return list(found.items())


def local_models() -> Candidates:
    """Return the names of the local models, without the prefix `local/`."""
    from agentctl.models.local.weights import KNOWN

    return [(weights.name, f"A local model of {weights.size / 1e6:.0f} MB.") for weights in KNOWN]


def profiles(ctx: typer.Context) -> Candidates:
    """Return the names of the profiles."""
    from agentctl.profile.load import find_paths
    from agentctl.profile.store import load_profiles

    invocation = _invocation(ctx)
    found = load_profiles(find_paths(invocation.environ, invocation.config).profile)
    return [(name, "Current." if name == found.current.name else "") for name in found.names]


def sessions(ctx: typer.Context) -> Candidates:
    """Return the sessions, each with its first words."""
    from agentctl.render.escape import one_line, shorten

    from .session_options import store_of

    found = store_of(_invocation(ctx)).conversations()
    return [(each.session_id, shorten(one_line(each.begin), 60)) for each in found]


def budgets(ctx: typer.Context) -> Candidates:
    """Return the budgets, each with its limits."""
    from .budget_store import budget_store

    return [(each.name, str(each.limits)) for each in budget_store(_invocation(ctx)).list()]


def budgets_or_none(ctx: typer.Context) -> Candidates:
    """Return the budgets, and the word for none."""
    return [*budgets(ctx), (NO_BUDGET, "No budget.")]


def tickets(ctx: typer.Context) -> Candidates:
    """Return the tickets that can be resumed, each with its tools."""
    from .approvals.ticket_store import ticket_store

    found = ticket_store(_invocation(ctx)).tickets("open")
    return [(ticket.id, ", ".join(dict.fromkeys(call.tool for call in ticket.calls))) for ticket in found]


def traces(ctx: typer.Context) -> Candidates:
    """Return the newest traces, each with its agent and outcome."""
    from itertools import islice

    from .trace_options import traces_of

    found = islice(traces_of(_invocation(ctx)).summaries(on_damage=lambda text: None), 50)
    return [(each.id, f"{each.agent or ''} {each.outcome}".strip()) for each in found]


def keys() -> Candidates:
    """Return the setting keys."""
    return [(key.name, key.meaning) for key in KEYS]


def values(ctx: typer.Context, incomplete: str) -> Candidates:
    """Return the values of the setting key given before, if they are known."""
    return _values_of(find_setting(parse_name(ctx.params["key"])), ctx, incomplete)


def values_of(name: str) -> Callable[[], Candidates]:
    """Return a function that returns the values of a setting key."""
    return lambda: _words_of(find_setting(parse_name(name)))


def assignments(ctx: typer.Context, incomplete: str) -> Candidates:
    """Return the names of model settings as `NAME=`, or after `NAME=` its values."""
    name, equals, _ = incomplete.partition("=")
    if equals:
        return [
            (f"{name}={value}", meaning) for value, meaning in _words_of(find_setting(parse_name(f"settings.{name}")))
        ]
    return [(f"{key.parts[1]}=", key.meaning) for key in KEYS if key.parts[0] == "settings"]


def _users_models(ctx: typer.Context) -> Candidates:
    """Return the current model and the aliases."""
    from agentctl.profile.load import load_settings

    invocation = _invocation(ctx)
    loaded = load_settings({}, environ=invocation.environ, config=invocation.config, profile=invocation.profile)
    value = loaded.settings.values.get("model")
    current = [] if value is None else [(str(value.value), f"From {value.origin}.")]
    return [*current, *((alias, f"An alias of {model}.") for alias, model in loaded.settings.aliases.items())]


def _invocation(ctx: typer.Context) -> Invocation:
    """Return the invocation with the global options given before the command, unless they are given after it too."""
    root = ctx.find_root()
    invocation = root.ensure_object(Invocation)
    invocation.config = invocation.config or root.params.get("config")
    invocation.profile = invocation.profile or root.params.get("profile")
    return invocation


def _values_of(key: SettingKey, ctx: typer.Context, incomplete: str) -> Candidates:
    match key.name:
        case "agent":
            return agents(incomplete)
        case "model":
            return models(ctx)
        case "budget":
            return budgets_or_none(ctx)
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
