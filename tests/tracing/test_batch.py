"""Batches: handed to the exporter now and then from a thread of its own, dropped beyond the limit, given up at exit."""

import logging
import os
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from agentctl.tracing import Span, Trace, TracingExporter, custom_span, set_trace_processors, trace
from agentctl.tracing.processors import BatchTraceProcessor
from tests.tracing.recorder import recording


class Kept(TracingExporter):
    """Keeps the names of what it is given, batch by batch; `before` is called at each."""

    def __init__(self, before: Callable[[], object] = bool) -> None:
        self.batches: list[list[str]] = []
        self.threads: set[str] = set()
        self.is_closed = False
        self.has_come = threading.Semaphore(0)
        self._before = before

    def export(self, items: list[Trace | Span[Any]]) -> None:
        self._before()
        self.threads.add(threading.current_thread().name)
        self.batches.append([item.name if isinstance(item, Trace) else item.span_data.name for item in items])
        self.has_come.release()

    def close(self) -> None:
        self.is_closed = True


@pytest.fixture(autouse=True)
def provider(home: object) -> Iterator[None]:
    with recording():
        yield


def work(*names: str) -> None:
    """Make a trace with these spans."""
    with trace("work"):
        for name in names:
            with custom_span(name):
                pass


def processor(exporter: TracingExporter, **given: Any) -> BatchTraceProcessor:
    made = BatchTraceProcessor(exporter, **{"schedule_delay": 3600, **given})
    set_trace_processors([made])
    return made


def test_a_trace_is_kept_when_it_begins_and_a_span_when_it_ends() -> None:
    exporter = Kept()
    batch = processor(exporter)
    with trace("work"), custom_span("outer"), custom_span("inner"):
        pass
    batch.force_flush()
    assert exporter.batches == [["work", "inner", "outer"]]


def test_batches_have_their_size() -> None:
    exporter = Kept()
    batch = processor(exporter, max_batch_size=2)
    work("a", "b", "c", "d")
    batch.force_flush()
    assert exporter.batches == [["work", "a"], ["b", "c"], ["d"]]


def test_after_the_delay_a_thread_of_its_own_exports() -> None:
    exporter = Kept()
    batch = processor(exporter, schedule_delay=0.01)
    work("a")
    assert exporter.has_come.acquire(timeout=10)
    batch.shutdown()
    assert exporter.threads == {"trace export"}
    assert [name for names in exporter.batches for name in names] == ["work", "a"]


def test_a_queue_that_fills_is_exported_at_once() -> None:
    exporter = Kept()
    processor(exporter, max_queue_size=10, export_trigger_ratio=0.3)
    work("a", "b")
    assert exporter.has_come.acquire(timeout=10)
    assert exporter.batches[0][0] == "work"


def test_what_comes_to_a_full_queue_is_dropped_counted_and_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    exporter = Kept()
    batch = processor(exporter, max_queue_size=3, export_trigger_ratio=10)
    with caplog.at_level(logging.WARNING, logger="openai.agents"):
        work("a", "b", "c", "d")
    assert batch.dropped == 2
    assert [record.message for record in caplog.records] == ["traces and spans are dropped: the queue of 3 is full"]
    batch.force_flush()
    assert exporter.batches == [["work", "a", "b"]]


def test_an_exporter_that_raises_loses_its_batch_and_no_other(caplog: pytest.LogCaptureFixture) -> None:
    def fail_once() -> None:
        failures.append("")
        if len(failures) == 1:
            raise OSError("the disk is full")

    failures: list[str] = []
    exporter = Kept(fail_once)
    batch = processor(exporter, max_batch_size=1)
    work("a")
    batch.force_flush()
    assert (exporter.batches, batch.dropped) == ([["a"]], 1)
    assert "the exporter failed: OSError: the disk is full" in caplog.text


def test_shutdown_exports_all_closes_the_exporter_and_takes_no_more() -> None:
    exporter = Kept()
    batch = processor(exporter)
    work("a")
    batch.shutdown()
    assert (exporter.batches, exporter.is_closed) == ([["work", "a"]], True)
    work("late")
    batch.shutdown()
    assert (len(exporter.batches), batch.dropped) == (1, 2)


def test_shutdown_gives_up_an_exporter_that_hangs_and_counts_what_is_lost(caplog: pytest.LogCaptureFixture) -> None:
    never = threading.Event()
    batch = processor(Kept(never.wait), max_batch_size=1)
    work("a", "b")
    batch.shutdown(timeout=0.05)
    assert batch.dropped == 3
    assert "the process exited before they were exported" in caplog.text
    never.set()


def test_a_run_does_not_wait_for_an_exporter_that_hangs() -> None:
    never = threading.Event()
    batch = processor(Kept(never.wait), max_queue_size=4, schedule_delay=0)
    for _ in range(100):
        work("a")
    assert batch.dropped > 0
    never.set()
    batch.shutdown()


def test_many_threads_lose_nothing() -> None:
    exporter = Kept()
    batch = processor(exporter, schedule_delay=0)
    threads = [threading.Thread(target=work, args=[f"{number}-{each}" for each in range(50)]) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    batch.shutdown()
    names = [name for names in exporter.batches for name in names if name != "work"]
    assert sorted(names) == sorted(f"{number}-{each}" for number in range(8) for each in range(50))
    assert batch.dropped == 0


def test_a_processor_that_heard_nothing_has_no_thread() -> None:
    before = threading.active_count()
    batch = processor(Kept())
    assert threading.active_count() == before
    batch.shutdown()


@pytest.mark.skipif(sys.platform == "win32", reason="there is no fork")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_forked_process_exports_its_own_and_nothing_of_the_other() -> None:
    exporter = Kept()
    batch = processor(exporter)
    work("of the parent")
    child = os.fork()
    if child == 0:
        work("of the child")
        batch.shutdown()
        os._exit(0 if exporter.batches == [["work", "of the child"]] else 1)
    assert os.waitpid(child, 0)[1] == 0
    batch.shutdown()
    assert exporter.batches == [["work", "of the parent"]]
