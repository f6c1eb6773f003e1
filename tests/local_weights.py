"""The real weights of the local model, fetched once into a cache that outlives the test session."""

import os
from pathlib import Path

import platformdirs
import pytest

from agentctl.errors import ServiceUnavailableError
from agentctl.models.local.pull import pull
from agentctl.models.local.weights import SMOLLM2


@pytest.fixture(scope="session")
def weights_file() -> Path:
    """The GGUF file of the shipped model; skips if the runtime or a network is missing."""
    pytest.importorskip("xllamacpp", reason="the extra `local` is not installed", exc_type=ImportError)
    kept = os.environ.get("AGENTCTL_TEST_MODELS") or platformdirs.user_cache_path("agentctl-tests") / "models"
    folder = Path(kept)
    try:
        pull(SMOLLM2, folder, environ=os.environ, report=lambda step: None)
    except ServiceUnavailableError as error:
        pytest.skip(f"the weights cannot be fetched: {error}")
    return folder / SMOLLM2.file_name


@pytest.fixture
def local_home(home: Path, weights_file: Path) -> Path:
    """An agentctl home where the weights of the shipped model lie."""
    models = home / ".agentctl" / "models"
    models.mkdir(parents=True)
    (models / SMOLLM2.file_name).symlink_to(weights_file)
    return home
