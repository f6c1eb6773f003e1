"""Attacks on secrets: a service, a tool or a killed process that gets one shown or left behind."""

import asyncio
import json
import os
import re
import subprocess
import sys
from itertools import groupby
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agentctl.errors import ConfigurationError, RequestRejectedError, exit_for
from agentctl.mcp import MCPServerStdio
from agentctl.memory.sqlite_session import SQLiteSession
from agentctl.redaction import (
    MASK,
    RedactedStream,
    begun_secret,
    excerpt,
    looks_secret,
    redact,
    redact_data,
    redact_id,
    register_secret,
)
from agentctl.render.escape import disarm
from agentctl.render.text_stream import MessageStream, VerbatimStream
from agentctl.render.tools import call_line
from tests.conftest import Agentctl
from tests.mcp.servers import small
from tests.render.runs import called, delta, err, finished, out, shown, started, thought
from tests.service.client import Service
from tests.service.steps import http_error, items, reasoning, text, tool_calls

KEY = "sk-security-canary-0123456789"
KINDS = ("reasoning.delta", "text.delta")
AGENT = """
from agentctl import Agent, function_tool

@function_tool
def note(word: str) -> str:
    return word

agent = Agent(name="scribe\\n::error::name", tools=[note])
"""


@pytest.fixture
def env(service: Service) -> dict[str, str]:
    return {"OPENAI_BASE_URL": service.base_url, "OPENAI_API_KEY": KEY}


@pytest.fixture
def scribe(home: Path) -> str:
    path = home / "scribe.py"
    path.write_text(AGENT)
    return f"{path}:agent"


@pytest.mark.parametrize("form", ["text", "json", "jsonl"])
def test_no_string_of_an_error_has_a_key_or_begins_a_line(
    service: Service, agentctl: Agentctl, env: dict[str, str], form: str
) -> None:
    register_secret(KEY)
    body = {"error": {"message": f"bad {KEY}\n::error::m", "code": f"code_{KEY}\n::error::c", "type": f"{KEY}\n::x::"}}
    service.script(http_error(400, body, {"x-request-id": f"req_{KEY}"}))
    done = agentctl("run", "--format", form, "hi", env=env)
    assert done.returncode == exit_for(RequestRejectedError("")).code
    assert KEY not in done.stdout + done.stderr
    assert not re.search(r"(?m)^\s*::", done.stderr)
    if form != "text":
        error = json.loads(done.stdout.splitlines()[-1])["error"]
        assert error["request_id"] == redact_id(f"req_{KEY}")
        assert error["code"] == f"code_{MASK} ::error::c"


def test_ids_with_a_key_are_replaced_each_always_by_the_same(
    service: Service, agentctl: Agentctl, env: dict[str, str], scribe: str, home: Path
) -> None:
    calls = (("note", {"word": "one"}, f"call_1_{KEY}"), ("note", {"word": "two"}, f"call_2_{KEY}"))
    service.script(tool_calls(*calls), text("ok"))
    done = agentctl("stream", "--format", "jsonl", "--session", "s", "-a", scribe, "hi", env=env)
    events = [json.loads(line) for line in done.stdout.splitlines()]
    called_ids = [event["item"]["call_id"] for event in events if event["type"] == "tool.called"]
    output_ids = [event["item"]["call_id"] for event in events if event["type"] == "tool.output"]
    assert (done.returncode, called_ids, len(set(called_ids))) == (0, output_ids, 2)
    assert KEY not in done.stdout + done.stderr
    stored = json.loads(agentctl("sessions", "show", "s", "--json").stdout)["items"]
    assert [item["call_id"] for item in stored if "output" in item] == called_ids
    assert not [path for path in home.rglob("*") if path.is_file() and KEY.encode() in path.read_bytes()]
    # The service was told its own ids.
    sent = service.requests()[-1]["body"]["input"]
    assert [item["call_id"] for item in sent if "output" in item] == [call[2] for call in calls]


@pytest.mark.parametrize("cut", range(1, len(KEY)))
def test_a_key_split_over_two_deltas_of_reasoning_is_not_shown(cut: int) -> None:
    register_secret(KEY)
    deltas = ["My key is ", KEY[:cut], KEY[cut:], " or so.\n"]
    assert err(shown([*started(), *map(thought, deltas)], command="stream")).startswith(f"My key is {MASK} or so.")


@pytest.mark.parametrize("cut", range(1, len(KEY)))
def test_a_key_split_over_two_deltas_of_reasoning_is_in_no_line_of_jsonl(cut: int) -> None:
    register_secret(KEY)
    thoughts = map(thought, ["My key is ", KEY[:cut], KEY[cut:], f" or so: {KEY[:7]}"])
    lines = out(shown([*started(), *thoughts, delta(KEY[:cut]), delta(KEY[cut:]), finished()], format="jsonl"))
    events = [json.loads(line) for line in lines.splitlines()]
    assert [event["seq"] for event in events] == list(range(len(events)))
    texts = {kind: "".join(event["delta"] for event in events if event["type"] == kind) for kind in KINDS}
    assert texts == {"reasoning.delta": f"My key is {MASK} or so: {KEY[:7]}", "text.delta": KEY}
    kinds = [event["type"] for event in events if event["type"] in KINDS]
    assert kinds == sorted(kinds), "the reasoning that was held back comes before what follows it"


def test_reasoning_that_is_held_back_is_in_its_item_and_comes_at_the_end() -> None:
    register_secret(KEY)
    lines = out(shown([*started(), thought(f"so: {KEY[:3]}"), delta(""), thought(KEY), finished()], format="jsonl"))
    assert KEY not in lines
    events = [json.loads(line) for line in lines.splitlines()]
    # Where a delta is cut depends on the secrets that other tests have registered.
    runs = groupby(events[2:], key=lambda event: str(event["type"]))
    assert [(kind, "".join(event.get("delta", "") for event in run)) for kind, run in runs] == [
        ("reasoning.delta", f"so: {KEY[:3]}"),
        ("text.delta", ""),
        ("reasoning.delta", MASK),
        ("run.finished", ""),
    ]


def test_a_key_split_over_deltas_is_not_shown_by_the_command(
    service: Service, agentctl: Agentctl, env: dict[str, str]
) -> None:
    pieces = ["It is ", KEY[:9], KEY[9:20], KEY[20:], "!\n::", "error::x\n  ::warning::y\na::b"]
    service.script(items(reasoning("".join(pieces), deltas=pieces), text("ok")))
    done = agentctl("stream", "hi", env=env)
    assert done.returncode == 0
    assert f"It is {MASK}!\n\\::error::x\n  \\::warning::y\na::b\n" in done.stderr
    service.script(items(reasoning(f"half: {KEY[:-4]}", deltas=2), text("ok")))
    assert KEY[:-4] not in agentctl("stream", "hi", env=env).stderr


@given(st.lists(st.sampled_from([KEY, KEY[:4], KEY[4:], "sk-", "s", "k", " ", "a", "\n"]), max_size=12), st.data())
def test_a_stream_shows_what_the_whole_text_masked_is(pieces: list[str], data: st.DataObject) -> None:
    register_secret(KEY)
    whole = "".join(pieces)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(whole)), max_size=6)))
    stream, found = RedactedStream(), ""
    for start, end in zip([0, *cuts], [*cuts, len(whole)], strict=True):
        found += stream.feed(whole[start:end])
        assert KEY not in found
    rest = stream.close()
    masked = redact(whole)
    assert found + rest == masked or (rest == MASK and begun_secret(masked) > 8 and masked.startswith(found))


@settings(max_examples=300)
@given(
    st.lists(st.sampled_from(["::", ":", "\n", " ", "\t", "##[", "#", "error", "##vso[", "x"]), max_size=14), st.data()
)
def test_no_line_of_a_stream_is_a_command(pieces: list[str], data: st.DataObject) -> None:
    whole = "".join(pieces)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(whole)), max_size=6)))
    stream, found = MessageStream(VerbatimStream()), ""
    for start, end in zip([0, *cuts], [*cuts, len(whole)], strict=True):
        found += stream.feed(whole[start:end])
    found += stream.close()
    assert not re.search(r"(?m)^\s*(::|##\[|##vso\[)", found)
    assert found.removesuffix("\n") == disarm(whole).removesuffix("\n")


def test_a_key_is_masked_before_a_text_is_cut() -> None:
    register_secret(KEY)
    for length in range(120, 205):
        assert "sk-sec" not in excerpt("x" * length + KEY + "y" * 100)
        assert "sk-sec" not in call_line("note", called("note", "x" * length + KEY).item, 180)  # type: ignore[union-attr]
    assert "sk-sec" not in excerpt(" " * 65_530 + KEY)


def test_a_message_about_an_item_is_masked_before_it_is_cut() -> None:
    register_secret(KEY)
    item = {"type": "message", "content": "x" * 150 + KEY, "odd": object()}
    with pytest.raises(Exception, match="must be JSON") as raised:
        asyncio.run(SQLiteSession("s").add_items([item]))
    assert "sk-sec" not in str(raised.value)


def test_ids_stay_apart_and_texts_do_not_change() -> None:
    register_secret(KEY)
    data = {"id": f"a_{KEY}", "list": [{"call_id": f"b_{KEY}"}, {"call_id": "c"}], "text": f"see {KEY}"}
    masked: Any = redact_data(data)
    assert masked["list"][1] == {"call_id": "c"}
    assert len({masked["id"], masked["list"][0]["call_id"]}) == 2
    assert all(re.fullmatch("redacted_[0-9a-f]{16}", each) for each in (masked["id"], masked["list"][0]["call_id"]))
    assert masked["text"] == f"see {MASK}"


def test_all_values_of_a_servers_environment_are_secrets_if_they_look_like_one() -> None:
    values = {"DATABASE": "postgres-9f8e7d6c5b4a", "PIN_TOKEN": "4711x", "MODE": "production", "LEVEL": "debug"}

    async def scenario() -> None:
        server: MCPServerStdio
        async with small(params={"env": values}) as server:
            await server.list_tools()

    asyncio.run(scenario())
    assert looks_secret(values["DATABASE"])
    assert redact(" ".join(values.values())) == f"{MASK} {MASK} production debug"


def test_a_server_that_logs_its_environment_shows_no_part_of_it() -> None:
    from agentctl.mcp.stdio import _MAX_STDERR_LINE, _Process

    register_secret(KEY)

    async def scenario() -> None:
        for length in range(_MAX_STDERR_LINE - len(KEY) - 2, _MAX_STDERR_LINE + 2):
            process = _Process("server")
            process.pipe_data_received(2, b"x" * 10 + KEY.encode() + b"y" * length)
            assert "canary" not in process.ending

    asyncio.run(scenario())


KILLED = """
import os, signal, sys
from agentctl import storage
if len(sys.argv) > 1:
    def die(*_): os.kill(os.getpid(), signal.SIGKILL)
    setattr(os, sys.argv.pop(1), die)
from agentctl.__main__ import main
sys.argv[0] = "agentctl"
main()
"""


@pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGKILL")
@pytest.mark.parametrize("call", ["replace", "fsync"])
@pytest.mark.parametrize("following", [["config", "set-key"], ["config", "unset-key"]])
def test_a_killed_set_key_leaves_no_key_behind(agentctl: Agentctl, home: Path, call: str, following: list[str]) -> None:
    command = [sys.executable, "-c", KILLED, call, "config", "set-key"]
    done = subprocess.run(command, input=f"{KEY}\n", text=True, capture_output=True)
    assert done.returncode == -9, done.stderr
    left = [path for path in home.rglob("*") if path.is_file() and KEY in path.read_text()]
    assert [path.suffix for path in left] == [".tmp"]
    assert left[0].stat().st_mode & 0o077 == 0
    (left[0].parent / ".credentials.toml.backup.tmp").write_text("the user's own")
    assert agentctl(*following, input="sk-another-0123456789\n").returncode == 0
    assert not left[0].exists()
    assert (left[0].parent / ".credentials.toml.backup.tmp").exists()


def test_a_secret_on_the_command_line_is_noted_and_stdin_is_not(agentctl: Agentctl) -> None:
    for key, value in (
        ("settings.extra_headers", json.dumps({"X-Token": KEY})),
        ("settings.extra_headers.X-Token", KEY),
    ):
        done = agentctl("config", "set", key, value)
        assert (done.returncode, "visible to every user" in done.stderr, KEY in done.stderr) == (0, True, False)
        assert agentctl("config", "unset", "settings.extra_headers").returncode == 0
        done = agentctl("config", "set", key, "-", input=f"{value}\n")
        assert (done.returncode, done.stderr) == (0, "")
        show = json.loads(agentctl("config", "show", "--json").stdout)
        assert KEY not in json.dumps(show)
    assert agentctl("config", "set", "max_turns", "-", input="7\r\n").returncode == 0
    assert agentctl("config", "get", "max_turns").stdout == "7\n"
    assert agentctl("config", "set", "max_turns", "-", input="").returncode == 2


def test_names_and_paths_begin_no_line(agentctl: Agentctl, home: Path, service: Service, env: dict[str, str]) -> None:
    folder = home / "a\n::error::b"
    folder.mkdir()
    (folder / "agentctl.toml").write_text('[agents]\n"x\\n::error::c" = "code.py:agent"\n')
    (folder / "code.py").write_text(AGENT.replace("@function_tool", "@function_tool(needs_approval=True)"))
    done = agentctl("trust", str(folder / "agentctl.toml"))
    assert "a\\n::error::b" in done.stderr
    assert not re.search(r"(?m)^\s*::", done.stderr)
    service.script(tool_calls(("note", {"word": "one"}, "c1")))
    (folder / "code.py").rename(home / "code.py")
    done = agentctl("run", "-a", f"{home / 'code.py'}:agent", "hi", env=env)
    assert (done.returncode, "(agent scribe\\n::error::name)" in done.stderr) == (83, True)
    assert not re.search(r"(?m)^\s*::", done.stderr)
    (folder / "broken.toml").write_text("[")
    done = agentctl("--config", str(folder / "broken.toml"), "config", "show")
    assert (done.returncode, "\n::" in done.stderr) == (78, False)


def test_an_error_has_its_file_on_one_line() -> None:
    error = ConfigurationError("is wrong", file=Path("a\n::b"), key="c\rd", line=1)
    assert str(error) == "a\\n::b:1: c\\rd: is wrong"
    assert os.fspath(error.file or "") == "a\n::b"
