"""The composition root: what the user decided becomes an agent, a provider and a run, read as a stream of events."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from dataclasses import field, replace
from typing import TYPE_CHECKING, Any, TypeAlias, assert_never

from agentctl._dataclass import dataclass
from agentctl.agent.agent import Agent
from agentctl.agent.events import AgentUpdatedStreamEvent, RunEvent, RunFinished, RunStarted, Warned
from agentctl.agent.model_settings import ModelSettings
from agentctl.agent.ports import Model
from agentctl.agent.usage import Usage
from agentctl.agent.wire import JSONValue, WireItem
from agentctl.definitions.reachable import reachable_agents
from agentctl.definitions.reference import load_agent
from agentctl.definitions.trace_processors import load_processors
from agentctl.errors import AgentsException, ApprovalMissing, ConfigurationError, RunTimeoutError
from agentctl.mcp.attachment import Attachment
from agentctl.models.default_model import get_default_model
from agentctl.models.multi_provider import MultiProvider
from agentctl.net.defaults import (
    get_defaults,
    set_default_ca_file,
    set_default_openai_key,
    set_tracing_export_api_key,
)
from agentctl.net.endpoint import NO_KEY, OPENAI_BASE_URL, Endpoint, origin_of
from agentctl.net.options import HttpOptions
from agentctl.profile.credentials import Credential, Key, KeyFromCommand, KeyFromKeyring, check_websocket_origin
from agentctl.profile.key_command import KeyCommand
from agentctl.profile.keyring import KeyringKey, fetch
from agentctl.profile.load import Loaded, find_key
from agentctl.profile.resolve import BUILT_IN, FLAG, ClientSettings, Settings
from agentctl.profile.trace_export import TraceExport
from agentctl.profile.traces import Traces, is_openais, traces_in_force
from agentctl.run.call import model_name
from agentctl.run.config import RunConfig
from agentctl.run.preview import preview_request
from agentctl.run.result import RunResultStreaming
from agentctl.run.runner import Runner
from agentctl.tracing.process import add_trace_processor, set_default_processor, set_tracing_disabled

if TYPE_CHECKING:
    from agentctl.agent.session import Session
    from agentctl.models.transport import Transport
    from agentctl.net.key_source import KeySource
    from agentctl.run.state import RunState

Decide: TypeAlias = "Callable[[RunState], Awaitable[AgentsException | None]]"
"""Approves or rejects all calls that wait in a state, or returns why the run ends."""

LOCAL_MODEL = "local/smollm2"
"""The model that answers where there is no key and nobody named a model."""

GRACE = 2.0
"""Seconds that what was cancelled is given to end, before it is abandoned."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """A run, ready to begin."""

    agent: Agent[Any]
    prompt: str | list[WireItem] | RunState
    """What it begins with, or the state that it goes on from."""
    config: RunConfig
    max_turns: int
    timeout: float | None
    """Seconds."""
    traces: Traces
    export: TraceExport
    """The way of its traces to OpenAI."""
    session: Session | None = None
    """The conversation that it goes on from, and is kept in."""
    notes: tuple[str, ...] = ()
    """What the user should be told before it begins."""
    servers: Attachment = field(default_factory=Attachment)
    """The MCP servers of its agents."""
    decide: Decide | None = None
    """Decides about calls that need approval; None approves none."""


@dataclass(slots=True)
class Stop:
    """The one button that ends a run early, whoever presses it: a signal, a timer, a reader that went away."""

    reason: AgentsException | None = None
    pressed: asyncio.Event = field(default_factory=asyncio.Event)

    def press(self, reason: AgentsException) -> None:
        """End the run for this reason; the first one counts."""
        if self.reason is None:
            self.reason = reason
            self.pressed.set()


def prepare(
    prompt: str,
    loaded: Loaded,
    *,
    instructions: str | None,
    environ: Mapping[str, str],
    is_interactive: bool,
    is_conversation: bool = False,
) -> Job:
    """Put a run together; agent code is imported here.

    `is_interactive`: somebody watches, so that without a key the local model may step in. `is_conversation`: further
    runs follow over the same connections.

    Raises:
        ConfigurationError: the agent does not load, or a file or setting is wrong.
    """
    settings = loaded.settings
    key = find_key(loaded, environ)
    traces = traces_in_force(loaded, environ)
    export = TraceExport.of(settings.client, has_key=traces.key is not None)
    set_default_processor(export)
    if traces.is_enabled and traces.decided_by != BUILT_IN:
        set_tracing_disabled(False)
    notes = [*loaded.notes, *key.notes, *_set_default_keys(key.credential, traces.key, settings, environ)]
    set_default_ca_file(settings.client.ca_file)
    agent = _agent(settings, loaded, instructions)
    if not traces.is_enabled:
        set_tracing_disabled(True)  # Whatever the agent's code says.
    default_model = settings.model
    if key.credential is None and agent.model is None and is_interactive and _local_model_is_ready(environ):
        default_model = LOCAL_MODEL
        agent = agent.clone(model=LOCAL_MODEL)
        notes.append(f"there is no key, so {LOCAL_MODEL} answers; `agentctl config set-key` stores one")
    export.default_model = default_model
    can_call = bool(agent.tools or agent.handoffs or agent.mcp_servers)
    takes_turns = is_conversation or (can_call and settings.max_turns > 1)
    return Job(
        agent=agent,
        prompt=prompt,
        config=RunConfig(
            model=settings.model if _is_said(settings, "model") else None,
            model_provider=_provider(
                settings,
                key.credential,
                environ,
                default_model=default_model,
                takes_turns=takes_turns,
                serves_traces=key.credential is not None and key.credential == traces.key,
            ),
            model_settings=_model_settings(settings, said=True),
            tracing_disabled=not traces.is_enabled,
            max_tokens_total=settings.max_tokens_total,
        ),
        max_turns=settings.max_turns,
        timeout=settings.timeout,
        traces=traces,
        export=export,
        notes=tuple(notes),
    )


def begin_tracing(job: Job) -> None:
    """Make the processors of traces that the user named, once, before the first run of a job.

    Raises:
        ConfigurationError: one cannot be made.
    """
    if job.traces.is_enabled:
        for processor in load_processors(job.traces.processors):
            add_trace_processor(processor)


def check_conversation(job: Job, loaded: Loaded, environ: Mapping[str, str]) -> None:
    """Refuse a conversation of which no turn could begin.

    Raises:
        ConfigurationError: nobody serves the model.
        MissingKeyError: the endpoint has no key, and the model is one of its.
    """
    model = _wanted_model(job)
    if isinstance(model, Model):
        return
    job.config.model_provider.get_model(model)
    if _is_of_endpoint(model) and get_defaults().openai_client is None:
        endpoint = endpoint_in_force(loaded, environ)
        if endpoint.key is None:
            endpoint.headers_for(endpoint.base_url)


def model_in_force(job: Job) -> str:
    """Return the name of the model that answers first."""
    model = _wanted_model(job)
    return model_name(model) if isinstance(model, Model) else model or get_default_model()


def with_model(job: Job, name: str) -> Job:
    """Return the job with another model for every agent, over the same provider.

    Raises:
        ConfigurationError: nobody serves it.
    """
    job.config.model_provider.get_model(name)
    return replace(job, config=replace(job.config, model=name))


def with_agent(job: Job, loaded: Loaded, environ: Mapping[str, str]) -> Job:
    """Return the job with the agent that `loaded` names, over the same provider.

    Raises:
        ConfigurationError: the agent does not load.
    """
    agent = _agent(loaded.settings, loaded, None)
    if agent.model is None and find_key(loaded, environ).credential is None and _local_model_is_ready(environ):
        agent = agent.clone(model=LOCAL_MODEL)
    return replace(job, agent=agent)


async def perform(job: Job, stop: Stop) -> AsyncGenerator[RunEvent]:
    """Run a job and yield all that happens; `RunFinished` comes last, whatever ends the run.

    Where calls wait for approval, `job.decide` decides, and what follows is the same run. The connections stay open:
    `close` is for whoever has the job.
    """
    for note in job.notes:
        yield Warned(message=note)
    job.export.is_open = job.traces.is_enabled and _is_answered_by_openai(job)
    try:
        await job.servers.attach(job.agent)
    except Exception as error:
        yield not_begun(error)
        return
    loop = asyncio.get_running_loop()
    timer = loop.call_later(job.timeout, stop.press, RunTimeoutError(job.timeout)) if job.timeout else None
    given, goes_on = job.prompt, False
    try:
        end = None if isinstance(given, str | list) else await _refused(job, given, stop)
        while end is None:
            result = Runner.run_streamed(
                job.agent, given, max_turns=job.max_turns, run_config=job.config, session=job.session
            )
            async with contextlib.aclosing(_piece(result, stop, goes_on=goes_on)) as events:
                async for event in events:
                    if isinstance(event, RunFinished):
                        end = event
                    else:
                        yield event
            assert end is not None
            if end.interruptions and end.error is None:
                given, goes_on = result.to_state(), True
                end = await _refused(job, given, stop, end)
        yield end
    finally:
        if timer is not None:
            timer.cancel()


async def close(job: Job) -> None:
    """Let go of the connections of a job, and of all that share its provider or its servers."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(GRACE):
            await asyncio.gather(job.config.model_provider.aclose(), job.servers.close())


async def preview(job: Job) -> dict[str, JSONValue]:
    """Return the request that a job would begin with; nothing is sent."""
    assert isinstance(job.prompt, str | list)
    try:
        await job.servers.attach(job.agent)
        return await preview_request(job.agent, job.prompt, run_config=job.config, session=job.session)
    finally:
        await close(job)


def endpoint_in_force(loaded: Loaded, environ: Mapping[str, str]) -> Endpoint:
    """Return where requests go, with the key that may be sent there, where there is one."""
    client = loaded.settings.client
    return Endpoint(
        base_url=client.base_url,
        key=_sendable(find_key(loaded, environ).credential, environ),
        organization=client.organization,
        project=client.project,
    )


def http_options(client: ClientSettings) -> HttpOptions:
    """Return how patient the requests are, and whom they trust, as the user decided."""
    return HttpOptions(request_timeout=client.request_timeout, max_retries=client.retries, ca_file=client.ca_file)


def not_begun(error: Exception) -> RunFinished:
    """Return the last event of a run that failed before it began."""
    return RunFinished(final_output=None, agent=None, usage=Usage(), response_id=None, error=error)


async def _piece(result: RunResultStreaming, stop: Stop, *, goes_on: bool) -> AsyncGenerator[RunEvent]:
    """Yield the events of a run, or of one that goes on, which does not begin again."""

    async def cancel_when_pressed() -> None:
        await stop.pressed.wait()
        result.cancel(reason=stop.reason)

    watcher = asyncio.get_running_loop().create_task(cancel_when_pressed())
    is_head = goes_on
    try:
        async for event in result.run_events():
            is_head = is_head and isinstance(event, RunStarted | AgentUpdatedStreamEvent)
            if not is_head:
                yield event
    finally:
        watcher.cancel()
        await asyncio.wait({result.run_loop_task}, timeout=GRACE)


async def _refused(job: Job, state: RunState, stop: Stop, end: RunFinished | None = None) -> RunFinished | None:
    """Have the calls that wait decided about; return the end of a run that does not go on, None of one that does."""
    error: Exception | None
    loop = asyncio.get_running_loop()
    deciding = loop.create_task(_decision(job, state))
    pressed = loop.create_task(stop.pressed.wait())
    try:
        await asyncio.wait({deciding, pressed}, return_when=asyncio.FIRST_COMPLETED)
        error = stop.reason or deciding.result()
    except Exception as raised:  # A ticket that cannot be written, for instance.
        error = raised
    finally:
        deciding.cancel()
        pressed.cancel()
        await asyncio.wait({deciding, pressed}, timeout=GRACE)
    if error is None:
        return None
    return not_begun(error) if end is None else replace(end, error=error)


async def _decision(job: Job, state: RunState) -> AgentsException | None:
    return ApprovalMissing(state.get_interruptions()) if job.decide is None else await job.decide(state)


def _wanted_model(job: Job) -> str | Model | None:
    return job.config.model if job.config.model is not None else job.agent.model


def _is_answered_by_openai(job: Job) -> bool:
    """Say whether OpenAI's own service answers all of a run, as far as can be told: not for a model made in code."""
    said = job.config.model
    models = [said] if said is not None else [agent.model for agent in reachable_agents(job.agent)]
    default = job.export.default_model
    if any(isinstance(model, Model) or not _is_of_endpoint(model or default) for model in models):
        return False
    client = get_defaults().openai_client
    return is_openais(job.export.base_url if client is None else str(client.base_url))


def _is_of_endpoint(model: str | None) -> bool:
    return model is None or "/" not in model or model.startswith("openai/")


def _set_default_keys(
    key: Key | None, tracing_key: Key | None, settings: Settings, environ: Mapping[str, str]
) -> tuple[str, ...]:
    """Make the user's keys the defaults of the process, and return what the user should be told.

    Code of an agent that sets defaults of its own comes later, and has the last word.
    """
    if isinstance(key, Credential) and key.value != NO_KEY:
        theirs = {origin_of(url) for url in (OPENAI_BASE_URL, environ.get("OPENAI_BASE_URL", "").strip()) if url}
        # Where a default key counts, this one must be for: not more than the user said.
        if theirs <= (key.origins or {origin_of(settings.client.base_url)}):
            set_default_openai_key(key.value, use_for_tracing=key == tracing_key)
    match tracing_key:
        case Credential(value=value):
            set_tracing_export_api_key(value)
        case KeyFromKeyring(entry=entry) if tracing_key != key:
            try:
                set_tracing_export_api_key(fetch(entry))
            except ConfigurationError as error:
                return (f"traces are not exported: {error}",)
    return ()


def _provider(
    settings: Settings,
    key: Key | None,
    environ: Mapping[str, str],
    *,
    default_model: str | None,
    takes_turns: bool,
    serves_traces: bool,
) -> MultiProvider:
    """Return what finds the models of a run. A client or default that the agent's own code has set counts as said."""
    client = settings.client
    transport = _transport(settings, takes_turns=takes_turns)
    uses_responses = settings.api == "responses" if _is_chosen(settings, "api") else None
    if get_defaults().openai_client is not None:
        return _Provider(default_model, openai_use_responses=uses_responses, responses_transport=transport)
    if transport != "http":
        check_websocket_origin(key, base_url=client.base_url, websocket_base_url=client.websocket_base_url)
    sendable = _sendable(key, environ)
    if serves_traces and sendable is not None and not isinstance(sendable, str):
        sendable = _AlsoForTraces(sendable)
    return _Provider(
        default_model,
        openai_api_key=sendable,
        openai_base_url=client.base_url,
        openai_organization=client.organization,
        openai_project=client.project,
        openai_use_responses=uses_responses,
        openai_websocket_base_url=client.websocket_base_url,
        responses_transport=transport,
        openai_http_options=http_options(client),
    )


def _transport(settings: Settings, *, takes_turns: bool) -> Transport:
    """Return the transport of a run: what was chosen, or what is quicker for it where that is left to us."""
    client, defaults = settings.client, get_defaults()
    if (settings.api if _is_chosen(settings, "api") else defaults.openai_api) == "chat_completions":
        if settings.transport == "websocket":
            raise ConfigurationError(
                "chat_completions has no websocket: choose `auto` or `http`, or the API `responses`", key="transport"
            )
        return "http"
    if settings.transport != "auto":
        return settings.transport
    if defaults.responses_transport == "websocket" and not _is_chosen(settings, "transport"):
        return "websocket"
    if defaults.openai_client is not None:
        return "http"
    has_sockets = client.websocket_base_url is not None or origin_of(client.base_url) == origin_of(OPENAI_BASE_URL)
    # A run that can take only one turn is quicker over HTTP, by a round trip.
    return "auto" if has_sockets and takes_turns else "http"


def _sendable(key: Key | None, environ: Mapping[str, str]) -> str | KeySource | None:
    """Return the key as an endpoint takes it; a program is run, and the keyring asked, once a request needs it."""
    match key:
        case None:
            return None
        case Credential(value=value):
            return value
        case KeyFromCommand(command=command):
            return KeyCommand(command, environ)
        case KeyFromKeyring(entry=entry):
            return KeyringKey(entry)
        case _:
            assert_never(key)


class _Provider(MultiProvider):
    """Finds the models of a run; an agent that names none, whoever hands over to it, has the user's default."""

    def __init__(self, default_model: str | None, **options: Any) -> None:
        super().__init__(**options)
        self._default_model = default_model

    def get_model(self, model_name: str | None) -> Model:
        return super().get_model(model_name or self._default_model)


@dataclass(frozen=True, slots=True)
class _AlsoForTraces:
    """A source of keys with which traces are exported too, once a request has asked for one."""

    source: KeySource

    async def key(self) -> str:
        key = await self.source.key()
        set_tracing_export_api_key(key)
        return key

    async def refresh(self, refused: str) -> str | None:
        key = await self.source.refresh(refused)
        if key is not None:
            set_tracing_export_api_key(key)
        return key


def _local_model_is_ready(environ: Mapping[str, str]) -> bool:
    # 10 ms that only a run without key and model costs.
    from agentctl.models.local.weights import smollm2_ready

    return smollm2_ready(environ)


def _agent(settings: Settings, loaded: Loaded, instructions: str | None) -> Agent[Any]:
    """Return the agent to run: the one that was named, with the user's defaults where it says nothing itself."""
    agent = load_agent(settings.agent, loaded) if settings.agent else Agent(name="assistant")
    changes: dict[str, Any] = {"model_settings": _model_settings(settings, said=False).resolve(agent.model_settings)}
    if agent.model is None:
        changes["model"] = settings.model
    if instructions is not None:
        changes["instructions"] = instructions
    return agent.clone(**changes)


def _model_settings(settings: Settings, *, said: bool) -> ModelSettings:
    """Return the model settings that were given for this run, which go over the agent's, or those that are defaults."""
    names = {
        name.split(".")[1]
        for name in settings.values
        if name.startswith("settings.") and _is_said(settings, name) == said
    }
    return ModelSettings(**{name: value for name, value in settings.model_settings.items() if name in names})


def _is_chosen(settings: Settings, name: str) -> bool:
    """Say whether the user decided a value, anywhere."""
    return settings.values[name].origin != BUILT_IN


def _is_said(settings: Settings, name: str) -> bool:
    """Say whether a value was given for this run, by a flag or an `AGENTCTL_*` variable, and is no default."""
    value = settings.values.get(name)
    return value is not None and (value.origin == FLAG or value.origin.startswith("AGENTCTL_"))
