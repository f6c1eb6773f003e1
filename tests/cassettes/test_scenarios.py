"""Every scenario of the suite, recorded over each transport and replayed without a model: all that is seen is equal."""

import asyncio
import logging
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from agentctl import Agent, MultiProvider, RunConfig, Runner
from agentctl.run.result import RunResultBase
from agentctl.testing import Cassette
from tests.run import test_both_ways, test_transports
from tests.run.legs import Legs, ToldOfRun, spans
from tests.run.test_both_ways import Scenario
from tests.run.test_transports import WAYS, bare_spans, config, seen
from tests.service.client import Service
from tests.tracing.recorder import recording


async def play(scenario: Scenario, cassette: Cassette, *, streamed: bool) -> dict[str, Any]:
    legs = Legs(streamed=streamed)
    with cassette:
        await scenario(legs)
    assert asyncio.all_tasks() == {asyncio.current_task()}
    calls = sum(len(model.calls) for model in legs.models)
    return {"seen": as_json(legs.seen), "told": in_any_order(legs.told), "calls": calls}


def in_any_order(told: list[Any]) -> list[str]:
    """Return what hooks were told; tools of one turn end in any order."""
    return sorted(map(repr, as_json(told)))


def as_json(value: Any) -> Any:
    """Return a value as it is when it is replayed: what tools return is JSON then."""
    match value:
        case dict():
            return {name: as_json(part) for name, part in value.items() if part is not None}
        case list() | tuple():
            return [as_json(part) for part in value]
        case BaseModel():
            return value.model_dump(exclude_none=True)
        case _:
            return value


# A tool that runs tells these scenarios when to break off, and a replayed one does not run.
REPLAYABLE = [play for play in test_both_ways.SCENARIOS if "broken_off" not in play.__name__]


@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize("scenario", REPLAYABLE, ids=lambda scenario: scenario.__name__)
def test_a_scenario_is_the_same_when_it_is_replayed(
    scenario: Scenario, streamed: bool, home: object, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    path = tmp_path / "run.jsonl"
    recorded = asyncio.run(play(scenario, Cassette(path, record="all"), streamed=streamed))
    replayed = asyncio.run(play(scenario, Cassette(path), streamed=streamed))
    assert replayed.pop("calls") == 0
    recorded.pop("calls")
    assert replayed == recorded


async def run(agent: Agent[Any], run_config: RunConfig, streamed: bool) -> tuple[RunResultBase, list[Any]]:
    told: list[tuple[Any, ...]] = []
    try:
        if not streamed:
            return await Runner.run(agent, "hi", run_config=run_config, hooks=ToldOfRun(told)), told
        result = Runner.run_streamed(agent, "hi", run_config=run_config, hooks=ToldOfRun(told))
        async for _ in result.stream_events():
            pass
        return result, told
    finally:
        await run_config.model_provider.aclose()


@pytest.mark.parametrize("name", test_transports.SCENARIOS)
def test_a_scenario_of_each_transport_is_the_same_when_it_is_replayed(
    name: str, service: Service, home: object, tmp_path: Path
) -> None:
    steps, fields = test_transports.SCENARIOS[name]
    agent = Agent(**{"name": "a", "instructions": "Be brief.", "tools": [test_transports.double]} | fields)
    for way, streamed in product(WAYS, [False, True]):
        path = tmp_path / f"{way}{streamed}.jsonl"
        service.reset()
        service.script(*steps)
        with recording() as recorder, Cassette(path, record="all"):
            result, told = asyncio.run(run(agent, config(service, way), streamed))
        recorded = seen(result), in_any_order(told), bare_spans(spans(recorder)), result.context_wrapper.usage.transport
        asked = len(service.requests())
        nowhere = RunConfig(model_provider=MultiProvider(openai_base_url="http://127.0.0.1:9"), model="gpt-x")
        with recording() as recorder, Cassette(path):
            result, told = asyncio.run(run(agent, nowhere, streamed))
        replayed = seen(result), in_any_order(told), bare_spans(spans(recorder)), result.context_wrapper.usage.transport
        assert replayed == recorded
        assert len(service.requests()) == asked
        assert "sk-transports" not in path.read_text()
