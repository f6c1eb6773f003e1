"""Views of wire JSON that stand for `openai` objects, without the 450 ms that importing `openai` takes.

A view answers attributes from the JSON. Everything else is answered by the `openai` object, which is built the first
time that it is needed; from then on, the two share their attributes.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from copy import copy
from typing import TYPE_CHECKING, Any

from agentctl._dataclass import dataclass

if TYPE_CHECKING:
    from openai import BaseModel

_RESPONSE: dict[str, type] = {"response": dict}
_ITEM: dict[str, type] = {"item": dict}
_PART: dict[str, type] = {"part": dict}
_LOGPROBS: dict[str, type] = {"logprobs": list}
_NESTED: dict[str, dict[str, type]] = {
    "response.created": _RESPONSE,
    "response.queued": _RESPONSE,
    "response.in_progress": _RESPONSE,
    "response.completed": _RESPONSE,
    "response.incomplete": _RESPONSE,
    "response.failed": _RESPONSE,
    "response.output_item.added": _ITEM,
    "response.output_item.done": _ITEM,
    "response.content_part.added": _PART,
    "response.content_part.done": _PART,
    "response.reasoning_summary_part.added": _PART,
    "response.reasoning_summary_part.done": _PART,
    "response.output_text.delta": _LOGPROBS,
    "response.output_text.done": _LOGPROBS,
    "response": {"output": list, "usage": dict, "incomplete_details": dict},
    "usage": {"input_tokens_details": dict, "output_tokens_details": dict},
    "message": {"content": list},
    "output_text": {"annotations": list, "logprobs": list},
    "reasoning": {"summary": list, "content": list},
    "web_search_call": {"action": dict},
    "file_search_call": {"queries": list, "results": list},
    "computer_call": {"action": dict, "pending_safety_checks": list},
    "code_interpreter_call": {"outputs": list},
    "shell_call": {"action": dict},
    "local_shell_call": {"action": dict},
    "action": {"command": list, "commands": list},
    "apply_patch_call": {"operation": dict},
}
"""The fields with objects, or lists, that views answer; by the `type` of an object, or by the field that holds it.

Other nested values are left to the `openai` object, in which a JSON object may also be a dict.
"""
_NONE: dict[str, type] = {}

_FLAT = frozenset(
    {
        "response.output_text.delta",
        "response.refusal.delta",
        "response.reasoning_text.delta",
        "response.reasoning_summary_text.delta",
        "response.function_call_arguments.delta",
        "response.custom_tool_call_input.delta",
        "response.code_interpreter_call_code.delta",
        "response.mcp_call_arguments.delta",
    }
)
"""The frequent events, which consist of strings and whole numbers only, apart from `logprobs`."""
_PLAIN = frozenset({str, int, float, bool, type(None)})
_FLOATS = frozenset({"created_at", "completed_at", "temperature", "top_p", "score", "logprob"})
"""The fields in which `openai` turns whole numbers into fractions."""
_BUILDING = threading.Lock()


class _Storage:
    """The slots of a view, whose descriptors set them past its own `__setattr__` and `__dict__`."""

    __slots__ = ("__dict__", "__weakref__", "_nested", "_object", "_tree", "_wire")

    _wire: dict[str, Any]
    _nested: dict[str, type]
    """The fields that the view may answer with other views."""
    _tree: _Tree | None
    """None for the root of a tree until one of its nested views, or its object, is needed."""
    _object: BaseModel | None


_new = object.__new__
_set_wire: Any = vars(_Storage)["_wire"].__set__
_set_nested: Any = vars(_Storage)["_nested"].__set__
_set_tree: Any = vars(_Storage)["_tree"].__set__
_set_object: Any = vars(_Storage)["_object"].__set__
_attributes: Any = vars(_Storage)["__dict__"].__get__
_set_attributes: Any = vars(_Storage)["__dict__"].__set__


@dataclass(eq=False, slots=True)
class _Tree:
    """A view of a whole item or event, and the views of what is in it that were handed out."""

    root: RootView
    nodes: list[TypedView]


class TypedView(_Storage):
    """A JSON object that stands for an `openai` object; `isinstance`, equality, copies and pickles are those of it."""

    __slots__ = ()

    def __getattr__(self, name: str) -> Any:
        """Return a value of the JSON in form of views, or else what the `openai` object has under the name."""
        if self._object is None:
            if name in self._nested and _has_form(value := self._wire.get(name), self._nested[name]):
                return _hand_out(self, name, value)
            if name == "__pydantic_decorators__":  # `isinstance` with a class of pydantic asks for it.
                return self.__class__.__pydantic_decorators__
        return getattr(build_object(self), name)

    def __setattr__(self, name: str, value: Any) -> None:
        setattr(build_object(self), name, value)

    def __delattr__(self, name: str) -> None:
        delattr(build_object(self), name)

    @property  # type: ignore[misc]  # which cannot be set
    def __class__(self) -> Any:
        """The class of the `openai` object."""
        return type(build_object(self))

    @property
    def __dict__(self) -> dict[str, Any]:  # type: ignore[override]
        """The attributes of the `openai` object."""
        return vars(build_object(self))

    def __eq__(self, other: object) -> bool:
        return build_object(self) == other

    __hash__ = None  # type: ignore[assignment]  # as pydantic's

    def __repr__(self) -> str:
        return repr(build_object(self))

    def __str__(self) -> str:
        return str(build_object(self))

    def __iter__(self) -> Iterator[Any]:
        return iter(build_object(self))

    def __dir__(self) -> list[str]:
        return dir(build_object(self))

    def __copy__(self) -> Any:
        return copy(build_object(self))

    def __reduce_ex__(self, protocol: Any) -> Any:
        return build_object(self).__reduce_ex__(protocol)


class RootView(TypedView):
    """The view of a whole item or event, whose `type` names the class of its object."""

    __slots__ = ()

    @staticmethod
    def find_class(wire: dict[str, Any]) -> type[BaseModel]:
        """Return the class of the `openai` object."""
        raise NotImplementedError

    @property  # type: ignore[misc]  # which cannot be set
    def __class__(self) -> Any:
        """The class of the `openai` object, which is not built for it."""
        return self.find_class(self._wire) if self._object is None else type(self._object)


def make_view(kind: type[RootView], wire: dict[str, Any]) -> Any:
    """Return the view of an item or event."""
    view = _new(kind)
    name = wire.get("type")
    if type(name) is not str:
        name = ""
    _set_wire(view, wire)
    _set_nested(view, _NESTED.get(name, _NONE))
    _set_tree(view, None)
    _set_object(view, None)
    if name in _FLAT and not wire.get("logprobs"):
        _set_attributes(view, wire)
    else:
        _set_attributes(view, _plain_values(wire))
    return view


def build_object(view: TypedView) -> BaseModel:
    """Return the `openai` object that a view stands for, with all changes made to it."""
    if view._object is None:
        tree = view._tree or _grow_tree(view)
        cls = tree.root.__class__  # May import `openai`, which must not happen under the lock.
        with _BUILDING:
            if view._object is None:
                _build(tree, cls)
    built = view._object
    assert built is not None
    return built


def unchanged_wire(view: TypedView) -> dict[str, Any] | None:
    """Return the JSON of a whole item or event, None if it may have been changed through its views."""
    if view._object is not None:
        return None
    if view._tree is not None:
        for node in view._tree.nodes:
            for name, value in _attributes(node).items():
                if type(value) is list and not _is_same(value, node._wire[name]):
                    return None
    return view._wire


def _is_same(given: list[Any], wire: list[Any]) -> bool:
    return len(given) == len(wire) and all(
        one is other or (isinstance(one, TypedView) and one._wire is other)
        for one, other in zip(given, wire, strict=True)
    )


def _plain_values(wire: dict[str, Any]) -> dict[str, Any]:
    return {
        name: value
        for name, value in wire.items()
        if type(value) in _PLAIN and (type(value) is not int or name not in _FLOATS)
    }


def _grow_tree(view: TypedView) -> _Tree:
    assert isinstance(view, RootView)
    tree = _Tree(view, [view])
    _set_tree(view, tree)
    return tree


def _has_form(value: Any, kind: Any) -> bool:
    return isinstance(value, kind) and not any(type(one) is list for one in value)


def _hand_out(view: TypedView, name: str, value: Any) -> Any:
    """Return a nested value as views, the same ones each time."""
    tree = view._tree or _grow_tree(view)
    given = [_nested_view(one, name, tree) for one in value] if type(value) is list else _nested_view(value, name, tree)
    _attributes(view)[name] = given
    return given


def _nested_view(value: Any, name: str, tree: _Tree) -> Any:
    if not isinstance(value, dict):
        return value
    view = _new(TypedView)
    kind = value.get("type")
    _set_wire(view, value)
    _set_nested(view, _NESTED.get(kind if type(kind) is str and kind in _NESTED else name, _NONE))
    _set_tree(view, tree)
    _set_object(view, None)
    _set_attributes(view, _plain_values(value))
    tree.nodes.append(view)
    return view


def _build(tree: _Tree, cls: Any) -> None:
    """Build the object of a tree, and have its views share the attributes of the objects in it."""
    wire = tree.root._wire
    objects = {id(wire): cls.construct(**wire)}
    for node in tree.nodes:  # Each comes after the one that it is in.
        built = objects[id(node._wire)]
        for name in node._nested.keys() & _attributes(node).keys():
            given, wires, inner = _attributes(node)[name], node._wire[name], getattr(built, name)
            if type(given) is not list:
                objects[id(wires)] = inner
                continue
            objects |= {id(one): other for one, other in zip(wires, inner, strict=True)}
            # The list that was handed out takes the place of the new one, since its user may have changed it.
            given[:] = [objects[id(one._wire)] if isinstance(one, TypedView) else one for one in given]
            vars(built)[name] = given
        _set_object(node, built)
    for node in tree.nodes:
        _set_attributes(node, vars(node._object))
