"""What a command does not need, it does not import: read from the process itself."""

import subprocess
import sys
from pathlib import Path

import pytest

from agentctl.prices.table import load_table
from tests.service.client import Service
from tests.service.steps import text

HEAVY = {
    "asyncio", "concurrent", "dbos", "email", "filelock", "griffe", "griffelib", "h11", "http", "httpcore2", "httpx2",
    "jiter", "jsonschema", "logging", "psycopg", "markdown_it", "openai", "prompt_toolkit", "pydantic", "pydantic_core",
    "pygments", "rich", "socket", "sqlalchemy", "sqlite3", "ssl", "tempfile", "tomli_w", "truststore", "urllib.request",
    "websockets", "xllamacpp",
}  # fmt: skip
"""Packages and modules that each take milliseconds."""


def imported_by(*arguments: str, cwd: Path, exit_code: int = 0) -> set[str]:
    """Run `agentctl` and return the names of the modules that it imported, and of the packages they are in."""
    command = [sys.executable, "-X", "importtime", "-m", "agentctl", *arguments]
    ended = subprocess.run(command, cwd=cwd, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60)
    lines = ended.stderr.splitlines()
    names = {line.rpartition("|")[2].strip() for line in lines if line.startswith("import time:")}
    assert ended.returncode == exit_code, [line for line in lines if not line.startswith("import time:")]
    assert "agentctl.cli.main" in names
    return names | {name.partition(".")[0] for name in names}


@pytest.mark.parametrize(
    "command",
    [
        "--version",
        "--help",
        "config --help",
        "config show",
        "config get max_turns",
        "config path",
        "models --help",
        "batch --help",
        "batch run --help",
        "models list",
        "run --help",
        "doctor --help",
        "agents --help",
        "agents new",
        "stream --help",
        "chat --help",
        "trust --help",
        "completions bash",
        "explain-exit",
        "explain-exit 75",
    ],
)
def test_a_command_that_runs_no_agent_imports_nothing_heavy(home: Path, command: str) -> None:
    assert imported_by(*command.split(), cwd=home) & HEAVY == set()


def test_a_run_without_an_agent_in_toml_imports_nothing_of_it(home: Path) -> None:
    (home / "a.py").write_text("from agentctl import Agent\nagent = Agent(name='a')\n")
    (home / "agentctl.toml").write_text("[agents.other]\nmodel = 'm'\n")
    imported = imported_by("run", "--dry-run", "-a", "a.py:agent", "hi", cwd=home)
    assert "agentctl.definitions.reference" in imported
    assert {name for name in imported if name.startswith("agentctl.definitions.toml")} == set()


def test_the_events_schema_imports_nothing_heavy(home: Path) -> None:
    assert imported_by("events", "schema", cwd=home) & HEAVY == set()


@pytest.mark.parametrize("line", ["agentctl ", "agentctl run -m ", "agentctl run -a ", "agentctl config set model "])
def test_a_shell_that_completes_waits_for_nothing_heavy(home: Path, monkeypatch: pytest.MonkeyPatch, line: str) -> None:
    monkeypatch.setenv("_AGENTCTL_COMPLETE", "zsh")
    monkeypatch.setenv("_AGENTCTL_COMPLETE_LINE", line)
    assert imported_by(cwd=home) & HEAVY == set()


def test_a_usage_error_imports_nothing_heavy(home: Path) -> None:
    assert imported_by("config", "--nonsense", cwd=home, exit_code=2) & HEAVY == set()


@pytest.mark.parametrize("command", ["run", "stream", "run --format json", "stream --format jsonl"])
def test_a_run_to_a_pipe_imports_no_client_no_models_and_no_renderer(
    home: Path, service: Service, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    monkeypatch.setenv("OPENAI_BASE_URL", service.base_url)
    monkeypatch.setenv("OPENAI_API_KEY", "sk-test")
    load_table(home / ".agentctl")
    names = imported_by(*command.split(), "Hi", cwd=home)
    unwanted = {
        "agentctl.agent.json_schema",
        "agentctl.cli.attachments",
        "filelock",
        "genai_prices",
        "griffe",
        "griffelib",
        "httpx2",
        "jsonschema",
        "markdown_it",
        "openai",
        "pydantic",
        "rich",
        "sqlite3",
    }
    assert "httpcore2" in names
    assert (
        names
        & (unwanted | {"agentctl.budgets", "agentctl.tickets", "tomli_w", "websockets", "xllamacpp", "logging.config"})
        == set()
    )


def test_an_output_schema_imports_its_check_and_no_models(
    home: Path, service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_BASE_URL", service.base_url)
    monkeypatch.setenv("OPENAI_API_KEY", "sk-test")
    load_table(home / ".agentctl")
    service.script(text("{}"))
    names = imported_by("run", "--output-schema", '{"type": "object"}', "Hi", cwd=home)
    assert "jsonschema" in names
    assert names & {"griffe", "griffelib", "openai", "pydantic", "rich", "sqlite3"} == set()


@pytest.mark.parametrize("command", ["run", "run --format json", "stream"])
def test_a_run_over_websocket_imports_neither_the_client_nor_the_other_transport(
    home: Path, service: Service, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    monkeypatch.setenv("OPENAI_BASE_URL", service.base_url)
    monkeypatch.setenv("OPENAI_API_KEY", "sk-test")
    load_table(home / ".agentctl")
    names = imported_by(*command.split(), "--transport", "websocket", "Hi", cwd=home)
    unwanted = {"griffe", "griffelib", "httpx2", "httpcore2", "jsonschema", "openai", "pydantic", "rich", "sqlite3"}
    assert "websockets" in names
    assert [connection["status"] for connection in service.connections()] == [101]
    assert names & unwanted == set()


def test_the_library_imports_nothing_until_it_is_used() -> None:
    code = "import sys; before = set(sys.modules); import agentctl; print(*(set(sys.modules) - before))"
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    packages = {name.partition(".")[0] for name in ended.stdout.split()}
    assert packages & HEAVY == set()


def test_a_list_of_batches_does_not_import_the_engine(home: Path) -> None:
    names = imported_by("batch", "list", cwd=home)
    assert "sqlalchemy" in names
    assert "dbos" not in names
