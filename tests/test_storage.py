"""Files and locks: their location, and that a reader never sees a partial file."""

import os
import signal
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from agentctl.errors import ConfigurationError
from agentctl.storage import folders, lock_file, make_folder, write_atomic


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_agentctl_home_moves_every_folder(tmp_path: Path) -> None:
    found = folders({"AGENTCTL_HOME": str(tmp_path)})
    assert found is not None
    assert {found.config, found.data, found.state} == {tmp_path}


def test_the_platforms_folders_lie_in_the_home_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_STATE_HOME", "AGENTCTL_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    found = folders(os.environ)
    assert found is not None
    for folder in (found.config, found.data, found.state):
        assert folder.is_relative_to(tmp_path)
        assert folder.name == "agentctl"
        assert not folder.exists()


@pytest.mark.parametrize("home", ["/nonexistent", "", "relative"])
def test_without_a_usable_home_there_are_no_folders(home: str) -> None:
    assert folders({"HOME": home}) is None


def test_a_new_folder_is_the_users_alone(tmp_path: Path) -> None:
    make_folder(tmp_path / "a" / "b")
    assert mode_of(tmp_path / "a" / "b") == 0o700


def test_a_write_replaces_the_content_and_leaves_nothing_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "file"
    write_atomic(path, b"one")
    write_atomic(path, b"two")
    assert path.read_bytes() == b"two"
    assert list(tmp_path.iterdir()) == [path]


def test_a_new_file_has_the_mode_that_the_umask_leaves(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        write_atomic(tmp_path / "file", b"")
    finally:
        os.umask(before)
    assert mode_of(tmp_path / "file") == 0o640


def test_an_existing_file_keeps_its_mode_unless_one_is_given(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.touch()
    path.chmod(0o604)
    write_atomic(path, b"")
    assert mode_of(path) == 0o604
    write_atomic(path, b"", mode=0o600)
    assert mode_of(path) == 0o600


def test_a_symbolic_link_is_followed_and_stays(tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    link = tmp_path / "link"
    link.symlink_to(tmp_path / "there" / "file")
    write_atomic(link, b"data")
    assert link.is_symlink()
    assert (tmp_path / "there" / "file").read_bytes() == b"data"


def test_a_device_is_written_straight(tmp_path: Path) -> None:
    write_atomic(Path(os.devnull), b"data")
    assert not Path(os.devnull).is_file()


def test_a_named_pipe_is_written_straight(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    received: list[bytes] = []
    reader = threading.Thread(target=lambda: received.append(pipe.read_bytes()))
    reader.start()
    write_atomic(pipe, b"data")
    reader.join()
    assert received == [b"data"]


def test_the_name_of_a_piped_stdout_is_written_straight() -> None:
    script = (
        "from pathlib import Path; from agentctl.storage import write_atomic; write_atomic(Path('/dev/stdout'), b'x')"
    )
    assert subprocess.run([sys.executable, "-c", script], capture_output=True).stdout == b"x"


def test_a_folder_is_never_replaced(tmp_path: Path) -> None:
    with pytest.raises(IsADirectoryError):
        write_atomic(tmp_path, b"data")


def test_a_failing_write_leaves_the_old_file_and_no_temporary_one(tmp_path: Path) -> None:
    limited = (
        "import resource, signal, sys; from pathlib import Path; from agentctl.storage import write_atomic;"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN); resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000));"
        "write_atomic(Path(sys.argv[1]), b'x' * 5000)"
    )
    path = tmp_path / "file"
    path.write_bytes(b"old")
    done = subprocess.run([sys.executable, "-c", limited, str(path)], capture_output=True, text=True)
    assert "OSError" in done.stderr
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_killed_writer_never_leaves_half_a_file(tmp_path: Path) -> None:
    forever = (
        "import itertools, sys; from pathlib import Path; from agentctl.storage import write_atomic\n"
        "for letter in itertools.cycle(b'ab'):\n"
        "    write_atomic(Path(sys.argv[1]), bytes([letter]) * 300_000)\n"
        "    print(flush=True)"
    )
    path = tmp_path / "file"
    for writes in range(1, 6):
        with subprocess.Popen([sys.executable, "-c", forever, str(path)], stdout=subprocess.PIPE) as writer:
            assert writer.stdout is not None
            for _ in range(writes):
                writer.stdout.readline()
            writer.send_signal(signal.SIGKILL)
        data = path.read_bytes()
        assert len(data) == 300_000
        assert len(set(data)) == 1


def test_a_lock_is_held_by_one_at_a_time(tmp_path: Path) -> None:
    path = tmp_path / "new" / "counter"

    def count() -> None:
        for _ in range(20):
            with lock_file(path):
                value = int(path.read_text()) if path.exists() else 0
                write_atomic(path, str(value + 1).encode())

    threads = [threading.Thread(target=count) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert path.read_text() == "80"


@pytest.mark.skipif(sys.platform != "linux", reason="a folder where nobody can create a file, not even root")
def test_where_there_can_be_no_lock_nobody_is_blamed_for_holding_it() -> None:
    with pytest.raises(ConfigurationError, match="/proc: cannot be written"), lock_file(Path("/proc/config.toml")):
        pass


def test_a_lock_that_stays_taken_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("agentctl.storage.LOCK_TIMEOUT", 0.05)
    path = tmp_path / "file"
    with lock_file(path), pytest.raises(ConfigurationError, match=r"file\.lock"), lock_file(path):
        pass
