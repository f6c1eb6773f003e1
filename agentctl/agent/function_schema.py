"""A function's signature and docstring as the JSON schema of a tool's arguments."""

from __future__ import annotations

import inspect
import types
import typing
from collections.abc import Callable, Iterator
from functools import cache
from typing import TYPE_CHECKING, Any

from agentctl._dataclass import dataclass
from agentctl.errors import ModelBehaviorError, UserError

from .callables import Callee, read_callable
from .context import RunContextWrapper
from .docstring import DocstringStyle, Documentation, read_docstring
from .strict_schema import ensure_strict_json_schema

if TYPE_CHECKING:
    from pydantic import BaseModel


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
