"""`agentctl batch`: a batch from its file to its results."""

import csv
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from agentctl.packages import BATCH, install_command
from tests.batch.row_service import RowService, running_row_service
from tests.conftest import Agentctl
from tests.machine_output import check_document, check_event

PLAIN = 'from agentctl import Agent\nagent = Agent(name="plain", model="gpt-5-mini")\n'
SCRIBE = """
from agentctl import Agent, function_tool

@function_tool(needs_approval=True)
def note(word: str) -> str:
    return f"noted {word}"

agent = Agent(name="scribe", model="gpt-5-mini", tools=[note])
"""

Batch = Callable[..., int]


@pytest.fixture
def rows_service(home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[RowService]:
    with running_row_service() as service:
        monkeypatch.setenv("OPENAI_BASE_URL", service.base_url)
        monkeypatch.setenv("OPENAI_API_KEY", "sk-test-0123456789")
        yield service


@pytest.fixture
def batch(tmp_path: Path, rows_service: RowService, monkeypatch: pytest.MonkeyPatch, agentctl: Agentctl) -> Batch:
    """Run `agentctl batch` with arguments in a folder with agents, print what it printed, and return its exit code."""
    monkeypatch.chdir(tmp_path)
    Path("plain.py").write_text(PLAIN)
    Path("scribe.py").write_text(SCRIBE)

    def run(*arguments: str) -> int:
        done = agentctl("batch", *arguments, cwd=tmp_path, timeout=60)
        sys.stdout.write(done.stdout)
        sys.stderr.write(done.stderr)
        return done.returncode

    return run


def write_rows(name: str, number: int, text: str = "row {}") -> None:
    rows = [{"name": f"r{index}", "text": text.format(index)} for index in range(number)]
    if name.endswith(".csv"):
        with Path(name).open("w", newline="") as file:
            writer = csv.DictWriter(file, ["name", "text"])
            writer.writeheader()
            writer.writerows(rows)
    else:
        Path(name).write_text("".join(json.dumps(row) + "\n" for row in rows))


def read_results(name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in Path(name).read_text().splitlines()]


def test_a_batch_from_its_file_to_its_results(batch: Batch, capsys: pytest.CaptureFixture[str]) -> None:
    write_rows("in.csv", 8)
    run = ["run", "in.csv", "-a", "plain.py:agent", "--prompt", "Say {{text}}", "--id-field", "name"]
    assert batch(*run, "--where", "name~[0-5]", "--offset", "1", "--limit", "4", "-o", "out.jsonl") == 0
    found = read_results("out.jsonl")
    assert [row["id"] for row in found] == ["r1", "r2", "r3", "r4"]
    assert found[0]["final_output"] == "answer to Say row 1"
    assert "4 of 4 rows done" in capsys.readouterr().err
    assert batch("list", "--json") == 0
    document = json.loads(capsys.readouterr().out)
    check_document("batch list", document)
    (record,) = document["batches"]
    assert (record["total"], record["done"], record["failed"], record["input"]) == (4, 4, 0, "in.csv")
    assert batch("results", record["batch"], "-o", "out.csv") == 0
    with Path("out.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert (rows[0]["id"], rows[0]["row.text"], rows[0]["outcome"]) == ("r1", "row 1", "completed")
    assert batch("delete", record["batch"], "--yes") == 0
    capsys.readouterr()
    assert batch("list", "--json") == 0
    assert json.loads(capsys.readouterr().out)["batches"] == []


def test_rows_that_failed_are_run_again(batch: Batch, capsys: pytest.CaptureFixture[str]) -> None:
    Path("in.jsonl").write_text('{"text": "one"}\n{"text": "fail 400 times 1"}\n')
    run = ["run", "in.jsonl", "-a", "plain.py:agent", "--name", "mine", "-q", "-o", "out.jsonl"]
    assert batch(*run) == 1
    assert [row["outcome"] for row in read_results("out.jsonl")] == ["completed", "rejected"]
    assert batch("show", "mine", "--failed") == 0
    assert "2  rejected: " in capsys.readouterr().out
    assert batch("retry", "mine", "--outcome", "75") == 0
    assert "0 rows of mine put back" in capsys.readouterr().err
    assert batch("retry", "mine", "--failed") == 0
    assert batch(*run) == 0
    assert [(row["outcome"], row["attempts"]) for row in read_results("out.jsonl")] == [
        ("completed", 1),
        ("completed", 2),
    ]


def test_rows_wait_for_approval_and_hold_up_no_other(
    batch: Batch, agentctl: Agentctl, capsys: pytest.CaptureFixture[str], rows_service: RowService
) -> None:
    write_rows("in.jsonl", 2, "calls 1 of {}")
    run = ["run", "in.jsonl", "-a", "scribe.py:agent", "--prompt", "{{text}}", "--name", "mine", "-o", "out.jsonl"]
    assert batch(*run) == 84
    capsys.readouterr()
    assert batch("show", "mine", "--waiting", "--json") == 0
    tickets = [row["ticket"] for row in json.loads(capsys.readouterr().out)["rows"]]
    for verb, ticket in zip(("approve", "deny"), tickets, strict=True):
        assert agentctl("approvals", verb, ticket).returncode == 0
    assert batch(*run) == 0
    first, second = read_results("out.jsonl")
    assert first["final_output"].endswith("noted calls 1 of 0 0")
    assert "was not approved" in second["final_output"] or "not" in second["final_output"]
    assert first["attempts"] == 1
    assert set(rows_service.begun.values()) == {1}


def test_a_worker_needs_the_same_agent(batch: Batch, capsys: pytest.CaptureFixture[str]) -> None:
    write_rows("in.jsonl", 3)
    assert batch("run", "in.jsonl", "-a", "plain.py:agent", "--name", "mine", "-q") == 0
    assert batch("worker", "mine", "-a", "plain.py:agent", "-q") == 0
    assert batch("worker", "mine", "-a", "scribe.py:agent") == 78
    assert "agent 'scribe', which is new" in capsys.readouterr().err
    assert batch("worker", "yours", "-a", "plain.py:agent") == 78
    assert "no batch 'yours'" in capsys.readouterr().err


def test_invalid_rows_are_named_before_anything_is_sent(
    batch: Batch, capsys: pytest.CaptureFixture[str], rows_service: RowService
) -> None:
    Path("in.jsonl").write_text('{"text": "one"}\n[1]\n{"text": \n{"text": "four"}\n')
    run = ["run", "in.jsonl", "-a", "plain.py:agent", "-o", "out.jsonl"]
    assert batch(*run) == 78
    assert "2 rows are invalid: line 2 is no JSON object; line 3 is not JSON" in capsys.readouterr().err
    assert not rows_service.begun
    assert batch(*run, "--skip-invalid") == 0
    assert [row["id"] for row in read_results("out.jsonl")] == ["1", "4"]
    assert "skipped: line 2" in capsys.readouterr().err


def test_a_batch_stops_at_its_failures_and_its_cost(
    batch: Batch, home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_rows("in.jsonl", 30, "fail 400 row {}")
    run = ["run", "in.jsonl", "-a", "plain.py:agent", "--name", "failing", "--concurrency", "2", "-q"]
    assert batch(*run, "--max-failures", "10%") == 1
    assert "more than the 3 of --max-failures" in capsys.readouterr().err
    (home / ".agentctl").mkdir(exist_ok=True)
    (home / ".agentctl" / "config.toml").write_text(
        '[profiles.default.prices."gpt-5-mini"]\ninput = 100000\noutput = 100000\n', encoding="utf-8"
    )
    write_rows("in.jsonl", 40)
    costly = ["run", "in.jsonl", "-a", "plain.py:agent", "--name", "costly", "-q", "--set", "max_tokens=20"]
    assert batch(*costly, "--max-cost", "60") == 82
    assert batch(*costly, "--max-cost", "10000", "-o", "out.jsonl") == 0
    assert {row["outcome"] for row in read_results("out.jsonl")} == {"completed"}


def test_an_output_schema_and_files(batch: Batch, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "files"
    folder.mkdir()
    (folder / "a.txt").write_text("the content")
    (tmp_path / "secret.txt").write_text("no")
    (folder / "link.txt").symlink_to(tmp_path / "secret.txt")
    rows = [{"file": "a.txt"}, {"file": "../secret.txt"}, {"file": "link.txt"}, {"file": ""}]
    Path("in.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    run = ["run", "in.jsonl", "-a", "plain.py:agent", "-f", "file", "--prompt", "Read.", "-o", "out.jsonl", "-q"]
    assert batch(*run) == 78
    assert "--files-from" in capsys.readouterr().err
    assert batch(*run, "--files-from", "files") == 1
    found = read_results("out.jsonl")
    assert [row["outcome"] for row in found] == ["completed", "usage", "usage", "completed"]
    assert "the content" in found[0]["final_output"]
    assert "is not inside" in found[2]["error"]["message"]
    schema = '{"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"]}'
    assert batch(*run, "--files-from", "files", "--output-schema", schema, "--limit", "1") == 1
    assert read_results("out.jsonl")[0]["outcome"] == "invalid_output"


def test_events_on_stdout(batch: Batch, capsys: pytest.CaptureFixture[str]) -> None:
    write_rows("in.jsonl", 3)
    run = ["run", "in.jsonl", "-a", "plain.py:agent", "--format", "jsonl"]
    assert batch(*run, "-o", "out.jsonl", "--as-completed") == 0
    events = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    for event in events:
        check_event(event)
    kinds = [event["type"] for event in events]
    assert kinds[0] == "batch.started"
    assert kinds[-1] == "batch.finished"
    assert kinds.count("row.finished") == 3
    assert sorted(row["id"] for row in read_results("out.jsonl")) == ["1", "2", "3"]


WITHOUT_EXTRA = """
import sys
sys.modules["dbos"] = sys.modules["sqlalchemy"] = None
from agentctl.cli.main import main
for words in ("list", "show x", "run rows.jsonl -a a.py:agent", "worker x", "results x"):
    assert main(["batch", *words.split()]) == 78, words
"""


def test_without_the_extra_one_line_names_it(home: Path) -> None:
    done = subprocess.run([sys.executable, "-c", WITHOUT_EXTRA], cwd=home, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert done.stderr.splitlines() == [f"agentctl: batches need DBOS: `{install_command(BATCH)}`"] * 5
