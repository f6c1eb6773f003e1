"""Preparation of runs: settings become an agent, a provider and a run configuration."""

from __future__ import annotations

import contextlib
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import field, replace
from typing import TYPE_CHECKING, Any, TypeAlias

from agentctl._dataclass import dataclass
from agentctl.agent.agent import Agent, has_default_settings
from agentctl.agent.default_model import get_default_model
from agentctl.agent.model_settings import ModelSettings
from agentctl.agent.ports import Model
from agentctl.agent.run_config import RunConfig, includes_sensitive_data
from agentctl.agent.wire import WireItem
from agentctl.child_groups import adopt_orphans
from agentctl.definitions.reachable import reachable_agents
from agentctl.errors import AgentsException, ConfigurationError, OptionError
from agentctl.mcp.attachment import Attachment
from agentctl.net.defaults import get_defaults, set_default_ca_file
from agentctl.prices.prices import Prices
from agentctl.profile.credentials import Key
from agentctl.profile.keys import NO_BUDGET
from agentctl.profile.load import NO_HOME, Loaded, find_key, read_credentials
from agentctl.profile.resolve import BUILT_IN, Settings
from agentctl.profile.trace_export import TraceExport
from agentctl.profile.traces import Traces, effective_traces
from agentctl.run.call import model_name
from agentctl.tracing.process import set_default_processor, set_tracing_disabled

from .provider import is_endpoint_model, make_endpoint, make_provider, set_default_keys
from .trace_store import TraceStore
from .variables import fill

if TYPE_CHECKING:
    from pathlib import Path

    from agentctl.agent.items.run_items import ToolApprovalItem
    from agentctl.agent.mcp.server import MCPServer
    from agentctl.agent.output import AgentOutputSchemaBase
    from agentctl.budgets.limiter import SpendingLimiter
    from agentctl.budgets.store import BudgetStore
    from agentctl.memory.sqlite_session import SQLiteSession
    from agentctl.run.state.run_state import RunState

    from .cassette import JobTape

Decide: TypeAlias = "Callable[[RunState], Awaitable[AgentsException | None]]"
"""Approves or rejects all pending calls of a state, or returns the error that ends the run."""

LOCAL_MODEL = "local/smollm2"
"""The fallback model without a key and a chosen model."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """A run, ready to start."""

    loaded: Loaded
    """The settings and their sources."""
    agent: Agent[Any]
    prompt: str | list[WireItem] | RunState
    """The input of the run, or the state to resume from."""
    config: RunConfig
    max_turns: int
    timeout: float | None
    """Seconds."""
    traces: Traces
    export: TraceExport
    """The export of its traces to OpenAI."""
    trace_store: TraceStore
    """Its traces on this machine."""
    prices: Prices
    """The prices of its model calls."""
    output_schema: AgentOutputSchemaBase | None = None
    """The schema of the final output, given for this run."""
    limiter: SpendingLimiter | None = None
    """Limits the cost of its model calls."""
    key: Key | None = None
    """The key that may be sent to the endpoint, if any."""
    session: SQLiteSession | None = None
    """The session that it continues and is saved in."""
    notes: tuple[str, ...] = ()
    """Notes to show before it starts."""
    servers: Attachment = field(default_factory=Attachment)
    """The MCP servers of its agents."""
    added_servers: tuple[MCPServer, ...] = ()
    """The MCP servers that its agent has in addition to its own."""
    decide: Decide | None = None
    """The callback for calls that need approval; without one, the run ends with `ApprovalMissing`."""
    is_decided: Callable[[ToolApprovalItem], bool] | None = None
    """Whether a rule decides about a call, so that it does not wait."""
    decided_by: Callable[[ToolApprovalItem], str] | None = None
    """Returns who decides about a call: a rule, the user or the policy."""
    tape: JobTape | None = None
    """The cassette in which the run is recorded, or from which it is replayed."""


def prepare(
    prompt: str | list[WireItem],
    loaded: Loaded,
    *,
    instructions: str | None,
    environ: Mapping[str, str],
    is_interactive: bool,
    is_conversation: bool = False,
    variables: Mapping[str, str] | None = None,
    output_schema: AgentOutputSchemaBase | None = None,
    mcp_config: Sequence[Path] = (),
    tape: JobTape | None = None,
    on_command_key: Callable[[str], None] | None = None,
) -> Job:
    """Return the job for a prompt; imports the agent's code.

    `is_interactive` allows the local model as a fallback without a key. `is_conversation` means that more runs follow
    over the same connections. `variables` fill the placeholders in the instructions of agents, other than in
    `instructions`. `output_schema` is that of the final output. `mcp_config` are files with MCP servers for the agent.
    `tape` records the run or replays it. `on_command_key` is called with each key of a `key_command`.

    Raises:
        ConfigurationError: the agent does not load, or a file or setting is invalid.
        OptionError: a placeholder has no value, or an agent has an output type of its own.
    """
    settings = loaded.settings
    credentials = read_credentials(loaded)
    key = find_key(loaded, environ, credentials)
    traces = effective_traces(loaded, environ, credentials)
    export = TraceExport.of(settings.client, has_key=traces.key is not None)
    set_default_processor(export)
    if traces.is_enabled and traces.decided_by != BUILT_IN:
        set_tracing_disabled(False)
    _check_local_model(loaded)
    notes = [*loaded.notes, *key.notes, *set_default_keys(key.credential, traces.key, settings, environ)]
    set_default_ca_file(settings.client.ca_file)
    agent, max_turns = _agent(settings, loaded, instructions, variables)
    if output_schema is not None:
        _set_output_schema(agent, output_schema)
    added_servers = _added_servers(mcp_config, environ, notes)
    agent = _with_servers(agent, added_servers)
    if settings.agent:
        from agentctl.definitions.reference import import_notes

        notes += import_notes(settings.agent, loaded)
    if not traces.is_enabled:
        set_tracing_disabled(True)  # Overrides the agent's code.
    default_model = settings.model
    may_fall_back = is_interactive and (tape is None or tape.player is None)
    if key.credential is None and agent.model is None and may_fall_back and _local_model_is_ready(environ):
        default_model = LOCAL_MODEL
        agent = agent.clone(model=LOCAL_MODEL)
        notes.append(f"no key is set, so {LOCAL_MODEL} answers; store a key with `agentctl config set-key`")
    export.default_model = default_model
    includes = settings.trace.include_data
    prices = Prices(settings.prices, None if loaded.paths.folders is None else loaded.paths.folders.state)
    can_call = bool(agent.tools or agent.handoffs or agent.mcp_servers)
    is_multi_turn = is_conversation or (can_call and max_turns > 1)
    return Job(
        loaded=loaded,
        agent=agent,
        prompt=prompt,
        config=RunConfig(
            model=settings.model if settings.is_explicit("model") else None,
            model_provider=make_provider(
                settings,
                key.credential,
                environ,
                default_model=default_model,
                is_multi_turn=is_multi_turn,
                use_for_tracing=key.credential is not None and key.credential == traces.key,
                folders=loaded.paths.folders,
                on_command_key=on_command_key,
            ),
            model_settings=_model_settings(settings, explicit=True),
            tracing_disabled=not traces.is_enabled,
            trace_include_sensitive_data=includes_sensitive_data() if includes is None else includes,
            max_tokens_total=settings.max_tokens_total,
            max_tool_calls=settings.max_tool_calls,
        ),
        max_turns=max_turns,
        timeout=settings.timeout,
        traces=traces,
        export=export,
        trace_store=TraceStore.of(settings.trace, loaded.paths.folders),
        prices=prices,
        limiter=None if tape is not None and tape.is_offline else _limiter(settings, prices, loaded),
        key=key.credential,
        added_servers=added_servers,
        output_schema=output_schema,
        notes=tuple(notes),
        tape=tape,
    )


@contextlib.contextmanager
def noting_causes(loaded: Loaded) -> Iterator[None]:
    """Add a note to an error that is raised inside, for each setting that it is about."""
    try:
        yield
    except AgentsException as error:
        from .causes import note_causes  # 2 ms, needed only after an error.

        note_causes(error, loaded)
        raise


def check_conversation(job: Job, loaded: Loaded, environ: Mapping[str, str]) -> None:
    """Check that the first run of a conversation can start.

    Raises:
        ConfigurationError: no provider serves the model.
        MissingKeyError: the endpoint serves the model, but there is no key for it.
    """
    model = _first_model(job)
    if isinstance(model, Model):
        return
    job.config.model_provider.get_model(model)
    if is_endpoint_model(model) and get_defaults().openai_client is None and job.key is None:
        endpoint = make_endpoint(loaded.settings.client, None, environ)
        endpoint.headers_for(endpoint.base_url)


def effective_model(job: Job) -> str:
    """Return the name of the model that the run starts with."""
    model = _first_model(job)
    return model_name(model) if isinstance(model, Model) else model or get_default_model()


def with_model(job: Job, name: str) -> Job:
    """Return the job with another model for all agents, over the same provider.

    Raises:
        ConfigurationError: no provider serves it.
    """
    job.config.model_provider.get_model(name)
    return replace(job, config=replace(job.config, model=name))


def with_agent(job: Job, loaded: Loaded, environ: Mapping[str, str], variables: Mapping[str, str]) -> Job:
    """Return the job with the agent that `loaded` names, over the same provider.

    Raises:
        ConfigurationError: the agent does not load.
        OptionError: a placeholder in its instructions has no value in `variables`.
    """
    agent, max_turns = _agent(loaded.settings, loaded, None, variables)
    agent = _with_servers(agent, job.added_servers)
    if agent.model is None and job.key is None and _local_model_is_ready(environ):
        agent = agent.clone(model=LOCAL_MODEL)
    return replace(job, agent=agent, max_turns=max_turns)


def _added_servers(files: Sequence[Path], environ: Mapping[str, str], notes: list[str]) -> tuple[MCPServer, ...]:
    """Return the MCP servers of files that the user named; notes about them are added to `notes`."""
    if not files:
        return ()
    # 30 ms, only for a run with such a file.
    from agentctl.definitions.mcp_config import configured_servers

    configured = [configured_servers(file, environ) for file in files]
    notes += [note for each in configured for note in each.notes]
    adopt_orphans()
    return tuple(server for each in configured for server in each.servers)


def _with_servers(agent: Agent[Any], servers: Sequence[MCPServer]) -> Agent[Any]:
    return agent.clone(mcp_servers=[*agent.mcp_servers, *servers]) if servers else agent


def _check_local_model(loaded: Loaded) -> None:
    """Require trust for a file of weights that a project file names: the runtime that reads it is native code."""
    model = loaded.settings.values.get("model")
    project = loaded.project
    if model is None or project is None or model.origin != str(project.path) or model.value == LOCAL_MODEL:
        return
    if str(model.value).startswith("local/"):
        # 2 ms, only for a project file with a model file.
        from agentctl.profile.trust import require_trust

        require_trust(project, loaded.paths.trust)


def _limiter(settings: Settings, prices: Prices, loaded: Loaded) -> SpendingLimiter | None:
    """Return the limiter of a run with `max_cost` or a budget.

    Raises:
        ConfigurationError: there is no such budget, or no folder for it.
    """
    if settings.max_cost is None and settings.budget in (None, NO_BUDGET):
        return None
    # 10 ms that other runs do not pay.
    from agentctl.budgets.limiter import SpendingLimiter

    return SpendingLimiter(prices, max_cost=settings.max_cost, shared=shared_budgets(loaded), wait=settings.budget_wait)


def shared_budgets(loaded: Loaded) -> list[tuple[BudgetStore, str]]:
    """Return the budget that the settings name, with its store; an empty list if they name none.

    Raises:
        ConfigurationError: there is no such budget, or no folder for it.
    """
    name = loaded.settings.budget
    if name is None or name == NO_BUDGET:
        return []
    if loaded.paths.folders is None:
        raise ConfigurationError(f"there are no budgets: {NO_HOME}")
    # 10 ms that other runs do not pay.
    from agentctl.budgets.sqlite_store import SQLiteBudgets

    store = SQLiteBudgets.of_user(loaded.paths.folders)
    store.find(name)
    return [(store, name)]


def _first_model(job: Job) -> str | Model | None:
    return job.config.model if job.config.model is not None else job.agent.model


def _local_model_is_ready(environ: Mapping[str, str]) -> bool:
    # 10 ms, only for a run without key and model.
    from agentctl.models.local.weights import smollm2_ready

    return smollm2_ready(environ)


def _agent(
    settings: Settings, loaded: Loaded, instructions: str | None, variables: Mapping[str, str] | None
) -> tuple[Agent[Any], int]:
    """Return the agent to run, with the user's settings as defaults for what it leaves open, and its limit of turns.

    The placeholders in its own instructions, and in those of the agents that it reaches, are filled.
    """
    agent: Agent[Any] = Agent(name="assistant", model_settings=ModelSettings())
    max_turns = settings.max_turns
    if settings.agent:
        # 2 ms, only for a named agent.
        from agentctl.definitions.reference import load_definition

        definition = load_definition(settings.agent, loaded)
        agent = definition.agent
        if definition.max_turns is not None and not settings.is_explicit("max_turns"):
            max_turns = definition.max_turns
        if agent.tools or agent.handoffs or agent.mcp_servers:
            adopt_orphans()
        for each in reachable_agents(agent) if variables else ():
            if isinstance(each.instructions, str) and not (each is agent and instructions is not None):
                each.instructions = fill(each.instructions, variables, f"the instructions of agent {each.name!r}")
        definition.complete()
    changes: dict[str, Any] = {}
    defaults = _model_settings(settings, explicit=False)
    if not has_default_settings(agent):
        changes["model_settings"] = defaults.resolve(agent.model_settings)
    elif defaults != ModelSettings():
        changes["model_settings"] = defaults
    if agent.model is None:
        changes["model"] = settings.model
    if instructions is not None:
        changes["instructions"] = instructions
    return agent.clone(**changes), max_turns


def _set_output_schema(agent: Agent[Any], schema: AgentOutputSchemaBase) -> None:
    """Set the output schema of an agent, and of those that may give the final output in its place.

    Raises:
        OptionError: one of them has an output type.
    """
    for each in reachable_agents(agent, as_tools=False):
        if each.output_type not in (None, str):
            raise OptionError(f"agent {each.name!r} has an output type of its own; remove --output-schema")
        each.output_type = schema


def _model_settings(settings: Settings, *, explicit: bool) -> ModelSettings:
    """Return the model settings that are explicit (and override the agent's), or those that are defaults."""
    names = {
        name.split(".")[1]
        for name in settings.values
        if name.startswith("settings.") and settings.is_explicit(name) == explicit
    }
    return ModelSettings(**{name: value for name, value in settings.model_settings.items() if name in names})
