"""Hosted tools: their fields, and what of them goes over the wire."""

import dataclasses
from typing import Any

import pytest
from openai.types.responses import file_search_tool, tool, web_search_tool
from openai.types.shared import ComparisonFilter
from pydantic import TypeAdapter

from agentctl import (
    ApplyPatchTool,
    CodeInterpreterTool,
    FileSearchTool,
    FunctionTool,
    HostedMCPTool,
    ImageGenerationTool,
    LocalShellTool,
    ShellTool,
    Tool,
    UserError,
    WebSearchTool,
    function_tool,
)
from agentctl.agent.tools.api_tool import ApiTool
from agentctl.agent.tools.hosted_tools import HostedTool, LocalTool
from agentctl.redaction import redact


def executor(request: Any) -> str:
    return ""


EVERY: list[HostedTool | LocalTool] = [
    WebSearchTool(),
    FileSearchTool(["vs_1"]),
    CodeInterpreterTool({"type": "code_interpreter", "container": {"type": "auto"}}),
    ImageGenerationTool({"type": "image_generation"}),
    HostedMCPTool({"type": "mcp", "server_label": "x"}),
    ShellTool(executor),
    LocalShellTool(executor),
    ApplyPatchTool(editor=None),  # type: ignore[arg-type]
]


def test_every_tool_has_its_name_and_is_one() -> None:
    assert [tool.name for tool in EVERY] == [
        "web_search",
        "file_search",
        "code_interpreter",
        "image_generation",
        "hosted_mcp",
        "shell",
        "local_shell",
        "apply_patch",
    ]
    assert all(isinstance(tool, ApiTool) and isinstance(tool, Tool) for tool in EVERY)
    assert not issubclass(FunctionTool, ApiTool)
    assert not isinstance("a tool", Tool)


def test_fields_come_in_the_order_of_the_sdk() -> None:
    assert [field.name for field in dataclasses.fields(WebSearchTool)] == [
        "user_location",
        "filters",
        "search_context_size",
        "external_web_access",
        "search_content_types",
        "image_settings",
    ]
    assert [field.name for field in dataclasses.fields(FileSearchTool)] == [
        "vector_store_ids",
        "max_num_results",
        "include_search_results",
        "ranking_options",
        "filters",
    ]


def test_what_is_not_set_is_not_sent() -> None:
    assert [tool.to_wire() for tool in EVERY] == [
        {"type": "web_search", "search_context_size": "medium"},
        {"type": "file_search", "vector_store_ids": ["vs_1"]},
        {"type": "code_interpreter", "container": {"type": "auto"}},
        {"type": "image_generation"},
        {"type": "mcp", "server_label": "x"},
        {"type": "shell", "environment": {"type": "local"}},
        {"type": "local_shell"},
        {"type": "apply_patch"},
    ]


def test_what_is_set_is_sent_be_it_a_dict_or_an_object() -> None:
    location: Any = {"type": "approximate", "city": "Rome"}
    sites: Any = {"allowed_domains": ["example.org"]}
    web = {
        "type": "web_search",
        "filters": sites,
        "user_location": location,
        "search_context_size": "low",
        "external_web_access": False,
        "search_content_types": ["text", "image"],
        "image_settings": {"max_results": 2},
    }
    for where, which in (
        (location, sites),
        (web_search_tool.UserLocation(**location), web_search_tool.Filters(**sites)),
    ):
        given = WebSearchTool(where, which, "low", False, ["text", "image"], {"max_results": 2})
        assert given.to_wire() == web
    ranking: Any = {"ranker": "auto"}
    filters: Any = {"type": "eq", "key": "a", "value": 1}
    file = {
        "type": "file_search",
        "vector_store_ids": ["vs_1"],
        "max_num_results": 3,
        "ranking_options": ranking,
        "filters": filters,
    }
    assert FileSearchTool(["vs_1"], 3, True, ranking, filters).to_wire() == file
    objects = FileSearchTool(["vs_1"], 3, True, file_search_tool.RankingOptions(**ranking), ComparisonFilter(**filters))
    assert objects.to_wire() == file
    mcp = {"type": "mcp", "server_label": "x", "server_url": "https://example.org", "require_approval": "never"}
    assert HostedMCPTool(tool.Mcp.model_validate(mcp)).to_wire() == mcp
    container = {"type": "code_interpreter", "container": "cntr_1"}
    assert CodeInterpreterTool(tool.CodeInterpreter.model_validate(container)).to_wire() == container


def test_results_are_included_where_they_are_wanted() -> None:
    assert FileSearchTool(["v"], include_search_results=True).response_include == "file_search_call.results"
    assert WebSearchTool(search_content_types=["image"]).response_include == "web_search_call.results"
    assert WebSearchTool(search_content_types=["text"]).response_include is None
    assert [tool.response_include for tool in EVERY] == [None] * len(EVERY)


def test_a_shell_has_an_executor_here_or_an_environment_of_the_service() -> None:
    hosted = {"type": "container_reference", "container_id": "cntr_1"}
    assert ShellTool(environment=hosted).to_wire() == {"type": "shell", "environment": hosted}
    assert ShellTool(executor, name="sh").name == "sh"
    with pytest.raises(UserError, match="needs an executor"):
        ShellTool()
    with pytest.raises(UserError, match="takes no executor"):
        ShellTool(executor, environment=hosted)


def test_what_opens_an_mcp_server_is_a_secret() -> None:
    headers = {"Authorization": "Bearer mcp-token-1", "X-Api-Key": "mcp-key-2", "X-Team": "readers"}
    HostedMCPTool({"type": "mcp", "server_label": "x", "authorization": "mcp-oauth-3", "headers": headers})
    assert redact("mcp-token-1 mcp-key-2 mcp-oauth-3 readers") == "[redacted] [redacted] [redacted] readers"


def test_an_image_generation_tool_can_be_validated_and_be_an_argument() -> None:
    adapter = TypeAdapter(ImageGenerationTool)
    given = {"tool_config": {"type": "image_generation", "quality": "max"}}
    made = adapter.validate_python(given)
    assert isinstance(made, ImageGenerationTool)
    assert adapter.dump_python(made) == given

    def draw(tool: ImageGenerationTool) -> str:
        return tool.to_wire()["quality"]  # type: ignore[return-value]

    assert (
        "max"
        in function_tool(draw).params_json_schema["$defs"]["ImageGenerationToolConfig"]["properties"]["quality"]["enum"]
    )
