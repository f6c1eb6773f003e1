"""The form of the final output: plain text, or JSON of a type."""

from __future__ import annotations

import abc
import types
import typing
from functools import cached_property, lru_cache
from typing import Any

from agentctl._dataclass import dataclass
from agentctl.agent.tools.function_schema import misfits
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
    """The output schema of a Python type: pydantic model, dataclass, TypedDict, list, union, plain type.

    What is no pydantic model or dict is asked for inside an object, under the key `response`.
    """

    output_type: type[Any]

    def __init__(self, output_type: type[Any], strict_json_schema: bool = True) -> None:
        """Take a type, read when first needed; `strict_json_schema`: whether the service must hold the model to it."""
        self.output_type = output_type
        self._strict = strict_json_schema

    def is_plain_text(self) -> bool:
        """Return whether the output is text as it is."""
        return self.output_type is None or self.output_type is str

    def is_strict_json_schema(self) -> bool:
        """Return whether the service must hold the model to the schema."""
        return self._strict

    def name(self) -> str:
        """Return the name of the output type."""
        return type_name(self.output_type)

    def json_schema(self) -> dict[str, Any]:
        """Return the JSON schema of the output.

        Raises:
            UserError: the type has no schema, or none that strict mode can express.
        """
        _, schema, _ = self._read
        return schema

    def validate_json(self, json_str: str) -> Any:
        """Return the model's text as a value of the output type."""
        from pydantic import ValidationError

        adapter, _, is_wrapped = self._read
        try:
            value = adapter.validate_json(json_str)
        except ValidationError as error:
            raise ModelBehaviorError(
                f"the model's output is not valid for {self.name()}: {misfits(error)[0]}"
            ) from error
        return value[_WRAPPED] if is_wrapped else value

    def dump_json(self, value: Any) -> str:
        """Return a value as the text that the model would have given; whether it fits, `validate_json` says."""
        adapter, _, is_wrapped = self._read
        held = {_WRAPPED: value} if is_wrapped else value
        text: bytes = adapter.dump_json(held, by_alias=True, warnings="none")
        return text.decode()

    @cached_property
    def _read(self) -> tuple[Any, dict[str, Any], bool]:
        """What reads values of the type, its schema, and whether it is asked for inside an object."""
        # 50 ms: imported for agents with an output type only.
        from pydantic import TypeAdapter
        from typing_extensions import TypedDict

        try:
            adapter: Any = TypeAdapter(self.output_type)
            schema = adapter.json_schema()
            is_wrapped = not _is_object(self.output_type, schema)
            if is_wrapped:
                adapter = TypeAdapter(TypedDict("OutputType", {_WRAPPED: self.output_type}))  # type: ignore[operator]
                schema = adapter.json_schema()
        except Exception as error:
            raise UserError(f"output type {self.name()} has no JSON schema: {error}") from error
        try:
            schema = ensure_strict_json_schema(schema) if self._strict else schema
        except UserError as error:
            raise UserError(
                f"output type {self.name()}: {error.message} (`AgentOutputSchema(…, strict_json_schema=False)`)"
            ) from error
        return adapter, schema, is_wrapped


def output_schema(output_type: type[Any] | AgentOutputSchemaBase | None) -> AgentOutputSchemaBase | None:
    """Return the schema of an agent's output type; None for plain text."""
    if output_type is None or output_type is str:
        return None
    if isinstance(output_type, AgentOutputSchemaBase):
        return output_type
    kind: Any = output_type
    try:
        return _schema_of(kind)
    except TypeError:
        return AgentOutputSchema(kind)  # A type that cannot be remembered: Annotated with a list, say.


def type_name(kind: Any) -> str:
    """Return a type as it is written: `list[City]`, `int | None`."""
    if kind is None or kind is type(None):
        return "None"
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin is typing.Annotated:
        return type_name(arguments[0])
    if origin in (typing.Union, types.UnionType):
        return " | ".join(map(type_name, arguments))
    if origin is typing.Literal:
        return f"Literal[{', '.join(map(repr, arguments))}]"
    if isinstance(origin, type) and arguments:
        return f"{origin.__name__}[{', '.join(map(type_name, arguments))}]"
    return kind.__name__ if isinstance(kind, type) else str(kind)


@lru_cache(maxsize=64)
def _schema_of(output_type: Any) -> AgentOutputSchema:
    return AgentOutputSchema(output_type)


def _is_object(output_type: Any, schema: dict[str, Any]) -> bool:
    """Return whether a type can be asked for as it is: it is a model or a dict, and so is its JSON."""
    from pydantic import BaseModel

    kind = typing.get_origin(output_type) or output_type
    if not (isinstance(kind, type) and issubclass(kind, BaseModel | dict)):
        return False
    return schema.get("type") == "object" or "$ref" in schema
