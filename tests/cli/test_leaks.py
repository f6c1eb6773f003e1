"""`agentctl doctor --leak-test`: what it covers, and that it finds leaks."""

import ast
import base64
import json
import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import get_args

import pytest

from agentctl.cli.app import load_command
from agentctl.cli.invocation import Invocation
from agentctl.cli.leaks.canary import Canary
from agentctl.cli.leaks.leak_test import LeakTestResult, find_leaks
from agentctl.cli.leaks.lines import print_result, result_json
from agentctl.cli.leaks.sinks import SINKS, RegisteredSink, sink_of
from agentctl.cli.leaks.trial import Command, Trial
from agentctl.cli.leaks.trials import make_trials
from agentctl.cli.run_options import Format
from agentctl.render.reports.write import ReportKind
from tests.conftest import Agentctl
from tests.machine_output import check_document
from tests.test_architecture import MODULES

CHILDREN = {
    "agentctl.extensions.command_tool": "environment-command",
    "agentctl.extensions.local_shell": "environment-shell",
    "agentctl.mcp.stdio": "environment-mcp",
    "agentctl.profile.key_command": "environment-key_command",
}
"""The modules that start programs for a run, and the file with the environment of one that they started."""

AGENT = """
import base64, os
from pathlib import Path
from zipfile import ZIP_DEFLATED, ZipFile
from agentctl import Agent, ShellTool, custom_span, function_tool

KEY = os.environ["AGENTCTL_API_KEY"]
instructions = ""
if os.environ["LEAKS"] == "all":
    print("the key is", KEY)
    instructions = f"Say nothing of {KEY}."

@function_tool
def tell(note: str) -> str:
    with custom_span("told", {"note": base64.b64encode(f"x{KEY}y".encode()).decode()}):
        Path(os.environ["AGENTCTL_HOME"], "new-store").mkdir()
        Path(os.environ["AGENTCTL_HOME"], "new-store", "1.db").write_text(KEY)
        with ZipFile("bundle.zip", "w", ZIP_DEFLATED) as archive:
            archive.writestr("run.json", KEY)
        return KEY[:20]

@function_tool
def fail(note: str) -> str:
    return "failed"

@function_tool
def look() -> str:
    return "nothing"

tools = [tell, fail, look, ShellTool(executor=lambda call: "")]
agent = Agent(name="leaky", instructions=instructions, tools=tools)
"""


def leaky(port: int, *, key: Canary, leaks: str, behavior: str, code: int = 0) -> Iterator[Trial]:
    yield Trial(
        name="leaky",
        canaries=[key],
        environ={
            "AGENTCTL_API_KEY": key.value,
            "AGENTCTL_CLIENT_BASE_URL": f"http://127.0.0.1:{port}/leaky/{behavior}/v1",
            "LEAKS": leaks,
        },
        files={"work/leaky.py": AGENT},
        commands=[Command(arguments=["run", "-a", "leaky.py:agent", "--session", "s", "Hi"], code=code)],
    )


def sinks_with_leaks(result: LeakTestResult) -> set[str]:
    return {row.name for row in result.rows if row.state == "leak" and row.kind == "sink"}


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_there_is_no_leak(share: Callable[[int], int], agentctl: Agentctl, home: Path) -> None:
    if share(10) < 10:
        chosen = ("openai", "headers")
        result = find_leaks(os.environ, lambda port: (each for each in make_trials(port) if each.name in chosen))
        assert (result.leaks, [each for each in result.problems if "was written to" not in each]) == ([], [])
        assert {row.state for row in result.rows if row.kind == "place"} == {"ok"}
        check_document("doctor --leak-test", json.loads(Invocation().document({"exit_code": 1, **result_json(result)})))
    else:
        key = {"OPENAI_API_KEY": "sk-of-the-user-0123456789"}
        done = agentctl("doctor", "--leak-test", "--json", env=key, timeout=290)
        document = json.loads(done.stdout)
        assert (document["leaks"], document["problems"], done.returncode, done.stderr) == ([], [], 0, "")
        assert {row["state"] for row in document["places"]} == {"ok"}
        states = {row["name"]: row["state"] for row in document["sinks"]}
        assert states == {sink.name: "skipped" if sink.is_optional else "ok" for sink in SINKS}
    assert list(home.rglob("*")) == [], "it leaves the home of the user alone"


def test_what_an_agent_gives_away_is_found(capsys: pytest.CaptureFixture[str]) -> None:
    key = Canary.plant("AGENTCTL_API_KEY")
    result = find_leaks(os.environ, lambda port: leaky(port, key=key, leaks="all", behavior="tell"))
    assert sinks_with_leaks(result) == {"stderr", "traces", "sessions", "requests", "bundles"}
    (unclaimed, *others) = result.problems
    assert unclaimed.startswith("no sink claims home/new-store/1.db, which a command wrote")
    assert all("nothing was written to" in problem for problem in others)
    assert not result.is_ok
    print_result(Invocation(), result)
    lines = capsys.readouterr().out.splitlines()
    assert re.fullmatch(r"leak +place: AGENTCTL_API_KEY +found in a sink", lines[0])
    sessions = next(line for line in lines if "sink: sessions" in line)
    assert re.fullmatch(r"leak +sink: sessions +\d+ searched, [\d.]+ kB, 1 with a secret", sessions)
    assert "leak: the secret from AGENTCTL_API_KEY is in home/sessions/conversations.db (trial leaky)" in lines
    assert re.fullmatch(r"\d leaks, \d+ problems: 1 secret, \d sinks", lines[-1])


def test_a_run_that_does_not_show_anything_is_no_proof() -> None:
    key = Canary.plant("AGENTCTL_API_KEY")
    result = find_leaks(os.environ, lambda port: leaky(port, key=key, leaks="", behavior="plain", code=77))
    (problem, *others) = result.problems
    assert "ended with 0 in place of 77" in problem
    assert "nothing was written to tickets, so it was not searched" in others
    assert [row.state for row in result.rows if row.kind == "place"] == ["failed"]


@pytest.mark.parametrize("shift", range(4))
def test_a_canary_is_found_in_other_encodings_and_in_halves(shift: int) -> None:
    key = Canary.plant("a place")
    around = b"x" * shift + key.value.encode() + b"yz"
    half = b"x" * shift + key.value[3:19].encode()
    for data in (
        around,
        half,
        base64.b64encode(around),
        base64.urlsafe_b64encode(half + b"more"),
        around.hex().encode(),
    ):
        assert key.is_in(data)
        assert not Canary.plant("a place").is_in(data)
    assert key.is_in(key.value.encode("utf-16"))


def test_every_file_and_folder_of_the_users_home_has_a_sink() -> None:
    names = {name: module for module in MODULES for name in names_below_folders(module)}
    assert names.keys() >= {"sessions", "traces", "tickets", "config.toml", "credentials.toml"}
    unclaimed = {name: module for name, module in names.items() if not any(map(sink_of, paths_of(name)))}
    assert unclaimed == {}, "add a sink, and a trial that writes to it"


def test_every_program_that_a_run_starts_shows_its_environment() -> None:
    starters = {
        module
        for module, path in MODULES.items()
        if re.search(r"\b(start_child|run_program)\(", path.read_text("utf-8"))
    } - {"agentctl.child", "agentctl.extensions.program"}
    assert starters == CHILDREN.keys(), "add a trial whose program writes its environment to a file"
    texts = [text for trial in make_trials(1) for text in (*trial.files.values(), *trial.planted)]
    texts.append((MODULES["agentctl.cli.leaks.service"]).read_text("utf-8"))
    assert [name for name in CHILDREN.values() if not any(name in text for text in texts)] == []


def test_every_format_report_and_stored_secret_has_a_trial() -> None:
    words = [word for trial in make_trials(1) for command in trial.commands for word in command.arguments]
    assert {word.partition("=")[0] for word in words} >= {
        *get_args(ReportKind),
        "json",
        "jsonl",
        "run",
        "stream",
        "chat",
    }
    assert {kind.value for kind in Format} == {"text", "json", "jsonl"}, "add a trial for the format"
    files = {param.opts[0] for param in load_command("run").params if (param.metavar or "").startswith("FILE")}
    read = {"--env-file", "--mcp-config", "--output-schema", "--replay"}
    assert files - read == {"--output", "--record", "--ticket"}, "add a trial for what the option writes"
    assert {*words} >= {"-o", "--record", "--ticket", "bundle"}
    named = {command.stdout for trial in make_trials(1) for command in trial.commands}
    named |= {command.stderr for trial in make_trials(1) for command in trial.commands}
    assert named <= {sink.name for sink in SINKS}
    places = [canary.place for trial in make_trials(1) for canary in trial.canaries]
    assert len(set(places)) == len(places)


def test_a_sink_claims_its_own_files() -> None:
    sink = RegisteredSink(name="x", files=("home/x/*",))
    assert (sink.claims("home/x/1.db"), sink.claims("home/y/1.db"), sink_of("home/nothing")) == (True, False, None)


def test_other_options_do_not_apply(agentctl: Agentctl) -> None:
    done = agentctl("doctor", "--leak-test", "--timeout", "3")
    assert (done.returncode, "remove --timeout" in done.stderr) == (2, True)


def paths_of(name: str) -> list[str]:
    return [f"home/{name}", f"home/{name}/x"]


def names_below_folders(module: str) -> Iterator[str]:
    """Yield what a module names in a folder of the user: `folders.state / "tickets"`."""
    text = MODULES[module].read_text("utf-8")
    if not re.search(r"\.(state|data|config) / ", text):
        return
    tree = ast.parse(text)
    constants = {
        target.id: node.value.value
        for node in tree.body
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    for node in ast.walk(tree):
        match node:
            case ast.BinOp(left=ast.Attribute(attr="state" | "data" | "config"), op=ast.Div(), right=right):
                match right:
                    case ast.Constant(value=str(name)):
                        yield name
                    case ast.Name(id="FOLDER"):
                        yield "traces"
                    case ast.Name(id=name) if name in constants:
                        yield str(constants[name])
                    case _:
                        yield ast.unparse(right)
