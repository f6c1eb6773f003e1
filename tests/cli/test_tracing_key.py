"""The key that traces are exported with, from the command line to the process of a run."""

import json
import os
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.as_openai import as_openai
from tests.conftest import Agentctl
from tests.service.client import Service
from tests.service.steps import text, tool_calls

AGENT = """
from agentctl import Agent, function_tool
from agentctl.net.defaults import get_defaults

NAMES = {"sk-of-endpoint": "endpoint's", "sk-of-traces": "traces'", "sk-of-environment": "environment's", None: "none"}


@function_tool
def keys() -> str:
    defaults = get_defaults()
    return f"default: {NAMES[defaults.openai_key]}, tracing: {NAMES[defaults.tracing_key]}"


agent = Agent(name="keys", tools=[keys])
"""
ROOT = str(Path(__file__).parent.parent.parent)


@pytest.fixture
def env(home: Path, service: Service) -> Iterator[dict[str, str]]:
    """An environment in which the service is OpenAI's, with an agent that tells the defaults of its process."""
    (home / "keys.py").write_text(AGENT)
    with as_openai(service) as found:
        yield {
            **found,
            "OPENAI_API_KEY": "",
            "AGENTCTL_TRANSPORT": "http",
            "PYTHON_KEYRING_BACKEND": "tests.keyrings.FileKeyring",
            "TEST_KEYRING": str(home / "keyring.json"),
            "PYTHONPATH": os.pathsep.join(filter(None, (ROOT, os.environ.get("PYTHONPATH")))),
        }


def defaults(agentctl: Agentctl, service: Service, env: dict[str, str]) -> str:
    """Return which keys are the defaults of a process in which an agent runs."""
    service.script(tool_calls(("keys", {})), text("done"))
    done = agentctl("run", "-a", "keys.py:agent", "Which keys?", env=env)
    assert (done.returncode, done.stdout) == (0, "done\n"), done.stderr
    asked = [request for request in service.requests() if request["path"] == "/v1/responses"]
    said: str = asked[-1]["body"]["input"][-1]["output"]
    return said


def stored(home: Path) -> dict[str, Any]:
    return tomllib.loads((home / ".agentctl" / "credentials.toml").read_text())


def test_the_endpoints_key_is_that_of_traces_too(agentctl: Agentctl, service: Service, env: dict[str, str]) -> None:
    agentctl("config", "set-key", input="sk-of-endpoint")
    assert defaults(agentctl, service, env) == "default: endpoint's, tracing: endpoint's"


def test_no_tracing_keeps_it_from_traces(agentctl: Agentctl, service: Service, env: dict[str, str], home: Path) -> None:
    agentctl("config", "set-key", "--no-tracing", input="sk-of-endpoint")
    entry = {"api_key": "sk-of-endpoint", "use_for_tracing": False}
    assert stored(home) == {"keys": {"default": {"https://api.openai.com": entry}}}
    assert "present, for https://api.openai.com, not for tracing" in agentctl("config", "show").stdout
    assert json.loads(agentctl("config", "show", "--json").stdout)["api_key"]["use_for_tracing"] is False
    assert defaults(agentctl, service, env) == "default: endpoint's, tracing: none"
    agentctl("config", "set-key", input="sk-of-endpoint")
    assert defaults(agentctl, service, env) == "default: endpoint's, tracing: endpoint's"


def test_traces_can_have_a_key_of_their_own(
    agentctl: Agentctl, service: Service, env: dict[str, str], home: Path
) -> None:
    agentctl("config", "set-key", input="sk-of-endpoint")
    done = agentctl("config", "set-key", "--tracing", input="sk-of-traces")
    path = home / ".agentctl" / "credentials.toml"
    assert (done.returncode, done.stderr) == (0, f"stored the key for traces in {path}\n")
    assert json.loads(agentctl("config", "show", "--json").stdout)["tracing_key"] == {
        "present": True,
        "origin": str(path),
    }
    assert defaults(agentctl, service, env) == "default: endpoint's, tracing: traces'"
    assert agentctl("config", "unset-key", "--tracing").stderr == "deleted the key for traces\n"
    assert defaults(agentctl, service, env) == "default: endpoint's, tracing: endpoint's"
    assert agentctl("config", "unset-key", "--tracing").stderr == "no key was stored for traces\n"


def test_both_may_be_in_the_keyring(agentctl: Agentctl, service: Service, env: dict[str, str]) -> None:
    agentctl("config", "set-key", "--keyring", input="sk-of-endpoint", env=env)
    assert defaults(agentctl, service, env) == "default: none, tracing: endpoint's"
    agentctl("config", "set-key", "--keyring", "--tracing", input="sk-of-traces", env=env)
    assert defaults(agentctl, service, env) == "default: none, tracing: traces'"
    agentctl("config", "set-key", "--keyring", "--no-tracing", input="sk-of-endpoint", env=env)
    agentctl("config", "unset-key", "--tracing", env=env)
    assert defaults(agentctl, service, env) == "default: none, tracing: none"


def test_a_keyring_that_fails_for_traces_is_noted_and_the_run_goes_on(
    agentctl: Agentctl, service: Service, env: dict[str, str]
) -> None:
    agentctl("config", "set-key", input="sk-of-endpoint")
    agentctl("config", "set-key", "--keyring", "--tracing", input="sk-of-traces", env=env)
    service.script(text("done"))
    done = agentctl("run", "Hi", env={**env, "PYTHON_KEYRING_BACKEND": "tests.keyrings.LockedKeyring"})
    assert (done.returncode, done.stdout) == (0, "done\n")
    assert "note: traces are not exported: the keyring is locked" in done.stderr


def test_a_program_that_prints_the_key_prints_that_of_traces(
    agentctl: Agentctl, service: Service, env: dict[str, str]
) -> None:
    agentctl("config", "set", "key_command", '["echo", "sk-of-endpoint"]')
    assert defaults(agentctl, service, env) == "default: none, tracing: endpoint's"


def test_the_key_of_another_endpoint_is_no_default_and_traces_go_out_without_it(
    agentctl: Agentctl, service: Service, env: dict[str, str]
) -> None:
    agentctl("config", "client", "--base-url", service.base_url)
    agentctl("config", "set-key", input="sk-of-endpoint")
    assert defaults(agentctl, service, env) == "default: none, tracing: none"


def test_a_key_is_no_default_where_that_would_count_for_more_than_its_endpoint(
    agentctl: Agentctl, service: Service, env: dict[str, str]
) -> None:
    agentctl("config", "client", "--base-url", "https://api.openai.com/v1")
    agentctl("config", "set-key", input="sk-of-endpoint")
    elsewhere = {**env, "OPENAI_BASE_URL": "https://llm.example/v1"}
    assert defaults(agentctl, service, elsewhere) == "default: none, tracing: endpoint's"
