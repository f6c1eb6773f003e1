"""`agentctl events`: the schema, and the check of stored events."""

import io
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from agentctl.cli.event_check import Checked, check_file
from agentctl.errors import InvalidEvents
from agentctl.render.documents import DOCUMENTS
from agentctl.render.schema import document_name
from tests.cli.process import started
from tests.conftest import Agentctl
from tests.event_tables import SCHEMA
from tests.pages import help_of
from tests.render.runs import WHOLE, out, shown

RUN = out(shown(WHOLE, format="jsonl")).splitlines(keepends=True)
DOCUMENT = out(shown(WHOLE, format="json"))


def checked(*lines: str) -> Checked:
    return check_file(io.BytesIO("".join(lines).encode()), "f")


def changed(line: str, **fields: Any) -> str:
    """Return a line with other fields; `...` removes one."""
    value = {**json.loads(line), **fields}
    return json.dumps({name: field for name, field in value.items() if field is not ...}) + "\n"


def of_run(name: str) -> list[str]:
    return [changed(line, run_id=name) for line in RUN]


def test_events_schema_prints_a_schema_that_checks_machine_output(agentctl: Agentctl) -> None:
    done = agentctl("events", "schema")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == SCHEMA.read_text("utf-8"), "`python -m tests.event_tables` writes it again"
    schema = json.loads(done.stdout)
    Draft202012Validator.check_schema(schema)
    assert schema["schema_version"] == 1
    version = {"type": "warning", "schema_version": 1, "seq": 0, "time": "2026-01-01T00:00:00.000Z"}
    assert Draft202012Validator(schema).is_valid({**version, "run_id": "run_1", "message": "hm"})
    assert {document_name(command) for command in DOCUMENTS} <= schema["$defs"].keys()


def test_every_command_that_prints_json_has_a_schema() -> None:
    def printing(*command: str) -> Iterator[str]:
        shown = help_of(*command) or ""
        for name in re.findall(r"^  ([a-z][a-z-]*)  ", shown.partition("Commands:")[2], re.M):
            yield from printing(*command, name)
        if re.search(r"^ .*--json\b", shown.partition("Options:")[2], re.M):
            yield " ".join(command)

    known = {command.partition(" --")[0] for command in DOCUMENTS} | {"run", "stream"}
    assert {*printing()} == known - {"chat /save"}


def test_events_alone_shows_its_help(agentctl: Agentctl) -> None:
    done = agentctl("events")
    assert "Example: agentctl events schema" in done.stdout + done.stderr


def test_a_stream_of_a_run_is_valid_and_so_are_several_runs_in_a_file() -> None:
    assert checked(*RUN) == Checked(events=len(RUN), runs=1)
    assert checked(*of_run("a"), *of_run("b")) == Checked(events=2 * len(RUN), runs=2)
    interleaved = [line for pair in zip(of_run("a"), of_run("b"), strict=True) for line in pair]
    assert checked(*interleaved) == Checked(events=2 * len(RUN), runs=2)
    assert checked(*RUN[:-1], RUN[-1].rstrip("\n")).runs == 1


def test_a_document_of_a_run_is_valid_on_one_line_or_formatted() -> None:
    assert checked(DOCUMENT) == checked(json.dumps(json.loads(DOCUMENT), indent=2)) == Checked(documents=1)
    assert checked(DOCUMENT, DOCUMENT, *RUN) == Checked(events=len(RUN), runs=1, documents=2)


def test_what_a_later_version_adds_passes() -> None:
    later = [
        *RUN[:2],
        changed(RUN[2], type="row.started", agent=..., row={"of": "a batch"}),
        *RUN[3:-1],
        changed(RUN[-1], outcome="drift", exit_code=86, cassette="a file"),
    ]
    assert checked(*later) == Checked(events=len(RUN), runs=1)


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ([], "f:1: $: the file is empty"),
        ([*RUN[:3], "\n"], "f:4: $: there is no event"),
        ([*RUN[:3], "null\n"], "f:4: $: is not a JSON object"),
        (["a log line\n"], "f:1: $: is not JSON: expecting value at column 1"),
        ([*RUN[:3], '{"a": NaN}\n'], "f:4: $: is not JSON: NaN is not JSON"),
        ([*RUN[:3], '{"a": 1e999}\n'], "f:4: $: is not JSON: the number 1e999 is too large"),
        ([*RUN[:3], "[" * 100_000 + "\n"], "f:4: $: is nested too deeply"),
        ([*RUN[:3], RUN[3][:40]], "f:4: $: the line is cut off (unterminated string starting at column 40)"),
        (RUN[:3], "f:3: $: is the last line, and run 'run_1' has not ended: the stream was cut off"),
        ([RUN[0], RUN[2]], "f:2: $.seq: is 2, and the next event of run 'run_1' is 1: events are missing"),
        ([*RUN[:2], RUN[1]], "f:3: $.seq: is 1, and the next event of run 'run_1' is 2: the event is out of order"),
        (RUN[1:], "f:1: $.seq: is 1, and the next event of run 'run_1' is 0: events are missing"),
        ([*RUN, RUN[0]], f"f:{len(RUN) + 1}: $.run_id: run 'run_1' has ended before"),
        ([changed(RUN[0], agent=5)], "f:1: $.agent: 5 is not of type 'string' (in an event of type 'run.started')"),
        ([changed(RUN[0], agent=...)], "f:1: $: 'agent' is a required property (in an event of type 'run.started')"),
        ([changed(RUN[0], seq=2**53)], f"f:1: $.seq: {2**53} is greater than the maximum"),
        ([changed(RUN[0], time="now")], "f:1: $.time: 'now' does not match"),
        ([changed(RUN[0], schema_version=2)], "f:1: $.schema_version: is 2, and this agentctl checks 1"),
        ([changed(RUN[0], type=["a"])], "f:1: $.type: ['a'] is not of type 'string'"),
        ([changed(RUN[0], type="new", seq=...)], "f:1: $: 'seq' is a required property (in an event of type 'new')"),
        ([changed(RUN[-1], seq=0, usage={})], "f:1: $.usage: 'requests' is a required property"),
        ([changed(RUN[-1], seq=0, error={"type": "X"})], "f:1: $.error: 'message' is a required property"),
        ([changed(DOCUMENT, outcome=...)], "f:1: $: 'outcome' is a required property (as it has no `type`, it"),
        (["{\n", ' "a": 1\n'], "f:2: $: the line is cut off (expecting ',' delimiter at column 8)"),
        (["{\n", ' "a": 1,\n', " b\n", "}"], "f:3: $: is not JSON: expecting property name"),
    ],
)  # fmt: skip
def test_the_first_fault_is_named_with_its_line_and_field(lines: list[str], message: str) -> None:
    with pytest.raises(InvalidEvents) as raised:
        checked(*lines)
    assert str(raised.value).startswith(message)
    assert str(raised.value).startswith(f"f:{raised.value.line}: {raised.value.path}: ")


def test_bytes_that_are_no_text_are_named() -> None:
    with pytest.raises(InvalidEvents, match=r"f:2: \$: is not UTF-8 at byte 2"):
        check_file(io.BytesIO(RUN[0].encode() + b"{\xff}\n"), "f")


def test_a_file_is_checked_line_by_line(tmp_path: Path) -> None:
    """A fault is found although the rest of the pipe has not been written."""
    with started("events", "check", "-", env={"HOME": str(tmp_path)}, stdin=-1) as process:
        assert process.stdin is not None
        process.stdin.write((RUN[0] + RUN[2]).encode())
        process.stdin.flush()
        assert process.wait(60) == 65


def test_check_prints_what_it_found_or_ends_with_65(agentctl: Agentctl, home: Path) -> None:
    (home / "run.jsonl").write_text("".join(RUN))
    done = agentctl("events", "check", "run.jsonl")
    assert (done.returncode, done.stdout) == (0, f"run.jsonl: {len(RUN)} events of 1 run, valid\n")
    done = agentctl("events", "check", "-", input="".join(RUN[1:]))
    assert (done.returncode, done.stdout) == (65, "")
    assert "stdin:1: $.seq: is 1" in done.stderr
    done = agentctl("events", "check", "none.jsonl")
    assert (done.returncode, "none.jsonl: No such file" in done.stderr) == (2, True)
