"""`agentctl config profiles`: lists, selects and deletes profiles.

Annotations are not strings here, for the same reason as in `commands/config.py`, which includes these commands.
"""

from typing import Annotated

import typer

from agentctl.agent.wire import JSONValue
from agentctl.cli import completion_values
from agentctl.cli.columns import terminal_width
from agentctl.grammar import count
from agentctl.profile.credentials import keyring_entry, load_credentials, remove_keys
from agentctl.profile.load import Paths, find_paths
from agentctl.profile.store import (
    check_deletable,
    check_profile_name,
    delete_profile,
    load_profiles,
    use_profile,
)

from .confirmation import NoInput, Yes, is_confirmed
from .invocation import Invocation, note_copy

HELP = """Example: agentctl config profiles list

Manage profiles: named sets of settings and keys.
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


@app.command("list", short_help="List the profiles.")
def list_profiles(
    ctx: typer.Context, as_json: Annotated[bool, typer.Option("--json", help="Print a JSON document.")] = False
) -> None:
    """Example: agentctl config profiles list

    List the profiles; a star marks the current one. `agentctl --profile NAME config set KEY VALUE` creates one.
    """
    invocation = ctx.ensure_object(Invocation)
    paths = _paths(invocation)
    profiles = load_profiles(paths.profile, paths.named)
    if profiles.current.name not in profiles.names:
        invocation.note(
            f"note: the profile {profiles.current.name}, named by {profiles.current.origin}, does not exist"
        )
    if as_json:
        rows: list[JSONValue] = [
            {
                "name": name,
                "in_use": name == profiles.current.name,
                "keys": list(load_credentials(paths.credentials, name).keys),
            }
            for name in profiles.names
        ]
        invocation.print_json({"path": None if paths.profile is None else str(paths.profile), "profiles": rows})
        return
    if terminal_width() is not None:
        invocation.print("  PROFILE")
    for name in profiles.names:
        invocation.print(f"{'*' if name == profiles.current.name else ' '} {name}")


@app.command("use", short_help="Set the default profile.")
def use(ctx: typer.Context, name: Name) -> None:
    """Example: agentctl config profiles use work

    Set the default profile. --profile and AGENTCTL_PROFILE take precedence over it.
    """
    invocation = ctx.ensure_object(Invocation)
    use_profile(_paths(invocation).profile, name, on_copy=note_copy(invocation))
    variable = invocation.environ.get("AGENTCTL_PROFILE", name)
    if variable != name:
        invocation.note(f"note: AGENTCTL_PROFILE is set to {variable} and takes precedence over it")


@app.command("delete", short_help="Delete a profile and its keys.")
def delete(
    ctx: typer.Context,
    name: Name,
    yes: Yes = False,
    no_input: NoInput = False,
) -> None:
    """Example: agentctl config profiles delete work --yes

    Delete a profile with its settings and stored keys. The current profile and `default` cannot be deleted.
    """
    invocation = ctx.ensure_object(Invocation)
    paths = _paths(invocation)
    check_deletable(load_profiles(paths.profile, paths.named), name, paths.profile)
    credentials = load_credentials(paths.credentials, name)
    contents = f"its settings and {count(len(credentials.keys), 'key')}"
    if not yes and not is_confirmed(f"Delete the profile {name} with {contents}?", no_input=no_input):
        invocation.note(f"the profile {name} was not deleted")
        raise typer.Exit(1)
    for purpose, key in credentials.keys.items():
        if key.value is None:
            # 12 ms, needed only for the keyring.
            from agentctl.profile.keyring import delete as delete_entry

            delete_entry(keyring_entry(name, purpose))
    if credentials.keys:
        remove_keys(paths.credentials, name)
    delete_profile(paths.profile, name, on_copy=note_copy(invocation))
    invocation.note(f"deleted the profile {name} with {contents}")


def _paths(invocation: Invocation) -> Paths:
    return find_paths(invocation.environ, invocation.config, invocation.profile)
