"""The recordings: their files, and the index."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from agentctl.render.schema import schema
from agentctl.version import SCHEMA_VERSION, __version__
from tests.conformance.scenarios import Scenario
from tests.machine_output import document_of

FOLDER = Path(__file__).parent / f"version{SCHEMA_VERSION}"
FROZEN_SCHEMA = FOLDER / "schema.json"
_INDEX = FOLDER / "index.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Recording:
    """The output of a command line; `document` is the command whose document it is, None for a stream."""

    name: str
    arguments: list[str]
    exit_code: int
    document: str | None
    agentctl_version: str

    @property
    def path(self) -> Path:
        """The file of the output."""
        return FOLDER / f"{self.name}.{'json' if self.document else 'jsonl'}"

    @property
    def is_cut(self) -> bool:
        """Whether the reader went away before the end of the run."""
        return self.exit_code == 141

    @property
    def values(self) -> list[Any]:
        """The events, or the one document."""
        text = self.path.read_text("utf-8")
        return [json.loads(text)] if self.document else [json.loads(line) for line in text.splitlines()]


def load_recordings() -> dict[str, Recording]:
    """Return the recordings by name."""
    index = json.loads(_INDEX.read_text("utf-8")) if _INDEX.exists() else {}
    return {name: Recording(name=name, **entry) for name, entry in index.items()}


def save_recording(name: str, scenario: Scenario, output: str) -> Recording:
    """Write a new recording, and add it to the index."""
    document = scenario.saved[0] if scenario.saved else document_of(scenario.arguments)
    recording = Recording(
        name=name,
        arguments=[*scenario.arguments],
        exit_code=scenario.exit_code,
        document=None if output.startswith('{"type": ') else document,
        agentctl_version=__version__,
    )
    recording.path.write_text(output, "utf-8")
    index = {**load_recordings(), name: recording}
    entries = {each: asdict(index[each]) for each in sorted(index)}
    for entry in entries.values():
        del entry["name"]
    lines = ",\n".join(f"{json.dumps(each)}: {json.dumps(entry)}" for each, entry in entries.items())
    _INDEX.write_text(f"{{\n{lines}\n}}\n", "utf-8")
    return recording


def freeze_schema() -> None:
    """Write the schema as it is now, without descriptions; what is already there must be compatible with it."""
    definitions = {name: _bare(each) for name, each in _definitions().items()}
    lines = ",\n".join(f"{json.dumps(name)}: {json.dumps(each)}" for name, each in definitions.items())
    FROZEN_SCHEMA.write_text(f"{{\n{lines}\n}}\n", "utf-8")


def frozen_definitions() -> dict[str, Any]:
    """Return the frozen schemas by name."""
    return json.loads(FROZEN_SCHEMA.read_text("utf-8")) if FROZEN_SCHEMA.exists() else {}


def current_definitions() -> dict[str, Any]:
    """Return the schemas of now by name, without descriptions."""
    return {name: _bare(each) for name, each in _definitions().items()}


def _definitions() -> dict[str, Any]:
    definitions: Any = schema()["$defs"]
    return definitions


def _bare(node: Any) -> Any:
    if isinstance(node, list):
        return [_bare(each) for each in node]
    if not isinstance(node, dict):
        return node
    return {key: _bare(each) for key, each in node.items() if key != "description" or isinstance(each, dict)}
