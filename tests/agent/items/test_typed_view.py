"""Views of wire JSON beside the `openai` objects that they stand for."""

import copy
import functools
import json
import pickle
import subprocess
import sys
import types
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import openai
import pydantic
import pydantic_core
import pytest
from openai.types.responses import (
    ResponseCompletedEvent,
    ResponseFunctionToolCall,
    ResponseOutputItem,
    ResponseOutputMessage,
    ResponseOutputText,
    ResponseStreamEvent,
    ResponseTextDeltaEvent,
)

from agentctl import Agent, ModelResponse, RawResponsesStreamEvent, ToolCallItem
from agentctl.agent.items.run_items import MessageOutputItem
from agentctl.agent.items.typed_view import TypedView, make_view
from agentctl.agent.items.views import ItemView, event_view, item_view, to_wire
from agentctl.agent.usage import MeasuredResponse

# Pydantic warns of values of other types than declared, which the samples have, and which views keep as well.
pytestmark = pytest.mark.filterwarnings("ignore:Pydantic serializer warnings", "ignore::DeprecationWarning")

AGENT: Agent[Any] = Agent(name="a")
PART: dict[str, Any] = {"type": "output_text", "text": "hi", "annotations": [], "logprobs": None}
MESSAGE: dict[str, Any] = {
    "type": "message",
    "id": "msg_1",
    "role": "assistant",
    "status": "completed",
    "content": [PART, {"type": "refusal", "refusal": "no"}, {"type": "invented", "new": {"a": [1]}}],
}
CALL: dict[str, Any] = {"type": "function_call", "id": "fc_1", "call_id": "c", "name": "f", "arguments": "{}"}
DELTA: dict[str, Any] = {
    "type": "response.output_text.delta",
    "delta": "hi",
    "item_id": "msg_1",
    "output_index": 0,
    "content_index": 0,
    "logprobs": [],
    "obfuscation": "x",
}


def unwrapped(annotation: Any) -> tuple[Any, ...]:
    """Return the members of a union, the annotation itself where it is none."""
    if get_origin(annotation) is Annotated:
        return unwrapped(get_args(annotation)[0])
    if get_origin(annotation) in (Union, types.UnionType):
        return tuple(one for member in get_args(annotation) for one in unwrapped(member))
    return (annotation,)


def sample(annotation: Any, chosen: int, depth: int = 0) -> Any:
    """Return JSON of a type; of a union, its member with the number `chosen`, modulo."""
    members = [member for member in unwrapped(annotation) if member is not type(None)]
    kind = members[chosen % len(members)]
    if get_origin(kind) is Literal:
        return get_args(kind)[0]
    if get_origin(kind) is list:
        return [sample(get_args(kind)[0], chosen + number, depth) for number in range(2)]
    if get_origin(kind) is dict:
        return {"type": sample(get_args(kind)[1], chosen, depth)}
    if kind is object:
        return {"type": "message", "content": [{"a": 1}]}
    if issubclass(kind, pydantic.BaseModel):
        return {
            field.alias or name: sample(field.annotation, chosen, depth + 1)
            for name, field in kind.model_fields.items()
            if depth < 5 or field.is_required()
        }
    return {str: "text", int: 3, float: 3, bool: True}[kind]


ALIASES = ("async", "schema")
CLASSES = [
    pytest.param(view, kind, id=kind.__name__)
    for view, union in ((partial(make_view, ItemView), ResponseOutputItem), (event_view, ResponseStreamEvent))
    for kind in unwrapped(union)
]


def check_same(seen: Any, real: Any, wire: Any) -> None:
    """Check what code that walks along the JSON sees."""
    if isinstance(real, pydantic.BaseModel):
        for name, value in wire.items():
            if name not in ALIASES:
                check_same(getattr(seen, name), getattr(real, name), value)
        assert isinstance(seen, type(real))
        assert seen.__class__ is type(real)
    elif isinstance(real, list):
        assert type(seen) is list
        for one, other, value in zip(seen, real, wire, strict=True):
            check_same(one, other, value)
    else:
        assert type(seen) is type(real)
        assert seen == real


@pytest.mark.parametrize(("view", "kind"), CLASSES)
@pytest.mark.parametrize("chosen", [0, 1, 5])
def test_each_class_of_the_client_is_seen_as_it_would_build_it(
    view: Callable[[Any], Any], kind: Any, chosen: int
) -> None:
    wire = sample(kind, chosen)
    real = kind.construct(**copy.deepcopy(wire))
    check_same(view(wire), real, wire)
    given = view(wire)
    assert given == real == given
    assert repr(given) == repr(real)
    assert given.model_dump_json() == real.model_dump_json()


def view_of_message() -> Any:
    return item_view(copy.deepcopy(MESSAGE))


def real_message() -> ResponseOutputMessage:
    return ResponseOutputMessage.construct(**copy.deepcopy(MESSAGE))


@functools.singledispatch
def name_kind(value: Any) -> str:
    return "other"


@name_kind.register
def _(value: ResponseOutputMessage) -> str:
    return "message"


class Holder(pydantic.BaseModel):
    """A model as a user writes it."""

    item: ResponseOutputMessage
    anything: Any = None


def match_text(value: Any) -> str:
    match value:
        case ResponseOutputMessage(content=[ResponseOutputText(text=text), *_]):
            return text
    return "no match"


USES: list[Callable[[Any], Any]] = [
    repr,
    str,
    format,
    list,
    dict,
    dir,
    vars,
    name_kind,
    match_text,
    copy.copy,
    copy.deepcopy,
    lambda value: pickle.loads(pickle.dumps(value)),
    lambda value: value.model_dump(mode="json"),
    lambda value: value.model_dump(exclude_unset=True),
    lambda value: value.model_dump_json(),
    lambda value: value.to_dict(),
    lambda value: value.to_json(),
    lambda value: value.model_copy(update={"id": "other"}),
    lambda value: value.model_copy(deep=True),
    lambda value: value.model_fields_set,
    lambda value: value.model_extra,
    lambda value: value.phase,  # A field that the JSON lacks.
    lambda value: hasattr(value, "invented"),
    lambda value: getattr(value.content[2], "new", None),
    lambda value: Holder(item=value).model_dump(),
    lambda value: Holder(item=value, anything=[value]).model_dump_json(),
    lambda value: Holder.model_validate({"item": value, "anything": value}).item.content,
    lambda value: pydantic.TypeAdapter(list[ResponseOutputItem]).dump_json([value]),
    lambda value: pydantic.TypeAdapter(ResponseOutputItem).validate_python(value, from_attributes=True),
    lambda value: pydantic.RootModel[Any](value).model_dump(),
    lambda value: json.dumps(value, default=pydantic_core.to_jsonable_python),
    pydantic_core.to_json,
    lambda value: value == real_message(),
    lambda value: real_message() == value,
    lambda value: value == view_of_message(),
    lambda value: (value != real_message(), value == 3, value in [real_message()]),
    lambda value: [type(one) for one in value.content][:0],
    lambda value: isinstance(value, (dict, ResponseFunctionToolCall)),
    lambda value: issubclass(value.__class__, openai.BaseModel),
    lambda value: value.__class__.__name__,
]


@pytest.mark.parametrize("use", USES)
@pytest.mark.parametrize("is_read", [False, True])
def test_whatever_is_done_with_a_view_is_done_with_the_object(use: Callable[[Any], Any], is_read: bool) -> None:
    view = view_of_message()
    if is_read:
        assert [part.type for part in view.content] == ["output_text", "refusal", "invented"]
    assert use(view) == use(real_message())
    assert use(view) == use(real_message())
    assert to_wire(view) == MESSAGE


@pytest.mark.parametrize("use", [hash, len, int, json.dumps, lambda value: value["id"], lambda value: value.invented])
def test_what_an_object_refuses_a_view_refuses_alike(use: Callable[[Any], Any]) -> None:
    errors = []
    for value in (view_of_message(), real_message()):
        with pytest.raises((TypeError, AttributeError)) as caught:
            use(value)
        errors.append((type(caught.value), str(caught.value).replace("TypedView", "").replace("ItemView", "")))
    assert errors[0][0] is errors[1][0]
    assert "invented" not in errors[1][1] or errors[0] == errors[1]


def change_field(raw: Any) -> None:
    raw.status = "incomplete"


def change_nested(raw: Any) -> None:
    raw.content[0].text = "other"


def change_held(raw: Any) -> None:
    parts, part = raw.content, raw.content[0]
    assert isinstance(raw, ResponseOutputMessage)
    parts.pop()
    part.text = "other"


def change_list(raw: Any) -> None:
    raw.content.pop(0)


def append_object(raw: Any) -> None:
    raw.content.append(ResponseOutputText(type="output_text", text="more", annotations=[]))


def replace_part(raw: Any) -> None:
    raw.content[1] = raw.content[0]


def append_to_nested(raw: Any) -> None:
    raw.content[0].annotations.append(raw.content[1])


def add_field(raw: Any) -> None:
    raw.invented = {"a": 1}


def delete_field(raw: Any) -> None:
    del raw.id


def change_after_use(raw: Any) -> None:
    part = raw.content[0]
    raw.model_dump()
    part.text, raw.content[1].refusal = "other", "never"


CHANGES = [
    change_field,
    change_nested,
    change_held,
    change_list,
    append_object,
    replace_part,
    add_field,
    change_after_use,
]


@pytest.mark.parametrize("change", [*CHANGES, append_to_nested])
def test_a_change_of_a_view_is_that_of_the_object_and_is_sent(change: Callable[[Any], None]) -> None:
    item, real = MessageOutputItem(AGENT, copy.deepcopy(MESSAGE)), real_message()  # type: ignore[arg-type]
    change(item.raw_item)
    change(real)
    sent = real.model_dump(mode="json", exclude_unset=True, warnings=False)
    assert item.to_input_item() == sent != MESSAGE
    assert item.raw_item == real
    response = ModelResponse.from_wire({"output": [copy.deepcopy(MESSAGE)]})
    change(response.output[0])
    assert response.to_input_items() == [sent]


def test_a_deleted_field_is_gone_as_from_the_object() -> None:
    view, real = view_of_message(), real_message()
    delete_field(view)
    delete_field(real)
    assert not hasattr(view, "id")
    assert vars(view) == vars(real)


def test_a_response_with_data_of_its_transport_is_seen_as_any_other() -> None:
    wire = {
        "type": "response.completed",
        "response": MeasuredResponse({"id": "r", "output": [MESSAGE], "created_at": 3}),
    }
    data, real = event_view(wire), ResponseCompletedEvent.construct(**wire)
    assert data.response.output[0].content[0].text == "hi"
    assert data.response.created_at == 3.0
    assert data == real
    assert data.response == real.response


def test_views_are_the_same_each_time() -> None:
    view = view_of_message()
    parts, part = view.content, view.content[0]
    assert view.content is parts
    assert isinstance(part, ResponseOutputText)
    assert view.content is parts
    parts[0].text = "other"
    assert part.text == view.content[0].text == "other"
    removed = parts.pop(0)
    removed.text = part.text = "third"
    assert (removed.text, len(view.content)) == ("third", 2)


def test_reading_changes_nothing() -> None:
    wire = copy.deepcopy(MESSAGE)
    item = ToolCallItem(AGENT, wire)
    assert item.raw_item.content[0].type == "output_text"
    assert item.wire is wire
    item.raw_item.model_dump()
    assert item.wire is wire == MESSAGE


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("is_read", [False, True])
def test_pydantic_warns_of_no_view(is_read: bool) -> None:
    message = {**MESSAGE, "content": [{**PART, "logprobs": []}]}
    view, real = item_view(message), ResponseOutputMessage.construct(**copy.deepcopy(message))
    if is_read:
        assert view.content[0].text == "hi"
    for kind in (ResponseOutputItem, ResponseOutputMessage, openai.BaseModel, Any):
        adapter: pydantic.TypeAdapter[Any] = pydantic.TypeAdapter(list[kind])  # type: ignore[valid-type]
        assert adapter.dump_json(adapter.validate_python([view])) == adapter.dump_json([real])
    assert Holder(item=view, anything=view).model_dump() == Holder(item=real, anything=real).model_dump()


def test_a_class_is_told_without_building_the_object() -> None:
    data: Any = RawResponsesStreamEvent(DELTA).data
    assert isinstance(data, ResponseTextDeltaEvent)
    assert not isinstance(data, ResponseCompletedEvent)
    assert data.__class__ is ResponseTextDeltaEvent
    assert TypedView._object.__get__(data) is None  # type: ignore[attr-defined]


def test_threads_build_one_object() -> None:
    for _ in range(20):
        view = view_of_message()
        with ThreadPoolExecutor(8) as pool:
            objects = set(pool.map(lambda _, view=view: id(view.content[0].__dict__), range(16)))
        assert len(objects) == 1


@pytest.mark.parametrize("kind", ["response.invented", "model_dump", ["x"], None])
def test_an_event_of_no_known_type_keeps_its_nested_values_as_they_came(kind: Any) -> None:
    wire = {"type": kind, "response": {"output": [{"type": "message"}]}, "content": [{"a": 1}], "n": 1}
    data = event_view(wire)
    assert (data.type, data.response, data.content, data.n) == (kind, wire["response"], [{"a": 1}], 1)


@pytest.mark.parametrize("broken", ["text", {"type": "message"}, 3, None, [None], [3], ["x"], [[{"a": 1}]]])
@pytest.mark.parametrize("name", ["content", "type", "id"])
def test_json_of_another_form_is_seen_as_the_client_builds_it(name: str, broken: Any) -> None:
    wire = {**MESSAGE, name: broken}
    seen, real = (event_view if name == "type" else item_view)(wire), openai.BaseModel.construct(**wire)
    if name == "type":
        assert seen.type == broken
    else:
        real = ResponseOutputMessage.construct(**wire)
        assert getattr(seen, name) == getattr(real, name)
        assert seen == real


@pytest.fixture(scope="module")
def lazy_output() -> Any:
    """What a process sees that never imports `openai` itself."""
    script = f"""
import json, sys
from agentctl import Agent, MessageOutputItem, ModelResponse, RawResponsesStreamEvent
from agentctl.agent.usage import MeasuredResponse
item = MessageOutputItem(Agent(name="a"), {MESSAGE})
event = RawResponsesStreamEvent({DELTA})
done = RawResponsesStreamEvent({{"type": "response.completed", "response": MeasuredResponse({{
    "id": "r", "output": [{MESSAGE}], "usage": {{"input_tokens": 3, "input_tokens_details": {{"cached_tokens": 1}}}}
}})}})
response = ModelResponse.from_wire({{"output": [{MESSAGE}, {CALL}]}})
seen = [
    event.data.type, event.data.delta, event.data.logprobs, event.data.obfuscation,
    item.raw_item.content[0].text, [part.type for part in item.raw_item.content],
    response.output[1].name, response.output[0].content[1].refusal,
    done.data.response.output[0].content[0].text, done.data.response.usage.input_tokens_details.cached_tokens,
]
item.raw_item.content.pop()
assert response.to_input_items() == [{MESSAGE}, {CALL}]
imported = [name for name in ("openai", "pydantic") if name in sys.modules]
dumped = event.data.model_dump()
print(json.dumps({{"seen": seen, "imported": imported, "dumped": dumped, "sent": len(item.wire["content"])}}))
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


def test_attributes_are_read_without_the_client(lazy_output: dict[str, Any]) -> None:
    assert lazy_output["imported"] == []
    assert lazy_output["seen"] == [
        *(DELTA[name] for name in ("type", "delta", "logprobs", "obfuscation")),
        *("hi", ["output_text", "refusal", "invented"], "f", "no", "hi", 1),
    ]


def test_the_client_is_imported_for_what_only_it_knows(lazy_output: dict[str, Any]) -> None:
    assert lazy_output["dumped"] == ResponseTextDeltaEvent.construct(**DELTA).model_dump()
    assert lazy_output["sent"] == 2
