"""Conversations in SQLite: nothing is lost, nothing is half there, and what goes wrong is said."""

import asyncio
import gc
import json
import os
import signal
import sqlite3
import stat
import subprocess
import sys
import threading
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest

from agentctl import (
    ConfigurationError,
    Session,
    SessionABC,
    SessionInUseError,
    SessionSettings,
    SQLiteSession,
    UserError,
    redaction,
)
from agentctl.memory import sqlite_file
from agentctl.redaction import MASK, register_secret

Item = dict[str, Any]


def user(text: str) -> Item:
    return {"role": "user", "content": text}


def with_session(session: SQLiteSession, use: Callable[[SQLiteSession], Coroutine[Any, Any, Any]]) -> Any:
    try:
        return asyncio.run(use(session))
    finally:
        session.close()


def items_of(path: Path, session_id: str = "s") -> list[Item]:
    items: list[Item] = with_session(SQLiteSession(session_id, path), lambda session: session.get_items())
    return items


def add(path: Path, *items: Item, session_id: str = "s") -> None:
    with_session(SQLiteSession(session_id, path), lambda session: session.add_items(list(items)))


@pytest.fixture(params=[":memory:", "file"])
def session(request: pytest.FixtureRequest, tmp_path: Path) -> Any:
    session = SQLiteSession("s", ":memory:" if request.param == ":memory:" else tmp_path / "s.db")
    yield session
    session.close()


def test_items_come_back_in_order_and_the_newest_go_first(session: SQLiteSession) -> None:
    async def scenario() -> None:
        assert await session.get_items() == []
        await session.add_items([])
        await session.add_items([user("a"), user("b"), user("c")])
        assert await session.get_items() == [user("a"), user("b"), user("c")]
        assert await session.get_items(2) == [user("b"), user("c")]
        assert await session.get_items(0) == []
        assert await session.pop_item() == user("c")
        assert await session.get_items() == [user("a"), user("b")]
        await session.clear_session()
        assert await session.get_items() == []
        assert await session.pop_item() is None

    asyncio.run(scenario())


def test_a_session_is_one_by_both_of_its_types(session: SQLiteSession) -> None:
    assert isinstance(session, Session)
    assert isinstance(session, SessionABC)
    assert session.session_id == "s"


def test_the_limit_of_the_settings_counts_where_none_is_asked_for() -> None:
    async def scenario(session: SQLiteSession) -> None:
        await session.add_items([user("a"), user("b")])
        assert await session.get_items() == [user("b")]
        assert await session.get_items(5) == [user("a"), user("b")]

    with_session(SQLiteSession("s", session_settings={"limit": 1}), scenario)
    with_session(SQLiteSession("s", session_settings=SessionSettings(limit=1)), scenario)


def test_settings_are_checked() -> None:
    with pytest.raises(TypeError, match="size"):
        SQLiteSession("s", session_settings={"size": 1})
    with pytest.raises(ValueError, match="limit"):
        SessionSettings(limit="all")  # type: ignore[arg-type]
    assert SessionSettings(limit=3).resolve({"limit": None}) == SessionSettings(limit=3)
    assert SessionSettings(limit=3).resolve(SessionSettings(limit=5)).to_dict() == {"limit": 5}


def test_a_session_is_used_in_one_event_loop_after_the_other(session: SQLiteSession) -> None:
    for text in "ab":
        asyncio.run(session.add_items([user(text)]))
    assert asyncio.run(session.get_items()) == [user("a"), user("b")]


def test_threads_share_a_session(session: SQLiteSession) -> None:
    threads = [threading.Thread(target=lambda: asyncio.run(session.add_items([user("x")] * 5))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(asyncio.run(session.get_items())) == 40


def test_sessions_of_one_file_do_not_see_each_other(tmp_path: Path) -> None:
    path = tmp_path / "s.db"
    add(path, user("a"), session_id="one")
    add(path, user("b"), session_id="two")
    with_session(SQLiteSession("one", path), lambda session: session.clear_session())
    assert items_of(path, "one") == []
    assert items_of(path, "two") == [user("b")]


def test_tables_may_have_any_name(tmp_path: Path) -> None:
    async def scenario(session: SQLiteSession) -> None:
        await session.add_items([user("a")])
        assert await session.get_items() == [user("a")]

    names = ('my "sessions"; DROP', "select")
    with_session(SQLiteSession("s", tmp_path / "s.db", *names), scenario)
    with sqlite3.connect(tmp_path / "s.db") as connection:
        found = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    connection.close()
    assert set(names) <= found


def test_a_file_that_the_agents_sdk_made_is_gone_on_with(tmp_path: Path) -> None:
    connection = sqlite3.connect(tmp_path / "s.db")
    connection.executescript("""
        CREATE TABLE agent_sessions (session_id TEXT PRIMARY KEY, created_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP,
            updated_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP);
        CREATE TABLE agent_messages (id INTEGER PRIMARY KEY AUTOINCREMENT, session_id TEXT NOT NULL,
            message_data TEXT NOT NULL, created_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP);
        INSERT INTO agent_sessions (session_id) VALUES ('s');
        INSERT INTO agent_messages (session_id, message_data) VALUES ('s', '{"role": "user", "content": "old"}');
        INSERT INTO agent_messages (session_id, message_data) VALUES ('s', '{no json');
    """)
    connection.close()
    add(tmp_path / "s.db", user("new"))
    assert items_of(tmp_path / "s.db") == [user("old"), user("new")]


def test_any_text_is_kept_as_it_is(tmp_path: Path) -> None:
    texts = ["\x00\ud800", "é\u2028", "'; DROP TABLE agent_messages; --"]
    add(tmp_path / "s.db", *(user(text) for text in texts))
    assert [item["content"] for item in items_of(tmp_path / "s.db")] == texts


def test_a_text_that_is_none_is_read_as_well_as_it_goes(tmp_path: Path) -> None:
    path = tmp_path / "s.db"
    add(path, user("a"), user("b"))
    with sqlite3.connect(path) as connection:
        broken = "x'7b22726f6c65223a2275736572222c22636f6e74656e74223a22ff227d'"
        connection.execute(f"UPDATE agent_messages SET message_data = CAST({broken} AS TEXT) WHERE id = 1")
    connection.close()
    assert items_of(path) == [user("\ufffd"), user("b")]


def test_what_was_taken_away_is_nowhere_in_the_file(tmp_path: Path) -> None:
    path = tmp_path / "s.db"
    add(path, user("a private matter"), session_id="s")
    add(path, user("another matter"), session_id="t")
    assert b"private" in path.read_bytes()
    with_session(SQLiteSession("s", path), lambda session: session.clear_session())
    assert [b"private" in each.read_bytes() for each in tmp_path.iterdir()] == [False]
    assert items_of(path, "t") == [user("another matter")]


def test_what_is_no_json_is_refused_and_nothing_is_kept(session: SQLiteSession) -> None:
    with pytest.raises(UserError, match="JSON"):
        asyncio.run(session.add_items([user("a"), {"role": object()}]))
    assert asyncio.run(session.get_items()) == []


def test_no_secret_gets_into_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(redaction, "_secrets", ())
    monkeypatch.setattr(redaction, "_registered", set())
    register_secret("canary-in-the-mine")
    register_secret("user")
    item = {
        "type": "function_call",
        "name": "user",
        "call_id": "user",
        "arguments": '{"key": "canary-in-the-mine"}',
        "content": [{"type": "input_text", "text": "my canary-in-the-mine"}],
    }
    add(tmp_path / "s.db", item)
    for file in tmp_path.iterdir():
        assert b"canary" not in file.read_bytes()
    (kept,) = items_of(tmp_path / "s.db")
    assert kept["name"] == kept["call_id"] == "user"
    assert kept["content"][0]["text"] == f"my {MASK}"
    assert json.loads(kept["arguments"]) == {"key": MASK}


def test_the_process_that_adds_a_secret_reads_it_as_it_was(tmp_path: Path) -> None:
    register_secret("canary-of-the-process")
    item = user("my canary-of-the-process")

    async def scenario(session: SQLiteSession) -> None:
        assert not session.has_masked
        await session.add_items([user("a"), item])
        assert await session.get_items() == [user("a"), item]
        assert [session.take_masking(), session.take_masking()] == [True, False]
        assert await session.pop_item() == item
        await session.add_items([item])
        await session.clear_session()
        await session.add_items([user("b"), user("c")])
        assert await session.get_items() == [user("b"), user("c")]

    with_session(SQLiteSession("s", tmp_path / "s.db"), scenario)


@pytest.mark.skipif(sys.platform == "win32", reason="modes of POSIX")
def test_the_file_is_the_users_alone(tmp_path: Path) -> None:
    path = tmp_path / "new" / "folder" / "s.db"

    async def scenario(session: SQLiteSession) -> None:
        await session.add_items([user("a")])
        modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in path.parent.iterdir()}
        assert set(modes) == {"s.db", "s.db-wal", "s.db-shm"}
        assert set(modes.values()) == {0o600}

    before = os.umask(0)
    try:
        with_session(SQLiteSession("s", path), scenario)
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_making_a_session_makes_no_file(tmp_path: Path) -> None:
    SQLiteSession("s", tmp_path / "s.db").close()
    assert list(tmp_path.iterdir()) == []


def test_a_closed_session_says_so_and_closing_twice_is_closing_once(session: SQLiteSession) -> None:
    asyncio.run(session.add_items([user("a")]))
    session.close()
    session.close()
    with pytest.raises(RuntimeError, match="closed"):
        asyncio.run(session.get_items())


def test_a_session_that_nobody_closes_warns_of_nothing(tmp_path: Path) -> None:
    for path in (":memory:", tmp_path / "s.db"):
        asyncio.run(SQLiteSession("s", path).add_items([user("a")]))
    gc.collect()
    script = f"""
import asyncio, warnings
warnings.simplefilter("error")
from agentctl import SQLiteSession
session = SQLiteSession("s", {str(tmp_path / "t.db")!r})
asyncio.run(session.get_items())
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stderr == ""


def test_a_damaged_file_is_named_and_left_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "s.db"
    path.write_text("this is a letter, and no database at all\n" * 100)
    before = path.read_bytes()
    with pytest.raises(ConfigurationError, match=r"s\.db.*move it away"):
        items_of(path)
    assert path.read_bytes() == before


def test_a_page_that_was_overwritten_is_damage_too(tmp_path: Path) -> None:
    path = tmp_path / "s.db"
    add(path, *(user("x" * 1000) for _ in range(100)))
    content = bytearray(path.read_bytes())
    content[4096 * 3 : 4096 * 20] = os.urandom(4096 * 17)
    path.write_bytes(content)
    with pytest.raises(ConfigurationError, match="damaged"):
        items_of(path)


def test_a_folder_in_the_place_of_the_file_is_said(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"cannot write the conversation database"):
        items_of(tmp_path)


def test_a_place_that_is_no_folder_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigurationError, match=r"cannot write the conversation database"):
        items_of(tmp_path / "file" / "s.db")


@pytest.mark.skipif(sys.platform == "win32" or os.geteuid() == 0, reason="root may write anything")
def test_a_file_that_may_not_be_written_is_said(tmp_path: Path) -> None:
    path = tmp_path / "s.db"
    add(path, user("a"))
    path.chmod(0o400)
    with pytest.raises(ConfigurationError, match=r"cannot write the conversation database"):
        add(path, user("b"))


def test_a_full_disk_is_said_and_leaves_what_was_there(tmp_path: Path) -> None:
    resource = pytest.importorskip("resource")
    path = tmp_path / "s.db"
    add(path, user("a"))
    script = f"""
import asyncio, resource, sys
from agentctl import SQLiteSession
session = SQLiteSession("s", {str(path)!r})
asyncio.run(session.get_items())
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, {resource.RLIM_INFINITY}))
try:
    asyncio.run(session.add_items([{{"role": "user", "content": "x" * 1000}} for _ in range(1000)]))
except OSError as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert "the disk may be full" in done.stdout
    assert str(path) in done.stdout
    assert items_of(path) == [user("a")]


def test_a_file_that_another_keeps_locked_is_waited_for_and_then_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite_file, "_LOCK_TIMEOUT", 0.01)
    path = tmp_path / "s.db"
    add(path, user("a"))
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    try:
        with pytest.raises(SessionInUseError, match=r"s\.db"):
            add(path, user("b"))
    finally:
        other.close()


_WRITER = """
import asyncio, sys
from agentctl import SQLiteSession
path, name = sys.argv[1:]
session = SQLiteSession("s", path)
async def write():
    for number in range(10):
        pair = [{"type": kind, "call_id": f"{name}-{number}"} for kind in ("function_call", "function_call_output")]
        await session.add_items(pair)
        print(number, flush=True)
asyncio.run(write())
"""


def test_twenty_processes_that_append_at_once_lose_nothing(tmp_path: Path) -> None:
    path = tmp_path / "new" / "s.db"
    writers = [
        subprocess.Popen(
            [sys.executable, "-c", _WRITER, str(path), str(name)], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
        )
        for name in range(20)
    ]
    for writer in writers:
        _, complaint = writer.communicate()
        assert writer.returncode == 0, complaint
    items = items_of(path)
    calls, outputs = items[::2], items[1::2]
    assert [item["type"] for item in calls] == ["function_call"] * 200
    assert [item["call_id"] for item in calls] == [item["call_id"] for item in outputs]
    assert len({item["call_id"] for item in calls}) == 200


@pytest.mark.skipif(sys.platform == "win32", reason="SIGKILL")
def test_processes_that_are_killed_leave_each_write_whole_or_not_there(tmp_path: Path) -> None:
    path = tmp_path / "s.db"
    said = 0
    for round_ in range(8):
        writer = subprocess.Popen(
            [sys.executable, "-c", _WRITER, str(path), str(round_)], stdout=subprocess.PIPE, text=True
        )
        assert writer.stdout is not None
        for _ in range(round_ + 1):
            writer.stdout.readline()
        writer.send_signal(signal.SIGKILL)
        said += round_ + 1 + len(writer.stdout.read().splitlines())
        writer.wait()
        writer.stdout.close()
    items = items_of(path)
    assert [item["call_id"] for item in items[::2]] == [item["call_id"] for item in items[1::2]]
    assert len({item["call_id"] for item in items}) == len(items) / 2 >= said
