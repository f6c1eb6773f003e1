"""Files of every kind with bits flipped, cut short, emptied or blown up: a clear error, and the file stays as it is."""

import asyncio
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, seed, settings
from hypothesis import strategies as st

from agentctl.errors import AgentsException, ConfigurationError
from agentctl.memory.sqlite_session import SQLiteSession
from agentctl.memory.store import ConversationStore
from agentctl.profile.credentials import StoredKey, load_credentials, store_key
from agentctl.profile.project import read_project
from agentctl.profile.store import load_profile, set_values
from agentctl.tickets import TicketStore

TICKET = Path(__file__).parents[1] / "tickets" / "version_1.json"


def write_ticket(folder: Path) -> Path:
    return Path(shutil.copy(TICKET, folder / "tk_4be163fd115a58f5.json"))


def write_profile(folder: Path) -> Path:
    path = folder / "config.toml"
    set_values(path, {"model": "gpt-x", "settings.temperature": 0.5, "settings.extra_headers.X-A": "b"})
    return path


def write_credentials(folder: Path) -> Path:
    path = folder / "credentials.toml"
    store_key(path, "default", "https://api.example.com", StoredKey(value="sk-corrupt-0123456789"))
    return path


def write_project(folder: Path) -> Path:
    path = folder / "agentctl.toml"
    path.write_text('model = "gpt-x"\nmax_turns = 3\n[agents]\nscribe = "scribe.py:agent"\n')
    return path


def write_conversations(folder: Path) -> Path:
    path = folder / "conversations.db"
    session = SQLiteSession("s", path)
    asyncio.run(session.add_items([{"role": "user", "content": "hi"}]))
    session.close()
    return path


KINDS: dict[str, tuple[Callable[[Path], Path], Callable[[Path], object]]] = {
    "ticket": (write_ticket, lambda path: TicketStore(path.parent).find(path)),
    "profile": (write_profile, load_profile),
    "credentials": (write_credentials, lambda path: load_credentials(path, "default")),
    "project": (write_project, read_project),
    "conversations": (write_conversations, lambda path: ConversationStore(path.parent).items("s")),
}

DAMAGE = st.one_of(
    st.tuples(st.just("flip"), st.lists(st.integers(0, 1 << 20), min_size=1, max_size=5)),
    st.tuples(st.just("cut"), st.integers(0, 1 << 20)),
    st.tuples(st.just("insert"), st.tuples(st.integers(0, 1 << 20), st.binary(min_size=1, max_size=20))),
)


def damaged(data: bytes, damage: tuple[str, object]) -> bytes:
    match damage:
        case ("flip", [*bits]):
            changed = bytearray(data)
            for bit in bits:
                changed[bit // 8 % len(changed)] ^= 1 << bit % 8
            return bytes(changed)
        case ("cut", int(length)):
            return data[: length % len(data)]
        case ("insert", (int(place), bytes(inserted))):
            return data[: place % len(data)] + inserted + data[place % len(data) :]
    raise AssertionError(damage)


def error_of(read: Callable[[], object]) -> str | None:
    """Return the message of the library's own error; any other is a bug."""
    try:
        read()
    except AgentsException as error:
        return str(error)
    return None


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_a_damaged_file_is_a_clear_error_and_stays_as_it_is(
    tmp_path: Path, kind: str, share: Callable[[int], int]
) -> None:
    write, read = KINDS[kind]
    path = write(tmp_path)
    whole = path.read_bytes()
    read(path)

    @seed(11)
    @settings(max_examples=share(2000))
    @given(DAMAGE)
    def check(damage: tuple[str, object]) -> None:
        data = damaged(whole, damage)
        path.write_bytes(data)
        error = error_of(lambda: read(path))
        is_new = error is not None and error.startswith("no session 's'")
        if error is not None:
            assert str(path) in error or is_new
            assert "\n" not in error
            assert "sk-corrupt" not in error
        if kind != "conversations" or (error is not None and not is_new):
            assert path.read_bytes() == data

    check()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("size", [0, 300_000_000])
def test_an_empty_or_huge_file_is_read_or_refused_at_once(tmp_path: Path, kind: str, size: int) -> None:
    write, read = KINDS[kind]
    path = write(tmp_path)
    with path.open("wb") as file:
        file.truncate(size)
    if size == 0 and kind in ("profile", "credentials", "project"):
        read(path)  # An empty file of settings says nothing.
    else:
        with pytest.raises(ConfigurationError):
            read(path)
    assert path.stat().st_size == size or kind == "conversations"  # An empty file is a new database.
