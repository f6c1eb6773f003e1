"""Text edited in the user's own editor."""

from __future__ import annotations

import os
import shlex
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path

from agentctl.child import child_environment
from agentctl.errors import ConfigurationError

_VARIABLES = ("VISUAL", "EDITOR")


def edit_text(text: str, *, suffix: str, environ: Mapping[str, str]) -> str:
    """Open a text in the editor that VISUAL or EDITOR names, by default vi, and return it as saved.

    Raises:
        ConfigurationError: the editor cannot be started, or fails.
    """
    variable = next((name for name in _VARIABLES if environ.get(name)), "EDITOR")
    command = shlex.split(environ.get(variable, "")) or ["vi"]
    with tempfile.TemporaryDirectory(prefix="agentctl-") as folder:
        path = Path(folder) / f"text{suffix}"
        path.write_text(text, encoding="utf-8")
        # The editor gets what programs of the terminal get, but no keys.
        names = ("DISPLAY", "WAYLAND_DISPLAY", "XDG_RUNTIME_DIR", "COLORTERM", *_VARIABLES)
        try:
            ended = subprocess.run(  # noqa: S603  # the user's own editor
                [*command, path], env=child_environment(environ, names=names), check=False
            )
        except OSError as error:
            raise ConfigurationError(
                f"cannot start the editor {command[0]}: {os.strerror(error.errno or 0)}; set {variable} to another one"
            ) from error
        if ended.returncode:
            raise ConfigurationError(f"the editor {command[0]} failed ({ended.returncode}); nothing was changed")
        return path.read_text(encoding="utf-8")
