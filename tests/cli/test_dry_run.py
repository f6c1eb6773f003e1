"""`--dry-run`: the request that would be sent, and nothing sent."""

import json
from pathlib import Path

import pytest

from tests.conftest import Agentctl
from tests.service.client import Service

KEY = "sk-canary-dry-run"


@pytest.mark.parametrize(
    ("options", "path", "field"),
    [([], "/responses", "input"), (["--api", "chat_completions"], "/chat/completions", "messages")],
)
def test_the_request_is_shown_and_not_sent(
    options: list[str], path: str, field: str, service: Service, agentctl: Agentctl
) -> None:
    env = {"OPENAI_API_KEY": KEY, "OPENAI_BASE_URL": service.base_url}
    done = agentctl("run", "--dry-run", "-m", "gpt-x", "-i", "Be brief.", *options, "hi", env=env)
    assert (done.returncode, done.stderr) == (0, "")
    request = json.loads(done.stdout)["request"]
    assert request["url"] == f"{service.base_url}{path}"
    assert request["body"]["model"] == "gpt-x"
    assert "hi" in json.dumps(request["body"][field])
    assert KEY not in done.stdout
    assert service.requests() == []


def test_the_local_model_shows_what_its_runtime_would_be_handed(agentctl: Agentctl, home: Path) -> None:
    done = agentctl("stream", "--dry-run", "-m", "local/smollm2", "-o", "request.json", "hi", cwd=home)
    assert (done.returncode, done.stdout) == (0, "")
    assert "messages" in json.loads((home / "request.json").read_text())["request"]["body"]


def test_no_key_is_needed_to_look(agentctl: Agentctl) -> None:
    assert agentctl("run", "--dry-run", "hi").returncode == 0
