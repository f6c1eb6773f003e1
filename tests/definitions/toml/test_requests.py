"""An agent in TOML sends the requests that the same agent in Python sends."""

from __future__ import annotations

import asyncio
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import tomli_w
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agentctl import (
    Agent,
    CodeInterpreterTool,
    FileSearchTool,
    FunctionTool,
    HostedMCPTool,
    ImageGenerationTool,
    ModelSettings,
    RunConfig,
    Runner,
    WebSearchTool,
    handoff,
)
from agentctl.agent.json_schema import JSONSchemaOutput
from agentctl.agent.model_settings import MCPToolChoice
from agentctl.definitions.toml.build import build_agent
from agentctl.definitions.toml.export import export_agents
from agentctl.definitions.toml.file import read_agent_file
from agentctl.definitions.toml.part import FilePlace
from agentctl.errors import ConfigurationError
from agentctl.extensions.command_tool import CommandTool
from agentctl.models.multi_provider import MultiProvider
from agentctl.run.prepare import preview_request
from tests.service.client import Service
from tests.service.steps import Step, text, tool_calls

TEXTS = st.text(st.characters(codec="utf-8", exclude_categories=["Cs"], exclude_characters="\r"), max_size=30)
SCHEMA = {
    "title": "Ticket",
    "type": "object",
    "properties": {"urgency": {"enum": ["low", "high"]}, "summary": {"type": "string"}},
    "required": ["urgency", "summary"],
    "additionalProperties": False,
}
MODELS = st.sampled_from(["gpt-x", "openai/gpt-5.1"])
SETTINGS = st.fixed_dictionaries(
    {},
    optional={
        "temperature": st.floats(0, 2),
        "top_p": st.sampled_from([0.1, 1]),
        "max_tokens": st.integers(1, 9999),
        "parallel_tool_calls": st.booleans(),
        "truncation": st.sampled_from(["auto", "disabled"]),
        "verbosity": st.sampled_from(["low", "medium", "high"]),
        "reasoning": st.fixed_dictionaries({"effort": st.sampled_from(["low", "high"])}),
        "metadata": st.dictionaries(st.sampled_from("ab"), st.just("x"), max_size=2),
        "store": st.booleans(),
        "tool_choice": st.sampled_from(["auto", "required", "none", "git_log"]),
        "response_include": st.just(["reasoning.encrypted_content"]),
        "extra_args": st.just({"service_tier": "flex"}),
        "extra_body": st.just({"user": "u"}),
    },
)
HOSTED: dict[str, tuple[dict[str, Any], Callable[[dict[str, Any]], Any]]] = {
    "web": (
        {"type": "web_search", "search_context_size": "low"},
        lambda table: WebSearchTool(search_context_size="low"),
    ),
    "files": (
        {"type": "file_search", "vector_store_ids": ["vs_1"], "max_num_results": 3},
        lambda table: FileSearchTool(vector_store_ids=["vs_1"], max_num_results=3),
    ),
    "code": (
        {"type": "code_interpreter", "container": {"type": "auto"}},
        lambda table: CodeInterpreterTool(tool_config=table),  # type: ignore[arg-type]
    ),
    "image": (
        {"type": "image_generation", "quality": "low"},
        lambda table: ImageGenerationTool(tool_config=table),  # type: ignore[arg-type]
    ),
    "server": (
        {"type": "mcp", "server_label": "docs", "server_url": "https://mcp.example", "require_approval": "never"},
        lambda table: HostedMCPTool(tool_config=table),  # type: ignore[arg-type]
    ),
}
GIT_LOG = {
    "description": "Lists commits.",
    "command": ["git", "log", "-n", "{count}", "--", "{path}"],
    "args": {
        "count": {"type": "integer", "minimum": 1, "maximum": 50, "default": 10, "description": "How many."},
        "path": {"type": "string", "description": "A file."},
    },
}


def git_log() -> FunctionTool:
    return CommandTool(name="git_log", **GIT_LOG).as_tool()  # type: ignore[arg-type]


def link(draw: st.DrawFn, agent: Agent[Any], table: dict[str, Any], agents: dict[str, Agent[Any]]) -> None:
    """Let an agent hand off to others, and call one as a tool."""
    for target in draw(st.lists(st.sampled_from(sorted(agents)), max_size=2, unique=True)):
        other = agents[target]
        if draw(st.booleans()):
            table.setdefault("handoffs", []).append(target)
            agent.handoffs.append(other)
        else:
            given = {"agent": target, "name": f"go_{target}", "description": "Go."}
            table.setdefault("handoffs", []).append(given)
            agent.handoffs.append(handoff(other, tool_name_override=given["name"], tool_description_override="Go."))
    for target in draw(st.lists(st.sampled_from(sorted(agents)), max_size=1)):
        other = agents[target]
        if draw(st.booleans()):
            table["agents_as_tools"] = [target]
            agent.tools.append(other.as_tool(None, other.handoff_description))
        else:
            table["agents_as_tools"] = [{"agent": target, "name": "ask", "description": "Ask."}]
            agent.tools.append(other.as_tool("ask", "Ask."))


@st.composite
def twins(draw: st.DrawFn) -> tuple[dict[str, Any], list[Agent[Any]]]:
    """Draw a TOML document with agents, and the same agents in Python."""
    names = ["first", "second", "third"][: draw(st.integers(1, 3))]
    tables: dict[str, dict[str, Any]] = {
        name: draw(st.fixed_dictionaries({}, optional={"model": MODELS, "settings": SETTINGS})) for name in names
    }
    agents: dict[str, Agent[Any]] = {
        name: Agent(
            name=name,
            model=table.get("model"),
            **({"model_settings": ModelSettings(**table["settings"])} if "settings" in table else {}),
        )
        for name, table in tables.items()
    }
    display_names = draw(st.permutations(["Ann", "B 2", "名"]))  # Two agents with one name have tools with one name.
    for name, agent in agents.items():
        table = tables[name]
        if draw(st.booleans()):
            agent.name = table["name"] = display_names.pop()
        if draw(st.booleans()):
            agent.instructions = table["instructions"] = draw(TEXTS)
        if draw(st.booleans()):
            agent.handoff_description = table["handoff_description"] = draw(TEXTS.filter(bool))
        if draw(st.integers(0, 3)) == 0:
            table["output_schema"] = SCHEMA
            agent.output_type = JSONSchemaOutput(SCHEMA)
        if draw(st.integers(0, 3)) == 0:
            table["prompt"] = agent.prompt = {"id": "pmpt_1", "variables": {"city": "Oslo"}}  # type: ignore[assignment]
        if draw(st.booleans()):
            table["tools"] = ["git_log"]
            agent.tools = [git_log()]
        for kind in draw(st.lists(st.sampled_from(sorted(HOSTED)), max_size=2, unique=True)):
            hosted, make = HOSTED[kind]
            table.setdefault("tools", []).append(hosted)
            agent.tools.append(make(hosted))
    for name, agent in agents.items():
        link(draw, agent, tables[name], agents)
    document: dict[str, Any] = {"agents": tables}
    if any("git_log" in table.get("tools", ()) for table in tables.values()):
        document["tools"] = {"git_log": GIT_LOG}
    return document, list(agents.values())


def loaded(document: dict[str, Any], folder: Path) -> list[Agent[Any]]:
    """Return the agents of a document, each of a reading of its own."""
    path, content = folder / "agents.toml", tomli_w.dumps(document).encode()
    file = read_agent_file(path, content, FilePlace(folder=folder, root=folder))
    return [build_agent(file, name).complete() for name in document["agents"]]


def request_of(agent: Agent[Any]) -> dict[str, Any]:
    config = RunConfig(model_provider=MultiProvider(openai_api_key="k"), tracing_disabled=True)
    return asyncio.run(preview_request(agent, "Hi", run_config=config))


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(twins())
def test_the_requests_are_equal(pair: tuple[dict[str, Any], list[Agent[Any]]]) -> None:
    document, agents = pair
    for agent, twin in zip(agents, loaded(document, Path("/")), strict=True):
        assert request_of(twin) == request_of(agent)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(twins())
def test_an_exported_agent_sends_the_requests_of_the_one_in_python(
    pair: tuple[dict[str, Any], list[Agent[Any]]],
) -> None:
    agent = pair[1][0]
    for each in pair[1]:
        # A tool of Python, found by its name in this module, would need trust.
        each.tools = [tool for tool in each.tools if not isinstance(tool, FunctionTool) or tool.agent is not None]
        each.tools.sort(key=lambda tool: isinstance(tool, FunctionTool))
    document = tomllib.loads(export_agents(agent, Path("/")))
    assert request_of(loaded(document, Path("/"))[0]) == request_of(agent)


@pytest.mark.parametrize("api", ["responses", "chat_completions"])
def test_a_whole_run_sends_the_same_requests(api: str, service: Service, tmp_path: Path) -> None:
    """With a call of a program, an agent as a tool, a handoff, and files of the project."""
    (tmp_path / "AGENTS.md").write_text("Use tabs.\n")
    (tmp_path / "writer.md").write_text("Write one sentence.\n")
    echo = {
        "description": "Prints a word.",
        "command": ["echo", "{word}"],
        "args": {"word": {"type": "string"}},
        "approval": "never",
    }
    document = {
        "agents": {
            "triage": {
                "instructions": "Sort.",
                "model": "gpt-x",
                "context_files": ["AGENTS.md"],
                "tools": ["echo"],
                "agents_as_tools": [{"agent": "writer", "name": "write", "description": "Writes."}],
                "handoffs": ["writer"],
                "settings": {"temperature": 0},
            },
            "writer": {
                "instructions": {"file": "writer.md"},
                "model": "gpt-y",
                "handoff_description": "Writes texts.",
                "output_schema": SCHEMA,
            },
        },
        "tools": {"echo": echo},
    }
    writer = Agent[Any](
        name="writer",
        instructions="Write one sentence.\n",
        model="gpt-y",
        handoff_description="Writes texts.",
        output_type=JSONSchemaOutput(SCHEMA),
    )
    triage = Agent[Any](
        name="triage",
        instructions="Sort.\n\n# AGENTS.md\n\nUse tabs.\n",
        model="gpt-x",
        tools=[CommandTool(name="echo", folder="/", **echo).as_tool(), writer.as_tool("write", "Writes.")],  # type: ignore[arg-type]
        handoffs=[writer],
        model_settings=ModelSettings(temperature=0),
    )
    answer = text('{"urgency": "low", "summary": "s"}')
    steps: list[Step] = [
        tool_calls(("echo", {"word": "one"}, "call_1"), ("write", {"input": "now"}, "call_2")),
        answer,
        tool_calls(("transfer_to_writer", {}, "call_3")),
        answer,
    ]

    def run(agent: Agent[Any]) -> tuple[Any, list[dict[str, Any]]]:
        service.reset()
        service.script(*steps)
        provider = MultiProvider(
            openai_api_key="k", openai_base_url=service.base_url, openai_use_responses=api == "responses"
        )
        result = Runner.run_sync(
            agent, "A ticket.", run_config=RunConfig(model_provider=provider, tracing_disabled=True)
        )
        return result.final_output, [request["body"] for request in service.requests()]

    output, expected = run(triage)
    assert (output, len(expected)) == ({"urgency": "low", "summary": "s"}, 4)
    assert run(loaded(document, tmp_path)[0]) == (output, expected)


@pytest.mark.parametrize("header", [{"Authorization": "canary"}, {"x-api-key": "canary"}, {"X": "sk-canary-in-code"}])
def test_a_secret_in_a_header_is_not_exported(header: dict[str, str]) -> None:
    agent = Agent[Any](name="a", model_settings=ModelSettings(extra_headers={**header, "X-Team": "search"}))
    with pytest.raises(ConfigurationError) as caught:
        export_agents(agent, Path("/"))
    assert f"model_settings.extra_headers[{next(iter(header))!r}] of agent 'a' may be a secret" in str(caught.value)
    assert "canary" not in str(caught.value)
    assert "X-Team" not in str(caught.value)


def test_an_agent_without_a_name_is_not_exported() -> None:
    with pytest.raises(ConfigurationError, match="name of agent '' is empty"):
        export_agents(Agent[Any](name=""), Path("/"))


def test_what_is_code_is_named_as_a_whole_when_an_agent_is_exported() -> None:
    agent = Agent[Any](
        name="a", instructions=lambda context, agent: "x", tools=[git_log()], handoffs=[Agent(name="b", prompt=print)]
    )
    with pytest.raises(ConfigurationError) as caught:
        export_agents(agent, Path("/"))
    assert str(caught.value) == (
        "cannot be written as TOML: instructions of agent 'a' are a function; tool 'git_log' of agent 'a' is in no "
        "module; assign it to a name at the top of a module; prompt of agent 'b' is a function"
    )


def test_a_tool_choice_of_a_server_is_a_table() -> None:
    choice = MCPToolChoice(server_label="docs", name="search")
    agent = Agent[Any](name="a", model_settings=ModelSettings(tool_choice=choice))
    document = tomllib.loads(export_agents(agent, Path("/")))
    assert loaded(document, Path("/"))[0].model_settings.tool_choice == choice
