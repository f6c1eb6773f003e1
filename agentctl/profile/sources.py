"""Notes on errors that say where a setting comes from: a variable, the project file or the profile."""

from __future__ import annotations

from agentctl.errors import AgentsException

from .load import Loaded
from .resolve import BUILT_IN, FLAG


def note_source(error: AgentsException, key: str, loaded: Loaded) -> None:
    """Add a note such as "`model` comes from AGENTCTL_MODEL" to an error that a setting caused.

    A default is not noted, nor is what the message says already.
    """
    value = loaded.settings.values.get(key)
    if value is None or value.origin == BUILT_IN or value.origin in str(error):
        return
    origin = "the command line" if value.origin == FLAG else value.origin
    profile = f" (profile {loaded.profile.name})" if value.origin == str(loaded.profile.path) else ""
    note = f"`{key}` comes from {origin}{profile}"
    if note not in getattr(error, "__notes__", ()):
        error.add_note(note)
