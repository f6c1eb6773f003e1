"""A function's signature and docstring as the JSON schema of a tool's arguments."""

from __future__ import annotations

import functools
import inspect
import re
import sys
import types
import typing
from collections.abc import Callable, Iterator
from dataclasses import field
from functools import cache
from types import CodeType
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from agentctl._dataclass import dataclass
from agentctl.agent.context import RunContextWrapper
from agentctl.agent.strict_schema import ensure_strict_json_schema
from agentctl.errors import ModelBehaviorError, UserError

if TYPE_CHECKING:
    from griffe import DocstringSection
    from pydantic import BaseModel, ValidationError


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
    return_annotation: Any = inspect.Signature.empty

    def to_call_args(self, data: BaseModel) -> tuple[list[Any], dict[str, Any]]:
        """Return validated arguments as what the function is called with, the context left out.

        Raises:
            ModelBehaviorError: a free keyword (`**kwargs`) has the name of a parameter.
        """
        positional: list[Any] = []
        named: dict[str, Any] = {}
        fields = _field_names(self.signature)
        for name, parameter in self.signature.parameters.items():
            value = getattr(data, fields[name])
            match parameter.kind:
                case inspect.Parameter.VAR_POSITIONAL:
                    positional.extend(value)
                case inspect.Parameter.VAR_KEYWORD:
                    if twice := value.keys() & self.signature.parameters.keys():
                        raise ModelBehaviorError(f"tool {self.name!r} was given {min(twice)!r} twice, once in {name!r}")
                    named.update(value)
                case inspect.Parameter.KEYWORD_ONLY:
                    named[name] = value
                case _:
                    positional.append(value)
        return positional, named


def function_schema(
    func: Callable[..., Any],
    docstring_style: DocstringStyle | None = None,
    name_override: str | None = None,
    description_override: str | None = None,
    use_docstring_info: bool = True,
    strict_json_schema: bool = True,
) -> FuncSchema:
    """Read the schema off a function: types from its annotations, meanings from its docstring.

    What a parameter means is taken from the docstring, else from a text in its `Annotated`, else from its `Field`.

    Args:
        func: A function, a bound method, a partial or a callable object.
        docstring_style: How the docstring is written; None finds it out.
        name_override: The name, in place of the function's.
        description_override: What the model is told of it, in place of the docstring.
        use_docstring_info: Whether the docstring is read at all.
        strict_json_schema: Whether the schema must be one that the service can hold a model to.

    Raises:
        UserError: an annotation does not resolve, a type has no JSON schema, or none that strict mode can express.
    """
    callee = read_callable(func)
    name = name_override or callee.name
    if name == "<lambda>":
        raise UserError("a lambda has no name that the model could call: give the tool a name_override")
    documentation = read_docstring(callee.docstring, docstring_style) if use_docstring_info else Documentation()
    signature, takes_context = _without_context(callee)
    parameters = list(signature.parameters.values())
    if strict_json_schema:
        _refuse_free_keywords(name, parameters)
    fields = _field_names(signature)
    model, schema = _model(
        name,
        {
            fields[parameter.name]: _field(parameter, fields[parameter.name], callee, documentation)
            for parameter in parameters
        },
    )
    return FuncSchema(
        name=name,
        description=description_override or documentation.description,
        params_pydantic_model=model,
        params_json_schema=_strict(schema, name) if strict_json_schema else schema,
        signature=signature,
        takes_context=takes_context,
        strict_json_schema=strict_json_schema,
        return_annotation=callee.hints.get("return", inspect.Signature.empty),
    )


def _without_context(callee: Callee) -> tuple[inspect.Signature, bool]:
    """Return the signature without its context parameter, and whether it had one."""
    parameters = list(callee.signature.parameters.values())
    takes_context = bool(parameters) and _is_context(callee.hints.get(parameters[0].name))
    for parameter in parameters[1:]:
        if _is_context(callee.hints.get(parameter.name)):
            raise UserError(f"tool {callee.name!r}: the context parameter {parameter.name!r} must be the first")
    if parameters and parameters[0].name == "self" and "self" not in callee.hints:
        raise UserError(
            f"tool {callee.name!r} is a method without its object: make a tool of the bound one, "
            f"`function_tool(thing.{callee.name})`"
        )
    return callee.signature.replace(parameters=parameters[1:] if takes_context else parameters), takes_context


def _is_context(annotation: Any) -> bool:
    origin = typing.get_origin(annotation)
    if origin in (typing.Union, types.UnionType, typing.Annotated):
        return any(map(_is_context, typing.get_args(annotation)))
    kind = origin or annotation
    return isinstance(kind, type) and issubclass(kind, RunContextWrapper)


def _refuse_free_keywords(name: str, parameters: list[inspect.Parameter]) -> None:
    for parameter in parameters:
        if parameter.kind is inspect.Parameter.VAR_KEYWORD:
            raise UserError(
                f"tool {name!r} takes any keyword (**{parameter.name}), which strict mode cannot express: name its "
                "parameters, or turn strict mode off (`strict_mode=False`)"
            )


def _field(
    parameter: inspect.Parameter, field_name: str, callee: Callee, documentation: Documentation
) -> tuple[Any, Any]:
    """Return a parameter as a pydantic field: its type with what it means, and its default."""
    from pydantic import Field

    annotation = callee.hints.get(parameter.name, Any)
    texts = [part for part in getattr(annotation, "__metadata__", ()) if isinstance(part, str)]
    meaning = documentation.parameters.get(parameter.name) or next(iter(texts), None)
    default: Any = ... if parameter.default is inspect.Parameter.empty else parameter.default
    if parameter.kind is inspect.Parameter.VAR_POSITIONAL:
        annotation, default = types.GenericAlias(list, (annotation,)), Field(default_factory=list)
    elif parameter.kind is inspect.Parameter.VAR_KEYWORD:
        annotation, default = types.GenericAlias(dict, (str, annotation)), Field(default_factory=dict)
    told: dict[str, Any] = {"description": meaning} if meaning else {}
    if field_name != parameter.name:
        told["alias"] = parameter.name
    return _with_default(annotation, default, Field(**told) if told else None)


def _with_default(annotation: Any, default: Any, told: Any) -> tuple[Any, Any]:
    """Return type and default of a field, where what is told of it counts for more than what either says itself."""
    from pydantic import Field
    from pydantic.fields import FieldInfo

    if told is None:
        return annotation, default
    if isinstance(default, FieldInfo):
        return typing.Annotated[annotation, default, told], Field(**_own_default(default))
    return typing.Annotated[annotation, told], default


def _own_default(given: Any) -> dict[str, Any]:
    return {"default_factory": given.default_factory} if given.default_factory else {"default": given.default}


def _model(name: str, fields: dict[str, Any]) -> tuple[type[BaseModel], dict[str, Any]]:
    # 45 ms: imported where a function becomes a tool.
    from pydantic import ConfigDict, create_model

    try:
        model: type[BaseModel] = create_model(f"{name}_args", __config__=ConfigDict(protected_namespaces=()), **fields)
        schema = model.model_json_schema()
    except Exception as error:
        bad = next(_without_schema(fields), None)
        what = f"parameter {bad!r} has" if bad else "its parameters have"
        said = str(error).splitlines()[0].partition(". ")[0]
        raise UserError(
            f"tool {name!r}: {what} no JSON schema: {said} (a pydantic model, dataclass, TypedDict, enum or plain type "
            "has one)"
        ) from error
    del schema["title"]
    return model, schema


def _without_schema(fields: dict[str, Any]) -> Iterator[str]:
    from pydantic import TypeAdapter

    for name, (annotation, _) in fields.items():
        try:
            TypeAdapter(annotation).json_schema()
        except Exception:
            yield name


def _strict(schema: dict[str, Any], name: str) -> dict[str, Any]:
    try:
        return ensure_strict_json_schema(schema)
    except UserError as error:
        raise UserError(f"tool {name!r}: {error.message} (`strict_mode=False`)") from error


def _field_names(signature: inspect.Signature) -> dict[str, str]:
    """Return the name of each parameter's field in the model, which some names of parameters cannot be."""
    names: dict[str, str] = {}
    for name in signature.parameters:
        field_name = f"arg_{name.lstrip('_')}" if name.startswith("_") or name in _taken_names() else name
        while field_name != name and (field_name in signature.parameters or field_name in names.values()):
            field_name += "_"
        names[name] = field_name
    return names


@cache
def _taken_names() -> frozenset[str]:
    from pydantic import BaseModel

    return frozenset(dir(BaseModel))


DocstringStyle: TypeAlias = Literal["google", "numpy", "sphinx"]

_STYLES: tuple[DocstringStyle, ...] = ("google", "numpy", "sphinx")

_SECTIONS = re.compile(
    r"^\s*(args|arguments|parameters|params|keyword args|keyword arguments|other parameters|returns|yields|receives"
    r"|raises|exceptions|warns|examples?|attributes)\s*:\s*$|^\s*:\w+[^:]*:|^\s*-{3,}\s*$",
    re.IGNORECASE | re.MULTILINE,
)
"""What a docstring with more than text in it has, in any style."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Documentation:
    """The text of a docstring, and the meanings of the parameters it names."""

    description: str | None = None
    parameters: dict[str, str] = field(default_factory=dict)


def read_docstring(text: str, style: DocstringStyle | None = None) -> Documentation:
    """Return what a docstring says; without a style, that of the first one in which it names parameters or the like."""
    whole = Documentation(description=text.strip() or None)
    if not _SECTIONS.search(text):
        return whole
    # 75 ms: imported where a docstring has more than text in it.
    from griffe import Docstring

    docstring = Docstring(text)
    read = [_read(docstring.parse(kind, warnings=False)) for kind in ([style] if style else _STYLES)]
    found = [known for known in read if known is not None]
    return next((known for known in found if known.parameters), next(iter(found), whole))


def _read(sections: list[DocstringSection]) -> Documentation | None:
    """Return what sections say; None if all of it is text, which then was written in another style, or none."""
    description: str | None = None
    parameters: dict[str, str] = {}
    is_text = True
    for section in sections:
        match section.kind.value:
            case "text":
                description = description or section.value.strip() or None
            case "admonition":
                pass  # Whatever stands above a line of dashes, or an indented block.
            case "parameters" | "other parameters":
                parameters |= {parameter.name.lstrip("*"): parameter.description for parameter in section.value}
                is_text = False
            case _:
                is_text = False
    return None if is_text else Documentation(description=description, parameters=parameters)


@dataclass(frozen=True, slots=True, kw_only=True)
class Callee:
    """A function, method, partial or callable object, as it is called."""

    name: str
    docstring: str
    signature: inspect.Signature
    """Without what is bound already."""
    hints: dict[str, Any]


def read_callable(func: Callable[..., Any]) -> Callee:
    """Return what is known of a callable.

    Raises:
        UserError: it has no signature, or an annotation of it does not resolve.
    """
    inner, bound_names = _without_partials(func)
    is_function = isinstance(inner, type) or inspect.isroutine(inner)
    named: Any = inner if is_function else type(inner)
    name: str = named.__name__
    function = inner if is_function else named.__call__
    try:
        signature = inspect.signature(func)
    except (TypeError, ValueError) as error:
        raise UserError(f"tool {name!r}: its signature cannot be read: {error}") from error
    parameters = [parameter for parameter in signature.parameters.values() if parameter.name not in bound_names]
    return Callee(
        name=name,
        docstring=inspect.getdoc(function) or inspect.getdoc(named) or "",
        signature=signature.replace(parameters=parameters),
        hints=_hints(function, name),
    )


def _without_partials(func: Callable[..., Any]) -> tuple[Callable[..., Any], set[str]]:
    """Return what a partial calls in the end, and the names that it gives by keyword."""
    bound_names: set[str] = set()
    while isinstance(func, functools.partial):
        bound_names |= func.keywords.keys()
        func = func.func
    return func, bound_names


def _hints(function: Callable[..., Any], name: str) -> dict[str, Any]:
    try:
        return typing.get_type_hints(function, include_extras=True)
    except NameError:
        names = _enclosing_names(function)
    except Exception as error:
        raise UserError(f"tool {name!r}: an annotation does not resolve: {error}") from error
    try:
        return typing.get_type_hints(function, localns=names, include_extras=True)
    except Exception as error:
        raise UserError(
            f"tool {name!r}: an annotation does not resolve: {error} (what is imported under TYPE_CHECKING alone is "
            "not there when the tool is made)"
        ) from error


def _enclosing_names(function: Callable[..., Any]) -> dict[str, Any]:
    """Return the names of the functions under way that `function` is written in: annotations that are text use them."""
    code = _code(function)
    names: dict[str, Any] = {}
    frame = sys._getframe(1)
    while frame is not None and code is not None:
        if any(constant is code for constant in frame.f_code.co_consts):
            names = {**frame.f_locals, **names}
            code = frame.f_code
        frame = frame.f_back  # type: ignore[assignment]
    return names


def _code(function: Callable[..., Any]) -> CodeType | None:
    inner = inspect.unwrap(function)
    inner = inner.__func__ if inspect.ismethod(inner) else inner
    return inner.__code__ if inspect.isfunction(inner) else None


def misfits(error: ValidationError) -> list[str]:
    """Return what does not fit, each with its place: `items.0.price: Input should be a valid number`."""
    return [
        f"{'.'.join(map(str, part['loc'])) or 'the whole'}: {part['msg']}"
        for part in error.errors(include_url=False, include_input=False)
    ]
