"""Attached files: told apart by their content, sent in the form of the API, refused where they cannot be sent."""

import base64
import json
import os
import subprocess
from pathlib import Path

import pytest

from agentctl.cli.attachments import MB, read_attachment, user_input
from agentctl.cli.report import UsageError
from tests.cli.process import AGENTCTL
from tests.cli.terminal import Terminal
from tests.conftest import Agentctl
from tests.service.client import Service
from tests.service.steps import text, tool_calls

PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
PNG_URL = f"data:image/png;base64,{base64.b64encode(PNG).decode()}"
PDF = b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n%%EOF"


@pytest.fixture
def env(service: Service) -> dict[str, str]:
    return {"OPENAI_API_KEY": "sk-canary-1234567890", "OPENAI_BASE_URL": service.base_url}


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (PNG, "image/png"),
        (b"\xff\xd8\xff\xe0", "image/jpeg"),
        (b"GIF89a\1\0", "image/gif"),
        (b"RIFF\1\0\0\0WEBPVP8 ", "image/webp"),
        (b"RIFF\1\0\0\0WAVEfmt ", "audio/wav"),
        (b"ID3\4\0", "audio/mpeg"),
        (b"\xff\xfb\x90\0", "audio/mpeg"),
        (PDF, "application/pdf"),
        ("Grüße".encode(), "text/plain"),
        ("Grüße".encode("utf-16"), "text/plain"),
    ],
)
def test_the_type_is_that_of_the_content(tmp_path: Path, data: bytes, kind: str) -> None:
    path = tmp_path / "photo.png"
    path.write_bytes(data)
    assert read_attachment(str(path), limit=MB).type == kind


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "is empty"),
        (b"PK\3\4\0\0", "of a type that is not known"),
        (b"caf\xe9", "is not UTF-8 text"),
        (b"x" * (MB + 1), "is larger than 1 MB"),
    ],
)
def test_a_file_that_cannot_be_attached_is_refused(tmp_path: Path, data: bytes, message: str) -> None:
    path = tmp_path / "file"
    path.write_bytes(data)
    with pytest.raises(UsageError, match=message):
        read_attachment(str(path), limit=MB)
    for missing in (tmp_path / "no", tmp_path):
        with pytest.raises(UsageError, match=str(missing)):
            read_attachment(str(missing), limit=MB)


def test_a_url_is_passed_on() -> None:
    image, document = (
        read_attachment(f"https://host.invalid/{name}", limit=MB) for name in ("a%20b.JPG?sig=1", "report.pdf")
    )
    assert image.part == {"type": "input_image", "image_url": "https://host.invalid/a%20b.JPG?sig=1", "detail": "auto"}
    assert document.part == {"type": "input_file", "file_url": "https://host.invalid/report.pdf"}
    assert read_attachment("HTTPS://host.invalid/a.png", limit=MB).type == "image/png"


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("", "name of the file to attach is empty"),
        ("https://", "not an http or https URL"),
        ("ftp://host.invalid/a.png", "not an http or https URL"),
        ("file:///etc/hosts", "pass the path of a file"),
        ("https://[::1/a.png", "is not a URL: Invalid IPv6 URL"),
    ],
)
def test_what_names_no_file_and_no_url_is_refused(value: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        read_attachment(value, limit=MB)


def test_text_files_are_part_of_the_prompt(tmp_path: Path) -> None:
    (tmp_path / 'a "b".txt').write_text("one\n")
    (tmp_path / "c.png").write_bytes(PNG)
    text, image = (read_attachment(str(tmp_path / name), limit=MB) for name in ('a "b".txt', "c.png"))
    block = '<file name="a \\"b\\".txt">\none\n</file>'
    assert user_input("Hi", [text]) == f"Hi\n\n{block}"
    parts = [{"type": "input_text", "text": f"Hi\n\n{block}"}, image.part]
    assert user_input("Hi", [text, image]) == [{"role": "user", "content": parts}]


@pytest.mark.parametrize(
    ("options", "part"),
    [
        (["--transport", "http"], {"type": "input_image", "image_url": PNG_URL, "detail": "auto"}),
        (["--transport", "websocket"], {"type": "input_image", "image_url": PNG_URL, "detail": "auto"}),
        (["--api", "chat_completions"], {"type": "image_url", "image_url": {"url": PNG_URL, "detail": "auto"}}),
    ],
    ids=["http", "websocket", "chat"],
)
def test_an_image_reaches_the_service(
    service: Service, agentctl: Agentctl, home: Path, env: dict[str, str], options: list[str], part: object
) -> None:
    (home / "a.png").write_bytes(PNG)
    (home / "d.pdf").write_bytes(PDF)
    done = agentctl("run", *options, "-f", "a.png", "--file", "d.pdf", "What?", env=env, cwd=home)
    assert (done.returncode, done.stderr) == (0, "")
    (request,) = service.requests()
    content = (request["body"].get("input") or request["body"]["messages"])[0]["content"]
    assert (content[0]["text"], content[1], len(content)) == ("What?", part, 3)


@pytest.mark.parametrize(("option", "kind"), [("-", "image/png"), ("-:image/heic", "image/heic")])
def test_stdin_can_be_attached(service: Service, env: dict[str, str], home: Path, option: str, kind: str) -> None:
    command = [*AGENTCTL, "run", "-f", option, "What?"]
    subprocess.run(command, env={**os.environ, **env}, input=PNG, cwd=home, check=True, timeout=30)
    (request,) = service.requests()
    assert request["body"]["input"][0]["content"][1]["image_url"].startswith(f"data:{kind};base64,")


def test_what_a_model_cannot_take_is_a_clear_error(agentctl: Agentctl, home: Path, env: dict[str, str]) -> None:
    (home / "a.png").write_bytes(PNG)
    done = agentctl("run", "-m", "local/smollm2", "-f", "a.png", "What?", cwd=home)
    assert (done.returncode, "a local model reads text only" in done.stderr) == (78, True)
    done = agentctl("run", "--api", "chat_completions", "-f", "https://host.invalid/a.pdf", "What?", env=env)
    assert (done.returncode, "use the Responses API" in done.stderr) == (78, True)


def test_the_setting_limits_the_size(agentctl: Agentctl, home: Path, env: dict[str, str]) -> None:
    (home / "big.txt").write_bytes(b"x" * (MB + 1))
    done = agentctl("run", "-f", "big.txt", "?", env={**env, "AGENTCTL_MAX_FILE_SIZE": "1"}, cwd=home)
    assert (done.returncode, "`max_file_size` raises the limit" in done.stderr) == (2, True)
    assert agentctl("run", "-f", "big.txt", "?", env=env, cwd=home).returncode == 0


def test_a_chat_attaches_files_to_the_next_message(service: Service, home: Path, env: dict[str, str]) -> None:
    (home / "my a.png").write_bytes(PNG)
    (home / "n.txt").write_text("one")
    with Terminal("chat", "-f", "n.txt", env=env, folder=home) as terminal:
        terminal.read_until("attached: n.txt")
        terminal.read_until("> ")
        terminal.type("/file no.png 'my a.png'\r")
        terminal.read_until("no.png: No such file")
        terminal.type("/file my\t\r")
        terminal.read_until("my a.png (image/png")
        terminal.type("hello\r")
        terminal.read_until("ok")
        terminal.type("/file\r")
        terminal.read_until("no file is attached")
        terminal.type("again\r")
        terminal.read_until("ok\n\n")
        terminal.type("/quit\r")
        assert terminal.process.wait(20) == 0
    first, second = (request["body"]["input"] for request in service.requests())
    content = first[0]["content"]
    assert content[0]["text"] == 'hello\n\n<file name="n.txt">\none\n</file>'
    assert ([part["type"] for part in content], second[0]) == (["input_text", "input_image"], first[0])
    assert second[-1]["content"] == "again"


def test_files_can_be_added_to_a_resumed_run(
    service: Service, agentctl: Agentctl, env: dict[str, str], pair: str, home: Path, notes: Path
) -> None:
    (home / "a.png").write_bytes(PNG)
    env["NOTES"] = str(notes)
    service.script(tool_calls(("note", {"word": "one"})), text("Done."))
    done = agentctl("run", "-a", pair, "--on-approval", "suspend", "--format", "json", "?", env=env)
    ticket = json.loads(done.stdout)["ticket"]
    done = agentctl("run", "--resume", ticket, "--on-approval", "allow", "-f", "a.png", "Look", env=env, cwd=home)
    assert (done.returncode, done.stdout) == (0, "Done.\n"), done.stderr
    assert PNG_URL in json.dumps(service.requests()[-1]["body"]["input"])
