"""The store: what is written, who may read it, what a kill, a full disk and damage leave, what is removed."""

import json
import multiprocessing
import os
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from agentctl.errors import ConfigurationError
from agentctl.prices.prices import Prices
from agentctl.redaction import register_secret
from agentctl.traces.lines import trace_lines
from agentctl.traces.store import LocalTraces, TraceSummary
from agentctl.tracing import LocalTraceProcessor
from agentctl.tracing.span_data import FunctionSpanData, GenerationSpanData, TurnSpanData
from agentctl.tracing.trace_files import file_name, list_files
from agentctl.tracing.trace_writer import prune
from tests.traces.sample import Writer, read_only, write_sample

NO_PRICES = Prices({}, None)


def summaries(folder: Path) -> list[TraceSummary]:
    damaged: list[str] = []
    found = list(LocalTraces(folder).summaries(on_damage=damaged.append))
    assert damaged == []
    return found


def test_a_trace_is_read_as_it_was_written(tmp_path: Path) -> None:
    trace_id = write_sample(tmp_path)
    trace = read_only(tmp_path)
    assert (trace.id, trace.outcome, trace.agent, trace.session_id) == (trace_id, "completed", "weather", "trip")
    assert [(depth, span.kind, span.name) for depth, span in trace.walk()] == [
        (0, "run", "Agent workflow"),
        (1, "agent", "get_weather"),
        (2, "guardrail", "polite"),
        (2, "turn", "1"),
        (3, "model", "gpt-5-mini"),
        (3, "tool", "get_weather"),
        (4, "process", ""),
        (2, "approval", "get_weather"),
        (2, "handoff", "weather → get_weather"),
        (1, "agent", "closer"),
        (2, "turn", "2"),
        (3, "model", "gpt-5-mini"),
        (3, "tool", "broken"),
    ]
    first, second = trace.model_calls
    assert second.data["input"][0] == first.data["input"][0]
    assert [item.get("type", "message") for item in second.data["input"]] == [
        "message",
        "function_call",
        "function_call_output",
    ]
    assert first.usage.input_tokens_details.cached_tokens == 512
    (row,) = summaries(tmp_path)
    assert (row.id, row.spans, row.input_tokens, row.output_tokens) == (trace_id, 13, 2024, 96)


def test_an_input_that_grows_is_written_once(tmp_path: Path) -> None:
    writer, items = Writer(tmp_path), [{"role": "user", "content": "x" * 1000}]
    for number in range(50):
        items = [*items, {"role": "assistant", "content": f"{number} " + "y" * 1000}]
        writer.span(GenerationSpanData(items, [], "m"), number, number + 1)
    writer.close()
    (file,) = list_files(tmp_path)
    assert os.path.getsize(file.path) < 150_000
    assert len(read_only(tmp_path).model_calls[-1].data["input"]) == 51


def test_the_data_of_a_large_file_is_left_out(tmp_path: Path) -> None:
    urls = [f"data:image/png;base64,{'iVBORw0K' * count}" for count in (100, 200_000)]
    content = [{"type": "input_image", "image_url": url} for url in urls]
    writer = Writer(tmp_path)
    writer.span(GenerationSpanData([{"role": "user", "content": content}], [], "m"), 0, 1)
    writer.close()
    (message,) = read_only(tmp_path).model_calls[-1].data["input"]
    assert [part["image_url"] for part in message["content"]] == [
        urls[0],
        "data:image/png;base64,(1.2 MB, not kept)",
    ]


def test_only_the_user_may_read_traces(tmp_path: Path) -> None:
    write_sample(tmp_path / "state" / "traces")
    (file,) = list_files(tmp_path / "state" / "traces")
    assert stat.S_IMODE(os.stat(file.path).st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / "state" / "traces").stat().st_mode) == 0o700


def test_secrets_are_masked_in_every_field(tmp_path: Path) -> None:
    secret = "sk-canary-0987654321abcdef"
    register_secret(secret)
    write_sample(tmp_path, text=f"the key is {secret}", name=f"tool {secret}")
    (file,) = list_files(tmp_path)
    assert secret not in Path(file.path).read_text()


def _write_many(folder: str, number: int) -> None:
    for _ in range(5):
        write_sample(Path(folder), text=f"process {number} " * 500)


def test_twenty_processes_write_at_once(tmp_path: Path) -> None:
    context = multiprocessing.get_context("fork")
    processes = [context.Process(target=_write_many, args=(str(tmp_path), number)) for number in range(20)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
        assert process.exitcode == 0
    traces = LocalTraces(tmp_path)
    rows = summaries(tmp_path)
    assert len(rows) == len({row.id for row in rows}) == 100
    assert {len(list(traces.read(row.id).walk())) for row in rows} == {13}


KILLED = """
import os, signal, sys, time
from pathlib import Path
from tests.traces.sample import Writer
from agentctl.tracing.span_data import FunctionSpanData, TurnSpanData
writer = Writer(Path(sys.argv[1]))
turn = writer.span(TurnSpanData(1, "a"), 0, None)
writer.span(FunctionSpanData("done", "{}", "ok"), 0, 1, turn)
writer.span(FunctionSpanData("open", "{}", None), 1, None, turn)
time.sleep(0.2)
print("ready", flush=True)
time.sleep(60)
"""


def test_after_a_kill_what_was_finished_is_readable_and_the_rest_is_cut(tmp_path: Path) -> None:
    process = subprocess.Popen([sys.executable, "-c", KILLED, str(tmp_path)], stdout=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stdout.readline() == b"ready\n"
    assert summaries(tmp_path)[0].outcome == "running"
    key = LocalTraces(tmp_path).last()
    assert LocalTraces(tmp_path).remove({key}) == 0
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdout.close()
    trace = read_only(tmp_path)
    assert trace.outcome == "cut"
    shown = {span.name: span.ended is None for _, span in trace.walk()}
    assert shown == {"1": True, "done": False, "open": True}
    assert summaries(tmp_path)[0].outcome == "cut"


@pytest.mark.parametrize("seed", range(5))
def test_a_file_cut_anywhere_is_readable(tmp_path: Path, seed: int) -> None:
    write_sample(tmp_path)
    (file,) = list_files(tmp_path)
    whole = Path(file.path).read_bytes()
    head = whole.index(b"\n") + 1
    for length in range(head, len(whole), 97 + seed):
        Path(file.path).write_bytes(whole[:length])
        trace = read_only(tmp_path)
        finished = [span for _, span in trace.walk() if span.ended is not None]
        assert len(finished) == whole[:length].count(b'{"type":"span"') - (not _is_whole(whole[:length]))
        list(trace_lines(trace, NO_PRICES))


def _is_whole(data: bytes) -> bool:
    last = data.rpartition(b"\n")[2]
    if not last.startswith(b'{"type":"span"'):
        return True
    try:
        json.loads(last)
    except ValueError:
        return False
    return True


@pytest.mark.skipif(sys.platform == "win32" or os.geteuid() != 0, reason="a full disk needs a file system of its own")
def test_a_full_disk_ends_the_writing_and_nothing_else(tmp_path: Path) -> None:
    small = tmp_path / "small"
    small.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(small)], capture_output=True).returncode:
        pytest.skip("no file system can be mounted here")
    try:
        writer = Writer(small / "traces")
        for number in range(100):
            writer.span(FunctionSpanData("big", "x" * 5000, "y"), number, number + 1)
        writer.processor.force_flush()
        assert writer.processor.problem == "No space left on device"
        writer.span(TurnSpanData(1, "a"), 1, 2)
        writer.close()
        assert [span.name for _, span in read_only(small / "traces").walk()][:1] == ["big"]
    finally:
        subprocess.run(["umount", str(small)], check=True)


def test_a_folder_that_cannot_be_made_is_one_problem(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    writer = Writer(tmp_path / "file" / "traces")
    writer.processor.force_flush()
    assert writer.processor.problem == "Not a directory"
    writer.close()
    assert (tmp_path / "file").read_text() == ""


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b"", "is damaged; remove it with `agentctl trace clear`"),
        (b"\x00\xff not json\n", "is damaged"),
        (b'{"type":"span"}\n', "is damaged"),
        (b'{"type":"trace","version":"one"}\n', "is damaged"),
        (b'{"type":"trace","version":2,"by":"0.9.0"}\n', "was written by a newer agentctl 0.9.0 (format 2); upgrade"),
    ],
)
def test_a_damaged_or_newer_file_is_an_error_that_overwrites_nothing(
    tmp_path: Path, content: bytes, complaint: str
) -> None:
    write_sample(tmp_path)
    path = tmp_path / file_name("trace_bad", time.time() + 10)
    path.write_bytes(content)
    damaged: list[str] = []
    traces = LocalTraces(tmp_path)
    assert len(list(traces.summaries(on_damage=damaged.append))) == 1
    assert complaint in damaged[0]
    with pytest.raises(ConfigurationError) as refused:
        traces.read(traces.find("bad"))
    assert complaint in str(refused.value)
    assert path.read_bytes() == content
    assert traces.remove({"trace_bad"}) == 1
    assert len(summaries(tmp_path)) == 1


def test_lines_of_other_shapes_are_left_out(tmp_path: Path) -> None:
    write_sample(tmp_path)
    (file,) = list_files(tmp_path)
    strange: list[Any] = [
        7,
        [],
        {"type": "span"},
        {"type": "span", "id": 3},
        {"type": "span", "id": "a", "data": 5, "start": "x", "details": [], "error": "e", "parent": "a", "end": None},
        {"type": "start", "id": "b", "kind": "turn", "start": None},
        {"type": "future", "id": "c"},
    ]
    with open(file.path, "a") as opened:
        opened.writelines(json.dumps(line) + "\n" for line in strange)
    assert len(list(read_only(tmp_path).walk())) == 15


def test_ids_are_found_by_a_unique_beginning(tmp_path: Path) -> None:
    for trace_id in ("trace_aab1", "trace_aab2", "trace_b"):
        Writer(tmp_path, trace_id=trace_id).close()
    traces = LocalTraces(tmp_path)
    assert traces.find("trace_aab1") == traces.find("aab1") == "trace_aab1"
    assert traces.find("b") == "trace_b"
    for wrong, complaint in [
        ("aa", "'aa' is the beginning of trace_aab1, trace_aab2; give more of the id"),
        ("c", "there is no trace 'c'; `agentctl trace list` shows the traces"),
        ("../etc", "there is no trace '../etc'"),
        ("", "the id of a trace is empty"),
        ("*\n", "there is no trace"),
    ]:
        with pytest.raises(ConfigurationError) as refused:
            traces.find(wrong)
        assert complaint in str(refused.value)


def test_an_id_that_is_no_file_name_is_kept(tmp_path: Path) -> None:
    own = "../../my trace/ü"
    Writer(tmp_path, trace_id=own).close()
    assert read_only(tmp_path).id == own
    assert LocalTraces(tmp_path).find(own) == LocalTraces(tmp_path).last()
    assert [path.parent for path in tmp_path.rglob("*.jsonl")] == [tmp_path]


def test_a_run_that_goes_on_in_another_process_is_one_trace(tmp_path: Path) -> None:
    for part in range(2):
        writer = Writer(tmp_path, trace_id="trace_two")
        writer.span(FunctionSpanData(f"part {part}", None, None), part, part + 1)
        writer.close("suspended" if part == 0 else "completed")
        time.sleep(0.002)
    (row,) = summaries(tmp_path)
    assert row.outcome == "completed"
    assert [span.name for _, span in read_only(tmp_path).walk()] == ["part 0", "part 1"]


def test_old_traces_and_those_beyond_the_size_are_removed(tmp_path: Path) -> None:
    now = time.time()
    for age in range(10):
        (tmp_path / file_name(f"trace_{age}", now - age * 86_400)).write_bytes(b"x" * 1000)
    prune(tmp_path, before=now - 5.5 * 86_400, size=1e9)
    assert [file.key for file in list_files(tmp_path)] == [f"trace_{age}" for age in range(6)]
    prune(tmp_path, before=0, size=3500)
    assert [file.key for file in list_files(tmp_path)] == [f"trace_{age}" for age in range(3)]


def test_a_new_trace_removes_old_ones(tmp_path: Path) -> None:
    old = tmp_path / file_name("trace_old", time.time() - 40 * 86_400)
    old.write_bytes(b"x")
    Writer(tmp_path).close()
    assert not old.exists()


def test_a_library_user_adds_the_processor(tmp_path: Path, home: Path) -> None:
    code = (
        "from agentctl import Agent, Runner, add_trace_processor\n"
        "from agentctl.testing import ScriptedModel\n"
        "from agentctl.tracing import LocalTraceProcessor\n"
        "add_trace_processor(LocalTraceProcessor())\n"
        "Runner.run_sync(Agent(name='a', model=ScriptedModel(['hi'], emit_traces=True)), 'Hi')\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, env={**os.environ, "OPENAI_API_KEY": ""})
    trace = read_only(home / ".agentctl" / "traces")
    assert (trace.outcome, trace.agent) == ("completed", "a")


def test_without_a_home_the_processor_needs_a_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AGENTCTL_HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_STATE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", "")
    with pytest.raises(ConfigurationError, match="without a home folder"):
        LocalTraceProcessor()
