"""`agentctl config profiles`: the profiles that there are, the one in use, and their end.

Annotations are no text here, as in `commands/config.py`, of which this is a part.
"""

import sys
from typing import Annotated

import typer

from agentctl.agent.wire import JSONValue
from agentctl.cli import completion_values
from agentctl.profile.credentials import keyring_entry, load_credentials, remove_keys
from agentctl.profile.load import Paths, find_paths
from agentctl.profile.store import (
    check_deletable,
    check_profile_name,
    delete_profile,
    load_profiles,
    use_profile,
)

from .invocation import Invocation

HELP = """Example: agentctl config profiles list

Profiles: the sets of settings and keys that there are.
"""

app = typer.Typer(no_args_is_help=True, help=HELP)


def _profile_name(text: str) -> str:
    try:
        return check_profile_name(text)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error


Name = Annotated[
    str,
    typer.Argument(
        metavar="NAME", parser=_profile_name, help="The profile.", autocompletion=completion_values.profiles
    ),
]


@app.command("list", short_help="Show the profiles, the one in use marked.")
def list_profiles(
    ctx: typer.Context, as_json: Annotated[bool, typer.Option("--json", help="Print a JSON document.")] = False
) -> None:
    """Example: agentctl config profiles list

    Show the profiles; a star marks the one in use. `agentctl --profile NAME config set KEY VALUE` makes one.
    """
    invocation = ctx.ensure_object(Invocation)
    paths = _paths(invocation)
    found = load_profiles(paths.profile, paths.named)
    if found.current.name not in found.names:
        invocation.note(f"note: {found.current.name}, which {found.current.origin} names, is not there")
    if as_json:
        rows: list[JSONValue] = [
            {
                "name": name,
                "in_use": name == found.current.name,
                "keys": list(load_credentials(paths.credentials, name).keys),
            }
            for name in found.names
        ]
        invocation.print_json({"path": None if paths.profile is None else str(paths.profile), "profiles": rows})
        return
    for name in found.names:
        invocation.print(f"{'*' if name == found.current.name else ' '} {name}")


@app.command("use", short_help="Choose the profile that is in use.")
def use(ctx: typer.Context, name: Name) -> None:
    """Example: agentctl config profiles use work

    Choose the profile that holds where neither --profile nor AGENTCTL_PROFILE names one.
    """
    invocation = ctx.ensure_object(Invocation)
    use_profile(_paths(invocation).profile, name)
    variable = invocation.environ.get("AGENTCTL_PROFILE", name)
    if variable != name:
        invocation.note(f"note: AGENTCTL_PROFILE is set to {variable}, and goes before it")


@app.command("delete", short_help="Delete a profile and its keys.")
def delete(
    ctx: typer.Context,
    name: Name,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    no_input: Annotated[bool, typer.Option("--no-input", help="Never ask; fail without --yes.")] = False,
) -> None:
    """Example: agentctl config profiles delete work --yes

    Delete a profile, with its settings and its stored keys. The one in use and `default` stay.
    """
    invocation = ctx.ensure_object(Invocation)
    paths = _paths(invocation)
    check_deletable(load_profiles(paths.profile, paths.named), name, paths.profile)
    credentials = load_credentials(paths.credentials, name)
    count = len(credentials.keys)
    lost = f"its settings and {count} key{'' if count == 1 else 's'}"
    if not yes and not _is_confirmed(f"Delete the profile {name} with {lost}?", no_input=no_input):
        invocation.note(f"the profile {name} stays")
        raise typer.Exit(1)
    for purpose, key in credentials.keys.items():
        if key.value is None:
            # 12 ms that only the keyring costs.
            from agentctl.profile.keyring import delete

            delete(keyring_entry(name, purpose))
    if credentials.keys:
        remove_keys(paths.credentials, name)
    delete_profile(paths.profile, name)
    invocation.note(f"deleted the profile {name} with {lost}")


def _paths(invocation: Invocation) -> Paths:
    return find_paths(invocation.environ, invocation.config, invocation.profile)


def _is_confirmed(question: str, *, no_input: bool) -> bool:
    """Return whether somebody at the terminal says yes."""
    if no_input or not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise typer.BadParameter("nobody may be asked; --yes deletes without asking", param_hint="--yes")
    sys.stderr.write(f"{question} [y/N] ")
    sys.stderr.flush()
    return sys.stdin.readline().strip().lower() in ("y", "yes")
