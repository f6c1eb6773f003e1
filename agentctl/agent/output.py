"""Schema of the final output: plain text, or JSON of a Python type."""

from __future__ import annotations

import abc
import json
import types
import typing
from functools import cached_property, lru_cache
from typing import Any

from agentctl._dataclass import dataclass
from agentctl.agent.validation import validation_errors
from agentctl.errors import ModelBehaviorError, UserError

from .strict_schema import ensure_strict_json_schema
from .wire import JSONValue

_WRAPPER_KEY = "response"
"""Key of the object that wraps other types, since the service requires an object."""


class AgentOutputSchemaBase(abc.ABC):
    """Interface of output schemas."""

    @abc.abstractmethod
    def is_plain_text(self) -> bool:
        """Return whether the output is plain text."""

    @abc.abstractmethod
    def name(self) -> str:
        """Return the name of the output type."""

    @abc.abstractmethod
    def json_schema(self) -> dict[str, Any]:
        """Return the JSON schema of the output, of type `object`; not called for plain text."""

    @abc.abstractmethod
    def is_strict_json_schema(self) -> bool:
        """Return whether the service must enforce the schema."""

    @abc.abstractmethod
    def validate_json(self, json_str: str) -> Any:
        """Parse the model's text as a value of the output type.

        Raises:
            ModelBehaviorError: the text is not valid for the type.
        """


@dataclass(init=False)
class AgentOutputSchema(AgentOutputSchemaBase):
    """The output schema of a Python type: pydantic model, dataclass, TypedDict, list, union, plain type.

    Types other than pydantic models and dicts are wrapped in an object, under the key `response`.
    """

    output_type: type[Any]

    def __init__(self, output_type: type[Any], strict_json_schema: bool = True) -> None:
        """Store the type, whose schema is built on first use; `strict_json_schema`: whether the service enforces it."""
        self.output_type = output_type
        self._strict = strict_json_schema

    def is_plain_text(self) -> bool:
        """Return whether the output is plain text."""
        return self.output_type is None or self.output_type is str

    def is_strict_json_schema(self) -> bool:
        """Return whether the service must enforce the schema."""
        return self._strict

    def name(self) -> str:
        """Return the name of the output type."""
        return type_name(self.output_type)

    def json_schema(self) -> dict[str, Any]:
        """Return the JSON schema of the output.

        Raises:
            UserError: the type has no schema, or none that strict mode can express.
        """
        _, schema, _ = self._parser
        return schema

    def validate_json(self, json_str: str) -> Any:
        """Parse the model's text as a value of the output type."""
        from pydantic import ValidationError

        adapter, _, is_wrapped = self._parser
        try:
            value = adapter.validate_json(json_str)
        except ValidationError as error:
            problems = "; ".join(validation_errors(error))
            raise ModelBehaviorError(
                f"the model's output is not valid for {self.name()}: {problems}", reply=json_str
            ) from error
        return value[_WRAPPER_KEY] if is_wrapped else value

    def to_json_value(self, value: Any) -> JSONValue:
        """Return a value as JSON, without the object that wraps it."""
        _, _, is_wrapped = self._parser
        dumped: JSONValue = json.loads(self.dump_json(value))
        return dumped[_WRAPPER_KEY] if is_wrapped and isinstance(dumped, dict) else dumped

    def dump_json(self, value: Any) -> str:
        """Return a value as the model's text for it, without validation."""
        adapter, _, is_wrapped = self._parser
        wrapped = {_WRAPPER_KEY: value} if is_wrapped else value
        text: bytes = adapter.dump_json(wrapped, by_alias=True, warnings="none")
        return text.decode()

    @cached_property
    def _parser(self) -> tuple[Any, dict[str, Any], bool]:
        """The type adapter, its schema, and whether values are wrapped in an object."""
        # 50 ms: imported only for agents with an output type.
        from pydantic import TypeAdapter
        from typing_extensions import TypedDict

        try:
            adapter: Any = TypeAdapter(self.output_type)
            schema = adapter.json_schema()
            is_wrapped = not _is_object(self.output_type, schema)
            if is_wrapped:
                adapter = TypeAdapter(TypedDict("OutputType", {_WRAPPER_KEY: self.output_type}))  # type: ignore[operator]
                schema = adapter.json_schema()
        except Exception as error:
            reason = str(error).partition("\n")[0]
            raise UserError(f"output type {self.name()} has no JSON schema: {reason}") from error
        try:
            schema = ensure_strict_json_schema(schema) if self._strict else schema
        except UserError as error:
            raise UserError(
                f"output type {self.name()}: {error.message} (`AgentOutputSchema(…, strict_json_schema=False)`)"
            ) from error
        return adapter, schema, is_wrapped


def output_schema(output_type: type[Any] | AgentOutputSchemaBase | None) -> AgentOutputSchemaBase | None:
    """Return the output schema of an agent's output type, None for plain text."""
    if output_type is None or output_type is str:
        return None
    if isinstance(output_type, AgentOutputSchemaBase):
        return output_type
    kind: Any = output_type
    try:
        return _schema_of(kind)
    except TypeError:
        return AgentOutputSchema(kind)  # Unhashable, hence not cached: Annotated with a list, for instance.


def type_name(kind: Any) -> str:
    """Return a type as source code: `list[City]`, `int | None`."""
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
    """Return whether a type needs no wrapping: it is a model or a dict, and its JSON is an object."""
    from pydantic import BaseModel

    kind = typing.get_origin(output_type) or output_type
    if not (isinstance(kind, type) and issubclass(kind, BaseModel | dict)):
        return False
    return schema.get("type") == "object" or "$ref" in schema
