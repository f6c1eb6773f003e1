"""`dataclass` that takes a third of the time: methods are shared, and `__init__` is compiled when it is first needed.

A run imports more than a hundred dataclasses, and makes instances of half of them. With the standard decorator each
costs 0.4 ms, most of it to compile `__init__`, `__repr__`, `__eq__` and `__hash__`, and to freeze it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dataclasses import dataclass as dataclass
else:
    import dataclasses
    from functools import cache
    from reprlib import recursive_repr

    _MADE = type("_Made", (), {"__repr__": lambda self: "<factory>"})()
    """The default of a parameter in whose place a value is made."""

    def dataclass(cls=None, /, *, init=True, repr=True, eq=True, frozen=False, **options):
        """Return the class as a dataclass, or a decorator."""

        def make(cls):
            own = cls.__dict__
            needs_init = init and "__init__" not in own
            needs_repr, needs_eq = repr and "__repr__" not in own, eq and "__eq__" not in own
            if needs_repr:
                cls.__repr__ = _repr
            if needs_eq:
                cls.__eq__ = _eq
                if "__hash__" not in own:
                    cls.__hash__ = _hash if frozen else None
            if not cls.__doc__:
                cls.__doc__ = cls.__name__  # The original would inspect the signature for it, 1 ms.
            # Methods that the class defines itself are left to the original.
            cls = dataclasses.dataclass(
                cls, init=False, repr=repr and not needs_repr, eq=eq and not needs_eq, **options
            )
            if frozen:
                _freeze(cls)
            if needs_init:
                cls.__init__ = _Init(cls, frozen=frozen)
            cls.__dataclass_params__.init, cls.__dataclass_params__.frozen = init, frozen
            return cls

        return make if cls is None else make(cls)

    class _Init:
        """An `__init__` that is compiled at its first use, and takes the place of this one."""

        def __init__(self, cls, *, frozen):
            self._cls = cls
            self._frozen = frozen

        def __get__(self, instance, owner=None):
            init = self._cls.__init__ = _compile_init(self._cls, frozen=self._frozen)
            return init.__get__(instance, owner)

    def _compile_init(cls, *, frozen):
        scope = {"_set": object.__setattr__, "_MADE": _MADE}
        positional, named, body = [], [], []
        for field in dataclasses.fields(cls):
            name, default = field.name, ""
            value = name
            if field.default_factory is not dataclasses.MISSING:
                scope[f"_make_{name}"] = field.default_factory
                default, value = "=_MADE", f"_make_{name}() if {name} is _MADE else {name}"
            elif field.default is not dataclasses.MISSING:
                scope[f"_default_{name}"] = field.default
                default = f"=_default_{name}"
            if field.init:
                (named if field.kw_only else positional).append(f"{name}{default}")
            elif default:
                value = f"{default[1:]}" if default != "=_MADE" else f"_make_{name}()"
            else:
                continue
            body.append(f"_set(self,{name!r},{value})" if frozen else f"self.{name}={value}")
        if hasattr(cls, "__post_init__"):
            body.append("self.__post_init__()")
        parameters = ",".join(["self", *positional, *(["*", *named] if named else [])])
        exec(f"def __init__({parameters}):\n " + "\n ".join(body or ["pass"]), scope)  # noqa: S102  # of the names of fields
        init = scope["__init__"]
        init.__module__, init.__qualname__ = cls.__module__, f"{cls.__qualname__}.__init__"
        init.__annotations__ = {field.name: field.type for field in dataclasses.fields(cls) if field.init}
        init.__annotations__["return"] = None
        return init

    def _freeze(cls):
        cls.__setattr__, cls.__delattr__ = _refuse_to_set, _refuse_to_delete
        if "__slots__" in cls.__dict__:
            # The standard state would be set with `setattr`.
            if "__getstate__" not in cls.__dict__:
                cls.__getstate__ = _state
            if "__setstate__" not in cls.__dict__:
                cls.__setstate__ = _set_state

    def _refuse_to_set(self, name, value):
        if _is_frozen(self, name):
            raise dataclasses.FrozenInstanceError(f"cannot assign to field {name!r}")
        object.__setattr__(self, name, value)

    def _refuse_to_delete(self, name):
        if _is_frozen(self, name):
            raise dataclasses.FrozenInstanceError(f"cannot delete field {name!r}")
        object.__delattr__(self, name)

    def _is_frozen(value, name):
        """Return whether an attribute is; a subclass that is not a dataclass may have others."""
        return "__dataclass_fields__" in vars(type(value)) or name in value.__dataclass_fields__

    def _state(self):
        return [getattr(self, field.name) for field in dataclasses.fields(self)]

    def _set_state(self, state):
        for field, value in zip(dataclasses.fields(self), state, strict=True):
            object.__setattr__(self, field.name, value)

    @recursive_repr()
    def _repr(self):
        shown = ", ".join(
            f"{field.name}={getattr(self, field.name)!r}" for field in dataclasses.fields(self) if field.repr
        )
        return f"{type(self).__qualname__}({shown})"

    def _eq(self, other):
        return _values(self) == _values(other) if type(other) is type(self) else NotImplemented

    def _hash(self):
        return hash(tuple(_values(self)))

    def _values(value):
        return [getattr(value, name) for name in _names_to_compare(type(value))]

    @cache
    def _names_to_compare(cls):
        return [field.name for field in dataclasses.fields(cls) if field.compare]
