"""`agentctl events`, as a user runs it."""

import json

from jsonschema import Draft202012Validator

from tests.conftest import Agentctl


def test_events_schema_prints_a_schema_that_checks_machine_output(agentctl: Agentctl) -> None:
    done = agentctl("events", "schema")
    assert (done.returncode, done.stderr) == (0, "")
    schema = json.loads(done.stdout)
    Draft202012Validator.check_schema(schema)
    assert schema["schema_version"] == "1-draft"
    version = {"type": "warning", "schema_version": "1-draft", "seq": 0, "time": "2026-01-01T00:00:00.000Z"}
    assert Draft202012Validator(schema).is_valid({**version, "run_id": "run_1", "message": "hm"})


def test_events_alone_shows_its_help(agentctl: Agentctl) -> None:
    done = agentctl("events")
    assert "Example: agentctl events schema" in done.stdout + done.stderr
