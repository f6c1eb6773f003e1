"""`run_batch` in a program: each row has one result, what failed is a result, and what is repeated goes on."""

import asyncio
import json
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from agentctl import Agent, RunConfig, function_tool
from agentctl.batch import BatchResult, run_batch
from agentctl.errors import ConfigurationError, UserError
from agentctl.models.openai_provider import OpenAIProvider
from agentctl.redaction import register_secret
from tests.batch.row_service import RowService, running_row_service


@pytest.fixture
def rows_service(home: Path) -> Iterator[RowService]:
    with running_row_service() as service:
        yield service


def config(service: RowService) -> RunConfig:
    provider = OpenAIProvider(api_key="sk-test", base_url=service.base_url)
    return RunConfig(model="gpt-5-mini", model_provider=provider, tracing_disabled=True)


def batch(service: RowService, tmp_path: Path, rows: list[dict[str, Any]], **options: Any) -> BatchResult:
    agent = options.pop("agent", Agent(name="plain"))

    async def run() -> BatchResult:
        return await run_batch(agent, rows, store=tmp_path / "store.db", run_config=config(service), **options)

    return asyncio.run(run())


def test_every_row_has_one_result_in_order(rows_service: RowService, tmp_path: Path) -> None:
    rows = [{"id": f"r{number}", "text": f"row {number}"} for number in range(30)]
    found = batch(rows_service, tmp_path, rows, prompt="Say {{text}}.", id_field="id")
    assert [row["id"] for row in found.rows] == [row["id"] for row in rows]
    assert [row["final_output"] for row in found.rows] == [f"answer to Say row {number}." for number in range(30)]
    first = found.rows[0]
    assert (first["outcome"], first["exit_code"], first["attempts"], first["error"]) == ("completed", 0, 1, None)
    assert first["row"] == rows[0]
    assert first["usage"]["total_tokens"] == 15
    assert found.failures == []
    again = batch(rows_service, tmp_path, rows, prompt="Say {{text}}.", id_field="id")
    assert again == found
    assert set(rows_service.begun.values()) == {1}
    assert stat.S_IMODE(os.stat(tmp_path / "store.db").st_mode) == 0o600


def test_a_failure_is_a_result_and_holds_up_nobody(rows_service: RowService, tmp_path: Path) -> None:
    rows = [{"text": "one"}, {"text": "fail 400"}, {"text": "three"}]
    found = batch(rows_service, tmp_path, rows)
    assert [row["outcome"] for row in found.rows] == ["completed", "rejected", "completed"]
    assert found.failures[0]["exit_code"] == 69
    assert "as asked" in found.failures[0]["error"]["message"]


def test_the_steps_of_a_row_are_kept_without_secrets(rows_service: RowService, tmp_path: Path) -> None:
    noted: list[str] = []
    secret = "sk-of-a-tool-0123456789abcdef"
    register_secret(secret)

    @function_tool
    def note(word: str) -> str:
        noted.append(word)
        return f"noted {word}{f' with {secret}' if word.endswith('1') else ''}"

    agent = Agent(name="scribe", tools=[note])
    found = batch(rows_service, tmp_path, [{"text": "calls 3"}], agent=agent)
    said = "answer to calls 3: noted calls 3 0; noted calls 3 1 with [redacted]; noted calls 3 2"
    assert found.rows[0]["final_output"] == said
    assert len(noted) == 3
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert [path for path in files if secret.encode() in path.read_bytes()] == []


def test_another_agent_or_other_rows_under_the_same_name_are_refused(rows_service: RowService, tmp_path: Path) -> None:
    batch(rows_service, tmp_path, [{"text": "one"}], name="mine")
    with pytest.raises(ConfigurationError, match="has other rows"):
        batch(rows_service, tmp_path, [{"text": "two"}], name="mine")
    with pytest.raises(ConfigurationError, match="the instructions of agent 'plain'"):
        batch(rows_service, tmp_path, [{"text": "one"}], name="mine", agent=Agent(name="plain", instructions="New."))


def test_a_row_of_five_megabytes(rows_service: RowService, tmp_path: Path) -> None:
    found = batch(rows_service, tmp_path, [{"text": "x" * 5_000_000}])
    assert len(found.rows[0]["final_output"]) > 5_000_000


def test_invalid_rows_are_refused_before_anything_is_sent(rows_service: RowService, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="line 2 has no column 'text'"):
        batch(rows_service, tmp_path, [{"text": "one"}, {"words": "two"}], prompt="{{text}}")
    with pytest.raises(ConfigurationError, match="line 2 has the id 'a' of an earlier row"):
        batch(rows_service, tmp_path, [{"id": "a"}, {"id": "a"}], id_field="id")
    assert not rows_service.begun


def test_a_process_that_runs_dbos_already_is_told(rows_service: RowService, tmp_path: Path) -> None:
    from dbos import DBOS

    DBOS(config={"name": "theirs", "system_database_url": f"sqlite:///{tmp_path}/theirs.db", "log_level": "CRITICAL"})
    try:
        with pytest.raises(UserError, match="runs DBOS already"):
            batch(rows_service, tmp_path, [{"text": "one"}])
    finally:
        DBOS.destroy()


def test_a_store_of_another_version_is_refused(rows_service: RowService, tmp_path: Path) -> None:
    import sqlite3

    batch(rows_service, tmp_path, [{"text": "one"}])
    with sqlite3.connect(tmp_path / "store.db") as connection:
        connection.execute("UPDATE batch_store SET version = 99")
    connection.close()
    with pytest.raises(ConfigurationError, match="version 99"):
        batch(rows_service, tmp_path, [{"text": "one"}])


def test_results_are_json(rows_service: RowService, tmp_path: Path) -> None:
    found = batch(rows_service, tmp_path, [{"text": "one", "number": 1, "nested": {"a": [None]}}])
    assert json.loads(json.dumps(found.rows)) == found.rows
