"""How a run reaches its service: transports and APIs, chosen, fallen back from, and recovered."""

import json
import signal
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.cli.process import read_until, started
from tests.conftest import Agentctl
from tests.service.client import Service
from tests.service.steps import (
    Step,
    closed,
    connection_limit,
    error_event,
    forgotten,
    hang,
    http_error,
    no_items,
    not_sse,
    reasoning,
    redirect,
    silence,
    text,
    tool_calls,
    upgrade,
)

KEY = "sk-canary-transport"
AGENT = """
from agentctl import Agent, function_tool

@function_tool
def double(number: int) -> int:
    return number * 2

agent = Agent(name="a", tools=[double])
"""


@pytest.fixture
def env(service: Service, home: Path) -> dict[str, str]:
    (home / "double.py").write_text(AGENT)
    return {
        "OPENAI_API_KEY": KEY,
        "OPENAI_BASE_URL": service.base_url,
        "OPENAI_WEBSOCKET_BASE_URL": service.websocket_base_url,
    }


def loop_of(calls: int) -> list[Step]:
    return [*(tool_calls(("double", {"number": n}, f"call_{n}")) for n in range(calls)), text("done")]


def run_json(agentctl: Agentctl, home: Path, env: dict[str, str], *options: str) -> tuple[dict[str, Any], str]:
    done = agentctl("run", "-a", "double.py:agent", "--format", "json", *options, "hi", env=env, cwd=home)
    document = json.loads(done.stdout)
    assert done.returncode == document["exit_code"], done.stderr
    assert KEY not in done.stdout + done.stderr
    return document, done.stderr


def test_a_websocket_sends_what_is_new_and_counts_it(
    service: Service, agentctl: Agentctl, env: dict[str, str], home: Path
) -> None:
    service.script(*loop_of(3))
    document, errors = run_json(agentctl, home, env, "--transport", "websocket")
    assert (document["final_output"], errors) == ("done", "")
    counted = document["usage"]["transport"]
    assert counted.pop("bytes_sent") == sum(request["bytes"] for request in service.requests())
    assert counted == {"full": 1, "delta": 3, "opened": 1, "reused": 3, "recovered": 0}
    assert {request["method"] for request in service.requests()} == {"WS"}


def test_auto_takes_a_websocket_where_one_is_offered_and_more_than_one_turn_is_possible(
    service: Service, agentctl: Agentctl, env: dict[str, str], home: Path
) -> None:
    service.script(*loop_of(1), text("ok"), text("ok"))
    run_json(agentctl, home, env)
    assert {request["method"] for request in service.requests()} == {"WS"}
    agentctl("run", "no tools, one turn", env=env)
    run_json(agentctl, home, {**env, "OPENAI_WEBSOCKET_BASE_URL": ""})
    assert [request["method"] for request in service.requests()][2:] == ["POST", "POST"]


@pytest.mark.parametrize(
    "upgrade", [http_error(426), http_error(404), http_error(503), redirect("http://127.0.0.1:1/")]
)
def test_auto_falls_back_to_http_and_says_so_once(
    upgrade: Step, service: Service, agentctl: Agentctl, env: dict[str, str], home: Path
) -> None:
    service.script_upgrades(*[upgrade] * 5)
    service.script(*loop_of(2))
    done = agentctl("run", "-a", "double.py:agent", "hi", env=env, cwd=home)
    assert (done.returncode, done.stdout) == (0, "done\n"), done.stderr
    assert done.stderr.count("HTTP") == 1
    assert {request["method"] for request in service.requests() if request["path"].endswith("/responses")} >= {"POST"}


def test_an_upgrade_that_hangs_costs_the_first_process_alone_and_doctor_shows_and_forgets_it(
    service: Service, agentctl: Agentctl, env: dict[str, str], home: Path
) -> None:
    def websocket(*options: str) -> str:
        document = json.loads(agentctl("doctor", "--json", "--timeout", "1", *options, env=env).stdout)
        return next(entry["message"] for entry in document["checks"] if entry["check"] == "websocket")

    service.script_upgrades(hang(), hang(), hang())
    _, errors = run_json(agentctl, home, env)
    assert "falling back to HTTP: cannot connect" in errors
    assert run_json(agentctl, home, env)[1] == ""
    assert len(service.connections()) == 1
    assert "without trying it until" in websocket()
    assert "without trying it" not in websocket("--forget")
    assert run_json(agentctl, home, env)[0]["usage"]["transport"]["opened"] == 1
    assert {request["method"] for request in service.requests()[:2]} == {"POST"}


def test_doctor_forgets_a_failure_once_a_socket_opens(
    service: Service, agentctl: Agentctl, env: dict[str, str], home: Path
) -> None:
    service.script_upgrades(http_error(426))
    run_json(agentctl, home, env)
    assert "its earlier failure is forgotten" in agentctl("doctor", env=env).stdout
    assert run_json(agentctl, home, env)[0]["usage"]["transport"]["opened"] == 1


def test_an_explicit_websocket_fails_instead_and_names_auto(
    service: Service, agentctl: Agentctl, env: dict[str, str], home: Path
) -> None:
    service.script_upgrades(*[http_error(426)] * 5)
    document, errors = run_json(agentctl, home, env, "--transport", "websocket", "--retries", "0")
    assert document["exit_code"] in (69, 75)
    assert "auto" in errors


def test_a_key_that_the_upgrade_refuses_is_no_reason_to_fall_back(
    service: Service, agentctl: Agentctl, env: dict[str, str], home: Path
) -> None:
    service.key = "another"
    try:
        document, _ = run_json(agentctl, home, env)
    finally:
        service.key = None
    assert document["exit_code"] == 77


@pytest.mark.parametrize("fault", ["forgotten", "limit"])
def test_what_a_socket_forgot_is_sent_again_unnoticed(
    fault: str, service: Service, agentctl: Agentctl, env: dict[str, str], home: Path
) -> None:
    first, *rest = loop_of(2)
    service.script(*([forgotten(first)] if fault == "forgotten" else [first, connection_limit()]), *rest)
    document, errors = run_json(agentctl, home, env, "--transport", "websocket")
    assert (document["final_output"], errors) == ("done", "")
    assert document["usage"]["transport"]["recovered"] == 1
    assert document["usage"]["requests"] == 3


def test_a_socket_that_closes_in_the_middle_is_unavailable(
    service: Service, agentctl: Agentctl, env: dict[str, str], home: Path
) -> None:
    service.script(closed(1011, after=5))
    document, errors = run_json(agentctl, home, env, "--transport", "websocket")
    assert document["exit_code"] == 75
    assert "Traceback" not in errors


def test_an_error_frame_is_the_error_that_it_would_be_over_http(
    service: Service, agentctl: Agentctl, env: dict[str, str], home: Path
) -> None:
    service.script(error_event("invalid_request_error", "Unknown parameter: 'foo'"))
    document, errors = run_json(agentctl, home, env, "--transport", "websocket")
    assert document["exit_code"] == 69
    assert "Unknown parameter: 'foo'" in errors


@pytest.mark.parametrize(
    ("way", "events"),
    [(["--transport", "websocket"], 6), (["--api", "chat_completions"], 3)],
    ids=["websocket", "chat"],
)
def test_ctrl_c_ends_a_run_whatever_the_transport(
    way: list[str], events: int, service: Service, env: dict[str, str]
) -> None:
    service.script(hang(after=events))
    with started("stream", "--format", "jsonl", *way, "hi", env=env) as process:
        data = read_until(process, b"text.delta")
        process.send_signal(signal.SIGINT)
        rest, errors = process.communicate(timeout=20)
        assert process.returncode == 130
    assert json.loads((data + rest).splitlines()[-1])["outcome"] == "interrupted"
    assert b"Traceback" not in errors


def test_transport_and_api_are_stored_and_used(
    service: Service, agentctl: Agentctl, env: dict[str, str], home: Path
) -> None:
    service.script(*loop_of(1), text("by chat"))
    assert agentctl("config", "transport", "websocket").returncode == 0
    assert agentctl("config", "transport").stdout == "websocket\n"
    run_json(agentctl, home, env)
    assert agentctl("config", "api", "chat_completions").returncode == 0
    done = agentctl("run", "hi", env=env)
    assert done.returncode == 78
    assert "chat_completions does not support websocket" in done.stderr
    agentctl("config", "transport", "auto")
    assert agentctl("run", "hi", env=env).stdout == "by chat\n"
    assert service.requests()[-1]["path"] == "/v1/chat/completions"


def test_a_program_of_the_users_prints_the_key(service: Service, agentctl: Agentctl, home: Path) -> None:
    helper = home / "key.py"
    helper.write_text("print('sk-from-a-program')\n")
    service.key = "sk-from-a-program"
    service.script(text("ok"))
    env = {
        "AGENTCTL_CLIENT_BASE_URL": service.base_url,
        "AGENTCTL_KEY_COMMAND": json.dumps([sys.executable, str(helper)]),
    }
    try:
        done = agentctl("run", "-v", "hi", env=env)
    finally:
        service.key = None
    assert done.returncode == 0, done.stderr
    assert "sk-from-a-program" not in done.stdout + done.stderr


def test_the_request_of_a_websocket_can_be_seen_too(
    service: Service, agentctl: Agentctl, env: dict[str, str], home: Path
) -> None:
    done = agentctl("run", "--dry-run", "--transport", "websocket", "hi", env=env)
    assert done.returncode == 0, done.stderr
    request = json.loads(done.stdout)["request"]
    assert request["url"].startswith("ws://")
    assert request["body"]["type"] == "response.create"
    assert service.connections() == []


def test_what_an_agent_file_sets_as_a_default_counts(service: Service, agentctl: Agentctl, home: Path) -> None:
    (home / "own.py").write_text(
        "from openai import AsyncOpenAI\n"
        "from agentctl import Agent, set_default_openai_api, set_default_openai_client\n"
        f"set_default_openai_client(AsyncOpenAI(api_key='sk-of-the-file', base_url={service.base_url!r}))\n"
        "set_default_openai_api('chat_completions')\n"
        "agent = Agent(name='a')\n"
    )
    service.script(text("by the file's client"))
    done = agentctl("run", "-a", "own.py:agent", "hi", cwd=home)
    assert (done.returncode, done.stdout) == (0, "by the file's client\n"), done.stderr
    (request,) = service.requests()
    assert (request["path"], request["headers"]["authorization"]) == ("/v1/chat/completions", "Bearer sk-of-the-file")


WHOLE = '{"id": "resp_1", "object": "response", "status": "completed", "output": []}'


@pytest.mark.parametrize(
    ("over", "script", "said"),
    [
        (["--transport", "http"], [text("")], "without text or a tool call; try again"),
        (["--transport", "http"], [no_items()], "without text or a tool call; try again"),
        (["--transport", "http"], [reasoning("Hm.")], "only with reasoning; try again"),
        (["--transport", "http"], [not_sse("application/json", WHOLE)], "without text or a tool call; try again"),
        (["--transport", "websocket"], [text(" \n")], "without text or a tool call; try again"),
        (["--transport", "websocket"], [*loop_of(2)[:2], text("")], "(after 2 tool calls); try again"),
        (["--api", "chat_completions"], [text("")], "without text or tool calls"),
        (["--api", "chat_completions"], [text(" \n")], "without text or a tool call; try again"),
    ],
)
def test_a_response_without_an_answer_is_no_success(
    over: list[str],
    script: list[Step],
    said: str,
    service: Service,
    agentctl: Agentctl,
    home: Path,
    env: dict[str, str],
) -> None:
    service.script(*script)
    document, stderr = run_json(agentctl, home, env, *over)
    assert (document["exit_code"], document["final_output"]) == (65, None)
    assert said in stderr


def test_an_empty_output_of_a_tool_that_ends_the_run_is_one(
    service: Service, agentctl: Agentctl, home: Path, env: dict[str, str]
) -> None:
    silent = AGENT.replace("number * 2", "''").replace("tools=", "tool_use_behavior='stop_on_first_tool', tools=")
    (home / "double.py").write_text(silent.replace("-> int", "-> str"))
    service.script(*loop_of(1))
    document, _ = run_json(agentctl, home, env)
    assert (document["exit_code"], document["final_output"]) == (0, "")


def test_the_patience_for_a_service_that_answers_no_pings_is_a_setting(
    service: Service, agentctl: Agentctl, home: Path, env: dict[str, str]
) -> None:
    assert agentctl("config", "client", "--ping-timeout", "1s", env=env).returncode == 0
    often = "from agentctl.net.options import WebSocketOptions\n"
    often += "WebSocketOptions.__init__.__kwdefaults__['ping_interval'] = 0.1  # Not a setting.\n"
    (home / "double.py").write_text(often + AGENT)
    service.script_upgrades(upgrade(pongs=False))
    service.script(silence(60))
    command = "run", "-a", "double.py:agent", "--transport", "websocket", "--retries", "0", "hi"
    done = agentctl(*command, env=env, cwd=home, timeout=100)
    assert done.returncode == 75
    assert "raise client.ping_timeout" in done.stderr
