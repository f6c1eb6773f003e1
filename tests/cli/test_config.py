"""`agentctl config`, as people and scripts use it."""

import json
import os
import pty
import re
import stat
import subprocess
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest

from agentctl.profile.keys import keys_table
from tests.service import steps
from tests.service.client import Service

Agentctl = Callable[..., "subprocess.CompletedProcess[str]"]

SECRET = "sk-very-secret-key"


def stored(home: Path, name: str = "config.toml") -> str:
    return (home / ".agentctl" / name).read_text()


def test_a_value_that_was_set_is_shown_with_where_it_comes_from(agentctl: Agentctl, home: Path) -> None:
    assert agentctl("config", "set", "max_turns", "20").returncode == 0
    assert agentctl("config", "get", "max_turns").stdout == "20\n"
    done = agentctl("config", "get", "max_turns", "--json")
    assert json.loads(done.stdout) == {
        "schema_version": 1,
        "key": "max_turns",
        "value": 20,
        "origin": str(home / ".agentctl" / "config.toml"),
    }
    assert done.stderr == ""


def test_an_unset_key_prints_nothing_and_exits_1(agentctl: Agentctl) -> None:
    done = agentctl("config", "get", "agent")
    assert (done.returncode, done.stdout, done.stderr) == (1, "", "")


def test_a_table_is_printed_as_json(agentctl: Agentctl) -> None:
    agentctl("config", "set", "settings.reasoning", '{"effort": "low", "summary": "auto"}')
    done = agentctl("config", "get", "settings.reasoning")
    assert json.loads(done.stdout) == {"effort": "low", "summary": "auto"}
    agentctl("config", "unset", "settings.reasoning.summary")
    assert agentctl("config", "get", "settings").stdout == '{"reasoning": {"effort": "low"}}\n'


def test_unsetting_removes_and_says_where_there_was_nothing(agentctl: Agentctl) -> None:
    agentctl("config", "set", "model", "m")
    assert agentctl("config", "unset", "model").stderr == ""
    done = agentctl("config", "unset", "model")
    assert done.returncode == 0
    assert "model was not set" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["set", "modle", "m"], "did you mean 'model'?"),
        (["set", "max_turns", "many"], "max_turns: must be an integer of at least 1, not 'many'"),
        (["set", "client", "x"], "must be a table"),
        (["get", "modle"], "did you mean 'model'?"),
        (["get", "a..b"], "is not a dotted name"),
        (["unset", "modle"], "did you mean 'model'?"),
        (["client", "--retries", "99"], "client.retries: must be an integer from 0 to 10, not 99"),
        (["client", "--base-url", "localhost"], "client.base_url: "),
        (["client", "--websocket-base-url", "ftp://h/"], "client.websocket_base_url: "),
        (["model", ""], "model: must be a line of text"),
        (["transport", "carrier-pigeon"], 'transport: must be "auto" or "http" or "websocket", not \'carrier-pigeon\''),
        (["api", "chat"], 'api: must be "responses" or "chat_completions", not \'chat\''),
        (["set", "key_command", "op read"], 'key_command: must be a list such as ["op", '),
        (["set", "client.api_key", SECRET], "set-key"),
        (["set-key", SECRET], "every user of this machine"),
        (["set", "max_turns", SECRET], "must be an integer of at least 1, not 'sk-[redacted]'"),
        (["set", SECRET, "1"], "unknown key 'sk-[redacted]'"),
        (["get", SECRET], "unknown key 'sk-[redacted]'"),
        (["model", "m", SECRET], "sk-[redacted]"),
        (["profiles", "use", f"{SECRET}!"], "'sk-[redacted]!' is not a profile name"),
        (["show", "--set-key", SECRET], "no such option"),
        ([SECRET], "no such command: sk-[redacted]"),
        (["nonsense"], "nonsense"),
    ],
)
def test_a_wrong_word_is_a_usage_error_that_changes_nothing(
    agentctl: Agentctl, home: Path, arguments: list[str], message: str
) -> None:
    done = agentctl("config", *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert message in done.stderr
    assert SECRET not in done.stderr
    assert not (home / ".agentctl" / "config.toml").exists()
    assert not (home / ".agentctl" / "credentials.toml").exists()


def test_model_is_shown_without_a_name_and_stored_with_one(agentctl: Agentctl) -> None:
    built_in = json.loads(agentctl("config", "model", "--json").stdout)
    assert built_in["origin"] == "built-in"
    assert agentctl("config", "model", "gpt-5-mini").stdout == ""
    assert agentctl("config", "model").stdout == "gpt-5-mini\n"


@pytest.mark.parametrize(
    ("command", "built_in", "other"), [("transport", "auto", "http"), ("api", "responses", "chat_completions")]
)
def test_transport_and_api_are_shown_without_a_name_and_stored_with_one(
    agentctl: Agentctl, command: str, built_in: str, other: str
) -> None:
    shown = json.loads(agentctl("config", command, "--json").stdout)
    assert (shown["value"], shown["origin"]) == (built_in, "built-in")
    assert agentctl("config", command, other).stdout == ""
    assert agentctl("config", command).stdout == f"{other}\n"


def test_what_goes_before_a_stored_value_is_said(agentctl: Agentctl) -> None:
    done = agentctl("config", "model", "mine", env={"AGENTCTL_MODEL": "theirs"})
    assert done.returncode == 0
    assert "model is stored, but AGENTCTL_MODEL takes precedence over it" in done.stderr


def test_client_stores_several_values_at_once_and_shows_them(agentctl: Agentctl, home: Path) -> None:
    done = agentctl(
        "config", "client", "--base-url", "http://localhost:8080/v1", "--key", "none", "--retries", "0",
        "--request-timeout", "5m", "--ca-file", "ca.pem", "--websocket-base-url", "ws://localhost:8081/v1",
    )  # fmt: skip
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert agentctl("config", "client").stdout == (
        "client.base_url            http://localhost:8080/v1\n"
        "client.websocket_base_url  ws://localhost:8081/v1\n"
        "client.organization        -\n"
        "client.project             -\n"
        "client.request_timeout     5m\n"
        "client.ping_timeout        60\n"
        "client.max_event_size      64\n"
        "client.retries             0\n"
        f"client.ca_file             {home / 'ca.pem'}\n"
        "client.key                 none\n"
    )
    assert json.loads(agentctl("config", "client", "--json").stdout)["values"]["client.retries"]["value"] == 0


def test_show_is_everything_in_force_aligned(agentctl: Agentctl, home: Path) -> None:
    (home / "agentctl.toml").write_text("max_turns = 3\n")
    agentctl("config", "model", "gpt-5-mini")
    done = agentctl("config", "show", "--origin", env={"OPENAI_API_KEY": SECRET, "AGENTCTL_TIMEOUT": "5m"})
    profile = home / ".agentctl" / "config.toml"
    assert done.stdout == (
        "profile                    default                              built-in\n"
        f"model                      gpt-5-mini                           {profile}\n"
        "agent                      -\n"
        f"max_turns                  3                                    {home / 'agentctl.toml'}\n"
        "max_tokens_total           -\n"
        "max_cost                   -\n"
        "budget                     -\n"
        "budget_wait                30s                                  built-in\n"
        "max_tool_calls             128                                  built-in\n"
        "max_file_size              20                                   built-in\n"
        "timeout                    5m                                   AGENTCTL_TIMEOUT\n"
        "on_approval                fail                                 built-in\n"
        "ticket_lifetime            168h                                 built-in\n"
        "transport                  auto                                 built-in\n"
        "api                        responses                            built-in\n"
        "output_mode                auto                                 built-in\n"
        "key_command                -\n"
        "client.base_url            https://api.openai.com/v1            built-in\n"
        "client.websocket_base_url  -\n"
        "client.organization        -\n"
        "client.project             -\n"
        "client.request_timeout     600                                  built-in\n"
        "client.ping_timeout        60                                   built-in\n"
        "client.max_event_size      64                                   built-in\n"
        "client.retries             2                                    built-in\n"
        "client.ca_file             -\n"
        "client.key                 -\n"
        "trace.enabled              true                                 built-in\n"
        "trace.keep_days            30                                   built-in\n"
        "trace.keep_size            200                                  built-in\n"
        "trace.include_data         -\n"
        "trace.otel                 false                                built-in\n"
        "trace.processors           -\n"
        "aliases                    -\n"
        "prices                     -\n"
        "api_key                    present, for https://api.openai.com  OPENAI_API_KEY\n"
        "tracing_key                -\n"
    )
    assert done.stderr == ""


def test_show_as_json_has_the_origins_and_no_secret(agentctl: Agentctl, home: Path) -> None:
    agentctl("config", "set-key", input=SECRET)
    agentctl("config", "set", "settings.extra_headers.X-Token", "token-that-is-secret")
    done = agentctl("config", "show", "--json")
    document = json.loads(done.stdout)
    assert document["api_key"] == {
        "present": True,
        "endpoint": "https://api.openai.com",
        "origin": str(home / ".agentctl" / "credentials.toml"),
        "use_for_tracing": True,
    }
    assert document["values"]["model"]["origin"] == "built-in"
    assert document["project"] is None
    assert SECRET not in done.stdout
    assert "token-that-is-secret" not in done.stdout


def test_path_names_the_files(agentctl: Agentctl, home: Path) -> None:
    assert agentctl("config", "path").stdout == f"{home / '.agentctl' / 'config.toml'}\n"
    document = json.loads(agentctl("config", "path", "--json").stdout)
    assert document["credentials"] == str(home / ".agentctl" / "credentials.toml")


def test_the_config_option_names_another_profile(agentctl: Agentctl, home: Path) -> None:
    other = home / "other.toml"
    assert agentctl("--config", str(other), "config", "show").returncode == 78
    assert agentctl("--config", str(other), "config", "set", "model", "m").returncode == 0
    assert agentctl("--config", str(other), "config", "model").stdout == "m\n"
    assert agentctl("config", "model", env={"AGENTCTL_CONFIG": str(other)}).stdout == "m\n"
    assert agentctl("config", "model").stdout != "m\n"


def test_a_broken_profile_is_exit_78_with_its_place_and_stays(agentctl: Agentctl, home: Path) -> None:
    path = home / ".agentctl" / "config.toml"
    path.parent.mkdir()
    path.write_text("[profiles.default\n")
    for arguments in (["show"], ["get", "model"], ["set", "model", "m"], ["unset", "model"], ["set-key"]):
        done = agentctl("config", *arguments, input=SECRET)
        assert (done.returncode, done.stdout) == (78, "")
        assert f"{path}:1: column 18: is not valid TOML" in done.stderr
        assert "Traceback" not in done.stderr
    assert path.read_text() == "[profiles.default\n"
    assert agentctl("config", "path").returncode == 0


def test_a_wrong_variable_or_project_file_is_shown_beside_the_rest(agentctl: Agentctl, home: Path) -> None:
    env = {"AGENTCTL_MAX_TURNS": "many", "AGENTCTL_MODEL": "gpt-x"}
    assert agentctl("run", "hi", env=env).returncode == agentctl("config", "get", "model", env=env).returncode == 78
    (home / "agentctl.toml").write_text("max_turns = 0\n")
    done = agentctl("config", "show", "--origin", env=env)
    assert (done.returncode, "gpt-x" in done.stdout) == (0, True)
    assert "warning: AGENTCTL_MAX_TURNS: must be an integer" in done.stderr
    assert "warning: " + str(home / "agentctl.toml") + ": max_turns: must be an integer" in done.stderr
    document = json.loads(agentctl("config", "show", "--json", env=env).stdout)
    assert [problem.partition(": must")[0] for problem in document["problems"]] == [
        f"{home / 'agentctl.toml'}: max_turns",
        "AGENTCTL_MAX_TURNS",
    ]


def test_the_default_agent_must_be_there(agentctl: Agentctl, home: Path) -> None:
    (home / "agents.py").write_text("")
    (home / "agentctl.toml").write_text('[agents]\nreviewer = "agents.py"\n')
    for reference, message in (
        ("reviewr", "there is no agent 'reviewr' in"),
        ("none.py:a", "none.py: there is no such file"),
        ("a b", "write"),
    ):
        done = agentctl("config", "set", "agent", reference)
        assert (done.returncode, message in done.stderr) == (2, True)
    for reference, stored in (
        ("reviewer", "reviewer"),
        ("agents.py:a", f"{home}/agents.py:a"),
        ("./agents.py", f"{home}/agents.py"),
        ("a.b", "a.b"),
    ):
        assert agentctl("config", "set", "agent", reference).returncode == 0
        assert agentctl("config", "get", "agent").stdout == f"{stored}\n"
    done = agentctl("config", "set", "agent", "foo", cwd=home.parent)
    assert (done.returncode, "no agentctl.toml was found" in done.stderr) == (2, True)


def test_a_key_in_the_wrong_place_is_not_shown(agentctl: Agentctl, home: Path) -> None:
    assert SECRET not in agentctl("run", "--set", f"max_tokens={SECRET}", "hi").stderr
    assert SECRET not in agentctl("run", "--set", SECRET, "hi").stderr
    assert SECRET not in agentctl("run", "-a", SECRET, "hi").stderr
    assert SECRET not in agentctl("config", "show", "--profile", SECRET).stderr
    for name in ("MAX_TURNS", "CLIENT_BASE_URL", "PROFILE", "TRANSPORT"):
        done = agentctl("config", "show", env={f"AGENTCTL_{name}": SECRET})
        assert (done.returncode, SECRET in done.stderr) == (78 if name == "PROFILE" else 0, False)
    for file in (home / "agentctl.toml", home / ".agentctl" / "config.toml"):
        file.parent.mkdir(exist_ok=True)
        table = "" if file.name == "agentctl.toml" else "[profiles.default]\n"
        for text in (f'max_turns = "{SECRET}"\n', f"{SECRET} = 1\n", f'client.base_url = "{SECRET}"\n'):
            file.write_text(f"{table}{text}")
            done = agentctl("config", "show")
            # A key of another version is kept.
            is_noted = file.name == "agentctl.toml" or text.startswith(SECRET)
            assert (done.returncode, SECRET in done.stderr) == (0 if is_noted else 78, False)
        file.unlink()


def test_a_mistyped_variable_is_noted(agentctl: Agentctl) -> None:
    done = agentctl("config", "get", "max_turns", env={"AGENTCTL_MAX_TURN": "3"})
    assert done.stdout == "10\n"
    assert "did you mean AGENTCTL_MAX_TURNS?" in done.stderr


def test_without_a_home_reading_works_and_writing_names_the_way_out(agentctl: Agentctl) -> None:
    homeless = {"HOME": "/nonexistent", "AGENTCTL_HOME": None}
    shown = agentctl("config", "show", env=homeless)
    assert shown.returncode == 0
    assert "no usable home folder" in shown.stderr
    for arguments in (["set", "model", "m"], ["set-key"], ["path"], ["unset", "model"]):
        done = agentctl("config", *arguments, env=homeless, input=SECRET)
        assert done.returncode == 78
        assert "AGENTCTL_HOME" in done.stderr


def test_a_key_is_read_from_one_line_of_stdin_and_bound_to_the_endpoint(agentctl: Agentctl, home: Path) -> None:
    done = agentctl("config", "set-key", input=f"{SECRET}\r\nsecond line\n")
    assert (done.returncode, done.stdout) == (0, "")
    assert "stored the key for https://api.openai.com" in done.stderr
    assert SECRET not in done.stderr
    assert stored(home, "credentials.toml") == f'[keys.default."https://api.openai.com"]\napi_key = "{SECRET}"\n'
    assert stat.S_IMODE((home / ".agentctl" / "credentials.toml").stat().st_mode) == 0o600
    other = {"AGENTCTL_CLIENT_BASE_URL": "http://localhost:8080/v1"}
    assert "for http://localhost:8080 in" in agentctl("config", "set-key", input="k-local", env=other).stderr
    assert "deleted the key for http://localhost:8080" in agentctl("config", "unset-key", env=other).stderr
    assert "no key was stored for http://localhost:8080" in agentctl("config", "unset-key", env=other).stderr
    assert SECRET in stored(home, "credentials.toml")


@pytest.mark.parametrize("text", ["", "\n", "two words\n", "kéy\n", "x" * 100_000])
def test_what_is_no_key_is_refused_and_nothing_is_stored(agentctl: Agentctl, home: Path, text: str) -> None:
    done = agentctl("config", "set-key", input=text)
    assert done.returncode == 78
    assert "nothing was stored" in done.stderr
    assert not text.strip() or text.strip() not in done.stderr
    assert not (home / ".agentctl" / "credentials.toml").exists()


def test_only_one_line_is_read_of_a_stdin_that_never_ends(home: Path) -> None:
    command = [sys.executable, "-m", "agentctl", "config", "set-key"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stderr=subprocess.PIPE, cwd=home) as process:
        assert process.stdin is not None
        process.stdin.write(SECRET.encode() + b"\n")
        process.stdin.flush()
        assert process.wait(30) == 0
    assert SECRET in stored(home, "credentials.toml")


def test_a_key_in_the_environment_that_goes_before_is_said(agentctl: Agentctl) -> None:
    done = agentctl("config", "set-key", input=SECRET, env={"AGENTCTL_API_KEY": "sk-from-environment"})
    assert "AGENTCTL_API_KEY is set and takes precedence over it" in done.stderr


ON_TERMINAL = (
    "import fcntl, os, sys, termios; os.setsid(); fcntl.ioctl(0, termios.TIOCSCTTY, 0);"
    "os.execv(sys.executable, [sys.executable, '-m', 'agentctl', *sys.argv[1:]])"
)


def on_terminal(home: Path, *arguments: str, answer: bytes) -> tuple[int, str]:
    """Run a command on a terminal of its own, answer its question, and return its exit code and what was shown."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-c", ON_TERMINAL, *arguments], stdin=theirs, stdout=theirs, stderr=theirs, cwd=home
    )
    os.close(theirs)
    shown = b""
    try:
        while True:
            shown += os.read(ours, 1024)
            if b"(not shown): " in shown and answer:
                os.write(ours, answer)
                answer = b""
    except OSError:
        pass  # The terminal's end, as Linux says it.
    finally:
        os.close(ours)
    return process.wait(30), shown.decode()


def test_on_a_terminal_the_key_is_asked_for_and_not_shown(home: Path) -> None:
    code, shown = on_terminal(home, "config", "set-key", answer=SECRET.encode() + b"\r")
    assert code == 0
    assert "Key for https://api.openai.com (not shown): " in shown
    assert SECRET not in shown
    assert SECRET in stored(home, "credentials.toml")


@pytest.mark.parametrize(("answer", "code"), [(b"\r", 78), (b"\x04", 78), (b"\x03", 130)])
def test_no_answer_stores_nothing(home: Path, answer: bytes, code: int) -> None:
    assert on_terminal(home, "config", "set-key", answer=answer)[0] == code
    assert not (home / ".agentctl" / "credentials.toml").exists()


def test_on_a_terminal_nobody_is_asked_against_their_will(home: Path) -> None:
    code, shown = on_terminal(home, "config", "set-key", "--no-input", answer=b"")
    assert code == 78
    assert "pipe it in" in shown


def test_the_help_of_set_has_every_key_of_the_table(agentctl: Agentctl) -> None:
    lines = re.sub(r"(?<=\w-)\n +", "", agentctl("config", "set", "--help").stdout)  # A word may break at its hyphen.
    said = " ".join(lines.split())
    for row in keys_table():
        assert f" {row.name} {row.meaning}" in said
        assert not row.default or f"{row.meaning} [default: {row.default}]" in said


def test_every_help_begins_with_an_example(agentctl: Agentctl) -> None:
    for command in (
        "set-key",
        "unset-key",
        "model",
        "transport",
        "api",
        "client",
        "get",
        "set",
        "unset",
        "show",
        "path",
    ):
        lines = agentctl("config", command, "--help").stdout.splitlines()
        assert lines[2].startswith(f"  Example: agentctl config {command}")


def test_comments_of_the_file_stay_or_a_copy_does(agentctl: Agentctl, home: Path) -> None:
    path = home / ".agentctl" / "config.toml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text('# why: the big one is slow\n[profiles.default]\nmodel = "m"  # keep\n')
    assert agentctl("config", "set", "max_turns", "4").stderr == ""
    assert path.read_text() == '# why: the big one is slow\n[profiles.default]\nmodel = "m"  # keep\nmax_turns = 4\n'
    path.write_text("[profiles]\ndefault = { max_turns = 1 } # inline\n")
    done = agentctl("config", "set", "max_turns", "2")
    assert f"{path}.bak is a copy" in done.stderr
    assert "# inline" in (home / ".agentctl" / "config.toml.bak").read_text()


UNKNOWN = """\
[telemetry]
x = 1

[profiles.default]
from_next_release = 1
client.pool = { size = 2 }
settings.seed = 7
"""


def test_a_key_of_another_version_is_a_note_and_stays(agentctl: Agentctl, home: Path) -> None:
    path = home / ".agentctl" / "config.toml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(UNKNOWN)
    for arguments in (["config", "set", "max_turns", "4"], ["config", "show"], ["config", "unset", "max_turns"]):
        assert agentctl(*arguments).returncode == 0
    assert tomllib.loads(path.read_text()) == tomllib.loads(UNKNOWN)
    done = agentctl(
        "run", "hi", env={"AGENTCTL_CLIENT_BASE_URL": "http://127.0.0.1:1/v1", "AGENTCTL_CLIENT_KEY": "none"}
    )
    assert done.returncode == 75
    assert "unknown to this version of agentctl" in done.stderr
    for name in ("telemetry", "from_next_release", "client.pool.size", "settings.seed"):
        assert name in done.stderr


@pytest.mark.parametrize(
    "line",
    ["modle = 'm'", "base_url = 'http://x'", "client.retrys = 1", "clent.retries = 1", "api_key = 'x'", "[profile.x]"],
)
def test_a_key_that_resembles_one_of_ours_stays_an_error(agentctl: Agentctl, home: Path, line: str) -> None:
    path = home / ".agentctl" / "config.toml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(line if line.startswith("[") else f"[profiles.default]\n{line}\n")
    done = agentctl("config", "show")
    assert done.returncode == 78


def test_show_takes_a_key_or_a_table(agentctl: Agentctl) -> None:
    agentctl("config", "set", "settings.reasoning.effort", "low")
    agentctl("config", "set", "settings.temperature", "0.5")
    assert agentctl("config", "show", "max_turns").stdout == "max_turns  10\n"
    assert agentctl("config", "show", "settings").stdout == (
        "settings.temperature       0.5\nsettings.reasoning.effort  low\n"
    )
    document = json.loads(agentctl("config", "show", "settings.temperature", "--json").stdout)
    assert [*document["values"]] == ["settings.temperature"]
    assert agentctl("config", "show", "agent").stdout == "agent  -\n"
    done = agentctl("config", "show", "max_turn")
    assert (done.returncode, "did you mean 'max_turns'?" in done.stderr) == (2, True)


def editor(folder: Path, script: str) -> dict[str, str]:
    """Return the variable that names an editor which changes the file `$1` by a shell script."""
    path = folder / "editor"
    path.write_text(f"#!/bin/sh\nshift $(($# - 1))\n{script}\n")
    path.chmod(0o755)
    return {"EDITOR": f"{path} -w"}


def test_the_profile_is_edited_in_the_users_editor(agentctl: Agentctl, home: Path) -> None:
    done = agentctl("config", "edit", env=editor(home, """echo 'max_turns = 7' >> "$1" """))
    profile = home / ".agentctl" / "config.toml"
    assert (done.returncode, done.stderr) == (0, f"changed {profile}\n")
    assert profile.stat().st_mode & 0o777 == 0o600
    assert agentctl("config", "get", "max_turns").stdout == "7\n"
    assert agentctl("config", "edit", env=editor(home, "true")).stderr == f"{profile} was not changed\n"


@pytest.mark.parametrize(
    ("script", "problem"),
    [
        ("""echo 'max_turns = "many"' >> "$1" """, "profiles.default.max_turns: must be an integer"),
        ("""echo 'not toml' >> "$1" """, "config.toml:4: "),
    ],
)
def test_an_edited_profile_that_is_wrong_changes_nothing_and_is_not_lost(
    script: str, problem: str, agentctl: Agentctl, home: Path
) -> None:
    profile = home / ".agentctl" / "config.toml"
    profile.parent.mkdir()
    profile.write_text("[profiles.default]\ntimeout = 5\n# kept\n")
    before = profile.read_text()
    done = agentctl("config", "edit", env=editor(home, script))
    kept = home / ".agentctl" / "config.toml.edited"
    assert (done.returncode, profile.read_text()) == (78, before)
    assert problem in done.stderr
    assert f"the file is unchanged, and your text is in {kept}" in done.stderr
    assert kept.read_text().startswith(before)


def test_an_editor_that_fails_or_is_missing_changes_nothing(agentctl: Agentctl, home: Path) -> None:
    failed = agentctl("config", "edit", env=editor(home, "exit 3"))
    assert (failed.returncode, "failed (3); nothing was changed" in failed.stderr) == (78, True)
    missing = agentctl("config", "edit", env={"EDITOR": "/no/such/editor"})
    assert (missing.returncode, "cannot start the editor /no/such/editor" in missing.stderr) == (78, True)


def test_an_alias_is_a_model_in_every_place_that_names_one(agentctl: Agentctl, service: Service) -> None:
    agentctl("config", "set", "aliases.fast", "gpt-5-mini")
    env = {"OPENAI_API_KEY": SECRET, "OPENAI_BASE_URL": service.base_url}
    for arguments, variables in ((["-m", "fast"], {}), ([], {"AGENTCTL_MODEL": "fast"})):
        service.script(steps.text("ok"))
        assert agentctl("run", *arguments, "hi", env={**env, **variables}).returncode == 0
        assert service.requests()[-1]["body"]["model"] == "gpt-5-mini"
    assert agentctl("config", "model", "fast").returncode == 0
    service.script(steps.text("ok"))
    assert agentctl("run", "hi", env=env).returncode == 0
    assert service.requests()[-1]["body"]["model"] == "gpt-5-mini"
