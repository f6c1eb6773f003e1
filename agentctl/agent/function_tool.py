"""Functions as tools: the decorator `@function_tool`."""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable
from typing import Any, overload

from agentctl.errors import ModelBehaviorError
from agentctl.threads import in_daemon_thread

from .context import ToolContext
from .function_schema import FuncSchema, function_schema
from .tool import FunctionTool, ToolErrorFunction
from .tool_errors import default_tool_error_function, failure_text


@overload
def function_tool(func: Callable[..., Any], /) -> FunctionTool: ...


@overload
def function_tool(
    *,
    name_override: str | None = None,
    description_override: str | None = None,
    use_docstring_info: bool = True,
    failure_error_function: ToolErrorFunction | None = default_tool_error_function,
    strict_mode: bool = True,
) -> Callable[[Callable[..., Any]], FunctionTool]: ...


def function_tool(
    func: Callable[..., Any] | None = None,
    *,
    name_override: str | None = None,
    description_override: str | None = None,
    use_docstring_info: bool = True,
    failure_error_function: ToolErrorFunction | None = default_tool_error_function,
    strict_mode: bool = True,
) -> FunctionTool | Callable[[Callable[..., Any]], FunctionTool]:
    """Make a tool of a function: name, description and schema are read off it.

    A first parameter annotated `RunContextWrapper` or `ToolContext` is given the context; the model does not see it. A
    function that is not async runs in a thread.

    Args:
        func: The function.
        name_override: What the model calls the tool, in place of the function's name.
        description_override: What the model is told of it, in place of the docstring.
        use_docstring_info: Whether the docstring is read at all.
        failure_error_function: Gives the model's text for what the tool raises; None lets it end the run.
        strict_mode: Whether the service must hold the model to the schema.

    Raises:
        UserError: the signature has no JSON schema.
    """

    def make(function: Callable[..., Any]) -> FunctionTool:
        schema = function_schema(
            function,
            name_override=name_override,
            description_override=description_override,
            use_docstring_info=use_docstring_info,
            strict_json_schema=strict_mode,
        )

        async def invoke(context: ToolContext[Any], arguments: str) -> Any:
            try:
                return await _call(function, schema, context, arguments)
            except Exception as error:
                if failure_error_function is None:
                    raise
                return await failure_text(context, error, failure_error_function)

        return FunctionTool(
            name=schema.name,
            description=schema.description or "",
            params_json_schema=schema.params_json_schema,
            on_invoke_tool=invoke,
            strict_json_schema=strict_mode,
        )

    return make if func is None else make(func)


async def _call(function: Callable[..., Any], schema: FuncSchema, context: ToolContext[Any], arguments: str) -> Any:
    positional, named = schema.to_call_args(_validated(schema, arguments))
    if schema.takes_context:
        positional.insert(0, context)
    try:
        if inspect.iscoroutinefunction(function):
            return await function(*positional, **named)
        result = await in_daemon_thread(lambda: _called(function, positional, named), name=f"tool {schema.name}")
        return await result if inspect.isawaitable(result) else result
    except SystemExit as error:
        # It would end the event loop, and with it everything else that runs there.
        raise RuntimeError(f"the tool ended with exit({error.code})") from error


def _called(function: Callable[..., Any], positional: list[Any], named: dict[str, Any]) -> Any:
    try:
        return function(*positional, **named)
    except StopIteration as error:
        raise RuntimeError("the tool raised StopIteration") from error  # Which no future takes.


def _validated(schema: FuncSchema, arguments: str) -> Any:
    from pydantic import ValidationError

    try:
        decoded = json.loads(arguments or "{}")
    except ValueError as error:
        raise ModelBehaviorError(f"the arguments of tool {schema.name!r} are not JSON: {error}") from error
    try:
        return schema.params_pydantic_model.model_validate(decoded)
    except ValidationError as error:
        problems = "; ".join(
            f"{'.'.join(map(str, part['loc'])) or 'arguments'}: {part['msg']}"
            for part in error.errors(include_url=False, include_input=False)
        )
        raise ModelBehaviorError(f"the arguments of tool {schema.name!r} do not fit: {problems}") from error
