"""The check of a run's final output against the output schema that was given for the run."""

from __future__ import annotations

import contextlib
import json
from dataclasses import replace
from typing import Any

from agentctl.agent.events import RunFinished
from agentctl.agent.json_schema import JSONSchemaOutput
from agentctl.agent.output import AgentOutputSchema, AgentOutputSchemaBase
from agentctl.agent.wire import JSONValue
from agentctl.errors import ModelBehaviorError, OptionError, RequestRejectedError
from agentctl.render.json_value import to_json_value


def check_schema(schema: AgentOutputSchemaBase) -> None:
    """Check an output schema itself.

    Raises:
        OptionError: it is not valid.
    """
    if isinstance(schema, JSONSchemaOutput):
        schema.check()


def schema_of(schema: AgentOutputSchemaBase) -> dict[str, JSONValue]:
    """Return an output schema as the JSON Schema of its values."""
    if isinstance(schema, JSONSchemaOutput):
        return schema.schema
    assert isinstance(schema, AgentOutputSchema)
    from pydantic import TypeAdapter  # Imported with the class.

    return TypeAdapter(schema.output_type).json_schema()


def preload(schema: AgentOutputSchemaBase) -> None:
    """Import what the check of the output needs, while the model answers."""
    if isinstance(schema, JSONSchemaOutput):
        schema.preload()


def check_output(end: RunFinished, schema: AgentOutputSchemaBase, *, is_of_model: bool) -> RunFinished:
    """Return the end of a run with its final output as JSON, or as a failure.

    The output of a model is checked already, that of a tool is not. If the service rejects an invalid schema, or the
    model cannot follow it, the error is that of the schema.
    """
    try:
        if isinstance(end.error, RequestRejectedError | ModelBehaviorError):
            check_schema(schema)
        if end.error is not None:
            return end
        output = end.final_output if is_of_model else _check_tool_output(end.final_output, schema)
    except (ModelBehaviorError, OptionError) as error:
        return replace(end, final_output=None, error=error)
    return replace(end, final_output=schema.to_json_value(output) if isinstance(schema, AgentOutputSchema) else output)


def _check_tool_output(output: Any, schema: AgentOutputSchemaBase) -> Any:
    """Return the output of a tool as a value of the schema; a text may be JSON.

    Raises:
        ModelBehaviorError: it does not match.
    """
    value: JSONValue = to_json_value(output)
    if isinstance(value, str):
        with contextlib.suppress(ValueError):
            value = json.loads(value)
    if isinstance(schema, JSONSchemaOutput):
        return schema.check_value(value)
    assert isinstance(schema, AgentOutputSchema)
    return schema.validate_json(schema.dump_json(value))
