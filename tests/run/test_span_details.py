"""What spans know beyond the traces API: endpoint, transport, first token, retries, approvals, processes."""

import asyncio
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from agentctl import (
    Agent,
    ModelInputData,
    ModelRetryBackoffSettings,
    ModelRetrySettings,
    ModelSettings,
    RunConfig,
    Runner,
    RunState,
    ShellTool,
    function_tool,
    retry_policies,
)
from agentctl.errors import IncompleteStreamError, ServiceUnavailableError
from agentctl.extensions.local_shell import LocalShell
from agentctl.models.openai_provider import OpenAIProvider
from agentctl.testing import ScriptedModel, function_call
from agentctl.traces.stored import StoredSpan
from tests.service.client import Service
from tests.service.steps import http_error, text, tool_calls
from tests.tracing.recorder import Recorder, recording


@pytest.fixture
def recorder(home: object) -> Iterator[Recorder]:
    """The one processor that is told."""
    with recording() as recorder:
        yield recorder


def spans(recorder: Recorder, kind: str) -> list[Any]:
    return [span for span in recorder.spans if span.span_data.type == kind]


@function_tool
def half(number: int) -> int:
    """Halve a number."""
    return number // 2


def run_at(service: Service, **options: Any) -> None:
    async def scenario() -> None:
        provider = OpenAIProvider(api_key="sk-canary-1234567890", base_url=service.base_url, **options)
        agent: Agent[Any] = Agent(name="a", model="gpt-x", tools=[half])
        result = Runner.run_streamed(agent, "Hi", run_config=RunConfig(model_provider=provider))
        async for _ in result.stream_events():
            pass
        await provider.aclose()

    asyncio.run(scenario())


def test_a_model_call_names_model_endpoint_first_token_and_retries(service: Service, recorder: Recorder) -> None:
    service.script(http_error(503), text("one two", delay=0.01))
    run_at(service)
    (call,) = spans(recorder, "response")
    details = call.details
    assert details["model"] == "gpt-x"
    assert details["endpoint"] == service.base_url
    assert details["transport"] == "http"
    assert details["first_token_seconds"] > 0
    (retry,) = details["retries"]
    assert retry["attempt"] == 1
    assert retry["delay"] > 0
    assert retry["error"] == "ServiceUnavailableError"
    exported = call.export()
    assert exported is not None
    assert set(exported["span_data"]) == {"type", "response_id", "usage"}


def test_a_call_over_a_websocket_says_what_was_sent(service: Service, recorder: Recorder) -> None:
    service.script(tool_calls(("half", {"number": 4})), text("two"))
    run_at(service, use_responses_websocket=True)
    first, second = (span.details for span in spans(recorder, "response"))
    assert first["transport"] == second["transport"] == "websocket"
    assert (first["websocket"]["opened"], first["websocket"]["full"]) == (1, 1)
    assert (second["websocket"]["reused"], second["websocket"]["delta"]) == (1, 1)


@pytest.mark.parametrize("is_elsewhere", [False, True])
def test_the_wait_for_an_approval_is_a_span(recorder: Recorder, is_elsewhere: bool) -> None:
    @function_tool(needs_approval=True)
    def note(word: str) -> str:
        """Note a word."""
        return word

    async def scenario() -> None:
        model = ScriptedModel([[function_call("note", {"word": "x"}, call_id="c1")], "done"], emit_traces=True)
        agent: Agent[Any] = Agent(name="a", model=model, tools=[note])
        paused = await Runner.run(agent, "Hi")
        state = paused.to_state()
        await asyncio.sleep(0.05)
        if is_elsewhere:
            state = await RunState.from_json(agent, json.loads(state.to_string()))
        state.approve(state.get_interruptions()[0])
        assert (await Runner.run(agent, state)).final_output == "done"

    asyncio.run(scenario())
    (approval,) = [span for span in spans(recorder, "custom") if span.span_data.name == "approval"]
    assert approval.span_data.data == {"tool": "note", "call_id": "c1"}
    assert approval.details == {"approved": True}
    assert approval._ended_at - approval._started_at >= 0.05
    started = {span.span_id: span.started_at for span in recorder.spans}
    assert all(started[span.parent_id] <= span.started_at for span in recorder.spans if span.parent_id is not None)
    assert len({span.trace_id for span in recorder.spans}) == 1


def test_a_generation_that_was_cut_counts_as_a_request_without_known_tokens(recorder: Recorder) -> None:
    model = ScriptedModel([IncompleteStreamError("cut"), "ok"], emit_traces=True)
    agent: Agent[Any] = Agent(name="a", model=model)
    with pytest.raises(IncompleteStreamError):
        Runner.run_sync(agent, "Hi")
    Runner.run_sync(agent, "Hi")
    cut, whole = spans(recorder, "generation")
    assert (cut.span_data.usage["requests"], cut.span_data.usage["total_tokens"]) == (1, 0)
    assert whole.span_data.usage["requests"] == 1
    kept = StoredSpan(
        id="s", parent_id=None, kind="model", name="m", started=1.0, ended=2.0, data=cut.span_data.export(),
        error=cut.error,
    )  # fmt: skip
    assert not kept.has_usage
    assert replace(kept, error=None).has_usage


@pytest.mark.parametrize("has_data", [False, True])
def test_an_error_of_an_input_filter_is_one_of_the_turn(recorder: Recorder, has_data: bool) -> None:
    def fail(_: object) -> ModelInputData:
        raise ValueError("secret")

    config = RunConfig(call_model_input_filter=fail, trace_include_sensitive_data=has_data)
    with pytest.raises(ValueError, match="secret"):
        Runner.run_sync(Agent(name="a", model=ScriptedModel()), "Hi", run_config=config)
    (turn,) = [span for span in recorder.spans if span.span_data.type == "turn"]
    data = {"error": "secret"} if has_data else None
    assert turn.error == {"message": "Error in call_model_input_filter", "data": data}


def test_the_wait_before_a_retry_is_a_span(recorder: Recorder) -> None:
    backoff = ModelRetryBackoffSettings(initial_delay=0.05, jitter=False)
    settings = ModelRetrySettings(max_retries=1, backoff=backoff, policy=retry_policies.http_status([503]))
    model = ScriptedModel([ServiceUnavailableError("busy", status=503), "ok"], emit_traces=True)
    agent: Agent[Any] = Agent(name="a", model=model, model_settings=ModelSettings(retry=settings))
    asyncio.run(Runner.run(agent, "Hi"))
    failed, answered = spans(recorder, "generation")
    wait: Any
    (wait,) = [span for span in spans(recorder, "custom") if span.span_data.name == "retry"]
    assert wait.span_data.data == {"attempt": 1, "max_retries": 1, "error": "ServiceUnavailableError"}
    assert failed.error is not None
    times = [failed._ended_at, wait._started_at, wait._ended_at, answered._started_at]
    assert times == sorted(times)
    assert wait._ended_at - wait._started_at >= 0.04


def test_the_process_of_a_tool_is_a_span_in_the_call(recorder: Recorder, home: Path) -> None:
    call = {
        "type": "shell_call",
        "id": "sh_1",
        "call_id": "c1",
        "status": "completed",
        "action": {"commands": ["exit 3"], "timeout_ms": None, "max_output_length": None},
    }
    model = ScriptedModel([[call], "done"], emit_traces=True)
    agent: Agent[Any] = Agent(name="a", model=model, tools=[ShellTool(LocalShell(home))])
    asyncio.run(Runner.run(agent, "Hi"))
    (process,) = [span for span in spans(recorder, "custom") if span.span_data.name == "process"]
    (tool,) = spans(recorder, "function")
    assert process.parent_id == tool.span_id
    assert process.span_data.data["exit_code"] == 3
    assert process.span_data.data["pid"] > 0
