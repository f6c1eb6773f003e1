"""`agentctl explain-exit`, as a user runs it."""

import json

import pytest

from agentctl.errors import EXITS, Exit
from tests.conftest import Agentctl


@pytest.mark.parametrize("row", EXITS, ids=lambda row: str(row.code))
def test_a_code_is_explained_with_what_to_do(agentctl: Agentctl, row: Exit) -> None:
    done = agentctl("explain-exit", str(row.code))
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == f"{row.code} {row.outcome}\n{row.meaning}\n{row.remedy}\n"


def test_without_a_code_the_whole_table_is_shown(agentctl: Agentctl) -> None:
    lines = agentctl("explain-exit").stdout.splitlines()
    assert [line.split()[:2] for line in lines] == [[str(row.code), row.outcome] for row in EXITS]
    assert {line.index(row.meaning) for line, row in zip(lines, EXITS, strict=True)} == {22}


def test_json_is_for_machines(agentctl: Agentctl) -> None:
    one = json.loads(agentctl("explain-exit", "75", "--json").stdout)
    assert (one["schema_version"], one["exit_code"], one["outcome"]) == (1, 75, "unavailable")
    every = json.loads(agentctl("explain-exit", "--json").stdout)
    assert [row["exit_code"] for row in every["exits"]] == [row.code for row in EXITS]


def test_an_unknown_code_is_a_usage_error_that_names_the_known(agentctl: Agentctl) -> None:
    done = agentctl("explain-exit", "3")
    assert (done.returncode, done.stdout) == (2, "")
    assert "no exit code 3" in done.stderr
    assert "75" in done.stderr
