"""The file of a cassette: small, masked, and refused with a clear error if it was cut, reordered, edited or is huge."""

import hashlib
import json
import random
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from agentctl import Agent, AgentsException, CassetteDrift, ConfigurationError, Runner, function_tool
from agentctl.cassettes.document import LARGEST, read
from agentctl.cassettes.packing import mask_deltas, pack, unpack
from agentctl.redaction import register_secret
from agentctl.testing import Cassette, ScriptedModel, assistant_message, function_call
from tests.cassettes.conftest import Setup
from tests.service.steps import http_error, text, tool_calls

SCHEMA = Path(__file__).parents[2] / "docs" / "cassette.schema.json"
OLD = Path(__file__).parent / "version1.jsonl"


@function_tool
async def double(number: int) -> int:
    """Double a number."""
    return number * 2


def agent(model: Any = None, turns: int = 3) -> Agent[Any]:
    steps = [[function_call("double", {"number": n}, call_id=f"c{n}")] for n in range(turns)]
    return Agent(name="a", instructions="Count.", tools=[double], model=model or ScriptedModel([*steps, "done"]))


@pytest.fixture
def lines(tmp_path: Path) -> list[str]:
    path = tmp_path / "run.jsonl"
    with Cassette(path, record="all"):
        Runner.run_sync(agent(), "count")
    return path.read_text().splitlines()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda lines: lines[:-1], "was cut"),
        (lambda lines: [*lines[:-1], lines[-1][:40]], "was cut"),
        (lambda lines: [], "is no cassette"),
        (lambda lines: ["hello"], "not valid JSON"),
        (lambda lines: [*lines[:2], *lines[3:]], "was changed"),
        (lambda lines: [lines[0], lines[4], *lines[1:4], *lines[5:]], "was changed"),
        (lambda lines: [line.replace("done", "gone") for line in lines], "was changed"),
        (lambda lines: [lines[0].replace('"version":1', '"version":9'), *lines[1:]], "version 9"),
        (lambda lines: [lines[0], "[" * 5000 + "]" * 5000, *lines[1:]], "not valid JSON"),
    ],
)  # fmt: skip
def test_a_cassette_that_is_not_as_it_was_recorded_is_refused(
    lines: list[str], change: Any, message: str, tmp_path: Path
) -> None:
    path = tmp_path / "changed.jsonl"
    path.write_text("".join(f"{line}\n" for line in change(lines)))
    with pytest.raises(ConfigurationError, match=message) as caught:
        read(path)
    assert caught.value.file == path


def test_a_huge_cassette_is_refused_before_it_is_read(tmp_path: Path) -> None:
    path = tmp_path / "huge.jsonl"
    with path.open("wb") as file:
        file.truncate(500 << 20)
    with pytest.raises(ConfigurationError, match=f"larger than {LARGEST >> 20} MiB"):
        read(path)
    with pytest.raises(ConfigurationError, match="a device, a pipe or a folder"):
        read(Path("/dev/zero"))


def test_line_ends_of_another_system_change_nothing(lines: list[str], tmp_path: Path) -> None:
    path = tmp_path / "crlf.jsonl"
    path.write_bytes("".join(f"{line}\r\n" for line in lines).encode())
    assert len(read(path).calls) == 4


def test_a_cassette_grows_with_the_turns_and_not_with_their_square(tmp_path: Path) -> None:
    sizes = []
    for turns in (10, 40):
        path = tmp_path / f"{turns}.jsonl"
        with Cassette(path, record="all"):
            Runner.run_sync(agent(turns=turns), "count", max_turns=None)
        sizes.append(path.stat().st_size)
    assert sizes[1] < 4.2 * sizes[0]


def test_a_cassette_of_an_earlier_release_replays() -> None:
    with Cassette(OLD):
        result = Runner.run_sync(agent(ScriptedModel()), "count")
    assert result.final_output == "done"


def test_the_lines_of_cassettes_match_their_schema(setup: Setup) -> None:
    validator = Draft202012Validator(json.loads(SCHEMA.read_text()))
    validator.check_schema(validator.schema)
    pay = tool_calls(("pay", {"amount": 3}, "call_p"))
    setup.record("Pay!", "--allow", "pay", "--session", "s", steps=[http_error(503), pay, text("Paid.", deltas=3)])
    for path in (OLD, setup.cassette):
        lines = [json.loads(line) for line in path.read_text().splitlines()]
        for line in lines:
            validator.validate(line)
    kinds = {line["type"] for line in lines}
    assert kinds == {"cassette", "request", "event", "answer", "tool", "approval", "end"}


def test_a_secret_is_masked_even_if_it_is_split_over_deltas(tmp_path: Path) -> None:
    secret = "sk-split-0123456789abcdef"
    register_secret(secret)
    path = tmp_path / "run.jsonl"
    message = assistant_message(f"It is {secret} indeed")
    parts = ["It is sk-split-01", "23456789ab", "cdef indeed"]
    events = [{"type": "response.output_text.delta", "item_id": "m", "output_index": 0, "delta": d} for d in parts]
    events += [
        {"type": "response.output_item.done", "output_index": 0, "item": message},
        {"type": "response.completed", "response": {"id": "r", "status": "completed", "output": [message]}},
    ]
    with Cassette(path, record="all"):
        Runner.run_sync(Agent(name="a", model=ScriptedModel([{"stream_events": events}])), f"My key is {secret}")
    assert "split" not in path.read_text()
    with Cassette(path):  # A masked span matches anything.
        assert Runner.run_sync(Agent(name="a", model=ScriptedModel()), "My key is another one").final_output == (
            "It is [redacted] indeed"
        )
    with pytest.raises(CassetteDrift), Cassette(path):
        Runner.run_sync(Agent(name="a", model=ScriptedModel()), "His key is another one")


RESPONSES = st.dictionaries(
    st.sampled_from(["id", "output", "usage", "tools"]), st.sampled_from([None, 1, [], [{"a": 1}]])
)
ITEMS = st.fixed_dictionaries({"a": st.integers(0, 1)})
EVENTS = st.lists(
    st.one_of(
        st.builds(
            lambda delta, item, number: {"type": "t.delta", "item_id": item, "sequence_number": number, "delta": delta},
            st.text(max_size=3), st.sampled_from("ab"), st.integers(0, 5),
        ),
        st.builds(lambda delta: {"type": "u.delta", "delta": delta}, st.text(max_size=3)),
        st.builds(
            lambda response: {"type": "response.created", "response": response}, RESPONSES,
        ),
        st.builds(lambda item: {"type": "response.output_item.done", "item": item}, ITEMS),
    ),
    max_size=12,
)  # fmt: skip


@settings(max_examples=40, derandomize=True)
@given(events=EVENTS, base=st.none() | st.dictionaries(st.sampled_from(["id", "tools"]), st.integers(0, 2)))
def test_packed_events_are_the_same_when_unpacked(events: list[Any], base: dict[str, Any] | None) -> None:
    packed = json.loads(json.dumps(pack(mask_deltas(events), base)))
    assert unpack(packed, base) == events


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    parts = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return ([path] if path else []) + [place for name, part in parts for place in places(part, (*path, name))]


OTHERS = [None, True, -1, 1.5, "x", "", [], {}, ["a"], {"type": "x"}, [[]], "RunInterrupted"]
FIELDS = {"message": "m", "fields": {"signal_number": 999}}
ENDS: list[dict[str, Any]] = [
    {},
    *({"error": {"type": kind, **FIELDS}} for kind in ("RunInterrupted", "BudgetExceeded")),
]


def check_forgeries(count: int, path: Path) -> None:
    """Replay cassettes with a wrong value and the right digest: each is refused, or ends the run with an error."""
    chance = random.Random(19)
    for _ in range(count):
        lines = [json.loads(line) for line in OLD.read_text().splitlines()]
        line = chance.choice(lines[:-1])
        *outer, name = chance.choice(places(line))
        inner = line
        for step in outer:
            inner = inner[step]
        inner[name] = chance.choice(OTHERS)
        body = [json.dumps(each) for each in lines[:-1]]
        digest = hashlib.sha256("".join(f"{each}\n" for each in body).encode()).hexdigest()
        end = {"type": "end", "lines": len(body), "sha256": digest, **chance.choice(ENDS)}
        path.write_text("".join(f"{each}\n" for each in (*body, json.dumps(end))))
        with suppress(AgentsException), Cassette(path):
            Runner.run_sync(agent(ScriptedModel()), "count")


@pytest.mark.slow
def test_a_forged_cassette_is_an_error_that_says_so(tmp_path: Path, share: Callable[[int], int]) -> None:
    check_forgeries(share(2000), tmp_path / "forged.jsonl")
