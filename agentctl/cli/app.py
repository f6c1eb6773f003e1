"""The root command: the global options, and a table of commands, each imported only when it is run."""

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
    "run": ("run", "Run an agent, then print its final output."),
    "stream": ("stream", "Run an agent and print its output as it arrives."),
    "chat": ("chat", "Chat with an agent in the terminal."),
    "batch": ("batch", "Run an agent for every row of a file."),
    "test": ("test", "Run the test cases of agents."),
    "bundle": ("bundle", "Archive runs for bug reports."),
    "config": ("config", "Manage settings, keys and profiles."),
    "approvals": ("approvals", "Review suspended runs that wait for approval."),
    "sessions": ("sessions", "Manage saved conversations."),
    "budget": ("budget", "Manage budgets that runs share."),
    "trace": ("trace", "Show traces, and change the tracing of runs."),
    "models": ("models", "List models, and manage local weights."),
    "agents": ("agents", "List, show, check and create agents."),
    "trust": ("trust", "Allow this project's agents to run code."),
    "events": ("events", "Describe and check the JSON output."),
    "completions": ("completions", "Print a shell completion script."),
    "doctor": ("doctor", "Check the installation, and suggest fixes."),
    "explain-exit": ("explain_exit", "Explain an exit code."),
}
"""Command -> (module in `cli/commands`, summary in the help)."""

_GLOBAL = ("config", "profile", "color")
"""The options of the root that are also accepted after the command."""

_PLAIN_HELP = None
"""Typer's Rich panels take 60 ms and fill the screen with frames."""


class Context(typer.Context):
    """The context of a command, with help that fits the terminal."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        """Note the command in the invocation, for errors that do not know theirs."""
        super().__init__(*arguments, **options)
        if isinstance(self.obj, Invocation):
            self.obj.context = self

    def make_formatter(self) -> Any:
        """Return the formatter of help and usage."""
        # 1 ms, needed only for help and usage errors.
        from .help_layout import HelpFormatter

        return HelpFormatter()


class LazyGroup(TyperGroup):
    """A group that lists its commands from the table and imports a command only to run it."""

    context_class = Context

    def list_commands(self, ctx: Any) -> list[str]:
        """Return the names in the order of the table."""
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """Return a stub with the name and summary of a command."""
        if cmd_name not in COMMANDS:
            return None
        line = COMMANDS[cmd_name][1]
        return TyperCommand(name=cmd_name, help=line, short_help=line, rich_markup_mode=_PLAIN_HELP)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Return the imported command; an unknown name fails as usual, with a suggestion."""
        if args[0] not in COMMANDS:
            # The names that Typer suggests.
            self.commands = {name: self.get_command(ctx, name) for name in COMMANDS}
        name, _, rest = super().resolve_command(ctx, args)
        command = load_command(str(name))
        add_global_options(command, self.params)
        return name, command, rest


def load_command(name: str) -> Any:
    """Import a command's module and return the command."""
    app: typer.Typer = import_module(f"agentctl.cli.commands.{COMMANDS[name][0]}").app
    app.rich_markup_mode = _PLAIN_HELP
    app._add_completion = False
    command = typer.main.get_command(app)
    command.name = name
    return command


def add_global_options(command: Any, options: list[Any]) -> None:
    """Add the global options, hidden from its help, to a command and its subcommands."""
    command.context_class = Context
    for option in options:
        if option.name in _GLOBAL:
            own = copy(option)
            own.hidden, own.expose_value, own.default, own.callback = True, False, None, _apply_global
            command.params.append(own)
    if isinstance(command, TyperGroup):
        for inner in command.commands.values():
            add_global_options(inner, options)


class Color(StrEnum):
    """When to use colour: `auto` depends on each stream and on NO_COLOR, FORCE_COLOR and TERM."""

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


def _apply_global(ctx: typer.Context, option: Any, value: str | None) -> None:
    """Store the value of a global option given after the command."""
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
    # 3 ms, needed only for completion.
    from .completion_values import profiles

    return profiles(ctx)


def _profile_name(text: str) -> str:
    # 3 ms, needed only for a name.
    from agentctl.profile.store import check_profile_name

    try:
        return check_profile_name(text)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error


def _print_version(ctx: typer.Context, is_given: bool) -> None:
    if is_given and not ctx.resilient_parsing:
        sys.stdout.write(f"agentctl {__version__}\n")
        raise typer.Exit


@app.callback(epilog="Exit codes: `agentctl explain-exit`.")
def root(
    ctx: typer.Context,
    config: Annotated[Path | None, typer.Option(metavar="PATH", help="Use this file of profiles.")] = None,
    profile: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            parser=_profile_name,
            help="Use this profile.",
            autocompletion=_profiles,
        ),
    ] = None,
    color: Annotated[Color, typer.Option(help="When to use colour.")] = Color.AUTO,
    version: Annotated[
        bool, typer.Option("--version", is_eager=True, callback=_print_version, help="Show the version and exit.")
    ] = False,
) -> None:
    """Example: agentctl stream "Name three rivers"

    Run LLM agents, and manage their settings.
    """
    invocation = ctx.ensure_object(Invocation)
    invocation.config = config
    invocation.profile = profile
    invocation.color = color.value


def command() -> Any:
    """Return the root command."""
    return typer.main.get_command(app)
