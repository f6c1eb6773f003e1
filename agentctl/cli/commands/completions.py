"""`agentctl completions`: prints a shell completion script."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer

from agentctl.cli.completion import Shell
from agentctl.cli.completion_scripts import script
from agentctl.cli.invocation import Invocation

_HELP = """Example: agentctl completions zsh > ~/.zfunc/_agentctl

Print the script that completes commands, options and values in a shell. Shells look for it in:

\b
  bash        ~/.local/share/bash-completion/completions/agentctl
  zsh         _agentctl, in a folder of $fpath
  fish        ~/.config/fish/completions/agentctl.fish
  powershell  at the end of the file $PROFILE
"""

app = typer.Typer()

_NAMES = {**{shell.value: shell for shell in Shell}, "pwsh": Shell.POWERSHELL}


@app.command(help=_HELP)
def completions(
    ctx: typer.Context,
    shell: Annotated[
        Shell | None,
        typer.Argument(metavar="[bash|zsh|fish|powershell]", help="The shell; by default the current one."),
    ] = None,
) -> None:
    """Print a shell completion script."""
    invocation: Invocation = ctx.obj
    invocation.print(script(shell or _shell_in_use(invocation.environ)))


def _shell_in_use(environ: Mapping[str, str]) -> Shell:
    """Return the parent shell, or else the user's login shell."""
    names = (_parent(), Path(environ.get("SHELL", "")).name)
    for name in names:
        if name in _NAMES:
            return _NAMES[name]
    known = ", ".join(Shell)
    raise typer.BadParameter(f"cannot detect the current shell; name one of {known}", param_hint="SHELL")


def _parent() -> str:
    """Return the name of the parent process, or "" if it is not known."""
    try:
        return Path(f"/proc/{os.getppid()}/comm").read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return ""
