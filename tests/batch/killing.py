"""Kills of the processes of a batch, and what must hold afterwards."""

import json
import random
import re
import threading
from collections import Counter
from pathlib import Path

import sqlalchemy as sa

from agentctl.batch.address import StoreAddress
from agentctl.batch.store import SCHEMA, connect
from tests.batch.kill_process import ROWS, processes
from tests.batch.row_service import RowService

MODES = ("starter", "worker", "both")


class KillableService(RowService):
    """A service that reports when so many calls have begun."""

    def __init__(self, moment: int) -> None:
        super().__init__(jitter=0.02)
        self.moment = moment
        self.has_come = threading.Event()

    def _note(self, event: str, digest: str) -> None:
        if sum(self.begun.values()) + sum(self.answered.values()) >= self.moment:
            self.has_come.set()


def kept_in(url: str) -> tuple[set[str], set[str]]:
    """Return the digests of the model calls and the keys of the tool calls that a store keeps."""
    address = StoreAddress.of(url)
    engine = connect(address)
    at = "" if address.path is not None else f"{SCHEMA}."
    with engine.begin() as connection:
        steps = connection.execute(sa.text(f"SELECT row_id, key, name, value FROM {at}batch_steps")).all()
        ended = connection.execute(sa.text(f"SELECT output FROM {at}workflow_output")).all()
    engine.dispose()
    digests = {found for *_, value in steps for found in re.findall(r"resp_([0-9a-f]{16})", value)}
    tools = {f"{row}/{key.removesuffix('/')}" for row, key, name, _ in steps if name == "tool note"}
    assert len(ended) <= len(ROWS)
    return digests, tools


def check_kill(url: str, folder: Path, seed: int) -> None:
    """Kill processes of a batch at a moment, and check what is left, and what comes of it."""
    chance, mode = random.Random(seed), MODES[seed % 3]
    service = KillableService(chance.randrange(1, 80))
    log = folder / "tools.log"
    service.start()
    try:
        with processes(url, service.port, folder) as start:
            first = start()
            second = None if mode == "both" and seed % 2 else start()
            assert service.has_come.wait(60)
            killed = [first] if mode == "starter" else [second] if mode == "worker" else [first, second]
            for process in killed:
                if process is not None:
                    process.kill()
            for process in killed:
                if process is not None:
                    process.join()
            digests, tools = kept_in(url)
            before, called = Counter(service.begun), Counter(log.read_text().split("\n") if log.exists() else [])
            third = start() if mode == "both" else second if mode == "starter" else first
            third.join(100)
            assert third.exitcode == 0
            results = json.loads(sorted(folder.glob("results-*.json"))[-1].read_text())
    finally:
        service.stop()
    assert [row["outcome"] for row in results] == ["completed"] * len(ROWS)
    assert [row["final_output"] for row in results] == expected()
    after, calls = service.begun, Counter(log.read_text().split("\n"))
    assert {digest for digest in digests if after[digest] > before[digest]} == set()
    assert {key for key in tools if calls[key] > called[key]} == set()


def expected() -> list[str]:
    """Return the answers of an undisturbed run."""
    return [_answer(str(row["text"])) for row in ROWS]


def _answer(text: str) -> str:
    number = int(text.split()[1])
    said = []
    for index in range(number):
        word = f"{text} {index}"
        if index % 2 == 0:
            said.append(f"noted {word}")
        else:  # The nested agent calls its tool as often as its input says.
            noted = "; ".join(f"noted {word} {inner}" for inner in range(number))
            said.append(f"answer to {word}: {noted}")
    return f"answer to {text}: {'; '.join(said)}"
