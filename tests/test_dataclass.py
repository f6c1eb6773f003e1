"""Our `dataclass` makes what the standard one makes."""

import copy
import dataclasses
import inspect
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


@dataclass(kw_only=True)
class Base:
    """A class to inherit from."""

    number: int = 1
    made: list[int] = field(default_factory=list)
    counted: int = field(default=3, init=False)
    kept: dict[str, int] = field(default_factory=dict, init=False)
    later: str = field(init=False)

    def __post_init__(self) -> None:
        self.later = f"{self.number}"


@dataclass(frozen=True, slots=True)
class Pair:
    """A frozen value."""

    first: int
    second: str = "two"
    third: list[int] = field(default_factory=lambda: [3], kw_only=True)


def test_arguments_and_signatures_are_those_of_the_standard_decorator() -> None:
    for kind, options in ((Base, {"kw_only": True}), (Pair, {"frozen": True, "slots": True})):
        fields = [(one.name, one.type, copy.copy(one)) for one in dataclasses.fields(kind)]
        standard = dataclasses.make_dataclass(kind.__name__, fields, **options)
        assert str(inspect.signature(kind)) == str(inspect.signature(standard))
        assert kind.__init__.__annotations__ == standard.__init__.__annotations__
        assert kind.__match_args__ == standard.__match_args__  # type: ignore[attr-defined]
        assert kind.__init__.__qualname__ == f"{kind.__name__}.__init__"
    first, second = Base(), Base(number=2)
    assert (first.number, first.counted, first.kept, second.later) == (1, 3, {}, "2")
    assert first.made is not second.made
    assert Base(made=second.made).made is second.made
    with pytest.raises(TypeError, match="positional"):
        Base(1)  # type: ignore[misc]
    with pytest.raises(TypeError, match="unexpected"):
        Pair(1, fourth=2)  # type: ignore[call-arg]
    with pytest.raises(TypeError, match="missing"):
        Pair()  # type: ignore[call-arg]


def test_a_frozen_value_stays_as_it_is() -> None:
    pair = Pair(1)
    assert (copy.deepcopy(pair), pickle.loads(pickle.dumps(pair)), Pair(1, third=[3])) == (pair, pair, pair)
    for change in (
        lambda: setattr(pair, "first", 2),
        lambda: setattr(pair, "other", 2),
        lambda: delattr(pair, "first"),
    ):
        with pytest.raises(FrozenInstanceError):
            change()
    assert pair == Pair(1)


def test_classes_are_inherited_from() -> None:
    @dataclass
    class Derived(Base):
        """A class with a field of its own."""

        name: str

    @dataclasses.dataclass(frozen=True)
    class Standard(Pair):
        """A class as a user writes it."""

        fourth: int = 4

    class Plain(Pair):
        """A class that is no dataclass of its own."""

        def __init__(self, first: int) -> None:
            super().__init__(first, second="plain")
            self.more = 5

    derived, plain = Derived("a", number=4), Plain(1)
    assert (derived.name, derived.later) == ("a", "4")
    assert (Standard(1).fourth, plain.second, plain.more) == (4, "plain", 5)
    with pytest.raises(FrozenInstanceError):
        plain.first = 2  # type: ignore[misc]
    with pytest.raises(FrozenInstanceError):
        Standard(1).first = 2  # type: ignore[misc]
