"""The question before something is deleted for good, and its options."""

import sys
from typing import Annotated, TypeAlias

import typer

from .columns import fold_text, stderr_width

Yes: TypeAlias = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask for confirmation.")]
NoInput: TypeAlias = Annotated[bool, typer.Option("--no-input", help="Never prompt; fail without --yes.")]


def is_confirmed(question: str, *, no_input: bool) -> bool:
    """Ask on the terminal and return whether the answer is yes.

    Raises:
        typer.BadParameter: the user cannot be asked.
    """
    if no_input or not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise typer.BadParameter("cannot ask for confirmation here; pass --yes", param_hint="--yes")
    sys.stderr.write(f"{fold_text(f'{question} [y/N]', stderr_width())} ")
    sys.stderr.flush()
    return sys.stdin.readline().strip().lower() in ("y", "yes")
