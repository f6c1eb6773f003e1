"""`agentctl bundle`: what it holds, that it is masked, and that one from elsewhere can do no harm."""

import io
import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from zipfile import ZipFile, ZipInfo

import pytest

from agentctl import ConfigurationError
from agentctl.bundles.archive import MANIFEST, extract_bundle, read_bundle, write_bundle
from tests.conftest import Agentctl
from tests.service.client import Service
from tests.service.steps import text, tool_calls

KEY = "sk-canary-7777788888"
AGENT = f"""
from agentctl import Agent, function_tool

@function_tool
def weather(city: str) -> str:
    "Tell the weather of {KEY}."
    return "sunny"

agent = Agent(name="w", instructions="Be brief.", tools=[weather])
"""


def test_a_bundle_is_made_checked_compared_and_replayed(agentctl: Agentctl, service: Service, home: Path) -> None:
    source = home / "w.py"
    source.write_text(AGENT)
    env = {"OPENAI_API_KEY": KEY, "OPENAI_BASE_URL": service.base_url}
    for city in ("Oslo", "Rome"):
        service.reset()
        service.script(tool_calls(("weather", {"city": city}, "call_1")), text(f"Sunny in {city}."))
        prompt = f"Weather in {city}?"
        run = agentctl("run", "-a", "w.py:agent", prompt, "--record", f"{city}.jsonl", "--json", env=env)
        assert agentctl("bundle", f"{city}.jsonl", "-o", f"{city}.zip", env=env).returncode == 0
    trace = json.loads(run.stdout)["trace_id"]
    assert agentctl("bundle", trace, "-o", "trace.zip", "-a", "w.py:agent", env=env).returncode == 0
    files = set(read_bundle(home / "Oslo.zip").files)
    assert files == {"cassette.jsonl", "events.jsonl", "settings.json", "sources/w.py", "trace.json"}
    assert set(read_bundle(home / "trace.zip").files) == files - {"cassette.jsonl", "events.jsonl"}
    for path in home.glob("*.zip"):
        assert KEY.encode() not in b"".join(read_bundle(path).files.values())
    listed = agentctl("bundle", "verify", "Oslo.zip", "--extract", "there")
    assert listed.returncode == 0
    assert "sources/w.py" in listed.stdout
    assert (home / "there" / "sources" / "w.py").exists()
    # The run is shown without the code that made it.
    source.write_text("raise SystemExit(9)")
    replayed = agentctl("bundle", "replay", "Oslo.zip")
    assert (replayed.returncode, replayed.stdout) == (0, "Sunny in Oslo.\n")
    assert 'calls weather({"city": "Oslo"})' in replayed.stderr
    compared = agentctl("bundle", "diff", "Oslo.zip", "Rome.zip")
    assert compared.returncode == 1
    assert 'history: 1 (user).content: - "Weather in Oslo?"  + "Weather in Rome?"' in compared.stdout
    assert agentctl("bundle", "diff", "Oslo.zip", "Oslo.zip").returncode == 0
    assert agentctl("bundle", "replay", "trace.zip").returncode == 78


def archive(*entries: tuple[str, bytes], mode: int = 0) -> bytes:
    buffer = io.BytesIO()
    with ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as file:
        for name, data in entries:
            info = ZipInfo(name)
            info.external_attr = mode << 16
            file.writestr(info, data)
    return buffer.getvalue()


GOOD = (MANIFEST, b'{"bundle": 1, "files": {}}')


@pytest.mark.parametrize(
    "make",
    [
        lambda: b"no archive",
        lambda: archive(),
        lambda: archive((MANIFEST, b"{")),
        lambda: archive((MANIFEST, b'{"bundle": 2, "files": {}}')),
        lambda: archive(GOOD, ("added.txt", b"x")),
        lambda: archive(GOOD, ("../outside.txt", b"x")),
        lambda: archive(GOOD, ("/etc/passwd", b"x")),
        lambda: archive(GOOD, ("a\\..\\b", b"x")),
        lambda: archive(GOOD, ("C:x", b"x")),
        lambda: archive(GOOD, ("a//b", b"x")),
        lambda: archive(GOOD, ("link", b"/etc"), mode=0o120777),
        lambda: archive(GOOD, ("folder/", b"")),
        lambda: archive(GOOD, ("bomb", b"\0" * (129 << 20))),
        lambda: archive(GOOD, *((f"{n}", b"") for n in range(2001))),
        lambda: archive(GOOD, ("a", b"x" * 1000))[:-40],
    ],
)
def test_an_archive_that_is_no_bundle_is_refused(make: Callable[[], bytes], tmp_path: Path) -> None:
    path = tmp_path / "bad.zip"
    path.write_bytes(make())
    with pytest.raises(ConfigurationError) as caught:
        read_bundle(path)
    assert caught.value.file == path


def test_a_bundle_is_the_same_bytes_for_the_same_content_and_is_extracted_to_an_empty_folder(tmp_path: Path) -> None:
    made = []
    for name in ("a.zip", "b.zip"):
        write_bundle(tmp_path / name, {"agentctl": "1"}, {"sources/x.py": b"1", "cassette.jsonl": b"{}"})
        made.append((tmp_path / name).read_bytes())
    assert made[0] == made[1]
    bundle = read_bundle(tmp_path / "a.zip")
    extract_bundle(bundle, tmp_path / "new")
    assert (tmp_path / "new" / "sources" / "x.py").read_bytes() == b"1"
    with pytest.raises(ConfigurationError, match="not empty"):
        extract_bundle(bundle, tmp_path / "new")
