"""Common parts of the commands about stored traces: the folder, the prices, and the parsing of ages."""

from __future__ import annotations

import time
from pathlib import Path

from agentctl.errors import ConfigurationError
from agentctl.prices.prices import Prices
from agentctl.profile.load import load_settings
from agentctl.storage import explain_unwritable, folders, make_folder, write_atomic
from agentctl.traces.store import LocalTraces
from agentctl.tracing.local import FOLDER
from agentctl.tracing.trace_files import file_key

from .invocation import Invocation

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}


def traces_of(invocation: Invocation) -> LocalTraces:
    """Return the traces on this machine.

    Raises:
        ConfigurationError: there is no home folder.
    """
    found = folders(invocation.environ)
    if found is None:
        raise ConfigurationError("there is no home folder, so no traces are kept; set HOME or AGENTCTL_HOME")
    return LocalTraces(found.state / FOLDER)


def prices_of(invocation: Invocation) -> Prices:
    """Return the prices of the user's settings, over those of genai-prices."""
    loaded = load_settings({}, environ=invocation.environ, config=invocation.config, profile=invocation.profile)
    found = loaded.paths.folders
    return Prices(loaded.settings.prices, None if found is None else found.state)


def parse_age(text: str) -> float:
    """Return the time, in seconds since 1970, that was some seconds, minutes, hours, days or weeks ago.

    Raises:
        ValueError: it is no age.
    """
    number, unit = text[:-1], text[-1:]
    if unit not in _UNITS or not number.isascii() or not number.replace(".", "", 1).isdigit():
        raise ValueError(f"{text!r} is not an age such as 30m, 12h or 7d")
    return time.time() - float(number) * _UNITS[unit]


def open_page(page: str, trace_id: str, invocation: Invocation) -> Path:
    """Write a page where only this user can read it, open it in the browser, and return its path.

    Raises:
        ConfigurationError: there is no home folder, or it cannot be written to.
    """
    import webbrowser  # 10 ms

    folder = traces_of(invocation).folder
    path = folder / f"{file_key(trace_id)}.html"
    with explain_unwritable(folder):
        make_folder(folder)
        write_atomic(path, page.encode("utf-8", "replace"), mode=0o600)
    if not webbrowser.open(path.as_uri()):
        invocation.note("no browser could be opened; open the file yourself")
    return path
