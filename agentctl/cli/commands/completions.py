"""`agentctl completions`: the completion script of a shell."""

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

Print the script that completes commands, options and values in a shell. Where shells look for it:

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
        typer.Argument(metavar="[bash|zsh|fish|powershell]", help="The shell; by default the one in use."),
    ] = None,
) -> None:
    """Print the completion script of a shell."""
    invocation: Invocation = ctx.obj
    invocation.print(script(shell or _shell_in_use(invocation.environ)))


def _shell_in_use(environ: Mapping[str, str]) -> Shell:
    """Return the shell that started us, or else the user's own."""
    names = (_parent(), Path(environ.get("SHELL", "")).name)
    for name in names:
        if name in _NAMES:
            return _NAMES[name]
    known = ", ".join(Shell)
    raise typer.BadParameter(f"it does not show which shell is in use; name one of {known}.", param_hint="SHELL")


def _parent() -> str:
    """Return the name of the program that started us, where the system tells."""
    try:
        return Path(f"/proc/{os.getppid()}/comm").read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return ""
