"""Every later release satisfies the recordings: their schema, their fields, and readers that were written for them."""

import copy
import io
import json
import random
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from agentctl.cli.event_check import check_file
from agentctl.errors import InvalidEvents
from agentctl.render.schema import document_name, schema
from tests.conformance.check import check_again
from tests.conformance.compare import compare_schemas, compare_streams, compare_values
from tests.conformance.recordings import (
    FOLDER,
    Recording,
    current_definitions,
    frozen_definitions,
    load_recordings,
)
from tests.conformance.scenarios import SCENARIOS
from tests.machine_output import check_document, check_event
from tests.service.client import Service

RECORDINGS = load_recordings()
STREAMS = [each for each in RECORDINGS.values() if not each.document]
CONSUMERS = Path(__file__).parent / "consumers"
READERS = {
    "summary.py": [sys.executable, "-I"],
    "summary.jq": ["jq", "-n", "-f"],
    "summary.mjs": ["node"],
}
Definitions = dict[str, Any]


def test_the_schema_accepts_every_recording() -> None:
    whole = schema()
    for recording in RECORDINGS.values():
        if recording.document and recording.document not in ("run", "stream"):
            reference = {"$ref": f"#/$defs/{document_name(recording.document)}", "$defs": whole["$defs"]}
            Draft202012Validator(reference).validate(recording.values[0])
        else:
            checked = _check(recording)
            assert checked is None or recording.is_cut, f"{recording.name}: {checked}"
            assert recording.is_cut == (checked is not None and "the stream was cut off" in checked)


def test_no_recorded_field_or_value_has_left_the_schema() -> None:
    for recording in RECORDINGS.values():
        for value in recording.values:
            if recording.document:
                check_document(recording.document, value)
            else:
                check_event(value)


def test_a_recording_ends_with_its_exit_code() -> None:
    for recording in RECORDINGS.values():
        last = recording.values[-1]
        if "outcome" in last and recording.document in (None, "run"):
            assert last["exit_code"] == recording.exit_code, recording.name


def test_the_schema_only_gained_what_is_optional() -> None:
    assert compare_schemas(frozen_definitions(), current_definitions()) == []


def _without(definitions: Definitions) -> None:
    del definitions["warning"]


def _field_gone(definitions: Definitions) -> None:
    del definitions["usage"]["properties"]["input_tokens_details"]["properties"]["cached_tokens"]


def _now_optional(definitions: Definitions) -> None:
    definitions["tool.finished"]["required"].remove("seconds")


def _now_nullable(definitions: Definitions) -> None:
    definitions["tool.finished"]["properties"]["tool"]["type"] = ["string", "null"]


def _other_type(definitions: Definitions) -> None:
    definitions["agentctl-sessions-list"]["properties"]["sessions"]["items"]["properties"]["id"]["type"] = "integer"


def _value_gone(definitions: Definitions) -> None:
    definitions["run.finished"]["properties"]["outcome"]["anyOf"][0]["enum"].remove("timeout")


def _now_closed(definitions: Definitions) -> None:
    del definitions["guardrail"]["properties"]["stage"]["anyOf"][1]


def _other_error(definitions: Definitions) -> None:
    definitions["run.finished"]["properties"]["error"]["anyOf"][1] = {"type": "string"}


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        (_without, "warning: is missing"),
        (_field_gone, "usage.input_tokens_details.cached_tokens: is missing"),
        (_now_optional, "tool.finished.seconds: was always there, and is optional"),
        (_now_nullable, "tool.finished.tool: type was 'string', and is ['string', 'null']"),
        (_other_type, "agentctl-sessions-list.sessions[].id: type was 'string', and is 'integer'"),
        (_value_gone, "run.finished.outcome: has the value 'timeout' no more"),
        (_now_closed, "guardrail.stage: was an open enumeration"),
        (_other_error, "run.finished.error: may be of other types"),
    ],
)
def test_a_change_that_breaks_readers_is_found(change: Callable[[Definitions], None], fault: str) -> None:
    changed = copy.deepcopy(frozen_definitions())
    change(changed)
    assert compare_schemas(frozen_definitions(), changed) == [fault]


def test_what_is_optional_may_be_added() -> None:
    changed = copy.deepcopy(frozen_definitions())
    changed["row.started"] = changed["warning"]
    changed["other-event"]["properties"]["type"]["not"]["enum"].append("row.started")
    changed["warning"]["properties"]["code"] = {"type": "string"}
    changed["run.finished"]["properties"]["outcome"]["anyOf"][0]["enum"].append("later")
    assert compare_schemas(frozen_definitions(), changed) == []


def test_another_run_that_lacks_what_was_recorded_is_found() -> None:
    events = RECORDINGS["run-http"].values
    other = copy.deepcopy(events)
    other[-1]["exit_code"] = 1
    del other[-1]["usage"]["requests"]
    other[0]["max_turns"] = "10"
    del other[-2]
    assert compare_streams(events, other) == [
        "run.started[0].max_turns: was a number, and is a text",
        "message: came 1 times, now 0 times",
        "run.finished[0].exit_code: was 0, and is 1",
        "run.finished[0].usage.requests: is missing",
    ]
    assert compare_streams(events, [*events[:3], {"type": "later"}, *events[3:]]) == []
    assert compare_values({"a": None, "b": [1]}, {"a": 5, "b": [1.5, 2], "c": {}}) == []
    assert compare_values({"b": [1, 2]}, {"b": [1]}) == ["$.b: has 1 values, not 2"]


@pytest.mark.slow
def test_a_command_still_prints_what_was_recorded(service: Service, share: Callable[[int], int]) -> None:
    names = [name for name, scenario in SCENARIOS.items() if scenario.is_rerun]
    for name in random.Random(21).sample(names, share(len(names))):
        assert (name, check_again(RECORDINGS[name], SCENARIOS[name], service)) == (name, [])


@pytest.mark.parametrize("reader", READERS)
def test_a_reader_of_version_1_reads_every_stream(reader: str, tmp_path: Path) -> None:
    if shutil.which(READERS[reader][0]) is None:
        pytest.skip(f"{READERS[reader][0]} is not installed")
    later = tmp_path / "later.jsonl"
    later.write_text("".join(f"{json.dumps(event)}\n" for event in _later(RECORDINGS["run-http"].values)), "utf-8")
    files = [*(each.path for each in STREAMS), later]
    done = subprocess.run(
        [*READERS[reader], str(CONSUMERS / reader), *map(str, files)], capture_output=True, timeout=60, check=True
    )
    found = json.loads(done.stdout)
    assert found == {**{each.path.name: _summary(each.values) for each in STREAMS}, "later.jsonl": found["later.jsonl"]}
    assert found["later.jsonl"] == {**found["run-http.jsonl"], "outcome": "half_done"}
    later.write_text(later.read_text("utf-8").replace('"schema_version": 1', '"schema_version": 2'), "utf-8")
    done = subprocess.run([*READERS[reader], str(CONSUMERS / reader), str(later)], capture_output=True, timeout=60)
    assert (done.returncode != 0, b"this reads version 1, not 2" in done.stderr) == (True, True)


def test_the_recordings_are_small() -> None:
    assert sum(path.stat().st_size for path in FOLDER.rglob("*")) < 300_000
    assert {path.stem for path in FOLDER.iterdir() if path.is_file()} == RECORDINGS.keys() | {"index", "schema"}


def _check(recording: Recording) -> str | None:
    """Check a recording as `agentctl events check` does, and return the fault."""
    try:
        check_file(io.BytesIO(recording.path.read_bytes()), recording.name)
    except InvalidEvents as error:
        return str(error)
    return None


def _later(events: list[Any]) -> list[Any]:
    """Return events with what a later release of version 1 may add."""
    new = {**events[0], "type": "plan.made", "steps": [1]}
    added = [{**event, "later": {"a": None}} for event in (events[0], new, *events[1:])]
    added[-1]["outcome"] = "half_done"
    return [{**event, "seq": number} for number, event in enumerate(added)]


def _summary(events: list[Any]) -> dict[str, Any]:
    """Return what the readers print of a stream."""

    def of(kind: str) -> list[Any]:
        return [event for event in events if event["type"] == kind]

    last = events[-1] if events[-1]["type"] == "run.finished" else None
    return {
        "text": "".join(event["delta"] for event in of("text.delta")),
        "tools": [f"{event['tool']}: {'failed' if event['failed'] else 'ok'}" for event in of("tool.output")],
        "retries": len(of("retry")),
        "warnings": [event["message"] for event in of("warning")],
        "outcome": last and last["outcome"],
        "exit_code": last and last["exit_code"],
        "tokens": last and last["usage"]["total_tokens"],
    }
