"""The root command: the global options, and a table of commands that are imported when they are named."""

from __future__ import annotations

import sys
from copy import copy
from enum import StrEnum
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperCommand, TyperGroup

from agentctl.version import __version__

from .invocation import Invocation

COMMANDS: dict[str, tuple[str, str]] = {
    "run": ("run", "Run an agent to the end, then print its final output."),
    "stream": ("stream", "Run an agent and show what happens as it happens."),
    "chat": ("chat", "Hold a conversation in the terminal."),
    "config": ("config", "Defaults and keys: what is set, and where it comes from."),
    "approvals": ("approvals", "The tickets of runs that wait for a person's yes."),
    "sessions": ("sessions", "The conversations that are kept on this machine."),
    "trace": ("trace", "Whether runs are traced, and where that goes."),
    "models": ("models", "The models of the endpoint, and the local weights."),
    "agents": ("agents", "The agents of the project, and what they are made of."),
    "trust": ("trust", "Let the agents of this project run code."),
    "events": ("events", "The schema of the machine output."),
    "completions": ("completions", "The script that completes a command line in a shell."),
    "doctor": ("doctor", "Check what works, and what to do about the rest."),
    "explain-exit": ("explain_exit", "What an exit code means, and what to do."),
}
"""Command -> (its module in `cli/commands`, its line in the help)."""

_GLOBAL = ("config", "profile", "color")
"""The options of the root that may stand behind the command as well."""

_PLAIN_HELP = None
"""Typer's Rich panels cost 60 ms and a screen of frames; the plain help says the same."""


class Context(typer.Context):
    """The context of a command, whose help fits the terminal."""

    def make_formatter(self) -> Any:
        """Return what lays out help and usage."""
        # 1 ms that only help and mistakes cost.
        from .help_layout import HelpFormatter

        return HelpFormatter()


class LazyGroup(TyperGroup):
    """A group that lists its commands from the table and imports one only to run it."""

    context_class = Context

    def list_commands(self, ctx: Any) -> list[str]:
        """Return the names in the order of the table."""
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """Return a stand-in that carries the name and the line of help."""
        if cmd_name not in COMMANDS:
            return None
        line = COMMANDS[cmd_name][1]
        return TyperCommand(name=cmd_name, help=line, short_help=line, rich_markup_mode=_PLAIN_HELP)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Return the command itself, imported; an unknown name fails as usual, with a suggestion."""
        if args[0] not in COMMANDS:
            # Typer suggests what it finds here.
            self.commands = {name: self.get_command(ctx, name) for name in COMMANDS}
        name, _, rest = super().resolve_command(ctx, args)
        command = load_command(str(name))
        accept_globals(command, self.params)
        return name, command, rest


def load_command(name: str) -> Any:
    """Import a command's module and return the command."""
    app: typer.Typer = import_module(f"agentctl.cli.commands.{COMMANDS[name][0]}").app
    app.rich_markup_mode = _PLAIN_HELP
    app._add_completion = False
    command = typer.main.get_command(app)
    command.name = name
    return command


def accept_globals(command: Any, options: list[Any]) -> None:
    """Make a command and all below it take the global options too, which their help leaves to that of the root."""
    command.context_class = Context
    for option in options:
        if option.name in _GLOBAL:
            own = copy(option)
            own.hidden, own.expose_value, own.default, own.callback = True, False, None, _take
            command.params.append(own)
    if isinstance(command, TyperGroup):
        for inner in command.commands.values():
            accept_globals(inner, options)


class Color(StrEnum):
    """When to colour: `auto` looks at each stream and at NO_COLOR, FORCE_COLOR and TERM."""

    AUTO = "auto"
    ALWAYS = "always"
    NEVER = "never"


app = typer.Typer(
    cls=LazyGroup,
    no_args_is_help=True,
    rich_markup_mode=_PLAIN_HELP,
    add_completion=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _take(ctx: typer.Context, option: Any, value: str | None) -> None:
    """Keep the checked text of a global option that stands behind the command."""
    invocation = ctx.ensure_object(Invocation)
    match option.name, value:
        case _, None:
            pass
        case "config", str(path):
            invocation.config = Path(path)
        case "profile", str(name):
            invocation.profile = name
        case "color", str(color):
            invocation.color = Color(color).value


def _profiles(ctx: typer.Context) -> list[tuple[str, str]]:
    # 3 ms that only the Tab key costs.
    from .completion_values import profiles

    return profiles(ctx)


def _profile_name(text: str) -> str:
    # 3 ms that only a name costs.
    from agentctl.profile.store import check_profile_name

    try:
        return check_profile_name(text)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error


def _print_version(ctx: typer.Context, wanted: bool) -> None:
    if wanted and not ctx.resilient_parsing:
        sys.stdout.write(f"agentctl {__version__}\n")
        raise typer.Exit


@app.callback(epilog="Exit codes: `agentctl explain-exit`.")
def root(
    ctx: typer.Context,
    config: Annotated[
        Path | None, typer.Option(metavar="PATH", help="The file of profiles, in place of the default one.")
    ] = None,
    profile: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            parser=_profile_name,
            help="The profile, in place of the one in use.",
            autocompletion=_profiles,
        ),
    ] = None,
    color: Annotated[Color, typer.Option(help="When to colour the output.")] = Color.AUTO,
    version: Annotated[
        bool, typer.Option("--version", is_eager=True, callback=_print_version, help="Show the version and exit.")
    ] = False,
) -> None:
    """Example: agentctl stream "Name three rivers"

    Run LLM agents, and configure their defaults.
    """
    invocation = ctx.ensure_object(Invocation)
    invocation.config = config
    invocation.profile = profile
    invocation.color = color.value


def command() -> Any:
    """Return the root command, ready to be called with arguments."""
    return typer.main.get_command(app)
