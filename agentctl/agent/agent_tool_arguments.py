"""The arguments of an agent that is a tool: one text, or what the user's type has."""

from __future__ import annotations

import dataclasses
import json
from typing import Any, TypeAlias

from agentctl.errors import ModelBehaviorError, UserError

from .misfits import misfits
from .strict_schema import ensure_strict_json_schema


class TextArguments:
    """The arguments of an agent tool that takes a text."""

    is_typed = False

    def __init__(self, tool_name: str) -> None:
        self._tool_name = tool_name
        self.schema: dict[str, Any] = {
            "type": "object",
            "properties": {"input": {"type": "string"}},
            "required": ["input"],
            "additionalProperties": False,
        }

    def value(self, given: str) -> dict[str, Any]:
        """Return the arguments, a JSON text.

        Raises:
            ModelBehaviorError: they do not fit.
        """
        try:
            params = json.loads(given)
        except ValueError as error:
            raise ModelBehaviorError(f"the arguments of tool {self._tool_name!r} are not JSON: {error}") from error
        if not isinstance(params, dict) or not isinstance(params.get("input"), str):
            raise ModelBehaviorError(f"the arguments of tool {self._tool_name!r} do not fit: input is to be a text")
        return {"input": params["input"]}


class TypedArguments:
    """The arguments of an agent tool that takes a dataclass or a pydantic model."""

    is_typed = True

    def __init__(self, tool_name: str, kind: type[Any]) -> None:
        # 50 ms: imported for agent tools with parameters only.
        from pydantic import BaseModel, TypeAdapter

        if not isinstance(kind, type) or not (dataclasses.is_dataclass(kind) or issubclass(kind, BaseModel)):
            raise TypeError(f"agent tool {tool_name!r}: parameters is a dataclass or a pydantic model, not {kind!r}")
        self._tool_name = tool_name
        self._adapter: Any = TypeAdapter(kind)
        try:
            self.schema: dict[str, Any] = ensure_strict_json_schema(self._adapter.json_schema())
        except Exception as error:
            raise UserError(f"agent tool {tool_name!r}: its parameters have no strict JSON schema: {error}") from error
        if self.schema.get("type", "object") != "object":
            raise UserError(f"agent tool {tool_name!r}: parameters has fields, and {kind.__name__} has none")

    def value(self, given: str) -> dict[str, Any]:
        """Return the arguments, a JSON text, as JSON that was checked.

        Raises:
            ModelBehaviorError: they do not fit.
        """
        from pydantic import ValidationError

        try:
            params: dict[str, Any] = self._adapter.dump_python(self._adapter.validate_json(given), mode="json")
        except ValidationError as error:
            raise ModelBehaviorError(
                f"the arguments of tool {self._tool_name!r} do not fit: {misfits(error)[0]}"
            ) from error
        return params


ToolArguments: TypeAlias = TextArguments | TypedArguments


def tool_arguments(tool_name: str, parameters: type[Any] | None) -> ToolArguments:
    """Return what reads the arguments of an agent tool.

    Raises:
        UserError: the type has no strict JSON schema.
        TypeError: it is neither a dataclass nor a pydantic model.
    """
    return TextArguments(tool_name) if parameters is None else TypedArguments(tool_name, parameters)
