"""The export to OpenTelemetry: names, parents, children, metrics, and receivers that hang, refuse or answer HTML."""

import importlib
import json
import time
from pathlib import Path

import pytest
from google.protobuf.json_format import Parse
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from agentctl.telemetry import conventions
from agentctl.tracing.traceparent import TraceParent, read_traceparent, span_digits, trace_digits
from tests.conftest import Agentctl
from tests.service.client import Service
from tests.service.steps import text, tool_calls
from tests.telemetry.receiver import Receiver, attributes, receiving

KEY = "sk-canary-1234567890"
TOOL = """
import asyncio
from agentctl import Agent, function_tool
from agentctl.extensions.local_shell import LocalShell

@function_tool
async def get_weather(city: str) -> str:
    deadline = asyncio.get_running_loop().time() + 9
    output = await LocalShell(".")._run(("/bin/sh", "-c", "echo $TRACEPARENT"), deadline, 999)
    return output.stdout.strip()

agent = Agent(name="weather", tools=[get_weather])
"""
PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


@pytest.fixture
def env(service: Service, home: Path) -> dict[str, str]:
    """The variables of runs with a tool."""
    (home / "weather.py").write_text(TOOL)
    service.script(tool_calls(("get_weather", {"city": "Oslo"})), text("It is sunny."))
    return {"OPENAI_API_KEY": KEY, "OPENAI_BASE_URL": service.base_url}


def run(agentctl: Agentctl, env: dict[str, str], receiver: Receiver, **further: str) -> str:
    """Run the agent with the export, and return the id of its trace."""
    ended = agentctl(
        "run", "-a", "weather.py:agent", "--format", "json", "Weather?",
        env={**env, "AGENTCTL_TRACE_OTEL": "true", "OTEL_EXPORTER_OTLP_ENDPOINT": receiver.url, **further},
    )  # fmt: skip
    assert ended.returncode == 0, ended.stderr
    assert ended.stderr == ""
    trace_id: str = json.loads(ended.stdout)["trace_id"]
    return trace_id


def _texts(module: str) -> set[object]:
    return {value for value in vars(importlib.import_module(module)).values() if isinstance(value, str)}


def test_the_pinned_names_are_those_of_the_published_conventions() -> None:
    module = "opentelemetry.semconv"
    published: set[object] = set()
    for name in ("_incubating.attributes.gen_ai_attributes", "_incubating.metrics.gen_ai_metrics"):
        published |= _texts(f"{module}.{name}")
    for name in ("attributes.error_attributes", "attributes.server_attributes"):
        published |= _texts(f"{module}.{name}")
    gen_ai = importlib.import_module(f"{module}._incubating.attributes.gen_ai_attributes")
    operations = {each.value for each in gen_ai.GenAiOperationNameValues}
    providers = {each.value for each in gen_ai.GenAiProviderNameValues}
    ours = {name: value for name, value in vars(conventions).items() if isinstance(value, str) and name.isupper()}
    for name, value in ours.items():
        if "." in value and not value.startswith(("agentctl.", "https:")):
            assert value in published, name
        elif not value.startswith(("agentctl.", "https:")):
            assert value in operations, name
    assert set(conventions.PROVIDERS.values()) <= providers
    schemas = importlib.import_module(f"{module}.schemas").Schemas
    assert conventions.SCHEMA_URL in {each.value for each in schemas}


def test_a_run_is_exported_by_the_conventions(agentctl: Agentctl, env: dict[str, str]) -> None:
    with receiving() as receiver:
        trace_id = run(agentctl, env, receiver, OTEL_EXPORTER_OTLP_HEADERS="x-token=secret-of-otlp-123456")
    by_name = {span.name: span for span in receiver.spans}
    assert {"invoke_workflow Agent workflow", "invoke_agent weather", "turn 1", "execute_tool get_weather"} <= set(
        by_name
    )
    chats = [span for span in receiver.spans if span.name == "chat gpt-5.6-luna"]
    assert len(chats) == 2
    assert len(receiver.spans) == 8
    assert {span.trace_id.hex() for span in receiver.spans} == {trace_id.removeprefix("trace_")}
    told = attributes(chats[0])
    assert told["gen_ai.operation.name"] == "chat"
    assert told["gen_ai.provider.name"] == told["server.address"] == "127.0.0.1"
    assert told["gen_ai.usage.input_tokens"] > 0
    assert told["agentctl.trace.id"] == trace_id
    assert json.loads(told["gen_ai.input.messages"]) == [
        {"role": "user", "parts": [{"type": "text", "content": "Weather?"}]}
    ]
    assert json.loads(told["gen_ai.output.messages"])[0]["parts"][0]["type"] == "tool_call"
    tool = by_name["execute_tool get_weather"]
    assert attributes(tool)["gen_ai.tool.call.arguments"] == '{"city": "Oslo"}'
    process = by_name["process"]
    assert process.parent_span_id == tool.span_id
    assert attributes(tool)["gen_ai.tool.call.result"] == f"00-{tool.trace_id.hex()}-{process.span_id.hex()}-01"
    assert receiver.resources[0]["service.name"] == "agentctl"
    assert {headers.get("x-token") for headers in receiver.headers} == {"secret-of-otlp-123456"}
    durations, tokens = (receiver.metrics[f"gen_ai.client.{name}"] for name in ("operation.duration", "token.usage"))
    assert sum(point.count for point in durations) == 2
    assert {attributes(point)["gen_ai.token.type"] for point in tokens} == {"input", "output"}


def test_a_run_in_a_job_is_a_child_of_the_span_of_the_job(agentctl: Agentctl, env: dict[str, str]) -> None:
    with receiving() as receiver:
        trace_id = run(agentctl, env, receiver, TRACEPARENT=PARENT, OTEL_SERVICE_NAME="ci")
    assert {span.trace_id.hex() for span in receiver.spans} == {"0af7651916cd43dd8448eb211c80319c"}
    roots = [span for span in receiver.spans if span.parent_span_id.hex() == "b7ad6b7169203331"]
    assert [span.name for span in roots] == ["invoke_workflow Agent workflow"]
    assert attributes(roots[0])["agentctl.trace.id"] == trace_id
    assert receiver.resources[0]["service.name"] == "ci"
    (tool,) = [span for span in receiver.spans if span.name.startswith("execute_tool")]
    assert attributes(tool)["gen_ai.tool.call.result"].startswith("00-0af7651916cd43dd8448eb211c80319c-")


def test_an_unsampled_parent_and_the_samplers_variable_drop_spans(agentctl: Agentctl, env: dict[str, str]) -> None:
    with receiving() as receiver:
        run(agentctl, env, receiver, TRACEPARENT=f"{PARENT[:-2]}00")
        run(agentctl, env, receiver, OTEL_TRACES_SAMPLER="always_off")
        run(agentctl, env, receiver, OTEL_SDK_DISABLED="true")
    assert receiver.spans == []


def test_nothing_is_exported_because_a_variable_is_set(agentctl: Agentctl, env: dict[str, str]) -> None:
    with receiving() as receiver:
        env = {**env, "OTEL_EXPORTER_OTLP_ENDPOINT": receiver.url, "TRACEPARENT": PARENT}
        assert agentctl("run", "-a", "weather.py:agent", "Hi", env=env).returncode == 0
        assert receiver.headers == []
        assert agentctl("trace", "otel", "enable").returncode == 0
        assert f"OTLP        yes, to {receiver.url}/v1/traces" in agentctl("trace", "status", env=env).stdout
        assert agentctl("run", "-a", "weather.py:agent", "Hi", env=env).returncode == 0
        assert receiver.headers != []
        assert agentctl("trace", "otel", "disable").returncode == 0
        assert "OTLP" not in agentctl("trace", "status", env=env).stdout


@pytest.mark.parametrize("how", ["hangs", "refuses", "HTML", "503"])
def test_a_receiver_that_fails_neither_slows_nor_fails_a_run(
    agentctl: Agentctl, env: dict[str, str], service: Service, how: str
) -> None:
    status, body = {"HTML": (404, b"<html>Sign in</html>"), "503": (503, b"later")}.get(how, (200, b""))
    with receiving(status, body, hangs=how == "hangs") as receiver:
        url = "http://127.0.0.1:1" if how == "refuses" else receiver.url
        env = {**env, "AGENTCTL_TRACE_OTEL": "true", "OTEL_EXPORTER_OTLP_ENDPOINT": url}
        without = time.monotonic()
        agentctl("run", "-a", "weather.py:agent", "Hi", env={**env, "AGENTCTL_TRACE_OTEL": "false"})
        began = time.monotonic()
        ended = agentctl("run", "-a", "weather.py:agent", "Hi", env=env)
        took = time.monotonic() - began
    assert ended.returncode == 0
    assert ended.stdout
    assert "Traceback" not in ended.stderr
    assert took < (began - without) * 3 + 6  # Two seconds, on a machine that may be busy.


def test_a_stored_trace_is_exported_as_a_document(agentctl: Agentctl, env: dict[str, str]) -> None:
    ended = agentctl("run", "-a", "weather.py:agent", "--format", "json", "Hi", env=env)
    trace_id = json.loads(ended.stdout)["trace_id"]
    exported = agentctl("trace", "export", "--last", "--format", "otlp")
    assert exported.returncode == 0, exported.stderr
    document = json.loads(exported.stdout)
    spans = document["resourceSpans"][0]["scopeSpans"][0]["spans"]
    assert {span["traceId"] for span in spans} == {trace_id.removeprefix("trace_")}
    assert len(spans) == 8
    assert Parse(exported.stdout, ExportTraceServiceRequest()).resource_spans


@pytest.mark.parametrize(
    ("text", "is_valid"),
    [
        (PARENT, True),
        ("01" + PARENT[2:] + "-more", True),
        (PARENT + "-more", False),
        ("ff" + PARENT[2:], False),
        (PARENT.upper(), False),
        ("00-" + "0" * 32 + "-b7ad6b7169203331-01", False),
        ("00-0af7651916cd43dd8448eb211c80319c-" + "0" * 16 + "-01", False),
        ("", False),
        ("nonsense", False),
    ],
)
def test_only_a_valid_traceparent_is_a_parent(text: str, is_valid: bool) -> None:
    parent = read_traceparent({"TRACEPARENT": text})
    assert (parent is not None) == is_valid
    if parent is not None:
        assert parent == TraceParent("0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331", "01")


def test_ids_are_ours_where_they_have_the_form() -> None:
    assert trace_digits("trace_0af7651916cd43dd8448eb211c80319c") == "0af7651916cd43dd8448eb211c80319c"
    assert span_digits("span_cd5966ee77216fd00069de42") == "77216fd00069de42"
    for own in ("mine", "trace_" + "0" * 32, "../ü"):
        assert len(bytes.fromhex(trace_digits(own))) == 16
        assert len(bytes.fromhex(span_digits(own))) == 8


def test_without_the_extra_enable_names_it(agentctl: Agentctl, home: Path) -> None:
    (home / "opentelemetry").mkdir()
    (home / "opentelemetry" / "__init__.py").write_text("")
    refused = agentctl("trace", "otel", "enable", env={"PYTHONPATH": str(home)})
    assert refused.returncode == 78
    assert "pip install 'opentelemetry-exporter-otlp-proto-http" in refused.stderr
