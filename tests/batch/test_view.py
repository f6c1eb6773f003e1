"""The progress of a batch on a terminal, and what Ctrl-C leaves."""

import os
from pathlib import Path

from tests.batch.row_service import running_row_service
from tests.cli.terminal import Terminal


def test_a_terminal_shows_the_progress_and_ctrl_c_the_command_that_goes_on(home: Path, tmp_path: Path) -> None:
    (tmp_path / "plain.py").write_text('from agentctl import Agent\nagent = Agent(name="plain", model="gpt-5-mini")\n')
    (tmp_path / "in.jsonl").write_text("".join(f'{{"text": "row {number}"}}\n' for number in range(500)))
    store = f"sqlite:///{tmp_path}/store.db"
    with running_row_service(seconds=0.05) as service:
        env = {**os.environ, "OPENAI_BASE_URL": service.base_url, "OPENAI_API_KEY": "sk-test-0123456789"}
        command = ["batch", "run", f"{tmp_path}/in.jsonl", "-a", f"{tmp_path}/plain.py:agent", "--concurrency", "2"]
        with Terminal(*command, "--store", store, env=env) as terminal:
            terminal.read_raw_until(" of 500 rows done, 0 failed, ")
            terminal.read_raw_until(" tokens/s, cost unknown")  # Once rows have used tokens.
            terminal.type("\x03")
            assert terminal.end() == 130
            shown = terminal.text
        assert "go on with: agentctl batch run" in shown
        assert max(service.begun.values()) == 1
