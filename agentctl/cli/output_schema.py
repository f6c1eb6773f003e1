"""The output schema of `--output-schema`: a JSON Schema as text, in a file or from stdin, or a class."""

from __future__ import annotations

from pathlib import Path

from agentctl.agent.json_schema import JSONSchemaOutput
from agentctl.agent.output import AgentOutputSchema, AgentOutputSchemaBase
from agentctl.agent.wire import decode_json
from agentctl.errors import UserError
from agentctl.profile.load import Loaded

from .prompt import decode, read_stdin
from .report import UsageError

_FORMS = "write a file, `-`, a JSON Schema, module:Class or file.py:Class"


def read_output_schema(value: str, loaded: Loaded) -> tuple[AgentOutputSchemaBase, list[str]]:
    """Return the output schema that a value of `--output-schema` names, with notes; imports the code of a class.

    Raises:
        UsageError: it cannot be read, or is no JSON object.
        OptionError: it is no valid schema.
        ConfigurationError: the class does not load, or the code may not run.
        RunTimeoutError: stdin did not end in time.
    """
    text, place = value, "the output schema"
    if value == "-":
        text = read_stdin(loaded.settings.timeout, lambda text: None)
    elif value.strip() and not value.lstrip().startswith("{"):
        path = Path(value).expanduser()
        if not path.exists() and ":" in value:
            return _schema_of_class(value, loaded)
        text, place = _read_file(path), str(path)
    if not text.strip():
        raise UsageError(f"{place} is empty; {_FORMS}")
    try:
        schema = decode_json(text)
    except ValueError as error:
        raise UsageError(f"{place} is not JSON: {error}; {_FORMS}") from error
    if not isinstance(schema, dict):
        raise UsageError(f"{place} is not a JSON object, as a schema is; {_FORMS}")
    output = JSONSchemaOutput(schema)
    return output, output.changes


def _read_file(path: Path) -> str:
    if path.suffix == ".py":
        raise UsageError(f"{path} is Python; name a class in it: {path}:Class")
    try:
        return decode(path.read_bytes(), str(path), lambda text: None)
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}; {_FORMS}") from error


def _schema_of_class(reference: str, loaded: Loaded) -> tuple[AgentOutputSchemaBase, list[str]]:
    # 10 ms, needed only for a class.
    from agentctl.definitions.reference import load_class

    kind = load_class(reference, loaded)
    output = AgentOutputSchema(kind)
    try:
        output.json_schema()
    except UserError as error:
        output = AgentOutputSchema(kind, strict_json_schema=False)
        output.json_schema()
        reason = str(error.__cause__).partition(": ")[0]
        return output, [f"the service is asked for the output without strict mode: {reason}"]
    return output, []
