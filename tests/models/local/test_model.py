import asyncio
import json
import os
import subprocess
import sys
from contextlib import aclosing
from pathlib import Path
from typing import Any

import pytest

from agentctl.agent.events import Progressed
from agentctl.agent.model_settings import ModelSettings
from agentctl.agent.output import AgentOutputSchema
from agentctl.agent.ports import ModelRequest
from agentctl.errors import (
    ConfigurationError,
    ModelBehaviorError,
    ModelTimeoutError,
    RequestRejectedError,
    ServiceUnavailableError,
)
from agentctl.models.local.model import LocalModel, LocalProvider
from agentctl.models.local.weights import SMOLLM2
from agentctl.threads import wait_for_running
from tests.models.local.test_chat import CALL, OUTPUT, QUESTION, WEATHER

SETTLED = ModelSettings(temperature=0, max_tokens=60, extra_args={"seed": 1})


@pytest.fixture
def model(local_home: Path) -> LocalModel:
    return LocalProvider(os.environ).get_model(None)


async def collect(model: LocalModel, request: ModelRequest) -> list[Any]:
    async with aclosing(model.stream(request)) as events:
        return [event async for event in events]


def ask(model: LocalModel, **request: Any) -> dict[str, Any]:
    """Return the events of one call."""
    request.setdefault("model_settings", SETTLED)
    response: dict[str, Any] = asyncio.run(collect(model, ModelRequest(**request)))[-1]["response"]
    return response


def text_of(response: dict[str, Any]) -> str:
    (message,) = response["output"]
    text: str = message["content"][0]["text"]
    return text


def generations() -> list[str]:
    """Return the generations that still run, after a moment to end."""
    return wait_for_running(10)


def test_an_answer_streams_token_by_token(model: LocalModel) -> None:
    events = asyncio.run(collect(model, ModelRequest(input="What is the capital of France?", model_settings=SETTLED)))
    wire = [event for event in events if isinstance(event, dict)]
    deltas = [event["delta"] for event in wire if event["type"] == "response.output_text.delta"]
    response = wire[-1]["response"]
    assert len(deltas) > 3
    assert "".join(deltas) == text_of(response)
    assert "Paris" in text_of(response)
    assert response["model"] == "local/smollm2"
    assert response["usage"]["output_tokens"] >= len(deltas)


def test_get_response_gives_the_whole(model: LocalModel) -> None:
    request = ModelRequest(input="Say hello", model_settings=SETTLED)
    response = asyncio.run(
        model.get_response(
            None, request.input, SETTLED, [], None, [], request.tracing, previous_response_id=None, prompt=None
        )
    )
    assert response.wire_output[0]["type"] == "message"
    assert response.usage.total_tokens > 0


def test_the_token_limit_makes_the_answer_incomplete(model: LocalModel) -> None:
    response = ask(model, input="Tell me a story.", model_settings=ModelSettings(max_tokens=5))
    assert response["status"] == "incomplete"
    assert response["usage"]["output_tokens"] == 5


@pytest.mark.parametrize("choice", [None, "required", "get_weather"])
def test_a_question_for_a_tool_becomes_a_well_formed_call(model: LocalModel, choice: str | None) -> None:
    settings = ModelSettings(temperature=0, tool_choice=choice, extra_args={"seed": 1})
    (call,) = ask(model, input="Is it raining in Paris right now?", tools=[WEATHER], model_settings=settings)["output"]
    assert call["type"] == "function_call"
    assert call["name"] == "get_weather"
    assert json.loads(call["arguments"]) == {"city": "Paris"}


def test_a_result_of_a_tool_becomes_an_answer(model: LocalModel) -> None:
    output = {**OUTPUT, "output": "Sunny, 20 degrees."}
    assert "20" in text_of(ask(model, input=[QUESTION, CALL, output], tools=[WEATHER]))


def test_a_schema_holds_the_answer(model: LocalModel) -> None:
    schema = AgentOutputSchema(list[int])
    settings = ModelSettings(temperature=0, max_tokens=200, extra_args={"seed": 1})
    text = text_of(ask(model, input="Count from 1 to 3.", output_schema=schema, model_settings=settings))
    assert all(isinstance(number, int) for number in schema.validate_json(text))


def test_json_cut_by_the_token_limit_is_an_error(model: LocalModel) -> None:
    with pytest.raises(ModelBehaviorError, match="max_tokens"):
        ask(model, input="Hi", output_schema=AgentOutputSchema(list[str]), model_settings=ModelSettings(max_tokens=2))


def test_a_prompt_longer_than_the_context_is_refused(model: LocalModel) -> None:
    with pytest.raises(RequestRejectedError, match=r"the prompt has \d+ tokens.*8192"):
        ask(model, input="word " * 9000)


def test_a_schema_that_no_grammar_can_say_is_refused(model: LocalModel) -> None:
    class Odd(AgentOutputSchema):
        def json_schema(self) -> dict[str, Any]:
            return {"type": "frobnicated"}

    with pytest.raises(RequestRejectedError, match="frobnicated"):
        ask(model, input="Hi", output_schema=Odd(int))


def test_closing_the_stream_ends_the_generation(model: LocalModel) -> None:
    async def scenario() -> None:
        async with aclosing(model.stream(ModelRequest(input="Tell me a very long story."))) as events:
            async for event in events:
                if isinstance(event, dict) and event["type"] == "response.output_text.delta":
                    break

    asyncio.run(scenario())
    assert generations() == []


def test_cancelling_the_reader_ends_the_generation(model: LocalModel) -> None:
    async def scenario() -> None:
        begun = asyncio.Event()

        async def read() -> None:
            async for event in model.stream(ModelRequest(input="Tell me a very long story.")):
                if isinstance(event, dict) and event["type"] == "response.output_text.delta":
                    begun.set()

        task = asyncio.create_task(read())
        await begun.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(scenario())
    assert generations() == []


def test_a_second_call_waits_for_the_first(model: LocalModel) -> None:
    order: list[str] = []

    async def read(name: str) -> None:
        request = ModelRequest(input="Name three rivers.", model_settings=ModelSettings(max_tokens=20))
        async for event in model.stream(request):
            if isinstance(event, dict) and event["type"] == "response.output_text.delta":
                order.append(name)

    async def scenario() -> None:
        async with asyncio.TaskGroup() as group:
            for name in "abc":
                group.create_task(read(name))

    asyncio.run(scenario())
    assert order == sorted(order, key=order.index)
    assert set(order) == set("abc")


def test_a_model_call_that_takes_too_long_is_ended(model: LocalModel) -> None:
    with pytest.raises(ModelTimeoutError):
        ask(model, input="Tell me a very long story.", model_settings=ModelSettings(timeout=0.2))
    assert generations() == []


def test_loading_is_announced_and_the_runtime_is_silent(local_home: Path) -> None:
    script = (
        "import asyncio, os\n"
        "from agentctl.agent.model_settings import ModelSettings\n"
        "from agentctl.agent.ports import ModelRequest\n"
        "from agentctl.models.local.model import LocalProvider\n"
        "async def main():\n"
        "    request = ModelRequest(input='Say hello', model_settings=ModelSettings(max_tokens=3))\n"
        "    async for event in LocalProvider().get_model('smollm2').stream(request):\n"
        "        print(event['type'] if isinstance(event, dict) else event.message)\n"
        "asyncio.run(main())\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.splitlines()[:2] == ["loading local/smollm2", "response.created"]
    assert done.stdout.splitlines()[-1] == "response.incomplete"
    assert done.stderr == ""


def test_a_process_leaves_while_a_generation_runs(local_home: Path) -> None:
    script = (
        "import os\n"
        "from pathlib import Path\n"
        "from agentctl.models.local import runtime\n"
        "import asyncio\n"
        "async def main():\n"
        "    chunks = runtime.load(Path(os.environ['GGUF'])).chat({'messages': [], 'stream': True})\n"
        "    await anext(chunks)\n"
        "    print('leaving', flush=True)\n"
        "    os._exit(7) if os.environ['HOW'] == 'at once' else exit(7)\n"
        "asyncio.run(main())\n"
    )
    for how in ("at once", "politely"):
        environ = {**os.environ, "GGUF": str(local_home / ".agentctl" / "models" / SMOLLM2.file_name), "HOW": how}
        done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, env=environ)
        assert (done.returncode, done.stdout, done.stderr) == (7, "leaving\n", "")


def test_any_gguf_file_runs_by_its_path(weights_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "mine.gguf").symlink_to(weights_file)
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in (str(tmp_path / "mine.gguf"), "~/mine.gguf"):
        response = ask(LocalProvider().get_model(name), input="Hi", model_settings=ModelSettings(max_tokens=2))
        assert response["model"] == f"local/{name}"


def test_weights_that_pip_must_fetch_are_announced(
    home: Path, weights_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    environ = {**os.environ, "PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(tmp_path)}

    seen: list[Any] = []

    async def read() -> None:
        async for event in LocalModel("smollm2", SMOLLM2, environ).stream(ModelRequest(input="Hi")):
            seen.append(event)

    with pytest.raises(ServiceUnavailableError, match="pip could not download smollm2"):
        asyncio.run(read())
    assert seen == [Progressed(message="downloading smollm2")]


def test_a_damaged_file_of_the_right_size_is_named_with_its_remedy(home: Path, weights_file: Path) -> None:
    folder = home / ".agentctl" / "models"
    folder.mkdir(parents=True)
    whole = weights_file.read_bytes()
    (folder / SMOLLM2.file_name).write_bytes(whole[:50_000_000] + bytes(1000) + whole[50_001_000:])
    with pytest.raises(ConfigurationError, match=r"damaged.*agentctl models pull smollm2"):
        ask(LocalModel("smollm2", SMOLLM2, os.environ), input="Hi")


def test_a_cut_gguf_file_is_named(weights_file: Path, tmp_path: Path) -> None:
    path = tmp_path / "cut.gguf"
    with weights_file.open("rb") as file:
        path.write_bytes(file.read(1_000_000))
    with pytest.raises(ConfigurationError, match=r"cut\.gguf: cannot be loaded"):
        ask(LocalProvider().get_model(str(path)), input="Hi")
