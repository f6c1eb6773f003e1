"""Our `dataclass` makes what the standard one makes."""

import dataclasses
import pickle
from dataclasses import FrozenInstanceError, field
from typing import Any

import pytest

from agentctl._dataclass import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """A value."""

    x: int
    secret: str = field(default="s", repr=False, compare=False)


@dataclass
class Node:
    """Something that may hold itself."""

    name: str
    children: list[Any] = field(default_factory=list)


@dataclass(eq=False)
class Thing:
    """Something that is equal to itself alone."""

    name: str


@dataclass
class Odd:
    """A class with its own idea of being equal, and of how it looks."""

    name: str

    def __eq__(self, other: object) -> bool:
        return True

    def __repr__(self) -> str:
        return "odd"


def test_values_are_equal_by_their_fields() -> None:
    assert Point(x=1) == Point(x=1, secret="t")
    assert Point(x=1) != Point(x=2)
    different: Any = Node("1")
    assert Point(x=1) != different
    assert hash(Point(x=1)) == hash(Point(x=1, secret="t"))
    assert {Point(x=1): 1}[Point(x=1)] == 1
    assert Node("a") == Node("a")
    assert Thing("a") != Thing("a")
    assert hash(Thing("a"))
    assert Odd("a") == Odd("b")


def test_what_may_change_has_no_hash() -> None:
    for changing in (Node("a"), Odd("a")):
        with pytest.raises(TypeError, match="unhashable"):
            hash(changing)


def test_they_look_as_ever() -> None:
    assert repr(Point(x=1)) == "Point(x=1)"
    node = Node("a")
    node.children.append(node)
    assert repr(node) == "Node(name='a', children=[...])"
    assert repr(Thing("a")) == "Thing(name='a')"
    assert repr(Odd("a")) == "odd"


def test_they_are_dataclasses() -> None:
    point = Point(x=1)
    assert dataclasses.replace(point, x=2).x == 2
    assert dataclasses.asdict(point) == {"x": 1, "secret": "s"}
    assert pickle.loads(pickle.dumps(point)) == point
    assert not hasattr(point, "__dict__")
    with pytest.raises(FrozenInstanceError):
        point.x = 3  # type: ignore[misc]
    match Node("a"):
        case Node(name, children):
            assert (name, children) == ("a", [])
