"""The content of a bundle: collected from a run, shown again, and compared with that of another."""

from __future__ import annotations

import difflib
import json
import platform
import sys
from collections.abc import Iterator, Mapping
from itertools import zip_longest
from pathlib import Path
from typing import Any

from agentctl.agent.wire import JSONValue
from agentctl.cassettes.comparison import differences
from agentctl.cassettes.document import CassetteDocument, output_of, parse
from agentctl.errors import ConfigurationError
from agentctl.redaction import redact, redact_data, redact_keys, redact_text
from agentctl.traces.stored import StoredTrace
from agentctl.version import __version__

from .archive import Bundle

CASSETTE, TRACE, EVENTS, SETTINGS = "cassette.jsonl", "trace.json", "events.jsonl", "settings.json"
SOURCES = "sources/"

_MOST_LINES = 40
"""Lines of a difference between two files that are shown."""


def facts() -> dict[str, JSONValue]:
    """Return the versions that a bundle states."""
    return {
        "agentctl": __version__,
        "python": platform.python_version(),
        "platform": sys.platform,
        "machine": platform.machine(),
    }


def cassette_files(path: Path, content: str) -> dict[str, bytes]:
    """Return the files of a cassette: the cassette and its events.

    Raises:
        ConfigurationError: it is no cassette, or has a secret in it.
    """
    document = parse(content, path)
    if redact_text(content) != content:
        raise ConfigurationError("has a secret that was not known when it was recorded; record it again", file=path)
    events = "".join(f"{json.dumps(event, ensure_ascii=False)}\n" for event in events_of(document))
    return {CASSETTE: content.encode(), EVENTS: events.encode("utf-8", "replace")}


def data_file(value: JSONValue) -> bytes:
    """Return JSON data as a file, its secrets masked."""
    return f"{json.dumps(redact_data(value), ensure_ascii=False, indent=2)}\n".encode("utf-8", "replace")


def source_files(sources: Mapping[str, bytes]) -> dict[str, bytes]:
    """Return files of code by path, their secrets masked."""
    return {
        f"{SOURCES}{name}": redact_keys(redact(data.decode("utf-8", "replace"))).encode("utf-8", "replace")
        for name, data in sources.items()
    }


def events_of(document: CassetteDocument) -> Iterator[dict[str, Any]]:
    """Yield what happened in a recorded run, in its order, without the deltas of texts."""
    tools = {(tool["agent"], tool["call_id"]): tool for tool in document.tools}
    for call in document.calls:
        yield {"type": "model.requested", "agent": call.agent, "model": call.model, "turn": call.turn}
        for event in call.events():
            if "notice" in event:
                yield {"type": "notice", **event["notice"]}
        for item in output_of(call):
            if item.get("type") == "message":
                yield {"type": "message", "agent": call.agent, "item": item}
            elif "call_id" in item:
                yield {"type": "tool.called", "agent": call.agent, "item": item}
                if (tool := tools.get((call.agent, item["call_id"]))) is not None:
                    yield {**tool, "type": "tool.output"}
        if call.error is not None:
            yield {"type": "model.failed", "agent": call.agent, "error": call.error}
    yield from ({**note, "type": note["type"]} for note in document.notes)
    end = {name: value for name, value in document.end.items() if name in ("outcome", "exit_code", "error")}
    yield {"type": "run.finished", **end}


def text_of(item: Mapping[str, Any]) -> str:
    """Return the text of a message."""
    parts = item.get("content")
    texts = [part.get("text") or part.get("refusal") or "" for part in parts] if isinstance(parts, list) else []
    return "".join(texts)


def read_cassette(bundle: Bundle, path: Path) -> CassetteDocument | None:
    """Return the cassette of a bundle, None if it has none.

    Raises:
        ConfigurationError: the cassette is invalid.
    """
    text = bundle.text(CASSETTE)
    return None if text is None else parse(text, path)


def trace_json(trace: StoredTrace, prices: Any) -> bytes:
    """Return a trace as a file of a bundle."""
    return data_file(trace.to_json(prices))


def compare(first: Bundle, second: Bundle, paths: tuple[Path, Path]) -> Iterator[str]:
    """Yield lines about what differs between two bundles.

    Raises:
        ConfigurationError: a cassette is invalid.
    """
    for name in ("agentctl", "python", "platform", "machine"):
        old, new = first.manifest.get(name), second.manifest.get(name)
        if old != new:
            yield f"{name}: - {old}  + {new}"
    yield from _compare_settings(first, second)
    for name in sorted({*first.files, *second.files}):
        if name.startswith(SOURCES):
            yield from _compare_texts(name, first.text(name), second.text(name))
    yield from _compare_cassettes(read_cassette(first, paths[0]), read_cassette(second, paths[1]))


def _compare_settings(first: Bundle, second: Bundle) -> Iterator[str]:
    old, new = (_settings(bundle) for bundle in (first, second))
    for name in sorted({*old, *new}):
        if old.get(name) != new.get(name):
            yield f"setting {name}: - {json.dumps(old.get(name))}  + {json.dumps(new.get(name))}"


def _settings(bundle: Bundle) -> dict[str, Any]:
    try:
        values = json.loads(bundle.text(SETTINGS) or "{}")
    except (ValueError, RecursionError) as error:
        raise ConfigurationError(f"the bundle has no valid {SETTINGS}: {error}") from error
    if not isinstance(values, dict):
        return {}
    return {name: value.get("value") for name, value in values.items() if isinstance(value, dict)}


def _compare_texts(name: str, old: str | None, new: str | None) -> Iterator[str]:
    if old == new:
        return
    lines = difflib.unified_diff(
        (old or "").splitlines(), (new or "").splitlines(), f"a/{name}", f"b/{name}", lineterm="", n=1
    )
    for index, line in enumerate(lines):
        if index == _MOST_LINES:
            yield "…"
            return
        yield line


def _compare_cassettes(old: CassetteDocument | None, new: CassetteDocument | None) -> Iterator[str]:
    if old is None or new is None:
        if old is not new:
            yield f"cassette: only in {'the second' if old is None else 'the first'} bundle"
        return
    for name in ("outcome", "exit_code"):
        if old.end.get(name) != new.end.get(name):
            yield f"{name}: - {old.end.get(name)}  + {new.end.get(name)}"
    for number, (before, after) in enumerate(zip_longest(old.calls, new.calls), 1):
        if before is None or after is None:
            yield f"model call {number}: only in {'the second' if before is None else 'the first'} bundle"
            continue
        for each in differences(old.full_request(before), new.full_request(after)):
            yield f"model call {number}: {each}"
        texts = [redact_text("".join(map(text_of, output_of(call)))) for call in (before, after)]
        if texts[0] != texts[1]:
            yield f"model call {number}: answer: - {json.dumps(texts[0])}  + {json.dumps(texts[1])}"
