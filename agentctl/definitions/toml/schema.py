"""The JSON Schemas of agents in TOML files: what is checked here, and what `agents schema` prints for editors."""

from __future__ import annotations

from typing import Any, assert_never

from agentctl.profile.keys import KEYS, SettingKey
from agentctl.profile.kinds import Choice, Integer, Kind, ListOf, Plain, Record, Table, describe
from agentctl.profile.project import PARTS

DIALECT = "https://json-schema.org/draft/2020-12/schema"

NAME = "^[A-Za-z0-9_][A-Za-z0-9_-]*$"
"""The names of agents, tools and servers."""

_TEXT = {"type": "string", "minLength": 1}
_TABLE: dict[str, Any] = {"type": "object"}
_FILE = {
    "title": "a table with `file`",
    "type": "object",
    "properties": {"file": {**_TEXT, "description": "A file of the project, relative to this one."}},
    "required": ["file"],
    "additionalProperties": False,
}


def _table(properties: dict[str, Any], *required: str, title: str = "a table") -> dict[str, Any]:
    return {
        "title": title,
        "type": "object",
        "properties": properties,
        "required": list(required),
        "additionalProperties": False,
    }


def _list(item: dict[str, Any], description: str) -> dict[str, Any]:
    return {"type": "array", "items": item, "description": description}


def _by_name(item: dict[str, Any], description: str) -> dict[str, Any]:
    return {
        "type": "object",
        "patternProperties": {NAME: item},
        "additionalProperties": False,
        "description": description,
    }


_AGENT_NAME = {**_TEXT, "title": "the name of an agent in this file", "description": "A name or a reference."}
_HANDOFF = _table(
    {
        "agent": _AGENT_NAME,
        "name": {**_TEXT, "description": "The name of the tool; by default transfer_to_NAME."},
        "description": {**_TEXT, "description": "Tells the model when to hand off."},
    },
    "agent",
    title="a table with `agent`",
)
_AGENT_TOOL = _table(
    {
        "agent": _AGENT_NAME,
        "name": {**_TEXT, "description": "The name of the tool; by default that of the agent."},
        "description": {
            **_TEXT,
            "description": "Tells the model when to call it; by default the agent's handoff_description.",
        },
        "approval": {
            "enum": ["always", "never"],
            "default": "never",
            "description": "Whether its calls need approval; the calls of its own tools may need it in any case.",
        },
    },
    "agent",
    title="a table with `agent`",
)

HOSTED_TOOLS: dict[str, dict[str, Any]] = {
    "web_search": _table(
        {
            "type": {"const": "web_search"},
            "user_location": _TABLE,
            "filters": _TABLE,
            "search_context_size": {"enum": ["low", "medium", "high"]},
            "external_web_access": {"type": "boolean"},
            "search_content_types": {"type": "array", "items": {"enum": ["text", "image"]}},
            "image_settings": _TABLE,
        },
        "type",
    ),
    "file_search": _table(
        {
            "type": {"const": "file_search"},
            "vector_store_ids": {"type": "array", "items": _TEXT, "minItems": 1},
            "max_num_results": {"type": "integer", "minimum": 1},
            "include_search_results": {"type": "boolean"},
            "ranking_options": _TABLE,
            "filters": _TABLE,
        },
        "type",
        "vector_store_ids",
    ),
    **{
        name: {"title": "a table", "type": "object", "properties": {"type": {"const": name}}, "required": ["type"]}
        for name in ("code_interpreter", "image_generation")
    },
    "mcp": {
        "title": "a table",
        "type": "object",
        "properties": {"type": {"const": "mcp"}, "server_label": _TEXT},
        "required": ["type", "server_label"],
    },
}
"""Type of a tool that runs on the service -> its schema; the entries of some are passed on as they are."""


def _kind_schema(kind: Kind) -> dict[str, Any]:
    """Return the schema of a kind of setting values."""
    match kind:
        case Plain.NUMBER:
            return {"type": "number"}
        case Plain.AMOUNT:
            return {"type": "number", "minimum": 0}
        case Plain.BOOLEAN:
            return {"type": "boolean"}
        case Plain.ANY:
            return {}
        case Plain.DURATION:
            forms = [
                {"type": "number", "exclusiveMinimum": 0},
                {"type": "string", "pattern": r"^[0-9]+(\.[0-9]+)?[smh]?$", "title": describe(kind)},
            ]
            return {"title": describe(kind), "anyOf": forms}
        case Plain.COMMAND:
            return {"type": "array", "items": {"type": "string"}, "minItems": 1}
        case Plain():
            return dict(_TEXT)
        case Integer(low, high):
            return {"type": "integer", "minimum": low, **({} if high is None else {"maximum": high})}
        case Choice(words):
            return {"enum": list(words)}
        case ListOf(item):
            return {"type": "array", "items": _kind_schema(item)}
        case Table(item):
            return {"type": "object", "additionalProperties": _kind_schema(item)}
        case Record(names, item):
            return _table({name: _kind_schema(item) for name in names})
        case _:
            assert_never(kind)


def _setting_schema(key: SettingKey) -> dict[str, Any]:
    return {**_kind_schema(key.kind), "description": key.meaning}


def _settings_schema(*, in_agent: bool) -> dict[str, Any]:
    """Return the schema of model settings: those of an agent, or the defaults in a project file, which may be fewer."""
    properties = {
        key.parts[1]: _setting_schema(key)
        for key in KEYS
        if key.parts[0] == "settings" and (in_agent or key.in_project)
    }
    if in_agent:
        server_tool = _table({"server_label": _TEXT, "name": _TEXT}, "server_label", "name")
        properties["tool_choice"] = {
            "anyOf": [_TEXT, server_tool],
            "description": "auto, required, none, the name of a tool, or a tool of a hosted MCP server.",
        }
    return {**_table(properties), "description": "Settings of its model calls."}


AGENT = _table(
    {
        "name": {**_TEXT, "description": "The name of the agent; by default that of its table."},
        "instructions": {
            "anyOf": [{"type": "string"}, _FILE],
            "description": "The system prompt, as text or in a file; {{name}} is filled with the value of --var.",
        },
        "context_files": _list(
            _TEXT, "Files of the project whose content follows the instructions, such as AGENTS.md."
        ),
        "model": {**_TEXT, "description": "The name of the model; by default that of the settings."},
        "settings": _settings_schema(in_agent=True),
        "max_turns": {"type": "integer", "minimum": 1, "description": "Maximum number of model calls in a run."},
        "tools": _list(
            {
                "title": "the name of a tool, a reference such as tools.py:search, or a table with `type`",
                "anyOf": [_TEXT, *HOSTED_TOOLS.values()],
            },
            "Names of tools in this file, references to tools in Python, and tools that run on the service.",
        ),
        "mcp": _list(_TEXT, "Names of MCP servers in this file."),
        "mcp_config": _table(
            {
                "convert_schemas_to_strict": {"type": "boolean"},
                "include_server_in_tool_names": {"type": "boolean"},
            }
        ),
        "skills": _list(_TEXT, "Folders with a SKILL.md, relative to this file."),
        "output_schema": {
            "title": "a JSON Schema, a table with `file`, or a reference such as types.py:Invoice",
            "anyOf": [_TEXT, _TABLE],
            "description": "The type of the final output: a JSON Schema, a file that has one, or a Python class.",
        },
        "handoffs": _list(
            {"title": "the name of an agent or a table with `agent`", "anyOf": [_AGENT_NAME, _HANDOFF]},
            "Agents that it may hand off to: names in this file, or references.",
        ),
        "handoff_description": {**_TEXT, "description": "Tells other agents when to hand off to this one."},
        "agents_as_tools": _list(
            {"title": "the name of an agent or a table with `agent`", "anyOf": [_AGENT_NAME, _AGENT_TOOL]},
            "Agents that it may call as tools: names in this file, or references.",
        ),
        "guardrails": _list(
            _TEXT, "References to input and output guardrails in Python, such as guards.py:no_secrets."
        ),
        "prompt": {
            **_table({"id": _TEXT, "version": _TEXT, "variables": _TABLE}, "id"),
            "description": "A prompt that the service stores.",
        },
        "tool_use_behavior": {
            "title": '"run_llm_again", "stop_on_first_tool" or a table with `stop_at_tool_names`',
            "anyOf": [
                {"type": "string", "enum": ["run_llm_again", "stop_on_first_tool"]},
                _table({"stop_at_tool_names": {"type": "array", "items": _TEXT, "minItems": 1}}, "stop_at_tool_names"),
            ],
            "description": "Whether the output of a tool goes back to the model, or is the final output.",
        },
        "reset_tool_choice": {
            "type": "boolean",
            "default": True,
            "description": "Whether to reset a forced tool_choice once a tool was called.",
        },
    }
)

FILE: dict[str, Any] = {
    "$schema": DIALECT,
    "title": "Agents of agentctl",
    "type": "object",
    "properties": {
        "agents": _by_name(
            {"title": "a table, or a reference such as agents.py:reviewer", "anyOf": [_TEXT, AGENT]},
            "The agents, by name.",
        ),
        **{name: _by_name(_TABLE, "") for name in PARTS},
    },
    "additionalProperties": False,
}
"""A file of agents; a project file has these tables beside its settings."""


def project_schema() -> dict[str, Any]:
    """Return the schema of `agentctl.toml`: its settings, and the tables of a file of agents."""
    properties: dict[str, Any] = {
        key.name: _setting_schema(key) for key in KEYS if key.in_project and len(key.parts) == 1
    }
    modules = _list(_TEXT, "Modules that its code imports by name at run time, as patterns such as plugins.*.")
    return {
        **FILE,
        "title": "The project file of agentctl",
        "properties": {
            **properties,
            "settings": _settings_schema(in_agent=False),
            "trusted_modules": modules,
            **FILE["properties"],
        },
    }
