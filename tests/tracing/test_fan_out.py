"""Processors of the user's: told in a thread of their own, waited for while they are quick, and never for long."""

import logging
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from agentctl.tracing import Span, custom_span, flush_traces, get_trace_provider, set_trace_processors, trace
from tests.tracing.recorder import Recorder, recording


@pytest.fixture(autouse=True)
def recorder(home: object) -> Iterator[Recorder]:
    with recording() as recorder:
        yield recorder


class Hanging(Recorder):
    """Does not come back from the end of a span until it is let go."""

    def __init__(self) -> None:
        super().__init__()
        self.let_go = threading.Event()

    def on_span_end(self, span: Span[Any]) -> None:
        self.let_go.wait()
        super().on_span_end(span)


class Tracing(Recorder):
    """Makes a trace of its own while it is told of the end of a span."""

    def on_span_end(self, span: Span[Any]) -> None:
        super().on_span_end(span)
        if len(self.spans) == 1:
            with trace("of the processor"):
                pass


def test_a_processor_is_told_in_one_thread_that_is_not_the_works() -> None:
    class Where(Recorder):
        def tell(self, news: str) -> None:
            super().tell(threading.current_thread().name)

    where = Where()
    set_trace_processors([where])
    with trace("work"), custom_span("a"):
        pass
    assert set(where.heard) == {"trace processor Where"}


def test_a_processor_that_hangs_is_left_behind_and_told_later_in_order(
    recorder: Recorder, caplog: pytest.LogCaptureFixture
) -> None:
    hanging = Hanging()
    set_trace_processors([hanging, recorder])
    for number in range(100):
        with trace("work"), custom_span(str(number)):
            pass
    assert len(recorder.spans) == 100
    assert hanging.spans == []
    assert [record.message for record in caplog.records] == [
        "trace processor Hanging took longer than 0.25 s; the run no longer waits for it"
    ]
    hanging.let_go.set()
    flush_traces()
    assert hanging.heard[:-1] == recorder.heard[:-1]


def test_a_processor_that_never_comes_back_is_not_kept_news_for_forever(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("agentctl.tracing.fan_out._MAX_QUEUE", 10)
    hanging = Hanging()
    set_trace_processors([hanging])
    for _ in range(20):
        with trace("work"), custom_span("a"):
            pass
    hanging.let_go.set()
    flush_traces()
    assert 5 <= len(hanging.heard) <= 15
    assert caplog.text.count("too slow") == 1


def test_the_end_does_not_wait_for_a_processor_that_hangs(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("agentctl.tracing.fan_out.SHUTDOWN_TIMEOUT", 0.1)
    hanging, other = Hanging(), Recorder()
    set_trace_processors([hanging, other])
    with trace("work"), custom_span("a"):
        pass
    get_trace_provider().shutdown()
    assert "Hanging did not finish in time; the process exits without it" in caplog.text
    assert other.heard[-1] == "shutdown"
    hanging.let_go.set()


def test_a_processor_may_trace_what_it_does_itself() -> None:
    tracing = Tracing()
    set_trace_processors([tracing])
    with trace("work"), custom_span("a"):
        pass
    assert tracing.heard == [
        "trace work begins",
        "a begins",
        "a ends",
        "trace of the processor begins",
        "trace of the processor ends",
        "trace work ends",
    ]


def test_after_the_end_nothing_is_told(recorder: Recorder) -> None:
    get_trace_provider().shutdown()
    with trace("work"):
        pass
    assert recorder.heard == ["shutdown"]


def test_what_a_processor_raises_shows_no_secret(caplog: pytest.LogCaptureFixture) -> None:
    from agentctl.redaction import register_secret

    class Broken(Recorder):
        def tell(self, news: str) -> None:
            raise RuntimeError("refused sk-of-the-processor")

    register_secret("sk-of-the-processor")
    set_trace_processors([Broken()])
    with caplog.at_level(logging.INFO, logger="openai.agents"), trace("work"):
        pass
    assert "refused [redacted]" in caplog.text
    assert "sk-of-the-processor" not in caplog.text
