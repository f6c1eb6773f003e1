"""The class of "the command line is wrong", which Typer has and does not export."""

import typer

UsageError: type[Exception] = typer.BadParameter.__mro__[1]
