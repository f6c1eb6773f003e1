"""Checks whatever machine output the tests of the command line print, against the schema: the helpers of tests call it.

Here the schema is closed: a field, a type or an outcome that it does not have fails the test.
"""

import io
import json
from collections.abc import Sequence
from functools import cache
from itertools import pairwise
from typing import Any

from jsonschema import Draft202012Validator

from agentctl.cli.event_check import check_file
from agentctl.render.documents import DOCUMENTS
from agentctl.render.schema import EVENTS, document_name, schema

_RUNS = ("run", "stream")
_STREAMS = (*_RUNS, "batch run", "batch watch", "batch worker")
_OTHERS = ("trace export", "events schema")
"""Commands whose JSON has a format of its own."""


def check_printed(arguments: Sequence[str], stdout: str, *, exit_code: int) -> None:
    """Check what a command line has printed, if it is machine output; a run that was killed has printed a part."""
    command = _command(arguments)
    if not stdout or command in _OTHERS or not (_is_machine(arguments) or stdout.startswith('{"type": "')):
        return
    if stdout.startswith('{"type": "') and command in _STREAMS:
        for line in stdout.split("\n")[:-1]:
            check_event(json.loads(line))
        if exit_code >= 0:
            check_file(io.BytesIO(stdout.encode()), "stdout")
    else:
        check_document(document_of(arguments), json.loads(stdout))


def document_of(arguments: Sequence[str]) -> str:
    """Return the command whose document a command line prints, such as `run --dry-run`."""
    command = _command(arguments)
    variants = (f"{'run' if command in _RUNS else command} {option}" for option in arguments)
    return next((each for each in variants if each in DOCUMENTS), command)


def check_event(value: Any) -> None:
    """Check an event."""
    assert value["type"] in EVENTS, f"the schema does not have the event {value['type']!r}"
    _validator(value["type"]).validate(value)


def check_document(command: str, value: Any) -> None:
    """Check the document of a command."""
    _validator("document" if command in _RUNS else document_name(command)).validate(value)


def _is_machine(arguments: Sequence[str]) -> bool:
    """Return whether the arguments ask for machine output."""
    if "--json" in arguments or "--dry-run" in arguments:
        return True
    return any(pair in (("--format", "json"), ("--format", "jsonl")) for pair in pairwise(arguments))


def _command(arguments: Sequence[str]) -> str:
    """Return the command among the arguments; options of the program may come before it."""
    words = [word for word in arguments if not word.startswith("-")]
    known = [*DOCUMENTS, *_STREAMS, *_OTHERS]
    for start in range(len(words)):
        for length in (3, 2, 1):
            if (name := " ".join(words[start : start + length])) in known:
                return name
    return " ".join(words[:2])


@cache
def _validator(name: str) -> Draft202012Validator:
    whole = _close(schema())
    assert name in whole["$defs"], f"the schema does not have the document of {name!r}"
    return Draft202012Validator({"$ref": f"#/$defs/{name}", "$defs": whole["$defs"]})


def _close(node: Any) -> Any:
    """Return a schema without fields and values that later versions may add."""
    if isinstance(node, list):
        return [_close(each) for each in node]
    if not isinstance(node, dict):
        return node
    closed = {key: _close(each) for key, each in node.items()}
    if node.get("type") in ("object", ["object", "null"]) and "properties" in node:
        closed["additionalProperties"] = False
    if {"type": "string"} in node.get("anyOf", ()):
        closed["anyOf"] = [each for each in closed["anyOf"] if each != {"type": "string"}]
    return closed
