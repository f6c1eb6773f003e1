"""A function's signature and docstring as the JSON schema of a tool's arguments."""

from __future__ import annotations

import inspect
import re
import typing
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, Literal

from agentctl.errors import UserError

from .context import RunContextWrapper
from .strict_schema import ensure_strict_json_schema

if TYPE_CHECKING:
    from pydantic import BaseModel

_SECTIONS = re.compile(r"^\s*(args|arguments|parameters|params)\s*:?\s*$|^\s*:param\s|^\s*-{3,}\s*$", re.I | re.M)
"""What a docstring with parameters in it has, in Google, NumPy or Sphinx style."""


@dataclass
class FuncSchema:
    """What the model is told of a function, and the way from its JSON arguments to a call."""

    name: str
    description: str | None
    params_pydantic_model: type[BaseModel]
    params_json_schema: dict[str, Any]
    signature: inspect.Signature
    """Without the context parameter."""
    takes_context: bool = False
    strict_json_schema: bool = True

    def to_call_args(self, data: BaseModel) -> tuple[list[Any], dict[str, Any]]:
        """Return validated arguments as what the function is called with, the context left out."""
        positional: list[Any] = []
        named: dict[str, Any] = {}
        for name, parameter in self.signature.parameters.items():
            value = getattr(data, _field_name(name))
            match parameter.kind:
                case inspect.Parameter.VAR_POSITIONAL:
                    positional.extend(value)
                case inspect.Parameter.VAR_KEYWORD:
                    named.update(value)
                case inspect.Parameter.KEYWORD_ONLY:
                    named[name] = value
                case _:
                    positional.append(value)
        return positional, named


def function_schema(
    func: Callable[..., Any],
    *,
    name_override: str | None = None,
    description_override: str | None = None,
    use_docstring_info: bool = True,
    strict_json_schema: bool = True,
) -> FuncSchema:
    """Read the schema off a function: types from its annotations, meanings from its docstring.

    Raises:
        UserError: an annotation does not resolve, a type has no JSON schema, or none that strict mode can express.
    """
    name = name_override or func.__name__
    documentation = (inspect.getdoc(func) or "") if use_docstring_info else ""
    description, meanings = _read_docstring(documentation)
    signature, hints, takes_context = _signature(func)
    # 45 ms: imported where a function becomes a tool.
    from pydantic import ConfigDict, create_model

    try:
        fields: dict[str, Any] = {
            _field_name(parameter.name): _field(parameter, hints.get(parameter.name, Any), meanings.get(parameter.name))
            for parameter in signature.parameters.values()
        }
        model: type[BaseModel] = create_model(f"{name}_args", __config__=ConfigDict(protected_namespaces=()), **fields)
        schema = model.model_json_schema()
    except Exception as error:
        raise UserError(f"tool {name!r}: its parameters have no JSON schema: {error}") from error
    schema.pop("title", None)
    return FuncSchema(
        name=name,
        description=description_override or description,
        params_pydantic_model=model,
        params_json_schema=_strict(schema, name) if strict_json_schema else schema,
        signature=signature,
        takes_context=takes_context,
        strict_json_schema=strict_json_schema,
    )


def _strict(schema: dict[str, Any], name: str) -> dict[str, Any]:
    try:
        return ensure_strict_json_schema(schema)
    except UserError as error:
        raise UserError(f"tool {name!r}: {error.message} (`strict_mode=False`)") from error


def _signature(func: Callable[..., Any]) -> tuple[inspect.Signature, dict[str, Any], bool]:
    """Return the signature without its context parameter, the resolved annotations, and whether it had a context."""
    signature = inspect.signature(func)
    try:
        hints = typing.get_type_hints(func, include_extras=True)
    except Exception as error:
        raise UserError(f"tool {func.__name__!r}: an annotation does not resolve: {error}") from error
    parameters = list(signature.parameters.values())
    takes_context = bool(parameters) and _is_context(hints.get(parameters[0].name))
    for parameter in parameters[1:]:
        if _is_context(hints.get(parameter.name)):
            raise UserError(f"tool {func.__name__!r}: the context parameter {parameter.name!r} must be the first")
    return signature.replace(parameters=parameters[1:] if takes_context else parameters), hints, takes_context


def _is_context(annotation: Any) -> bool:
    kind = typing.get_origin(annotation) or annotation
    return isinstance(kind, type) and issubclass(kind, RunContextWrapper)


def _field(parameter: inspect.Parameter, annotation: Any, meaning: str | None) -> tuple[Any, Any]:
    """Return a parameter as a pydantic field: its type, and its default with what it means."""
    from pydantic import Field
    from pydantic.fields import FieldInfo

    default: Any = ... if parameter.default is inspect.Parameter.empty else parameter.default
    if parameter.kind is inspect.Parameter.VAR_POSITIONAL:
        annotation, default = list[annotation], []
    elif parameter.kind is inspect.Parameter.VAR_KEYWORD:
        annotation, default = dict[str, annotation], {}
    alias = None if _field_name(parameter.name) == parameter.name else parameter.name
    if isinstance(default, FieldInfo):
        return annotation, default
    parts = typing.get_args(annotation)[1:] if typing.get_origin(annotation) is typing.Annotated else ()
    if any(isinstance(part, FieldInfo) and part.description for part in parts):
        return annotation, Field(default, alias=alias)
    meaning = meaning or next((part for part in parts if isinstance(part, str)), None)
    return annotation, Field(default, alias=alias, description=meaning)


def _field_name(name: str) -> str:
    """Return the name of a parameter's field in the model, which some names of parameters cannot be."""
    return f"arg_{name.lstrip('_')}" if name.startswith("_") or name in _taken_names() else name


@cache
def _taken_names() -> frozenset[str]:
    from pydantic import BaseModel

    return frozenset(dir(BaseModel))


def _read_docstring(documentation: str) -> tuple[str | None, dict[str, str]]:
    """Return what a docstring says of the function, and of each parameter."""
    if not _SECTIONS.search(documentation):
        return documentation.strip() or None, {}
    # 75 ms: imported where a docstring has parameters in it.
    import griffe

    docstring = griffe.Docstring(documentation)
    styles: tuple[Literal["google", "numpy", "sphinx"], ...] = ("google", "numpy", "sphinx")
    for style in styles:
        sections = docstring.parse(style, warnings=False)
        meanings = {
            parameter.name.lstrip("*"): parameter.description
            for section in sections
            if section.kind is griffe.DocstringSectionKind.parameters
            for parameter in section.value
        }
        if meanings:
            texts = [part.value for part in sections if part.kind is griffe.DocstringSectionKind.text]
            return "\n\n".join(texts).strip() or None, meanings
    return documentation.strip() or None, {}
