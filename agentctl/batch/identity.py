"""The identity of a batch: its name, and the agent that all of its workers must have."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Sequence
from dataclasses import replace

from agentctl.definitions.fingerprint import Fingerprint, changes
from agentctl.errors import ConfigurationError
from agentctl.version import __version__

from .row import BatchRecord, BatchSpec

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,79}")


def check_batch_name(text: str) -> str:
    """Return a valid name of a batch, else raise `ValueError`."""
    if not _NAME.fullmatch(text):
        raise ValueError(
            f"invalid name of a batch {text!r}: use up to 80 letters, digits, dots, hyphens and underscores, starting "
            "with a letter or digit"
        )
    return text


def default_name(source: str, parts: Sequence[object]) -> str:
    """Return the name of a batch without one: the same for the same input, agent and options."""
    stem = re.sub(r"[^A-Za-z0-9-]+", "-", source.rpartition(".")[0] or source).strip("-")[:40] or "rows"
    return f"{stem}-{_digest(parts)[:8]}"


def version_of(fingerprint: Fingerprint, spec: BatchSpec) -> str:
    """Return the version under which rows are enqueued, and which their workers must have."""
    return _digest([__version__, fingerprint.source, fingerprint.agents, spec.output_schema])[:32]


def with_digest(batch: BatchRecord, selection: str, digest: str) -> BatchRecord:
    """Return a batch with the digest of its rows, their selection, and the prompt."""
    return replace(batch, digest=_digest([selection, digest, batch.spec.prompt, batch.spec.file_columns]))


def check_same(known: BatchRecord, given: BatchRecord) -> None:
    """Check that a batch of the store is the one that is to go on.

    Raises:
        ConfigurationError: it has other rows, or another agent.
    """
    check_agent(known, given.fingerprint)
    if known.digest != given.digest or known.total != given.total or known.spec != given.spec:
        raise ConfigurationError(
            f"the batch {known.name!r} has other rows, or another prompt or output schema; choose another name with "
            f"--name, or delete it: `agentctl batch delete {known.name}`"
        )


def check_agent(known: BatchRecord, fingerprint: Fingerprint) -> None:
    """Check that an agent is that of a batch.

    Raises:
        ConfigurationError: it differs; the message says in what.
    """
    changed = changes(known.fingerprint, fingerprint)
    if known.agentctl != __version__:
        changed.append(f"agentctl, which was {known.agentctl} and is {__version__}")
    if changed:
        raise ConfigurationError(
            f"the agent is not that of the batch {known.name!r}; changed since it was begun: {', '.join(changed)}; "
            "restore it, or begin another batch with --name"
        )


def _digest(parts: object) -> str:
    return hashlib.sha256(json.dumps(parts, sort_keys=True, default=dict).encode()).hexdigest()
