"""Profiles on the command line: made, named, used, listed and deleted."""

import json
import os
import signal
import stat
import subprocess
import sys
import time
import tomllib
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.cli.process import started
from tests.cli.terminal import Terminal
from tests.conftest import Agentctl
from tests.service.client import Service
from tests.service.steps import text

OPENAI = "https://api.openai.com"


def config(home: Path) -> dict[str, Any]:
    return tomllib.loads((home / ".agentctl" / "config.toml").read_text())


def keys(home: Path) -> dict[str, Any]:
    table: dict[str, Any] = tomllib.loads((home / ".agentctl" / "credentials.toml").read_text()).get("keys", {})
    return table


@pytest.fixture
def work(home: Path) -> None:
    """A profile `work` beside the default one, each with its model."""
    (home / ".agentctl").mkdir()
    (home / ".agentctl" / "config.toml").write_text(
        '[profiles.default]\nmodel = "of-default"\n\n[profiles.work]\nmodel = "of-work"\n'
    )


def test_the_first_set_with_a_name_makes_a_profile_and_says_so(agentctl: Agentctl, home: Path) -> None:
    done = agentctl("config", "set", "model", "m", "--profile", "work")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "created the profile work\n")
    assert agentctl("config", "set", "max_turns", "3", "--profile", "work").stderr == ""
    assert config(home) == {"profiles": {"work": {"model": "m", "max_turns": 3}}}


@pytest.mark.usefixtures("work")
def test_a_profile_is_named_before_or_behind_the_command_or_by_the_variable(agentctl: Agentctl) -> None:
    assert agentctl("config", "model").stdout == "of-default\n"
    assert agentctl("--profile", "work", "config", "model").stdout == "of-work\n"
    assert agentctl("config", "--profile", "work", "model").stdout == "of-work\n"
    assert agentctl("config", "model", "--profile=work").stdout == "of-work\n"
    assert agentctl("config", "model", env={"AGENTCTL_PROFILE": "work"}).stdout == "of-work\n"
    done = agentctl("--profile", "work", "config", "model", "--profile", "default", env={"AGENTCTL_PROFILE": "work"})
    assert done.stdout == "of-default\n"


def test_the_other_global_options_stand_behind_the_command_too(agentctl: Agentctl, home: Path) -> None:
    other = str(home / "other.toml")
    assert agentctl("config", "model", "m", "--config", other).returncode == 0
    assert agentctl("--config", "/nowhere", "config", "model", "--config", other, "--color", "never").stdout == "m\n"
    assert agentctl("config", "model", "--color", "sometimes").returncode == 2


@pytest.mark.usefixtures("work")
def test_the_profile_in_use_holds_where_nobody_names_one(agentctl: Agentctl, home: Path) -> None:
    done = agentctl("config", "profiles", "use", "work")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert config(home)["profile"] == "work"
    assert agentctl("config", "model").stdout == "of-work\n"
    agentctl("config", "set", "max_turns", "3")
    assert config(home)["profiles"]["work"] == {"model": "of-work", "max_turns": 3}
    agentctl("config", "unset", "max_turns")
    agentctl("config", "unset", "model")
    assert config(home)["profiles"]["work"] == {}
    assert agentctl("config", "profiles", "use", "default").returncode == 0
    assert "profile" not in config(home)
    assert agentctl("config", "model").stdout == "of-default\n"


@pytest.mark.usefixtures("work")
def test_use_says_which_variable_goes_before_it(agentctl: Agentctl) -> None:
    done = agentctl("config", "profiles", "use", "work", env={"AGENTCTL_PROFILE": "default"})
    assert done.returncode == 0
    assert "AGENTCTL_PROFILE is set to default" in done.stderr


@pytest.mark.usefixtures("work")
def test_the_list_marks_the_one_in_use(agentctl: Agentctl, home: Path) -> None:
    assert agentctl("config", "profiles", "list").stdout == "* default\n  work\n"
    agentctl("config", "set-key", "--profile", "work", input="sk-of-work")
    done = agentctl("config", "profiles", "list", "--json", "--profile", "work")
    assert json.loads(done.stdout) == {
        "schema_version": 1,
        "path": str(home / ".agentctl" / "config.toml"),
        "profiles": [
            {"name": "default", "in_use": False, "keys": []},
            {"name": "work", "in_use": True, "keys": [OPENAI]},
        ],
    }


@pytest.mark.usefixtures("work")
def test_show_and_path_tell_the_profile(agentctl: Agentctl, home: Path) -> None:
    path = str(home / ".agentctl" / "config.toml")
    env = {"AGENTCTL_PROFILE": "work"}
    assert agentctl("config", "show", "--origin", env=env).stdout.splitlines()[0].split() == [
        "profile",
        "work",
        "AGENTCTL_PROFILE",
    ]
    document = json.loads(agentctl("config", "show", "--json", "--profile", "work").stdout)
    assert (document["profile"], document["profile_origin"], document["path"]) == ("work", "--profile", path)
    agentctl("config", "profiles", "use", "work")
    assert json.loads(agentctl("config", "show", "--json").stdout)["profile_origin"] == path
    assert json.loads(agentctl("config", "path", "--json").stdout)["profile"] == "work"


@pytest.mark.parametrize(
    "arguments",
    [
        ["config", "show"],
        ["config", "get", "model"],
        ["config", "unset", "model"],
        ["config", "unset-key"],
        ["config", "client"],
        ["run", "hi"],
        ["models", "list"],
        ["agents", "show", "x.py:agent"],
    ],
)
@pytest.mark.usefixtures("work")
def test_a_profile_that_is_not_there_is_exit_78_and_names_those_that_are(
    agentctl: Agentctl, arguments: list[str]
) -> None:
    done = agentctl(*arguments, "--profile", "wrok")
    assert done.returncode == 78
    assert "there is no profile 'wrok' (set by --profile); did you mean 'work'?" in done.stderr
    assert "known profiles: default, work; `agentctl --profile wrok config set KEY VALUE` creates it" in done.stderr


@pytest.mark.usefixtures("work")
def test_only_what_is_there_can_be_used(agentctl: Agentctl, home: Path) -> None:
    before = config(home)
    done = agentctl("config", "profiles", "use", "other")
    assert done.returncode == 78
    assert "`agentctl --profile other config set KEY VALUE` creates it" in done.stderr
    assert config(home) == before
    assert agentctl("config", "show", env={"AGENTCTL_PROFILE": "other"}).returncode == 78


def test_a_profile_that_the_file_names_and_lacks_is_said_and_can_be_mended(agentctl: Agentctl, home: Path) -> None:
    path = home / ".agentctl" / "config.toml"
    path.parent.mkdir()
    path.write_text('profile = "gone"\n')
    for arguments in (["show"], ["set", "model", "m"], ["set-key"], ["unset", "model"]):
        done = agentctl("config", *arguments, input="sk-of-nobody")
        assert done.returncode == 78
        assert not (home / ".agentctl" / "credentials.toml").exists()
        assert f"there is no profile 'gone' (set by {path})" in done.stderr
    listed = agentctl("config", "profiles", "list")
    assert (listed.returncode, listed.stdout) == (0, "  default\n")
    assert "gone" in listed.stderr
    assert agentctl("config", "profiles", "use", "default").returncode == 0
    assert agentctl("config", "show").returncode == 0


@pytest.mark.parametrize("name", ["", "a b", "../x", "-x", "ü", "a.b", "x" * 65, "a\nb"])
def test_a_name_that_is_none_is_refused_and_makes_nothing(agentctl: Agentctl, home: Path, name: str) -> None:
    done = agentctl("config", "set", "model", "m", f"--profile={name}")
    assert done.returncode == 2
    assert "is not a profile name" in done.stderr
    if name.strip():
        done = agentctl("config", "set", "model", "m", env={"AGENTCTL_PROFILE": name})
        assert done.returncode == 78
        assert "AGENTCTL_PROFILE: " in done.stderr
    assert not (home / ".agentctl").exists()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[profiles.default\n", "column 18: is not valid TOML"),
        ("profile = 3\n", "profile: '' is not a profile name"),
        ('[profiles."a b"]\n', "profiles.\"a b\": 'a b' is not a profile name"),
        ("[profiles]\nwork = 3\n", "profiles.work: must be a table of settings"),
    ],
)
def test_a_broken_file_is_exit_78_and_stays(agentctl: Agentctl, home: Path, text: str, message: str) -> None:
    path = home / ".agentctl" / "config.toml"
    path.parent.mkdir()
    path.write_text(text)
    for arguments in (["list"], ["use", "default"], ["delete", "work", "--yes"]):
        done = agentctl("config", "profiles", *arguments)
        assert (done.returncode, done.stdout) == (78, "")
        assert message in done.stderr
    assert path.read_text() == text


def test_what_is_wrong_in_another_profile_does_no_harm(agentctl: Agentctl, home: Path) -> None:
    path = home / ".agentctl" / "config.toml"
    path.parent.mkdir()
    path.write_text('[profiles.work]\nmax_turns = "many"\n')
    assert agentctl("config", "set", "model", "m").returncode == 0
    assert agentctl("config", "show", "--profile", "work").returncode == 78
    assert agentctl("config", "profiles", "delete", "work", "--yes").returncode == 0
    assert config(home) == {"profiles": {"default": {"model": "m"}}}


def test_each_profile_has_keys_and_an_endpoint_of_its_own(agentctl: Agentctl, service: Service, home: Path) -> None:
    for name in ("one", "two"):
        agentctl("config", "client", "--base-url", service.base_url, "--profile", name)
        agentctl("config", "set-key", "--profile", name, input=f"sk-of-{name}")
    service.script(text("first"), text("second"))
    assert agentctl("run", "Hi", "--profile", "one").stdout == "first\n"
    assert agentctl("run", "Hi", env={"AGENTCTL_PROFILE": "two"}).stdout == "second\n"
    sent = [request["headers"]["authorization"] for request in service.requests()]
    assert sent == ["Bearer sk-of-one", "Bearer sk-of-two"]
    agentctl("config", "client", "--base-url", service.base_url, "--profile", "three")
    done = agentctl("run", "Hi", "--profile", "three")
    assert done.returncode == 77
    assert "note: the profile three has no key for http" in done.stderr
    assert "`agentctl config set-key --profile three` stores one" in done.stderr
    assert stat.S_IMODE((home / ".agentctl" / "credentials.toml").stat().st_mode) == 0o600


def test_a_key_alone_makes_a_profile(agentctl: Agentctl, home: Path) -> None:
    done = agentctl("config", "set-key", "--profile", "work", input="sk-of-work")
    assert done.returncode == 0
    assert "created the profile work\n" in done.stderr
    assert "for the profile work" in done.stderr
    assert agentctl("config", "profiles", "use", "work").returncode == 0
    assert keys(home) == {"work": {OPENAI: {"api_key": "sk-of-work"}}}


def test_deleting_removes_the_settings_and_the_keys(agentctl: Agentctl, home: Path) -> None:
    agentctl("config", "set", "model", "m", "--profile", "work")
    for name in ("work", "default"):
        agentctl("config", "set-key", "--profile", name, input=f"sk-of-{name}")
    done = agentctl("config", "profiles", "delete", "work", "--yes")
    assert (done.returncode, done.stdout) == (0, "")
    assert done.stderr == "deleted the profile work with its settings and 1 key\n"
    assert "work" not in config(home).get("profiles", {})
    assert list(keys(home)) == ["default"]
    assert agentctl("config", "profiles", "delete", "work", "--yes").returncode == 78


@pytest.mark.usefixtures("work")
def test_the_one_in_use_and_the_default_one_are_not_deleted(agentctl: Agentctl, home: Path) -> None:
    agentctl("config", "profiles", "use", "work")
    before = config(home)
    in_use = agentctl("config", "profiles", "delete", "work", "--yes")
    assert in_use.returncode == 78
    assert "config profiles use default" in in_use.stderr
    agentctl("config", "profiles", "use", "default")
    named = agentctl("config", "profiles", "delete", "work", "--yes", env={"AGENTCTL_PROFILE": "work"})
    assert named.returncode == 78
    assert "in use, set by AGENTCTL_PROFILE" in named.stderr
    default = agentctl("config", "profiles", "delete", "default", "--yes")
    assert default.returncode == 78
    assert "cannot be deleted" in default.stderr
    assert config(home)["profiles"] == before["profiles"]


@pytest.mark.usefixtures("work")
@pytest.mark.parametrize("arguments", [[], ["--no-input"]])
def test_without_somebody_to_ask_nothing_is_deleted(agentctl: Agentctl, home: Path, arguments: list[str]) -> None:
    done = agentctl("config", "profiles", "delete", "work", *arguments, input="y\n")
    assert done.returncode == 2
    assert "--yes" in done.stderr
    assert "work" in config(home)["profiles"]


@pytest.mark.usefixtures("work")
@pytest.mark.parametrize(
    ("answer", "code"), [("y\r", 0), ("YES\r", 0), ("\r", 1), ("n\r", 1), ("\x04", 1), ("\x03", 130)]
)
def test_on_a_terminal_somebody_is_asked(home: Path, answer: str, code: int) -> None:
    with Terminal("config", "profiles", "delete", "work", env={}) as terminal:
        terminal.read_until("Delete the profile work with its settings and 0 keys? [y/N] ")
        terminal.type(answer)
        assert terminal.end() == code
    assert ("work" in config(home)["profiles"]) == (code != 0)


@pytest.mark.parametrize("folder", ["/proc", "/dev/null"])
@pytest.mark.skipif(sys.platform != "linux", reason="folders that nobody can write to, not even root")
def test_where_nothing_can_be_written_it_is_said_at_once(agentctl: Agentctl, folder: str) -> None:
    env = {"AGENTCTL_HOME": folder}
    for arguments in (["set", "model", "m", "--profile", "work"], ["set-key"], ["profiles", "use", "default"]):
        done = agentctl("config", *arguments, env=env, input="sk-nowhere")
        assert done.returncode == 78
        assert "set AGENTCTL_HOME to use another folder" in done.stderr or "cannot be read" in done.stderr
        assert "another process" not in done.stderr


def test_without_a_home_the_default_profile_is_all_there_is(agentctl: Agentctl) -> None:
    homeless = {"HOME": "/nonexistent", "AGENTCTL_HOME": None}
    assert agentctl("config", "profiles", "list", env=homeless).stdout == "* default\n"
    for arguments in (
        ["profiles", "use", "work"],
        ["profiles", "delete", "work", "--yes"],
        ["show", "--profile", "work"],
    ):
        done = agentctl("config", *arguments, env=homeless)
        assert done.returncode == 78
        assert "AGENTCTL_HOME" in done.stderr


def test_twenty_processes_that_change_one_profile_at_once_lose_nothing(home: Path) -> None:
    command = ("--profile", "work", "config", "set")
    with ExitStack() as stack:
        writers = [
            stack.enter_context(started(*command, f"settings.metadata.k{number}", str(number), env={}, cwd=home))
            for number in range(20)
        ]
        said = [writer.communicate()[1] for writer in writers]
    assert [writer.returncode for writer in writers] == [0] * 20
    assert sorted(said) == [b""] * 19 + [b"created the profile work\n"]
    assert config(home) == {"profiles": {"work": {"settings": {"metadata": {f"k{n}": str(n) for n in range(20)}}}}}
    assert sorted(os.listdir(home / ".agentctl")) == ["config.toml", "config.toml.lock"]


def test_processes_that_are_killed_at_any_moment_leave_a_file_that_can_be_read(agentctl: Agentctl, home: Path) -> None:
    """Each writer is ended a little later than the one before it, by SIGKILL or SIGTERM."""
    agentctl("config", "set", "max_turns", "3", "--profile", "work")
    for number in range(16):
        command = ("config", "set", f"settings.metadata.k{number}", "v", "--profile", "work")
        with started(*command, env={}, cwd=home, stderr=subprocess.DEVNULL) as writer:
            time.sleep(0.004 * number)
            writer.send_signal(signal.SIGKILL if number % 2 else signal.SIGTERM)
            writer.wait()
        assert writer.returncode in (0, 143, -signal.SIGTERM, -signal.SIGKILL)
        assert config(home)["profiles"]["work"]["max_turns"] == 3
    assert agentctl("config", "set", "model", "m", "--profile", "work").returncode == 0
    assert config(home)["profiles"]["work"]["model"] == "m"


def test_every_help_begins_with_an_example(agentctl: Agentctl) -> None:
    for command in ("list", "use", "delete"):
        lines = agentctl("config", "profiles", command, "--help").stdout.splitlines()
        assert lines[2].startswith(f"  Example: agentctl config profiles {command}")
