"""Traces and spans: nested by `with`, current where the work is, told to processors, silent where disabled."""

import asyncio
import logging
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from agentctl.redaction import redact
from agentctl.tracing import (
    Span,
    Trace,
    TraceCtxManager,
    add_trace_processor,
    agent_span,
    custom_span,
    flush_traces,
    function_span,
    gen_span_id,
    gen_trace_id,
    get_current_span,
    get_current_trace,
    get_trace_provider,
    set_trace_processors,
    set_trace_provider,
    set_tracing_disabled,
    trace,
)
from agentctl.tracing.provider import DefaultTraceProvider
from tests.tracing.recorder import Recorder, recording


@pytest.fixture(autouse=True)
def recorder(home: object) -> Iterator[Recorder]:
    """The one processor that is told."""
    with recording() as recorder:
        yield recorder


def test_a_trace_and_its_spans_are_told_in_the_order_they_begin_and_end(recorder: Recorder) -> None:
    with trace("workflow"), custom_span("outer"), custom_span("inner"):
        pass
    assert recorder.heard == [
        "trace workflow begins",
        "outer begins",
        "inner begins",
        "inner ends",
        "outer ends",
        "trace workflow ends",
    ]


def test_a_span_is_below_the_span_it_is_made_in_and_the_first_below_the_trace(recorder: Recorder) -> None:
    with trace("workflow") as whole, custom_span("outer") as outer:
        with custom_span("inner") as inner:
            pass
        with custom_span("sibling") as sibling:
            pass
    assert outer.parent_id is None
    assert (inner.parent_id, sibling.parent_id) == (outer.span_id, outer.span_id)
    assert {span.trace_id for span in (outer, inner, sibling)} == {whole.trace_id}


def test_a_parent_that_is_given_counts_more_than_the_current_span(recorder: Recorder) -> None:
    with trace("workflow") as whole, custom_span("outer") as outer, custom_span("inner"):
        assert custom_span("x", parent=outer).parent_id == outer.span_id
        assert custom_span("y", parent=whole).parent_id is None


def test_the_current_trace_and_span_are_those_we_are_in() -> None:
    with trace("workflow") as whole:
        with custom_span("outer") as outer:
            with custom_span("inner") as inner:
                assert get_current_span() is inner
            assert get_current_span() is outer
        assert get_current_span() is None
        assert get_current_trace() is whole
    assert get_current_trace() is None


def test_tasks_and_threads_have_their_own_current_span(recorder: Recorder) -> None:
    async def work(name: str, ready: asyncio.Barrier) -> Span[Any]:
        with custom_span(name) as outer:
            await ready.wait()
            with custom_span(f"in {name}") as inner:
                await ready.wait()
        assert inner.parent_id == outer.span_id
        return outer

    async def scenario() -> None:
        ready = asyncio.Barrier(2)
        with trace("workflow"), custom_span("all") as everything:
            spans = await asyncio.gather(work("a", ready), work("b", ready))
            assert [span.parent_id for span in spans] == [everything.span_id] * 2
            assert get_current_span() is everything
            thread = threading.Thread(target=lambda: seen.append(get_current_span()))
            thread.start()
            thread.join()

    seen: list[Span[Any] | None] = []
    asyncio.run(scenario())
    assert seen == [None]


def test_what_is_begun_by_hand_is_current_only_if_it_is_told_to_be(recorder: Recorder) -> None:
    whole = trace("workflow")
    whole.start()
    assert get_current_trace() is None
    span = custom_span("work", parent=whole)
    span.start(mark_as_current=True)
    assert get_current_span() is span
    span.finish(reset_current=True)
    assert get_current_span() is None
    whole.finish()
    assert recorder.heard == ["trace workflow begins", "work begins", "work ends", "trace workflow ends"]


def test_beginning_or_ending_twice_is_told_once(recorder: Recorder) -> None:
    whole = trace("workflow")
    for _ in range(2):
        whole.start(mark_as_current=True)
    span = custom_span("work")
    for _ in range(2):
        span.start(mark_as_current=True)
    for _ in range(2):
        span.finish(reset_current=True)
    for _ in range(2):
        whole.finish(reset_current=True)
    assert recorder.heard == ["trace workflow begins", "work begins", "work ends", "trace workflow ends"]
    assert (get_current_trace(), get_current_span()) == (None, None)


def test_what_never_began_does_not_end(recorder: Recorder) -> None:
    trace("workflow").finish()
    assert recorder.heard == []


def test_ending_what_is_not_current_leaves_the_current_as_it_is() -> None:
    with trace("workflow"), custom_span("outer") as outer:
        other = custom_span("other")
        other.start()
        other.finish(reset_current=True)
        assert get_current_span() is outer


def test_a_trace_is_exported_as_the_service_wants_it() -> None:
    made = trace("workflow", trace_id="trace_1", group_id="talk", metadata={"user": "u"})
    assert made.export() == made.to_json()
    assert made.export() == {
        "object": "trace",
        "id": "trace_1",
        "workflow_name": "workflow",
        "group_id": "talk",
        "metadata": {"user": "u"},
    }


def test_the_key_of_a_trace_is_in_its_json_only_on_demand_and_is_a_secret() -> None:
    with trace("workflow", tracing={"api_key": "sk-of-the-trace"}) as made, custom_span("work") as span:
        pass
    assert "sk-of-the-trace" not in str(made.to_json())
    assert (made.to_json(include_tracing_api_key=True) or {})["tracing_api_key"] == "sk-of-the-trace"
    assert span.tracing_api_key == "sk-of-the-trace"
    assert redact("key sk-of-the-trace") == "key [redacted]"


def test_metadata_is_exported_with_the_span_and_not_in_its_data() -> None:
    with trace("workflow", metadata={"agent_harness_id": "h", "user": "u"}):
        with agent_span("a") as agent:
            agent.span_data.metadata = {"k": 1}
        with custom_span("other") as other:
            pass
    exported = agent.export() or {}
    assert (exported["metadata"], "metadata" in exported["span_data"]) == ({"k": 1, "agent_harness_id": "h"}, False)
    assert (other.export() or {})["metadata"] == {"agent_harness_id": "h"}
    with trace("workflow"), agent_span("a") as plain:
        pass
    assert "metadata" not in (plain.export() or {})


def test_a_span_that_is_not_recorded_keeps_no_error() -> None:
    with trace("workflow", disabled=True), custom_span("other") as span:
        span.set_error({"message": "late", "data": None})
    assert (span.error, span.export()) == (None, None)


def test_a_span_is_exported_with_times_data_and_error() -> None:
    with (
        trace("workflow", trace_id="trace_1", metadata={"a": 1}),
        custom_span("outer", span_id="span_1"),
        function_span("tool", input="{}", span_id="span_2") as span,
    ):
        span.span_data.output = "done"
        span.set_error({"message": "late", "data": {"seconds": 3}})
    assert span.export() == {
        "object": "trace.span",
        "id": "span_2",
        "trace_id": "trace_1",
        "parent_id": "span_1",
        "started_at": span.started_at,
        "ended_at": span.ended_at,
        "span_data": {"type": "function", "name": "tool", "input": "{}", "output": "done", "mcp_data": None},
        "error": {"message": "late", "data": {"seconds": 3}},
    }
    assert span.started_at is not None
    assert span.ended_at is not None
    assert span.started_at.endswith("+00:00")
    assert span.started_at <= span.ended_at
    assert span.trace_metadata == {"a": 1}


def test_an_exception_passes_and_ends_what_it_leaves(recorder: Recorder) -> None:
    with pytest.raises(ValueError, match="boom"), trace("workflow"), custom_span("work"):
        raise ValueError("boom")
    assert recorder.heard[-2:] == ["work ends", "trace workflow ends"]
    assert (get_current_trace(), get_current_span()) == (None, None)


def test_ids_are_new_each_time_and_of_the_form_the_service_wants() -> None:
    assert len(gen_trace_id().removeprefix("trace_")) == 32
    assert len(gen_span_id().removeprefix("span_")) == 24
    assert get_trace_provider().gen_group_id().startswith("group_")
    assert gen_trace_id() != gen_trace_id()


def test_a_span_outside_any_trace_is_not_recorded(recorder: Recorder) -> None:
    with custom_span("work") as span:
        assert get_current_span() is span
    assert (span.trace_id, span.span_id, span.export(), recorder.heard) == ("no-op", "no-op", None, [])


def test_a_disabled_trace_silences_all_that_is_in_it(recorder: Recorder) -> None:
    with trace("workflow", disabled=True) as made, custom_span("work"), custom_span("inner") as inner:
        assert get_current_trace() is made
    assert (made.trace_id, made.export(), inner.export(), recorder.heard) == ("no-op", None, None, [])


def test_a_disabled_span_silences_all_that_is_in_it(recorder: Recorder) -> None:
    with trace("workflow"), custom_span("work", disabled=True), custom_span("inner"):
        pass
    assert recorder.heard == ["trace workflow begins", "trace workflow ends"]


def test_set_tracing_disabled_stops_tracing_and_begins_again(recorder: Recorder) -> None:
    set_tracing_disabled(True)
    with trace("silent"), custom_span("work"):
        pass
    set_tracing_disabled(False)
    with trace("workflow"):
        pass
    assert recorder.heard == ["trace workflow begins", "trace workflow ends"]


@pytest.mark.parametrize(("value", "is_traced"), [("1", False), ("true", False), ("0", True), ("", True)])
def test_the_environment_may_disable_tracing(
    recorder: Recorder, monkeypatch: pytest.MonkeyPatch, value: str, is_traced: bool
) -> None:
    monkeypatch.setenv("OPENAI_AGENTS_DISABLE_TRACING", value)
    assert (trace("workflow").export() is not None) is is_traced


def test_set_tracing_disabled_counts_more_than_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_AGENTS_DISABLE_TRACING", "1")
    set_tracing_disabled(False)
    assert trace("workflow").export() is not None


def test_set_trace_processors_replaces_all(recorder: Recorder) -> None:
    other = Recorder()
    set_trace_processors([other])
    with trace("workflow"):
        pass
    assert recorder.heard == []
    assert other.heard == ["trace workflow begins", "trace workflow ends"]


def test_add_trace_processor_adds_one(recorder: Recorder) -> None:
    other = Recorder()
    add_trace_processor(other)
    with trace("workflow"):
        pass
    assert recorder.heard == other.heard != []


def test_flush_traces_reaches_every_processor(recorder: Recorder) -> None:
    other = Recorder()
    add_trace_processor(other)
    flush_traces()
    get_trace_provider().shutdown()
    assert recorder.heard == other.heard == ["flush", "shutdown"]


def test_a_processor_that_raises_harms_nobody_and_is_logged_once(
    recorder: Recorder, caplog: pytest.LogCaptureFixture
) -> None:
    class Broken(Recorder):
        def tell(self, news: str) -> None:
            raise RuntimeError("the disk is full")

    set_trace_processors([Broken(), recorder])
    with caplog.at_level(logging.ERROR, logger="openai.agents"), trace("workflow"), custom_span("work"):
        pass
    flush_traces()
    assert [record.message for record in caplog.records] == [
        "trace processor Broken failed; the run continues: RuntimeError: the disk is full"
    ]
    assert recorder.heard[-3:] == ["work ends", "trace workflow ends", "flush"]


def test_a_trace_inside_a_trace_is_its_own_and_warned_of(recorder: Recorder, caplog: pytest.LogCaptureFixture) -> None:
    with trace("outer") as outer:
        with trace("inner") as inner:
            assert get_current_trace() is inner
        assert get_current_trace() is outer
    assert "inner" in caplog.text
    assert recorder.heard == [
        "trace outer begins",
        "trace inner begins",
        "trace inner ends",
        "trace outer ends",
    ]


def test_a_trace_is_made_only_where_there_is_none(recorder: Recorder) -> None:
    with TraceCtxManager("a", None, None, None, None, False), TraceCtxManager("b", None, None, None, None, False):
        pass
    assert recorder.heard == ["trace a begins", "trace a ends"]


def test_a_provider_of_ones_own_serves_the_functions(recorder: Recorder) -> None:
    class Mine(DefaultTraceProvider):
        def gen_trace_id(self) -> str:
            return "trace_mine"

    set_trace_provider(Mine())
    assert trace("workflow").trace_id == "trace_mine"


def test_processors_are_shut_down_when_the_process_ends() -> None:
    import subprocess
    import sys

    code = """
from tests.tracing.recorder import Recorder, recording
from agentctl.tracing import set_trace_processors
class Loud(Recorder):
    def tell(self, news): print(news)
set_trace_processors([Loud()])
"""
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ended.stdout == "shutdown\n"


def test_a_trace_without_processors_is_a_trace_all_the_same() -> None:
    set_trace_processors([])
    made: Trace = trace("workflow")
    assert made.trace_id.startswith("trace_")
