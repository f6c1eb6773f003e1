"""Files of every kind, damaged in every way: a clear error, and the file stays as it is."""

import asyncio
import contextlib
import random
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, seed, settings
from hypothesis import strategies as st

from agentctl.errors import AgentsException
from agentctl.memory.sqlite_session import SQLiteSession
from agentctl.memory.store import ConversationStore
from agentctl.profile.code_walk import walk_code
from agentctl.profile.credentials import StoredKey, load_credentials, store_key
from agentctl.profile.project import read_project
from agentctl.profile.store import load_profile, set_values
from agentctl.profile.trust import require_trust
from agentctl.profile.trust_grant import trust
from agentctl.tickets import TicketStore
from tests.conftest import Agentctl
from tests.security.projects import AGENT

KEY = "sk-canary-1234567890"
HUGE = 400 << 20
TICKET = Path(__file__).parents[1] / "tickets" / "version_1.json"
Files = dict[str, Path]


def judge_trust(path: Path) -> None:
    """Compare a project, or the record of what is trusted, with the other one."""
    home = path.parents[1]
    require_trust(read_project(home / "project" / "agentctl.toml"), home / ".agentctl" / "trust.toml")


READERS: dict[str, tuple[Callable[[Path], object], tuple[str, ...]]] = {
    "config.toml": (load_profile, ("config", "show")),
    "credentials.toml": (lambda path: load_credentials(path, "default"), ("run", "--dry-run", "hi")),
    "trust.toml": (judge_trust, ("agents", "check")),
    "conversations.db": (lambda path: ConversationStore(path.parent).items("kept"), ("sessions", "show", "kept")),
    "agentctl.toml": (judge_trust, ("agents", "check")),
    "agents.py": (judge_trust, ("agents", "check")),
    "ticket": (lambda path: TicketStore(path.parent).find(path), ("approvals", "show")),
}
"""A file, what reads it, and a command that does."""
SETTINGS = {"config.toml", "credentials.toml"}
"""Files that may be empty, which changes no other file."""

DAMAGE = st.one_of(
    st.tuples(st.just("flip"), st.lists(st.integers(0, 1 << 20), min_size=1, max_size=5)),
    st.tuples(st.just("cut"), st.integers(0, 1 << 20)),
    st.tuples(st.just("insert"), st.tuples(st.integers(0, 1 << 20), st.binary(min_size=1, max_size=20))),
    st.tuples(st.just("replace"), st.binary(max_size=100)),
)


@pytest.fixture
def files(home: Path) -> Files:
    """One intact file of each kind."""
    state, project = home / ".agentctl", home / "project"
    (project / ".git").mkdir(parents=True)
    (project / "agents.py").write_text(AGENT)
    (project / "agentctl.toml").write_text('[agents]\ngood = "agents.py:agent"\n')
    found = read_project(project / "agentctl.toml")
    trust(found, walk_code(found), state / "trust.toml")
    set_values(
        state / "config.toml", {"model": "gpt-x", "settings.temperature": 0.5, "settings.extra_headers.X-A": "b"}
    )
    store_key(state / "credentials.toml", "default", "https://api.openai.com", StoredKey(value=KEY))
    for folder in ("sessions", "tickets"):
        (state / folder).mkdir()
    with contextlib.closing(SQLiteSession("kept", state / "sessions" / "conversations.db")) as session:
        asyncio.run(session.add_items([{"role": "user", "content": "hi"}]))
    ticket = shutil.copy(TICKET, state / "tickets" / "tk_4be163fd115a58f5.json")
    return {
        "conversations.db": state / "sessions" / "conversations.db",
        "ticket": Path(ticket),
        **{name: state / name for name in ("config.toml", "credentials.toml", "trust.toml")},
        **{name: project / name for name in ("agentctl.toml", "agents.py")},
    }


def error_of(read: Callable[[Path], object], path: Path) -> str | None:
    """Return the message of the library's own error; any other is a bug."""
    try:
        read(path)
    except AgentsException as error:
        return str(error)
    return None


def damaged(data: bytes, damage: tuple[str, Any]) -> bytes:
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
        case ("replace", bytes(other)):
            return other
    raise AssertionError(damage)


@pytest.mark.slow
@pytest.mark.parametrize("name", READERS)
def test_a_damaged_file_is_read_or_is_a_clear_error_and_stays(
    name: str, files: Files, share: Callable[[int], int]
) -> None:
    path, read = files[name], READERS[name][0]
    whole = path.read_bytes()
    assert error_of(read, path) is None

    @seed(11)
    @settings(max_examples=share(2000))
    @given(DAMAGE)
    def check(damage: tuple[str, object]) -> None:
        data = damaged(whole, damage)
        path.write_bytes(data)
        error = error_of(read, path)
        is_new = error is not None and error.startswith("no session 'kept'")
        if error is not None:
            assert "\n" not in error
            assert KEY not in error
            assert str(path) in error or is_new or "agentctl trust" in error
        if name != "conversations.db" or (error is not None and not is_new):
            assert path.read_bytes() == data

    check()


@pytest.mark.parametrize("kind", ["empty", "huge", "folder"])
def test_an_empty_or_huge_file_or_a_folder_is_refused_at_once(kind: str, files: Files) -> None:
    for name, path in files.items():
        read, whole = READERS[name][0], path.read_bytes()
        path.unlink()
        if kind == "folder":
            path.mkdir()
        else:
            with path.open("wb") as file:
                file.write(whole if (name, kind) == ("conversations.db", "huge") else b"")
                file.truncate(0 if kind == "empty" else HUGE)
        error = error_of(read, path)
        # SQLite knows how many of its pages count, and an empty file is a new database.
        is_harmless = (name, kind) == ("conversations.db", "huge") or (kind == "empty" and name in SETTINGS)
        assert (error is None) == is_harmless, (name, error)
        assert path.is_dir() if kind == "folder" else path.stat().st_size in (0, HUGE) or name == "conversations.db"
        if path.is_dir():
            path.rmdir()
        path.write_bytes(whole)


@pytest.mark.parametrize("kind", ["garbage", "truncated"])
def test_a_command_says_which_file_is_corrupted(kind: str, files: Files, agentctl: Agentctl, home: Path) -> None:
    for name, path in files.items():
        whole = path.read_bytes()
        cut = whole[: len(whole) * 2 // 3]
        path.write_bytes(random.Random(1).randbytes(len(whole)) if kind == "garbage" else cut)
        before = path.read_bytes()
        arguments = [*READERS[name][1], *([path.stem] if name == "ticket" else [])]
        done = agentctl(*arguments, cwd=home / "project")
        assert done.returncode in (1, 78), (name, done.stderr)
        assert done.stderr.strip(), name
        assert "Traceback" not in done.stderr + done.stdout
        assert KEY not in done.stderr
        assert path.read_bytes() == before, name
        path.write_bytes(whole)
