"""Drift: each field of a request that changes is found and named; ids, times and masked spans never are."""

import asyncio
import json
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agentctl import (
    Agent,
    CassetteDrift,
    ModelSettings,
    RunConfig,
    Runner,
    Usage,
    function_tool,
)
from agentctl.cassettes.comparison import differences, is_same_text
from agentctl.redaction import register_secret
from agentctl.testing import Cassette, ScriptedModel, assistant_message, function_call

REQUEST: dict[str, Any] = {
    "model": "m",
    "instructions": "Be brief.",
    "input": [
        {"role": "user", "content": "hi"},
        {"type": "function_call", "id": "fc_1", "call_id": "c1", "name": "double", "arguments": '{"number": 1}'},
        {"type": "function_call_output", "call_id": "c1", "output": "2"},
        {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "2", "annotations": []}]},
    ],
    "tools": [
        {"type": "function", "name": "double", "description": "Double.", "strict": True,
         "parameters": {"type": "object", "properties": {"number": {"type": "integer"}}, "required": ["number"]}},
        {"type": "web_search", "search_context_size": "low"},
    ],
    "temperature": 0.5,
    "tool_choice": "auto",
    "parallel_tool_calls": True,
    "metadata": {"team": "a"},
    "text": {"format": {"type": "json_schema", "schema": {"type": "object"}, "strict": True}},
    "reasoning": {"effort": "low"},
}  # fmt: skip
IDS = ("id", "call_id")


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Return the places of all values within a request but those of ids."""
    found = [path] if path else []
    parts = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return found + [place for name, part in parts if name not in IDS for place in places(part, (*path, name))]


PLACES = places(REQUEST)
VALUES = st.sampled_from([None, True, 7, 0.25, "other", [], ["x"], {}, {"x": "y"}])


def mutate(place: tuple[Any, ...], change: Callable[[Any, Any], None]) -> dict[str, Any]:
    request = json.loads(json.dumps(REQUEST))
    inner = request
    for name in place[:-1]:
        inner = inner[name]
    change(inner, place[-1])
    return dict(request)


@pytest.mark.slow
def test_any_change_of_any_field_is_found_and_named(share: Callable[[int], int]) -> None:
    @settings(max_examples=share(1000), derandomize=True, deadline=None)
    @given(place=st.sampled_from(PLACES), value=VALUES)
    def check(place: tuple[Any, ...], value: Any) -> None:
        check_change(place, value)

    check()


def check_change(place: tuple[Any, ...], value: Any) -> None:
    part = {"instructions": "instructions", "tools": "tools", "input": "history", "model": "model"}.get(
        place[0], "settings"
    )

    def assign(inner: Any, name: Any) -> None:
        inner[name] = value

    def remove(inner: Any, name: Any) -> None:
        del inner[name]

    for change in (assign, remove):
        changed = mutate(place, change)
        found = differences(REQUEST, changed)
        assert bool(found) == (json.dumps(changed) != json.dumps(REQUEST))
        assert {each.part for each in found} <= {part}
        assert differences(changed, changed) == []
        if found and part == "settings":
            assert found[0].place.startswith(str(place[0]))


@pytest.mark.parametrize(
    ("recorded", "replayed", "is_same"),
    [
        ("Today is 2026-11-30.", "Today is 2027-01-02.", True),
        ("at 2026-11-30T10:11:12.5Z", "at 2027-01-02T01:02:03+01:00", True),
        ("It is Monday, 30 November 2026, 10:15", "It is Tuesday, 1 December 2026, 09:00", True),
        ("id 550e8400-e29b-41d4-a716-446655440000", "id 650e8400-e29b-41d4-a716-446655440001", True),
        ("see resp_0123456789", "see resp_9876543210", True),
        ("stamp 1764497472", "stamp 1799999999.5", True),
        ("key [redacted].", "key sk-1.", True),
        ("[redacted] and [redacted]!", "a and b!", True),
        ("a and b!", "[redacted]!", True),
        ("key [redacted].", "key sk-1", False),
        ("[redacted] and [redacted]!", "a or b!", False),
        ("room 12", "room 13", False),
        ("in 30 days", "in 31 days", False),
        ("version 1.2", "version 1.3", False),
    ],
)
def test_ids_times_and_masked_spans_are_no_difference(recorded: str, replayed: str, is_same: bool) -> None:
    assert is_same_text(recorded, replayed) is is_same


@function_tool
async def double(number: int) -> int:
    """Double a number."""
    return number * 2


@dataclass
class Place:
    city: str


CHANGES: dict[str, tuple[str, dict[str, Any], dict[str, Any]]] = {
    "instructions": ("instructions", {"instructions": "Be terse."}, {}),
    "temperature": ("settings", {"model_settings": ModelSettings(temperature=0.1)}, {}),
    "the output limit": ("settings", {"model_settings": ModelSettings(max_tokens=50)}, {}),
    "a query parameter": ("settings", {"model_settings": ModelSettings(extra_query={"a": "b"})}, {}),
    "a header": ("settings", {"model_settings": ModelSettings(extra_headers={"x-beta": "on"})}, {}),
    "a penalty": ("settings", {"model_settings": ModelSettings(presence_penalty=0.5)}, {}),
    "a body field": ("settings", {"model_settings": ModelSettings(extra_body={"seed": 1})}, {}),
    "the output type": ("settings", {"output_type": Place}, {}),
    "no tools": ("tools", {"tools": []}, {}),
    "a handoff": ("tools", {"handoffs": [Agent(name="b")]}, {}),
    "a token budget": ("", {}, {"run_config": RunConfig(max_tokens_total=5000)}),
}


@pytest.mark.parametrize("name", CHANGES)
def test_what_changes_in_an_agent_is_drift(name: str, tmp_path: Path) -> None:
    part, changed, options = CHANGES[name]
    path = tmp_path / "run.jsonl"
    fields: dict[str, Any] = {"name": "a", "instructions": "Be brief.", "tools": [double]}
    steps = [[function_call("double", {"number": 1}, call_id="c1")], "2"]
    with Cassette(path, record="all"):
        usage = Usage(requests=1, input_tokens=5, output_tokens=3, total_tokens=8)
        Runner.run_sync(Agent(**fields, model=ScriptedModel(steps, default_usage=usage)), "hi")
    twin = Agent(**{**fields, **changed, "model": ScriptedModel()})
    if not part:
        with Cassette(path):
            assert Runner.run_sync(twin, "hi", **options).final_output == "2"
        return
    with pytest.raises(CassetteDrift) as caught, Cassette(path):
        Runner.run_sync(twin, "hi", **options)
    assert {each.part for each in caught.value.differences} == {part}


def test_a_drift_that_code_catches_still_ends_the_block(tmp_path: Path) -> None:
    path = tmp_path / "run.jsonl"

    def outer(instructions: str, *steps: Any) -> Agent[Any]:
        inner = Agent(name="b", instructions=instructions, model=ScriptedModel(steps[1:2]))
        tool = inner.as_tool("b", "Ask b.")
        model = ScriptedModel([*steps[:1], *steps[2:]])
        return Agent(name="a", tools=[tool], model=model)

    with Cassette(path, record="all"):
        call = [function_call("b", {"input": "x"}, call_id="c")]
        Runner.run_sync(outer("One.", call, "from b", "done"), "hi")
    with pytest.raises(CassetteDrift, match="agent 'b'"), Cassette(path), suppress(CassetteDrift):
        Runner.run_sync(outer("Two."), "hi")


def test_a_run_that_was_given_a_masked_answer_does_not_go_live(tmp_path: Path) -> None:
    path = tmp_path / "run.jsonl"
    secret = "sk-masked-0123456789abcdef"
    register_secret(secret)

    def agent(model: ScriptedModel, second: str) -> Agent[Any]:
        def instructions(context: Any, agent: Any) -> str:
            return "First." if context.usage.requests == 0 else second

        return Agent(name="a", instructions=instructions, tools=[double], model=model)

    for text, is_masked in ((f"It is {secret}.", True), ("It is fine.", False)):
        steps = [[assistant_message(text), function_call("double", {"number": 1}, call_id="c1")], "2"]
        with Cassette(path, record="all"):
            Runner.run_sync(agent(ScriptedModel(steps), "Second."), "hi")
        live = ScriptedModel(["live"])
        if is_masked:
            with pytest.raises(CassetteDrift, match="masked") as caught, Cassette(path, on_drift="live"):
                Runner.run_sync(agent(live, "Other."), "hi")
            assert caught.value.differences[0].part == "instructions"
        else:
            with Cassette(path, on_drift="live"):
                assert Runner.run_sync(agent(live, "Other."), "hi").final_output == "live"
        assert len(live.calls) == (not is_masked)


def test_fewer_calls_than_were_recorded_are_drift(tmp_path: Path) -> None:
    path = tmp_path / "run.jsonl"
    with Cassette(path, record="all"):
        Runner.run_sync(Agent(name="a", model=ScriptedModel(["one"])), "1")
        Runner.run_sync(Agent(name="a", model=ScriptedModel(["two"])), "2")
    with pytest.raises(CassetteDrift, match="without model call 2"), Cassette(path):
        Runner.run_sync(Agent(name="a", model=ScriptedModel()), "1")


def test_runs_that_are_made_together_are_told_apart(tmp_path: Path) -> None:
    path = tmp_path / "run.jsonl"

    async def both(*models: ScriptedModel) -> list[str]:
        agents = [Agent(name="a", model=model) for model in models]
        results = await asyncio.gather(*(Runner.run(each, f"I am {n}") for n, each in enumerate(agents)))
        return [str(result.final_output) for result in results]

    with Cassette(path, record="all"):
        assert asyncio.run(both(ScriptedModel(["one"]), ScriptedModel(["two"]))) == ["one", "two"]
    with Cassette(path):
        assert asyncio.run(both(ScriptedModel(), ScriptedModel())) == ["one", "two"]
