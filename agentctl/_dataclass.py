"""`dataclass` that takes half the time: all methods but `__init__` are shared instead of compiled for each class.

A run imports more than a hundred dataclasses. With the standard decorator each costs 0.4 ms, most of it to compile
`__repr__`, `__eq__` and `__hash__`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dataclasses import dataclass as dataclass
else:
    import dataclasses
    from reprlib import recursive_repr

    def dataclass(cls=None, /, *, repr=True, eq=True, frozen=False, **options):
        """Return the class as a dataclass, or a decorator."""

        def make(cls):
            own = cls.__dict__
            needs_repr, needs_eq = repr and "__repr__" not in own, eq and "__eq__" not in own
            if needs_repr:
                cls.__repr__ = _repr
            if needs_eq:
                cls.__eq__ = _eq
                if "__hash__" not in own:
                    cls.__hash__ = _hash if frozen else None
            # Methods that the class defines itself are left to the original.
            return dataclasses.dataclass(
                cls, repr=repr and not needs_repr, eq=eq and not needs_eq, frozen=frozen, **options
            )

        return make if cls is None else make(cls)

    @recursive_repr()
    def _repr(self):
        shown = ", ".join(
            f"{field.name}={getattr(self, field.name)!r}" for field in dataclasses.fields(self) if field.repr
        )
        return f"{type(self).__qualname__}({shown})"

    def _eq(self, other):
        return _values(self) == _values(other) if type(other) is type(self) else NotImplemented

    def _hash(self):
        return hash(_values(self))

    def _values(value):
        return tuple(getattr(value, field.name) for field in dataclasses.fields(value) if field.compare)
