"""The values that a run of a TOML agent takes from its file and from the settings, each with its origin."""

from __future__ import annotations

from agentctl.profile.resolve import Settings, Value
from agentctl.profile.toml_lines import KeyPath

from .file import AgentFile


def effective_values(file: AgentFile, name: str, settings: Settings) -> dict[str, Value]:
    """Return the model, the limit of turns and the model settings of runs of an agent, by dotted key.

    Options and `AGENTCTL_*` variables precede the file of the agent, which precedes all other settings.
    """
    table = file.agents[name]
    own = table if isinstance(table, dict) else {}
    paths: dict[str, KeyPath] = {key: (key,) for key in ("model", "max_turns") if key in own}
    paths |= {f"settings.{key}": ("settings", key) for key in own.get("settings", {})}
    given = {key for key in settings.values if key in ("model", "max_turns") or key.startswith("settings.")}
    values: dict[str, Value] = {}
    for key in sorted({*paths, *given}, key=lambda key: (key.startswith("settings."), key)):
        setting = settings.values.get(key)
        if setting is not None and (settings.is_explicit(key) or key not in paths):
            values[key] = setting
        else:
            values[key] = _own_value(file, name, own, paths[key])
    return values


def _own_value(file: AgentFile, name: str, table: dict[str, object], path: KeyPath) -> Value:
    value: object = table
    for part in path:
        assert isinstance(value, dict)
        value = value[part]
    line = file.line_of(("agents", name, *path))
    return Value(value=value, origin=f"{file.path}:{line}")  # type: ignore[arg-type]  # checked against the schema
