import stat
import threading
from pathlib import Path

import pytest

from agentctl.net.transport_memory import LIFETIME, Route, TransportMemory
from agentctl.redaction import register_secret

ROUTE = Route(url="wss://h.example/v1/responses", proxy=None)


class Clock:
    def __init__(self) -> None:
        self.now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def memory(tmp_path: Path, clock: Clock) -> TransportMemory:
    return TransportMemory(tmp_path / "transports", clock=clock)


def test_a_failure_is_recent_for_ten_minutes_and_known_until_it_is_forgotten(
    memory: TransportMemory, clock: Clock
) -> None:
    assert memory.failure(ROUTE) is None
    memory.record(ROUTE, "no response within 5 s")
    known = memory.failure(ROUTE)
    assert known is not None
    assert (known.reason, known.at, known.is_recent) == ("no response within 5 s", clock.now, True)
    clock.now += LIFETIME
    known = memory.failure(ROUTE)
    assert known is not None
    assert not known.is_recent
    assert memory.forget(ROUTE)
    assert memory.failure(ROUTE) is None
    assert not memory.forget(ROUTE)


def test_each_host_endpoint_and_proxy_has_its_own(memory: TransportMemory) -> None:
    memory.record(ROUTE, "no")
    for other in (
        Route(url="wss://h.example/v2/responses", proxy=None),
        Route(url="wss://other.example/v1/responses", proxy=None),
        Route(url=ROUTE.url, proxy="http://proxy:3128"),
    ):
        assert memory.failure(other) is None


def test_a_clock_that_was_set_back_does_not_prolong_it(memory: TransportMemory, clock: Clock) -> None:
    memory.record(ROUTE, "no")
    clock.now -= 3600
    known = memory.failure(ROUTE)
    assert known is not None
    assert not known.is_recent


def test_of_many_that_ask_one_probes(memory: TransportMemory, clock: Clock, tmp_path: Path) -> None:
    assert not memory.claim_probe(ROUTE)
    memory.record(ROUTE, "no")
    assert not memory.claim_probe(ROUTE)
    clock.now += LIFETIME
    claims: list[bool] = []
    threads = [
        threading.Thread(
            target=lambda: claims.append(TransportMemory(tmp_path / "transports", clock=clock).claim_probe(ROUTE))
        )
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert claims.count(True) == 1
    known = memory.failure(ROUTE)
    assert known is not None
    assert known.is_recent


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"at": "x", "reason": "y"}', b"\xff", b"[" * 100_000])
def test_a_file_that_is_damaged_is_none(content: bytes, memory: TransportMemory, tmp_path: Path) -> None:
    memory.record(ROUTE, "no")
    (file,) = (tmp_path / "transports").glob("*.json")
    file.write_bytes(content)
    assert memory.failure(ROUTE) is None
    memory.record(ROUTE, "no")
    assert memory.failure(ROUTE) is not None


def test_files_are_the_users_own_and_hold_no_secret(memory: TransportMemory, tmp_path: Path) -> None:
    register_secret("sk-in-a-reason-of-this-test")
    memory.record(ROUTE, "the key sk-in-a-reason-of-this-test is not accepted")
    (file,) = (tmp_path / "transports").glob("*.json")
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    assert "sk-in-a-reason" not in file.read_text()


def test_a_folder_that_cannot_be_written_to_is_no_failure(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    memory = TransportMemory(tmp_path / "file" / "transports")
    memory.record(ROUTE, "no")
    assert memory.failure(ROUTE) is None
    assert not memory.forget(ROUTE)
    assert not memory.claim_probe(ROUTE)
