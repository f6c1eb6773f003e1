"""The same server over stdio, SSE and streamable HTTP: everything that it has is the same over all."""

import asyncio
import json
from typing import Any

import httpx2
import pytest

from agentctl import Agent, AuthenticationError, ServiceUnavailableError, ToolCallOutputItem, UserError
from agentctl.mcp import MCPServer
from agentctl.testing import ScriptedModel, function_call
from tests.run.conftest import run_streamed, run_whole

from . import servers
from .conftest import Make, Way, finish

DATA = "iVBORw0K"


def outputs(result: Any) -> list[ToolCallOutputItem]:
    return [item for item in result.new_items if isinstance(item, ToolCallOutputItem)]


def test_runs_of_both_ways_call_the_tools_of_a_server(make: Make) -> None:
    async def scenario() -> list[Any]:
        async with make() as server:  # type: ignore[attr-defined]
            return [await ran(server, way) for way in (run_whole, run_streamed)]

    for result in finish(scenario()):
        assert_all_was_given(result)


async def ran(server: MCPServer, way: Way) -> Any:
    calls = [
        function_call("add", {"a": 2, "b": 3}, call_id="c1"),
        function_call("show", {}, call_id="c2"),
        function_call("fail", {}, call_id="c3"),
    ]
    model = ScriptedModel([calls, "done"])
    result = await way(Agent(name="a", model=model, mcp_servers=[server]), "hi")
    assert [tool.name for tool in model.calls[0].tools] == ["add", "show", "fail", "wait", "who", "die"]
    return result


def assert_all_was_given(result: Any) -> None:
    added, shown, failed = outputs(result)
    assert result.final_output == "done"
    assert json.loads(added.output["text"]) == {"value": 5}
    assert added.tool_origin is not None
    assert (added.tool_origin.type, added.tool_origin.mcp_server_name) == ("mcp", "whole")
    assert shown.wire["output"] == [
        {"type": "input_text", "text": "here"},
        {"type": "input_image", "image_url": f"data:image/png;base64,{DATA}"},
        {"type": "input_text", "text": '{"type": "audio", "mimeType": "audio/wav", "note": "6 bytes, omitted"}'},
        {"type": "input_file", "file_data": f"data:application/pdf;base64,{DATA}", "filename": "paper.pdf"},
    ]
    assert failed.output["text"].endswith("the disk is full")
    assert failed.failed
    assert not added.failed


def test_prompts_and_resources(make: Make) -> None:
    async def scenario() -> None:
        async with make() as server:  # type: ignore[attr-defined]
            assert [prompt.name for prompt in (await server.list_prompts()).prompts] == ["greeting"]
            prompt = await server.get_prompt("greeting", {"name": "Ada"})
            assert prompt.messages[0].content.text == "Say hello to Ada"
            assert [str(each.uri) for each in (await server.list_resources()).resources] == ["note://first"]
            templates = (await server.list_resource_templates()).resource_templates
            assert [template.uri_template for template in templates] == ["note://{name}"]
            assert (await server.read_resource("note://first")).contents[0].text == "remember the milk"
            assert (await server.read_resource("note://x")).contents[0].text == "note x"

    finish(scenario())


def test_calls_at_once_and_from_other_tasks(make: Make) -> None:
    async def scenario() -> None:
        server = make()
        await asyncio.create_task(server.connect())
        slow = asyncio.create_task(server.call_tool("wait", {"seconds": 600}))
        results = await asyncio.gather(*(server.call_tool("add", {"a": n, "b": 1}) for n in range(20)))
        assert [result.structured_content for result in results] == [{"value": n + 1} for n in range(20)]
        slow.cancel()
        await asyncio.wait([slow])
        assert slow.cancelled()
        assert (await server.call_tool("add", {"a": 1, "b": 1})).structured_content == {"value": 2}
        await asyncio.create_task(server.cleanup())
        await server.cleanup()

    finish(scenario())


@pytest.mark.parametrize("reach", [servers.sse, servers.http])
def test_a_server_that_is_not_there_cannot_be_connected(reach: Any) -> None:
    with pytest.raises(ServiceUnavailableError, match=r"'whole': cannot connect to 127\.0\.0\.1:9: connection refused"):
        finish(reach(9).connect())


@pytest.mark.parametrize(("reach", "kind", "tool"), [(servers.sse, "whole", "who"), (servers.http, "old", "count")])
def test_a_server_that_comes_back_is_connected_anew(reach: Any, kind: str, tool: str) -> None:
    async def scenario() -> None:
        first = servers.serving(kind)
        port = first.__enter__()
        async with reach(port) as server:
            assert (await server.call_tool(tool, {})).content
            first.__exit__(None, None, None)
            for _ in range(2):
                with pytest.raises(ServiceUnavailableError, match="'whole'"):
                    await server.call_tool(tool, {})
            with servers.serving(kind, port=port):
                assert (await server.call_tool(tool, {})).content

    finish(scenario())


@pytest.mark.parametrize(("reach", "path"), [(servers.sse, "sse"), (servers.http, "mcp")])
def test_headers_are_sent_and_a_refusal_is_told(reach: Any, path: str, web_port: int) -> None:
    locked = {"url": f"http://127.0.0.1:{web_port}/{path}?locked"}

    async def scenario() -> None:
        async with reach(web_port, locked | {"headers": {"authorization": "Bearer canary"}}) as server:
            assert (await server.call_tool("add", {"a": 1, "b": 1})).structured_content == {"value": 2}
        with pytest.raises(AuthenticationError, match=r"'whole': 127\.0\.0\.1:\d+ responded with HTTP status 401"):
            await reach(web_port, locked).connect()

    finish(scenario())


def test_nothing_of_the_address_that_may_be_secret_is_in_the_name() -> None:
    assert servers.sse(1, name=None).name == "sse: http://127.0.0.1:1/sse"
    server = servers.http(1, {"url": "https://ada:pw@x.example/mcp?key=1"}, name=None)
    assert server.name == "streamable_http: https://x.example/mcp"
    assert server.session_id is None


def test_a_session_that_the_server_has_forgotten_is_made_anew_and_no_call_is_made_twice() -> None:
    async def scenario(port: int) -> None:
        async with servers.http(port) as server:
            assert (await server.list_tools())[0].name == "count"
            assert server.session_id == "session-1"
            assert server.server_initialize_result is not None
            assert server.server_initialize_result.server_info.name == "old"
            assert (await server.call_tool("count", {})).content[0].text == "1"  # type: ignore[union-attr]
            with pytest.raises(ServiceUnavailableError, match="whether the request was carried out is unknown"):
                await server.call_tool("forget", {})  # It is not listed, so that `mcp` asks once more after the call.
            assert (await server.call_tool("count", {})).content[0].text == "3"  # type: ignore[union-attr]
            assert server.session_id == "session-2"
            await server.call_tool("forget_and_be_listed", {})
            assert (await server.call_tool("count", {})).content[0].text == "5"  # type: ignore[union-attr]
            assert server.session_id == "session-3"
            with pytest.raises(
                ServiceUnavailableError, match=r"'whole': 127\.0\.0\.1:\d+ responded with HTTP status 503"
            ):
                await server.call_tool("overload", {})
            assert (await server.call_tool("count", {})).content[0].text == "6"  # type: ignore[union-attr]

    with servers.serving("old") as port:
        finish(scenario(port))


def test_the_users_own_client_is_used_as_theirs(web_port: int) -> None:
    made: list[httpx2.AsyncClient] = []

    def factory(headers: Any = None, timeout: Any = None, auth: Any = None) -> httpx2.AsyncClient:
        made.append(httpx2.AsyncClient(headers=headers, timeout=timeout, auth=auth))
        return made[-1]

    async def scenario() -> None:
        params = {"httpx_client_factory": factory, "headers": {"x-own": "1"}, "timeout": 7, "sse_read_timeout": 8}
        async with servers.http(web_port, params) as server:
            assert (await server.call_tool("add", {"a": 1, "b": 1})).structured_content == {"value": 2}
        (client,) = made
        assert (client.headers["x-own"], client.timeout.connect, client.timeout.read) == ("1", 7, 8)
        assert client.is_closed
        with pytest.raises(UserError, match=r"must return an httpx2\.AsyncClient, not object"):
            await servers.http(web_port, {"httpx_client_factory": lambda **_: object()}).connect()
        with pytest.raises(UserError, match="ignore_initialized_notification_failure needs mcp below 2"):
            await servers.http(web_port, {"ignore_initialized_notification_failure": True}).connect()

    finish(scenario())
