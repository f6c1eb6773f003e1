"""Corrupted files of every kind: a clear error, and the file stays as it is."""

import random
from pathlib import Path

import pytest

from tests.cli.approving import PAIR, suspended
from tests.conftest import Agentctl
from tests.security.projects import AGENT
from tests.service.client import Service
from tests.service.steps import text, tool_calls

KEY = "sk-canary-1234567890"
HUGE = 400 << 20
COMMANDS = {
    "config.toml": ("config", "show"),
    "credentials.toml": ("run", "--dry-run", "hi"),
    "trust.toml": ("agents", "check"),
    "conversations.db": ("sessions", "show", "kept"),
    "agentctl.toml": ("agents", "check"),
    "agents.py": ("agents", "check"),
    "ticket": ("approvals", "show"),
}
"""A file, and a command that reads it."""
HARMLESS = {
    *((name, "empty") for name in ("config.toml", "credentials.toml", "agentctl.toml", "conversations.db")),
    ("conversations.db", "huge"),  # SQLite knows how many of its pages count.
}


@pytest.fixture
def files(home: Path, agentctl: Agentctl, service: Service) -> dict[str, Path]:
    """One intact file of each kind, as agentctl wrote it."""
    env = {"OPENAI_API_KEY": KEY, "OPENAI_BASE_URL": service.base_url, "NOTES": str(home / "notes")}
    project = home / "project"
    (project / ".git").mkdir(parents=True)
    (project / "agents.py").write_text(AGENT)
    (project / "agentctl.toml").write_text('[agents]\ngood = "agents.py:agent"\n')
    (home / "scribe.py").write_text(PAIR)
    service.script(tool_calls(("note", {"word": "one"}, "call_1")))
    ticket = suspended(agentctl, f"{home}/scribe.py:agent", env)
    service.script(text("Kept."))
    for arguments in (("config", "set", "max_turns", "5"), ("run", "--session", "kept", "hi"), ("trust",)):
        done = agentctl(*arguments, cwd=project, env=env)
        assert done.returncode == 0, done.stderr
    assert agentctl("config", "set-key", input=f"{KEY}\n", env=env).returncode == 0
    state = home / ".agentctl"
    found = {name: state / name for name in ("config.toml", "credentials.toml", "trust.toml")}
    found["conversations.db"] = next(state.rglob("conversations.db"))
    found["ticket"] = state / "tickets" / f"{ticket}.json"
    found |= {name: project / name for name in ("agentctl.toml", "agents.py")}
    return found


def read(name: str, path: Path, agentctl: Agentctl, home: Path) -> tuple[int, str]:
    """Read a file with a command, and return its exit code and stderr."""
    arguments = [*COMMANDS[name], *([path.stem] if name == "ticket" else [])]
    done = agentctl(*arguments, cwd=home / "project", env={"OPENAI_BASE_URL": None, "OPENAI_API_KEY": None})
    assert "Traceback" not in done.stderr
    assert "Traceback" not in done.stdout
    assert KEY not in done.stderr
    return done.returncode, done.stderr


@pytest.mark.parametrize("kind", ["garbage", "truncated", "empty", "huge", "folder"])
def test_a_corrupted_file_is_an_error_and_stays(
    kind: str, files: dict[str, Path], agentctl: Agentctl, home: Path
) -> None:
    for name, path in files.items():
        intact = path.read_bytes()
        corrupt(path, kind, intact)
        before = content_of(path)
        code, errors = read(name, path, agentctl, home)
        if (name, kind) not in HARMLESS:
            assert code in (1, 78), (name, errors)
            assert errors.strip(), name
        assert content_of(path) == before or (name, kind) == ("conversations.db", "empty"), name
        if path.is_dir():
            path.rmdir()
        path.write_bytes(intact)


@pytest.mark.slow
def test_a_flipped_bit_is_an_error_or_harmless(
    files: dict[str, Path], agentctl: Agentctl, home: Path, request: pytest.FixtureRequest
) -> None:
    dice = random.Random(1)
    for name, path in files.items():
        intact = path.read_bytes()
        assert read(name, path, agentctl, home)[0] == 0, name
        for _ in range(20 if request.config.getoption("-m") == "slow" else 2):
            flipped = bytearray(intact)
            flipped[dice.randrange(len(intact))] ^= 1 << dice.randrange(8)
            path.write_bytes(flipped)
            code, errors = read(name, path, agentctl, home)
            assert code in (0, 1, 2, 78), (name, errors)
            assert name == "conversations.db" or path.read_bytes() == flipped, name
        path.write_bytes(intact)


def corrupt(path: Path, kind: str, intact: bytes) -> None:
    match kind:
        case "garbage":
            path.write_bytes(random.Random(1).randbytes(len(intact)))
        case "truncated":
            path.write_bytes(intact[: len(intact) * 2 // 3])
        case "empty":
            path.write_bytes(b"")
        case "huge":
            with path.open("r+b") as file:
                file.truncate(HUGE)
        case "folder":
            path.unlink()
            path.mkdir()


def content_of(path: Path) -> object:
    """Return what shows that a file is as it was; a huge one is not read."""
    if path.is_dir():
        return "folder"
    return path.stat().st_size if path.stat().st_size == HUGE else path.read_bytes()
