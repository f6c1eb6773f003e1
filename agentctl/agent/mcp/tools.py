"""The tools of MCP servers as function tools."""

from __future__ import annotations

import asyncio
import copy
import hashlib
import inspect
import json
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import partial
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, TypeAlias
from weakref import WeakKeyDictionary

from agentctl.agent.context import RunContextWrapper, ToolContext
from agentctl.agent.items.tool_output_parts import ToolOutputFileContentDict, ToolOutputImageDict, ToolOutputTextDict
from agentctl.agent.strict_schema import ensure_strict_json_schema
from agentctl.agent.tape import current_tape
from agentctl.agent.tools.errors import failure_text, is_stray_cancellation
from agentctl.agent.tools.hosted_tools import Tool
from agentctl.agent.tools.tool import (
    FunctionTool,
    ToolErrorFunction,
    ToolOrigin,
    ToolOriginType,
    default_tool_error_function,
)
from agentctl.errors import AgentsException, MCPToolCancellationError, ModelBehaviorError, UserError
from agentctl.grammar import count
from agentctl.log import logger
from agentctl.tracing.create import mcp_tools_span
from agentctl.tracing.current import get_current_span
from agentctl.tracing.span_data import FunctionSpanData

from .server import ON_PROGRESS, MCPServer, MCPToolCustomDataContext, MCPToolMetaContext

if TYPE_CHECKING:
    from mcp.types import CallToolResult, ContentBlock, EmbeddedResource
    from mcp.types import Tool as MCPTool

    from agentctl.agent.agent import Agent
    from agentctl.agent.tools.custom_data import FunctionToolCustomDataContext


class MCPUtil:
    """Converts the tools of MCP servers to function tools, and calls them."""

    @classmethod
    async def get_all_function_tools(
        cls,
        servers: list[MCPServer],
        convert_schemas_to_strict: bool,
        run_context: RunContextWrapper[Any],
        agent: Agent[Any],
        failure_error_function: ToolErrorFunction | None = default_tool_error_function,
        include_server_in_tool_names: bool = False,
        reserved_tool_names: set[str] | None = None,
    ) -> list[Tool]:
        """Return the tools of all servers, in order; the servers are queried concurrently.

        Raises:
            UserError: two tools have the same name, and names do not include the server's.
        """
        listed = await _list_all(servers, run_context, agent)
        names = None
        if include_server_in_tool_names:
            pairs = [(server.name, tool.name) for server, tools in zip(servers, listed, strict=True) for tool in tools]
            names = prefixed_names(pairs, reserved_tool_names or set())
        else:
            _reject_duplicate_names(listed)
        overrides = iter(names or ())
        return [
            cls.to_function_tool(
                tool,
                server,
                convert_schemas_to_strict,
                agent,
                failure_error_function,
                tool_name_override=next(overrides, None),
            )
            for server, tools in zip(servers, listed, strict=True)
            for tool in tools
        ]

    @classmethod
    async def get_function_tools(
        cls,
        server: MCPServer,
        convert_schemas_to_strict: bool,
        run_context: RunContextWrapper[Any],
        agent: Agent[Any],
        failure_error_function: ToolErrorFunction | None = default_tool_error_function,
        include_server_in_tool_names: bool = False,
        tool_name_override: Callable[[MCPTool], str] | None = None,
        reserved_tool_names: set[str] | None = None,
    ) -> list[Tool]:
        """Return the tools of one server, renamed by `tool_name_override` if given."""
        (tools,) = await _list_all([server], run_context, agent)
        names: Sequence[str | None] = [None] * len(tools)
        if tool_name_override is not None:
            names = [tool_name_override(tool) for tool in tools]
        elif include_server_in_tool_names:
            names = prefixed_names([(server.name, tool.name) for tool in tools], reserved_tool_names or set())
        return [
            cls.to_function_tool(tool, server, convert_schemas_to_strict, agent, failure_error_function, name)
            for tool, name in zip(tools, names, strict=True)
        ]

    @classmethod
    def to_function_tool(
        cls,
        tool: MCPTool,
        server: MCPServer,
        convert_schemas_to_strict: bool,
        agent: Agent[Any] | None = None,
        failure_error_function: ToolErrorFunction | None = default_tool_error_function,
        tool_name_override: str | None = None,
    ) -> FunctionTool:
        """Return a server's tool as a function tool."""
        name = tool_name_override or tool.name
        failure_function = server.failure_function(failure_error_function)
        extracted: WeakKeyDictionary[ToolContext[Any], Mapping[str, Any]] = WeakKeyDictionary()

        async def invoke(context: ToolContext[Any], arguments: str) -> Any:
            try:
                result, decoded = await _call(server, tool, context, arguments, meta=tool.meta, display_name=name)
                output = mcp_output(result, use_structured_content=server.use_structured_content)
                if result.is_error:
                    context.failure = AgentsException(error_text(result))
                data = await _custom_data(server, tool, context, name, decoded, result, output)
                if data:
                    extracted[context] = data
            except Exception as error:
                if failure_function is None:
                    raise
                return await failure_text(context, error, failure_function)
            return output

        def custom_data(call: FunctionToolCustomDataContext) -> Mapping[str, Any] | None:
            return extracted.pop(call.tool_context, None)

        schema, is_strict = _schema(tool, strict=convert_schemas_to_strict)
        return FunctionTool(
            name=name,
            description=_description(tool),
            params_json_schema=schema,
            on_invoke_tool=invoke,
            strict_json_schema=is_strict,
            tool_input_guardrails=_copy(server.tool_input_guardrails),
            tool_output_guardrails=_copy(server.tool_output_guardrails),
            needs_approval=server.needs_approval(tool, agent),
            custom_data_extractor=None if server.custom_data_extractor is None else custom_data,
            origin=ToolOrigin(ToolOriginType.MCP, mcp_server_name=server.name),
            mcp_annotations=copy.deepcopy(tool.annotations),
        )

    @classmethod
    async def invoke_mcp_tool(
        cls,
        server: MCPServer,
        tool: MCPTool,
        context: RunContextWrapper[Any],
        input_json: str,
        *,
        meta: dict[str, Any] | None = None,
        tool_display_name: str | None = None,
    ) -> Output:
        """Call a tool of a server with arguments as JSON text, and return the output for the model.

        Raises:
            ModelBehaviorError: the arguments are not a JSON object.
        """
        display_name = tool_display_name or tool.name
        result, _ = await _call(server, tool, context, input_json, meta=meta, display_name=display_name)
        return mcp_output(result, use_structured_content=server.use_structured_content)


async def mcp_tools_of(agent: Agent[Any], context: RunContextWrapper[Any]) -> list[Tool]:
    """Return the tools of an agent's servers, according to its `mcp_config`.

    Raises:
        UserError: a server is not connected, or two tools have the same name.
        ServiceUnavailableError: a server cannot be reached.
    """
    config = agent.mcp_config
    includes_server = config.get("include_server_in_tool_names", False)
    return await MCPUtil.get_all_function_tools(
        agent.mcp_servers,
        config.get("convert_schemas_to_strict", False),
        context,
        agent,
        config.get("failure_error_function", default_tool_error_function),
        includes_server,
        await _own_names(agent, context) if includes_server else None,
    )


async def _own_names(agent: Agent[Any], context: RunContextWrapper[Any]) -> set[str]:
    """Return the names of the agent's own tools and handoffs."""
    from agentctl.agent.handoff import Handoff
    from agentctl.agent.tools.tool import is_enabled

    names = {tool.name for tool in agent.tools if isinstance(tool, FunctionTool)}
    for each in agent.handoffs:
        if not isinstance(each, Handoff):
            names.add(Handoff.default_tool_name(each))
        elif await is_enabled(each.is_enabled, context, agent):
            names.add(each.tool_name)
    return names


async def _list_all(
    servers: Sequence[MCPServer], context: RunContextWrapper[Any], agent: Agent[Any]
) -> list[list[MCPTool]]:
    """List the tools of all servers concurrently; the first failure cancels the others and is raised."""
    if len(servers) == 1:
        return [await _list(servers[0], context, agent)]
    # Only for several servers.
    from agentctl.threads import guard_exit

    failure: BaseException | None = None
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [
                group.create_task(guard_exit(server.name, _list, server, context, agent), name=server.name)
                for server in servers
            ]
    except BaseExceptionGroup as failures:
        failure = failures.exceptions[0]
    if failure is not None:
        raise failure  # Outside of `except`, which would change its context, or its cause.
    return [task.result() for task in tasks]


async def _list(server: MCPServer, context: RunContextWrapper[Any], agent: Agent[Any]) -> list[MCPTool]:
    with mcp_tools_span(server=server.name) as span:
        tape = current_tape()
        if tape is None:
            tools = await server.list_tools(context, agent)
        else:
            tools = await tape.list_tools(server, partial(server.list_tools, context, agent))
        span.span_data.result = [tool.name for tool in tools]
    return tools


def _reject_duplicate_names(listed: Sequence[Sequence[MCPTool]]) -> None:
    seen: set[str] = set()
    for tools in listed:
        names = {tool.name for tool in tools}
        if both := sorted(seen & names):
            raise UserError(
                f"several MCP servers have a tool named {', '.join(map(repr, both))}: set "
                'mcp_config={"include_server_in_tool_names": True} on the agent to prefix the names'
            )
        seen |= names


def _description(tool: MCPTool) -> str:
    return tool.description or tool.title or (tool.annotations and tool.annotations.title) or ""


def _schema(tool: MCPTool, *, strict: bool) -> tuple[dict[str, Any], bool]:
    """Return the schema of the arguments and whether it is strict; many servers' schemas cannot be converted."""
    schema = copy.deepcopy(tool.input_schema)
    if strict:
        try:
            return ensure_strict_json_schema(schema), True
        except UserError as error:
            logger.info("the schema of MCP tool %s was not converted to strict mode: %s", tool.name, error)
    schema.setdefault("properties", {})  # Optional in MCP, required by the service.
    return schema, False


def _copy(guardrails: list[Any] | None) -> list[Any] | None:
    return None if guardrails is None else list(guardrails)


async def _call(
    server: MCPServer,
    tool: MCPTool,
    context: RunContextWrapper[Any],
    text: str,
    *,
    meta: dict[str, Any] | None,
    display_name: str,
) -> tuple[CallToolResult, dict[str, Any]]:
    """Call a tool and return its result and the decoded arguments."""
    span = get_current_span()
    if span is not None and isinstance(span.span_data, FunctionSpanData):
        span.span_data.mcp_data = {"server": server.name}
    arguments = _arguments(text, display_name)
    meta = await _meta(server, tool, context, arguments, meta)
    reset = ON_PROGRESS.set(context.on_progress if isinstance(context, ToolContext) else None)
    try:
        if meta is None:
            return await server.call_tool(tool.name, arguments), arguments
        return await server.call_tool(tool.name, arguments, meta=meta), arguments
    except asyncio.CancelledError as error:
        if not is_stray_cancellation():
            raise
        raise MCPToolCancellationError(
            f"the call of {tool.name!r} on MCP server {server.name!r} was cancelled"
        ) from error
    finally:
        ON_PROGRESS.reset(reset)


def _arguments(text: str, name: str) -> dict[str, Any]:
    try:
        decoded = json.loads(text or "{}")
    except ValueError as error:
        raise ModelBehaviorError(f"the arguments of tool {name!r} are not JSON: {error}") from error
    if not isinstance(decoded, dict):
        raise ModelBehaviorError(f"the arguments of tool {name!r} are not a JSON object")
    return decoded


async def _meta(
    server: MCPServer,
    tool: MCPTool,
    context: RunContextWrapper[Any],
    arguments: dict[str, Any],
    own: dict[str, Any] | None,
) -> dict[str, Any] | None:
    """Return the `_meta` of a call: the result of the server's resolver, overridden by the tool's own."""
    resolved: dict[str, Any] | None = None
    if server.tool_meta_resolver is not None:
        meta_context = MCPToolMetaContext(context, server.name, tool.name, copy.deepcopy(arguments))
        result = server.tool_meta_resolver(meta_context)
        resolved = await result if inspect.isawaitable(result) else result
        if not isinstance(resolved, dict | None):
            raise TypeError(f"the tool_meta_resolver of {server.name!r} must return a dict or None, not {resolved!r}")
    if resolved is None and own is None:
        return None
    return copy.deepcopy((resolved or {}) | (own or {}))


async def _custom_data(
    server: MCPServer,
    tool: MCPTool,
    context: RunContextWrapper[Any],
    display_name: str,
    arguments: dict[str, Any],
    result: CallToolResult,
    output: Output,
) -> Mapping[str, Any] | None:
    if server.custom_data_extractor is None:
        return None
    data = server.custom_data_extractor(
        MCPToolCustomDataContext(
            run_context=context,
            server_name=server.name,
            tool_name=tool.name,
            tool_display_name=display_name,
            arguments=MappingProxyType(copy.deepcopy(arguments)),
            result_meta=_read_only(result.meta),
            structured_content=_read_only(result.structured_content),
            is_error=result.is_error,
            tool_output=copy.deepcopy(output),
        )
    )
    return await data if inspect.isawaitable(data) else data


def _read_only(value: Any) -> Mapping[str, Any] | None:
    return MappingProxyType(copy.deepcopy(value)) if isinstance(value, dict) else None


MAX_NAME_LENGTH = 64
"""Maximum number of characters in a function's name."""

_DIGEST_LENGTH = 8


def prefixed_names(tools: Sequence[tuple[str, str]], reserved: Collection[str]) -> list[str]:
    """Return a name for each pair of a server's and a tool's name, in order.

    The name is `mcp_SERVER__TOOL`. If it is too long or not unique, it ends with a digest of the pair, so that a tool's
    name does not depend on the other servers.
    """
    wanted = [f"mcp_{_safe(server) or 'server'}__{_safe(tool) or 'tool'}" for server, tool in tools]
    count = Counter(wanted)
    seeds = [f"{server}\0{tool}" for server, tool in tools]
    first = [
        _with_digest(name, seed) if count[name] > 1 or name in reserved or len(name) > MAX_NAME_LENGTH else name
        for name, seed in zip(wanted, seeds, strict=True)
    ]
    taken = set(reserved)
    names = list(first)
    for place in sorted(range(len(tools)), key=lambda place: (first[place], seeds[place], place)):
        attempt = 0
        while names[place] in taken:
            attempt += 1
            names[place] = _with_digest(wanted[place], f"{seeds[place]}\0{attempt}")
        taken.add(names[place])
    return names


def _safe(name: str) -> str:
    return "".join(char if char.isascii() and (char.isalnum() or char in "_-") else "_" for char in name).strip("_-")


def _with_digest(name: str, seed: str) -> str:
    digest = hashlib.sha1(seed.encode(), usedforsecurity=False).hexdigest()[:_DIGEST_LENGTH]
    return f"{name[: MAX_NAME_LENGTH - len(digest) - 1].rstrip('_-')}_{digest}"


Part: TypeAlias = ToolOutputTextDict | ToolOutputImageDict | ToolOutputFileContentDict
Output: TypeAlias = str | Part | list[Part]


def mcp_output(result: CallToolResult, *, use_structured_content: bool) -> Output:
    """Return the output for the model: the structured content as JSON if requested, else the parts.

    For error results it is always the parts, which describe the error.
    """
    if use_structured_content and result.structured_content and not result.is_error:
        return json.dumps(result.structured_content, ensure_ascii=False)
    parts = [_part(block) for block in result.content]
    return parts[0] if len(parts) == 1 else parts


def error_text(result: CallToolResult) -> str:
    """Return the error message of an error result."""
    texts = [block.text for block in result.content if block.type == "text"]
    return "\n".join(texts) or "the tool failed without a message"


def _part(block: ContentBlock) -> Part:
    match block.type:
        case "text":
            return {"type": "text", "text": block.text}
        case "image":
            return _image(block.mime_type, block.data)
        case "audio":
            # No model accepts audio from a tool, and as text it would fill the context.
            return _text({"type": "audio", "mimeType": block.mime_type, "note": _omission_note(block.data)})
        case "resource":
            return _resource(block)
        case _:
            return _text(block.model_dump(mode="json", by_alias=True, exclude_none=True))


def _resource(block: EmbeddedResource) -> Part:
    """Return a resource: an image or PDF as such, anything else as JSON with its URI."""
    wire = block.model_dump(mode="json", by_alias=True, exclude_none=True)
    resource = wire["resource"]
    kind, blob = resource.get("mimeType", ""), resource.get("blob")
    if blob is None:
        return _text(wire)
    if kind.startswith("image/"):
        return _image(kind, blob)
    if kind == "application/pdf":
        name = resource["uri"].rpartition("/")[2] or "document.pdf"
        return {"type": "file", "file_data": f"data:{kind};base64,{blob}", "filename": name}
    return _text({"type": "resource", "uri": resource["uri"], "mimeType": kind, "note": _omission_note(blob)})


def _image(kind: str, data: str) -> Part:
    return {"type": "image", "image_url": f"data:{kind};base64,{data}"}


def _text(value: dict[str, Any]) -> Part:
    return {"type": "text", "text": json.dumps(value, ensure_ascii=False)}


def _omission_note(data: str) -> str:
    return f"{count(len(data) * 3 // 4, 'byte')}, omitted"
