"""Functions as tools: the decorator `@function_tool`."""

from __future__ import annotations

import asyncio
import inspect
import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypedDict, overload

from agentctl.agent.context import ToolContext
from agentctl.errors import ModelBehaviorError
from agentctl.threads import in_daemon_thread

from .errors import failure_text, is_stray_cancellation
from .function_schema import DocstringStyle, FuncSchema, function_schema, misfits
from .tool import (
    Enablement,
    FunctionTool,
    NeedsApproval,
    ToolErrorFunction,
    ToolTimeoutBehavior,
    default_tool_error_function,
)

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from .custom_data import FunctionToolCustomDataExtractor
    from .guardrails import ToolInputGuardrail, ToolOutputGuardrail


class FunctionToolOptions(TypedDict, total=False):
    """What `function_tool` takes beside the function."""

    name_override: str | None
    description_override: str | None
    docstring_style: DocstringStyle | None
    use_docstring_info: bool
    failure_error_function: ToolErrorFunction | None
    strict_mode: bool
    is_enabled: Enablement
    tool_input_guardrails: list[ToolInputGuardrail[Any]] | None
    tool_output_guardrails: list[ToolOutputGuardrail[Any]] | None
    needs_approval: NeedsApproval
    timeout: float | None
    timeout_behavior: ToolTimeoutBehavior
    timeout_error_function: ToolErrorFunction | None
    custom_data_extractor: FunctionToolCustomDataExtractor | None


@overload
def function_tool(func: Callable[..., Any], /, **options: Unpack[FunctionToolOptions]) -> FunctionTool: ...


@overload
def function_tool(**options: Unpack[FunctionToolOptions]) -> Callable[[Callable[..., Any]], FunctionTool]: ...


def function_tool(
    func: Callable[..., Any] | None = None,
    *,
    name_override: str | None = None,
    description_override: str | None = None,
    docstring_style: DocstringStyle | None = None,
    use_docstring_info: bool = True,
    failure_error_function: ToolErrorFunction | None = default_tool_error_function,
    strict_mode: bool = True,
    is_enabled: Enablement = True,
    tool_input_guardrails: list[ToolInputGuardrail[Any]] | None = None,
    tool_output_guardrails: list[ToolOutputGuardrail[Any]] | None = None,
    needs_approval: NeedsApproval = False,
    timeout: float | None = None,
    timeout_behavior: ToolTimeoutBehavior = "error_as_result",
    timeout_error_function: ToolErrorFunction | None = None,
    custom_data_extractor: FunctionToolCustomDataExtractor | None = None,
) -> FunctionTool | Callable[[Callable[..., Any]], FunctionTool]:
    """Make a tool of a function: name, description and schema are read off it.

    A first parameter annotated `RunContextWrapper` or `ToolContext` is given the context; the model does not see it. A
    function that is not async runs in a thread.

    Args:
        func: The function.
        name_override: What the model calls the tool, in place of the function's name.
        description_override: What the model is told of it, in place of the docstring.
        docstring_style: How the docstring is written; None finds it out.
        use_docstring_info: Whether the docstring is read at all.
        failure_error_function: Gives the model's text for what the tool raises; None lets it end the run.
        strict_mode: Whether the service must hold the model to the schema.
        is_enabled: Whether the model is offered the tool, or a function that says so at every turn.
        tool_input_guardrails: What looks at each call before it is run.
        tool_output_guardrails: What looks at each output before the model does.
        needs_approval: Whether a call waits for somebody's yes, or a function that says so of each.
        timeout: How many seconds a call may take. An async function is cancelled then; another one is no longer
            waited for, and runs on in its thread.
        timeout_behavior: Whether the model is told of a timeout, or the run ends with `ToolTimeoutError`.
        timeout_error_function: Gives the model's text for a timeout.
        custom_data_extractor: Gives `custom_data` of the output items, for the program.

    Raises:
        UserError: the signature has no JSON schema.
    """

    def make(function: Callable[..., Any]) -> FunctionTool:
        schema = function_schema(
            function,
            name_override=name_override,
            description_override=description_override,
            docstring_style=docstring_style,
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
            is_enabled=is_enabled,
            tool_input_guardrails=tool_input_guardrails,
            tool_output_guardrails=tool_output_guardrails,
            needs_approval=needs_approval,
            timeout_seconds=timeout,
            timeout_behavior=timeout_behavior,
            timeout_error_function=timeout_error_function,
            custom_data_extractor=custom_data_extractor,
        )

    return make if func is None else make(func)


async def _call(function: Callable[..., Any], schema: FuncSchema, context: ToolContext[Any], arguments: str) -> Any:
    positional, named = schema.to_call_args(_validated(schema, arguments))
    if schema.takes_context:
        positional.insert(0, context)
    try:
        if inspect.iscoroutinefunction(function):
            return await function(*positional, **named)
        result = await in_daemon_thread(lambda: function(*positional, **named), name=f"tool {schema.name}")
        return await result if inspect.isawaitable(result) else result
    except asyncio.CancelledError as error:
        if not is_stray_cancellation():
            raise
        raise RuntimeError("what the tool waited for was cancelled") from error
    except SystemExit as error:
        # It would end the event loop, and with it everything else that runs there.
        raise RuntimeError(f"the tool ended with exit({error.code})") from error


def _validated(schema: FuncSchema, arguments: str) -> Any:
    from pydantic import ValidationError

    try:
        decoded = json.loads(arguments or "{}")
    except ValueError as error:
        raise ModelBehaviorError(f"the arguments of tool {schema.name!r} are not JSON: {error}") from error
    try:
        return schema.params_pydantic_model.model_validate(decoded)
    except ValidationError as error:
        problems = "; ".join(misfits(error))
        raise ModelBehaviorError(f"the arguments of tool {schema.name!r} do not fit: {problems}") from error
