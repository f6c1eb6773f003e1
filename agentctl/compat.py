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
    "agents.agent_tool_input": ("agentctl.agent.agent_tool",),
    "agents.agent_tool_state": (),
    "agents.apply_diff": ("agentctl.agent.tools.apply_diff",),
    "agents.decorators": (
        "agentctl.agent.tools.function_tool",
        "agentctl.agent.guardrail",
        "agentctl.agent.tools.guardrails",
    ),
    "agents.editor": ("agentctl.agent.tools.apply_patch",),
    "agents.exceptions": ("agentctl.errors",),
    "agents.extensions": ("agentctl.extensions.tool_output_trimmer",),
    "agents.extensions.handoff_filters": ("agentctl.extensions.handoff_filters",),
    "agents.extensions.handoff_prompt": ("agentctl.extensions.handoff_prompt",),
    "agents.extensions.tool_output_trimmer": ("agentctl.extensions.tool_output_trimmer",),
    "agents.function_schema": ("agentctl.agent.tools.function_schema", "agentctl.agent.tools.docstrings"),
    "agents.guardrail": ("agentctl.agent.guardrail",),
    "agents.handoffs": ("agentctl.agent.handoff", "agentctl.agent.handoff_history"),
    "agents.handoffs.history": ("agentctl.agent.handoff_history",),
    "agents.items": ("agentctl.agent.items.run_items", "agentctl.agent.wire"),
    "agents.lifecycle": ("agentctl.agent.lifecycle",),
    "agents.logger": ("agentctl.log",),
    "agents.mcp": ("agentctl.mcp",),
    "agents.mcp.manager": ("agentctl.mcp.manager",),
    "agents.mcp.server": ("agentctl.mcp",),
    "agents.mcp.util": ("agentctl.mcp",),
    "agents.memory": ("agentctl.memory",),
    "agents.memory.openai_conversations_session": ("agentctl.memory.openai_conversations_session",),
    "agents.memory.openai_responses_compaction_session": ("agentctl.memory.openai_responses_compaction_session",),
    "agents.memory.session": ("agentctl.agent.session",),
    "agents.memory.session_settings": ("agentctl.agent.session",),
    "agents.memory.sqlite_session": ("agentctl.memory.sqlite_session",),
    "agents.memory.util": ("agentctl.memory",),
    "agents.model_settings": ("agentctl.agent.model_settings", "agentctl.agent.retry"),
    "agents.models": ("agentctl.models",),
    "agents.models.chatcmpl_converter": ("agentctl.models.chat.converter",),
    "agents.models.default_models": ("agentctl.agent.default_model",),
    "agents.models.fake_id": ("agentctl.agent.wire",),
    "agents.models.interface": ("agentctl.agent.ports",),
    "agents.models.multi_provider": (),
    "agents.models.openai_chatcompletions": ("agentctl.agent.wire",),
    "agents.models.openai_client_utils": ("agentctl.models.official",),
    "agents.models.openai_provider": ("agentctl.agent.default_model",),
    "agents.models.openai_responses": ("agentctl.agent.wire",),
    "agents.models.reasoning_content_replay": ("agentctl.models.reasoning_content_replay",),
    "agents.prompts": ("agentctl.agent.prompts",),
    "agents.repl": ("agentctl.agent.run_config", "agentctl.run.demo_loop"),
    "agents.responses_websocket_session": ("agentctl.run.websocket_session",),
    "agents.result": ("agentctl.run.result",),
    "agents.retry": ("agentctl.agent.retry",),
    "agents.run": ("agentctl.run.runner", "agentctl.agent.run_config", "agentctl.run.input_filter"),
    "agents.run_config": ("agentctl.agent.run_config", "agentctl.run.input_filter", "agentctl.run.runner"),
    "agents.run_context": ("agentctl.agent.context",),
    "agents.run_error_handlers": ("agentctl.run.error_handlers",),
    "agents.run_state": ("agentctl.run.state.run_state", "agentctl.run.state.document"),
    "agents.stream_events": ("agentctl.agent.events",),
    "agents.strict_schema": ("agentctl.agent.strict_schema",),
    "agents.testing": ("agentctl.testing",),
    "agents.testing.model": ("agentctl.testing",),
    "agents.tool": (
        "agentctl.agent.tools.tool",
        "agentctl.agent.tools.hosted_tools",
        "agentctl.agent.tools.shell",
        "agentctl.agent.tools.apply_patch",
        "agentctl.agent.tools.custom_tool",
        "agentctl.agent.tools.tool_search",
        "agentctl.agent.items.tool_output_parts",
        "agentctl.agent.tools.invocation",
    ),
    "agents.tool_context": (),
    "agents.tool_guardrails": ("agentctl.agent.tools.guardrails",),
    "agents.tracing": ("agentctl.tracing",),
    "agents.tracing.config": ("agentctl.tracing.spans",),
    "agents.tracing.context": ("agentctl.tracing.create",),
    "agents.tracing.create": ("agentctl.tracing.create", "agentctl.tracing.current"),
    "agents.tracing.logger": ("agentctl.log",),
    "agents.tracing.processor_interface": ("agentctl.tracing.processor_interface",),
    "agents.tracing.processors": ("agentctl.tracing.processors",),
    "agents.tracing.provider": ("agentctl.tracing.provider",),
    "agents.tracing.scope": ("agentctl.tracing.current",),
    "agents.tracing.setup": ("agentctl.tracing.process",),
    "agents.tracing.span_data": ("agentctl.tracing.span_data",),
    "agents.tracing.spans": ("agentctl.tracing.spans",),
    "agents.tracing.traces": ("agentctl.tracing.spans",),
    "agents.tracing.util": ("agentctl.tracing.create",),
    "agents.usage": ("agentctl.agent.usage", "agentctl.agent.usage_json"),
    "agents.util": (),
    "agents.version": ("agentctl.version",),
}
"""The modules of the alias, each with the modules searched for its names before the public names of this package."""

_RENAMED = {
    "agents.decorators.tool": "agentctl.agent.tools.function_tool.function_tool",
    "agents.run.RunOptions": "agentctl.run.runner.RunnerOptions",
    "agents.run_config.RunOptions": "agentctl.run.runner.RunnerOptions",
    "agents.repl.DEFAULT_MAX_TURNS": "agentctl.agent.run_config.DEFAULT_MAX_TURNS",
    "agents.tool.ApplyPatchOnApprovalFunctionResult": "agentctl.agent.tools.api_tool.OnApprovalResult",
    "agents.tool.CustomToolOnApprovalFunctionResult": "agentctl.agent.tools.api_tool.OnApprovalResult",
    "agents.tool.ShellOnApprovalFunctionResult": "agentctl.agent.tools.api_tool.OnApprovalResult",
    "agents.tool.DEFAULT_APPROVAL_REJECTION_MESSAGE": "agentctl.run.tools.approvals.REJECTED",
    "agents.mcp.util.HttpClientFactory": "agentctl.net.mcp_client.ClientFactory",
    "agents.logger.logger": "agentctl.log.logger",
    "agents.run_state.CURRENT_SCHEMA_VERSION": "agentctl.run.state.document.VERSION",
    "agents.tracing.logger.logger": "agentctl.log.tracing_logger",
    "agents.tracing.spans.NoOpSpan": "agentctl.tracing.spans.Span",
    "agents.tracing.spans.SpanImpl": "agentctl.tracing.spans.Span",
    "agents.tracing.traces.NoOpTrace": "agentctl.tracing.spans.Trace",
    "agents.tracing.traces.TraceImpl": "agentctl.tracing.spans.Trace",
}
"""Names of the SDK that this package has under another name, or in a module that has no list of names."""

_ABSENT_MODULES = {
    "agents.computer": "computer use",
    "agents.extensions.experimental": "experimental extensions",
    "agents.extensions.memory": "sessions in other stores than SQLite files and OpenAI's conversations",
    "agents.extensions.models": "models of LiteLLM and any-llm",
    "agents.extensions.sandbox": "sandboxes",
    "agents.extensions.visualization": "drawings of agents",
    "agents.realtime": "realtime agents",
    "agents.sandbox": "sandboxes",
    "agents.voice": "voice pipelines",
}
"""What the modules of the SDK, and those below them, are for that this package does not have."""

_ABSENT_NAMES = {
    "AsyncComputer": "computer use",
    "Button": "computer use",
    "Computer": "computer use",
    "ComputerProvider": "computer use",
    "ComputerTool": "computer use",
    "ComputerToolCustomDataContext": "computer use",
    "ComputerToolCustomDataExtractor": "computer use",
    "Environment": "computer use",
    "OpenAIAgentRegistrationConfig": "registration of agents",
    "ProgrammaticToolCallingTool": "programmatic tool calling",
    "ToolCaller": "programmatic tool calling",
    "dispose_resolved_computers": "computer use",
    "resolve_computer": "computer use",
    "set_default_openai_agent_registration": "registration of agents",
    "set_default_openai_harness": "registration of agents",
}
"""What the names of `agents` and `agents.tool` are for that this package does not have."""


class _Alias(ModuleType):
    """A module of the alias; its names are looked up in this package on first use."""

    def __getattr__(self, name: str) -> object:
        value = self._find(name)
        self.__dict__[name] = value
        return value

    def __setattr__(self, name: str, value: object) -> None:
        # The import system sets each imported module as an attribute of its parent. Two modules of the SDK have the
        # name of a function beside them, which stays what the name means.
        if not (isinstance(value, _Alias) and name in _FUNCTIONS_AND_MODULES and self.__name__ == ALIAS):
            super().__setattr__(name, value)

    def __dir__(self) -> list[str]:
        return _names(self.__name__)

    def _find(self, name: str) -> object:
        place = f"{self.__name__}.{name}"
        if place in _RENAMED:
            module, _, renamed = _RENAMED[place].rpartition(".")
            return getattr(import_module(module), renamed)
        if name == "__version__" or not name.startswith("_"):
            for source in _sources(self.__name__):
                if name in _public_names(source):
                    return getattr(source, name)
        if name in _ABSENT_NAMES and self.__name__ in (ALIAS, f"{ALIAS}.tool"):
            return _absent(name, _ABSENT_NAMES[name])
        if f"{ALIAS}.{name}" in _ABSENT_MODULES and self.__name__ == ALIAS:
            return import_module(f"{ALIAS}.{name}")
        raise AttributeError(_missing_message(self.__name__, name))


class _AbsentModule(ModuleType):
    """A module of the SDK for something that this package does not have: its names can be imported, not used."""

    def __init__(self, name: str, feature: str) -> None:
        super().__init__(name)
        self._feature = feature

    def __getattr__(self, name: str) -> object:
        if name.startswith("_"):
            raise AttributeError(name)
        value = _absent(name, self._feature)
        self.__dict__[name] = value
        return value


def _absent(name: str, feature: str) -> type:
    """Return a class in place of a name that this package does not have, for annotations and base classes."""

    def refuse(cls: type, *args: object, **options: object) -> object:
        # The alias is in force before anything else is imported.
        from agentctl.errors import UserError

        raise UserError(f"agentctl has no {feature}, which {name} of the Agents SDK is for")

    return type(name, (), {"__new__": refuse, "__class_getitem__": classmethod(lambda cls, item: cls)})


_FUNCTIONS_AND_MODULES = frozenset({"apply_diff", "responses_websocket_session"})


class _Loader:
    """The loader of the modules of the alias."""

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        feature = _absent_feature(spec.name)
        return _Alias(spec.name) if feature is None else _AbsentModule(spec.name, feature)

    def exec_module(self, module: ModuleType) -> None:
        if isinstance(module, _Alias):
            module.__dict__["__all__"] = _names(module.__name__)
            # Names that cost no import are there at once, for code that walks over the module.
            *sources, facade = _sources(module.__name__)
            for name in _public_names(facade):
                source = next((vars(one) for one in sources if name in vars(one)), {})
                if name in source and f"{module.__name__}.{name}" not in _RENAMED:
                    module.__dict__[name] = source[name]


class _Finder:
    """The finder for `agents` and its modules; a missing module raises an error that explains the alias."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        parent, _, name = fullname.rpartition(".")
        if fullname == ALIAS:
            return self._spec_of_alias()
        if not isinstance(sys.modules.get(parent), _Alias | _AbsentModule):
            return None
        if fullname in _MODULES or _absent_feature(fullname) is not None:
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


def _absent_feature(module: str) -> str | None:
    """Return what a module of the SDK, or one above it, is for, if this package does not have it."""
    while module:
        if module in _ABSENT_MODULES:
            return _ABSENT_MODULES[module]
        module = module.rpartition(".")[0]
    return None


def _is_sdk(found: ModuleSpec) -> bool:
    """Return whether a package `agents` is the Agents SDK's, by the metadata that its installer left beside it."""
    if found.origin is None:
        return False
    return any(Path(found.origin).parent.parent.glob("openai_agents-*.dist-info"))


def _sources(name: str) -> list[ModuleType]:
    return [import_module(module) for module in (*_MODULES[name], _FACADE)]


def _public_names(module: ModuleType) -> list[str]:
    given: list[str] | None = getattr(module, "__all__", None)
    names = vars(module) if given is None else given
    return [name for name in names if not name.startswith("_") or name == "__version__"]


def _names(name: str) -> list[str]:
    """Return the names for `from … import *` and for suggestions."""
    renamed = {place.rpartition(".")[2] for place in _RENAMED if place.rpartition(".")[0] == name}
    sources = _sources(name)[-1 if name == ALIAS else 0 :]
    return sorted(renamed.union(*map(_public_names, sources)))


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
