"""The alias `agents`: files written for the Agents SDK run unchanged, their imports served by this package.

Importing this module installs the alias for the process. It applies only if a normal search finds no package `agents`,
or the one of the distribution `openai-agents`: your own package of that name takes precedence, and the modules of a
folder without `__init__.py` stay importable beside the alias.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib import import_module
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path
from types import ModuleType

ALIAS = "agents"

_FACADE = "agentctl"

_MODULES: dict[str, tuple[str, ...]] = {
    "agents": (),
    "agents.agent": ("agentctl.agent.agent", "agentctl.agent.agent_tool"),
    "agents.agent_output": (),
    "agents.exceptions": ("agentctl.errors",),
    "agents.extensions": (),
    "agents.extensions.handoff_filters": ("agentctl.extensions.handoff_filters",),
    "agents.extensions.handoff_prompt": ("agentctl.extensions.handoff_prompt",),
    "agents.function_schema": ("agentctl.agent.tools.function_schema",),
    "agents.guardrail": ("agentctl.agent.guardrail",),
    "agents.handoffs": ("agentctl.agent.handoff", "agentctl.agent.handoff_history"),
    "agents.items": ("agentctl.agent.items.run_items", "agentctl.agent.wire"),
    "agents.lifecycle": ("agentctl.agent.lifecycle",),
    "agents.memory": ("agentctl.memory",),
    "agents.memory.openai_conversations_session": ("agentctl.memory.openai_conversations_session",),
    "agents.memory.session": ("agentctl.agent.session",),
    "agents.memory.session_settings": ("agentctl.agent.session",),
    "agents.memory.sqlite_session": ("agentctl.memory.sqlite_session",),
    "agents.memory.util": ("agentctl.memory",),
    "agents.mcp": ("agentctl.mcp",),
    "agents.model_settings": ("agentctl.agent.model_settings", "agentctl.agent.retry"),
    "agents.models": ("agentctl.models",),
    "agents.models.interface": ("agentctl.agent.ports",),
    "agents.models.multi_provider": (),
    "agents.models.openai_chatcompletions": (),
    "agents.models.openai_provider": (),
    "agents.models.openai_responses": (),
    "agents.prompts": ("agentctl.agent.prompts",),
    "agents.repl": (),
    "agents.result": ("agentctl.run.result",),
    "agents.retry": ("agentctl.agent.retry",),
    "agents.run": ("agentctl.agent.run_config", "agentctl.run.input_filter"),
    "agents.run_config": ("agentctl.agent.run_config", "agentctl.run.input_filter"),
    "agents.run_context": ("agentctl.agent.context",),
    "agents.run_error_handlers": ("agentctl.run.error_handlers",),
    "agents.run_state": ("agentctl.run.state.run_state", "agentctl.run.state.document"),
    "agents.stream_events": ("agentctl.agent.events",),
    "agents.strict_schema": ("agentctl.agent.strict_schema",),
    "agents.testing": ("agentctl.testing",),
    "agents.tool": (
        "agentctl.agent.tools.tool",
        "agentctl.agent.tools.hosted_tools",
        "agentctl.agent.items.tool_output_parts",
    ),
    "agents.tool_context": (),
    "agents.tool_guardrails": ("agentctl.agent.tools.guardrails",),
    "agents.tracing": ("agentctl.tracing",),
    "agents.tracing.processor_interface": ("agentctl.tracing.processor_interface",),
    "agents.tracing.processors": ("agentctl.tracing.processors",),
    "agents.tracing.span_data": ("agentctl.tracing.span_data",),
    "agents.tracing.spans": ("agentctl.tracing.spans",),
    "agents.tracing.traces": ("agentctl.tracing.spans",),
    "agents.usage": ("agentctl.agent.usage",),
}
"""The modules of the alias, each with the modules searched for its names before the public names of this package."""


class _Alias(ModuleType):
    """A module of the alias; its names are looked up in this package on first use."""

    def __getattr__(self, name: str) -> object:
        if not name.startswith("_"):
            for module in _sources(self.__name__):
                if name in _public_names(module):
                    value: object = getattr(module, name)
                    self.__dict__[name] = value
                    return value
        raise AttributeError(_missing_message(self.__name__, name))

    def __dir__(self) -> list[str]:
        return _names(self.__name__)


class _Loader:
    """The loader of the modules of the alias."""

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        return _Alias(spec.name)

    def exec_module(self, module: ModuleType) -> None:
        module.__dict__["__all__"] = _names(module.__name__)


class _Finder:
    """The finder for `agents` and its modules; a missing module raises an error that explains the alias."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        parent, _, name = fullname.rpartition(".")
        if fullname == ALIAS:
            return self._spec_of_alias()
        if not isinstance(sys.modules.get(parent), _Alias):
            return None
        if fullname in _MODULES:
            return _spec(fullname, [])
        found = PathFinder.find_spec(fullname, path)
        if found is None:
            raise ImportError(_missing_message(parent, name), name=fullname)
        return found

    def _spec_of_alias(self) -> ModuleSpec | None:
        others = (finder for finder in sys.meta_path if finder is not self)
        found = next((spec for finder in others if (spec := finder.find_spec(ALIAS, None)) is not None), None)
        if found is None or _is_sdk(found):
            return _spec(ALIAS, [])
        has_code = found.loader is not None and found.origin is not None
        return None if has_code else _spec(ALIAS, list(found.submodule_search_locations or ()))


_FINDER = _Finder()


def install() -> None:
    """Install the alias; installing it again has no effect."""
    if _FINDER not in sys.meta_path:
        sys.meta_path.insert(0, _FINDER)


def _spec(name: str, locations: list[str]) -> ModuleSpec:
    spec = ModuleSpec(name, _Loader(), is_package=True)  # type: ignore[arg-type]  # a loader by its methods
    spec.submodule_search_locations = locations
    return spec


def _is_sdk(found: ModuleSpec) -> bool:
    """Return whether a package `agents` is the Agents SDK's, by the metadata that its installer left beside it."""
    if found.origin is None:
        return False
    return any(Path(found.origin).parent.parent.glob("openai_agents-*.dist-info"))


def _sources(name: str) -> list[ModuleType]:
    return [import_module(module) for module in (*_MODULES[name], _FACADE)]


def _public_names(module: ModuleType) -> list[str]:
    given: list[str] | None = getattr(module, "__all__", None)
    return [name for name in (vars(module) if given is None else given) if not name.startswith("_")]


def _names(name: str) -> list[str]:
    """Return the names for `from … import *` and for suggestions."""
    return sorted(
        {public for module in _sources(name)[-1 if name == ALIAS else 0 :] for public in _public_names(module)}
    )


def _missing_message(module: str, name: str) -> str:
    # 10 ms, only for an error.
    from difflib import get_close_matches

    names = _names(module)
    if name in names:
        return (
            f"{module}.{name} is a name, not a module, in agentctl, which provides {module} here: "
            f"use `from {module} import {name}`"
        )
    submodules = [known.rpartition(".")[2] for known in _MODULES if known.rpartition(".")[0] == module]
    near = get_close_matches(name, [*names, *submodules], n=3)
    hint = f"; similar names: {', '.join(near)}" if near else ""
    return f"agentctl provides {module} here, and it has no {name!r}{hint}"


install()
