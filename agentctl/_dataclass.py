"""`dataclass` as ever, made in half the time: all methods but `__init__` are shared, not compiled for each class.

A run imports more than a hundred dataclasses, each of which costs 0.4 ms with the standard decorator: most of it goes
to the compiling of `__repr__`, `__eq__` and `__hash__`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dataclasses import dataclass as dataclass
else:
    import dataclasses
    from reprlib import recursive_repr

    def dataclass(cls=None, /, *, repr=True, eq=True, frozen=False, **options):
        """Return the class as a dataclass, or what makes it one."""

        def make(cls):
            own = cls.__dict__
            is_shown, is_compared = repr and "__repr__" not in own, eq and "__eq__" not in own
            if is_shown:
                cls.__repr__ = _repr
            if is_compared:
                cls.__eq__ = _eq
                if "__hash__" not in own:
                    cls.__hash__ = _hash if frozen else None
            # What a class has of its own, the original treats as ever.
            return dataclasses.dataclass(
                cls, repr=repr and not is_shown, eq=eq and not is_compared, frozen=frozen, **options
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
