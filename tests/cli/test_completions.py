"""`agentctl completions`: its scripts, and the shells that run them."""

import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from agentctl.cli.completion import Shell
from tests.cli.terminal import Terminal
from tests.conftest import Agentctl
from tests.warm import agentctl_command

SCRIPTS = Path(__file__).parent.parent.parent / "completions"
FILES = {
    Shell.BASH: "agentctl.bash",
    Shell.ZSH: "_agentctl",
    Shell.FISH: "agentctl.fish",
    Shell.POWERSHELL: "agentctl.ps1",
}


def needs(shell: str) -> pytest.MarkDecorator:
    return pytest.mark.skipif(shutil.which(shell) is None, reason=f"{shell} is not installed")


@pytest.fixture
def project(home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project to complete in; `agentctl` is on the path, and shows its arguments instead of running them."""
    folder = home / "project"
    folder.mkdir()
    (folder / "agentctl.toml").write_text('[agents]\nweather = "weather.py:agent"\n')
    (folder / "weather report.txt").touch()
    (home / ".agentctl").mkdir()
    (home / ".agentctl" / "config.toml").write_text("[profiles.work]\n")
    programs = home / "bin"
    programs.mkdir()
    program = programs / "agentctl"
    program.write_text(
        f'#!/bin/sh\nif [ "$_AGENTCTL_COMPLETE" ]; then exec {shlex.join(agentctl_command())} "$@"; fi\n'
        "printf '<%s>' \"$@\"\necho '<end>'\n"
    )
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.chdir(folder)
    return folder


TYPED = pytest.mark.parametrize(
    ("keys", "arguments"),
    [
        ("expl\t", "<explain-exit>"),
        ("run --max-tu\t5", "<run><--max-turns><5>"),
        ("run --model=loc\t", "<run><--model=local/smollm2>"),
        ("run -a wea\t", "<run><-a><weather>"),
        ("run --set tool\tauto", "<run><--set><tool_choice=auto>"),
        ("run --set verbosity=h\t", "<run><--set><verbosity=high>"),
        ("config set transport web\t", "<config><set><transport><websocket>"),
        ("trust agen\t", "<trust><agentctl.toml>"),
        ("run -o weath\t", "<run><-o><weather report.txt>"),
        ("--config=agen\t", "<--config=agentctl.toml>"),
        ("run --profile wo\t-q", "<run><--profile><work><-q>"),
        ("config profiles use wo\t", "<config><profiles><use><work>"),
        ('run "a b" -m loc\t', "<run><a b><-m><local/smollm2>"),
    ],
)


@pytest.mark.parametrize("shell", list(Shell))
def test_the_files_are_what_the_command_prints(agentctl: Agentctl, shell: Shell) -> None:
    done = agentctl("completions", shell.value)
    assert (done.returncode, done.stderr) == (0, "")
    kept = (SCRIPTS / FILES[shell]).read_text(encoding="utf-8")
    assert done.stdout == kept, f"stale: agentctl completions {shell} > completions/{FILES[shell]}"


@needs("bash")
def test_the_shell_that_asks_is_the_default(project: Path) -> None:
    # Two commands, since a shell becomes the only one.
    command = f"'{sys.executable}' -m agentctl completions; exit $?"
    environment = {**os.environ, "SHELL": "/bin/zsh"}
    done = subprocess.run(["bash", "-c", command], env=environment, capture_output=True, text=True)
    expected = Shell.BASH if sys.platform == "linux" else Shell.ZSH
    assert done.stdout == (SCRIPTS / FILES[expected]).read_text(encoding="utf-8")


def test_without_a_shell_around_it_is_that_of_the_user(agentctl: Agentctl) -> None:
    done = agentctl("completions", env={"SHELL": "/usr/local/bin/fish"})
    assert done.stdout == (SCRIPTS / FILES[Shell.FISH]).read_text(encoding="utf-8")


@pytest.mark.parametrize("shell", ["/bin/tcsh", "", None])
def test_a_shell_in_use_that_is_not_known_is_a_usage_error(agentctl: Agentctl, shell: str | None) -> None:
    done = agentctl("completions", env={"SHELL": shell})
    assert (done.returncode, done.stdout) == (2, "")
    assert "name one of bash, zsh, fish, powershell" in done.stderr


def test_a_shell_that_is_not_known_is_a_usage_error_that_names_them(agentctl: Agentctl) -> None:
    done = agentctl("completions", "tcsh")
    assert (done.returncode, done.stdout) == (2, "")
    assert all(shell.value in done.stderr for shell in Shell)


@needs("bash")
@TYPED
def test_bash_completes(project: Path, home: Path, keys: str, arguments: str) -> None:
    setup = home / "bashrc"
    setup.write_text(f"PS1='ready> '\nsource '{SCRIPTS}/agentctl.bash'\n")
    with Terminal("--noprofile", "--rcfile", str(setup), "-i", program=["bash"], env={}) as terminal:
        terminal.read_until("ready> ")
        terminal.type(f"agentctl {keys}\n")
        assert arguments in terminal.read_until("<end>").replace("\n", "")


@needs("zsh")
@TYPED
def test_zsh_completes(project: Path, home: Path, keys: str, arguments: str) -> None:
    (home / ".zshrc").write_text(
        f"PS1='ready> '\nfpath=('{SCRIPTS}' $fpath)\nautoload -Uz compinit\ncompinit -u -D\nunsetopt list_beep\n"
    )
    with Terminal("-i", program=["zsh"], env={"ZDOTDIR": str(home)}) as terminal:
        terminal.read_until("ready> ")
        terminal.type(f"agentctl {keys}\n")
        assert arguments in terminal.read_until("<end>").replace("\n", "")


@needs("zsh")
def test_zsh_takes_the_script_as_a_sourced_file_too(project: Path, home: Path) -> None:
    (home / ".zshrc").write_text(
        f"PS1='ready> '\nautoload -Uz compinit\ncompinit -u -D\nsource '{SCRIPTS}/_agentctl'\n"
    )
    with Terminal("-i", program=["zsh"], env={"ZDOTDIR": str(home)}) as terminal:
        terminal.read_until("ready> ")
        terminal.type("agentctl expl\t\n")
        assert "<explain-exit>" in terminal.read_until("<end>")


@needs("fish")
@pytest.mark.parametrize(
    ("line", "completed"),
    [
        ("agentctl expl", "explain-exit\tExplain an exit code."),
        ("agentctl run --model=loc", "--model=local/smollm2\tA local model of 98 MB."),
        ("agentctl run -a wea", "weather\tweather.py:agent"),
        ("agentctl run --max-tu", "--max-turns\tMaximum number of model calls."),
        ("agentctl config set transport web", "websocket"),
        ("agentctl trust agen", "agentctl.toml"),
        ("agentctl --config=agen", "--config=agentctl.toml"),
        ('agentctl run "a b" -m loc', "local/smollm2\tA local model of 98 MB."),
        ("X=1 agentctl expl", "explain-exit\tExplain an exit code."),
        ("echo hi; agentctl expl", "explain-exit\tExplain an exit code."),
    ],
)
def test_fish_completes(project: Path, line: str, completed: str) -> None:
    done = fish(f"complete -C '{line}'")
    assert (done.stdout, done.stderr) == (f"{completed}\n", "")


@needs("fish")
def test_fish_says_nothing_where_there_is_no_agentctl(project: Path) -> None:
    done = fish("set PATH /nowhere; complete -C 'agentctl expl'")
    assert (done.stdout, done.stderr) == ("", "")


def fish(command: str) -> "subprocess.CompletedProcess[str]":
    """Run a command in fish, with our completions."""
    script = f"source '{SCRIPTS}/agentctl.fish'; {command}"
    return subprocess.run(["fish", "--no-config", "-c", script], capture_output=True, text=True, timeout=60)
