"""Prints the public surface of `agents` as JSON: module, name, what the name is; run within a side.

python describe.py                  every public module that is there
python describe.py < wanted.json    the names of a surface, as this side has them; what is missing stays out
"""

import dataclasses
import enum
import importlib
import inspect
import json
import pkgutil
import re
import sys
from types import ModuleType

Surface = dict[str, dict[str, dict[str, str]]]
_OUT_OF_SCOPE = ("realtime", "voice", "sandbox", "run_internal", "visualization", "litellm", "any_llm", "experimental")
_PLAIN = (str, int, float, bool, tuple, frozenset, type(None))


def describe(value: object) -> dict[str, str]:
    """Return what can be compared of a value: its kind, its parameters, its fields and its methods, each as a fact."""
    if inspect.isclass(value):
        return {"": "class", **_of_class(value)}
    if callable(value) and hasattr(value, "__name__"):
        return {"": "function", **_parameters(value, "")}
    if isinstance(value, ModuleType):
        return {"": "module"}
    return {"": f"value {value!r}" if isinstance(value, (str, int, float, bool)) else "value"}


def _of_class(of: type) -> dict[str, str]:
    if issubclass(of, enum.Enum):
        return {f".{member.name}": repr(member.value) for member in of}
    facts = {} if issubclass(of, dict) else _parameters(of, "")
    if dataclasses.is_dataclass(of):
        facts |= {f".{field.name}": "attribute" for field in dataclasses.fields(of) if not field.name.startswith("_")}
    model = next((base for base in of.__mro__ if base.__module__ == "pydantic.main"), object)
    for name in dir(of):
        if name.startswith("_") or f".{name}" in facts or (hasattr(model, name) and name != "model_dump"):
            continue
        member = inspect.getattr_static(of, name)
        if isinstance(member, (staticmethod, classmethod)):
            member = member.__func__
        if inspect.isfunction(member):
            facts[f".{name}"] = "async method" if inspect.iscoroutinefunction(member) else "method"
            facts |= _parameters(member, f".{name}")
        else:
            facts[f".{name}"] = "attribute"
    return facts | {f".{name}": "attribute" for name in _instance_names(of) if f".{name}" not in facts}


def _instance_names(of: type) -> set[str]:
    """Return what an object has beside what its class has: what is annotated, and what its methods assign."""
    names = set()
    for base in of.__mro__:
        names.update(inspect.get_annotations(base))
        if base.__module__.partition(".")[0] in ("agents", "agentctl"):
            try:
                names.update(re.findall(r"\bself\.(\w+)(?:: [^=\n]+)? = ", inspect.getsource(base)))
            except (OSError, TypeError):
                continue
    return {name for name in names if not name.startswith("_")}


def _parameters(of: object, where: str) -> dict[str, str]:
    try:
        parameters = inspect.signature(of).parameters.values()  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return {}
    facts, position = {}, 0
    for one in parameters:
        if one.name.startswith("_") or one.name in ("self", "cls"):
            continue
        kind = {one.VAR_POSITIONAL: "*", one.VAR_KEYWORD: "**", one.KEYWORD_ONLY: "keyword"}.get(one.kind)
        if kind is None:
            position += 1
            kind = f"parameter {position}"
        default = "" if one.default is one.empty else f" = {_shown(one.default)}"
        facts[f"{where}({one.name})"] = f"{kind}{default}"
    return facts


def _shown(value: object) -> str:
    if isinstance(value, enum.Enum):
        return str(value.value)
    if isinstance(value, _PLAIN):
        return repr(value)
    return f"<{getattr(value, '__name__', 'made')}>"


def _own_modules() -> list[str]:
    package = importlib.import_module("agents")
    found = ["agents"]
    for one in pkgutil.walk_packages(package.__path__, "agents.", onerror=lambda _: None):
        parts = one.name.split(".")
        if not any(part.startswith("_") or any(word in part for word in _OUT_OF_SCOPE) for part in parts):
            found.append(one.name)
    return found


def _own_names(module: ModuleType) -> list[str]:
    given = getattr(module, "__all__", None)
    if given is not None:
        return sorted(given)
    return sorted(
        name
        for name, value in vars(module).items()
        if not name.startswith("_")
        and name != "TYPE_CHECKING"
        and getattr(value, "__module__", module.__name__) == module.__name__
        and not isinstance(value, ModuleType)
    )


def main() -> None:
    """Print the surface that there is, or what there is of the one that is wanted."""
    asked = "" if sys.stdin.isatty() else sys.stdin.read()
    wanted: Surface | None = json.loads(asked) if asked else None
    surface: Surface = {}
    for name in _own_modules() if wanted is None else wanted:
        try:
            module = importlib.import_module(name)
        except Exception as error:
            print(f"{name}: {error}", file=sys.stderr)
            continue
        surface[name] = {}
        for one in _own_names(module) if wanted is None else wanted[name]:
            try:
                surface[name][one] = describe(getattr(module, one))
            except (AttributeError, ImportError):
                continue
    print(json.dumps(surface))


if __name__ == "__main__":
    main()
