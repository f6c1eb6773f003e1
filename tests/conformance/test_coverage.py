"""There is a recording of every command with machine output, event, outcome, exit code and transport."""

from typing import get_args

from agentctl.errors import EXITS
from agentctl.models.transport import Transport
from agentctl.render.documents import DOCUMENTS
from agentctl.render.schema import EVENTS
from tests.conformance.recordings import load_recordings
from tests.conformance.scenarios import SCENARIOS

RECORDINGS = load_recordings()
HINT = "add a scenario to tests/conformance/scenarios.py, then `python -m tests.conformance` records it"


def test_every_scenario_is_recorded_and_every_recording_has_its_scenario() -> None:
    assert SCENARIOS.keys() == RECORDINGS.keys(), "`python -m tests.conformance` records what is missing"
    for name, scenario in SCENARIOS.items():
        kept = RECORDINGS[name]
        assert ([*scenario.arguments], scenario.exit_code) == (kept.arguments, kept.exit_code), name


def test_every_command_with_machine_output_is_recorded() -> None:
    documents = {each.document for each in RECORDINGS.values()}
    streams = {_command(each.arguments) for each in RECORDINGS.values() if not each.document}
    assert {"run", *DOCUMENTS} - documents == set(), HINT
    assert {"run", "stream", "batch run"} - streams == set(), HINT


def test_every_event_is_recorded() -> None:
    recorded = {event["type"] for each in RECORDINGS.values() if not each.document for event in each.values}
    assert {*EVENTS} - recorded == set(), HINT


def test_every_exit_code_and_outcome_is_recorded() -> None:
    ends = {(each.exit_code, each.values[-1].get("outcome")) for each in RECORDINGS.values() if not each.document}
    ends |= {(each.exit_code, "closed_pipe") for each in RECORDINGS.values() if each.is_cut}
    assert {(row.code, row.outcome.value) for row in EXITS} - ends == set(), HINT


def test_every_transport_is_recorded() -> None:
    words = {word for each in RECORDINGS.values() if not each.document for word in each.arguments}
    assert {*get_args(Transport), "chat_completions"} - words == set(), HINT


def _command(arguments: list[str]) -> str:
    return " ".join(arguments[:2]) if arguments[0] == "batch" else arguments[0]
