"""Settings of a model call."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
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

    def resolve(self, override: ModelSettings | dict[str, Any] | None) -> ModelSettings:
        """Return these settings, overridden by every value that `override` sets.

        `extra_args` and `retry` are merged value by value.
        """
        if override is None:
            return self
        other = override if isinstance(override, ModelSettings) else ModelSettings(**override)
        changes = {
            field.name: value
            for field in dataclasses.fields(other)
            if (value := getattr(other, field.name)) is not None
        }
        if self.extra_args and other.extra_args:
            changes["extra_args"] = {**self.extra_args, **other.extra_args}
        if self.retry and other.retry:
            changes["retry"] = self.retry.resolve(other.retry)
        return dataclasses.replace(self, **changes)

    def to_json_dict(self) -> dict[str, JSONValue]:
        """Return all settings as JSON, unset ones as None."""
        values = {field.name: to_json(getattr(self, field.name)) for field in dataclasses.fields(self)}
        return {**values, "retry": self.retry.to_json_dict() if self.retry else None}

    def to_traceable_dict(self) -> dict[str, JSONValue]:
        """Return the settings for a trace, without the user's additions to requests, which may contain keys."""
        return {name: value for name, value in self.to_json_dict().items() if name not in _NOT_TRACED}


def to_json(value: Any) -> JSONValue:
    """Return a setting as JSON: a pydantic object as its set fields, anything else unchanged."""
    if isinstance(value, MCPToolChoice):
        return {"type": "mcp", "server_label": value.server_label, "name": value.name}
    dump = getattr(value, "model_dump", None)
    return value if dump is None else dump(mode="json", exclude_unset=True)
