"""The question before something is deleted for good, and its options."""

import sys
from typing import Annotated, TypeAlias

import typer

Yes: TypeAlias = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask for confirmation.")]
NoInput: TypeAlias = Annotated[bool, typer.Option("--no-input", help="Never prompt; fail without --yes.")]


def is_confirmed(question: str, *, no_input: bool) -> bool:
    """Ask on the terminal and return whether the answer is yes.

    Raises:
        typer.BadParameter: the user cannot be asked.
    """
    if no_input or not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise typer.BadParameter("cannot ask for confirmation here; pass --yes", param_hint="--yes")
    sys.stderr.write(f"{question} [y/N] ")
    sys.stderr.flush()
    return sys.stdin.readline().strip().lower() in ("y", "yes")
