"""What a process does with its traces by itself, and how it ends: seen in processes that take a fake for OpenAI."""

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from tests.as_openai import as_openai
from tests.service.client import Service
from tests.service.steps import hang, http_error

RUN = """
from agentctl import Agent, Runner
print(Runner.run_sync(Agent(name="a"), "Hi").final_output)
"""


@pytest.fixture
def openai(service: Service, home: object) -> Iterator[dict[str, str]]:
    """The variables of a process for which the fake service is OpenAI."""
    with as_openai(service) as environ:
        yield environ


def play(code: str, openai: Mapping[str, str], **further: str) -> tuple[str, str]:
    """Run code in a process that must end by itself, and return its output."""
    ended = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, **openai, **further},
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
    )
    return ended.stdout, ended.stderr


def kinds(service: Service) -> list[str]:
    """Return what was traced, over all requests."""
    items: list[dict[str, Any]] = [item for request in service.traced() for item in request["body"]["data"]]
    return [
        item["span_data"].get("name") or item["span_data"]["type"] if "span_data" in item else "trace" for item in items
    ]


def test_a_run_is_exported_to_openai_with_its_key_before_the_process_ends(
    service: Service, openai: dict[str, str]
) -> None:
    assert play(RUN, openai) == ("ok\n", "")
    assert kinds(service) == ["trace", "response", "turn", "a", "task"]
    assert {request["headers"]["authorization"] for request in service.traced()} == {"Bearer sk-for-openai"}


def test_a_trace_of_the_users_own_is_exported_too(service: Service, openai: dict[str, str]) -> None:
    play("from agentctl.tracing import *\nwith trace('mine'), custom_span('work'): pass", openai)
    assert kinds(service) == ["trace", "work"]


@pytest.mark.parametrize(
    ("further", "code"),
    [
        ({"OPENAI_AGENTS_DISABLE_TRACING": "1"}, RUN),
        ({}, f"from agentctl import set_tracing_disabled\nset_tracing_disabled(True)\n{RUN}"),
        ({}, f"from agentctl import set_trace_processors\nset_trace_processors([])\n{RUN}"),
        ({}, RUN.replace('"Hi"', '"Hi", run_config={"tracing_disabled": True}')),
    ],
)
def test_who_does_not_want_traces_has_none(
    service: Service, openai: dict[str, str], further: dict[str, str], code: str
) -> None:
    assert play(code, openai, **further) == ("ok\n", "")
    assert [request["path"] for request in service.requests()] == ["/v1/responses"]


def test_the_key_of_another_service_does_not_go_to_openai(service: Service, openai: dict[str, str]) -> None:
    assert play(RUN, openai, OPENAI_BASE_URL=service.base_url) == ("ok\n", "")
    assert service.traced() == []


def test_the_key_of_a_client_of_another_service_does_not_go_to_openai(service: Service, openai: dict[str, str]) -> None:
    code = f"""
from agentctl import set_default_openai_client
from openai import AsyncOpenAI
set_default_openai_client(AsyncOpenAI(api_key="sk-of-another", base_url={service.base_url!r}))
{RUN}"""
    assert play(code, {**openai, "OPENAI_API_KEY": ""}) == ("ok\n", "")
    assert [request["headers"]["authorization"] for request in service.requests()] == ["Bearer sk-of-another"]


def test_the_key_for_traces_goes_before_that_of_the_environment(service: Service, openai: dict[str, str]) -> None:
    play(f"from agentctl import set_tracing_export_api_key\nset_tracing_export_api_key('sk-traces')\n{RUN}", openai)
    assert {request["headers"]["authorization"] for request in service.traced()} == {"Bearer sk-traces"}


def test_a_trace_with_a_key_of_its_own_needs_no_other(service: Service, openai: dict[str, str]) -> None:
    code = RUN.replace('"Hi"', '"Hi", run_config={"tracing": {"api_key": "sk-own"}}')
    play(code, openai, OPENAI_BASE_URL=service.base_url)
    assert {request["headers"]["authorization"] for request in service.traced()} == {"Bearer sk-own"}


def test_add_trace_processor_leaves_the_export_as_it_is(service: Service, openai: dict[str, str]) -> None:
    code = f"""
from agentctl import add_trace_processor
from tests.tracing.recorder import Recorder
recorder = Recorder()
add_trace_processor(recorder)
{RUN}
print(len(recorder.spans))
"""
    assert play(code, openai) == ("ok\n4\n", "")
    assert len(kinds(service)) == 5


def test_flush_traces_exports_before_the_end(service: Service, openai: dict[str, str]) -> None:
    code = f"import os\nfrom agentctl import flush_traces\n{RUN}\nflush_traces()\nos._exit(0)"
    play(code, openai)
    assert len(kinds(service)) == 5


def test_flush_traces_of_a_process_that_traced_nothing_does_nothing(service: Service, openai: dict[str, str]) -> None:
    assert play("import agentctl; agentctl.flush_traces()", openai) == ("", "")


def test_a_service_that_hangs_holds_up_neither_the_run_nor_the_end(service: Service, openai: dict[str, str]) -> None:
    service.script_ingests(hang())
    stdout, stderr = play(RUN, openai)
    assert stdout == "ok\n"
    assert stderr == "traces and spans are dropped: the process exited before they were exported\n"


def test_a_service_that_refuses_is_one_line_on_stderr(service: Service, openai: dict[str, str]) -> None:
    service.script_ingests(*[http_error(403)] * 4)
    stdout, stderr = play(f"{RUN}{RUN}", openai)
    assert stdout == "ok\nok\n"
    assert stderr.count("\n") == 1
    assert "answered 403" in stderr


def test_what_is_not_to_be_held_is_not_sent(service: Service, openai: dict[str, str]) -> None:
    code = """
from agentctl import Agent, Runner, function_tool
from agentctl.testing import ScriptedModel, function_call
@function_tool
def tell(word: str) -> str:
    return "hush " + word
model = ScriptedModel([[function_call("tell", {"word": "private"}, call_id="c")], "private"])
Runner.run_sync(Agent(name="a", model=model, tools=[tell]), "private")
"""
    play(code, openai, OPENAI_AGENTS_TRACE_INCLUDE_SENSITIVE_DATA="0")
    assert "private" not in str(service.traced())
    play(code, openai)
    assert "private" in str(service.traced())


def test_a_process_that_only_imports_the_library_loads_no_tracing(openai: dict[str, str]) -> None:
    code = "import agentctl, sys; agentctl.Runner; print(*(n for n in sys.modules if 'tracing' in n or n == 'httpx2'))"
    loaded = play(code, openai)[0].split()
    assert not {"agentctl.tracing.provider", "agentctl.tracing.batch", "httpx2"} & set(loaded)
