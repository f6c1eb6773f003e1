"""Exporting: to the service, which may refuse, fail, hang or be gone, and to the console."""

import json
import logging
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from agentctl.net.defaults import Defaults, get_defaults, restore_defaults, set_tracing_export_api_key
from agentctl.net.options import HttpOptions
from agentctl.redaction import register_secret
from agentctl.tracing import Span, Trace, custom_span, function_span, generation_span, trace
from agentctl.tracing.processors import BackendSpanExporter, ConsoleSpanExporter
from tests.net.server import answering
from tests.service.client import Service
from tests.service.steps import drop_before_events, hang, http_error, redirect
from tests.tracing.recorder import recording

Make = Callable[..., BackendSpanExporter]


@pytest.fixture(autouse=True)
def defaults(home: object) -> Iterator[None]:
    before = get_defaults()
    restore_defaults(Defaults())
    yield
    restore_defaults(before)


@pytest.fixture
def slept() -> list[float]:
    return []


@pytest.fixture
def exporter(service: Service, slept: list[float]) -> Iterator[Make]:
    made: list[BackendSpanExporter] = []

    def make(**given: Any) -> BackendSpanExporter:
        given = {"api_key": "sk-export", "endpoint": f"{service.base_url}/traces/ingest", **given}
        made.append(BackendSpanExporter(sleep=slept.append, **given))
        return made[-1]

    yield make
    for one in made:
        one.close()


def traced(**config: Any) -> list[Trace | Span[Any]]:
    with (
        recording() as recorder,
        trace("work", **config),
        custom_span("outer"),
        function_span("f", input="in", output="out"),
    ):
        pass
    return [*recorder.traces, *recorder.spans]


def test_traces_and_spans_go_out_in_one_request_as_the_service_wants_them(exporter: Make, service: Service) -> None:
    items = traced(group_id="talk", metadata={"a": "b"})
    sender = exporter(organization="org-1", project="proj-1")
    sender.export(items)
    [request] = service.traced()
    assert request["body"] == {"data": [item.export() for item in items]}
    headers = request["headers"]
    assert headers["authorization"] == "Bearer sk-export"
    assert headers["openai-beta"] == "traces=v1"
    assert headers["content-type"] == "application/json"
    assert (headers["openai-organization"], headers["openai-project"]) == ("org-1", "proj-1")
    assert (sender.exported, sender.dropped) == (3, 0)


def test_organization_and_project_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_ORG_ID", "org-2")
    monkeypatch.setenv("OPENAI_PROJECT_ID", "proj-2")
    assert (BackendSpanExporter().organization, BackendSpanExporter().project) == ("org-2", "proj-2")


def test_a_trace_with_a_key_of_its_own_goes_out_with_it(exporter: Make, service: Service) -> None:
    exporter().export([*traced(tracing={"api_key": "sk-own"}), *traced()])
    keys = [request["headers"]["authorization"] for request in service.traced()]
    assert keys == ["Bearer sk-own", "Bearer sk-export"]


def test_the_service_takes_what_would_be_too_much_for_it(
    exporter: Make, service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("agentctl.tracing.export.ENDPOINT", f"{service.base_url}/traces/ingest")
    with (
        recording() as recorder,
        trace("work"),
        custom_span("odd", data={"object": object()}),
        generation_span(input=[{"role": "user", "content": "x" * 500_000}]) as span,
    ):
        span.span_data.usage = {"input_tokens": 1, "output_tokens": 1, "total_tokens": 2}
    sender = exporter()
    sender.export([*recorder.traces, *recorder.spans])
    assert (sender.exported, sender.dropped) == (3, 0)


def test_what_is_a_secret_does_not_go_out(exporter: Make, service: Service) -> None:
    register_secret("sk-very-secret")
    with recording() as recorder, trace("work"), function_span("f", input='{"key": "sk-very-secret"}'):
        pass
    exporter().export([*recorder.spans])
    assert "sk-very-secret" not in json.dumps(service.traced()[0]["body"])
    assert "[redacted]" in json.dumps(service.traced()[0]["body"])


@pytest.mark.parametrize("step", [http_error(500), http_error(429), http_error(503), drop_before_events()])
def test_what_may_pass_is_tried_again(exporter: Make, service: Service, slept: list[float], step: Any) -> None:
    service.script_ingests(step, step)
    sender = exporter()
    sender.export(traced())
    assert len(service.traced()) == 3
    assert (sender.exported, sender.dropped) == (3, 0)
    assert 1 <= slept[0] <= 1.1
    assert 2 <= slept[1] <= 2.2


def test_the_service_says_how_long_to_wait(exporter: Make, service: Service, slept: list[float]) -> None:
    service.script_ingests(
        http_error(429, headers={"retry-after": "7"}), http_error(429, headers={"retry-after": "99"})
    )
    exporter().export(traced())
    assert 7 <= slept[0] <= 7.7
    assert 30 <= slept[1] <= 33


def test_after_the_last_attempt_it_is_dropped_counted_and_logged_once(
    exporter: Make, service: Service, slept: list[float], caplog: pytest.LogCaptureFixture
) -> None:
    service.script_ingests(*[http_error(500)] * 6)
    sender = exporter()
    with caplog.at_level(logging.WARNING, logger="openai.agents"):
        sender.export(traced())
        sender.export(traced())
    assert (len(service.traced()), sender.dropped, len(slept)) == (6, 6, 4)
    [record] = caplog.records
    assert record.message == (
        f"traces were not exported in 3 attempts: {sender.endpoint} answered 500; "
        "the run continues, and its traces are dropped"
    )


@pytest.mark.parametrize("step", [http_error(400), http_error(401), http_error(403), redirect("http://127.0.0.1:9/x")])
def test_what_will_not_pass_is_dropped_at_once(
    exporter: Make, service: Service, slept: list[float], caplog: pytest.LogCaptureFixture, step: Any
) -> None:
    service.script_ingests(step)
    sender = exporter()
    sender.export(traced())
    assert (len(service.traced()), sender.dropped, slept) == (1, 3, [])
    assert "rejected traces" in caplog.text
    assert "sk-export" not in caplog.text


def test_a_silent_service_is_not_waited_for_longer_than_told(
    exporter: Make, service: Service, slept: list[float]
) -> None:
    service.script_ingests(hang())
    sender = exporter(max_retries=1, options=HttpOptions(request_timeout=0.05))
    sender.export(traced())
    assert sender.dropped == 3


def test_a_service_that_is_not_there_is_no_error(caplog: pytest.LogCaptureFixture) -> None:
    sender = BackendSpanExporter("sk-export", endpoint="http://127.0.0.1:9/ingest", sleep=lambda _: None)
    sender.export(traced())
    assert sender.dropped == 3
    assert "127.0.0.1:9" in caplog.text


def test_an_address_that_is_none_is_an_error_at_once() -> None:
    with pytest.raises(Exception, match="not an http or https URL"):
        BackendSpanExporter("sk-export", endpoint="ftp://nowhere")


def test_traces_go_through_the_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    with answering(b"{}", "application/json") as proxy:
        monkeypatch.setenv("HTTP_PROXY", proxy.origin)
        sender = BackendSpanExporter("sk-export", endpoint="http://traces.example/ingest")
        sender.export(traced())
        sender.close()
    assert [target for target, _ in proxy.seen] == ["http://traces.example/ingest"]


def test_it_can_be_closed_and_used_again(exporter: Make, service: Service) -> None:
    sender = exporter()
    sender.export(traced())
    sender.close()
    sender.close()
    sender.export(traced())
    assert sender.exported == 6


def test_without_a_key_nothing_goes_out_and_one_line_of_the_debug_log_says_so(
    exporter: Make, service: Service, caplog: pytest.LogCaptureFixture
) -> None:
    sender = exporter(api_key=None)
    with caplog.at_level(logging.DEBUG, logger="openai.agents"):
        sender.export(traced())
        sender.export(traced())
    assert service.traced() == []
    assert [record.levelname for record in caplog.records if "no key" in record.message] == ["DEBUG"]


def test_the_key_is_the_one_given_else_that_for_traces_else_the_environments(monkeypatch: pytest.MonkeyPatch) -> None:
    assert BackendSpanExporter().api_key is None
    sender = BackendSpanExporter()
    monkeypatch.setenv("OPENAI_API_KEY", "sk-environment")
    assert sender.api_key == "sk-environment"
    set_tracing_export_api_key("sk-of-traces")
    assert sender.api_key == "sk-of-traces"
    sender.set_api_key("sk-given")
    assert sender.api_key == "sk-given"


@pytest.mark.parametrize(
    ("base_url", "endpoint", "goes"),
    [
        (None, "https://api.openai.com/v1/traces/ingest", True),
        ("https://api.openai.com/v1", "https://api.openai.com/v1/traces/ingest", True),
        ("http://localhost:1234/v1", "https://api.openai.com/v1/traces/ingest", False),
        ("http://localhost:1234/v1", "http://localhost:1234/traces", True),
        (None, "https://traces.example/ingest", False),
        ("nonsense", "https://api.openai.com/v1/traces/ingest", False),
    ],
)
def test_the_environments_key_goes_to_its_own_service_alone(
    monkeypatch: pytest.MonkeyPatch, base_url: str | None, endpoint: str, goes: bool
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-environment")
    if base_url:
        monkeypatch.setenv("OPENAI_BASE_URL", base_url)
    assert (BackendSpanExporter(endpoint=endpoint).api_key is not None) is goes


def test_the_console_shows_one_line_each_without_secrets_and_data(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    register_secret("sk-very-secret")
    items = traced(metadata={"key": "sk-very-secret"})
    ConsoleSpanExporter().export(items)
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["object"] for line in lines] == ["trace", "trace.span", "trace.span"]
    assert lines[0]["metadata"] == {"key": "[redacted]"}
    assert "input" not in lines[1]["span_data"]
    monkeypatch.setenv("OPENAI_AGENTS_DONT_LOG_TOOL_DATA", "0")
    ConsoleSpanExporter().export(items[1:2])
    assert json.loads(capsys.readouterr().out)["span_data"]["input"] == "in"
