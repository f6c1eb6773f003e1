"""JSON schemas of tool arguments, derived from a function's signature and docstring."""

from __future__ import annotations

import functools
import inspect
import re
import sys
import types
import typing
import warnings
from collections.abc import Callable, Iterator
from functools import cache
from types import CodeType
from typing import TYPE_CHECKING, Any

from agentctl._dataclass import dataclass
from agentctl.agent.context import RunContextWrapper
from agentctl.agent.strict_schema import ensure_strict_json_schema
from agentctl.errors import ModelBehaviorError, UserError

from .docstrings import DocstringStyle, Documentation, read_docstring

if TYPE_CHECKING:
    from pydantic import BaseModel


@dataclass
class FuncSchema:
    """A function's name, description and schema for the model, and the conversion of JSON arguments to a call."""

    name: str
    description: str | None
    params_pydantic_model: type[BaseModel]
    params_json_schema: dict[str, Any]
    signature: inspect.Signature
    """With the context parameter, if there is one."""
    takes_context: bool = False
    strict_json_schema: bool = True
    return_annotation: Any = inspect.Signature.empty

    def to_call_args(self, data: BaseModel) -> tuple[list[Any], dict[str, Any]]:
        """Return validated arguments as positional and keyword arguments, without the context.

        Raises:
            ModelBehaviorError: an entry of `**kwargs` has the name of a parameter that can be given by its name.
        """
        positional: list[Any] = []
        named: dict[str, Any] = {}
        parameters = self.signature.parameters
        fields = _field_names(list(parameters)[1 if self.takes_context else 0 :])
        for name, field_name in fields.items():
            parameter, value = parameters[name], getattr(data, field_name)
            match parameter.kind:
                case inspect.Parameter.VAR_POSITIONAL:
                    positional.extend(value)
                case inspect.Parameter.VAR_KEYWORD:
                    if duplicates := value.keys() & _names_for_keywords(self.signature):
                        raise ModelBehaviorError(
                            f"tool {self.name!r} got {min(duplicates)!r} twice: as a parameter and in {name!r}"
                        )
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
    """Return the schema of a function: types from its annotations, descriptions from its docstring.

    A parameter's description comes from the docstring, else from a string in its `Annotated`, else from its `Field`.

    Args:
        func: A function, a bound method, a partial, or an object whose class has a plain method `__call__`.
        docstring_style: Format of the docstring; None detects it.
        name_override: Tool name, in place of the function's name.
        description_override: Description for the model, in place of the docstring.
        use_docstring_info: Whether to read the docstring.
        strict_json_schema: Whether the service must be able to enforce the schema.

    Raises:
        UserError: an annotation cannot be resolved, a type has no JSON schema, or none that strict mode can express, or
            the function's signature cannot be known.
    """
    return schema_of(
        read_callable(func),
        docstring_style=docstring_style,
        name_override=name_override,
        description_override=description_override,
        use_docstring_info=use_docstring_info,
        strict_json_schema=strict_json_schema,
    )


def schema_of(
    info: FunctionInfo,
    *,
    docstring_style: DocstringStyle | None,
    name_override: str | None,
    description_override: str | None,
    use_docstring_info: bool,
    strict_json_schema: bool,
) -> FuncSchema:
    """Return the schema of a callable that was read, as `function_schema` does."""
    name = name_override or _tool_name(info)
    documentation = info.read_documentation(docstring_style) if use_docstring_info else Documentation()
    takes_context = _takes_context(info)
    parameters = list(info.signature.parameters.values())[1 if takes_context else 0 :]
    if strict_json_schema:
        _reject_var_keyword(name, parameters)
    fields = _field_names([parameter.name for parameter in parameters])
    model, schema = _model(
        name,
        {
            fields[parameter.name]: _field(parameter, fields[parameter.name], info, documentation)
            for parameter in parameters
        },
        {field_name: parameter for parameter, field_name in fields.items()},
    )
    return FuncSchema(
        name=name,
        description=description_override or documentation.description,
        params_pydantic_model=model,
        params_json_schema=_strict(schema, name) if strict_json_schema else schema,
        signature=info.signature,
        takes_context=takes_context,
        strict_json_schema=strict_json_schema,
        return_annotation=info.hints.get("return", inspect.Signature.empty),
    )


def _tool_name(info: FunctionInfo) -> str:
    """Return the name for the model of a function, or of the class of a callable object."""
    if info.name == "<lambda>":
        raise UserError("a lambda has no name for the model to call: set name_override")
    if info.kind is not None and not _TOOL_NAME.fullmatch(info.name):
        raise UserError(
            f"the class name {info.name!r} cannot name a tool, which takes at most 64 ASCII letters, digits, '_' and "
            "'-'. Pass name_override"
        )
    return info.name


_TOOL_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")


def _takes_context(info: FunctionInfo) -> bool:
    """Return whether the first parameter is the context."""
    parameters = list(info.signature.parameters.values())
    for number, parameter in enumerate(parameters):
        is_first = number == 0 and parameter.kind in _POSITIONAL
        if not is_first and _is_context(info.hints.get(parameter.name)):
            raise UserError(
                f"tool {info.name!r}: the context parameter {parameter.name!r} must be the first positional "
                "parameter: move it, or write an explicit wrapper function"
            )
    if parameters and parameters[0].name == "self" and "self" not in info.hints:
        raise UserError(
            f"tool {info.name!r} is an unbound method: use the bound method of an object instead, "
            f"`function_tool(instance.{info.name})`"
        )
    return bool(parameters) and _is_context(info.hints.get(parameters[0].name))


_POSITIONAL = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)


def _names_for_keywords(signature: inspect.Signature) -> set[str]:
    """Return the names of the parameters that a call can give by name."""
    kinds = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    return {name for name, parameter in signature.parameters.items() if parameter.kind in kinds}


def _is_context(annotation: Any) -> bool:
    origin = typing.get_origin(annotation)
    if origin in (typing.Union, types.UnionType, typing.Annotated):
        return any(map(_is_context, typing.get_args(annotation)))
    kind = origin or annotation
    return isinstance(kind, type) and issubclass(kind, RunContextWrapper)


def _reject_var_keyword(name: str, parameters: list[inspect.Parameter]) -> None:
    for parameter in parameters:
        if parameter.kind is inspect.Parameter.VAR_KEYWORD:
            raise UserError(
                f"tool {name!r} takes arbitrary keyword arguments (**{parameter.name}), which strict mode cannot "
                "express: declare its parameters, or turn strict mode off (`strict_mode=False`)"
            )


def _field(
    parameter: inspect.Parameter, field_name: str, info: FunctionInfo, documentation: Documentation
) -> tuple[Any, Any]:
    """Return a parameter as a pydantic field: its type with its description, and its default."""
    from pydantic import Field

    annotation = _without_final(info.hints.get(parameter.name, Any))
    texts = [part for part in getattr(annotation, "__metadata__", ()) if isinstance(part, str)]
    description = documentation.parameters.get(parameter.name) or next(iter(texts), None)
    default: Any = ... if parameter.default is inspect.Parameter.empty else parameter.default
    if parameter.kind is inspect.Parameter.VAR_POSITIONAL:
        annotation, default = types.GenericAlias(list, (annotation,)), Field(default_factory=list)
    elif parameter.kind is inspect.Parameter.VAR_KEYWORD:
        annotation, default = types.GenericAlias(dict, (str, annotation)), Field(default_factory=dict)
    extra: dict[str, Any] = {"description": description} if description else {}
    if field_name != parameter.name:
        extra["alias"] = parameter.name
    return _with_default(annotation, default, Field(**extra) if extra else None)


def _without_final(annotation: Any) -> Any:
    """Return a type without `Final`, which makes a field with a default no field for pydantic."""
    if annotation is typing.Final:
        return Any
    return typing.get_args(annotation)[0] if typing.get_origin(annotation) is typing.Final else annotation


def _with_default(annotation: Any, default: Any, extra: Any) -> tuple[Any, Any]:
    """Return type and default of a field, with the `Field` in `extra` taking precedence over both."""
    from pydantic import Field
    from pydantic.fields import FieldInfo

    if default is ...:
        declared = (one for one in getattr(annotation, "__metadata__", ()) if isinstance(one, FieldInfo))
        default = next((Field(**_default_of(one)) for one in declared if not one.is_required()), ...)
        return (annotation if extra is None else typing.Annotated[annotation, extra]), default
    if extra is None:
        return annotation, default
    if isinstance(default, FieldInfo):
        return typing.Annotated[annotation, default, extra], Field(**_default_of(default))
    return typing.Annotated[annotation, extra], default


def _default_of(field_info: Any) -> dict[str, Any]:
    factory = field_info.default_factory
    return {"default_factory": factory} if factory else {"default": field_info.default}


def _model(name: str, fields: dict[str, Any], names: dict[str, str]) -> tuple[type[BaseModel], dict[str, Any]]:
    """Return the model of the parameters and its schema; `names` has the parameter of each field."""
    # 45 ms: imported only when a function becomes a tool.
    from pydantic import ConfigDict, create_model

    try:
        model: type[BaseModel] = create_model(f"{name}_args", __config__=ConfigDict(protected_namespaces=()), **fields)
        schema = model.model_json_schema()
    except Exception as error:
        invalid = next((names[field_name] for field_name in _without_schema(fields)), None)
        subject = f"parameter {invalid!r} has" if invalid else "its parameters have"
        reason = str(error).splitlines()[0].partition(". ")[0]
        raise UserError(
            f"tool {name!r}: {subject} no JSON schema: {reason} (use a pydantic model, dataclass, TypedDict, enum or "
            "plain type)"
        ) from error
    return model, schema


def _without_schema(fields: dict[str, Any]) -> Iterator[str]:
    from pydantic import TypeAdapter

    for name, (annotation, _) in fields.items():
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # A type alone takes no alias.
                TypeAdapter(annotation).json_schema()
        except Exception:
            yield name


def _strict(schema: dict[str, Any], name: str) -> dict[str, Any]:
    try:
        return ensure_strict_json_schema(schema)
    except UserError as error:
        raise UserError(f"tool {name!r}: {error.message} (`strict_mode=False`)") from error


def _field_names(parameters: list[str]) -> dict[str, str]:
    """Return the field name of each parameter; names that pydantic reserves or does not allow are changed."""
    names: dict[str, str] = {}
    for name in parameters:
        field_name = f"arg_{name.lstrip('_')}" if name.startswith("_") or name in _reserved_names() else name
        while field_name != name and (field_name in parameters or field_name in names.values()):
            field_name += "_"
        names[name] = field_name
    return names


@cache
def _reserved_names() -> frozenset[str]:
    from pydantic import BaseModel

    return frozenset(dir(BaseModel))


@dataclass(frozen=True, slots=True, kw_only=True)
class FunctionInfo:
    """Call information of a function, method, partial or callable object."""

    name: str
    callee: Callable[..., Any]
    """What to call: a partial as it is, of an object its method `__call__`."""
    function: Callable[..., Any]
    """The function or method with annotations and docstring."""
    signature: inspect.Signature
    """Without parameters that are already bound."""
    hints: dict[str, Any]
    kind: type[Any] | None
    """The class of a callable object."""

    def read_documentation(self, style: DocstringStyle | None) -> Documentation:
        """Return the content of the docstring, of a callable object that of its class and of its method.

        The class describes the tool, the method its parameters, each in place of the other where that says nothing.
        """
        method = read_docstring(inspect.getdoc(self.function) or "", style)
        if self.kind is None:
            return method
        whole = read_docstring(_class_docstring(self.kind), style)
        return Documentation(
            description=whole.description or method.description, parameters=whole.parameters | method.parameters
        )


def _class_docstring(kind: type[Any]) -> str:
    """Return the docstring that is written in a class: not that of a base, nor what `dataclass` puts in its place."""
    text = vars(kind).get("__doc__")
    if not isinstance(text, str) or text.startswith(f"{kind.__name__}("):
        return ""
    return inspect.cleandoc(text)


def read_callable(func: Callable[..., Any]) -> FunctionInfo:
    """Return the call information of a callable.

    Raises:
        UserError: it has no signature, or none that can be known, or an annotation cannot be resolved.
    """
    inner, bound_names = _without_partials(func)
    if not callable(inner):
        raise UserError(f"a tool is made of a function or another callable, not of {inner!r}")
    kind = None if isinstance(inner, type) or inspect.isroutine(inner) else type(inner)
    function = inner if kind is None else _call_method(inner)
    name: str = (inner if kind is None else kind).__name__
    callee = function if func is inner else func
    try:
        signature = inspect.signature(callee)
    except (TypeError, ValueError) as error:
        raise UserError(f"tool {name!r}: its signature cannot be read: {error}") from error
    parameters = [parameter for parameter in signature.parameters.values() if parameter.name not in bound_names]
    hints = _hints(function, name, {} if kind is None else _class_names(kind))
    if kind is not None and any(map(_has_type_variable, hints.values())):
        raise _unsupported_error(kind, "its annotations have type variables or `Self`")
    return FunctionInfo(
        name=name,
        callee=callee,
        function=function,
        signature=signature.replace(parameters=parameters),
        hints=hints,
        kind=kind,
    )


_OWN_SIGNATURE = ("__wrapped__", "__signature__", "__annotations__", "__annotate__")


def _call_method(instance: object) -> Callable[..., Any]:
    """Return the method `__call__` of an object.

    Raises:
        UserError: the method, or the object itself, claims another signature than the one that is called.
    """
    kind = type(instance)
    method = inspect.getattr_static(kind, "__call__", None)
    if not inspect.isfunction(method):
        raise _unsupported_error(kind, "its `__call__` is no plain method")
    if any(hasattr(method, name) for name in _OWN_SIGNATURE[:2]):
        raise _unsupported_error(kind, "its `__call__` is decorated")
    is_published = getattr(instance, "__signature__", None) is not None
    if is_published or any(name in getattr(instance, "__dict__", {}) for name in _OWN_SIGNATURE):
        raise _unsupported_error(kind, "it has a signature or annotations of its own")
    bound: Callable[..., Any] = types.MethodType(method, instance)
    return bound


def _unsupported_error(kind: type[Any], reason: str) -> UserError:
    return UserError(
        f"Unsupported callable object of class {kind.__name__!r}: {reason}. Write an explicit wrapper function, with "
        "types for its parameters"
    )


def _has_type_variable(annotation: Any) -> bool:
    return (
        isinstance(annotation, typing.TypeVar)
        or annotation is typing.Self
        or any(map(_has_type_variable, typing.get_args(annotation)))
    )


def _class_names(kind: type[Any]) -> dict[str, Any]:
    """Return the names in the body of a class and of its bases, which annotations of its methods may use."""
    return {name: value for base in reversed(kind.__mro__[:-1]) for name, value in vars(base).items()}


def _without_partials(func: Callable[..., Any]) -> tuple[Callable[..., Any], set[str]]:
    """Return the innermost function of a partial or a static method, and the names of its bound keyword arguments."""
    bound_names: set[str] = set()
    while isinstance(func, functools.partial | staticmethod):
        if isinstance(func, functools.partial):
            bound_names |= func.keywords.keys()
            func = func.func
        else:
            func = func.__func__
    return func, bound_names


_FINAL = re.compile(r"(?:\w+\.)?Final(?:\[(?P<type>.*)\])?", re.DOTALL)


def _resolve_final(function: Any) -> Any:
    """Return a stand-in for a function whose annotations name `Final`, which `typing` resolves in classes only."""
    given: dict[str, Any] = getattr(function, "__annotations__", {})
    finals = {
        name: found["type"] or "object"
        for name, hint in given.items()
        if isinstance(hint, str) and (found := _FINAL.fullmatch(hint))
    }
    if not finals:
        return function
    scope = getattr(inspect.unwrap(function), "__globals__", {})
    return types.SimpleNamespace(__annotations__={**given, **finals}, __globals__=scope)


def _hints(function: Callable[..., Any], name: str, local_names: dict[str, Any]) -> dict[str, Any]:
    function = _resolve_final(function)
    try:
        return typing.get_type_hints(function, include_extras=True)
    except NameError:
        names = _enclosing_names(function) | local_names
    except Exception as error:
        raise UserError(f"tool {name!r}: an annotation cannot be resolved: {error}") from error
    try:
        return typing.get_type_hints(function, localns=names, include_extras=True)
    except Exception as error:
        raise UserError(
            f"tool {name!r}: an annotation cannot be resolved: {error}; make its annotations resolvable at run time, "
            "when names imported only under TYPE_CHECKING do not exist"
        ) from error


def _enclosing_names(function: Callable[..., Any]) -> dict[str, Any]:
    """Return the local names of the running functions that enclose `function`, for annotations that are strings."""
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
