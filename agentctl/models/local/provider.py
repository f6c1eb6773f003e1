"""The provider behind the prefix `local/`: weights by name, or any GGUF file by its path."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from agentctl.agent.ports import ModelProvider
from agentctl.errors import ConfigurationError

from .model import LocalModel
from .weights import SMOLLM2, known_weights


class LocalProvider(ModelProvider):
    """Finds local models; they are fetched and loaded when first asked, not when found."""

    def __init__(self, environ: Mapping[str, str] | None = None) -> None:
        self._environ = os.environ if environ is None else environ
        self._models: dict[str, LocalModel] = {}

    def get_model(self, model_name: str | None) -> LocalModel:
        """Return the model of a name (`smollm2`) or of a path (`/path/to/model.gguf`, `~/model.gguf`).

        Raises:
            ConfigurationError: there is no such name or file.
        """
        name = model_name or SMOLLM2.name
        if name not in self._models:
            source = _file(name) if "/" in name or name.endswith(".gguf") else known_weights(name)
            self._models[name] = LocalModel(name, source, self._environ)
        return self._models[name]


def _file(name: str) -> Path:
    path = Path(name).expanduser()
    if not path.exists():
        raise ConfigurationError(f"there is no such file, which the model local/{name} names", file=path)
    if not path.is_file():
        raise ConfigurationError(f"is not a file: the model local/{name} is named by its GGUF file", file=path)
    return path
