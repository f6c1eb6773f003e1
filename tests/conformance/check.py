"""The check of a release against a recording: the scenario is run again."""

import json

from tests.conformance.compare import compare_streams, compare_values
from tests.conformance.play import play
from tests.conformance.recordings import Recording
from tests.conformance.scenarios import Scenario
from tests.service.client import Service


def check_again(recording: Recording, scenario: Scenario, service: Service) -> list[str]:
    """Run a scenario again, and return what a reader of its recording would miss."""
    output = play(scenario, service)
    if recording.document:
        return compare_values(recording.values[0], json.loads(output))
    return compare_streams(recording.values, [json.loads(line) for line in output.splitlines()])
