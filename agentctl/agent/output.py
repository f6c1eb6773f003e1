"""The form of the final output: plain text, or JSON of a type."""

from __future__ import annotations

import abc
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from agentctl.errors import ModelBehaviorError, UserError

from .strict_schema import ensure_strict_json_schema

_WRAPPED = "response"
"""The service wants an object; any other type is wrapped in one under this key."""


class AgentOutputSchemaBase(abc.ABC):
    """What the engine asks of an output type."""

    @abc.abstractmethod
    def is_plain_text(self) -> bool:
        """Return whether the output is text as it is."""

    @abc.abstractmethod
    def name(self) -> str:
        """Return the name of the output type."""

    @abc.abstractmethod
    def json_schema(self) -> dict[str, Any]:
        """Return the JSON schema of the output, an object; not called for plain text."""

    @abc.abstractmethod
    def is_strict_json_schema(self) -> bool:
        """Return whether the service must hold the model to the schema."""

    @abc.abstractmethod
    def validate_json(self, json_str: str) -> Any:
        """Return the model's text as a value of the output type.

        Raises:
            ModelBehaviorError: the text does not fit.
        """


@dataclass(init=False)
class AgentOutputSchema(AgentOutputSchemaBase):
    """The output schema of a Python type: pydantic model, dataclass, TypedDict, list, plain type."""

    output_type: type[Any]

    def __init__(self, output_type: type[Any], strict_json_schema: bool = True) -> None:
        self.output_type = output_type
        self._strict = strict_json_schema

    def is_plain_text(self) -> bool:
        """Return whether the output is text as it is."""
        return self.output_type is str

    def is_strict_json_schema(self) -> bool:
        """Return whether the service must hold the model to the schema."""
        return self._strict

    def name(self) -> str:
        """Return the name of the output type."""
        return getattr(self.output_type, "__name__", None) or str(self.output_type)

    def json_schema(self) -> dict[str, Any]:
        """Return the JSON schema of the output.

        Raises:
            UserError: the type has no schema, or none that strict mode can express.
        """
        return self._schema

    def validate_json(self, json_str: str) -> Any:
        """Return the model's text as a value of the output type."""
        from pydantic import ValidationError

        try:
            value = self._adapter.validate_json(json_str)
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            place = ".".join(str(part) for part in first["loc"]) or "the whole"
            raise ModelBehaviorError(
                f"the model's output is not valid for {self.name()}: {place}: {first['msg']}"
            ) from error
        return value[_WRAPPED] if self._is_wrapped else value

    def dump_json(self, value: Any) -> str:
        """Return a value as the text that the model would have given; whether it fits, `validate_json` says."""
        held = {_WRAPPED: value} if self._is_wrapped else value
        text: bytes = self._adapter.dump_json(held, warnings="none")
        return text.decode()

    @cached_property
    def _plain_adapter(self) -> Any:
        # 50 ms: imported for agents with an output type only.
        from pydantic import TypeAdapter

        return TypeAdapter(self.output_type)

    @cached_property
    def _is_wrapped(self) -> bool:
        schema = self._plain_adapter.json_schema()
        return schema.get("type") != "object" and "$ref" not in schema

    @cached_property
    def _adapter(self) -> Any:
        if not self._is_wrapped:
            return self._plain_adapter
        from pydantic import TypeAdapter
        from typing_extensions import TypedDict

        return TypeAdapter(TypedDict("Output", {_WRAPPED: self.output_type}))  # type: ignore[operator]

    @cached_property
    def _schema(self) -> dict[str, Any]:
        try:
            schema: dict[str, Any] = self._adapter.json_schema()
        except Exception as error:
            raise UserError(f"output type {self.name()} has no JSON schema: {error}") from error
        if not self._strict:
            return schema
        try:
            return ensure_strict_json_schema(schema)
        except UserError as error:
            raise UserError(f"output type {self.name()}: {error.message}") from error


def output_schema(output_type: type[Any] | AgentOutputSchemaBase | None) -> AgentOutputSchemaBase | None:
    """Return the schema of an agent's output type; None for plain text."""
    if output_type is None or output_type is str:
        return None
    return output_type if isinstance(output_type, AgentOutputSchemaBase) else AgentOutputSchema(output_type)
