"""Runs that are suspended, decided about, and gone on with in other processes, once."""

import json
import os
import random
import signal
import stat
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from agentctl.tickets.ticket import read_ticket
from tests.cli.approving import KEY, PAIR, suspended
from tests.conftest import Agentctl
from tests.mcp.servers import HERE
from tests.service.client import Service
from tests.service.steps import text, tool_calls


@pytest.fixture
def tickets(home: Path) -> Path:
    """The folder of the tickets."""
    return home / ".agentctl" / "tickets"


def words(notes: Path) -> list[str]:
    return sorted(notes.read_text().split()) if notes.exists() else []


def edit(path: Path, **changes: Any) -> None:
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


@pytest.mark.parametrize("command", ["run", "stream"])
def test_a_run_is_suspended_decided_about_and_gone_on_with(
    command: str, agentctl: Agentctl, pair: str, env: dict[str, str], notes: Path, service: Service
) -> None:
    ticket = suspended(agentctl, pair, env)
    assert agentctl("approvals", "approve", ticket, "call_1").returncode == 0
    assert agentctl("approvals", "deny", ticket, "--message", "One is enough.").returncode == 0
    done = agentctl(command, "--resume", ticket, "--format", "jsonl", env=env)
    events = [json.loads(line) for line in done.stdout.splitlines()]
    assert (done.returncode, events[-1]["final_output"], events[-1]["usage"]["requests"]) == (0, "All noted.", 2)
    outputs = [(event["tool"], event["failed"]) for event in events if event["type"] == "tool.output"]
    assert outputs == [("note", False), ("note", True)]
    assert words(notes) == ["one"]
    sent = service.requests()[-1]["body"]["input"]
    assert [item["output"] for item in sent if "output" in item] == ["noted", "One is enough."]
    assert [item.get("call_id") for item in sent] == [None, "call_1", "call_2", "call_1", "call_2"]


def test_a_ticket_is_its_users_alone(
    agentctl: Agentctl, pair: str, env: dict[str, str], home: Path, tickets: Path
) -> None:
    ticket = suspended(agentctl, pair, env, "--ticket", str(home / "ticket.json"))
    for path in (tickets / f"{ticket}.json", home / "ticket.json"):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(tickets.stat().st_mode) == 0o700


def test_a_history_that_is_masked_in_its_ticket_says_so_once(
    agentctl: Agentctl, pair: str, env: dict[str, str], tickets: Path
) -> None:
    run = ("run", "-a", pair, "--on-approval", "suspend", "--format", "json")
    done = agentctl(*run, f"My key is {KEY}.", env=env)
    ticket = json.loads(done.stdout)["ticket"]
    assert done.stderr.count(f"ticket {ticket} holds the history with a secret masked") == 1
    assert KEY not in (tickets / f"{ticket}.json").read_text() + done.stdout + done.stderr
    again = agentctl("run", "--resume", ticket, "--on-approval", "suspend", env=env)
    assert (again.returncode, "masked" in again.stderr) == (84, False)
    assert "masked" not in agentctl(*run, "hi", env=env).stderr


def test_a_ticket_is_used_once(agentctl: Agentctl, pair: str, env: dict[str, str], home: Path, notes: Path) -> None:
    ticket = suspended(agentctl, pair, env, "--ticket", str(home / "ticket.json"))
    assert agentctl("run", "--resume", ticket, "--allow", "note", env=env).returncode == 0
    for again in (ticket, str(home / "ticket.json")):
        done = agentctl("run", "--resume", again, "--allow", "note", env=env)
        assert (done.returncode, done.stdout) == (78, "")
        assert f"ticket {ticket} was used before" in done.stderr
    assert agentctl("approvals", "approve", ticket, "--all").returncode == 78
    assert words(notes) == ["one", "two"]


def test_of_processes_that_go_on_at_once_one_does(
    agentctl: Agentctl, pair: str, env: dict[str, str], notes: Path
) -> None:
    ticket = suspended(agentctl, pair, env)
    with ThreadPoolExecutor(4) as pool:
        going = [pool.submit(agentctl, "run", "--resume", ticket, "--allow", "note", env=env) for _ in range(4)]
    assert sorted(done.result().returncode for done in going) == [0, 78, 78, 78]
    assert words(notes) == ["one", "two"]


def test_what_is_not_decided_is_decided_by_the_policy_and_uses_up_nothing(
    agentctl: Agentctl, pair: str, env: dict[str, str], notes: Path
) -> None:
    ticket = suspended(agentctl, pair, env)
    agentctl("approvals", "approve", ticket, "1")
    assert agentctl("run", "--resume", ticket, "--on-approval", "fail", env=env).returncode == 83
    again = agentctl("run", "--resume", ticket, "--format", "json", env=env)
    assert (again.returncode, json.loads(again.stdout)["ticket"]) == (84, ticket)
    assert words(notes) == []
    assert agentctl("run", "--resume", ticket, "--on-approval", "deny", env=env).returncode == 0
    assert words(notes) == ["one"]


def test_a_run_is_suspended_again_in_a_ticket_of_its_own(
    service: Service, agentctl: Agentctl, pair: str, env: dict[str, str], notes: Path
) -> None:
    service.reset()
    service.script(tool_calls(("note", {"word": "one"}, "c1")), tool_calls(("note", {"word": "two"}, "c2")), text("ok"))
    first = suspended(agentctl, pair, env)
    agentctl("approvals", "approve", first)
    done = agentctl("run", "--resume", first, "--format", "json", env=env)
    second = json.loads(done.stdout)["ticket"]
    assert (done.returncode, second != first, words(notes)) == (84, True, ["one"])
    assert agentctl("run", "--resume", second, "--allow", "note", env=env).returncode == 0
    assert words(notes) == ["one", "two"]


def test_a_resumed_run_keeps_the_rules_that_it_was_suspended_with(
    service: Service, agentctl: Agentctl, pair: str, env: dict[str, str], notes: Path
) -> None:
    service.reset()
    names = ("one", "two", "bad", "three")
    service.script(*(tool_calls(("note", {"word": word}, f"c_{word}")) for word in names), text("ok"))
    ticket = suspended(agentctl, pair, env, "--allow", "note:*two*", "--deny", "note:*bad*")
    shown = agentctl("approvals", "show", ticket).stdout
    assert "policies --on-approval suspend --allow 'note:*two*' --deny 'note:*bad*'\n" in shown
    agentctl("approvals", "approve", ticket)
    again = agentctl("run", "--resume", ticket, "--format", "json", env=env)
    assert (again.returncode, words(notes)) == (84, ["one", "two"])
    second = json.loads(again.stdout)["ticket"]
    assert agentctl("run", "--resume", second, "--on-approval", "allow", env=env).returncode == 0
    assert words(notes) == ["one", "three", "two"]


def test_a_ticket_from_elsewhere_allows_nothing_by_its_rules(
    service: Service, agentctl: Agentctl, pair: str, env: dict[str, str], home: Path, notes: Path
) -> None:
    service.reset()
    service.script(tool_calls(("note", {"word": "one"}, "c1")), tool_calls(("note", {"word": "two"}, "c2")), text("ok"))
    file = home / "ticket.json"
    suspended(agentctl, pair, env, "--allow", "note:*two*", "--ticket", str(file))
    elsewhere = {**env, "AGENTCTL_HOME": str(home / "elsewhere")}
    agentctl("approvals", "approve", str(file), env=elsewhere)
    done = agentctl("run", "--resume", str(file), "-a", pair, env=elsewhere)
    assert (done.returncode, words(notes)) == (84, ["one"])
    assert "was not written here, so its rules that allow calls do not apply" in done.stderr


@pytest.mark.parametrize(
    ("changes", "problem"),
    [({"policy": "allow"}, "may not have the policy 'allow'"), ({"allow": "note"}, "allow is not a list of rules")],
)
def test_a_ticket_has_no_policy_that_allows(
    changes: dict[str, Any], problem: str, agentctl: Agentctl, pair: str, env: dict[str, str], tickets: Path
) -> None:
    ticket = suspended(agentctl, pair, env)
    edit(tickets / f"{ticket}.json", **changes)
    done = agentctl("run", "--resume", ticket, env=env)
    assert (done.returncode, problem in done.stderr) == (78, True), done.stderr


def test_the_command_that_resumes_a_run_is_complete(agentctl: Agentctl, pair: str, env: dict[str, str]) -> None:
    agentctl("--profile", "work", "config", "set", "max_turns", "5")
    done = agentctl("--profile", "work", "run", "--on-approval", "suspend", "-a", pair, "hi", env=env)
    ticket = done.stderr.rpartition("--resume ")[2].strip("`\n")
    assert f"then `agentctl --profile work run --resume {ticket}`" in done.stderr
    decided = agentctl("--profile", "work", "approvals", "approve", ticket, "--all")
    assert f"`agentctl --profile work run --resume {ticket}`" in decided.stderr


def test_always_approves_the_further_calls_of_the_tool(
    service: Service, agentctl: Agentctl, pair: str, env: dict[str, str], notes: Path
) -> None:
    service.reset()
    service.script(tool_calls(("note", {"word": "one"}, "c1")), tool_calls(("note", {"word": "two"}, "c2")), text("ok"))
    ticket = suspended(agentctl, pair, env)
    agentctl("approvals", "approve", ticket, "--always")
    assert agentctl("run", "--resume", ticket, env=env).returncode == 0
    assert words(notes) == ["one", "two"]


def test_a_prompt_joins_the_run_that_goes_on(
    agentctl: Agentctl, pair: str, env: dict[str, str], service: Service
) -> None:
    ticket = suspended(agentctl, pair, env)
    assert agentctl("run", "--resume", ticket, "--allow", "note", "And be brief.", env=env).returncode == 0
    assert service.requests()[-1]["body"]["input"][-1] == {"role": "user", "content": "And be brief."}


def test_it_goes_on_with_what_was_said_for_it(
    agentctl: Agentctl, pair: str, env: dict[str, str], service: Service, home: Path
) -> None:
    (home / "system.txt").write_text("@ is how I begin.")
    ticket = suspended(agentctl, pair, env, "-m", "gpt-x", "-i", f"@{home / 'system.txt'}", "--set", "temperature=0.5")
    assert agentctl("stream", "--resume", ticket, "--allow", "note", env=env, cwd=Path("/")).returncode == 0
    first, last = (request["body"] for request in service.requests())
    for name in ("model", "instructions", "temperature", "tools"):
        assert last[name] == first[name]
    assert (last["model"], last["instructions"]) == ("gpt-x", "@ is how I begin.")


def test_that_a_run_is_not_traced_holds_when_it_goes_on(
    agentctl: Agentctl, pair: str, env: dict[str, str], tickets: Path
) -> None:
    ticket = suspended(agentctl, pair, env, "--no-trace", "--retries", "0")
    assert json.loads((tickets / f"{ticket}.json").read_text())["settings"] == {
        "trace.enabled": False,
        "max_turns": 10,
        "max_tool_calls": 128,
    }


def test_a_session_has_each_item_of_a_suspended_run_once(agentctl: Agentctl, pair: str, env: dict[str, str]) -> None:
    ticket = suspended(agentctl, pair, env, "--session", "trip")
    assert agentctl("run", "--resume", ticket, "--allow", "note", env=env).returncode == 0
    items = json.loads(agentctl("sessions", "show", "trip", "--json").stdout)["items"]
    kinds = [item.get("type") or item["role"] for item in items]
    assert kinds == [
        "user",
        "function_call",
        "function_call",
        "function_call_output",
        "function_call_output",
        "message",
    ]


def test_a_changed_source_is_refused_before_it_runs(
    agentctl: Agentctl, pair: str, env: dict[str, str], notes: Path
) -> None:
    ticket = suspended(agentctl, pair, env)
    path = Path(pair.removesuffix(":agent"))
    path.write_text(PAIR + "\nprint('imported')\n")
    done = agentctl("run", "--resume", ticket, "--allow", "note", env=env)
    assert (done.returncode, words(notes)) == (78, [])
    assert (
        f"ticket {ticket} no longer matches the agent; changed since it was written: the source of the agent"
        in done.stderr
    )
    assert "imported" not in done.stderr
    path.write_text(PAIR)
    assert agentctl("run", "--resume", ticket, "--allow", "note", env=env).returncode == 0


@pytest.mark.parametrize(
    ("options", "changed"),
    [
        (["-m", "gpt-other"], "the model of agent 'scribe'"),
        (["-i", "Else."], "the instructions of agent 'scribe'"),
    ],
)
def test_a_changed_agent_is_refused(
    options: list[str], changed: str, agentctl: Agentctl, pair: str, env: dict[str, str]
) -> None:
    ticket = suspended(agentctl, pair, env)
    done = agentctl("run", "--resume", ticket, "--allow", "note", *options, env=env)
    assert done.returncode == 78
    assert changed in done.stderr


def test_a_tool_that_changed_elsewhere_than_in_the_agents_file_is_refused(
    agentctl: Agentctl, pair: str, env: dict[str, str], home: Path
) -> None:
    (home / "wording.py").write_text("Word = str\n")
    Path(pair.removesuffix(":agent")).write_text("from wording import Word\n" + PAIR.replace("word: str", "word: Word"))
    ticket = suspended(agentctl, pair, env)
    # Of another size: Python goes by size and second whether a file has changed.
    (home / "wording.py").write_text("Word = int  # no longer str\n")
    done = agentctl("run", "--resume", ticket, "--allow", "note", env=env)
    assert done.returncode == 78
    assert "the tools of agent 'scribe'" in done.stderr


def test_the_tools_of_mcp_servers_count(agentctl: Agentctl, home: Path) -> None:
    source = (
        "import os, sys\n"
        "from agentctl import Agent\n"
        "from agentctl.mcp import MCPServerStdio\n"
        "from agentctl.testing import ScriptedModel, function_call\n"
        "params = {'command': sys.executable, 'args': [os.environ['SERVER']]}\n"
        "server = MCPServerStdio(params, require_approval='always', client_session_timeout_seconds=30)\n"
        "def respond(call):\n"
        "    is_first = isinstance(call.input, str) or len(call.input) == 1\n"
        "    return [function_call('who', {}, call_id='c1')] if is_first else 'done'\n"
        "agent = Agent('a', mcp_servers=[server], model=ScriptedModel([respond] * 2))\n"
    )
    (home / "served.py").write_text(source)
    server = HERE / "small_server.py"
    other = home / "other_server.py"
    other.write_text(server.read_text().replace('{"type": "object"}', '{"type": "object", "maxProperties": 9}'))
    ticket = suspended(agentctl, f"{home / 'served.py'}:agent", {"SERVER": str(server)})
    done = agentctl("run", "--resume", ticket, "--allow", "who", env={"SERVER": str(other)})
    assert done.returncode == 78
    assert "the tools of agent 'a'" in done.stderr
    done = agentctl("run", "--resume", ticket, "--allow", "who", env={"SERVER": str(server)})
    assert (done.returncode, done.stdout) == (0, "done\n"), done.stderr


def test_an_expired_ticket_is_refused(agentctl: Agentctl, pair: str, env: dict[str, str], tickets: Path) -> None:
    ticket = suspended(agentctl, pair, env)
    edit(tickets / f"{ticket}.json", expires="2025-01-01T00:00:00+00:00")
    done = agentctl("run", "--resume", ticket, "--allow", "note", env=env)
    assert done.returncode == 78
    assert f"ticket {ticket} expired at 2025-01-01 00:00 UTC" in done.stderr
    assert agentctl("approvals", "list").stdout == ""
    assert ticket in agentctl("approvals", "list", "--all").stdout


def test_the_lifetime_of_tickets_is_a_setting(
    agentctl: Agentctl, pair: str, env: dict[str, str], tickets: Path
) -> None:
    ticket = suspended(agentctl, pair, {**env, "AGENTCTL_TICKET_LIFETIME": "1"})
    deadline = time.monotonic() + 10
    while agentctl("approvals", "list").stdout and time.monotonic() < deadline:
        pass
    assert agentctl("run", "--resume", ticket, "--allow", "note", env=env).returncode == 78


def test_a_tampered_ticket_is_an_error_that_says_so(
    agentctl: Agentctl, pair: str, env: dict[str, str], tickets: Path, notes: Path
) -> None:
    ticket = suspended(agentctl, pair, env)
    path = tickets / f"{ticket}.json"
    edit(path, state={**json.loads(path.read_text())["state"], "items": [{}]})
    done = agentctl("run", "--resume", ticket, "--allow", "note", env=env)
    assert (done.returncode, done.stdout, words(notes)) == (78, "", [])
    assert "the state of the run cannot be read" in done.stderr


def test_a_ticket_that_shows_other_calls_than_it_makes_is_refused(
    agentctl: Agentctl, pair: str, env: dict[str, str], tickets: Path, notes: Path
) -> None:
    ticket = suspended(agentctl, pair, env)
    path = tickets / f"{ticket}.json"
    path.write_text(path.read_text().replace('\\"word\\": \\"one\\"', '\\"word\\": \\"harmless\\"', 1))
    done = agentctl("run", "--resume", ticket, "--allow", "note", env=env)
    assert (done.returncode, words(notes)) == (78, [])
    assert "shows other calls than its run would make" in done.stderr


@pytest.mark.parametrize("name", ["tk_0000000000000000", "no/such/file.json"])
def test_a_ticket_that_is_not_there_is_an_error(name: str, agentctl: Agentctl) -> None:
    for command in (["run", "--resume", name], ["approvals", "show", name]):
        done = agentctl(*command)
        assert done.returncode == 78
        assert "there is no ticket" in done.stderr


def test_a_ticket_from_elsewhere_names_no_code_by_itself(
    agentctl: Agentctl, pair: str, env: dict[str, str], home: Path, notes: Path
) -> None:
    file = home / "ticket.json"
    suspended(agentctl, pair, env, "--ticket", str(file))
    elsewhere = {**env, "AGENTCTL_HOME": str(home / "elsewhere")}
    assert agentctl("approvals", "approve", str(file), "--all", env=elsewhere).returncode == 0
    done = agentctl("run", "--resume", str(file), env=elsewhere)
    assert (done.returncode, words(notes)) == (78, [])
    assert f"name the agent, with `-a {pair}`" in done.stderr
    assert agentctl("run", "--resume", str(file), "-a", pair, env=elsewhere).returncode == 0
    assert words(notes) == ["one", "two"]
    assert agentctl("run", "--resume", str(file), "-a", pair, env=elsewhere).returncode == 78


def test_a_project_whose_trust_is_gone_is_refused(
    agentctl: Agentctl, pair: str, env: dict[str, str], home: Path, notes: Path
) -> None:
    project = home / "agentctl.toml"
    project.write_text('agent = "scribe"\n[agents]\nscribe = "scribe.py:agent"\n')
    assert agentctl("trust", cwd=home).returncode == 0
    done = agentctl("run", "--on-approval", "suspend", "--format", "json", "hi", env=env, cwd=home)
    ticket = json.loads(done.stdout)["ticket"]
    project.write_text("max_turns = 9\n" + project.read_text())
    again = agentctl("run", "--resume", ticket, "--allow", "note", env=env, cwd=home)
    assert (again.returncode, words(notes)) == (78, [])
    assert "agentctl trust" in again.stderr
    agentctl("trust", cwd=home)
    assert agentctl("run", "--resume", ticket, "--allow", "note", env=env, cwd=home).returncode == 0


def test_without_a_home_a_ticket_needs_a_file(agentctl: Agentctl, pair: str, env: dict[str, str], home: Path) -> None:
    homeless = {**env, "AGENTCTL_HOME": None, "HOME": "/nonexistent"}
    done = agentctl("run", "--on-approval", "suspend", "-a", pair, "hi", env=homeless)
    assert done.returncode == 78
    assert "--ticket names a file" in done.stderr


def test_the_calls_of_a_ticket_are_shown_whole_and_escaped(
    service: Service, agentctl: Agentctl, pair: str, env: dict[str, str]
) -> None:
    service.reset()
    service.script(tool_calls(("note", {"word": "first\nsecond \x1b]52;c;aGk=\x07"}, "c1")))
    ticket = suspended(agentctl, pair, env)
    shown = agentctl("approvals", "show", ticket).stdout
    assert shown.endswith(
        "1. c1: not decided\nnote, called by agent scribe\n  word:\n    first\n    second \\x1b]52;c;aGk=\\x07\n"
    )
    (listed,) = json.loads(agentctl("approvals", "list", "--json").stdout)["tickets"]
    assert listed["created_at"].endswith("Z")
    assert listed["expires_at"].endswith("Z")
    assert (listed["id"], listed["state"], listed["calls"][0]["decision"]) == (ticket, "open", None)


def test_a_ticket_that_cannot_be_written_ends_the_run(
    agentctl: Agentctl, pair: str, env: dict[str, str], tickets: Path
) -> None:
    tickets.parent.mkdir()
    tickets.write_text("in the way")
    done = agentctl("run", "--on-approval", "suspend", "--format", "json", "-a", pair, "hi", env=env)
    document = json.loads(done.stdout)
    assert (done.returncode, document["outcome"], document["ticket"]) == (78, "misconfigured", None)
    assert f"{tickets}: cannot be written: File exists; set AGENTCTL_HOME to use another folder" in done.stderr


def test_where_no_ticket_can_be_kept_the_file_that_was_named_is_enough(
    agentctl: Agentctl, pair: str, env: dict[str, str], home: Path, tickets: Path
) -> None:
    tickets.parent.mkdir()
    tickets.write_text("in the way")
    name = str(home / "ticket.json")
    assert suspended(agentctl, pair, env, "--ticket", name) == name
    refused = agentctl("approvals", "approve", name)
    assert (refused.returncode, str(tickets) in refused.stderr) == (78, True)
    tickets.unlink()
    assert agentctl("approvals", "approve", name, "--all").returncode == 0
    assert agentctl("run", "--resume", name, "-a", pair, env=env).stdout == "All noted.\n"


def test_without_a_key_a_ticket_stays_as_it_is(
    agentctl: Agentctl, pair: str, env: dict[str, str], notes: Path, tickets: Path
) -> None:
    ticket = suspended(agentctl, pair, env)
    done = agentctl("run", "--resume", ticket, "--allow", "note", env={**env, "OPENAI_API_KEY": None})
    assert (done.returncode, words(notes)) == (77, [])
    assert not (tickets / f"{ticket}.used").exists()


def test_a_call_of_an_agent_that_is_a_tool_is_decided_about_by_itself(
    service: Service, agentctl: Agentctl, home: Path, env: dict[str, str], notes: Path
) -> None:
    (home / "office.py").write_text(
        PAIR + "\nboss = Agent(name='boss', tools=[agent.as_tool('ask_scribe', 'Asks the scribe.'), note])\n"
    )
    service.reset()
    service.script(
        tool_calls(("ask_scribe", {"input": "x"}, "c1"), ("note", {"word": "boss"}, "c2")),
        tool_calls(("note", {"word": "scribe"}, "c3")),
        text("scribe is done"),
        text("boss is done"),
    )
    ticket = suspended(agentctl, f"{home / 'office.py'}:boss", env)
    calls = json.loads(agentctl("approvals", "show", ticket, "--json").stdout)["calls"]
    assert sorted((call["agent"], call["call_id"]) for call in calls) == [("boss", "c2"), ("scribe", "c3")]
    agentctl("approvals", "approve", ticket, "c3")
    agentctl("approvals", "deny", ticket, "c2")
    done = agentctl("run", "--resume", ticket, env=env)
    assert (done.returncode, done.stdout, words(notes)) == (0, "boss is done\n", ["scribe"])
    assert len(service.requests()) == 4


def test_a_denial_that_contains_a_key_is_refused(
    agentctl: Agentctl, pair: str, env: dict[str, str], tickets: Path
) -> None:
    ticket = suspended(agentctl, pair, env)
    stored = {**env, "OPENAI_API_KEY": "", "OPENAI_BASE_URL": "http://127.0.0.1:1/v1"}
    agentctl("config", "set-key", env=stored, input="sk-stored-0123456789")
    for key, environ in ((KEY, env), ("sk-stored-0123456789", stored)):
        done = agentctl("approvals", "deny", ticket, "call_1", "--message", f"Not with {key}.", env=environ)
        assert (done.returncode, key in done.stdout + done.stderr) == (2, False)
        assert "contains a key, which no ticket holds" in done.stderr
        assert key not in (tickets / f"{ticket}.json").read_text()


def test_a_decision_names_its_call(agentctl: Agentctl, pair: str, env: dict[str, str]) -> None:
    ticket = suspended(agentctl, pair, env)
    for arguments in (["approve", ticket], ["deny", ticket, "call_9"], ["approve", ticket, "call_1", "--all"]):
        assert agentctl("approvals", *arguments).returncode == 2
    done = agentctl("approvals", "deny", ticket, "--all", "--always", "--message", "No.", "--json")
    decisions = [call["decision"] for call in json.loads(done.stdout)["calls"]]
    assert decisions == [{"approved": False, "always": True, "message": "No."}] * 2


def test_decisions_that_are_taken_at_once_are_all_kept(agentctl: Agentctl, pair: str, env: dict[str, str]) -> None:
    ticket = suspended(agentctl, pair, env)
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda call: agentctl("approvals", "approve", ticket, call), ["call_1", "call_2"]))
    calls = json.loads(agentctl("approvals", "show", ticket, "--json").stdout)["calls"]
    assert [call["decision"]["approved"] for call in calls] == [True, True]


def test_what_a_run_that_goes_on_cannot_have_is_refused(agentctl: Agentctl, pair: str, env: dict[str, str]) -> None:
    ticket = suspended(agentctl, pair, env)
    for options in (["--dry-run"], ["--session", "other"]):
        assert agentctl("run", "--resume", ticket, *options, env=env).returncode == 2


@pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGKILL")
def test_killed_at_any_point_it_loses_and_doubles_nothing(
    service: Service, agentctl: Agentctl, pair: str, env: dict[str, str], notes: Path, tickets: Path
) -> None:
    for seed in range(4):
        service.reset()
        service.script(tool_calls(("note", {"word": "one"}, "c1")), *[text("ok")] * 3)
        notes.unlink(missing_ok=True)
        ticket = suspended(agentctl, pair, env)
        assert agentctl("approvals", "approve", ticket).returncode == 0
        kill_after(random.Random(seed).uniform(0, 0.6), "run", "--resume", ticket, env=env)
        was_used = (tickets / f"{ticket}.used").exists()
        again = agentctl("run", "--resume", ticket, env=env)
        assert again.returncode == (78 if was_used else 0), again.stderr
        assert len(words(notes)) <= 1
        assert was_used or words(notes) == ["one"]
        assert json.loads(agentctl("approvals", "show", ticket, "--json").stdout)["state"] == "used"


@pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGKILL")
def test_killed_while_it_is_suspended_it_leaves_a_whole_ticket_or_none(
    agentctl: Agentctl, pair: str, env: dict[str, str], notes: Path, tickets: Path, service: Service
) -> None:
    arguments = ("run", "--on-approval", "suspend", "-a", pair, "hi")
    for seed in range(3):
        service.reset()
        service.script(tool_calls(("note", {"word": "one"}, "c1")), text("ok"))
        kill_after(random.Random(seed).uniform(0.2, 0.6), *arguments, env=env)
        for path in tickets.glob("*.json"):
            assert read_ticket(path.read_bytes(), str(path)).id == path.stem
    assert words(notes) == []


def kill_after(seconds: float, *arguments: str, env: dict[str, str]) -> None:
    """Start the command line and kill it after some time, wherever it is then."""
    process = subprocess.Popen(
        [sys.executable, "-m", "agentctl", *arguments],
        env={**os.environ, **env},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    time.sleep(seconds)
    process.send_signal(signal.SIGKILL)
    process.wait()


def test_a_deleted_ticket_and_its_copies_cannot_be_used(
    agentctl: Agentctl, pair: str, env: dict[str, str], home: Path, notes: Path
) -> None:
    ticket = suspended(agentctl, pair, env, "--ticket", str(home / "copy.json"))
    assert agentctl("approvals", "delete", ticket).returncode == 2  # It could still be resumed.
    done = agentctl("approvals", "delete", ticket, "--yes")
    assert (done.returncode, done.stderr) == (0, f"deleted the ticket {ticket}\n")
    assert agentctl("approvals", "list", "--all").stdout == ""
    for name in (ticket, str(home / "copy.json")):
        assert agentctl("run", "--resume", name, "--allow", "note", env=env).returncode == 78
    assert words(notes) == []


def test_prune_deletes_what_was_used_or_has_expired(
    service: Service, agentctl: Agentctl, pair: str, env: dict[str, str], tickets: Path
) -> None:
    used = suspended(agentctl, pair, env)
    agentctl("run", "--resume", used, "--on-approval", "deny", env=env)
    service.script(tool_calls(("note", {"word": "one"}, "c1")))
    kept = suspended(agentctl, pair, env)
    assert agentctl("approvals", "prune").stderr == "deleted 1 ticket\n"
    assert [path.name for path in tickets.glob("tk_*.json")] == [f"{kept}.json"]
    assert agentctl("run", "--resume", used, env=env).returncode == 78
