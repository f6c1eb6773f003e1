"""Settings of a model call."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from copy import copy
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from agentctl._dataclass import dataclass

from .wire import JSONValue

if TYPE_CHECKING:
    from openai.types.shared import Reasoning

    from .retry import ModelRetrySettings

_NOT_TRACED = frozenset({"extra_query", "extra_body", "extra_headers", "extra_args", "preserve_raw_usage"})


@dataclass
class MCPToolChoice:
    """A tool of a hosted MCP server that the model must use."""

    server_label: str
    name: str


ToolChoice: TypeAlias = Literal["auto", "required", "none"] | str | MCPToolChoice | None
"""Constraint on the model's use of tools; None leaves it to the service."""


@dataclass
class ModelSettings:
    """Settings of a model call; None leaves a setting to the service."""

    temperature: float | None = None
    top_p: float | None = None
    frequency_penalty: float | None = None
    presence_penalty: float | None = None
    tool_choice: ToolChoice = None
    """`auto`, `required`, `none`, the name of a tool, or a tool of a hosted MCP server."""
    parallel_tool_calls: bool | None = None
    truncation: Literal["auto", "disabled"] | None = None
    max_tokens: int | None = None
    """Maximum number of output tokens."""
    reasoning: Reasoning | dict[str, Any] | None = None
    verbosity: Literal["low", "medium", "high"] | None = None
    metadata: dict[str, str] | None = None
    store: bool | None = None
    prompt_cache_retention: Literal["in_memory", "24h"] | None = None
    include_usage: bool | None = None
    response_include: list[str] | None = None
    top_logprobs: int | None = None
    extra_query: Mapping[str, object] | None = None
    extra_body: Mapping[str, Any] | None = None
    extra_headers: Mapping[str, str] | None = None
    extra_args: dict[str, Any] | None = None
    """Additional top-level fields of the request, by their API names."""
    retry: ModelRetrySettings | None = None
    """Retries of failed calls, also as a dict; None leaves them to the transport."""
    context_management: list[dict[str, Any]] | None = None
    prompt_cache_options: dict[str, Any] | None = None
    preserve_raw_usage: bool | None = None
    timeout: float | None = None
    """Time limit of one model call in seconds; exceeding it raises `ModelTimeoutError`."""

    def __post_init__(self) -> None:
        if self.timeout is not None and not 0 < self.timeout < float("inf"):
            raise ValueError(f"ModelSettings.timeout must be a finite number of seconds above 0, not {self.timeout!r}")
        if self.retry is not None:
            # 5 ms, spent only for settings with retries.
            from .retry import retry_settings

            self.retry = retry_settings(self.retry)

    # Both without reading `reasoning`, which would import `openai`.

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, ModelSettings) or type(self) is not type(other):
            return NotImplemented
        one, two = ({**vars(each), "reasoning": _without_none(each.reasoning_wire())} for each in (self, other))
        return one == two

    def __repr__(self) -> str:
        values = ", ".join(f"{field.name}={vars(self)[field.name]!r}" for field in dataclasses.fields(self))
        return f"{type(self).__name__}({values})"

    def resolve(self, override: ModelSettings | dict[str, Any] | None) -> ModelSettings:
        """Return these settings, overridden by every value that `override` sets.

        `extra_args` and `retry` are merged value by value.
        """
        if override is None:
            return self
        theirs = model_settings(override)
        changes = {name: value for name, value in vars(theirs).items() if value is not None}
        if self.extra_args and theirs.extra_args:
            changes["extra_args"] = {**self.extra_args, **theirs.extra_args}
        if self.retry and theirs.retry:
            changes["retry"] = self.retry.resolve(theirs.retry)
        return self.with_values(**changes)

    def with_values(self, **changes: Any) -> ModelSettings:
        """Return a copy with these settings changed."""
        twin = copy(self)
        vars(twin).update(changes)
        return twin

    def to_json_dict(self) -> dict[str, JSONValue]:
        """Return every setting as JSON, unset ones as None."""
        reasoning: Any = self.reasoning
        return {**self._values(), "reasoning": None if reasoning is None else reasoning.model_dump(mode="json")}

    def to_traceable_dict(self) -> dict[str, JSONValue]:
        """Return the settings that a trace may hold: not what the user adds to requests, which may have keys in it."""
        return {name: value for name, value in self._values().items() if name not in _NOT_TRACED}

    def _values(self) -> dict[str, JSONValue]:
        values = {field.name: to_json(vars(self)[field.name]) for field in dataclasses.fields(self)}
        return {**values, "retry": self.retry.to_json_dict() if self.retry else None}

    def reasoning_wire(self) -> dict[str, Any] | None:
        """Return `reasoning` as JSON: the keys that were set."""
        fields: dict[str, Any] | None = explicit_fields(vars(self)["reasoning"])
        return fields

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: Any) -> Any:
        # The types of the fields are imported where pydantic asks for the class, not where a run imports it.
        from openai.types.shared import Reasoning

        from .retry import ModelRetrySettings

        globals().update(Reasoning=Reasoning, ModelRetrySettings=ModelRetrySettings)
        return handler(source)


class _ReasoningView:
    """`ModelSettings.reasoning`: a dict becomes a `Reasoning` of `openai` when it is read, which imports that."""

    def __get__(self, settings: ModelSettings | None, owner: type[ModelSettings]) -> Reasoning | None:
        if settings is None:
            return None
        value: Reasoning | dict[str, Any] | None = vars(settings).get("reasoning")
        if isinstance(value, dict):
            # 450 ms: imported for code that reads it.
            from openai.types.shared import Reasoning

            value = vars(settings)["reasoning"] = Reasoning.construct(**value)
        return value

    def __set__(self, settings: ModelSettings, value: Reasoning | dict[str, Any] | None) -> None:
        vars(settings)["reasoning"] = value


ModelSettings.reasoning = _ReasoningView()  # type: ignore[assignment]  # reads as the annotation says


def model_settings(given: ModelSettings | dict[str, Any]) -> ModelSettings:
    """Return model settings that may be given as a dict.

    Raises:
        TypeError: they are neither, or a key is no setting.
    """
    if isinstance(given, ModelSettings):
        return given
    if not isinstance(given, dict):
        raise TypeError(f"model_settings must be a ModelSettings or a dict, not {type(given).__name__}")
    known = {field.name for field in dataclasses.fields(ModelSettings)}
    if unknown := sorted(str(name) for name in given if name not in known):
        raise TypeError(f"Unknown model settings: {', '.join(unknown)}")
    return ModelSettings(**given)


def to_json(value: Any) -> JSONValue:
    """Return a setting as JSON: a pydantic object as its set fields, anything else unchanged."""
    if isinstance(value, MCPToolChoice):
        return {"type": "mcp", "server_label": value.server_label, "name": value.name}
    json_value: JSONValue = explicit_fields(value)
    return json_value


def _without_none(values: dict[str, Any] | None) -> dict[str, Any] | None:
    return None if values is None else {name: value for name, value in values.items() if value is not None}


def explicit_fields(value: Any) -> Any:
    """Return the set fields of a pydantic object, anything else unchanged."""
    dump = getattr(value, "model_dump", None)
    return value if dump is None else dump(mode="json", exclude_unset=True)
