"""What a shell gets for its Tab key, asked as the scripts ask it: by environment variables."""

import os
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from agentctl.agent.default_model import DEFAULT_MODEL
from agentctl.cli.app import command
from agentctl.cli.completion import Candidate, Shell, complete, format_candidates, split_line
from agentctl.cli.invocation import Invocation
from agentctl.profile.keys import KEYS
from tests.conftest import Agentctl

BREAKS = " \t\n\"'><=;|&(:"
"""What ends a word in bash, as it comes."""
Offered = Callable[[str], list[str]]
PROJECT = """
[agents]
weather = "weather.py:agent"
writer = "writer.py:agent"
"""


def ask(
    agentctl: Agentctl, line: str, *, shell: str = "fish", env: Mapping[str, str] | None = None, cwd: Path | None = None
) -> list[str]:
    """Return the lines that a shell gets for `line`, the cursor at its end; nothing ever goes to stderr."""
    asked = {"_AGENTCTL_COMPLETE": shell, "_AGENTCTL_COMPLETE_LINE": line, "_AGENTCTL_COMPLETE_BREAKS": BREAKS}
    done = agentctl(env={**asked, **(env or {})}, cwd=cwd)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.splitlines()


@pytest.fixture
def offered(home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Offered:
    """Return what asks as fish does, in this process: the lines for a line."""
    monkeypatch.chdir(home)

    def lines(line: str) -> list[str]:
        environ = {**os.environ, "_AGENTCTL_COMPLETE_LINE": line}
        told = complete(command(), "fish", Invocation(environ=environ))
        assert capsys.readouterr() == ("", "")
        return told.splitlines()

    return lines


@pytest.fixture
def work(home: Path) -> None:
    """A profile `work`, in use."""
    (home / ".agentctl").mkdir()
    (home / ".agentctl" / "config.toml").write_text('profile = "work"\n[profiles.work]\nmodel = "of-work"\n')


def test_a_file_goes_on_to_its_agents(offered: Offered, home: Path) -> None:
    (home / "boom.py").write_text(
        "import agentctl as a\n1 / 0\nhelper = a.Agent(name='h')\nagent = a.Agent(name='b')\n"
    )
    (home / "other.py").write_text("(")
    for command_line in ("run -a", "agents show", "agents check", "config set agent"):
        assert offered(f"agentctl {command_line} boom.py") == ["boom.py:helper", "boom.py:agent"]
        assert offered(f"agentctl {command_line} boom.py:a") == ["boom.py:agent"]
        assert offered(f"agentctl {command_line} other.py") == ["other.py:"]
        assert offered(f"agentctl {command_line} none.py") == []


def test_a_toml_file_goes_on_to_its_agents(offered: Offered, home: Path) -> None:
    (home / "agents.toml").write_text("[agents.one]\n[agents]\ntwo = 'a.py:b'\n")
    (home / "broken.toml").write_text("[")
    (home / "agentctl.toml").write_text("[agents.reviewer]\nmodel = 'm'\n")
    for command_line in ("run -a", "agents show", "agents check", "config set agent"):
        assert offered(f"agentctl {command_line} agents.toml") == ["agents.toml:one", "agents.toml:two"]
        assert offered(f"agentctl {command_line} agents.toml:t") == ["agents.toml:two"]
        assert offered(f"agentctl {command_line} broken.toml") == []
        assert offered(f"agentctl {command_line} rev") == ["reviewer\tagentctl.toml:reviewer"]


def words(lines: list[str]) -> list[str]:
    return [line.partition("\t")[0] for line in lines]


@pytest.mark.parametrize(
    ("shell", "lines"),
    [
        ("bash", ["explain-exit"]),
        ("zsh", ["explain-exit:Explain an exit code."]),
        ("fish", ["explain-exit\tExplain an exit code."]),
        ("powershell", ["explain-exit\tExplain an exit code."]),
    ],
)
def test_each_shell_gets_a_command_in_its_own_form(agentctl: Agentctl, shell: str, lines: list[str]) -> None:
    assert ask(agentctl, "agentctl expl", shell=shell) == lines


@pytest.mark.parametrize(
    ("shell", "word"),
    [
        ("bash", "local/smollm2"),
        ("zsh", "--model=local/smollm2:A local model of 98 MB."),
        ("fish", "--model=local/smollm2\tA local model of 98 MB."),
        ("powershell", "--model=local/smollm2\tA local model of 98 MB."),
    ],
)
def test_a_value_behind_an_equals_sign_is_what_the_shell_replaces(agentctl: Agentctl, shell: str, word: str) -> None:
    assert ask(agentctl, "agentctl run --model=loc", shell=shell) == [word]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("agentctl config un", ["unset-key", "unset"]),
        ("agentctl run --tr", ["--transport", "--trace"]),
        ("agentctl run --transport ", ["auto", "http", "websocket"]),
        ("agentctl run --api resp", ["responses"]),
        ("agentctl run --format json", ["json", "jsonl"]),
        ("agentctl --color a", ["auto", "always"]),
        ("agentctl config transport w", ["websocket"]),
        ("agentctl config api c", ["chat_completions"]),
        ("agentctl config client --key ", ["none"]),
        ("agentctl config get client.re", ["client.request_timeout", "client.retries"]),
        ("agentctl config set client.ca", ["client.ca_file"]),
        ("agentctl config unset max", ["max_turns", "max_tokens_total", "max_cost", "max_tool_calls", "max_file_size"]),
        ("agentctl config set transport ", ["auto", "http", "websocket"]),
        ("agentctl config set settings.store ", ["true", "false"]),
        ("agentctl config set max_turns ", []),
        ("agentctl config set nonsense ", []),
        ("agentctl run --set tool", ["tool_choice="]),
        ("agentctl run --set verbosity=", ["verbosity=low", "verbosity=medium", "verbosity=high"]),
        ("agentctl run --set nonsense=", []),
        ("agentctl models path ", ["smollm2"]),
        ("agentctl explain-exit 14", ["141", "143"]),
        ("agentctl completions ", ["bash", "zsh", "fish", "powershell"]),
        ('agentctl run "Name three --', []),
        ('agentctl run "Name three rivers" --dry', ["--dry-run"]),
        ("agentctl run 'It''s' -q --dry", ["--dry-run"]),
        ("agentctl --version expl", ["explain-exit"]),
        ("agentctl run --help --dry", ["--dry-run"]),
        ("agentctl nonsense ", []),
        ("agentctl trust ", []),
        ("agentctl --profile ", ["default"]),
        ("agentctl config profiles use ", ["default"]),
        ("agentctl config profiles de", ["delete"]),
        ("agentctl config prof", ["profiles"]),
    ],
)
def test_what_fits_the_line(offered: Offered, line: str, expected: list[str]) -> None:
    assert words(offered(line)) == expected


def test_every_setting_key_is_offered(agentctl: Agentctl) -> None:
    assert words(ask(agentctl, "agentctl config get ")) == [key.name for key in KEYS]


def test_the_agents_of_the_project_are_offered(agentctl: Agentctl, home: Path) -> None:
    (home / "agentctl.toml").write_text(PROJECT)
    (home / "weather.py").write_text("raise SystemExit('imported')")
    expected = ["weather\tweather.py:agent", "writer\twriter.py:agent"]
    assert ask(agentctl, "agentctl stream -a w", cwd=home) == expected
    assert ask(agentctl, "agentctl config set agent ", cwd=home) == expected


def test_aliases_of_models_are_offered(agentctl: Agentctl) -> None:
    agentctl("config", "set", "aliases.fast", "gpt-5-mini")
    assert "fast" in words(ask(agentctl, "agentctl run -m f"))


def test_models_are_the_local_ones_the_stored_one_and_the_built_in(agentctl: Agentctl) -> None:
    agentctl("config", "model", "my-model")
    models = ["local/smollm2", DEFAULT_MODEL, "my-model"]
    assert words(ask(agentctl, "agentctl run -m ")) == models
    assert words(ask(agentctl, "agentctl config model ")) == models
    assert words(ask(agentctl, "agentctl config set model ")) == models


def test_the_stored_model_is_that_of_the_profile_named(agentctl: Agentctl, home: Path) -> None:
    agentctl("--config", str(home / "other.toml"), "config", "model", "other-model")
    assert "other-model" in words(ask(agentctl, f"agentctl --config {home}/other.toml run -m "))
    assert "other-model" not in words(ask(agentctl, "agentctl run -m "))


@pytest.mark.parametrize(
    "line",
    [
        "agentctl --profile ",
        "agentctl --profile=",
        "agentctl run --profile ",
        "agentctl config model --profile ",
        "agentctl config profiles use ",
        "agentctl config profiles delete ",
    ],
)
@pytest.mark.usefixtures("work")
def test_the_profiles_are_offered(offered: Offered, line: str) -> None:
    before = line.rpartition(" ")[2]
    assert offered(line) == [f"{before}default", f"{before}work\tCurrent."]
    assert offered(f"{line}w") == [f"{before}work\tCurrent."]


@pytest.mark.parametrize("line", ["agentctl --profile work run -m ", "agentctl run --profile work -m "])
@pytest.mark.usefixtures("work")
def test_the_stored_model_is_that_of_the_profile_that_the_line_names(offered: Offered, line: str) -> None:
    assert "of-work" in words(offered(line))
    assert "of-work" not in words(offered("agentctl --profile default run -m "))


def test_a_broken_profile_costs_its_own_candidates_alone(agentctl: Agentctl, home: Path) -> None:
    (home / ".agentctl").mkdir()
    (home / ".agentctl" / "config.toml").write_text("[[[")
    assert words(ask(agentctl, "agentctl run -m ")) == ["local/smollm2", DEFAULT_MODEL]
    assert words(ask(agentctl, "agentctl explain-exit 7")) == ["75", "77", "78"]
    assert ask(agentctl, "agentctl --profile ") == []


@pytest.mark.parametrize("text", ["[[[", "base_url = 1", "[agents]\nweather = 3", "\0", '[agents]\n"a b" = "a.py:b"'])
def test_a_broken_project_file_says_nothing_into_the_line(offered: Offered, home: Path, text: str) -> None:
    (home / "agentctl.toml").write_text(text)
    assert offered("agentctl run -a ") == []
    assert words(offered("agentctl run -m ")) == ["local/smollm2", DEFAULT_MODEL]


@pytest.mark.parametrize(
    "name", ["$(touch owned)", "`id`", "two words", "a;b", "~", "a'b", 'a"b', "a|b", "\x1b]0;x\x07"]
)
def test_a_value_that_a_shell_would_act_on_is_not_offered(
    offered: Offered, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv("AGENTCTL_MODEL", name)
    assert words(offered("agentctl run -m ")) == ["local/smollm2", DEFAULT_MODEL]


@pytest.mark.parametrize("shell", ["tcsh", "complete_bash", "1"])
def test_a_shell_that_nobody_knows_gets_nothing(agentctl: Agentctl, shell: str) -> None:
    assert ask(agentctl, "agentctl ", shell=shell) == []


def test_nothing_is_run_and_no_folder_is_made(agentctl: Agentctl, home: Path) -> None:
    ask(agentctl, "agentctl config set model x")
    ask(agentctl, "agentctl run -m ")
    assert os.listdir(home) == []


def test_a_folder_that_is_gone_and_no_home_change_nothing(agentctl: Agentctl) -> None:
    nowhere = {"HOME": "/nonexistent", "AGENTCTL_HOME": "", "AGENTCTL_CONFIG": "/nonexistent/config.toml"}
    assert words(ask(agentctl, "agentctl run -m ", env=nowhere)) == ["local/smollm2", DEFAULT_MODEL]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("", ([], "")),
        ("agentctl", ([], "")),
        ("agentctl ", ([], "")),
        ("agentctl co", ([], "co")),
        ("agentctl run ", (["run"], "")),
        ("agentctl run 'a b' -m lo", (["run", "a b", "-m"], "lo")),
        ('agentctl run "a b', (["run"], "a b")),
        ("agentctl run '", (["run"], "")),
        ("agentctl run a\\", (["run"], "a")),
        ("agentctl run # x", (["run", "#"], "x")),
    ],
)
def test_a_line_is_split_as_a_shell_does(line: str, expected: tuple[list[str], str]) -> None:
    assert split_line(line) == expected


def test_zsh_takes_no_colon_of_a_word_for_the_end_of_it() -> None:
    assert format_candidates(Shell.ZSH, [Candidate(word="a.py:b", meaning="c: d")], 0) == "a.py\\:b:c: d\n"


def test_a_meaning_that_a_terminal_would_act_on_is_left_out() -> None:
    assert format_candidates(Shell.FISH, [Candidate(word="a", meaning="\x1b[2J")], 0) == "a\n"
