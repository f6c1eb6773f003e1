"""Functions as tools: the decorator `@function_tool`."""

from __future__ import annotations

import asyncio
import inspect
import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypedDict, overload

from agentctl.agent.context import ToolContext
from agentctl.agent.validation import validation_errors
from agentctl.errors import ModelBehaviorError
from agentctl.threads import ExitGuard, in_daemon_thread

from .docstrings import DocstringStyle
from .errors import failure_text, is_stray_cancellation
from .function_schema import FuncSchema, read_callable, schema_of
from .tool import (
    Enablement,
    FunctionTool,
    NeedsApproval,
    ToolErrorFunction,
    ToolTimeoutBehavior,
    default_tool_error_function,
    mark_invoker,
)

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from .custom_data import FunctionToolCustomDataExtractor
    from .guardrails import ToolInputGuardrail, ToolOutputGuardrail


class FunctionToolOptions(TypedDict, total=False):
    """Keyword arguments of `function_tool`."""

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
    defer_loading: bool
    allowed_callers: list[str] | None
    output_type: Any
    output_json_schema: dict[str, Any] | None


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
    defer_loading: bool = False,
    allowed_callers: list[str] | None = None,
    output_type: Any = None,
    output_json_schema: dict[str, Any] | None = None,
) -> FunctionTool | Callable[[Callable[..., Any]], FunctionTool]:
    """Turn a function into a tool, with name, description and schema from its signature and docstring.

    A first parameter annotated `RunContextWrapper` or `ToolContext` receives the context and is hidden from the model.
    A function that is not async runs in a thread.

    Args:
        func: The function.
        name_override: Tool name, in place of the function's name.
        description_override: Description for the model, in place of the docstring.
        docstring_style: Format of the docstring; None detects it.
        use_docstring_info: Whether to read the docstring.
        failure_error_function: Returns the model's text for an exception of the tool; None lets it end the run.
        strict_mode: Whether the service must enforce the schema.
        is_enabled: Whether the tool is offered to the model, or a function that decides it at every turn.
        tool_input_guardrails: Checks of each call before it runs.
        tool_output_guardrails: Checks of each output before the model reads it.
        needs_approval: Whether calls need approval, or a function that decides it for each call.
        timeout: Time limit of a call in seconds. An async function is then cancelled; any other function is
            abandoned and continues in its thread.
        timeout_behavior: Whether a timeout gives the model an error text or ends the run with `ToolTimeoutError`.
        timeout_error_function: Returns the model's text for a timeout.
        custom_data_extractor: Returns `custom_data` of the output items, for the program.
        defer_loading: Whether the model sees the tool only once a tool search found it.
        allowed_callers: Not supported: programmatic tool calling is an error.
        output_type: Type of the outputs, for `output_json_schema`.
        output_json_schema: JSON schema of the outputs, for the program.

    Raises:
        UserError: the signature has no JSON schema.
    """

    def make(function: Callable[..., Any]) -> FunctionTool:
        info = read_callable(function)
        schema = schema_of(
            info,
            name_override=name_override,
            description_override=description_override,
            docstring_style=docstring_style,
            use_docstring_info=use_docstring_info,
            strict_json_schema=strict_mode,
        )

        async def invoke(context: ToolContext[Any], arguments: str) -> Any:
            try:
                return await _call(info.callee, schema, context, arguments)
            except Exception as error:
                if failure_error_function is None:
                    raise
                return await failure_text(context, error, failure_error_function)

        mark_invoker(invoke, function)
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
            defer_loading=defer_loading,
            allowed_callers=allowed_callers,
            output_json_schema=output_json_schema or output_schema_of(output_type),
        )

    return make if func is None else make(func)


def output_schema_of(output_type: Any) -> dict[str, Any] | None:
    """Return the JSON schema of a type of outputs, None for None."""
    if output_type is None:
        return None
    from pydantic import TypeAdapter

    schema: dict[str, Any] = TypeAdapter(output_type).json_schema(mode="serialization")
    return schema


async def _call(function: Callable[..., Any], schema: FuncSchema, context: ToolContext[Any], arguments: str) -> Any:
    positional, named = schema.to_call_args(_validate(schema, arguments))
    if schema.takes_context:
        positional.insert(0, context)
    name = f"tool {schema.name}"
    try:
        with ExitGuard(name):
            if inspect.iscoroutinefunction(function):
                return await function(*positional, **named)
            result = await in_daemon_thread(lambda: function(*positional, **named), name=name)
            return await result if inspect.isawaitable(result) else result
    except asyncio.CancelledError as error:
        if not is_stray_cancellation():
            raise
        raise RuntimeError("the tool was cancelled from inside") from error


def _validate(schema: FuncSchema, arguments: str) -> Any:
    from pydantic import ValidationError

    try:
        decoded = json.loads(arguments or "{}")
    except ValueError as error:
        raise ModelBehaviorError(f"Invalid JSON input for tool {schema.name!r}: {error}") from error
    try:
        return schema.params_pydantic_model.model_validate(decoded)
    except ValidationError as error:
        problems = "; ".join(validation_errors(error))
        raise ModelBehaviorError(f"Invalid JSON input for tool {schema.name!r}: {problems}") from error
