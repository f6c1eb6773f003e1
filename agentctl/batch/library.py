"""`run_batch`: a batch in a program, with the guarantees of the command line."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Mapping
from contextlib import aclosing
from dataclasses import replace
from pathlib import Path
from typing import Any

from agentctl._dataclass import dataclass
from agentctl.agent.agent import Agent
from agentctl.agent.run_config import DEFAULT_MAX_TURNS, RunConfig, run_config
from agentctl.agent.wire import JSONValue
from agentctl.definitions.fingerprint import fingerprint_of
from agentctl.errors import UserError
from agentctl.prices.prices import Prices
from agentctl.storage import folders

from .address import StoreAddress
from .identity import check_batch_name, check_same, default_name, version_of, with_digest
from .open_store import open_store
from .row import BatchRecord, BatchSpec
from .row_run import MakeInput, RowRunner
from .table import Selection, table_of
from .template import columns_of, fill_row


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchResult:
    """The outcome of a batch."""

    name: str
    rows: list[dict[str, JSONValue]]
    """The result of each row, in their order; the fields are those of `agentctl batch results`."""

    @property
    def failures(self) -> list[dict[str, JSONValue]]:
        """The results of the rows that failed."""
        return [row for row in self.rows if row["exit_code"] != 0]


async def run_batch(
    agent: Agent[Any],
    rows: Iterable[Mapping[str, Any]],
    *,
    store: str | Path | None = None,
    name: str | None = None,
    prompt: str | None = None,
    make_input: MakeInput | None = None,
    id_field: str | None = None,
    run_config: RunConfig | dict[str, Any] | None = None,
    context: Any = None,
    max_turns: int | None = DEFAULT_MAX_TURNS,
    timeout: float | None = None,
    concurrency: int = 64,
    rate: tuple[int, float] | None = None,
    max_failures: int | None = None,
) -> BatchResult:
    """Run an agent for each row, and return the results; called again with the same, it goes on after a crash.

    Args:
        agent: The agent. If its instructions, tools or handoffs have changed, a batch that was begun is refused.
        rows: The rows, as mappings of JSON.
        store: The URL of a store, or the path of a SQLite file; by default `AGENTCTL_STORE`, or a file in the state
            folder.
        name: The name of the batch; by default one that follows from its rows, the agent and the prompt.
        prompt: The prompt, with `{{column}}`; by default the row as JSON, or its only value.
        make_input: A function that makes the input of a run from a row, instead of a prompt.
        id_field: The column with the ids of the rows; by default they are numbered from 1.
        run_config: The configuration of all runs.
        context: The context object of all runs.
        max_turns: The limit of turns of each run.
        timeout: The time limit of each run in seconds.
        concurrency: The number of rows that this process runs at once.
        rate: The number of rows that all processes begin in a number of seconds.
        max_failures: The number of failed rows at which the batch stops.

    Raises:
        ConfigurationError: rows are invalid, the batch in the store is another one, or the store cannot be used.
        UserError: this process runs DBOS already.
        TooManyFailures: more rows failed than allowed.
    """
    if prompt is not None and make_input is not None:
        raise UserError("run_batch takes a prompt or make_input, not both")
    config, table, selection = _config(run_config), table_of([dict(row) for row in rows]), Selection(id_field=id_field)
    survey, spec = table.survey(selection, columns_of(prompt)), BatchSpec(prompt=prompt)
    model = config.model if isinstance(config.model, str) else None
    found = BatchRecord(
        name="",
        agent=agent.name,
        fingerprint=await fingerprint_of(agent, model=model, source=""),
        spec=spec,
        digest="",
        source=table.name,
        total=survey.total,
    )
    batch = with_digest(found, selection.text, survey.digest)
    named = default_name(table.name, [batch.digest, agent.name]) if name is None else check_batch_name(name)
    home = folders(os.environ)
    with open_store(_address(store)) as opened:
        from .engine import Engine
        from .worker import BatchWorker, WorkerOptions

        runner = RowRunner(
            agent=agent,
            config=config,
            make_input=make_input or (lambda row: fill_row(prompt, row)),
            prices=Prices({}, None if home is None else home.state),
            max_turns=max_turns,
            timeout=timeout,
            context=context,
        )
        engine = Engine(opened, version=version_of(batch.fingerprint, spec), run_row=runner)
        opened.prepare()
        known = opened.add(replace(batch, name=named, created=time.time()))
        check_same(known, batch)
        options = WorkerOptions(concurrency=concurrency, rate=rate, max_failures=max_failures)
        worker = BatchWorker(store=opened, engine=engine, batch=known, options=options)
        async with aclosing(worker.run(table.rows(selection, survey))) as steps:
            async for _ in steps:
                pass
        return BatchResult(name=known.name, rows=[row.to_json() for row in opened.rows(known)])


def _config(given: RunConfig | dict[str, Any] | None) -> RunConfig:
    return run_config(given)


def _address(store: str | Path | None) -> StoreAddress:
    text = str(store) if store is not None else None
    if text is not None and "://" not in text:
        text = f"sqlite:///{Path(text).expanduser().absolute()}"
    return StoreAddress.choose(text, os.environ, folders(os.environ))
