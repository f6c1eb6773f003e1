"""Prompts, files and streams as users have them: other encodings, odd names, closed descriptors."""

import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import Agentctl
from tests.service.client import Service
from tests.warm import agentctl_command

KEY = "sk-canary-1234567890"
POSIX = pytest.mark.skipif(sys.platform != "linux", reason="file names are bytes")


@pytest.fixture
def env(service: Service) -> dict[str, str]:
    return {"OPENAI_API_KEY": KEY, "OPENAI_BASE_URL": service.base_url}


def process(command: str, home: Path, env: dict[str, str], data: bytes = b"") -> "subprocess.CompletedProcess[bytes]":
    """Run a command of a shell, in which `$A` is agentctl."""
    environ = {**os.environ, **env, "A": shlex.join(agentctl_command())}
    return subprocess.run(["bash", "-c", command], cwd=home, env=environ, input=data, capture_output=True, timeout=60)


def prompts(service: Service) -> list[str]:
    return [request["body"]["input"][0]["content"] for request in service.requests()]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32"])
def test_stdin_is_decoded_by_its_byte_order_mark(
    service: Service, env: dict[str, str], home: Path, encoding: str
) -> None:
    data = "Grüße 語".encode(encoding)
    for command in ("$A run", "$A run --stdin 'Translate:'"):
        done = process(command, home, env, data)
        assert done.returncode == 0
        assert (b"byte order mark" in done.stderr) is (not encoding.startswith("utf-8"))
    first, second = prompts(service)
    assert (first, "Grüße 語" in second) == ("Grüße 語", True)
    assert process("$A run -q", home, env, data).stderr == b""


@pytest.mark.parametrize(
    "data",
    [b"caf\xe9", b"\x80", b"\xff\xfeh\0\xe9", "wide".encode("utf-16-le"), b"\xff\xfe\x00\xd8"],
)
def test_stdin_in_another_encoding_is_refused(service: Service, env: dict[str, str], home: Path, data: bytes) -> None:
    done = process("$A run", home, env, data)
    assert done.returncode == 2
    assert b"stdin is not UTF-" in done.stderr
    assert b"iconv" in done.stderr
    assert service.requests() == []


@pytest.mark.parametrize(
    "data",
    [b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", b"\x1f\x8b\x08\0\xff", b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n\0\1", b"a.txt\0b.txt\0"],
)
@pytest.mark.parametrize("command", ["$A run", "$A run --stdin 'Sum up.'"])
def test_binary_stdin_is_refused_with_advice(
    service: Service, env: dict[str, str], home: Path, data: bytes, command: str
) -> None:
    done = process(command, home, env, data)
    assert (done.returncode, done.stdout) == (2, b"")
    assert b"stdin is binary, not text (byte 0x" in done.stderr
    assert b"pdftotext" in done.stderr
    assert service.requests() == []


@pytest.mark.parametrize("data", [b"", b" \n\n"])
def test_an_empty_stdin_needs_consent(service: Service, env: dict[str, str], home: Path, data: bytes) -> None:
    done = process("$A run --stdin 'Review:'", home, env, data)
    assert (done.returncode, done.stdout, b"stdin is empty" in done.stderr) == (2, b"", True)
    assert b"--allow-empty" in done.stderr
    assert service.requests() == []
    assert process("$A run --stdin --allow-empty 'Review:'", home, env, data).returncode == 0
    assert prompts(service) == ["Review:\n\n<stdin>\n\n</stdin>"]
    assert process("$A run --allow-empty hi", home, env).returncode == 2


@pytest.mark.parametrize(
    ("command", "code"), [("run --stdin hi", 2), ("run -a none.py:agent hi", 78), ("run --format json", 2)]
)
def test_a_failed_run_says_that_its_file_is_of_an_earlier_one(
    service: Service, env: dict[str, str], home: Path, command: str, code: int
) -> None:
    (home / "out.txt").write_text("old")
    done = process(f"$A {command} -o out.txt", home, env)
    assert (done.returncode, (home / "out.txt").read_text()) == (code, "old")
    assert b"out.txt was not changed" in done.stderr
    assert b"not changed" not in process(f"$A {command} -o new.txt", home, env).stderr
    assert not (home / "new.txt").exists()
    assert b"not changed" not in process("$A run --format json -a none.py:agent -o out.txt hi", home, env).stderr
    assert b'"misconfigured"' in (home / "out.txt").read_bytes()


def test_instructions_in_a_file_have_the_same_encodings(service: Service, env: dict[str, str], home: Path) -> None:
    (home / "i.txt").write_text("Sei höflich.", encoding="utf-16")
    assert process("$A run -i @i.txt hi", home, env).returncode == 0
    assert service.requests()[0]["body"]["instructions"] == "Sei höflich."
    (home / "i.txt").write_bytes(b"h\xf6flich")
    done = process("$A run -i @i.txt hi", home, env)
    assert (done.returncode, b"i.txt is not UTF-8 text" in done.stderr) == (2, True)


@pytest.mark.parametrize(
    "prompt",
    ["- Fix the list", "-5 + 3", "--what is this?", "--verbose mode", "-m is best", "-vi = love cats", "-mis best"],
)
@pytest.mark.parametrize("command", ["run", "stream"])
def test_a_prompt_that_begins_with_a_dash_gets_the_hint(
    service: Service, agentctl: Agentctl, env: dict[str, str], prompt: str, command: str
) -> None:
    done = agentctl(command, prompt, env=env)
    assert (done.returncode, f"agentctl {command} -- '…'" in done.stderr) == (2, True)
    assert agentctl(command, "--", prompt, env=env).returncode == 0
    assert prompts(service) == [prompt]


def test_chat_takes_no_prompt_that_begins_with_a_dash(agentctl: Agentctl) -> None:
    done = agentctl("chat", "-m is best")
    assert (done.returncode, "agentctl run -- '…'" in done.stderr) == (2, True)


def test_values_of_options_may_look_like_options(service: Service, agentctl: Agentctl, env: dict[str, str]) -> None:
    for arguments in (["-i", "-m is best"], ["-qi", "-m is best"], ["--instructions", "-m is best"], ["-i-m is best"]):
        assert agentctl("run", *arguments, "hi", env=env).returncode == 0
    assert {request["body"]["instructions"] for request in service.requests()} == {"-m is best"}


def test_a_misspelled_option_elsewhere_has_no_hint(agentctl: Agentctl) -> None:
    assert "--  '" not in agentctl("models", "list", "--loca").stderr


def test_a_dash_is_stdout(service: Service, agentctl: Agentctl, env: dict[str, str], home: Path) -> None:
    for arguments in (["run"], ["run", "--format", "json"], ["stream", "--format", "jsonl"], ["run", "--dry-run"]):
        done = agentctl(*arguments, "-o", "-", "hi", env=env)
        assert (done.returncode, bool(done.stdout)) == (0, True)
    assert not (home / "-").exists()
    assert agentctl("run", "-o", "/dev/stdout", "hi", env=env).stdout == "ok\n", "and not what code has as stdout"


@pytest.mark.parametrize("command", ["run hi", "stream hi", "run --format json hi", "run --dry-run hi", "config path"])
@pytest.mark.parametrize("closed", [">&-", "1</dev/null"])
def test_a_closed_stdout_is_a_failure_before_the_run(
    service: Service, env: dict[str, str], home: Path, command: str, closed: str
) -> None:
    done = process(f"$A {command} {closed}", home, env)
    assert (done.returncode, b"stdout" in done.stderr or command == "config path") == (1, True)
    assert service.requests() == []


def test_a_closed_stdout_does_not_matter_to_an_output_file(service: Service, env: dict[str, str], home: Path) -> None:
    assert process("$A run -o out.txt hi >&-", home, env).returncode == 0
    assert (home / "out.txt").read_text() == "ok\n"


@POSIX
def test_names_that_cannot_be_decoded_work(service: Service, env: dict[str, str], home: Path) -> None:
    folder = os.fsencode(home) + b"/d\xe9"
    os.mkdir(folder)
    with open(folder + b"/a\xe9.py", "wb") as file:
        file.write(b"from agentctl import Agent\nagent = Agent(name='odd')\n")
    with open(folder + b"/i\xe9.txt", "wb") as file:
        file.write(b"Be brief.")
    commands = (
        r"$A agents show $'d\xe9/a\xe9.py:agent'",
        r"$A run -a $'d\xe9/a\xe9.py:agent' hi",
        r"$A run -i @$'d\xe9/i\xe9.txt' -o $'d\xe9/o\xe9' hi && cat $'d\xe9/o\xe9'",
        r"cd $'d\xe9' && $A run -a $'a\xe9.py:agent' hi",
        r"AGENTCTL_HOME=$PWD/$'h\xe9' $A config set max_turns 4",
        r"AGENTCTL_HOME=$PWD/$'h\xe9' $A run --session s hi",
        r"$A --config $'d\xe9/c\xe9.toml' config set max_turns 4",
        r"$A agents check $'d\xe9/a\xe9.py'",
    )
    for command in commands:
        done = process(command, home, env)
        assert (done.returncode, b"Traceback" in done.stderr) == (0, False), (command, done.stderr)
    done = process(r"$A run -a $'d\xe9/none.py:agent' hi", home, env)
    assert (done.returncode, b"no such file" in done.stderr) == (78, True)
