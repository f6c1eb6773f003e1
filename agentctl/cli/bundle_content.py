"""Collects the content of a bundle from this machine, and shows the run of one from elsewhere."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

from agentctl.agent.wire import JSONValue
from agentctl.bundles.content import (
    CASSETTE,
    SETTINGS,
    TRACE,
    cassette_files,
    data_file,
    events_of,
    facts,
    source_files,
    text_of,
    trace_json,
)
from agentctl.cassettes.document import CassetteDocument, read
from agentctl.definitions.reference import source_of
from agentctl.errors import ConfigurationError
from agentctl.profile.code_walk import walk_code
from agentctl.profile.load import Loaded, find_key, load_settings
from agentctl.profile.project_code import read_code

from .invocation import Invocation
from .trace_options import prices_of, traces_of


def collect_files(run: str, agent: str | None, invocation: Invocation) -> tuple[dict[str, JSONValue], dict[str, bytes]]:
    """Return the facts and the files of a bundle about a run: a cassette, or the id of a trace.

    Raises:
        ConfigurationError: there is no such run, or a file cannot be read.
    """
    path, files, trace, reference = Path(run), dict[str, bytes](), None, None
    _load(None, invocation)  # Registers the keys, which must be known before anything is masked.
    if path.is_file():
        document = read(path)
        files |= cassette_files(path, path.read_text("utf-8"))
        reference, trace = document.header.get("reference"), document.end.get("trace_id")
    else:
        trace = traces_of(invocation).find(run)
    if trace is not None:
        try:
            stored = traces_of(invocation)
            files[TRACE] = trace_json(stored.read(stored.find(trace)), prices_of(invocation))
        except ConfigurationError:
            if CASSETTE not in files:
                raise  # Of a cassette, the trace may be gone.
    agent = agent or reference
    loaded = _load(agent, invocation)
    files[SETTINGS] = data_file(
        {name: {"value": value.value, "origin": value.origin} for name, value in loaded.settings.values.items()}
    )
    files |= source_files(_sources(agent, loaded))
    return {**facts(), "agent": agent, "run": os.path.basename(run)}, files


def _load(agent: str | None, invocation: Invocation) -> Loaded:
    """Return the settings of a run of an agent; its keys are registered as secrets."""
    settings: dict[str, JSONValue] = {} if agent is None else {"agent": agent}
    loaded = load_settings(settings, environ=invocation.environ, config=invocation.config, profile=invocation.profile)
    find_key(loaded, invocation.environ)
    return loaded


def _sources(agent: str | None, loaded: Loaded) -> dict[str, bytes]:
    """Return the files of the agent's code by path: those of the project, or the file of the agent."""
    found: dict[Path, bytes | None] = {}
    root = Path.cwd()
    if loaded.project is not None:
        root = loaded.project.root
        found |= {loaded.project.path: loaded.project.content}
        found |= {file.path: file.content for file in walk_code(loaded.project)}
    reference = agent or loaded.settings.agent
    if reference is not None and (file := source_of(reference, loaded)) is not None:
        found.setdefault(file, read_code(file))
    return {_path_in_bundle(path, root): content for path, content in found.items() if content is not None}


def _path_in_bundle(path: Path, root: Path) -> str:
    real, base = path.resolve(), root.resolve()
    return real.relative_to(base).as_posix() if real.is_relative_to(base) else path.name


def replay_lines(document: CassetteDocument) -> Iterator[tuple[str, str | None]]:
    """Yield a line for each event of a recorded run, and the text of a message."""
    for event in events_of(document):
        match event:
            case {"type": "model.requested", "agent": agent, "model": model, "turn": turn}:
                yield f"{turn}. {agent} asks {model}", None
            case {"type": "message", "item": item}:
                text = text_of(item)
                yield f"   answer: {json.dumps(text, ensure_ascii=False)}", text
            case {"type": "tool.called", "item": item}:
                yield f"   calls {item.get('name') or item.get('type')}({item.get('arguments') or ''})", None
            case {"type": "tool.output"}:
                result = event.get("error") or event.get("failure") or event.get("output")
                yield f"   {event['tool']} returned: {json.dumps(result, ensure_ascii=False)}", None
            case {"type": "handoff", "target": target}:
                yield f"   hands over to {target}", None
            case {"type": "guardrail", "name": name}:
                verdict = event.get("behavior") or ("stopped the run" if event.get("tripwire_triggered") else "passed")
                yield f"   guardrail {name}: {verdict}", None
            case {"type": "notice", "kind": kind}:
                yield f"   {kind}: {event.get('message') or event.get('error', {}).get('message', '')}", None
            case {"type": "model.failed", "error": error}:
                yield f"   failed: {error.get('message')}", None
            case {"type": "run.finished"}:
                yield f"{event.get('outcome', 'completed')}", None
            case _:
                pass
