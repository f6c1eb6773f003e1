"""The highest number of input tokens of a model call, from its size, or the reason why there is none."""

from __future__ import annotations

import json
import re
from collections import deque
from collections.abc import Iterable
from typing import Any

from agentctl._dataclass import dataclass
from agentctl.agent.items.run_items import ModelResponse
from agentctl.agent.ports import ModelRequest
from agentctl.agent.tools.custom_tool import CustomTool
from agentctl.agent.tools.tool import FunctionTool
from agentctl.agent.wire import WireItem
from agentctl.errors import UserError
from agentctl.origin import OPENAI_BASE_URL, is_same_origin

FRAME = 256
"""Tokens for what a service adds around a request: roles, separators, the frame of tools and of a schema."""

_ITEMS = frozenset({"message", "function_call", "custom_tool_call", "function_call_output", "custom_tool_call_output"})
_TEXTS = frozenset({"input_text", "output_text", "text", "refusal", "summary_text", "reasoning_text"})
_EXTRAS = frozenset(
    {
        *("chat_template_kwargs", "frequency_penalty", "logit_bias", "logprobs", "max_completion_tokens", "max_tokens"),
        *("max_output_tokens", "metadata", "min_p", "presence_penalty", "prompt_cache_key", "reasoning"),
        *("reasoning_effort", "repetition_penalty", "response_format", "safety_identifier", "seed", "stop"),
        *("stream_options", "temperature", "text", "top_k", "top_p", "user", "verbosity"),
    }
)
"""Additional fields of a request that change neither its price nor how much the service reads or writes."""

_IMAGES: tuple[tuple[str, int, int], ...] = (
    # Tiles: the shorter side is scaled to 768 pixels, the longer to 2048 at most, so that there are 8 at most.
    (r"gpt-4o-mini", 2833 + 8 * 5667, 2833),
    (r"(gpt-4o|gpt-4\.1|gpt-4\.5-preview)", 85 + 8 * 170, 85),
    (r"gpt-5(-chat-latest)?", 70 + 8 * 140, 70),
    (r"(o1|o1-pro|o3)", 75 + 8 * 150, 75),
    # Patches of 32 pixels, 1536 at most, times a factor of the model.
    (r"(gpt-4\.1-mini|gpt-5-mini)", 2489, 2489),
    (r"(gpt-4\.1-nano|gpt-5-nano)", 3779, 3779),
    (r"o4-mini", 2642, 2642),
)
"""The most tokens of an image by OpenAI's published rule: a pattern of models, in high and in low detail."""


@dataclass(frozen=True, slots=True)
class _Answered:
    """A call that was answered: what it sent, and what the service counted."""

    model: str
    fixed: int
    items: tuple[int, ...]
    """A hash of each item."""
    tokens: int
    reasoning_ids: frozenset[str]


@dataclass(frozen=True, slots=True)
class MeasuredRequest:
    """A request, measured."""

    input_tokens: int
    fixed: int
    items: tuple[int, ...]


class InputBounds:
    """Bounds the input of model calls; what a conversation has already sent counts by its last usage."""

    def __init__(self) -> None:
        self._answered: deque[_Answered] = deque(maxlen=32)

    def measure(self, request: ModelRequest, model: str, endpoint_url: str | None) -> MeasuredRequest:
        """Return a request with the highest number of tokens of its input.

        Raises:
            UserError: it has a part that no size bounds.
        """
        _check_request(request)
        fixed = _encode(_fixed_parts(request))
        given = request.input
        items: list[WireItem] = [{"role": "user", "content": given}] if isinstance(given, str) else given
        texts = [_encode(_without_images(item)) for item in items]
        hashes = tuple(map(hash, (_encode(item) for item in items)))
        last = self._find(model, hashes)
        known = 0 if last is None else len(last.items)
        reasoning_ids = frozenset[str]() if last is None else last.reasoning_ids
        unknown = [item for item in items[known:] if not _is_stored_reasoning(item) or item["id"] not in reasoning_ids]
        images = sum(_check_item(item, model, endpoint_url) for item in unknown)
        size = sum(map(len, texts[known:])) + images + FRAME
        has_same_frame = last is not None and last.fixed == hash(fixed)
        tokens = size + (0 if has_same_frame else len(fixed)) + (0 if last is None else last.tokens)
        return MeasuredRequest(tokens, hash(fixed), hashes)

    def record(self, measured: MeasuredRequest, model: str, response: ModelResponse) -> None:
        """Remember what the service counted for a request and its response."""
        ids = frozenset(str(item["id"]) for item in response.wire_output if _is_stored_reasoning(item))
        tokens = response.usage.total_tokens
        self._answered.append(_Answered(model, measured.fixed, measured.items, tokens, ids))

    def _find(self, model: str, items: tuple[int, ...]) -> _Answered | None:
        """Return the answered call that these items continue the furthest."""
        found = [
            each for each in self._answered if each.model == model and items[: len(each.items)] == each.items != ()
        ]
        return max(found, key=lambda each: len(each.items), default=None)


def _check_request(request: ModelRequest) -> None:
    settings = request.model_settings
    if request.is_stateful:
        raise _refuse("it continues a history that the service stores: send the history itself")
    if request.prompt is not None:
        raise _refuse("its prompt object is stored at the service: set instructions instead")
    if settings.context_management:
        raise _refuse("context_management makes the service write more: leave it out")
    for tool in request.tools:
        if not isinstance(tool, FunctionTool | CustomTool) or tool.defer_loading:
            raise _refuse(f"the service runs or describes the tool {tool.name!r}: use a function tool")
    for given in (settings.extra_args, settings.extra_body):
        for name, value in given.items() if isinstance(given, dict) else ():
            if name == "service_tier" and value != "default":
                raise _refuse(f"the prices of service_tier {value!r} are not known: leave it out")
            if name not in _EXTRAS and name != "service_tier":
                raise _refuse(f"it has the additional field {name!r}, whose cost is not known: leave it out")


def _check_item(item: WireItem, model: str, endpoint_url: str | None) -> int:
    """Return the tokens of the images of an item."""
    kind = item.get("type", "message")
    if kind == "reasoning":
        if _is_stored_reasoning(item):
            raise _refuse("it refers to reasoning that the service stores: set `settings.store` to false")
        return 0
    if kind not in _ITEMS:
        raise _refuse(f"the length of an item of type {kind!r} is not known")
    tokens = 0
    for part in _parts(item):
        match part.get("type"):
            case "input_image" | "image_url":
                tokens += _image_tokens(part, model, endpoint_url)
            case name if name not in _TEXTS:
                raise _refuse(f"no published rule bounds the tokens of {name!r}: send its text instead")
    return tokens


def _parts(item: WireItem) -> Iterable[dict[str, Any]]:
    for name in ("content", "output"):
        value = item.get(name)
        yield from (part for part in value if isinstance(part, dict)) if isinstance(value, list) else ()


def _image_tokens(part: dict[str, Any], model: str, endpoint_url: str | None) -> int:
    if endpoint_url is not None and is_same_origin(endpoint_url, OPENAI_BASE_URL):
        for pattern, most, low in _IMAGES:
            if re.fullmatch(rf"{pattern}(-\d{{4}}-\d\d-\d\d)?", model):
                return low if part.get("detail") == "low" else most
    raise _refuse(f"agentctl knows no published rule for the tokens of an image with {model}: leave the image out")


def _without_images(item: WireItem) -> WireItem:
    """Return an item without the data of its images, which count by their rule."""
    if not any(part.get("type") in ("input_image", "image_url") for part in _parts(item)):
        return item
    changed = dict(item)
    for name in ("content", "output"):
        value = item.get(name)
        if isinstance(value, list):
            changed[name] = [{**part, "image_url": ""} if "image_url" in part else part for part in value]
    return changed


def _is_stored_reasoning(item: WireItem) -> bool:
    return item.get("type") == "reasoning" and bool(item.get("id")) and not item.get("encrypted_content")


def _fixed_parts(request: ModelRequest) -> list[Any]:
    schema, settings = request.output_schema, request.model_settings
    return [
        request.system_instructions,
        [
            [tool.qualified_name, tool.description, tool.namespace_description, tool.params_json_schema]
            if isinstance(tool, FunctionTool)
            else tool.to_wire()
            for tool in request.tools
        ],
        [[each.tool_name, each.tool_description, each.input_json_schema] for each in request.handoffs],
        None if schema is None or schema.is_plain_text() else schema.json_schema(),
        settings.extra_args,
        settings.extra_body,
    ]


def _encode(value: Any) -> bytes:
    try:
        return json.dumps(value, ensure_ascii=False, sort_keys=True).encode("utf-8", "surrogatepass")
    except (TypeError, ValueError, RecursionError) as error:
        raise UserError(f"the request cannot be encoded as JSON: {error}") from error


def _refuse(reason: str) -> UserError:
    """Return the error for a call without an upper bound."""
    return UserError(f"a model call under a budget must have an upper bound of its cost, and this has none: {reason}")
