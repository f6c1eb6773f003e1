"""Services that are not OpenAI's: names of models, base URLs, keys and proxies as users have them."""

import json
from pathlib import Path

import pytest

from tests.cli.terminal import Terminal
from tests.conftest import Agentctl
from tests.service.client import Service
from tests.service.steps import http_error, text, tool_calls

KEY = "sk-canary-1234567890"


def named(service: Service) -> list[str]:
    """Return the names of the models that were asked for."""
    return [request["body"]["model"] for request in service.requests()]


@pytest.fixture
def env(service: Service) -> dict[str, str]:
    """A service that is not OpenAI's."""
    return {"AGENTCTL_CLIENT_BASE_URL": service.base_url, "AGENTCTL_CLIENT_KEY": "none"}


@pytest.mark.parametrize("name", ["vendor/large", "org/team/model:q4", "openai/gpt-oss-20b", "openai/org/x", "a/"])
def test_a_name_is_sent_as_it_is_from_every_place(
    service: Service, agentctl: Agentctl, env: dict[str, str], home: Path, name: str
) -> None:
    (home / "a.py").write_text(f"from agentctl import Agent\nagent = Agent(name='a', model={name!r})\n")
    runs = (
        (["-m", name], {}),
        ([], {"AGENTCTL_MODEL": name}),
        ([], {"OPENAI_DEFAULT_MODEL": name}),
        (["-a", "a.py:agent"], {}),
        (["--api", "chat_completions", "-m", name], {}),
    )
    for arguments, variables in runs:
        assert agentctl("run", *arguments, "hi", env=env | variables).returncode == 0
    assert agentctl("config", "model", name).returncode == 0
    assert agentctl("run", "hi", env=env).returncode == 0
    (home / "agentctl.toml").write_text(f"model = {json.dumps(name)}\n")
    assert agentctl("run", "hi", env=env).returncode == 0
    assert named(service) == [name] * (len(runs) + 2)


def test_a_nested_agent_and_a_chat_send_their_names_as_they_are(
    service: Service, agentctl: Agentctl, env: dict[str, str], home: Path
) -> None:
    service.script(tool_calls(("ask", {"input": "?"})), text("inner"), text("outer"))
    (home / "a.py").write_text(
        "from agentctl import Agent\n"
        "inner = Agent(name='inner', model='openai/small')\n"
        "agent = Agent(name='a', model='vendor/large', tools=[inner.as_tool('ask', 'Asks.')])\n"
    )
    assert agentctl("run", "-a", "a.py:agent", "hi", env=env).stdout == "outer\n"
    with Terminal("chat", "-m", "m", env=env) as terminal:
        terminal.read_until("> ")  # The editor takes what is typed.
        terminal.type("/model vendor/other\r")
        terminal.read_until("model: vendor/other")
        terminal.type("hi\r")
        terminal.read_until("ok")
        terminal.type("/quit\r")
        assert terminal.end() == 0
    assert named(service) == ["vendor/large", "openai/small", "vendor/large", "vendor/other"]


def test_what_models_list_prints_names_a_model(service: Service, agentctl: Agentctl, env: dict[str, str]) -> None:
    names = agentctl("models", "list", "--json", env=env)
    for name in json.loads(names.stdout)["endpoint_models"]:
        assert agentctl("run", "-m", name, "hi", env=env).returncode == 0


def test_a_name_with_a_slash_needs_a_key_there_too(agentctl: Agentctl, service: Service) -> None:
    done = agentctl("run", "-m", "vendor/large", "hi", env={"AGENTCTL_CLIENT_BASE_URL": service.base_url})
    assert (done.returncode, "no key" in done.stderr) == (77, True)


def test_at_openai_an_unknown_prefix_names_a_cure_that_exists(agentctl: Agentctl) -> None:
    done = agentctl("run", "-m", "vendor/large", "hi", env={"OPENAI_API_KEY": KEY})
    assert done.returncode == 78
    assert "agentctl config client --base-url URL" in done.stderr
    assert "unknown_prefix_mode" not in done.stderr


@pytest.mark.parametrize("operation", ["/chat/completions", "/responses", "/chat/completions/", "/responses?x=1"])
@pytest.mark.parametrize("variable", ["AGENTCTL_CLIENT_BASE_URL", "OPENAI_BASE_URL"])
def test_the_url_of_an_operation_is_no_base_url(
    agentctl: Agentctl, service: Service, operation: str, variable: str
) -> None:
    done = agentctl("run", "hi", env={variable: service.base_url + operation, "AGENTCTL_CLIENT_KEY": "none"})
    assert done.returncode == 78
    assert f"leave it out: {service.base_url}" in done.stderr
    assert service.requests() == []
    assert agentctl("config", "client", "--base-url", service.base_url + operation).returncode in (2, 78)


@pytest.mark.parametrize("quote", ['"', "'"])
def test_a_key_or_url_in_quotes_is_named_as_such(agentctl: Agentctl, service: Service, quote: str) -> None:
    keys = {"AGENTCTL_API_KEY": f"{quote}{KEY}{quote}", "AGENTCTL_CLIENT_BASE_URL": service.base_url}
    openai = {"OPENAI_API_KEY": f"{quote}{KEY}{quote}", "OPENAI_BASE_URL": service.base_url}
    url = {"AGENTCTL_CLIENT_BASE_URL": f"{quote}{service.base_url}{quote}", "AGENTCTL_CLIENT_KEY": "none"}
    for env in (keys, openai, url):
        done = agentctl("run", "hi", env=env)
        assert done.returncode in (77, 78)
        assert "in quotes; remove them" in done.stderr
        assert KEY not in done.stderr
    done = agentctl("config", "set-key", input=f"{quote}{KEY}{quote}\n")
    assert (done.returncode != 0, "in quotes" in done.stderr, KEY in done.stderr) == (True, True, False)
    assert service.requests() == []


@pytest.mark.parametrize("scheme", ["socks", "SOCKS", "socks4", "socks4a"])
def test_a_socks_proxy_without_its_version_is_named_with_the_cure(
    agentctl: Agentctl, service: Service, scheme: str
) -> None:
    env = {"OPENAI_API_KEY": KEY, "ALL_PROXY": f"{scheme}://127.0.0.1:1080/"}
    done = agentctl("run", "hi", env=env)
    assert done.returncode == 78
    assert "ALL_PROXY" in done.stderr
    assert "socks5://" in done.stderr


def test_the_output_mode_is_a_setting(agentctl: Agentctl, service: Service, env: dict[str, str], home: Path) -> None:
    schema = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}
    (home / "a.py").write_text(
        "from pydantic import BaseModel\nfrom agentctl import Agent\n"
        "class N(BaseModel):\n    n: int\nagent = Agent(name='a', model='m', output_type=N)\n"
    )
    call = tool_calls(("final_output", {"n": 1}))
    service.script(http_error(400, {"error": {"message": "unsupported response_format"}}), call, call)
    chat = ("run", "-a", "a.py:agent", "--api", "chat_completions", "hi")
    first = agentctl(*chat, env=env)
    assert (first.returncode, json.loads(first.stdout)) == (0, {"n": 1})
    assert "output_mode = tool" in first.stderr
    second = agentctl(*chat, env=env | {"AGENTCTL_OUTPUT_MODE": "tool"})
    assert (second.returncode, json.loads(second.stdout), second.stderr) == (0, {"n": 1}, "")
    parameters = service.requests()[-1]["body"]["tools"][0]["function"]["parameters"]
    assert parameters["required"] == schema["required"]


def test_thinking_goes_where_reasoning_goes(agentctl: Agentctl, service: Service, env: dict[str, str]) -> None:
    service.script(text("<think>\nIt is warm.\n</think>\n\nYes.", deltas=3), text("<think>x</think>Yes."))
    chat = ("--api", "chat_completions", "-m", "m", "hi")
    done = agentctl("stream", *chat, env=env)
    assert (done.stdout, "It is warm." in done.stderr) == ("Yes.\n", True)
    assert agentctl("run", *chat, env=env).stdout == "Yes.\n"
