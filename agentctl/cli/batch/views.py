"""The work of the commands that look at batches and change them without running rows."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from agentctl.agent.wire import JSONValue
from agentctl.batch.identity import version_of
from agentctl.batch.progress import Progress
from agentctl.batch.row import BatchRecord, RowRecord
from agentctl.cli.approvals.ticket_store import ticket_store
from agentctl.cli.columns import align, local_minute, terminal_width
from agentctl.cli.invocation import Invocation
from agentctl.errors import ConfigurationError
from agentctl.grammar import count
from agentctl.redaction import redact_text

from .output import ResultOutput
from .progress_view import ProgressView, summarize
from .run import exit_code, find_batch

if TYPE_CHECKING:
    from agentctl.batch.store import BatchStore

_TICK = 1.0
_HEADING = ("NAME", "BEGUN", "ROWS", "DONE", "FAILED", "WAITING", "INPUT")

_KEEPS_CALLS = frozenset(
    {"unavailable", "unauthorized", "misconfigured", "timeout", "budget", "suspended", "cancelled"}
)
"""The outcomes of rows whose finished calls are not to blame: another attempt goes on after them."""


def progress_of(store: BatchStore, batch: BatchRecord) -> Progress:
    """Return the progress of a batch."""
    progress = Progress(batch)
    progress.read(store)
    return progress


def record_json(progress: Progress) -> dict[str, JSONValue]:
    """Return a batch and its progress as JSON."""
    batch = progress.batch
    created = datetime.fromtimestamp(batch.created, UTC)
    return {
        **progress.to_json(),
        "created_at": f"{created:%Y-%m-%dT%H:%M:%SZ}",
        "reference": batch.agent,
        "input": batch.source,
        "is_cancelled": batch.is_cancelled,
    }


def list_lines(found: Sequence[Progress]) -> Iterator[str]:
    """Yield a line for each batch."""
    rows = [
        (
            each.batch.name,
            local_minute(datetime.fromtimestamp(each.batch.created, UTC)),
            f"{each.batch.total:,}",
            f"{each.states['done']:,}",
            f"{each.failure_count:,}",
            f"{each.states['waiting']:,}",
            each.batch.source,
        )
        for each in found
    ]
    return align(rows, terminal_width(), heading=_HEADING, mask=redact_text) if rows else iter(())


def show_batch(
    store: BatchStore, name: str, invocation: Invocation, *, failed: bool, waiting: bool, as_json: bool
) -> None:
    """Print the progress of a batch, and the rows that failed or wait."""
    progress = progress_of(store, find_batch(store, name))
    states = {state for state, is_wanted in (("failed", failed), ("waiting", waiting)) if is_wanted}
    rows = [row for row in store.rows(progress.batch) if row.state in states] if states else []
    if waiting:
        from agentctl.batch.approvals import copy_tickets

        copy_tickets(store, ticket_store(invocation), progress.batch)
    if as_json:
        document = record_json(progress)
        invocation.print_json(
            {**document, **({"rows": [row.to_json() for row in rows]} if states else {})}, mask=redact_text
        )
        return
    invocation.print(summarize(progress), mask=redact_text)
    for row in rows:
        invocation.print(_describe(row), mask=redact_text)


def watch_batch(store: BatchStore, name: str, invocation: Invocation, *, events: bool) -> int:
    """Show the progress of a batch until nothing is left to do, and return the exit code."""
    progress = Progress(find_batch(store, name))
    view, output = ProgressView(invocation, quiet=events), ResultOutput(events=events)
    output.begin(progress.batch)
    try:
        while True:
            output.write(progress.read(store), progress)
            view.show(progress)
            progress.batch = store.find(progress.batch.name)
            is_enqueued = progress.batch.enqueued >= progress.batch.total or progress.batch.is_cancelled
            if is_enqueued and not progress.queued and not progress.running:
                break
            time.sleep(_TICK)
        output.write(progress.read(store, again=True), progress)
    finally:
        view.close()
    code = exit_code(progress)
    output.finish(store, progress, code)
    if not events:
        invocation.note(summarize(progress))
    sys.stdout.flush()
    return code


def retry_rows(store: BatchStore, name: str, outcomes: Sequence[str], invocation: Invocation) -> None:
    """Put rows that failed or were cancelled back into the queue, all or those with an outcome."""
    from agentctl.batch.engine import repeat_row

    batch, number = find_batch(store, name), 0
    version = version_of(batch.fingerprint, batch.spec)
    for row in list(store.rows(batch)):
        if row.state not in ("failed", "cancelled"):
            continue
        document = row.to_json()
        outcome = str(document["outcome"])
        if outcomes and outcome not in outcomes and str(document["exit_code"]) not in outcomes:
            continue
        repeat_row(store, batch, row.index, version=version, keeps_calls=outcome in _KEEPS_CALLS)
        number += 1
    if number:
        store.set_cancelled(batch.name, is_cancelled=False)
    invocation.note(f"{count(number, 'row')} of {batch.name} put back into the queue")
    if number:
        invocation.note("run them with the command of the batch, or with `agentctl batch worker`")


def cancel_batch(store: BatchStore, name: str, invocation: Invocation) -> None:
    """Stop a batch in all processes."""
    from agentctl.batch.engine import cancel_rows

    batch = find_batch(store, name)
    store.set_cancelled(batch.name, is_cancelled=True)
    cancel_rows(store, batch)
    invocation.note(f"cancelled the batch {batch.name}")


def delete_batch(store: BatchStore, batch: BatchRecord) -> None:
    """Delete a batch and its rows.

    Raises:
        ConfigurationError: rows of it are run.
    """
    from agentctl.batch.engine import delete_rows

    if store.in_flight(batch.name).get("PENDING"):
        raise ConfigurationError(f"rows of {batch.name} are run; cancel it first: `agentctl batch cancel {batch.name}`")
    delete_rows(store, batch)
    store.delete(batch.name)


def _describe(row: RowRecord) -> str:
    document = row.to_json()
    error = document["error"]
    text = f": {error['message']}" if isinstance(error, dict) else ""
    ticket = f" ({document['ticket']})" if "ticket" in document else ""
    return f"{row.id}  {document['outcome']}{ticket}{text}"
