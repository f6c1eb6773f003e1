"""The fixtures of the SDK's tests, by public names only: copied over its `conftest.py`."""

import os
from collections.abc import Iterator

import agents
import pytest
from agents.models.openai_chatcompletions import OpenAIChatCompletionsModel
from agents.models.openai_responses import OpenAIResponsesModel
from agents.run import set_default_agent_runner

from .testing_processor import SPAN_PROCESSOR_TESTING

os.environ.setdefault("OPENAI_API_KEY", "test_key")
for _name in ("ALL_PROXY", "HTTP_PROXY", "HTTPS_PROXY"):
    os.environ.pop(_name, None)
    os.environ.pop(_name.lower(), None)


@pytest.fixture(scope="session", autouse=True)
def only_the_processor_of_the_tests() -> Iterator[None]:
    agents.set_trace_processors([SPAN_PROCESSOR_TESTING])
    yield
    agents.set_trace_processors([])


@pytest.fixture(autouse=True)
def each_test_begins_anew() -> None:
    SPAN_PROCESSOR_TESTING.clear()
    set_default_agent_runner(None)
    agents.set_default_openai_api("responses")
    agents.set_default_openai_responses_transport("http")


@pytest.fixture(autouse=True)
def no_real_model(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    if request.node.get_closest_marker("allow_call_model_methods") is not None:
        return

    def refuse(*_: object, **__: object) -> None:
        pytest.fail("a real model was called")

    for model in (OpenAIResponsesModel, OpenAIChatCompletionsModel):
        monkeypatch.setattr(model, "get_response", refuse)
        monkeypatch.setattr(model, "stream_response", refuse)
