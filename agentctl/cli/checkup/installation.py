"""Checks of Python, the packages, and the local model."""

from __future__ import annotations

import platform
import re
import sys
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, requires, version

from agentctl.errors import AgentsException, ConfigurationError
from agentctl.models.local.model import LocalProvider
from agentctl.models.local.runtime import check_import
from agentctl.models.local.weights import RUNTIME_MODULE, SMOLLM2, WeightsState, state_of, weights_folder
from agentctl.packages import DISTRIBUTION, LOCAL, install_command
from agentctl.version import __version__

from .finding import Finding, as_warning, failure, ok

PACKAGES = ("openai", "httpx2", "websockets", "typer", "pydantic")


def check_python() -> Finding:
    """Return the version and path of Python."""
    return ok(
        "python",
        f"{platform.python_version()} at {sys.executable}, {platform.platform(terse=True)} {platform.machine()}",
    )


def check_packages() -> Finding:
    """Return the versions of the required packages."""
    check = "packages"
    found = {name: _version(name) for name in PACKAGES}
    missing = [name for name, version_text in found.items() if version_text is None]
    if missing:
        return failure(
            check,
            ConfigurationError(
                f"not installed: {', '.join(missing)}; install them: {install_command(*map(_requirement, missing))}"
            ),
        )
    rest = {**found, RUNTIME_MODULE: _version(RUNTIME_MODULE) or "not installed"}
    return ok(check, ", ".join([f"agentctl {__version__}", *(f"{name} {each}" for name, each in rest.items())]))


def check_local_model(environ: Mapping[str, str], model: str | None) -> Finding:
    """Return whether the local model is ready; slow, so call it in a thread.

    `model` is the current model without its prefix if that is a local one, else None.
    """
    if model is None and _version(RUNTIME_MODULE) is None:
        return ok(
            "local model",
            f"not installed and not needed; to install it: {install_command(LOCAL)}",
        )
    finding = _local_model(environ, model or SMOLLM2.name)
    return as_warning(finding) if model is None else finding


def _local_model(environ: Mapping[str, str], name: str) -> Finding:
    check = "local model"
    try:
        check_import()
        LocalProvider(environ).get_model(name)
        if name != SMOLLM2.name:
            return ok(check, f"the runtime loads, and the file of local/{name} exists")
        folder = weights_folder(environ)
        state = state_of(SMOLLM2, folder)
    except (AgentsException, OSError) as error:
        return failure(check, error)
    if state is WeightsState.READY:
        return ok(check, f"local/{name} is ready: {folder / SMOLLM2.file_name}")
    found = failure(
        check, ConfigurationError(f"the weights of local/{name} are {state.value}; run `agentctl models pull {name}`")
    )
    # The first run downloads missing weights.
    return as_warning(found) if state is WeightsState.MISSING else found


def _requirement(package: str) -> str:
    """Return a required package with the versions that agentctl requires."""
    try:
        listed = requires(DISTRIBUTION) or ()
    except PackageNotFoundError:
        return package
    return next((each for each in listed if re.split(r"[^\w-]", each)[0] == package), package)


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
